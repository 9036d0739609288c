/** One update of a model's weights, as every training step makes it: gradients, what layers and weights add to the loss, constraints. */
import { add, div, mul, type Scalar, type Tensor, variableGrads } from '../../tensor/index.ts';
import { collectLosses } from '../layers/call_context.ts';
import type { LayerVariable } from '../layers/layer_variable.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';

/** Takes one step down the gradient of loss() and of what layers and regularizers add to it. Gives their sum. */
export function updateWeights(weights: readonly LayerVariable[], optimizer: Optimizer, loss: () => Scalar): Scalar {
  const variables = weights.map((weight) => weight.val);
  const scale = optimizer.lossScale;
  const { value, grads } = variableGrads(() => {
    const { result, losses } = collectLosses(loss);
    const total = penalized(result, weights, losses);
    return scale ? (mul(total, scale) as Scalar) : total;
  }, variables);
  // The scale may change with the step.
  const unscaled = scale ? (div(value, scale) as Scalar) : value;
  const pairs = variables.map((variable) => ({ variable, gradient: grads[variable.name] }));
  optimizer.applyPairs(pairs.filter(({ gradient }) => gradient));
  for (const { val, constraint } of weights) {
    if (constraint) val.assign(constraint.apply(val));
  }
  return unscaled;
}

/** The loss, what layers added to it, and what the regularizers do. */
export function penalized(loss: Scalar, weights: readonly LayerVariable[], added: readonly Tensor[]): Scalar {
  let total = loss;
  for (const term of added) total = add(total, term);
  for (const { regularizer, val } of weights) {
    if (regularizer) total = add(total, regularizer.apply(val));
  }
  return total;
}
