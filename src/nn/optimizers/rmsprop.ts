/** RMSProp (Hinton, Coursera lecture 6e). */
import { add, div, mul, sqrt, square, sub } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { type GradientPair, Optimizer, type OptimizerOptions } from './optimizer.ts';
import type { LearningRateSchedule } from './schedules.ts';

/**
 * s <- decay s + (1 - decay) g^2; a <- momentum a + rate g / sqrt(s + epsilon); w <- w - a. Centered: s - mean(g)^2 in
 * place of s. Source: tf.train.rmsprop.
 */
export class RMSPropOptimizer extends Optimizer {
  static override readonly className: string = 'RMSProp';
  protected override readonly slotNames: readonly string[];
  readonly decay: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly centered: boolean;

  constructor(
    learningRate: number | LearningRateSchedule,
    decay: number,
    momentum: number,
    epsilon: number,
    centered: boolean,
    options: OptimizerOptions = {},
  ) {
    super(learningRate, options);
    this.decay = decay;
    this.momentum = momentum;
    this.epsilon = epsilon;
    this.centered = centered;
    this.slotNames = centered ? ['rms', 'momentum', 'mg'] : ['rms', 'momentum'];
  }

  protected override update(pairs: readonly GradientPair[]): void {
    const { decay, momentum, epsilon } = this;
    for (const { variable, gradient } of pairs) {
      const squares = this.slot('rms', variable);
      const moments = this.slot('momentum', variable);
      const nextSquares = add(mul(squares, decay), mul(square(gradient), 1 - decay));
      let variance = add(nextSquares, epsilon);
      if (this.centered) {
        const means = this.slot('mg', variable);
        const nextMeans = add(mul(means, decay), mul(gradient, 1 - decay));
        variance = sub(nextSquares, add(square(nextMeans), epsilon));
        means.assign(nextMeans);
      }
      const nextMoments = add(mul(moments, momentum), div(mul(gradient, this.rate), sqrt(variance)));
      squares.assign(nextSquares);
      moments.assign(nextMoments);
      variable.assign(sub(variable, nextMoments));
    }
  }

  override getConfig(): Config {
    const { decay, momentum, epsilon, centered } = this;
    return { ...this.baseConfig(), decay, momentum, epsilon, centered };
  }
}
