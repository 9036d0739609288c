/**
 * Losses of labels and predictions. The element losses are weighted (weights broadcast) and reduced: by default their sum over
 * the number of weights that are not 0.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import { sameShape, showShape, sizeOf } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { axisOf, lift, valueOf } from './lift.ts';

/** How element losses become one number; NONE leaves them as they are. */
export const Reduction = { NONE: 0, MEAN: 1, SUM: 2, SUM_BY_NONZERO_WEIGHTS: 3 } as const;
export type Reduction = (typeof Reduction)[keyof typeof Reduction];

type Weights = Tensor | TensorLike | null | undefined;

function weigh(op: string, losses: Value, weights: Weights, reduction: Reduction): Value {
  const w = weights === null || weights === undefined ? null : valueOf(weights, 'weights', op);
  const weighted = w === null ? losses : build.mul(losses, w);
  switch (reduction) {
    case Reduction.NONE:
      return weighted;
    case Reduction.SUM:
      return build.sum(weighted);
    case Reduction.MEAN: {
      if (w === null) return build.mean(weighted);
      const repeats = sizeOf(weighted.shape) / sizeOf(w.shape);
      return build.div(build.sum(weighted), build.scale(build.sum(build.cast(w, weighted.dtype)), repeats));
    }
    case Reduction.SUM_BY_NONZERO_WEIGHTS: {
      if (w === null) return build.mean(weighted);
      const spread = build.broadcastTo(w, weighted.shape);
      const counted = build.cast(build.notEqual(spread, build.zerosLike(spread)), weighted.dtype);
      return build.div(build.sum(weighted), build.sum(counted));
    }
    default:
      return fail(op, 'reduction must be one of tf.Reduction', `got ${String(reduction)}`);
  }
}

function pair(
  op: string,
  labels: Tensor | TensorLike,
  predictions: Tensor | TensorLike,
  second = 'predictions',
): [Value, Value] {
  const a = build.asReal(valueOf(labels, 'labels', op));
  const b = build.asReal(valueOf(predictions, second, op));
  if (!sameShape(a.shape, b.shape)) {
    fail(op, `labels and ${second} must have one shape`, `got ${showShape(a.shape)} and ${showShape(b.shape)}`);
  }
  return [a, b];
}

/** Weighted element losses, reduced. */
export function computeWeightedLoss(
  losses: Tensor | TensorLike,
  weights?: Weights,
  reduction: Reduction = Reduction.SUM_BY_NONZERO_WEIGHTS,
): Tensor {
  const value = build.asReal(valueOf(losses, 'losses', 'computeWeightedLoss'));
  return lift(weigh('computeWeightedLoss', value, weights, reduction));
}

/** |labels - predictions|. */
export function absoluteDifference(
  labels: Tensor | TensorLike,
  predictions: Tensor | TensorLike,
  weights?: Weights,
  reduction: Reduction = Reduction.SUM_BY_NONZERO_WEIGHTS,
): Tensor {
  const [a, b] = pair('absoluteDifference', labels, predictions);
  return lift(weigh('absoluteDifference', build.abs(build.sub(a, b)), weights, reduction));
}

/** 1 - sum(labels * predictions) along the axis, of vectors that have length 1. */
export function cosineDistance(
  labels: Tensor | TensorLike,
  predictions: Tensor | TensorLike,
  axis: number,
  weights?: Weights,
  reduction: Reduction = Reduction.SUM_BY_NONZERO_WEIGHTS,
): Tensor {
  const [a, b] = pair('cosineDistance', labels, predictions);
  const cosine = build.sum(build.mul(a, b), axisOf('cosineDistance', axis, a.shape.length), true);
  return lift(weigh('cosineDistance', build.offset(build.neg(cosine), 1), weights, reduction));
}

/** max(0, 1 - (2 labels - 1) predictions), for labels 0 and 1. */
export function hingeLoss(
  labels: Tensor | TensorLike,
  predictions: Tensor | TensorLike,
  weights?: Weights,
  reduction: Reduction = Reduction.SUM_BY_NONZERO_WEIGHTS,
): Tensor {
  const [a, b] = pair('hingeLoss', labels, predictions);
  const signs = build.offset(build.scale(a, 2), -1);
  return lift(weigh('hingeLoss', build.relu(build.offset(build.neg(build.mul(signs, b)), 1)), weights, reduction));
}

/** d^2 / 2 where d = |labels - predictions| is at most delta (1), else delta (d - delta / 2). */
export function huberLoss(
  labels: Tensor | TensorLike,
  predictions: Tensor | TensorLike,
  weights?: Weights,
  delta = 1,
  reduction: Reduction = Reduction.SUM_BY_NONZERO_WEIGHTS,
): Tensor {
  const [a, b] = pair('huberLoss', labels, predictions);
  const error = build.abs(build.sub(b, a));
  const quadratic = build.minimum(error, build.constantLike(error, delta));
  const linear = build.sub(error, quadratic);
  const losses = build.add(build.scale(build.square(quadratic), 0.5), build.scale(linear, delta));
  return lift(weigh('huberLoss', losses, weights, reduction));
}

/** -labels log(predictions + epsilon) - (1 - labels) log(1 - predictions + epsilon); epsilon is 1e-7. */
export function logLoss(
  labels: Tensor | TensorLike,
  predictions: Tensor | TensorLike,
  weights?: Weights,
  epsilon = 1e-7,
  reduction: Reduction = Reduction.SUM_BY_NONZERO_WEIGHTS,
): Tensor {
  const [a, b] = pair('logLoss', labels, predictions);
  const one = build.onesLike(a);
  const positive = build.mul(a, build.log(build.offset(b, epsilon)));
  const negative = build.mul(build.sub(one, a), build.log(build.offset(build.sub(one, b), epsilon)));
  return lift(weigh('logLoss', build.neg(build.add(positive, negative)), weights, reduction));
}

/** (labels - predictions)^2. */
export function meanSquaredError(
  labels: Tensor | TensorLike,
  predictions: Tensor | TensorLike,
  weights?: Weights,
  reduction: Reduction = Reduction.SUM_BY_NONZERO_WEIGHTS,
): Tensor {
  const [a, b] = pair('meanSquaredError', labels, predictions);
  return lift(weigh('meanSquaredError', build.squaredDifference(a, b), weights, reduction));
}

/** max(x, 0) - x z + log1p(e^-|x|) for logits x and labels z, elementwise; labelSmoothing moves labels toward 1/2. */
export function sigmoidCrossEntropy(
  multiClassLabels: Tensor | TensorLike,
  logits: Tensor | TensorLike,
  weights?: Weights,
  labelSmoothing = 0,
  reduction: Reduction = Reduction.SUM_BY_NONZERO_WEIGHTS,
): Tensor {
  const [labels, x] = pair('sigmoidCrossEntropy', multiClassLabels, logits, 'logits');
  const z = labelSmoothing > 0 ? build.offset(build.scale(labels, 1 - labelSmoothing), 0.5 * labelSmoothing) : labels;
  return lift(weigh('sigmoidCrossEntropy', composite.sigmoidCrossEntropyWithLogits(z, x), weights, reduction));
}

/** -sum(labels * log(softmax(logits))) over the last axis; labelSmoothing moves labels toward 1 / classes. */
export function softmaxCrossEntropy(
  onehotLabels: Tensor | TensorLike,
  logits: Tensor | TensorLike,
  weights?: Weights,
  labelSmoothing = 0,
  reduction: Reduction = Reduction.SUM_BY_NONZERO_WEIGHTS,
): Tensor {
  const [labels, x] = pair('softmaxCrossEntropy', onehotLabels, logits, 'logits');
  if (x.shape.length === 0) fail('softmaxCrossEntropy', 'logits must have rank 1 or more', 'got a scalar');
  const classes = x.shape[x.shape.length - 1];
  const z =
    labelSmoothing > 0 ? build.offset(build.scale(labels, 1 - labelSmoothing), labelSmoothing / classes) : labels;
  return lift(weigh('softmaxCrossEntropy', composite.softmaxCrossEntropyWithLogits(z, x), weights, reduction));
}

/** tf.losses. */
export const losses = {
  absoluteDifference,
  computeWeightedLoss,
  cosineDistance,
  hingeLoss,
  huberLoss,
  logLoss,
  meanSquaredError,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
} as const;
