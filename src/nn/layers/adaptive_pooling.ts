/** Pooling to a given size, whatever the input's: window i begins at floor(i n / size) and ends at ceil((i + 1) n / size). */
import { adaptiveAvgPool, adaptiveMaxPool, type Tensor, transpose } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { Layer, type LayerArgs } from './layer.ts';
import { checkDataFormat, checkWindow, type DataFormat, type KerasShape } from './shapes.ts';

export interface AdaptivePoolingArgs extends LayerArgs {
  /** Extents of the output's axes of space; a number for all. */
  outputSize: number | readonly number[];
  /** Default 'channelsLast'. */
  dataFormat?: DataFormat;
}

abstract class AdaptivePooling extends Layer {
  readonly rank: number;
  readonly outputSize: readonly number[];
  readonly dataFormat: DataFormat;
  protected abstract pool(x: Tensor, size: number[]): Tensor;

  constructor(rank: number, args: AdaptivePoolingArgs) {
    super(args);
    this.rank = rank;
    this.outputSize = checkWindow(this.label, 'outputSize', args.outputSize, rank);
    this.dataFormat = checkDataFormat(this.label, args.dataFormat);
    this.inputSpec = { rank: rank + 2 };
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const first = this.dataFormat === 'channelsFirst' ? 2 : 1;
    return inputShape.map((n, axis) => this.outputSize[axis - first] ?? n);
  }
  override call(inputs: Tensor): Tensor {
    const first = this.dataFormat === 'channelsFirst';
    const space = this.outputSize.map((_, i) => i + 1);
    const x = first ? transpose(inputs, [0, ...space.map((i) => i + 1), 1]) : inputs;
    const y = this.pool(x, [...this.outputSize]);
    return first ? transpose(y, [0, this.rank + 1, ...space]) : y;
  }
  override getConfig(): Config {
    return { outputSize: this.outputSize, dataFormat: this.dataFormat, ...super.getConfig() };
  }
}

abstract class AdaptiveAverage extends AdaptivePooling {
  protected override pool(x: Tensor, size: number[]): Tensor {
    return adaptiveAvgPool(x, size as [number]);
  }
}
abstract class AdaptiveMax extends AdaptivePooling {
  protected override pool(x: Tensor, size: number[]): Tensor {
    return adaptiveMaxPool(x, size as [number]);
  }
}

/** The mean of each window of steps. Source: keras.layers.AdaptiveAveragePooling1D. */
export class AdaptiveAveragePooling1D extends AdaptiveAverage {
  static override readonly className = 'AdaptiveAveragePooling1D';
  constructor(args: AdaptivePoolingArgs) {
    super(1, args);
  }
}
/** The mean of each window of an image. Source: keras.layers.AdaptiveAveragePooling2D. */
export class AdaptiveAveragePooling2D extends AdaptiveAverage {
  static override readonly className = 'AdaptiveAveragePooling2D';
  constructor(args: AdaptivePoolingArgs) {
    super(2, args);
  }
}
/** The mean of each window of a volume. Source: keras.layers.AdaptiveAveragePooling3D. */
export class AdaptiveAveragePooling3D extends AdaptiveAverage {
  static override readonly className = 'AdaptiveAveragePooling3D';
  constructor(args: AdaptivePoolingArgs) {
    super(3, args);
  }
}
/** The largest value of each window of steps. Source: keras.layers.AdaptiveMaxPooling1D. */
export class AdaptiveMaxPooling1D extends AdaptiveMax {
  static override readonly className = 'AdaptiveMaxPooling1D';
  constructor(args: AdaptivePoolingArgs) {
    super(1, args);
  }
}
/** The largest value of each window of an image. Source: keras.layers.AdaptiveMaxPooling2D. */
export class AdaptiveMaxPooling2D extends AdaptiveMax {
  static override readonly className = 'AdaptiveMaxPooling2D';
  constructor(args: AdaptivePoolingArgs) {
    super(2, args);
  }
}
/** The largest value of each window of a volume. Source: keras.layers.AdaptiveMaxPooling3D. */
export class AdaptiveMaxPooling3D extends AdaptiveMax {
  static override readonly className = 'AdaptiveMaxPooling3D';
  constructor(args: AdaptivePoolingArgs) {
    super(3, args);
  }
}
