/** Layers that disturb their input during training, and leave it alone otherwise. */
import { fail } from '../../base/errors.ts';
import {
  add,
  cast,
  dropout,
  greaterEqual,
  mul,
  randomNormal,
  randomUniform,
  sub,
  type Tensor,
} from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import type { CallOptions, LayerArgs } from './layer.ts';
import { ShapePreserving } from './shape_preserving.ts';
import { checkDataFormat, type DataFormat } from './shapes.ts';

export interface RateArgs extends LayerArgs {
  /** Share of values dropped, in [0, 1). */
  rate: number;
  /** The same seed gives the same numbers in every step, as in TensorFlow.js. */
  seed?: number | null;
}

/** A layer with a rate of values that it drops. */
export abstract class RatedLayer extends ShapePreserving {
  readonly rate: number;
  readonly seed: number | null;

  constructor(args: RateArgs) {
    super(args);
    if (typeof args.rate !== 'number' || !(args.rate >= 0 && args.rate < 1)) {
      const hint = 'rate 0.5 drops half of the values';
      fail(this.label, 'rate must be in [0, 1)', `got ${JSON.stringify(args.rate)}`, hint);
    }
    this.rate = args.rate;
    this.seed = args.seed ?? null;
  }

  protected abstract disturb(inputs: Tensor): Tensor;

  override call(inputs: Tensor, options: CallOptions): Tensor {
    return options.training && this.rate > 0 ? this.disturb(inputs) : inputs;
  }
}

export interface DropoutArgs extends RateArgs {
  /** Shape of the mask where it is to be shared along axes; null is the input's extent. */
  noiseShape?: readonly (number | null)[] | null;
}

/**
 * During training x m / (1 - rate) with m drawn from {0, 1}, P(m = 0) = rate (Srivastava et al. 2014); otherwise x.
 * Source: tf.layers.dropout.
 */
export class Dropout extends RatedLayer {
  static override readonly className: string = 'Dropout';
  readonly noiseShape: readonly (number | null)[] | null;

  constructor(args: DropoutArgs) {
    super(args);
    this.noiseShape = args.noiseShape ?? null;
  }
  /** The shape of the mask. */
  protected shapeFor(inputs: Tensor): number[] | undefined {
    return this.noiseShape?.map((n, i) => n ?? inputs.shape[i]);
  }
  protected override disturb(inputs: Tensor): Tensor {
    return dropout(inputs, this.rate, this.shapeFor(inputs), this.seed ?? undefined);
  }
  override getConfig(): Config {
    return { rate: this.rate, noiseShape: this.noiseShape, seed: this.seed, ...super.getConfig() };
  }
}

export interface SpatialDropoutArgs extends RateArgs {
  /** Default 'channelsLast'. */
  dataFormat?: DataFormat;
}

/** Drops whole channels: the mask is shared along the space axes (Tompson et al. 2015). */
abstract class SpatialDropout extends Dropout {
  readonly dataFormat: DataFormat;
  protected abstract readonly spaceAxes: number;

  constructor(args: SpatialDropoutArgs, rank: number) {
    super(args);
    this.dataFormat = checkDataFormat(this.label, args.dataFormat);
    this.inputSpec = { rank };
  }
  protected override shapeFor(inputs: Tensor): number[] {
    const ones = new Array<number>(this.spaceAxes).fill(1);
    const shape: readonly number[] = inputs.shape;
    return this.dataFormat === 'channelsFirst'
      ? [shape[0], shape[1], ...ones]
      : [shape[0], ...ones, shape[shape.length - 1]];
  }
  override getConfig(): Config {
    const dataFormat = this.spaceAxes > 1 ? { dataFormat: this.dataFormat } : {};
    return { ...super.getConfig(), ...dataFormat };
  }
}

/** Input [batch, steps, channels]. Source: tf.layers.spatialDropout1d. */
export class SpatialDropout1D extends SpatialDropout {
  static override readonly className = 'SpatialDropout1D';
  protected override readonly spaceAxes = 1;
  constructor(args: SpatialDropoutArgs) {
    super(args, 3);
  }
}

/** Input [batch, height, width, channels]. Source: keras.layers.SpatialDropout2D. */
export class SpatialDropout2D extends SpatialDropout {
  static override readonly className = 'SpatialDropout2D';
  protected override readonly spaceAxes = 2;
  constructor(args: SpatialDropoutArgs) {
    super(args, 4);
  }
}

/** Input [batch, depth, height, width, channels]. Source: keras.layers.SpatialDropout3D. */
export class SpatialDropout3D extends SpatialDropout {
  static override readonly className = 'SpatialDropout3D';
  protected override readonly spaceAxes = 3;
  constructor(args: SpatialDropoutArgs) {
    super(args, 5);
  }
}

export interface GaussianNoiseArgs extends LayerArgs {
  /** Standard deviation of what is added. */
  stddev: number;
  seed?: number | null;
}

/** During training x + n, n normal with mean 0; otherwise x. Source: tf.layers.gaussianNoise. */
export class GaussianNoise extends ShapePreserving {
  static override readonly className = 'GaussianNoise';
  readonly stddev: number;
  readonly seed: number | null;

  constructor(args: GaussianNoiseArgs) {
    super(args);
    if (!(args.stddev >= 0)) fail(this.label, 'stddev must be a number of at least 0', `got ${args.stddev}`);
    this.stddev = args.stddev;
    this.seed = args.seed ?? null;
  }
  override call(inputs: Tensor, options: CallOptions): Tensor {
    if (!options.training) return inputs;
    return add(inputs, randomNormal([...inputs.shape], 0, this.stddev, 'float32', this.seed ?? undefined));
  }
  override getConfig(): Config {
    return { stddev: this.stddev, ...super.getConfig() };
  }
}

/** During training x n, n normal with mean 1 and deviation sqrt(rate / (1 - rate)). Source: tf.layers.gaussianDropout. */
export class GaussianDropout extends RatedLayer {
  static override readonly className = 'GaussianDropout';
  protected override disturb(inputs: Tensor): Tensor {
    const stddev = Math.sqrt(this.rate / (1 - this.rate));
    return mul(inputs, randomNormal([...inputs.shape], 1, stddev, 'float32', this.seed ?? undefined));
  }
  override getConfig(): Config {
    return { rate: this.rate, ...super.getConfig() };
  }
}

/** What selu goes to at minus infinity. */
const seluFloor = -1.6732632423543772 * 1.0507009873554805;

export interface AlphaDropoutArgs extends RateArgs {
  noiseShape?: readonly (number | null)[] | null;
}

/**
 * Dropout that keeps mean and variance of selu activations: dropped values become selu's floor, then all are scaled and shifted
 * (Klambauer et al. 2017). Source: tf.layers.alphaDropout.
 */
export class AlphaDropout extends RatedLayer {
  static override readonly className = 'AlphaDropout';
  readonly noiseShape: readonly (number | null)[] | null;

  constructor(args: AlphaDropoutArgs) {
    super(args);
    this.noiseShape = args.noiseShape ?? null;
  }
  protected override disturb(inputs: Tensor): Tensor {
    const { rate } = this;
    const shape = (this.noiseShape ?? inputs.shape).map((n, i) => n ?? inputs.shape[i]);
    const drawn = randomUniform(shape, 0, 1, 'float32', this.seed ?? undefined);
    const kept = cast(greaterEqual(drawn, rate), 'float32');
    const scale = ((1 - rate) * (1 + rate * seluFloor ** 2)) ** -0.5;
    const mixed = add(mul(inputs, kept), mul(sub(1, kept), seluFloor));
    return add(mul(mixed, scale), -scale * seluFloor * rate);
  }
  override getConfig(): Config {
    return { rate: this.rate, ...super.getConfig() };
  }
}
