/** Adam (Kingma and Ba 2015). */
import { add, div, mul, scalar, sqrt, square, sub, tidy, type Variable } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { type GradientPair, Optimizer } from './optimizer.ts';

/**
 * m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; w <- w - rate m' / (sqrt(v') + epsilon), where m' = m / (1 - b1^t) and
 * v' = v / (1 - b2^t) take out the bias towards the zeros that m and v begin with. Source: tf.train.adam.
 */
export class AdamOptimizer extends Optimizer {
  static override readonly className: string = 'Adam';
  protected override readonly slotNames: readonly string[] = ['m', 'v'];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** b1^t and b2^t of the coming step. */
  readonly #power1: Variable;
  readonly #power2: Variable;

  constructor(learningRate: number, beta1: number, beta2: number, epsilon: number) {
    super(learningRate);
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
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
      const step = div(mul(nextM, rate), add(sqrt(mul(nextV, scale)), epsilon));
      m.assign(nextM);
      v.assign(nextV);
      variable.assign(sub(variable, step));
    }
    this.#power1.assign(mul(this.#power1, beta1));
    this.#power2.assign(mul(this.#power2, beta2));
  }

  protected override onRestore(iterations: number): void {
    tidy(() => {
      this.#power1.assign(scalar(this.beta1 ** (iterations + 1)));
      this.#power2.assign(scalar(this.beta2 ** (iterations + 1)));
    });
  }

  override getConfig(): Config {
    return { learningRate: this.learningRate, beta1: this.beta1, beta2: this.beta2, epsilon: this.epsilon };
  }

  override dispose(): void {
    super.dispose();
    this.#power1.dispose();
    this.#power2.dispose();
  }
}
