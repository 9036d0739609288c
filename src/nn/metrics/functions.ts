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
} from '../../tensor/index.ts';

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
