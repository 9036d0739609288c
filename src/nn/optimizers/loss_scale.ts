/** Any optimizer for gradients in float16: the loss is scaled up, so that small gradients do not vanish. Knows no layer. */
import { fail } from '../../base/errors.ts';
import {
  add,
  all,
  cast,
  clone,
  div,
  eagerly,
  isFinite as isFiniteEach,
  logicalAnd,
  logicalNot,
  mul,
  type Scalar,
  scalar,
  type Tensor,
  tidy,
  untracked,
  type Variable,
  variable,
  variableGrads,
  where,
} from '../../tensor/index.ts';
import { type Config, serialize } from '../keras_config.ts';
import { uniqueVariableName } from '../naming.ts';
import { type GradientPair, type NamedTensor, Optimizer } from './optimizer.ts';

export interface LossScaleArgs {
  /** Default 2^15. */
  initialScale?: number;
  /** The scale doubles after so many steps in a row whose gradients were finite; default 2000. */
  dynamicGrowthSteps?: number;
}

/**
 * Gradients are of the loss times a scale, and divided by it again. Where one is not finite the step is left out and the scale halved;
 * after dynamicGrowthSteps good steps it doubles. All of it is part of the compiled step. compile wraps the optimizer of a
 * 'mixed_float16' model in one by itself. Source: keras.optimizers.LossScaleOptimizer.
 */
export class LossScaleOptimizer extends Optimizer {
  static override readonly className = 'LossScaleOptimizer';
  readonly innerOptimizer: Optimizer;
  readonly initialScale: number;
  readonly dynamicGrowthSteps: number;
  protected override readonly slotNames = [];
  readonly #scale: Variable;
  readonly #goodSteps: Variable;
  readonly #ownsInner: boolean;

  /** @param ownsInner whether dispose frees the inner optimizer too */
  constructor(innerOptimizer: Optimizer, args: LossScaleArgs = {}, ownsInner = false) {
    if (!(innerOptimizer instanceof Optimizer) || innerOptimizer instanceof LossScaleOptimizer) {
      fail('LossScaleOptimizer', 'it needs a plain optimizer', `got ${typeof innerOptimizer}`, 'as tf.train.adam()');
    }
    super(innerOptimizer.learningRateSchedule ?? innerOptimizer.learningRate);
    const { initialScale = 2 ** 15, dynamicGrowthSteps = 2000 } = args;
    if (!(initialScale > 0 && Number.isFinite(initialScale))) {
      fail('LossScaleOptimizer', 'initialScale must be positive', `got ${initialScale}`);
    }
    if (!Number.isSafeInteger(dynamicGrowthSteps) || dynamicGrowthSteps < 1) {
      fail('LossScaleOptimizer', 'dynamicGrowthSteps must be a positive integer', `got ${dynamicGrowthSteps}`);
    }
    this.innerOptimizer = innerOptimizer;
    this.initialScale = initialScale;
    this.dynamicGrowthSteps = dynamicGrowthSteps;
    this.#ownsInner = ownsInner;
    const state = (name: string, value: Tensor) =>
      untracked(() => eagerly(() => variable(value, false, uniqueVariableName(`LossScaleOptimizer/${name}`))));
    this.#scale = state('scale', scalar(initialScale));
    this.#goodSteps = state('good_steps', scalar(0, 'int32'));
  }

  override get lossScale(): Tensor {
    return this.#scale;
  }
  /** The scale as a number. */
  get scale(): number {
    return this.#scale.dataSync()[0];
  }

  override get learningRate(): number {
    return this.innerOptimizer.learningRate;
  }
  override set learningRate(value: number) {
    this.innerOptimizer.learningRate = value;
  }
  override get iterations(): number {
    return this.innerOptimizer.iterations;
  }
  override build(variables: readonly Variable[]): void {
    this.innerOptimizer.build(variables);
  }
  override get usesEma(): boolean {
    return this.innerOptimizer.usesEma;
  }
  override swapEma(variables: readonly Variable[]): void {
    this.innerOptimizer.swapEma(variables);
  }
  override stateOf(variables: readonly Variable[]): Variable[] {
    return [this.#scale, this.#goodSteps, ...this.innerOptimizer.stateOf(variables)];
  }

  /** The loss, and the gradients of the scaled loss, as applyGradients takes them. */
  override computeGradients(
    f: () => Scalar,
    varList?: Variable[],
  ): { value: Scalar; grads: { [name: string]: Tensor } } {
    const { value, grads } = variableGrads(() => mul(f(), this.#scale) as Scalar, varList);
    return { value: div(value, this.#scale), grads };
  }

  /** Takes one step with gradients of the scaled loss, or none where one is not finite. */
  override applyPairs(pairs: readonly GradientPair[]): void {
    if (pairs.length === 0) return;
    const variables = pairs.map((pair) => pair.variable);
    const touched = [...variables, ...this.innerOptimizer.stateOf(variables)];
    tidy(() => {
      const unscaled = pairs.map((pair) => ({
        variable: pair.variable,
        gradient: div(cast(pair.gradient, 'float32'), this.#scale),
      }));
      const finite = unscaled.map(({ gradient }) => all(isFiniteEach(gradient))).reduce((a, b) => logicalAnd(a, b));
      const before = touched.map((variable) => clone(variable));
      this.innerOptimizer.applyPairs(unscaled);
      touched.forEach((variable, i) => {
        variable.assign(where(finite, variable, before[i]));
      });
      const good = add(this.#goodSteps, scalar(1, 'int32'));
      const grows = logicalAnd(finite, good.greaterEqual(scalar(this.dynamicGrowthSteps, 'int32')));
      const steady = where(grows, mul(this.#scale, 2), this.#scale);
      this.#scale.assign(where(finite, steady, mul(this.#scale, 0.5)));
      this.#goodSteps.assign(where(logicalAnd(finite, logicalNot(grows)), good, scalar(0, 'int32')));
    });
  }
  protected override update(pairs: readonly GradientPair[]): void {
    this.applyPairs(pairs);
  }

  /** Those of the inner optimizer: a loaded one begins with its first scale again. */
  override async getWeights(): Promise<NamedTensor[]> {
    return this.innerOptimizer.getWeights();
  }
  override async setWeights(weights: readonly NamedTensor[], owners?: readonly Variable[]): Promise<void> {
    return this.innerOptimizer.setWeights(weights, owners);
  }
  override getConfig(): Config {
    const { initialScale, dynamicGrowthSteps } = this;
    return { innerOptimizer: serialize(this.innerOptimizer), initialScale, dynamicGrowthSteps };
  }
  override dispose(): void {
    super.dispose();
    this.#scale.dispose();
    this.#goodSteps.dispose();
    if (this.#ownsInner) this.innerOptimizer.dispose();
  }
}
