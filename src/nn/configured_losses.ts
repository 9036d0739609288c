/** Losses with arguments: from logits, with smoothed labels, focal, of overlaps; and how values of samples become one. After Keras 3. */
import { fail } from '../base/errors.ts';
import {
  abs as absolute,
  add,
  cast,
  clipByValue,
  div,
  lessEqual,
  log,
  maximum,
  mean,
  mul,
  neg,
  oneHot,
  pow,
  reshape,
  sigmoid,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  where,
} from '../tensor/index.ts';
import { failUnknownName } from './naming.ts';
import { type CircleArgs, circleOf, ctc } from './sequence_losses.ts';
import { findLoss, type Loss, type LossOrMetricFn, type Reduction, registerLosses } from './losses.ts';

const epsilon = 1e-7;
const float = (x: Tensor): Tensor => (x.dtype === 'float64' ? x : cast(x, 'float32'));

export interface LossArgs {
  /** Default 'sumOverBatchSize': the mean. 'meanWithSampleWeight' divides by the weights' sum. */
  reduction?: Reduction;
}
export interface LogitsArgs extends LossArgs {
  /** The predictions are before the activation; default false. */
  fromLogits?: boolean;
}
export interface SmoothingArgs extends LogitsArgs {
  /** The share of a label that is spread evenly, in [0, 1]; default 0. */
  labelSmoothing?: number;
}

const reductions: readonly Reduction[] = ['sumOverBatchSize', 'sum', 'meanWithSampleWeight'];

function checked<A extends LossArgs & { labelSmoothing?: number }>(op: string, args: A): A {
  if (args.reduction !== undefined && !reductions.includes(args.reduction)) {
    failUnknownName(op, 'reduction', args.reduction, reductions);
  }
  const { labelSmoothing: smoothing = 0 } = args;
  if (!(smoothing >= 0 && smoothing <= 1)) fail(op, 'labelSmoothing must be in [0, 1]', `got ${smoothing}`);
  return args;
}

/** The loss of a name, with smoothed labels, and on logits where that is asked. */
function crossentropy(
  name: string,
  args: SmoothingArgs,
  smooth: (y: Tensor, p: Tensor, share: number) => Tensor,
): Loss {
  const { reduction, fromLogits = false, labelSmoothing = 0 } = checked(name, args);
  const base = findLoss(name)!;
  const smoothed =
    (call: LossOrMetricFn): LossOrMetricFn =>
    (y, p) =>
      call(labelSmoothing > 0 ? smooth(float(y), p, labelSmoothing) : y, p);
  const stable = { activation: base.fromLogits!.activation, call: smoothed(base.fromLogits!.call) };
  return {
    name,
    labels: base.labels,
    reduction,
    call: fromLogits ? stable.call : smoothed(base.call),
    ...(fromLogits ? {} : { fromLogits: stable }),
  };
}

/** max-free form: 0.5 e^2 up to delta, then linear */
function huberOf(delta: number): LossOrMetricFn {
  return (y, p) => {
    const error = absolute(sub(p, float(y)));
    const linear = sub(mul(error, delta), 0.5 * delta ** 2);
    return mean(where(lessEqual(error, delta), mul(square(error), 0.5), linear), -1);
  };
}

/** 1 - (2 |y p| + e) / (|y| + |p| + e), over everything in the batch */
function dice(yTrue: Tensor, yPred: Tensor): Tensor {
  const y = float(yTrue);
  const overlap = sum(mul(y, yPred));
  return sub(1, div(add(mul(overlap, 2), epsilon), add(add(sum(y), sum(yPred)), epsilon)));
}

/** 1 - (y p + e) / (y p + alpha (1 - y) p + beta y (1 - p) + e), sums over everything in the batch */
function tverskyOf(alpha: number, beta: number): LossOrMetricFn {
  return (yTrue, yPred) => {
    const y = float(yTrue);
    const overlap = sum(mul(y, yPred));
    const extra = mul(sum(mul(sub(1, y), yPred)), alpha);
    const missed = mul(sum(mul(y, sub(1, yPred))), beta);
    return sub(1, div(add(overlap, epsilon), add(add(add(overlap, extra), missed), epsilon)));
  };
}

export interface FocalArgs extends SmoothingArgs {
  /** How much samples that are right already count less; default 2. */
  gamma?: number;
  /** The weight of the positive class, or of all; default 0.25. */
  alpha?: number;
}

/** (1 - p_t)^gamma times the binary cross-entropy (Lin et al. 2017) */
function binaryFocal(args: FocalArgs & { applyClassBalancing?: boolean }): LossOrMetricFn {
  const { gamma = 2, alpha = 0.25, fromLogits = false, labelSmoothing: s = 0, applyClassBalancing = false } = args;
  return (yTrue, yPred) => {
    const y = s > 0 ? add(mul(float(yTrue), 1 - s), s / 2) : float(yTrue);
    const p = clipByValue(fromLogits ? sigmoid(yPred) : yPred, epsilon, 1 - epsilon);
    const [q, z] = [sub(1, p), sub(1, y)];
    const entropy = neg(add(mul(y, log(p)), mul(z, log(q))));
    const wrong = sub(1, add(mul(p, y), mul(q, z)));
    const focal = mul(pow(wrong, gamma), entropy);
    const balance = add(mul(y, alpha), mul(z, 1 - alpha));
    return mean(applyClassBalancing ? mul(focal, balance) : focal, -1);
  };
}

/** -sum alpha (1 - p)^gamma y log p */
function categoricalFocal(args: FocalArgs): LossOrMetricFn {
  const { gamma = 2, alpha = 0.25, fromLogits = false, labelSmoothing: s = 0 } = args;
  return (yTrue, yPred) => {
    const classes = yPred.shape[yPred.rank - 1]!;
    const y = s > 0 ? add(mul(float(yTrue), 1 - s), s / classes) : float(yTrue);
    const shares = fromLogits ? yPred.softmax() : div(yPred, sum(yPred, -1, true));
    const p = clipByValue(shares, epsilon, 1 - epsilon);
    return sum(mul(mul(pow(sub(1, p), gamma), alpha), neg(mul(y, log(p)))), -1);
  };
}

export interface CosineArgs extends LossArgs {
  /** The axis of the vectors; default -1. */
  axis?: number;
}

/** -sum of the products of vectors of length 1 */
function cosineOf(axis: number): LossOrMetricFn {
  const unit = (x: Tensor) => div(x, maximum(sqrt(sum(square(x), axis, true)), 1e-12));
  return (y, p) => neg(sum(mul(unit(float(y)), unit(p)), axis));
}

/** (1 - p^q) / q of the probability of the right class (Zhang and Sabuncu 2018) */
function generalizedOf(q: number): LossOrMetricFn {
  return (y, p) => {
    const classes = p.shape[p.rank - 1]!;
    const right = cast(oneHot(cast(reshape(y, [...p.shape.slice(0, -1)]), 'int32'), classes), 'float32');
    return div(sub(1, pow(sum(mul(p, right), -1), q)), q);
  };
}

/** A loss of that name, with a reduction of choice. */
const named =
  (name: string) =>
  (args: LossArgs = {}): Loss => ({ ...findLoss(name)!, reduction: checked(name, args).reduction });

/** tf.losses, beside TensorFlow.js's functions: losses to give to compile. */
export const configuredLosses = {
  meanAbsoluteError: named('meanAbsoluteError'),
  meanAbsolutePercentageError: named('meanAbsolutePercentageError'),
  meanSquaredLogarithmicError: named('meanSquaredLogarithmicError'),
  hinge: named('hinge'),
  squaredHinge: named('squaredHinge'),
  categoricalHinge: named('categoricalHinge'),
  klDivergence: named('kullbackLeiblerDivergence'),
  poisson: named('poisson'),
  logCosh: named('logcosh'),
  cosineSimilarity: (args: CosineArgs = {}): Loss => ({
    name: 'cosineSimilarity',
    labels: 'any',
    reduction: checked('cosineSimilarity', args).reduction,
    call: cosineOf(args.axis ?? -1),
  }),
  categoricalGeneralizedCrossEntropy: (args: LossArgs & { q?: number } = {}): Loss => {
    const { q = 0.5 } = args;
    if (!(q > 0 && q < 1)) fail('categoricalGeneralizedCrossEntropy', 'q must be in (0, 1)', `got ${args.q}`);
    const { reduction } = checked('categoricalGeneralizedCrossEntropy', args);
    return { name: 'categoricalGeneralizedCrossEntropy', labels: 'sparse', reduction, call: generalizedOf(q) };
  },
  ctc: (args: LossArgs = {}): Loss => ({
    name: 'ctc',
    labels: 'any',
    anyShape: true,
    reduction: checked('ctc', args).reduction,
    call: ctc,
  }),
  circle: (args: CircleArgs & LossArgs = {}): Loss => ({
    name: 'circle',
    labels: 'any',
    anyShape: true,
    reduction: checked('circle', args).reduction,
    call: circleOf(args),
  }),
  binaryCrossentropy: (args: SmoothingArgs = {}): Loss =>
    crossentropy('binaryCrossentropy', args, (y, _, s) => add(mul(y, 1 - s), s / 2)),
  categoricalCrossentropy: (args: SmoothingArgs = {}): Loss =>
    crossentropy('categoricalCrossentropy', args, (y, p, s) => add(mul(y, 1 - s), s / p.shape[p.rank - 1]!)),
  sparseCategoricalCrossentropy: (args: LogitsArgs = {}): Loss =>
    crossentropy('sparseCategoricalCrossentropy', args, (y) => y),
  binaryFocalCrossentropy: (args: FocalArgs & { applyClassBalancing?: boolean } = {}): Loss => ({
    name: 'binaryFocalCrossentropy',
    labels: 'any',
    reduction: checked('binaryFocalCrossentropy', args).reduction,
    call: binaryFocal(args),
  }),
  categoricalFocalCrossentropy: (args: FocalArgs = {}): Loss => ({
    name: 'categoricalFocalCrossentropy',
    labels: 'oneHot',
    reduction: checked('categoricalFocalCrossentropy', args).reduction,
    call: categoricalFocal(args),
  }),
  huber: (args: LossArgs & { delta?: number } = {}): Loss => ({
    name: 'huber',
    labels: 'any',
    reduction: checked('huber', args).reduction,
    call: huberOf(args.delta ?? 1),
  }),
  dice: (): Loss => ({ name: 'dice', labels: 'any', call: dice }),
  tversky: (args: { alpha?: number; beta?: number } = {}): Loss => ({
    name: 'tversky',
    labels: 'any',
    call: tverskyOf(args.alpha ?? 0.5, args.beta ?? 0.5),
  }),
};

registerLosses([
  configuredLosses.binaryFocalCrossentropy(),
  configuredLosses.categoricalFocalCrossentropy(),
  configuredLosses.huber(),
  configuredLosses.dice(),
  configuredLosses.tversky(),
  configuredLosses.cosineSimilarity(),
  configuredLosses.categoricalGeneralizedCrossEntropy(),
  configuredLosses.ctc(),
  configuredLosses.circle(),
]);
