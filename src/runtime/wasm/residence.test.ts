/** Storages that live in the linear memory: used where they lie, beside others that are copied; freed, refused, and moved by growth. */
import v8 from 'node:v8';
import vm from 'node:vm';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { wasmGenerator } from '../../codegen/wasm/generate.ts';
import { KernelBuilder } from '../../kernel/builder.ts';
import { variable } from '../../kernel/ir.ts';
import type { BufferSpec, Program } from '../../kernel/program.ts';
import { Storage, StoragePool } from '../storage.ts';
import { createWasmDevice, type WasmDevice, type WasmDeviceOptions } from './device.ts';

const devices: WasmDevice[] = [];
afterAll(() => {
  for (const device of devices) device.dispose();
});

async function living(options: WasmDeviceOptions = {}): Promise<{ device: WasmDevice; pool: StoragePool }> {
  const device = await createWasmDevice({ threads: 2, ...options });
  devices.push(device);
  const pool = new StoragePool();
  pool.home = device.home;
  return { device, pool };
}

const SIZE = 8192;
const buffer = (kind: BufferSpec['kind'], more: Partial<BufferSpec> = {}): BufferSpec => ({
  elem: 'f32',
  size: SIZE,
  kind,
  offset: 0,
  ...more,
});

/** out[i] = x[i] + 2 y[i], by way of a temporary; `inPlace`: the result overwrites x. */
function sumProgram(inPlace = false): Program {
  const kernel = (factor: number) => {
    const b = new KernelBuilder(4);
    const [x, y] = [b.param('x', 'f32', SIZE, 'read'), b.param('y', 'f32', SIZE, 'read')];
    const out = b.param('out', 'f32', SIZE, 'write');
    b.region('chunk', SIZE / 4, (c) => {
      const at = variable(c, 4);
      b.store(out, at, 1, 4, b.fma(b.load(y, at, 1, 4), b.f32(factor), b.load(x, at, 1, 4)));
    });
    return b.build('sum', { flops: 1e7, bytes: 12 * SIZE });
  };
  return {
    name: 'sum',
    kernels: [kernel(1)],
    buffers: [buffer('input'), buffer('input'), buffer('temp'), buffer('output', inPlace ? { alias: 0 } : {})],
    inputs: [0, 1],
    outputs: [3],
    steps: [
      { kernel: 0, args: [0, 1, 2], stage: 0 },
      { kernel: 0, args: [2, 1, 3], stage: 1 },
    ],
    arenaBytes: SIZE * 4,
    sites: [],
  };
}

const load = (device: WasmDevice, program: Program) =>
  device.load(
    program,
    wasmGenerator.generate(program.kernels, wasmGenerator.capabilities(device.threads, { relaxed: false })),
  );

const floats = (storage: Storage): Float32Array => storage.view('float32', SIZE) as Float32Array;

function filled(storage: Storage, value: (i: number) => number): Storage {
  floats(storage).set(Float32Array.from({ length: SIZE }, (_, i) => value(i)));
  return storage;
}

const plain = (): Storage => new Storage(new Uint8Array(SIZE * 4));

function expectSum(storage: Storage, x: (i: number) => number, y: (i: number) => number): void {
  const wrong = floats(storage).findIndex((value, i) => value !== x(i) + 2 * y(i));
  expect(wrong).toBe(-1);
}

const ramp = (i: number): number => i % 1000;
const saw = (i: number): number => (i * 7) % 31;

describe('storages in the linear memory', () => {
  for (const shared of [true, false]) {
    it(`beside others, in every mixture, one program after another (${shared ? 'shared' : 'not shared'})`, async () => {
      const { device, pool } = await living({ shared });
      const executable = load(device, sumProgram());
      const make = (resident: boolean): Storage => (resident ? pool.allocate(SIZE * 4) : plain());
      for (let mixture = 0; mixture < 16; mixture++) {
        const [x, y, out] = [1, 2, 4].map((bit) => make((mixture & bit) > 0));
        if ((mixture & 1) > 0) expect(x.home).toBe(device.home);
        filled(x, ramp);
        filled(y, saw);
        if (mixture >= 8) await executable.runAsync([x, y], [out]);
        else executable.run([x, y], [out]);
        expectSum(out, ramp, saw);
        expectSum(x, ramp, () => 0);
        for (const storage of [x, y, out]) if (storage.home) pool.release(storage);
      }
      executable.profile([filled(make(true), ramp), filled(plain(), saw)], [plain()]);
    });

    it(`results in the place of what they overwrite (${shared ? 'shared' : 'not shared'})`, async () => {
      const { device, pool } = await living({ shared });
      const executable = load(device, sumProgram(true));
      for (const x of [pool.allocate(SIZE * 4), plain(), pool.allocate(SIZE * 4)]) {
        filled(x, ramp);
        const y = filled(pool.allocate(SIZE * 4), saw);
        executable.run([x, y], [x]);
        expectSum(x, ramp, saw);
      }
    });

    it(`keep their values when the memory grows (${shared ? 'shared' : 'not shared'})`, async () => {
      const { device, pool } = await living({ shared });
      const kept = filled(pool.allocate(SIZE * 4), ramp);
      const before = device.memory.bytes;
      const large = pool.allocate(before * 3);
      expect(device.memory.bytes).toBeGreaterThan(before);
      large.bytes.fill(255);
      expectSum(kept, ramp, () => 0);
      const out = pool.allocate(SIZE * 4);
      load(device, sumProgram()).run([kept, filled(plain(), saw)], [out]);
      expectSum(out, ramp, saw);
    });
  }

  it('small ones stay outside', async () => {
    const { pool } = await living();
    expect(pool.allocate(64).home).toBeNull();
  });

  it('give their place back, by hand and through the garbage collector', async () => {
    const { device, pool } = await living();
    const before = device.memory.used;
    const storage = pool.allocate(2 ** 20);
    expect(device.memory.used).toBe(before + 2 ** 20);
    pool.release(storage);
    pool.release(storage);
    expect(device.memory.used).toBe(before);
    expect(() => storage.bytes).toThrow(/released/);

    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc') as () => void;
    (() => {
      for (let i = 0; i < 10; i++) pool.allocate(2 ** 20);
    })();
    expect(device.memory.used).toBe(before + 10 * 2 ** 20);
    for (let i = 0; i < 100 && device.memory.used > before; i++) {
      await sleep(5);
      gc();
    }
    expect(device.memory.used).toBe(before);
  });

  it('leave room for programs: beyond half of the memory they are buffers of their own', async () => {
    const { device, pool } = await living({ maximumBytes: 8 * 2 ** 20 });
    const held = Array.from({ length: 8 }, () => pool.allocate(2 ** 20));
    expect(held.filter(({ home }) => home !== null).length).toBe(4);
    const x = filled(held[0], ramp);
    const y = filled(held[7], saw);
    load(device, sumProgram()).run([x, y], [held[6]]);
    expectSum(held[6], ramp, saw);
    for (const storage of held) pool.release(storage);
    expect(pool.allocate(2 ** 20).home).toBe(device.home);
  });
});
