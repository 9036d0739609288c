/** Running totals along an axis. Shapes stay; gradients of any order, right also where a product has zeros. */
import type { Value } from '../../graph/graph.ts';
import * as composite from '../../ops/composite.ts';
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { axisOf, computed, lift, valueOf } from './lift.ts';

/** The value and the axis counted from the front. */
function along(op: string, x: Tensor | TensorLike, axis: number): { value: Value; at: number } {
  const value = valueOf(x, 'x', op);
  if (value.shape.length === 0) fail(op, 'the input must have rank 1 or more', 'got a scalar', 'reshape it to [1]');
  return { value, at: axisOf(op, axis, value.shape.length) };
}

/**
 * y_i = x_0 + ... + x_i along `axis` (0). `exclusive`: without x_i itself, so it begins with 0. `reverse`: from the last element
 * backwards. float32 or int32; bool counts as int32.
 */
export function cumsum<T extends Tensor = Tensor>(x: T | TensorLike, axis = 0, exclusive = false, reverse = false): T {
  const { value, at } = along('cumsum', x, axis);
  return lift<T>(composite.cumsum(value, at, exclusive, reverse));
}

/** y_i = x_0 * ... * x_i along `axis` (0); `exclusive` and `reverse` as for cumsum. */
export function cumprod<T extends Tensor = Tensor>(x: T | TensorLike, axis = 0, exclusive = false, reverse = false): T {
  const { value, at } = along('cumprod', x, axis);
  return lift<T>(composite.cumprod(value, at, exclusive, reverse));
}

function extremum<T extends Tensor>(op: string, x: T | TensorLike, axis: number, fn: 'max' | 'min', reverse: boolean) {
  const { value, at } = along(op, x, axis);
  const { values, indices } = composite.cumulativeExtremum(value, at, fn, reverse);
  return { values: lift<T>(values), indices: lift(indices) };
}

/**
 * The largest element so far along `axis` (0), and where it stands (int32): the latest of equal ones, as torch.cummax. From the
 * first NaN on the values are NaN. The gradient goes to the places.
 */
export function cummax<T extends Tensor = Tensor>(
  x: T | TensorLike,
  axis = 0,
  reverse = false,
): { values: T; indices: Tensor } {
  return extremum<T>('cummax', x, axis, 'max', reverse);
}

/** The smallest element so far along `axis` (0), and where it stands; see cummax. */
export function cummin<T extends Tensor = Tensor>(
  x: T | TensorLike,
  axis = 0,
  reverse = false,
): { values: T; indices: Tensor } {
  return extremum<T>('cummin', x, axis, 'min', reverse);
}

/**
 * y_i = log(e^x_0 + ... + e^x_i) along `axis` (0), computed relative to the largest so far, so that it neither overflows nor loses
 * small beginnings; `exclusive` begins with -Infinity. float32.
 */
export function logCumsumExp<T extends Tensor = Tensor>(
  x: T | TensorLike,
  axis = 0,
  exclusive = false,
  reverse = false,
): T {
  const { value, at } = along('logCumsumExp', x, axis);
  return lift<T>(computed([value], (real) => composite.logCumsumExp(real, at, exclusive, reverse)));
}
