/** Comparison, logic and choice. Shapes broadcast; results are bool. */
import * as build from '../../ops/build.ts';
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { binary, lift, unary, valueOf } from './lift.ts';

/** Is a = b? */
export function equal<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('equal', a, b, build.equal);
}

/** Is a != b? */
export function notEqual<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('notEqual', a, b, build.notEqual);
}

/** Is a < b? */
export function less<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('less', a, b, build.less);
}

/** Is a <= b? */
export function lessEqual<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('lessEqual', a, b, build.lessEqual);
}

/** Is a > b? */
export function greater<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('greater', a, b, build.greater);
}

/** Is a >= b? */
export function greaterEqual<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('greaterEqual', a, b, build.greaterEqual);
}

/** a and b, of bool tensors. */
export function logicalAnd<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return lift<T>(build.logicalAnd(valueOf(a, 'a', 'logicalAnd', 'bool'), valueOf(b, 'b', 'logicalAnd', 'bool')));
}

/** a or b, of bool tensors. */
export function logicalOr<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return lift<T>(build.logicalOr(valueOf(a, 'a', 'logicalOr', 'bool'), valueOf(b, 'b', 'logicalOr', 'bool')));
}

/** either a or b, of bool tensors. */
export function logicalXor<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return lift<T>(build.logicalXor(valueOf(a, 'a', 'logicalXor', 'bool'), valueOf(b, 'b', 'logicalXor', 'bool')));
}

/** not x, of a bool tensor. */
export function logicalNot<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('logicalNot', x, build.logicalNot);
}

/** a where the condition holds, else b; all three broadcast. */
export function where<T extends Tensor = Tensor>(
  condition: Tensor | TensorLike,
  a: T | TensorLike,
  b: T | TensorLike,
): T {
  const test = valueOf(condition, 'condition', 'where', 'bool');
  if (test.dtype !== 'bool')
    fail('where', 'the condition must be bool', `got ${test.dtype}`, "compare first, or cast to 'bool'");
  return lift<T>(build.select(test, valueOf(a, 'a', 'where'), valueOf(b, 'b', 'where')));
}
