/**
 * A convolutional variational autoencoder (Kingma and Welling, 2014) on binarized digits: in each step every pixel is drawn
 * black or white with its grey value as the chance of white, so that a Bernoulli likelihood is one. What is made large is
 *
 *     ELBO = E[log p(x | z)] - KL(q(z | x) || N(0, I)),   a lower bound of log p(x) in nats.
 */
import * as tf from 'tensorloom';
import { imageGrid } from './lib/grid.js';
import { imageOptions, loadImages, toTensor } from './lib/images.js';
import { example } from './lib/options.js';

export default example({
  about: 'a convolutional VAE on binarized MNIST: test ELBO of -105 nats or better with 20 latent dimensions',
  options: {
    epochs: { value: 10, quick: 2, about: 'passes over the training images' },
    batch: { value: 100, quick: 50, about: 'images in a step' },
    latent: { value: 20, about: 'dimensions of the latent space' },
    ...imageOptions,
  },
  async run(job) {
    const { epochs, batch, latent } = job.options;
    const data = await loadImages(job, 'mnist');
    const vae = new Autoencoder(latent);
    vae.compile({
      optimizer: tf.train.adam(
        tf.train.schedules.cosineDecay({
          initialLearningRate: 0.002,
          decaySteps: epochs * Math.ceil(data.train.count / batch),
          alpha: 0.02,
        }),
      ),
    });
    const { history } = await vae.fit(toTensor(data.train), null, {
      epochs,
      batchSize: batch,
      validationData: [toTensor(data.test), null],
      validationBatchSize: 250,
    });
    job.writeCurves('elbo.svg', { training: history.elbo, 'held out': history.val_elbo }, { title: 'ELBO in nats' });
    job.writeCurves('terms.svg', {
      reconstruction: history.val_reconstruction,
      'KL divergence': history.val_divergence,
    });
    await job.saveModel(vae.encoder, 'encoder');
    await job.saveModel(vae.decoder, 'decoder');
    await draw(job, vae, data.test);
    const elbo = history.val_elbo.at(-1);
    const because = data.full ? '' : 'learned from 9,000 digits; -105 nats on the full set';
    job.check('test ELBO', elbo, { atLeast: data.full ? -105 : -120, quick: -300, unit: 'nats', because });
  },
});

class Autoencoder extends tf.Model {
  static className = 'Autoencoder';

  constructor(/** @type {number} */ latent) {
    super();
    this.latent = latent;
    const relu = /** @type {const} */ ('relu');
    const conv = (filters, rest) =>
      tf.layers.conv2d({ filters, kernelSize: 4, strides: 2, padding: 'same', activation: relu, ...rest });
    // Means and logarithms of variances beside each other.
    this.encoder = tf.sequential({
      layers: [
        conv(32, { inputShape: [28, 28, 1] }),
        conv(64),
        tf.layers.flatten(),
        tf.layers.dense({ units: 256, activation: relu }),
        tf.layers.dense({ units: 2 * latent }),
      ],
    });
    const up = (filters, rest) =>
      tf.layers.conv2dTranspose({ filters, kernelSize: 4, strides: 2, padding: 'same', ...rest });
    // Logits of pixels.
    this.decoder = tf.sequential({
      layers: [
        tf.layers.dense({ units: 256, activation: relu, inputShape: [latent] }),
        tf.layers.dense({ units: 7 * 7 * 64, activation: relu }),
        tf.layers.reshape({ targetShape: [7, 7, 64] }),
        up(32, { activation: relu }),
        up(1),
      ],
    });
  }

  /** Chances of white pixels, by way of the mean code. */
  call(x) {
    const [means] = this.encode(x);
    return tf.sigmoid(this.decoder.apply(means));
  }

  /** Means and logarithms of the variances of q(z | x). */
  encode(x) {
    return tf.split(this.encoder.apply(x), 2, 1);
  }

  /** The bound and its two terms for one draw of pixels and codes, means over the images. */
  bound(grey) {
    const x = tf.cast(tf.less(tf.randomUniform(grey.shape), grey), 'float32');
    const [means, logVariances] = this.encode(x);
    const z = tf.add(means, tf.mul(tf.exp(tf.mul(logVariances, 0.5)), tf.randomNormal(means.shape)));
    const logits = this.decoder.apply(z);
    // log Bernoulli(x; sigmoid(l)) = x l - softplus(l)
    const logLikelihood = tf.sum(tf.sub(tf.mul(x, logits), tf.softplus(logits)), [1, 2, 3]);
    const spread = tf.sub(tf.add(tf.square(means), tf.exp(logVariances)), tf.add(logVariances, 1));
    const divergence = tf.mean(tf.mul(tf.sum(spread, 1), 0.5));
    const reconstruction = tf.mean(logLikelihood);
    return { elbo: tf.sub(reconstruction, divergence), reconstruction, divergence };
  }

  trainStep({ x }) {
    const terms = {};
    const { grads } = tf.variableGrads(() => {
      const { elbo, ...rest } = this.bound(x);
      for (const [name, value] of Object.entries(rest)) terms[name] = tf.keep(value);
      return tf.neg(elbo);
    }, this.trainableVariables);
    this.optimizer.applyGradients(grads);
    return { elbo: tf.sub(terms.reconstruction, terms.divergence), ...terms };
  }

  testStep({ x }) {
    return this.bound(x);
  }
}

/** New digits, held-out ones and what becomes of them, and a walk through the latent space. */
async function draw(job, vae, { images, count }) {
  const decoded = (codes) => tf.sigmoid(vae.decoder.predict(codes)).data();
  job.writePicture('samples.png', imageGrid(await decoded(tf.randomNormal([100, vae.latent])), { columns: 10 }));

  const shown = images.subarray(0, 50 * 784);
  const again = await vae.predict(tf.tensor4d(shown, [50, 28, 28, 1])).data();
  const rows = [];
  for (let row = 0; row < 5; row++) {
    for (const set of [shown, again]) rows.push(...set.subarray(row * 7840, (row + 1) * 7840));
  }
  job.writePicture('reconstructions.png', imageGrid(rows, { columns: 10 }));

  // The two directions in which the codes of held-out digits differ most, from -2 to 2 standard deviations.
  const most = Math.min(count, 5000);
  const [codes] = vae.encode(tf.tensor4d(images.subarray(0, most * 784), [most, 28, 28, 1]));
  const centre = tf.mean(codes, 0, true);
  const centred = tf.sub(codes, centre);
  const [variances, axes] = tf.linalg.eigh(tf.div(tf.matMul(centred, centred, true), most));
  const side = 15;
  const last = axes.slice([0, vae.latent - 2], [vae.latent, 2]);
  const scale = tf.sqrt(variances.slice([vae.latent - 2], [2]));
  const places = Array.from({ length: side * side }, (_, i) =>
    [i % side, Math.floor(i / side)].map((step) => (step / (side - 1)) * 4 - 2),
  );
  const plane = tf.add(centre, tf.matMul(tf.mul(tf.tensor2d(places), scale), last, false, true));
  job.writePicture('latent.png', imageGrid(await decoded(plane), { columns: side, gap: 0 }));
  job.log();
}
