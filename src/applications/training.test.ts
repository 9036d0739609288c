/** A small one of each network trains for a few steps, and comes back from its JSON as it was. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as tf from '../index.ts';

const { applications: zoo } = tf;
type Network = ReturnType<typeof zoo.ResNet50>;

const CLASSES = 3;
const BATCH = 6;

beforeEach(() => tf.setSeed(7));
afterEach(() => tf.disposeVariables());

/** The shape of one input of a network. */
const shapeOf = (model: Network): number[] => (model.inputs[0].shape as number[]).slice(1);

/** Images that differ by class in their mean. */
function images(shape: readonly number[]) {
  const labels = Int32Array.from({ length: BATCH }, (_, i) => i % CLASSES);
  const noise = tf.randomNormal([BATCH, ...shape], 0, 0.3, 'float32', 5);
  const shift = tf.tensor(
    Array.from(labels, (label) => label - 1),
    [BATCH, ...shape.map(() => 1)],
  );
  return { x: tf.add(noise, shift) as tf.Tensor, y: tf.tensor1d(labels, 'int32') as tf.Tensor };
}

/** Trains on one batch; the loss must end clearly below where it began. */
async function expectLearning(
  model: Network,
  x: tf.Tensor | tf.Tensor[],
  y: tf.Tensor,
  loss: tf.ModelCompileArgs['loss'],
  steps = 10,
  rate = 3e-3,
): Promise<void> {
  model.compile({ optimizer: tf.train.adam(rate), loss });
  const { history } = await model.fit(x, y, { epochs: steps, batchSize: BATCH, verbose: 0 });
  const losses = history['loss'] as number[];
  expect(losses.every(Number.isFinite), `losses ${losses}`).toBe(true);
  expect(Math.min(...losses.slice(-3)), `losses ${losses}`).toBeLessThan(0.9 * losses[0]);
}

/** The model that its JSON describes, with the same weights, gives the same bits. */
async function expectSameFromJson(model: Network, x: tf.Tensor | tf.Tensor[]): Promise<void> {
  const text = model.toJSON();
  const again = (await tf.models.modelFromJSON(JSON.parse(text))) as Network;
  expect(JSON.parse(again.toJSON())).toEqual(JSON.parse(text));
  // By name, as from a file: setWeights applies constraints anew, which moves the last bits.
  again.loadWeights(Object.fromEntries(model.weights.map((weight) => [weight.originalName, weight.read()])));
  const [before, after] = [model, again].map((one) => one.predict(x).dataSync());
  expect(after).toEqual(before);
}

describe('classifiers', () => {
  const small = { classes: CLASSES, inputShape: [32, 32, 3], alpha: 1 / 16 };
  const cases: [string, () => Network][] = [
    ['LeNet5', () => zoo.LeNet5({ classes: CLASSES })],
    ['AlexNet', () => zoo.AlexNet({ ...small, inputShape: [67, 67, 3], dropout: 0 })],
    ['VGG16', () => zoo.VGG16(small)],
    ['VGG19', () => zoo.VGG19(small)],
    ['GoogLeNet', () => zoo.GoogLeNet({ ...small, dropout: 0 })],
    ['InceptionV3', () => zoo.InceptionV3({ ...small, inputShape: [75, 75, 3] })],
    ['ResNet18', () => zoo.ResNet18(small)],
    ['ResNet18V2', () => zoo.ResNet18V2(small)],
    ['ResNet50', () => zoo.ResNet50(small)],
    ['ResNet50V2', () => zoo.ResNet50V2(small)],
    ['ResNet101', () => zoo.ResNet101(small)],
    ['ResNet101V2', () => zoo.ResNet101V2(small)],
    ['SEResNet50', () => zoo.SEResNet50(small)],
    ['DenseNet121', () => zoo.DenseNet121(small)],
    ['MobileNet', () => zoo.MobileNet(small)],
    ['MobileNetV2', () => zoo.MobileNetV2(small)],
    ['EfficientNetB0', () => zoo.EfficientNetB0({ ...small, dropout: 0, dropConnect: 0 })],
    ['ViTTiny', () => zoo.ViTTiny({ classes: CLASSES, inputShape: [32, 32, 3], width: 24, numLayers: 2 })],
  ];
  it.each(cases)('%s', async (_, build) => {
    const model = build();
    const { x, y } = images(shapeOf(model));
    await expectLearning(model, x, y, 'sparseCategoricalCrossentropy');
  });

  it.each([cases[0], cases[6], cases[17]])('%s comes back from JSON', async (_, build) => {
    const model = build();
    await expectSameFromJson(model, images(shapeOf(model)).x);
  });

  it('LeNet5 comes back from a saved model', async () => {
    const model = zoo.LeNet5({ classes: CLASSES });
    const { x, y } = images(shapeOf(model));
    await expectLearning(model, x, y, 'sparseCategoricalCrossentropy');
    let saved: Parameters<typeof tf.io.fromMemory>[0] | undefined;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }),
    );
    const again = await tf.loadLayersModel(tf.io.fromMemory(saved!));
    expect((again.predict(x) as tf.Tensor).dataSync()).toEqual((model.predict(x) as tf.Tensor).dataSync());
  });
});

describe('networks of other kinds', () => {
  it('UNet learns which pixels are bright', async () => {
    const model = zoo.UNet({ inputShape: [16, 16, 1], filters: 4, depth: 2, padding: 'same', dropout: 0 });
    const x = tf.randomNormal([BATCH, 16, 16, 1], 0, 1, 'float32', 3) as tf.Tensor;
    const y = tf.cast(tf.greater(tf.reshape(x, [BATCH, 16, 16]), 0), 'int32');
    await expectLearning(model, x, y, 'sparseCategoricalCrossentropy', 40);
    await expectSameFromJson(model, x);
  });

  it('FCN8s does too', async () => {
    const model = zoo.FCN8s({ inputShape: [32, 32, 3], classes: 2, alpha: 1 / 32, dropout: 0 });
    const { x } = images([32, 32, 3]);
    const y = tf.cast(tf.greater(tf.mean(x, -1), 0), 'int32');
    await expectLearning(model, x, y, 'sparseCategoricalCrossentropy');
  });

  it('TinyYOLO fits the numbers of its boxes', async () => {
    const model = zoo.TinyYOLO({ inputShape: [32, 32, 3], classes: 2, boxes: 2, alpha: 1 / 16 });
    expect(model.outputShape).toEqual([null, 1, 1, 2, 7]);
    await expectLearning(model, images([32, 32, 3]).x, tf.ones([BATCH, 1, 1, 2, 7]), 'meanSquaredError');
  });

  it('TextCNN tells sentences by a word', async () => {
    const sizes = { vocabularySize: 20, sequenceLength: 8, embeddingDim: 6, filters: 4, dropout: 0 };
    const model = zoo.TextCNN(sizes);
    const ids = Array.from({ length: BATCH }, (_, i) =>
      Array.from({ length: 8 }, (__, j) => (i % 2 ? 3 : 9) + (j % 3)),
    );
    const x = tf.tensor2d(ids, [BATCH, 8], 'int32') as tf.Tensor;
    const y = tf.tensor1d(
      ids.map((_, i) => i % 2),
      'int32',
    );
    await expectLearning(model, x, y, 'sparseCategoricalCrossentropy', 40);
    await expectSameFromJson(model, x);
  });

  it('Transformer copies, does not look ahead, and leaves padding out', async () => {
    const sizes = { vocabularySize: 11, numLayers: 1, width: 16, numHeads: 2, feedForward: 32, dropout: 0 };
    const model = zoo.Transformer({ ...sizes, classifierActivation: 'softmax' });
    const rows = Array.from({ length: BATCH }, (_, i) => [1, 2, 3, 4, 5].map((n) => ((n * (i + 1)) % 9) + 2));
    const source = tf.tensor2d(rows, [BATCH, 5], 'int32') as tf.Tensor;
    const target = tf.tensor2d(
      rows.map((row) => [1, ...row.slice(0, 4)]),
      [BATCH, 5],
      'int32',
    ) as tf.Tensor;
    await expectLearning(model, [source, target], source, 'sparseCategoricalCrossentropy', 30);
    await expectSameFromJson(model, [source, target]);
    const row = (last: number) => tf.tensor2d([[1, 4, 5, last]], [1, 4], 'int32') as tf.Tensor;
    const short = tf.tensor2d([[3, 4]], [1, 2], 'int32') as tf.Tensor;
    const longer = tf.tensor2d([[3, 4, 0, 0]], [1, 4], 'int32') as tf.Tensor;
    const outputs = [model.predict([short, row(6)]), model.predict([short, row(7)]), model.predict([longer, row(6)])];
    const [a, b, c] = outputs.map((output) => Array.from((output as tf.Tensor).dataSync()));
    a.slice(0, 33).forEach((value, i) => {
      expect(b[i]).toBeCloseTo(value, 6);
    });
    expect(b.slice(33)).not.toEqual(a.slice(33));
    a.forEach((value, i) => {
      expect(c[i]).toBeCloseTo(value, 5);
    });
  });

  it.each(['dense', 'conv'] as const)('VAE, %s, lowers its bound', async (kind) => {
    // The loss is a mean over 64 pixels: with this beta the sum is the bound for each pixel.
    const sizes = { inputShape: [8, 8, 1], latentDim: 3, hidden: 32, beta: 1 / 64 };
    const model = zoo.VAE(kind === 'conv' ? { ...sizes, kind, filters: [8, 16] } : { ...sizes, kind });
    const x = tf.sigmoid(tf.mul(images([8, 8, 1]).x, 4)) as tf.Tensor;
    await expectLearning(model, x, x, 'binaryCrossentropy', 100, 1e-2);
    await expectSameFromJson(model, x);
  });

  it('DCGAN: the discriminator learns, and the generator gets gradients through it', async () => {
    const shape = { imageShape: [8, 8, 1], kernelSize: 3 };
    const generator = zoo.DCGANGenerator({ ...shape, filters: [8, 4], latentDim: 5 });
    const discriminator = zoo.DCGANDiscriminator({ ...shape, filters: [4, 8] });
    const z = tf.randomNormal([BATCH, 5], 0, 1, 'float32', 1) as tf.Tensor;
    const made = generator.predict(z) as tf.Tensor;
    expect(made.shape).toEqual([BATCH, 8, 8, 1]);
    const halves = tf.concat([made, tf.randomUniform([BATCH, 8, 8, 1], 0, 1, 'float32', 4)]) as tf.Tensor;
    const origin = tf.concat([tf.zeros([BATCH, 1]), tf.ones([BATCH, 1])]) as tf.Tensor;
    await expectLearning(
      discriminator as Network,
      halves,
      origin,
      tf.losses.binaryCrossentropy({ fromLogits: true }),
      20,
    );
    const whole = tf.sequential({ layers: [generator, discriminator] });
    discriminator.trainable = false;
    const real = tf.ones([BATCH, 1]) as tf.Tensor;
    await expectLearning(whole as never, z, real, tf.losses.binaryCrossentropy({ fromLogits: true }), 20);
  });
});

describe('arguments that do not fit', () => {
  it.each<[() => unknown, RegExp]>([
    [() => zoo.ResNet50({ weights: 'imagenet' } as never), /\[ResNet50\] weights must be null.*loadWeights/],
    [() => zoo.VGG16({ clases: 10 } as never), /\[VGG16\] an argument must be a known name.*classes/],
    [() => zoo.ResNet50({ inputShape: [16, 16, 3] }), /at least 32; got/],
    [() => zoo.VGG16({ inputShape: [null, null, 3] }), /fixed inputShape/],
    [() => zoo.MobileNet({ alpha: 0 }), /alpha must be a positive number; got 0/],
    [() => zoo.ResNet18({ classes: 2.5 }), /classes must be a positive integer; got 2.5/],
    [() => zoo.ResNet18({ includeTop: false, pooling: 'mean' as never }), /pooling must be a known name/],
    [() => zoo.UNet({ inputShape: [100, 100, 1] }), /even on each of 4 levels/],
    [() => zoo.DCGANGenerator({ imageShape: [30, 30, 1] }), /multiples of 16/],
    [() => zoo.ViTTiny({ patchSize: 15 }), /patchSize must divide/],
    [() => zoo.Transformer({ width: 10, numHeads: 4 }), /numHeads must divide width/],
    [() => zoo.TextCNN({ sequenceLength: 4 }), /at most sequenceLength 4/],
    [() => zoo.preprocessInput(tf.zeros([2, 2, 1])), /3 channels of RGB/],
  ])('case %#', (build, message) => {
    expect(build).toThrow(message);
  });
});
