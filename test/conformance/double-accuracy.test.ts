/**
 * How good the composites are in float64: greatest errors in units of 2^-52 of the result, against the engine's functions and
 * mpmath's values. docs/special-functions.md has the same table; tighten both together.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { constantLike, expm1, log1p, parameter, tanh } from '../../src/ops/build.ts';
import * as c from '../../src/ops/composite.ts';
import { uniform } from './samples.ts';
import { type Limits, specialCases, type Unary } from './special-functions.ts';
import type { Target } from './targets.ts';
import { availableTargets, reference } from './targets.ts';

let targets: Target[] = [];
beforeAll(async () => {
  targets = [reference, ...(await availableTargets()).filter(({ name }) => name === 'x64' || name === 'wasm')];
});

/** Numbers of every size between low and high, and as many evenly spaced, of both signs where low is not negative. */
function numbers(low: number, high: number, count = 1000, both = false): Float64Array {
  const random = uniform(7);
  const sizes = low > 0 ? Array.from({ length: count }, () => low * (high / low) ** random()) : [];
  const even = Array.from({ length: count }, () => low + (high - low) * random());
  const all = [...sizes, ...even];
  return Float64Array.from(both ? all.flatMap((x) => [x, -x]) : all);
}

interface Case {
  readonly f: Unary;
  readonly truth: (x: number) => number;
  readonly limit: number;
  readonly xs: Float64Array;
}

const cases: { readonly [name: string]: Case } = {
  tan: { f: c.tan, truth: Math.tan, limit: 8, xs: numbers(1e-300, 1, 1000, true) },
  asin: { f: c.asin, truth: Math.asin, limit: 4, xs: numbers(1e-300, 1, 1000, true) },
  acos: { f: c.acos, truth: Math.acos, limit: 4, xs: numbers(-1, 1) },
  atan: { f: c.atan, truth: Math.atan, limit: 3, xs: numbers(1e-300, 1e300, 1000, true) },
  atan2: {
    f: (y) => c.atan2(y, constantLike(y, -1 / 3)),
    truth: (y) => Math.atan2(y, -1 / 3),
    limit: 3,
    xs: numbers(-9, 9),
  },
  sinh: { f: c.sinh, truth: Math.sinh, limit: 8, xs: numbers(1e-300, 709.9, 1000, true) },
  cosh: { f: c.cosh, truth: Math.cosh, limit: 8, xs: numbers(1e-300, 709.9, 1000, true) },
  tanh: { f: tanh, truth: Math.tanh, limit: 4, xs: numbers(1e-300, 30, 1000, true) },
  asinh: { f: c.asinh, truth: Math.asinh, limit: 4, xs: numbers(1e-300, 1e300, 1000, true) },
  acosh: { f: c.acosh, truth: Math.acosh, limit: 4, xs: numbers(1, 1e300) },
  atanh: { f: c.atanh, truth: Math.atanh, limit: 4, xs: numbers(1e-300, 0.999, 1000, true) },
  expm1: { f: expm1, truth: Math.expm1, limit: 4, xs: numbers(1e-300, 700, 1000, true) },
  log1p: { f: log1p, truth: Math.log1p, limit: 4, xs: numbers(1e-300, 0.999, 1000, true) },
  exp2: { f: c.exp2, truth: (x) => 2 ** x, limit: 4, xs: numbers(-1000, 1000) },
  log2: { f: c.log2, truth: Math.log2, limit: 4, xs: numbers(1e-300, 1e300) },
  log10: { f: c.log10, truth: Math.log10, limit: 4, xs: numbers(1e-300, 1e300) },
  cbrt: { f: c.cbrt, truth: Math.cbrt, limit: 2, xs: numbers(1e-300, 1e300, 1000, true) },
  hypot: {
    f: (x) => c.hypot(x, constantLike(x, -1 / 3)),
    truth: (x) => Math.hypot(x, -1 / 3),
    limit: 3,
    xs: numbers(1e-300, 1e300),
  },
  softplus: { f: c.softplus, truth: (x) => (x > 40 ? x : Math.log1p(Math.exp(x))), limit: 4, xs: numbers(-300, 60) },
  sinc: {
    f: c.sinc,
    truth: (x) => Math.sin(Math.PI * (x > 0.5 ? 1 - x : x)) / (Math.PI * x),
    limit: 5,
    xs: numbers(1e-300, 0.99),
  },
};

const limits: Limits = {
  lgamma: { limit: 8 },
  lgammaNegative: { limit: 8, floor: 1e-14 },
  digamma: { limit: 8 },
  digammaNegative: { limit: 8, floor: 2e-14 },
  trigamma: { limit: 12 },
  polygamma2: { limit: 16, floor: 1e-12 },
  polygamma5: { limit: 16 },
  zeta3: { limit: 8 },
  'zeta1.25': { limit: 8 },
  erfc: { limit: 12 },
  erfcx: { limit: 12 },
  erfInv: { limit: 12 },
  normalCdf: { limit: 12 },
  besselI0: { limit: 12 },
  besselI1: { limit: 12 },
  besselI0e: { limit: 8 },
  besselI1e: { limit: 8 },
  besselK0: { limit: 16 },
  besselK1: { limit: 12 },
  besselK0e: { limit: 16 },
  besselK1e: { limit: 12 },
  besselJ0: { limit: 4, floor: 1e-15 },
  besselJ1: { limit: 4, floor: 1e-15 },
  besselY0: { limit: 4, floor: 1e-15 },
  besselY1: { limit: 4, floor: 1e-15 },
};

/** The smallest normal number's distance to its neighbour counts below it. */
const UNIT = 2 ** -52;
const LEAST = 2 ** -1022;

function check(f: Unary, truth: (x: number) => number, limit: number, xs: Float64Array, floor = 0): void {
  const x = parameter('float64', [xs.length]);
  const y = f(x);
  expect(y.dtype).toBe('float64');
  for (const target of targets) {
    const { data } = target.run([y], new Map([[x, { dtype: 'float64' as const, shape: [xs.length], data: xs }]]))[0];
    let worst = { units: 0, text: '' };
    xs.forEach((at, i) => {
      const [got, wanted] = [data[i], truth(at)];
      const missed = Math.abs(got - wanted);
      if (Object.is(got, wanted) || missed <= floor) return;
      const units = Number.isFinite(missed) ? missed / (UNIT * Math.max(LEAST, Math.abs(wanted))) : Infinity;
      if (units > worst.units) worst = { units, text: `f(${at}) is ${got}, not ${wanted}` };
    });
    expect(worst.units, `${target.name}: ${worst.text}`).toBeLessThanOrEqual(limit);
  }
}

describe('in units of 2^-52', () => {
  it.each(Object.entries(cases))('%s', (_name, { f, truth, limit, xs }) => check(f, truth, limit, xs));

  it.each(specialCases(limits))('$name', ({ f, truth, limit, floor }) => {
    check(f, (x) => truth.get(x) as number, limit, Float64Array.from(truth.keys()), floor);
  });
});
