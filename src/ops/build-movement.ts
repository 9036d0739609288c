/** Builders of ops that move elements: views, reshapes, pieces, gather. */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { promote } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { sameShape } from '../types/shape.ts';
import { apply1 } from './apply.ts';
import { cast } from './build-elementwise.ts';
import { sum } from './build-reduce.ts';

export function identity(x: Value): Value {
  return apply1('identity', [x]);
}

export function stopGradient(x: Value): Value {
  return apply1('stopGradient', [x]);
}

/** x, to be read only once `others` are computed. Common subexpressions on either side stay apart. */
export function after(x: Value, others: readonly Value[]): Value {
  return others.length === 0 ? x : apply1('after', [x, ...others]);
}

export function reshape(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : apply1('reshape', [x], { shape });
}

export function broadcastTo(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : apply1('broadcastTo', [x], { shape });
}

/** The gradient of broadcastTo: sums over the axes along which `shape` was repeated. */
export function sumTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((extent, axis) =>
    axis < lead || (shape[axis - lead] === 1 && extent !== 1) ? [axis] : [],
  );
  return reshape(axes.length > 0 ? sum(x, axes) : x, shape);
}

/** The gradient of a sum over `axes`: what was reduced is repeated to `shape`. */
export function spreadOver(x: Value, axes: readonly number[], shape: Shape): Value {
  const kept = shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  return broadcastTo(reshape(x, kept), shape);
}

export function transpose(x: Value, perm: readonly number[]): Value {
  return perm.every((axis, i) => axis === i) && perm.length === x.shape.length ? x : apply1('transpose', [x], { perm });
}

/** begin and size for each axis; stride 1 unless given. */
export function slice(x: Value, begin: readonly number[], size: readonly number[], strides?: readonly number[]): Value {
  const steps = strides ?? x.shape.map(() => 1);
  if (sameShape(x.shape, size) && begin.every((b) => b === 0) && steps.every((s) => s === 1)) return x;
  return apply1('slice', [x], { begin, size, strides: steps });
}

export function reverse(x: Value, axes: readonly number[]): Value {
  return axes.length === 0 ? x : apply1('reverse', [x], { axes });
}

export function pad(x: Value, paddings: readonly (readonly [number, number])[], value = 0): Value {
  if (paddings.length === x.shape.length && paddings.every(([before, after]) => before === 0 && after === 0)) return x;
  return apply1('pad', [x], { paddings, value });
}

/** Inputs are promoted to one dtype. */
export function concat(values: readonly Value[], axis: number): Value {
  if (values.length === 0) fail('concat', 'at least one tensor must be given', 'got none');
  if (values.length === 1) return values[0];
  const dtype = values.reduce<DType>((a, v) => promote(a, v.dtype), 'bool');
  return apply1(
    'concat',
    values.map((v) => cast(v, dtype)),
    { axis },
  );
}

/** Puts strides[axis] - 1 zeros between neighbours. */
export function dilate(x: Value, strides: readonly number[]): Value {
  if (strides.every((s) => s === 1)) return x;
  const apart = x.shape.flatMap((extent) => [extent, 1]);
  const padded = pad(
    reshape(x, apart),
    apart.map((_, i) => [0, i % 2 === 0 ? 0 : strides[(i - 1) / 2] - 1] as const),
  );
  const joined = reshape(
    padded,
    x.shape.map((extent, axis) => extent * strides[axis]),
  );
  const size = x.shape.map((extent, axis) => Math.max(0, (extent - 1) * strides[axis] + 1));
  return slice(
    joined,
    size.map(() => 0),
    size,
  );
}
