/** Metrics by name. Those that are means over samples are functions; the rest have variables. */
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
} from '../losses.ts';
import { failUnknownName, toCamelCase } from '../naming.ts';
import {
  binaryAccuracy,
  categoricalAccuracy,
  precision,
  r2Score,
  recall,
  sparseCategoricalAccuracy,
} from './functions.ts';
import { metricClasses, statefulByName } from './classes.ts';
import type { Metric } from './metric.ts';

/** tf.metrics */
export const metrics = {
  binaryAccuracy,
  binaryCrossentropy,
  categoricalAccuracy,
  categoricalCrossentropy,
  sparseCategoricalAccuracy,
  sparseCategoricalCrossentropy,
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
  ...metricClasses,
};

/** Those of tf.metrics that are functions of a batch. */
const functions = Object.fromEntries(Object.entries(metrics).filter(([name]) => !(name in metricClasses))) as {
  [name: string]: LossOrMetricFn;
};

const byName = new Map<string, LossOrMetricFn>(
  Object.entries({
    ...functions,
    mae: meanAbsoluteError,
    MAE: meanAbsoluteError,
    cosine: cosineProximity,
  }),
);
const names = new Map<LossOrMetricFn, string>([...byName].reverse().map(([name, call]) => [call, name]));
export const metricNames: readonly string[] = [
  ...new Set(['accuracy', 'crossentropy', ...byName.keys(), ...Object.keys(statefulByName)]),
];

/** A metric that is the mean over samples of a function of labels and predictions. */
export interface MeanMetric {
  /** The key in logs and history: `acc` for accuracy. */
  readonly name: string;
  readonly call: LossOrMetricFn;
}

/** Accuracy as Keras chooses it: by the loss, the number of outputs and the shape of the labels. */
function accuracyFor(loss: Loss | null): LossOrMetricFn {
  return (yTrue, yPred) => {
    const outputs = yPred.shape[yPred.shape.length - 1];
    if (outputs === 1 || loss?.name === 'binaryCrossentropy') return binaryAccuracy(yTrue, yPred);
    const sparse = loss?.labels === 'sparse' || yTrue.rank < yPred.rank || yTrue.shape[yTrue.rank - 1] === 1;
    return sparse ? sparseCategoricalAccuracy(yTrue, yPred) : categoricalAccuracy(yTrue, yPred);
  };
}

function crossentropyFor(loss: Loss | null): LossOrMetricFn {
  if (loss?.labels === 'sparse') return sparseCategoricalCrossentropy;
  return loss?.name === 'binaryCrossentropy' ? binaryCrossentropy : categoricalCrossentropy;
}

/** A metric from its name, or from a function of labels and predictions. */
export function getMetric(op: string, identifier: unknown, loss: Loss | null): MeanMetric | Metric {
  if (typeof identifier === 'function') {
    const call = identifier as LossOrMetricFn;
    const known = names.get(call);
    if (known && Object.hasOwn(statefulByName, known)) return statefulByName[known](known);
    return { name: names.get(call) ?? (call.name || 'metric'), call };
  }
  if (identifier === 'accuracy' || identifier === 'acc') return { name: 'acc', call: accuracyFor(loss) };
  if (identifier === 'crossentropy' || identifier === 'ce') return { name: 'ce', call: crossentropyFor(loss) };
  if (typeof identifier === 'string') {
    for (const name of [identifier, toCamelCase(identifier)]) {
      if (Object.hasOwn(statefulByName, name)) return statefulByName[name](identifier);
    }
    const call = byName.get(identifier) ?? byName.get(toCamelCase(identifier)) ?? findLoss(identifier)?.call;
    if (call) return { name: identifier, call };
  }
  failUnknownName(op, 'metric', identifier, metricNames);
}
