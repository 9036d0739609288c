/** Gathers and scatters by coordinates, and sums over segments. Written with builders. */
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { dtypes, isFloat } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';
import {
  add,
  asReal,
  bitwiseNot,
  cast,
  constant,
  constantLike,
  div,
  maximum,
  neg,
  realOf,
  select,
  sqrt,
  zerosLike,
} from './build-elementwise.ts';
import { gatherAt, ravelIndices, scatter, scatterAdd } from './build-indexing.ts';
import { broadcastTo, reshape } from './build-movement.ts';
import type { ScatterMode } from './scatter-kernels.ts';

export type { ScatterMode };

/** Coordinates of rows: [..., depth] as flat places [1, k] in shape[..depth]. */
function placesOf(indices: Value, shape: Shape, op: string): { places: Value; depth: number; lead: Shape } {
  const depth = indices.shape[indices.shape.length - 1];
  const lead = indices.shape.slice(0, -1);
  const flat = ravelIndices(reshape(indices, [sizeOf(lead), depth]), shape.slice(0, depth), op);
  return { places: reshape(flat, [1, sizeOf(lead)]), depth, lead };
}

/** x[indices[..., 0], indices[..., 1], ...]: the shape is indices.shape[..-1] + x.shape[depth..]. */
export function gatherND(x: Value, indices: Value, op = 'gatherND'): Value {
  const { places, depth, lead } = placesOf(indices, x.shape, op);
  const inner = x.shape.slice(depth);
  const table = reshape(x, [1, 1, sizeOf(x.shape.slice(0, depth)), sizeOf(inner)]);
  return reshape(gatherAt(table, places, op), [...lead, ...inner]);
}

/** What a mode begins with, and that changes nothing. */
function identity(mode: ScatterMode, dtype: DType, shape: Shape): Value {
  if (mode !== 'max' && mode !== 'min') return constant(mode === 'mul' ? 1 : 0, dtype, shape);
  if (isFloat(dtype)) return constant(mode === 'max' ? -Infinity : Infinity, dtype, shape);
  const least = constant(dtype === 'uint8' ? 0 : -(2 ** (8 * dtypes[dtype].bytes - 1)), dtype, shape);
  // The largest integer is the complement of the least one; of 64 bits no number says it.
  return mode === 'max' ? least : bitwiseNot(least);
}

/** Updates combined at coordinates into a tensor that holds 0 wherever nothing is written. */
export function scatterND(indices: Value, updates: Value, shape: Shape, mode: ScatterMode, op = 'scatterND'): Value {
  const { places, depth } = placesOf(indices, shape, op);
  const [rows, inner] = [sizeOf(shape.slice(0, depth)), sizeOf(shape.slice(depth))];
  const list = reshape(updates, [1, 1, places.shape[1], inner]);
  if (mode === 'add') return reshape(scatterAdd(places, list, rows, op), shape);
  const base = identity(mode, updates.dtype, [1, 1, rows, inner]);
  const result = scatter(base, places, list, mode, op);
  if (mode === 'update') return reshape(result, shape);
  return reshape(select(isWritten(places, rows, result.shape, op), result, zerosLike(result)), shape);
}

/** Where rows have been written to. */
function isWritten(places: Value, rows: number, shape: Shape, op: string): Value {
  const counts = scatterAdd(places, constant(1, 'int32', [1, 1, places.shape[1], 1]), rows, op);
  return broadcastTo(notZero(counts), shape);
}

function notZero(x: Value): Value {
  return cast(x, 'bool');
}

/** A copy of `base` in which updates are combined at coordinates, in order. */
export function tensorScatter(base: Value, indices: Value, updates: Value, mode: ScatterMode, op: string): Value {
  const { places, depth } = placesOf(indices, base.shape, op);
  const [rows, inner] = [sizeOf(base.shape.slice(0, depth)), sizeOf(base.shape.slice(depth))];
  const list = reshape(updates, [1, 1, places.shape[1], inner]);
  if (mode === 'add') return add(base, reshape(scatterAdd(places, list, rows, op), base.shape));
  return reshape(scatter(reshape(base, [1, 1, rows, inner]), places, list, mode, op), base.shape);
}

export function tensorScatterSub(base: Value, indices: Value, updates: Value): Value {
  return tensorScatter(base, indices, neg(updates), 'add', 'tensorScatterSub');
}

// ---- segments ----------------------------------------------------------------------------------------------------------

export type SegmentKind = 'sum' | 'mean' | 'sqrtN' | 'max' | 'min' | 'prod';

/** Rows of data [k, ...inner] that have one id combined: [count, ...inner]. ids [k]. `empty` is what no row gives. */
export function segments(kind: SegmentKind, data: Value, ids: Value, count: number, empty: number, op: string): Value {
  const [k, ...inner] = data.shape;
  const places = reshape(ids, [1, k]);
  const list = reshape(data, [1, 1, k, sizeOf(inner)]);
  const shape = [count, ...inner];
  if (kind === 'sum' || kind === 'mean' || kind === 'sqrtN') {
    const sums = scatterAdd(places, list, count, op);
    if (kind === 'sum') return reshape(sums, shape);
    const number = cast(scatterAdd(places, constant(1, 'int32', [1, 1, k, 1]), count, op), realOf(data));
    const least = maximum(number, constantLike(number, 1));
    const divisor = kind === 'mean' ? least : sqrt(least);
    return reshape(div(asReal(sums), broadcastTo(divisor, sums.shape)), shape);
  }
  const mode = kind === 'prod' ? 'mul' : kind;
  const base = identity(mode, data.dtype, [1, 1, count, sizeOf(inner)]);
  const result = scatter(base, places, list, mode, op);
  if (mode === 'mul' && empty === 1) return reshape(result, shape);
  return reshape(select(isWritten(places, count, result.shape, op), result, constantLike(result, empty)), shape);
}
