/** Runs kernels and programs on the x64 device for tests. Where the machine has none, `reason` says why and tests are skipped. */
import { emitDriver } from '../../src/codegen/x64/driver.ts';
import { x64Generator } from '../../src/codegen/x64/generate.ts';
import { KernelBuilder } from '../../src/kernel/builder.ts';
import { arrayOf, interpretKernel } from '../../src/kernel/interpreter.ts';
import type { Elem, Kernel } from '../../src/kernel/ir.ts';
import { elemBytes } from '../../src/kernel/ir.ts';
import type { BufferSpec, GuardSite, Program } from '../../src/kernel/program.ts';
import type { X64Device } from '../../src/runtime/node/x64-device.ts';
import { createX64Device, isUnavailable } from '../../src/runtime/node/x64-device.ts';
import { Storage, StoragePool } from '../../src/runtime/storage.ts';
import type { TypedArray } from '../../src/types/dtype.ts';

const first = createX64Device(emitDriver, { threads: 1 });

/** What the machine has; kernels of at most 8 lanes are AVX2 code all the same. */
const instructions = isUnavailable(first) ? 'avx2' : first.instructions;
/** Lane counts that the machine can run. */
export const allLanes = instructions === 'avx512' ? [1, 2, 4, 8, 16] : [1, 2, 4, 8];

/** Why there is no device, or null. */
export const reason: string | null = isUnavailable(first) ? first.unavailable : null;

export function device(threads: number): X64Device {
  const made = threads === 1 ? first : createX64Device(emitDriver, { threads });
  if (isUnavailable(made)) throw new Error(made.unavailable);
  return made;
}

export const pool = new StoragePool();
if (!isUnavailable(first)) pool.addressOf = first.addressOf;

export function storageOf(data: TypedArray): Storage {
  const storage = pool.allocate(data.byteLength);
  storage.bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return storage;
}

export function readBack(storage: Storage, elem: Elem, size: number): TypedArray {
  const array = zeros(elem, size);
  new Uint8Array(array.buffer).set(storage.bytes.subarray(0, array.byteLength));
  return array;
}

export function generate(kernels: readonly Kernel[], listing = false) {
  return x64Generator.generate(kernels, x64Generator.capabilities(1, instructions), { listing });
}

/** A program that runs one kernel, whose parameters are all inputs: what is written is found in the same storages. */
export function programOf(kernel: Kernel, sites: readonly GuardSite[] = []): Program {
  const buffers = kernel.params.map((p): BufferSpec => ({ elem: p.elem, size: p.size, kind: 'input', offset: 0 }));
  return {
    name: kernel.name,
    kernels: [kernel],
    buffers,
    inputs: buffers.map((_, i) => i),
    outputs: [],
    steps: [{ kernel: 0, args: buffers.map((_, i) => i), stage: 0 }],
    arenaBytes: 0,
    sites,
  };
}

/** What machine code makes of the buffers, which stay as they are. */
export function runNative(kernel: Kernel, buffers: readonly TypedArray[], threads = 1): TypedArray[] {
  const executable = device(threads).load(programOf(kernel), generate([kernel]));
  try {
    const storages = buffers.map(storageOf);
    executable.run(storages, []);
    return storages.map((s, i) => readBack(s, kernel.params[i].elem, buffers[i].length));
  } finally {
    executable.dispose();
  }
}

/** What the definition makes of them. */
export function runInterpreter(kernel: Kernel, buffers: readonly TypedArray[]): TypedArray[] {
  const copies = buffers.map((b) => b.slice());
  interpretKernel(kernel, copies);
  return copies;
}

/** Equal bits, where any NaN is as good as another. */
export function difference(actual: TypedArray, expected: TypedArray): string | null {
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) return `element ${i}: ${actual[i]} instead of ${expected[i]}`;
  }
  return null;
}

/** Runs a kernel both ways; null where they agree. */
export function disagreement(kernel: Kernel, buffers: readonly TypedArray[]): string | null {
  const actual = runNative(kernel, buffers);
  const expected = runInterpreter(kernel, buffers);
  for (let i = 0; i < expected.length; i++) {
    const found = difference(actual[i], expected[i]);
    if (found) return `${kernel.params[i].name} ${found}`;
  }
  return null;
}

/** Deterministic random integers below n. */
export function random(seed: number): (n: number) => number {
  let state = seed | 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 0) / 2 ** 32) * n);
  };
}

const floats = [0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-40, -1e-40, 3e38, -3e38, Infinity, -Infinity, NaN];
const more = [2147483520, 2147483648, -2147483648, -2147483904, 8388609, 0.99999994, 123456.79];

/** Special values first, then ordinary ones. */
export function someFloats(size: number, seed: number): Float32Array {
  const next = random(seed);
  const all = [...floats, ...more];
  return new Float32Array(size).map(() => (next(3) === 0 ? all[next(all.length)] : (next(20001) - 10000) / 137));
}

const integers = [0, 1, -1, 2, -2, 3, 7, -7, 255, 256, 2 ** 31 - 1, -(2 ** 31), -(2 ** 31) + 1, 65536];

export function someIntegers(size: number, seed: number): Int32Array {
  const next = random(seed);
  return new Int32Array(size).map(() => (next(3) === 0 ? integers[next(integers.length)] : next(2 ** 32) - 2 ** 31));
}

export function zeros(elem: Elem, size: number): TypedArray {
  return new arrayOf[elem](new ArrayBuffer(size * elemBytes[elem])) as TypedArray;
}

export function builder(lanes = 8): KernelBuilder {
  return new KernelBuilder(lanes);
}

export { Storage };
