/** Vectors for the elements of a vocabulary. */
import { fail } from '../../base/errors.ts';
import { cast, gather, notEqual, type Tensor } from '../../tensor/index.ts';
import type { Constraint, ConstraintIdentifier } from '../constraints.ts';
import type { Initializer, InitializerIdentifier } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
import type { Regularizer, RegularizerIdentifier } from '../regularizers.ts';
import type { Mask } from './call_context.ts';
import { Layer, type LayerArgs } from './layer.ts';
import type { LayerVariable } from './layer_variable.ts';
import { checkPositiveInteger, type KerasShape, showKerasShape } from './shapes.ts';

export interface EmbeddingArgs extends LayerArgs {
  /** Size of the vocabulary: indices are in [0, inputDim). */
  inputDim: number;
  /** Length of a vector. */
  outputDim: number;
  /** Default 'randomUniform'. */
  embeddingsInitializer?: InitializerIdentifier | Initializer;
  embeddingsRegularizer?: RegularizerIdentifier | Regularizer;
  embeddingsConstraint?: ConstraintIdentifier | Constraint;
  /** Index 0 stands for "nothing": the output's mask is false there. Default false. */
  maskZero?: boolean;
  /** Length of the input, or of each of its axes, where it is fixed. */
  inputLength?: number | readonly number[];
}

/**
 * Row i of a table for each index i: input [batch, ...] of integers, output [batch, ..., outputDim]; embeddings
 * [inputDim, outputDim]. Source: tf.layers.embedding.
 */
export class Embedding extends Layer {
  static override readonly className: string = 'Embedding';
  // Category numbers have no place in a small dtype.
  protected override readonly computesWide = true;
  readonly inputDim: number;
  readonly outputDim: number;
  readonly embeddingsInitializer: Initializer;
  readonly embeddingsRegularizer: Regularizer | null;
  readonly embeddingsConstraint: Constraint | null;
  readonly maskZero: boolean;
  readonly inputLength: readonly number[] | null;
  embeddings: LayerVariable | null = null;

  constructor(args: EmbeddingArgs) {
    const { inputLength } = args;
    const length = inputLength === undefined || inputLength === null ? null : [inputLength].flat();
    const given = args.inputShape || args.batchInputShape;
    super(given ? args : { ...args, inputShape: length ?? [null] });
    this.inputDim = checkPositiveInteger(this.label, 'inputDim', args.inputDim);
    this.outputDim = checkPositiveInteger(this.label, 'outputDim', args.outputDim);
    this.embeddingsInitializer = this.initializer(args.embeddingsInitializer, 'randomUniform');
    this.embeddingsRegularizer = this.regularizer(args.embeddingsRegularizer);
    this.embeddingsConstraint = this.constraint(args.embeddingsConstraint);
    this.maskZero = args.maskZero ?? false;
    this.inputLength = length;
    this.supportsMasking = this.maskZero;
  }

  override build(): void {
    this.embeddings = this.addWeight('embeddings', [this.inputDim, this.outputDim], {
      initializer: this.embeddingsInitializer,
      regularizer: this.embeddingsRegularizer,
      constraint: this.embeddingsConstraint,
    });
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const { inputLength } = this;
    if (!inputLength) return [...inputShape, this.outputDim];
    const fits =
      inputLength.length === inputShape.length - 1 &&
      inputLength.every((n, i) => inputShape[i + 1] === null || n === inputShape[i + 1]);
    if (!fits) fail(this.label, `the input must have the length ${inputLength}`, `got ${showKerasShape(inputShape)}`);
    return [inputShape[0], ...inputLength, this.outputDim];
  }

  override call(inputs: Tensor): Tensor {
    return gather(
      this.embeddings!.read(),
      inputs.dtype === 'int32' || inputs.dtype === 'int64' ? inputs : cast(inputs, 'int32'),
    );
  }

  override computeMask(inputs: Tensor): Mask {
    return this.maskZero ? notEqual(inputs, 0) : null;
  }

  override getConfig(): Config {
    return {
      inputDim: this.inputDim,
      outputDim: this.outputDim,
      embeddingsInitializer: serialize(this.embeddingsInitializer),
      embeddingsRegularizer: serialize(this.embeddingsRegularizer),
      activityRegularizer: serialize(this.activityRegularizer),
      embeddingsConstraint: serialize(this.embeddingsConstraint),
      maskZero: this.maskZero,
      inputLength: this.inputLength && (this.inputLength.length === 1 ? this.inputLength[0] : this.inputLength),
      ...super.getConfig(),
    };
  }
}
