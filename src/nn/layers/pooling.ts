/** Pooling over windows of one to three axes, and over everything: the largest value, or the mean. */
import {
  avgPool,
  avgPool3d,
  cast,
  div,
  expandDims,
  max,
  maximum,
  maxPool,
  maxPool3d,
  mean,
  mul,
  squeeze,
  sum,
  type Tensor,
  type Tensor4D,
  transpose,
} from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import type { Mask } from './call_context.ts';
import { type CallOptions, Layer, type LayerArgs } from './layer.ts';
import {
  checkDataFormat,
  checkPadding,
  checkWindow,
  type DataFormat,
  type KerasShape,
  type PaddingMode,
  windowOutputShape,
} from './shapes.ts';

export interface PoolingArgs extends LayerArgs {
  /** Size of the window, along all axes of space or each; default 2. */
  poolSize?: number | readonly number[];
  /** Default: poolSize. */
  strides?: number | readonly number[] | null;
  /** Default 'valid': no padding. */
  padding?: PaddingMode;
  /** Default 'channelsLast': [batch, ...space, channels]. */
  dataFormat?: DataFormat;
}

type Pool = (x: Tensor4D, size: [number, number], strides: [number, number], padding: PaddingMode) => Tensor;
type Three = [number, number, number];
const largest: Pool = (x, size, strides, padding) => maxPool(x, size, strides, padding);
const average: Pool = (x, size, strides, padding) => avgPool(x, size, strides, padding);

const hints = [
  '',
  'sequences need [batch, steps, channels]',
  'images need [batch, height, width, channels]',
  'volumes need [batch, depth, height, width, channels]',
];

abstract class Pooling extends Layer {
  readonly rank: number;
  readonly poolSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: PaddingMode;
  readonly dataFormat: DataFormat;
  protected abstract readonly pool: Pool;

  constructor(rank: number, args: PoolingArgs = {}) {
    super(args);
    this.rank = rank;
    this.poolSize = checkWindow(this.label, 'poolSize', args.poolSize ?? 2, rank);
    this.strides = checkWindow(this.label, 'strides', args.strides ?? this.poolSize, rank);
    this.padding = checkPadding(this.label, args.padding);
    this.dataFormat = checkDataFormat(this.label, args.dataFormat);
    this.inputSpec = { rank: rank + 2, hint: hints[rank] };
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const { poolSize: sizes, strides, padding, dataFormat } = this;
    return windowOutputShape(this.label, inputShape, { sizes, strides, padding, dataFormat });
  }

  override call(inputs: Tensor): Tensor {
    const first = this.dataFormat === 'channelsFirst';
    const space = Array.from({ length: this.rank }, (_, i) => i + 1);
    const x = first ? transpose(inputs, [0, ...space.map((i) => i + 1), 1]) : inputs;
    const y = this.#last(x);
    return first ? transpose(y, [0, this.rank + 1, ...space]) : y;
  }

  #last(x: Tensor): Tensor {
    const { poolSize, strides, padding } = this;
    if (this.rank === 3) {
      const three = ([a, b, c]: readonly number[]): Three => [a, b, c];
      return (this.pool === largest ? maxPool3d : avgPool3d)(x, three(poolSize), three(strides), padding);
    }
    if (this.rank === 2) {
      return this.pool(x as Tensor4D, [poolSize[0], poolSize[1]], [strides[0], strides[1]], padding);
    }
    // One axis of space is an image one column wide.
    return squeeze(this.pool(expandDims(x, 2), [poolSize[0], 1], [strides[0], 1], padding), [2]);
  }

  override getConfig(): Config {
    return {
      poolSize: this.poolSize,
      padding: this.padding,
      strides: this.strides,
      ...(this.rank > 1 ? { dataFormat: this.dataFormat } : {}),
      ...super.getConfig(),
    };
  }
}

/** The largest value of each window of steps. Source: tf.layers.maxPooling1d. */
export class MaxPooling1D extends Pooling {
  static override readonly className = 'MaxPooling1D';
  protected override readonly pool: Pool = largest;
  constructor(args?: PoolingArgs) {
    super(1, args);
  }
}
/** The mean of each window of steps; padding does not count. Source: tf.layers.averagePooling1d. */
export class AveragePooling1D extends Pooling {
  static override readonly className = 'AveragePooling1D';
  protected override readonly pool: Pool = average;
  constructor(args?: PoolingArgs) {
    super(1, args);
  }
}
/** The largest value of each window. Source: tf.layers.maxPooling2d. */
export class MaxPooling2D extends Pooling {
  static override readonly className = 'MaxPooling2D';
  protected override readonly pool: Pool = largest;
  constructor(args?: PoolingArgs) {
    super(2, args);
  }
}
/** The mean of each window; padding does not count. Source: tf.layers.averagePooling2d. */
export class AveragePooling2D extends Pooling {
  static override readonly className = 'AveragePooling2D';
  protected override readonly pool: Pool = average;
  constructor(args?: PoolingArgs) {
    super(2, args);
  }
}

/** The largest value of each window of a volume. Source: tf.layers.maxPooling3d. */
export class MaxPooling3D extends Pooling {
  static override readonly className = 'MaxPooling3D';
  protected override readonly pool: Pool = largest;
  constructor(args?: PoolingArgs) {
    super(3, args);
  }
}
/** The mean of each window of a volume; padding does not count. Source: tf.layers.averagePooling3d. */
export class AveragePooling3D extends Pooling {
  static override readonly className = 'AveragePooling3D';
  protected override readonly pool: Pool = average;
  constructor(args?: PoolingArgs) {
    super(3, args);
  }
}

export interface GlobalPoolingArgs extends LayerArgs {
  dataFormat?: DataFormat;
  /** Keeps the axes of space with extent 1; default false. */
  keepDims?: boolean;
}

/** [batch, ...space, channels] -> [batch, channels]. */
abstract class GlobalPooling extends Layer {
  readonly rank: number;
  readonly dataFormat: DataFormat;
  readonly keepDims: boolean;

  constructor(rank: number, args: GlobalPoolingArgs = {}) {
    super(args);
    this.rank = rank;
    this.dataFormat = checkDataFormat(this.label, args.dataFormat);
    this.keepDims = (args as { keepdims?: boolean }).keepdims ?? args.keepDims ?? false;
    this.inputSpec = { rank: rank + 2, hint: hints[rank] };
  }
  protected get axes(): number[] {
    const first = this.dataFormat === 'channelsFirst' ? 2 : 1;
    return Array.from({ length: this.rank }, (_, i) => first + i);
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const { axes, keepDims } = this;
    return keepDims
      ? inputShape.map((n, i) => (axes.includes(i) ? 1 : n))
      : inputShape.filter((_, i) => !axes.includes(i));
  }
  override getConfig(): Config {
    const format = this.rank > 1 ? { dataFormat: this.dataFormat } : {};
    return { ...format, ...(this.keepDims ? { keepDims: true } : {}), ...super.getConfig() };
  }
}

abstract class GlobalMax extends GlobalPooling {
  override call(inputs: Tensor): Tensor {
    return max(inputs, this.axes, this.keepDims);
  }
}
abstract class GlobalAverage extends GlobalPooling {
  override call(inputs: Tensor): Tensor {
    return mean(inputs, this.axes, this.keepDims);
  }
}

/** The largest value over all steps. Source: tf.layers.globalMaxPooling1d. */
export class GlobalMaxPooling1D extends GlobalMax {
  static override readonly className = 'GlobalMaxPooling1D';
  constructor(args?: GlobalPoolingArgs) {
    super(1, args);
  }
}
/** The largest value over height and width. Source: tf.layers.globalMaxPooling2d. */
export class GlobalMaxPooling2D extends GlobalMax {
  static override readonly className = 'GlobalMaxPooling2D';
  constructor(args?: GlobalPoolingArgs) {
    super(2, args);
  }
}
/** The largest value over depth, height and width. Source: keras.layers.GlobalMaxPooling3D. */
export class GlobalMaxPooling3D extends GlobalMax {
  static override readonly className = 'GlobalMaxPooling3D';
  constructor(args?: GlobalPoolingArgs) {
    super(3, args);
  }
}
/** The mean over all steps, or over those that the mask lets count. Source: tf.layers.globalAveragePooling1d. */
export class GlobalAveragePooling1D extends GlobalAverage {
  static override readonly className = 'GlobalAveragePooling1D';
  constructor(args?: GlobalPoolingArgs) {
    super(1, args);
  }
  override computeMask(): Mask {
    return null;
  }
  override call(inputs: Tensor, options: CallOptions = {}): Tensor {
    const mask = options.mask as Tensor | null | undefined;
    if (!mask) return super.call(inputs);
    const [axis] = this.axes;
    const weights = expandDims(cast(mask, 'float32'), axis === 1 ? 2 : 1);
    const count = sum(weights, axis, this.keepDims);
    return div(sum(mul(inputs, weights), axis, this.keepDims), maximum(count, 1));
  }
}
/** The mean over height and width. Source: tf.layers.globalAveragePooling2d. */
export class GlobalAveragePooling2D extends GlobalAverage {
  static override readonly className = 'GlobalAveragePooling2D';
  constructor(args?: GlobalPoolingArgs) {
    super(2, args);
  }
}
/** The mean over depth, height and width. Source: keras.layers.GlobalAveragePooling3D. */
export class GlobalAveragePooling3D extends GlobalAverage {
  static override readonly className = 'GlobalAveragePooling3D';
  constructor(args?: GlobalPoolingArgs) {
    super(3, args);
  }
}
