/**
 * Networks over sequences as tensorloom's users write them: a recurrent layer with a dense one on each step, and a small GPT.
 * Sizes are those of the figures; sequences.py is the same for PyTorch.
 */
import { consume, noise } from './protocol.js';

const rnn = { batch: 64, steps: 100, inputs: 64, units: 256, classes: 64 };
const gpt = { batch: 12, block: 64, width: 128, heads: 4, layers: 4, vocabulary: 65 };

const classesOf = (count, below) => Int32Array.from({ length: count }, (_, i) => (i * 7919 + (i >> 3)) % below);

function recurrent(tf, kind) {
  const { batch, steps, inputs, units, classes } = rnn;
  const model = tf.sequential({
    layers: [
      tf.layers[kind]({ units, returnSequences: true, inputShape: [steps, inputs] }),
      tf.layers.timeDistributed({ layer: tf.layers.dense({ units: classes, activation: 'softmax' }) }),
    ],
  });
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  const x = tf.tensor3d(noise(batch * steps * inputs), [batch, steps, inputs]);
  const y = tf.oneHot(tf.tensor2d(classesOf(batch * steps, classes), [batch, steps], 'int32'), classes).toFloat();
  return async () => {
    const history = await model.fit(x, y, { batchSize: batch, epochs: 1, shuffle: false, verbose: 0 });
    consume(history.history.loss[0]);
  };
}

function gptParameters(tf) {
  const { width, block, vocabulary, layers } = gpt;
  const matrix = (rows, columns) => tf.variable(tf.randomNormal([rows, columns], 0, 0.02));
  const row = (size, value = 0) => tf.variable(tf.fill([size], value));
  const norm = () => ({ gain: row(width, 1), bias: row(width) });
  const dense = (from, to) => ({ kernel: matrix(from, to), bias: row(to) });
  return {
    tokens: matrix(vocabulary, width),
    places: matrix(block, width),
    blocks: Array.from({ length: layers }, () => ({
      before: norm(),
      qkv: dense(width, 3 * width),
      out: dense(width, width),
      between: norm(),
      up: dense(width, 4 * width),
      down: dense(4 * width, width),
    })),
    last: norm(),
    head: matrix(width, vocabulary),
  };
}

function gptLogits(tf, p, ids) {
  const { batch, block, width, heads } = gpt;
  const rows = batch * block;
  const normalized = (x, { gain, bias }) => {
    const { mean, variance } = tf.moments(x, -1, true);
    return x.sub(mean).div(variance.add(1e-5).sqrt()).mul(gain).add(bias);
  };
  const dense = (x, { kernel, bias }) => x.matMul(kernel).add(bias);
  const gelu = (x) => x.mul(0.5).mul(x.div(Math.SQRT2).erf().add(1));
  let x = tf.gather(p.tokens, ids).add(p.places).reshape([rows, width]);
  for (const layer of p.blocks) {
    const mixed = dense(normalized(x, layer.before), layer.qkv);
    const [q, k, v] = tf.unstack(mixed.reshape([batch, block, 3, heads, width / heads]).transpose([2, 0, 3, 1, 4]));
    const seen = tf.scaledDotProductAttention(q, k, v, { isCausal: true });
    x = x.add(dense(seen.transpose([0, 2, 1, 3]).reshape([rows, width]), layer.out));
    x = x.add(dense(gelu(dense(normalized(x, layer.between), layer.up)), layer.down));
  }
  return normalized(x, p.last).matMul(p.head);
}

function smallGpt(tf) {
  const { batch, block, vocabulary } = gpt;
  const parameters = gptParameters(tf);
  const optimizer = tf.train.adamw({ learningRate: 1e-3 });
  const step = tf.jit((ids, targets) =>
    optimizer.minimize(() => {
      const shares = tf.logSoftmax(gptLogits(tf, parameters, ids));
      return tf
        .oneHot(targets, vocabulary)
        .toFloat()
        .mul(shares)
        .sum()
        .neg()
        .div(batch * block);
    }, true),
  );
  const ids = tf.tensor2d(classesOf(batch * block, vocabulary), [batch, block], 'int32');
  const targets = tf.tensor1d(classesOf(batch * block + 1, vocabulary).slice(1), 'int32');
  return async () => {
    const loss = step(ids, targets);
    consume((await loss.data())[0]);
    loss.dispose();
  };
}

export function sequenceTasks(tf) {
  return {
    'rnn-train': async ({ kind }) => recurrent(tf, kind),
    'gpt-train': async () => smallGpt(tf),
  };
}
