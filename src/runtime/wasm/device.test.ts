import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { InternalError, UserError } from '../../base/errors.ts';
import { wasmGenerator } from '../../codegen/wasm/generate.ts';
import { KernelBuilder } from '../../kernel/builder.ts';
import { interpretProgram } from '../../kernel/interpreter.ts';
import type { Kernel } from '../../kernel/ir.ts';
import { constant, plus, times, variable } from '../../kernel/ir.ts';
import type { BufferSpec, Program } from '../../kernel/program.ts';
import { Storage } from '../storage.ts';
import { createWasmDevice, WasmDevice } from './device.ts';
import { LinearMemory } from './memory.ts';
import { findSpawn, loadNodeModules } from './workers.ts';

const devices: WasmDevice[] = [];
afterAll(() => {
  for (const device of devices) device.dispose();
});

async function device(threads: number, options = {}): Promise<WasmDevice> {
  const made = await createWasmDevice({ threads, ...options });
  devices.push(made);
  return made;
}

const load = (target: WasmDevice, program: Program) =>
  target.load(
    program,
    wasmGenerator.generate(program.kernels, wasmGenerator.capabilities(target.threads, { relaxed: false })),
  );

const floats = (values: ArrayLike<number>): Storage => new Storage(new Uint8Array(Float32Array.from(values).buffer));
const integers = (values: ArrayLike<number>): Storage => new Storage(new Uint8Array(Int32Array.from(values).buffer));
const read = (storage: Storage): Float32Array => new Float32Array(storage.bytes.slice().buffer);
const buffer = (kind: BufferSpec['kind'], size: number, more: Partial<BufferSpec> = {}): BufferSpec => ({
  elem: 'f32',
  size,
  kind,
  offset: 0,
  ...more,
});

/** out[i] = (a[i] + b[i]) * 0.99 + 1, in chunks of 16, `repeat` times over. */
function mix(size: number, repeat = 1): Kernel {
  const b = new KernelBuilder(4);
  const x = b.param('x', 'f32', size, 'read');
  const y = b.param('y', 'f32', size, 'read');
  const out = b.param('out', 'f32', size, 'write');
  b.region('chunk', size / 16, (chunk) =>
    b.loop('again', 0, repeat, () =>
      b.loop(
        'i',
        0,
        16,
        (i) => {
          const at = plus(times(variable(chunk), 16), variable(i));
          const sum = b.binary('add', b.load(x, at, 1, 4), b.load(y, at, 1, 4));
          b.store(out, at, 1, 4, b.fma(sum, b.f32(0.99), b.f32(1)));
        },
        { step: 4 },
      ),
    ),
  );
  return b.build('mix', { flops: size * 3 * repeat, bytes: size * 12 });
}

/** sum[0] = sum of x, in one chunk: what every stage must wait for. */
function total(size: number): Kernel {
  const b = new KernelBuilder(4);
  const x = b.param('x', 'f32', size, 'read');
  const out = b.param('sum', 'f32', size, 'readwrite');
  b.region('one', 1, () => {
    const sum = b.acc(b.f32(0));
    b.loop('i', 0, size, (i) => b.set(sum, b.binary('add', sum, b.load(x, variable(i), 1, 4))), { step: 4 });
    b.store(out, constant(0), 1, 1, b.reduceLanes('add', sum, 4));
  });
  return b.build('total', { flops: size, bytes: size * 4 });
}

/** Stages of two mixes and a total each, that depend on one another through temporaries. */
function chain(size: number, stages: number, repeat = 1): Program {
  const buffers: BufferSpec[] = [
    buffer('input', size),
    buffer('constant', size, { offset: 0, data: new Float32Array(size).map((_, i) => Math.cos(i)) }),
    buffer('temp', size, { offset: size * 4 }),
    buffer('temp', size, { offset: size * 8 }),
    buffer('output', size),
  ];
  const steps = [];
  let from = 0;
  for (let s = 0; s < stages; s++) {
    const to = s === stages - 1 ? 4 : s % 2 === 0 ? 2 : 3;
    steps.push({ kernel: 0, args: [from, 1, to], stage: 2 * s });
    steps.push({ kernel: 1, args: [to, to], stage: 2 * s + 1 });
    from = to;
  }
  return {
    name: 'chain',
    kernels: [mix(size, repeat), total(size)],
    buffers,
    inputs: [0],
    outputs: [4],
    steps,
    arenaBytes: size * 12,
    sites: [],
  };
}

/** x += 1 in place. */
function increment(size: number, repeat = 1): Program {
  const b = new KernelBuilder(4);
  const x = b.param('x', 'f32', size, 'readwrite');
  b.region('chunk', size / 4, (c) => {
    const at = times(variable(c), 4);
    b.loop('again', 0, repeat, () => b.store(x, at, 1, 4, b.binary('add', b.load(x, at, 1, 4), b.f32(1 / repeat))));
  });
  return {
    name: 'increment',
    kernels: [b.build('increment', { flops: size * repeat, bytes: size * 8 })],
    buffers: [buffer('input', size), buffer('output', size, { alias: 0 })],
    inputs: [0],
    outputs: [1],
    steps: [{ kernel: 0, args: [1], stage: 0 }],
    arenaBytes: 0,
    sites: [],
  };
}

function gather(count: number): Program {
  const b = new KernelBuilder(4);
  const table = b.param('table', 'f32', 10, 'read');
  const ids = b.param('ids', 'i32', count, 'read');
  const out = b.param('out', 'f32', count, 'write');
  b.region('chunk', count, (c) => {
    const id = b.guard(b.load(ids, variable(c), 1, 1), 10, 1);
    b.store(out, variable(c), 1, 1, b.load(table, constant(0), 1, 1, { index: id, scale: 1 }));
  });
  return {
    name: 'gather',
    kernels: [b.build('gather', { flops: 0, bytes: 1e6 })],
    buffers: [buffer('input', 10), buffer('input', count, { elem: 'i32' }), buffer('output', count)],
    inputs: [0, 1],
    outputs: [2],
    steps: [{ kernel: 0, args: [0, 1, 2], stage: 0 }],
    arenaBytes: 0,
    sites: [
      { op: 'other', what: 'nothing', bound: 1 },
      { op: 'gather', what: 'index', bound: 10 },
    ],
  };
}

const values = (size: number): Float32Array => new Float32Array(size).map((_, i) => Math.sin(i * 0.37));

describe('runs', () => {
  it('what the interpreter runs', async () => {
    const program = chain(256, 3);
    const input = values(256);
    const expected = new Float32Array(256);
    interpretProgram(program, [input], [expected], [], { fma: false });
    const output = floats(new Float32Array(256));
    load(await device(1), program).run([floats(input)], [output]);
    expect(read(output)).toEqual(expected);
  });

  it('the same bits for any number of threads, again and again', async () => {
    const program = chain(4096, 9, 20);
    const input = values(4096);
    const expected = new Float32Array(4096);
    interpretProgram(program, [input], [expected], [], { fma: false });
    for (const threads of [1, 2, 3, 4]) {
      const executable = load(await device(threads), program);
      for (let i = 0; i < 12; i++) {
        const output = floats(new Float32Array(4096));
        if (i % 2 === 0) executable.run([floats(input)], [output]);
        else await executable.runAsync([floats(input)], [output]);
        expect(read(output)).toEqual(expected);
      }
    }
  });

  it('without shared memory too', async () => {
    const program = chain(1024, 3, 50);
    const private_ = await device(4, { shared: false });
    expect(private_.threads).toBe(1);
    const [one, two] = [floats(new Float32Array(1024)), floats(new Float32Array(1024))];
    const executable = load(private_, program);
    executable.run([floats(values(1024))], [one]);
    await executable.runAsync([floats(values(1024))], [two]);
    load(await device(2), program).run([floats(values(1024))], [two]);
    expect(read(one)).toEqual(read(two));
  });

  it('in place where an output shares an input', async () => {
    const x = floats(values(64));
    const executable = load(await device(2), increment(64));
    for (let i = 0; i < 3; i++) executable.run([x], [x]);
    expect(read(x)).toEqual(values(64).map((v) => Math.fround(Math.fround(v + 1) + 1) + 1));
  });
});

describe('asynchronous runs', () => {
  for (const threads of [1, 2]) {
    it(`leave the event loop free on ${threads} thread(s)`, async () => {
      const executable = load(await device(threads), increment(1024, 200_000));
      const x = floats(new Float32Array(1024));
      await executable.runAsync([x], [x]);
      let ticks = 0;
      const timer = setInterval(() => ticks++, 1);
      const start = performance.now();
      await executable.runAsync([x], [x]);
      const elapsed = performance.now() - start;
      clearInterval(timer);
      expect(elapsed).toBeGreaterThan(20);
      expect(ticks).toBeGreaterThan(elapsed / 20);
    });
  }

  it('take effect in the order of the calls, also between synchronous ones', async () => {
    const target = await device(2);
    const slow = load(target, increment(256, 20_000));
    const quick = load(target, increment(256));
    const x = floats(new Float32Array(256));
    const seen: string[] = [];
    const runs = [
      slow.runAsync([x], [x]).then(() => seen.push('a')),
      quick.runAsync([x], [x]).then(() => seen.push('b')),
      slow.runAsync([x], [x]).then(() => seen.push('c')),
    ];
    quick.run([x], [x]);
    expect(Math.round(read(x)[0])).toBe(4);
    runs.push(slow.runAsync([x], [x]).then(() => seen.push('d')));
    await Promise.all(runs);
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
    expect(Math.round(read(x)[0])).toBe(5);
  });

  it('many queued small ones behind a large one', async () => {
    const target = await device(2);
    const slow = load(target, increment(256, 20_000));
    const quick = load(target, increment(256));
    const x = floats(new Float32Array(256));
    const runs = [slow.runAsync([x], [x])];
    for (let i = 0; i < 20_000; i++) runs.push(quick.runAsync([x], [x]));
    await Promise.all(runs);
    expect(Math.round(read(x)[7])).toBe(20_001);
  });

  it('may be disposed of while they run', async () => {
    const executable = load(await device(2), increment(256, 50_000));
    const x = floats(new Float32Array(256));
    const run = executable.runAsync([x], [x]);
    executable.dispose();
    await run;
    expect(Math.round(read(x)[0])).toBe(1);
    expect(() => executable.run([x], [x])).toThrow(InternalError);
  });
});

describe('errors', () => {
  it('name op, value and bound of a guard, and leave outputs alone', async () => {
    for (const threads of [1, 2]) {
      const executable = load(await device(threads), gather(200));
      const ids = new Int32Array(200).map((_, i) => i % 10);
      ids[150] = -7;
      const out = floats(new Float32Array(200).fill(5));
      expect(() => executable.run([floats(values(10)), integers(ids)], [out])).toThrow(
        new UserError('[gather] index must be in [0, 10); got -7; check the indices that are fed'),
      );
      await expect(executable.runAsync([floats(values(10)), integers(ids)], [out])).rejects.toThrow(
        '[gather] index must be in [0, 10); got -7; check the indices that are fed',
      );
      expect(read(out)).toEqual(new Float32Array(200).fill(5));
      ids[150] = 3;
      executable.run([floats(values(10)), integers(ids)], [out]);
      expect(read(out)[150]).toBe(values(10)[3]);
    }
  });

  it('say so when memory cannot grow, and go on with what fits', async () => {
    const target = await device(1, { maximumBytes: 4 * 2 ** 20 });
    const small = load(target, increment(256));
    const x = floats(new Float32Array(256));
    small.run([x], [x]);
    const large = load(target, increment(2 ** 21));
    const big = floats(new Float32Array(2 ** 21));
    expect(() => large.run([big], [big])).toThrow(/\[increment\] the tensors of one program must fit.*MiB/);
    small.run([x], [x]);
    expect(read(x)[0]).toBe(2);
  });

  it('refuse storages that are too small', async () => {
    const executable = load(await device(1), increment(256));
    expect(() => executable.run([floats([1])], [floats([1])])).toThrow(InternalError);
    expect(() => executable.run([], [])).toThrow(InternalError);
  });

  it('refuse a bad number of threads', async () => {
    await expect(createWasmDevice({ threads: 0 })).rejects.toThrow(UserError);
  });
});

describe('memory', () => {
  it('does not grow over many load and dispose cycles', async () => {
    const target = await device(2);
    const program = chain(4096, 3, 5);
    const cycle = async (i: number): Promise<void> => {
      const executable = load(target, program);
      const output = floats(new Float32Array(4096));
      if (i % 3 === 0) await executable.runAsync([floats(values(4096))], [output]);
      else executable.run([floats(values(4096))], [output]);
      executable.dispose();
    };
    for (let i = 0; i < 5; i++) await cycle(i);
    const before = target.memory;
    for (let i = 0; i < 300; i++) await cycle(i);
    expect(target.memory).toEqual(before);
  });

  it('is grown while workers run', async () => {
    const target = await device(2);
    const small = load(target, increment(1024, 20_000));
    const x = floats(new Float32Array(1024));
    for (const size of [2 ** 16, 2 ** 20, 2 ** 22]) {
      const run = small.runAsync([x], [x]);
      const big = load(target, increment(size, 4));
      const y = floats(new Float32Array(size));
      await Promise.all([run, big.runAsync([y], [y])]);
      big.run([y], [y]);
      expect(read(y)[size - 1]).toBe(2);
      expect(read(y)[0]).toBe(2);
    }
    expect(Math.round(read(x)[0])).toBe(3);
  });

  it('beyond 2 GiB is addressed like the rest', async () => {
    const memory = new LinearMemory(true);
    const low = memory.allocate(2 ** 31 + 2 ** 20, 'test');
    const high = new WasmDevice(2, memory, findSpawn({}, await loadNodeModules()));
    devices.push(high);
    const program = chain(1024, 3, 50);
    const [expected, output] = [floats(new Float32Array(1024)), floats(new Float32Array(1024))];
    load(await device(1), program).run([floats(values(1024))], [expected]);
    const executable = load(high, program);
    executable.run([floats(values(1024))], [output]);
    expect(read(output)).toEqual(read(expected));
    await executable.runAsync([floats(values(1024))], [output]);
    expect(read(output)).toEqual(read(expected));
    expect(low).toBeLessThan(2 ** 20);
  });
});

describe('LinearMemory', () => {
  it('merges what is released and hands it out again', () => {
    const memory = new LinearMemory(false);
    const before = memory.byteLength;
    const blocks = Array.from({ length: 8 }, (_, i) => memory.allocate(1000 + i, 'test'));
    expect(blocks.every((at) => at % 64 === 0 && at > 0)).toBe(true);
    for (const i of [1, 3, 2, 0, 7, 5, 6, 4]) memory.release(blocks[i]);
    expect(memory.usedBytes).toBe(0);
    expect(memory.allocate(before - 64, 'test')).toBe(64);
    expect(memory.byteLength).toBe(before);
    expect(() => memory.release(128)).toThrow(InternalError);
  });
});

describe('processes', () => {
  it('end by themselves while workers sleep, and live until an asynchronous run is done', async () => {
    const built = await build({
      stdin: {
        contents: `
          import { createWasmDevice } from './device.ts';
          import { wasmGenerator } from '../../codegen/wasm/generate.ts';
          import { KernelBuilder } from '../../kernel/builder.ts';
          import { variable } from '../../kernel/ir.ts';
          import { Storage } from '../storage.ts';
          const b = new KernelBuilder(4);
          const x = b.param('x', 'f32', 1024, 'readwrite');
          b.region('c', 256, (c) => b.loop('again', 0, 20000, () => {
            const at = variable(c, 4);
            b.store(x, at, 1, 4, b.binary('add', b.load(x, at, 1, 4), b.f32(1)));
          }));
          const kernel = b.build('k', { flops: 1e9, bytes: 0 });
          const device = await createWasmDevice({ threads: 2 });
          const program = { name: 'p', kernels: [kernel], inputs: [0], outputs: [1], arenaBytes: 0, sites: [],
            buffers: [{ elem: 'f32', size: 1024, kind: 'input', offset: 0 }, { elem: 'f32', size: 1024, kind: 'output', offset: 0, alias: 0 }],
            steps: [{ kernel: 0, args: [0], stage: 0 }] };
          const executable = device.load(program, wasmGenerator.generate([kernel], wasmGenerator.capabilities(2, { relaxed: false })));
          const storage = new Storage(new Uint8Array(4096));
          executable.runAsync([storage], [storage]).then(() => console.log(new Float32Array(storage.bytes.buffer)[5]));
        `,
        resolveDir: import.meta.dirname,
        loader: 'ts',
      },
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
    });
    const code = built.outputFiles[0].text;
    // Through stdin: as an argument it would be too long for some systems.
    const running = promisify(execFile)(process.execPath, ['--input-type=module', '-'], { timeout: 30_000 });
    running.child.stdin?.end(code);
    const { stdout } = await running;
    expect(stdout.trim()).toBe('20000');
  });
});

describe('profile', () => {
  it('times every step and computes the same', async () => {
    for (const threads of [1, 2]) {
      const program = chain(4096, 3, 50);
      const executable = load(await device(threads), program);
      const [a, b] = [floats(new Float32Array(4096)), floats(new Float32Array(4096))];
      const times = executable.profile([floats(values(4096))], [a]);
      executable.run([floats(values(4096))], [b]);
      expect(times.map((time) => time.step)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(times.every((time) => time.seconds > 0)).toBe(true);
      expect(read(a)).toEqual(read(b));
    }
  });
});
