/** Two-dimensional convolution. */
import { fail } from '../../base/errors.ts';
import { add, conv2d, type Tensor, type Tensor4D, transpose } from '../../tensor/index.ts';
import { type Activation, type ActivationIdentifier, getActivation } from '../activations.ts';
import type { Constraint, ConstraintIdentifier } from '../constraints.ts';
import type { Initializer, InitializerIdentifier } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
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

export interface Conv2DArgs extends LayerArgs {
  /** Number of output channels. */
  filters: number;
  /** Height and width of the window, or one number for both. */
  kernelSize: number | readonly [number, number] | readonly [number];
  /** Default 1. */
  strides?: number | readonly [number, number] | readonly [number];
  /** Default 'valid': no padding. */
  padding?: PaddingMode;
  /** Default 'channelsLast': [batch, height, width, channels]. */
  dataFormat?: DataFormat;
  /** Default 1. */
  dilationRate?: number | readonly [number, number] | readonly [number];
  /** Default 'linear'. */
  activation?: ActivationIdentifier | Activation;
  /** Default true. */
  useBias?: boolean;
  /** Default 'glorotNormal'. */
  kernelInitializer?: InitializerIdentifier | Initializer;
  /** Default 'zeros'. */
  biasInitializer?: InitializerIdentifier | Initializer;
  kernelRegularizer?: RegularizerIdentifier | Regularizer;
  biasRegularizer?: RegularizerIdentifier | Regularizer;
  kernelConstraint?: ConstraintIdentifier | Constraint;
  biasConstraint?: ConstraintIdentifier | Constraint;
}

/**
 * activation(conv2d(x, kernel) + bias)
 *
 * Input [batch, height, width, channels], output [batch, height', width', filters]; kernel
 * [kernelHeight, kernelWidth, channels, filters]. Source: tf.layers.conv2d.
 */
export class Conv2D extends ActivatedLayer {
  static override readonly className = 'Conv2D';
  readonly filters: number;
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: PaddingMode;
  readonly dataFormat: DataFormat;
  readonly dilationRate: readonly number[];
  readonly activation: Activation;
  readonly useBias: boolean;
  readonly kernelInitializer: Initializer;
  readonly biasInitializer: Initializer;
  readonly kernelRegularizer: Regularizer | null;
  readonly biasRegularizer: Regularizer | null;
  readonly kernelConstraint: Constraint | null;
  readonly biasConstraint: Constraint | null;
  kernel: LayerVariable | null = null;
  bias: LayerVariable | null = null;

  constructor(args: Conv2DArgs) {
    super(args);
    const op = this.label;
    const pair = (name: string, value: unknown): number[] =>
      checkWindow(op, name, Array.isArray(value) && value.length === 1 ? value[0] : value, 2);
    this.filters = checkPositiveInteger(op, 'filters', args.filters);
    this.kernelSize = pair('kernelSize', args.kernelSize);
    this.strides = pair('strides', args.strides ?? 1);
    this.dilationRate = pair('dilationRate', args.dilationRate ?? 1);
    this.padding = checkPadding(op, args.padding);
    this.dataFormat = checkDataFormat(op, args.dataFormat);
    this.activation = getActivation(op, args.activation);
    this.useBias = args.useBias ?? true;
    this.kernelInitializer = this.initializer(args.kernelInitializer, 'glorotNormal');
    this.biasInitializer = this.initializer(args.biasInitializer, 'zeros');
    this.kernelRegularizer = this.regularizer(args.kernelRegularizer);
    this.biasRegularizer = this.regularizer(args.biasRegularizer);
    this.kernelConstraint = this.constraint(args.kernelConstraint);
    this.biasConstraint = this.constraint(args.biasConstraint);
    this.inputSpec = {
      rank: 4,
      hint: 'images need [batch, height, width, channels]; reshape or expandDims a missing axis',
    };
  }

  override build(inputShape: KerasShape): void {
    const channels = inputShape[this.dataFormat === 'channelsFirst' ? 1 : 3];
    if (channels === null) {
      fail(this.label, 'the number of channels must be known', `got ${showKerasShape(inputShape)}`);
    }
    this.kernel = this.addWeight('kernel', [...this.kernelSize, channels, this.filters], {
      initializer: this.kernelInitializer,
      regularizer: this.kernelRegularizer,
      constraint: this.kernelConstraint,
    });
    if (!this.useBias) return;
    this.bias = this.addWeight('bias', [this.filters], {
      initializer: this.biasInitializer,
      regularizer: this.biasRegularizer,
      constraint: this.biasConstraint,
    });
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const { kernelSize: sizes, strides, padding, dataFormat, dilationRate: dilations } = this;
    return windowOutputShape(this.label, inputShape, { sizes, strides, padding, dataFormat, dilations }, this.filters);
  }

  override preActivation(inputs: Tensor): Tensor {
    const first = this.dataFormat === 'channelsFirst';
    const x = (first ? transpose(inputs, [0, 2, 3, 1]) : inputs) as Tensor4D;
    const [strideY, strideX] = this.strides;
    const [dilationY, dilationX] = this.dilationRate;
    const kernel = this.kernel!.read() as Tensor4D;
    const y = conv2d(x, kernel, [strideY, strideX], this.padding, 'NHWC', [dilationY, dilationX]);
    const biased = this.bias ? add(y, this.bias.read()) : y;
    return first ? transpose(biased, [0, 3, 1, 2]) : biased;
  }

  override getConfig(): Config {
    return {
      filters: this.filters,
      kernelInitializer: serialize(this.kernelInitializer),
      kernelRegularizer: serialize(this.kernelRegularizer),
      kernelConstraint: serialize(this.kernelConstraint),
      kernelSize: this.kernelSize,
      strides: this.strides,
      padding: this.padding,
      dataFormat: this.dataFormat,
      dilationRate: this.dilationRate,
      activation: this.activation.name,
      useBias: this.useBias,
      biasInitializer: serialize(this.biasInitializer),
      biasRegularizer: serialize(this.biasRegularizer),
      activityRegularizer: null,
      biasConstraint: serialize(this.biasConstraint),
      ...super.getConfig(),
    };
  }
}
