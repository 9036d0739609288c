/** Layers around a layer: over each step of a sequence, or in both directions of it. */
import { fail } from '../../base/errors.ts';
import { add, concat, mul, reshape, reverse, Tensor } from '../../tensor/index.ts';
import { type Config, serialize } from '../keras_config.ts';
import { failUnknownName } from '../naming.ts';
import type { Mask } from './call_context.ts';
import type { CallOptions, Layer } from './layer.ts';
import { withNameScope } from './layer_variable.ts';
import { RNN, type RNNCallOptions } from './rnn.ts';
import { deserializeLayer } from './registry.ts';
import { isShapeList, type KerasShape, type ShapeOrShapes } from './shapes.ts';
import { SymbolicTensor } from './symbolic.ts';
import { Wrapper, type WrapperArgs } from './wrapper.ts';

export type TimeDistributedArgs = WrapperArgs;

/** The layer inside for each step of [batch, steps, ...], with the same weights. Source: tf.layers.timeDistributed. */
export class TimeDistributed extends Wrapper {
  static override readonly className = 'TimeDistributed';

  constructor(args: TimeDistributedArgs) {
    super(args);
    this.supportsMasking = true;
    this.inputSpec = { minRank: 3, hint: 'a sequence needs [batch, steps, ...]' };
  }
  override build(inputShape: KerasShape): void {
    if (!this.layer.built) {
      this.layer.scopeName = '';
      withNameScope(this.name, () => this.layer.ensureBuilt([inputShape[0], ...inputShape.slice(2)]));
    }
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const inner = this.layer.computeOutputShape([inputShape[0], ...inputShape.slice(2)]);
    if (isShapeList(inner)) return fail(this.label, 'the layer inside must have one output', 'it has several');
    return [inner[0], inputShape[1], ...inner.slice(1)];
  }
  override call(inputs: Tensor, options: CallOptions): Tensor {
    const shape: readonly number[] = inputs.shape;
    const rows = reshape(inputs, [shape[0] * shape[1], ...shape.slice(2)]);
    const output = this.layer.apply(rows, { training: options.training, mask: null });
    return reshape(output, [shape[0], shape[1], ...output.shape.slice(1)]);
  }
}

const mergeModes = ['concat', 'sum', 'mul', 'ave'] as const;
export type BidirectionalMergeMode = (typeof mergeModes)[number] | null;

export interface BidirectionalArgs extends WrapperArgs {
  /** A recurrent layer; it is copied for each direction. */
  layer: RNN;
  /** How the outputs of both directions become one; null gives both. Default 'concat'. */
  mergeMode?: BidirectionalMergeMode;
}

/** A recurrent layer from first to last, and a copy of it from last to first. Source: tf.layers.bidirectional. */
export class Bidirectional extends Wrapper {
  static override readonly className = 'Bidirectional';
  /** What was given; it trains nothing: its copies do. */
  declare readonly layer: RNN;
  readonly forwardLayer: RNN;
  readonly backwardLayer: RNN;
  readonly mergeMode: BidirectionalMergeMode;
  readonly #config: Config | null;

  constructor(args: BidirectionalArgs) {
    super(args);
    const { layer } = this;
    if (!(layer instanceof RNN)) fail(this.label, 'layer must be a recurrent layer', `got ${typeof layer}`);
    this.mergeMode = args.mergeMode === undefined ? 'concat' : args.mergeMode;
    if (this.mergeMode !== null && !mergeModes.includes(this.mergeMode)) {
      failUnknownName(this.label, 'mergeMode', this.mergeMode, mergeModes);
    }
    const made = serialize(layer)!;
    this.#config = made as unknown as Config;
    const copy = (name: string, goBackwards: boolean): RNN => {
      const config = { ...made.config, name: `${name}_${layer.name}`, goBackwards };
      return deserializeLayer(this.label, { className: made.className, config }) as RNN;
    };
    this.forwardLayer = copy('forward', layer.goBackwards);
    this.backwardLayer = copy('backward', !layer.goBackwards);
    this.stateful = layer.stateful;
    this.supportsMasking = true;
  }

  protected override sublayers(): readonly Layer[] {
    return [this.forwardLayer, this.backwardLayer];
  }

  override build(inputShape: ShapeOrShapes): void {
    const list = isShapeList(inputShape) ? inputShape : [inputShape];
    withNameScope(this.name, () => {
      this.forwardLayer.ensureBuilt(list[0]);
      this.backwardLayer.ensureBuilt(list[0]);
    });
  }

  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    const x = isShapeList(inputShape) ? inputShape[0] : inputShape;
    const one = this.forwardLayer.computeOutputShape(x);
    const [output, ...states] = isShapeList(one) ? one : [one];
    const merged =
      this.mergeMode === 'concat' ? [...output.slice(0, -1), doubled(output[output.length - 1])] : [...output];
    const outputs = this.mergeMode === null ? [output, output] : [merged];
    const all = [...outputs, ...states, ...states];
    return all.length === 1 ? all[0] : all;
  }

  protected override draw(
    list: SymbolicTensor[],
    isList: boolean,
    options: RNNCallOptions,
  ): SymbolicTensor | SymbolicTensor[] {
    const { initialState, ...rest } = options;
    if (initialState === undefined) return super.draw(list, isList, rest);
    const states = (Array.isArray(initialState) ? initialState : [initialState]) as unknown[];
    if (!states.every((state) => state instanceof SymbolicTensor)) {
      fail(this.label, 'initialState must be symbolic where the input is', `got ${typeof states[0]}`);
    }
    return super.draw([...list, ...states], true, rest);
  }

  override call(inputs: Tensor | Tensor[], options: RNNCallOptions): Tensor | Tensor[] {
    const [x, ...given] = Array.isArray(inputs) ? inputs : [inputs];
    const { initialState } = options;
    const states =
      given.length > 0 ? given : initialState === undefined ? [] : [initialState as Tensor | Tensor[]].flat();
    if (states.length % 2 !== 0) {
      fail(this.label, 'initialState must have states for both directions', `got ${states.length}`);
    }
    const half = states.length / 2;
    const mask = options.mask instanceof Tensor || !options.mask ? options.mask : options.mask[0];
    const runs = [this.forwardLayer, this.backwardLayer].map((layer, i) => {
      const own = states.slice(i * half, (i + 1) * half);
      const result: unknown = layer.apply(x, {
        training: options.training,
        mask,
        ...(own.length > 0 ? { initialState: own } : {}),
      });
      return Array.isArray(result) ? (result as Tensor[]) : [result as Tensor];
    });
    const [[forward, ...forwardStates], [last, ...backwardStates]] = runs;
    const backward = this.forwardLayer.returnSequences ? reverse(last, 1) : last;
    const outputs = [...this.#merged(forward, backward), ...forwardStates, ...backwardStates];
    return outputs.length === 1 ? outputs[0] : outputs;
  }

  #merged(a: Tensor, b: Tensor): Tensor[] {
    if (this.mergeMode === null) return [a, b];
    if (this.mergeMode === 'concat') return [concat([a, b], a.rank - 1)];
    if (this.mergeMode === 'sum') return [add(a, b)];
    return [this.mergeMode === 'ave' ? mul(add(a, b), 0.5) : mul(a, b)];
  }

  override computeMask(_inputs: Tensor | Tensor[], mask: Mask): Mask {
    const own = mask instanceof Tensor || !mask ? mask : (mask as readonly (Tensor | null)[])[0];
    const output = this.forwardLayer.returnSequences ? own : null;
    const outputs = this.mergeMode === null ? [output, output] : [output];
    if (!this.forwardLayer.returnState) return this.mergeMode === null ? outputs : output;
    return [...outputs, ...this.forwardLayer.cell.stateSizes.flatMap(() => [null, null])];
  }

  override getConfig(): Config {
    return { ...super.getConfig(), mergeMode: this.mergeMode, layer: this.#config };
  }
}

const doubled = (n: number | null): number | null => (n === null ? null : 2 * n);
