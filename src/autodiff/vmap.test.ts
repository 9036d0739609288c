/** Every row's batching rule against a loop over its reference evaluation, each input stacked or shared. */
import { describe, expect, it } from 'vitest';
import { sampleArrays } from '../../test/conformance/samples.ts';
import type { Value } from '../graph/graph.ts';
import { apply, parameter } from '../ops/build.ts';
import { evaluateGraph } from '../ops/evaluate.ts';
import type { NDArray, OpRow, Sample } from '../ops/row.ts';
import { table } from '../ops/table.ts';
import { newArray } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { Stack } from './vmap.ts';

/** Arrays of several draws behind each other, or one. */
function stackArrays(draws: readonly NDArray[]): NDArray {
  const [{ dtype, shape }] = draws;
  const data = newArray(dtype, draws.length * sizeOf(shape));
  for (const [i, draw] of draws.entries()) data.set(draw.data, i * draw.data.length);
  return { dtype, shape: [draws.length, ...shape], data };
}

function elementOf({ dtype, shape, data }: NDArray, i: number): NDArray {
  const inner = shape.slice(1);
  const size = sizeOf(inner);
  return { dtype, shape: inner, data: data.slice(i * size, (i + 1) * size) };
}

/** Largest number of elements of the inputs that are looped over. */
const LIMIT = 3000;

function check(row: OpRow, sample: Sample, seed: number, batched: readonly boolean[], size: number): void {
  const draws = Array.from({ length: Math.max(1, size) }, (_, i) => sampleArrays(sample, seed + i));
  const inputs = sample.inputs.map(({ dtype, shape }) => parameter(dtype, shape));
  const outputs = apply(row.name, inputs, sample.attrs);
  const stack = new Stack(size);
  const feeds = new Map<Value, NDArray>();
  for (const [i, input] of inputs.entries()) {
    feeds.set(input, draws[0][i]);
    if (!batched[i]) continue;
    const stacked = parameter(input.dtype, [size, ...input.shape]);
    stack.give(input, stacked);
    const arrays = draws.map((draw) => draw[i]);
    const empty = { ...arrays[0], shape: [0, ...input.shape], data: newArray(input.dtype, 0) };
    feeds.set(stacked, size === 0 ? empty : stackArrays(arrays));
  }
  const results = evaluateGraph(
    stack.of(outputs).map((value) => value!),
    feeds,
  );
  for (const [k, result] of results.entries()) {
    expect(result.shape).toEqual([size, ...outputs[k].shape]);
    for (let i = 0; i < size; i++) {
      const own = new Map(inputs.map((input, j) => [input, draws[batched[j] ? i : 0][j]]));
      const [wanted] = evaluateGraph([outputs[k]], own);
      const got = elementOf(result, i).data;
      const { absolute, relative } = row.tolerance ?? { absolute: 1e-6, relative: 1e-6 };
      for (let e = 0; e < got.length; e++) {
        if (Object.is(got[e], wanted.data[e])) continue;
        const off = Math.abs(got[e] - wanted.data[e]);
        if (!(off <= absolute + relative * Math.abs(wanted.data[e]))) {
          expect.fail(`${row.name} element ${e} of stack ${i}: ${got[e]}, not ${wanted.data[e]}`);
        }
      }
    }
  }
}

/** All ways to stack at least one of n inputs; for many inputs all, and each alone. */
function choices(n: number): boolean[][] {
  if (n > 3) return [new Array<boolean>(n).fill(true), ...Array.from({ length: n }, (_, i) => choose(n, 1 << i))];
  return Array.from({ length: 2 ** n - 1 }, (_, bits) => choose(n, bits + 1));
}

function choose(n: number, bits: number): boolean[] {
  return Array.from({ length: n }, (_, i) => ((bits >> i) & 1) === 1);
}

const rows = Object.entries<OpRow>(table).filter(([, row]) => row.arity !== 0);

describe.each(rows)('batching of %s', (_name, row) => {
  it('is a loop', () => {
    for (const [index, sample] of row.samples.entries()) {
      if (sample.inputs.length === 0 || sample.inputs.reduce((n, x) => n + sizeOf(x.shape), 0) > LIMIT) continue;
      for (const batched of choices(sample.inputs.length)) {
        for (const size of [3, 1, 0]) check(row, sample, index * 10 + 1, batched, size);
      }
    }
  });
});
