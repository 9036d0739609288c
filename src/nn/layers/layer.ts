/**
 * What every layer is: a name, weights made by build(shape), and call(inputs). Knows nothing of models and of training.
 *
 * A subclass gives `static className`, computeOutputShape, call and getConfig, and build where it has weights. Arguments are
 * checked once in the constructor, shapes once in build; call trusts both.
 */
import { fail, UserError } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { DType } from '../../types/dtype.ts';
import { checkDType } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import { type Constraint, getConstraint } from '../constraints.ts';
import { getInitializer, type Initializer } from '../initializers.ts';
import type { Config } from '../keras_config.ts';
import { defaultLayerName } from '../naming.ts';
import { getRegularizer, type Regularizer } from '../regularizers.ts';
import { givenWeight, LayerVariable } from './layer_variable.ts';
import { describeArgs, type KerasShape, showKerasShape } from './shapes.ts';

export interface LayerArgs {
  /** Default: the class's name and a number, `dense_Dense1`. */
  name?: string;
  /** Shape of one sample, without the batch; the first layer of a model needs this or batchInputShape. */
  inputShape?: KerasShape;
  /** Shape with the batch, which null leaves open. */
  batchInputShape?: KerasShape;
  /** Fixes the batch size together with inputShape. */
  batchSize?: number;
  dtype?: DType;
  inputDType?: DType;
  /** Whether fit changes the weights; default true. */
  trainable?: boolean;
  /** Initial values, in the order of layer.weights. */
  weights?: Tensor[];
}

export interface CallOptions {
  /** True during fit: dropout drops. */
  training?: boolean;
}

/** What an input must be. */
export interface InputSpec {
  rank?: number;
  minRank?: number;
  /** Says what to try when the rank is wrong. */
  hint?: string;
}

export interface WeightArgs {
  initializer: Initializer;
  regularizer?: Regularizer | null;
  constraint?: Constraint | null;
  trainable?: boolean;
  dtype?: DType;
}

export abstract class Layer {
  /** The name in Keras's JSON. */
  static readonly className: string = 'Layer';

  readonly name: string;
  readonly batchInputShape?: KerasShape;
  readonly dtype: DType;
  trainable: boolean;
  readonly weights: LayerVariable[] = [];
  /** Shapes of the last build; null before it. */
  inputShape: KerasShape | null = null;
  outputShape: KerasShape | null = null;
  protected inputSpec: InputSpec = {};
  #initialWeights: Tensor[] | undefined;
  readonly #argsText: string;

  constructor(args: LayerArgs = {}) {
    const className = this.getClassName();
    this.name = args.name ?? defaultLayerName(className);
    this.#argsText = describeArgs(args);
    this.trainable = args.trainable ?? true;
    this.dtype = checkDType(this.label, args.dtype ?? args.inputDType ?? 'float32');
    this.#initialWeights = args.weights;
    if (args.batchInputShape) this.batchInputShape = [...args.batchInputShape];
    else if (args.inputShape) this.batchInputShape = [args.batchSize ?? null, ...args.inputShape];
    for (const extent of this.batchInputShape ?? []) {
      if (extent !== null && (!Number.isSafeInteger(extent) || extent < 0)) {
        fail(
          this.label,
          'inputShape must hold positive integers or null',
          `got ${showKerasShape(this.batchInputShape!)}`,
        );
      }
    }
  }

  getClassName(): string {
    return (this.constructor as typeof Layer).className;
  }

  /** `dense_Dense1: Dense {"units":10}`: how errors name this layer. */
  get label(): string {
    return `${this.name}: ${this.getClassName()}${this.#argsText}`;
  }

  get built(): boolean {
    return this.inputShape !== null;
  }

  get trainableWeights(): LayerVariable[] {
    return this.trainable ? this.weights.filter((weight) => weight.trainable) : [];
  }

  get nonTrainableWeights(): LayerVariable[] {
    return this.trainable ? this.weights.filter((weight) => !weight.trainable) : [...this.weights];
  }

  /** The shape of the output for an input of that shape; null stands for an extent that is not known yet. */
  abstract computeOutputShape(inputShape: KerasShape): KerasShape;

  /** The layer's function. Called once for each traced program, with build done. */
  abstract call(inputs: Tensor, options: CallOptions): Tensor;

  /** Makes the weights. */
  build(_inputShape: KerasShape): void {}

  /** Checks the shape, builds once, and remembers the shapes. Returns the output's shape. */
  ensureBuilt(inputShape: KerasShape): KerasShape {
    this.#checkShape(inputShape);
    if (!this.built) {
      const output = this.computeOutputShape(inputShape);
      this.build(inputShape);
      this.inputShape = inputShape;
      this.outputShape = output;
      if (this.#initialWeights) this.setWeights(this.#initialWeights);
      this.#initialWeights = undefined;
    }
    return this.computeOutputShape(inputShape);
  }

  /** call, with the checks in front and the layer's name on every error. */
  apply(inputs: Tensor, options: CallOptions = {}): Tensor {
    this.ensureBuilt([null, ...inputs.shape.slice(1)]);
    return this.named(() => this.call(inputs, options));
  }

  /** Runs `body`; a user's mistake in it is reported with this layer's name and arguments. */
  protected named<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (error instanceof UserError && !error.message.startsWith(`[${this.label}]`)) {
        throw new UserError(`[${this.label}] ${error.message}`, { cause: error });
      }
      throw error;
    }
  }

  protected addWeight(name: string, shape: readonly number[], args: WeightArgs): LayerVariable {
    const fileName = `${this.name}/${name}`;
    const initial = givenWeight(fileName, shape) ?? args.initializer.apply(shape, args.dtype ?? 'float32');
    const weight = new LayerVariable(fileName, initial, {
      regularizer: args.regularizer ?? null,
      constraint: args.constraint ?? null,
      trainable: args.trainable ?? true,
    });
    this.weights.push(weight);
    return weight;
  }

  getWeights(): Tensor[] {
    return this.weights.map((weight) => weight.read());
  }

  setWeights(values: readonly Tensor[]): void {
    if (values.length !== this.weights.length) {
      const came = `got ${values.length} for ${this.weights.length} weights`;
      fail(this.label, 'setWeights needs one tensor for each weight', came, this.built ? undefined : 'build it first');
    }
    values.forEach((value, i) => {
      this.weights[i].write(value);
    });
  }

  countParams(): number {
    if (!this.built) fail(this.label, 'a layer must be built before its parameters are counted');
    return this.weights.reduce((total, weight) => total + sizeOf(weight.shape), 0);
  }

  /** Plain data from which the class's constructor makes this layer again. */
  getConfig(): Config {
    const config: Config = { name: this.name, trainable: this.trainable };
    if (this.batchInputShape) {
      config['batchInputShape'] = this.batchInputShape;
      config['dtype'] = this.dtype;
    }
    return config;
  }

  /** Frees the weights. */
  dispose(): void {
    for (const weight of this.weights) weight.dispose();
    this.weights.length = 0;
  }

  #checkShape(shape: KerasShape): void {
    const { rank, minRank, hint } = this.inputSpec;
    const wrong = rank !== undefined ? shape.length !== rank : minRank !== undefined && shape.length < minRank;
    if (wrong) {
      const must = rank !== undefined ? `of rank ${rank}` : `of rank ${minRank} or more`;
      fail(this.label, `the input must be ${must}, the batch included`, `got ${showKerasShape(shape)}`, hint);
    }
    const built = this.inputShape;
    if (
      built &&
      (shape.length !== built.length || shape.some((n, i) => i > 0 && built[i] !== null && n !== built[i]))
    ) {
      fail(
        this.label,
        `the input must be ${showKerasShape(built)}, as the layer was built`,
        `got ${showKerasShape(shape)}`,
      );
    }
  }

  protected initializer(identifier: unknown, fallback: string): Initializer {
    return getInitializer(this.label, identifier ?? fallback);
  }
  protected regularizer(identifier: unknown): Regularizer | null {
    return getRegularizer(this.label, identifier);
  }
  protected constraint(identifier: unknown): Constraint | null {
    return getConstraint(this.label, identifier);
  }
}
