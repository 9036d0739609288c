/**
 * MNIST and Fashion-MNIST for examples: from the folder that --data names, the cache, or what comes with the package; says
 * which. With --quick a thousand images are enough, and bundled digits stand in for clothes. Knows nothing of models.
 */
import * as tf from 'tensorloom';
import { MistakeError } from './options.js';

/** Options of an example on images. */
export const imageOptions = {
  data: {
    value: '',
    about: 'folder of the four official files (default: the cache, then what comes with the package)',
  },
};

/**
 * @typedef {object} Images
 * @property {Float32Array} images In 0..1, 28 x 28 each.
 * @property {Int32Array} labels
 * @property {number} count
 *
 * @param {import('./job.js').Job} job
 * @param {'mnist' | 'fashionMnist'} name
 * @returns {Promise<{ train: Images, test: Images, full: boolean, classNames: readonly string[] }>}
 *   full: the official set of 60,000 and 10,000
 */
export async function loadImages(job, name) {
  const { data } = job.options;
  const loaded = await load(job, name, data ? { dir: data, seed: job.seed } : { seed: job.seed });
  const most = job.quick ? [1000, 500] : [Infinity, Infinity];
  const [train, test] = [loaded.train, loaded.test].map((set, i) => first(set, most[i]));
  const full = loaded.train.labels.length === 60_000;
  const amount = `${train.count.toLocaleString('en-US')} to learn from, ${test.count.toLocaleString('en-US')} held out`;
  job.log(`${loaded.name}: ${amount} (${loaded.source})`);
  if (name === 'mnist' && !full && !job.quick) {
    job.log('  the full set is not here: npx tensorloom download mnist, or name its folder with --data');
  }
  job.log();
  job.fact('data', { name: loaded.name, train: train.count, test: test.count });
  return { train, test, full, classNames: tf.datasets[name].classNames };
}

/** @param {import('./job.js').Job} job @param {'mnist' | 'fashionMnist'} name @param {object} options */
async function load(job, name, options) {
  try {
    return { ...(await tf.datasets[name].loadArrays(options)), name };
  } catch (error) {
    if (name === 'mnist' || options.dir) throw error;
    if (job.quick) {
      job.log('Fashion-MNIST is not here: the digits that come with the package stand in for it');
      return { ...(await tf.datasets.mnist.loadArrays({ source: 'bundled', seed: job.seed })), name: 'mnist' };
    }
    throw new MistakeError(
      `[example ${job.name}] Fashion-MNIST must be at hand; it is neither in the cache nor installed; get it with: ` +
        'npx tensorloom download fashion-mnist (or, on Debian and Ubuntu, apt-get install dataset-fashion-mnist), ' +
        'or name its folder with --data',
    );
  }
}

/** @param {{ images: Float32Array, labels: Int32Array }} set @param {number} most @returns {Images} */
function first({ images, labels }, most) {
  const count = Math.min(most, labels.length);
  return { images: images.subarray(0, count * 784), labels: labels.subarray(0, count), count };
}

/** Images as a tensor [n, 28, 28, 1]. @param {Images} set */
export function toTensor({ images, count }) {
  return tf.tensor4d(images, [count, 28, 28, 1]);
}

/** Labels as a tensor [n, 10] of ones and zeros. @param {Images} set */
export function toOneHot({ labels }) {
  return tf.toCategorical(tf.tensor1d(labels, 'int32'), 10);
}
