/**
 * Losses by name. Each gives one value per sample from labels and predictions; a loss that has a stable formula on logits says
 * for which activation. Knows no model.
 */
import { fail } from '../base/errors.ts';
import {
  abs as absolute,
  add,
  cast,
  clipByValue,
  div,
  exp,
  floor,
  log,
  log1p,
  logSoftmax,
  max,
  maximum,
  mean,
  mul,
  neg,
  oneHot,
  relu,
  reshape,
  softplus,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from '../tensor/index.ts';
import { showShape } from '../types/shape.ts';
import type { ActivationIdentifier } from './activations.ts';
import { failUnknownName, toCamelCase } from './naming.ts';

/** As in Keras's backend. */
const epsilon = 1e-7;

/** One value per sample (or a scalar), from labels and predictions of equal leading extents. */
export type LossOrMetricFn = (yTrue: Tensor, yPred: Tensor) => Tensor;

/** What the labels are, for checks on the host: rows of class probabilities, class numbers, or anything. */
export type LabelKind = 'oneHot' | 'sparse' | 'any';

/** How the values of samples become one number. */
export type Reduction = 'sumOverBatchSize' | 'sum' | 'meanWithSampleWeight';

export interface Loss {
  readonly name: string;
  readonly labels: LabelKind;
  /** The labels may have another shape than the output: the loss checks for itself. */
  readonly anyShape?: boolean;
  /** Default 'sumOverBatchSize': the mean. */
  readonly reduction?: Reduction;
  readonly call: LossOrMetricFn;
  /** The same loss from what the activation was applied to. */
  readonly fromLogits?: { readonly activation: ActivationIdentifier; readonly call: LossOrMetricFn };
}

/** mean (p - y)^2 */
export function meanSquaredError(yTrue: Tensor, yPred: Tensor): Tensor {
  return mean(square(sub(yPred, yTrue)), -1);
}

/** mean |p - y| */
export function meanAbsoluteError(yTrue: Tensor, yPred: Tensor): Tensor {
  return mean(absolute(sub(yPred, yTrue)), -1);
}

/** 100 mean |(y - p) / y| */
export function meanAbsolutePercentageError(yTrue: Tensor, yPred: Tensor): Tensor {
  const ratio = absolute(div(sub(yTrue, yPred), maximum(absolute(yTrue), epsilon)));
  return mul(mean(ratio, -1), 100);
}

/** mean (log(1 + p) - log(1 + y))^2 */
export function meanSquaredLogarithmicError(yTrue: Tensor, yPred: Tensor): Tensor {
  const difference = sub(log(add(maximum(yPred, epsilon), 1)), log(add(maximum(yTrue, epsilon), 1)));
  return mean(square(difference), -1);
}

/** mean max(0, 1 - y p)^2, labels -1 or 1 */
export function squaredHinge(yTrue: Tensor, yPred: Tensor): Tensor {
  return mean(square(relu(sub(1, mul(yTrue, yPred)))), -1);
}

/** mean max(0, 1 - y p), labels -1 or 1 */
export function hinge(yTrue: Tensor, yPred: Tensor): Tensor {
  return mean(relu(sub(1, mul(yTrue, yPred))), -1);
}

/** max(0, 1 + max((1 - y) p) - sum(y p)) */
export function categoricalHinge(yTrue: Tensor, yPred: Tensor): Tensor {
  const positive = sum(mul(yTrue, yPred), -1);
  const negative = max(mul(sub(1, yTrue), yPred), -1);
  return relu(add(sub(negative, positive), 1));
}

/** mean log(cosh(p - y)) */
export function logcosh(yTrue: Tensor, yPred: Tensor): Tensor {
  const difference = sub(yPred, yTrue);
  return mean(sub(add(difference, softplus(mul(difference, -2))), Math.LN2), -1);
}

/** Labels of any dtype as what the predictions are: float64, or float32. */
function labelsFor(predictions: Tensor, yTrue: Tensor): Tensor {
  return cast(yTrue, predictions.dtype === 'float64' ? 'float64' : 'float32');
}

/** -sum y log(p / sum p), with p in [epsilon, 1 - epsilon] */
export function categoricalCrossentropy(yTrue: Tensor, yPred: Tensor): Tensor {
  const scaled = div(yPred, sum(yPred, -1, true));
  return neg(sum(mul(labelsFor(yPred, yTrue), log(clipByValue(scaled, epsilon, 1 - epsilon))), -1));
}

/** -sum y logSoftmax(z) */
function softmaxCrossentropy(yTrue: Tensor, logits: Tensor): Tensor {
  return neg(sum(mul(labelsFor(logits, yTrue), logSoftmax(logits)), -1));
}

/** Rows of zeros and a one from class numbers, of the predictions' shape. */
function oneHotLike(classes: Tensor, predictions: Tensor): Tensor {
  const shape = predictions.shape;
  const flat = cast(reshape(floor(cast(classes, 'float32')), [classes.size]), 'int32');
  return reshape(labelsFor(predictions, oneHot(flat, shape[shape.length - 1])), shape);
}

/** categoricalCrossentropy with class numbers as labels */
export function sparseCategoricalCrossentropy(yTrue: Tensor, yPred: Tensor): Tensor {
  return categoricalCrossentropy(oneHotLike(yTrue, yPred), yPred);
}

function sparseSoftmaxCrossentropy(yTrue: Tensor, logits: Tensor): Tensor {
  return softmaxCrossentropy(oneHotLike(yTrue, logits), logits);
}

/** mean of max(z, 0) - z y + log(1 + exp(-|z|)) */
function sigmoidCrossentropy(yTrue: Tensor, logits: Tensor): Tensor {
  const values = add(sub(relu(logits), mul(logits, yTrue)), log1p(exp(neg(absolute(logits)))));
  return mean(values, -1);
}

/** mean of -y log p - (1 - y) log(1 - p), with p in [epsilon, 1 - epsilon] */
export function binaryCrossentropy(yTrue: Tensor, yPred: Tensor): Tensor {
  const p = clipByValue(yPred, epsilon, 1 - epsilon);
  return sigmoidCrossentropy(labelsFor(yPred, yTrue), log(div(p, sub(1, p))));
}

/** sum y log(y / p) */
export function kullbackLeiblerDivergence(yTrue: Tensor, yPred: Tensor): Tensor {
  const ratio = div(clipByValue(yTrue, epsilon, 1), clipByValue(yPred, epsilon, 1));
  return sum(mul(yTrue, log(ratio)), -1);
}

/** mean p - y log p */
export function poisson(yTrue: Tensor, yPred: Tensor): Tensor {
  return mean(sub(yPred, mul(yTrue, log(add(yPred, epsilon)))), -1);
}

/** -sum of the products of the normalized rows */
export function cosineProximity(yTrue: Tensor, yPred: Tensor): Tensor {
  const normalized = (x: Tensor) => div(x, sqrt(maximum(sum(square(x), -1, true), epsilon)));
  return neg(sum(mul(normalized(yTrue), normalized(yPred)), -1));
}

/** A loss over labels of any dtype. */
const any = (name: string, call: LossOrMetricFn): Loss => ({
  name,
  labels: 'any',
  call: (yTrue, yPred) => call(labelsFor(yPred, yTrue), yPred),
});

const rows: readonly Loss[] = [
  any('meanSquaredError', meanSquaredError),
  any('meanAbsoluteError', meanAbsoluteError),
  any('meanAbsolutePercentageError', meanAbsolutePercentageError),
  any('meanSquaredLogarithmicError', meanSquaredLogarithmicError),
  any('squaredHinge', squaredHinge),
  any('hinge', hinge),
  any('categoricalHinge', categoricalHinge),
  any('logcosh', logcosh),
  {
    name: 'categoricalCrossentropy',
    labels: 'oneHot',
    call: categoricalCrossentropy,
    fromLogits: { activation: 'softmax', call: softmaxCrossentropy },
  },
  {
    name: 'sparseCategoricalCrossentropy',
    labels: 'sparse',
    call: sparseCategoricalCrossentropy,
    fromLogits: { activation: 'softmax', call: sparseSoftmaxCrossentropy },
  },
  {
    ...any('binaryCrossentropy', binaryCrossentropy),
    fromLogits: { activation: 'sigmoid', call: (y, z) => sigmoidCrossentropy(labelsFor(z, y), z) },
  },
  any('kullbackLeiblerDivergence', kullbackLeiblerDivergence),
  any('poisson', poisson),
  any('cosineProximity', cosineProximity),
];

const aliases: { readonly [alias: string]: string } = {
  mse: 'meanSquaredError',
  MSE: 'meanSquaredError',
  mae: 'meanAbsoluteError',
  MAE: 'meanAbsoluteError',
  mape: 'meanAbsolutePercentageError',
  MAPE: 'meanAbsolutePercentageError',
  msle: 'meanSquaredLogarithmicError',
  MSLE: 'meanSquaredLogarithmicError',
  kld: 'kullbackLeiblerDivergence',
  KLD: 'kullbackLeiblerDivergence',
  cosine: 'cosineProximity',
  klDivergence: 'kullbackLeiblerDivergence',
  logCosh: 'logcosh',
};

const byName = new Map<string, Loss>(rows.map((row) => [row.name, row]));
const byFunction = new Map<LossOrMetricFn, Loss>([
  [meanSquaredError, byName.get('meanSquaredError')!],
  [meanAbsoluteError, byName.get('meanAbsoluteError')!],
  [categoricalCrossentropy, byName.get('categoricalCrossentropy')!],
  [sparseCategoricalCrossentropy, byName.get('sparseCategoricalCrossentropy')!],
  [binaryCrossentropy, byName.get('binaryCrossentropy')!],
]);

export const lossNames: string[] = rows.map((row) => row.name);

/** Makes losses known by their names. */
export function registerLosses(more: readonly Loss[]): void {
  for (const loss of more) {
    byName.set(loss.name, loss);
    lossNames.push(loss.name);
  }
}

/** The loss called `name`, or undefined. Short names (`mse`) are known too. */
export function findLoss(name: string): Loss | undefined {
  const camel = toCamelCase(name);
  return byName.get(aliases[name] ?? name) ?? byName.get(aliases[camel] ?? camel);
}

/** A loss from its name, or from a function of labels and predictions. */
export function getLoss(op: string, identifier: unknown): Loss {
  if (Array.isArray(identifier) && identifier.length === 1) return getLoss(op, identifier[0]);
  if (typeof identifier === 'function') {
    const call = identifier as LossOrMetricFn;
    return byFunction.get(call) ?? { name: call.name || 'loss', labels: 'any', call };
  }
  if (identifier === null || identifier === undefined) {
    fail(op, 'a loss is needed', `got ${identifier}`, `pass one of ${lossNames.join(', ')}, or a function`);
  }
  const found = typeof identifier === 'string' ? findLoss(identifier) : undefined;
  if (found) return found;
  if (typeof identifier === 'object' && typeof (identifier as Loss).call === 'function') return identifier as Loss;
  if (typeof identifier === 'string' && /softmax_?cross_?entropy/i.test(identifier)) {
    const hint =
      "use 'categoricalCrossentropy' for one-hot labels or 'sparseCategoricalCrossentropy' for class numbers";
    fail(op, 'loss must be a known name', `got '${identifier}'`, hint);
  }
  failUnknownName(op, 'loss', identifier, lossNames);
}

/** What a loss asks of the labels' shape, given that of the predictions. */
export function checkLabelShape(
  op: string,
  loss: Loss,
  labels: readonly number[],
  output: readonly number[],
  giver = 'the model',
): void {
  const classes = output[output.length - 1];
  const came = `labels are ${showShape(labels)}, ${giver} gives ${showShape(output)}`;
  if (loss.labels === 'sparse') {
    const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
    if (count(labels) === count(output.slice(0, -1))) return;
    const hint =
      labels[labels.length - 1] === classes
        ? "use loss 'categoricalCrossentropy' for one-hot labels, or argMax(-1) on the labels"
        : undefined;
    fail(op, 'labels must hold one class number for each sample', came, hint);
  }
  if (loss.anyShape || (loss.labels === 'any' && !byName.has(loss.name))) return;
  if (labels.length === output.length && labels.every((extent, axis) => extent === output[axis])) return;
  const oneNumber = labels[labels.length - 1] === 1 && classes > 1;
  const hint = oneNumber
    ? `use loss 'sparseCategoricalCrossentropy' for class numbers, or oneHot(labels, ${classes})`
    : 'check the last layer';
  fail(op, "labels must have the shape of the model's output", came, hint);
}
