/** A dense layer that computes with three values of weights. */
import {
  abs as absolute,
  add,
  cast,
  div,
  matMul,
  maximum,
  mean,
  mul,
  reshape,
  sign,
  stopGradient,
  sub,
  sum,
  type Tensor,
} from '../../tensor/index.ts';
import { Dense } from './dense.ts';

/**
 * activation(x t(kernel) + bias), where t gives -a, 0 or a: 0 below d = 0.7 mean |w|, and a is the mean of the |w| above d (Li et al.
 * 2016), for each kernel. Gradients pass t unchanged, so that training moves the full weights. Named after keras.layers.TernaryDense.
 */
export class TernaryDense extends Dense {
  static override readonly className = 'TernaryDense';

  /** The kernel as the layer computes with it. */
  ternaryKernel(): Tensor {
    const weights = this.kernel!.read();
    const size = absolute(weights);
    const above = cast(size.greater(mul(mean(size), 0.7)), 'float32');
    const scale = div(sum(mul(size, above)), maximum(sum(above), 1));
    const ternary = mul(mul(sign(weights), above), scale);
    return add(weights, stopGradient(sub(ternary, weights)));
  }

  override preActivation(inputs: Tensor): Tensor {
    const kernel = this.ternaryKernel();
    const lead = inputs.shape.slice(0, -1);
    const rows = lead.reduce((a, b) => a * b, 1);
    const y = matMul(reshape(inputs, [rows, kernel.shape[0]]), kernel);
    return reshape(this.bias ? add(y, this.bias.read()) : y, [...lead, this.units]);
  }
}
