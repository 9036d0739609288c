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
  embeddingGradient: (tf, [indices, dy], { rows }) => tf.unsortedSegmentSum(dy, indices, rows),
  segmentSum: (tf, [indices, x], { rows }) => tf.unsortedSegmentSum(x, indices, rows),
  takeAlongAxis: (tf, [x, indices], { axis }) => tf.takeAlongAxis(x, indices, axis),
};

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
