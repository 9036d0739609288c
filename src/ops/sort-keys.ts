/**
 * Sorting keys: integers as wide as the elements whose order is the one that is wanted of them. Floats of either sign, both zeros
 * equal, NaN behind everything else whatever the direction. Equal elements have equal keys.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Reg } from '../kernel/ir.ts';
import { type DType, dtypes } from '../types/dtype.ts';
import { rangeOf } from './elements.ts';

/** What the keys of this dtype are: int32 or int64. */
export function keyOf(dtype: DType): 'int32' | 'int64' {
  return dtypes[dtype].bytes === 8 ? 'int64' : 'int32';
}

export function sortKey(b: KernelBuilder, x: Reg, descending: boolean): Reg {
  const type = b.typeOf(x);
  if (type === 'i32' || type === 'i64') return descending ? b.binary('xor', x, b.like(x, -1)) : x;
  // Adding 0 turns -0 into 0. Negative floats ascend as their bits descend.
  const bits = b.convert(type === 'f64' ? 'bitsToI64' : 'bitsToI32', b.binary('add', x, b.like(x, 0)));
  const sign = b.binary('sar', bits, b.like(bits, type === 'f64' ? 63 : 31));
  const folded = b.binary('xor', bits, b.binary('shr', sign, b.like(bits, 1)));
  const key = descending ? b.binary('xor', folded, b.like(bits, -1)) : folded;
  const [, greatest] = rangeOf(type === 'f64' ? 'int64' : 'int32');
  return b.select(b.compare('ne', x, x), b.like(bits, greatest), key);
}

/** Whether a stands before b, as JavaScript numbers: what sortKey means. */
export function standsBefore(a: number, b: number, descending: boolean): boolean {
  if (Number.isNaN(a)) return false;
  if (Number.isNaN(b)) return true;
  return descending ? a > b : a < b;
}
