/** Metrics over an epoch of several batches, against their definitions on all samples at once. */
import { describe, expect, test } from 'vitest';
import { values } from '../../../test/values.ts';
import { memory, tensor } from '../../tensor/index.ts';
import { layers } from '../layers/index.ts';
import { sequential } from '../models/sequential.ts';
import { train } from '../optimizers/index.ts';
import { metrics } from './index.ts';
import type { Metric } from './metric.ts';

const n = 30;
const scores = values(n, 2).map((x) => (x + 1) / 2);
const labels = Float32Array.from(scores, (p, i) => Number((p + ((i * 7) % 10) / 10) / 2 > 0.5));

function over(metric: Metric, y: ArrayLike<number>, p: ArrayLike<number>, width = 1): number {
  const of = (x: ArrayLike<number>, from: number, to: number, w: number) =>
    tensor(Float32Array.from(x).slice(from * w, to * w), [to - from, w]);
  const rows = p.length / width;
  for (const [from, to] of [
    [0, 7],
    [7, 20],
    [20, rows],
  ]) {
    metric.updateState(of(y, from, to, y.length / rows), of(p, from, to, width));
  }
  return metric.result().dataSync()[0];
}

describe('metrics of two classes', () => {
  const count = (label: number, guess: number) =>
    [...labels].filter((y, i) => y === label && Number(scores[i] > 0.5) === guess).length;
  const [tp, fp, fn, tn] = [count(1, 1), count(0, 1), count(1, 0), count(0, 0)];
  test.each<[string, Metric, number]>([
    ['precision', new metrics.Precision(), tp / (tp + fp)],
    ['recall', new metrics.Recall(), tp / (tp + fn)],
    ['true positives', new metrics.TruePositives(), tp],
    ['false positives', new metrics.FalsePositives(), fp],
    ['false negatives', new metrics.FalseNegatives(), fn],
    ['true negatives', new metrics.TrueNegatives(), tn],
  ])('%s', (_, metric, want) => {
    expect(over(metric, labels, scores)).toBeCloseTo(want, 5);
    metric.resetState();
    expect(metric.result().dataSync()[0]).toBe(0);
  });

  test('the area under the curve is the share of pairs in order', () => {
    let [pairs, ordered] = [0, 0];
    labels.forEach((a, i) =>
      labels.forEach((b, j) => {
        if (a === 1 && b === 0) {
          pairs++;
          ordered += Number(scores[i] > scores[j]);
        }
      }),
    );
    expect(over(new metrics.AUC({ numThresholds: 1000 }), labels, scores)).toBeCloseTo(ordered / pairs, 3);
    // A perfect order has area one under both curves.
    const perfect = Float32Array.from(scores, (p) => Number(p > 0.6));
    expect(over(new metrics.AUC({ curve: 'PR', numThresholds: 1000 }), perfect, scores)).toBeCloseTo(1, 2);
    const best = over(new metrics.SensitivityAtSpecificity(0.5), labels, scores);
    expect(best).toBeGreaterThanOrEqual(tn / (tn + fp) >= 0.5 ? tp / (tp + fn) : 0);
  });
});

test('metrics of several classes', () => {
  const classes = Array.from({ length: n }, (_, i) => (i * 5) % 3);
  const p = values(n * 3, 4).map((x) => (x + 1) / 2);
  const hot = Float32Array.from({ length: n * 3 }, (_, i) => Number(classes[Math.floor(i / 3)] === i % 3));
  const guess = classes.map((_, i) => [0, 1, 2].sort((a, b) => p[3 * i + b] - p[3 * i + a])[0]);
  const per = [0, 1, 2].map((k) => {
    const tp = classes.filter((c, i) => c === k && guess[i] === k).length;
    const union = classes.filter((c, i) => c === k || guess[i] === k).length;
    const sizes = classes.filter((c) => c === k).length + guess.filter((c) => c === k).length;
    return { f1: (2 * tp) / sizes, iou: tp / union };
  });
  const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
  expect(over(new metrics.F1Score({ numClasses: 3 }), hot, p, 3)).toBeCloseTo(mean(per.map(({ f1 }) => f1)), 5);
  const iou = new metrics.MeanIoU({ numClasses: 3, sparseYPred: false });
  expect(over(iou, classes, p, 3)).toBeCloseTo(mean(per.map((x) => x.iou)), 5);
  const second = (i: number) => [0, 1, 2].sort((a, b) => p[3 * i + b] - p[3 * i + a]).indexOf(classes[i]) < 2;
  const top = new metrics.SparseTopKCategoricalAccuracy({ k: 2 });
  expect(over(top, classes, p, 3)).toBeCloseTo(mean(classes.map((_, i) => Number(second(i)))), 5);
  const surprise = mean(classes.map((c, i) => -Math.log(p[3 * i + c])));
  expect(over(new metrics.Perplexity(), classes, p, 3)).toBeCloseTo(Math.exp(surprise), 3);
});

test('metrics of numbers', () => {
  const [y, p] = [values(n, 6), values(n, 7)];
  const mean = [...y].reduce((a, b) => a + b, 0) / n;
  const residual = [...y].reduce((total, x, i) => total + (x - p[i]) ** 2, 0);
  const spread = [...y].reduce((total, x) => total + (x - mean) ** 2, 0);
  expect(over(new metrics.R2Score(), y, p)).toBeCloseTo(1 - residual / spread, 4);
  expect(over(new metrics.RootMeanSquaredError(), y, p)).toBeCloseTo(Math.sqrt(residual / n), 5);
});

test('in fit: of the epoch, started over in the next, and in validation', async () => {
  const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [1], kernelInitializer: 'ones' })] });
  model.compile({
    optimizer: train.sgd(0),
    loss: 'mse',
    metrics: ['precision', new metrics.Recall({ name: 'r' }), 'mae'],
  });
  const [x, y] = [tensor(scores, [n, 1]), tensor(labels, [n, 1])];
  const guessed = [...scores].filter((p) => p > 0.5).length;
  const hits = [...labels].filter((label, i) => label === 1 && scores[i] > 0.5).length;
  const { history } = await model.fit(x, y, { epochs: 2, batchSize: 4, verbose: 0, validationData: [x, y] });
  for (const key of ['precision', 'val_precision']) {
    for (const value of history[key]) expect(value).toBeCloseTo(hits / guessed, 5);
  }
  expect(history.r[0]).toBeCloseTo(hits / [...labels].filter((label) => label === 1).length, 5);
  expect(history.r[1]).toBe(history.r[0]);
  const { numTensors } = memory();
  await model.fit(x, y, { epochs: 2, batchSize: 4, verbose: 0 });
  expect(memory().numTensors).toBeLessThanOrEqual(numTensors);
});
