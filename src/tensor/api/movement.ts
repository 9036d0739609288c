/** Movement of elements: fixed-rank forms, blocks, bands, rolls, repeats. Axes may be negative: they count from the last. */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import { normalizeAxes, showShape, sizeOf } from '../../types/shape.ts';
import { recorder } from '../context.ts';
import { makeTensor } from '../convert.ts';
import { Tensor } from '../tensor.ts';
import type { Tensor1D, Tensor2D, Tensor3D, Tensor4D, TensorLike } from '../types.ts';
import { concat, reverse, slice } from './joining.ts';
import { axisOf, computed, lift, movedStrings, placesOf, valueOf } from './lift.ts';
import { pad } from './transformations.ts';

type Input = Tensor | TensorLike;
type Pair = readonly [number, number];

function ofRank(op: string, x: Input, rank: number): Tensor {
  const tensor = x instanceof Tensor ? x : makeTensor(x, undefined, undefined, op);
  if (tensor.rank !== rank) fail(op, `the input must have rank ${rank}`, `got shape ${showShape(tensor.shape)}`);
  return tensor;
}

/** slice of a tensor of rank 1. */
export function slice1d(x: Input, begin: number, size: number): Tensor1D {
  return slice(ofRank('slice1d', x, 1), [begin], [size]) as Tensor as Tensor1D;
}
/** slice of a tensor of rank 2. */
export function slice2d(x: Input, begin: readonly number[], size: readonly number[]): Tensor2D {
  return slice(ofRank('slice2d', x, 2), begin, size) as Tensor as Tensor2D;
}
/** slice of a tensor of rank 3. */
export function slice3d(x: Input, begin: readonly number[], size: readonly number[]): Tensor3D {
  return slice(ofRank('slice3d', x, 3), begin, size) as Tensor as Tensor3D;
}
/** slice of a tensor of rank 4. */
export function slice4d(x: Input, begin: readonly number[], size: readonly number[]): Tensor4D {
  return slice(ofRank('slice4d', x, 4), begin, size) as Tensor as Tensor4D;
}

/** A tensor of rank 1 backwards. */
export function reverse1d(x: Input): Tensor1D {
  return reverse(ofRank('reverse1d', x, 1), 0) as Tensor as Tensor1D;
}
/** reverse of a tensor of rank 2. */
export function reverse2d(x: Input, axis?: number | readonly number[] | null): Tensor2D {
  return reverse(ofRank('reverse2d', x, 2), axis) as Tensor as Tensor2D;
}
/** reverse of a tensor of rank 3. */
export function reverse3d(x: Input, axis?: number | readonly number[] | null): Tensor3D {
  return reverse(ofRank('reverse3d', x, 3), axis) as Tensor as Tensor3D;
}
/** reverse of a tensor of rank 4. */
export function reverse4d(x: Input, axis?: number | readonly number[] | null): Tensor4D {
  return reverse(ofRank('reverse4d', x, 4), axis) as Tensor as Tensor4D;
}

/** pad of a tensor of rank 1: [before, after]. */
export function pad1d(x: Input, paddings: Pair, constantValue = 0): Tensor1D {
  return pad(ofRank('pad1d', x, 1), [paddings], constantValue) as Tensor as Tensor1D;
}
/** pad of a tensor of rank 2. */
export function pad2d(x: Input, paddings: readonly [Pair, Pair], constantValue = 0): Tensor2D {
  return pad(ofRank('pad2d', x, 2), paddings, constantValue) as Tensor as Tensor2D;
}
/** pad of a tensor of rank 3. */
export function pad3d(x: Input, paddings: readonly [Pair, Pair, Pair], constantValue = 0): Tensor3D {
  return pad(ofRank('pad3d', x, 3), paddings, constantValue) as Tensor as Tensor3D;
}
/** pad of a tensor of rank 4. */
export function pad4d(x: Input, paddings: readonly [Pair, Pair, Pair, Pair], constantValue = 0): Tensor4D {
  return pad(ofRank('pad4d', x, 4), paddings, constantValue) as Tensor as Tensor4D;
}

/** concat of tensors of rank 1. */
export function concat1d(tensors: readonly Input[]): Tensor1D {
  return concat(tensors, 0) as Tensor as Tensor1D;
}
/** concat of tensors of rank 2. */
export function concat2d(tensors: readonly Input[], axis: number): Tensor2D {
  return concat(tensors, axis) as Tensor as Tensor2D;
}
/** concat of tensors of rank 3. */
export function concat3d(tensors: readonly Input[], axis: number): Tensor3D {
  return concat(tensors, axis) as Tensor as Tensor3D;
}
/** concat of tensors of rank 4. */
export function concat4d(tensors: readonly Input[], axis: number): Tensor4D {
  return concat(tensors, axis) as Tensor as Tensor4D;
}

type Pairs = readonly (readonly number[])[];

/**
 * Takes the batch apart into blocks: [b, s..., ...] with blockShape [n...] and crops [[before, after]...] becomes
 * [b / prod(n), s n - crops, ...]. The inverse of spaceToBatchND.
 */
export function batchToSpaceND<T extends Tensor = Tensor>(
  x: T | TensorLike,
  blockShape: readonly number[],
  crops: Pairs,
): T {
  const value = valueOf(x, 'x', 'batchToSpaceND');
  return lift<T>(composite.batchToSpace(value, blockShape, crops as readonly Pair[]));
}

/**
 * Cuts the axes after the batch into blocks and moves the places inside of a block to the batch: [b, s..., ...] with blockShape
 * [n...] and zeros around by paddings becomes [b prod(n), (s + paddings) / n, ...].
 */
export function spaceToBatchND<T extends Tensor = Tensor>(
  x: T | TensorLike,
  blockShape: readonly number[],
  paddings: Pairs,
): T {
  const value = valueOf(x, 'x', 'spaceToBatchND');
  return lift<T>(composite.spaceToBatch(value, blockShape, paddings as readonly Pair[]));
}

function inNHWC(op: string, value: Value, dataFormat: string, f: (value: Value) => Value): Value {
  if (value.shape.length !== 4) fail(op, 'the input must have rank 4', `got shape ${showShape(value.shape)}`);
  if (dataFormat !== 'NHWC' && dataFormat !== 'NCHW') {
    fail(op, "dataFormat must be 'NHWC' or 'NCHW'", `got ${JSON.stringify(dataFormat)}`);
  }
  if (dataFormat === 'NHWC') return f(value);
  return build.transpose(f(build.transpose(value, [0, 2, 3, 1])), [0, 3, 1, 2]);
}

function checkBlock(op: string, block: number): void {
  if (!Number.isInteger(block) || block < 2) fail(op, 'blockSize must be an integer above 1', `got ${block}`);
}

/** Channels become blocks of blockSize x blockSize places: [b, h, w, c] gives [b, h n, w n, c / n^2]. */
export function depthToSpace(x: Input, blockSize: number, dataFormat: 'NHWC' | 'NCHW' = 'NHWC'): Tensor4D {
  const op = 'depthToSpace';
  checkBlock(op, blockSize);
  const moved = inNHWC(op, valueOf(x, 'x', op, 'float32'), dataFormat, (value) => {
    const depth = value.shape[3];
    if (depth % (blockSize * blockSize) !== 0) {
      fail(op, `the number of channels must be a multiple of ${blockSize * blockSize}`, `got ${depth}`);
    }
    return composite.depthToSpace(value, blockSize);
  });
  return lift(moved);
}

/** The inverse of depthToSpace: [b, h, w, c] gives [b, h / n, w / n, c n^2]. */
export function spaceToDepth(x: Input, blockSize: number, dataFormat: 'NHWC' | 'NCHW' = 'NHWC'): Tensor4D {
  const op = 'spaceToDepth';
  checkBlock(op, blockSize);
  const moved = inNHWC(op, valueOf(x, 'x', op, 'float32'), dataFormat, (value) => {
    const [, height, width] = value.shape;
    if (height % blockSize !== 0 || width % blockSize !== 0) {
      fail(op, `height and width must be multiples of ${blockSize}`, `got ${height} and ${width}`);
    }
    return composite.spaceToDepth(value, blockSize);
  });
  return lift(moved);
}

/** The shape that two shapes broadcast to. All three are int32 tensors of rank 1; an error where they do not, unless recording. */
export function broadcastArgs(s0: Input, s1: Input): Tensor1D {
  const op = 'broadcastArgs';
  const sides = [valueOf(s0, 's0', op, 'int32'), valueOf(s1, 's1', op, 'int32')];
  for (const { shape } of sides) {
    if (shape.length !== 1) fail(op, 'shapes must be tensors of rank 1', `got shape ${showShape(shape)}`);
  }
  const rank = Math.max(...sides.map(({ shape }) => shape[0]));
  const [a, b] = sides.map((side) => build.pad(side, [[rank - side.shape[0], 0]], 1));
  const one = build.onesLike(a);
  const result = lift<Tensor1D>(build.select(build.equal(a, one), b, a));
  if (!recorder()) {
    const [x, y] = [a, b].map((side) => Array.from(lift(side).dataSync(), Number));
    const bad = x.findIndex((extent, i) => extent !== y[i] && extent !== 1 && y[i] !== 1);
    if (bad >= 0) fail(op, 'shapes must broadcast: trailing axes equal or 1', `got ${x[bad]} and ${y[bad]}`);
  }
  return result;
}

/** Backwards along the axes; all of them by default. NumPy's name for reverse. */
export function flip<T extends Tensor = Tensor>(x: T | TensorLike, axis?: number | readonly number[] | null): T {
  return reverse<T>(x, axis);
}

/** Moved by `shift` places along the axis, around the end; without an axis through all elements in row-major order. */
export function roll<T extends Tensor = Tensor>(
  x: T | TensorLike,
  shift: number | readonly number[],
  axis?: number | readonly number[],
): T {
  const strings = movedStrings<T>('roll', x, (positions) => roll(positions, shift, axis));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'roll');
  const shifts = typeof shift === 'number' ? [shift] : shift;
  if (shifts.some((n) => !Number.isInteger(n))) fail('roll', 'shift must hold integers', `got [${shifts}]`);
  if (axis === undefined) {
    const flat = build.reshape(value, [sizeOf(value.shape)]);
    const by = shifts.reduce((sum, n) => sum + n, 0);
    return lift<T>(build.reshape(composite.roll(flat, by, 0), value.shape));
  }
  const axes = typeof axis === 'number' ? [axis] : axis;
  if (axes.length !== shifts.length && shifts.length !== 1) {
    fail('roll', 'there must be one shift, or one for each axis', `got ${shifts.length} for ${axes.length} axes`);
  }
  return lift<T>(
    axes.reduce((moved, at, i) => {
      return composite.roll(moved, shifts[shifts.length === 1 ? 0 : i], axisOf('roll', at, value.shape.length));
    }, value),
  );
}

/** k quarter turns in the plane of two axes, from the first towards the second. */
export function rot90<T extends Tensor = Tensor>(
  x: T | TensorLike,
  k = 1,
  axes: readonly [number, number] = [0, 1],
): T {
  const strings = movedStrings<T>('rot90', x, (positions) => rot90(positions, k, axes));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'rot90');
  if (!Number.isInteger(k)) fail('rot90', 'k must be an integer', `got ${k}`);
  const [a, b] = axes.map((axis) => axisOf('rot90', axis, value.shape.length));
  if (a === b) fail('rot90', 'the axes must differ', `got [${axes}]`);
  return lift<T>(composite.rotate90(value, k, [a, b]));
}

/** Every element `repeats` times in a row along the axis; without an axis of all elements in row-major order. */
export function repeat(x: Input, repeats: number | readonly number[], axis?: number): Tensor {
  const strings = movedStrings('repeat', x, (positions) => repeat(positions, repeats, axis));
  if (strings) return strings;
  let value = valueOf(x, 'x', 'repeat');
  if (axis === undefined) value = build.reshape(value, [sizeOf(value.shape)]);
  const at = axisOf('repeat', axis ?? 0, value.shape.length);
  const counts = typeof repeats === 'number' ? [repeats] : repeats;
  if (counts.some((n) => !Number.isInteger(n) || n < 0)) {
    fail('repeat', 'repeats must hold non-negative integers', `got [${counts}]`);
  }
  if (counts.length === 1) return lift(composite.repeatEach(value, counts[0], at));
  if (counts.length !== value.shape[at]) {
    fail('repeat', `there must be one count, or one for each of ${value.shape[at]} elements`, `got ${counts.length}`);
  }
  const places = counts.flatMap((n, i) => new Array<number>(n).fill(i));
  return lift(build.gather(value, makeTensor(Int32Array.from(places)).value, at));
}

function matrixOf(op: string, x: Input): Value {
  const value = valueOf(x, 'x', op);
  if (value.shape.length < 2) fail(op, 'the input must have rank 2 or more', `got shape ${showShape(value.shape)}`);
  return value;
}

/** The elements on and above the k-th diagonal of each matrix in the last two axes, zeros below. */
export function triu<T extends Tensor = Tensor>(x: T | TensorLike, k = 0): T {
  return lift<T>(composite.triangle(matrixOf('triu', x), k, true));
}

/** The elements on and below the k-th diagonal of each matrix in the last two axes, zeros above. */
export function tril<T extends Tensor = Tensor>(x: T | TensorLike, k = 0): T {
  return lift<T>(composite.triangle(matrixOf('tril', x), k, false));
}

/** How far the band reaches: everywhere where it is negative. */
function reach(op: string, name: string, x: number | Tensor, most: number): Value {
  if (typeof x === 'number') {
    if (!Number.isInteger(x) || x > most) fail(op, `${name} must be an integer of at most ${most}`, `got ${x}`);
    return build.constant(x < 0 ? most : x, 'int32');
  }
  const value = placesOf(x, name, op);
  if (value.shape.length > 0) {
    fail(op, `${name} must be a number or an int32 scalar`, `got ${value.dtype}${showShape(value.shape)}`);
  }
  const limit = build.constant(most, 'int32');
  return build.select(build.less(value, build.zerosLike(value)), limit, build.minimum(value, limit));
}

/**
 * Of each matrix in the last two axes the diagonal, numLower diagonals below it and numUpper above it; zeros elsewhere. A negative
 * number means all.
 */
export function bandPart<T extends Tensor = Tensor>(
  a: T | TensorLike,
  numLower: number | Tensor,
  numUpper: number | Tensor,
): T {
  const value = matrixOf('bandPart', a);
  const [rows, columns] = value.shape.slice(-2);
  const low = build.neg(reach('bandPart', 'numLower', numLower, rows));
  return lift<T>(composite.band(value, low, reach('bandPart', 'numUpper', numUpper, columns)));
}

/** The elements whose coordinates along two axes are equal (axis2 ahead by `offset`); they become the last axis. */
export function diagonal(x: Input, offset = 0, axis1 = 0, axis2 = 1): Tensor {
  const strings = movedStrings('diagonal', x, (positions) => diagonal(positions, offset, axis1, axis2));
  if (strings) return strings;
  const value = matrixOf('diagonal', x);
  const [a, b] = [axis1, axis2].map((axis) => axisOf('diagonal', axis, value.shape.length));
  if (a === b) fail('diagonal', 'the axes must differ', `got ${axis1} and ${axis2}`);
  return lift(composite.diagonal(value, offset, a, b));
}

/** The products of all pairs of elements, in blocks a[i...] b; the shorter shape is led by ones. */
export function kron(a: Input, b: Input): Tensor {
  return lift(composite.kron(valueOf(a, 'a', 'kron'), valueOf(b, 'b', 'kron')));
}

/**
 * Two matrices of coordinates, of x.size columns and y.size rows: x along each row and y along each column; with indexing 'ij' the
 * other way round.
 */
export function meshgrid(x?: Input, y?: Input, { indexing = 'xy' }: { indexing?: 'xy' | 'ij' } = {}): Tensor[] {
  if (indexing !== 'xy' && indexing !== 'ij') {
    fail('meshgrid', "indexing must be 'xy' or 'ij'", `got ${JSON.stringify(indexing)}`);
  }
  if (x === undefined) return [];
  const a = valueOf(x, 'x', 'meshgrid');
  if (y === undefined) return [lift(a)];
  const b = valueOf(y, 'y', 'meshgrid');
  const [w, h] = [sizeOf(a.shape), sizeOf(b.shape)];
  const shape = indexing === 'xy' ? [h, w] : [w, h];
  const row = (value: Value, n: number) => build.broadcastTo(build.reshape(value, [1, n]), shape);
  const column = (value: Value, n: number) => build.broadcastTo(build.reshape(value, [n, 1]), shape);
  return indexing === 'xy' ? [lift(row(a, w)), lift(column(b, h))] : [lift(column(a, w)), lift(row(b, h))];
}

/** Distinct axes in the order in which they are given. */
function listedAxes(op: string, axes: number | readonly number[], rank: number): number[] {
  const list = (typeof axes === 'number' ? [axes] : axes).map((axis) => axisOf(op, axis, rank));
  if (normalizeAxes(op, list, rank).length < list.length) fail(op, 'no axis may stand twice', `got [${axes}]`);
  return list;
}

/**
 * Sums of products over pairs of axes: with a number n the last n axes of a and the first n of b, else the two lists of axes. The
 * result has the rest of a's axes, then the rest of b's.
 */
export function tensordot(
  a: Input,
  b: Input,
  axes: number | readonly [number | readonly number[], number | readonly number[]] = 2,
): Tensor {
  const op = 'tensordot';
  const [x, y] = [valueOf(a, 'a', op), valueOf(b, 'b', op)];
  const [p, q] = [x.shape.length, y.shape.length];
  if (typeof axes === 'number' && (!Number.isInteger(axes) || axes < 0 || axes > Math.min(p, q))) {
    fail(op, `axes must be an integer in [0, ${Math.min(p, q)}], or two lists`, `got ${axes}`);
  }
  const count = (n: number, from: number) => Array.from({ length: n }, (_, i) => from + i);
  const left = typeof axes === 'number' ? count(axes, p - axes) : listedAxes(op, axes[0], p);
  const right = typeof axes === 'number' ? count(axes, 0) : listedAxes(op, axes[1], q);
  if (left.length !== right.length || left.some((axis, i) => x.shape[axis] !== y.shape[right[i]])) {
    const came = `got axes [${left}] of ${showShape(x.shape)} and [${right}] of ${showShape(y.shape)}`;
    fail(op, 'the axes of both sides must be equally long, pair by pair', came);
  }
  const names = count(p + q, 0).map((i) => String.fromCharCode((i < 26 ? 97 : 39) + i));
  const [s, t] = [names.slice(0, p), names.slice(p)];
  for (const [i, axis] of right.entries()) t[axis] = s[left[i]];
  const rest = [...s.filter((_, axis) => !left.includes(axis)), ...t.filter((_, axis) => !right.includes(axis))];
  const equation = `${s.join('')},${t.join('')}->${rest.join('')}`;
  return lift(computed([x, y], (...wide) => composite.einsum(equation, wide)));
}

/**
 * Sums of products by an expression: 'ij,jk->ik' multiplies matrices, 'ii->i' is a diagonal, 'bij->bji' a transposition. Any number
 * of tensors; '...' stands for axes that broadcast; without '->' the output has the labels that stand once, in alphabetical order.
 * Planned as contractions of two tensors each, cheapest first.
 */
export function einsum(equation: string, ...tensors: Input[]): Tensor {
  const values = tensors.map((tensor, i) => valueOf(tensor, `tensors[${i}]`, 'einsum'));
  return lift(computed(values, (...wide) => composite.einsum(equation, wide)));
}
