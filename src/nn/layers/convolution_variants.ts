/** Transposed, depthwise and separable convolutions. */
import { fail } from '../../base/errors.ts';
import {
  conv1dTranspose,
  conv2d,
  conv2dTranspose,
  conv3dTranspose,
  depthwiseConv2d,
  expandDims,
  pad,
  squeeze,
  type Tensor,
} from '../../tensor/index.ts';
import type { Constraint, ConstraintIdentifier } from '../constraints.ts';
import type { Initializer, InitializerIdentifier } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
import type { Regularizer, RegularizerIdentifier } from '../regularizers.ts';
import { BaseConv, type BaseConvArgs, Conv, type ConvArgs } from './convolution.ts';
import type { LayerVariable } from './layer_variable.ts';
import { checkPositiveInteger, type KerasShape, type PaddingMode } from './shapes.ts';

/**
 * The gradient of a convolution for its input, as a layer: it enlarges by the strides. The kernel is [...window, filters,
 * channels]; an extent n becomes n stride (padding 'same') or n stride + max(window - stride, 0).
 */
abstract class ConvTranspose extends Conv {
  protected override kernelShape(channels: number): number[] {
    if (this.groups !== 1) fail(this.label, 'groups must be 1', `got ${this.groups}`);
    if (this.dilationRate.some((n) => n !== 1)) fail(this.label, 'dilationRate must be 1', `got ${this.dilationRate}`);
    return [...this.kernelSize, this.filters, channels];
  }

  #extent(n: number | null, i: number): number | null {
    if (n === null) return null;
    const grown = n * this.strides[i];
    return this.padding === 'same' ? grown : grown + Math.max(this.kernelSize[i] - this.strides[i], 0);
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const first = this.dataFormat === 'channelsFirst';
    const space = inputShape.slice(first ? 2 : 1, first ? undefined : -1).map((n, i) => this.#extent(n, i));
    return first ? [inputShape[0], this.filters, ...space] : [inputShape[0], ...space, this.filters];
  }

  /** The shape of the result for [batch, ...space, channels]. */
  protected resultShape(x: Tensor): number[] {
    const space = x.shape.slice(1, -1).map((n, i) => this.#extent(n, i)!);
    return [x.shape[0], ...space, this.filters];
  }

  override getConfig(): Config {
    const { dilationRate: _, ...config } = super.getConfig();
    return config;
  }
}

/** Input [batch, steps, channels], output [batch, steps', filters]. Source: keras.layers.Conv1DTranspose. */
export class Conv1DTranspose extends ConvTranspose {
  static override readonly className = 'Conv1DTranspose';
  constructor(args: ConvArgs) {
    super(1, args);
  }
  protected override convolve(x: Tensor): Tensor {
    const padding = this.padding as PaddingMode;
    return conv1dTranspose(x, this.kernel!.read(), this.resultShape(x), this.strides[0], padding);
  }
}

/** Input [batch, height, width, channels], output [batch, height', width', filters]. Source: tf.layers.conv2dTranspose. */
export class Conv2DTranspose extends ConvTranspose {
  static override readonly className = 'Conv2DTranspose';
  constructor(args: ConvArgs) {
    super(2, args);
  }
  protected override convolve(x: Tensor): Tensor {
    const [strideY, strideX] = this.strides;
    const padding = this.padding as PaddingMode;
    return conv2dTranspose(x, this.kernel!.read(), this.resultShape(x), [strideY, strideX], padding);
  }
}

/** Input [batch, depth, height, width, channels], output of as many axes. Source: tf.layers.conv3dTranspose. */
export class Conv3DTranspose extends ConvTranspose {
  static override readonly className = 'Conv3DTranspose';
  constructor(args: ConvArgs) {
    super(3, args);
  }
  protected override convolve(x: Tensor): Tensor {
    const [a, b, c] = this.strides;
    const padding = this.padding as PaddingMode;
    return conv3dTranspose(x, this.kernel!.read(), this.resultShape(x), [a, b, c], padding);
  }
}

export interface DepthwiseConvArgs extends BaseConvArgs {
  /** Output channels for each input channel; default 1. */
  depthMultiplier?: number;
  /** Default 'glorotNormal'. */
  depthwiseInitializer?: InitializerIdentifier | Initializer;
  depthwiseRegularizer?: RegularizerIdentifier | Regularizer;
  depthwiseConstraint?: ConstraintIdentifier | Constraint;
}

/** A filter of its own for each channel: kernel [...window, channels, depthMultiplier]. */
abstract class DepthwiseConv extends BaseConv {
  readonly depthMultiplier: number;
  readonly depthwiseInitializer: Initializer;
  readonly depthwiseRegularizer: Regularizer | null;
  readonly depthwiseConstraint: Constraint | null;
  depthwiseKernel: LayerVariable | null = null;

  constructor(rank: number, args: DepthwiseConvArgs, initializer: string) {
    super(rank, args);
    this.depthMultiplier = checkPositiveInteger(this.label, 'depthMultiplier', args.depthMultiplier ?? 1);
    this.depthwiseInitializer = this.initializer(args.depthwiseInitializer, initializer);
    this.depthwiseRegularizer = this.regularizer(args.depthwiseRegularizer);
    this.depthwiseConstraint = this.constraint(args.depthwiseConstraint);
  }

  override build(inputShape: KerasShape): void {
    const channels = this.channelsOf(inputShape);
    this.depthwiseKernel = this.addWeight('depthwise_kernel', [...this.kernelSize, channels, this.depthMultiplier], {
      initializer: this.depthwiseInitializer,
      regularizer: this.depthwiseRegularizer,
      constraint: this.depthwiseConstraint,
    });
    this.buildRest(channels * this.depthMultiplier);
  }

  protected buildRest(channels: number): void {
    this.addBias(channels);
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const channels = inputShape[this.dataFormat === 'channelsFirst' ? 1 : inputShape.length - 1];
    return this.windowed(inputShape, (channels ?? 1) * this.depthMultiplier);
  }

  protected override convolve(x: Tensor): Tensor {
    if (this.rank === 2) return this.#images(x, this.depthwiseKernel!.read());
    // One axis of space is an image one row high.
    const before = this.dilationRate[0] * (this.kernelSize[0] - 1);
    const steps =
      this.padding === 'causal'
        ? pad(x, [
            [0, 0],
            [before, 0],
            [0, 0],
          ])
        : x;
    return squeeze(this.#images(expandDims(steps, 1), expandDims(this.depthwiseKernel!.read(), 0)), [1]);
  }

  #images(x: Tensor, kernel: Tensor): Tensor {
    const last = this.rank - 1;
    const strides: [number, number] = [this.strides[0], this.strides[last]];
    const dilations: [number, number] = [this.rank === 1 ? 1 : this.dilationRate[0], this.dilationRate[last]];
    const padding: PaddingMode = this.padding === 'causal' ? 'valid' : this.padding;
    return depthwiseConv2d(x, kernel, strides, padding, 'NHWC', dilations);
  }

  override getConfig(): Config {
    return {
      depthMultiplier: this.depthMultiplier,
      depthwiseInitializer: serialize(this.depthwiseInitializer),
      depthwiseRegularizer: serialize(this.depthwiseRegularizer),
      depthwiseConstraint: serialize(this.depthwiseConstraint),
      ...this.baseConfig(),
      ...super.getConfig(),
    };
  }
}

/** Input [batch, steps, channels], output [batch, steps', channels depthMultiplier]. Source: keras.layers.DepthwiseConv1D. */
export class DepthwiseConv1D extends DepthwiseConv {
  static override readonly className = 'DepthwiseConv1D';
  constructor(args: DepthwiseConvArgs) {
    super(1, args, 'glorotNormal');
  }
}

/**
 * Input [batch, height, width, channels], output [batch, height', width', channels depthMultiplier].
 * Source: tf.layers.depthwiseConv2d.
 */
export class DepthwiseConv2D extends DepthwiseConv {
  static override readonly className = 'DepthwiseConv2D';
  constructor(args: DepthwiseConvArgs) {
    super(2, args, 'glorotNormal');
  }
}

export interface SeparableConvArgs extends DepthwiseConvArgs {
  /** Number of output channels. */
  filters: number;
  /** Default 'glorotUniform'. */
  pointwiseInitializer?: InitializerIdentifier | Initializer;
  pointwiseRegularizer?: RegularizerIdentifier | Regularizer;
  pointwiseConstraint?: ConstraintIdentifier | Constraint;
}

/** A depthwise convolution, then one of window 1 that mixes the channels. */
abstract class SeparableConv extends DepthwiseConv {
  readonly filters: number;
  readonly pointwiseInitializer: Initializer;
  readonly pointwiseRegularizer: Regularizer | null;
  readonly pointwiseConstraint: Constraint | null;
  pointwiseKernel: LayerVariable | null = null;

  constructor(rank: number, args: SeparableConvArgs) {
    super(rank, args, 'glorotUniform');
    this.filters = checkPositiveInteger(this.label, 'filters', args.filters);
    this.pointwiseInitializer = this.initializer(args.pointwiseInitializer, 'glorotUniform');
    this.pointwiseRegularizer = this.regularizer(args.pointwiseRegularizer);
    this.pointwiseConstraint = this.constraint(args.pointwiseConstraint);
  }

  protected override buildRest(channels: number): void {
    const ones = this.kernelSize.map(() => 1);
    this.pointwiseKernel = this.addWeight('pointwise_kernel', [...ones, channels, this.filters], {
      initializer: this.pointwiseInitializer,
      regularizer: this.pointwiseRegularizer,
      constraint: this.pointwiseConstraint,
    });
    this.addBias(this.filters);
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.windowed(inputShape, this.filters);
  }

  protected override convolve(x: Tensor): Tensor {
    const depthwise = super.convolve(x);
    const kernel = this.pointwiseKernel!.read();
    if (this.rank === 2) return conv2d(depthwise, kernel, 1, 'valid');
    return squeeze(conv2d(expandDims(depthwise, 1), expandDims(kernel, 0), 1, 'valid'), [1]);
  }

  override getConfig(): Config {
    return {
      filters: this.filters,
      pointwiseInitializer: serialize(this.pointwiseInitializer),
      pointwiseRegularizer: serialize(this.pointwiseRegularizer),
      pointwiseConstraint: serialize(this.pointwiseConstraint),
      ...super.getConfig(),
    };
  }
}

/** Input [batch, steps, channels], output [batch, steps', filters]. Source: keras.layers.SeparableConv1D. */
export class SeparableConv1D extends SeparableConv {
  static override readonly className = 'SeparableConv1D';
  constructor(args: SeparableConvArgs) {
    super(1, args);
  }
}

/** Input [batch, height, width, channels], output [batch, height', width', filters]. Source: tf.layers.separableConv2d. */
export class SeparableConv2D extends SeparableConv {
  static override readonly className = 'SeparableConv2D';
  constructor(args: SeparableConvArgs) {
    super(2, args);
  }
}
