/** Making tensors: from values, of one number, and of patterns. dtype is float32 unless said otherwise. */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import type { DType } from '../../types/dtype.ts';
import { checkDType, dtypes, isFloat } from '../../types/dtype.ts';
import type { Shape } from '../../types/shape.ts';
import { checkShape, sizeOf } from '../../types/shape.ts';
import { isComplex, joinParts } from '../complex-tensor.ts';
import { makeTensor, toStrings } from '../convert.ts';
import { makeStrings } from '../string-tensor.ts';
import { Tensor } from '../tensor.ts';
import type {
  DataType,
  Rank,
  Scalar,
  ShapeMap,
  Tensor1D,
  Tensor2D,
  Tensor3D,
  Tensor4D,
  Tensor5D,
  Tensor6D,
  TensorLike,
} from '../types.ts';
import { axisOf, lift, unary, valueOf } from './lift.ts';

/**
 * A tensor of the given values: a number, nested lists or a typed array. Without a shape it is that of the lists; dtype is
 * float32 for numbers, bool for booleans, int32 for integer arrays, string for strings, unless given.
 */
export function tensor<R extends Rank = Rank>(values: TensorLike, shape?: ShapeMap[R], dtype?: DataType): Tensor<R> {
  if (values instanceof Tensor) fail('tensor', 'values must be numbers or lists', 'got a tensor', 'use clone()');
  return makeTensor<R>(values, shape as Shape | undefined, dtype);
}

function ofRank<R extends Rank>(
  rank: number,
  values: TensorLike,
  shape: Shape | undefined,
  dtype?: DataType,
): Tensor<R> {
  const op = `tensor${rank}d`;
  if (shape !== undefined && shape.length !== rank) fail(op, `the shape must have ${rank} axes`, `got [${shape}]`);
  const made = makeTensor<R>(values, shape, dtype, op);
  if (made.rank !== rank) {
    fail(op, `values must be nested ${rank} deep`, `got shape [${made.shape}]`, 'give the shape with flat values');
  }
  return made;
}

/** A scalar. */
export function scalar(value: number | boolean | string | Uint8Array, dtype?: DataType): Scalar {
  const isBytes = value instanceof Uint8Array && dtype === 'string';
  if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'string' && !isBytes) {
    fail('scalar', 'the value must be a number, a boolean or a string', `got ${typeof value}`, 'use tensor for lists');
  }
  return makeTensor<'R0'>(value, undefined, dtype, 'scalar');
}

/** A list of values as a tensor of rank 1. */
export function tensor1d(values: TensorLike, dtype?: DataType): Tensor1D {
  return ofRank<'R1'>(1, values, undefined, dtype);
}
/** Nested lists, or flat values and a shape, as a tensor of rank 2. */
export function tensor2d(values: TensorLike, shape?: [number, number], dtype?: DataType): Tensor2D {
  return ofRank<'R2'>(2, values, shape, dtype);
}
/** Nested lists, or flat values and a shape, as a tensor of rank 3. */
export function tensor3d(values: TensorLike, shape?: ShapeMap['R3'], dtype?: DataType): Tensor3D {
  return ofRank<'R3'>(3, values, shape, dtype);
}
/** Nested lists, or flat values and a shape, as a tensor of rank 4. */
export function tensor4d(values: TensorLike, shape?: ShapeMap['R4'], dtype?: DataType): Tensor4D {
  return ofRank<'R4'>(4, values, shape, dtype);
}
/** Nested lists, or flat values and a shape, as a tensor of rank 5. */
export function tensor5d(values: TensorLike, shape?: ShapeMap['R5'], dtype?: DataType): Tensor5D {
  return ofRank<'R5'>(5, values, shape, dtype);
}
/** Nested lists, or flat values and a shape, as a tensor of rank 6. */
export function tensor6d(values: TensorLike, shape?: ShapeMap['R6'], dtype?: DataType): Tensor6D {
  return ofRank<'R6'>(6, values, shape, dtype);
}

function filled<R extends Rank>(op: string, shape: Shape, value: number, dtype: DataType): Tensor<R> {
  checkShape(op, shape);
  if (dtype === 'complex64')
    return joinParts<Tensor<R>>({ re: build.constant(value, 'float32', [...shape]), im: null });
  return lift<Tensor<R>>(build.constant(value, checkDType(op, dtype), [...shape]));
}

/** Every element `value`. Without a dtype it is that of the value: bool for a boolean, string for a string, else float32. */
export function fill<R extends Rank = Rank>(
  shape: ShapeMap[R],
  value: number | boolean | string,
  dtype?: DataType,
): Tensor<R> {
  if (typeof value === 'string') {
    if (dtype !== undefined && dtype !== 'string') fail('fill', 'a string must have dtype string', `got ${dtype}`);
    checkShape('fill', shape);
    return makeStrings<R>(new Array<string>(sizeOf(shape)).fill(value), shape, 'fill');
  }
  if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'bigint') {
    fail('fill', 'value must be a number, a boolean or a string', `got ${value}`);
  }
  return filled<R>('fill', shape, Number(value), dtype ?? (typeof value === 'boolean' ? 'bool' : 'float32'));
}
/** Every element 0. */
export function zeros<R extends Rank = Rank>(shape: ShapeMap[R], dtype: DataType = 'float32'): Tensor<R> {
  return filled<R>('zeros', shape, 0, dtype);
}
/** Every element 1. */
export function ones<R extends Rank = Rank>(shape: ShapeMap[R], dtype: DataType = 'float32'): Tensor<R> {
  return filled<R>('ones', shape, 1, dtype);
}
/** Zeros of the shape and dtype of x. */
export function zerosLike<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('zerosLike', x, build.zerosLike);
}
/** Ones of the shape and dtype of x. */
export function onesLike<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('onesLike', x, build.onesLike);
}
/** A further handle of the same elements. */
export function clone<T extends Tensor = Tensor>(x: T | TensorLike): T {
  if (isComplex(x)) return (x as Tensor).clone() as Tensor as T;
  const strings = toStrings(x, 'clone');
  return strings ? (strings.clone() as Tensor as T) : lift<T>(valueOf(x, 'x', 'clone'));
}

/** start, start + step, ... below (or above, for a negative step) stop. A step of 1 counts down where stop is below start. */
export function range(start: number, stop: number, step = 1, dtype: DType = 'float32'): Tensor1D {
  checkDType('range', dtype);
  if (step === 0) fail('range', 'step must not be 0', 'got 0');
  const by = stop < start && step === 1 ? -1 : step;
  const count = start === stop || stop > start !== by > 0 ? 0 : Math.abs(Math.ceil((stop - start) / by));
  checkShape('range', [count]);
  // Counted in floats where the step is no integer, so that integers truncate each element and not the step.
  const whole = Number.isInteger(start) && Number.isInteger(by);
  const counting = !isFloat(dtype) && !whole ? 'float32' : dtypes[dtype].compute;
  const places = build.iota([count], 0, counting);
  return lift(build.cast(build.offset(build.scale(places, by), start), dtype));
}

/** `num` evenly spaced numbers from start to stop, both included. */
export function linspace(start: number, stop: number, num: number): Tensor1D {
  if (!Number.isInteger(num) || num <= 0) fail('linspace', 'num must be a positive integer', `got ${num}`);
  return lift(composite.linspace(start, stop, num));
}

/** Ones on the diagonal of a numRows x numColumns matrix (square by default), repeated over batchShape. */
export function eye(
  numRows: number,
  numColumns = numRows,
  batchShape: readonly number[] = [],
  dtype: DType = 'float32',
): Tensor {
  const shape = [numRows, numColumns];
  checkShape('eye', [...batchShape, ...shape]);
  const diagonal = build.equal(build.iota(shape, 0), build.iota(shape, 1));
  return lift(build.broadcastTo(build.cast(diagonal, checkDType('eye', dtype)), [...batchShape, ...shape]));
}

/** A tensor of shape [...x.shape, ...x.shape] with x on its diagonal and zeros elsewhere. */
export function diag(x: Tensor | TensorLike): Tensor {
  const value = valueOf(x, 'x', 'diag');
  const flat = build.reshape(value, [value.shape.reduce((a, b) => a * b, 1)]);
  const shape = [flat.shape[0], flat.shape[0]];
  const spread: Value = build.broadcastTo(flat, shape);
  const diagonal = build.equal(build.iota(shape, 0), build.iota(shape, 1));
  return lift(build.reshape(build.select(diagonal, spread, build.zerosLike(spread)), [...value.shape, ...value.shape]));
}

/**
 * onValue (1) at each index along a new axis of extent `depth` (the last, or `axis`), else offValue (0). dtype int32 by default.
 * Indices outside of [0, depth) give offValue everywhere.
 */
export function oneHot(
  indices: Tensor | TensorLike,
  depth: number,
  onValue = 1,
  offValue = 0,
  dtype: DType = 'int32',
  axis = -1,
): Tensor {
  if (!Number.isInteger(depth) || depth < 2) fail('oneHot', 'depth must be an integer of 2 or more', `got ${depth}`);
  const value = valueOf(indices, 'indices', 'oneHot', 'int32');
  const rank = value.shape.length;
  const at = axisOf('oneHot', axis, rank + 1);
  const last = composite.oneHot(value, depth, onValue, offValue, checkDType('oneHot', dtype));
  const order = Array.from({ length: rank }, (_, i) => i).toSpliced(at, 0, rank);
  return lift(build.transpose(last, order));
}
