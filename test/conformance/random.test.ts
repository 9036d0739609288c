/**
 * Distributions against the truth: Kolmogorov and Smirnov's distance from the distribution function, chi-squared for counts, moments;
 * with fixed keys, so that a run either always passes or never. Bits are equal on all targets (rows.test.ts).
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { registerBackend, setBackend } from '../../src/tensor/backends.ts';
import * as api from '../../src/tensor/api/index.ts';
import * as base from '../../src/tensor/index.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { wasmBackend } from '../../src/tensor/wasm-backend.ts';
import { x64Backend } from '../../src/tensor/x64-backend.ts';

const tf = { ...base, ...api };
const { random } = api;
const N = 20000;
/** Kolmogorov's bound at a level of 10^-3: 1.95 / sqrt(n). */
const KS = 1.95 / Math.sqrt(N);

beforeAll(async () => {
  registerBackend('x64', x64Backend);
  registerBackend('wasm', wasmBackend);
  if (!(await setBackend('x64'))) await setBackend('wasm');
});

function ksDistance(xs: ArrayLike<number>, cdf: (x: number) => number): number {
  const sorted = Float64Array.from(xs).sort();
  let most = 0;
  sorted.forEach((x, i) => {
    const f = cdf(x);
    most = Math.max(most, Math.abs(f - i / sorted.length), Math.abs((i + 1) / sorted.length - f));
  });
  return most;
}

/** log Gamma by Lanczos, and regularised incomplete functions by series and continued fraction (Numerical Recipes 6.2, 6.4). */
function logGamma(x: number): number {
  const c = [
    76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155, 1.208650973866179e-3,
    -5.395239384953e-6,
  ];
  let sum = 1.000000000190015;
  c.forEach((value, i) => (sum += value / (x + 1 + i)));
  const t = x + 5.5;
  return (x + 0.5) * Math.log(t) - t + Math.log((2.5066282746310005 * sum) / x);
}
function gammaCdf(a: number, x: number): number {
  if (x <= 0) return 0;
  const head = Math.exp(-x + a * Math.log(x) - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; n < 2000 && term > sum * 1e-15; n++) sum += term *= x / (a + n);
    return sum * head;
  }
  let f = 1e-300;
  let c = f;
  let d = 0;
  for (let i = 0; i < 2000; i++) {
    const [an, bn] = i === 0 ? [1, x + 1 - a] : [-i * (i - a), x + 2 * i + 1 - a];
    d = 1 / (bn + an * d || 1e-300);
    c = bn + an / c || 1e-300;
    f *= c * d;
  }
  return 1 - head * f;
}
/** By Simpson's rule, good enough for a and b of at least 1. */
function betaCdf(a: number, b: number, x: number): number {
  const norm = Math.exp(logGamma(a) + logGamma(b) - logGamma(a + b));
  const density = (t: number) =>
    t <= 0 || t >= 1 ? ((t <= 0 && a === 1) || (t >= 1 && b === 1) ? 1 : 0) : t ** (a - 1) * (1 - t) ** (b - 1);
  const n = 200;
  let sum = density(0) + density(x);
  for (let i = 1; i < n; i++) sum += density((i * x) / n) * (i % 2 ? 4 : 2);
  return (sum * x) / (3 * n) / norm;
}
/** Abramowitz & Stegun 7.1.26 is too coarse; the incomplete gamma function is not. */
const normalCdf = (x: number) => 0.5 + (x < 0 ? -0.5 : 0.5) * gammaCdf(0.5, (x * x) / 2);
const within = normalCdf(2) - normalCdf(-2);

type Draw = (key: Tensor) => Tensor;
const continuous: [string, Draw, (x: number) => number][] = [
  ['uniform', (k) => random.uniform(k, [N], -1, 3), (x) => (x + 1) / 4],
  ['normal', (k) => random.normal(k, [N], 2, 3), (x) => normalCdf((x - 2) / 3)],
  ['truncatedNormal', (k) => random.truncatedNormal(k, [N]), (x) => (normalCdf(x) - normalCdf(-2)) / within],
  ['gumbel', (k) => random.gumbel(k, [N], 1, 2), (x) => Math.exp(-Math.exp(-(x - 1) / 2))],
  ['exponential', (k) => random.exponential(k, [N], 3), (x) => 1 - Math.exp(-3 * x)],
  [
    'laplace',
    (k) => random.laplace(k, [N], 1, 2),
    (x) => (x < 1 ? Math.exp((x - 1) / 2) / 2 : 1 - Math.exp((1 - x) / 2) / 2),
  ],
  ['logistic', (k) => random.logistic(k, [N]), (x) => 1 / (1 + Math.exp(-x))],
  ['cauchy', (k) => random.cauchy(k, [N]), (x) => 0.5 + Math.atan(x) / Math.PI],
  ['gamma 0.3', (k) => random.gamma(k, [N], 0.3, 2), (x) => gammaCdf(0.3, 2 * x)],
  ['gamma 1', (k) => random.gamma(k, [N], 1), (x) => gammaCdf(1, x)],
  ['gamma 4.5', (k) => random.gamma(k, [N], 4.5), (x) => gammaCdf(4.5, x)],
  ['gamma 300', (k) => random.gamma(k, [N], 300), (x) => gammaCdf(300, x)],
  ['beta', (k) => random.beta(k, [N], 2, 3), (x) => betaCdf(2, 3, x)],
  ['studentT', (k) => random.studentT(k, [N], 2), (x) => 0.5 + x / (2 * Math.sqrt(2 + x * x))],
  ['dirichlet', (k) => tf.slice(random.dirichlet(k, [1, 2, 2], [N]), [0, 0], [N, 1]), (x) => betaCdf(1, 4, x)],
  ['orthogonal', (k) => tf.slice(random.orthogonal(k, 3, [N]), [0, 2, 1], [N, 1, 1]), (x) => (x + 1) / 2],
  ['randomGamma', () => tf.randomGamma([N], 2, 3, 'float32', 5), (x) => gammaCdf(2, 3 * x)],
];

it.each(continuous)('%s follows its distribution', (_name, draw, cdf) => {
  const xs = draw(random.key(20241)).dataSync();
  expect(ksDistance(xs, cdf)).toBeLessThan(KS);
  // Another key, other numbers; the same key, the same.
  expect([...draw(random.key(20241)).dataSync().slice(0, 9)]).toEqual([...xs.slice(0, 9)]);
});

/** Pearson's statistic against probabilities, with classes of few expected counts put together; and its bound at 10^-3 or so. */
function chiSquared(
  xs: ArrayLike<number>,
  probability: (k: number) => number,
  most: number,
): { statistic: number; bound: number } {
  const counts = new Float64Array(most + 1);
  for (let i = 0; i < xs.length; i++) counts[Math.min(most, xs[i])]++;
  let [statistic, classes, expected, seen, total] = [0, 0, 0, 0, 0];
  for (let k = 0; k <= most; k++) {
    const p = k === most ? 1 - total : probability(k);
    total += p;
    expected += p * xs.length;
    seen += counts[k];
    if (expected < 10 && k < most) continue;
    if (expected > 0) statistic += (seen - expected) ** 2 / expected;
    classes++;
    [expected, seen] = [0, 0];
  }
  return { statistic, bound: classes - 1 + 3.3 * Math.sqrt(2 * (classes - 1)) + 8 };
}

const poisson = (rate: number) => (k: number) => Math.exp(k * Math.log(rate) - rate - logGamma(k + 1));
const discrete: [string, Draw, (k: number) => number, number][] = [
  ...[0.2, 3, 9.9, 10, 35, 1000].map((rate): [string, Draw, (k: number) => number, number] => [
    `poisson ${rate}`,
    (k) => random.poisson(k, [N], rate),
    poisson(rate),
    Math.ceil(rate + 6 * Math.sqrt(rate) + 6),
  ]),
  ['categorical', (k) => random.categorical(k, tf.log([1, 2, 3, 4]), [N]), (k) => (k + 1) / 10, 3],
  ['multinomial', () => tf.multinomial([0.5, 0.25, 0.25], N, 3, true), (k) => [0.5, 0.25, 0.25][k], 2],
  ['bernoulli', (k) => random.bernoulli(k, [N], 0.3), (k) => [0.7, 0.3][k], 1],
  ['randint', (k) => tf.sub(random.randint(k, [N], -3, 4), -3), () => 1 / 7, 6],
  [
    'randint of a large span',
    (k) => tf.floorDiv(random.randint(k, [N], 0, 3 * 2 ** 28), tf.scalar(2 ** 28, 'int32')),
    () => 1 / 3,
    2,
  ],
  [
    'choice',
    (k) => random.choice(k, tf.tensor([0, 1, 2], [3], 'int32'), [N], true, [0.2, 0.3, 0.5]),
    (k) => [0.2, 0.3, 0.5][k],
    2,
  ],
  [
    'the first of a permutation',
    (k) =>
      tf
        .stack(tf.unstack(random.split(k, 600)).map((own) => random.permutation(own, 5).slice([0], [1])))
        .reshape([600]),
    () => 1 / 5,
    4,
  ],
];

it.each(discrete)('%s follows its distribution', (_name, draw, probability, most) => {
  const xs = draw(random.key(77)).dataSync();
  const { statistic, bound } = chiSquared(xs, probability, most);
  expect(statistic).toBeLessThan(bound);
});

describe('keys', () => {
  it('split and fold into independent streams', () => {
    const key = random.key(1);
    const [a, b] = tf.unstack(random.split(key)).map((k) => random.normal(k, [N]));
    const c = random.normal(key, [N]);
    const d = random.normal(random.foldIn(key, 1), [N]);
    const e = random.normal(random.foldIn(key, 2), [N]);
    const list = [a, b, c, d, e].map((x) => x.dataSync());
    for (let i = 0; i < list.length; i++) {
      for (let j = 0; j < i; j++) {
        const correlation = Array.from(list[i]).reduce((sum, x, n) => sum + x * list[j][n], 0) / N;
        expect(Math.abs(correlation)).toBeLessThan(4 / Math.sqrt(N));
      }
    }
    expect(random.key(-1).arraySync()).not.toEqual(random.key(2 ** 32 - 1).arraySync());
    expect(random.split(key, 5).shape).toEqual([5, 2]);
  });

  it('permute: each place once, whole slices', () => {
    const order = random.permutation(random.key(3), 5000).dataSync();
    expect([...order].sort((x, y) => x - y)).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    const rows = random.shuffle(random.key(4), tf.reshape(tf.range(0, 20), [5, 4])).arraySync() as number[][];
    for (const row of rows) expect(row).toEqual([row[0], row[0] + 1, row[0] + 2, row[0] + 3]);
    const few = random.choice(random.key(5), 100, [30], false).dataSync();
    expect(new Set(few).size).toBe(30);
    const weighted = random.choice(random.key(5), 4, [2], false, [0, 0.5, 0, 0.5]).dataSync();
    expect([...weighted].sort()).toEqual([1, 3]);
  });

  it('correlated normals have their covariance', () => {
    const covariance = [
      [2, 0.6],
      [0.6, 1],
    ];
    const x = random.multivariateNormal(random.key(8), [1, -2], covariance, [N]);
    const mean = tf.mean(x, 0);
    const centred = tf.sub(x, mean);
    const got = tf.div(tf.matMul(centred, centred, true, false), N).dataSync();
    [2, 0.6, 0.6, 1].forEach((expected, i) => expect(Math.abs(got[i] - expected)).toBeLessThan(0.08));
    expect(Math.abs(mean.dataSync()[0] - 1)).toBeLessThan(0.05);
  });
});

describe('gradients', () => {
  it('of location and scale are 1 and the noise', () => {
    const f = (m: Tensor, s: Tensor) => tf.sum(random.normal(random.key(1), [100], m, s)) as never;
    const [dm, ds] = tf.grads(f)([tf.scalar(2), tf.scalar(3)]);
    expect(dm.dataSync()[0]).toBe(100);
    const noise = tf.sum(random.normal(random.key(1), [100])).dataSync()[0];
    expect(ds.dataSync()[0]).toBeCloseTo(noise, 3);
  });

  it('of gamma variates move the mean by one', () => {
    for (const alpha of [0.3, 1, 7, 60, 2000]) {
      const g = tf.grad((a: Tensor) => tf.mean(random.gamma(random.key(2), [N], a)) as never)(tf.scalar(alpha));
      // E[z] = alpha, so E[dz / d alpha] = 1; its deviation is of order one for small alpha.
      expect(Math.abs((g.dataSync()[0] as number) - 1)).toBeLessThan(0.06);
    }
  });
});

describe('errors', () => {
  const cases: [string, () => unknown, RegExp][] = [
    [
      'a seed for a key',
      () => random.normal(3 as never, [2]),
      /^\[random.normal\] the key must be an int32 tensor \[2\]/,
    ],
    [
      'a parameter',
      () => random.gamma(random.key(0), [2], [1, 2, 3]),
      /^\[random.gamma\] (alpha must broadcast|shapes must broadcast)/,
    ],
    ['randint', () => random.randint(random.key(0), [2], 5, 5), /minval < maxval/],
    ['choice', () => random.choice(random.key(0), 3, [4], false), /no more choices than things/],
    ['multinomial', () => tf.multinomial([1], 3), /at least two outcomes/],
    ['split', () => random.split(random.key(0), 0), /num must be a positive integer/],
  ];
  it.each(cases)('%s', (_name, call, message) => {
    expect(call).toThrow(message);
  });
});
