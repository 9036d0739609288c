/** A small convolutional network on handwritten digits. */
import * as tf from 'tensorloom';
import { smallCnn, testClassifier, trainClassifier } from './lib/classify.js';
import { imageOptions, loadImages } from './lib/images.js';
import { example } from './lib/options.js';

export default example({
  about: 'a convolutional network on MNIST: names 98.6 % of the held-out digits',
  options: {
    epochs: { value: 5, quick: 1, about: 'passes over the training images' },
    batch: { value: 64, quick: 32, about: 'images in a step' },
    ...imageOptions,
  },
  async run(job) {
    const data = await loadImages(job, 'mnist');
    const model = smallCnn(tf);
    model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    await trainClassifier(job, model, data);
    const accuracy = await testClassifier(job, model, data);
    job.check('test accuracy', accuracy, {
      atLeast: data.full ? 98.6 : 97,
      quick: 50,
      unit: '%',
      because: data.full ? '' : 'on 9,000 of the digits; 98.6 % on the full set',
    });
  },
});
