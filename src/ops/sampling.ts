/**
 * Rows of samplers that draw until a candidate is accepted: gamma and poisson variates. Every element has random bits of its own for
 * each of its attempts, so a value is a pure function of the key and its place. Lanes go on together until the last of them is
 * done.
 */
import { fail } from '../base/errors.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import { newArray } from '../types/dtype.ts';
import type { TensorType } from '../types/shape.ts';
import { sameShape, sizeOf, stridesOf } from '../types/shape.ts';
import type { Coord, PointContext } from './lowering.ts';
import { emitThreefry, threefry } from './random.ts';
import type { NDArray, OpRow } from './row.ts';
import { expectDType, f32, i32, show } from './rule.ts';

/** Attempts at most. Each is accepted with a probability above 0.75, so running out of them is not to be expected in this universe. */
const ATTEMPTS = 64;
/** Streams of bits for one attempt. */
const STREAMS = 4;

/** The key int32[...lead, 2] and a parameter [...lead, ...own]: the type of one sample for each element of the parameter. */
function sampleType(op: string, key: TensorType, parameter: TensorType, dtype: 'float32' | 'int32'): TensorType[] {
  expectDType(op, key, ['int32'], 'the key');
  expectDType(op, parameter, ['float32'], 'the parameter');
  const lead = key.shape.slice(0, -1);
  if (key.shape.at(-1) !== 2 || !sameShape(lead, parameter.shape.slice(0, lead.length))) {
    fail(
      op,
      'the key must be int32[..., 2] with the leading axes of the parameter',
      `got ${show(key)}, ${show(parameter)}`,
    );
  }
  return [{ dtype, shape: parameter.shape }];
}

/** Uniform in (0, 1): the middle of one of 2^24 steps, so that neither end is met. */
const unitOf = (bits: number) => ((bits >>> 8) + 0.5) * 2 ** -24;

/** Calls draw(uniform(attempt, stream), parameter) for each element. */
function evaluateSampler(
  [key, parameter]: readonly NDArray[],
  dtype: 'float32' | 'int32',
  draw: (uniform: (attempt: number, stream: number) => number, parameter: number) => number,
) {
  const out = newArray(dtype, parameter.data.length);
  const own = sizeOf(parameter.shape.slice(key.shape.length - 1));
  for (let i = 0; i < out.length; i++) {
    const at = 2 * Math.floor(i / own);
    const uniform = (attempt: number, stream: number) =>
      unitOf(threefry(key.data[at], key.data[at + 1], i % own, attempt * STREAMS + stream)[0]);
    out[i] = draw(uniform, parameter.data[i]);
  }
  return [out];
}

type Uniform = (stream: number) => Reg;

/**
 * Runs attempts until every lane is done. `attempt` gives a candidate and whether it is accepted; `isDone` are lanes that need none.
 */
function emitAttempts(
  { b, inputs, outputs: [type], load }: PointContext,
  at: readonly Coord[],
  start: Reg,
  isDone: Reg,
  attempt: (uniform: Uniform) => { value: Reg; accepted: Reg },
): Reg {
  const lead = inputs[0].shape.length - 1;
  const strides = stridesOf(type.shape);
  const flat = at.slice(lead).reduce((sum, c, axis) => plus(sum, times(c.at, strides[lead + axis])), constant(0));
  const counter = b.index(flat, at.slice(lead).at(-1)?.laneStep ?? 0);
  const word = (i: number) => load(0, [...at.slice(0, lead), { at: constant(i), laneStep: 0 }]);
  const key = [word(0), word(1)];
  const result = b.acc(start);
  const waiting = b.acc(b.convert('maskToI32', b.unary('not', isDone)));
  b.loop('attempt', 0, ATTEMPTS, (v) => {
    const goesOn = b.reduceLanes('max', waiting, b.lanes);
    b.loop(
      'if',
      0,
      1,
      () => {
        const uniform = (stream: number) => {
          const number = b.index(shift(times(variable(v), STREAMS), stream));
          return unit(b, emitThreefry(b, key[0], key[1], counter, number));
        };
        const { value, accepted } = attempt(uniform);
        const takes = b.binary('and', accepted, b.convert('i32ToMask', waiting));
        b.set(result, b.select(takes, value, result));
        b.set(waiting, b.select(takes, b.i32(0), waiting));
      },
      { until: goesOn },
    );
  });
  return result;
}

function unit(b: KernelBuilder, bits: Reg): Reg {
  const steps = b.convert('i32ToF32', b.binary('shr', bits, b.i32(8)));
  return b.binary('mul', b.binary('add', steps, b.f32(0.5)), b.f32(2 ** -24));
}

/** sqrt(-2 log u) cos(2 pi v). */
function normal(b: KernelBuilder, u: Reg, v: Reg): Reg {
  const radius = b.unary('sqrt', b.binary('mul', b.unary('log', u), b.f32(-2)));
  return b.binary('mul', radius, b.unary('cos', b.binary('mul', v, b.f32(2 * Math.PI))));
}

// ---- gamma -------------------------------------------------------------------------------------------------------------

/** (1 + y)^3 - 1 - 3 log(1 + y) - 4.5 y^2 for small y: 0.75 y^4 - 0.6 y^5 + 0.5 y^6 - ... */
const TAIL = [3 / 10, -1 / 3, 3 / 8, -3 / 7, 1 / 2, -3 / 5, 3 / 4];
const SMALL = 0.25;

/** Marsaglia & Tsang (2000): d (1 + c x)^3 for a normal x; below 1 the variate of alpha + 1 times u^(1 / alpha). */
function drawGamma(uniform: (attempt: number, stream: number) => number, alpha: number): number {
  if (!(alpha > 0)) return Number.NaN;
  const d = (alpha < 1 ? alpha + 1 : alpha) - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const x = Math.sqrt(-2 * Math.log(uniform(attempt, 1))) * Math.cos(2 * Math.PI * uniform(attempt, 2));
    const v = 1 + c * x;
    if (v <= 0) continue;
    if (Math.log(uniform(attempt, 3)) >= (x * x) / 2 + d - d * v ** 3 + d * Math.log(v ** 3)) continue;
    return d * v ** 3 * (alpha < 1 ? uniform(0, 0) ** (1 / alpha) : 1);
  }
  return d;
}

function emitGamma(context: PointContext, at: readonly Coord[]): Reg[] {
  const { b, load } = context;
  const alpha = load(1, at);
  const [one, zero] = [b.f32(1), b.f32(0)];
  const isSmall = b.compare('lt', alpha, one);
  const d = b.binary('sub', b.select(isSmall, b.binary('add', alpha, one), alpha), b.f32(1 / 3));
  const c = b.binary('div', one, b.unary('sqrt', b.binary('mul', d, b.f32(9))));
  const isWrong = b.unary('not', b.compare('gt', alpha, zero));
  const power = b.acc(one);
  const first = b.acc(b.i32(1));
  const result = emitAttempts(context, at, d, isWrong, (uniform) => {
    b.loop(
      'if',
      0,
      1,
      () => {
        const root = b.unary('exp', b.binary('div', b.unary('log', uniform(0)), alpha));
        b.set(power, b.select(isSmall, root, power));
        b.set(first, b.i32(0));
      },
      { until: first },
    );
    const x = normal(b, uniform(1), uniform(2));
    const y = b.binary('mul', c, x);
    const v = b.binary('add', y, one);
    const cube = b.binary('mul', v, b.binary('mul', v, v));
    const isPositive = b.compare('gt', v, zero);
    const logarithm = b.unary('log', b.select(isPositive, v, one));
    // d (1 - v^3 + 3 log v) + x^2 / 2: where y is small, everything up to y^3 cancels.
    const plain = b.binary('add', b.binary('sub', one, cube), b.binary('mul', logarithm, b.f32(3)));
    const direct = b.fma(d, plain, b.binary('mul', b.binary('mul', x, x), b.f32(0.5)));
    const square = b.binary('mul', y, y);
    const tail = TAIL.slice(1).reduce((sum, t) => b.fma(sum, y, b.f32(t)), b.f32(TAIL[0]));
    const series = b.unary('neg', b.binary('mul', d, b.binary('mul', tail, b.binary('mul', square, square))));
    const isNear = b.compare('lt', b.unary('abs', y), b.f32(SMALL));
    const bound = b.select(isNear, series, direct);
    const accepted = b.binary('and', isPositive, b.compare('lt', b.unary('log', uniform(3)), bound));
    return { value: b.binary('mul', d, cube), accepted };
  });
  return [b.select(isWrong, b.f32(Number.NaN), b.binary('mul', result, power))];
}

// ---- poisson -----------------------------------------------------------------------------------------------------------

/** Below this rate products of uniforms are counted; from it on candidates are accepted or not (PTRS). */
const COUNTED = 10;
/** More events than this do not happen at a rate below 10. */
const MOST_COUNTED = ATTEMPTS * STREAMS;
const STIRLING = [1 / 12, -1 / 360, 1 / 1260];

/** log k! by Stirling's series, for k of 0 as well. */
function logFactorial(k: number): number {
  let shifted = 0;
  let x = k + 1;
  while (x < 9) shifted -= Math.log(x++);
  const r = 1 / x;
  return (
    shifted +
    (x - 0.5) * Math.log(x) -
    x +
    0.5 * Math.log(2 * Math.PI) +
    r * (STIRLING[0] + r * r * (STIRLING[1] + r * r * STIRLING[2]))
  );
}

/** Knuth's products for small rates; Hörmann's transformed rejection (1993, algorithm PTRS) for others. */
function drawPoisson(uniform: (attempt: number, stream: number) => number, rate: number): number {
  if (!(rate > 0) || rate === Infinity) return rate === 0 ? 0 : -1;
  if (rate < COUNTED) {
    const least = Math.exp(-rate);
    let product = 1;
    for (let k = 0; k < MOST_COUNTED; k++) {
      product *= uniform(Math.floor(k / STREAMS), k % STREAMS);
      if (product <= least) return k;
    }
    return MOST_COUNTED;
  }
  const spread = 0.931 + 2.53 * Math.sqrt(rate);
  const a = -0.059 + 0.02483 * spread;
  const inverse = 1.1239 + 1.1328 / (spread - 3.4);
  const squeeze = 0.9277 - 3.6224 / (spread - 2);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const u = uniform(attempt, 0) - 0.5;
    const v = uniform(attempt, 1);
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + spread) * u + rate + 0.43);
    if (us >= 0.07 && v <= squeeze) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const left = Math.log((v * inverse) / (a / (us * us) + spread));
    if (left <= k * Math.log(rate) - rate - logFactorial(k)) return k;
  }
  return Math.floor(rate);
}

/** (1 + t) log(1 + t) - t for small t: sum of (-t)^n / (n (n - 1)). */
const ENTROPY = [1 / 56, -1 / 42, 1 / 30, -1 / 20, 1 / 12, -1 / 6, 1 / 2];
const NEAR = 0.1;

/** log of the probability of k events, k >= 0 an integer: no term is large where the result is not. */
function logProbability(b: KernelBuilder, k: Reg, rate: Reg): Reg {
  const one = b.f32(1);
  const isNone = b.compare('lt', k, b.f32(0.5));
  const safe = b.select(isNone, one, k);
  const t = b.binary('div', b.binary('sub', safe, rate), rate);
  const series = ENTROPY.slice(1).reduce((sum, c) => b.fma(sum, t, b.f32(c)), b.f32(ENTROPY[0]));
  const near = b.binary('mul', b.binary('mul', t, t), series);
  const ratio = b.binary('add', t, one);
  const far = b.binary('sub', b.binary('mul', ratio, b.unary('log', ratio)), t);
  const entropy = b.select(b.compare('lt', b.unary('abs', t), b.f32(NEAR)), near, far);
  const r = b.binary('div', one, safe);
  const square = b.binary('mul', r, r);
  const correction = b.binary(
    'mul',
    r,
    b.fma(square, b.fma(square, b.f32(STIRLING[2]), b.f32(STIRLING[1])), b.f32(STIRLING[0])),
  );
  const root = b.binary('mul', b.unary('log', b.binary('mul', safe, b.f32(2 * Math.PI))), b.f32(0.5));
  const sum = b.binary('add', b.binary('add', root, correction), b.binary('mul', rate, entropy));
  return b.unary('neg', b.select(isNone, rate, sum));
}

function emitPoisson(context: PointContext, at: readonly Coord[]): Reg[] {
  const { b, load } = context;
  const rate = load(1, at);
  const zero = b.f32(0);
  const isRate = b.binary('and', b.compare('gt', rate, zero), b.compare('lt', rate, b.f32(Number.POSITIVE_INFINITY)));
  const isCounted = b.binary('and', isRate, b.compare('lt', rate, b.f32(COUNTED)));
  const isLarge = b.binary('and', isRate, b.unary('not', isCounted));
  const none = b.select(b.compare('eq', rate, zero), zero, b.f32(-1));
  const counted = countProducts(context, at, rate, none, isCounted);
  const spread = b.fma(b.unary('sqrt', rate), b.f32(2.53), b.f32(0.931));
  const a = b.fma(spread, b.f32(0.02483), b.f32(-0.059));
  const inverse = b.binary('add', b.binary('div', b.f32(1.1328), b.binary('sub', spread, b.f32(3.4))), b.f32(1.1239));
  const squeeze = b.binary('sub', b.f32(0.9277), b.binary('div', b.f32(3.6224), b.binary('sub', spread, b.f32(2))));
  const result = emitAttempts(context, at, counted, b.unary('not', isLarge), (uniform) => {
    const u = b.binary('sub', uniform(0), b.f32(0.5));
    const v = uniform(1);
    const us = b.binary('sub', b.f32(0.5), b.unary('abs', u));
    const slope = b.binary('add', b.binary('div', b.binary('mul', a, b.f32(2)), us), spread);
    const k = b.unary('floor', b.fma(slope, u, b.binary('add', rate, b.f32(0.43))));
    const isInside = b.binary('and', b.compare('ge', us, b.f32(0.07)), b.compare('le', v, squeeze));
    const isOutside = b.binary(
      'or',
      b.compare('lt', k, zero),
      b.binary('and', b.compare('lt', us, b.f32(0.013)), b.compare('gt', v, us)),
    );
    const hat = b.binary('add', b.binary('div', a, b.binary('mul', us, us)), spread);
    const left = b.unary('log', b.binary('div', b.binary('mul', v, inverse), hat));
    const fits = b.compare('le', left, logProbability(b, b.binary('max', k, zero), rate));
    const accepted = b.binary('or', isInside, b.binary('and', b.unary('not', isOutside), fits));
    return { value: k, accepted };
  });
  return [b.convert('f32ToI32', result)];
}

/** How many uniforms it takes until their product is e^-rate, less one. */
function countProducts(context: PointContext, at: readonly Coord[], rate: Reg, start: Reg, isCounted: Reg): Reg {
  const { b } = context;
  const least = b.unary('exp', b.unary('neg', rate));
  const product = b.acc(b.f32(1));
  const count = b.acc(b.f32(0));
  return emitAttempts(context, at, start, b.unary('not', isCounted), (uniform) => {
    const value = b.acc(b.f32(0));
    const found = b.acc(b.i32(0));
    for (let stream = 0; stream < STREAMS; stream++) {
      b.set(product, b.binary('mul', product, uniform(stream)));
      const ends = b.binary('and', b.compare('le', product, least), b.compare('eq', found, b.i32(0)));
      b.set(value, b.select(ends, count, value));
      b.set(found, b.select(ends, b.i32(1), found));
      b.set(count, b.binary('add', count, b.f32(1)));
    }
    return { value, accepted: b.convert('i32ToMask', found) };
  });
}

// ---- the derivative of gamma variates ------------------------------------------------------------------------------------

/** From here on Wilson and Hilferty's cube of a normal is exact enough to be differentiated. */
const CUBIC = 1000;
const MOST_TERMS = 4096;
const DIGAMMA = [-1 / 12, 1 / 120, -1 / 252];

function digamma(x: number): number {
  let sum = 0;
  let y = x;
  for (; y < 6; y++) sum -= 1 / y;
  const r = 1 / (y * y);
  return sum + Math.log(y) - 0.5 / y + r * (DIGAMMA[0] + r * (DIGAMMA[1] + r * DIGAMMA[2]));
}

/**
 * dz / d alpha at a fixed value of the distribution function (Figurnov, Mohamed & Mnih 2018): z times the sum over n of
 * z^n / (alpha .. (alpha + n)) (psi(alpha + n + 1) - log z).
 */
function derivative(alpha: number, z: number): number {
  if (!(alpha > 0) || !(z >= 0)) return Number.NaN;
  if (z === 0) return 0;
  if (alpha >= CUBIC) return cubicDerivative(alpha, z);
  let term = 1 / alpha;
  let psi = digamma(alpha + 1) - Math.log(z);
  let sum = term * psi;
  for (let n = 1; n < MOST_TERMS; n++) {
    term *= z / (alpha + n);
    psi += 1 / (alpha + n);
    sum += term * psi;
    if (z < alpha + n && term * (Math.abs(psi) + 1) < 1e-17 * Math.abs(sum)) break;
  }
  return z * sum;
}

/** Of z = d (1 + x / sqrt(9 d))^3 at fixed x. */
function cubicDerivative(alpha: number, z: number): number {
  const d = alpha - 1 / 3;
  const root = Math.cbrt(z / d);
  return root ** 3 - 1.5 * root ** 2 * (root - 1);
}

/** psi(x) for x >= 1, six steps up and the asymptotic series. */
function emitDigamma(b: KernelBuilder, x: Reg): Reg {
  const one = b.f32(1);
  let steps = b.f32(0);
  for (let k = 0; k < 6; k++) steps = b.binary('add', steps, b.binary('div', one, b.binary('add', x, b.f32(k))));
  const y = b.binary('add', x, b.f32(6));
  const r = b.binary('div', one, b.binary('mul', y, y));
  const series = b.binary('mul', r, b.fma(r, b.fma(r, b.f32(DIGAMMA[2]), b.f32(DIGAMMA[1])), b.f32(DIGAMMA[0])));
  const head = b.binary('sub', b.unary('log', y), b.binary('div', b.f32(0.5), y));
  return b.binary('sub', b.binary('add', head, series), steps);
}

function emitDerivative({ b, load }: PointContext, at: readonly Coord[]): Reg[] {
  const [alpha, z] = [load(0, at), load(1, at)];
  const [zero, one] = [b.f32(0), b.f32(1)];
  const isRight = b.binary('and', b.compare('gt', alpha, zero), b.compare('ge', z, zero));
  const isCubic = b.compare('ge', alpha, b.f32(CUBIC));
  const hasSeries = b.binary('and', b.binary('and', isRight, b.unary('not', isCubic)), b.compare('gt', z, zero));
  const [a, x] = [b.select(hasSeries, alpha, one), b.select(hasSeries, z, one)];
  const term = b.acc(b.binary('div', one, a));
  const psi = b.acc(b.binary('sub', emitDigamma(b, b.binary('add', a, one)), b.unary('log', x)));
  const sum = b.acc(b.binary('mul', term, psi));
  const place = b.acc(a);
  const waiting = b.acc(b.convert('maskToI32', hasSeries));
  b.loop('n', 1, MOST_TERMS, () => {
    const goesOn = b.reduceLanes('max', waiting, b.lanes);
    b.loop(
      'if',
      0,
      1,
      () => {
        b.set(place, b.binary('add', place, one));
        const step = b.binary('div', one, place);
        b.set(term, b.binary('mul', term, b.binary('mul', x, step)));
        b.set(psi, b.binary('add', psi, step));
        b.set(sum, b.fma(term, psi, sum));
        const size = b.binary('mul', term, b.binary('add', b.unary('abs', psi), one));
        const isSmall = b.compare('le', size, b.binary('mul', b.unary('abs', sum), b.f32(1e-8)));
        const ends = b.binary('and', isSmall, b.compare('lt', x, place));
        b.set(waiting, b.select(ends, b.i32(0), waiting));
      },
      { until: goesOn },
    );
  });
  const d = b.binary('sub', alpha, b.f32(1 / 3));
  const root = b.unary('exp', b.binary('mul', b.unary('log', b.binary('div', z, d)), b.f32(1 / 3)));
  const square = b.binary('mul', root, root);
  const bent = b.binary('mul', b.binary('sub', root, one), b.f32(-1.5));
  const cubic = b.binary('mul', square, b.binary('add', root, bent));
  const value = b.select(isCubic, cubic, b.select(hasSeries, b.binary('mul', x, sum), zero));
  return [b.select(isRight, value, b.f32(Number.NaN))];
}

// ---- the rows ------------------------------------------------------------------------------------------------------------

const key = () => i32([2], -(2 ** 31), 2 ** 31 - 1);
const keys = (...lead: number[]) => i32([...lead, 2], -(2 ** 31), 2 ** 31 - 1);

function samplesFor(low: number, high: number) {
  return [
    ...[[], [0], [1], [7], [9], [3, 5], [2, 3, 17]].map((shape) => ({ inputs: [key(), f32(shape, low, high)] })),
    { inputs: [keys(3), f32([3, 5], low, high)] },
    { inputs: [keys(2, 2), f32([2, 2], low, high)] },
  ];
}

export const samplingRows = {
  gammaSample: {
    name: 'gammaSample',
    summary: 'gamma variates for each alpha, of rate 1: Marsaglia and Tsang, with bits of the key and the place',
    arity: 2,
    infer: ([k, alpha]) => sampleType('gammaSample', k, alpha, 'float32'),
    // Of the distribution, not of the drawing with its rejections: the builder gives it.
    gradient: 'constant',
    batching: 'leading',
    evaluate: (inputs) => evaluateSampler(inputs, 'float32', drawGamma),
    lowering: { tag: 'point', emit: emitGamma },
    get samples() {
      return [...samplesFor(0.3, 3), { inputs: [key(), f32([64], 5, 3000)] }];
    },
    // Below 1 the power 1 / alpha multiplies what rounding does to u.
    tolerance: { absolute: 1e-5, relative: 2e-5 },
  },
  poissonSample: {
    name: 'poissonSample',
    summary: 'poisson variates for each rate: products of uniforms below 10, transformed rejection from there on',
    arity: 2,
    infer: ([k, rate]) => sampleType('poissonSample', k, rate, 'int32'),
    gradient: 'constant',
    batching: 'leading',
    evaluate: (inputs) => evaluateSampler(inputs, 'int32', drawPoisson),
    lowering: { tag: 'point', emit: emitPoisson },
    get samples() {
      return [...samplesFor(0, 9), { inputs: [key(), f32([64], 0, 40)] }, { inputs: [key(), f32([64], 50, 500)] }];
    },
    tolerance: { absolute: 0, relative: 0 },
  },
  gammaSampleGradient: {
    name: 'gammaSampleGradient',
    summary: 'how a gamma variate z moves with alpha at a fixed value of the distribution function',
    arity: 2,
    infer([alpha, z]) {
      expectDType('gammaSampleGradient', alpha, ['float32'], 'alpha');
      expectDType('gammaSampleGradient', z, ['float32'], 'the variate');
      if (!sameShape(alpha.shape, z.shape)) {
        fail('gammaSampleGradient', 'inputs must have one shape', `got ${show(alpha)} and ${show(z)}`);
      }
      return [{ dtype: 'float32', shape: z.shape }];
    },
    // Second derivatives of samples are taken to be zero.
    gradient: 'constant',
    batching: 'leading',
    evaluate([alpha, z]) {
      return [Float32Array.from(z.data, (value, i) => derivative(alpha.data[i], value))];
    },
    lowering: { tag: 'point', emit: emitDerivative },
    get samples() {
      return [
        ...[[], [0], [1], [7], [9], [3, 5]].map((shape) => ({ inputs: [f32(shape, 0.2, 4), f32(shape, 0, 6)] })),
        { inputs: [f32([40], 55, 65), f32([40], 42, 82)] },
        { inputs: [f32([20], 2000, 3000), f32([20], 2000, 3000)] },
      ];
    },
    tolerance: { absolute: 1e-4, relative: 1e-3 },
  },
} satisfies { readonly [name: string]: OpRow };
