/**
 * ResNet-20 (He and others, 2016, section 4.2) on Fashion-MNIST: three stages of three blocks, 16, 32 and 64 channels. Images are
 * moved and mirrored at random; the learning rate falls along a cosine.
 */
import * as tf from 'tensorloom';
import { testClassifier } from './lib/classify.js';
import { augmentedBatches } from './lib/augment.js';
import { imageOptions, loadImages, toOneHot, toTensor } from './lib/images.js';
import { example } from './lib/options.js';

export default example({
  about: 'ResNet-20 on Fashion-MNIST with augmentation and a cosine schedule: 92 % of the held-out pictures',
  options: {
    epochs: { value: 8, quick: 1, about: 'passes over the training images' },
    batch: { value: 128, quick: 32, about: 'images in a step' },
    rate: { value: 0.1, quick: 0.05, about: 'the highest learning rate' },
    shift: { value: 2, about: 'pixels that an image may be moved by in each direction' },
    width: { value: 16, quick: 8, about: 'channels of the first stage' },
    ...imageOptions,
  },
  async run(job) {
    const { epochs, batch, rate, shift, width } = job.options;
    const data = await loadImages(job, 'fashionMnist');
    const steps = Math.floor(data.train.count / batch);
    const model = resnet20(width);
    const schedule = tf.train.schedules.cosineDecay({
      initialLearningRate: rate / 10,
      warmupTarget: rate,
      warmupSteps: Math.ceil(steps / 2),
      decaySteps: Math.max(1, epochs * steps - Math.ceil(steps / 2)),
    });
    model.compile({
      optimizer: tf.train.momentum({ learningRate: schedule, momentum: 0.9, useNesterov: true }),
      loss: 'categoricalCrossentropy',
      metrics: ['accuracy'],
    });
    job.log(`ResNet-20 of ${model.countParams().toLocaleString('en-US')} weights\n`);
    const { history } = await model.fitDataset(augmentedBatches(data.train, { batch, shift, seed: job.seed }), {
      epochs,
      batchesPerEpoch: steps,
      validationData: [toTensor(data.test), toOneHot(data.test)],
      validationBatchSize: 250,
    });
    job.writeCurves('loss.svg', { training: history.loss, 'held out': history.val_loss }, { title: 'loss' });
    job.writeCurves('accuracy.svg', { training: history.acc, 'held out': history.val_acc }, { title: 'accuracy' });
    await job.saveModel(model);
    const accuracy = await testClassifier(job, model, data);
    job.check('test accuracy', accuracy, { atLeast: 92, quick: 20, unit: '%' });
  },
});

/** @param {number} width channels of the first stage */
function resnet20(width) {
  const kernelRegularizer = tf.regularizers.l2({ l2: 1e-4 });
  const conv = (filters, kernelSize, strides) =>
    tf.layers.conv2d({
      filters,
      kernelSize,
      strides,
      padding: 'same',
      useBias: false,
      kernelInitializer: 'heNormal',
      kernelRegularizer,
    });
  // Averages that a short training can follow.
  const normalized = (x) => tf.layers.batchNormalization({ momentum: 0.9 }).apply(x);
  const block = (x, filters, strides) => {
    const first = tf.layers.reLU().apply(normalized(conv(filters, 3, strides).apply(x)));
    const second = normalized(conv(filters, 3, 1).apply(first));
    // Where the shape changes, so must what is added.
    const shortcut = strides === 1 ? x : normalized(conv(filters, 1, strides).apply(x));
    return tf.layers.reLU().apply(tf.layers.add().apply([second, shortcut]));
  };
  const inputs = tf.input({ shape: [28, 28, 1] });
  let x = tf.layers.reLU().apply(normalized(conv(width, 3, 1).apply(inputs)));
  for (const [stage, filters] of [width, 2 * width, 4 * width].entries()) {
    for (let i = 0; i < 3; i++) x = block(x, filters, stage > 0 && i === 0 ? 2 : 1);
  }
  x = tf.layers.globalAveragePooling2d({}).apply(x);
  return tf.model({ inputs, outputs: tf.layers.dense({ units: 10, activation: 'softmax' }).apply(x) });
}
