/** Static types of tensors: ranks, shapes, and what may stand for a tensor in a call. */
import type { DType, TypedArray } from '../types/dtype.ts';
import type { Tensor } from './tensor.ts';

export const Rank = { R0: 'R0', R1: 'R1', R2: 'R2', R3: 'R3', R4: 'R4', R5: 'R5', R6: 'R6' } as const;
export type Rank = keyof typeof Rank;
export declare namespace Rank {
  type R0 = 'R0';
  type R1 = 'R1';
  type R2 = 'R2';
  type R3 = 'R3';
  type R4 = 'R4';
  type R5 = 'R5';
  type R6 = 'R6';
}

export interface ShapeMap {
  R0: number[];
  R1: [number];
  R2: [number, number];
  R3: [number, number, number];
  R4: [number, number, number, number];
  R5: [number, number, number, number, number];
  R6: [number, number, number, number, number, number];
}

export interface ArrayMap {
  R0: number;
  R1: number[];
  R2: number[][];
  R3: number[][][];
  R4: number[][][][];
  R5: number[][][][][];
  R6: number[][][][][][];
}

export interface DataTypeMap {
  float32: Float32Array;
  int32: Int32Array;
  bool: Uint8Array;
  float16: Float32Array;
  bfloat16: Float32Array;
  float64: Float64Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int64: BigInt64Array;
  complex64: Float32Array;
  string: string[];
}

/** What one element of a buffer is. */
export interface SingleValueMap {
  float32: number;
  int32: number;
  bool: number | boolean;
  float16: number;
  bfloat16: number;
  float64: number;
  int8: number;
  uint8: number;
  int64: bigint;
  complex64: number;
  string: string;
}

/** Every dtype of a tensor. Strings are host data that no program sees; the others are computed with. */
export type DataType = DType | 'complex64' | 'string';
export type NumericDataType = 'float32' | 'int32' | 'bool';

export type Scalar = Tensor<'R0'>;
export type Tensor1D = Tensor<'R1'>;
export type Tensor2D = Tensor<'R2'>;
export type Tensor3D = Tensor<'R3'>;
export type Tensor4D = Tensor<'R4'>;
export type Tensor5D = Tensor<'R5'>;
export type Tensor6D = Tensor<'R6'>;

export type RecursiveArray<T> = readonly (T | RecursiveArray<T>)[];
/** What may be written where a tensor is wanted: numbers, booleans, strings, nested lists of them, typed arrays. */
export type TensorLike =
  | number
  | bigint
  | boolean
  | string
  | TypedArray
  | BigInt64Array
  | Uint8ClampedArray
  | RecursiveArray<number | bigint | boolean | string | TypedArray | BigInt64Array>;

export interface NamedTensorMap {
  [name: string]: Tensor;
}

/** Tensors inside lists and plain objects; other values may stand among them. */
export type TensorContainer =
  | Tensor
  | TensorContainerArray
  | TypedArray
  | TensorContainerObject
  | string
  | number
  | boolean
  | null
  | undefined
  | void;
export interface TensorContainerObject {
  readonly [name: string]: TensorContainer;
}
export type TensorContainerArray = readonly TensorContainer[];
