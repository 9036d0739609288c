/** Builders of running totals along an axis. */
import type { Value } from '../graph/graph.ts';
import { isFloat } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { apply1 } from './apply.ts';
import { constantLike, equal, iota, isNaN, logicalOr, select } from './build-elementwise.ts';
import { reshape } from './build-movement.ts';

type Fn = 'add' | 'mul' | 'max' | 'min';

/** A shape as [outer, n, inner] around an axis. */
export function around(shape: readonly number[], axis: number): [number, number, number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))];
}

/** Along the middle axis of [outer, n, inner]. */
export function cumulate(x: Value, fn: Fn, exclusive: boolean, reverse: boolean): Value {
  return apply1('cumulate', [x], { fn, exclusive, reverse });
}

/** Along any axis. */
export function cumulateAxis(x: Value, axis: number, fn: Fn, exclusive = false, reverse = false): Value {
  return reshape(cumulate(reshape(x, around(x.shape, axis)), fn, exclusive, reverse), x.shape);
}

/** h_i = a_i h_(i-1) + b_i along the middle axis of [outer, n, inner]. */
export function linearScan(a: Value, b: Value, reverse = false): Value {
  return apply1('linearScan', [a, b], { reverse });
}

/**
 * Where the running maximum or minimum stands, along the middle axis: the latest place with that value, int32; once there is
 * a NaN, the latest NaN.
 */
export function runningPlaces(x: Value, fn: 'max' | 'min', reverse: boolean): Value {
  const best = cumulate(x, fn, false, reverse);
  const hit = isFloat(x.dtype) ? logicalOr(equal(x, best), isNaN(x)) : equal(x, best);
  const place = iota(x.shape, 1);
  // Backwards the latest place is the smallest.
  const outside = constantLike(place, reverse ? x.shape[1] : -1);
  return cumulate(select(hit, place, outside), reverse ? 'min' : 'max', false, reverse);
}
