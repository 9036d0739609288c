/** Pooling over two-dimensional windows: the largest value of each, or the mean. */
import { avgPool, maxPool, type Tensor, type Tensor4D, transpose } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { Layer, type LayerArgs } from './layer.ts';
import {
  checkDataFormat,
  checkPadding,
  checkWindow,
  type DataFormat,
  type KerasShape,
  type PaddingMode,
  windowOutputShape,
} from './shapes.ts';

export interface Pooling2DArgs extends LayerArgs {
  /** Height and width of the window, or one number for both; default 2. */
  poolSize?: number | readonly [number, number];
  /** Default: poolSize. */
  strides?: number | readonly [number, number] | null;
  /** Default 'valid': no padding. */
  padding?: PaddingMode;
  /** Default 'channelsLast': [batch, height, width, channels]. */
  dataFormat?: DataFormat;
}

type Pool = (x: Tensor4D, size: [number, number], strides: [number, number], padding: PaddingMode) => Tensor;

/** Input [batch, height, width, channels], output [batch, height', width', channels]. */
abstract class Pooling2D extends Layer {
  readonly poolSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: PaddingMode;
  readonly dataFormat: DataFormat;

  constructor(args: Pooling2DArgs = {}) {
    super(args);
    this.poolSize = checkWindow(this.label, 'poolSize', args.poolSize ?? 2, 2);
    this.strides = checkWindow(this.label, 'strides', args.strides ?? this.poolSize, 2);
    this.padding = checkPadding(this.label, args.padding);
    this.dataFormat = checkDataFormat(this.label, args.dataFormat);
    this.inputSpec = { rank: 4, hint: 'images need [batch, height, width, channels]' };
  }

  protected abstract readonly pool: Pool;

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const { poolSize: sizes, strides, padding, dataFormat } = this;
    return windowOutputShape(this.label, inputShape, { sizes, strides, padding, dataFormat });
  }

  override call(inputs: Tensor): Tensor {
    const first = this.dataFormat === 'channelsFirst';
    const x = (first ? transpose(inputs, [0, 2, 3, 1]) : inputs) as Tensor4D;
    const y = this.pool(x, [this.poolSize[0], this.poolSize[1]], [this.strides[0], this.strides[1]], this.padding);
    return first ? transpose(y, [0, 3, 1, 2]) : y;
  }

  override getConfig(): Config {
    return {
      poolSize: this.poolSize,
      padding: this.padding,
      strides: this.strides,
      dataFormat: this.dataFormat,
      ...super.getConfig(),
    };
  }
}

/** The largest value of each window. Source: tf.layers.maxPooling2d. */
export class MaxPooling2D extends Pooling2D {
  static override readonly className = 'MaxPooling2D';
  protected override readonly pool: Pool = (x, size, strides, padding) => maxPool(x, size, strides, padding);
}

/** The mean of each window; padding does not count. Source: tf.layers.averagePooling2d. */
export class AveragePooling2D extends Pooling2D {
  static override readonly className = 'AveragePooling2D';
  protected override readonly pool: Pool = (x, size, strides, padding) => avgPool(x, size, strides, padding);
}
