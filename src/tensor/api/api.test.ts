/** What the user's functions refuse and how they say it; random numbers; methods. Values are compared in test/conformance. */
import { beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../base/errors.ts';
import { registerBackend, setBackend } from '../backends.ts';
import { setSeed } from '../random.ts';
import { referenceBackend } from '../reference-backend.ts';
import { Tensor } from '../tensor.ts';
import type { Tensor2D } from '../types.ts';
import * as tf from './index.ts';

beforeAll(async () => {
  registerBackend('reference', async () => referenceBackend());
  await setBackend('reference');
});

describe('errors name the op, what must hold and what came', () => {
  const x = () => tf.ones([2, 3]);
  const cases: [string, () => unknown, RegExp][] = [
    ['add', () => tf.add(x(), tf.ones([4])), /^\[add\] shapes must broadcast.*\[2,3\] and \[4\]/],
    [
      'matMul',
      () => tf.matMul(x(), x()),
      /^\[matMul\] inner dimensions must match: \[2,3\] x \[2,3\] has 3 and 2; transpose/,
    ],
    ['matMul rank', () => tf.matMul(tf.ones([3]), x()), /^\[matMul\] inputs must have rank 2 or more/],
    ['reshape', () => tf.reshape(x(), [4, 2]), /^\[reshape\] the number of elements must stay/],
    ['reshape -1', () => tf.reshape(x(), [-1, -1]), /only one extent may be -1/],
    ['sum axis', () => tf.sum(x(), 2), /^\[sum\] axis must be an integer in \[-2, 1\]/],
    ['concat', () => tf.concat([x(), tf.ones([3, 3])], 1), /^\[concat\] shapes must agree/],
    ['concat none', () => tf.concat([]), /^\[concat\] tensors must be a list/],
    ['slice', () => tf.slice(x(), [1, 1], [2, 2]), /^\[slice\] the slice must lie inside \[2,3\]/],
    [
      'conv2d',
      () => tf.conv2d(tf.ones([1, 8, 8, 3]), tf.ones([3, 3, 4, 8]), 1, 'same'),
      /^\[conv2d\] the filter's input channels/,
    ],
    [
      'conv2d pad',
      () => tf.conv2d(tf.ones([1, 8, 8, 3]), tf.ones([3, 3, 3, 8]), 1, 'half' as 'same'),
      /^\[conv2d\] pad must be/,
    ],
    [
      'conv2d window',
      () => tf.conv2d(tf.ones([1, 2, 2, 3]), tf.ones([3, 3, 3, 8]), 1, 'valid'),
      /^\[conv2d\] the window must fit/,
    ],
    ['maxPool', () => tf.maxPool(x(), 2, 2, 'valid'), /^\[maxPool\] the input must have rank 4/],
    ['logicalAnd', () => tf.logicalAnd(x(), x()), /^\[logicalAnd\] inputs must be bool/],
    ['where', () => tf.where(x(), x(), x()), /^\[where\] the condition must be bool/],
    ['cast', () => tf.cast(x(), 'float128' as 'float32'), /^\[cast\] dtype must be one of/],
    ['gather', () => tf.gather(x(), tf.tensor1d([0.5])), /^\[gather\] indices must be int32/],
    ['oneHot', () => tf.oneHot([0, 1], 1), /^\[oneHot\] depth/],
    ['dropout', () => tf.dropout(x(), 1), /^\[dropout\] rate must be in \[0, 1\)/],
    ['tensor2d', () => tf.tensor2d([1, 2, 3]), /^\[tensor2d\] values must be nested 2 deep/],
    ['transpose', () => tf.transpose(x(), [0, 0]), /^\[transpose\] perm must hold each of the 2 axes once/],
    ['softmax', () => tf.softmax(tf.scalar(1)), /^\[softmax\] the input must have rank 1 or more/],
    [
      'losses',
      () => tf.losses.meanSquaredError(x(), tf.ones([3])),
      /^\[meanSquaredError\] labels and predictions must have one shape/,
    ],
    ['argMax', () => tf.argMax(tf.ones([0, 2])), /^\[argMax\] the axis must not be empty/],
    ['undefined', () => tf.relu(undefined as unknown as Tensor), /^\[relu\] x must be a tensor/],
    ['fill', () => tf.fill([-1], 0), /^\[fill\] every extent/],
  ];
  it.each(cases)('%s', (_name, f, message) => {
    expect(f).toThrow(UserError);
    expect(f).toThrow(message);
  });

  it('refuses disposed tensors and bad indices', () => {
    const gone = x();
    gone.dispose();
    expect(() => tf.relu(gone)).toThrow(/^\[relu\] a tensor must not be used after it was disposed/);
    expect(() => tf.gather(x(), [0, 2]).dataSync()).toThrow(/\[gather\] index must be in \[0, 2\); got 2/);
  });
});

describe('random tensors', () => {
  const statistics = (data: ArrayLike<number>) => {
    const list = Array.from(data);
    const mean = list.reduce((sum, v) => sum + v, 0) / list.length;
    return { mean, variance: list.reduce((sum, v) => sum + (v - mean) ** 2, 0) / list.length, list };
  };
  it('normal', () => {
    const { mean, variance } = statistics(tf.randomNormal([20000], 2, 3, 'float32', 7).dataSync());
    expect(Math.abs(mean - 2)).toBeLessThan(0.1);
    expect(Math.abs(variance - 9)).toBeLessThan(0.4);
  });
  it('truncated normal', () => {
    const { mean, variance, list } = statistics(tf.truncatedNormal([20000], 0, 1, 'float32', 7).dataSync());
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 0.7737)).toBeLessThan(0.03);
    expect(Math.max(...list.map(Math.abs))).toBeLessThanOrEqual(2);
  });
  it('uniform', () => {
    const { mean, variance, list } = statistics(tf.randomUniform([20000], -1, 3, 'float32', 7).dataSync());
    expect(Math.abs(mean - 1)).toBeLessThan(0.05);
    expect(Math.abs(variance - 16 / 12)).toBeLessThan(0.05);
    expect(Math.min(...list)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...list)).toBeLessThan(3);
    const counts = [0, 0, 0];
    for (const v of tf.randomUniformInt([3000], -1, 2, 3).dataSync()) counts[v + 1]++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
  it('follow their seeds', () => {
    const draw = (seed?: number | null) => Array.from(tf.randomUniform([5], 0, 1, 'float32', seed).dataSync());
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
    setSeed(11);
    const first = [draw(), draw()];
    setSeed(11);
    expect([draw(), draw()]).toEqual(first);
    expect(first[0]).not.toEqual(first[1]);
  });
  it('drop the rate they are given', () => {
    const data = Array.from(tf.dropout(tf.ones([10000]), 0.3, undefined, 5).dataSync());
    const kept = data.filter((v) => v !== 0);
    expect(Math.abs(kept.length - 7000)).toBeLessThan(200);
    expect(new Set(kept)).toEqual(new Set([Math.fround(1 / 0.7)]));
    const rows = tf.dropout(tf.ones([4, 50]), 0.5, [4, 1], 5).arraySync() as number[][];
    for (const row of rows) expect(new Set(row).size).toBe(1);
  });
});

describe('methods', () => {
  it('are the functions of their names', () => {
    const x: Tensor2D = tf.tensor2d([
      [1, -2],
      [3, 4],
    ]);
    expect(x.relu().add(1).mul([2, 3]).arraySync()).toEqual([
      [4, 3],
      [8, 15],
    ]);
    expect(x.where(x.greater(0), 0).arraySync()).toEqual([
      [1, 0],
      [3, 4],
    ]);
    expect(x.concat([x], 0).shape).toEqual([4, 2]);
    expect(x.as1D().as2D(1, 4).reshapeAs(x).transpose().shape).toEqual([2, 2]);
    expect(x.argMax(1).dtype).toBe('int32');
    expect(x.toBool().dtype).toBe('bool');
    expect(x.stack(x).shape).toEqual([2, 2, 2]);
  });
  it('are not enumerable', () => {
    expect(Object.keys(Tensor.prototype)).toEqual([]);
  });

  it('refuses results that no tensor can hold, and goes on', () => {
    const column = tf.ones([200_000, 1]);
    const row = tf.ones([1, 200_000]);
    const wanted = /^\[\w+\] a tensor may hold at most 2\^31 - 1 elements; got \[200000,200000\]$/;
    expect(() => tf.matMul(column, row)).toThrow(wanted);
    expect(() => tf.add(column, row)).toThrow(wanted);
    expect(tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).arraySync()).toEqual([
      [3, 3],
      [3, 3],
    ]);
  });
});

it.each(['int8', 'uint8', 'int32', 'int64'] as const)(
  'clipByValue of %s: bounds that its numbers never reach',
  (dtype) => {
    const x = tf.tensor(dtype === 'uint8' ? [0, 5, 200] : [-5, 0, 5], [3], dtype);
    const values = [...x.dataSync()].map(Number);
    const clip = (low: number, high: number) => [...x.clipByValue(low, high).dataSync()].map(Number);
    expect(clip(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)).toEqual(values);
    expect(clip(-1e30, 1e30)).toEqual(values);
    expect(clip(Number.NEGATIVE_INFINITY, 3)).toEqual(values.map((value) => Math.min(value, 3)));
    expect(clip(-3, Number.POSITIVE_INFINITY)).toEqual(values.map((value) => Math.max(value, -3)));
    expect(x.clipByValue(0, 3).dtype).toBe(dtype);
  },
);

it('a number that was left out is missed, and not taken for NaN', () => {
  const image = tf.ones([1, 2, 2, 3]);
  const missing = undefined as unknown as number;
  const calls = [
    () => tf.image.adjustBrightness(image, missing),
    () => tf.image.adjustContrast(image, missing),
    () => tf.leakyRelu(image, 'a' as unknown as number),
    () => tf.fill([2], missing),
  ];
  for (const call of calls) expect(call).toThrow(/must be a number.*; got (undefined|"a")/);
  expect([...tf.fill([1], Number.NaN).dataSync()]).toEqual([Number.NaN]);
});
