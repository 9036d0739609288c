/**
 * What ops with data-dependent shapes are made of. Their integers (indices, splits, row ids) are read on the host, now, and say where
 * values go; the values themselves are gathered by an ordinary op, so any dtype works, strings too, and gradients flow. Inside
 * jit the integers must not depend on arguments.
 */
import { fail } from '../../base/errors.ts';
import type { Shape } from '../../types/shape.ts';
import { showShape } from '../../types/shape.ts';
import { makeTensor, toStrings, toTensor } from '../convert.ts';
import { isStrings, StringTensor } from '../string-tensor.ts';
import type { Tensor } from '../tensor.ts';
import type { DataType, TensorLike } from '../types.ts';
import { concat, gather } from './joining.ts';
import { cast } from './transformations.ts';

export type Input = Tensor | TensorLike;

export interface Ints {
  readonly shape: Shape;
  readonly data: Int32Array;
}

/** An int32 argument, or one of int64 whose elements are that small, read. */
export function intsOf(op: string, x: Input, argument: string, rank?: number): Ints {
  const tensor = toTensor(x as Tensor, argument, op, 'int32');
  if ((tensor.dtype !== 'int32' && tensor.dtype !== 'int64') || (rank !== undefined && tensor.rank !== rank)) {
    const wanted = rank === undefined ? 'int32' : `int32 of rank ${rank}`;
    fail(op, `${argument} must be ${wanted}`, `got ${tensor.dtype}${showShape(tensor.shape)}`);
  }
  const data = tensor.dtype === 'int64' ? shortened(op, argument, tensor) : tensor.dataSync<'int32'>();
  return { shape: tensor.shape, data };
}

function shortened(op: string, argument: string, tensor: Tensor): Int32Array {
  const longs = tensor.dataSync<'int64'>();
  const long = longs.find((x) => x !== BigInt.asIntN(32, x));
  if (long !== undefined) fail(op, `${argument} must be in the range of int32`, `got ${long}`);
  return Int32Array.from(longs, Number);
}

export function int32<T extends Tensor = Tensor>(values: ArrayLike<number>, shape: Shape = [values.length]): T {
  return makeTensor(Int32Array.from(values), shape, 'int32') as Tensor as T;
}

/** An argument of any dtype, strings included. */
export function anyTensor(op: string, x: Input, argument: string, dtype?: DataType): Tensor {
  const numeric = dtype === 'float32' || dtype === 'int32' || dtype === 'bool' ? dtype : undefined;
  return toStrings(x, op) ?? toTensor(x as Tensor, argument, op, numeric);
}

/** An argument of strings. */
export function stringsOf(op: string, x: Input, argument: string, rank?: number): StringTensor {
  const strings = toStrings(x, op) ?? (Array.isArray(x) && x.length === 0 ? new StringTensor([0], []) : null);
  if (!strings) fail(op, `${argument} must hold strings`, `got ${isTensor(x) ? x.dtype : typeof x}`);
  if (rank !== undefined && strings.rank !== rank) {
    fail(op, `${argument} must have rank ${rank}`, `got shape ${showShape(strings.shape)}`);
  }
  return strings;
}

function isTensor(x: unknown): x is Tensor {
  return typeof x === 'object' && x !== null && 'dtype' in x;
}

/** Rows of `values`, in the order of `places`; the place behind the last row is that of `filler`, of shape [1, ...]. */
export function pickRows(values: Tensor, filler: Tensor, places: ArrayLike<number>): Tensor {
  const same = isStrings(values) || filler.dtype === values.dtype ? filler : cast(filler, values.dtype);
  return gather(concat([values, same]), int32(places));
}
