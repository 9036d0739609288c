/** Losses with arguments against their formulas in plain numbers. */
import { expect, test } from 'vitest';
import '../../test/values.ts';
import { tensor } from '../tensor/index.ts';
import { configuredLosses as losses } from './configured_losses.ts';
import { layers } from './layers/index.ts';
import { sequential } from './models/sequential.ts';
import { train } from './optimizers/index.ts';

const y = [
  [0, 1],
  [1, 0],
];
const p = [
  [0.3, 0.7],
  [0.6, 0.4],
];
const rows = (f: (y: number, p: number) => number) => y.map((row, i) => row.map((v, j) => f(v, p[i][j])));
const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
const call = (loss: { call: (a: never, b: never) => { dataSync(): ArrayLike<number> } }, a = y, b = p) =>
  Array.from(loss.call(tensor(a) as never, tensor(b) as never).dataSync());
const close = (got: number[], want: number[]) => want.forEach((value, i) => expect(got[i]).toBeCloseTo(value, 5));

test('smoothed labels, and logits', () => {
  const smooth = rows((v, q) => -(v * 0.8 + 0.1) * Math.log(q)).map((row) => row[0] + row[1]);
  close(call(losses.categoricalCrossentropy({ labelSmoothing: 0.2 })), smooth);
  const logits = p.map((row) => row.map((q) => Math.log(q) + 3));
  close(call(losses.categoricalCrossentropy({ fromLogits: true, labelSmoothing: 0.2 }), y, logits), smooth);
  const binary = rows((v, q) => -(v * 0.8 + 0.1) * Math.log(q) - (1 - v * 0.8 - 0.1) * Math.log(1 - q)).map(mean);
  close(call(losses.binaryCrossentropy({ labelSmoothing: 0.2 })), binary);
  expect(() => losses.binaryCrossentropy({ labelSmoothing: 2 })).toThrow(/labelSmoothing must be in \[0, 1\]; got 2/);
  expect(() => losses.huber({ reduction: 'avg' as never })).toThrow(/reduction must be a known name/);
});

test('focal losses', () => {
  const right = (v: number, q: number) => v * q + (1 - v) * (1 - q);
  const binary = rows((v, q) => -((1 - right(v, q)) ** 2) * Math.log(right(v, q))).map(mean);
  close(call(losses.binaryFocalCrossentropy()), binary);
  const many = rows((v, q) => -0.25 * (1 - q) ** 3 * v * Math.log(q)).map((row) => row[0] + row[1]);
  close(call(losses.categoricalFocalCrossentropy({ gamma: 3 })), many);
});

test('huber, dice and tversky', () => {
  const errors = [
    [0.5, -3],
    [2, 0],
  ];
  close(
    call(
      losses.huber({ delta: 1 }),
      [
        [0, 0],
        [0, 0],
      ],
      errors,
    ),
    [(0.125 + 2.5) / 2, 1.5 / 2],
  );
  const overlap = 0.7 + 0.6;
  close(call(losses.dice()), [1 - (2 * overlap) / 4]);
  close(call(losses.tversky({ alpha: 0.2, beta: 0.7 })), [1 - overlap / (overlap + 0.2 * 0.7 + 0.7 * 0.7)]);
});

test('reductions in training', async () => {
  const run = async (loss: ReturnType<typeof losses.huber> | string) => {
    const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [1], kernelInitializer: 'ones' })] });
    model.compile({ optimizer: train.sgd(0), loss });
    const weights = { sampleWeight: tensor([1, 3]) };
    return model.trainOnBatch(tensor([[0.5], [3]]), tensor([[0], [0]]), weights);
  };
  expect(await run('huber')).toBeCloseTo((0.125 + 3 * 2.5) / 2, 5);
  expect(await run(losses.huber({ reduction: 'sum' }))).toBeCloseTo(0.125 + 3 * 2.5, 5);
  expect(await run(losses.huber({ reduction: 'meanWithSampleWeight' }))).toBeCloseTo((0.125 + 3 * 2.5) / 4, 5);
});
