/** Layers that change little: masks, functions, axes in another order, repetition, penalties. */
import { fail } from '../../base/errors.ts';
import { any, cast, expandDims, mul, notEqual, type Tensor, tile, transpose } from '../../tensor/index.ts';
import type { DType } from '../../types/dtype.ts';
import type { Config } from '../keras_config.ts';
import { regularizers } from '../regularizers.ts';
import type { Mask } from './call_context.ts';
import { type CallOptions, Layer, type LayerArgs } from './layer.ts';
import { ShapePreserving } from './shape_preserving.ts';
import { checkPositiveInteger, type KerasShape, type ShapeOrShapes } from './shapes.ts';
import type { SymbolicTensor } from './symbolic.ts';

/** x. Source: keras.layers.Identity. */
export class Identity extends ShapePreserving {
  static override readonly className = 'Identity';
  override call(inputs: Tensor | Tensor[]): Tensor | Tensor[] {
    return inputs;
  }
  protected override outputDType(inputs: readonly SymbolicTensor[], index: number): DType {
    return inputs[index].dtype;
  }
}

export interface MaskingArgs extends LayerArgs {
  /** A step all of whose features have this value is left out; default 0. */
  maskValue?: number;
}

/**
 * Marks the steps to leave out: input [batch, steps, features]; the output has zeros there, and the mask false.
 * Source: tf.layers.masking.
 */
export class Masking extends ShapePreserving {
  static override readonly className = 'Masking';
  readonly maskValue: number;

  constructor(args: MaskingArgs = {}) {
    super(args);
    this.maskValue = args.maskValue ?? 0;
  }
  override computeMask(inputs: Tensor): Mask {
    return any(notEqual(inputs, this.maskValue), -1);
  }
  override call(inputs: Tensor): Tensor {
    return mul(inputs, cast(any(notEqual(inputs, this.maskValue), -1, true), 'float32'));
  }
  override getConfig(): Config {
    return { maskValue: this.maskValue, ...super.getConfig() };
  }
}

export interface LambdaArgs extends LayerArgs {
  /** The layer's function: tensors to tensors, without weights. */
  function: (inputs: Tensor, options: CallOptions) => Tensor;
  /** The shape of the output for one of the input; default: found by running the function on nothing. */
  outputShape?: KerasShape | ((inputShape: ShapeOrShapes) => ShapeOrShapes);
}

/** f(x) for any function of tensors. It cannot be saved: a file holds no code. Source: keras.layers.Lambda. */
export class Lambda extends Layer {
  static override readonly className = 'Lambda';
  readonly #f: LambdaArgs['function'];
  readonly #shape: LambdaArgs['outputShape'];

  constructor(args: LambdaArgs) {
    super(args);
    if (typeof args.function !== 'function') {
      fail(this.label, 'function must be a function of tensors', `got ${typeof args.function}`);
    }
    this.#f = args.function;
    this.#shape = args.outputShape;
    this.supportsMasking = true;
  }
  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    if (typeof this.#shape === 'function') return this.#shape(inputShape);
    if (this.#shape)
      return [(Array.isArray(inputShape[0]) ? inputShape[0][0] : inputShape[0]) as number | null, ...this.#shape];
    return super.computeOutputShape(inputShape);
  }
  override call(inputs: Tensor, options: CallOptions): Tensor {
    return this.#f(inputs, options);
  }
  override getConfig(): Config {
    return fail(
      this.label,
      'a model that is saved must not have a lambda layer',
      'its function is code',
      'write a layer class',
    );
  }
}

export interface PermuteArgs extends LayerArgs {
  /** The new order of the axes, counted from 1: the batch stays where it is. */
  dims: readonly number[];
}

/** Axes in another order: dims [2, 1] turns [batch, a, b] into [batch, b, a]. Source: tf.layers.permute. */
export class Permute extends Layer {
  static override readonly className = 'Permute';
  readonly dims: readonly number[];

  constructor(args: PermuteArgs) {
    super(args);
    const sorted = Array.isArray(args.dims) ? [...args.dims].sort((a, b) => a - b) : [];
    if (sorted.length === 0 || sorted.some((dim, i) => dim !== i + 1)) {
      fail(this.label, 'dims must be the numbers from 1 in some order', `got ${JSON.stringify(args.dims)}`);
    }
    this.dims = [...args.dims];
    this.inputSpec = { rank: this.dims.length + 1 };
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return [inputShape[0], ...this.dims.map((dim) => inputShape[dim])];
  }
  override call(inputs: Tensor): Tensor {
    return transpose(inputs, [0, ...this.dims]);
  }
  override getConfig(): Config {
    return { dims: this.dims, ...super.getConfig() };
  }
}

export interface RepeatVectorArgs extends LayerArgs {
  /** How often. */
  n: number;
}

/** [batch, features] -> [batch, n, features]. Source: tf.layers.repeatVector. */
export class RepeatVector extends Layer {
  static override readonly className = 'RepeatVector';
  readonly n: number;

  constructor(args: RepeatVectorArgs) {
    super(args);
    this.n = checkPositiveInteger(this.label, 'n', args.n);
    this.inputSpec = { rank: 2 };
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return [inputShape[0], this.n, inputShape[1]];
  }
  override call(inputs: Tensor): Tensor {
    return tile(expandDims(inputs, 1), [1, this.n, 1]);
  }
  override getConfig(): Config {
    return { n: this.n, ...super.getConfig() };
  }
}

export interface ActivityRegularizationArgs extends LayerArgs {
  /** Default 0. */
  l1?: number;
  /** Default 0. */
  l2?: number;
}

/** x, which adds l1 sum |x| + l2 sum x^2 to the training loss. Source: keras.layers.ActivityRegularization. */
export class ActivityRegularization extends ShapePreserving {
  static override readonly className = 'ActivityRegularization';
  readonly l1: number;
  readonly l2: number;

  constructor(args: ActivityRegularizationArgs = {}) {
    const { l1 = 0, l2 = 0 } = args;
    super({ ...args, activityRegularizer: regularizers.l1l2({ l1, l2 }) });
    this.l1 = l1;
    this.l2 = l2;
  }
  override call(inputs: Tensor): Tensor {
    return inputs;
  }
  override getConfig(): Config {
    return { l1: this.l1, l2: this.l2, ...super.getConfig() };
  }
}
