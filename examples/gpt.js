/** A small transformer that continues Moby Dick, a character at a time, with its keys and values kept. */
import * as tf from 'tensorloom';
import { example } from './lib/options.js';
import { randomNumbers } from './lib/random.js';
import { loadMobyDick, windows } from './lib/text.js';

export default example({
  about: 'a GPT (4 layers, 4 heads, 128 wide, block 64) on Moby Dick: below 1.65 nats per character never seen',
  options: {
    steps: { value: 6000, quick: 30, about: 'training steps' },
    batch: { value: 32, quick: 8, about: 'windows of text in a step' },
    block: { value: 64, quick: 32, about: 'characters that the net looks back at' },
    layers: { value: 4, quick: 1, about: 'attention and feed-forward, so many times' },
    heads: { value: 4, about: 'of attention' },
    width: { value: 128, quick: 32, about: 'numbers for each character' },
    temperature: { value: 0.8, about: 'of the sample' },
  },
  async run(job) {
    const text = loadMobyDick(job);
    const model = decoder(job.options, text.alphabet.size);
    job.log(`${model.countParams().toLocaleString('en-US')} parameters`);
    const { steps } = job.options;
    const learningRate = tf.train.schedules.cosineDecay({
      initialLearningRate: 0,
      warmupTarget: 2e-3,
      warmupSteps: Math.ceil(steps / 50),
      decaySteps: steps,
      alpha: 0.02,
    });
    const optimizer = tf.train.adamw({ learningRate, beta2: 0.99, weightDecay: 0.01, globalClipnorm: 1 });
    model.compile({ optimizer, loss: tf.losses.sparseCategoricalCrossentropy({ fromLogits: true }) });
    await train(job, model, text);
    await job.saveModel(model);
    await sample(job, model, text.alphabet);
    const loss = heldOut(model, text.held, job.options.block);
    job.check('held-out nats per character', loss, { atMost: 1.65, quick: 3.6, digits: 3 });
  },
});

/** Tokens [batch, steps] -> logits of the next [batch, steps, vocabulary]. */
function decoder({ block, layers, heads, width }, vocabulary) {
  const inputs = tf.input({ shape: [null], dtype: 'int32' });
  const kernelInitializer = tf.initializers.randomNormal({ mean: 0, stddev: 0.02 });
  const dense = (units, activation) => tf.layers.dense({ units, kernelInitializer, ...(activation && { activation }) });
  const norm = () => tf.layers.layerNormalization({ epsilon: 1e-5 });
  const tokens = tf.layers
    .embedding({ inputDim: vocabulary, outputDim: width, embeddingsInitializer: kernelInitializer })
    .apply(inputs);
  const places = tf.layers.positionEmbedding({ sequenceLength: block, initializer: kernelInitializer }).apply(tokens);
  let x = tf.layers.add().apply([tokens, places]);
  for (let i = 0; i < layers; i++) {
    const before = norm().apply(x);
    const attention = tf.layers.multiHeadAttention({ numHeads: heads, keyDim: width / heads, kernelInitializer });
    x = tf.layers.add().apply([x, attention.apply([before, before], { useCausalMask: true })]);
    const wide = dense(4 * width, 'gelu').apply(norm().apply(x));
    x = tf.layers.add().apply([x, dense(width).apply(wide)]);
  }
  return tf.model({ inputs, outputs: dense(vocabulary).apply(norm().apply(x)), name: 'gpt' });
}

/** Trains on windows that begin anywhere; after each tenth of the steps a look at the held-out chapters, for the curve. */
async function train(job, model, { learn, held }) {
  const { steps, batch, block } = job.options;
  const epochs = Math.min(10, steps);
  const random = randomNumbers(job.seed);
  const draw = function* (codes) {
    for (;;) {
      const { x, y } = windows(codes, batch, block, random);
      yield { xs: x, ys: y };
    }
  };
  const { history } = await model.fitDataset(
    { iterator: () => draw(learn) },
    {
      epochs,
      batchesPerEpoch: Math.round(steps / epochs),
      validationData: { iterator: () => draw(held) },
      validationBatches: job.quick ? 2 : 50,
    },
  );
  const look = { title: 'nats per character', x: 'steps', first: steps / epochs, every: steps / epochs };
  job.writeCurves('loss.svg', { training: history.loss, 'held out': history.val_loss }, look);
}

/** Writes a sample, and says what the cache is worth: the same characters are drawn without it. */
async function sample(job, model, alphabet) {
  const { block, temperature } = job.options;
  const prompt = 'The whale ';
  const generate = async (maxLength, useCache) => {
    const started = performance.now();
    const args = { maxLength, contextLength: block, temperature, seed: job.seed, useCache };
    const tokens = await model.generateTokens([...alphabet.encode(prompt)], args);
    const seconds = (performance.now() - started) / 1000;
    return { text: alphabet.decode(tokens.dataSync()), rate: (maxLength - prompt.length) / seconds };
  };
  const length = job.quick ? 60 : 1000;
  // The first calls compile.
  for (const useCache of [true, false]) await generate(2 * block, useCache);
  const kept = await generate(length, true);
  const anew = await generate(length, false);
  const worth = kept.rate / anew.rate;
  job.write(
    'sample.txt',
    `${kept.text}
`,
  );
  job.log(`
at temperature ${temperature}:

${kept.text.slice(0, 600)}
`);
  job.log(
    `with keys and values kept ${Math.round(kept.rate)} characters a second, without ${Math.round(anew.rate)}: ` +
      `${worth.toFixed(1)} times as fast`,
  );
  job.fact('generation', { kept: kept.rate, anew: anew.rate, timesAsFast: worth });
  const differs = [...kept.text].findIndex((character, i) => character !== anew.text[i]);
  job.fact('textsAreTheSame', differs < 0 ? true : `up to character ${differs}: sums were rounded differently there`);
}

/** Nats per character of all held-out windows of a block, side by side. */
function heldOut(model, codes, block) {
  const count = Math.floor((codes.length - 1) / block);
  const shape = [count, block];
  const [x, y] = [0, 1].map((from) => tf.tensor2d(codes.subarray(from, from + count * block), shape, 'int32'));
  return model.evaluate(x, y, { batchSize: 64 }).dataSync()[0];
}
