/** CTC against the sum over all alignments, circle loss against its formula in plain numbers; both train a model. */
import { expect, test } from 'vitest';
import {
  layers,
  losses,
  regularizers,
  scalar,
  sequential,
  setSeed,
  type Scalar,
  type Tensor,
  tensor,
  train,
  valueAndGrad,
} from '../index.ts';
import { values } from '../../test/values.ts';
import { getLoss } from './losses.ts';
import { circleOf, ctc } from './sequence_losses.ts';

/** -log of the sum over all sequences of classes that spell the labels. */
function byEnumeration(labels: readonly number[], logits: readonly (readonly number[])[]): number {
  const rows = logits.map((row) => {
    const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
    return row.map((x) => x - total);
  });
  const classes = rows[0].length;
  let probability = 0;
  for (let code = 0; code < classes ** rows.length; code++) {
    const path = rows.map((_, t) => Math.floor(code / classes ** t) % classes);
    const spelt = path.filter((c, t) => c !== 0 && c !== path[t - 1]);
    if (spelt.join() !== labels.join()) continue;
    probability += Math.exp(path.reduce((sum, c, t) => sum + rows[t][c], 0));
  }
  return -Math.log(probability);
}

test.each([
  [[[1, 2]], 4, 3],
  [[[1, 1]], 5, 3],
  [
    [
      [2, 0, 0],
      [1, 2, 1],
    ],
    5,
    3,
  ],
  [[[0, 0]], 3, 2],
  [[[1]], 1, 3],
])('ctc of %j in %i frames of %i classes', (labels, frames, classes) => {
  const batch = labels.length;
  const numbers = values(batch * frames * classes, 3).map((x) => 3 * x);
  const logits = tensor(numbers, [batch, frames, classes]);
  const got = ctc(tensor(labels, undefined, 'int32'), logits).dataSync();
  const rows = logits.arraySync() as number[][][];
  labels.forEach((row, n) => {
    expect(got[n]).toBeCloseTo(
      byEnumeration(
        row.filter((c) => c > 0),
        rows[n],
      ),
      4,
    );
  });
  // The gradient against differences.
  const loss = (x: Tensor) => ctc(tensor(labels, undefined, 'int32'), x).sum() as Scalar;
  const { grad } = valueAndGrad(loss as never)(logits as never) as unknown as { grad: Tensor };
  const slopes = grad.dataSync();
  for (let i = 0; i < numbers.length; i += 4) {
    const at = (step: number) =>
      loss(
        tensor(
          numbers.map((x, k) => (k === i ? x + step : x)),
          [batch, frames, classes],
        ),
      ).dataSync()[0];
    expect(Math.abs(slopes[i] - (at(1e-2) - at(-1e-2)) / 2e-2)).toBeLessThan(2e-3);
  }
});

test('ctc where no alignment fits is large, and finite', () => {
  const got = ctc(tensor([[1, 1, 2]], undefined, 'int32'), tensor(values(9, 1), [1, 3, 3])).dataSync()[0];
  expect(got).toBeGreaterThan(1e20);
  expect(Number.isFinite(got)).toBe(true);
  expect(() => ctc(tensor([1, 2]), tensor([[1]]))).toThrow('labels must be [batch, length]');
});

test('ctc trains a model', async () => {
  setSeed(2);
  const model = sequential({ layers: [layers.dense({ units: 3, inputShape: [8, 4] })] });
  model.compile({ optimizer: train.adam(0.1), loss: 'ctc' });
  const x = tensor(values(2 * 8 * 4, 5), [2, 8, 4]);
  const y = tensor(
    [
      [1, 2, 0],
      [2, 1, 2],
    ],
    undefined,
    'int32',
  );
  const { history } = await model.fit(x, y, { epochs: 80, verbose: 0 });
  expect(history['loss'].at(-1)).toBeLessThan(0.3 * (history['loss'][0] as number));
  model.dispose();
});

test('circle', async () => {
  const vectors = [
    [1, 0],
    [0.6, 0.8],
    [0, 1],
    [-0.6, 0.8],
    [0.8, -0.6],
  ];
  const labels = [0, 0, 1, 1, 2];
  const [gamma, margin] = [80, 0.4];
  const want = vectors.map((a, i) => {
    let [pull, push] = [0, 0];
    vectors.forEach((b, j) => {
      const d = Math.max(0, 1 - a[0] * b[0] - a[1] * b[1]);
      if (labels[i] === labels[j] && i !== j) pull += Math.exp(-gamma * Math.max(0, margin + d) * (margin - d));
      if (labels[i] !== labels[j]) push += Math.exp(gamma * Math.max(0, 1 + margin - d) * (1 - margin - d));
    });
    return pull > 0 && push > 0 ? Math.log1p(pull * push) : 0;
  });
  const got = circleOf({})(tensor(labels, [5, 1], 'int32'), tensor(vectors)).dataSync();
  want.forEach((value, i) => expect(Math.abs(got[i] - value)).toBeLessThan(1e-3 * (1 + value)));
  setSeed(3);
  const model = sequential({ layers: [layers.dense({ units: 2, inputShape: [2] }), layers.unitNormalization()] });
  model.compile({ optimizer: train.adam(0.02), loss: losses.circle({ gamma: 4 }) });
  const { history } = await model.fit(tensor(vectors), tensor(labels, [5, 1], 'int32'), { epochs: 60, verbose: 0 });
  expect(history['loss'].at(-1)).toBeLessThan(history['loss'][0] as number);
  model.dispose();
});

test('every loss of Keras 3 has a name', () => {
  const keras = [
    'mean_squared_error',
    'mean_absolute_error',
    'mean_absolute_percentage_error',
    'mean_squared_logarithmic_error',
    'cosine_similarity',
    'hinge',
    'squared_hinge',
    'categorical_hinge',
    'huber',
    'kl_divergence',
    'poisson',
    'log_cosh',
    'logcosh',
    'binary_crossentropy',
    'categorical_crossentropy',
    'sparse_categorical_crossentropy',
    'binary_focal_crossentropy',
    'categorical_focal_crossentropy',
    'categorical_generalized_cross_entropy',
    'dice',
    'tversky',
    'circle',
    'ctc',
    'kld',
    'mse',
    'mae',
    'mape',
    'msle',
  ];
  for (const name of keras) expect(getLoss('test', name).name, name).toBeTruthy();
});

test('losses by factory', () => {
  const [y, p] = [
    tensor([
      [0, 2],
      [3, 4],
    ]),
    tensor([
      [1, 2],
      [4, 3],
    ]),
  ];
  expect(losses.cosineSimilarity().call(y, p).dataSync()[1]).toBeCloseTo(-24 / 25, 5);
  expect(losses.meanAbsoluteError({ reduction: 'sum' }).reduction).toBe('sum');
  const shares = tensor([
    [0.3, 0.7],
    [0.5, 0.5],
  ]);
  const general = losses
    .categoricalGeneralizedCrossEntropy({ q: 0.7 })
    .call(tensor([1, 0], [2], 'int32'), shares)
    .dataSync();
  expect(general[0]).toBeCloseTo((1 - 0.7 ** 0.7) / 0.7, 5);
  expect(() => losses.categoricalGeneralizedCrossEntropy({ q: 1 })).toThrow('q must be in (0, 1)');
});

test('orthogonal regularizer', () => {
  const penalty = regularizers.orthogonal({ factor: 0.1 });
  expect(
    penalty
      .apply(
        tensor([
          [1, 0],
          [0, 2],
        ]),
      )
      .dataSync()[0],
  ).toBe(0);
  // One pair of rows at 45 degrees.
  expect(
    penalty
      .apply(
        tensor([
          [1, 0],
          [3, 3],
        ]),
      )
      .dataSync()[0],
  ).toBeCloseTo(0.1 * Math.SQRT1_2, 5);
  const columns = regularizers.orthogonal({ factor: 1, mode: 'columns' });
  expect(
    columns
      .apply(
        tensor([
          [1, 1],
          [0, 1],
        ]),
      )
      .dataSync()[0],
  ).toBeCloseTo(Math.SQRT1_2, 5);
  expect(() => penalty.apply(scalar(1))).toThrow('weights must be matrices');
  const layer = layers.dense({ units: 2, kernelRegularizer: 'orthogonal', inputShape: [3] });
  expect((layer.getConfig()['kernelRegularizer'] as { className: string }).className).toBe('OrthogonalRegularizer');
});
