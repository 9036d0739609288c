/** Builders of sorting, along any axis. */
import type { Value } from '../graph/graph.ts';
import { apply1 } from './apply.ts';
import { around } from './build-cumulate.ts';
import { cast } from './build-elementwise.ts';
import { takeAlong } from './build-indexing.ts';
import { reshape, transpose } from './build-movement.ts';

/** Lists longer than this are sorted one by one, and had better lie together. */
const LONG_LIST = 2048;

/** Places of the elements in order, along the middle axis of [outer, n, inner]. */
function places(x: Value, descending: boolean): Value {
  const [outer, n, inner] = x.shape;
  if (inner === 1 || n <= LONG_LIST) return apply1('argsort', [x], { descending });
  const rows = reshape(transpose(x, [0, 2, 1]), [outer * inner, n, 1]);
  const order = apply1('argsort', [rows], { descending });
  return transpose(reshape(order, [outer, inner, n]), [0, 2, 1]);
}

/** The places of the elements along the axis, in order: stable, NaN last. int32. */
export function argsort(x: Value, axis: number, descending = false): Value {
  const countable = x.dtype === 'bool' ? cast(x, 'int32') : x;
  return reshape(places(reshape(countable, around(x.shape, axis)), descending), x.shape);
}

/** The elements along the axis in order, and their places. */
export function sort(x: Value, axis: number, descending = false): { values: Value; indices: Value } {
  const shape = around(x.shape, axis);
  const indices = argsort(x, axis, descending);
  return { values: reshape(takeAlong(reshape(x, shape), reshape(indices, shape)), x.shape), indices };
}
