/** Builders of factorisations of matrices [..., m, n]. What is not float64 counts as float32. */
import type { Value } from '../graph/graph.ts';
import { apply, apply1 } from './apply.ts';
import { cast, realOf } from './build-elementwise.ts';

const real = (a: Value, ...others: readonly Value[]): Value => cast(a, realOf(a, ...others));

/** Lower L with L L^T = (A + A^T) / 2. */
export function cholesky(a: Value): Value {
  return apply1('cholesky', [real(a)]);
}

export interface TriangularOptions {
  readonly lower: boolean;
  /** Solves with the transpose of the triangle. */
  readonly transpose?: boolean;
  /** The diagonal counts as ones, whatever stands there. */
  readonly unit?: boolean;
}

/** X with T X = B; leading axes must be equal. */
export function triangularSolve(
  a: Value,
  b: Value,
  { lower, transpose = false, unit = false }: TriangularOptions,
): Value {
  return apply1('triangularSolve', [real(a, b), real(b, a)], { lower, transpose, unit });
}

/** L (without its ones) and U in one matrix, and the order of the rows: row i of the factors is row order[i] of A. */
export function lu(a: Value): [Value, Value] {
  const [packed, order] = apply('lu', [real(a)]);
  return [packed, order];
}

export function qr(a: Value, fullMatrices = false): [Value, Value] {
  const [q, r] = apply('qr', [real(a)], { fullMatrices });
  return [q, r];
}

/** V^T, T and R with (I - V T V^T) R = A, for few columns. */
export function householder(a: Value): [Value, Value, Value] {
  const [vt, t, r] = apply('householder', [real(a)]);
  return [vt, t, r];
}

/** Eigenvalues, ascending, and eigenvectors of (A + A^T) / 2. */
export function eigh(a: Value): [Value, Value] {
  const [values, vectors] = apply('eigh', [real(a)], { vectors: true });
  return [values, vectors];
}

export function eigvalsh(a: Value): Value {
  return apply1('eigh', [real(a)], { vectors: false });
}

/** Of general matrices: real and imaginary parts of the eigenvalues, and of the eigenvectors (columns). */
export function eig(a: Value): [Value, Value, Value, Value] {
  const [re, im, vre, vim] = apply('eig', [real(a)], { vectors: true });
  return [re, im, vre, vim];
}

export function eigvals(a: Value): [Value, Value] {
  const [re, im] = apply('eig', [real(a)], { vectors: false });
  return [re, im];
}

/** U [..., m, k], s descending [..., k] and V^T [..., k, n], k = min(m, n). */
export function svd(a: Value): [Value, Value, Value] {
  const [u, s, vt] = apply('svd', [real(a)], { vectors: true });
  return [u, s, vt];
}

export function singularValues(a: Value): Value {
  return apply1('svd', [real(a)], { vectors: false });
}
