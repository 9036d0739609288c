/**
 * The general eigenvalue problem in double precision, the definition of the row `eig`: shifted QR iteration of the whole complex
 * matrix for the values, inverse iteration for each vector. Another way than the kernels', and much slower.
 */
import { DECISIVE } from './dense.ts';

/** Interleaved real and imaginary parts, row-major. */
type Complex = Float64Array;

function embed(a: Float64Array): Complex {
  const z = new Float64Array(2 * a.length);
  a.forEach((x, i) => {
    z[2 * i] = x;
  });
  return z;
}

/** Of real A [n, n]: eigenvalues by ascending real parts (pairs stay together, the one above the axis first), and vectors as columns. */
export function eigenDense(
  a: Float64Array,
  n: number,
): { re: number[]; im: number[]; vectors: [Float64Array, Float64Array] } {
  const nan = () => new Float64Array(n * n).fill(Number.NaN);
  if (a.some((x) => !Number.isFinite(x))) {
    const values = Array.from({ length: n }, () => Number.NaN);
    return { re: values, im: values, vectors: [nan(), nan()] };
  }
  const norm = a.reduce((most, x) => Math.max(most, Math.abs(x)), 0) || 1;
  const values = inPairs(eigenvaluesDense(a, n), 1e-7 * norm).sort((x, y) => x[0] - y[0]);
  const vectors: [Float64Array, Float64Array] = [new Float64Array(n * n), new Float64Array(n * n)];
  values.forEach(([re, im], k) => {
    const x = eigenvectorDense(a, n, re, im, norm);
    for (let i = 0; i < n; i++) {
      vectors[0][i * n + k] = x[2 * i];
      vectors[1][i * n + k] = x[2 * i + 1];
    }
  });
  return { re: values.map(([re]) => re), im: values.map(([, im]) => im), vectors };
}

/** Those above the axis with their conjugates, those next to it as real ones. */
function inPairs(values: readonly [number, number][], tolerance: number): [number, number][] {
  return values.flatMap(([re, im]): [number, number][] => {
    if (Math.abs(im) <= tolerance) return [[re, 0]];
    return im > 0
      ? [
          [re, im],
          [re, -im],
        ]
      : [];
  });
}

/** By A - s I = Q R, A <- R Q + s I, with Wilkinson's shift; the last row that has become zero before its diagonal is split off. */
function eigenvaluesDense(a: Float64Array, n: number): [number, number][] {
  const z = embed(a);
  const values: [number, number][] = [];
  const norm = Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
  for (let m = n; m > 0; m--) {
    for (let step = 0; step < 500 && !isSplit(z, n, m, norm); step++) qrStep(z, n, m, shiftOf(z, n, m, step));
    const at = 2 * ((m - 1) * n + m - 1);
    values.push([z[at], z[at + 1]]);
  }
  return values;
}

function isSplit(z: Complex, n: number, m: number, norm: number): boolean {
  let size = 0;
  for (let j = 0; j < m - 1; j++) size += Math.hypot(z[2 * ((m - 1) * n + j)], z[2 * ((m - 1) * n + j) + 1]);
  return size <= 1e-15 * norm;
}

/** The corner's eigenvalue that is nearer to the corner; now and then something else, so that nothing stands still. */
function shiftOf(z: Complex, n: number, m: number, step: number): [number, number] {
  const at = (i: number, j: number): [number, number] => [z[2 * (i * n + j)], z[2 * (i * n + j) + 1]];
  const d = at(m - 1, m - 1);
  if (m === 1) return d;
  const [a, b, c] = [at(m - 2, m - 2), at(m - 2, m - 1), at(m - 1, m - 2)];
  if (step % 12 === 11) return [d[0] + Math.hypot(...c), d[1] + Math.hypot(...c) / 2];
  const half: [number, number] = [(a[0] - d[0]) / 2, (a[1] - d[1]) / 2];
  const [re, im] = [
    half[0] ** 2 - half[1] ** 2 + b[0] * c[0] - b[1] * c[1],
    2 * half[0] * half[1] + b[0] * c[1] + b[1] * c[0],
  ];
  const size = Math.hypot(re, im);
  const root: [number, number] = [Math.sqrt((size + re) / 2), Math.sign(im || 1) * Math.sqrt((size - re) / 2)];
  const sign = half[0] * root[0] + half[1] * root[1] > 0 ? -1 : 1;
  return [d[0] + half[0] + sign * root[0], d[1] + half[1] + sign * root[1]];
}

/** One step on the leading m rows and columns: Gram-Schmidt, twice for orthogonality. */
function qrStep(z: Complex, n: number, m: number, [sr, si]: [number, number]): void {
  const column = (j: number) => Float64Array.from({ length: 2 * m }, (_, i) => z[2 * ((i >> 1) * n + j) + (i & 1)]);
  const q: Complex[] = [];
  const r = new Float64Array(2 * m * m);
  for (let j = 0; j < m; j++) {
    const x = column(j);
    x[2 * j] -= sr;
    x[2 * j + 1] -= si;
    for (let round = 0; round < 2; round++) {
      q.forEach((unit, k) => {
        const [re, im] = inner(unit, x);
        subtract(x, unit, re, im);
        r[2 * (k * m + j)] += re;
        r[2 * (k * m + j) + 1] += im;
      });
    }
    const length = Math.sqrt(x.reduce((sum, part) => sum + part * part, 0));
    r[2 * (j * m + j)] = length;
    q.push(length > 0 ? x.map((part) => part / length) : x);
  }
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < m; j++) {
      let [re, im] = i === j ? [sr, si] : [0, 0];
      for (let k = i; k < m; k++) {
        const [rr, ri] = [r[2 * (i * m + k)], r[2 * (i * m + k) + 1]];
        // (R Q)_ij: row k of Q is element k of each column.
        const [qr, qi] = [q[j][2 * k], q[j][2 * k + 1]];
        re += rr * qr - ri * qi;
        im += rr * qi + ri * qr;
      }
      z[2 * (i * n + j)] = re;
      z[2 * (i * n + j) + 1] = im;
    }
  }
}

/** x^H y. */
function inner(x: Complex, y: Complex): [number, number] {
  let [re, im] = [0, 0];
  for (let i = 0; i < x.length; i += 2) {
    re += x[i] * y[i] + x[i + 1] * y[i + 1];
    im += x[i] * y[i + 1] - x[i + 1] * y[i];
  }
  return [re, im];
}

/** x <- x - (re + i im) y. */
function subtract(x: Complex, y: Complex, re: number, im: number, from = 0): void {
  for (let i = from; i < x.length; i += 2) {
    const [yr, yi] = [y[i], y[i + 1]];
    x[i] -= re * yr - im * yi;
    x[i + 1] -= re * yi + im * yr;
  }
}

/** Two solutions of (A - w I) x = x, which grows along the vector of w; length 1, first (nearly) largest component real and positive. */
function eigenvectorDense(a: Float64Array, n: number, re: number, im: number, norm: number): Complex {
  // Next to the eigenvalue, so that the matrix can be solved with; the angle keeps clear of what a real shift might hit.
  const near = 1e-10 * norm;
  let x = new Float64Array(2 * n).map((_, i) => (i % 2 === 0 ? 1 + (i % 7) / 10 : 0));
  for (let round = 0; round < 3; round++) {
    x = solveShifted(a, n, re + near, im, x);
    const length = Math.sqrt(x.reduce((sum, part) => sum + part * part, 0)) || 1;
    x = x.map((part) => part / length);
  }
  const sizes = Array.from({ length: n }, (_, i) => Math.hypot(x[2 * i], x[2 * i + 1]));
  const pivot = sizes.findIndex((size) => size >= DECISIVE * Math.max(...sizes));
  const [c, s] = [x[2 * pivot] / sizes[pivot], -x[2 * pivot + 1] / sizes[pivot]];
  const turned = x.map((_, i) => {
    const at = i - (i % 2);
    return i % 2 === 0 ? x[at] * c - x[at + 1] * s : x[at] * s + x[at + 1] * c;
  });
  turned[2 * pivot + 1] = 0;
  return turned;
}

/** (A - (re + i im) I)^-1 b by elimination with pivoting; a pivot of zero counts as a tiny one. */
function solveShifted(a: Float64Array, n: number, re: number, im: number, b: Complex): Float64Array<ArrayBuffer> {
  const rows = Array.from({ length: n }, (_, i) => {
    const row = new Float64Array(2 * n + 2);
    row.set(embed(a.subarray(i * n, (i + 1) * n)));
    row[2 * i] -= re;
    row[2 * i + 1] -= im;
    row.set(b.subarray(2 * i, 2 * i + 2), 2 * n);
    return row;
  });
  const quotient = ([xr, xi]: [number, number], [yr, yi]: [number, number]): [number, number] => {
    const size = yr * yr + yi * yi || 1e-200;
    return [(xr * yr + xi * yi) / size, (xi * yr - xr * yi) / size];
  };
  const at = (row: Float64Array, k: number): [number, number] => [row[2 * k], row[2 * k + 1]];
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) if (Math.hypot(...at(rows[i], k)) > Math.hypot(...at(rows[best], k))) best = i;
    [rows[k], rows[best]] = [rows[best], rows[k]];
    for (let i = k + 1; i < n; i++) subtract(rows[i], rows[k], ...quotient(at(rows[i], k), at(rows[k], k)), 2 * k);
  }
  const x = new Float64Array(2 * n);
  for (let i = n - 1; i >= 0; i--) {
    let [sr, si] = at(rows[i], n);
    for (let k = i + 1; k < n; k++) {
      const [r, xr, xi] = [at(rows[i], k), x[2 * k], x[2 * k + 1]];
      sr -= r[0] * xr - r[1] * xi;
      si -= r[0] * xi + r[1] * xr;
    }
    x.set(quotient([sr, si], at(rows[i], i)), 2 * i);
  }
  return x;
}
