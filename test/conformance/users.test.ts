/**
 * Every row as users run it, on every backend: values, gradients and stacks (vmap) agree with the reference; a second call on
 * other numbers compiles nothing; and when all is disposed nothing is left.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import { Stack } from '../../src/autodiff/vmap.ts';
import type { Value } from '../../src/graph/graph.ts';
import { apply } from '../../src/ops/build.ts';
import { evaluateGraph } from '../../src/ops/evaluate.ts';
import type { NDArray, OpRow, Sample } from '../../src/ops/row.ts';
import { table } from '../../src/ops/table.ts';
import { registerBackend, setBackend } from '../../src/tensor/backends.ts';
import { makeTensor, memory, tidy, wrap } from '../../src/tensor/index.ts';
import { evaluateValues } from '../../src/tensor/evaluate.ts';
import { readSync } from '../../src/tensor/read.ts';
import { referenceBackend } from '../../src/tensor/reference-backend.ts';
import { wasmBackend } from '../../src/tensor/wasm-backend.ts';
import { x64Backend } from '../../src/tensor/x64-backend.ts';
import { newArray } from '../../src/types/dtype.ts';
import { sizeOf } from '../../src/types/shape.ts';
import { sampleArrays } from './samples.ts';
import { difference } from './targets.ts';

const backends = ['reference', 'x64', 'wasm'] as const;
const rows = Object.values<OpRow>(table).filter((row) => row.lowering.tag !== 'source');
const counted = new Map<string, number>();

/** How many elements the inputs of a sample may have: the reference works through all of them. */
const LARGEST = 2000;
/** Of a row's samples the smallest that is not empty, the largest allowed, and one between. */
function chosen(row: OpRow): Sample[] {
  const size = (sample: Sample) => sample.inputs.reduce((n, { shape }) => n + sizeOf(shape), 0);
  const fitting = row.samples.filter(
    (sample) => size(sample) <= LARGEST && sample.inputs.every((x) => sizeOf(x.shape) > 0),
  );
  const sorted = fitting.toSorted((a, b) => size(a) - size(b));
  return [...new Set([sorted[0], sorted[sorted.length >> 1], sorted[sorted.length - 1]])].filter(Boolean);
}

/** Three draws behind each other. */
function stackOf(draws: readonly NDArray[]): NDArray {
  const [{ dtype, shape }] = draws;
  const data = newArray(dtype, draws.length * sizeOf(shape));
  for (const [i, draw] of draws.entries()) data.set(draw.data, i * draw.data.length);
  return { dtype, shape: [draws.length, ...shape], data };
}

/** The row's outputs, the gradients of those that have some, and the outputs for a stack. */
function everything(row: OpRow, sample: Sample, inputs: readonly Value[], stacks: readonly Value[]) {
  const outputs = apply(row.name, inputs, sample.attrs);
  const floats = outputs.filter((y) => y.dtype === 'float32');
  const sources = inputs.filter((x) => x.dtype === 'float32');
  const smooth = row.gradient !== 'constant' && floats.length > 0 && sources.length > 0;
  const grads = smooth ? gradients(floats, sources).filter((dx) => dx !== null) : [];
  const stack = new Stack(3);
  for (const [i, input] of inputs.entries()) stack.give(input, stacks[i]);
  const stacked = inputs.length > 0 ? stack.all(outputs) : [];
  return { values: [...outputs, ...stacked, ...grads], exact: outputs.length + stacked.length };
}

/** Feeds of one run: a draw for the inputs, three for the stack. */
function draw(sample: Sample, seed: number): { inputs: NDArray[]; stacks: NDArray[] } {
  const draws = [0, 1, 2].map((i) => sampleArrays(sample, seed + i));
  return { inputs: draws[0], stacks: sample.inputs.map((_, i) => stackOf(draws.map((arrays) => arrays[i]))) };
}

function tensorOf({ dtype, shape, data }: NDArray) {
  return makeTensor(data.slice(), shape as never, dtype);
}

function runOnce(row: OpRow, sample: Sample, seed: number, check: boolean): string[] {
  const fed = draw(sample, seed);
  const problems: string[] = [];
  tidy(() => {
    const inputs = fed.inputs.map(tensorOf);
    const stacks = fed.stacks.map(tensorOf);
    const { values, exact } = everything(
      row,
      sample,
      inputs.map((x) => x.value),
      stacks.map((x) => x.value),
    );
    for (const value of values) wrap(value);
    evaluateValues(values);
    if (!check) return;
    const wanted = expected(row, sample, fed);
    const { absolute, relative } = row.tolerance ?? { absolute: 1e-6, relative: 1e-6 };
    for (const [i, { dtype, shape }] of wanted.entries()) {
      const result = { dtype, shape, data: readSync(values[i]) };
      // A gradient is a graph of several ops.
      const more = i < exact ? 0 : 1e-4;
      const allowed = { absolute: absolute + more, relative: relative + more };
      const problem = difference(result, wanted[i], allowed);
      if (problem) problems.push(`${JSON.stringify(sample)}: value ${i} of ${wanted.length}: ${problem}`);
    }
  });
  return problems;
}

function expected(row: OpRow, sample: Sample, fed: ReturnType<typeof draw>): NDArray[] {
  const feeds = new Map<Value, NDArray>();
  const feed = (array: NDArray) => {
    const [value] = apply('parameter', [], { dtype: array.dtype, shape: array.shape });
    feeds.set(value, array);
    return value;
  };
  const { values } = everything(row, sample, fed.inputs.map(feed), fed.stacks.map(feed));
  return evaluateGraph(values, feeds);
}

beforeAll(() => {
  registerBackend('reference', async () => referenceBackend());
  registerBackend('x64', x64Backend);
  registerBackend('wasm', wasmBackend);
});

afterAll(() => {
  const all = [...counted].map(([name, count]) => `${name} ${count}`).join(', ');
  console.log(`users' door: ${rows.length} rows x ${counted.size} backends (${all})`);
});

describe.each(backends)('on %s', (backend) => {
  let available = false;
  beforeAll(async () => {
    available = await setBackend(backend);
  });

  it.each(rows.map((row) => [row.name, row] as const))('%s', (_name, row) => {
    if (!available) return;
    const samples = chosen(row);
    expect(samples.length).toBeGreaterThan(0);
    counted.set(backend, (counted.get(backend) ?? 0) + 1);
    expect(samples.flatMap((sample, i) => runOnce(row, sample, 10 * i + 1, true))).toEqual([]);
    const before = memory();
    for (const [i, sample] of samples.entries()) runOnce(row, sample, 10 * i + 5, false);
    const { compilations, numTensors, numDataBuffers, numBytes } = memory();
    expect({ compilations, numTensors, numDataBuffers, numBytes }).toEqual({
      compilations: before.compilations,
      numTensors: before.numTensors,
      numDataBuffers: before.numDataBuffers,
      numBytes: before.numBytes,
    });
  });
});
