/** Stochastic gradient descent, plain and with momentum. */
import { add, mul, sub } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { type GradientPair, Optimizer, type OptimizerOptions } from './optimizer.ts';
import type { LearningRateSchedule } from './schedules.ts';

/** w <- w - rate g. Source: tf.train.sgd. */
export class SGDOptimizer extends Optimizer {
  static override readonly className: string = 'SGD';
  protected override readonly slotNames: readonly string[] = [];

  protected override update(pairs: readonly GradientPair[]): void {
    for (const { variable, gradient } of pairs) {
      variable.assign(sub(variable, mul(gradient, this.rate)));
    }
  }
  override getConfig(): Config {
    return this.baseConfig();
  }
}

/**
 * a <- momentum a + g; w <- w - rate a, or with Nesterov w <- w - rate (g + momentum a). Source: tf.train.momentum.
 */
export class MomentumOptimizer extends SGDOptimizer {
  static override readonly className: string = 'Momentum';
  protected override readonly slotNames: readonly string[] = ['momentum'];
  readonly momentum: number;
  readonly useNesterov: boolean;

  constructor(
    learningRate: number | LearningRateSchedule,
    momentum: number,
    useNesterov = false,
    options: OptimizerOptions = {},
  ) {
    super(learningRate, options);
    this.momentum = momentum;
    this.useNesterov = useNesterov;
  }
  protected override update(pairs: readonly GradientPair[]): void {
    for (const { variable, gradient } of pairs) {
      const slot = this.slot('momentum', variable);
      const accumulated = add(mul(slot, this.momentum), gradient);
      const step = this.useNesterov ? add(gradient, mul(accumulated, this.momentum)) : accumulated;
      slot.assign(accumulated);
      variable.assign(sub(variable, mul(step, this.rate)));
    }
  }
  override getConfig(): Config {
    return { ...this.baseConfig(), momentum: this.momentum, useNesterov: this.useNesterov };
  }
}
