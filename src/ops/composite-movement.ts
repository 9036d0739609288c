/** Movement on graph values that is written in terms of views, reshapes and pieces: blocks, bands, rolls, repeats, masked slices. */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Shape } from '../types/shape.ts';
import { showShape, sizeOf } from '../types/shape.ts';
import {
  constant,
  greaterEqual,
  iota,
  lessEqual,
  logicalAnd,
  mul,
  select,
  sub,
  zerosLike,
} from './build-elementwise.ts';
import { broadcastTo, concat, pad, reshape, reverse, slice, transpose } from './build-movement.ts';

/** The elements from `from`, `count` of them, along one axis. */
export function sliceAlong(x: Value, axis: number, from: number, count: number): Value {
  return slice(x, x.shape.map(() => 0).with(axis, from), x.shape.with(axis, count));
}

/** What batchToSpaceND and spaceToBatchND share: axes 1..m in blocks. */
function checkBlocks(op: string, x: Value, blocks: readonly number[], pairs: readonly unknown[], what: string): void {
  const ok = blocks.length > 0 && blocks.every((b) => Number.isInteger(b) && b > 0);
  if (!ok) fail(op, 'blockShape must hold positive integers', `got ${showShape(blocks)}`);
  if (x.shape.length < blocks.length + 1) {
    fail(op, `the input must have rank ${blocks.length + 1} or more`, `got shape ${showShape(x.shape)}`);
  }
  if (pairs.length !== blocks.length) fail(op, `${what} must have one pair for each block`, `got ${pairs.length}`);
}

type Pairs = readonly (readonly [number, number])[];

/** The batch axis holds the places inside of blocks: they go back to the axes 1..m, which are then cropped. */
export function batchToSpace(x: Value, blocks: readonly number[], crops: Pairs): Value {
  const op = 'batchToSpaceND';
  checkBlocks(op, x, blocks, crops, 'crops');
  const [batch, ...rest] = x.shape;
  const count = sizeOf(blocks);
  if (batch % count !== 0) fail(op, `the batch must be a multiple of ${blocks.join(' * ')}`, `got ${batch}`);
  const m = blocks.length;
  const [spatial, inner] = [rest.slice(0, m), rest.slice(m)];
  const apart = reshape(x, [...blocks, batch / count, ...spatial, ...inner]);
  const order = [m, ...spatial.flatMap((_, i) => [m + 1 + i, i]), ...inner.map((_, i) => 2 * m + 1 + i)];
  const joined = reshape(transpose(apart, order), [batch / count, ...spatial.map((n, i) => n * blocks[i]), ...inner]);
  const size = spatial.map((n, i) => n * blocks[i] - crops[i][0] - crops[i][1]);
  if (crops.some(([a, b]) => a < 0 || b < 0) || size.some((n) => n < 0)) {
    fail(op, `crops must be non-negative and fit into ${showShape(joined.shape)}`, `got [${crops.join('], [')}]`);
  }
  const begin = [0, ...crops.map(([first]) => first), ...inner.map(() => 0)];
  return slice(joined, begin, [batch / count, ...size, ...inner]);
}

/** The inverse: axes 1..m are padded and cut into blocks, and the places inside of a block go to the batch axis. */
export function spaceToBatch(x: Value, blocks: readonly number[], paddings: Pairs): Value {
  const op = 'spaceToBatchND';
  checkBlocks(op, x, blocks, paddings, 'paddings');
  const m = blocks.length;
  if (paddings.some(([a, b]) => a < 0 || b < 0)) {
    fail(op, 'paddings must be non-negative', `got [${paddings.join('], [')}]`);
  }
  const all = x.shape.map((_, axis) => (axis > 0 && axis <= m ? paddings[axis - 1] : ([0, 0] as const)));
  const padded = pad(x, all);
  const [batch, ...rest] = padded.shape;
  const [spatial, inner] = [rest.slice(0, m), rest.slice(m)];
  const wrong = spatial.findIndex((n, i) => n % blocks[i] !== 0);
  if (wrong >= 0) {
    fail(op, `axis ${wrong + 1} with its padding must be a multiple of ${blocks[wrong]}`, `got ${spatial[wrong]}`);
  }
  const apart = reshape(padded, [batch, ...spatial.flatMap((n, i) => [n / blocks[i], blocks[i]]), ...inner]);
  const order = [
    ...blocks.map((_, i) => 2 + 2 * i),
    0,
    ...blocks.map((_, i) => 1 + 2 * i),
    ...inner.map((_, i) => 2 * m + 1 + i),
  ];
  return reshape(transpose(apart, order), [batch * sizeOf(blocks), ...spatial.map((n, i) => n / blocks[i]), ...inner]);
}

/** [batch, h, w, c] to [batch, h b, w b, c / b^2]: channels become b x b places. */
export function depthToSpace(x: Value, block: number): Value {
  const [batch, height, width, depth] = x.shape;
  const apart = reshape(x, [batch, height, width, block, block, depth / block / block]);
  return reshape(transpose(apart, [0, 1, 3, 2, 4, 5]), [batch, height * block, width * block, depth / block / block]);
}

/** The inverse of depthToSpace. */
export function spaceToDepth(x: Value, block: number): Value {
  const [batch, height, width, depth] = x.shape;
  const apart = reshape(x, [batch, height / block, block, width / block, block, depth]);
  const order = transpose(apart, [0, 1, 3, 2, 4, 5]);
  return reshape(order, [batch, height / block, width / block, depth * block * block]);
}

/** Keeps, of each matrix in the last two axes, the band with column - row in [low, high]; zeros elsewhere. */
export function band(x: Value, low: Value, high: Value): Value {
  const shape = x.shape.slice(-2);
  const offset = sub(iota(shape, 1), iota(shape, 0));
  const inside = logicalAnd(greaterEqual(offset, low), lessEqual(offset, high));
  return select(inside, x, zerosLike(x));
}

/** Below row + k nothing, or above it: the triangles. */
export function triangle(x: Value, k: number, upper: boolean): Value {
  const shape = x.shape.slice(-2);
  const offset = sub(iota(shape, 1), iota(shape, 0));
  const edge = constant(k, 'int32', shape);
  return select(upper ? greaterEqual(offset, edge) : lessEqual(offset, edge), x, zerosLike(x));
}

/** Moved by `shift` places along the axis; what leaves at one end comes in at the other. */
export function roll(x: Value, shift: number, axis: number): Value {
  const extent = x.shape[axis];
  const by = extent === 0 ? 0 : ((shift % extent) + extent) % extent;
  if (by === 0) return x;
  return concat([sliceAlong(x, axis, extent - by, by), sliceAlong(x, axis, 0, extent - by)], axis);
}

/** k quarter turns of the plane of two axes, from the first towards the second. */
export function rotate90(x: Value, k: number, [a, b]: readonly [number, number]): Value {
  const turns = ((k % 4) + 4) % 4;
  if (turns === 0) return x;
  if (turns === 2) return reverse(x, [a, b]);
  const swapped = (v: Value) => {
    const order = v.shape.map((_, axis) => (axis === a ? b : axis === b ? a : axis));
    return transpose(v, order);
  };
  return turns === 1 ? swapped(reverse(x, [b])) : reverse(swapped(x), [b]);
}

/** Every element `count` times in a row along the axis. */
export function repeatEach(x: Value, count: number, axis: number): Value {
  const shape = x.shape.toSpliced(axis + 1, 0, 1);
  const spread = broadcastTo(reshape(x, shape), shape.with(axis + 1, count));
  return reshape(spread, x.shape.with(axis, x.shape[axis] * count));
}

/** The elements with coordinate of b = coordinate of a + offset; they become the last axis. */
export function diagonal(x: Value, offset: number, a: number, b: number): Value {
  const rest = x.shape.flatMap((_, axis) => (axis === a || axis === b ? [] : [axis]));
  const [rows, columns] = [x.shape[a], x.shape[b]];
  const [row, column] = [Math.max(0, -offset), Math.max(0, offset)];
  const count = Math.max(0, Math.min(rows - row, columns - column));
  const shape = rest.map((axis) => x.shape[axis]);
  const flat = reshape(transpose(x, [...rest, a, b]), [...shape, rows * columns]);
  const begin = [...shape.map(() => 0), count === 0 ? 0 : row * columns + column];
  return slice(flat, begin, [...shape, count], [...shape.map(() => 1), columns + 1]);
}

/** Kronecker's product: blocks a[i...] b, of tensors of one rank. */
export function kron(a: Value, b: Value): Value {
  const rank = Math.max(a.shape.length, b.shape.length);
  const full = (shape: Shape) => [...new Array<number>(rank - shape.length).fill(1), ...shape];
  const [p, q] = [full(a.shape), full(b.shape)];
  const blocks = mul(
    reshape(
      a,
      p.flatMap((n) => [n, 1]),
    ),
    reshape(
      b,
      q.flatMap((n) => [1, n]),
    ),
  );
  return reshape(
    blocks,
    p.map((n, axis) => n * q[axis]),
  );
}

/** What one axis of a strided slice takes: count elements from `from` by `stride`, which may be negative. */
export interface StridedAxis {
  readonly from: number;
  readonly count: number;
  readonly stride: number;
}

/** Strided slices of all axes; a negative stride goes backwards. */
export function strided(x: Value, parts: readonly StridedAxis[]): Value {
  const backwards = parts.flatMap(({ stride }, axis) => (stride < 0 ? [axis] : []));
  const forward = slice(
    x,
    parts.map(({ from, count, stride }) => (count === 0 ? 0 : stride > 0 ? from : from + (count - 1) * stride)),
    parts.map(({ count }) => count),
    parts.map(({ stride }) => Math.abs(stride)),
  );
  return reverse(forward, backwards);
}
