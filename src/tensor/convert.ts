/** Makes tensors of JavaScript values: shape and dtype are inferred and checked. */
import { fail } from '../base/errors.ts';
import { Operation } from '../graph/graph.ts';
import type { DType, TypedArray } from '../types/dtype.ts';
import { checkDType, dtypes, isFloat, isSmall, newArray, roundTo } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { checkShape, sameShape, showShape, sizeOf } from '../types/shape.ts';
import { setTensorMaker } from './buffer.ts';
import { cellOf } from './cell.ts';
import { uploadData } from './memory.ts';
import { parameter } from './plan.ts';
import { Tensor, wrap } from './tensor.ts';
import type { DataType, Rank, TensorLike } from './types.ts';
import { isStrings, makeStrings } from './string-tensor.ts';
import type { StringTensor } from './string-tensor.ts';

type FlatArray = TypedArray | BigInt64Array | Uint8ClampedArray;

function isFlatArray(x: unknown): x is FlatArray {
  return ArrayBuffer.isView(x) && !(x instanceof DataView);
}

function firstOf(x: unknown): unknown {
  let first = x;
  while (Array.isArray(first) && first.length > 0) first = first[0];
  return first;
}

/**
 * Inferred as in TensorFlow.js: numbers are float32, booleans bool, integer arrays int32, strings string. What it lacks: bigints are
 * int64, an Int8Array is int8. (A Uint8Array is int32 there, and a Float64Array float32; so they are here.)
 */
function inferDType(op: string, x: unknown): DType | 'string' {
  const first = firstOf(x);
  if (typeof first === 'string') return 'string';
  if (typeof first === 'boolean') return 'bool';
  if (first instanceof Int32Array || first instanceof Uint8Array || first instanceof Uint8ClampedArray) return 'int32';
  if (typeof first === 'bigint' || first instanceof BigInt64Array) return 'int64';
  if (first instanceof Int8Array) return 'int8';
  if (typeof first === 'number' || Array.isArray(first)) return 'float32';
  if (first instanceof Float32Array || first instanceof Float64Array) return 'float32';
  fail(
    op,
    'values must be numbers, bigints, booleans, strings, nested lists of them, or a typed array of a known dtype',
    `got ${describe(first)}`,
  );
}

function describe(x: unknown): string {
  if (typeof x === 'object' && x !== null) return x.constructor?.name ?? 'an object';
  return typeof x === 'string' ? JSON.stringify(x) : String(x);
}

/** Shape of nested lists, going by their first elements. A Uint8Array may be one element of a string tensor. */
function inferShape(x: unknown, dtype: DType | 'string'): number[] {
  const shape: number[] = [];
  let level = x;
  while (Array.isArray(level)) {
    shape.push(level.length);
    if (level.length === 0) return shape;
    level = level[0];
  }
  if (isFlatArray(level) && dtype !== 'string') shape.push(level.length);
  return shape;
}

/** The elements of nested lists; a place that does not fit the shape is an error with its path. */
function flatten(op: string, x: unknown, shape: Shape, dtype: DType): TypedArray {
  const out = newArray(dtype, sizeOf(shape));
  let at = 0;
  const put = (value: unknown, path: readonly number[]) => {
    if (typeof value === 'number' || typeof value === 'bigint') out[at++] = converted(op, value, dtype);
    else if (typeof value === 'boolean') out[at++] = converted(op, value ? 1 : 0, dtype);
    else fail(op, 'every element must be a number or a boolean', `element [${path.join('][')}] is ${describe(value)}`);
  };
  walk(op, x, shape, put);
  return out;
}

/** Calls `put` for every element of nested lists that must have the shape. */
function walk(op: string, x: unknown, shape: Shape, put: (value: unknown, path: readonly number[]) => void): void {
  const visit = (value: unknown, path: readonly number[]) => {
    const axis = path.length;
    if (axis === shape.length) return put(value, path);
    const list = Array.isArray(value) || isFlatArray(value);
    if (!list || value.length !== shape[axis]) {
      const where = axis === 0 ? 'the list' : `element [${path.join('][')}]`;
      const came = list ? `${where} has ${value.length}` : `${where} is ${describe(value)}`;
      fail(op, `nested lists must not be ragged: ${shape[axis]} elements are wanted here`, came);
    }
    for (let i = 0; i < value.length; i++) {
      if (axis + 1 === shape.length && typeof value[i] === 'number') put(value[i], path);
      else visit(value[i], [...path, i]);
    }
  };
  visit(x, []);
}

/** Integers go toward zero, as TensorFlow.js converts them, and wrap; anything but 0 (and NaN) is true. */
function converted(op: string, x: number | bigint, dtype: DType): number {
  if (dtype === 'int64') {
    const whole = typeof x === 'bigint' ? x : Math.trunc(x);
    if (typeof whole === 'number' && !Number.isFinite(whole)) {
      fail(op, 'the elements of an int64 tensor must be finite', `got ${whole}`);
    }
    return BigInt(whole) as unknown as number;
  }
  const number = Number(x);
  return dtype === 'bool' ? (number ? 1 : 0) : isFloat(dtype) ? roundTo(dtype, number) : number;
}

function elementsOf(op: string, values: unknown, shape: Shape, dtype: DType): TypedArray {
  if (!isFlatArray(values)) return flatten(op, values, shape, dtype);
  // Small floats are rounded when they are stored.
  if (dtype !== 'bool' && values instanceof dtypes[dtype].array) return values;
  const copies = dtype !== 'bool' && dtype !== 'int64' && (!isSmall(dtype) || !isFloat(dtype));
  const out = newArray(dtype, values.length);
  // What JavaScript's arrays convert as we do is copied at the speed of memory.
  if (copies && !(values instanceof BigInt64Array)) out.set(values);
  else for (let i = 0; i < out.length; i++) out[i] = converted(op, values[i], dtype);
  return out;
}

/** A known number as a scalar tensor: part of the graph, so that the compiler sees it. */
export function scalarValue(value: number, dtype: DType): Tensor<'R0'> {
  const stored = dtype === 'float32' ? value : dtype === 'bool' ? (value ? 1 : 0) : roundTo(dtype, value);
  const type = { dtype, shape: [] };
  return wrap(new Operation('constant', [], { value: stored, dtype }, [type]).outputs[0]);
}

/** Can it be a constant of the graph? What a number cannot say exactly is data. */
function isPlainNumber(x: unknown, dtype: DType): x is number | bigint | boolean {
  if (typeof x !== 'number' && typeof x !== 'bigint' && typeof x !== 'boolean') return false;
  return dtype !== 'int64' || Number.isSafeInteger(typeof x === 'number' ? Math.trunc(x) : Number(x));
}

/**
 * A tensor of the given values. Without a shape it is that of the nested lists; with one, flat values (or nested ones that
 * fit) are laid out in it.
 */
export function makeTensor<R extends Rank = Rank>(
  values: TensorLike,
  shape?: Shape,
  dtype?: DataType,
  op = 'tensor',
): Tensor<R> {
  if (values === null || values === undefined) fail(op, 'values must be given', `got ${String(values)}`);
  if (shape !== undefined) checkShape(op, shape);
  if (dtype === 'complex64') return makeComplex<R>(values, shape, op);
  const type = dtype === undefined ? inferDType(op, values) : dtype === 'string' ? dtype : checkDType(op, dtype);
  const isScalar = shape === undefined || shape.length === 0;
  if (isScalar && type !== 'string' && isPlainNumber(values, type)) {
    return scalarValue(Number(values), type) as Tensor<Rank> as Tensor<R>;
  }
  const given = inferShape(values, type);
  const target = shape === undefined ? given : [...shape];
  if (sizeOf(given) !== sizeOf(target)) {
    fail(op, `shape ${showShape(target)} needs ${sizeOf(target)} values`, `got ${sizeOf(given)}`);
  }
  if (shape !== undefined && given.length > 1 && !sameShape(given, target)) {
    fail(op, 'nested values must have the given shape', `got ${showShape(given)} for ${showShape(target)}`);
  }
  if (type === 'string') {
    const texts: (string | Uint8Array)[] = [];
    walk(op, values, given, (value) => texts.push(value as string));
    return makeStrings<R>(texts, target, op);
  }
  const elements = elementsOf(op, values, given, type);
  const value = parameter({ dtype: type, shape: target });
  cellOf(value).data = uploadData(type, elements);
  return wrap<R>(value);
}

/** A complex64 tensor of numbers in which real and imaginary parts alternate, as data() and array() give them. */
function makeComplex<R extends Rank>(values: TensorLike, shape: Shape | undefined, op: string): Tensor<R> {
  const given = inferShape(values, 'float32');
  const last = given[given.length - 1];
  const target = shape ?? (given.length > 0 && last % 2 === 0 ? given.with(-1, last / 2) : given);
  const size = sizeOf(target);
  if (given.length === 0 || sizeOf(given) !== 2 * size) {
    const came = `got ${showShape(given)} for ${showShape(target)}`;
    fail(op, 'a complex64 tensor needs two numbers for each element', came, 'use tf.complex(real, imag)');
  }
  const pairs = elementsOf(op, values, given, 'float32');
  const planes = new Float32Array(2 * size);
  for (let i = 0; i < size; i++) {
    planes[i] = pairs[2 * i];
    planes[size + i] = pairs[2 * i + 1];
  }
  const value = parameter({ dtype: 'float32', shape: [2, ...target] });
  cellOf(value).data = uploadData('float32', planes);
  return wrap<R>(value, 'complex64');
}

setTensorMaker(makeTensor);

/**
 * An argument of an op as a tensor: tensors as they are, tensor-likes converted. `dtype` says what numbers become where they
 * do not say themselves.
 */
export function toTensor<R extends Rank = Rank>(
  x: Tensor<R> | TensorLike,
  argument: string,
  op: string,
  dtype?: DType,
): Tensor<R> {
  if (x instanceof Tensor) {
    x.throwIfDisposed(op);
    if (isStrings(x)) refuseStrings(op, argument, showShape(x.shape));
    return x as Tensor<R>;
  }
  if (typeof x === 'number') return scalarValue(x, dtype ?? 'float32') as Tensor<Rank> as Tensor<R>;
  if (x === null || x === undefined || typeof x === 'string' || (typeof x === 'object' && !isListLike(x))) {
    fail(op, `${argument} must be a tensor, or a number, boolean, list or typed array`, `got ${describe(x)}`);
  }
  const first = firstOf(x);
  if (typeof first === 'string') refuseStrings(op, argument, showShape(inferShape(x, 'string')));
  // Bigints say what they are.
  const isLong = typeof first === 'bigint' || first instanceof BigInt64Array;
  return makeTensor<R>(x, undefined, isLong ? 'int64' : dtype, op);
}

function refuseStrings(op: string, argument: string, shape: string): never {
  fail(op, `${argument} must hold numbers or booleans`, `got strings of shape ${shape}`);
}

/** An argument that may be strings (a tensor, or nested lists of them) as a string tensor; null where it is something else. */
export function toStrings<R extends Rank = Rank>(x: unknown, op: string): StringTensor<R> | null {
  if (isStrings(x)) {
    x.throwIfDisposed(op);
    return x as StringTensor<R>;
  }
  if (x instanceof Tensor || typeof firstOf(x) !== 'string') return null;
  return makeTensor<R>(x as TensorLike, undefined, 'string', op) as StringTensor<R>;
}

function isListLike(x: object): boolean {
  return Array.isArray(x) || isFlatArray(x);
}
