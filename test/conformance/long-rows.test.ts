/**
 * Generated from the op table: every row's samples with int64 in the place of int32, from the ends of its range to small numbers, on
 * every target against the row's own evaluation, bit for bit; and that evaluation, where a row is a function of elements, against
 * BigInt.asIntN(64, ...).
 */
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/graph.ts';
import { apply, parameter } from '../../src/ops/build.ts';
import type { NDArray, OpRow, Sample } from '../../src/ops/row.ts';
import { table } from '../../src/ops/table.ts';
import { sampleArrays, uniform } from './samples.ts';
import { counted } from './count.ts';
import { difference, reference } from './targets.ts';

const least = -(2n ** 63n);
const most = 2n ** 63n - 1n;
const edges = [
  least,
  least + 1n,
  -(2n ** 32n) - 1n,
  -(2n ** 31n),
  -2n,
  -1n,
  0n,
  1n,
  2n,
  3n,
  2n ** 32n + 1n,
  most - 1n,
  most,
];

/** Rows whose int32 is no number that could be int64, with the reason; all others take it. */
const refusing: { readonly [row: string]: string } = {
  gather: 'places are int32 in rows: builders clamp those of int64',
  ravelIndices: 'places',
  dynamicSlice: 'places',
  dynamicUpdateSlice: 'places',
  maxPoolBackprop: 'places',
  maxPoolGather: 'places',
  randomBits: 'keys are two words of 32 bits',
  bitsToUnit: 'the words of randomBits',
  gammaSample: 'keys',
  poissonSample: 'keys',
};

const places = (i: bigint) => i < 0n || i > 63n;
/** What a row makes of elements, before it wraps; of division by 0 the row alone decides. */
const truths: { readonly [row: string]: (a: bigint, b: bigint) => bigint | boolean | null } = {
  neg: (a) => -a,
  abs: (a) => (a < 0n ? -a : a),
  sign: (a) => BigInt(Number(a > 0n) - Number(a < 0n)),
  square: (a) => a * a,
  relu: (a) => (a > 0n ? a : 0n),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => (b === 0n ? null : floored(a, b)),
  floorDiv: (a, b) => (b === 0n ? null : floored(a, b)),
  mod: (a, b) => (b === 0n ? null : a - floored(a, b) * b),
  maximum: (a, b) => (a > b ? a : b),
  minimum: (a, b) => (a < b ? a : b),
  squaredDifference: (a, b) => (a - b) * (a - b),
  pow: (a, b) => (b >= 0n && b < 100n ? a ** b : null),
  equal: (a, b) => a === b,
  notEqual: (a, b) => a !== b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
  bitwiseAnd: (a, b) => a & b,
  bitwiseOr: (a, b) => a | b,
  bitwiseXor: (a, b) => a ^ b,
  leftShift: (a, b) => (places(b) ? 0n : a << b),
  rightShift: (a, b) => a >> (places(b) ? 63n : b),
  rightShiftLogical: (a, b) => (places(b) ? 0n : BigInt.asUintN(64, a) >> b),
};

function floored(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return quotient * b !== a && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** Loops carry graphs of their own dtypes. */
const rows = Object.values<OpRow>(table).filter(
  ({ samples, lowering }) =>
    lowering.tag !== 'loops' && samples.some(({ inputs }) => inputs.some(({ dtype }) => dtype === 'int32')),
);
const count = counted('int64', rows.length);

/** Which inputs can be int64 together: all that are int32, or, beside places, those of the result. */
function widened({ name, samples }: OpRow): Sample[] {
  return samples.flatMap((sample) => {
    const isPlace = name.startsWith('scatter') ? (i: number) => i === sample.inputs.length - 2 : () => false;
    const inputs = sample.inputs.map((input, i) =>
      input.dtype === 'int32' && !isPlace(i) ? { ...input, dtype: 'int64' as const } : input,
    );
    return inputs.some(({ dtype }) => dtype === 'int64') ? [{ ...sample, inputs }] : [];
  });
}

/** A third each: numbers of the sample's range, ends, all the bits. */
function longArrays(name: string, sample: Sample, seed: number): NDArray[] {
  const random = uniform(seed);
  const arrays = sampleArrays(sample, seed);
  for (const { dtype, data } of arrays) {
    if (dtype !== 'int64') continue;
    const longs = data as unknown as BigInt64Array;
    for (let i = 0; i < longs.length; i++) {
      const way = Math.floor(3 * random());
      if (way === 1) longs[i] = edges[Math.floor(edges.length * random())];
      if (way === 2)
        longs[i] = (BigInt(Math.floor(2 ** 32 * random())) << 32n) | BigInt(Math.floor(2 ** 32 * random()));
    }
  }
  if (name === 'searchSorted') {
    const n = arrays[0].shape[1];
    for (let i = 0; i < arrays[0].data.length; i += n) arrays[0].data.subarray(i, i + n).sort();
  }
  return arrays;
}

function differsFromTruth(row: OpRow, inputs: readonly NDArray[], output: NDArray): string[] {
  const truth = truths[row.name];
  if (!truth) return [];
  const [a, b] = inputs.map(({ data }) => data as unknown as BigInt64Array);
  return Array.from(output.data as unknown as BigInt64Array).flatMap((got: bigint | number, i) => {
    const want = truth(a[i], b?.[i]);
    if (want === null || (typeof want === 'boolean' ? Number(want) : BigInt.asIntN(64, want)) === got) return [];
    return [`${row.name}(${a[i]}, ${b?.[i]}) is ${got}, not ${want}`];
  });
}

function compare(row: OpRow, sample: Sample, index: number): string[] {
  const shapes = sample.inputs.map((input) => `${input.dtype}[${input.shape}]`).join(' ');
  const where = `sample ${index}: ${row.name} ${shapes} ${JSON.stringify(sample.attrs ?? {})}`;
  const inputs = sample.inputs.map((input) => parameter(input.dtype, input.shape));
  const outputs: readonly Value[] = apply(row.name, inputs, sample.attrs);
  const arrays = longArrays(row.name, sample, index + 1);
  const feeds = new Map(inputs.map((input, i) => [input, arrays[i]]));
  const wanted = reference.run(outputs, feeds);
  const problems = differsFromTruth(row, arrays, wanted[0]);
  const work = arrays.reduce((sum, { data }) => sum + data.length, 1);
  for (const target of count.targets) {
    // The interpreter is slow: the others run all samples, it runs the small ones.
    if (work > target.limit / 10) continue;
    try {
      for (const [i, result] of target.run(outputs, feeds).entries()) {
        count.comparisons++;
        const problem = difference(result, wanted[i], { absolute: 0, relative: 0 });
        if (problem) problems.push(`${target.name}, ${where}: output ${i}: ${problem}`);
      }
    } catch (error) {
      problems.push(`${target.name}, ${where}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return problems;
}

describe.each(rows.map((row) => [row.name, row] as const))('%s', (name, row) => {
  it(name in refusing ? 'refuses int64' : 'agrees with the reference, and that with BigInt', () => {
    const samples = widened(row);
    if (name in refusing) {
      const inputs = samples[0].inputs.map((input) => parameter(input.dtype, input.shape));
      expect(() => apply(name, inputs, samples[0].attrs)).toThrow('int64');
      return;
    }
    expect(samples.flatMap((sample, i) => compare(row, sample, i)).slice(0, 5)).toEqual([]);
  });
});
