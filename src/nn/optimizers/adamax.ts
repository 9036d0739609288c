/** Adamax: Adam with the largest gradient in place of the mean square (Kingma and Ba 2015, section 7). */
import { abs as absolute, add, div, maximum, mul, scalar, sub, tidy, type Variable } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { type GradientPair, Optimizer, type OptimizerOptions } from './optimizer.ts';
import { powerAfter } from './variables.ts';
import type { LearningRateSchedule } from './schedules.ts';

/**
 * m <- b1 m + (1 - b1) g; v <- max(b2 v, |g|); w <- w - (rate / (1 + decay t)) / (1 - b1^t) m / (v + epsilon).
 * Source: tf.train.adamax.
 */
export class AdamaxOptimizer extends Optimizer {
  static override readonly className: string = 'Adamax';
  protected override readonly slotNames: readonly string[] = ['m', 'v'];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly decay: number;
  /** b1^t of the coming step, and the steps before it. */
  readonly #power1: Variable;
  readonly #steps: Variable;

  constructor(
    learningRate: number | LearningRateSchedule,
    beta1: number,
    beta2: number,
    epsilon: number,
    decay: number,
    options: OptimizerOptions = {},
  ) {
    super(learningRate, options);
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
    this.decay = decay;
    this.#power1 = this.counter('beta1_power', beta1);
    this.#steps = this.counter('steps', 0);
  }

  protected override update(pairs: readonly GradientPair[]): void {
    const { beta1, beta2, epsilon, decay } = this;
    const rate = div(div(this.rate, add(mul(this.#steps, decay), 1)), sub(1, this.#power1));
    for (const { variable, gradient } of pairs) {
      const m = this.slot('m', variable);
      const v = this.slot('v', variable);
      const nextM = add(mul(m, beta1), mul(gradient, 1 - beta1));
      const nextV = maximum(mul(v, beta2), absolute(gradient));
      m.assign(nextM);
      v.assign(nextV);
      variable.assign(sub(variable, div(mul(nextM, rate), add(nextV, epsilon))));
    }
    this.#power1.assign(mul(this.#power1, beta1));
    this.#steps.assign(add(this.#steps, 1));
  }

  protected override onRestore(iterations: number): void {
    tidy(() => {
      this.#power1.assign(scalar(powerAfter(this.beta1, iterations)));
      this.#steps.assign(scalar(iterations));
    });
  }

  override getConfig(): Config {
    const { beta1, beta2, epsilon, decay } = this;
    return { ...this.baseConfig(), beta1, beta2, epsilon, decay };
  }
}
