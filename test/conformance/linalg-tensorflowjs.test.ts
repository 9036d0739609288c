/** qr and gramSchmidt give TensorFlow.js's numbers, signs included: square, tall, wide, the identity, full and reduced. */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { beforeAll, expect, it } from 'vitest';
import { registerBackend, setBackend } from '../../src/tensor/backends.ts';
import { linalg, tensor } from '../../src/tensor/api/index.ts';
import { wasmBackend } from '../../src/tensor/wasm-backend.ts';
import { x64Backend } from '../../src/tensor/x64-backend.ts';

beforeAll(async () => {
  registerBackend('x64', x64Backend);
  registerBackend('wasm', wasmBackend);
  if (!(await setBackend('x64'))) await setBackend('wasm');
  await tfjs.setBackend('cpu');
});

type Matrix = number[][];
const matrix = (m: number, n: number, seed: number): Matrix =>
  Array.from({ length: m }, (_, i) =>
    Array.from({ length: n }, (_, j) => Math.sin(1 + seed + 7.3 * i + 3.1 * j + i * j)),
  );
const identity = (n: number): Matrix =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Number(i === j)));

const matrices: [string, Matrix][] = [
  ...[
    [1, 1],
    [2, 2],
    [3, 3],
    [5, 3],
    [3, 5],
    [4, 1],
    [1, 4],
    [6, 6],
  ].flatMap(([m, n]) => [0, 1].map((seed): [string, Matrix] => [`${m} x ${n}, ${seed}`, matrix(m, n, seed)])),
  ['the identity', identity(4)],
  ['minus the identity', identity(3).map((row) => row.map((x) => -x))],
];

it.each(matrices)('qr of %s', (_name, a) => {
  for (const full of [false, true]) {
    const theirs = tfjs.linalg.qr(tfjs.tensor2d(a), full);
    const ours = linalg.qr(a, full);
    theirs.forEach((x, k) => {
      expect(ours[k].shape).toEqual(x.shape);
      const list = ours[k].dataSync();
      Array.from(x.dataSync()).forEach((value, i) => {
        expect(Math.abs(list[i] - value)).toBeLessThan(2e-6);
      });
    });
  }
});

it('gramSchmidt', () => {
  const rows = matrix(4, 6, 3);
  const theirs = tfjs.linalg.gramSchmidt(tfjs.tensor2d(rows)) as tfjs.Tensor;
  const ours = linalg.gramSchmidt(tensor(rows)).dataSync();
  Array.from(theirs.dataSync()).forEach((value, i) => {
    expect(Math.abs(ours[i] - value)).toBeLessThan(2e-6);
  });
});
