/**
 * tf.util: helpers on shapes, lists and plain values, with TensorFlow.js's names and meanings. The library itself does not use
 * them.
 */
import { fail, UserError } from '../../base/errors.ts';
import { fingerPrint64 } from '../../base/farmhash.ts';
import type { DType, TypedArray } from '../../types/dtype.ts';
import { checkDType, dtypes, isDType, newArray, promote } from '../../types/dtype.ts';
import type { Shape } from '../../types/shape.ts';
import { checkShape, sameShape, showShape, sizeOf, stridesOf } from '../../types/shape.ts';
import type { Nested } from '../format.ts';
import { toNested } from '../format.ts';
import { decodeText, encodeText } from '../string-tensor.ts';
import type { DataType, RecursiveArray } from '../types.ts';

type List = { [index: number]: unknown; length: number };

/** Swaps two elements in place. */
function swap<T>(list: { [index: number]: T }, left: number, right: number): void {
  [list[left], list[right]] = [list[right], list[left]];
}

/** Puts the elements in random order, in place (Fisher and Yates). */
function shuffle(list: List): void {
  for (let i = list.length - 1; i > 0; i--) swap(list, i, Math.floor(Math.random() * (i + 1)));
}

/** Puts two lists of one length in the same random order, in place. */
function shuffleCombo(a: List, b: List): void {
  if (a.length !== b.length) fail('shuffleCombo', 'the lists must be equally long', `got ${a.length} and ${b.length}`);
  for (let i = a.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1));
    swap(a, i, other);
    swap(b, i, other);
  }
}

/** max(min, min(x, max)). */
function clamp(min: number, x: number, max: number): number {
  return Math.max(min, Math.min(x, max));
}

function nearestLargerEven(value: number): number {
  return value % 2 === 0 ? value : value + 1;
}

function sum(list: ArrayLike<number>): number {
  return Array.from(list).reduce((total, x) => total + x, 0);
}

/** A random number in [low, high). */
function randUniform(low: number, high: number): number {
  return low + Math.random() * (high - low);
}

/** The squared distance of two vectors. */
function distSquared(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((total, x, i) => total + (Number(x) - Number(b[i])) ** 2, 0);
}

/** Throws an error with the message unless the condition holds. */
function assert(condition: unknown, message: string | (() => string)): asserts condition {
  if (!condition) throw new UserError(typeof message === 'string' ? message : message());
}

function assertShapesMatch(a: Shape, b: Shape, prefix = ''): void {
  assert(sameShape(a, b), () => `${prefix} Shapes ${showShape(a)} and ${showShape(b)} must match`);
}

function assertNonNull(x: unknown): void {
  assert(x !== null && x !== undefined, 'The input to the tensor constructor must be a non-null value.');
}

function assertNonNegativeIntegerDimensions(shape: Shape): void {
  checkShape('util', shape);
}

function isScalarShape(shape: Shape): boolean {
  return shape.length === 0;
}

type Items = ArrayLike<unknown> | null | undefined;

function equalBy(a: Items, b: Items, same: (x: unknown, y: unknown) => boolean): boolean {
  if (a === b) return true;
  if (!a || !b || a.length !== b.length) return false;
  return Array.from(a).every((x, i) => same(x, b[i]));
}

/** Are the lists equally long and their elements equal? */
function arraysEqual(a: Items, b: Items): boolean {
  return equalBy(a, b, (x, y) => x === y);
}

/** arraysEqual, where null equals everything. */
function arraysEqualWithNull(a: Items, b: Items): boolean {
  return equalBy(a, b, (x, y) => x === null || y === null || x === y);
}

function isInt(x: number): boolean {
  return x % 1 === 0;
}

/** [width, height] of a nearly square grid of at least `size` cells. */
function sizeToSquarishShape(size: number): [number, number] {
  const width = Math.ceil(Math.sqrt(size));
  return [width, Math.ceil(size / width)];
}

/** 0, 1, ..., n - 1 in random order. */
function createShuffledIndices(n: number): Uint32Array {
  const indices = Uint32Array.from({ length: n }, (_, i) => i);
  shuffle(indices);
  return indices;
}

function rightPad(text: string, size: number): string {
  return text.padEnd(size);
}

/** Asks again and again, after delays in milliseconds, until the answer is true; rejects after maxCounter times. */
function repeatedTry(
  check: () => boolean,
  delay: (counter: number) => number = () => 0,
  maxCounter?: number | null,
  schedule: (f: () => void, ms: number) => void = setTimeout,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let count = 0;
    const attempt = () => {
      if (check()) return resolve();
      count++;
      const ms = delay(count);
      if (maxCounter !== undefined && maxCounter !== null && count >= maxCounter) return reject();
      schedule(attempt, ms);
    };
    attempt();
  });
}

/** The shape with its -1 worked out, so that it holds `size` elements. */
function inferFromImplicitShape(shape: readonly number[], size: number): number[] {
  const open = shape.indexOf(-1);
  const bad = shape.some((n, axis) => n < 0 && axis !== open);
  if (bad) fail('util', 'a shape must be non-negative but for one -1', `got ${showShape(shape)}`);
  const known = sizeOf(shape.filter((_, axis) => axis !== open));
  if (open < 0) {
    if (size > 0 && size !== known) fail('util', `the shape must hold ${size} elements`, `got ${showShape(shape)}`);
    return [...shape];
  }
  if (known === 0 || size % known !== 0) {
    fail('util', `the rest of the shape must divide ${size} elements`, `got ${showShape(shape)}`);
  }
  return shape.with(open, size / known);
}

/** The axes as a list, counted from the front; all of them for null. */
function parseAxisParam(axis: number | readonly number[] | null | undefined, shape: Shape): number[] {
  const rank = shape.length;
  const list = axis === null || axis === undefined ? shape.map((_, i) => i) : typeof axis === 'number' ? [axis] : axis;
  for (const i of list) {
    if (!Number.isInteger(i) || i < -rank || i >= rank) fail('util', `axes must be in [${-rank}, ${rank})`, `got ${i}`);
  }
  return list.map((i) => (i < 0 ? rank + i : i));
}

/** The shape without its axes of extent 1 (or those named), and which axes stay. */
function squeezeShape(shape: Shape, axis?: readonly number[]): { newShape: number[]; keptDims: number[] } {
  const named = axis && axis.length > 0 ? parseAxisParam(axis, shape) : null;
  for (const i of named ?? []) {
    if (shape[i] !== 1) fail('util', 'only axes of extent 1 can be squeezed', `axis ${i} of ${showShape(shape)}`);
  }
  const keptDims = shape.flatMap((extent, i) => ((named ? named.includes(i) : extent === 1) ? [] : [i]));
  return { newShape: keptDims.map((i) => shape[i]), keptDims };
}

/** A zeroed array for `size` elements; for strings an empty one. */
function getArrayFromDType(dtype: DataType, size: number): TypedArray | string[] {
  return dtype === 'string' ? new Array<string>(size) : newArray(checkDType('util', dtype), size);
}

function getTypedArrayFromDType(dtype: DType, size: number): TypedArray {
  return newArray(checkDType('util', dtype), size);
}

/** Throws where a value is NaN or infinite. */
function checkConversionForErrors(values: ArrayLike<number>, dtype: DataType): void {
  const bad = Array.from(values).find((x) => !Number.isFinite(x));
  if (bad !== undefined) fail('util', `values of a ${dtype} tensor must be finite`, `got ${bad}`);
}

function isValidDtype(dtype: unknown): boolean {
  return isDType(dtype) || dtype === 'complex64' || dtype === 'string';
}

/** Does a cast lose something? */
function hasEncodingLoss(from: DataType, to: DataType): boolean {
  if (to === 'complex64' || from === 'string') return false;
  return to === 'string' || from === 'complex64' || promote(from, to) !== to;
}

function bytesPerElement(dtype: DataType): number {
  if (dtype === 'complex64') return 8;
  if (dtype === 'string') fail('util', 'elements must have one size', 'got dtype string');
  return dtypes[checkDType('util', dtype)].bytes;
}

function bytesFromStringArray(list: readonly Uint8Array[] | null): number {
  return (list ?? []).reduce((total, bytes) => total + bytes.length, 0);
}

const isString = (x: unknown): boolean => typeof x === 'string' || x instanceof String;
const isBoolean = (x: unknown): boolean => typeof x === 'boolean';
const isNumber = (x: unknown): boolean => typeof x === 'number';
const isFunction = (x: unknown): boolean => typeof x === 'function';
const isPromise = (x: unknown): boolean => typeof (x as PromiseLike<unknown> | null | undefined)?.then === 'function';

/** A typed array of numbers that tensors are made of. */
function isTypedArray(x: unknown): boolean {
  const kinds = [Float32Array, Int32Array, Uint8Array, Uint8ClampedArray];
  return kinds.some((kind) => x instanceof kind);
}

function inferDtype(values: unknown): DataType {
  let first = values;
  while (Array.isArray(first)) first = first[0];
  if (first instanceof Int32Array || first instanceof Uint8Array || first instanceof Uint8ClampedArray) return 'int32';
  if (isString(first)) return 'string';
  return isBoolean(first) ? 'bool' : 'float32';
}

/** The smallest divisor of `size` from `start` on. */
function nearestDivisor(size: number, start: number): number {
  for (let i = start; i < size; i++) if (size % i === 0) return i;
  return size;
}

/** Row-major strides without the last axis. */
function computeStrides(shape: Shape): number[] {
  return stridesOf(shape).slice(0, -1);
}

/** Nested lists of the shape; of complex numbers with their two parts side by side. */
function toNestedArray(shape: Shape, values: ArrayLike<number>, isComplex = false): Nested | number[] {
  if (shape.length === 0) return values[0];
  const full = isComplex ? shape.with(-1, shape[shape.length - 1] * 2) : shape;
  const size = sizeOf(full);
  if (size === 0) return [];
  if (size !== values.length) fail('util', `${showShape(shape)} needs ${size} values`, `got ${values.length}`);
  return toNested(full, values);
}

type BackendValues = TypedArray | Uint8Array[];

function convertBackendValuesAndArrayBuffer(data: BackendValues | ArrayBuffer, dtype: DataType): BackendValues {
  if (Array.isArray(data)) return data;
  if (dtype === 'float32') return data instanceof Float32Array ? data : new Float32Array(data as ArrayBuffer);
  if (dtype === 'int32') return data instanceof Int32Array ? data : new Int32Array(data as ArrayBuffer);
  return Uint8Array.from(new Int32Array(data as ArrayBuffer));
}

function makeZerosTypedArray(size: number, dtype: DataType = 'float32'): TypedArray {
  return newArray(dtype === 'complex64' ? 'float32' : checkDType('util', dtype), size);
}

function makeOnesTypedArray(size: number, dtype: DataType = 'float32'): TypedArray {
  return makeZerosTypedArray(size, dtype).fill(1);
}

/** Zeros as nested lists. */
function makeZerosNestedTypedArray(shape: Shape, dtype: DType = 'float32'): Nested | number[] {
  return toNestedArray(shape, makeZerosTypedArray(sizeOf(shape), dtype));
}

/** Place of an element, from its coordinates and the strides without the last axis. */
function locToIndex(locations: readonly number[], rank: number, strides: readonly number[]): number {
  if (rank === 0) return 0;
  return locations.reduce((index, at, axis) => index + at * (axis < rank - 1 ? strides[axis] : 1), 0);
}

/** The inverse of locToIndex. */
function indexToLoc(index: number, rank: number, strides: readonly number[]): number[] {
  let rest = index;
  return Array.from({ length: rank }, (_, axis) => {
    if (axis === rank - 1) return rest;
    const at = Math.floor(rest / strides[axis]);
    rest -= at * strides[axis];
    return at;
  });
}

/** Nested lists and typed arrays as one list; with skipTypedArray typed arrays count as elements. */
function flatten<T>(values: unknown, result: T[] = [], skipTypedArray = false): T[] {
  if (isTypedArray(values) ? !skipTypedArray : Array.isArray(values)) {
    for (const value of values as Iterable<unknown>) flatten(value, result, skipTypedArray);
  } else result.push(values as T);
  return result;
}

/** Nested lists as a typed array of the dtype. */
function toTypedArray(values: TypedArray | RecursiveArray<number | boolean>, dtype: DataType): TypedArray {
  if (dtype === 'string') fail('util', 'strings have no typed array', 'got dtype string');
  const flat = Array.isArray(values) ? flatten<number>(values) : (values as TypedArray);
  const known = dtype === 'complex64' ? 'float32' : checkDType('util', dtype);
  const out = newArray(known, flat.length);
  if (flat.constructor === out.constructor) return flat as TypedArray;
  for (let i = 0; i < out.length; i++)
    out[i] = known === 'bool' ? Number(Math.round(Number(flat[i])) !== 0) : Number(flat[i]);
  return out;
}

function checkEncoding(encoding: string): void {
  if (!/^utf-?8$/i.test(encoding)) fail('util', "the encoding must be 'utf-8'", `got '${encoding}'`);
}

/** A string as bytes. */
function encodeString(text: string, encoding = 'utf-8'): Uint8Array {
  checkEncoding(encoding || 'utf-8');
  return encodeText(text);
}

/** Bytes as a string. */
function decodeString(bytes: Uint8Array, encoding = 'utf-8'): string {
  checkEncoding(encoding || 'utf-8');
  return decodeText(bytes);
}

function createScalarValue(value: number | boolean | string, dtype: DataType): TypedArray | Uint8Array {
  return dtype === 'string' ? encodeString(String(value)) : toTypedArray([value as number], dtype);
}

/** Hexadecimal digits as an unsigned bigint, where TensorFlow.js has a Long. */
function hexToLong(hex: string): bigint {
  return BigInt(`0x${hex}`);
}

/** Milliseconds, with a fraction. */
const now = (): number => performance.now();
const fetchFrom = (path: string, init?: RequestInit): Promise<Response> => globalThis.fetch(path, init);

/** tf.util. */
export const util = {
  arraysEqual,
  arraysEqualWithNull,
  assert,
  assertNonNegativeIntegerDimensions,
  assertNonNull,
  assertShapesMatch,
  bytesFromStringArray,
  bytesPerElement,
  checkConversionForErrors,
  clamp,
  computeStrides,
  convertBackendValuesAndArrayBuffer,
  createScalarValue,
  createShuffledIndices,
  decodeString,
  distSquared,
  encodeString,
  fetch: fetchFrom,
  /** FarmHash's Fingerprint64 of bytes, as a bigint (TensorFlow.js returns a Long). */
  fingerPrint64,
  flatten,
  getArrayFromDType,
  getTypedArrayFromDType,
  hasEncodingLoss,
  hexToLong,
  indexToLoc,
  inferDtype,
  inferFromImplicitShape,
  isBoolean,
  isFunction,
  isInt,
  isNumber,
  isPromise,
  isScalarShape,
  isString,
  isTypedArray,
  isValidDtype,
  locToIndex,
  makeOnesTypedArray,
  makeZerosNestedTypedArray,
  makeZerosTypedArray,
  nearestDivisor,
  nearestLargerEven,
  now,
  parseAxisParam,
  randUniform,
  repeatedTry,
  rightPad,
  shuffle,
  shuffleCombo,
  sizeFromShape: sizeOf,
  sizeToSquarishShape,
  squeezeShape,
  sum,
  swap,
  tanh: Math.tanh,
  toNestedArray,
  toTypedArray,
} as const;
