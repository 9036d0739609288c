/** Builders of ops that read or write at places that come from data. */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { sameShape, sizeOf } from '../types/shape.ts';
import { apply1 } from './apply.ts';
import { cast, constantLike, maximum, minimum } from './build-elementwise.ts';
import { reshape, transpose } from './build-movement.ts';
import type { ScatterMode } from './scatter-kernels.ts';

/** The name of the user's function, for messages about bad indices. */
function named(op: string | undefined): { readonly op?: string } {
  return op === undefined ? {} : { op };
}

/** Places as int32; those of int64 that it has not stay outside of every tensor: at its ends. */
export function asPlaces(indices: Value): Value {
  if (indices.dtype !== 'int64') return indices;
  const end = (x: number) => constantLike(indices, x);
  return cast(minimum(maximum(indices, end(-(2 ** 31))), end(2 ** 31 - 1)), 'int32');
}

/** Rows of [batch, outer, n, inner] at indices [batch, k]. */
export function gatherAt(x: Value, indices: Value, op?: string): Value {
  return apply1('gather', [x, asPlaces(indices)], named(op));
}

/** Adds updates [batch, outer, k, inner] at indices [batch, k] into zeros of `rows` rows. */
export function scatterAdd(indices: Value, updates: Value, rows: number, op?: string): Value {
  return apply1('scatterAdd', [asPlaces(indices), updates], { rows, ...named(op) });
}

/** Combines updates [batch, outer, k, inner] at indices [batch, k] into a copy of base [batch, outer, n, inner], in order. */
export function scatter(
  base: Value,
  indices: Value,
  updates: Value,
  mode: Exclude<ScatterMode, 'add'>,
  op?: string,
): Value {
  return apply1('scatter', [base, asPlaces(indices), updates], { mode, ...named(op) });
}

/**
 * Slices of x along `axis` at `indices`: shape x[..axis] + indices[batchDims..] + x[axis + 1..]. The first batchDims axes of
 * both are gone through together.
 */
export function gather(x: Value, indices: Value, axis = 0, batchDims = 0, op?: string): Value {
  const batch = x.shape.slice(0, batchDims);
  const outer = x.shape.slice(batchDims, axis);
  const inner = x.shape.slice(axis + 1);
  const places = indices.shape.slice(batchDims);
  if (batchDims > axis || !sameShape(batch, indices.shape.slice(0, batchDims))) {
    fail(
      'gather',
      'the batch axes of input and indices must be equal and stand before the axis',
      `got shapes [${x.shape}] and [${indices.shape}], axis ${axis}, batchDims ${batchDims}`,
    );
  }
  const rows = gatherAt(
    reshape(x, [sizeOf(batch), sizeOf(outer), x.shape[axis], sizeOf(inner)]),
    reshape(indices, [sizeOf(batch), sizeOf(places)]),
    op,
  );
  return reshape(rows, [...batch, ...outer, ...places, ...inner]);
}

/** [outer, n, inner] as [outer * inner, n], and back: what comes from data is looked up in whole rows. */
function toRows(x: Value): Value {
  const [outer, n, inner] = x.shape;
  return reshape(inner === 1 ? x : transpose(x, [0, 2, 1]), [outer * inner, n]);
}
function fromRows(rows: Value, outer: number, inner: number): Value {
  const n = rows.shape[1];
  return inner === 1 ? reshape(rows, [outer, n, 1]) : transpose(reshape(rows, [outer, inner, n]), [0, 2, 1]);
}

/** x[o, indices[o, k, i], i] of x [outer, n, inner] and indices [outer, k, inner]. */
export function takeAlong(x: Value, indices: Value, op?: string): Value {
  const [outer, n, inner] = x.shape;
  const table = reshape(toRows(x), [outer * inner, 1, n, 1]);
  const taken = gatherAt(table, toRows(indices), op);
  return fromRows(reshape(taken, [outer * inner, indices.shape[1]]), outer, inner);
}

/** Adds updates [outer, k, inner] into zeros [outer, rows, inner] at [o, indices[o, k, i], i]. */
export function scatterAlong(indices: Value, updates: Value, rows: number, op?: string): Value {
  const [outer, k, inner] = updates.shape;
  const list = reshape(toRows(updates), [outer * inner, 1, k, 1]);
  const sums = scatterAdd(toRows(indices), list, rows, op);
  return fromRows(reshape(sums, [outer * inner, rows]), outer, inner);
}

/** Combines updates [outer, k, inner] into a copy of base [outer, n, inner] at [o, indices[o, k, i], i]. */
export function combineAlong(
  base: Value,
  indices: Value,
  updates: Value,
  mode: Exclude<ScatterMode, 'add'>,
  op?: string,
): Value {
  const [outer, n, inner] = base.shape;
  const k = updates.shape[1];
  const target = reshape(toRows(base), [outer * inner, 1, n, 1]);
  const result = scatter(target, toRows(indices), reshape(toRows(updates), [outer * inner, 1, k, 1]), mode, op);
  return fromRows(reshape(result, [outer * inner, n]), outer, inner);
}

/** Flat places in a tensor of shape `dims` of coordinates [k, rank]. */
export function ravelIndices(indices: Value, dims: readonly number[], op: string): Value {
  return apply1('ravelIndices', [asPlaces(indices)], { dims, op });
}

/** The box of shape `size` that begins at `starts`, int32, one for each axis. */
export function dynamicSlice(x: Value, starts: Value, size: readonly number[]): Value {
  return apply1('dynamicSlice', [x, asPlaces(starts)], { size });
}

/** A copy of x in which the box that begins at `starts` holds the updates. */
export function dynamicUpdateSlice(x: Value, updates: Value, starts: Value): Value {
  return apply1('dynamicUpdateSlice', [x, updates, asPlaces(starts)]);
}

/** Where values [batch, k] would be put into sorted rows [batch, n]: before equals, or behind them. */
export function searchSorted(list: Value, values: Value, right: boolean): Value {
  return apply1('searchSorted', [list, values], { right });
}
