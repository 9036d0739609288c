/** Optimizers against TensorFlow.js's, eagerly and inside jit. */
import * as tfc from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
// Registers the gradients.
import '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import '../../../test/values.ts';
import { jit, type Scalar, type Tensor, tensor, variable, variableGrads } from '../../tensor/index.ts';
import { train } from './index.ts';
import type { Optimizer } from './optimizer.ts';

beforeAll(async () => {
  await tfc.setBackend('cpu');
});

const cases: [string, () => Optimizer, () => tfc.Optimizer][] = [
  ['sgd', () => train.sgd(0.1), () => tfc.train.sgd(0.1)],
  ['momentum', () => train.momentum(0.1, 0.9), () => tfc.train.momentum(0.1, 0.9)],
  ['nesterov', () => train.momentum(0.1, 0.9, true), () => tfc.train.momentum(0.1, 0.9, true)],
  ['adam', () => train.adam(0.05), () => tfc.train.adam(0.05)],
  ['rmsprop', () => train.rmsprop(0.05, 0.8, 0.5), () => tfc.train.rmsprop(0.05, 0.8, 0.5)],
  ['adagrad', () => train.adagrad(0.1), () => tfc.train.adagrad(0.1)],
  ['adamax', () => train.adamax(0.05, 0.9, 0.99, 1e-7, 0.1), () => tfc.train.adamax(0.05, 0.9, 0.99, 1e-7, 0.1)],
  ['centered', () => train.rmsprop(0.05, 0.9, 0, 1e-3, true), () => tfc.train.rmsprop(0.05, 0.9, 0, 1e-3, true)],
];

const start = [1, -2, 0.5, 3];
const scales = [1, 0.1, 4, 0.5];

function theirPath(make: () => tfc.Optimizer, steps: number): number[][] {
  const optimizer = make();
  const w = tfc.variable(tfc.tensor1d(start));
  const path: number[][] = [];
  for (let i = 0; i < steps; i++) {
    optimizer.minimize(() => tfc.sum(tfc.mul(tfc.square(w), tfc.tensor1d(scales))) as tfc.Scalar, false, [w]);
    path.push([...w.dataSync()]);
  }
  return path;
}

function expectPath(got: number[][], expected: number[][]): void {
  expected.forEach((values, step) => {
    values.forEach((value, i) => {
      expect(Math.abs(got[step][i] - value), `step ${step}, value ${i}`).toBeLessThan(2e-4 * (1 + Math.abs(value)));
    });
  });
}

describe('optimizers', () => {
  test.each(cases)('%s, eagerly', (_, ours, theirs) => {
    const optimizer = ours();
    const w = variable(tensor(start));
    const factors = tensor(scales);
    const path: number[][] = [];
    for (let i = 0; i < 6; i++) {
      optimizer.minimize(() => w.square().mul(factors).sum() as Scalar, false, [w]);
      path.push([...w.dataSync()]);
    }
    expectPath(path, theirPath(theirs, 6));
    expect(optimizer.iterations).toBe(6);
  });

  test.each(cases)('%s, compiled', (_, ours, theirs) => {
    const optimizer = ours();
    const w = variable(tensor(start));
    const step = jit((factors: Tensor) => {
      const { value, grads } = variableGrads(() => w.square().mul(factors).sum() as Scalar, [w]);
      optimizer.applyGradients(grads);
      return value;
    });
    const path: number[][] = [];
    for (let i = 0; i < 6; i++) {
      step(tensor(scales)).dispose();
      path.push([...w.dataSync()]);
    }
    expect(step.traces).toBe(1);
    expectPath(path, theirPath(theirs, 6));
    expect(optimizer.iterations).toBe(6);
  });

  test('adadelta, by its formula', () => {
    const optimizer = train.adadelta(1, 0.9, 1e-4);
    const w = variable(tensor([2]));
    let [expected, squares, changes] = [2, 0, 0];
    for (let i = 0; i < 5; i++) {
      optimizer.minimize(() => w.square().sum() as Scalar, false, [w]);
      const g = 2 * expected;
      squares = 0.9 * squares + 0.1 * g * g;
      const step = (g * Math.sqrt(changes + 1e-4)) / Math.sqrt(squares + 1e-4);
      changes = 0.9 * changes + 0.1 * step * step;
      expected -= step;
      expect(w.dataSync()[0]).toBeCloseTo(expected, 5);
    }
  });

  test('the learning rate may change between compiled steps', () => {
    const optimizer = train.sgd(1);
    const w = variable(tensor([0]));
    const step = jit((g: Tensor) => {
      optimizer.applyPairs([{ variable: w, gradient: g }]);
      return g;
    });
    step(tensor([1]));
    optimizer.learningRate = 0.25;
    step(tensor([1]));
    expect(w.dataSync()[0]).toBeCloseTo(-1.25, 6);
  });

  test('minimize finds the variables itself and returns the cost', () => {
    const w = variable(tensor([3]));
    const cost = train.sgd(0.5).minimize(() => w.square().sum() as Scalar, true);
    expect(cost?.dataSync()[0]).toBe(9);
    expect(w.dataSync()[0]).toBe(0);
  });

  test('its state can be saved and restored', async () => {
    const run = async (interrupted: boolean) => {
      const w = variable(tensor(start));
      let optimizer = train.adam(0.1);
      for (let i = 0; i < 4; i++) {
        if (interrupted && i === 2) {
          const state = await optimizer.getWeights();
          optimizer = train.adam(0.1);
          await optimizer.setWeights(state, [w]);
        }
        optimizer.minimize(() => w.square().sum() as Scalar, false, [w]);
      }
      return [...w.dataSync()];
    };
    const [whole, resumed] = [await run(false), await run(true)];
    resumed.forEach((value, i) => {
      expect(value).toBeCloseTo(whole[i], 5);
    });
  });

  test('mistakes', () => {
    expect(() => train.sgd(Number.NaN)).toThrow(/\[SGD\] learningRate must be a finite number/);
    expect(() => train.sgd(0.1).applyGradients({ nobody: tensor([1]) })).toThrow(/\[applyGradients\]/);
  });
});
