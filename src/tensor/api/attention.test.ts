/** Attention against its formula in plain ops, with masks, shared heads, causality; and what it keeps in memory. */
import { describe, expect, it } from 'vitest';
import * as tf from '../../index.ts';

type Options = NonNullable<Parameters<typeof tf.scaledDotProductAttention>[3]>;

function plain(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, { mask, isCausal, scale }: Options): tf.Tensor {
  const [t, d] = q.shape.slice(-2);
  const s = k.shape[k.rank - 2];
  let scores = tf.mul(tf.matMul(q, k, false, true), scale ?? 1 / Math.sqrt(d));
  if (mask) {
    const m = mask as tf.Tensor;
    scores = m.dtype === 'bool' ? tf.where(m, scores, tf.fill(scores.shape, -1e30)) : tf.add(scores, m);
  }
  if (isCausal) {
    const seen = tf.lessEqual(
      tf.range(0, s, 1, 'int32').expandDims(0),
      tf
        .range(0, t, 1, 'int32')
        .add(s - t)
        .expandDims(1),
    );
    scores = tf.where(seen, scores, tf.fill(scores.shape, -1e30));
  }
  return tf.matMul(tf.softmax(scores, -1), v);
}

function near(actual: tf.Tensor, expected: tf.Tensor, allowed = 2e-5): void {
  expect(actual.shape).toEqual(expected.shape);
  const [a, b] = [actual.dataSync(), expected.dataSync()];
  for (let i = 0; i < b.length; i++)
    expect(Math.abs(a[i] - b[i]), `element ${i}: ${a[i]}, ${b[i]}`).toBeLessThan(allowed);
}

const random = (...shape: number[]) => tf.randomNormal(shape);

describe('scaledDotProductAttention', () => {
  const cases: [string, number[], number[], number[], () => Options][] = [
    ['one head', [5, 8], [7, 8], [7, 3], () => ({})],
    ['batch and heads, causal', [2, 3, 33, 16], [2, 3, 33, 16], [2, 3, 33, 16], () => ({ isCausal: true })],
    ['a cache of earlier keys', [2, 4, 3, 8], [2, 4, 20, 8], [2, 4, 20, 8], () => ({ isCausal: true })],
    ['many heads, long', [20, 70, 24], [20, 131, 24], [20, 131, 40], () => ({ scale: 0.5 })],
    ['key mask', [3, 2, 9, 4], [3, 2, 11, 4], [3, 2, 11, 4], () => ({ mask: random(3, 1, 1, 11).greater(-0.5) })],
    ['bias of one table', [2, 2, 9, 4], [2, 2, 11, 4], [2, 2, 11, 4], () => ({ mask: random(9, 11) })],
    ['heads share keys', [2, 6, 10, 8], [2, 1, 10, 8], [2, 1, 10, 8], () => ({ isCausal: true })],
  ];
  it.each(cases)('%s: value and gradients', (_, qs, ks, vs, make) => {
    const [q, k, v] = [random(...qs), random(...ks), random(...vs)];
    const options = make();
    near(tf.scaledDotProductAttention(q, k, v, options), plain(q, k, v, options));
    const weights = random(...qs.slice(0, -1), vs[vs.length - 1]);
    const of = (f: typeof plain) =>
      tf.grads((a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => tf.sum(tf.mul(f(a, b, c, options), weights)))([q, k, v]);
    const [fused, formula] = [of((a, b, c, o) => tf.scaledDotProductAttention(a, b, c, o)), of(plain)];
    for (const [i, gradient] of fused.entries()) near(gradient, formula[i], 2e-4);
  });

  it('a query that sees no key gives zeros, and no gradient', () => {
    const [q, k, v] = [random(2, 4), random(3, 4), random(3, 4)];
    const mask = tf.tensor2d(
      [
        [0, 0, 0],
        [1, 1, 1],
      ],
      [2, 3],
      'bool',
    );
    const out = tf.scaledDotProductAttention(q, k, v, { mask });
    expect([...out.dataSync()].slice(0, 4)).toEqual([0, 0, 0, 0]);
    const dq = tf.grad((x: tf.Tensor) => tf.sum(tf.scaledDotProductAttention(x, k, v, { mask })))(q);
    expect([...dq.dataSync()].slice(0, 4)).toEqual([0, 0, 0, 0]);
  });

  it('the gradient for a bias, and second derivatives', () => {
    const [q, k, v, bias] = [random(2, 5, 4), random(2, 6, 4), random(2, 6, 4), random(5, 6)];
    const of = (f: typeof plain) => tf.grad((b: tf.Tensor) => tf.sum(tf.square(f(q, k, v, { mask: b }))))(bias);
    near(
      of((a, b, c, o) => tf.scaledDotProductAttention(a, b, c, o)),
      of(plain),
      2e-4,
    );
    const second = (f: typeof plain) =>
      tf.grad((x: tf.Tensor) =>
        tf.sum(tf.square(tf.grad((y: tf.Tensor) => tf.sum(tf.square(f(y, k, v, { isCausal: true }))))(x))),
      )(q);
    near(
      second((a, b, c, o) => tf.scaledDotProductAttention(a, b, c, o)),
      second(plain),
      2e-3,
    );
  });

  it('says what does not fit', () => {
    expect(() => tf.scaledDotProductAttention(random(2, 4), random(3, 5), random(3, 4))).toThrow(/one depth/);
    expect(() => tf.scaledDotProductAttention(random(2, 4), random(3, 4), random(2, 4))).toThrow(/one length/);
    expect(() =>
      tf.scaledDotProductAttention(random(2, 4), random(3, 4), random(3, 4), { mask: random(3, 3) }),
    ).toThrow(/mask must broadcast/);
  });
});
