/** What makes an autoencoder variational: a sample of a Gaussian whose parameters get gradients, and the price of knowing it. */
import { fail } from '../../base/errors.ts';
import {
  type CallOptions,
  type KerasShape,
  Layer,
  type LayerArgs,
  serialization,
  type ShapeOrShapes,
} from '../../nn/index.ts';
import { add, exp, mean, mul, randomNormal, square, sub, sum, type Tensor } from '../../tensor/index.ts';

export interface GaussianSampleArgs extends LayerArgs {
  /** Factor on the divergence that is added to the training loss; default 1. */
  beta?: number;
}

/**
 * mean + exp(logVariance / 2) e, e ~ N(0, 1), of two inputs [batch, n] (Kingma and Welling 2013, 2.4); where it does not train, the
 * mean. Adds beta times the divergence from N(0, 1) to the loss: the batch's mean of
 * sum (mean^2 + exp(logVariance) - logVariance - 1) / 2, in nats.
 */
export class GaussianSample extends Layer {
  static override readonly className = 'GaussianSample';
  readonly beta: number;

  constructor(args: GaussianSampleArgs = {}) {
    super(args);
    this.beta = args.beta ?? 1;
    if (!(this.beta >= 0)) fail(this.label, 'beta must be a number of at least 0', `got ${args.beta}`);
    this.inputSpec = [{ rank: 2 }, { rank: 2 }];
  }
  override computeOutputShape(inputShape: ShapeOrShapes): KerasShape {
    return inputShape[0] as KerasShape;
  }
  override call(inputs: Tensor[], options: CallOptions): Tensor {
    const [average, logVariance] = inputs;
    const variance = exp(logVariance);
    const excess = sub(sub(add(square(average), variance), logVariance), 1);
    this.addLoss(mul(mean(sum(excess, -1)), this.beta / 2));
    if (!options.training) return average;
    return add(average, mul(exp(mul(logVariance, 0.5)), randomNormal(average.shape)));
  }
  override getConfig(): ReturnType<Layer['getConfig']> {
    return { beta: this.beta, ...super.getConfig() };
  }
}

serialization.registerClass(GaussianSample);
