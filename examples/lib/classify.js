/** What examples that name images share: training with a look at the held-out ones, accuracy, confusions, mistakes as a picture. */
import { imageGrid } from './grid.js';
import { toOneHot, toTensor } from './images.js';

/** The small convolutional network of the main job. @param {typeof import('tensorloom')} tf */
export function smallCnn(tf) {
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ filters: 32, kernelSize: 3, activation: 'relu', inputShape: [28, 28, 1] }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 64, activation: 'relu' }),
      tf.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

/**
 * Trains with fit, validating on the held-out images only to draw the curve, and writes curves and model.
 * @param {import('./job.js').Job} job
 * @param {import('tensorloom').LayersModel} model compiled, with accuracy
 * @param {{ train: import('./images.js').Images, test: import('./images.js').Images }} data
 */
export async function trainClassifier(job, model, { train, test }) {
  const { epochs, batch } = job.options;
  const { history } = await model.fit(toTensor(train), toOneHot(train), {
    epochs,
    batchSize: batch,
    validationData: [toTensor(test), toOneHot(test)],
    validationBatchSize: 250,
  });
  job.writeCurves('loss.svg', { training: history.loss, 'held out': history.val_loss }, { title: 'loss' });
  job.writeCurves('accuracy.svg', { training: history.acc, 'held out': history.val_acc }, { title: 'accuracy' });
  await job.saveModel(model);
}

/**
 * Percent of the held-out images that the model names rightly; writes confusions and the first mistakes.
 * @param {import('./job.js').Job} job
 * @param {import('tensorloom').LayersModel} model
 * @param {{ test: import('./images.js').Images, classNames: readonly string[] }} data
 * @returns {Promise<number>}
 */
export async function testClassifier(job, model, { test, classNames }) {
  const said = await model.predict(toTensor(test), { batchSize: 250 }).argMax(-1).data();
  const counts = classNames.map(() => classNames.map(() => 0));
  const wrong = [];
  test.labels.forEach((label, i) => {
    counts[label][said[i]]++;
    if (label !== said[i]) wrong.push(i);
  });
  const width = Math.max(...classNames.map((name) => name.length)) + 1;
  const line = (/** @type {string} */ name, /** @type {readonly unknown[]} */ cells) =>
    name.padEnd(width) + cells.map((cell) => String(cell).padStart(6)).join('');
  const head = `rows: what it is, columns: what the network says\n\n${line(
    '',
    classNames.map((_, i) => i),
  )}`;
  job.write('confusions.txt', `${head}\n${counts.map((row, i) => line(classNames[i], row)).join('\n')}\n`);
  if (wrong.length > 0) {
    const shown = wrong.slice(0, 60);
    const pixels = shown.flatMap((i) => Array.from(test.images.subarray(i * 784, (i + 1) * 784)));
    job.writePicture('mistakes.png', imageGrid(pixels, { columns: 10 }));
  }
  job.log();
  return (100 * (test.count - wrong.length)) / test.count;
}
