/** Losses and metrics against TensorFlow.js's, and the stable forms on logits. */
import * as tfc from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { values } from '../../test/values.ts';
import { oneHot, type Tensor, tensor, variableGrads, type Scalar, variable, mean } from '../tensor/index.ts';
import { layers } from './layers/index.ts';
import { configuredLosses } from './configured_losses.ts';
import { getLoss, lossNames } from './losses.ts';
import { metrics } from './metrics/index.ts';
import { sequential } from './models/sequential.ts';

beforeAll(async () => {
  await tfc.setBackend('cpu');
});

const rows = 6;
const classes = 4;

/** Predictions: rows of probabilities. Labels: one-hot rows, class numbers, or probabilities. */
const raw = values(rows * classes, 3).map((x) => Math.abs(x) + 0.05);
const predictions = raw.map((x, i) => {
  const start = i - (i % classes);
  return x / raw.slice(start, start + classes).reduce((a, b) => a + b, 0);
});
const classNumbers = Float32Array.from({ length: rows }, (_, i) => (i * 5) % classes);
const oneHotRows = new Float32Array(rows * classes);
classNumbers.forEach((label, i) => {
  oneHotRows[i * classes + label] = 1;
});

function evaluateBoth(loss: string, metric: string | undefined, labels: Float32Array, shape: number[]) {
  const args = { optimizer: 'sgd', loss, metrics: metric ? [metric] : [] };
  const theirs = tfl.sequential({ layers: [tfl.layers.activation({ activation: 'linear', inputShape: [classes] })] });
  theirs.compile(args);
  const ours = sequential({ layers: [layers.activation({ activation: 'linear', inputShape: [classes] })] });
  ours.compile(args);
  const flat = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);
  const expected = flat(
    theirs.evaluate(tfc.tensor(predictions, [rows, classes]), tfc.tensor(labels, shape), { batchSize: 4 }),
  );
  const got = flat(ours.evaluate(tensor(predictions, [rows, classes]), tensor(labels, shape), { batchSize: 4 }));
  return { expected: expected.map((x) => x.dataSync()[0]), got: got.map((x) => x.dataSync()[0]) };
}

/** Names of TensorFlow.js, which take arguments here. */
const keras2 = new Set(['categoricalCrossentropy', 'sparseCategoricalCrossentropy', 'binaryCrossentropy']);

describe('losses', () => {
  // Those that TensorFlow.js does not have are tested in configured_losses.test.ts.
  const shared = lossNames.filter((name) => !Object.hasOwn(configuredLosses, name) || keras2.has(name));
  test.each(shared)('%s', (name) => {
    const sparse = name === 'sparseCategoricalCrossentropy';
    const { expected, got } = sparse
      ? evaluateBoth(name, undefined, classNumbers, [rows, 1])
      : evaluateBoth(name, undefined, oneHotRows, [rows, classes]);
    expect(got[0]).toBeCloseTo(expected[0], 4);
  });

  test.each(['acc', 'accuracy', 'binaryAccuracy', 'categoricalAccuracy', 'mse', 'mae', 'mape', 'cosine', 'ce'])(
    'metric %s',
    (metric) => {
      const { expected, got } = evaluateBoth('categoricalCrossentropy', metric, oneHotRows, [rows, classes]);
      expect(got[1]).toBeCloseTo(expected[1], 4);
    },
  );

  test('accuracy of class numbers', () => {
    const { expected, got } = evaluateBoth('sparseCategoricalCrossentropy', 'acc', classNumbers, [rows, 1]);
    expect(got).toHaveLength(2);
    expect(got[1]).toBeCloseTo(expected[1], 6);
  });

  test('metrics as functions', () => {
    const p = tensor([0.9, 0.2, 0.6], [3, 1]);
    const y = tensor([1, 1, 0], [3, 1]);
    expect(metrics.binaryAccuracy(y, p).arraySync()).toEqual([1, 0, 0]);
    expect(metrics.precision(tensor([1, 0, 1, 1]), tensor([1, 1, 0, 1])).arraySync()).toBeCloseTo(2 / 3, 6);
    expect(metrics.recall(tensor([1, 0, 1, 1]), tensor([1, 1, 0, 1])).arraySync()).toBeCloseTo(2 / 3, 6);
    expect(metrics.r2Score(tensor([1, 2, 3]), tensor([1, 2, 3])).arraySync()).toBeCloseTo(1, 6);
  });
});

describe('losses on logits', () => {
  const huge = [80, -80, 0, 3];

  test('softmax and cross-entropy stay finite, also their gradient', () => {
    const loss = getLoss('test', 'categoricalCrossentropy');
    const z = variable(tensor(huge, [1, 4]));
    const y = oneHot(tensor([1], [1], 'int32'), 4);
    const { value, grads } = variableGrads(() => mean<Scalar>(loss.fromLogits!.call(y as Tensor, z)), [z]);
    expect(value.dataSync()[0]).toBeCloseTo(160, 3);
    const [a, b, c, d] = grads[z.name].dataSync();
    expect(a).toBeCloseTo(1, 5);
    expect(b).toBeCloseTo(-1, 5);
    expect(Math.abs(c) + Math.abs(d)).toBeLessThan(1e-6);
  });

  test('the sparse form is the dense one', () => {
    const z = tensor(
      values(12, 9).map((x) => x * 5),
      [3, 4],
    );
    const labels = tensor([2, 0, 3], [3], 'int32');
    const dense = getLoss('test', 'categoricalCrossentropy').fromLogits!.call(oneHot(labels, 4) as Tensor, z);
    const sparse = getLoss('test', 'sparseCategoricalCrossentropy').fromLogits!.call(labels, z);
    sparse.dataSync().forEach((value, i) => {
      expect(value).toBeCloseTo(dense.dataSync()[i], 5);
    });
  });

  test('sigmoid and cross-entropy: max(z, 0) - z y + log(1 + exp(-|z|))', () => {
    const z = tensor([100, -100, 0.5, -2], [4, 1]);
    const y = tensor([0, 0, 1, 1], [4, 1]);
    const got = getLoss('test', 'binaryCrossentropy').fromLogits!.call(y, z).dataSync();
    [100, 0, 0.4740769, 2.126928].forEach((expected, i) => {
      expect(got[i]).toBeCloseTo(expected, 5);
    });
  });

  test('a model takes them: the loss of a saturated softmax is not clipped at -log(1e-7)', () => {
    const model = sequential({
      layers: [layers.dense({ units: 3, activation: 'softmax', inputShape: [3], useBias: false })],
    });
    model.setWeights([tensor([50, 0, 0, 0, 50, 0, 0, 0, 50], [3, 3])]);
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    const loss = model.evaluate(tensor([[1, 0, 0]]), tensor([[0, 1, 0]])) as Tensor;
    expect(loss.dataSync()[0]).toBeCloseTo(50, 3);
    expect(model.predict(tensor([[1, 0, 0]])).dataSync()[0]).toBeCloseTo(1, 6);
  });
});

describe('names', () => {
  test('a typo is told with the nearest names', () => {
    expect(() => getLoss('compile', 'catgoricalCrossentropy')).toThrow(
      /\[compile\] loss must be a known name; got "catgoricalCrossentropy"; did you mean categoricalCrossentropy/,
    );
    expect(() => getLoss('compile', 'softmaxCrossEntropy')).toThrow(/use 'categoricalCrossentropy'/);
    expect(getLoss('compile', 'mean_squared_error').name).toBe('meanSquaredError');
    expect(getLoss('compile', 'mse').name).toBe('meanSquaredError');
  });
});

test('the cross-entropy of class numbers is a function of tf.metrics too', () => {
  const p = tensor(predictions, [rows, classes]);
  const got = metrics.sparseCategoricalCrossentropy(tensor(classNumbers), p);
  const want = metrics.categoricalCrossentropy(tensor(oneHotRows, [rows, classes]), p);
  expect([...got.dataSync()]).toEqual([...want.dataSync()]);
});
