/** How good the decompositions are, against double precision. docs/kernel-ir.md has the same table; tighten both together. */
import { describe, expect, it } from 'vitest';
import { erf } from '../../kernel/erf.ts';
import { binary } from '../../kernel/scalar.ts';
import { legalize } from './legalize.ts';
import { accuracy, compute, full, kernelOf } from './measure.ts';

const special = [
  ...[0, 1, 0.5, 2, 3, Infinity, NaN, 2 ** -149, 2 ** -126, 2 ** -127, 3.4028234663852886e38, 1e-10, 1e10, 0.55, 4, 10],
  ...[88.72283, 88.72284, 88.8, 89, 103.97208, 103.97209, 104, 87.33655, 87.4, 150, 9.0109, 9.011, 3.9192, 0.70710677],
  ...[0.99999994, 1.0000001, 1.4142135, 1.4142137, 1.1754942e-38, 0.34657359, 0.17328679, 6.2831855, 102942],
].flatMap((x) => [x, -x]);

/** A quarter of a million floats of all sizes and both signs, and the special ones. */
function everywhere(limit = Infinity): Float32Array {
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  const values = special.slice();
  for (let u = 0; u < 2 ** 32; u += 16411) {
    bits[0] = u;
    values.push(float[0]);
  }
  return Float32Array.from(values.filter((x) => !(Math.abs(x) > limit) || Math.abs(x) === Infinity));
}

/** Floats between two bounds, evenly. */
function between(low: number, high: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
}

/** The floats beside multiples of pi/2, where the reduction has to cancel most. */
function nearMultiples(limit: number): Float32Array {
  const values: number[] = [];
  for (let n = 1; (n * Math.PI) / 2 < limit; n++) {
    const x = Math.fround((n * Math.PI) / 2);
    const step = 2 ** (Math.floor(Math.log2(x)) - 23);
    values.push(x, x - step, -x - step);
  }
  return Float32Array.from(values);
}

const reducible = 102943;

describe.each([
  { fma: true, rounding: 'rounded once' },
  { fma: false, rounding: 'rounded twice' },
])('with fma $rounding', ({ fma }) => {
  it.each([
    { fn: 'exp', reference: Math.exp, limit: 1.1, sets: [everywhere(), between(-104, 89, 200_000)] },
    { fn: 'log', reference: Math.log, limit: 1, sets: [everywhere(), between(0.5, 2, 200_000)] },
    { fn: 'tanh', reference: Math.tanh, limit: 1.5, sets: [everywhere(), between(-10, 10, 200_000)] },
    { fn: 'erf', reference: erf, limit: 1.4, sets: [between(-4.5, 4.5, 200_000), Float32Array.from(special)] },
    { fn: 'sin', reference: Math.sin, limit: 1.7, sets: [everywhere(reducible), nearMultiples(reducible)] },
    { fn: 'cos', reference: Math.cos, limit: 1.7, sets: [everywhere(reducible), nearMultiples(reducible)] },
  ] as const)('$fn is within $limit ulp', ({ fn, reference, limit, sets }) => {
    for (const x of sets) {
      const kernel = legalize(
        kernelOf((b, a) => b.unary(fn, a), [x]),
        full,
      );
      const { worst, at, wrong } = accuracy(compute(kernel, [x], fma), [x], reference);
      expect(wrong).toEqual([]);
      expect(worst, `at ${at}`).toBeLessThan(limit);
    }
  });

  it('pow is within 5 ulp', () => {
    const count = 200_000;
    const random = generator();
    // Bases of all sizes, with exponents that give results of all sizes; then the base near 1; then everyday numbers.
    const x = new Float32Array(count);
    const y = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const base = [() => 2 ** (random() * 270 - 140), () => 0.7 + 0.75 * random(), () => random() * 10][i % 3]();
      x[i] = base;
      y[i] = i % 3 === 2 ? random() * 20 - 10 : ((random() * 2 - 1) * 149) / Math.log2(x[i]);
    }
    const kernel = legalize(
      kernelOf((b, p, q) => b.binary('pow', p, q), [x, y]),
      full,
    );
    const { worst, at, wrong } = accuracy(compute(kernel, [x, y], fma), [x, y], (p, q) => p ** q);
    expect(wrong).toEqual([]);
    expect(worst, `at ${at}`).toBeLessThan(5);
  });

  it('pow knows every special case', () => {
    const values = [
      ...[0, 1, 2, 3, 0.5, 2.5, 1e30, 1e-30, 16777216, 16777215, 8388607.5, 2 ** -149, 3.4028234663852886e38],
      ...[1.0000001, 0.99999994, 127, 128, 149, 150, Infinity, NaN],
    ].flatMap((x) => [x, -x]);
    const x = Float32Array.from(values.flatMap((a) => values.map(() => a)));
    const y = Float32Array.from(values.flatMap(() => values));
    const kernel = legalize(
      kernelOf((b, p, q) => b.binary('pow', p, q), [x, y]),
      full,
    );
    const { worst, wrong } = accuracy(compute(kernel, [x, y], fma), [x, y], binary('pow', 'f32'));
    expect(wrong).toEqual([]);
    expect(worst).toBeLessThan(5);
  });
});

describe.each(['sin', 'cos'] as const)('%s beyond its range', (fn) => {
  const run = (x: Float32Array, fma: boolean) =>
    compute(
      legalize(
        kernelOf((b, a) => b.unary(fn, a), [x]),
        full,
      ),
      [x],
      fma,
    );

  it('has an absolute error below 1e-7 up to a million', () => {
    const x = between(102943, 1e6, 100_000);
    for (const fma of [true, false]) {
      const out = run(x, fma);
      const worst = x.reduce((most, value, i) => Math.max(most, Math.abs(out[i] - Math[fn](value))), 0);
      expect(worst).toBeLessThan(1e-7);
    }
  });

  it('stays within [-1, 1], and is NaN at infinity', () => {
    const out = Array.from(run(Float32Array.from([2e6, 1e7, 1e10, 1e20, 1e38, -1e9, Infinity, -Infinity]), true));
    expect(out.slice(0, 6).every((value) => Math.abs(value) <= 1)).toBe(true);
    expect(out.slice(6)).toEqual([NaN, NaN]);
  });
});

function generator(): () => number {
  let state = 2463534242;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
