/** Dtypes in kernels: how an element lies in memory, constants of it, the numbers at the ends of its range. */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Elem, NumberType, ReduceFn, Reg, RegType } from '../kernel/ir.ts';
import { elemBytes, registerOf } from '../kernel/ir.ts';
import type { DType } from '../types/dtype.ts';

const elements: { readonly [K in DType]: Elem } = {
  float32: 'f32',
  int32: 'i32',
  bool: 'u8',
  float16: 'f16',
  bfloat16: 'bf16',
  int8: 'i8',
  uint8: 'u8',
  float64: 'f64',
  int64: 'i64',
};

/** How a dtype lies in memory. */
export function elemOf(dtype: DType): Elem {
  return elements[dtype];
}

/** What an element is loaded into. */
export function registerTypeOf(dtype: DType): NumberType {
  return registerOf[elements[dtype]];
}

/** A number in every lane of a register that holds this dtype. */
export function constantOf(b: KernelBuilder, dtype: DType, value: number | bigint): Reg {
  return b.constant(registerOf[elements[dtype]], value);
}

export function isFloatRegister(type: RegType): boolean {
  return type === 'f32' || type === 'f64';
}

/** The least and the greatest that a register of this dtype holds. */
export function rangeOf(dtype: DType): readonly [least: number | bigint, greatest: number | bigint] {
  const type = registerOf[elements[dtype]];
  if (isFloatRegister(type)) return [-Infinity, Infinity];
  const bits = BigInt(8 * elemBytes[type] - 1);
  return [-(2n ** bits), 2n ** bits - 1n];
}

/** What changes nothing when it is combined with a number of this dtype; a bigint for int64. */
export function identityOf(fn: ReduceFn, dtype: DType): number | bigint {
  const [least, greatest] = rangeOf(dtype);
  const identity = { add: 0, mul: 1, max: least, min: greatest }[fn];
  return dtype === 'int64' ? BigInt(identity) : Number(identity);
}
