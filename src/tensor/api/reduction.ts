/**
 * Reductions. `axis` is a number, a list, or nothing for all axes; negative axes count from the last. Reduced axes are dropped,
 * or kept as 1 with `keepDims` (false by default).
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import type { Axes } from '../../ops/build.ts';
import * as complex from '../../ops/complex.ts';
import * as composite from '../../ops/composite.ts';
import { normalizeAxes } from '../../types/shape.ts';
import { eachPart, isComplex, joinParts, partsOf } from '../complex-tensor.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { axisOf, lift, narrowed, unary, valueOf, wideOf } from './lift.ts';
import { abs } from './math.ts';

function reduce<T extends Tensor>(
  op: string,
  x: Tensor | TensorLike,
  axis: Axes,
  keepDims: boolean,
  f: (x: Value, axes: Axes, keepDims: boolean) => Value,
): T {
  return unary<T>(op, x, (v) => f(v, normalizeAxes(op, axis, v.shape.length), keepDims));
}

/** The sum. int32 stays int32, bool becomes int32. */
export function sum<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis: Axes = null, keepDims = false): T {
  if (isComplex(x)) return eachPart<T>('sum', [x], ([part]) => [sum(part, axis, keepDims)])[0];
  return reduce<T>('sum', x, axis, keepDims, build.sum);
}

/** The mean: of floats in their dtype, else as float32; NaN of no elements. */
export function mean<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis: Axes = null, keepDims = false): T {
  if (isComplex(x)) return eachPart<T>('mean', [x], ([part]) => [mean(part, axis, keepDims)])[0];
  return reduce<T>('mean', x, axis, keepDims, build.mean);
}

/** The product. */
export function prod<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis: Axes = null, keepDims = false): T {
  if (isComplex(x)) {
    const z = partsOf(x, 'x', 'prod');
    return joinParts<T>(complex.prod(z, normalizeAxes('prod', axis, z.re.shape.length), keepDims));
  }
  return reduce<T>('prod', x, axis, keepDims, build.prod);
}

/** The largest element; its gradient is shared evenly among equals. */
export function max<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis: Axes = null, keepDims = false): T {
  return reduce<T>('max', x, axis, keepDims, build.max);
}

/** The smallest element. */
export function min<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis: Axes = null, keepDims = false): T {
  return reduce<T>('min', x, axis, keepDims, build.min);
}

/** Are all true? For bool tensors. */
export function all<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis: Axes = null, keepDims = false): T {
  return reduce<T>('all', x, axis, keepDims, build.all);
}

/** Is any true? For bool tensors. */
export function any<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis: Axes = null, keepDims = false): T {
  return reduce<T>('any', x, axis, keepDims, build.any);
}

/** log(sum(e^x)), computed without overflow. */
export function logSumExp<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis: Axes = null, keepDims = false): T {
  return reduce<T>('logSumExp', x, axis, keepDims, (v, axes, keep) => composite.logSumExp(v, axes as number[], keep));
}

function search<T extends Tensor>(
  op: string,
  x: Tensor | TensorLike,
  axis: number,
  f: (x: Value, axis: number) => Value,
): T {
  const value = valueOf(x, 'x', op);
  if (value.shape.length === 0) fail(op, 'the input must have rank 1 or more', 'got a scalar', 'reshape it to [1]');
  return lift<T>(f(value, axisOf(op, axis, value.shape.length)));
}

/** Index of the largest element along the axis (0 by default), the first of equals; int32. */
export function argMax<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis = 0): T {
  return search<T>('argMax', x, axis, build.argMax);
}

/** Index of the smallest element along the axis (0 by default), the first of equals; int32. */
export function argMin<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis = 0): T {
  return search<T>('argMin', x, axis, build.argMin);
}

/** Mean and variance (of the population) along the axes. */
export function moments(
  x: Tensor | TensorLike,
  axis: Axes = null,
  keepDims = false,
): { mean: Tensor; variance: Tensor } {
  const value = wideOf(x, 'x', 'moments');
  const { mean: center, variance } = composite.moments(
    value,
    normalizeAxes('moments', axis, value.shape.length),
    keepDims,
  );
  return { mean: lift(narrowed(center, x)), variance: lift(narrowed(variance, x)) };
}

/**
 * A norm: ord 'euclidean' (default; for two axes 'fro' too), a number p for (sum |x|^p)^(1/p), Infinity, -Infinity. Over two
 * axes that are named, 1 and Infinity are the largest column and row sums of |x|.
 */
export function norm<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  ord: number | 'euclidean' | 'fro' = 'euclidean',
  axis: number | readonly number[] | null = null,
  keepDims = false,
): T {
  if (isComplex(x)) return norm<T>(abs(x), ord, axis, keepDims);
  const value = wideOf(x, 'x', 'norm');
  const axes = normalizeAxes('norm', axis, value.shape.length);
  const isMatrix = axes.length === 2 && axis !== null;
  if (ord === 'euclidean' || ord === 'fro') return lift<T>(narrowed(composite.norm(value, 2, axes, keepDims), x));
  if (typeof ord !== 'number') fail('norm', "ord must be a number, 'euclidean' or 'fro'", `got ${String(ord)}`);
  if (!isMatrix) return lift<T>(narrowed(composite.norm(value, ord, axes, keepDims), x));
  if (Math.abs(ord) !== 1 && Math.abs(ord) !== Infinity) {
    fail('norm', "the norm of a matrix must be 1, -1, Infinity, -Infinity, 'euclidean' or 'fro'", `got ${ord}`);
  }
  const [rows, columns] = axes;
  const sums = build.sum(build.abs(value), Math.abs(ord) === 1 ? rows : columns, true);
  const best = ord > 0 ? build.max(sums, axes, keepDims) : build.min(sums, axes, keepDims);
  return lift<T>(narrowed(best, x));
}

/** sqrt(sum(x^2)) along the axes. */
export function euclideanNorm<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  axis: number | readonly number[] | null = null,
  keepDims = false,
): T {
  return norm<T>(x, 'euclidean', axis, keepDims);
}
