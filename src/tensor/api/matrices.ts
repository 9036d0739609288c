/** Products of matrices and vectors, and transposition. */
import { fail } from '../../base/errors.ts';
import * as build from '../../ops/build.ts';
import { showShape, sizeOf } from '../../types/shape.ts';
import { bilinear, isComplex } from '../complex-tensor.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensor2D, TensorLike } from '../types.ts';
import { conj } from './complex.ts';
import { axisOf, lift, movedStrings, valueOf } from './lift.ts';

/**
 * The matrix product over the last two axes: [..., m, k] x [..., k, n] gives [..., m, n]; leading axes broadcast. transposeA
 * and transposeB exchange the last two axes of a side first. dtype float32.
 */
export function matMul<T extends Tensor = Tensor>(
  a: Tensor | TensorLike,
  b: Tensor | TensorLike,
  transposeA = false,
  transposeB = false,
): T {
  if (isComplex(a) || isComplex(b)) {
    return bilinear<T>('matMul', a, b, (x, y) => matMul(x, y, transposeA, transposeB));
  }
  return lift<T>(build.matMul(valueOf(a, 'a', 'matMul'), valueOf(b, 'b', 'matMul'), transposeA, transposeB));
}

/** The product of two tensors of rank 1 or 2: of vectors the scalar sum(a b), with matrices the matrix product. */
export function dot(t1: Tensor | TensorLike, t2: Tensor | TensorLike): Tensor {
  if (isComplex(t1) || isComplex(t2)) return bilinear('dot', t1, t2, dot);
  const [a, b] = [valueOf(t1, 't1', 'dot'), valueOf(t2, 't2', 'dot')];
  const [ra, rb] = [a.shape.length, b.shape.length];
  if (ra < 1 || ra > 2 || rb < 1 || rb > 2) {
    fail('dot', 'inputs must have rank 1 or 2', `got ${showShape(a.shape)} and ${showShape(b.shape)}`);
  }
  const inner = a.shape[ra - 1];
  if (inner !== b.shape[0]) {
    fail(
      'dot',
      'inner dimensions must match',
      `${showShape(a.shape)} and ${showShape(b.shape)} have ${inner} and ${b.shape[0]}`,
    );
  }
  const left = ra === 1 ? build.reshape(a, [1, inner]) : a;
  const right = rb === 1 ? build.reshape(b, [inner, 1]) : b;
  const product = build.matMul(left, right);
  return lift(build.reshape(product, [...a.shape.slice(0, -1), ...b.shape.slice(1)]));
}

/** All products of an element of v1 with one of v2: shape [v1.size, v2.size]. */
export function outerProduct(v1: Tensor | TensorLike, v2: Tensor | TensorLike): Tensor2D {
  if (isComplex(v1) || isComplex(v2)) return bilinear<Tensor2D>('outerProduct', v1, v2, outerProduct);
  const [a, b] = [valueOf(v1, 'v1', 'outerProduct'), valueOf(v2, 'v2', 'outerProduct')];
  if (a.shape.length !== 1 || b.shape.length !== 1) {
    fail('outerProduct', 'inputs must have rank 1', `got ${showShape(a.shape)} and ${showShape(b.shape)}`);
  }
  return lift(build.mul(build.reshape(a, [sizeOf(a.shape), 1]), build.reshape(b, [1, sizeOf(b.shape)])));
}

/** Axis i of the output is axis perm[i] of the input; without perm the axes are reversed. `conjugate` takes conj(x). */
export function transpose<T extends Tensor = Tensor>(
  x: T | TensorLike,
  perm?: readonly number[] | null,
  conjugate = false,
): T {
  if (conjugate && isComplex(x)) return transpose<T>(conj(x as T), perm);
  const strings = movedStrings<T>('transpose', x, (positions) => transpose(positions, perm));
  if (strings) return strings;
  const value = valueOf(x, 'x', 'transpose');
  const rank = value.shape.length;
  const order = perm ? perm.map((axis) => axisOf('transpose', axis, rank)) : value.shape.map((_, i) => rank - 1 - i);
  if (new Set(order).size !== rank || order.length !== rank) {
    fail('transpose', `perm must hold each of the ${rank} axes once`, `got [${perm}]`);
  }
  return lift<T>(build.transpose(value, order));
}
