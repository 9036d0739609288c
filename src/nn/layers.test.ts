/** Layers against TensorFlow.js's own, with the same weights and inputs. */
import * as tfc from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { tensor } from '../tensor/index.ts';
import { layers } from './layers/index.ts';
import { sequential } from './models/sequential.ts';
import { values } from '../../test/values.ts';

type LayerName = keyof typeof layers & keyof typeof tfl.layers;

interface Case {
  layer: LayerName;
  args?: Record<string, unknown>;
  shape: number[];
}

const cases: Case[] = [
  { layer: 'dense', args: { units: 5 }, shape: [3, 4] },
  { layer: 'dense', args: { units: 5, activation: 'relu', useBias: false }, shape: [3, 4] },
  { layer: 'dense', args: { units: 3, activation: 'softmax' }, shape: [2, 3, 4] },
  { layer: 'conv2d', args: { filters: 3, kernelSize: 3 }, shape: [2, 7, 6, 2] },
  { layer: 'conv2d', args: { filters: 2, kernelSize: [3, 2], strides: [2, 1], padding: 'same' }, shape: [1, 7, 6, 2] },
  { layer: 'conv2d', args: { filters: 2, kernelSize: 2, dilationRate: 2, activation: 'tanh' }, shape: [1, 7, 6, 2] },
  { layer: 'conv2d', args: { filters: 2, kernelSize: 3, dataFormat: 'channelsFirst' }, shape: [1, 2, 7, 6] },
  { layer: 'maxPooling2d', args: { poolSize: 2 }, shape: [2, 6, 5, 3] },
  { layer: 'maxPooling2d', args: { poolSize: [3, 2], strides: 1, padding: 'same' }, shape: [1, 5, 5, 2] },
  { layer: 'averagePooling2d', args: { poolSize: 2, padding: 'same' }, shape: [1, 5, 5, 2] },
  { layer: 'averagePooling2d', args: { poolSize: 3, dataFormat: 'channelsFirst' }, shape: [1, 2, 7, 6] },
  { layer: 'flatten', shape: [2, 3, 4, 2] },
  { layer: 'flatten', args: { dataFormat: 'channelsFirst' }, shape: [2, 3, 4, 2] },
  { layer: 'reshape', args: { targetShape: [4, 6] }, shape: [2, 3, 4, 2] },
  { layer: 'dropout', args: { rate: 0.5 }, shape: [2, 5] },
  { layer: 'reLU', shape: [2, 5] },
  { layer: 'reLU', args: { maxValue: 0.5 }, shape: [2, 5] },
  { layer: 'softmax', shape: [2, 5] },
  { layer: 'conv1d', args: { filters: 3, kernelSize: 3, strides: 2 }, shape: [2, 9, 2] },
  { layer: 'conv3d', args: { filters: 2, kernelSize: 2 }, shape: [1, 4, 5, 3, 2] },
  { layer: 'conv2dTranspose', args: { filters: 3, kernelSize: 3, strides: 2 }, shape: [2, 4, 3, 2] },
  { layer: 'conv2dTranspose', args: { filters: 3, kernelSize: 5, strides: 2, padding: 'same' }, shape: [2, 4, 3, 2] },
  { layer: 'conv2dTranspose', args: { filters: 3, kernelSize: 2, strides: 3 }, shape: [2, 4, 3, 2] },
  { layer: 'conv3dTranspose', args: { filters: 2, kernelSize: 3, strides: 2 }, shape: [1, 2, 3, 2, 2] },
  { layer: 'depthwiseConv2d', args: { kernelSize: 3, depthMultiplier: 2 }, shape: [2, 6, 5, 3] },
  { layer: 'separableConv2d', args: { filters: 4, kernelSize: 3, activation: 'tanh' }, shape: [2, 6, 5, 3] },
  { layer: 'maxPooling1d', args: { poolSize: 3, strides: 2 }, shape: [2, 7, 3] },
  { layer: 'averagePooling1d', args: { poolSize: 2, padding: 'same' }, shape: [2, 7, 3] },
  { layer: 'maxPooling3d', shape: [1, 4, 4, 3, 2] },
  { layer: 'averagePooling3d', args: { poolSize: 2, strides: 1 }, shape: [1, 3, 4, 3, 2] },
  { layer: 'globalAveragePooling1d', shape: [2, 7, 3] },
  { layer: 'globalMaxPooling1d', shape: [2, 7, 3] },
  { layer: 'globalAveragePooling2d', shape: [2, 4, 5, 3] },
  { layer: 'globalMaxPooling2d', args: { dataFormat: 'channelsFirst' }, shape: [2, 4, 5, 3] },
  { layer: 'batchNormalization', shape: [3, 4] },
  { layer: 'batchNormalization', args: { epsilon: 0.1, scale: false }, shape: [2, 3, 3, 2] },
  { layer: 'layerNormalization', shape: [2, 3, 4] },
  { layer: 'layerNormalization', args: { axis: [1, 2], center: false }, shape: [2, 3, 4] },
  { layer: 'simpleRNN', args: { units: 3 }, shape: [2, 5, 4] },
  { layer: 'lstm', args: { units: 3 }, shape: [2, 5, 4] },
  { layer: 'lstm', args: { units: 3, returnSequences: true, recurrentActivation: 'sigmoid' }, shape: [2, 5, 4] },
  { layer: 'lstm', args: { units: 3, goBackwards: true, useBias: false }, shape: [2, 5, 4] },
  { layer: 'gru', args: { units: 3 }, shape: [2, 5, 4] },
  { layer: 'gru', args: { units: 3, returnSequences: true, activation: 'relu' }, shape: [2, 5, 4] },
  { layer: 'convLstm2d', args: { filters: 2, kernelSize: 2 }, shape: [1, 3, 4, 4, 2] },
  { layer: 'permute', args: { dims: [2, 1] }, shape: [2, 3, 4] },
  { layer: 'repeatVector', args: { n: 3 }, shape: [2, 4] },
  { layer: 'masking', shape: [2, 3, 4] },
  { layer: 'leakyReLU', args: { alpha: 0.2 }, shape: [3, 4] },
  { layer: 'prelu', shape: [3, 4] },
  { layer: 'elu', shape: [3, 4] },
  { layer: 'thresholdedReLU', args: { theta: 0.4 }, shape: [3, 4] },
  {
    layer: 'cropping2D',
    args: {
      cropping: [
        [1, 0],
        [2, 1],
      ],
    },
    shape: [2, 5, 6, 2],
  },
  {
    layer: 'zeroPadding2d',
    args: {
      padding: [
        [1, 0],
        [2, 1],
      ],
    },
    shape: [2, 3, 4, 2],
  },
  { layer: 'upSampling2d', args: { size: [2, 3] }, shape: [2, 3, 4, 2] },
  { layer: 'gaussianNoise', args: { stddev: 1 }, shape: [2, 5] },
  { layer: 'gaussianDropout', args: { rate: 0.4 }, shape: [2, 5] },
  { layer: 'alphaDropout', args: { rate: 0.4 }, shape: [2, 5] },
  { layer: 'spatialDropout1d', args: { rate: 0.4 }, shape: [2, 5, 2] },
  ...['linear', 'relu', 'relu6', 'elu', 'selu', 'sigmoid', 'hardSigmoid', 'softplus', 'softsign', 'tanh'].map(
    activation,
  ),
  ...['softmax', 'logSoftmax', 'swish', 'mish', 'gelu', 'gelu_new'].map(activation),
];

function activation(name: string): Case {
  return { layer: 'activation', args: { activation: name }, shape: [3, 4] };
}

beforeAll(async () => {
  await tfc.setBackend('cpu');
});

describe('layers', () => {
  test.each(cases)('$layer $args $shape', ({ layer, args, shape }) => {
    const input = values(shape.reduce((a, b) => a * b, 1)).map((x) => x * 3);
    const inputShape = shape.slice(1);
    // TensorFlow.js's orthogonal matrices need its chained methods; the numbers are replaced all the same.
    const plain = /lstm|gru|simplernn/i.test(layer) ? { recurrentInitializer: 'glorotNormal' } : {};
    const make = (room: unknown) =>
      (room as Record<string, (args: object) => never>)[layer]({ ...plain, ...args, inputShape });
    const theirs = tfl.sequential({ layers: [make(tfl.layers)] });
    const ours = sequential({ layers: [make(layers)] });

    expect(ours.outputShape).toEqual(theirs.outputShape);
    const shapes = theirs.getWeights().map((weight) => weight.shape);
    expect(ours.getWeights().map((weight) => weight.shape)).toEqual(shapes);
    const weights = shapes.map((s, i) =>
      values(
        s.reduce((a, b) => a * b, 1),
        i + 7,
        // A moving variance is positive.
      ).map((w) => (layer === 'batchNormalization' ? Math.abs(w) : w)),
    );
    theirs.setWeights(weights.map((w, i) => tfc.tensor(w, shapes[i])));
    ours.setWeights(weights.map((w, i) => tensor(w, shapes[i])));

    const expected = theirs.predict(tfc.tensor(input, shape)) as tfc.Tensor;
    const got = ours.predict(tensor(input, shape));
    expect(got.shape).toEqual(expected.shape);
    const want = expected.dataSync();
    got.dataSync().forEach((value, i) => {
      expect(Math.abs(value - want[i])).toBeLessThan(1e-5 * (1 + Math.abs(want[i])));
    });
    // What a layer says of itself is what TensorFlow.js's says.
    const { name: _, ...config } = ours.layers[0].getConfig();
    const { name: __, ...theirConfig } = theirs.layers[0].getConfig();
    const defined = Object.fromEntries(Object.entries(theirConfig).filter(([, value]) => value !== undefined));
    if (layer !== 'softmax' && layer !== 'layerNormalization') expect(config).toMatchObject(defined);
  });
});

test('softmax gives nothing to what a mask leaves out', () => {
  const x = [1, 2, 3, 4, 5, 6];
  const mask = [1, 1, 0, 0, 0, 1];
  const want = tfl.layers
    .softmax()
    .call(tfc.tensor(x, [2, 3]), { mask: tfc.tensor(mask, [2, 3], 'bool') }) as tfc.Tensor;
  const got = layers.softmax().apply(tensor(x, [2, 3]), { mask: tensor(mask, [2, 3], 'bool') });
  want.dataSync().forEach((value, i) => expect(got.dataSync()[i]).toBeCloseTo(value, 6));
  // Steps that do not count, along their axis; along another one their mask says nothing.
  const steps = layers
    .softmax({ axis: 1 })
    .apply(tensor(x, [1, 3, 2]), { mask: tensor([true, false, true], [1, 3], 'bool') });
  const share = 1 / (1 + Math.exp(-4));
  [1 - share, 1 - share, 0, 0, share, share].forEach((value, i) => expect(steps.dataSync()[i]).toBeCloseTo(value, 6));
  const last = layers.softmax().apply(tensor(x, [1, 3, 2]), { mask: tensor([true, false, true], [1, 3], 'bool') });
  expect(last.dataSync()[2]).toBeCloseTo(1 / (1 + Math.E), 6);
});
