/** What examples of language models share: training on windows of a text, the measure on text never seen, and samples. */
import * as tf from 'tensorloom';
import { loadMobyDick, streams } from './text.js';

/**
 * Nats for each character of a text, read from its beginning in pieces with a cache: the model has all that it can remember in front of
 * each character. Eight parts of the text are read side by side, each from nothing.
 * @param {tf.LayersModel} model from tokens to probabilities
 * @param {Int32Array} codes
 */
export function nats(model, codes) {
  const [rows, steps] = [8, 64];
  const cache = new tf.KeyValueCache({ maxLength: codes.length });
  const total = tf.variable(tf.scalar(0));
  const step = tf.jit((x, y) => {
    const losses = tf.metrics.sparseCategoricalCrossentropy(y, model.apply(x, { cache }));
    total.assign(total.add(losses.sum()));
  });
  let count = 0;
  for (const { x, y } of streams(codes, rows, steps)) {
    step(x, y);
    count += rows * steps;
    tf.dispose([x, y]);
  }
  const sum = total.dataSync()[0];
  for (const one of [step, cache, total]) one.dispose();
  return sum / count;
}

/**
 * Trains a recurrent net on characters and measures it: what char-lstm and char-gru do.
 * @param {import('./job.js').Job} job
 * @param {(args: { units: number, returnSequences: true }) => tf.Layer} recurrent
 */
export async function characterRnn(job, recurrent) {
  const { epochs, batch, units, steps, temperature } = job.options;
  const { alphabet, learn, held } = loadMobyDick(job);
  const model = tf.sequential({
    layers: [
      tf.layers.embedding({ inputDim: alphabet.size, outputDim: Math.min(64, units) }),
      recurrent({ units, returnSequences: true }),
      tf.layers.dense({ units: alphabet.size, activation: 'softmax' }),
    ],
  });
  const perEpoch = Math.floor(learn.length / steps / batch);
  const learningRate = tf.train.schedules.cosineDecay({ initialLearningRate: 4e-3, decaySteps: epochs * perEpoch });
  const optimizer = tf.train.adam({ learningRate, globalClipnorm: 1 });
  model.compile({ optimizer, loss: 'sparseCategoricalCrossentropy' });
  const [x, y] = pieces(learn, steps);
  const validationData = pieces(held, steps);
  const { history } = await model.fit(x, y, { epochs, batchSize: batch, validationData });
  const bits = (/** @type {number[]} */ values) => values.map((value) => value / Math.LN2);
  job.writeCurves(
    'bits.svg',
    { training: bits(history.loss), 'held out': bits(history.val_loss) },
    { title: 'bits per character' },
  );
  await job.saveModel(model);

  const prompt = 'The whale ';
  const started = performance.now();
  const tokens = await model.generateTokens([...alphabet.encode(prompt)], {
    maxLength: job.quick ? 100 : 1500,
    temperature,
    seed: job.seed,
  });
  const text = alphabet.decode(tokens.dataSync());
  const rate = (tokens.size - prompt.length) / ((performance.now() - started) / 1000);
  job.write('sample.txt', `${text}\n`);
  job.log(`\nat temperature ${temperature}, ${Math.round(rate)} characters a second:\n\n${text.slice(0, 600)}\n`);
  job.check('held-out bits per character', nats(model, held) / Math.LN2, { atMost: 2.2, quick: 5 });
}

/** A text as pieces of `steps` characters, with the character behind each as what to say. @param {Int32Array} codes @param {number} steps */
function pieces(codes, steps) {
  const count = Math.floor((codes.length - 1) / steps);
  const shape = /** @type {[number, number]} */ ([count, steps]);
  return [0, 1].map((from) => tf.tensor2d(codes.subarray(from, from + count * steps), shape, 'int32'));
}
