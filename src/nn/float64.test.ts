/** Layers with dtype 'float64', and the policy of that name: weights, computations, gradients and training, as a user does it. */
import { afterEach, describe, expect, it } from 'vitest';
import * as tf from '../index.ts';

const numbers = (shape: number[], seed: number) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Array.from({ length: size }, (_, i) => Math.sin(seed + 1.7 * i)),
    shape,
    'float64',
  );
};

afterEach(() => tf.mixedPrecision.setGlobalPolicy('float32'));

interface Model {
  readonly make: () => tf.LayersModel;
  readonly input: number[];
  readonly output: number[];
}

const { layers } = tf;
const stack = (...list: tf.Layer[]) => tf.sequential({ layers: list });
const models: { readonly [name: string]: Model } = {
  dense: {
    make: () => stack(layers.dense({ units: 5, activation: 'tanh', inputShape: [4] }), layers.dense({ units: 2 })),
    input: [6, 4],
    output: [6, 2],
  },
  'conv2d, batchNormalization, pooling': {
    make: () =>
      stack(
        layers.conv2d({ filters: 3, kernelSize: 3, activation: 'softplus', inputShape: [8, 8, 2] }),
        layers.batchNormalization(),
        layers.averagePooling2d({ poolSize: 2 }),
        layers.conv2dTranspose({ filters: 2, kernelSize: 2 }),
        layers.flatten(),
        layers.dense({ units: 2, activation: 'softmax' }),
      ),
    input: [5, 8, 8, 2],
    output: [5, 2],
  },
  'separable, depthwise, 1d': {
    make: () =>
      stack(
        layers.separableConv2d({ filters: 3, kernelSize: 2, inputShape: [5, 5, 2] }),
        layers.depthwiseConv2d({ kernelSize: 2, activation: 'tanh' }),
        layers.reshape({ targetShape: [9, 3] }),
        layers.conv1d({ filters: 2, kernelSize: 3 }),
        layers.globalAveragePooling1d(),
      ),
    input: [4, 5, 5, 2],
    output: [4, 2],
  },
  lstm: { make: () => stack(layers.lstm({ units: 3, inputShape: [5, 2] })), input: [3, 5, 2], output: [3, 3] },
  'gru, layerNormalization': {
    make: () => stack(layers.gru({ units: 3, inputShape: [5, 2] }), layers.layerNormalization()),
    input: [3, 5, 2],
    output: [3, 3],
  },
};

describe.each(Object.entries(models))('%s', (_name, { make, input, output }) => {
  it('has weights, outputs and gradients of float64, good to 1e-8 against differences', () => {
    tf.mixedPrecision.setGlobalPolicy('float64');
    // Weights where no kink of relu or of a maximum is near, and the differences' own error, h^4, is small enough.
    tf.setSeed(1);
    const model = make();
    const [x, y] = [numbers(input, 1), numbers(output, 2)];
    for (const weight of model.getWeights()) expect(weight.dtype).toBe('float64');
    const loss = () => model.apply(x, { training: true }) as tf.Tensor;
    const f = () => loss().sub(y).square().mean().asScalar();
    const { value, grads } = tf.variableGrads(f);
    expect([loss().dtype, value.dtype]).toEqual(['float64', 'float64']);
    for (const weight of model.trainableWeights) {
      const variable = weight.val as unknown as tf.Variable;
      const gradient = grads[variable.name];
      expect(gradient.dtype).toBe('float64');
      const start = variable.clone();
      const along = numbers(variable.shape, 3);
      const at = (t: number) => {
        variable.assign(start.add(along.mul(tf.scalar(t, 'float64'))));
        return f().dataSync()[0];
      };
      const h = 3e-4;
      const numeric = (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h);
      variable.assign(start);
      expect(Math.abs(gradient.mul(along).sum().dataSync()[0] - numeric), weight.name).toBeLessThan(1e-8);
    }
    model.dispose();
  });
});

it('one layer of several computes in float64, and config and weights come back', async () => {
  const model = stack(layers.dense({ units: 3, inputShape: [4], dtype: 'float64' }), layers.dense({ units: 2 }));
  expect(model.getWeights().map((weight) => weight.dtype)).toEqual(['float64', 'float64', 'float32', 'float32']);
  expect((model.predict(numbers([2, 4], 1)) as tf.Tensor).dtype).toBe('float32');
  const again = await tf.models.modelFromJSON(JSON.parse(JSON.stringify(model.toJSON(null, false))));
  again.setWeights(model.getWeights());
  expect(again.layers[0].dtypePolicy.name).toBe('float64');
  const x = numbers([2, 4], 5);
  expect([...(again.predict(x) as tf.Tensor).dataSync()]).toEqual([...(model.predict(x) as tf.Tensor).dataSync()]);
});

it.each(['sgd', 'momentum', 'adam', 'rmsprop', 'adagrad', 'adadelta', 'adamax'] as const)(
  'fits a line with %s to more digits than float32 has',
  async (name) => {
    tf.mixedPrecision.setGlobalPolicy('float64');
    const model = stack(layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'glorotUniform' }));
    const x = numbers([40, 2], 1);
    const y = x.matMul(tf.tensor2d([0.3, -0.7], [2, 1], 'float64')).add(tf.scalar(0.1, 'float64'));
    model.compile({ optimizer: name === 'momentum' ? tf.train.momentum(0.1, 0.5) : name, loss: 'meanSquaredError' });
    const { history } = await model.fit(x, y, { epochs: 3, batchSize: 20, verbose: 0 });
    expect(history['loss'][2]).toBeLessThan(history['loss'][0] as number);
    for (const weight of model.getWeights()) expect(weight.dtype).toBe('float64');
    if (name !== 'sgd') return;
    await model.fit(x, y, { epochs: 1, batchSize: 40, verbose: 0 });
    model.compile({ optimizer: tf.train.sgd(0.5), loss: 'meanSquaredError' });
    const last = await model.fit(x, y, { epochs: 150, batchSize: 40, verbose: 0 });
    expect(last.history['loss'][149]).toBeLessThan(1e-18);
  },
);
