/** Programs on threads: order, barriers, asynchronous runs, errors, memory. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Kernel } from '../../src/kernel/ir.ts';
import { constant, plus, times, variable } from '../../src/kernel/ir.ts';
import type { Program } from '../../src/kernel/program.ts';
import { emitDriver } from '../../src/codegen/x64/driver.ts';
import type { X64Device } from '../../src/runtime/node/x64-device.ts';
import { createX64Device, isUnavailable } from '../../src/runtime/node/x64-device.ts';
import { builder, device, generate, pool, programOf, reason, someFloats, storageOf } from './harness.ts';

const SIZE = 1 << 16;

/** y[i] = x[i + shift mod SIZE] * factor + 1, in `chunks` pieces. */
function kernel(chunks: number, shift: number, factor: number, name = 'step'): Kernel {
  const k = builder();
  const x = k.param('x', 'f32', SIZE, 'read');
  const y = k.param('y', 'f32', SIZE, 'write');
  const part = SIZE / chunks;
  k.region('chunk', chunks, (c) => {
    const piece = (from: number, to: number, by: number) =>
      k.loop(
        'i',
        [constant(from), plus(constant(from), times(variable(c), 0))],
        [constant(to)],
        (i) => {
          const at = plus(variable(c, part), variable(i));
          k.store(y, at, 1, 8, k.fma(k.load(x, plus(at, constant(by)), 1, 8), k.f32(factor), k.f32(1)));
        },
        { step: 8 },
      );
    // Without a wrap: the last chunk reads itself.
    if (chunks === 1) {
      piece(0, part - shift, shift);
      piece(part - shift, part, 0);
    } else {
      piece(0, part, 0);
    }
  });
  return k.build(name, { flops: 1e6, bytes: 1e6 });
}

/** Many stages through two temporaries: wrong as soon as one barrier leaks. */
function chain(stages: number): Program {
  const kernels = [kernel(1, 8, 0.5), kernel(64, 0, 0.75), kernel(8, 0, 1.25), kernel(256, 0, 0.875)];
  const spec = (kind: 'input' | 'output' | 'temp', offset: number) => ({
    elem: 'f32' as const,
    size: SIZE,
    kind,
    offset,
  });
  return {
    name: 'chain',
    kernels,
    buffers: [spec('input', 0), spec('output', 0), spec('temp', 0), spec('temp', SIZE * 4)],
    inputs: [0],
    outputs: [1],
    steps: Array.from({ length: stages }, (_, s) => ({
      kernel: s % kernels.length,
      args: [s === 0 ? 0 : 2 + (s % 2), s === stages - 1 ? 1 : 3 - (s % 2)],
      stage: s,
    })),
    arenaBytes: 2 * SIZE * 4,
    sites: [],
  };
}

const made: X64Device[] = [];
function deviceOf(threads: number): X64Device {
  const d = device(threads);
  if (threads > 1) made.push(d);
  return d;
}
afterAll(() => {
  for (const d of made) d.dispose();
});

function expected(program: Program, input: Float32Array): Float32Array {
  const [x, y] = [storageOf(input), pool.allocate(SIZE * 4)];
  const executable = device(1).load(program, generate(program.kernels));
  executable.run([x], [y]);
  executable.dispose();
  return y.view('float32', SIZE).slice() as Float32Array;
}

// Skipped where the x64 device cannot run (another processor, no koffi).
describe.skipIf(reason !== null)('x64 programs', () => {
  it('gives the same bits on 1, 2, 4 and 8 threads, run after run', () => {
    const program = chain(40);
    const input = someFloats(SIZE, 5).map((v) => (Number.isFinite(v) ? v : 1));
    const right = expected(program, input);
    for (const threads of [1, 2, 4, 8]) {
      const executable = deviceOf(threads).load(program, generate(program.kernels));
      const [x, y] = [storageOf(input), pool.allocate(SIZE * 4)];
      for (let run = 0; run < (threads > 2 ? 20 : 200); run++) {
        y.bytes.fill(0);
        executable.run([x], [y]);
        expect(Buffer.compare(y.bytes.subarray(0, SIZE * 4), new Uint8Array(right.buffer)), `${threads} threads`).toBe(
          0,
        );
      }
      executable.dispose();
    }
  });

  it('runs several steps of one stage side by side, in one place or many', () => {
    const base = kernel(16, 0, 2);
    const spec = (kind: 'input' | 'output') => ({ elem: 'f32' as const, size: SIZE, kind, offset: 0 });
    const program: Program = {
      name: 'parallel steps',
      kernels: [base, kernel(1, 8, 3)],
      buffers: [spec('input'), spec('output'), spec('output'), spec('output')],
      inputs: [0],
      outputs: [1, 2, 3],
      steps: [
        { kernel: 0, args: [0, 1], stage: 0 },
        { kernel: 1, args: [0, 2], stage: 0 },
        { kernel: 0, args: [2, 3], stage: 1 },
      ],
      arenaBytes: 0,
      sites: [],
    };
    const executable = deviceOf(2).load(program, generate(program.kernels));
    const x = storageOf(new Float32Array(SIZE).fill(2));
    const outs = [1, 2, 3].map(() => pool.allocate(SIZE * 4));
    for (let run = 0; run < 100; run++) {
      for (const o of outs) o.bytes.fill(0);
      executable.run([x], outs);
      expect(
        outs.map((o) => o.view('float32', SIZE).every((v, _, all) => v === all[0]) && o.view('float32', 1)[0]),
      ).toEqual([5, 7, 15]);
    }
    executable.dispose();
  });

  it.each([1, 2, 4])('keeps the event loop free and the order of calls, %i threads', async (threads) => {
    const program = chain(8);
    const executable = deviceOf(threads).load(program, generate(program.kernels));
    const inputs = Array.from({ length: 24 }, (_, i) => storageOf(new Float32Array(SIZE).fill(i)));
    const outputs = inputs.map(() => pool.allocate(SIZE * 4));
    const right = inputs.map((s) => expected(program, s.view('float32', SIZE).slice() as Float32Array)[0]);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 0);
    // Different storages in flight on one program at the same time.
    const order: number[] = [];
    await Promise.all(inputs.map((x, i) => executable.runAsync([x], [outputs[i]]).then(() => order.push(i))));
    expect(order).toEqual(inputs.map((_, i) => i));
    expect(outputs.map((o) => o.view('float32', 1)[0])).toEqual(right);
    expect(ticks).toBeGreaterThan(0);
    // Each reads what the one before wrote; a synchronous run comes behind asynchronous ones without waiting for the loop.
    const [a, b, c] = [0, 1, 2].map(() => pool.allocate(SIZE * 4));
    const one = executable.runAsync([inputs[3]], [a]);
    const two = executable.runAsync([a], [b]);
    executable.run([b], [c]);
    const direct = expected(program, expected(program, expected(program, new Float32Array(SIZE).fill(3))));
    expect(c.view('float32', SIZE)[77]).toBe(direct[77]);
    await Promise.all([one, two]);
    clearInterval(timer);
    executable.dispose();
  });

  it('rejects an asynchronous run whose guard fails, and only that one', async () => {
    const k = builder();
    const rows = k.param('rows', 'i32', 4, 'read');
    const out = k.param('out', 'i32', 4, 'write');
    k.region('c', 4, (c) => k.store(out, variable(c), 1, 1, k.guard(k.load(rows, variable(c), 0, 1), 10, 0)));
    const guarded = k.build('guarded', { flops: 0, bytes: 0 });
    const program = programOf(guarded, [{ op: 'oneHot', what: 'every label', bound: 10 }]);
    const executable = device(1).load(program, generate([guarded]));
    const good = [storageOf(new Int32Array([1, 2, 3, 4])), pool.allocate(64)];
    const bad = [storageOf(new Int32Array([1, 2, 3, 99])), pool.allocate(64)];
    const settled = await Promise.allSettled([
      executable.runAsync(good, []),
      executable.runAsync(bad, []),
      executable.runAsync(good, []),
    ]);
    expect(settled.map((s) => s.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(String((settled[1] as PromiseRejectedResult).reason)).toContain(
      '[oneHot] every label must be in [0, 10); got 99',
    );
    executable.dispose();
  });

  it('copies constants into the arena and profiles every step', () => {
    const k = builder();
    const weights = k.param('weights', 'f32', 8, 'read');
    const y = k.param('y', 'f32', 8, 'write');
    k.region('c', 1, () =>
      k.store(y, constant(0), 1, 8, k.binary('mul', k.load(weights, constant(0), 1, 8), k.f32(2))),
    );
    const program: Program = {
      name: 'constants',
      kernels: [k.build('twice', { flops: 8, bytes: 64 })],
      buffers: [
        { elem: 'f32', size: 8, kind: 'constant', offset: 64, data: new Float32Array([1, 2, 3, 4, 5, 6, 7, 8]) },
        { elem: 'f32', size: 8, kind: 'temp', offset: 0 },
        { elem: 'f32', size: 8, kind: 'output', offset: 0 },
      ],
      inputs: [],
      outputs: [2],
      steps: [
        { kernel: 0, args: [0, 1], stage: 0 },
        { kernel: 0, args: [1, 2], stage: 1 },
      ],
      arenaBytes: 128,
      sites: [],
    };
    const executable = device(1).load(program, generate(program.kernels));
    const y1 = pool.allocate(32);
    const times = executable.profile([], [y1]);
    expect([...y1.view('float32', 8)]).toEqual([4, 8, 12, 16, 20, 24, 28, 32]);
    expect(times.map((t) => t.step)).toEqual([0, 1]);
    expect(times.every((t) => t.seconds > 0 && t.seconds < 1)).toBe(true);
    expect(executable.bytes).toBeGreaterThanOrEqual(128 + 4096);
    executable.dispose();
    expect(() => executable.run([], [y1])).toThrow('disposed');
  });

  it('passes over stages that have nothing to do', () => {
    const nothing = builder();
    nothing.param('x', 'f32', SIZE, 'read');
    const work = kernel(16, 0, 2);
    const program: Program = {
      ...chain(1),
      kernels: [work, nothing.build('nothing', { flops: 0, bytes: 0 })],
      steps: [
        { kernel: 0, args: [0, 2], stage: 0 },
        { kernel: 1, args: [2], stage: 1 },
        { kernel: 0, args: [2, 1], stage: 2 },
      ],
    };
    const executable = deviceOf(2).load(program, generate(program.kernels));
    const [x, y] = [storageOf(new Float32Array(SIZE).fill(1)), pool.allocate(SIZE * 4)];
    for (let run = 0; run < 50; run++) {
      executable.run([x], [y]);
      expect(y.view('float32', SIZE).every((v) => v === 7)).toBe(true);
    }
    executable.dispose();
  });

  it('is disposed while a run is under way, and the run still ends', async () => {
    const program = chain(8);
    for (const threads of [1, 2]) {
      const made = createX64Device(emitDriver, { threads });
      if (isUnavailable(made)) throw new Error(made.unavailable);
      const executable = made.load(program, generate(program.kernels));
      const [x, y] = [storageOf(new Float32Array(SIZE).fill(1)), pool.allocate(SIZE * 4)];
      const runs = [executable.runAsync([x], [y]), executable.runAsync([x], [y])];
      executable.dispose();
      made.dispose();
      await Promise.all(runs);
      expect(y.view('float32', 1)[0]).toBe(expected(program, new Float32Array(SIZE).fill(1))[0]);
    }
  });

  it('loads and disposes 2000 programs without growing', () => {
    const before = residentAfter(400, 0);
    const after = residentAfter(2000, 1);
    expect(after - before).toBeLessThan(24 * 2 ** 20);
  });

  it('never has a page that is writable and executable', async () => {
    const program = chain(4);
    const executable = deviceOf(2).load(program, generate(program.kernels));
    executable.run([storageOf(new Float32Array(SIZE))], [pool.allocate(SIZE * 4)]);
    if (process.platform === 'linux') {
      const { readFileSync } = await import('node:fs');
      const both = readFileSync('/proc/self/maps', 'utf8')
        .split('\n')
        .filter((line) => / rwxp /.test(line));
      // V8's own pages may be; ours are anonymous, small and lie outside its code ranges, so compare with a process without.
      const { execFileSync } = await import('node:child_process');
      const plain = execFileSync(
        process.execPath,
        [
          '-e',
          "console.log(require('fs').readFileSync('/proc/self/maps','utf8').split('\\n').filter(l=>/ rwxp /.test(l)).length)",
        ],
        { encoding: 'utf8' },
      );
      expect(both.length > 0 && Number(plain) === 0).toBe(false);
    }
    executable.dispose();
  });

  /** Resident bytes after loading, running and disposing `count` different programs. */
  function residentAfter(count: number, seed: number): number {
    for (let i = 0; i < count; i++) {
      const k = builder();
      const y = k.param('y', 'f32', 8, 'write');
      k.region('c', 1, () => k.store(y, constant(0), 1, 8, k.f32(i + seed / 3)));
      const small = k.build('small', { flops: 0, bytes: 0 });
      const program: Program = {
        ...programOf(small),
        buffers: [
          { elem: 'f32', size: 8, kind: 'input', offset: 0 },
          { elem: 'f32', size: 1 << 16, kind: 'constant', offset: 0, data: new Float32Array(1 << 16) },
        ],
        arenaBytes: 1 << 18,
      };
      const executable = device(1).load(program, generate([small]));
      executable.run([storageOf(new Float32Array(8))], []);
      executable.dispose();
    }
    return process.memoryUsage.rss();
  }
});
