/** Layers that bring activations to a common scale, over the batch, the features, groups of them, or each vector. */
import { fail } from '../../base/errors.ts';
import {
  add,
  batchNormTraining,
  cast,
  div,
  expandDims,
  groupNorm,
  layerNorm,
  maximum,
  mean,
  mul,
  reshape,
  rmsNorm,
  rsqrt,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from '../../tensor/index.ts';
import type { Constraint, ConstraintIdentifier } from '../constraints.ts';
import type { Initializer, InitializerIdentifier } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
import type { Regularizer, RegularizerIdentifier } from '../regularizers.ts';
import type { CallOptions, LayerArgs } from './layer.ts';
import type { LayerVariable } from './layer_variable.ts';
import { ShapePreserving } from './shape_preserving.ts';
import { type KerasShape, showKerasShape } from './shapes.ts';

export interface ScaleArgs extends LayerArgs {
  /** Added to variances; default 0.001. */
  epsilon?: number;
  /** Whether there is a shift, beta; default true. */
  center?: boolean;
  /** Whether there is a factor, gamma; default true. */
  scale?: boolean;
  /** Default 'zeros'. */
  betaInitializer?: InitializerIdentifier | Initializer;
  /** Default 'ones'. */
  gammaInitializer?: InitializerIdentifier | Initializer;
  betaRegularizer?: RegularizerIdentifier | Regularizer;
  gammaRegularizer?: RegularizerIdentifier | Regularizer;
  betaConstraint?: ConstraintIdentifier | Constraint;
  gammaConstraint?: ConstraintIdentifier | Constraint;
}

/** A layer with a factor and a shift for each feature. */
abstract class Scaled extends ShapePreserving {
  readonly epsilon: number;
  readonly center: boolean;
  readonly scale: boolean;
  readonly betaInitializer: Initializer;
  readonly gammaInitializer: Initializer;
  readonly betaRegularizer: Regularizer | null;
  readonly gammaRegularizer: Regularizer | null;
  readonly betaConstraint: Constraint | null;
  readonly gammaConstraint: Constraint | null;
  gamma: LayerVariable | null = null;
  beta: LayerVariable | null = null;

  constructor(args: ScaleArgs, epsilon: number) {
    super(args);
    this.epsilon = args.epsilon ?? epsilon;
    if (!(this.epsilon >= 0)) fail(this.label, 'epsilon must be a number of at least 0', `got ${args.epsilon}`);
    this.center = args.center ?? true;
    this.scale = args.scale ?? true;
    this.betaInitializer = this.initializer(args.betaInitializer, 'zeros');
    this.gammaInitializer = this.initializer(args.gammaInitializer, 'ones');
    this.betaRegularizer = this.regularizer(args.betaRegularizer);
    this.gammaRegularizer = this.regularizer(args.gammaRegularizer);
    this.betaConstraint = this.constraint(args.betaConstraint);
    this.gammaConstraint = this.constraint(args.gammaConstraint);
  }

  protected addScale(shape: readonly number[]): void {
    if (this.scale) {
      this.gamma = this.addWeight('gamma', shape, {
        initializer: this.gammaInitializer,
        regularizer: this.gammaRegularizer,
        constraint: this.gammaConstraint,
      });
    }
    if (this.center) {
      this.beta = this.addWeight('beta', shape, {
        initializer: this.betaInitializer,
        regularizer: this.betaRegularizer,
        constraint: this.betaConstraint,
      });
    }
  }

  /** gamma x + beta, both reshaped to `shape`, which broadcasts. */
  protected scaled(x: Tensor, shape: readonly number[]): Tensor {
    const factored = this.gamma ? mul(x, reshape(this.gamma.read(), [...shape])) : x;
    return this.beta ? add(factored, reshape(this.beta.read(), [...shape])) : factored;
  }

  protected scaleConfig(): Config {
    return {
      epsilon: this.epsilon,
      center: this.center,
      scale: this.scale,
      betaInitializer: serialize(this.betaInitializer),
      gammaInitializer: serialize(this.gammaInitializer),
      betaRegularizer: serialize(this.betaRegularizer),
      gammaRegularizer: serialize(this.gammaRegularizer),
      betaConstraint: serialize(this.betaConstraint),
      gammaConstraint: serialize(this.gammaConstraint),
    };
  }
}

/** The axis counted from the front, which must be known. */
function knownAxis(label: string, shape: KerasShape, axis: number): { axis: number; extent: number } {
  const at = axis < 0 ? shape.length + axis : axis;
  const extent = shape[at];
  if (!Number.isInteger(axis) || at < 0 || at >= shape.length) {
    fail(label, `axis must be in [${-shape.length}, ${shape.length - 1}]`, `got ${axis}`);
  }
  if (extent === null) fail(label, `axis ${at} of the input must be known`, `got ${showKerasShape(shape)}`);
  return { axis: at, extent };
}

/** 1 everywhere but along `axes`. */
const along = (shape: readonly number[], axes: readonly number[]): number[] =>
  shape.map((n, i) => (axes.includes(i) ? n : 1));

export interface BatchNormalizationArgs extends ScaleArgs {
  /** The axis of the features; default -1. */
  axis?: number;
  /** How much of a moving average stays in a step; default 0.99. */
  momentum?: number;
  /** Default 'zeros'. */
  movingMeanInitializer?: InitializerIdentifier | Initializer;
  /** Default 'ones'. */
  movingVarianceInitializer?: InitializerIdentifier | Initializer;
}

/**
 * gamma (x - mean) / sqrt(variance + epsilon) + beta for each feature (Ioffe and Szegedy 2015). In training mean and variance are
 * those of the batch, and moving averages follow them inside the same program; otherwise, and where the layer is frozen, they are
 * the moving averages. Steps that a mask leaves out do not count. Source: tf.layers.batchNormalization.
 */
export class BatchNormalization extends Scaled {
  static override readonly className = 'BatchNormalization';
  // Moving averages are finer than the activations.
  protected override readonly computesWide = true;
  readonly axis: number;
  readonly momentum: number;
  readonly movingMeanInitializer: Initializer;
  readonly movingVarianceInitializer: Initializer;
  movingMean: LayerVariable | null = null;
  movingVariance: LayerVariable | null = null;

  constructor(args: BatchNormalizationArgs = {}) {
    super(args, 1e-3);
    this.axis = args.axis ?? -1;
    this.momentum = args.momentum ?? 0.99;
    this.movingMeanInitializer = this.initializer(args.movingMeanInitializer, 'zeros');
    this.movingVarianceInitializer = this.initializer(args.movingVarianceInitializer, 'ones');
  }

  override build(inputShape: KerasShape): void {
    const { axis, extent } = knownAxis(this.label, inputShape, this.axis);
    this.addScale([extent]);
    const moving = { trainable: false };
    this.movingMean = this.addWeight('moving_mean', [extent], { ...moving, initializer: this.movingMeanInitializer });
    this.movingVariance = this.addWeight('moving_variance', [extent], {
      ...moving,
      initializer: this.movingVarianceInitializer,
    });
    this.inputSpec = { rank: inputShape.length, axes: { [axis]: extent } };
  }

  override call(inputs: Tensor, options: CallOptions): Tensor {
    const axis = this.axis < 0 ? inputs.rank + this.axis : this.axis;
    const shape = along(inputs.shape, [axis]);
    const [movingMean, movingVariance] = [this.movingMean!, this.movingVariance!];
    if (!options.training || !this.trainable) {
      const factor = rsqrt(add(movingVariance.read(), this.epsilon));
      const normed = mul(sub(inputs, reshape(movingMean.read(), shape)), reshape(factor, shape));
      return this.scaled(normed, shape);
    }
    const axes = inputs.shape.map((_, i) => i).filter((i) => i !== axis);
    const mask = options.mask as Tensor | null;
    const weights = mask && mask.rank < inputs.rank ? maskFactor(mask, inputs) : null;
    const move = (average: LayerVariable, value: Tensor) => {
      const now = average.val;
      now.assign(add(mul(now, this.momentum), mul(reshape(value, now.shape), 1 - this.momentum)));
    };
    if (!weights) {
      const [beta, gamma] = [this.beta?.read(), this.gamma?.read()];
      const { y, mean, variance } = batchNormTraining(inputs, beta, gamma, this.epsilon, axis);
      move(movingMean, mean);
      move(movingVariance, variance);
      return y;
    }
    const center = average(inputs, axes, weights);
    const variance = average(square(sub(inputs, center)), axes, weights);
    move(movingMean, center);
    move(movingVariance, variance);
    return this.scaled(mul(sub(inputs, center), rsqrt(add(variance, this.epsilon))), shape);
  }

  override getConfig(): Config {
    return {
      axis: this.axis,
      momentum: this.momentum,
      ...this.scaleConfig(),
      movingMeanInitializer: serialize(this.movingMeanInitializer),
      movingVarianceInitializer: serialize(this.movingVarianceInitializer),
      ...super.getConfig(),
    };
  }
}

function maskFactor(mask: Tensor, inputs: Tensor): Tensor {
  let factor = cast(mask, 'float32');
  while (factor.rank < inputs.rank) factor = expandDims(factor, -1);
  return factor;
}

/** The mean over axes, which stay with extent 1; weighted where there are weights. */
function average(x: Tensor, axes: readonly number[], weights: Tensor | null): Tensor {
  if (!weights) return mean(x, axes, true);
  const spread = axes.reduce((n, axis) => (weights.shape[axis] === 1 ? n * x.shape[axis] : n), 1);
  const count = mul(sum(weights, axes, true), spread);
  return div(sum(mul(x, weights), axes, true), maximum(count, 1e-7));
}

export interface LayerNormalizationArgs extends ScaleArgs {
  /** The axis or axes of the features; default -1. */
  axis?: number | readonly number[];
}

/**
 * gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance over the feature axes of each sample (Ba et al.
 * 2016). Source: tf.layers.layerNormalization.
 */
export class LayerNormalization extends Scaled {
  static override readonly className = 'LayerNormalization';
  readonly axis: number | readonly number[];
  #axes: number[] = [];

  constructor(args: LayerNormalizationArgs = {}) {
    super(args, 1e-3);
    this.axis = args.axis ?? -1;
  }
  override build(inputShape: KerasShape): void {
    const known = [this.axis].flat().map((axis) => knownAxis(this.label, inputShape, axis));
    this.#axes = known.map(({ axis }) => axis).sort((a, b) => a - b);
    if (new Set(this.#axes).size < this.#axes.length) fail(this.label, 'axes must differ', `got ${this.axis}`);
    this.addScale(this.#axes.map((axis) => inputShape[axis]!));
    this.inputSpec = {
      rank: inputShape.length,
      axes: Object.fromEntries(known.map(({ axis, extent }) => [axis, extent])),
    };
  }
  override call(inputs: Tensor): Tensor {
    return layerNorm(inputs, this.gamma?.read(), this.beta?.read(), this.epsilon, this.#axes);
  }
  override getConfig(): Config {
    return { axis: this.axis, ...this.scaleConfig(), ...super.getConfig() };
  }
}

export interface GroupNormalizationArgs extends ScaleArgs {
  /** Number of groups of features, which must divide them; -1: each feature is one. Default 32. */
  groups?: number;
  /** The axis of the features; default -1. */
  axis?: number;
}

/**
 * As layer normalization over each group of features and all axes between (Wu and He 2018). One group is layer normalization, as
 * many as features are instance normalization. Source: keras.layers.GroupNormalization.
 */
export class GroupNormalization extends Scaled {
  static override readonly className = 'GroupNormalization';
  readonly groups: number;
  readonly axis: number;
  #count = 1;

  constructor(args: GroupNormalizationArgs = {}) {
    super(args, 1e-3);
    this.groups = args.groups ?? 32;
    this.axis = args.axis ?? -1;
    if (!Number.isInteger(this.groups) || (this.groups < 1 && this.groups !== -1)) {
      fail(this.label, 'groups must be a positive integer, or -1', `got ${args.groups}`);
    }
  }
  override build(inputShape: KerasShape): void {
    const { axis, extent } = knownAxis(this.label, inputShape, this.axis);
    this.#count = this.groups === -1 ? extent : this.groups;
    if (extent % this.#count !== 0) {
      fail(this.label, `groups must divide the ${extent} features`, `got ${this.#count}`, 'pass a divisor');
    }
    this.addScale([extent]);
    this.inputSpec = { rank: inputShape.length, axes: { [axis]: extent } };
  }
  override call(inputs: Tensor): Tensor {
    return groupNorm(inputs, this.#count, this.gamma?.read(), this.beta?.read(), this.epsilon, this.axis);
  }
  override getConfig(): Config {
    return { groups: this.groups, axis: this.axis, ...this.scaleConfig(), ...super.getConfig() };
  }
}

export interface RMSNormalizationArgs extends LayerArgs {
  /** The axis or axes of the features; default -1. */
  axis?: number | readonly number[];
  /** Added to the mean square; default 1e-6. */
  epsilon?: number;
}

/** scale x / sqrt(mean x^2 + epsilon) over the feature axes (Zhang and Sennrich 2019). Source: keras.layers.RMSNormalization. */
export class RMSNormalization extends ShapePreserving {
  static override readonly className = 'RMSNormalization';
  readonly axis: number | readonly number[];
  readonly epsilon: number;
  scale: LayerVariable | null = null;
  #axes: number[] = [];

  constructor(args: RMSNormalizationArgs = {}) {
    super(args);
    this.axis = args.axis ?? -1;
    this.epsilon = args.epsilon ?? 1e-6;
  }
  override build(inputShape: KerasShape): void {
    const known = [this.axis].flat().map((axis) => knownAxis(this.label, inputShape, axis));
    this.#axes = known.map(({ axis }) => axis).sort((a, b) => a - b);
    this.scale = this.addWeight(
      'scale',
      this.#axes.map((axis) => inputShape[axis]!),
      { initializer: this.initializer(undefined, 'ones') },
    );
    this.inputSpec = {
      rank: inputShape.length,
      axes: Object.fromEntries(known.map(({ axis, extent }) => [axis, extent])),
    };
  }
  override call(inputs: Tensor): Tensor {
    if (this.#axes.length === 1 && this.#axes[0] === inputs.rank - 1) {
      return rmsNorm(inputs, this.scale!.read(), this.epsilon);
    }
    const factor = rsqrt(add(mean(square(inputs), this.#axes, true), this.epsilon));
    return mul(mul(inputs, factor), reshape(this.scale!.read(), along(inputs.shape, this.#axes)));
  }
  override getConfig(): Config {
    return { axis: this.axis, epsilon: this.epsilon, ...super.getConfig() };
  }
}

export interface UnitNormalizationArgs extends LayerArgs {
  /** The axis or axes whose vectors get length 1; default -1. */
  axis?: number | readonly number[];
}

/** x / max(|x|, 1e-12). Source: keras.layers.UnitNormalization. */
export class UnitNormalization extends ShapePreserving {
  static override readonly className = 'UnitNormalization';
  readonly axis: number | readonly number[];

  constructor(args: UnitNormalizationArgs = {}) {
    super(args);
    this.axis = args.axis ?? -1;
  }
  override call(inputs: Tensor): Tensor {
    const squares = sum(square(inputs), [this.axis].flat(), true);
    return div(inputs, sqrt(maximum(squares, 1e-24)));
  }
  override getConfig(): Config {
    return { axis: this.axis, ...super.getConfig() };
  }
}
