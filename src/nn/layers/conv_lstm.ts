/** LSTM over images (Shi et al. 2015): the products with kernels are convolutions. */
import { add, conv1d, conv2d, conv3d, mul, reshape, split, type Tensor } from '../../tensor/index.ts';
import { type Activation, type ActivationIdentifier, getActivation } from '../activations.ts';
import type { Initializer } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
import { type BaseRNNArgs, RNN } from './rnn.ts';
import { forgettingBias, KernelCell, type LSTMCellArgs } from './recurrent_cells.ts';
import { dropMask, type StepContext } from './rnn_cell.ts';
import { fail } from '../../base/errors.ts';
import type { PerAxis } from './convolution.ts';
import {
  checkPadding,
  checkPositiveInteger,
  checkWindow,
  type KerasShape,
  type PaddingMode,
  type ShapeOrShapes,
  showKerasShape,
  windowOutputShape,
  checkDataFormat,
} from './shapes.ts';

export interface ConvLSTMCellArgs extends Omit<LSTMCellArgs, 'units'> {
  /** Number of output channels. */
  filters: number;
  kernelSize: PerAxis;
  /** Default 1. */
  strides?: PerAxis;
  /** Default 'valid'. */
  padding?: PaddingMode;
  /** Only 'channelsLast'. */
  dataFormat?: 'channelsLast';
  /** Default 1. */
  dilationRate?: PerAxis;
}

type Convolve = (
  x: Tensor,
  kernel: Tensor,
  strides: readonly number[],
  padding: PaddingMode,
  dilations: readonly number[],
) => Tensor;

const convolutions: readonly Convolve[] = [
  (x, kernel, [s], padding, [d]) => conv1d(x, kernel, s, padding, 'NWC', d),
  (x, kernel, [a, b], padding, [c, d]) => conv2d(x, kernel, [a, b], padding, 'NHWC', [c, d]),
  (x, kernel, [a, b, c], padding, [d, e, f]) => conv3d(x, kernel, [a, b, c], padding, 'NDHWC', [d, e, f]),
];

/** As LSTMCell, with convolutions in place of products: states [batch, ...space, filters]. */
abstract class ConvLSTMCell extends KernelCell {
  protected override readonly gates = 4;
  readonly rank: number;
  readonly filters: number;
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: PaddingMode;
  readonly dilationRate: readonly number[];
  readonly recurrentActivation: Activation;
  readonly unitForgetBias: boolean;

  constructor(rank: number, args: ConvLSTMCellArgs) {
    super({ ...args, units: args.filters });
    this.rank = rank;
    this.inputSpec = { rank: rank + 2, hint: 'a cell takes one step, [batch, ...space, channels]' };
    this.filters = checkPositiveInteger(this.label, 'filters', args.filters);
    this.kernelSize = checkWindow(this.label, 'kernelSize', args.kernelSize, rank);
    this.strides = checkWindow(this.label, 'strides', args.strides ?? 1, rank);
    this.padding = checkPadding(this.label, args.padding);
    this.dilationRate = checkWindow(this.label, 'dilationRate', args.dilationRate ?? 1, rank);
    const format: string | undefined = args.dataFormat;
    if (format !== undefined && checkDataFormat(this.label, format) !== 'channelsLast') {
      fail(this.label, "dataFormat must be 'channelsLast'", `got ${JSON.stringify(format)}`, 'permute the axes first');
    }
    this.recurrentActivation = getActivation(
      this.label,
      (args.recurrentActivation as ActivationIdentifier | undefined) ?? 'hardSigmoid',
    );
    this.unitForgetBias = args.unitForgetBias ?? true;
  }

  override get stateSize(): readonly number[] {
    return [this.filters, this.filters];
  }
  override stateShapes(inputShape: KerasShape): KerasShape[] {
    const { kernelSize: sizes, strides, padding, dilationRate: dilations } = this;
    const windows = { sizes, strides, padding, dataFormat: 'channelsLast' as const, dilations };
    const shape = windowOutputShape(this.label, inputShape, windows, this.filters);
    return [shape, shape];
  }

  override build(inputShape: ShapeOrShapes): void {
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as KerasShape;
    const channels = shape[shape.length - 1];
    if (channels === null) fail(this.label, 'the number of channels must be known', `got ${showKerasShape(shape)}`);
    const width = 4 * this.filters;
    this.kernel = this.addWeight('kernel', [...this.kernelSize, channels, width], {
      initializer: this.kernelInitializer,
      regularizer: this.kernelRegularizer,
      constraint: this.kernelConstraint,
    });
    this.recurrentKernel = this.addWeight('recurrent_kernel', [...this.kernelSize, this.filters, width], {
      initializer: this.recurrentInitializer,
      regularizer: this.recurrentRegularizer,
      constraint: this.recurrentConstraint,
    });
    if (!this.useBias) return;
    const start: Initializer = this.unitForgetBias
      ? forgettingBias(this.biasInitializer, this.filters)
      : this.biasInitializer;
    this.bias = this.addWeight('bias', [width], {
      initializer: start,
      regularizer: this.biasRegularizer,
      constraint: this.biasConstraint,
    });
  }

  override prepare(inputs: Tensor, training: boolean): Tensor {
    const shape: readonly number[] = inputs.shape;
    const mask = dropMask(inputs.slice([0], [1]), this.dropout, training);
    const images = reshape(mask ? mul(inputs, mask) : inputs, [shape[0] * shape[1], ...shape.slice(2)]);
    const y = convolutions[this.rank - 1](images, this.kernel!.read(), this.strides, this.padding, this.dilationRate);
    const biased = this.bias ? add(y, this.bias.read()) : y;
    return reshape(biased, [shape[0], shape[1], ...biased.shape.slice(1)]);
  }

  override step(input: Tensor, [h, c]: readonly Tensor[], context: StepContext): Tensor[] {
    const ones = this.kernelSize.map(() => 1);
    const state = KernelCell.masked(h, context);
    const z = add(input, convolutions[this.rank - 1](state, this.recurrentKernel!.read(), ones, 'same', ones));
    const gate = (x: Tensor) => this.recurrentActivation.apply(x);
    const [i, f, g, o] = split(z, 4, -1);
    const nextC = add(mul(gate(f), c), mul(gate(i), this.activation.apply(g)));
    const nextH = mul(gate(o), this.activation.apply(nextC));
    return [nextH, nextH, nextC];
  }

  override getConfig(): Config {
    const { units: _, ...config } = super.getConfig();
    return {
      ...config,
      filters: this.filters,
      kernelSize: this.kernelSize,
      strides: this.strides,
      padding: this.padding,
      dataFormat: 'channelsLast',
      dilationRate: this.dilationRate,
      recurrentActivation: this.recurrentActivation.name,
      unitForgetBias: this.unitForgetBias,
      recurrentInitializer: serialize(this.recurrentInitializer),
    };
  }
}

/** A cell over sequences of rows. */
export class ConvLSTM1DCell extends ConvLSTMCell {
  static override readonly className = 'ConvLSTM1DCell';
  constructor(args: ConvLSTMCellArgs) {
    super(1, args);
  }
}
/** Source: tf.layers.convLstm2dCell. */
export class ConvLSTM2DCell extends ConvLSTMCell {
  static override readonly className = 'ConvLSTM2DCell';
  constructor(args: ConvLSTMCellArgs) {
    super(2, args);
  }
}
/** A cell over sequences of volumes. */
export class ConvLSTM3DCell extends ConvLSTMCell {
  static override readonly className = 'ConvLSTM3DCell';
  constructor(args: ConvLSTMCellArgs) {
    super(3, args);
  }
}

export interface ConvLSTMArgs extends BaseRNNArgs, ConvLSTMCellArgs {}

function cellArgs(args: ConvLSTMArgs): ConvLSTMCellArgs {
  const { name: _, batchInputShape: __, inputShape: ___, weights: ____, activityRegularizer: _____, ...rest } = args;
  return { ...rest, name: args.name ? `${args.name}_cell` : undefined } as ConvLSTMCellArgs;
}

abstract class ConvLSTM extends RNN {
  override getConfig(): Config {
    const { name: _, trainable: __, ...cell } = this.cell.getConfig();
    const { cell: ___, ...config } = super.getConfig();
    return { ...config, ...cell };
  }
}

/** Input [batch, steps, width, channels]. Source: keras.layers.ConvLSTM1D. */
export class ConvLSTM1D extends ConvLSTM {
  static override readonly className = 'ConvLSTM1D';
  constructor(args: ConvLSTMArgs) {
    super({ ...args, cell: new ConvLSTM1DCell(cellArgs(args)) });
  }
  static override fromConfig(config: Config): ConvLSTM1D {
    return new ConvLSTM1D(config as unknown as ConvLSTMArgs);
  }
}
/** Input [batch, steps, height, width, channels]. Source: tf.layers.convLstm2d. */
export class ConvLSTM2D extends ConvLSTM {
  static override readonly className = 'ConvLSTM2D';
  constructor(args: ConvLSTMArgs) {
    super({ ...args, cell: new ConvLSTM2DCell(cellArgs(args)) });
  }
  static override fromConfig(config: Config): ConvLSTM2D {
    return new ConvLSTM2D(config as unknown as ConvLSTMArgs);
  }
}
/** Input [batch, steps, depth, height, width, channels]. Source: keras.layers.ConvLSTM3D. */
export class ConvLSTM3D extends ConvLSTM {
  static override readonly className = 'ConvLSTM3D';
  constructor(args: ConvLSTMArgs) {
    super({ ...args, cell: new ConvLSTM3DCell(cellArgs(args)) });
  }
  static override fromConfig(config: Config): ConvLSTM3D {
    return new ConvLSTM3D(config as unknown as ConvLSTMArgs);
  }
}
