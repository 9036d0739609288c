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

/**
 * One step on the leading m rows and columns, by reflections: they stay unitary where A - s I is singular, as it is whenever the shift
 * is an eigenvalue (Gram-Schmidt does not, and loses eigenvalues there).
 */
function qrStep(z: Complex, n: number, m: number, [sr, si]: [number, number]): void {
  const rows = Array.from({ length: m }, (_, i) => z.slice(2 * i * n, 2 * (i * n + m)));
  const shiftBy = (sign: number) => {
    rows.forEach((row, i) => {
      row[2 * i] += sign * sr;
      row[2 * i + 1] += sign * si;
    });
  };
  shiftBy(-1);
  const mirrors = Array.from({ length: m - 1 }, (_, k) => {
    const mirror = mirrorOf(rows, k);
    if (mirror) for (let j = k; j < m; j++) reflectColumn(rows, j, mirror, k);
    return mirror;
  });
  mirrors.forEach((mirror, k) => {
    if (mirror) for (const row of rows) reflectRow(row, mirror, k);
  });
  shiftBy(1);
  rows.forEach((row, i) => {
    z.set(row, 2 * i * n);
  });
}

/** The unit vector v of which I - 2 v v^H takes column k, from row k on, to a multiple of the first unit vector; null where nothing is to do. */
function mirrorOf(rows: readonly Complex[], k: number): Complex | null {
  const x = columnOf(rows, k, k);
  if (x.every((part, i) => i < 2 || part === 0)) return null;
  const [length, first] = [lengthOf(x), Math.hypot(x[0], x[1])];
  const [c, s] = first > 0 ? [x[0] / first, x[1] / first] : [1, 0];
  x[0] += c * length;
  x[1] += s * length;
  const whole = lengthOf(x);
  return x.map((part) => part / whole);
}

/** Without squares that vanish. */
function lengthOf(x: Complex): number {
  return Math.hypot(...x);
}

function columnOf(rows: readonly Complex[], j: number, from: number): Complex {
  return Float64Array.from(rows.slice(from).flatMap((row) => [row[2 * j], row[2 * j + 1]]));
}

/** x <- x - 2 v v^H x for column j from row k on. */
function reflectColumn(rows: readonly Complex[], j: number, v: Complex, k: number): void {
  const x = columnOf(rows, j, k);
  const [re, im] = inner(v, x);
  subtract(x, v, 2 * re, 2 * im);
  for (let i = k; i < rows.length; i++) rows[i].set(x.subarray(2 * (i - k), 2 * (i - k) + 2), 2 * j);
}

/** y <- y - 2 (y v) v^H for a row, from column k on. */
function reflectRow(row: Complex, v: Complex, k: number): void {
  const conjugate = v.map((part, i) => (i % 2 === 0 ? part : -part));
  const y = row.subarray(2 * k);
  const [re, im] = inner(conjugate, y);
  subtract(y, conjugate, 2 * re, 2 * im);
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
