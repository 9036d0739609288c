/** The network of mnist-cnn on pictures of clothes. */
import * as tf from 'tensorloom';
import { smallCnn, testClassifier, trainClassifier } from './lib/classify.js';
import { imageOptions, loadImages } from './lib/images.js';
import { example } from './lib/options.js';

export default example({
  about: 'the same network on Fashion-MNIST: 88.5 % of the held-out pictures after 5 epochs',
  options: {
    epochs: { value: 5, quick: 1, about: 'passes over the training images' },
    batch: { value: 64, quick: 32, about: 'images in a step' },
    ...imageOptions,
  },
  async run(job) {
    const data = await loadImages(job, 'fashionMnist');
    const model = smallCnn(tf);
    model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    await trainClassifier(job, model, data);
    const accuracy = await testClassifier(job, model, data);
    job.check('test accuracy', accuracy, { atLeast: 88.5, quick: 40, unit: '%' });
  },
});
