/** Activation functions as layers of their own. */
import { fail } from '../../base/errors.ts';
import {
  cast,
  elu,
  greater,
  leakyRelu,
  minimum,
  mul,
  prelu,
  relu,
  reshape,
  scalar,
  softmax,
  Tensor,
  where,
} from '../../tensor/index.ts';
import type { Constraint, ConstraintIdentifier } from '../constraints.ts';
import type { Initializer, InitializerIdentifier } from '../initializers.ts';
import type { Regularizer, RegularizerIdentifier } from '../regularizers.ts';
import type { LayerVariable } from './layer_variable.ts';
import { ShapePreserving } from './shape_preserving.ts';
import { type Activation as ActivationRow, type ActivationIdentifier, getActivation } from '../activations.ts';
import { type Config, serialize } from '../keras_config.ts';
import { ActivatedLayer } from './activated.ts';
import type { Mask } from './call_context.ts';
import { type CallOptions, Layer, type LayerArgs } from './layer.ts';
import { type KerasShape, showKerasShape } from './shapes.ts';

export interface ActivationLayerArgs extends LayerArgs {
  activation: ActivationIdentifier | ActivationRow;
}

/** activation(x), of the input's shape. Source: tf.layers.activation. */
export class Activation extends ActivatedLayer {
  static override readonly className = 'Activation';
  readonly activation: ActivationRow;

  constructor(args: ActivationLayerArgs) {
    super(args);
    this.supportsMasking = true;
    this.activation = getActivation(this.label, args.activation);
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }
  override preActivation(inputs: Tensor): Tensor {
    return inputs;
  }
  override getConfig(): Config {
    return { activation: this.activation.name, ...super.getConfig() };
  }
}

export interface ReLUArgs extends LayerArgs {
  /** Upper bound; default none. */
  maxValue?: number;
}

/** min(max(x, 0), maxValue), of the input's shape. Source: tf.layers.reLU. */
export class ReLU extends Layer {
  static override readonly className = 'ReLU';
  readonly maxValue: number | undefined;

  constructor(args: ReLUArgs = {}) {
    super(args);
    this.supportsMasking = true;
    this.maxValue = args.maxValue ?? undefined;
    if (this.maxValue !== undefined && !(this.maxValue >= 0)) {
      fail(this.label, 'maxValue must be a non-negative number', `got ${this.maxValue}`);
    }
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }
  override call(inputs: Tensor): Tensor {
    const y = relu(inputs);
    return this.maxValue === undefined ? y : minimum(y, this.maxValue);
  }
  override getConfig(): Config {
    return { ...(this.maxValue === undefined ? {} : { maxValue: this.maxValue }), ...super.getConfig() };
  }
}

export interface SoftmaxArgs extends LayerArgs {
  /** Default -1: the last axis. */
  axis?: number;
}

/** exp(x) / sum exp(x) along an axis, of the input's shape. Source: tf.layers.softmax. */
export class Softmax extends ActivatedLayer {
  static override readonly className = 'Softmax';
  readonly axis: number;
  #activation: ActivationRow = getActivation('softmax', 'softmax');

  constructor(args: SoftmaxArgs = {}) {
    super(args);
    this.supportsMasking = true;
    this.axis = args.axis ?? -1;
  }
  /** The logits of this layer are those of a softmax only along the last axis; else it counts as linear. */
  override get activation(): ActivationRow {
    return this.#alongLast((this.inputShape as KerasShape | null)?.length ?? 0)
      ? this.#activation
      : getActivation('softmax', 'linear');
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    if (!Number.isInteger(this.axis) || this.axis >= inputShape.length || this.axis < -inputShape.length) {
      fail(this.label, `axis must be in [${-inputShape.length}, ${inputShape.length - 1}]`, `got ${this.axis}`);
    }
    return inputShape;
  }
  override preActivation(inputs: Tensor, options: CallOptions = {}): Tensor {
    const kept = this.#kept(inputs, options.mask ?? null);
    return this.#alongLast(kept.rank) ? kept : softmax(kept, this.axis);
  }
  /** What the mask leaves out gets no share, where the mask tells places along the axis apart. */
  #kept(inputs: Tensor, mask: Mask): Tensor {
    const axis = this.axis < 0 ? this.axis + inputs.rank : this.axis;
    if (!(mask instanceof Tensor) || mask.rank <= axis) return inputs;
    const open = reshape(mask, [...mask.shape, ...new Array<number>(inputs.rank - mask.rank).fill(1)]);
    const low = inputs.dtype === 'float16' ? -65504 : -1e9;
    return where(cast(open, 'bool'), inputs, scalar(low, inputs.dtype));
  }
  override getConfig(): Config {
    return { axis: this.axis, ...super.getConfig() };
  }
  #alongLast(rank: number): boolean {
    return this.axis === -1 || this.axis === rank - 1;
  }
}

export interface LeakyReLUArgs extends LayerArgs {
  /** The slope below 0; default 0.3. */
  alpha?: number;
}

/** x where x > 0, else alpha x. Source: tf.layers.leakyReLU. */
export class LeakyReLU extends ShapePreserving {
  static override readonly className = 'LeakyReLU';
  readonly alpha: number;

  constructor(args: LeakyReLUArgs & { negativeSlope?: number } = {}) {
    super(args);
    this.alpha = args.alpha ?? args.negativeSlope ?? 0.3;
  }
  override call(inputs: Tensor): Tensor {
    return leakyRelu(inputs, this.alpha);
  }
  override getConfig(): Config {
    return { alpha: this.alpha, ...super.getConfig() };
  }
}

export interface ELUArgs extends LayerArgs {
  /** What it goes to at minus infinity, negated; default 1. */
  alpha?: number;
}

/** x where x > 0, else alpha (e^x - 1). Source: tf.layers.elu. */
export class ELU extends ShapePreserving {
  static override readonly className = 'ELU';
  readonly alpha: number;

  constructor(args: ELUArgs = {}) {
    super(args);
    this.alpha = args.alpha ?? 1;
  }
  override call(inputs: Tensor): Tensor {
    const y = elu(inputs);
    if (this.alpha === 1) return y;
    const positive = cast(greater(inputs, 0), 'float32');
    return mul(y, positive.mul(1 - this.alpha).add(this.alpha));
  }
  override getConfig(): Config {
    return { alpha: this.alpha, ...super.getConfig() };
  }
}

export interface ThresholdedReLUArgs extends LayerArgs {
  /** Default 1. */
  theta?: number;
}

/** x where x > theta, else 0. Source: tf.layers.thresholdedReLU. */
export class ThresholdedReLU extends ShapePreserving {
  static override readonly className = 'ThresholdedReLU';
  readonly theta: number;

  constructor(args: ThresholdedReLUArgs = {}) {
    super(args);
    this.theta = args.theta ?? 1;
  }
  override call(inputs: Tensor): Tensor {
    return mul(inputs, cast(greater(inputs, this.theta), 'float32'));
  }
  override getConfig(): Config {
    return { theta: this.theta, ...super.getConfig() };
  }
}

export interface PReLUArgs extends LayerArgs {
  /** Default 'zeros'. */
  alphaInitializer?: InitializerIdentifier | Initializer;
  alphaRegularizer?: RegularizerIdentifier | Regularizer;
  alphaConstraint?: ConstraintIdentifier | Constraint;
  /** Axes (from 1) along which the slope is shared; default none. */
  sharedAxes?: number | readonly number[] | null;
}

/** x where x > 0, else alpha x, with learnt alpha for each feature (He et al. 2015). Source: tf.layers.prelu. */
export class PReLU extends ShapePreserving {
  static override readonly className = 'PReLU';
  readonly alphaInitializer: Initializer;
  readonly alphaRegularizer: Regularizer | null;
  readonly alphaConstraint: Constraint | null;
  readonly sharedAxes: readonly number[] | null;
  alpha: LayerVariable | null = null;

  constructor(args: PReLUArgs = {}) {
    super(args);
    this.alphaInitializer = this.initializer(args.alphaInitializer, 'zeros');
    this.alphaRegularizer = this.regularizer(args.alphaRegularizer);
    this.alphaConstraint = this.constraint(args.alphaConstraint);
    this.sharedAxes = args.sharedAxes === undefined || args.sharedAxes === null ? null : [args.sharedAxes].flat();
  }
  override build(inputShape: KerasShape): void {
    const shape = inputShape.slice(1).map((n, i) => (this.sharedAxes?.includes(i + 1) ? 1 : n));
    if (shape.includes(null)) {
      const hint = 'pass sharedAxes';
      fail(this.label, 'axes that do not share a slope must be known', `got ${showKerasShape(inputShape)}`, hint);
    }
    this.alpha = this.addWeight('alpha', shape as number[], {
      initializer: this.alphaInitializer,
      regularizer: this.alphaRegularizer,
      constraint: this.alphaConstraint,
    });
    const fixed = inputShape.flatMap((n, i) => (i > 0 && n !== null && !this.sharedAxes?.includes(i) ? [[i, n]] : []));
    this.inputSpec = { rank: inputShape.length, axes: Object.fromEntries(fixed) as { [axis: number]: number } };
  }
  override call(inputs: Tensor): Tensor {
    return prelu(inputs, this.alpha!.read());
  }
  override getConfig(): Config {
    return {
      alphaInitializer: serialize(this.alphaInitializer),
      alphaRegularizer: serialize(this.alphaRegularizer),
      alphaConstraint: serialize(this.alphaConstraint),
      sharedAxes: this.sharedAxes,
      ...super.getConfig(),
    };
  }
}
