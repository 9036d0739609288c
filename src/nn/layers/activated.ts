/**
 * The hook between a last layer and a loss: a layer that ends in an activation can give its output before it (the logits),
 * so that softmax followed by cross-entropy becomes one stable formula. Knows no loss.
 */
import type { Tensor } from '../../tensor/index.ts';
import type { Activation } from '../activations.ts';
import { type CallOptions, Layer } from './layer.ts';

/** A layer whose output is activation(preActivation(inputs)). */
export abstract class ActivatedLayer extends Layer {
  abstract readonly activation: Activation;

  /** The output before the activation. */
  abstract preActivation(inputs: Tensor, options: CallOptions): Tensor;

  override call(inputs: Tensor, options: CallOptions): Tensor {
    return this.activation.apply(this.preActivation(inputs, options));
  }

  /** As apply, without the activation. */
  applyLinear(inputs: Tensor, options: CallOptions = {}): Tensor {
    this.ensureBuilt([null, ...inputs.shape.slice(1)]);
    return this.named(() => this.preActivation(inputs, options));
  }
}
