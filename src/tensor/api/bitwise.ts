/** Bits of int32 tensors. Shapes broadcast; numbers and lists count as int32; bool as 0 and 1. */
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { lift, valueOf } from './lift.ts';

type Operand = Tensor | TensorLike;

function bits<T extends Tensor>(op: string, a: Operand, b: Operand, f: (a: Value, b: Value) => Value): T {
  return lift<T>(f(valueOf(a, 'a', op, 'int32'), valueOf(b, 'b', op, 'int32')));
}

/** a and b, bit by bit. */
export function bitwiseAnd<T extends Tensor = Tensor>(a: Operand, b: Operand): T {
  return bits<T>('bitwiseAnd', a, b, build.bitwiseAnd);
}
/** a or b, bit by bit. */
export function bitwiseOr<T extends Tensor = Tensor>(a: Operand, b: Operand): T {
  return bits<T>('bitwiseOr', a, b, build.bitwiseOr);
}
/** Either a or b, bit by bit. */
export function bitwiseXor<T extends Tensor = Tensor>(a: Operand, b: Operand): T {
  return bits<T>('bitwiseXor', a, b, build.bitwiseXor);
}
/** Every bit of x turned. */
export function bitwiseNot<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return lift<T>(build.bitwiseNot(valueOf(x, 'x', 'bitwiseNot', 'int32')));
}
/** a times 2^b, wrapping; 0 where b is outside of [0, 31]. */
export function leftShift<T extends Tensor = Tensor>(a: Operand, b: Operand): T {
  return bits<T>('leftShift', a, b, build.leftShift);
}
/** a over 2^b, rounded down; 0 or -1 where b is outside of [0, 31]. */
export function rightShift<T extends Tensor = Tensor>(a: Operand, b: Operand): T {
  return bits<T>('rightShift', a, b, build.rightShift);
}
/** The bits of a moved b places to the right, zeros behind them; 0 where b is outside of [0, 31]. */
export function rightShiftLogical<T extends Tensor = Tensor>(a: Operand, b: Operand): T {
  return bits<T>('rightShiftLogical', a, b, build.rightShiftLogical);
}
/** The same 32 bits: of float32 as int32, of int32 as float32. */
export function bitcast<T extends Tensor = Tensor>(x: Operand): T {
  return lift<T>(build.bitcast(valueOf(x, 'x', 'bitcast')));
}
