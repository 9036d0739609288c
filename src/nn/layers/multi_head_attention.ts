/** Attention with several heads, each in projections of its own: MultiHeadAttention and GroupQueryAttention. */
import { fail } from '../../base/errors.ts';
import {
  add,
  cast,
  expandDims,
  lessEqual,
  logicalAnd,
  matMul,
  range,
  reshape,
  type Tensor,
  tile,
  transpose,
} from '../../tensor/index.ts';
import type { Constraint, ConstraintIdentifier } from '../constraints.ts';
import type { Initializer, InitializerIdentifier } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
import type { Regularizer, RegularizerIdentifier } from '../regularizers.ts';
import {
  attend,
  type AttentionCallOptions,
  type BaseAttentionArgs,
  maskList,
  threeOf,
  threeShapes,
} from './attention.ts';
import type { Mask } from './call_context.ts';
import { activeCache, type CacheSlot, type KeyValueCache } from './key_value_cache.ts';
import { Layer } from './layer.ts';
import type { LayerVariable } from './layer_variable.ts';
import { checkPositiveInteger, type KerasShape, type ShapeOrShapes, showShapes } from './shapes.ts';

export interface ProjectionArgs extends BaseAttentionArgs {
  /** Default true. */
  useBias?: boolean;
  /** Default 'glorotUniform'. */
  kernelInitializer?: InitializerIdentifier | Initializer;
  /** Default 'zeros'. */
  biasInitializer?: InitializerIdentifier | Initializer;
  kernelRegularizer?: RegularizerIdentifier | Regularizer;
  biasRegularizer?: RegularizerIdentifier | Regularizer;
  kernelConstraint?: ConstraintIdentifier | Constraint;
  biasConstraint?: ConstraintIdentifier | Constraint;
}

export interface HeadedCallOptions extends AttentionCallOptions {
  /** true where a query sees a key: [batch, queries, keys] or [batch, heads, queries, keys]. */
  attentionMask?: Tensor | null;
}

/** A dense layer from [..., inputs] to [..., heads, size], and back. */
interface Projection {
  readonly kernel: LayerVariable;
  readonly bias: LayerVariable | null;
}

/** Heads that attend each in a projection of its own; keys and values may have fewer heads than queries. */
abstract class HeadedAttention extends Layer {
  protected abstract readonly queryHeads: number;
  protected abstract readonly keyHeads: number;
  protected abstract readonly keySize: number;
  protected abstract readonly valueSize: number;
  readonly dropout: number;
  readonly useBias: boolean;
  readonly kernelInitializer: Initializer;
  readonly biasInitializer: Initializer;
  readonly kernelRegularizer: Regularizer | null;
  readonly biasRegularizer: Regularizer | null;
  readonly kernelConstraint: Constraint | null;
  readonly biasConstraint: Constraint | null;
  protected readonly outputSize: number | null;
  #query: Projection | null = null;
  #key: Projection | null = null;
  #value: Projection | null = null;
  #output: Projection | null = null;

  constructor(args: ProjectionArgs & { outputShape?: number | null }) {
    super(args);
    this.dropout = args.dropout ?? 0;
    if (!(this.dropout >= 0 && this.dropout < 1)) fail(this.label, 'dropout must be in [0, 1)', `got ${args.dropout}`);
    this.useBias = args.useBias ?? true;
    this.kernelInitializer = this.initializer(args.kernelInitializer, 'glorotUniform');
    this.biasInitializer = this.initializer(args.biasInitializer, 'zeros');
    this.kernelRegularizer = this.regularizer(args.kernelRegularizer);
    this.biasRegularizer = this.regularizer(args.biasRegularizer);
    this.kernelConstraint = this.constraint(args.kernelConstraint);
    this.biasConstraint = this.constraint(args.biasConstraint);
    const size: unknown = Array.isArray(args.outputShape) ? args.outputShape[0] : args.outputShape;
    this.outputSize =
      size === undefined || size === null ? null : checkPositiveInteger(this.label, 'outputShape', size);
    this.supportsMasking = true;
  }

  #projection(name: string, kernel: readonly number[], bias: readonly number[]): Projection {
    const weights = this.addWeight(`${name}/kernel`, kernel, {
      initializer: this.kernelInitializer,
      regularizer: this.kernelRegularizer,
      constraint: this.kernelConstraint,
    });
    const offset = this.useBias
      ? this.addWeight(`${name}/bias`, bias, {
          initializer: this.biasInitializer,
          regularizer: this.biasRegularizer,
          constraint: this.biasConstraint,
        })
      : null;
    return { kernel: weights, bias: offset };
  }

  /** Without a key the value is the key, and its mask may be given all the same. */
  protected override maskedInputs(list: readonly Tensor[]): readonly Tensor[] {
    return list.length === 2 ? [...list, list[1]] : list;
  }

  override build(inputShape: ShapeOrShapes): void {
    const [query, value, key] = threeShapes(this.label, inputShape);
    const depth = (shape: KerasShape): number => {
      const last = shape[shape.length - 1];
      if (shape.length !== 3) fail(this.label, 'inputs must be [batch, steps, depth]', `got ${showShapes(inputShape)}`);
      return last ?? fail(this.label, 'the depth of every input must be known', `got ${showShapes(inputShape)}`);
    };
    const { queryHeads, keyHeads, keySize, valueSize } = this;
    this.#query = this.#projection('query', [depth(query), queryHeads, keySize], [queryHeads, keySize]);
    this.#key = this.#projection('key', [depth(key), keyHeads, keySize], [keyHeads, keySize]);
    this.#value = this.#projection('value', [depth(value), keyHeads, valueSize], [keyHeads, valueSize]);
    const width = this.outputSize ?? depth(query);
    this.#output = this.#projection('attention_output', [queryHeads, valueSize, width], [width]);
  }

  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    const [query] = threeShapes(this.label, inputShape);
    return [query[0], query[1], this.outputSize ?? query[2]];
  }

  /** [batch, steps, depth] -> [batch, heads, steps, size] */
  #heads(x: Tensor, { kernel, bias }: Projection, heads: number, size: number): Tensor {
    const [batch, steps, depth] = x.shape as readonly number[];
    const y = matMul(reshape(x, [batch * steps, depth]), reshape(kernel.read(), [depth, heads * size]));
    const biased = bias ? add(y, reshape(bias.read(), [heads * size])) : y;
    return transpose(reshape(biased, [batch, steps, heads, size]), [0, 2, 1, 3]);
  }

  /** Each head of keys or values for as many heads of queries. */
  #spread(x: Tensor): Tensor {
    const times = this.queryHeads / this.keyHeads;
    if (times === 1) return x;
    const [batch, heads, steps, size] = x.shape as readonly number[];
    return reshape(tile(expandDims(x, 2), [1, 1, times, 1, 1]), [batch, heads * times, steps, size]);
  }

  override call(inputs: Tensor | Tensor[], options: HeadedCallOptions): Tensor | Tensor[] {
    const [query, value, key] = threeOf(this.label, inputs);
    const { queryHeads, keyHeads, keySize, valueSize } = this;
    const q = this.#heads(query, this.#query!, queryHeads, keySize);
    const k = this.#heads(key, this.#key!, keyHeads, keySize);
    const v = this.#heads(value, this.#value!, keyHeads, valueSize);
    const cache = this.#cacheFor(query, value, options);
    const { output, weights } = cache
      ? this.#attendCached(cache.enter(this), [q, k, v], options)
      : attend(q, this.#spread(k), this.#spread(v), {
          withWeights: options.returnAttentionScores === true,
          mask: this.#maskFor(options),
          causal: options.useCausalMask ?? false,
          dropout: options.training ? this.dropout : 0,
        });
    const [batch, steps] = query.shape as readonly number[];
    const joined = reshape(transpose(output, [0, 2, 1, 3]), [batch * steps, queryHeads * valueSize]);
    const { kernel, bias } = this.#output!;
    const width = kernel.shape[2];
    const y = matMul(joined, reshape(kernel.read(), [queryHeads * valueSize, width]));
    const biased = reshape(bias ? add(y, bias.read()) : y, [batch, steps, width]);
    return options.returnAttentionScores && weights ? [biased, weights] : biased;
  }

  /** The cache of the running pass, where this is attention to the sequence's own steps. */
  #cacheFor(query: Tensor, value: Tensor, options: HeadedCallOptions): KeyValueCache | null {
    const cache = activeCache();
    if (!cache) return null;
    const { label } = this;
    if (!options.useCausalMask) {
      // Attention to something else, as an encoder's output, is the same in every step.
      if (query !== value) return null;
      const hint = 'apply the layer with {useCausalMask: true}';
      fail(label, 'with a cache a step must not see later ones', 'got attention to all steps', hint);
    }
    if (options.training) fail(label, 'a cache is for inference', 'got training: true');
    if (options.attentionMask) fail(label, 'attentionMask cannot be used with a cache', undefined, 'leave one out');
    if (query.shape[1] === value.shape[1]) return cache;
    const came = `got ${query.shape[1]} queries for ${value.shape[1]} values`;
    return fail(label, 'with a cache there must be a query for each value', came);
  }

  /**
   * Attention of new steps to all that are kept, themselves included. Query heads that share a head of keys stand below each other,
   * as more queries, so that nothing that is kept has to be repeated.
   */
  #attendCached(
    slot: CacheSlot,
    [q, k, v]: readonly [Tensor, Tensor, Tensor],
    options: HeadedCallOptions,
  ): { output: Tensor; weights: Tensor | null } {
    const [keys, values] = [slot.append('keys', k, 2), slot.append('values', v, 2)];
    const [batch, heads, steps, size] = q.shape as readonly number[];
    const shared = heads / this.keyHeads;
    const length = keys.shape[2]!;
    const places = add(range(0, steps, 1, 'int32'), slot.start);
    const order = lessEqual(expandDims(range(0, length, 1, 'int32'), 0), expandDims(places, 1));
    const seen = reshape(tile(order, [shared, 1]), [1, 1, shared * steps, length]);
    const [queryMask] = maskList(options.mask);
    const counts = queryMask ? slot.append('mask', cast(queryMask, 'bool'), 1) : null;
    const { output, weights } = attend(reshape(q, [batch, this.keyHeads, shared * steps, size]), keys, values, {
      withWeights: options.returnAttentionScores === true,
      mask: counts ? logicalAnd(seen, expandDims(expandDims(counts, 1), 1)) : seen,
    });
    return {
      output: reshape(output, [batch, heads, steps, this.valueSize]),
      weights: weights && reshape(weights, [batch, heads, steps, length]),
    };
  }

  /** The masks of query, value and key, and one of the user's own, as [batch, 1, queries, keys]. */
  #maskFor(options: HeadedCallOptions): Tensor | null {
    const [queryMask, valueMask, keyMask] = maskList(options.mask);
    const own = options.attentionMask;
    const parts: Tensor[] = [];
    if (queryMask) parts.push(expandDims(expandDims(cast(queryMask, 'bool'), 1), 3));
    for (const mask of [valueMask, keyMask]) if (mask) parts.push(expandDims(expandDims(cast(mask, 'bool'), 1), 1));
    if (own) parts.push(own.rank === 3 ? expandDims(cast(own, 'bool'), 1) : cast(own, 'bool'));
    return parts.length === 0 ? null : parts.reduce((a, b) => logicalAnd(a, b));
  }

  override computeMask(_inputs: Tensor | Tensor[], mask: Mask): Mask {
    return maskList(mask)[0] ?? null;
  }

  protected projectionConfig(): Config {
    return {
      dropout: this.dropout,
      useBias: this.useBias,
      outputShape: this.outputSize,
      kernelInitializer: serialize(this.kernelInitializer),
      biasInitializer: serialize(this.biasInitializer),
      kernelRegularizer: serialize(this.kernelRegularizer),
      biasRegularizer: serialize(this.biasRegularizer),
      activityRegularizer: serialize(this.activityRegularizer),
      kernelConstraint: serialize(this.kernelConstraint),
      biasConstraint: serialize(this.biasConstraint),
    };
  }
}

export interface MultiHeadAttentionArgs extends ProjectionArgs {
  numHeads: number;
  /** Size of a head's queries and keys. */
  keyDim: number;
  /** Size of a head's values; default keyDim. */
  valueDim?: number | null;
  /** Length of an output vector; default: that of the query. */
  outputShape?: number | null;
}

/**
 * Several heads of dot-product attention (Vaswani et al. 2017): input [query, value, key?] of [batch, steps, depth] each, output
 * [batch, queries, outputShape]. Source: keras.layers.MultiHeadAttention.
 */
export class MultiHeadAttention extends HeadedAttention {
  static override readonly className = 'MultiHeadAttention';
  readonly numHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;

  constructor(args: MultiHeadAttentionArgs) {
    super(args);
    this.numHeads = checkPositiveInteger(this.label, 'numHeads', args.numHeads);
    this.keyDim = checkPositiveInteger(this.label, 'keyDim', args.keyDim);
    this.valueDim = checkPositiveInteger(this.label, 'valueDim', args.valueDim ?? args.keyDim);
  }
  protected get queryHeads(): number {
    return this.numHeads;
  }
  protected get keyHeads(): number {
    return this.numHeads;
  }
  protected get keySize(): number {
    return this.keyDim;
  }
  protected get valueSize(): number {
    return this.valueDim;
  }
  override getConfig(): Config {
    const { numHeads, keyDim, valueDim } = this;
    return { numHeads, keyDim, valueDim, ...this.projectionConfig(), ...super.getConfig() };
  }
}

export interface GroupQueryAttentionArgs extends ProjectionArgs {
  /** Size of a head. */
  headDim: number;
  numQueryHeads: number;
  /** Divides numQueryHeads. */
  numKeyValueHeads: number;
}

/** Heads of queries that share heads of keys and values (Ainslie et al. 2023). Source: keras.layers.GroupQueryAttention. */
export class GroupQueryAttention extends HeadedAttention {
  static override readonly className = 'GroupQueryAttention';
  readonly headDim: number;
  readonly numQueryHeads: number;
  readonly numKeyValueHeads: number;

  constructor(args: GroupQueryAttentionArgs) {
    super(args);
    this.headDim = checkPositiveInteger(this.label, 'headDim', args.headDim);
    this.numQueryHeads = checkPositiveInteger(this.label, 'numQueryHeads', args.numQueryHeads);
    this.numKeyValueHeads = checkPositiveInteger(this.label, 'numKeyValueHeads', args.numKeyValueHeads);
    if (this.numQueryHeads % this.numKeyValueHeads !== 0) {
      const came = `got ${this.numKeyValueHeads} and ${this.numQueryHeads}`;
      fail(this.label, 'numKeyValueHeads must divide numQueryHeads', came);
    }
  }
  protected get queryHeads(): number {
    return this.numQueryHeads;
  }
  protected get keyHeads(): number {
    return this.numKeyValueHeads;
  }
  protected get keySize(): number {
    return this.headDim;
  }
  protected get valueSize(): number {
    return this.headDim;
  }
  override getConfig(): Config {
    const { headDim, numQueryHeads, numKeyValueHeads } = this;
    const { outputShape: _, ...projections } = this.projectionConfig();
    return { headDim, numQueryHeads, numKeyValueHeads, ...projections, ...super.getConfig() };
  }
}
