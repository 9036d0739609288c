/**
 * The user's functions, evaluated by the reference, against TensorFlow.js's cpu backend: one table of calls that both libraries
 * take as they stand. Where we differ on purpose it says so.
 */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { beforeAll, describe, expect, it } from 'vitest';
import * as api from '../../src/tensor/api/index.ts';
import * as base from '../../src/tensor/index.ts';
import { registerBackend, setBackend } from '../../src/tensor/backends.ts';
import { referenceBackend } from '../../src/tensor/reference-backend.ts';
import { uniform } from './samples.ts';

/** Both libraries through one untyped door: their static types differ, and what is compared is what they do. */
type Library = any;
type Case = (tf: Library) => unknown;

const ours: Library = { ...base, ...api };
const random = uniform(42);
const numbers = (n: number, low = -2, high = 2) => Array.from({ length: n }, () => low + (high - low) * random());

const a = numbers(12);
const b = numbers(12, 0.5, 2);
const image = numbers(2 * 6 * 7 * 3);
const filter = numbers(3 * 2 * 3 * 4);
const single = numbers(2 * 6 * 7 * 2);
const depthwise = numbers(3 * 3 * 2 * 3);
const transposed = numbers(3 * 3 * 3 * 4);
const labels = [0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1];
const A = (tf: Library) => tf.tensor2d(a, [3, 4]);
const B = (tf: Library) => tf.tensor2d(b, [3, 4]);
const X = (tf: Library) => tf.tensor4d(image, [2, 6, 7, 3]);
const F = (tf: Library) => tf.tensor4d(filter, [3, 2, 3, 4]);
/** Square: with padding given as a number TensorFlow.js takes the height of the filter for its width. */
const S = (tf: Library) => tf.tensor4d(transposed, [3, 3, 3, 4]);
const L = (tf: Library) => tf.tensor2d(labels, [3, 4]);
const ints = (tf: Library, ...values: number[]) => tf.tensor1d(values, 'int32');
const bools = (tf: Library, ...values: boolean[]) => tf.tensor1d(values);

const unary =
  'abs acos acosh asin asinh atan atanh ceil cos cosh elu erf exp expm1 floor isFinite isInf isNaN leakyRelu log log1p logSigmoid neg reciprocal relu relu6 round rsqrt selu sigmoid sign sin sinh softplus sqrt square step tan tanh onesLike zerosLike softmax logSoftmax sum mean prod max min logSumExp argMax argMin norm reverse transpose'.split(
    ' ',
  );
const binary =
  'add sub mul div divNoNan floorDiv maximum minimum mod pow squaredDifference atan2 equal notEqual less lessEqual greater greaterEqual'.split(
    ' ',
  );

const cases: Record<string, Case> = {};
for (const name of unary) {
  const inside = ['acos', 'asin', 'atanh'].includes(name);
  cases[name] = (tf) => tf[name](inside ? A(tf).div(2.5) : ['acosh'].includes(name) ? B(tf).add(1) : A(tf));
  if (!['acosh', 'acos', 'asin', 'atanh'].includes(name)) cases[`${name} positive`] = (tf) => tf[name](B(tf));
  cases[`${name} method`] = (tf) => B(tf).div(3)[name]();
}
for (const name of binary) {
  cases[name] = (tf) => tf[name](name === 'pow' ? B(tf) : A(tf), B(tf));
  cases[`${name} broadcast`] = (tf) => tf[name](B(tf), [1, 2, 0.5, 3]);
  // atan2 of integers is an angle for us, and an integer for TensorFlow.js.
  if (name !== 'atan2') cases[`${name} int32`] = (tf) => tf[name](ints(tf, 7, -7, 9, 3), ints(tf, 2, 2, 3, 3));
  cases[`${name} mixed`] = (tf) => tf[name](ints(tf, 7, 5, 9, 3), tf.tensor1d([2.5, 2, 3, 3]));
}
for (const name of ['sum', 'mean', 'prod', 'max', 'min', 'logSumExp', 'norm', 'all', 'any']) {
  const input: Case = name === 'all' || name === 'any' ? (tf) => A(tf).greater(0) : A;
  const args = (axis: unknown, keep: boolean) => (name === 'norm' ? ['euclidean', axis, keep] : [axis, keep]);
  for (const axis of [0, -1, [0, 1], null]) {
    cases[`${name} axis ${axis}`] = (tf) => tf[name](input(tf), ...args(axis, false));
    cases[`${name} axis ${axis} keepDims`] = (tf) => tf[name](input(tf), ...args(axis, true));
  }
}
for (const name of ['logicalAnd', 'logicalOr', 'logicalXor']) {
  cases[name] = (tf) => tf[name](bools(tf, true, true, false, false), bools(tf, true, false, true, false));
}

Object.assign(cases, {
  'sum int32': (tf) => tf.sum(ints(tf, 1, 2, 3)),
  'sum bool': (tf) => tf.sum(bools(tf, true, false, true)),
  'mean int32': (tf) => tf.mean(ints(tf, 1, 2, 4)),
  'max int32': (tf) => tf.max(ints(tf, -5, 2, 1)),
  'exp int32': (tf) => tf.exp(ints(tf, 1, 2)),
  'square int32': (tf) => tf.square(ints(tf, 3, -4)),
  'neg int32': (tf) => tf.neg(ints(tf, 3, -4)),
  'abs int32': (tf) => tf.abs(ints(tf, 3, -4)),
  'relu int32': (tf) => tf.relu(ints(tf, 3, -4)),
  'mod negative': (tf) => tf.mod([7, -7, 7, -7, 5.5, -5.5], [3, 3, -3, -3, 2, 2]),
  'mod int32 negative': (tf) => tf.mod(ints(tf, 7, -7, 7, -7), ints(tf, 3, 3, -3, -3)),
  'scalar arithmetic': (tf) => A(tf).mul(2).add(1).sub(0.5).div(3),
  addN: (tf) => tf.addN([A(tf), B(tf), A(tf)]),
  logicalNot: (tf) => tf.logicalNot(bools(tf, true, false)),
  where: (tf) => tf.where(A(tf).greater(0), A(tf), B(tf)),
  clipByValue: (tf) => tf.clipByValue(A(tf), -0.5, 0.5),
  prelu: (tf) => tf.prelu(A(tf), [0.1, 0.2, 0.3, 0.4]),
  'step alpha': (tf) => tf.step(A(tf), 0.3),
  'argMax axis': (tf) => tf.argMax(A(tf), 1),
  'argMin axis -1': (tf) => tf.argMin(A(tf), -1),
  'argMax ties': (tf) => tf.argMax([1, 3, 3, 2]),
  moments: (tf) => Object.values(tf.moments(A(tf), [0])),
  'moments keepDims': (tf) => Object.values(tf.moments(A(tf), 1, true)),
  'norm 1': (tf) => tf.norm(A(tf), 1, [0, 1]),
  'norm inf': (tf) => tf.norm(A(tf), Number.POSITIVE_INFINITY, [0, 1]),
  'norm 1 axis': (tf) => tf.norm(A(tf), 1, 1),
  'tensor nested': (tf) => tf.tensor([[1, 2], [3, 4]]), // biome-ignore format: one line
  'tensor typed': (tf) => tf.tensor(new Int32Array([1, 2, 3, 4]), [2, 2]),
  'tensor bool': (tf) => tf.tensor([true, false]),
  'tensor3d flat': (tf) => tf.tensor3d([1, 2, 3, 4], [1, 2, 2]),
  scalar: (tf) => tf.scalar(3.5),
  'scalar int32': (tf) => tf.scalar(3, 'int32'),
  zeros: (tf) => tf.zeros([2, 3]),
  'ones int32': (tf) => tf.ones([2, 3], 'int32'),
  fill: (tf) => tf.fill([2, 2], 4.5),
  range: (tf) => tf.range(0, 9, 2),
  'range down': (tf) => tf.range(5, 1),
  'range negative': (tf) => tf.range(5, 1, -2),
  'range int32': (tf) => tf.range(2, 6, 1, 'int32'),
  'range empty': (tf) => tf.range(3, 3),
  linspace: (tf) => tf.linspace(-1, 2, 7),
  eye: (tf) => tf.eye(3),
  'eye wide': (tf) => tf.eye(2, 3, [2]),
  diag: (tf) => tf.diag([1, 2, 3]),
  oneHot: (tf) => tf.oneHot(ints(tf, 0, 2, 5), 3),
  'oneHot float32': (tf) => tf.oneHot(ints(tf, 0, 2), 3, 5, -1, 'float32'),
  cast: (tf) => A(tf).cast('int32'),
  'cast bool': (tf) => tf.cast([0, 1, 2, -0.5], 'bool'),
  flatten: (tf) => A(tf).flatten(),
  reshape: (tf) => A(tf).reshape([2, -1, 3]),
  expandDims: (tf) => A(tf).expandDims(1),
  'expandDims -1': (tf) => A(tf).expandDims(-1),
  squeeze: (tf) => A(tf).reshape([1, 3, 1, 4]).squeeze(),
  'squeeze axis': (tf) => A(tf).reshape([1, 3, 1, 4]).squeeze([2]),
  broadcastTo: (tf) => tf.broadcastTo([1, 2, 3], [2, 3]),
  tile: (tf) => A(tf).tile([2, 3]),
  pad: (tf) => A(tf).pad([[1, 0], [2, 1]], 7), // biome-ignore format: one line
  'mirrorPad reflect': (tf) => tf.mirrorPad(A(tf), [[1, 2], [0, 3]], 'reflect'), // biome-ignore format: one line
  'mirrorPad symmetric': (tf) => tf.mirrorPad(A(tf), [[1, 3], [2, 0]], 'symmetric'), // biome-ignore format: one line
  concat: (tf) => tf.concat([A(tf), B(tf)], 1),
  'concat method': (tf) => A(tf).concat(B(tf)),
  'concat list': (tf) => A(tf).concat([B(tf), A(tf)], -1),
  stack: (tf) => tf.stack([A(tf), B(tf)], 1),
  unstack: (tf) => tf.unstack(A(tf), 1),
  split: (tf) => tf.split(A(tf), 2, 1),
  'split sizes': (tf) => tf.split(A(tf), [1, 2, 1], 1),
  slice: (tf) => A(tf).slice([1, 1], [2, 2]),
  'slice open': (tf) => A(tf).slice(1),
  'slice -1': (tf) => A(tf).slice([0, 2], [-1, 1]),
  stridedSlice: (tf) => tf.stridedSlice(A(tf), [0, 3], [3, 0], [2, -1]),
  'stridedSlice masks': (tf) => tf.stridedSlice(A(tf), [1, 1], [2, 3], [1, 1], 1, 2),
  'stridedSlice shrink': (tf) => tf.stridedSlice(A(tf), [1, 0], [2, 4], [1, 1], 0, 0, 0, 0, 1),
  gather: (tf) => tf.gather(A(tf), ints(tf, 2, 0, 2)),
  'gather axis': (tf) => tf.gather(A(tf), ints(tf, 3, 0, 1), 1),
  'gather matrix': (tf) => tf.gather(A(tf), tf.tensor2d([0, 1, 2, 1], [2, 2], 'int32')),
  'gather batch': (tf) => tf.gather(A(tf), tf.tensor2d([3, 1, 0, 0, 2, 2], [3, 2], 'int32'), 1, 1),
  'reverse axis': (tf) => tf.reverse(A(tf), [1]),
  'transpose perm': (tf) => tf.transpose(X(tf), [0, 3, 1, 2]),
  matMul: (tf) => A(tf).matMul(B(tf), false, true),
  'matMul transposed': (tf) => tf.matMul(A(tf), B(tf), true),
  'matMul batches': (tf) => tf.matMul(X(tf), tf.tensor3d(numbersOnce, [6, 3, 5])),
  'matMul one matrix': (tf) => tf.matMul(tf.tensor3d(a, [2, 3, 2]), tf.tensor2d(b, [2, 6])),
  'dot vectors': (tf) => tf.dot([1, 2, 3], [4, 5, 6]),
  'dot matrix': (tf) => tf.dot(A(tf), [1, 2, 3, 4]),
  outerProduct: (tf) => tf.outerProduct([1, 2, 3], [4, 5]),
  'softmax rank 4': (tf) => tf.softmax(X(tf)),
  'logSumExp infinite': (tf) => tf.logSumExp([Number.NEGATIVE_INFINITY, 0]),
  batchNorm: (tf) => tf.batchNorm(X(tf), [0, 1, 2], [1, 2, 3], [0.1, 0.2, 0.3], [1, 2, 3]),
  conv2d: (tf) => tf.conv2d(X(tf), F(tf), 1, 'valid'),
  'conv2d same': (tf) => tf.conv2d(X(tf), F(tf), [2, 1], 'same'),
  'conv2d same even': (tf) => tf.conv2d(X(tf), F(tf), 2, 'same'),
  'conv2d dilated': (tf) => tf.conv2d(X(tf), F(tf), 1, 'same', 'NHWC', [2, 3]),
  'conv2d number': (tf) => tf.conv2d(X(tf), S(tf), 1, 1, 'NHWC', 1, 'floor'),
  'conv2d ceil': (tf) => tf.conv2d(X(tf), S(tf), 2, 0, 'NHWC', 1, 'ceil'),
  'conv2d explicit': (tf) => tf.conv2d(X(tf), F(tf), 1, [[0, 0], [1, 2], [0, 1], [0, 0]]), // biome-ignore format: pads
  'conv2d rank 3': (tf) => tf.conv2d(tf.tensor3d(image.slice(0, 126), [6, 7, 3]), F(tf), 1, 'valid'),
  'conv2d NCHW': (tf) => tf.conv2d(tf.transpose(X(tf), [0, 3, 1, 2]), F(tf), 1, 'valid', 'NCHW'),
  conv1d: (tf) => tf.conv1d(tf.tensor3d(image, [2, 42, 3]), tf.tensor3d(filter.slice(0, 45), [3, 3, 5]), 2, 'same'),
  conv2dTranspose: (tf) => tf.conv2dTranspose(X(tf), tf.tensor4d(transposed, [3, 3, 4, 3]), [2, 12, 14, 4], 2, 'same'),
  depthwiseConv2d: (tf) => tf.depthwiseConv2d(tf.tensor4d(single, [2, 6, 7, 2]), tf.tensor4d(depthwise, [3, 3, 2, 3]), 1, 'same'), // biome-ignore format: one line
  separableConv2d: (tf) => tf.separableConv2d(tf.tensor4d(single, [2, 6, 7, 2]), tf.tensor4d(depthwise, [3, 3, 2, 3]), tf.tensor4d(a, [1, 1, 6, 2]), 1, 'valid'), // biome-ignore format: one line
  maxPool: (tf) => tf.maxPool(X(tf), 2, 2, 'valid'),
  'maxPool same': (tf) => tf.maxPool(X(tf), 3, 2, 'same'),
  'maxPool overlap': (tf) => tf.maxPool(X(tf), [3, 2], 1, 'valid'),
  avgPool: (tf) => tf.avgPool(X(tf), 2, 2, 'valid'),
  'avgPool same': (tf) => tf.avgPool(X(tf), 3, 2, 'same'),
  absoluteDifference: (tf) => tf.losses.absoluteDifference(L(tf), A(tf)),
  'absoluteDifference weighted': (tf) => tf.losses.absoluteDifference(L(tf), A(tf), [[0], [2], [1]]),
  cosineDistance: (tf) => tf.losses.cosineDistance(L(tf), A(tf), 1),
  hingeLoss: (tf) => tf.losses.hingeLoss(L(tf), A(tf)),
  huberLoss: (tf) => tf.losses.huberLoss(L(tf), A(tf), undefined, 0.7),
  logLoss: (tf) => tf.losses.logLoss(L(tf), A(tf).sigmoid()),
  meanSquaredError: (tf) => tf.losses.meanSquaredError(L(tf), A(tf)),
  'meanSquaredError none': (tf) => tf.losses.meanSquaredError(L(tf), A(tf), 2, tf.Reduction.NONE),
  'meanSquaredError mean': (tf) => tf.losses.meanSquaredError(L(tf), A(tf), [[1], [2], [3]], tf.Reduction.MEAN),
  'meanSquaredError sum': (tf) => tf.losses.meanSquaredError(L(tf), A(tf), undefined, tf.Reduction.SUM),
  sigmoidCrossEntropy: (tf) => tf.losses.sigmoidCrossEntropy(L(tf), A(tf), undefined, 0.1),
  softmaxCrossEntropy: (tf) => tf.losses.softmaxCrossEntropy(L(tf), A(tf), undefined, 0.1),
} satisfies Record<string, Case>);

const numbersOnce = numbers(90);

/** Gradients of scalar functions of A (or of an image) in both libraries. */
const gradientCases: Record<string, [Case, (tf: Library, x: Library) => Library]> = {
  softmax: [A, (tf, x) => tf.softmax(x).mul(B(tf))],
  logSoftmax: [A, (tf, x) => tf.logSoftmax(x).mul(B(tf))],
  'cross entropy': [A, (tf, x) => tf.losses.softmaxCrossEntropy(tf.oneHot(ints(tf, 1, 3, 0), 4), x)],
  'sigmoid cross entropy': [A, (tf, x) => tf.losses.sigmoidCrossEntropy(L(tf), x)],
  matMul: [A, (tf, x) => x.matMul(B(tf), true).tanh()],
  chain: [A, (_tf, x) => x.square().add(1).sqrt().log().mul(x)],
  conv2d: [X, (tf, x) => tf.conv2d(x, F(tf), [2, 1], 'same').square()],
  'conv2d filter': [F, (tf, x) => tf.conv2d(X(tf), x, 2, 'valid').square()],
  maxPool: [X, (tf, x) => tf.maxPool(x, 2, 2, 'valid').square()],
  'maxPool overlap': [X, (tf, x) => tf.maxPool(x, 3, 2, 'same').square()],
  avgPool: [X, (tf, x) => tf.avgPool(x, 2, 2, 'valid').square()],
  gather: [A, (tf, x) => tf.gather(x, ints(tf, 2, 0, 2)).square()],
  slice: [A, (_tf, x) => x.slice([1, 1], [2, 2]).square()],
  concat: [A, (tf, x) => tf.concat([x, x.mul(2)], 1).square()],
  max: [A, (_tf, x) => x.max(1).square()],
  mean: [A, (_tf, x) => x.mean(0).square()],
  where: [A, (tf, x) => tf.where(A(tf).greater(0), x, x.mul(3))],
  clipByValue: [A, (tf, x) => tf.clipByValue(x, -0.5, 0.5).mul(x)],
  gelu: [A, (_tf, x) => x.erf().mul(x)],
};

function read(tensors: unknown): { shape: number[]; dtype: string; data: number[] }[] {
  const list = Array.isArray(tensors) ? tensors : [tensors];
  return list.map((t: Library) => ({
    shape: [...t.shape],
    dtype: t.dtype,
    data: Array.from(t.dataSync() as number[]),
  }));
}

function expectClose(mine: unknown, theirs: unknown, tolerance = 2e-5): void {
  const [x, y] = [read(mine), read(theirs)];
  expect(x.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(y.map(({ shape, dtype }) => ({ shape, dtype })));
  for (const [i, { data }] of x.entries()) {
    for (const [k, value] of data.entries()) {
      const wanted = y[i].data[k];
      const near =
        Object.is(value, wanted) || value === wanted || Math.abs(value - wanted) <= tolerance * (1 + Math.abs(wanted));
      if (!near) expect.fail(`element ${k}: ${value}, TensorFlow.js has ${wanted}`);
    }
  }
}

beforeAll(async () => {
  registerBackend('reference', async () => referenceBackend());
  await setBackend('reference');
  await tfjs.setBackend('cpu');
});

describe('values', () => {
  it.each(Object.entries(cases))('%s', (_name, run) => expectClose(run(ours), run(tfjs)));
});

describe('gradients', () => {
  it.each(Object.entries(gradientCases))('%s', (_name, [input, f]) => {
    const gradientOf = (tf: Library) => tf.grad((x: Library) => tf.sum(f(tf, x)))(input(tf));
    expectClose(gradientOf(ours), gradientOf(tfjs), 1e-4);
  });
});
