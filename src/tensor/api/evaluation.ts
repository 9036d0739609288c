/** Measures of predictions, and averages over time. */
import { fail } from '../../base/errors.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensor1D, Tensor2D, TensorLike } from '../types.ts';
import { lift, valueOf } from './lift.ts';

/**
 * How often an example of class i (row) was predicted as class j (column): int32 of shape [numClasses, numClasses]. Labels and
 * predictions are integers in [0, numClasses); pairs outside of it are not counted.
 */
export function confusionMatrix(
  labels: Tensor1D | TensorLike,
  predictions: Tensor1D | TensorLike,
  numClasses: number,
): Tensor2D {
  const op = 'confusionMatrix';
  if (!Number.isInteger(numClasses) || numClasses < 1)
    fail(op, 'numClasses must be a positive integer', `got ${numClasses}`);
  const [a, b] = [valueOf(labels, 'labels', op), valueOf(predictions, 'predictions', op)];
  if (a.shape.length !== 1 || !sameShape(a.shape, b.shape)) {
    const came = `got ${showShape(a.shape)} and ${showShape(b.shape)}`;
    fail(op, 'labels and predictions must have rank 1 and be equally long', came);
  }
  const [rows, columns] = [a, b].map((x) => composite.oneHot(x, numClasses, 1, 0, 'float32'));
  return lift(build.cast(build.matMul(rows, columns, true), 'int32'));
}

/**
 * v + (x - v) (1 - decay): an average of x over time, in which a value of n steps ago weighs decay^n. With zeroDebias (the default)
 * what is added is divided by 1 - decay^step, which makes up for a v that began at 0.
 */
export function movingAverage<T extends Tensor = Tensor>(
  v: T | TensorLike,
  x: T | TensorLike,
  decay: number | Tensor,
  step?: number | Tensor,
  zeroDebias = true,
): T {
  const op = 'movingAverage';
  const [old, now] = [valueOf(v, 'v', op), valueOf(x, 'x', op)];
  // A number beside float64 is one.
  const dtype = old.dtype === 'float64' ? old.dtype : undefined;
  const rate = valueOf(decay, 'decay', op, typeof decay === 'number' ? dtype : undefined);
  if (!sameShape(old.shape, now.shape) || old.dtype !== now.dtype) {
    const came = `got ${old.dtype}${showShape(old.shape)} and ${now.dtype}${showShape(now.shape)}`;
    fail(op, 'v and x must have one shape and one dtype', came);
  }
  const one = build.onesLike(rate);
  let update = build.mul(build.sub(now, old), build.sub(one, rate));
  if (zeroDebias) {
    if (step === undefined || step === null) fail(op, 'step must be given where zeroDebias is true', 'got none');
    update = build.div(
      update,
      build.sub(one, build.pow(rate, valueOf(step, 'step', op, typeof step === 'number' ? dtype : undefined))),
    );
  }
  return lift<T>(build.add(old, update));
}

/** tf.math. */
export const math = { confusionMatrix } as const;
