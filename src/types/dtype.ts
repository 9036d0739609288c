/** Element types of tensors, their storage and their promotion. */
import { fail } from '../base/errors.ts';

export type DType = 'float32' | 'int32' | 'bool';
export type TypedArray = Float32Array | Int32Array | Uint8Array;

export interface DTypeInfo {
  readonly bytes: number;
  /** Place in the promotion order bool < int32 < float32. */
  readonly rank: number;
  readonly array: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => TypedArray;
}

export const dtypes: { readonly [K in DType]: DTypeInfo } = {
  bool: { bytes: 1, rank: 0, array: Uint8Array },
  int32: { bytes: 4, rank: 1, array: Int32Array },
  float32: { bytes: 4, rank: 2, array: Float32Array },
};

export function isDType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(dtypes, value);
}

export function checkDType(op: string, value: unknown): DType {
  if (isDType(value)) return value;
  fail(op, `dtype must be one of ${Object.keys(dtypes).join(', ')}`, `got ${JSON.stringify(value)}`);
}

/** The smaller dtype that holds both: bool < int32 < float32. */
export function promote(a: DType, b: DType): DType {
  return dtypes[a].rank >= dtypes[b].rank ? a : b;
}

/** A zeroed array that can hold `size` elements of `dtype`. */
export function newArray(dtype: DType, size: number): TypedArray {
  return new dtypes[dtype].array(new ArrayBuffer(size * dtypes[dtype].bytes), 0, size);
}
