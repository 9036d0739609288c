/** Adam (Kingma and Ba 2015), with AMSGrad (Reddi et al. 2018), and AdamW (Loshchilov and Hutter 2019). */
import { add, div, maximum, mul, scalar, sqrt, square, sub, tidy, type Variable } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { type GradientPair, Optimizer, type OptimizerOptions } from './optimizer.ts';
import { powerAfter } from './variables.ts';
import type { LearningRateSchedule } from './schedules.ts';

/**
 * m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; w <- w - rate m' / (sqrt(v') + epsilon), where m' = m / (1 - b1^t) and
 * v' = v / (1 - b2^t) take out the bias towards the zeros that m and v begin with. With amsgrad v' is the largest so far.
 * Source: tf.train.adam.
 */
export class AdamOptimizer extends Optimizer {
  static override readonly className: string = 'Adam';
  protected override readonly slotNames: readonly string[];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly amsgrad: boolean;
  /** b1^t and b2^t of the coming step. */
  readonly #power1: Variable;
  readonly #power2: Variable;

  constructor(
    learningRate: number | LearningRateSchedule,
    beta1: number,
    beta2: number,
    epsilon: number,
    options: OptimizerOptions & { amsgrad?: boolean } = {},
  ) {
    const { amsgrad = false, ...rest } = options;
    super(learningRate, rest);
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
    this.amsgrad = amsgrad;
    this.slotNames = amsgrad ? ['m', 'v', 'vhat'] : ['m', 'v'];
    this.#power1 = this.counter('beta1_power', beta1);
    this.#power2 = this.counter('beta2_power', beta2);
  }

  protected override update(pairs: readonly GradientPair[]): void {
    const { beta1, beta2, epsilon } = this;
    // The same quotient with the corrections moved into two scalars: (rate / c1) m / (sqrt(v / c2) + epsilon).
    const rate = div(this.rate, sub(1, this.#power1));
    const scale = div(1, sub(1, this.#power2));
    for (const { variable, gradient } of pairs) {
      const m = this.slot('m', variable);
      const v = this.slot('v', variable);
      const nextM = add(mul(m, beta1), mul(gradient, 1 - beta1));
      const nextV = add(mul(v, beta2), mul(square(gradient), 1 - beta2));
      let squares = mul(nextV, scale);
      if (this.amsgrad) {
        const largest = this.slot('vhat', variable);
        squares = maximum(largest, squares);
        largest.assign(squares);
      }
      const step = div(mul(nextM, rate), add(sqrt(squares), epsilon));
      m.assign(nextM);
      v.assign(nextV);
      variable.assign(sub(variable, step));
    }
    this.#power1.assign(mul(this.#power1, beta1));
    this.#power2.assign(mul(this.#power2, beta2));
  }

  protected override onRestore(iterations: number): void {
    tidy(() => {
      this.#power1.assign(scalar(powerAfter(this.beta1, iterations)));
      this.#power2.assign(scalar(powerAfter(this.beta2, iterations)));
    });
  }

  override getConfig(): Config {
    const { beta1, beta2, epsilon, amsgrad } = this;
    return { ...this.baseConfig(), beta1, beta2, epsilon, ...(amsgrad ? { amsgrad } : {}) };
  }
}

/** Adam with weight decay, by default 0.004. Source: keras.optimizers.AdamW. */
export class AdamWOptimizer extends AdamOptimizer {
  static override readonly className: string = 'AdamW';
}
