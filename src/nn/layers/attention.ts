/** Attention of one head, dot-product and additive; and what attention with several heads shares with it. */
import { fail } from '../../base/errors.ts';
import {
  add,
  cast,
  dropout,
  expandDims,
  greaterEqual,
  logicalAnd,
  matMul,
  mul,
  range,
  scaledDotProductAttention,
  softmax,
  sub,
  sum,
  Tensor,
  tanh,
} from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import type { Mask } from './call_context.ts';
import { type CallOptions, Layer, type LayerArgs } from './layer.ts';
import type { LayerVariable } from './layer_variable.ts';
import { isShapeList, type KerasShape, type ShapeOrShapes, showShapes } from './shapes.ts';

/** What is added to the scores of keys that do not count: softmax makes 0 of it. */
const away = -1e9;

/** Scores [..., queries, keys] with those left out that a mask (true: counts) or causality leave out. */
function restricted(scores: Tensor, mask: Tensor | null, causal: boolean): Tensor {
  const [queries, keys] = (scores.shape as readonly number[]).slice(-2);
  const order = causal
    ? greaterEqual(expandDims(range(0, queries, 1, 'int32'), 1), expandDims(range(0, keys, 1, 'int32'), 0))
    : null;
  const counts = mask && order ? logicalAnd(mask, order) : (mask ?? order);
  return counts ? add(scores, mul(sub(1, cast(counts, 'float32')), away)) : scores;
}

export interface AttentionOptions {
  /** true where a key counts, of a shape that broadcasts with [..., queries, keys]. */
  mask?: Tensor | null;
  /** A query sees only keys at or before its own place. */
  causal?: boolean;
  /** Share of the weights dropped. */
  dropout?: number;
  /** Factor of the scores; default 1 / sqrt(depth). */
  scale?: number;
  /** Gives the weights of the keys as well. */
  withWeights?: boolean;
}

/**
 * softmax(q k' scale) v for [..., queries, depth], [..., keys, depth] and [..., keys, width]: fused, but where weights are dropped
 * or asked for.
 */
export function attend(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions = {},
): { output: Tensor; weights: Tensor | null } {
  const depth = q.shape[q.rank - 1]!;
  const [queries, keys] = [q.shape[q.rank - 2], k.shape[k.rank - 2]];
  // The fused operation lets the last query see all keys; here query i sees keys 0 to i.
  if (!options.dropout && !options.withWeights && (!options.causal || queries === keys)) {
    const { mask, causal = false, scale } = options;
    const output = scaledDotProductAttention(q, k, v, {
      isCausal: causal,
      ...(mask && { mask }),
      ...(scale !== undefined && { scale }),
    });
    return { output, weights: null };
  }
  const scores = mul(matMul(q, k, false, true), options.scale ?? 1 / Math.sqrt(depth));
  const weights = softmax(restricted(scores, options.mask ?? null, options.causal ?? false));
  const kept = options.dropout ? dropout(weights, options.dropout) : weights;
  return { output: matMul(kept, v), weights };
}

export interface BaseAttentionArgs extends LayerArgs {
  /** Share of the weights dropped in training; default 0. */
  dropout?: number;
}

export interface AttentionCallOptions extends CallOptions {
  /** A query sees only keys at or before its own place; default false. */
  useCausalMask?: boolean;
  /** Gives the weights of the keys behind the output; default false. */
  returnAttentionScores?: boolean;
}

/** Inputs [query, value] or [query, value, key]; the key is the value where it is not given. */
export function threeOf(label: string, inputs: Tensor | Tensor[]): [Tensor, Tensor, Tensor] {
  if (!Array.isArray(inputs) || inputs.length < 2 || inputs.length > 3) {
    fail(
      label,
      'the layer needs [query, value] or [query, value, key]',
      `got ${Array.isArray(inputs) ? inputs.length : 1}`,
    );
  }
  return [inputs[0], inputs[1], inputs[2] ?? inputs[1]];
}

export function threeShapes(label: string, shape: ShapeOrShapes): [KerasShape, KerasShape, KerasShape] {
  if (!isShapeList(shape) || shape.length < 2 || shape.length > 3) {
    return fail(label, 'the layer needs [query, value] or [query, value, key]', `got ${showShapes(shape)}`);
  }
  return [shape[0], shape[1], shape[2] ?? shape[1]];
}

export const maskList = (mask: Mask | undefined): readonly (Tensor | null)[] =>
  mask instanceof Tensor ? [mask] : ((mask as readonly (Tensor | null)[] | null | undefined) ?? []);

/** Queries over values: input [query, value, key?], of [batch, steps, depth] each; output [batch, queries, width of value]. */
abstract class BaseAttention extends Layer {
  readonly dropout: number;

  /** Without a key the value is the key, and its mask may be given all the same. */
  protected override maskedInputs(list: readonly Tensor[]): readonly Tensor[] {
    return list.length === 2 ? [...list, list[1]] : list;
  }

  constructor(args: BaseAttentionArgs) {
    super(args);
    this.dropout = args.dropout ?? 0;
    if (!(this.dropout >= 0 && this.dropout < 1)) fail(this.label, 'dropout must be in [0, 1)', `got ${args.dropout}`);
    this.supportsMasking = true;
  }
  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    const [query, value] = threeShapes(this.label, inputShape);
    return [...query.slice(0, -1), value[value.length - 1]];
  }
  override build(inputShape: ShapeOrShapes): void {
    threeShapes(this.label, inputShape);
  }
  protected abstract scores(query: Tensor, key: Tensor): Tensor;

  override call(inputs: Tensor[], options: AttentionCallOptions): Tensor | Tensor[] {
    const [query, value, key] = threeOf(this.label, inputs);
    const [queryMask, valueMask] = maskList(options.mask);
    const counts = valueMask ? expandDims(cast(valueMask, 'bool'), 1) : null;
    const weights = softmax(restricted(this.scores(query, key), counts, options.useCausalMask ?? false));
    const kept = options.training && this.dropout > 0 ? dropout(weights, this.dropout) : weights;
    const y = matMul(kept, value);
    const output = queryMask ? mul(y, expandDims(cast(queryMask, 'float32'), -1)) : y;
    return options.returnAttentionScores ? [output, weights] : output;
  }
  override computeMask(_inputs: Tensor | Tensor[], mask: Mask): Mask {
    return maskList(mask)[0] ?? null;
  }
  override getConfig(): Config {
    return { dropout: this.dropout, ...super.getConfig() };
  }
}

export interface AttentionArgs extends BaseAttentionArgs {
  /** Whether the scores have a learnt factor; default false. */
  useScale?: boolean;
  /** 'dot' (the default) or 'concat': scale sum tanh(query + key). */
  scoreMode?: 'dot' | 'concat';
}

/** softmax(query key') value (Luong et al. 2015). Source: keras.layers.Attention. */
export class Attention extends BaseAttention {
  static override readonly className = 'Attention';
  readonly useScale: boolean;
  readonly scoreMode: 'dot' | 'concat';
  scale: LayerVariable | null = null;
  concatScoreWeight: LayerVariable | null = null;

  constructor(args: AttentionArgs = {}) {
    super(args);
    this.useScale = args.useScale ?? false;
    this.scoreMode = args.scoreMode ?? 'dot';
    if (!['dot', 'concat'].includes(this.scoreMode)) {
      fail(this.label, "scoreMode must be 'dot' or 'concat'", `got ${JSON.stringify(args.scoreMode)}`);
    }
  }
  override build(inputShape: ShapeOrShapes): void {
    super.build(inputShape);
    const ones = { initializer: this.initializer(undefined, 'ones') };
    if (this.useScale) this.scale = this.addWeight('scale', [], ones);
    if (this.scoreMode === 'concat') this.concatScoreWeight = this.addWeight('concat_score_weight', [], ones);
  }
  protected override scores(query: Tensor, key: Tensor): Tensor {
    if (this.scoreMode === 'dot') {
      const product = matMul(query, key, false, true);
      return this.scale ? mul(product, this.scale.read()) : product;
    }
    const both = add(expandDims(query, 2), expandDims(key, 1));
    const inner = this.scale ? mul(both, this.scale.read()) : both;
    return mul(sum(tanh(inner), -1), this.concatScoreWeight!.read());
  }
  override getConfig(): Config {
    return { useScale: this.useScale, scoreMode: this.scoreMode, ...super.getConfig() };
  }
}

export interface AdditiveAttentionArgs extends BaseAttentionArgs {
  /** Whether the sum has learnt factors; default true. */
  useScale?: boolean;
}

/** softmax(sum scale tanh(query + key)) value (Bahdanau et al. 2015). Source: keras.layers.AdditiveAttention. */
export class AdditiveAttention extends BaseAttention {
  static override readonly className = 'AdditiveAttention';
  readonly useScale: boolean;
  scale: LayerVariable | null = null;

  constructor(args: AdditiveAttentionArgs = {}) {
    super(args);
    this.useScale = args.useScale ?? true;
  }
  override build(inputShape: ShapeOrShapes): void {
    const [query] = threeShapes(this.label, inputShape);
    const depth = query[query.length - 1];
    if (!this.useScale) return;
    if (depth === null) fail(this.label, 'the depth of the query must be known', `got ${showShapes(inputShape)}`);
    this.scale = this.addWeight('scale', [depth], { initializer: this.initializer(undefined, 'glorotUniform') });
  }
  protected override scores(query: Tensor, key: Tensor): Tensor {
    const t = tanh(add(expandDims(query, 2), expandDims(key, 1)));
    return sum(this.scale ? mul(t, this.scale.read()) : t, -1);
  }
  override getConfig(): Config {
    return { useScale: this.useScale, ...super.getConfig() };
  }
}
