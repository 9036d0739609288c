/**
 * Reading and writing at places that come from data. Indices are int32; one outside of its axis is an error when a value is
 * read, and names the function, the index and the bound. Results whose shape depends on data (whereAsync, booleanMask) read it
 * first, so they cannot stand in a jit or a Graph.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import type { Shape } from '../../types/shape.ts';
import { checkShape, sameShape, showShape, sizeOf, stridesOf } from '../../types/shape.ts';
import { makeTensor, toStrings } from '../convert.ts';
import type { Tensor } from '../tensor.ts';
import { wrap } from '../tensor.ts';
import type { Tensor2D, TensorLike } from '../types.ts';
import { axisOf, lift, movedStrings, placesOf, valueOf, movedStringLists } from './lift.ts';

type Input = Tensor | TensorLike;

function indicesOf(op: string, indices: Input, name = 'indices'): Value {
  return placesOf(indices, name, op);
}

/** Coordinates with their depth in the last axis; a list of numbers is a list of coordinates of one number. */
function coordinates(op: string, indices: Input): Value {
  const value = indicesOf(op, indices);
  if (value.shape.length === 0) fail(op, 'indices must have rank 1 or more', 'got a scalar');
  return value;
}

/** x[indices[..., 0], indices[..., 1], ...]: of shape indices.shape[..-1] + x.shape[depth..], where depth is the last extent. */
export function gatherND<T extends Tensor = Tensor>(x: T | TensorLike, indices: Input): T {
  const strings = movedStrings<T>('gatherND', x, (positions) => gatherND(positions, indices));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'gatherND');
  const places = coordinates('gatherND', indices);
  const depth = places.shape[places.shape.length - 1];
  if (depth > value.shape.length) {
    fail(
      'gatherND',
      'the last axis of indices must not be longer than the rank of x',
      `got ${showShape(places.shape)} for x of shape ${showShape(value.shape)}`,
    );
  }
  return lift<T>(composite.gatherND(value, places));
}

/** Checked arguments of a scatter by coordinates: updates.shape must be indices.shape[..-1] + shape[depth..]. */
function scattering(op: string, indices: Input, updates: Input, shape: Shape): { places: Value; what: Value } {
  checkShape(op, shape);
  const given = coordinates(op, indices);
  const what = valueOf(updates, 'updates', op);
  const places = given.shape.length === 1 ? build.reshape(given, [given.shape[0], 1]) : given;
  const depth = places.shape[places.shape.length - 1];
  const wanted = [...places.shape.slice(0, -1), ...shape.slice(depth)];
  if (depth > shape.length || !sameShape(wanted, what.shape)) {
    fail(
      op,
      'updates.shape must be indices.shape[..-1] + shape[depth..], where depth is the last extent of indices',
      `got updates ${showShape(what.shape)}, indices ${showShape(given.shape)}, shape ${showShape(shape)}`,
    );
  }
  return { places, what };
}

/**
 * A tensor of `shape` with `updates` at coordinates `indices` and 0 elsewhere. Where several stand at one place they are combined
 * by `mode`: 'add' (as TensorFlow.js), 'update' (the last one), 'max', 'min', 'mul'.
 */
export function scatterND<T extends Tensor = Tensor>(
  indices: Input,
  updates: Input,
  shape: readonly number[],
  mode: composite.ScatterMode = 'add',
): T {
  const { places, what } = scattering('scatterND', indices, updates, shape);
  const modes: readonly string[] = ['add', 'update', 'max', 'min', 'mul'];
  if (!modes.includes(mode)) fail('scatterND', `mode must be one of ${modes.join(', ')}`, `got ${String(mode)}`);
  return lift<T>(composite.scatterND(places, what, shape, mode));
}

function tensorScatter<T extends Tensor>(
  op: string,
  x: Input,
  indices: Input,
  updates: Input,
  mode: composite.ScatterMode,
) {
  const value = valueOf(x, 'tensor', op);
  const { places, what } = scattering(op, indices, updates, value.shape);
  if (what.dtype !== value.dtype) {
    fail(op, 'tensor and updates must have one dtype', `got ${value.dtype} and ${what.dtype}`, 'cast one of them');
  }
  return lift<T>(composite.tensorScatter(value, places, what, mode, op));
}

/** A copy of `tensor` with `updates` at coordinates `indices`; of several at one place the last one stays. */
export function tensorScatterUpdate<T extends Tensor = Tensor>(
  tensor: T | TensorLike,
  indices: Input,
  updates: Input,
): T {
  return tensorScatter<T>('tensorScatterUpdate', tensor, indices, updates, 'update');
}
/** A copy of `tensor` to which `updates` are added at coordinates `indices`. */
export function tensorScatterAdd<T extends Tensor = Tensor>(tensor: T | TensorLike, indices: Input, updates: Input): T {
  return tensorScatter<T>('tensorScatterAdd', tensor, indices, updates, 'add');
}
/** A copy of `tensor` from which `updates` are subtracted at coordinates `indices`. */
export function tensorScatterSub<T extends Tensor = Tensor>(tensor: T | TensorLike, indices: Input, updates: Input): T {
  const negated = build.neg(valueOf(updates, 'updates', 'tensorScatterSub'));
  return tensorScatter<T>('tensorScatterSub', tensor, indices, wrap(negated), 'add');
}
/** A copy of `tensor` with the larger of what is there and `updates` at coordinates `indices`. */
export function tensorScatterMax<T extends Tensor = Tensor>(tensor: T | TensorLike, indices: Input, updates: Input): T {
  return tensorScatter<T>('tensorScatterMax', tensor, indices, updates, 'max');
}
/** A copy of `tensor` with the smaller of what is there and `updates` at coordinates `indices`. */
export function tensorScatterMin<T extends Tensor = Tensor>(tensor: T | TensorLike, indices: Input, updates: Input): T {
  return tensorScatter<T>('tensorScatterMin', tensor, indices, updates, 'min');
}
/** A copy of `tensor` that is multiplied by `updates` at coordinates `indices`. */
export function tensorScatterMul<T extends Tensor = Tensor>(tensor: T | TensorLike, indices: Input, updates: Input): T {
  return tensorScatter<T>('tensorScatterMul', tensor, indices, updates, 'mul');
}

/** A tensor of `outputShape` with `sparseValues` at `sparseIndices` ([n, rank], or [n] or a number for rank 1), else defaultValue. */
export function sparseToDense<T extends Tensor = Tensor>(
  sparseIndices: Input,
  sparseValues: Input,
  outputShape: readonly number[],
  defaultValue: Input | number = 0,
): T {
  const otherwise = defaultValue === 0 && toStrings(sparseValues, 'sparseToDense') ? '' : defaultValue;
  const strings = movedStringLists<T>('sparseToDense', [sparseValues, otherwise], ([values, filler]) => [
    sparseToDense(sparseIndices, values, outputShape, filler),
  ]);
  if (strings) return strings[0];
  checkShape('sparseToDense', outputShape);
  const given = indicesOf('sparseToDense', sparseIndices, 'sparseIndices');
  const values = valueOf(sparseValues, 'sparseValues', 'sparseToDense');
  if (given.shape.length > 2) {
    fail('sparseToDense', 'sparseIndices must have rank 2 at most', `got shape ${showShape(given.shape)}`);
  }
  const count = given.shape[0] ?? 1;
  const depth = given.shape.length === 2 ? given.shape[1] : 1;
  if (depth !== outputShape.length) {
    fail('sparseToDense', `there must be ${outputShape.length} coordinates for each value`, `got ${depth}`);
  }
  if (values.shape.length > 1 || (values.shape.length === 1 && values.shape[0] !== count)) {
    fail(
      'sparseToDense',
      `sparseValues must be a scalar or a list of ${count}`,
      `got shape ${showShape(values.shape)}`,
    );
  }
  const base = build.cast(valueOf(defaultValue as Input, 'defaultValue', 'sparseToDense'), values.dtype);
  if (base.shape.length > 0) {
    fail('sparseToDense', 'defaultValue must be a scalar', `got shape ${showShape(base.shape)}`);
  }
  const list = build.broadcastTo(values, [count]);
  const full = build.broadcastTo(base, outputShape);
  const places = build.reshape(given, [count, depth]);
  return lift<T>(composite.tensorScatter(full, places, list, 'update', 'sparseToDense'));
}

/** Arguments of takeAlongAxis and putAlongAxis: indices broadcast to x on all other axes. */
function alongAxis(op: string, x: Value, indices: Value, axis: number): { at: number; shape: number[] } {
  const rank = x.shape.length;
  const at = axisOf(op, axis, rank);
  const fits =
    indices.shape.length === rank &&
    indices.shape.every((extent, a) => a === at || extent === x.shape[a] || extent === 1);
  if (!fits) {
    fail(
      op,
      'indices must have the rank of x and its extents (or 1) on the other axes',
      `got ${showShape(indices.shape)} for x of shape ${showShape(x.shape)} and axis ${at}`,
    );
  }
  return { at, shape: x.shape.with(at, indices.shape[at]) };
}

/** y[i, j, ...] = x[i, indices[i, j, ...], ...] along `axis` (-1), as numpy.take_along_axis: argsort's places give sort's values. */
export function takeAlongAxis<T extends Tensor = Tensor>(x: T | TensorLike, indices: Input, axis = -1): T {
  const strings = movedStrings<T>('takeAlongAxis', x, (positions) => takeAlongAxis(positions, indices, axis));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'takeAlongAxis');
  const places = indicesOf('takeAlongAxis', indices);
  const { at, shape } = alongAxis('takeAlongAxis', value, places, axis);
  const wide = build.broadcastTo(places, shape);
  const taken = build.takeAlong(
    build.reshape(value, build.around(value.shape, at)),
    build.reshape(wide, build.around(shape, at)),
    'takeAlongAxis',
  );
  return lift<T>(build.reshape(taken, shape));
}

/**
 * A copy of x with `values` (which broadcast to the indices) at x[i, indices[i, j, ...], ...] along `axis` (-1), as
 * numpy.put_along_axis; combined by `mode`: 'update' (the last one stays), 'add', 'max', 'min', 'mul'.
 */
export function putAlongAxis<T extends Tensor = Tensor>(
  x: T | TensorLike,
  indices: Input,
  values: Input,
  axis = -1,
  mode: composite.ScatterMode = 'update',
): T {
  const value = valueOf(x, 'x', 'putAlongAxis');
  const places = indicesOf('putAlongAxis', indices);
  const { at, shape } = alongAxis('putAlongAxis', value, places, axis);
  const group = (v: Value) => build.reshape(v, build.around(v.shape, at));
  const wide = group(build.broadcastTo(places, shape));
  const what = group(build.broadcastTo(build.cast(valueOf(values, 'values', 'putAlongAxis'), value.dtype), shape));
  const base = group(value);
  const result =
    mode === 'add'
      ? build.add(base, build.scatterAlong(wide, what, value.shape[at], 'putAlongAxis'))
      : build.combineAlong(base, wide, what, mode, 'putAlongAxis');
  return lift<T>(build.reshape(result, value.shape));
}

/** x at `indices` along `axis`, as numpy.take: of the flat x where axis is null (the default). */
export function take<T extends Tensor = Tensor>(x: Input, indices: Input, axis: number | null = null): T {
  const strings = movedStrings<T>('take', x, (positions) => take(positions, indices, axis));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'take');
  const places = indicesOf('take', indices);
  if (axis === null) return lift<T>(build.gather(build.reshape(value, [sizeOf(value.shape)]), places, 0, 0, 'take'));
  return lift<T>(build.gather(value, places, axisOf('take', axis, value.shape.length), 0, 'take'));
}

/**
 * The rows of `table` [vocabulary, ...] at `ids` of any shape. The gradient adds up the rows' gradients, in the order of the ids,
 * without a one-hot matrix.
 */
export function embeddingLookup<T extends Tensor = Tensor>(table: Input, ids: Input): T {
  const value = valueOf(table, 'table', 'embeddingLookup');
  if (value.shape.length === 0) fail('embeddingLookup', 'the table must have rank 1 or more', 'got a scalar');
  return lift<T>(build.gather(value, indicesOf('embeddingLookup', ids, 'ids'), 0, 0, 'embeddingLookup'));
}

function startsOf(op: string, begin: Input, rank: number): Value {
  const starts = indicesOf(op, begin, 'begin');
  if (starts.shape.length !== 1 || starts.shape[0] !== rank) {
    fail(op, `begin must be a list of ${rank} starts, one for each axis`, `got shape ${showShape(starts.shape)}`);
  }
  return starts;
}

/** The box of shape `size` that begins at `begin`, a tensor: where a slice begins may come from data. It must lie inside. */
export function dynamicSlice<T extends Tensor = Tensor>(x: T | TensorLike, begin: Input, size: readonly number[]): T {
  const value = valueOf(x, 'x', 'dynamicSlice');
  return lift<T>(build.dynamicSlice(value, startsOf('dynamicSlice', begin, value.shape.length), [...size]));
}

/** A copy of x in which the box that begins at `begin`, a tensor, holds `update`. The box must lie inside. */
export function dynamicUpdateSlice<T extends Tensor = Tensor>(x: T | TensorLike, update: Input, begin: Input): T {
  const value = valueOf(x, 'x', 'dynamicUpdateSlice');
  const what = build.cast(valueOf(update, 'update', 'dynamicUpdateSlice'), value.dtype);
  return lift<T>(build.dynamicUpdateSlice(value, what, startsOf('dynamicUpdateSlice', begin, value.shape.length)));
}

// ---- shapes that depend on data ----------------------------------------------------------------------------------------

/** Coordinates of the true elements, in row-major order: [count, rank]. */
function truePlaces(shape: Shape, data: ArrayLike<number>): Tensor2D {
  let count = 0;
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) count++;
  const strides = stridesOf(shape);
  const rank = shape.length;
  const out = new Int32Array(count * rank);
  for (let i = 0, to = 0; i < data.length; i++) {
    if (data[i] === 0) continue;
    let rest = i;
    for (let axis = 0; axis < rank; axis++) {
      const at = Math.floor(rest / strides[axis]);
      out[to++] = at;
      rest -= at * strides[axis];
    }
  }
  return makeTensor<'R2'>(out, [count, rank], 'int32', 'whereAsync');
}

/** What is read as numbers: of int64, whose elements would be bigints, whether they are not 0. */
function numbered(x: Value): Value {
  return x.dtype === 'int64' ? build.notEqual(x, build.zerosLike(x)) : x;
}

/** The coordinates of all elements that are true (or not 0), in row-major order: int32 [count, rank]. */
export async function whereAsync(condition: Input): Promise<Tensor2D> {
  const value = numbered(valueOf(condition, 'condition', 'whereAsync', 'bool'));
  return truePlaces(value.shape, await lift(value).data());
}

/** whereAsync at once, where a value may be read synchronously. */
export function nonzero(condition: Input): Tensor2D {
  const value = numbered(valueOf(condition, 'condition', 'nonzero', 'bool'));
  return truePlaces(value.shape, lift(value).dataSync());
}

function masking(op: string, tensor: Input, mask: Input, axis: number) {
  const value = valueOf(tensor, 'tensor', op);
  const test = valueOf(mask, 'mask', op, 'bool');
  const rank = test.shape.length;
  if (rank === 0) fail(op, 'the mask must not be a scalar', 'got a scalar');
  const at = axisOf(op, axis, value.shape.length);
  if (!sameShape(value.shape.slice(at, at + rank), test.shape)) {
    fail(
      op,
      "the mask's shape must be that of the tensor's axes from `axis` on",
      `got ${showShape(test.shape)} for ${showShape(value.shape)} and axis ${at}`,
    );
  }
  const merged = build.reshape(value, [
    ...value.shape.slice(0, at),
    sizeOf(test.shape),
    ...value.shape.slice(at + rank),
  ]);
  const flat = build.reshape(test, [sizeOf(test.shape)]);
  const pick = (places: Tensor2D): Value =>
    build.gather(merged, build.reshape(places.value, [places.shape[0]]), at, 0, op);
  return { flat: lift(flat), pick };
}

/** The slices of `tensor` along `axis` (0) where the mask, of the shape of its axes from there on, is true. */
export async function booleanMaskAsync<T extends Tensor = Tensor>(
  tensor: T | TensorLike,
  mask: Input,
  axis = 0,
): Promise<T> {
  const { flat, pick } = masking('booleanMask', tensor, mask, axis);
  return lift<T>(pick(await whereAsync(flat)));
}

/** booleanMaskAsync at once, where a value may be read synchronously. */
export function booleanMask<T extends Tensor = Tensor>(tensor: T | TensorLike, mask: Input, axis = 0): T {
  const { flat, pick } = masking('booleanMask', tensor, mask, axis);
  return lift<T>(pick(nonzero(flat)));
}
