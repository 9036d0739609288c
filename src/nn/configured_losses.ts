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
  mean,
  mul,
  neg,
  pow,
  sigmoid,
  square,
  sub,
  sum,
  type Tensor,
  where,
} from '../tensor/index.ts';
import { failUnknownName } from './naming.ts';
import { findLoss, type Loss, type LossOrMetricFn, type Reduction, registerLosses } from './losses.ts';

const epsilon = 1e-7;
const float = (x: Tensor): Tensor => cast(x, 'float32');

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

/** tf.losses, beside TensorFlow.js's functions: losses to give to compile. */
export const configuredLosses = {
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
]);
