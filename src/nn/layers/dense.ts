/** A fully connected layer. */
import { fail } from '../../base/errors.ts';
import { add, matMul, reshape, type Tensor } from '../../tensor/index.ts';
import { type Activation, type ActivationIdentifier, getActivation } from '../activations.ts';
import type { Constraint, ConstraintIdentifier } from '../constraints.ts';
import type { Initializer, InitializerIdentifier } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
import type { Regularizer, RegularizerIdentifier } from '../regularizers.ts';
import { ActivatedLayer } from './activated.ts';
import type { LayerArgs } from './layer.ts';
import type { LayerVariable } from './layer_variable.ts';
import { checkPositiveInteger, type KerasShape, showKerasShape } from './shapes.ts';

export interface DenseArgs extends LayerArgs {
  /** Number of outputs. */
  units: number;
  /** Number of inputs: short for inputShape [inputDim]. */
  inputDim?: number;
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
 * activation(x kernel + bias)
 *
 * Input [batch, ..., n], output [batch, ..., units]; kernel [n, units]. Source: tf.layers.dense.
 */
export class Dense extends ActivatedLayer {
  static override readonly className: string = 'Dense';
  readonly units: number;
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

  constructor(args: DenseArgs) {
    const implied = args.inputDim !== undefined && !args.inputShape && !args.batchInputShape;
    super(implied ? { ...args, inputShape: [args.inputDim!] } : args);
    this.units = checkPositiveInteger(this.label, 'units', args.units);
    this.activation = getActivation(this.label, args.activation);
    this.useBias = args.useBias ?? true;
    this.kernelInitializer = this.initializer(args.kernelInitializer, 'glorotNormal');
    this.biasInitializer = this.initializer(args.biasInitializer, 'zeros');
    this.kernelRegularizer = this.regularizer(args.kernelRegularizer);
    this.biasRegularizer = this.regularizer(args.biasRegularizer);
    this.kernelConstraint = this.constraint(args.kernelConstraint);
    this.biasConstraint = this.constraint(args.biasConstraint);
    this.inputSpec = { minRank: 2 };
    this.supportsMasking = true;
  }

  override build(inputShape: KerasShape): void {
    const inputs = inputShape[inputShape.length - 1];
    if (inputs === null) {
      fail(this.label, 'the last extent of the input must be known', `got ${showKerasShape(inputShape)}`);
    }
    this.kernel = this.addWeight('kernel', [inputs, this.units], {
      initializer: this.kernelInitializer,
      regularizer: this.kernelRegularizer,
      constraint: this.kernelConstraint,
    });
    this.inputSpec = { minRank: 2, axes: { [-1]: inputs } };
    if (!this.useBias) return;
    this.bias = this.addWeight('bias', [this.units], {
      initializer: this.biasInitializer,
      regularizer: this.biasRegularizer,
      constraint: this.biasConstraint,
    });
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return [...inputShape.slice(0, -1), this.units];
  }

  override preActivation(inputs: Tensor): Tensor {
    const kernel = this.kernel!.read();
    const lead = inputs.shape.slice(0, -1);
    const rows = lead.reduce((a, b) => a * b, 1);
    const x = inputs.rank === 2 ? inputs : reshape(inputs, [rows, kernel.shape[0]]);
    const y = matMul(x, kernel);
    const biased = this.bias ? add(y, this.bias.read()) : y;
    return inputs.rank === 2 ? biased : reshape(biased, [...lead, this.units]);
  }

  override getConfig(): Config {
    return {
      units: this.units,
      activation: this.activation.name,
      useBias: this.useBias,
      kernelInitializer: serialize(this.kernelInitializer),
      biasInitializer: serialize(this.biasInitializer),
      kernelRegularizer: serialize(this.kernelRegularizer),
      biasRegularizer: serialize(this.biasRegularizer),
      activityRegularizer: serialize(this.activityRegularizer),
      kernelConstraint: serialize(this.kernelConstraint),
      biasConstraint: serialize(this.biasConstraint),
      ...super.getConfig(),
    };
  }
}
