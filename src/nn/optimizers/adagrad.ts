/** Adagrad (Duchi et al. 2011) and Adadelta (Zeiler 2012). */
import { add, div, mul, sqrt, square, sub } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { type GradientPair, Optimizer, type OptimizerOptions } from './optimizer.ts';
import type { LearningRateSchedule } from './schedules.ts';

/** As in Keras's backend, for float32. */
const adagradEpsilon = 1e-7;

/** s <- s + g^2; w <- w - rate g / sqrt(s + epsilon). Source: tf.train.adagrad. */
export class AdagradOptimizer extends Optimizer {
  static override readonly className: string = 'Adagrad';
  protected override readonly slotNames: readonly string[] = ['accumulator'];
  readonly initialAccumulatorValue: number;

  constructor(
    learningRate: number | LearningRateSchedule,
    initialAccumulatorValue: number,
    options: OptimizerOptions = {},
  ) {
    super(learningRate, options);
    this.initialAccumulatorValue = initialAccumulatorValue;
  }
  protected override initialSlot(): number {
    return this.initialAccumulatorValue;
  }
  protected override update(pairs: readonly GradientPair[]): void {
    for (const { variable, gradient } of pairs) {
      const squares = this.slot('accumulator', variable);
      const next = add(squares, square(gradient));
      squares.assign(next);
      variable.assign(sub(variable, div(mul(gradient, this.rate), sqrt(add(next, adagradEpsilon)))));
    }
  }
  override getConfig(): Config {
    return { ...this.baseConfig(), initialAccumulatorValue: this.initialAccumulatorValue };
  }
}

/**
 * s <- rho s + (1 - rho) g^2; u = g sqrt(d + epsilon) / sqrt(s + epsilon); d <- rho d + (1 - rho) u^2; w <- w - rate u.
 * As in the paper and TensorFlow; TensorFlow.js divides by the s of the step before.
 */
export class AdadeltaOptimizer extends Optimizer {
  static override readonly className: string = 'Adadelta';
  protected override readonly slotNames: readonly string[] = ['accum_grad', 'accum_var'];
  readonly rho: number;
  readonly epsilon: number;

  constructor(
    learningRate: number | LearningRateSchedule,
    rho: number,
    epsilon: number,
    options: OptimizerOptions = {},
  ) {
    super(learningRate, options);
    this.rho = rho;
    this.epsilon = epsilon;
  }
  protected override update(pairs: readonly GradientPair[]): void {
    const { rho, epsilon } = this;
    for (const { variable, gradient } of pairs) {
      const squares = this.slot('accum_grad', variable);
      const changes = this.slot('accum_var', variable);
      const nextSquares = add(mul(squares, rho), mul(square(gradient), 1 - rho));
      const step = mul(gradient, div(sqrt(add(changes, epsilon)), sqrt(add(nextSquares, epsilon))));
      squares.assign(nextSquares);
      changes.assign(add(mul(changes, rho), mul(square(step), 1 - rho)));
      variable.assign(sub(variable, mul(step, this.rate)));
    }
  }
  override getConfig(): Config {
    return { ...this.baseConfig(), rho: this.rho, epsilon: this.epsilon };
  }
}
