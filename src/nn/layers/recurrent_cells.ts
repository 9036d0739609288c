/** The cells: simple, LSTM (Hochreiter and Schmidhuber 1997, with forget gate) and GRU (Cho et al. 2014). */
import type { DType } from '../../types/dtype.ts';
import { fail } from '../../base/errors.ts';
import { add, concat, matMul, mul, ones, reshape, slice, split, sub, type Tensor } from '../../tensor/index.ts';
import { type Activation, type ActivationIdentifier, getActivation } from '../activations.ts';
import type { Constraint, ConstraintIdentifier } from '../constraints.ts';
import { Initializer, type InitializerIdentifier } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
import type { Regularizer, RegularizerIdentifier } from '../regularizers.ts';
import type { LayerArgs } from './layer.ts';
import type { LayerVariable } from './layer_variable.ts';
import { dropMask, RNNCell, type StepContext } from './rnn_cell.ts';
import { checkPositiveInteger, type KerasShape, type ShapeOrShapes, showKerasShape } from './shapes.ts';

export interface SimpleRNNCellArgs extends LayerArgs {
  /** Length of the state and of the output. */
  units: number;
  /** Default 'tanh'. */
  activation?: ActivationIdentifier | Activation;
  /** Default true. */
  useBias?: boolean;
  /** Default 'glorotNormal'. */
  kernelInitializer?: InitializerIdentifier | Initializer;
  /** Default 'orthogonal'. */
  recurrentInitializer?: InitializerIdentifier | Initializer;
  /** Default 'zeros'. */
  biasInitializer?: InitializerIdentifier | Initializer;
  kernelRegularizer?: RegularizerIdentifier | Regularizer;
  recurrentRegularizer?: RegularizerIdentifier | Regularizer;
  biasRegularizer?: RegularizerIdentifier | Regularizer;
  kernelConstraint?: ConstraintIdentifier | Constraint;
  recurrentConstraint?: ConstraintIdentifier | Constraint;
  biasConstraint?: ConstraintIdentifier | Constraint;
  /** Share of input features dropped in training, the same in each step; default 0. */
  dropout?: number;
  /** Share of the state dropped in training, the same in each step; default 0. */
  recurrentDropout?: number;
}

/** A cell with kernels for input and state, of `gates` parts each. */
export abstract class KernelCell extends RNNCell {
  readonly units: number;
  readonly activation: Activation;
  readonly useBias: boolean;
  readonly kernelInitializer: Initializer;
  readonly recurrentInitializer: Initializer;
  readonly biasInitializer: Initializer;
  readonly kernelRegularizer: Regularizer | null;
  readonly recurrentRegularizer: Regularizer | null;
  readonly biasRegularizer: Regularizer | null;
  readonly kernelConstraint: Constraint | null;
  readonly recurrentConstraint: Constraint | null;
  readonly biasConstraint: Constraint | null;
  readonly dropout: number;
  readonly recurrentDropout: number;
  protected abstract readonly gates: number;
  kernel: LayerVariable | null = null;
  recurrentKernel: LayerVariable | null = null;
  bias: LayerVariable | null = null;

  constructor(args: SimpleRNNCellArgs) {
    super(args);
    this.inputSpec = { rank: 2, hint: 'a cell takes one step, [batch, features]' };
    this.units = checkPositiveInteger(this.label, 'units', args.units);
    this.activation = getActivation(this.label, args.activation ?? 'tanh');
    this.useBias = args.useBias ?? true;
    this.kernelInitializer = this.initializer(args.kernelInitializer, 'glorotNormal');
    this.recurrentInitializer = this.initializer(args.recurrentInitializer, 'orthogonal');
    this.biasInitializer = this.initializer(args.biasInitializer, 'zeros');
    this.kernelRegularizer = this.regularizer(args.kernelRegularizer);
    this.recurrentRegularizer = this.regularizer(args.recurrentRegularizer);
    this.biasRegularizer = this.regularizer(args.biasRegularizer);
    this.kernelConstraint = this.constraint(args.kernelConstraint);
    this.recurrentConstraint = this.constraint(args.recurrentConstraint);
    this.biasConstraint = this.constraint(args.biasConstraint);
    this.dropout = this.#rate('dropout', args.dropout);
    this.recurrentDropout = this.#rate('recurrentDropout', args.recurrentDropout);
  }

  #rate(name: string, value: number | undefined): number {
    const rate = value ?? 0;
    if (!(rate >= 0 && rate < 1)) fail(this.label, `${name} must be in [0, 1)`, `got ${value}`);
    return rate;
  }

  get stateSize(): number | readonly number[] {
    return this.units;
  }
  override get outputIsState(): boolean {
    return true;
  }

  protected biasShape(): number[] {
    return [this.units * this.gates];
  }
  protected startOfBias(): Initializer {
    return this.biasInitializer;
  }

  override build(inputShape: ShapeOrShapes): void {
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as KerasShape;
    const inputs = shape[shape.length - 1];
    if (inputs === null) fail(this.label, 'the number of features must be known', `got ${showKerasShape(shape)}`);
    const width = this.units * this.gates;
    this.kernel = this.addWeight('kernel', [inputs, width], {
      initializer: this.kernelInitializer,
      regularizer: this.kernelRegularizer,
      constraint: this.kernelConstraint,
    });
    this.recurrentKernel = this.addWeight('recurrent_kernel', [this.units, width], {
      initializer: this.recurrentInitializer,
      regularizer: this.recurrentRegularizer,
      constraint: this.recurrentConstraint,
    });
    if (!this.useBias) return;
    this.bias = this.addWeight('bias', this.biasShape(), {
      initializer: this.startOfBias(),
      regularizer: this.biasRegularizer,
      constraint: this.biasConstraint,
    });
  }

  /** What is added to the products with the inputs. */
  protected inputBias(): Tensor | null {
    return this.bias?.read() ?? null;
  }

  /** x kernel + bias for all steps, in one product. */
  override prepare(inputs: Tensor, training: boolean): Tensor {
    const [steps, batch, features] = inputs.shape as readonly number[];
    const mask = dropMask(slice(inputs, [0, 0, 0], [1, batch, features]), this.dropout, training);
    const rows = reshape(mask ? mul(inputs, mask) : inputs, [steps * batch, features]);
    const product = matMul(rows, this.kernel!.read());
    const bias = this.inputBias();
    return reshape(bias ? add(product, bias) : product, [steps, batch, this.units * this.gates]);
  }

  override begin(states: readonly Tensor[], training: boolean): StepContext {
    return { training, recurrentMask: dropMask(states[0], this.recurrentDropout, training) };
  }

  protected static masked(state: Tensor, { recurrentMask }: StepContext): Tensor {
    return recurrentMask ? mul(state, recurrentMask) : state;
  }

  override getConfig(): Config {
    return {
      units: this.units,
      activation: this.activation.name,
      useBias: this.useBias,
      kernelInitializer: serialize(this.kernelInitializer),
      recurrentInitializer: serialize(this.recurrentInitializer),
      biasInitializer: serialize(this.biasInitializer),
      kernelRegularizer: serialize(this.kernelRegularizer),
      recurrentRegularizer: serialize(this.recurrentRegularizer),
      biasRegularizer: serialize(this.biasRegularizer),
      activityRegularizer: serialize(this.activityRegularizer),
      kernelConstraint: serialize(this.kernelConstraint),
      recurrentConstraint: serialize(this.recurrentConstraint),
      biasConstraint: serialize(this.biasConstraint),
      dropout: this.dropout,
      recurrentDropout: this.recurrentDropout,
      ...super.getConfig(),
    };
  }
}

/** h <- activation(x kernel + h recurrentKernel + bias). Source: tf.layers.simpleRNNCell. */
export class SimpleRNNCell extends KernelCell {
  static override readonly className = 'SimpleRNNCell';
  protected override readonly gates = 1;

  override step(input: Tensor, [h]: readonly Tensor[], context: StepContext): Tensor[] {
    const product = matMul(KernelCell.masked(h, context), this.recurrentKernel!.read());
    const next = this.activation.apply(add(input, product));
    return [next, next];
  }
}

export interface LSTMCellArgs extends SimpleRNNCellArgs {
  /** Of the gates; default 'hardSigmoid', as in TensorFlow.js (Keras: 'sigmoid'). */
  recurrentActivation?: ActivationIdentifier | Activation;
  /** Starts the bias of the forget gate with ones; default true. */
  unitForgetBias?: boolean;
  /** Not used: there is one implementation. */
  implementation?: number;
}

/** The values of one initializer, with ones in the second of the parts. */
class WithOnes extends Initializer {
  readonly #inner: Initializer;
  readonly #units: number;
  constructor(inner: Initializer, units: number) {
    super();
    this.#inner = inner;
    this.#units = units;
  }
  override getClassName(): string {
    return this.#inner.getClassName();
  }
  override apply(shape: readonly number[], dtype?: DType): Tensor {
    const units = this.#units;
    const first = this.#inner.apply([units], dtype);
    const rest = this.#inner.apply([shape[0] - 2 * units], dtype);
    return concat([first, ones([units]), rest]);
  }
}

/** The bias of a cell whose second gate forgets. */
export function forgettingBias(inner: Initializer, units: number): Initializer {
  return new WithOnes(inner, units);
}

/**
 * [i, f, g, o] = x kernel + h recurrentKernel + bias; c <- gate(f) c + gate(i) act(g); h <- gate(o) act(c), where gate is the
 * recurrent activation. Source: tf.layers.lstmCell.
 */
export class LSTMCell extends KernelCell {
  static override readonly className = 'LSTMCell';
  protected override readonly gates = 4;
  readonly recurrentActivation: Activation;
  readonly unitForgetBias: boolean;

  constructor(args: LSTMCellArgs) {
    super(args);
    this.recurrentActivation = getActivation(this.label, args.recurrentActivation ?? 'hardSigmoid');
    this.unitForgetBias = args.unitForgetBias ?? true;
  }
  override get stateSize(): readonly number[] {
    return [this.units, this.units];
  }
  protected override startOfBias(): Initializer {
    return this.unitForgetBias ? forgettingBias(this.biasInitializer, this.units) : this.biasInitializer;
  }
  override step(input: Tensor, [h, c]: readonly Tensor[], context: StepContext): Tensor[] {
    const z = add(input, matMul(KernelCell.masked(h, context), this.recurrentKernel!.read()));
    const gate = (x: Tensor) => this.recurrentActivation.apply(x);
    const [i, f, g, o] = split(z, 4, -1);
    const nextC = add(mul(gate(f), c), mul(gate(i), this.activation.apply(g)));
    const nextH = mul(gate(o), this.activation.apply(nextC));
    return [nextH, nextH, nextC];
  }
  override getConfig(): Config {
    return {
      ...super.getConfig(),
      recurrentActivation: this.recurrentActivation.name,
      unitForgetBias: this.unitForgetBias,
      implementation: 1,
    };
  }
}

export interface GRUCellArgs extends SimpleRNNCellArgs {
  /** Of the gates; default 'hardSigmoid', as in TensorFlow.js (Keras: 'sigmoid'). */
  recurrentActivation?: ActivationIdentifier | Activation;
  /** Applies the reset gate after the product with the state, as cuDNN does; default false, as in TensorFlow.js. */
  resetAfter?: boolean;
  /** Not used: there is one implementation. */
  implementation?: number;
}

/**
 * z, r = gate of (x kernel + h recurrentKernel + bias); n = act(x kernel + (r h) recurrentKernel + bias), or with resetAfter
 * act(x kernel + bias + r (h recurrentKernel + bias')); h <- z h + (1 - z) n. Source: tf.layers.gruCell.
 */
export class GRUCell extends KernelCell {
  static override readonly className = 'GRUCell';
  protected override readonly gates = 3;
  readonly recurrentActivation: Activation;
  readonly resetAfter: boolean;

  constructor(args: GRUCellArgs) {
    super(args);
    this.recurrentActivation = getActivation(this.label, args.recurrentActivation ?? 'hardSigmoid');
    this.resetAfter = args.resetAfter ?? false;
  }
  protected override biasShape(): number[] {
    return this.resetAfter ? [2, 3 * this.units] : [3 * this.units];
  }
  #bias(row: number): Tensor {
    return reshape(slice(this.bias!.read(), [row, 0], [1, 3 * this.units]), [3 * this.units]);
  }
  protected override inputBias(): Tensor | null {
    return this.bias && this.resetAfter ? this.#bias(0) : super.inputBias();
  }
  override step(input: Tensor, [state]: readonly Tensor[], context: StepContext): Tensor[] {
    const { units } = this;
    const h = KernelCell.masked(state, context);
    const gate = (x: Tensor) => this.recurrentActivation.apply(x);
    const kernel = this.recurrentKernel!.read();
    const [xz, xr, xn] = split(input, 3, -1);
    let n: Tensor;
    let z: Tensor;
    if (this.resetAfter) {
      const product = matMul(h, kernel);
      const [hz, hr, hn] = split(this.bias ? add(product, this.#bias(1)) : product, 3, -1);
      z = gate(add(xz, hz));
      n = this.activation.apply(add(xn, mul(gate(add(xr, hr)), hn)));
    } else {
      const [hz, hr] = split(matMul(h, slice(kernel, [0, 0], [units, 2 * units])), 2, -1);
      z = gate(add(xz, hz));
      const reset = mul(gate(add(xr, hr)), h);
      n = this.activation.apply(add(xn, matMul(reset, slice(kernel, [0, 2 * units], [units, units]))));
    }
    const next = add(mul(z, h), mul(sub(1, z), n));
    return [next, next];
  }
  override getConfig(): Config {
    return {
      ...super.getConfig(),
      recurrentActivation: this.recurrentActivation.name,
      implementation: 1,
      resetAfter: this.resetAfter,
    };
  }
}
