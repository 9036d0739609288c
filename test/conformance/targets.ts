/**
 * Everything that can evaluate a graph, behind one function: the reference, compiled programs on the kernel interpreter (with
 * its checks for races and order), and each backend that this machine can run.
 */
import { compile } from '../../src/compiler/index.ts';
import { emitDriver } from '../../src/codegen/x64/driver.ts';
import { x64Generator } from '../../src/codegen/x64/generate.ts';
import type { Value } from '../../src/graph/graph.ts';
import type { GuardFailure } from '../../src/kernel/interpreter.ts';
import { interpretProgram } from '../../src/kernel/interpreter.ts';
import { evaluateGraph } from '../../src/ops/evaluate.ts';
import type { NDArray } from '../../src/ops/row.ts';
import { createX64Device, isUnavailable } from '../../src/runtime/node/x64-device.ts';
import type { Backend } from '../../src/tensor/backends.ts';
import { pool } from '../../src/tensor/memory.ts';
import { wasmBackend } from '../../src/tensor/wasm-backend.ts';
import { x64Backend } from '../../src/tensor/x64-backend.ts';
import { dtypes, elementOf, isFloat, newArray, pack, packed, unpack } from '../../src/types/dtype.ts';
import { sizeOf } from '../../src/types/shape.ts';

export type Feeds = ReadonlyMap<Value, NDArray>;

export interface Target {
  readonly name: string;
  /** Compiles and runs; throws where a guard does not hold. */
  run(outputs: readonly Value[], feeds: Feeds): NDArray[];
  /** Interpreting is slow: work beyond this many elements touched is left out. */
  readonly limit: number;
}

export const reference: Target = { name: 'reference', run: evaluateGraph, limit: Infinity };

/** Arrays for results, full of what no kernel should leave behind. */
function poisoned(outputs: readonly Value[]): NDArray[] {
  return outputs.map(({ dtype, shape }) => {
    return { dtype, shape, data: newArray(dtype, sizeOf(shape)).fill(elementOf(dtype, 1234567)) };
  });
}

function request(outputs: readonly Value[], feeds: Feeds) {
  return { name: 'conformance', inputs: [...feeds.keys()], outputs, donations: new Map<number, number>() };
}

export const interpreted: Target = {
  name: 'interpreter',
  limit: 100_000,
  run(outputs, feeds) {
    const program = compile({ ...request(outputs, feeds), capabilities: x64Generator.capabilities(2) });
    const results = poisoned(outputs);
    const failures: GuardFailure[] = [];
    const arrays = results.map(({ dtype, data }) => packed(dtype, data));
    const inputs = [...feeds.values()].map(({ dtype, data }) => packed(dtype, data));
    interpretProgram(program, inputs, arrays, failures, { seed: 1, races: true });
    if (failures.length > 0) throw new Error(`guard ${failures[0].site} failed with ${failures[0].index}`);
    return results.map((result, i) => ({ ...result, data: unpack(result.dtype, arrays[i]) }));
  },
};

function storageOf(array: NDArray) {
  const size = sizeOf(array.shape);
  const storage = pool.allocate(size * dtypes[array.dtype].bytes);
  pack(array.dtype, array.data, storage.view(array.dtype, size));
  return storage;
}

function onBackend(backend: Backend): Target {
  return {
    name: backend.name,
    limit: Infinity,
    run(outputs, feeds) {
      const { executable } = backend.load(request(outputs, feeds));
      const results = poisoned(outputs);
      const inputs = [...feeds.values()].map(storageOf);
      const storages = results.map(storageOf);
      try {
        executable.run(inputs, storages);
        return results.map(({ dtype, shape }, i) => {
          return { dtype, shape, data: unpack(dtype, storages[i].view(dtype, sizeOf(shape))) };
        });
      } finally {
        for (const storage of [...inputs, ...storages]) pool.release(storage);
        executable.dispose();
      }
    },
  };
}

function hasAvx512(): boolean {
  const device = createX64Device(emitDriver, { threads: 1 });
  return !isUnavailable(device) && device.instructions === 'avx512';
}

/** All targets that run here but the reference. */
export async function availableTargets(): Promise<Target[]> {
  const backends = [x64Backend(), await wasmBackend()].filter((backend) => backend !== null).map(onBackend);
  // Where the machine has AVX-512, the code for those that have not is tried as well.
  const narrow = hasAvx512() ? x64Backend({ instructions: 'avx2' }) : null;
  if (narrow) backends.push({ ...onBackend(narrow), name: 'x64 (avx2)' });
  return [interpreted, ...backends];
}

export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** The first place where x is not y, in words; null where they agree. */
export function difference(x: NDArray, y: NDArray, { absolute, relative }: Tolerance): string | null {
  if (x.dtype !== y.dtype || x.shape.join() !== y.shape.join() || x.data.length !== y.data.length) {
    return `${x.dtype}[${x.shape}] is not ${y.dtype}[${y.shape}]`;
  }
  for (let i = 0; i < y.data.length; i++) {
    const [a, b] = [x.data[i], y.data[i]];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    // Integers are equal or wrong; those of int64 are bigints.
    const close = isFloat(y.dtype) && Math.abs(a - b) <= absolute + relative * Math.abs(b);
    if (!close) return `element ${i} is ${a}, not ${b}`;
  }
  return null;
}
