/** Softmax, its logarithm, and batch normalization. */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as composite from '../../ops/composite.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { axisOf, lift, valueOf } from './lift.ts';

function along(op: string, logits: Tensor | TensorLike, dim: number, f: (x: Value, axis: number) => Value): Value {
  const value = valueOf(logits, 'logits', op);
  if (value.shape.length === 0) fail(op, 'the input must have rank 1 or more', 'got a scalar');
  return f(value, axisOf(op, dim, value.shape.length));
}

/** e^x over its sum along `dim` (the last). The largest element is subtracted first, so nothing overflows. */
export function softmax<T extends Tensor = Tensor>(logits: T | TensorLike, dim = -1): T {
  return lift<T>(along('softmax', logits, dim, composite.softmax));
}

/** log(softmax(x)) along `axis` (the last), without taking the logarithm of a rounded 0. */
export function logSoftmax<T extends Tensor = Tensor>(logits: T | TensorLike, axis = -1): T {
  return lift<T>(along('logSoftmax', logits, axis, composite.logSoftmax));
}

/** (x - mean) / sqrt(variance + varianceEpsilon) * scale + offset; all broadcast to x. varianceEpsilon is 0.001 by default. */
export function batchNorm<T extends Tensor = Tensor>(
  x: T | TensorLike,
  mean: Tensor | TensorLike,
  variance: Tensor | TensorLike,
  offset?: Tensor | TensorLike | null,
  scale?: Tensor | TensorLike | null,
  varianceEpsilon = 0.001,
): T {
  const optional = (y: Tensor | TensorLike | null | undefined, name: string) =>
    y === null || y === undefined ? null : valueOf(y, name, 'batchNorm');
  return lift<T>(
    composite.batchNorm(
      valueOf(x, 'x', 'batchNorm'),
      valueOf(mean, 'mean', 'batchNorm'),
      valueOf(variance, 'variance', 'batchNorm'),
      optional(offset, 'offset'),
      optional(scale, 'scale'),
      varianceEpsilon,
    ),
  );
}
