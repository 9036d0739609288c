/**
 * Eigenvalues and vectors of general matrices by their properties, on each compiling target: residuals within a small multiple of n
 * times float32's precision, pairs that are exactly conjugate, values that are known in closed form.
 */
import { describe, expect, it } from 'vitest';
import { registerBackend, setBackend } from '../../src/tensor/backends.ts';
import * as api from '../../src/tensor/api/index.ts';
import * as base from '../../src/tensor/index.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { eigenDense } from '../../src/ops/linalg/dense-eig.ts';
import { wasmBackend } from '../../src/tensor/wasm-backend.ts';
import { x64Backend } from '../../src/tensor/x64-backend.ts';
import { uniform } from './samples.ts';

const tf = { ...base, ...api };
const EPS = 2 ** -23;
registerBackend('x64', x64Backend);
registerBackend('wasm', wasmBackend);

const random = uniform(91);
const table = (n: number, of: (i: number, j: number) => number): Tensor =>
  tf.tensor(
    Float32Array.from({ length: n * n }, (_, at) => of(Math.floor(at / n), at % n)),
    [n, n],
  );
const noise = (n: number): Tensor => table(n, () => random() * 2 - 1);
const orthogonal = (n: number): Tensor => api.linalg.qr(noise(n))[0];

const matrices: [string, () => Tensor][] = [
  ['1 x 1', () => tf.tensor([[-3]])],
  ['zero', () => tf.zeros([5, 5])],
  ['identity', () => tf.eye(9) as Tensor],
  [
    'a rotation',
    () =>
      tf.tensor([
        [0.6, -0.8],
        [0.8, 0.6],
      ]),
  ], // prettier-ignore
  [
    'two with real values',
    () =>
      tf.tensor([
        [1, 2],
        [3, 4],
      ]),
  ], // prettier-ignore
  ['general', () => noise(33)],
  ['a vector and one', () => noise(17)],
  ['large', () => noise(100)],
  ['batched', () => tf.stack([noise(9), noise(9), noise(9)])],
  ['no number at all', () => tf.zeros([2, 0, 0])],
  ['symmetric', () => table(20, (i, j) => Math.cos(i + j))],
  ['antisymmetric', () => table(12, (i, j) => Math.sin(i - j) * (i + j))],
  ['orthogonal', () => orthogonal(30)],
  ['upper triangular', () => table(24, (i, j) => (j < i ? 0 : 1 + ((i * 7 + j * 3) % 11)))],
  ['lower triangular', () => table(24, (i, j) => (j > i ? 0 : 1 + ((i * 7 + j * 3) % 11)))],
  ['a cycle', () => table(16, (i, j) => +(j === (i + 1) % 16))],
  ['a Jordan block', () => table(6, (i, j) => (i === j ? 2 : +(j === i + 1)))],
  ['nilpotent', () => table(8, (i, j) => +(j === i + 1))],
  ['of rank one', () => table(20, (i, j) => (i + 1) * (j - 8))],
  ['tiny numbers', () => tf.mul(noise(6), 1e-30)],
  ['huge numbers', () => tf.mul(noise(6), 1e30)],
];

const norm = (a: Tensor): number => (a.size === 0 ? 0 : (tf.max(tf.abs(a)).dataSync()[0] as number));

describe.each(['x64', 'wasm'] as const)('eigenvalues of general matrices on %s', (backend) => {
  it.each(matrices)('%s', async (_name, make) => {
    if (!(await setBackend(backend))) return;
    const a = make();
    const n = a.shape[a.rank - 1];
    const [values, vectors] = api.linalg.eig(a);
    expect([values.dtype, values.shape]).toEqual(['complex64', a.shape.slice(0, -1)]);
    expect([vectors.dtype, vectors.shape]).toEqual(['complex64', a.shape]);
    const [wr, wi] = [api.real(values), api.imag(values)].map((w) => tf.expandDims(w, -2));
    const [vr, vi] = [api.real(vectors), api.imag(vectors)];
    // A V - V diag(w), where huge numbers would overflow: both sides over the largest number.
    const size = norm(a) || 1;
    const over = (x: Tensor) => tf.div(x, size);
    const re = tf.sub(tf.matMul(over(a), vr), tf.sub(tf.mul(vr, over(wr)), tf.mul(vi, over(wi))));
    const im = tf.sub(tf.matMul(over(a), vi), tf.add(tf.mul(vr, over(wi)), tf.mul(vi, over(wr))));
    const bound = 4 * Math.max(4, n) * EPS;
    expect(norm(re)).toBeLessThanOrEqual(bound);
    expect(norm(im)).toBeLessThanOrEqual(bound);
    const lengths = tf.sum(tf.add(tf.square(vr), tf.square(vi)), -2);
    expect(norm(tf.sub(lengths, 1))).toBeLessThanOrEqual(bound);
    const alone = api.linalg.eigvals(a);
    expect(norm(tf.sub(over(api.real(alone)), over(api.real(values))))).toBeLessThanOrEqual(bound);
    expectOrder([...api.real(values).dataSync()] as number[], [...api.imag(values).dataSync()] as number[], n);
  });

  it('gives roots of unity for a cycle', async () => {
    if (!(await setBackend(backend))) return;
    const n = 16;
    const values = api.linalg.eigvals(table(n, (i, j) => +(j === (i + 1) % n)));
    const angles = [...api.angle(values).dataSync()].map((x) => Math.round((x * n) / (2 * Math.PI)));
    const count = new Set(angles.map((k) => (k + n) % n)).size;
    expect(count).toBe(n);
    expect(norm(tf.sub(tf.abs(values), 1))).toBeLessThan(16 * EPS);
  });

  it('gives NaN for a matrix with a number that is not finite, and leaves its neighbours alone', async () => {
    if (!(await setBackend(backend))) return;
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const a = tf.stack([
        tf.tensor([
          [1, bad],
          [0, 2],
        ]),
        tf.tensor([
          [1, 5],
          [0, 2],
        ]),
      ]); // prettier-ignore
      const [values, vectors] = api.linalg.eig(a);
      expect([...api.real(values).dataSync()]).toEqual([Number.NaN, Number.NaN, 1, 2]);
      expect([...api.real(vectors).dataSync()].slice(0, 4).every(Number.isNaN)).toBe(true);
    }
  });

  it('has the gradient of a function of eigenvalues that is one of the matrix', async () => {
    if (!(await setBackend(backend))) return;
    // The sum of w^2 is the trace of A^2, whose gradient is 2 A^T.
    const a = noise(7);
    const gradient = tf.grad((x: Tensor) => {
      const w = api.linalg.eigvals(x);
      return tf.sum(tf.sub(tf.square(api.real(w)), tf.square(api.imag(w)))) as Tensor;
    })(a);
    expect(norm(tf.sub(gradient, tf.mul(tf.transpose(a), 2)))).toBeLessThan(1e-4);
  });
});

/** Ascending real parts; what has an imaginary part is followed by its exact conjugate. */
function expectOrder(re: number[], im: number[], n: number): void {
  for (let i = 0; i < re.length; i++) {
    if (i % n > 0) expect(re[i]).toBeGreaterThanOrEqual(re[i - 1]);
    if (im[i] <= 0) continue;
    expect([re[i + 1], im[i + 1]]).toEqual([re[i], -im[i]]);
    i++;
  }
}

describe('the definition of eig, where shifts are eigenvalues exactly', () => {
  it.each([2, 3, 4, 5, 9, 18])('one value in all places of a matrix of %d rows', (n) => {
    const c = 1.165250539779663;
    const { re, im, vectors } = eigenDense(new Float64Array(n * n).fill(c), n);
    // n c once, and n - 1 zeros.
    re.forEach((value, k) => {
      expect(Math.abs(value - (k === n - 1 ? n * c : 0))).toBeLessThan(1e-12);
      const sums = vectors.map((part) => Array.from({ length: n }, (_, i) => part[i * n + k]).reduce((x, y) => x + y));
      for (let i = 0; i < n; i++) {
        expect(Math.abs(c * sums[0] - value * vectors[0][i * n + k])).toBeLessThan(1e-7);
        expect(Math.abs(c * sums[1] - value * vectors[1][i * n + k])).toBeLessThan(1e-7);
      }
    });
    expect(im).toEqual(new Array(n).fill(0));
  });
});
