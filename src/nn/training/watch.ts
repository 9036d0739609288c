/** How a step measures a metric: means as a total and a count, the rest by moving its variables on. */
import { cast, mean, mul, scalar, sum, type Tensor } from '../../tensor/index.ts';
import { sameShape } from '../../types/shape.ts';
import { maskOf } from '../layers/call_context.ts';
import type { MeanMetric } from '../metrics/index.ts';
import { Metric } from '../metrics/metric.ts';
import { asWide } from '../mixed_precision.ts';
import { weightsFor } from './outputs.ts';

export function watch(metric: MeanMetric | Metric, given: Tensor, y: Tensor, weights: Tensor | null): Tensor[] {
  const mask = maskOf(given);
  const output = asWide(given);
  if (metric instanceof Metric) {
    const both = weights || mask ? weightsFor(metric.name, output, weights, mask) : null;
    metric.updateState(y, output, both ? trimmed(both) : null);
    return [metric.result()];
  }
  const values = cast(metric.call(y, output), 'float32');
  if (values.rank === 0) return [values, scalar(1)];
  const factor = weightsFor(metric.name, values, weights, mask);
  if (!factor) return [mul(mean(values), values.shape[0]), scalar(values.shape[0])];
  const count = sameShape(factor.shape, values.shape) ? sum(factor) : mul(sum(factor), values.size / factor.size);
  return [sum(mul(values, factor)), count];
}

/** Without the trailing axes of one that were put there to broadcast. */
function trimmed(weights: Tensor): Tensor {
  let rank = weights.rank;
  while (rank > 1 && weights.shape[rank - 1] === 1) rank--;
  return rank === weights.rank ? weights : weights.reshape(weights.shape.slice(0, rank));
}
