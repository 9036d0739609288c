/** float64 from the API to the code, on every target: elementwise functions, casts, reductions, gradients. */
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../src/index.ts';

const values = [0.1, -1.25, 2.5, 3, -0.75, 1e-9, 7];
const wide = () => tf.tensor1d(values, 'float64');
const close = (actual: ArrayLike<number>, expected: readonly number[], relative = 4e-15) =>
  Array.from(expected, (e, i) => expect(Math.abs(actual[i] - e), `${i}`).toBeLessThanOrEqual(relative * Math.abs(e)));

describe.each(['reference', 'wasm', 'x64'])('float64 on %s', (backend) => {
  let there = false;
  beforeAll(async () => {
    there = await tf.setBackend(backend).catch(() => false);
  });
  const when = (f: () => void) => () => {
    if (there) f();
  };

  it(
    'add, exp, sum',
    when(() => {
      const sum = wide().add(tf.scalar(0.5, 'float64')).exp().sum();
      expect(sum.dtype).toBe('float64');
      close(sum.dataSync(), [values.reduce((total, x) => total + Math.exp(x + 0.5), 0)]);
    }),
  );

  it(
    'functions',
    when(() => {
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
    }),
  );

  it(
    'casts and comparisons',
    when(() => {
      const x = wide();
      expect([...x.cast('int32').dataSync()]).toEqual(values.map((v) => Math.trunc(v) + 0));
      expect([...x.cast('float32').dataSync()]).toEqual(values.map(Math.fround));
      expect([...tf.tensor1d([1, -7], 'int32').cast('float64').dataSync()]).toEqual([1, -7]);
      expect([...tf.tensor1d([0.1], 'float32').cast('float64').dataSync()]).toEqual([Math.fround(0.1)]);
      expect([...x.greater(tf.scalar(0, 'float64')).dataSync()]).toEqual(values.map((v) => Number(v > 0)));
    }),
  );

  it(
    'reductions of every axis and length',
    when(() => {
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
    }),
  );

  it(
    'gradients to 1e-8',
    when(() => {
      const f = (x: tf.Tensor) => x.tanh().mul(x.exp()).sum().asScalar();
      const exact = tf.grad(f)(wide()).dataSync();
      values.forEach((v, i) => {
        const h = 1e-5;
        const g = (t: number) => Math.tanh(t) * Math.exp(t);
        const numeric = (g(v - 2 * h) - 8 * g(v - h) + 8 * g(v + h) - g(v + 2 * h)) / (12 * h);
        expect(Math.abs(exact[i] - numeric)).toBeLessThan(1e-8 * Math.max(1, Math.abs(numeric)));
      });
    }),
  );
});
