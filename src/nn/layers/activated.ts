/**
 * The hook between a last layer and a loss: a layer that ends in an activation notes its output before it (the logits), so
 * that softmax followed by cross-entropy becomes one stable formula. Knows no loss.
 */
import type { Tensor } from '../../tensor/index.ts';
import type { Activation } from '../activations.ts';
import { notePreActivation } from './call_context.ts';
import { type CallOptions, Layer } from './layer.ts';

/** A layer whose output is activation(preActivation(inputs)). */
export abstract class ActivatedLayer extends Layer {
  abstract readonly activation: Activation;

  /** The output before the activation. */
  abstract preActivation(inputs: Tensor, options: CallOptions): Tensor;

  override call(inputs: Tensor, options: CallOptions): Tensor {
    const value = this.preActivation(inputs, options);
    const output = this.activation.apply(value);
    if (output !== value) notePreActivation(output, this.activation, value);
    return output;
  }
}
