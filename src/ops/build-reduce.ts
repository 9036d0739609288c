/** Builders of reductions and searches. Axes are any subset, in any order; negative ones count from the last. */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { normalizeAxes } from '../types/shape.ts';
import { apply1 } from './apply.ts';
import { cast, constantLike, div } from './build-elementwise.ts';
import { reshape } from './build-movement.ts';
import { isFloat } from '../types/dtype.ts';
import { computed } from './widen.ts';

export type Axes = number | readonly number[] | null | undefined;

function reduce(kind: string, op: string, x: Value, axes: Axes, keepDims: boolean): Value {
  const list = normalizeAxes(op, axes, x.shape.length);
  const dropped = list.length === 0 ? x : apply1(kind, [x], { axes: list });
  return keepDims
    ? reshape(
        dropped,
        x.shape.map((extent, axis) => (list.includes(axis) ? 1 : extent)),
      )
    : dropped;
}

/** bool counts as int32. */
function summable(x: Value): Value {
  return x.dtype === 'bool' ? cast(x, 'int32') : x;
}

export function sum(x: Value, axes?: Axes, keepDims = false): Value {
  return reduce('sum', 'sum', summable(x), axes, keepDims);
}
export function prod(x: Value, axes?: Axes, keepDims = false): Value {
  return reduce('prod', 'prod', summable(x), axes, keepDims);
}
export function max(x: Value, axes?: Axes, keepDims = false): Value {
  return reduce('max', 'max', summable(x), axes, keepDims);
}
export function min(x: Value, axes?: Axes, keepDims = false): Value {
  return reduce('min', 'min', summable(x), axes, keepDims);
}

function expectBool(op: string, x: Value): void {
  if (x.dtype !== 'bool') fail(op, 'the input must be bool', `got ${x.dtype}`, "compare first, or cast to 'bool'");
}

export function all(x: Value, axes?: Axes, keepDims = false): Value {
  expectBool('all', x);
  return reduce('min', 'all', x, axes, keepDims);
}
export function any(x: Value, axes?: Axes, keepDims = false): Value {
  expectBool('any', x);
  return reduce('max', 'any', x, axes, keepDims);
}

/** Of floats in their dtype, else float32; of nothing NaN. */
export function mean(x: Value, axes?: Axes, keepDims = false): Value {
  const list = normalizeAxes('mean', axes, x.shape.length);
  const count = list.reduce((n, axis) => n * x.shape[axis], 1);
  return computed([isFloat(x.dtype) ? x : cast(x, 'float32')], cast, (real) => {
    const total = sum(real, list, keepDims);
    return count === 1 ? total : div(total, constantLike(total, count));
  });
}

export function argMax(x: Value, axis: number): Value {
  return apply1('argMax', [summable(x)], { axis });
}
export function argMin(x: Value, axis: number): Value {
  return apply1('argMin', [summable(x)], { axis });
}
