/**
 * A deep convolutional GAN (Radford and others, 2015) that learns to write the digit it is asked for (Mirza and Osindero,
 * 2014), and a classifier, trained apart from it on the same digits, that says whether it can be read, and as that digit.
 */
import * as tf from 'tensorloom';
import { smallCnn } from './lib/classify.js';
import { imageGrid } from './lib/grid.js';
import { imageOptions, loadImages, toOneHot, toTensor } from './lib/images.js';
import { example } from './lib/options.js';

const latent = 100;

export default example({
  about: 'a DCGAN on MNIST: of 1,000 digits that it writes, a CNN reads 90 % with 0.9 or more, all ten among them',
  options: {
    epochs: { value: 5, quick: 1, about: 'passes over the training images' },
    batch: { value: 64, quick: 16, about: 'images in a step' },
    rate: { value: 0.0004, quick: 0.001, about: 'learning rate of both networks' },
    ...imageOptions,
  },
  async run(job) {
    const { epochs, batch, rate } = job.options;
    const data = await loadImages(job, 'mnist');
    const reader = await trainReader(job, data);

    const gan = tf.gan({ generator: makeGenerator(), discriminator: makeDiscriminator() });
    const adam = () => tf.train.adam(rate, 0.5);
    gan.compile({ generatorOptimizer: adam(), discriminatorOptimizer: adam(), labelSmoothing: 0.1 });
    // The same noise after each epoch shows how the digits come about.
    const fixed = { noise: gan.latents(10), digits: askedFor(10) };
    const stages = [];
    const legible = [];
    const onEpochEnd = async () => {
      stages.push(...gan.generate(fixed.noise, fixed.digits).dataSync());
      legible.push((await read(gan, reader, 500)).share);
    };
    const { history } = await gan.fit(signed(data.train), toOneHot(data.train), {
      epochs,
      batchSize: batch,
      ...(job.quick ? { stepsPerEpoch: 40 } : {}),
      callbacks: { onEpochEnd },
    });
    job.writeCurves('losses.svg', { generator: history.generatorLoss, discriminator: history.discriminatorLoss });
    job.writeCurves('scores.svg', { real: history.realScore, generated: history.fakeScore });
    job.writeCurves('legible.svg', { legible }, { title: 'read with 0.9 or more, %' });
    job.writePicture('epochs.png', imageGrid(stages, { columns: 10, range: [-1, 1] }));
    await job.saveModel(gan.generator, 'generator');
    await judge(job, gan, reader, data);
  },
});

/** Noise and a digit to 7 x 7, to 14 x 14, to 28 x 28, in -1..1. */
function makeGenerator() {
  const kernelInitializer = tf.initializers.randomNormal({ stddev: 0.02 });
  const up = (filters, rest) =>
    tf.layers.conv2dTranspose({ filters, kernelSize: 5, strides: 2, padding: 'same', kernelInitializer, ...rest });
  const [noise, digit] = [tf.input({ shape: [latent] }), tf.input({ shape: [10] })];
  const layers = [
    tf.layers.dense({ units: 7 * 7 * 128, useBias: false, kernelInitializer }),
    tf.layers.batchNormalization(),
    tf.layers.reLU(),
    tf.layers.reshape({ targetShape: [7, 7, 128] }),
    up(64, { useBias: false }),
    tf.layers.batchNormalization(),
    tf.layers.reLU(),
    up(1, { activation: 'tanh' }),
  ];
  const joined = tf.layers.concatenate().apply([noise, digit]);
  return tf.model({ inputs: [noise, digit], outputs: layers.reduce((x, layer) => layer.apply(x), joined) });
}

/** Sees the image, and the digit that it is said to be as ten planes beside it, one of them white. */
function makeDiscriminator() {
  const kernelInitializer = tf.initializers.randomNormal({ stddev: 0.02 });
  const down = (filters, rest) =>
    tf.layers.conv2d({ filters, kernelSize: 5, strides: 2, padding: 'same', kernelInitializer, ...rest });
  const [image, digit] = [tf.input({ shape: [28, 28, 1] }), tf.input({ shape: [10] })];
  const planes = tf.layers
    .reshape({ targetShape: [28, 28, 10] })
    .apply(tf.layers.repeatVector({ n: 28 * 28 }).apply(digit));
  const layers = [
    down(64),
    tf.layers.leakyReLU({ alpha: 0.2 }),
    down(128, { useBias: false }),
    tf.layers.batchNormalization(),
    tf.layers.leakyReLU({ alpha: 0.2 }),
    tf.layers.flatten(),
    tf.layers.dense({ units: 1, kernelInitializer }),
  ];
  const joined = tf.layers.concatenate().apply([image, planes]);
  return tf.model({ inputs: [image, digit], outputs: layers.reduce((x, layer) => layer.apply(x), joined) });
}

/** Pixels in -1..1, as tanh gives them. @param {import('./lib/images.js').Images} set */
function signed({ images, count }) {
  return tf.tensor4d(
    images.map((value) => 2 * value - 1),
    [count, 28, 28, 1],
  );
}

/** The independent judge: a CNN that never sees a generated digit in training. */
async function trainReader(job, { train, test }) {
  const reader = smallCnn(tf);
  reader.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  job.log('the classifier that will read the digits:');
  const { history } = await reader.fit(toTensor(train), toOneHot(train), {
    epochs: job.quick ? 1 : 3,
    batchSize: 64,
    validationData: [toTensor(test), toOneHot(test)],
  });
  job.fact('readerAccuracy', history.val_acc.at(-1));
  job.log('\nthe game:');
  return reader;
}

/** 0, 1, ... 9, 0, 1, ... as rows of ones and zeros. @param {number} count */
function askedFor(count) {
  return tf.toCategorical(
    tf.tensor1d(
      Array.from({ length: count }, (_, i) => i % 10),
      'int32',
    ),
    10,
  );
}

/** Has so many digits written and read: how many are read with 0.9 or more, as which digits, and how many as the right one. */
async function read(gan, reader, count) {
  const made = gan.generate(count, askedFor(count), { batchSize: 100 });
  const values = await made.add(1).div(2).data();
  const chances = await reader.predict(tf.tensor4d(values, [count, 28, 28, 1]), { batchSize: 100 }).data();
  const tally = new Array(10).fill(0);
  let [sure, right] = [0, 0];
  for (let i = 0; i < count; i++) {
    const own = chances.subarray(i * 10, i * 10 + 10);
    const best = Math.max(...own);
    if (best < 0.9) continue;
    const digit = own.indexOf(best);
    sure++;
    tally[digit]++;
    if (digit === i % 10) right++;
  }
  return { values, tally, share: (100 * sure) / count, right: (100 * right) / count };
}

/** Has the reader read a thousand digits. */
async function judge(job, gan, reader, { train, full }) {
  const { values, tally, share, right } = await read(gan, reader, job.quick ? 100 : 1000);
  job.writePicture('samples.png', imageGrid(values.subarray(0, 100 * 784), { columns: 10 }));
  job.fact('digits', tally);
  const ink = (/** @type {Float32Array} */ pixels) => pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  const difference = Math.abs(ink(values) - ink(train.images));
  // Where learning has not begun, the generator paints grey: 0.37 too much.
  job.check('ink, beside that of real digits', difference, { atMost: 0.03, quick: 0.34, digits: 3 });
  if (job.quick) return;
  job.log(`\nread with 0.9 or more, by digit 0 to 9: ${tally.join(' ')}`);
  const because = full ? '' : 'learned from 9,000 digits';
  job.check('digits that can be read', share, { atLeast: 90, unit: '%', digits: 1, because });
  job.check('digits read as the one asked for', right, { atLeast: 90, unit: '%', digits: 1, because });
  job.check('kinds of digits', tally.filter((n) => n > 0).length, { atLeast: 10, digits: 0 });
}
