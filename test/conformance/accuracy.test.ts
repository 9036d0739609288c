/**
 * How good the composites are: greatest errors in units of the last place of float32, against double precision and against
 * mpmath's values. docs/special-functions.md has the same table; tighten both together.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import type { Value } from '../../src/graph/graph.ts';
import * as c from '../../src/ops/composite.ts';
import { atan2 } from '../../src/ops/composite.ts';
import { constantLike, expm1, log1p, parameter, rsqrt, tanh, zerosLike } from '../../src/ops/build.ts';
import type { NDArray } from '../../src/ops/row.ts';
import { type Limits, specialCases, type Unary } from './special-functions.ts';
import type { Target } from './targets.ts';
import { availableTargets, reference } from './targets.ts';
import { between, compute, floats, worst } from './ulp.ts';

let targets: Target[] = [];
beforeAll(async () => {
  targets = [reference, ...(await availableTargets()).filter(({ name }) => name !== 'interpreter')];
});

const everywhere = floats(2 ** -149, 3.4e38);
const positive = floats(2 ** -149, 3.4e38, 20_000, false);
const third = Math.fround(-1 / 3);

interface Case {
  readonly name: string;
  readonly f: Unary;
  readonly truth: (x: number) => number;
  readonly limit: number;
  readonly xs: Float32Array;
  /** Errors below it do not count. */
  readonly floor?: number;
}

const cases: readonly Case[] = [
  { name: 'tan', f: c.tan, truth: Math.tan, limit: 4, xs: floats(1e-38, 1e5) },
  { name: 'asin', f: c.asin, truth: Math.asin, limit: 4, xs: between(-1, 1) },
  { name: 'asin near 0', f: c.asin, truth: Math.asin, limit: 4, xs: floats(1e-40, 1) },
  { name: 'acos', f: c.acos, truth: Math.acos, limit: 4, xs: between(-1, 1) },
  { name: 'atan', f: c.atan, truth: Math.atan, limit: 3, xs: everywhere },
  {
    name: 'atan2',
    f: (y) => atan2(y, constantLike(y, third)),
    truth: (y) => Math.atan2(y, third),
    limit: 3,
    xs: everywhere,
  },
  { name: 'sinh', f: c.sinh, truth: Math.sinh, limit: 3, xs: between(-90, 90) },
  { name: 'sinh near 0', f: c.sinh, truth: Math.sinh, limit: 3, xs: floats(1e-40, 1) },
  { name: 'cosh', f: c.cosh, truth: Math.cosh, limit: 3, xs: between(-90, 90) },
  { name: 'tanh', f: tanh, truth: Math.tanh, limit: 2, xs: everywhere },
  { name: 'asinh', f: c.asinh, truth: Math.asinh, limit: 3, xs: everywhere },
  { name: 'acosh', f: c.acosh, truth: Math.acosh, limit: 3, xs: floats(1, 3.4e38, 20_000, false) },
  { name: 'atanh', f: c.atanh, truth: Math.atanh, limit: 3, xs: between(-1, 1) },
  { name: 'atanh near 0', f: c.atanh, truth: Math.atanh, limit: 3, xs: floats(1e-40, 1) },
  { name: 'expm1', f: expm1, truth: Math.expm1, limit: 3, xs: everywhere },
  { name: 'log1p', f: log1p, truth: Math.log1p, limit: 3, xs: floats(2 ** -149, 0.9999) },
  { name: 'log1p', f: log1p, truth: Math.log1p, limit: 3, xs: positive },
  { name: 'rsqrt', f: rsqrt, truth: (x) => 1 / Math.sqrt(x), limit: 2, xs: positive },
  { name: 'exp2', f: c.exp2, truth: (x) => 2 ** x, limit: 2, xs: between(-150, 129) },
  { name: 'log2', f: c.log2, truth: Math.log2, limit: 2, xs: positive },
  { name: 'log10', f: c.log10, truth: Math.log10, limit: 2.5, xs: positive },
  { name: 'cbrt', f: c.cbrt, truth: Math.cbrt, limit: 1, xs: everywhere },
  {
    name: 'logit',
    f: c.logit,
    truth: (x) => Math.log(x) - Math.log1p(-x),
    limit: 4,
    xs: floats(1e-38, 0.3, 9e3, false),
  },
  { name: 'logit', f: c.logit, truth: (x) => Math.log1p((2 * x - 1) / (1 - x)), limit: 4, xs: between(0.25, 0.999) },
  {
    name: 'sinc',
    f: c.sinc,
    truth: (x) => (x === 0 ? 1 : Math.sin(Math.PI * (x - 2 * Math.round(x / 2))) / (Math.PI * x)),
    limit: 4,
    xs: between(-0.99, 0.99),
  },
  {
    name: 'hypot',
    f: (x) => c.hypot(x, constantLike(x, third)),
    truth: (x) => Math.hypot(x, third),
    limit: 2,
    xs: everywhere,
  },
  {
    name: 'softplus',
    f: c.softplus,
    truth: (x) => (x > 30 ? x : Math.log1p(Math.exp(x))),
    limit: 2.5,
    xs: floats(1e-30, 103),
  },
];

const limits: Limits = {
  lgamma: { limit: 6 },
  lgammaNegative: { limit: 3, floor: 3e-6 },
  digamma: { limit: 3 },
  digammaNegative: { limit: 3, floor: 1e-5 },
  trigamma: { limit: 6 },
  polygamma2: { limit: 9, floor: 1e-4 },
  polygamma5: { limit: 9 },
  zeta3: { limit: 5 },
  'zeta1.25': { limit: 5 },
  erfc: { limit: 4 },
  erfcx: { limit: 4 },
  erfInv: { limit: 4 },
  normalCdf: { limit: 4 },
  besselI0: { limit: 6 },
  besselI1: { limit: 6 },
  besselI0e: { limit: 4 },
  besselI1e: { limit: 4 },
  besselK0: { limit: 9 },
  besselK1: { limit: 5 },
  besselK0e: { limit: 7 },
  besselK1e: { limit: 5 },
  besselJ0: { limit: 3, floor: 4e-7 },
  besselJ1: { limit: 3, floor: 4e-7 },
  besselY0: { limit: 3, floor: 4e-7 },
  besselY1: { limit: 3, floor: 4e-7 },
};

function check(f: Unary, truth: (x: number) => number, limit: number, xs: Float32Array, floor?: number) {
  for (const target of targets) {
    const found = worst(compute(target, f, xs), truth, [xs], floor);
    expect(found.ulp, `${target.name}: f(${found.at}) is ${found.got}, not ${found.wanted}`).toBeLessThanOrEqual(limit);
  }
}

describe('in ulp', () => {
  it.each(cases)('$name is within $limit', ({ f, truth, limit, xs, floor }) => check(f, truth, limit, xs, floor));

  it.each(specialCases(limits))('$name', ({ f, truth, limit, floor }) => {
    check(f, (x) => truth.get(x) as number, limit, Float32Array.from(truth.keys()), floor);
  });
});

describe('at the ends', () => {
  const [inf, nan] = [Infinity, NaN];
  it.each<[string, Unary, number[], number[]]>([
    ['lgamma', c.lgamma, [0, -1, -7, inf, -inf, nan, 1, 2], [inf, inf, inf, inf, inf, nan, 0, 0]],
    ['digamma', c.digamma, [0, -0, -1, inf, nan], [-inf, inf, nan, inf, nan]],
    ['trigamma', (x) => c.polygamma(1, x), [0, inf, nan], [inf, 0, nan]],
    ['erfc', c.erfc, [inf, -inf, nan, 0], [0, 2, nan, 1]],
    ['erfcx', c.erfcx, [inf, -inf, nan, 0], [0, inf, nan, 1]],
    ['erfInv', c.erfInverse, [1, -1, 2, nan, 0], [inf, -inf, nan, nan, 0]],
    ['normalCdf', c.normalCdf, [inf, -inf, nan, 0], [1, 0, nan, 0.5]],
    ['besselI0', c.besselI0, [inf, -inf, nan, 0, 1000], [inf, inf, nan, 1, inf]],
    ['besselI1', c.besselI1, [inf, -inf, nan, 0, -1000], [inf, -inf, nan, 0, -inf]],
    ['besselK0', c.besselK0, [0, inf, nan, -1], [inf, 0, nan, nan]],
    ['besselK1', c.besselK1, [0, inf, nan, -1], [inf, 0, nan, nan]],
    ['besselY0', c.besselY0, [0, nan, -1], [-inf, nan, nan]],
    ['besselY1', c.besselY1, [0, nan, -1], [-inf, nan, nan]],
    ['besselJ0', c.besselJ0, [0, nan], [1, nan]],
    ['cbrt', c.cbrt, [-8, 0, inf, -inf, nan], [-2, 0, inf, -inf, nan]],
    ['log2', c.log2, [0, inf, -1, nan, 1], [-inf, inf, nan, nan, 0]],
    ['logit', c.logit, [0, 1, 0.5, nan], [-inf, inf, 0, nan]],
    ['asinh', c.asinh, [inf, -inf, nan, 0], [inf, -inf, nan, 0]],
    ['sinh', c.sinh, [inf, -inf, nan, 0], [inf, -inf, nan, 0]],
  ])('%s', (_name, f, xs, wanted) => {
    for (const target of targets) expect([...compute(target, f, Float32Array.from(xs))], target.name).toEqual(wanted);
  });

  it('atan2, hypot and copySign take all signs of zeros and infinities', () => {
    const all = [0, -0, 1, -1, inf, -inf, nan];
    const a = Float32Array.from(all.flatMap((x) => all.map(() => x)));
    const b = Float32Array.from(all.flatMap(() => all));
    const pairs: [(x: Value, y: Value) => Value, (x: number, y: number) => number][] = [
      [c.atan2, Math.atan2],
      [c.hypot, Math.hypot],
      [c.copySign, (x, y) => (y < 0 || Object.is(y, -0) ? -Math.abs(x) : Math.abs(x))],
    ];
    for (const [f, truth] of pairs) {
      for (const target of targets) {
        const got = compute(target, f, a, b);
        for (let i = 0; i < a.length; i++) {
          // The sign of a NaN is nothing to speak of.
          if (Number.isNaN(b[i]) && f === c.copySign) continue;
          const wanted = truth(a[i], b[i]);
          const where = `${target.name}: (${a[i]}, ${b[i]}) gives ${got[i]}, not ${wanted}`;
          expect(Object.is(got[i], wanted) || (wanted !== 0 && Math.abs(got[i] - wanted) < 1e-6), where).toBe(true);
        }
      }
    }
  });

  it('nextAfter steps to the neighbour', () => {
    const x = Float32Array.of(1, 1, -1, 0, 0, 3.4028234663852886e38, 1, 1.401298464324817e-45);
    const y = Float32Array.of(2, 0, 0, 1, -1, inf, 1, -1);
    const wanted = [1 + 2 ** -23, 1 - 2 ** -24, -1 + 2 ** -24, 2 ** -149, -(2 ** -149), inf, 1, 0];
    for (const target of targets) expect([...compute(target, c.nextAfter, x, y)], target.name).toEqual(wanted);
  });

  it('xlogy is 0 where x is, with a gradient that is a number', () => {
    const [x, y] = [Float32Array.of(0, 0, 2, 0), Float32Array.of(0, -1, 3, nan)];
    for (const target of targets) {
      const got = compute(target, c.xlogy, x, y);
      expect([got[0], got[1], got[3]]).toEqual([0, 0, nan]);
      expect(got[2]).toBeCloseTo(2 * Math.log(3), 5);
    }
  });
});

/** d f / dx at the points, by autodiff on the reference. */
function slope(f: Unary, order: number, xs: Float32Array): Float32Array {
  const x = parameter('float32', [xs.length]);
  let y = f(x);
  for (let i = 0; i < order; i++) y = gradients([y], [x])[0] ?? zerosLike(x);
  const feeds = new Map([[x, { dtype: 'float32', shape: [xs.length], data: xs } as NDArray]]);
  return reference.run([y], feeds)[0].data as Float32Array;
}

describe('gradients are those of central differences', () => {
  const near = Float32Array.of(0.3, 0.6, 0.8);
  const wide = Float32Array.of(-2.3, -0.7, 0.3, 0.8, 1.7, 2.6, 3.9, 5.2, 9.7);
  const right = wide.filter((x) => x > 0);
  it.each<[string, Unary, Float32Array]>([
    ['lgamma', c.lgamma, wide],
    ['digamma', c.digamma, wide],
    ['trigamma', (x) => c.polygamma(1, x), wide],
    ['zeta in q', (x) => c.zeta(constantLike(x, 2.5), x), right],
    ['zeta in x', (x) => c.zeta(x, constantLike(x, 1.5)), Float32Array.of(1.5, 2, 4)],
    ['erfc', c.erfc, wide],
    ['erfcx', c.erfcx, wide],
    ['erfInv', c.erfInverse, near],
    ['normalCdf', c.normalCdf, wide],
    ['besselI0', c.besselI0, wide],
    ['besselI1', c.besselI1, wide],
    ['besselI0e', c.besselI0e, wide],
    ['besselI1e', c.besselI1e, wide],
    ['besselK0', c.besselK0, right],
    ['besselK1', c.besselK1, right],
    ['besselK0e', c.besselK0e, right],
    ['besselK1e', c.besselK1e, right],
    ['besselJ0', c.besselJ0, wide],
    ['besselJ1', c.besselJ1, wide],
    ['besselY0', c.besselY0, right],
    ['besselY1', c.besselY1, right],
    ['exp2', c.exp2, wide],
    ['log2', c.log2, right],
    ['log10', c.log10, right],
    ['cbrt', c.cbrt, wide],
    ['logit', c.logit, near],
    ['sinc', c.sinc, wide],
    ['hypot', (x) => c.hypot(x, constantLike(x, 1.5)), wide],
    ['xlogy in x', (x) => c.xlogy(x, constantLike(x, 1.5)), wide],
    ['xlogy in y', (x) => c.xlogy(constantLike(x, 1.5), x), right],
    ['xlog1py', (x) => c.xlog1py(constantLike(x, 1.5), x), right],
    ['copySign', (x) => c.copySign(x, constantLike(x, -1)), wide],
    ['atan2 in y', (x) => c.atan2(x, constantLike(x, -0.5)), wide],
    ['atan2 in x', (x) => c.atan2(constantLike(x, -0.5), x), wide],
    ['sinPi', c.sinPi, wide],
    ['cosPi', c.cosPi, wide],
  ])('%s, to second order', (_name, f, xs) => {
    const h = 2 ** -7;
    for (const order of [0, 1]) {
      const [up, down] = [1, -1].map((side) =>
        slope(
          f,
          order,
          xs.map((x) => x + side * h),
        ),
      );
      const got = slope(f, order + 1, xs);
      for (let i = 0; i < xs.length; i++) {
        const wanted = (up[i] - down[i]) / (2 * h);
        // The difference has an error of h^2 / 6 of the third derivative, and rounding over h.
        const error = Math.abs(got[i] - wanted) / (Math.abs(wanted) + Math.abs(up[i]) + 0.1);
        expect(error, `order ${order + 1} at ${xs[i]}: ${got[i]}, not ${wanted}`).toBeLessThan(4e-3);
      }
    }
  });
});
