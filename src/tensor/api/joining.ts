/** Slicing and joining. Axes may be negative: they count from the last. */
import { fail } from '../../base/errors.ts';
import * as build from '../../ops/build.ts';
import { normalizeAxes, sameShape, showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { axisOf, lift, movedStringLists, movedStrings, placesOf, valueOf, valuesOf } from './lift.ts';

/** The tensors one after the other along `axis` (0); their other extents must agree. */
export function concat<T extends Tensor = Tensor>(tensors: readonly (Tensor | TensorLike)[], axis = 0): T {
  const strings = movedStringLists<T>('concat', tensors, (positions) => [concat(positions, axis)]);
  if (strings) return strings[0];
  const values = valuesOf(tensors, 'tensors', 'concat');
  return lift<T>(build.concat(values, axisOf('concat', axis, values[0].shape.length)));
}

/** Tensors of one shape along a new axis (0). */
export function stack<T extends Tensor = Tensor>(tensors: readonly (Tensor | TensorLike)[], axis = 0): T {
  const strings = movedStringLists<T>('stack', tensors, (positions) => [stack(positions, axis)]);
  if (strings) return strings[0];
  const values = valuesOf(tensors, 'tensors', 'stack');
  const [{ shape }] = values;
  const at = axisOf('stack', axis, shape.length + 1);
  const wrong = values.find((value) => !sameShape(value.shape, shape));
  if (wrong) fail('stack', 'all tensors must have one shape', `got ${showShape(shape)} and ${showShape(wrong.shape)}`);
  const rows = values.map((value) => build.reshape(value, shape.toSpliced(at, 0, 1)));
  return lift<T>(build.concat(rows, at));
}

/** The slices along `axis` (0), which is dropped. */
export function unstack(x: Tensor | TensorLike, axis = 0): Tensor[] {
  const strings = movedStringLists('unstack', [x], ([positions]) => unstack(positions, axis));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'unstack');
  const at = axisOf('unstack', axis, value.shape.length);
  return Array.from({ length: value.shape[at] }, (_, i) => {
    const begin = value.shape.map(() => 0).with(at, i);
    return lift(build.reshape(build.slice(value, begin, value.shape.with(at, 1)), value.shape.toSpliced(at, 1)));
  });
}

/** Parts along `axis` (0): a number of equal ones, or their extents, of which one may be -1. */
export function split<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  numOrSizeSplits: number | readonly number[],
  axis = 0,
): T[] {
  const strings = movedStringLists<T>('split', [x], ([positions]) => split(positions, numOrSizeSplits, axis));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'split');
  const at = axisOf('split', axis, value.shape.length);
  const extent = value.shape[at];
  let sizes: readonly number[];
  if (typeof numOrSizeSplits === 'number') {
    if (!Number.isInteger(numOrSizeSplits) || numOrSizeSplits < 1 || extent % numOrSizeSplits !== 0) {
      fail('split', 'the number of parts must divide the axis', `got ${numOrSizeSplits} for an extent of ${extent}`);
    }
    sizes = new Array<number>(numOrSizeSplits).fill(extent / numOrSizeSplits);
  } else {
    const rest = extent - numOrSizeSplits.reduce((sum, size) => sum + Math.max(0, size), 0);
    sizes = numOrSizeSplits.map((size) => (size === -1 ? rest : size));
    if (
      sizes.reduce((sum, size) => sum + size, 0) !== extent ||
      numOrSizeSplits.filter((size) => size === -1).length > 1
    ) {
      fail('split', 'the parts must add up to the axis', `got [${numOrSizeSplits}] for an extent of ${extent}`);
    }
  }
  let from = 0;
  return sizes.map((size) => {
    const part = build.slice(value, value.shape.map(() => 0).with(at, from), value.shape.with(at, size));
    from += size;
    return lift<T>(part);
  });
}

/** `size` elements from `begin` on each axis; what is left out of size, or -1, means up to the end. */
export function slice<T extends Tensor = Tensor>(
  x: T | TensorLike,
  begin: number | readonly number[],
  size?: number | readonly number[],
): T {
  const strings = movedStrings<T>('slice', x, (positions) => slice(positions, begin, size));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'slice');
  const rank = value.shape.length;
  if (rank === 0) fail('slice', 'the input must have rank 1 or more', 'got a scalar');
  const given = typeof begin === 'number' ? [begin] : begin;
  const from = value.shape.map((_, axis) => given[axis] ?? 0);
  const sizes = size === undefined ? [] : typeof size === 'number' ? [size] : size;
  const extents = value.shape.map((extent, axis) => ((sizes[axis] ?? -1) === -1 ? extent - from[axis] : sizes[axis]));
  if (
    given.length > rank ||
    sizes.length > rank ||
    from.some((b, axis) => b < 0 || extents[axis] < 0 || b + extents[axis] > value.shape[axis])
  ) {
    fail('slice', `the slice must lie inside ${showShape(value.shape)}`, `got begin [${given}] and size [${sizes}]`);
  }
  return lift<T>(build.slice(value, from, extents));
}

/**
 * Slices of x along `axis` (0) at int32 `indices`: shape x[..axis] + indices + x[axis + 1..]. With batchDims the first axes of
 * both are gone through together. An index outside of the axis is an error when the value is read.
 */
export function gather<T extends Tensor = Tensor>(
  x: T | TensorLike,
  indices: Tensor | TensorLike,
  axis = 0,
  batchDims = 0,
): T {
  const strings = movedStrings<T>('gather', x, (positions) => gather(positions, indices, axis, batchDims));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'gather');
  const places = placesOf(indices, 'indices', 'gather');
  const batch = batchDims < 0 ? batchDims + places.shape.length : batchDims;
  return lift<T>(build.gather(value, places, axisOf('gather', axis, value.shape.length), batch));
}

/** Backwards along the axes; all of them by default. */
export function reverse<T extends Tensor = Tensor>(x: T | TensorLike, axis?: number | readonly number[] | null): T {
  const strings = movedStrings<T>('reverse', x, (positions) => reverse(positions, axis));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'reverse');
  return lift<T>(build.reverse(value, normalizeAxes('reverse', axis, value.shape.length)));
}

/** The whole repeated reps[i] times along axis i. */
export function tile<T extends Tensor = Tensor>(x: T | TensorLike, reps: readonly number[]): T {
  const strings = movedStrings<T>('tile', x, (positions) => tile(positions, reps));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'tile');
  const { shape } = value;
  if (reps.length !== shape.length || reps.some((n) => !Number.isInteger(n) || n < 0)) {
    fail('tile', `reps must hold ${shape.length} non-negative integers`, `got [${reps}]`);
  }
  const apart = build.reshape(
    value,
    shape.flatMap((extent) => [1, extent]),
  );
  const spread = build.broadcastTo(
    apart,
    shape.flatMap((extent, axis) => [reps[axis], extent]),
  );
  return lift<T>(
    build.reshape(
      spread,
      shape.map((extent, axis) => extent * reps[axis]),
    ),
  );
}
