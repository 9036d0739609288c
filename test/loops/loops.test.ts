/** Programs with loops on threads, against the interpreter: barriers, moving windows, flags, loops in loops; and profiling. */
import { afterAll, describe, expect, it } from 'vitest';
import { emitDriver } from '../../src/codegen/x64/driver.ts';
import { x64Generator } from '../../src/codegen/x64/generate.ts';
import { wasmGenerator } from '../../src/codegen/wasm/generate.ts';
import { KernelBuilder } from '../../src/kernel/builder.ts';
import { interpretProgram } from '../../src/kernel/interpreter.ts';
import type { Kernel } from '../../src/kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../../src/kernel/ir.ts';
import type { BufferSpec, Program } from '../../src/kernel/program.ts';
import { verifyProgram } from '../../src/kernel/verifier.ts';
import type { Executable, StepTime } from '../../src/runtime/device.ts';
import { createX64Device, isUnavailable } from '../../src/runtime/node/x64-device.ts';
import { type Storage, StoragePool } from '../../src/runtime/storage.ts';
import { createWasmDevice } from '../../src/runtime/wasm/device.ts';

const SIZE = 128;
const CHUNK = 16;

/** out = (x + c) * 0.5, chunk by chunk. */
function mix(lanes: number): Kernel {
  const b = new KernelBuilder(lanes);
  const [x, c] = ['x', 'c'].map((name) => b.param(name, 'f32', SIZE, 'read'));
  const out = b.param('out', 'f32', SIZE, 'write');
  b.region('chunk', SIZE / CHUNK, (chunk) =>
    b.loop('i', 0, CHUNK, (i) => {
      const at = plus(variable(chunk, CHUNK), variable(i));
      b.store(out, at, 1, 1, b.binary('mul', b.binary('add', b.load(x, at, 1, 1), b.load(c, at, 1, 1)), b.f32(0.5)));
    }),
  );
  return b.build('mix', { flops: 1e7, bytes: 0 });
}

/** out[i] = x[SIZE - 1 - i] + 1: reads what other chunks of the stage before wrote. */
function turn(lanes: number): Kernel {
  const b = new KernelBuilder(lanes);
  const x = b.param('x', 'f32', SIZE, 'read');
  const out = b.param('out', 'f32', SIZE, 'write');
  b.region('chunk', SIZE / CHUNK, (chunk) =>
    b.loop('i', 0, CHUNK, (i) => {
      const at = plus(variable(chunk, CHUNK), variable(i));
      b.store(out, at, 1, 1, b.binary('add', b.load(x, shift(times(at, -1), SIZE - 1), 1, 1), b.f32(1)));
    }),
  );
  return b.build('turn', { flops: 0, bytes: 0 });
}

/** out[0] = x[0] - 1 as integers. */
function countDown(lanes: number): Kernel {
  const b = new KernelBuilder(lanes);
  const x = b.param('x', 'i32', 1, 'read');
  const out = b.param('out', 'i32', 1, 'write');
  b.region('one', 1, () => b.store(out, constant(0), 1, 1, b.binary('sub', b.load(x, constant(0), 1, 1), b.i32(1))));
  return b.build('countDown', { flops: 0, bytes: 0 });
}

const OUTER = 5;
const INNER = 7;

/**
 * carry = turn(xs[0]); for o, for i: { t = mix(xs[o][i], carry); carry = turn(t); ys[o][i] = turn(carry) }; then, as long as the
 * counter is not 0, the carry is turned twice and the counter goes down.
 */
function program(lanes: number): Program {
  const f = (kind: BufferSpec['kind'], size: number, more: Partial<BufferSpec> = {}): BufferSpec => ({
    elem: 'f32',
    size,
    kind,
    offset: 0,
    ...more,
  });
  const bytes = 4 * SIZE;
  const strides = [
    { loop: 0, bytes: INNER * bytes },
    { loop: 1, bytes: -bytes },
  ];
  return {
    name: 'loops',
    kernels: [mix(lanes), turn(lanes), countDown(lanes)],
    buffers: [
      f('input', OUTER * INNER * SIZE),
      f('output', OUTER * INNER * SIZE),
      f('output', SIZE),
      f('temp', SIZE),
      f('temp', SIZE, { offset: bytes }),
      f('window', SIZE, { offset: (INNER - 1) * bytes, window: { of: 0, strides } }),
      f('window', SIZE, { offset: (INNER - 1) * bytes, window: { of: 1, strides } }),
      { elem: 'i32', size: 1, kind: 'input', offset: 0 },
      { elem: 'i32', size: 1, kind: 'temp', offset: 2 * bytes },
      { elem: 'i32', size: 1, kind: 'temp', offset: 2 * bytes + 64 },
      f('window', SIZE, { window: { of: 0, strides: [] } }),
    ],
    inputs: [0, 7],
    outputs: [1, 2],
    steps: [
      { kernel: 1, args: [10, 2], stage: 0 },
      { kernel: 2, args: [7, 8], stage: 0 },
      { kernel: 0, args: [5, 2, 3], stage: 1 },
      { kernel: 1, args: [3, 2], stage: 2 },
      { kernel: 1, args: [2, 6], stage: 3 },
      { kernel: 1, args: [2, 4], stage: 4 },
      { kernel: 2, args: [8, 9], stage: 4 },
      { kernel: 1, args: [4, 2], stage: 5 },
      { kernel: 2, args: [9, 8], stage: 5 },
    ],
    loops: [
      { first: 2, end: 5, count: OUTER },
      { first: 2, end: 5, count: INNER },
      { first: 5, end: 9, count: 100, flag: 8 },
    ],
    arenaBytes: 2 * bytes + 128,
    sites: [],
  };
}

interface Target {
  load(made: Program): Executable & { profile(inputs: readonly Storage[], outputs: readonly Storage[]): StepTime[] };
  dispose(): void;
}

const pool = new StoragePool();
const made: Target[] = [];
afterAll(() => {
  for (const target of made) target.dispose();
});

async function targetOf(name: 'x64' | 'wasm', threads: number): Promise<Target | null> {
  if (name === 'x64') {
    const device = createX64Device(emitDriver, { threads });
    if (isUnavailable(device)) return null;
    pool.addressOf = device.addressOf;
    const generate = (p: Program) => x64Generator.generate(p.kernels, x64Generator.capabilities(threads));
    return { load: (p) => device.load(p, generate(p)), dispose: () => device.dispose() };
  }
  const device = await createWasmDevice({ threads });
  const generate = (p: Program) =>
    wasmGenerator.generate(p.kernels, wasmGenerator.capabilities(threads, { relaxed: false }));
  return { load: (p) => device.load(p, generate(p)), dispose: () => device.dispose() };
}

function storageOf(data: Float32Array | Int32Array): Storage {
  const storage = pool.allocate(data.byteLength);
  storage.bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return storage;
}

const lanesOf = { x64: 8, wasm: 4 } as const;

describe.each(['x64', 'wasm'] as const)('a program with loops on %s', (name) => {
  it.each([1, 2, 5])('and %i threads', async (threads) => {
    const target = await targetOf(name, threads);
    if (!target) return;
    made.push(target);
    const loops = program(lanesOf[name]);
    verifyProgram(loops);
    const executable = target.load(loops);
    // How often the last loop runs comes with the input: never, once, often, and until its bound.
    for (const count of [1, 3, 61, 2001, 1]) {
      const xs = Float32Array.from({ length: OUTER * INNER * SIZE }, (_, i) => Math.fround(Math.sin(i * count)));
      const expected = [new Float32Array(xs.length), new Float32Array(SIZE)];
      interpretProgram(loops, [xs, Int32Array.of(count)], expected);
      const inputs = [storageOf(xs), storageOf(Int32Array.of(count))];
      const runs: ((outputs: Storage[]) => unknown)[] = [
        (outputs) => executable.run(inputs, outputs),
        (outputs) => executable.runAsync(inputs, outputs),
        (outputs) => executable.profile(inputs, outputs),
        (outputs) => executable.run(inputs, outputs),
      ];
      for (const run of runs) {
        const outputs = expected.map((array) => storageOf(new Float32Array(array.length)));
        await run(outputs);
        for (const [i, array] of expected.entries()) {
          expect(outputs[i].view('float32', array.length).slice(), `output ${i} for ${count}`).toEqual(array);
        }
      }
    }
    executable.dispose();
  });
});
