/** Convolutions over one, two and three axes. */
import { fail } from '../../base/errors.ts';
import { add, conv1d, conv2d, conv3d, pad, type Tensor, transpose } from '../../tensor/index.ts';
import { type Activation, type ActivationIdentifier, getActivation } from '../activations.ts';
import type { Constraint, ConstraintIdentifier } from '../constraints.ts';
import type { Initializer, InitializerIdentifier } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
import { failUnknownName } from '../naming.ts';
import type { Regularizer, RegularizerIdentifier } from '../regularizers.ts';
import { ActivatedLayer } from './activated.ts';
import type { LayerArgs } from './layer.ts';
import type { LayerVariable } from './layer_variable.ts';
import {
  checkDataFormat,
  checkPadding,
  checkPositiveInteger,
  checkWindow,
  type DataFormat,
  type KerasShape,
  type PaddingMode,
  showKerasShape,
  windowOutputShape,
} from './shapes.ts';

/** A number for all axes of space, or one for each. */
export type PerAxis = number | readonly number[];

export interface BaseConvArgs extends LayerArgs {
  /** Default 1. */
  strides?: PerAxis;
  /** Default 'valid': no padding. Over one axis also 'causal': all of it before the first step. */
  padding?: PaddingMode | 'causal';
  /** Default 'channelsLast': [batch, ...space, channels]. */
  dataFormat?: DataFormat;
  /** Default 1. */
  dilationRate?: PerAxis;
  /** Default 'linear'. */
  activation?: ActivationIdentifier | Activation;
  /** Default true. */
  useBias?: boolean;
  /** Default 'zeros'. */
  biasInitializer?: InitializerIdentifier | Initializer;
  biasRegularizer?: RegularizerIdentifier | Regularizer;
  biasConstraint?: ConstraintIdentifier | Constraint;
  /** Size of the window along each axis of space. */
  kernelSize: PerAxis;
}

export interface ConvArgs extends BaseConvArgs {
  /** Number of output channels. */
  filters: number;
  /** Default 'glorotNormal'. */
  kernelInitializer?: InitializerIdentifier | Initializer;
  kernelRegularizer?: RegularizerIdentifier | Regularizer;
  kernelConstraint?: ConstraintIdentifier | Constraint;
  /** Groups of channels that do not see each other; default 1. */
  groups?: number;
}

const hints = [
  '',
  'sequences need [batch, steps, channels]',
  'images need [batch, height, width, channels]; reshape or expandDims a missing axis',
  'volumes need [batch, depth, height, width, channels]',
];

/** A window that slides over space: what all kinds of convolution have. */
export abstract class BaseConv extends ActivatedLayer {
  /** Axes of space. */
  readonly rank: number;
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: PaddingMode | 'causal';
  readonly dataFormat: DataFormat;
  readonly dilationRate: readonly number[];
  readonly activation: Activation;
  readonly useBias: boolean;
  readonly biasInitializer: Initializer;
  readonly biasRegularizer: Regularizer | null;
  readonly biasConstraint: Constraint | null;
  bias: LayerVariable | null = null;

  constructor(rank: number, args: BaseConvArgs) {
    super(args);
    const op = this.label;
    const perAxis = (name: string, value: unknown): number[] =>
      checkWindow(op, name, Array.isArray(value) && value.length === 1 ? value[0] : value, rank);
    this.rank = rank;
    this.kernelSize = perAxis('kernelSize', args.kernelSize);
    this.strides = perAxis('strides', args.strides ?? 1);
    this.dilationRate = perAxis('dilationRate', args.dilationRate ?? 1);
    this.padding = rank === 1 && args.padding === 'causal' ? 'causal' : checkPadding(op, args.padding);
    this.dataFormat = checkDataFormat(op, args.dataFormat);
    if (this.padding === 'causal' && this.dataFormat === 'channelsFirst') {
      failUnknownName(op, 'padding with channelsFirst', 'causal', ['valid', 'same']);
    }
    if (this.strides.some((n) => n > 1) && this.dilationRate.some((n) => n > 1)) {
      fail(op, 'strides and dilationRate must not both be above 1', `got ${this.strides} and ${this.dilationRate}`);
    }
    this.activation = getActivation(op, args.activation);
    this.useBias = args.useBias ?? true;
    this.biasInitializer = this.initializer(args.biasInitializer, 'zeros');
    this.biasRegularizer = this.regularizer(args.biasRegularizer);
    this.biasConstraint = this.constraint(args.biasConstraint);
    this.inputSpec = { rank: rank + 2, hint: hints[rank] };
  }

  /** The number of input channels, which is fixed from then on. */
  protected channelsOf(inputShape: KerasShape): number {
    const axis = this.dataFormat === 'channelsFirst' ? 1 : inputShape.length - 1;
    const channels = inputShape[axis];
    if (channels === null) {
      fail(this.label, 'the number of channels must be known', `got ${showKerasShape(inputShape)}`);
    }
    this.inputSpec = { rank: this.rank + 2, hint: hints[this.rank], axes: { [axis]: channels } };
    return channels;
  }

  protected addBias(channels: number): void {
    if (!this.useBias) return;
    this.bias = this.addWeight('bias', [channels], {
      initializer: this.biasInitializer,
      regularizer: this.biasRegularizer,
      constraint: this.biasConstraint,
    });
  }

  /** The shape after the windows, with that many channels. */
  protected windowed(inputShape: KerasShape, channels: number): KerasShape {
    const { kernelSize: sizes, strides, dataFormat, dilationRate: dilations } = this;
    // Causal padding gives what 'same' gives at stride 1, and ceil(n / stride) in general.
    const padding: PaddingMode = this.padding === 'causal' ? 'same' : this.padding;
    return windowOutputShape(this.label, inputShape, { sizes, strides, padding, dataFormat, dilations }, channels);
  }

  /** The convolution itself, of [batch, ...space, channels]. */
  protected abstract convolve(x: Tensor): Tensor;

  override preActivation(inputs: Tensor): Tensor {
    const first = this.dataFormat === 'channelsFirst';
    const space = Array.from({ length: this.rank }, (_, i) => i + 1);
    const y = this.convolve(first ? transpose(inputs, [0, ...space.map((i) => i + 1), 1]) : inputs);
    const biased = this.bias ? add(y, this.bias.read()) : y;
    return first ? transpose(biased, [0, this.rank + 1, ...space]) : biased;
  }

  protected baseConfig(): Config {
    return {
      kernelSize: this.kernelSize,
      strides: this.strides,
      padding: this.padding,
      dataFormat: this.dataFormat,
      dilationRate: this.dilationRate,
      activation: this.activation.name,
      useBias: this.useBias,
      biasInitializer: serialize(this.biasInitializer),
      biasRegularizer: serialize(this.biasRegularizer),
      activityRegularizer: serialize(this.activityRegularizer),
      biasConstraint: serialize(this.biasConstraint),
    };
  }
}

/** A convolution with a kernel [...window, channels, filters]. */
export abstract class Conv extends BaseConv {
  readonly filters: number;
  readonly groups: number;
  readonly kernelInitializer: Initializer;
  readonly kernelRegularizer: Regularizer | null;
  readonly kernelConstraint: Constraint | null;
  kernel: LayerVariable | null = null;

  constructor(rank: number, args: ConvArgs) {
    super(rank, args);
    this.filters = checkPositiveInteger(this.label, 'filters', args.filters);
    this.groups = checkPositiveInteger(this.label, 'groups', args.groups ?? 1);
    if (this.filters % this.groups !== 0) {
      fail(this.label, 'groups must divide filters', `got ${this.groups} and ${this.filters}`);
    }
    this.kernelInitializer = this.initializer(args.kernelInitializer, 'glorotNormal');
    this.kernelRegularizer = this.regularizer(args.kernelRegularizer);
    this.kernelConstraint = this.constraint(args.kernelConstraint);
  }

  protected kernelShape(channels: number): number[] {
    if (channels % this.groups !== 0) {
      fail(this.label, 'groups must divide the channels of the input', `got ${this.groups} and ${channels}`);
    }
    return [...this.kernelSize, channels / this.groups, this.filters];
  }

  override build(inputShape: KerasShape): void {
    const channels = this.channelsOf(inputShape);
    this.kernel = this.addWeight('kernel', this.kernelShape(channels), {
      initializer: this.kernelInitializer,
      regularizer: this.kernelRegularizer,
      constraint: this.kernelConstraint,
    });
    this.addBias(this.filters);
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.windowed(inputShape, this.filters);
  }

  override getConfig(): Config {
    return {
      filters: this.filters,
      ...(this.groups > 1 ? { groups: this.groups } : {}),
      kernelInitializer: serialize(this.kernelInitializer),
      kernelRegularizer: serialize(this.kernelRegularizer),
      kernelConstraint: serialize(this.kernelConstraint),
      ...this.baseConfig(),
      ...super.getConfig(),
    };
  }
}

/**
 * activation(conv1d(x, kernel) + bias): input [batch, steps, channels], output [batch, steps', filters].
 * Source: tf.layers.conv1d.
 */
export class Conv1D extends Conv {
  static override readonly className = 'Conv1D';
  constructor(args: ConvArgs) {
    super(1, args);
  }
  protected override convolve(x: Tensor): Tensor {
    const kernel = this.kernel!.read();
    const [stride, dilation] = [this.strides[0], this.dilationRate[0]];
    if (this.padding !== 'causal') return conv1d(x, kernel, stride, this.padding, 'NWC', dilation);
    const before = dilation * (this.kernelSize[0] - 1);
    return conv1d(
      pad(x, [
        [0, 0],
        [before, 0],
        [0, 0],
      ]),
      kernel,
      stride,
      'valid',
      'NWC',
      dilation,
    );
  }
}

/**
 * activation(conv2d(x, kernel) + bias): input [batch, height, width, channels], output [batch, height', width', filters].
 * Source: tf.layers.conv2d.
 */
export class Conv2D extends Conv {
  static override readonly className = 'Conv2D';
  constructor(args: ConvArgs) {
    super(2, args);
  }
  protected override convolve(x: Tensor): Tensor {
    const { strides, dilationRate } = this;
    const padding = this.padding as PaddingMode;
    const [strideY, strideX] = strides;
    return conv2d(x, this.kernel!.read(), [strideY, strideX], padding, 'NHWC', [dilationRate[0], dilationRate[1]]);
  }
}

/**
 * activation(conv3d(x, kernel) + bias): input [batch, depth, height, width, channels], output
 * [batch, depth', height', width', filters]. Source: tf.layers.conv3d.
 */
export class Conv3D extends Conv {
  static override readonly className = 'Conv3D';
  constructor(args: ConvArgs) {
    super(3, args);
  }
  protected override convolve(x: Tensor): Tensor {
    const three = ([a, b, c]: readonly number[]): [number, number, number] => [a, b, c];
    const padding = this.padding as PaddingMode;
    return conv3d(x, this.kernel!.read(), three(this.strides), padding, 'NDHWC', three(this.dilationRate));
  }
}
