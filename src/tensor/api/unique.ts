/**
 * Distinct elements. How many there are depends on data, so values are read first and compared here, in a hash table of rows; the
 * functions cannot stand in a jit or a Graph. Both zeros are one value, and so are all NaN.
 */
import { fail } from '../../base/errors.ts';
import * as build from '../../ops/build.ts';
import type { TypedArray } from '../../types/dtype.ts';
import { makeTensor, toStrings } from '../convert.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { axisOf, lift, movedStrings, valueOf } from './lift.ts';

interface Distinct {
  /** The first row of each kind, in the order of appearance. */
  readonly first: Int32Array;
  /** The kind of each row. */
  readonly kind: Int32Array;
  readonly counts: Int32Array;
}

/** Equal numbers as equal bits: a word for each, or two for each of 64 bits. */
function comparable(data: TypedArray | BigInt64Array): Int32Array {
  if (data instanceof BigInt64Array) return new Int32Array(data.buffer, data.byteOffset, 2 * data.length);
  if (!(data instanceof Float32Array || data instanceof Float64Array)) {
    return data instanceof Int32Array ? data : Int32Array.from(data);
  }
  const floats = data instanceof Float32Array ? new Float32Array(data.length) : new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) floats[i] = Number.isNaN(data[i]) ? Number.NaN : data[i] + 0;
  return new Int32Array(floats.buffer);
}

/** Rows of `width` words that are equal are of one kind. Open addressing; a slot holds a kind plus 1. */
function distinctRows(words: Int32Array, rows: number, width: number): Distinct {
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * rows + 2)));
  const mask = slots.length - 1;
  const first = new Int32Array(rows);
  const kind = new Int32Array(rows);
  const counts = new Int32Array(rows);
  let kinds = 0;
  const same = (a: number, b: number): boolean => {
    for (let i = 0; i < width; i++) if (words[a * width + i] !== words[b * width + i]) return false;
    return true;
  };
  for (let row = 0; row < rows; row++) {
    let hash = 0;
    for (let i = 0; i < width; i++) hash = Math.imul(hash ^ words[row * width + i], 0x9e3779b1) ^ (hash >>> 15);
    let slot = (hash ^ (hash >>> 13)) & mask;
    while (slots[slot] !== 0 && !same(row, first[slots[slot] - 1])) slot = (slot + 1) & mask;
    if (slots[slot] === 0) {
      first[kinds] = row;
      slots[slot] = ++kinds;
    }
    kind[row] = slots[slot] - 1;
    counts[kind[row]]++;
  }
  return { first: first.slice(0, kinds), kind, counts: counts.slice(0, kinds) };
}

interface Unique<T> {
  readonly values: T;
  readonly indices: Tensor;
  readonly counts: Tensor;
}

function find<T extends Tensor>(op: string, x: Tensor | TensorLike, axis: number): Unique<T> {
  const strings = toStrings(x, op);
  const value = strings ? wordsOfStrings(strings.elements, strings.shape) : valueOf(x, 'x', op);
  const { shape } = value;
  if (shape.length === 0) fail(op, 'the input must have rank 1 or more', 'got a scalar', 'reshape it to [1]');
  const at = axisOf(op, axis, shape.length);
  // Slices along the axis as rows.
  const perm = [at, ...shape.map((_, a) => a).filter((a) => a !== at)];
  const data = lift(build.transpose(value, perm)).dataSync() as TypedArray | BigInt64Array;
  const rows = shape[at];
  const words = comparable(data);
  const found = distinctRows(words, rows, rows === 0 ? 0 : words.length / rows);
  const places = makeTensor(found.first, [found.first.length], 'int32', op);
  const pick = (source: Tensor): Tensor => lift(build.gather(source.value, places.value, at));
  return {
    values: movedStrings<T>(op, x, pick) ?? (pick(lift(value)) as T),
    indices: makeTensor(found.kind, [rows], 'int32', op),
    counts: makeTensor(found.counts, [found.counts.length], 'int32', op),
  };
}

/** A number for each distinct string, in a tensor of their shape. */
function wordsOfStrings(elements: readonly Uint8Array[], shape: readonly number[]) {
  const numbers = new Map<string, number>();
  const words = Int32Array.from(elements, (bytes) => {
    const text = String.fromCharCode(...bytes);
    const known = numbers.get(text) ?? numbers.size;
    numbers.set(text, known);
    return known;
  });
  return makeTensor(words, shape, 'int32', 'unique').value;
}

/**
 * The distinct slices of x along `axis` (0), in the order of their first appearance, and for each slice of x the number of its
 * value among them (int32).
 */
export function unique<T extends Tensor = Tensor>(x: T | TensorLike, axis = 0): { values: T; indices: Tensor } {
  const { values, indices } = find<T>('unique', x, axis);
  return { values, indices };
}

/** unique, and how often each value stands there (int32). */
export function uniqueWithCounts<T extends Tensor = Tensor>(x: T | TensorLike, axis = 0): Unique<T> {
  return find<T>('uniqueWithCounts', x, axis);
}

/** The elements of the list x that are not in the list y, in order and with repetitions, and their places in x (int32). */
export async function setdiff1dAsync(x: Tensor | TensorLike, y: Tensor | TensorLike): Promise<[Tensor, Tensor]> {
  const [a, b] = [valueOf(x, 'x', 'setdiff1d'), valueOf(y, 'y', 'setdiff1d')];
  if (a.dtype !== b.dtype) fail('setdiff1d', 'x and y must have one dtype', `got ${a.dtype} and ${b.dtype}`);
  if (a.shape.length !== 1 || b.shape.length !== 1) {
    fail('setdiff1d', 'x and y must have rank 1', `got shapes [${a.shape}] and [${b.shape}]`);
  }
  const [data, gone] = await Promise.all([lift(a).data(), lift(b).data()]);
  // A Set takes both zeros for one and finds NaN.
  const known = new Set<number>(gone as TypedArray);
  const left: number[] = [];
  (data as TypedArray).forEach((v, i) => {
    if (!known.has(v)) left.push(i);
  });
  const places = makeTensor(Int32Array.from(left), [left.length], 'int32', 'setdiff1d');
  return [lift(build.gather(a, places.value)), places];
}
