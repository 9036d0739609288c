/** tf.linalg: eigenvalues and singular values, and what is made of them. Matrices are the last two axes, [..., m, n]. */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import { linalg as composite } from '../../ops/composite.ts';
import { adjoint, block, diagonalMatrix, partMask, sizes, stackColumns } from '../../ops/linalg/parts.ts';
import { normalizeAxes, sameShape, showShape } from '../../types/shape.ts';
import { joinParts } from '../complex-tensor.ts';
import type { Tensor } from '../tensor.ts';
import { lift, valueOf } from './lift.ts';
import type { Input } from './linalg-inputs.ts';
import { matrixOf, squareOf, withColumns } from './linalg-inputs.ts';
import { norm as plainNorm } from './reduction.ts';

/**
 * [values, vectors] of symmetric A [..., n, n], which counts as (A + A^T) / 2: values [..., n] ascending, and orthonormal
 * vectors as columns, A V = V diag(values). In each vector the first of the (nearly) largest components is positive. The gradient
 * (Giles 2008) of the vectors is that of a matrix with distinct values: pairs of equal ones contribute nothing, nearly
 * equal ones much. NaN where A has any.
 */
export function eigh(a: Input): [Tensor, Tensor] {
  const [values, vectors] = build.eigh(squareOf(a, 'a', 'eigh'));
  return [lift(values), lift(vectors)];
}

/** The eigenvalues [..., n] of symmetric matrices, ascending. */
export function eigvalsh(a: Input): Tensor {
  return lift(build.eigvalsh(squareOf(a, 'a', 'eigvalsh')));
}

/**
 * [values, vectors] of general A [..., n, n], complex64: A V = V diag(values). Values [..., n] stand by ascending real parts; complex
 * ones come in conjugate pairs, the one with the positive imaginary part first. Vectors are columns of length 1 whose first of the
 * (nearly) largest components is real and positive; a matrix with too few of them (a defective one) repeats some, nearly. Real Schur
 * form by Francis' double shifts (Golub & Van Loan 2013, 7.5), without balancing. The gradient (Boeddeker et al. 2017, "On the
 * computation of complex-valued gradients") is that of distinct values; equal ones contribute nothing to the vectors. NaN where A
 * has a number that is not finite.
 */
export function eig(a: Input): [Tensor, Tensor] {
  const [re, im, vectorsRe, vectorsIm] = build.eig(squareOf(a, 'a', 'eig'));
  return [joinParts({ re, im }), joinParts({ re: vectorsRe, im: vectorsIm })];
}

/** The eigenvalues [..., n] of general matrices, complex64, in the order of eig. */
export function eigvals(a: Input): Tensor {
  const [re, im] = build.eigvals(squareOf(a, 'a', 'eigvals'));
  return joinParts({ re, im });
}

/**
 * A = U diag(s) V^T of A [..., m, n], k = min(m, n): [U, s, V^T] with orthonormal U [..., m, m], s [..., k] descending and
 * V^T [..., n, n]; with fullMatrices = false U is [..., m, k] and V^T [..., k, n]; with computeUv = false it is s alone. Of
 * each pair of vectors, the first of the (nearly) largest components of the one on the shorter side is positive (of v where m = n).
 * Small values are exact to eps times the largest. The gradient is Townsend's (2016): of vectors it needs distinct values that
 * are not 0 (equal ones contribute nothing); what completes U or V^T is taken to turn as little as it can.
 */
export function svd(a: Input, fullMatrices?: boolean, computeUv?: true): [Tensor, Tensor, Tensor];
export function svd(a: Input, fullMatrices: boolean, computeUv: false): Tensor;
export function svd(a: Input, fullMatrices = true, computeUv = true): Tensor | [Tensor, Tensor, Tensor] {
  const value = matrixOf(a, 'a', 'svd');
  if (!computeUv) return lift(build.singularValues(value));
  const [u, s, vt] = build.svd(value);
  const [m, n] = sizes(value);
  const left = fullMatrices && m > n ? completed(u) : u;
  const right = fullMatrices && n > m ? adjoint(completed(adjoint(vt))) : vt;
  return [lift(left), lift(s), lift(right)];
}

/** Orthonormal columns [..., m, k] and m - k further ones. */
function completed(u: Value): Value {
  const [m, k] = sizes(u);
  const [q] = build.qr(u, true);
  return stackColumns([u, block(q, 0, m, k, m)]);
}

/** The singular values [..., min(m, n)] of each matrix, descending. */
export function svdvals(a: Input): Tensor {
  return svd(a, false, false);
}

/**
 * The Moore-Penrose pseudoinverse [..., n, m] of [..., m, n]: singular values up to rcond times the largest count as zero; rcond
 * is max(m, n) eps by default. Gradient: Golub & Pereyra (1973), for a rank that does not change.
 */
export function pinv(a: Input, rcond?: number): Tensor {
  return lift(composite.pseudoInverse(matrixOf(a, 'a', 'pinv'), rcond));
}

/**
 * The x of least norm among those that minimise |a x - b|: a [..., m, n] of any rank, b [..., m, k], or [..., m] for one system
 * each. rcond as in pinv.
 */
export function lstsq(a: Input, b: Input, rcond?: number): Tensor {
  const value = matrixOf(a, 'a', 'lstsq');
  return withColumns('lstsq', value, b, 'b', (x, y) => build.matMul(composite.pseudoInverse(x, rcond), y));
}

/** How many singular values are above tol: max(m, n) eps times the largest by default. int32. */
export function matrixRank(a: Input, tol?: number): Tensor {
  const value = matrixOf(a, 'a', 'matrixRank');
  if (Math.min(...sizes(value)) === 0) return lift(build.constant(0, 'int32', value.shape.slice(0, -2)));
  const s = build.singularValues(value);
  const largest = build.max(s, [-1], true);
  const bound =
    tol === undefined ? build.scale(largest, composite.defaultTolerance(value)) : build.constantLike(largest, tol);
  return lift(composite.matrixRank(s, bound));
}

/**
 * The condition number norm(a, p) norm(a^-1, p): for p = 2 (the default) and -2 by singular values, of any matrices; for 'fro',
 * 'nuc', 1, -1, Infinity and -Infinity of square ones. Infinite or NaN where a is singular.
 */
export function cond(a: Input, p: Order = 2): Tensor {
  if (p === 2) return lift(composite.conditionNumber(matrixOf(a, 'a', 'cond')));
  if (p === -2) return lift(build.reciprocal(composite.conditionNumber(matrixOf(a, 'a', 'cond'))));
  const value = squareOf(a, 'a', 'cond');
  const inverse = lift(composite.inverse(value));
  return lift(build.mul(norm(lift(value), p, [-2, -1]).value, norm(inverse, p, [-2, -1]).value));
}

export type Order = number | 'euclidean' | 'fro' | 'nuc';

/**
 * A norm over one axis (of vectors), two (of matrices) or all; without an axis a tensor of rank 2 is one matrix, as in NumPy. As
 * tf.norm, and over two axes also 2 and -2, the largest and the smallest singular value, and 'nuc', their sum.
 */
export function norm(
  x: Input,
  ord: Order = 'euclidean',
  axis: number | readonly number[] | null = null,
  keepDims = false,
): Tensor {
  const value = build.asReal(valueOf(x, 'x', 'norm'));
  const axes = normalizeAxes('norm', axis, value.shape.length);
  const isMatrix = axes.length === 2 && (axis !== null || value.shape.length === 2);
  if (ord === 'nuc' && !isMatrix) fail('norm', "'nuc' is a norm of matrices", `got axes [${axes}]`, 'give two axes');
  if (!isMatrix || (ord !== 2 && ord !== -2 && ord !== 'nuc')) {
    return plainNorm(lift(value), ord as number | 'euclidean' | 'fro', isMatrix ? axes : axis, keepDims);
  }
  const others = value.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const s = build.singularValues(build.transpose(value, [...others, ...axes]));
  const result = ord === 'nuc' ? build.sum(s, [-1]) : ord === 2 ? build.max(s, [-1]) : build.min(s, [-1]);
  const kept = value.shape.map((extent, i) => (axes.includes(i) ? 1 : extent));
  return lift(keepDims ? build.reshape(result, kept) : result);
}

/** Matrices [..., n, n] with x [..., n] on their diagonals. */
export function diag(x: Input): Tensor {
  const value = valueOf(x, 'x', 'diag');
  if (value.shape.length === 0) fail('diag', 'x must have rank 1 or more', 'got a scalar');
  return lift(diagonalMatrix(value));
}

/** x [..., m, n] with its diagonal replaced by diagonal [..., min(m, n)]. */
export function setDiag(x: Input, diagonal: Input): Tensor {
  const matrix = valueOf(x, 'x', 'setDiag');
  if (matrix.shape.length < 2) fail('setDiag', 'x must have rank 2 or more', `got shape ${showShape(matrix.shape)}`);
  const [m, n] = sizes(matrix);
  const values = build.cast(valueOf(diagonal, 'diagonal', 'setDiag'), matrix.dtype);
  const expected = [...matrix.shape.slice(0, -2), Math.min(m, n)];
  if (!sameShape(values.shape, expected)) {
    fail('setDiag', `diagonal must have shape ${showShape(expected)}`, `got ${showShape(values.shape)}`);
  }
  // The values along the longer side, as rows or columns; where the shorter side ends there is no diagonal.
  const spread =
    m <= n ? build.reshape(values, [...expected, 1]) : build.reshape(values, [...expected.slice(0, -1), 1, n]);
  return lift(build.select(partMask('diagonal', m, n), build.broadcastTo(spread, matrix.shape), matrix));
}

/** The cross product of vectors of three elements along the last axis; other axes broadcast. */
export function cross(a: Input, b: Input): Tensor {
  const [x, y] = build.matched('cross', valueOf(a, 'a', 'cross'), valueOf(b, 'b', 'cross'));
  const rank = x.shape.length;
  if (x.shape[rank - 1] !== 3) {
    fail('cross', 'the last axis must have 3 elements', `got shapes ${showShape(x.shape)} and ${showShape(y.shape)}`);
  }
  const part = (v: Value, i: number) =>
    build.slice(v, v.shape.map(() => 0).with(rank - 1, i), v.shape.with(rank - 1, 1));
  const minor = (i: number, j: number) =>
    build.sub(build.mul(part(x, i), part(y, j)), build.mul(part(x, j), part(y, i)));
  return lift(build.concat([minor(1, 2), minor(2, 0), minor(0, 1)], rank - 1));
}
