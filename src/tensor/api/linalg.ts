/**
 * tf.linalg: factorisations of matrices and what follows from them. Matrices are the last two axes, [..., m, n]; leading axes are
 * batches. float32 (other numbers are converted), on every target, with gradients of any order. Where TensorFlow.js has the
 * function its meaning is kept; for the rest names and defaults are NumPy's.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import { linalg as composite } from '../../ops/composite.ts';
import { adjoint, diagonalOf, stackRows } from '../../ops/linalg/parts.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensor1D } from '../types.ts';
import { lift, valuesOf } from './lift.ts';
import type { Input } from './linalg-inputs.ts';
import { matrixOf, squareOf, withColumns } from './linalg-inputs.ts';

/**
 * Lower triangular L with L L^T = A for symmetric positive definite A [..., n, n]. A counts as (A + A^T) / 2, so its gradient
 * is symmetric. From the first pivot that is not positive on, L is NaN. Gradient: Murray (2016), "Differentiation of the
 * Cholesky decomposition".
 */
export function cholesky(a: Input): Tensor {
  return lift(build.cholesky(squareOf(a, 'a', 'cholesky')));
}

/** X with L L^T X = B, for the L that cholesky gives: chol [..., n, n], rhs [..., n, k] or, for one system each, [..., n]. */
export function choleskySolve(chol: Input, rhs: Input): Tensor {
  return withColumns('choleskySolve', squareOf(chol, 'chol', 'choleskySolve'), rhs, 'rhs', composite.choleskySolve);
}

/**
 * P A = L U of A [..., m, n] with partial pivoting: { lower [..., m, k], upper [..., k, n], permutation int32 [..., m] } with
 * k = min(m, n); row i of L U is row permutation[i] of A. A singular A gives zeros on U's diagonal. The gradient is that of
 * Walter & Lehmann (2010) for any m, n; it needs the leading square of L and U to be invertible.
 */
export function lu(a: Input): { lower: Tensor; upper: Tensor; permutation: Tensor } {
  const { lower, upper, order } = composite.lowerUpper(matrixOf(a, 'a', 'lu'));
  return { lower: lift(lower), upper: lift(upper), permutation: lift(order) };
}

/**
 * [Q, R] with Q R = A, Q's columns orthonormal, R upper triangular: for A [..., m, n] and k = min(m, n), Q is [..., m, k] and R
 * [..., k, n]; with fullMatrices [..., m, m] and [..., m, n]. Signs are TensorFlow.js's: R_kk is negative where what stood
 * there was positive. The gradient (Seeger et al. 2017; Walter & Lehmann 2010) needs the first k columns of A to be
 * independent; columns that complete Q are taken to turn as little as they can.
 */
export function qr(x: Input, fullMatrices = false): [Tensor, Tensor] {
  const [q, r] = build.qr(matrixOf(x, 'x', 'qr'), fullMatrices);
  return [lift(q), lift(r)];
}

/**
 * Vectors made orthonormal by Gram and Schmidt's process, in order: a list of tensors of rank 1, or the rows of one tensor of
 * rank 2. Computed by Householder reflections, which keep them orthogonal to float32's accuracy.
 */
export function gramSchmidt<T extends Tensor1D[] | Tensor>(xs: T): T;
export function gramSchmidt(xs: readonly Input[] | Input): Tensor | Tensor[];
export function gramSchmidt(xs: readonly Input[] | Input): Tensor | Tensor[] {
  const isList = Array.isArray(xs);
  const rows = isList ? listOfVectors(xs as readonly Input[]) : matrixOf(xs as Input, 'xs', 'gramSchmidt');
  if (rows.shape.length !== 2) fail('gramSchmidt', 'xs must have rank 2', `got shape ${showShape(rows.shape)}`);
  const [count, size] = rows.shape;
  if (count > size) {
    fail(
      'gramSchmidt',
      'there can be at most as many vectors as they have elements',
      `got ${count} vectors of ${size}`,
    );
  }
  const [q, r] = build.qr(adjoint(rows));
  const signs = build.reshape(build.sign(diagonalOf(r)), [count, 1]);
  const result = build.mul(adjoint(q), signs);
  if (!isList) return lift(result);
  return Array.from({ length: count }, (_, i) => lift(build.reshape(build.slice(result, [i, 0], [1, size]), [size])));
}

function listOfVectors(xs: readonly Input[]): Value {
  const values = valuesOf(xs, 'xs', 'gramSchmidt').map((x) => build.asReal(x));
  const wrong = values.find((x) => x.shape.length !== 1 || !sameShape(x.shape, values[0].shape));
  if (wrong) {
    const got = `got ${showShape(values[0].shape)} and ${showShape(wrong.shape)}`;
    fail('gramSchmidt', 'all vectors must have rank 1 and one length', got);
  }
  return stackRows(values.map((x) => build.reshape(x, [1, x.shape[0]])));
}

/**
 * X with T X = B for a triangular matrix [..., n, n], of which only the lower triangle (or with lower = false the upper one) is read;
 * adjoint solves with its transpose, unitDiagonal takes the diagonal as ones. rhs is [..., n, k], or [..., n] for one system
 * each. A zero on the diagonal gives infinities or NaN.
 */
export function triangularSolve(
  matrix: Input,
  rhs: Input,
  lower = true,
  adjoint = false,
  unitDiagonal = false,
): Tensor {
  const options = { lower, transpose: adjoint, unit: unitDiagonal };
  return withColumns('triangularSolve', squareOf(matrix, 'matrix', 'triangularSolve'), rhs, 'rhs', (a, b) =>
    build.triangularSolve(a, b, options),
  );
}

/**
 * X with A X = B, by LU with partial pivoting: a [..., n, n], b [..., n, k], or [..., n] for one system each. adjoint solves with
 * A^T. A singular A gives infinities or NaN. Gradient: dB = A^-T dX, dA = -dB X^T (Giles 2008).
 */
export function solve(a: Input, b: Input, adjoint = false): Tensor {
  return withColumns('solve', squareOf(a, 'a', 'solve'), b, 'b', (x, y) => composite.solve(x, y, adjoint));
}

/** A^-1 of [..., n, n]; infinities or NaN where A is singular. Prefer solve(a, b) to inv(a).matMul(b). */
export function inv(a: Input): Tensor {
  return lift(composite.inverse(squareOf(a, 'a', 'inv')));
}

/** The determinant of each matrix. The gradient, det(A) A^-T, is NaN where A is singular. */
export function det(a: Input): Tensor {
  return lift(composite.determinant(squareOf(a, 'a', 'det')));
}

/** [sign, log |det A|] of each matrix: [0, -Infinity] where it is singular. The gradient of the logarithm is A^-T. */
export function slogdet(a: Input): [Tensor, Tensor] {
  const [sign, logarithm] = composite.signedLogDeterminant(squareOf(a, 'a', 'slogdet'));
  return [lift(sign), lift(logarithm)];
}

/** log det A of symmetric positive definite matrices, by cholesky; NaN for others. */
export function logdet(a: Input): Tensor {
  return lift(composite.logDeterminant(squareOf(a, 'a', 'logdet')));
}

/** The sum of the diagonal of each matrix [..., m, n]. */
export function trace(x: Input): Tensor {
  return lift(composite.trace(matrixOf(x, 'x', 'trace')));
}

/** The diagonal [..., min(m, n)] of each matrix [..., m, n]. */
export function diagPart(x: Input): Tensor {
  return lift(diagonalOf(matrixOf(x, 'x', 'diagPart')));
}

/** A^n for an integer n; a negative one takes the inverse. */
export function matrixPower(a: Input, n: number): Tensor {
  if (!Number.isInteger(n)) fail('matrixPower', 'n must be an integer', `got ${n}`);
  return lift(composite.matrixPower(squareOf(a, 'a', 'matrixPower'), n));
}

/**
 * e^A, by scaling and squaring with a Pade approximant of degree 7 (Higham 2005). NaN for a 1-norm beyond 257,000. Relative error
 * grows with the norm, by a factor of two for each doubling.
 */
export function expm(a: Input): Tensor {
  return lift(composite.matrixExponential(squareOf(a, 'a', 'expm')));
}

/** The Kronecker product of [..., m, n] and [..., p, q]: [..., m p, n q]. */
export function kron(a: Input, b: Input): Tensor {
  return lift(composite.kronecker(matrixOf(a, 'a', 'kron'), matrixOf(b, 'b', 'kron')));
}

export * from './linalg-spectral.ts';
export { bandPart } from './movement.ts';
