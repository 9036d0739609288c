/** Blocks, triangles and transposes of matrices [..., m, n], with the elementary builders. Knows no factorisation. */
import type { DType } from '../../types/dtype.ts';
import type { Value } from '../../graph/graph.ts';
import {
  constant,
  greaterEqual,
  equal,
  iota,
  less,
  lessEqual,
  greater,
  select,
  zerosLike,
} from '../build-elementwise.ts';
import { gatherAt, scatterAdd } from '../build-indexing.ts';
import { broadcastTo, concat, reshape, slice, transpose } from '../build-movement.ts';
import { sizeOf } from '../../types/shape.ts';
import { apply1 } from '../apply.ts';

/** Rows and columns of [..., m, n]. */
export function sizes(a: Value): [number, number] {
  const rank = a.shape.length;
  return [a.shape[rank - 2], a.shape[rank - 1]];
}

/** The transpose of the last two axes. */
export function adjoint(a: Value): Value {
  const rank = a.shape.length;
  const perm = a.shape.map((_, axis) => axis);
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return transpose(a, perm);
}

/** Rows [r0, r1) and columns [c0, c1). */
export function block(a: Value, r0: number, r1: number, c0: number, c1: number): Value {
  const rank = a.shape.length;
  const begin = a.shape.map(() => 0);
  const size = a.shape.slice();
  [begin[rank - 2], begin[rank - 1], size[rank - 2], size[rank - 1]] = [r0, c0, r1 - r0, c1 - c0];
  return slice(a, begin, size);
}

export function zeros(like: Value, rows: number, columns: number): Value {
  return constant(0, like.dtype, [...like.shape.slice(0, -2), rows, columns]);
}

/** [a b; c d]; null is zeros. */
export function blocks2x2(a: Value, b: Value | null, c: Value | null, d: Value): Value {
  const axis = a.shape.length;
  const [[ma, na], [md, nd]] = [sizes(a), sizes(d)];
  const top = concat([a, b ?? zeros(a, ma, nd)], axis - 1);
  const bottom = concat([c ?? zeros(a, md, na), d], axis - 1);
  return concat([top, bottom], axis - 2);
}

/** One above the other. */
export function stackRows(parts: readonly Value[]): Value {
  return concat(parts, parts[0].shape.length - 2);
}

/** Side by side. */
export function stackColumns(parts: readonly Value[]): Value {
  return concat(parts, parts[0].shape.length - 1);
}

/** The greatest base * 2^j below n: halves of it have few distinct sizes, so that few distinct kernels are generated. */
export function halve(n: number, base: number): number {
  let half = base;
  while (half * 2 < n) half *= 2;
  return half;
}

export type Part = 'lower' | 'upper' | 'strictlyLower' | 'strictlyUpper' | 'diagonal';

const comparisons = {
  lower: greaterEqual,
  upper: lessEqual,
  strictlyLower: greater,
  strictlyUpper: less,
  diagonal: equal,
} as const;

/** Where row and column are in the given relation, as bool [rows, columns]. */
export function partMask(part: Part, rows: number, columns: number): Value {
  const [row, column] = [iota([rows, columns], 0), iota([rows, columns], 1)];
  return comparisons[part](row, column);
}

/** A part of each matrix; the rest is zero, whatever stood there. */
export function triangle(a: Value, part: Part): Value {
  const [rows, columns] = sizes(a);
  return select(partMask(part, rows, columns), a, zerosLike(a));
}

/** Ones on the diagonal, [...lead, rows, columns]. */
export function eye(dtype: DType, lead: readonly number[], rows: number, columns = rows): Value {
  const mask = partMask('diagonal', rows, columns);
  return broadcastTo(apply1('cast', [mask], { dtype }), [...lead, rows, columns]);
}

/** Rows of [..., m, n] in the order of indices [..., k]. */
export function takeRows(a: Value, indices: Value): Value {
  const lead = a.shape.slice(0, -2);
  const batch = sizeOf(lead);
  const [m, n] = sizes(a);
  const k = indices.shape[indices.shape.length - 1];
  const rows = gatherAt(reshape(a, [batch, 1, m, n]), reshape(indices, [batch, k]));
  return reshape(rows, [...lead, k, n]);
}

/** Columns of [..., m, n] in the order of indices [..., k]. */
export function takeColumns(a: Value, indices: Value): Value {
  return adjoint(takeRows(adjoint(a), indices));
}

/** Elements of [..., n] in the order of indices [..., k]. */
export function takeElements(x: Value, indices: Value): Value {
  const column = reshape(x, [...x.shape, 1]);
  const taken = takeRows(column, indices);
  return reshape(taken, taken.shape.slice(0, -1));
}

/** The diagonal [..., min(m, n)] of [..., m, n]. */
export function diagonalOf(a: Value): Value {
  const [m, n] = sizes(a);
  const k = Math.min(m, n);
  const lead = a.shape.slice(0, -2);
  if (k === 0) return constant(0, a.dtype, [...lead, 0]);
  // Element i stands at i * (n + 1) of the flattened rows.
  const flat = reshape(a, [...lead, m * n]);
  const zeroes = flat.shape.map(() => 0);
  return slice(flat, zeroes, [...lead, k], [...lead.map(() => 1), n + 1]);
}

/** [..., n] on the diagonal of [..., n, n]. */
export function diagonalMatrix(x: Value): Value {
  const n = x.shape[x.shape.length - 1];
  const row = broadcastTo(reshape(x, [...x.shape, 1]), [...x.shape, n]);
  return select(partMask('diagonal', n, n), row, zerosLike(row));
}

/** x [..., n] as [..., n, 1] or [..., 1, n]. */
export function asColumn(x: Value): Value {
  return reshape(x, [...x.shape, 1]);
}
export function asRow(x: Value): Value {
  return reshape(x, [...x.shape.slice(0, -1), 1, x.shape[x.shape.length - 1]]);
}

/** For each row of [..., n] that holds 0 .. n-1 in some order: where each number stands. */
export function inversePermutation(order: Value): Value {
  const n = order.shape[order.shape.length - 1];
  const batch = sizeOf(order.shape.slice(0, -1));
  if (n === 0 || batch === 0) return order;
  const places = broadcastTo(reshape(iota([n], 0), [1, 1, n, 1]), [batch, 1, n, 1]);
  return reshape(scatterAdd(reshape(order, [batch, n]), places, n), order.shape);
}
