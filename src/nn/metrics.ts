/** Metrics by name: like losses, one value per sample, but only watched. */
import {
  argMax,
  cast,
  div,
  equal,
  greater,
  logicalAnd,
  mean,
  reshape,
  square,
  sub,
  sum,
  type Tensor,
  where,
  zerosLike,
} from '../tensor/index.ts';
import {
  binaryCrossentropy,
  categoricalCrossentropy,
  cosineProximity,
  findLoss,
  type Loss,
  type LossOrMetricFn,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  sparseCategoricalCrossentropy,
} from './losses.ts';
import { failUnknownName, toCamelCase } from './naming.ts';

/** 1 where prediction and label lie on the same side of one half, meaned over the last axis. */
export function binaryAccuracy(yTrue: Tensor, yPred: Tensor): Tensor {
  const guess = cast(greater(yPred, 0.5), 'float32');
  return mean(cast(equal(cast(yTrue, 'float32'), guess), 'float32'), -1);
}

/** 1 where the largest prediction is at the largest label. */
export function categoricalAccuracy(yTrue: Tensor, yPred: Tensor): Tensor {
  return cast(equal(argMax(yTrue, -1), argMax(yPred, -1)), 'float32');
}

/** 1 where the largest prediction is at the class number. */
export function sparseCategoricalAccuracy(yTrue: Tensor, yPred: Tensor): Tensor {
  const guess = argMax(yPred, -1);
  return cast(equal(cast(reshape(yTrue, guess.shape), 'int32'), guess), 'float32');
}

const both = (yTrue: Tensor, yPred: Tensor, label: number, guess: number): Tensor =>
  sum(cast(logicalAnd(equal(yTrue, label), equal(yPred, guess)), 'float32'));

function ratio(hits: Tensor, misses: Tensor): Tensor {
  const total = hits.add(misses);
  return where(greater(total, 0), div(hits, total), zerosLike(hits));
}

/** True positives of all positives guessed; labels and predictions are 0 or 1. */
export function precision(yTrue: Tensor, yPred: Tensor): Tensor {
  return ratio(both(yTrue, yPred, 1, 1), both(yTrue, yPred, 0, 1));
}

/** True positives of all positives there are; labels and predictions are 0 or 1. */
export function recall(yTrue: Tensor, yPred: Tensor): Tensor {
  return ratio(both(yTrue, yPred, 1, 1), both(yTrue, yPred, 1, 0));
}

/** 1 - sum (y - p)^2 / sum (y - mean y)^2 */
export function r2Score(yTrue: Tensor, yPred: Tensor): Tensor {
  return sub(1, div(sum(square(sub(yTrue, yPred))), sum(square(sub(yTrue, mean(yTrue))))));
}

/** tf.metrics */
export const metrics = {
  binaryAccuracy,
  binaryCrossentropy,
  categoricalAccuracy,
  categoricalCrossentropy,
  sparseCategoricalAccuracy,
  cosineProximity,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  MAPE: meanAbsolutePercentageError,
  mape: meanAbsolutePercentageError,
  meanSquaredError,
  MSE: meanSquaredError,
  mse: meanSquaredError,
  precision,
  recall,
  r2Score,
};

const byName = new Map<string, LossOrMetricFn>(
  Object.entries({
    ...metrics,
    mae: meanAbsoluteError,
    MAE: meanAbsoluteError,
    cosine: cosineProximity,
    sparseCategoricalCrossentropy,
  }),
);
const names = new Map<LossOrMetricFn, string>([...byName].reverse().map(([name, call]) => [call, name]));
export const metricNames: readonly string[] = ['accuracy', 'crossentropy', ...byName.keys()];

export interface Metric {
  /** The key in logs and history: `acc` for accuracy. */
  readonly name: string;
  readonly call: LossOrMetricFn;
}

/** Accuracy as Keras chooses it: by the loss, the number of outputs and the shape of the labels. */
function accuracyFor(loss: Loss): LossOrMetricFn {
  return (yTrue, yPred) => {
    const outputs = yPred.shape[yPred.shape.length - 1];
    if (outputs === 1 || loss.name === 'binaryCrossentropy') return binaryAccuracy(yTrue, yPred);
    const sparse = loss.labels === 'sparse' || yTrue.rank < yPred.rank || yTrue.shape[yTrue.rank - 1] === 1;
    return sparse ? sparseCategoricalAccuracy(yTrue, yPred) : categoricalAccuracy(yTrue, yPred);
  };
}

function crossentropyFor(loss: Loss): LossOrMetricFn {
  if (loss.labels === 'sparse') return sparseCategoricalCrossentropy;
  return loss.name === 'binaryCrossentropy' ? binaryCrossentropy : categoricalCrossentropy;
}

/** A metric from its name, or from a function of labels and predictions. */
export function getMetric(op: string, identifier: unknown, loss: Loss): Metric {
  if (typeof identifier === 'function') {
    const call = identifier as LossOrMetricFn;
    return { name: names.get(call) ?? (call.name || 'metric'), call };
  }
  if (identifier === 'accuracy' || identifier === 'acc') return { name: 'acc', call: accuracyFor(loss) };
  if (identifier === 'crossentropy' || identifier === 'ce') return { name: 'ce', call: crossentropyFor(loss) };
  if (typeof identifier === 'string') {
    const call = byName.get(identifier) ?? byName.get(toCamelCase(identifier)) ?? findLoss(identifier)?.call;
    if (call) return { name: identifier, call };
  }
  failUnknownName(op, 'metric', identifier, metricNames);
}
