/** Another shape or dtype for the same elements. */
import { fail } from '../../base/errors.ts';
import * as build from '../../ops/build.ts';
import { checkDType } from '../../types/dtype.ts';
import { checkShape, normalizeAxes, showShape, sizeOf } from '../../types/shape.ts';
import { toStrings } from '../convert.ts';
import { isComplex, joinParts, partsOf } from '../complex-tensor.ts';
import type { Tensor } from '../tensor.ts';
import type { DataType, Rank, ShapeMap, Tensor1D, TensorLike } from '../types.ts';
import { real } from './complex.ts';
import { clone } from './creation.ts';
import { lift, movedStrings, valueOf } from './lift.ts';

/** The same elements in the same order, in another shape; one extent may be -1 and is worked out. */
export function reshape<R extends Rank = Rank>(x: Tensor | TensorLike, shape: ShapeMap[R]): Tensor<R> {
  const strings = movedStrings<Tensor<R>>('reshape', x, (positions) => reshape<R>(positions, shape));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'reshape');
  const target: number[] = [...shape];
  const open = target.indexOf(-1);
  if (open >= 0) {
    const known = target.reduce((product, extent, axis) => (axis === open ? product : product * extent), 1);
    const rest = known === 0 ? 0 : sizeOf(value.shape) / known;
    if (target.indexOf(-1, open + 1) >= 0) fail('reshape', 'only one extent may be -1', `got ${showShape(target)}`);
    if (!Number.isInteger(rest)) {
      fail('reshape', 'the number of elements must stay', `${showShape(value.shape)} to ${showShape(target)}`);
    }
    target[open] = rest;
  }
  checkShape('reshape', target);
  return lift<Tensor<R>>(build.reshape(value, target));
}

/** All elements as a tensor of rank 1. */
export function flatten(x: Tensor | TensorLike): Tensor1D {
  const strings = movedStrings<Tensor1D>('flatten', x, flatten);
  if (strings) return strings;
  const value = valueOf(x, 'x', 'flatten');
  return lift(build.reshape(value, [sizeOf(value.shape)]));
}

/** A new axis of extent 1 before `axis` (0 by default; -1 is after the last). */
export function expandDims<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis = 0): T {
  const strings = movedStrings<T>('expandDims', x, (positions) => expandDims(positions, axis));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'expandDims');
  const rank = value.shape.length;
  if (!Number.isInteger(axis) || axis < -rank - 1 || axis > rank) {
    fail('expandDims', `axis must be an integer in [${-rank - 1}, ${rank}]`, `got ${axis}`);
  }
  return lift<T>(build.reshape(value, value.shape.toSpliced(axis < 0 ? axis + rank + 1 : axis, 0, 1)));
}

/** Drops axes of extent 1: all of them, or those named. */
export function squeeze<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  axis?: readonly number[] | number | null,
): T {
  const strings = movedStrings<T>('squeeze', x, (positions) => squeeze(positions, axis));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'squeeze');
  const axes = normalizeAxes('squeeze', axis, value.shape.length);
  const named = axis !== undefined && axis !== null;
  for (const i of named ? axes : []) {
    if (value.shape[i] !== 1)
      fail('squeeze', 'only axes of extent 1 can be dropped', `axis ${i} of ${showShape(value.shape)}`);
  }
  return lift<T>(
    build.reshape(
      value,
      value.shape.filter((extent, i) => extent !== 1 || !axes.includes(i)),
    ),
  );
}

/** Another dtype: to int32 toward zero, to bool by x != 0; of complex64 the real part. */
export function cast<T extends Tensor = Tensor>(x: Tensor | TensorLike, dtype: DataType): T {
  const strings = dtype === 'string' ? toStrings(x, 'cast') : null;
  if (strings) return strings.clone() as Tensor as T;
  if (dtype === 'complex64') return isComplex(x) ? clone(x as T) : joinParts<T>(partsOf(x, 'x', 'cast'));
  if (isComplex(x)) return cast<T>(real(x), dtype);
  return lift<T>(build.cast(valueOf(x, 'x', 'cast'), checkDType('cast', dtype)));
}

/** Repeated along axes of extent 1 and along new leading axes. */
export function broadcastTo<R extends Rank = Rank>(x: Tensor | TensorLike, shape: ShapeMap[R]): Tensor<R> {
  const strings = movedStrings<Tensor<R>>('broadcastTo', x, (positions) => broadcastTo<R>(positions, shape));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'broadcastTo');
  return lift<Tensor<R>>(build.broadcastTo(value, [...shape]));
}

/** x itself, after a check that its shape is the expected one; null extents may be anything. */
export function ensureShape<T extends Tensor = Tensor>(x: T | TensorLike, shape: readonly (number | null)[]): T {
  const strings = movedStrings<T>('ensureShape', x, (positions) => ensureShape(positions, shape));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'ensureShape');
  if (value.shape.length !== shape.length || shape.some((extent, i) => extent !== null && extent !== value.shape[i])) {
    fail('ensureShape', `the shape must be [${shape.map((extent) => extent ?? '?')}]`, `got ${showShape(value.shape)}`);
  }
  return lift<T>(value);
}

/** A border of `constantValue` (0): paddings has a pair [before, after] for each axis. */
export function pad<T extends Tensor = Tensor>(
  x: T | TensorLike,
  paddings: readonly (readonly [number, number])[],
  constantValue = 0,
): T {
  if (isComplex(x)) {
    const { re, im } = partsOf(x, 'x', 'pad');
    return joinParts<T>({ re: build.pad(re, paddings, constantValue), im: im && build.pad(im, paddings) });
  }
  return lift<T>(build.pad(valueOf(x, 'x', 'pad'), paddings, constantValue));
}

/** A border that mirrors the inside; 'reflect' leaves the edge itself out, 'symmetric' repeats it. */
export function mirrorPad<T extends Tensor = Tensor>(
  x: T | TensorLike,
  paddings: readonly (readonly [number, number])[],
  mode: 'reflect' | 'symmetric',
): T {
  const moved = movedStrings<T>('mirrorPad', x, (positions) => mirrorPad(positions, paddings, mode));
  if (moved) return moved;
  let value = valueOf(x, 'x', 'mirrorPad');
  if (mode !== 'reflect' && mode !== 'symmetric') {
    fail('mirrorPad', "mode must be 'reflect' or 'symmetric'", `got ${JSON.stringify(mode)}`);
  }
  if (paddings.length !== value.shape.length)
    fail('mirrorPad', 'there must be one pair for each axis', `got ${paddings.length}`);
  const skip = mode === 'reflect' ? 1 : 0;
  for (const [axis, [before, after]] of paddings.entries()) {
    const extent = value.shape[axis];
    if (Math.min(before, after) < 0 || Math.max(before, after) > extent - skip) {
      fail('mirrorPad', `padding must be in [0, ${extent - skip}] on axis ${axis}`, `got ${before} and ${after}`);
    }
    const mirrored = (from: number, count: number) => {
      const part = build.slice(value, value.shape.map(() => 0).with(axis, from), value.shape.with(axis, count));
      return build.reverse(part, [axis]);
    };
    const parts = [value];
    if (before > 0) parts.unshift(mirrored(skip, before));
    if (after > 0) parts.push(mirrored(extent - skip - after, after));
    value = build.concat(parts, axis);
  }
  return lift<T>(value);
}

/** x itself, through which no gradient flows: it counts as a constant. */
export function stopGradient<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return lift<T>(build.stopGradient(valueOf(x, 'x', 'stopGradient')));
}
