/** float64 from the API to the code, on every target: elementwise functions, casts, reductions, gradients. */
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../src/index.ts';
import { backends } from './backends.ts';

const values = [0.1, -1.25, 2.5, 3, -0.75, 1e-9, 7];
const wide = () => tf.tensor1d(values, 'float64');
const close = (actual: ArrayLike<number>, expected: readonly number[], relative = 4e-15, absolute = 0) => {
  const wrong = expected.findIndex((e, i) => !(Math.abs(actual[i] - e) <= absolute + relative * Math.abs(e)));
  expect(wrong < 0 || `element ${wrong} is ${actual[wrong]}, not ${expected[wrong]}`).toBe(true);
  expect(actual.length).toBe(expected.length);
};

/** Tiles and their ragged ends, a single row and column, k in blocks, what several threads share. */
const sizes = [
  [1, 1, 1],
  [3, 4, 5],
  [1, 33, 9],
  [9, 1, 17],
  [17, 31, 7],
  [5, 3, 0],
  [0, 2, 3],
  [70, 65, 130],
  [13, 40, 2100],
] as const;

function matrix(rows: number, columns: number, seed: number): tf.Tensor2D {
  const data = Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + 1.7 * i));
  return tf.tensor2d(data, [rows, columns], 'float64');
}

/** The matrix product in plain loops. */
function productOf(a: tf.Tensor, b: tf.Tensor, ta = false, tb = false): number[] {
  const [x, y] = [a.dataSync(), b.dataSync()];
  const [[ar, ac], [br, bc]] = [a.shape, b.shape];
  const [m, k, n] = [ta ? ac : ar, ta ? ar : ac, tb ? br : bc];
  return Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let l = 0; l < k; l++) sum += x[ta ? l * ac + i : i * ac + l] * y[tb ? j * bc + l : l * bc + j];
    return sum;
  });
}

describe.each(backends)('float64 on %s', (backend) => {
  beforeAll(() => tf.setBackend(backend));

  it('add, exp, sum', () => {
    const sum = wide().add(tf.scalar(0.5, 'float64')).exp().sum();
    expect(sum.dtype).toBe('float64');
    close(sum.dataSync(), [values.reduce((total, x) => total + Math.exp(x + 0.5), 0)]);
  });

  it('functions', () => {
    const x = wide();
    close(
      x.mul(x).sub(x).dataSync(),
      values.map((v) => v * v - v),
    );
    close(
      x.abs().log().dataSync(),
      values.map((v) => Math.log(Math.abs(v))),
    );
    close(
      x.abs().sqrt().div(x).dataSync(),
      values.map((v) => Math.sqrt(Math.abs(v)) / v),
    );
    close(x.sin().dataSync(), values.map(Math.sin));
    close(x.cos().dataSync(), values.map(Math.cos));
    close(x.tanh().dataSync(), values.map(Math.tanh));
    close(
      x.abs().pow(tf.scalar(1.7, 'float64')).dataSync(),
      values.map((v) => Math.abs(v) ** 1.7),
    );
    close(
      x.relu().maximum(tf.scalar(1, 'float64')).dataSync(),
      values.map((v) => Math.max(v, 1)),
    );
  });

  it('casts and comparisons', () => {
    const x = wide();
    expect([...x.cast('int32').dataSync()]).toEqual(values.map((v) => Math.trunc(v) + 0));
    expect([...x.cast('float32').dataSync()]).toEqual(values.map(Math.fround));
    expect([...tf.tensor1d([1, -7], 'int32').cast('float64').dataSync()]).toEqual([1, -7]);
    expect([...tf.tensor1d([0.1], 'float32').cast('float64').dataSync()]).toEqual([Math.fround(0.1)]);
    expect([...x.greater(tf.scalar(0, 'float64')).dataSync()]).toEqual(values.map((v) => Number(v > 0)));
  });

  it('reductions of every axis and length', () => {
    for (const [rows, columns] of [
      [1, 1],
      [3, 5],
      [33, 17],
      [70, 129],
    ]) {
      const data = Array.from({ length: rows * columns }, (_, i) => Math.sin(i) + 1e-10 * i);
      const x = tf.tensor2d(data, [rows, columns], 'float64');
      const row = (r: number) => data.slice(r * columns, (r + 1) * columns);
      const total = (list: number[]) => list.reduce((a, b) => a + b, 0);
      const sums = x.sum(1).dataSync();
      for (let r = 0; r < rows; r++) expect(Math.abs(sums[r] - total(row(r)))).toBeLessThan(1e-12);
      const columnSums = x.sum(0).dataSync();
      for (let c = 0; c < columns; c++) {
        expect(Math.abs(columnSums[c] - total(data.filter((_, i) => i % columns === c)))).toBeLessThan(1e-12);
      }
      expect(x.max().dataSync()[0]).toBe(Math.max(...data));
      expect([...x.min(1).dataSync()]).toEqual(Array.from({ length: rows }, (_, r) => Math.min(...row(r))));
    }
  });

  it('matrix products: ragged sizes, transposes, batches, what is fused behind them', () => {
    for (const [m, n, k] of sizes) {
      for (const [ta, tb] of [
        [false, false],
        [true, false],
        [false, true],
        [true, true],
      ]) {
        const [a, b] = [matrix(ta ? k : m, ta ? m : k, 1), matrix(tb ? n : k, tb ? k : n, 2)];
        const product = tf.matMul(a, b, ta, tb);
        expect(product.dtype).toBe('float64');
        close(product.dataSync(), productOf(a, b, ta, tb), 0, 2e-15 * Math.max(1, k));
      }
      const [a, b, bias] = [matrix(m, k, 3), matrix(k, n, 4), matrix(1, n, 5)];
      const biases = bias.dataSync();
      const fused = tf.fused.matMul({ a, b, bias: bias.reshape([n]), activation: 'relu' });
      close(
        fused.dataSync(),
        productOf(a, b).map((x, i) => Math.max(0, x + biases[i % n])),
        0,
        2e-15 * Math.max(1, k),
      );
    }
    const [a, b] = [matrix(6, 20, 6).reshape([2, 3, 20]), matrix(40, 5, 7).reshape([2, 20, 5])];
    const batched = tf.matMul(a, b);
    expect([batched.dtype, batched.shape]).toEqual(['float64', [2, 3, 5]]);
    const einsum = tf.einsum('bij,bjk->bik', a, b);
    expect(einsum.dtype).toBe('float64');
    close(einsum.dataSync(), [...batched.dataSync()], 0, 1e-13);
    // With float32 it is float64, as everywhere.
    expect(tf.matMul(matrix(2, 3, 8), tf.ones([3, 2])).dtype).toBe('float64');
  });

  it('gradients of a matrix product, first and second, to 1e-8', () => {
    const [a, b] = [matrix(5, 7, 9), matrix(7, 3, 10)];
    const f = (x: tf.Tensor) => tf.matMul(x, b).tanh().square().sum().asScalar();
    const g = (x: tf.Tensor) =>
      tf
        .grad(f)(x)
        .mul(matrix(5, 7, 11))
        .sum()
        .asScalar();
    for (const h of [f, g]) {
      const gradient = tf.grad(h)(a);
      expect(gradient.dtype).toBe('float64');
      const along = matrix(5, 7, 12);
      const at = (t: number) => h(a.add(along.mul(tf.scalar(t, 'float64')))).dataSync()[0];
      const e = 1e-4;
      const numeric = (at(-2 * e) - 8 * at(-e) + 8 * at(e) - at(2 * e)) / (12 * e);
      expect(Math.abs(gradient.mul(along).sum().dataSync()[0] - numeric)).toBeLessThan(1e-8);
    }
  });

  it('gradients to 1e-8', () => {
    const f = (x: tf.Tensor) => x.tanh().mul(x.exp()).sum().asScalar();
    const exact = tf.grad(f)(wide()).dataSync();
    values.forEach((v, i) => {
      const h = 1e-5;
      const g = (t: number) => Math.tanh(t) * Math.exp(t);
      const numeric = (g(v - 2 * h) - 8 * g(v - h) + 8 * g(v + h) - g(v + 2 * h)) / (12 * h);
      expect(Math.abs(exact[i] - numeric)).toBeLessThan(1e-8 * Math.max(1, Math.abs(numeric)));
    });
  });
});
