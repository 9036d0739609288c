/** Normalization against TensorFlow.js, and against its definition in plain arithmetic where TensorFlow.js has none. */
import * as lrn from '@tensorflow/tfjs-core/dist/ops/local_response_normalization_backprop.js';
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

const hidden = lrn as unknown as Library;

beforeAll(prepare);

const tensor = (seed: number, ...shape: number[]) => {
  const data = numbers(
    seed,
    shape.reduce((n, extent) => n * extent, 1),
  );
  return (tf: Library) => tf.tensor(data, shape);
};
const image = tensor(1, 2, 5, 4, 8);
const positive = (seed: number, n: number) => {
  const data = numbers(seed, n, 0.5, 2);
  return (tf: Library) => tf.tensor(data, [n]);
};

const cases: Record<string, Case> = {
  batchNorm4d: (tf) =>
    tf.batchNorm4d(image(tf), positive(2, 8)(tf), positive(3, 8)(tf), positive(4, 8)(tf), positive(5, 8)(tf)),
  batchNorm2d: (tf) =>
    tf.batchNorm2d(tensor(6, 3, 8)(tf), positive(2, 8)(tf), positive(3, 8)(tf), undefined, undefined, 0.1),
  'moments leading': (tf) => Object.values(tf.moments(image(tf), [0, 1, 2])),
  'moments spatial': (tf) => Object.values(tf.moments(image(tf), [1, 2], true)),
  lrn: (tf) => tf.localResponseNormalization(image(tf), 2, 1.5, 0.3, 0.75),
  'lrn default': (tf) => tf.localResponseNormalization(image(tf)),
  'lrn rank 3': (tf) => tensor(7, 3, 4, 5)(tf).localResponseNormalization(1, 1, 0.5, 1),
};

/** The definition: statistics over `axes`, everything broadcast. */
function plain(x: Library, axes: readonly number[], scale: Library, offset: Library, epsilon: number): Library {
  const { mean, variance } = ours.moments(x, axes, true);
  return ours.add(ours.mul(ours.div(ours.sub(x, mean), ours.sqrt(ours.add(variance, epsilon))), scale), offset);
}

/** Values and gradients for all arguments of two ways to compute the same. */
function expectEqual(one: Case, other: Case, args: readonly Library[]): void {
  const f = one as unknown as (...xs: Library[]) => Library;
  const g = other as unknown as (...xs: Library[]) => Library;
  expectClose(f(...args), g(...args), 1e-4);
  const weights = tensor(99, ...(f(...args).shape as unknown as number[]))(ours);
  const grads = (h: (...xs: Library[]) => Library) =>
    ours.grads((...xs: Library[]) => ours.sum(ours.mul(ours.tanh(h(...xs)), weights)))(args);
  expectClose(grads(f), grads(g), 2e-4);
  const second = (h: (...xs: Library[]) => Library) =>
    ours.grad((x: Library) => {
      const first = ours.grad((v: Library) => ours.sum(ours.mul(ours.tanh(h(v, ...args.slice(1))), weights)))(x);
      return ours.sum(ours.mul(first, weights));
    })(args[0]);
  expectClose(second(f), second(g), 1e-3);
}

describe('values', () => {
  it.each(Object.entries(cases))('%s', (_name, run) => expectSame(run));

  it('means far from zero keep their variance', () => {
    const data = numbers(8, 4000 * 8).map((v) => 1000 + v);
    const x = ours.tensor(data, [4000, 8]);
    const { variance } = ours.moments(x, [0]);
    const wanted = Array.from({ length: 8 }, (_, c) => {
      const column = Float32Array.from({ length: 4000 }, (_v, i) => data[i * 8 + c]);
      const mean = column.reduce((a, b) => a + b, 0) / 4000;
      return column.reduce((a, b) => a + (b - mean) ** 2, 0) / 4000;
    });
    expectClose(variance, ours.tensor(wanted), 1e-4);
  });
});

describe('normalization by its own statistics: value, gradients, second order', () => {
  const [g, b] = [positive(9, 8), tensor(10, 8)];
  const args = () => [image(ours), g(ours), b(ours)];
  const one = (f: (x: Library, scale: Library, offset: Library) => Library) => f as unknown as Case;

  it('batch', () => {
    expectEqual(
      one((x, s, o) => ours.batchNormTraining(x, o, s, 0.01).y),
      one((x, s, o) => plain(x, [0, 1, 2], s, o, 0.01)),
      args(),
    );
    const { mean, variance } = ours.batchNormTraining(image(ours));
    const wanted = ours.moments(image(ours), [0, 1, 2]);
    expectClose([mean, variance], [wanted.mean, wanted.variance]);
  });

  it('batch with few channels, and with the channels first', () => {
    const x = tensor(11, 3, 2, 5);
    const few = [x(ours), positive(12, 2)(ours), tensor(13, 2)(ours)];
    const at = (v: Library) => ours.reshape(v, [1, 2, 1]);
    expectEqual(
      one((v, s, o) => ours.batchNormTraining(v, o, s, 0.01, 1).y),
      one((v, s, o) => plain(v, [0, 2], at(s), at(o), 0.01)),
      few,
    );
    const many = [tensor(14, 3, 6, 5)(ours), positive(12, 6)(ours), tensor(13, 6)(ours)];
    const six = (v: Library) => ours.reshape(v, [1, 6, 1]);
    expectEqual(
      one((v, s, o) => ours.batchNormTraining(v, o, s, 0.01, 1).y),
      one((v, s, o) => plain(v, [0, 2], six(s), six(o), 0.01)),
      many,
    );
  });

  it('layer', () => {
    expectEqual(
      one((x, s, o) => ours.layerNorm(x, s, o, 0.01)),
      one((x, s, o) => plain(x, [3], s, o, 0.01)),
      args(),
    );
    const two = [image(ours), tensor(15, 4, 8)(ours), tensor(16, 4, 8)(ours)];
    expectEqual(
      one((x, s, o) => ours.layerNorm(x, s, o, 0.01, [2, 3])),
      one((x, s, o) => plain(x, [2, 3], s, o, 0.01)),
      two,
    );
    const middle = [image(ours), tensor(15, 5)(ours), tensor(16, 5)(ours)];
    const at = (v: Library) => ours.reshape(v, [1, 5, 1, 1]);
    expectEqual(
      one((x, s, o) => ours.layerNorm(x, s, o, 0.01, 1)),
      one((x, s, o) => plain(x, [1], at(s), at(o), 0.01)),
      middle,
    );
  });

  it('group and instance', () => {
    const byHand = (groups: number) => (x: Library, s: Library, o: Library) => {
      const parts = ours.reshape(x, [2, 5, 4, groups, 8 / groups]);
      const at = (v: Library) => ours.reshape(v, [groups, 8 / groups]);
      return ours.reshape(plain(parts, [1, 2, 4], at(s), at(o), 0.01), [2, 5, 4, 8]);
    };
    for (const groups of [1, 2, 8]) {
      expectEqual(
        one((x, s, o) => ours.groupNorm(x, groups, s, o, 0.01)),
        one(byHand(groups)),
        args(),
      );
    }
    expectEqual(
      one((x, s, o) => ours.instanceNorm(x, s, o, 0.01)),
      one(byHand(8)),
      args(),
    );
    const few = [tensor(17, 2, 6, 2)(ours), positive(12, 2)(ours), tensor(13, 2)(ours)];
    expectEqual(
      one((x, s, o) => ours.instanceNorm(x, s, o, 0.01)),
      one((x, s, o) => plain(x, [1], s, o, 0.01)),
      few,
    );
  });

  it('root mean square and length', () => {
    const rms = (x: Library) => ours.sqrt(ours.add(ours.mean(ours.square(x), -1, true), 0.01));
    expectEqual(
      one((x, s) => ours.rmsNorm(x, s, 0.01)),
      one((x, s) => ours.mul(ours.div(x, rms(x)), s)),
      [image(ours), g(ours)],
    );
    const length = ours.sum(ours.square(ours.l2Normalize(image(ours), [1, 3])), [1, 3]);
    expectClose(length, ours.ones([2, 4]));
    expectClose(ours.l2Normalize(ours.zeros([3])), ours.zeros([3]));
  });
});

describe('gradients', () => {
  it('local response', () => {
    expectSameGradient(image, (tf, x) => tf.localResponseNormalization(x, 2, 1.5, 0.3, 0.75).square());
    const dy = tensor(18, 2, 5, 4, 8);
    const args = [2, 1.5, 0.3, 0.75];
    const y = (tf: Library) => tf.localResponseNormalization(image(tf), ...args);
    expectClose(
      ours.localResponseNormalizationBackprop(image(ours), y(ours), dy(ours), ...args),
      hidden.localResponseNormalizationBackprop(image(theirs), y(theirs), dy(theirs), ...args),
      1e-4,
    );
  });
});

describe('errors', () => {
  const x = () => ours.ones([2, 3, 4]);
  const refused: [string, () => unknown, RegExp][] = [
    ['rank', () => ours.batchNorm4d(x(), 0, 1), /^\[batchNorm4d\] x must have rank 4/],
    [
      'scale',
      () => ours.batchNormTraining(x(), null, ours.ones([3])),
      /^\[batchNormTraining\] scale must have shape \[4\]/,
    ],
    ['groups', () => ours.groupNorm(x(), 3), /^\[groupNorm\] groups must divide the channels/],
    ['layer', () => ours.layerNorm(x(), ours.ones([3])), /^\[layerNorm\] scale must have the shape/],
    ['epsilon', () => ours.rmsNorm(x(), null, -1), /^\[rmsNorm\] epsilon must be/],
    [
      'lrn',
      () => ours.localResponseNormalization(ours.ones([4])),
      /^\[localResponseNormalization\] x must have rank 3 or 4/,
    ],
    ['radius', () => ours.localResponseNormalization(x(), 0.5), /depthRadius must be an integer/],
  ];
  it.each(refused)('%s', (_name, f, message) => expect(f).toThrow(message));
});
