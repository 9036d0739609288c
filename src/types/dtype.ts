/** Element types of tensors: how they are stored, what they are computed in, and their promotion. */
import { fail } from '../base/errors.ts';
import { bfloat16Bits, bfloat16Number, float16Bits, float16Number, roundToBfloat16, roundToFloat16 } from './half.ts';

export type DType = 'bool' | 'uint8' | 'int8' | 'int32' | 'int64' | 'float16' | 'bfloat16' | 'float32' | 'float64';

/** Arrays of numbers. That of int64 holds bigints, and is one of these in name only: who reads elements asks for the dtype. */
export type TypedArray = Float32Array | Int32Array | Uint8Array | Int8Array | Uint16Array | Float64Array;

type ArrayMaker = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => TypedArray;

export interface DTypeInfo {
  /** Of one element in memory. */
  readonly bytes: number;
  readonly kind: 'bool' | 'int' | 'float';
  /** Place in the promotion order; see promote. */
  readonly rank: number;
  /** The dtype that functions of it are computed in: what registers hold. It has every value of the small one. */
  readonly compute: DType;
  /** What holds elements as numbers (as bigints for int64; float16 and bfloat16 are rounded float32). */
  readonly array: ArrayMaker;
  /** What holds them as they are stored. */
  readonly store: ArrayMaker;
}

const bigints = BigInt64Array as unknown as ArrayMaker;

export const dtypes: { readonly [K in DType]: DTypeInfo } = {
  bool: { bytes: 1, kind: 'bool', rank: 0, compute: 'bool', array: Uint8Array, store: Uint8Array },
  uint8: { bytes: 1, kind: 'int', rank: 1, compute: 'int32', array: Uint8Array, store: Uint8Array },
  int8: { bytes: 1, kind: 'int', rank: 1, compute: 'int32', array: Int8Array, store: Int8Array },
  int32: { bytes: 4, kind: 'int', rank: 2, compute: 'int32', array: Int32Array, store: Int32Array },
  int64: { bytes: 8, kind: 'int', rank: 3, compute: 'int64', array: bigints, store: bigints },
  float16: { bytes: 2, kind: 'float', rank: 4, compute: 'float32', array: Float32Array, store: Uint16Array },
  bfloat16: { bytes: 2, kind: 'float', rank: 4, compute: 'float32', array: Float32Array, store: Uint16Array },
  float32: { bytes: 4, kind: 'float', rank: 5, compute: 'float32', array: Float32Array, store: Float32Array },
  float64: { bytes: 8, kind: 'float', rank: 6, compute: 'float64', array: Float64Array, store: Float64Array },
};

export function isDType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(dtypes, value);
}

export function checkDType(op: string, value: unknown): DType {
  if (isDType(value)) return value;
  fail(op, `dtype must be one of ${Object.keys(dtypes).join(', ')}`, `got ${JSON.stringify(value)}`);
}

export function isFloat(dtype: DType): boolean {
  return dtypes[dtype].kind === 'float';
}

/** Smaller in memory than in registers: float16, bfloat16, int8, uint8. */
export function isSmall(dtype: DType): boolean {
  return dtypes[dtype].compute !== dtype;
}

/** The least and the greatest number of a dtype; of int64 the greatest is the nearest number, 2^63. */
export function numbersOf(dtype: DType): readonly [least: number, greatest: number] {
  const { kind, bytes } = dtypes[dtype];
  if (kind === 'float') return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  if (kind === 'bool') return [0, 1];
  return dtype === 'uint8' ? [0, 255] : [-(2 ** (8 * bytes - 1)), 2 ** (8 * bytes - 1) - 1];
}

/**
 * The smallest dtype that both go into: bool < uint8, int8 < int32 < int64 < float16, bfloat16 < float32 < float64. Those of one
 * place in this order meet in what both are computed in: uint8 and int8 in int32, float16 and bfloat16 in float32. As everywhere in
 * this field an integer with a float gives that float, however small, though not every integer is one of its numbers.
 */
export function promote(a: DType, b: DType): DType {
  if (a === b) return a;
  const [x, y] = [dtypes[a], dtypes[b]];
  if (x.rank === y.rank) return x.compute;
  return x.rank > y.rank ? a : b;
}

/** A zeroed array that can hold `size` elements of `dtype` as numbers. */
export function newArray(dtype: DType, size: number): TypedArray {
  const { array } = dtypes[dtype];
  return new array(new ArrayBuffer(size * bytesPerNumber(array)), 0, size);
}

function bytesPerNumber(array: ArrayMaker): number {
  return (array as unknown as { readonly BYTES_PER_ELEMENT: number }).BYTES_PER_ELEMENT;
}

/** The number that is stored when x is written as `dtype`, as JavaScript's typed arrays convert; bool is x != 0. */
export function roundTo(dtype: DType, x: number): number {
  switch (dtype) {
    case 'bool':
      return x !== 0 ? 1 : 0;
    case 'uint8':
      return x & 0xff;
    case 'int8':
      return (x << 24) >> 24;
    case 'int32':
      return x | 0;
    case 'int64':
      return Math.trunc(x);
    case 'float16':
      return roundToFloat16(x);
    case 'bfloat16':
      return roundToBfloat16(x);
    case 'float32':
      return Math.fround(x);
    case 'float64':
      return x;
  }
}

/** x as an element of newArray's arrays: rounded, a bigint for int64 (as which it counts as a number in name only). */
export function elementOf(dtype: DType, x: number): number {
  if (dtype === 'int64') return (typeof x === 'number' ? BigInt(Math.trunc(x)) : x) as unknown as number;
  return roundTo(dtype, x);
}

const bitsOf = { float16: float16Bits, bfloat16: bfloat16Bits } as const;
const numberOf = { float16: float16Number, bfloat16: bfloat16Number } as const;

function hasBits(dtype: DType): dtype is 'float16' | 'bfloat16' {
  return dtype === 'float16' || dtype === 'bfloat16';
}

/** Writes elements as they are stored. */
export function pack(dtype: DType, values: TypedArray, into: TypedArray): void {
  if (!hasBits(dtype)) return into.set(values);
  const bits = bitsOf[dtype];
  for (let i = 0; i < values.length; i++) into[i] = bits(values[i]);
}

/** Elements as they are stored; a new array. */
export function packed(dtype: DType, values: TypedArray): TypedArray {
  const { store, bytes } = dtypes[dtype];
  const into = new store(new ArrayBuffer(values.length * bytes), 0, values.length);
  pack(dtype, values, into);
  return into;
}

/** Elements as numbers, from how they are stored; a new array. */
export function unpack(dtype: DType, stored: TypedArray): TypedArray {
  if (!hasBits(dtype)) return stored.slice();
  const out = newArray(dtype, stored.length);
  const number = numberOf[dtype];
  for (let i = 0; i < out.length; i++) out[i] = number(stored[i]);
  return out;
}
