/** Losses, weights and metrics for each output of a model, from what compile was given. */
import { fail } from '../../base/errors.ts';
import { div, expandDims, mean, mul, type Scalar, sum, type Tensor } from '../../tensor/index.ts';
import { cast, reshape } from '../../tensor/index.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import { maskOf, preActivationOf } from '../layers/call_context.ts';
import { checkLabelShape, getLoss, type Loss, type LossOrMetricFn, type Reduction } from '../losses.ts';
import { getMetric, type MeanMetric } from '../metrics/index.ts';
import { Metric } from '../metrics/metric.ts';
import { asWide } from '../mixed_precision.ts';
import { failUnknownName } from '../naming.ts';

export type LossIdentifier = string | LossOrMetricFn | Loss;
export type MetricIdentifier = string | LossOrMetricFn | Metric;
export type MetricList = MetricIdentifier | readonly MetricIdentifier[];

export interface LossSpecs {
  /** The name of a loss, a function of labels and predictions, or one of tf.losses; by output where there are several. */
  loss?:
    | LossIdentifier
    | null
    | readonly (LossIdentifier | null)[]
    | { readonly [output: string]: LossIdentifier | null };
  /** How much the loss of each output counts; default 1. */
  lossWeights?: readonly number[] | { readonly [output: string]: number };
  /** Names, functions or objects of what is to be watched: 'accuracy', 'mse', ...; by output, or the same for all. */
  metrics?: MetricList | readonly MetricList[] | { readonly [output: string]: MetricList };
  /** Metrics to which weights of samples and classes apply. */
  weightedMetrics?: MetricList | readonly MetricList[] | { readonly [output: string]: MetricList };
}

export interface WatchedMetric {
  readonly metric: MeanMetric | Metric;
  readonly weighted: boolean;
  /** Made by compile, and freed with it. */
  readonly owned: boolean;
}

export interface OutputPlan {
  readonly name: string;
  readonly loss: Loss | null;
  readonly lossWeight: number;
  readonly metrics: readonly WatchedMetric[];
}

function isMap(value: unknown): value is { readonly [name: string]: unknown } {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype && !isLoss(value)
  );
}

function isLoss(value: object): boolean {
  return typeof (value as { call?: unknown }).call === 'function';
}

/** One value for each output, from a list or an object by name; `all` is for a value that is neither. */
function perOutput<T>(
  op: string,
  what: string,
  names: readonly string[],
  value: unknown,
  all: (value: unknown) => T[],
): T[] {
  if (isMap(value)) {
    for (const name of Object.keys(value))
      if (!names.includes(name)) failUnknownName(op, `a key of ${what}`, name, names);
    return names.map((name) => value[name] as T);
  }
  if (!Array.isArray(value)) return all(value);
  if (value.length === names.length) return value as T[];
  fail(
    op,
    `${what} must have an entry for each of ${names.length} outputs (${names.join(', ')})`,
    `got ${value.length}`,
  );
}

export function outputPlans(
  op: string,
  names: readonly string[],
  specs: LossSpecs,
  lossOptional = false,
): OutputPlan[] {
  const { loss, lossWeights } = specs;
  if ((loss === undefined || loss === null) && !lossOptional) getLoss(op, loss);
  const losses = perOutput<unknown>(op, 'loss', names, loss ?? names.map(() => null), (one) => names.map(() => one));
  if (losses.every((one) => one === null || one === undefined) && !lossOptional) getLoss(op, null);
  const weights = perOutput<number | undefined>(op, 'lossWeights', names, lossWeights ?? {}, () =>
    fail(op, 'lossWeights must be a list or an object by output', `got ${typeof lossWeights}`),
  );
  const parsed = losses.map((one) => (one === null || one === undefined ? null : getLoss(op, one)));
  const plain = metricsOf(op, 'metrics', names, specs.metrics, parsed, false);
  const weighted = metricsOf(op, 'weightedMetrics', names, specs.weightedMetrics, parsed, true);
  return names.map((name, i) => {
    const lossWeight = weights[i] ?? 1;
    if (!Number.isFinite(lossWeight)) fail(op, 'lossWeights must be finite numbers', `got ${lossWeight} for ${name}`);
    return { name, loss: parsed[i], lossWeight, metrics: [...plain[i], ...weighted[i]] };
  });
}

function metricsOf(
  op: string,
  what: string,
  names: readonly string[],
  value: LossSpecs['metrics'],
  losses: readonly (Loss | null)[],
  weighted: boolean,
): WatchedMetric[][] {
  if (value === undefined || value === null) return names.map(() => []);
  const isNested = Array.isArray(value) && value.some((item) => Array.isArray(item));
  const lists: unknown[] =
    isMap(value) || (isNested && names.length > 1)
      ? perOutput<unknown>(op, what, names, value, () => [])
      : names.map(() => value);
  return lists.map((list, i) => {
    const items: unknown[] = list === undefined || list === null ? [] : Array.isArray(list) ? list.flat() : [list];
    return items.map((item) => ({
      metric: item instanceof Metric ? item : getMetric(op, item, losses[i]),
      weighted,
      owned: !(item instanceof Metric),
    }));
  });
}

/** Weights of samples, and the mask of the output, as one factor for each of `values`; null: all count the same. */
export function weightsFor(op: string, values: Tensor, weights: Tensor | null, mask: Tensor | null): Tensor | null {
  const fit = (what: string, factor: Tensor): Tensor => {
    let lead = factor;
    // One column for samples of one value each.
    if (lead.rank === values.rank + 1 && lead.shape[lead.rank - 1] === 1) lead = reshape(lead, lead.shape.slice(0, -1));
    const fits = lead.rank <= values.rank && lead.shape.every((n, axis) => n === values.shape[axis] || n === 1);
    if (!fits) {
      fail(
        op,
        `${what} must have the leading extents of the loss, ${showShape(values.shape)}`,
        `got ${showShape(factor.shape)}`,
      );
    }
    while (lead.rank < values.rank) lead = expandDims(lead, -1);
    return cast(lead, values.dtype === 'float64' ? 'float64' : 'float32');
  };
  const sample = weights && fit('sampleWeight', weights);
  const masked = mask && mask.rank <= values.rank ? fit('the mask of the output', mask) : null;
  return sample && masked ? mul(sample, masked) : (sample ?? masked);
}

/** The loss of an output over a batch, a scalar; from the logits where the loss has a stable formula on them. */
export function lossValue(op: string, loss: Loss, output: Tensor, y: Tensor, weights: Tensor | null): Scalar {
  checkLabelShape(op, loss, y.shape, output.shape);
  const wide = asWide;
  const logits = preActivationOf(output);
  const stable = loss.fromLogits;
  const values =
    stable && logits && logits.activation.name === stable.activation
      ? stable.call(y, wide(logits.value))
      : loss.call(y, wide(output));
  const mask = maskOf(output);
  return reduced(op, values, weights, mask, loss.reduction ?? 'sumOverBatchSize');
}

/** The mean, or the sum, of weighted values. With a mask the mean is over the values that count. */
export function reduced(
  op: string,
  values: Tensor,
  weights: Tensor | null,
  mask: Tensor | null,
  reduction: Reduction,
): Scalar {
  if (values.rank === 0) return weights ? mul(values, mean(weights)) : (values as Scalar);
  const factor = weightsFor(op, values, weights, mask);
  if (!factor) return reduction === 'sum' ? sum(values) : mean(values);
  const total: Scalar = sum(mul(values, factor));
  if (reduction === 'sum') return total;
  if (reduction === 'meanWithSampleWeight') return div(total, spread(factor, values));
  const counting = weightsFor(op, values, null, mask);
  return counting ? div(total, spread(counting, values)) : div(total, values.size);
}

/** The sum of a factor that may be broadcast over values. */
function spread(factor: Tensor, values: Tensor): Tensor {
  return sameShape(factor.shape, values.shape) ? sum(factor) : mul(sum(factor), values.size / factor.size);
}
