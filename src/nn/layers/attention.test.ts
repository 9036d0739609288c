/** Attention against its formula in plain numbers: masks, causality, heads. */
import { expect, test } from 'vitest';
import { values } from '../../../test/values.ts';
import { type Tensor, tensor } from '../../tensor/index.ts';
import { layers } from './index.ts';

type Matrix = number[][];
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0].map((_, j) => row.reduce((total, x, k) => total + x * b[k][j], 0)));
const flip = (a: Matrix): Matrix => a[0].map((_, j) => a.map((row) => row[j]));
/** softmax over the entries that count */
function weightsOf(scores: Matrix, counts: (i: number, j: number) => boolean): Matrix {
  return scores.map((row, i) => {
    const exps = row.map((x, j) => (counts(i, j) ? Math.exp(x) : 0));
    const total = exps.reduce((a, b) => a + b, 0);
    return exps.map((x) => x / total);
  });
}
const close = (got: ArrayLike<number>, want: Matrix) => {
  const flat = want.flat();
  expect(got.length).toBe(flat.length);
  flat.forEach((value, i) => expect(got[i]).toBeCloseTo(value, 5));
};
const matrix = (rows: number, columns: number, seed: number) => tensor(values(rows * columns, seed), [rows, columns]);

test('attention: values weighted by products, with a mask and causality', () => {
  const [q, v, k] = [matrix(3, 4, 1), matrix(3, 2, 2), matrix(3, 4, 3)];
  const batch = [q, v, k].map((x) => x.expandDims(0));
  const layer = layers.attention();
  const [Q, V, K] = [q, v, k].map((x) => x.arraySync() as Matrix);
  const scores = product(Q, flip(K));
  const [output, weights] = layer.apply<Tensor[]>(batch, { returnAttentionScores: true });
  close(
    weights.dataSync(),
    weightsOf(scores, () => true),
  );
  close(
    output.dataSync(),
    product(
      weightsOf(scores, () => true),
      V,
    ),
  );
  const mask = tensor([1, 1, 0], [1, 3], 'bool');
  close(
    layer.apply(batch, { mask: [null, mask, null] }).dataSync(),
    product(
      weightsOf(scores, (_, j) => j < 2),
      V,
    ),
  );
  close(
    layer.apply(batch, { useCausalMask: true }).dataSync(),
    product(
      weightsOf(scores, (i, j) => j <= i),
      V,
    ),
  );
});

test('additive attention', () => {
  const layer = layers.additiveAttention({ useScale: false });
  const [q, v] = [matrix(2, 3, 1), matrix(4, 3, 2)];
  const [Q, V] = [q, v].map((x) => x.arraySync() as Matrix);
  const scores = Q.map((a) => V.map((b) => a.reduce((total, x, i) => total + Math.tanh(x + b[i]), 0)));
  close(
    layer.apply([q.expandDims(0), v.expandDims(0)]).dataSync(),
    product(
      weightsOf(scores, () => true),
      V,
    ),
  );
});

test('several heads: each in its projection; shared heads of keys and values give the same as repeated ones', () => {
  const layer = layers.multiHeadAttention({ numHeads: 2, keyDim: 3, valueDim: 2, biasInitializer: 'randomNormal' });
  const [x, y] = [matrix(3, 4, 1), matrix(5, 6, 2)];
  const got = layer.apply([x.expandDims(0), y.expandDims(0)], { useCausalMask: true });
  const [wq, bq, wk, bk, wv, bv, wo, bo] = layer.getWeights().map((w) => w.arraySync()) as never[];
  const head = (input: Matrix, w: number[][][], b: number[][], h: number): Matrix =>
    product(
      input,
      w.map((row) => row[h]),
    ).map((row) => row.map((value, i) => value + b[h][i]));
  const [X, Y] = [x.arraySync() as Matrix, y.arraySync() as Matrix];
  const out: Matrix = X.map(() => [...(bo as number[])]);
  for (const h of [0, 1]) {
    const scores = product(head(X, wq, bq, h), flip(head(Y, wk, bk, h))).map((row) => row.map((s) => s / Math.sqrt(3)));
    const mixed = product(
      weightsOf(scores, (i, j) => j <= i),
      head(Y, wv, bv, h),
    );
    product(mixed, (wo as number[][][])[h]).forEach((row, i) => row.forEach((value, j) => (out[i][j] += value)));
  }
  close(got.dataSync(), out);
  expect(got.shape).toEqual([1, 3, 4]);

  const grouped = layers.groupQueryAttention({ headDim: 3, numQueryHeads: 4, numKeyValueHeads: 2 });
  const full = layers.multiHeadAttention({ numHeads: 4, keyDim: 3 });
  const z = tensor(values(2 * 3 * 4, 5), [2, 3, 4]);
  const want = grouped.apply([z, z]).dataSync();
  full.apply([z, z]);
  const repeat = (w: Tensor, axis: number) => {
    const parts = w.unstack(axis);
    return [parts[0], parts[0], parts[1], parts[1]].map((p) => p.expandDims(axis)).reduce((a, b) => a.concat(b, axis));
  };
  const w = grouped.getWeights();
  full.setWeights([w[0], w[1], repeat(w[2], 1), repeat(w[3], 0), repeat(w[4], 1), repeat(w[5], 0), w[6], w[7]]);
  close(full.apply([z, z]).dataSync(), [[...want]]);
  expect(() => layers.groupQueryAttention({ headDim: 3, numQueryHeads: 4, numKeyValueHeads: 3 })).toThrow(
    /must divide/,
  );
  expect(() => full.apply(z)).toThrow(/the layer needs \[query, value\] or \[query, value, key\]/);
});
