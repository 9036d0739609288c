/**
 * Sorting keys: int32 numbers whose order is the one that is wanted of the elements. Floats of either sign, both zeros equal, NaN
 * behind everything else whatever the direction. Equal elements have equal keys.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Reg } from '../kernel/ir.ts';

const GREATEST = 2147483647;

export function sortKey(b: KernelBuilder, x: Reg, descending: boolean): Reg {
  const all = b.i32(-1);
  if (b.typeOf(x) === 'i32') return descending ? b.binary('xor', x, all) : x;
  // Adding 0 turns -0 into 0. Negative floats ascend as their bits descend.
  const bits = b.convert('bitsToI32', b.binary('add', x, b.f32(0)));
  const folded = b.binary('xor', bits, b.binary('shr', b.binary('sar', bits, b.i32(31)), b.i32(1)));
  const key = descending ? b.binary('xor', folded, all) : folded;
  return b.select(b.compare('ne', x, x), b.i32(GREATEST), key);
}

/** Whether a stands before b, as JavaScript numbers: what sortKey means. */
export function standsBefore(a: number, b: number, descending: boolean): boolean {
  if (Number.isNaN(a)) return false;
  if (Number.isNaN(b)) return true;
  return descending ? a > b : a < b;
}
