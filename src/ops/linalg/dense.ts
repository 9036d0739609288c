/**
 * Factorisations in double precision, one small matrix at a time: the definitions of the rows. Row-major Float64Arrays. Slow,
 * by the textbook (Golub & Van Loan), and by other algorithms than the kernels where that keeps them simple.
 */
import type { NDArray } from '../row.ts';

/** Calls visit for each matrix of [..., m, n], in double precision. */
export function eachMatrix({ shape, data }: NDArray, visit: (matrix: Float64Array, at: number) => void): void {
  const size = shape[shape.length - 2] * shape[shape.length - 1];
  if (size === 0) {
    const lead = shape.slice(0, -2).reduce((a, b) => a * b, 1);
    for (let at = 0; at < lead; at++) visit(new Float64Array(0), at);
    return;
  }
  for (let at = 0; at * size < data.length; at++)
    visit(Float64Array.from(data.subarray(at * size, (at + 1) * size)), at);
}

/** Lower L with L L^T = (A + A^T) / 2; from the first pivot that is not positive on, NaN. */
export function choleskyDense(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = (a[i * n + j] + a[j * n + i]) / 2;
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      l[i * n + j] = i === j ? (sum > 0 ? Math.sqrt(sum) : Number.NaN) : sum / l[j * n + j];
    }
  }
  return l;
}

/** X with T X = B for a triangle T, whose element (i, j) is at(i, j); the other triangle is not read. */
export function triangularSolveDense(
  at: (i: number, j: number) => number,
  lower: boolean,
  unit: boolean,
  b: Float64Array,
  n: number,
  columns: number,
): Float64Array {
  const x = b.slice();
  for (let step = 0; step < n; step++) {
    const i = lower ? step : n - 1 - step;
    for (let c = 0; c < columns; c++) {
      let sum = x[i * columns + c];
      for (let j = lower ? 0 : i + 1; j < (lower ? i : n); j++) sum -= at(i, j) * x[j * columns + c];
      x[i * columns + c] = unit ? sum : sum / at(i, i);
    }
  }
  return x;
}

/** P A = L U with partial pivoting, packed; perm[i] is the row of A that became row i. Overwrites a. */
export function luDense(a: Float64Array, m: number, n: number): { packed: Float64Array; perm: Int32Array } {
  const perm = Int32Array.from({ length: m }, (_, i) => i);
  for (let k = 0; k < Math.min(m, n); k++) {
    let p = k;
    for (let i = k + 1; i < m; i++) if (Math.abs(a[i * n + k]) > Math.abs(a[p * n + k])) p = i;
    if (p !== k) {
      for (let j = 0; j < n; j++) [a[k * n + j], a[p * n + j]] = [a[p * n + j], a[k * n + j]];
      [perm[k], perm[p]] = [perm[p], perm[k]];
    }
    const pivot = a[k * n + k];
    for (let i = k + 1; i < m; i++) {
      const factor = pivot === 0 ? a[i * n + k] : (a[i * n + k] /= pivot);
      for (let j = k + 1; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
    }
  }
  return { packed: a, perm };
}

/**
 * Reflectors H_k = I - tau_k v_k v_k^T with H_K-1 .. H_0 A = R; row k of v is v_k, whose element k is 1. The sign of R_kk is
 * that of -A_kk (positive where that is 0), also where there is nothing below it to remove. Overwrites a by R.
 */
export function householderDense(a: Float64Array, m: number, n: number): { v: Float64Array; tau: Float64Array } {
  const count = Math.min(m, n);
  const v = new Float64Array(count * m);
  const tau = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    let norm = 0;
    for (let i = k; i < m; i++) norm = Math.hypot(norm, a[i * n + k]);
    v[k * m + k] = 1;
    if (norm === 0) continue;
    const alpha = a[k * n + k];
    const beta = alpha > 0 ? -norm : norm;
    for (let i = k + 1; i < m; i++) v[k * m + i] = a[i * n + k] / (alpha - beta);
    tau[k] = (beta - alpha) / beta;
    reflect(a, n, v.subarray(k * m, (k + 1) * m), tau[k], k);
    a[k * n + k] = beta;
    for (let i = k + 1; i < m; i++) a[i * n + k] = 0;
  }
  return { v, tau };
}

/** Columns [first, n) of a become (I - tau v v^T) a. */
export function reflect(a: Float64Array, n: number, v: Float64Array, tau: number, first: number): void {
  for (let j = first; j < n; j++) {
    let sum = 0;
    for (let i = 0; i < v.length; i++) sum += v[i] * a[i * n + j];
    for (let i = 0; i < v.length; i++) a[i * n + j] -= tau * v[i] * sum;
  }
}

/** T of the compact form H_0 .. H_K-1 = I - V T V^T (Schreiber & Van Loan 1989); V^T is [K, m]. */
export function compactTriangle(v: Float64Array, tau: Float64Array, m: number): Float64Array {
  const count = tau.length;
  const t = new Float64Array(count * count);
  for (let k = 0; k < count; k++) {
    t[k * count + k] = tau[k];
    const z = Float64Array.from({ length: k }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < m; i++) sum += v[j * m + i] * v[k * m + i];
      return sum;
    });
    for (let i = 0; i < k; i++) {
      let sum = 0;
      for (let j = i; j < k; j++) sum += t[i * count + j] * z[j];
      t[i * count + k] = -tau[k] * sum;
    }
  }
  return t;
}

/** How much a component must be of the largest one to decide a vector's sign: ties within rounding then go to the first. */
export const DECISIVE = 0.9;

/** 1 or -1: what makes the first of the (nearly) largest of x's components positive. */
export function signOf(x: ArrayLike<number>): number {
  const sizes = Array.from(x, Math.abs);
  const most = Math.max(...sizes);
  return x[sizes.findIndex((size) => size >= DECISIVE * most)] < 0 ? -1 : 1;
}

/** Eigenvalues, ascending, and eigenvectors as columns, of (A + A^T) / 2 by cyclic Jacobi rotations. NaN where A has any. */
export function jacobiEigenDense(a: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const s = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) s[i * n + j] = (a[i * n + j] + a[j * n + i]) / 2;
  if (s.some((x) => !Number.isFinite(x)))
    return { values: new Float64Array(n).fill(Number.NaN), vectors: s.fill(Number.NaN) };
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const total = s.reduce((sum, x) => sum + x * x, 0);
  for (let round = 0; round < 60; round++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += s[p * n + q] ** 2;
    if (off <= 1e-30 * total) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotatePair(s, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => s[i * n + i] - s[j * n + j]);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    const column = Array.from({ length: n }, (_, i) => v[i * n + from]);
    const sign = signOf(column);
    column.forEach((x, i) => {
      vectors[i * n + to] = sign * x;
    });
  });
  return { values: Float64Array.from(order, (i) => s[i * n + i]), vectors };
}

/** The rotation that makes s_pq zero. */
function rotatePair(s: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  if (s[p * n + q] === 0) return;
  const theta = (s[q * n + q] - s[p * n + p]) / (2 * s[p * n + q]);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const turn = (m: Float64Array, i: number, j: number) => {
    const [x, y] = [m[i], m[j]];
    m[i] = c * x - t * c * y;
    m[j] = t * c * x + c * y;
  };
  for (let k = 0; k < n; k++) turn(s, k * n + p, k * n + q);
  for (let k = 0; k < n; k++) turn(s, p * n + k, q * n + k);
  for (let k = 0; k < n; k++) turn(v, k * n + p, k * n + q);
}

/**
 * U [m, k], s descending and V^T [k, n], k = min(m, n), by one-sided Jacobi rotations (Hestenes 1958) of the columns of the tall
 * one of A and A^T. NaN where A has any.
 */
export function svdDense(
  a: Float64Array,
  m: number,
  n: number,
): { u: Float64Array; s: Float64Array; vt: Float64Array } {
  if (m < n) {
    const { u, s, vt } = svdDense(transposeDense(a, m, n), n, m);
    return { u: transposeDense(vt, m, m), s, vt: transposeDense(u, n, m) };
  }
  const nan = (size: number) => new Float64Array(size).fill(Number.NaN);
  if (a.some((x) => !Number.isFinite(x))) return { u: nan(m * n), s: nan(n), vt: nan(n * n) };
  const columns = Array.from({ length: n }, (_, j) => Float64Array.from({ length: m }, (_, i) => a[i * n + j]));
  const v = Array.from({ length: n }, (_, j) => Float64Array.from({ length: n }, (_, i) => +(i === j)));
  for (let round = 0; round < 60; round++) {
    let turned = false;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) turned = orthogonalise(columns, v, p, q) || turned;
    if (!turned) break;
  }
  const sizes = columns.map((column) => Math.hypot(...column));
  const order = sizes.map((_, j) => j).sort((i, j) => sizes[j] - sizes[i]);
  const largest = n > 0 ? sizes[order[0]] : 0;
  const us: Float64Array[] = [];
  for (const j of order) us.push(sizes[j] > 1e-14 * largest ? columns[j].map((x) => x / sizes[j]) : completing(us, m));
  const u = new Float64Array(m * n);
  const vt = new Float64Array(n * n);
  order.forEach((j, to) => {
    const sign = signOf(v[j]);
    us[to].forEach((x, i) => (u[i * n + to] = sign * x));
    v[j].forEach((x, i) => (vt[to * n + i] = sign * x));
  });
  return { u, s: Float64Array.from(order, (j) => sizes[j]), vt };
}

export function transposeDense(a: Float64Array, m: number, n: number): Float64Array {
  return Float64Array.from({ length: m * n }, (_, at) => a[(at % m) * n + Math.floor(at / m)]);
}

const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i], 0);

/** Turns columns p and q so that they are orthogonal; false if they are. */
function orthogonalise(columns: Float64Array[], v: Float64Array[], p: number, q: number): boolean {
  const [alpha, beta, gamma] = [dot(columns[p], columns[p]), dot(columns[q], columns[q]), dot(columns[p], columns[q])];
  if (Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta) || gamma === 0) return false;
  const zeta = (beta - alpha) / (2 * gamma);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(zeta, 1));
  const c = 1 / Math.hypot(t, 1);
  for (const list of [columns, v]) {
    const [x, y] = [list[p], list[q]];
    list[p] = x.map((value, i) => c * value - t * c * y[i]);
    list[q] = y.map((value, i) => t * c * x[i] + c * value);
  }
  return true;
}

/** A unit vector that is orthogonal to those given. */
function completing(given: readonly Float64Array[], m: number): Float64Array {
  let best = new Float64Array(m);
  for (let i = 0; i < m; i++) {
    const x = Float64Array.from({ length: m }, (_, j) => +(i === j));
    for (let pass = 0; pass < 2; pass++) {
      for (const u of given) {
        const along = dot(u, x);
        x.forEach((value, j) => (x[j] = value - along * u[j]));
      }
    }
    if (dot(x, x) > dot(best, best)) best = x;
  }
  const size = Math.sqrt(dot(best, best));
  return best.map((x) => x / size);
}
