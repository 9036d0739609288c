/**
 * Indices from data that lie outside their range: every row that reads or writes at such places, on every backend, must refuse
 * them with an error that names op, index and bound, and touch nothing outside its buffers. INDEX_FUZZ_COUNT says how many bad
 * runs (4,000), FUZZ_SEED where to start.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { apply, asPlaces, parameter } from '../../src/ops/build.ts';
import type { Value } from '../../src/graph/graph.ts';
import type { NDArray, OpRow, Sample } from '../../src/ops/row.ts';
import { table } from '../../src/ops/table.ts';
import type { Storage } from '../../src/runtime/storage.ts';
import type { Backend } from '../../src/tensor/backends.ts';
import { pool } from '../../src/tensor/memory.ts';
import { wasmBackend } from '../../src/tensor/wasm-backend.ts';
import { x64Backend } from '../../src/tensor/x64-backend.ts';
import { dtypes, elementOf, newArray } from '../../src/types/dtype.ts';
import type { TensorType } from '../../src/types/shape.ts';
import { sizeOf } from '../../src/types/shape.ts';
import { sampleArrays, uniform } from '../conformance/samples.ts';
import { difference } from '../conformance/targets.ts';

const count = Number(process.env.INDEX_FUZZ_COUNT ?? 4000);
const seed = Number(process.env.FUZZ_SEED ?? 1);

interface Case {
  readonly row: OpRow;
  readonly sample: Sample;
  /** The input that holds the indices, and their bound. */
  readonly place: number;
  readonly bound: number;
}

function evaluate(row: OpRow, sample: Sample, arrays: readonly NDArray[]): NDArray[] {
  const attrs = sample.attrs ?? {};
  const types = row.infer(arrays, attrs);
  return row.evaluate(arrays, attrs, types).map((data, i) => ({ ...types[i], data }));
}

function refused(run: () => unknown): UserError | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

/** The arrays with one element of one input replaced. */
function corrupted(arrays: readonly NDArray[], place: number, at: number, bad: number): NDArray[] {
  return arrays.map((array, i) => {
    if (i !== place) return array;
    const data = array.data.slice();
    data[at] = bad;
    return { ...array, data };
  });
}

function inDType(array: NDArray, dtype: 'int32' | 'int64'): NDArray {
  const data = newArray(dtype, array.data.length);
  for (let i = 0; i < data.length; i++) data[i] = elementOf(dtype, array.data[i]);
  return { ...array, dtype, data };
}

function one({ dtype, shape }: TensorType): Value {
  return parameter(dtype, shape);
}

/** Samples of rows whose own definition refuses an index that is one too large. */
function findCases(): Case[] {
  const cases: Case[] = [];
  for (const row of Object.values<OpRow>(table)) {
    for (const [i, sample] of row.samples.entries()) {
      for (const [place, { dtype, shape, high = 2 }] of sample.inputs.entries()) {
        if (dtype !== 'int32' || sizeOf(shape) === 0) continue;
        const arrays = corrupted(sampleArrays(sample, i + 1), place, 0, high);
        // Where there is nothing to move, no index is looked at.
        if (sample.inputs.some((input) => sizeOf(input.shape) === 0)) continue;
        const made = apply(row.name, sample.inputs.map(one), sample.attrs);
        if (made.every((y) => sizeOf(y.shape) === 0)) continue;
        if (refused(() => evaluate(row, sample, arrays))) cases.push({ row, sample, place, bound: high });
      }
    }
  }
  return cases;
}

const cases = findCases();
let refusals = 0;

/** Storages of a run, each with a canary allocated before and behind it. */
class Field {
  readonly #canaries: Storage[] = [];
  readonly #pattern = new Uint8Array(256).fill(0xa5);

  storage(array: NDArray): Storage {
    this.#canary();
    const made = pool.allocate(sizeOf(array.shape) * dtypes[array.dtype].bytes);
    made.view(array.dtype, sizeOf(array.shape)).set(array.data);
    this.#canary();
    return made;
  }

  #canary(): void {
    const canary = pool.allocate(256);
    canary.bytes.set(this.#pattern);
    this.#canaries.push(canary);
  }

  untouched(): boolean {
    return this.#canaries.every((canary) => Buffer.compare(canary.bytes, this.#pattern) === 0);
  }

  free(): void {
    for (const canary of this.#canaries) pool.release(canary);
  }
}

/** The index that builders make of one of int64. */
function clamped(index: number): number {
  return Math.min(Math.max(index, -(2 ** 31)), 2 ** 31 - 1);
}

/** With indices of int64, `isLong`, some of which would be good ones if they wrapped at 32 bits. */
function fuzz(backend: Backend, which: Case, isLong: boolean, runs: number, random: () => number): string[] {
  const { row, sample, place, bound } = which;
  const arrays = sampleArrays(sample, 1 + Math.floor(random() * 1000));
  const dtype = isLong ? 'int64' : 'int32';
  const inputs = sample.inputs.map((input, i) => one(i === place ? { ...input, dtype } : input));
  const outputs = apply(row.name, inputs.map(asPlaces), sample.attrs);
  const { executable } = backend.load({ name: 'indices', inputs, outputs, donations: new Map() });
  const field = new Field();
  const results = outputs.map(({ dtype, shape }) => ({ dtype, shape, data: newArray(dtype, sizeOf(shape)) }));
  const given = arrays.map((array, i) => (i === place ? inDType(array, dtype) : array));
  const fed = given.map((array) => field.storage(array));
  const made = results.map((array) => field.storage(array));
  const indices = fed[place].view(dtype, sizeOf(arrays[place].shape));
  const problems: string[] = [];
  const where = `${backend.name} ${row.name} ${JSON.stringify(sample.attrs ?? {})}`;
  for (let run = 0; run < runs && problems.length === 0; run++) {
    const at = Math.floor(random() * indices.length);
    const good = indices[at];
    const far = Math.floor(random() * 2 ** 31);
    const bads = [-1, bound, bound + 1, 2 ** 31 - 1, -(2 ** 31), far < bound ? bound : far, -1 - far];
    if (isLong) bads.push(2 ** 32, 2 ** 32 + bound - 1, -(2 ** 32), -(2 ** 32) + bound - 1, 2 ** 52, -(2 ** 63));
    const index = bads[run % bads.length];
    const bad = clamped(index);
    indices[at] = elementOf(dtype, index);
    const error = refused(() => executable.run(fed, made));
    indices[at] = good;
    // Bounds may differ from element to element: the definition says what is bad.
    const wanted = refused(() => evaluate(row, sample, corrupted(arrays, place, at, bad)));
    const message = error?.message ?? '';
    const named = message.startsWith(`[${row.name}]`) && message.includes(String(bad)) && /\[0, \d+[\])]/.test(message);
    if (wanted ? !named : error) problems.push(`${where}: index ${index} at ${at} gave ${message || 'no error'}`);
    if (wanted) refusals++;
    if (run % 64 === 0 && !field.untouched()) problems.push(`${where}: index ${bad} wrote outside of the buffers`);
  }
  if (!field.untouched()) problems.push(`${where}: something wrote outside of the buffers`);
  for (const [i, array] of given.entries()) {
    const left = fed[i].view(array.dtype, sizeOf(array.shape));
    if (left.some((x, k) => x !== array.data[k])) problems.push(`${where}: input ${i} was overwritten`);
  }
  // And after all that it still computes.
  executable.run(fed, made);
  for (const [i, wanted] of evaluate(row, sample, arrays).entries()) {
    const data = made[i].view(wanted.dtype, sizeOf(wanted.shape));
    const problem = difference({ ...wanted, data }, wanted, row.tolerance ?? { absolute: 1e-6, relative: 1e-6 });
    if (problem) problems.push(`${where}: afterwards: ${problem}`);
  }
  for (const storage of [...fed, ...made]) pool.release(storage);
  field.free();
  executable.dispose();
  return problems;
}

describe('bad indices', () => {
  let backends: Backend[] = [];
  beforeAll(async () => {
    backends = [await x64Backend(), await wasmBackend()].filter((backend) => backend !== null);
  });

  it('are looked for in every row that takes some', () => {
    expect(cases.length).toBeGreaterThan(0);
    expect(cases.map(({ row }) => row.name)).toContain('gather');
    expect(cases.map(({ row }) => row.name)).toContain('scatter');
  });

  it(`${count} of them are refused`, { timeout: 60_000 + count }, () => {
    const random = uniform(seed);
    const runs = Math.ceil(count / (cases.length * backends.length));
    const problems = cases.flatMap((which, i) =>
      backends.flatMap((backend, k) => fuzz(backend, which, (i + k) % 2 === 1, runs, random)),
    );
    const names = [...new Set(cases.map(({ row }) => row.name))].join(', ');
    const total = runs * cases.length * backends.length;
    expect(refusals).toBeGreaterThan(total / 2);
    console.log(
      `bad indices: ${refusals} refusals in ${total} runs from seed ${seed} of ${names} on ${backends.map(({ name }) => name).join(', ')}`,
    );
    expect(problems).toEqual([]);
  });
});
