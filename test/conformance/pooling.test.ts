/** Pooling and morphology by their users' names against TensorFlow.js, or against what they are made of where it has none. */
import * as avg_pool_3d_grad from '@tensorflow/tfjs-core/dist/ops/avg_pool_3d_grad.js';
import * as avg_pool_grad from '@tensorflow/tfjs-core/dist/ops/avg_pool_grad.js';
import * as max_pool_3d_grad from '@tensorflow/tfjs-core/dist/ops/max_pool_3d_grad.js';
import * as max_pool_grad from '@tensorflow/tfjs-core/dist/ops/max_pool_grad.js';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Case,
  expectClose,
  expectSame,
  expectSameGradient,
  type Library,
  numbers,
  ours,
  prepare,
  theirs,
} from './beside-tfjs.ts';

/** TensorFlow.js keeps these to itself. */
const hidden = {
  ...avg_pool_3d_grad,
  ...avg_pool_grad,
  ...max_pool_3d_grad,
  ...max_pool_grad,
} as unknown as Library;

beforeAll(prepare);

const tensor = (seed: number, ...shape: number[]) => {
  const data = numbers(
    seed,
    shape.reduce((n, extent) => n * extent, 1),
  );
  return (tf: Library) => tf.tensor(data, shape);
};
const image = tensor(1, 2, 7, 8, 3);
const volume = tensor(2, 2, 5, 6, 7, 2);

const cases: Record<string, Case> = {
  'maxPool number': (tf) => tf.maxPool(image(tf), 3, 2, 1, 'floor'),
  'maxPool ceil': (tf) => tf.maxPool(image(tf), 2, 2, 0, 'ceil'),
  'maxPool rank 3': (tf) => tf.maxPool(tensor(3, 6, 6, 4)(tf), [2, 3], [1, 2], 'same'),
  'avgPool ceil': (tf) => tf.avgPool(image(tf), 3, 2, 1, 'ceil'),
  maxPool3d: (tf) => tf.maxPool3d(volume(tf), 2, 2, 'valid'),
  'maxPool3d same': (tf) => tf.maxPool3d(volume(tf), [2, 3, 3], [1, 2, 2], 'same'),
  'maxPool3d rank 4': (tf) => tf.maxPool3d(tensor(4, 4, 5, 6, 2)(tf), 2, 1, 'valid'),
  avgPool3d: (tf) => tf.avgPool3d(volume(tf), 2, 2, 'valid'),
  'avgPool3d same': (tf) => tf.avgPool3d(volume(tf), [3, 2, 3], [2, 1, 2], 'same'),
  'pool max': (tf) => tf.pool(image(tf), [2, 3], 'max', 'valid', 1, [2, 1]),
  'pool dilated max': (tf) => tf.pool(image(tf), [2, 3], 'max', 'valid', [2, 3]),
  'pool dilated avg': (tf) => tf.pool(image(tf), [3, 2], 'avg', 'valid', 2),
  dilation2d: (tf) => tf.dilation2d(image(tf), tensor(5, 2, 3, 3)(tf), 1, 'same'),
  'dilation2d strided': (tf) => tf.dilation2d(image(tf), tensor(5, 3, 3, 3)(tf), [2, 1], 'valid'),
  'dilation2d dilated': (tf) => tf.dilation2d(image(tf), tensor(5, 3, 2, 3)(tf), 1, 'same', [2, 2]),
  'dilation2d method': (tf) => image(tf).dilation2d(tensor(5, 2, 2, 3)(tf), 1, 'valid'),
  argmax: (tf) => Object.values(tf.maxPoolWithArgmax(image(tf), 2, 2, 'valid')),
  'argmax same': (tf) => Object.values(tf.maxPoolWithArgmax(image(tf), [3, 2], [2, 1], 'same')),
  'argmax batch': (tf) => Object.values(tf.maxPoolWithArgmax(image(tf), 3, 3, 'same', true)),
};

describe('values', () => {
  it.each(Object.entries(cases))('%s', (_name, run) => expectSame(run));

  it('pools along one axis as along two', () => {
    const x = tensor(6, 2, 11, 3)(ours);
    const wide = ours.maxPool(ours.expandDims(x, 1), [1, 3], [1, 2], 'same');
    expectClose(ours.pool(x, [3], 'max', 'same', 1, 2), ours.squeeze(wide, [1]));
  });

  it('strides and dilates at once', () => {
    const x = tensor(7, 1, 11, 10, 2)(ours);
    for (const kind of ['max', 'avg'] as never[]) {
      const dense = ours.pool(x, [3, 2], kind, 'valid', [2, 3], 1);
      const rows = ours.stridedSlice(dense, [0, 0, 0, 0], dense.shape as unknown as number[], [1, 2, 3, 1]);
      expectClose(ours.pool(x, [3, 2], kind, 'valid', [2, 3], [2, 3]), rows);
    }
  });

  it('reads channels that come first', () => {
    const first = ours.maxPool3d(ours.transpose(volume(ours), [0, 4, 1, 2, 3]), 2, 2, 'same', undefined, 'NCDHW');
    expectClose(ours.transpose(first, [0, 2, 3, 4, 1]), ours.maxPool3d(volume(ours), 2, 2, 'same'));
  });

  it('pools globally and to any extent', () => {
    const x = image(ours);
    expectClose(ours.globalAvgPool(x), ours.mean(x, [1, 2]));
    expectClose(ours.globalMaxPool(x, true), ours.max(x, [1, 2], true));
    expectClose(ours.adaptiveAvgPool(x, [7, 4]), ours.avgPool(x, [1, 2], [1, 2], 'valid'));
    // 7 rows to 3: windows 0..3, 2..5, 4..7, as PyTorch cuts them.
    const rows = [
      [0, 3],
      [2, 3],
      [4, 3],
    ].map(([from, size]) => ours.max(ours.slice(x, [0, from, 0, 0], [2, size, 8, 3]), [1], true));
    expectClose(ours.adaptiveMaxPool(x, [3, 8]), ours.concat(rows, 1));
    const means = [
      [0, 3],
      [2, 4],
      [5, 3],
    ].map(([from, size]) => ours.mean(ours.slice(x, [0, 0, from, 0], [2, 7, size, 3]), [2], true));
    expectClose(ours.adaptiveAvgPool(x, [7, 3]), ours.concat(means, 2));
  });

  it('erodes what dilation of the negative grows', () => {
    const x = tensor(8, 1, 5, 5, 1)(ours);
    const flat = ours.zeros([3, 3, 1]);
    expectClose(ours.erosion2d(x, flat, 1, 'same'), ours.neg(ours.maxPool(ours.neg(x), 3, 1, 'same')));
  });
});

describe('gradients', () => {
  const gradients: Record<string, [Case, (tf: Library, x: Library) => Library]> = {
    'maxPool same': [image, (tf, x) => tf.maxPool(x, 3, 1, 'same').square()],
    maxPool3d: [volume, (tf, x) => tf.maxPool3d(x, [2, 3, 3], [1, 2, 2], 'same').square()],
    'dilation2d x': [image, (tf, x) => tf.dilation2d(x, tensor(5, 2, 3, 3)(tf), 1, 'same').square()],
    'dilation2d filter': [tensor(5, 2, 3, 3), (tf, f) => tf.dilation2d(image(tf), f, [2, 1], 'valid').square()],
  };
  it.each(Object.entries(gradients))('%s', (_name, [x, f]) => expectSameGradient(x, f));

  it('are there by name', () => {
    const [dy, dz] = [tensor(9, 2, 4, 4, 3), tensor(10, 2, 3, 3, 4, 2)];
    const y = (tf: Library) => tf.maxPool(image(tf), 3, 2, 'same');
    const z = (tf: Library) => tf.maxPool3d(volume(tf), 3, 2, 'same');
    expectClose(
      ours.maxPoolGrad(dy(ours), image(ours), y(ours), 3, 2, 'same'),
      hidden.maxPoolGrad(dy(theirs), image(theirs), y(theirs), 3, 2, 'same'),
    );
    const tight = tensor(13, 2, 3, 3, 3);
    expectClose(
      ours.avgPoolGrad(tight(ours), image(ours), 3, 2, 'valid'),
      hidden.avgPoolGrad(tight(theirs), image(theirs), 3, 2, 'valid'),
    );
    expectClose(
      ours.maxPool3dGrad(dz(ours), volume(ours), z(ours), 3, 2, 'same'),
      hidden.maxPool3dGrad(dz(theirs), volume(theirs), z(theirs), 3, 2, 'same'),
    );
    const small = tensor(14, 2, 2, 2, 3, 2);
    expectClose(
      ours.avgPool3dGrad(small(ours), volume(ours), 3, 2, 'valid'),
      hidden.avgPool3dGrad(small(theirs), volume(theirs), 3, 2, 'valid'),
    );
  });

  // TensorFlow.js divides by the whole window at the borders too, which is not the gradient of what its avgPool computes.
  it('avgPool with padding is linear: <avgPool(x), dy> = <x, its gradient of dy>', () => {
    const value = (x: Library) => (x.dataSync as unknown as () => ArrayLike<number>)()[0];
    const x = image(ours);
    const dy = tensor(9, 2, 4, 4, 3)(ours);
    const forward = value(ours.sum(ours.mul(ours.avgPool(x, 3, 2, 'same'), dy)));
    expect(value(ours.sum(ours.mul(x, ours.avgPoolGrad(dy, x, 3, 2, 'same'))))).toBeCloseTo(forward, 4);
    const [v, dv] = [volume(ours), tensor(10, 2, 3, 3, 4, 2)(ours)];
    const forward3d = value(ours.sum(ours.mul(ours.avgPool3d(v, 3, 2, 'same'), dv)));
    const dx = ours.grad((u: Library) => ours.sum(ours.mul(ours.avgPool3d(u, 3, 2, 'same'), dv)))(v);
    expect(value(ours.sum(ours.mul(v, dx)))).toBeCloseTo(forward3d, 4);
  });

  // TensorFlow.js pads with zeros there, which then win over what is negative.
  it('padding never wins in a dilated pool', () => {
    const x = ours.sub(ours.neg(ours.abs(image(ours))), 1);
    const largest = ours.max(ours.pool(x, 3, 'max', 'same', 2));
    expect((largest.dataSync as unknown as () => ArrayLike<number>)()[0]).toBeLessThanOrEqual(-1);
  });

  // d2/dx2 of sum(maxPool(x^3)): 6 x where x is a window's maximum, once for each of its windows. TensorFlow.js has none.
  it('second order through maxPool', () => {
    const x = tensor(11, 1, 6, 5, 2)(ours);
    const f = (v: Library) => ours.sum(ours.maxPool(ours.pow(v, 3), 3, 2, 'same'));
    const second = ours.grad((v: Library) => ours.sum(ours.grad(f)(v)))(x);
    const wins = ours.grad((v: Library) => ours.sum(ours.maxPool(v, 3, 2, 'same')))(ours.pow(x, 3));
    expectClose(second, ours.mul(ours.mul(x, 6), wins), 1e-4);
    const total = (ours.sum(wins).dataSync as unknown as () => ArrayLike<number>)()[0];
    expect(total).toBe(3 * 3 * 2);
  });

  it('adaptive pooling has them', () => {
    const x = tensor(12, 1, 7, 5, 2)(ours);
    const dx = ours.grad((v: Library) => ours.sum(ours.adaptiveAvgPool(v, [3, 2])))(x);
    // Each of the 3 x 2 means hands out 1 in all.
    const total = (ours.sum(dx).dataSync as unknown as () => ArrayLike<number>)()[0];
    expect(total).toBeCloseTo(3 * 2 * 2, 4);
  });
});

describe('errors', () => {
  const x = () => ours.ones([1, 8, 8, 3]);
  const refused: [string, () => unknown, RegExp][] = [
    ['pool type', () => ours.pool(x(), 2, 'min', 'valid'), /^\[pool\] poolingType must be/],
    ['window', () => ours.maxPool(x(), 0, 1, 'valid'), /^\[maxPool\] filterSize must be a positive integer/],
    ['too large', () => ours.avgPool(x(), 9, 1, 'valid'), /the window must fit into the padded input/],
    ['padding', () => ours.maxPool(x(), 2, 1, 2), /padding must be smaller than the window/],
    [
      'argmax rank',
      () => ours.maxPoolWithArgmax(ours.ones([8, 8, 3]), 2, 2, 'valid'),
      /^\[maxPoolWithArgmax\] the input must have rank 4/,
    ],
    [
      'dilation filter',
      () => ours.dilation2d(x(), ours.ones([2, 2, 4]), 1, 'valid'),
      /^\[dilation2d\] the filter must be/,
    ],
    ['windows', () => ours.pool(x(), [1, 1, 1, 1], 'max', 'valid'), /windowShape must have one, two or three/],
    ['adaptive', () => ours.adaptiveAvgPool(ours.ones([2, 2]), 1), /^\[adaptiveAvgPool\] the input must have rank/],
  ];
  it.each(refused)('%s', (_name, f, message) => expect(f).toThrow(message));
});
