/**
 * Networks over images as tensorloom's users write them: a DCGAN whose step moves both networks, and the inference of ResNet-50.
 * Sizes are those of the figures; images.py is the same for PyTorch.
 */
import { consume, noise } from './protocol.js';

/** 100 -> 7x7x128 -> 14x14x64 -> 28x28x1 and back. */
function adversaries(tf, batch) {
  const imageShape = [28, 28, 1];
  const generator = tf.applications.DCGANGenerator({ imageShape, filters: [128, 64] });
  const discriminator = tf.applications.DCGANDiscriminator({ imageShape, filters: [64, 128] });
  const [first, second] = [0, 1].map(() => tf.train.adam({ learningRate: 2e-4, beta1: 0.5 }));
  // -log sigmoid(x) and -log (1 - sigmoid(x)) in their stable forms.
  const isReal = (logits) => tf.softplus(logits.neg()).mean();
  const isFake = (logits) => tf.softplus(logits).mean();
  const judge = (x) => discriminator.apply(x, { training: true });
  const update = (optimizer, network, loss) => {
    const { value, grads } = tf.variableGrads(loss, network.trainableVariables);
    optimizer.applyGradients(grads);
    return value;
  };
  /** One update of each network on one batch; the images that it makes serve both. */
  const step = tf.jit((real, z) => {
    let discriminatorLoss;
    const generatorLoss = update(first, generator, () => {
      const made = generator.apply(z, { training: true });
      const still = tf.stopGradient(made);
      discriminatorLoss = tf.keep(update(second, discriminator, () => isReal(judge(real)).add(isFake(judge(still)))));
      return isReal(judge(made));
    });
    return tf.stack([discriminatorLoss, generatorLoss]);
  });
  const real = tf.tensor4d(noise(batch * 784), [batch, ...imageShape]);
  const z = tf.tensor2d(noise(batch * 100, 2), [batch, 100]);
  return async () => {
    const losses = step(real, z);
    for (const loss of await losses.data()) consume(loss);
    losses.dispose();
  };
}

function resnet50(tf, batch) {
  const side = 224;
  const model = tf.applications.ResNet50();
  const x = tf.tensor4d(noise(batch * side * side * 3), [batch, side, side, 3]);
  return async () => {
    const y = model.predict(x, { batchSize: batch });
    consume((await y.data())[0]);
    y.dispose();
  };
}

export function imageTasks(tf) {
  return {
    'dcgan-train': async ({ batch }) => adversaries(tf, batch),
    'resnet50-infer': async ({ batch = 1 }) => resnet50(tf, batch),
  };
}
