/** Comparison (of strings too), logic and choice. Shapes broadcast; results are bool. */
import * as build from '../../ops/build.ts';
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import { broadcastShapes } from '../../types/shape.ts';
import * as complex from '../../ops/complex.ts';
import { isComplex, joinParts, partsOf } from '../complex-tensor.ts';
import { makeTensor, toStrings } from '../convert.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { broadcastTo } from './transformations.ts';
import { binary, lift, unary, valueOf } from './lift.ts';

/** A comparison of numbers; or of strings, by their UTF-16 units as JavaScript compares them. */
function compared<T extends Tensor>(
  op: string,
  a: Tensor | TensorLike,
  b: Tensor | TensorLike,
  numbers: (x: Value, y: Value) => Value,
  strings: (x: string, y: string) => boolean,
): T {
  const [x, y] = [toStrings(a, op), toStrings(b, op)];
  if (!x || !y) return binary<T>(op, a, b, numbers);
  const shape = broadcastShapes(op, x.shape, y.shape);
  const [left, right] = [x, y].map((side) => broadcastTo(side, shape as number[]).dataSync<'string'>());
  return makeTensor(
    left.map((text, i) => strings(text, right[i])),
    shape,
    'bool',
    op,
  ) as T;
}

/** Is a = b? */
export function equal<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return compared<T>('equal', a, b, build.equal, (x, y) => x === y);
}

/** Is a != b? */
export function notEqual<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return compared<T>('notEqual', a, b, build.notEqual, (x, y) => x !== y);
}

/** Is a < b? */
export function less<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return compared<T>('less', a, b, build.less, (x, y) => x < y);
}

/** Is a <= b? */
export function lessEqual<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return compared<T>('lessEqual', a, b, build.lessEqual, (x, y) => x <= y);
}

/** Is a > b? */
export function greater<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return compared<T>('greater', a, b, build.greater, (x, y) => x > y);
}

/** Is a >= b? */
export function greaterEqual<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return compared<T>('greaterEqual', a, b, build.greaterEqual, (x, y) => x >= y);
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
  if (isComplex(a) || isComplex(b)) {
    return joinParts<T>(complex.where(test, partsOf(a, 'a', 'where'), partsOf(b, 'b', 'where')));
  }
  return lift<T>(build.select(test, valueOf(a, 'a', 'where'), valueOf(b, 'b', 'where')));
}
