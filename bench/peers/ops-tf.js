/**
 * The ops of bench/ops.js in terms of TensorFlow.js's API, which is ours too: `(tf, inputs, params) => tensor or tensors`.
 * Names that TensorFlow.js lacks are left to fail there; the report then says that it has no such op.
 */
import { operand } from './protocol.js';

const ops = {
  sum: (tf, [x], { axes }) => tf.sum(x, axes),
  max: (tf, [x], { axes }) => tf.max(x, axes),
  argMax: (tf, [x], { axis }) => tf.argMax(x, axis),
  // TensorFlow.js has softmax along the last axis only.
  softmax: (tf, [x], { axis }) => tf.softmax(x, axis),
  transpose: (tf, [x], { perm }) => tf.transpose(x, perm),
  concat: (tf, inputs, { axis }) => tf.concat(inputs, axis),
  slice: (tf, [x], { begin, size }) => tf.slice(x, begin, size),
  pad: (tf, [x], { paddings }) => tf.pad(x, paddings),
  tile: (tf, [x], { reps }) => tf.tile(x, reps),
  reverse: (tf, [x], { axis }) => tf.reverse(x, axis),
  gather: (tf, [x, indices], { axis }) => tf.gather(x, indices, axis),
  sort: (tf, [x]) => [tf.sort(x), tf.argsort(x)],
  topk: (tf, [x], { k }) => Object.values(tf.topk(x, k)),
  searchSorted: (tf, [x, values]) => tf.searchSorted(tf.sort(x), values),
  bincount: (tf, [x], { size }) => tf.bincount(x, tf.tensor1d([]), size),
  cumsum: (tf, [x], { axis }) => tf.cumsum(x, axis),
  cumprod: (tf, [x], { axis }) => tf.cumprod(x, axis),
  // x x^T + n is positive definite; every peer makes it.
  cholesky: (tf, [x]) =>
    tf.linalg.cholesky(tf.add(tf.matMul(x, x, false, true), tf.mul(tf.eye(x.shape[0]), x.shape[0]))),
  qr: (tf, [x]) => tf.linalg.qr(x),
  svd: (tf, [x]) => tf.linalg.svd(x, false),
  eigh: (tf, [x]) => tf.linalg.eigh(x),
  solve: (tf, [x, y]) => tf.linalg.solve(x, y),
  embeddingGradient: (tf, [indices, dy], { rows }) => tf.unsortedSegmentSum(dy, indices, rows),
  segmentSum: (tf, [indices, x], { rows }) => tf.unsortedSegmentSum(x, indices, rows),
  takeAlongAxis: (tf, [x, indices], { axis }) => tf.takeAlongAxis(x, indices, axis),
};

/** Names and layouts are TensorFlow's. Gradients are of the sum of squares, so that what flows back is no constant. */
const squares = (tf, f) => (x) => tf.sum(tf.square(f(x)));

Object.assign(ops, {
  conv: (tf, [x, filter], { strides, dilations = 1 }) =>
    x.rank === 3
      ? tf.conv1d(x, filter, strides, 'same', 'NWC', dilations)
      : x.rank === 5
        ? tf.conv3d(x, filter, strides, 'same', 'NDHWC', dilations)
        : tf.conv2d(x, filter, strides, 'same', 'NHWC', dilations),
  depthwise: (tf, [x, filter], { strides }) => tf.depthwiseConv2d(x, filter, strides, 'same'),
  depthwiseGradient: (tf, [x, filter], { strides }) =>
    tf.grads((v, w) => tf.sum(tf.square(tf.depthwiseConv2d(v, w, strides, 'same'))))([x, filter]),
  convTranspose: (tf, [x, filter], { strides }) => {
    const [batch, height, width] = x.shape;
    return tf.conv2dTranspose(x, filter, [batch, height * strides, width * strides, filter.shape[2]], strides, 'same');
  },
  maxPool: (tf, [x], { size, strides }) => tf.maxPool(x, size, strides, 'same'),
  avgPool: (tf, [x], { size, strides }) => tf.avgPool(x, size, strides, 'same'),
  maxPoolGradient: (tf, [x], { size, strides }) => tf.grad(squares(tf, (v) => tf.maxPool(v, size, strides, 'same')))(x),
  batchNorm: batchNorm,
  batchNormGradient: (tf, inputs) => tf.grads((...xs) => tf.sum(tf.square(batchNorm(tf, xs))))(inputs),
  layerNorm: (tf, [x, gain, shift]) => {
    if (tf.layerNorm) return tf.layerNorm(x, gain, shift, 1e-5);
    const { mean, variance } = tf.moments(x, -1, true);
    return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))), gain), shift);
  },
  groupNorm: (tf, [x, gain, shift], { groups }) => tf.groupNorm(x, groups, gain, shift, 1e-5),
  resize: (tf, [x], { size }) => tf.image.resizeBilinear(x, size, false, true),
});

/** With the statistics of the batch, as in training. */
function batchNorm(tf, [x, gain, shift]) {
  if (tf.batchNormTraining) return tf.batchNormTraining(x, shift, gain, 1e-5).y;
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  return tf.batchNorm(x, mean, variance, shift, gain, 1e-5);
}

/** The task 'op'. `finish` waits for a result and gives its memory back. */
export function opTask(tf, { jit = (f) => f, finish }) {
  return async ({ op, inputs, params }) => {
    const run = ops[op];
    if (!run) throw new Error(`it has no op '${op}'`);
    const operands = inputs.map((spec, i) =>
      tf.tensor(operand(spec, i + 1), spec.shape, spec.below ? 'int32' : 'float32'),
    );
    const compiled = jit((...tensors) => run(tf, tensors, params));
    return async () => {
      const result = compiled(...operands);
      await finish(Array.isArray(result) ? result : [result]);
    };
  };
}
