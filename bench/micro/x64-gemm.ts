/**
 * Where the time of a large matrix product goes on x64: the compiler's schedule (chunks that own panels of B) written by hand, then
 * again with one phase left out at a time. Medians of interleaved runs; shares are of what a register tile in the first cache reaches
 * in the same rounds, since a processor under load is slower than in the short burst that `measurePeak` times.
 *
 * npx esbuild bench/micro/x64-gemm.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/x64-gemm.mjs
 * node dist/x64-gemm.mjs 512 1024 2048
 */
import { emitDriver } from '../../src/codegen/x64/driver.ts';
import { x64Generator } from '../../src/codegen/x64/generate.ts';
import { KernelBuilder } from '../../src/kernel/builder.ts';
import { type Affine, constant, type Kernel, plus, shift, times, variable } from '../../src/kernel/ir.ts';
import type { BufferSpec } from '../../src/kernel/program.ts';
import { createX64Device, isUnavailable } from '../../src/runtime/node/x64-device.ts';
import { StoragePool } from '../../src/runtime/storage.ts';

interface Left {
  readonly copyB?: boolean;
  readonly walkA?: boolean;
  readonly writeC?: boolean;
}

interface Variant {
  readonly name: string;
  readonly flops: number;
  run(): void;
  readonly times: number[];
}

const device = createX64Device(emitDriver);
if (isUnavailable(device)) throw new Error(device.unavailable);
const caps = x64Generator.capabilities(device.threads, device.instructions);
const pool = new StoragePool();
pool.addressOf = device.addressOf;
const { lanes } = caps;
const rows = 6;
const vectors = lanes === 16 ? 4 : 2;
const width = vectors * lanes;

function ready(name: string, kernel: Kernel, sizes: readonly number[], scratch = 0): Variant {
  const buffers: BufferSpec[] = sizes.map((size, i) => ({
    elem: 'f32',
    size,
    kind: i < 2 ? 'input' : 'output',
    offset: 0,
  }));
  if (scratch > 0) buffers.push({ elem: 'f32', size: scratch, kind: 'temp', offset: 0 });
  const steps = [{ kernel: 0, args: buffers.map((_, i) => i), stage: 0 }];
  const program = {
    name,
    kernels: [kernel],
    buffers,
    inputs: [0, 1],
    outputs: [2],
    steps,
    arenaBytes: 4 * scratch,
    sites: [],
  };
  const executable = device.load(program, x64Generator.generate([kernel], caps));
  const storages = sizes.map((size) => pool.allocate(4 * size));
  for (const [i, storage] of storages.entries()) storage.view('float32', sizes[i]).fill(0.5);
  const run = () => executable.run(storages.slice(0, 2), storages.slice(2));
  return { name, flops: kernel.flops, run, times: [] };
}

/** sum over k < steps of what `left` and `right` give, in a register tile. */
function tile(
  b: KernelBuilder,
  size: number,
  steps: number,
  left: (k: Affine, row: number) => number,
  right: (k: Affine, v: number) => number,
) {
  const sums = Array.from({ length: size * vectors }, () => b.acc(b.f32(0)));
  b.loop('k', 0, steps, (v) => {
    const k = variable(v);
    const columns = Array.from({ length: vectors }, (_, i) => right(k, i));
    for (let row = 0; row < size; row++) {
      const a = left(k, row);
      columns.forEach((column, i) => b.fmaAcc(sums[row * vectors + i], a, column));
    }
  });
  return sums;
}

function firstCache(): Variant {
  const [steps, again] = [128, 3000];
  const b = new KernelBuilder(lanes);
  const [pa, pb] = [b.param('a', 'f32', steps * rows, 'read'), b.param('b', 'f32', steps * width, 'read')];
  const to = b.param('c', 'f32', rows * width * device.threads, 'write');
  b.region('thread', device.threads, (thread) =>
    b.loop('again', 0, again, () => {
      const sums = tile(
        b,
        rows,
        steps,
        (k, row) => b.load(pa, shift(times(k, rows), row), 0, lanes),
        (k, v) => b.load(pb, shift(times(k, width), v * lanes), 1, lanes),
      );
      sums.forEach((sum, i) => b.store(to, shift(variable(thread, rows * width), i * lanes), 1, lanes, sum));
    }),
  );
  const kernel = b.build('first cache', { flops: 2 * rows * width * steps * again * device.threads, bytes: 0 });
  return ready('a tile in the first cache', kernel, [steps * rows, steps * width, rows * width * device.threads]);
}

function product(name: string, n: number, { copyB = true, walkA = true, writeC = true }: Left): Variant {
  const b = new KernelBuilder(lanes);
  const [pa, pb, to] = [
    b.param('a', 'f32', n * n, 'read'),
    b.param('b', 'f32', n * n, 'read'),
    b.param('c', 'f32', n * n, 'write'),
  ];
  const copy = b.param('copy', 'f32', n * n, 'readwrite');
  const panels = n / width;
  const tiles = Math.ceil(n / rows);
  const segments = [
    { size: rows, count: n - tiles * (rows - 1), from: 0 },
    { size: rows - 1, count: tiles * rows - n, from: (n - tiles * (rows - 1)) * rows },
  ].filter(({ count }) => count > 0);
  const group = Math.max(
    1,
    Math.min(Math.ceil(panels / (8 * device.threads)), Math.floor(device.secondCache / 2 / (4 * n * width))),
  );
  b.region('chunk', Math.ceil(panels / group), (chunk) => {
    const each = (body: (panel: Affine) => void) =>
      b.loop('p', [variable(chunk, group)], [shift(variable(chunk, group), group), constant(panels)], (p) =>
        body(variable(p)),
      );
    if (copyB)
      each((panel) =>
        b.loop('k', 0, n, (v) => {
          for (let i = 0; i < vectors; i++) {
            const value = b.load(pb, plus(shift(variable(v, n), i * lanes), times(panel, width)), 1, lanes);
            b.store(copy, plus(shift(variable(v, width), i * lanes), times(panel, n * width)), 1, lanes, value);
          }
        }),
      );
    for (const { size, count, from } of segments)
      b.loop('t', 0, count, (t) =>
        each((panel) => {
          const first = shift(variable(t, size), from);
          const sums = tile(
            b,
            size,
            n,
            (k, row) => b.load(pa, plus(k, walkA ? times(shift(first, row), n) : constant(row * n)), 0, lanes),
            (k, v) => b.load(copy, plus(shift(times(k, width), v * lanes), times(panel, n * width)), 1, lanes),
          );
          for (let i = 0; i < size * vectors; i++) {
            const row = Math.floor(i / vectors);
            const at = writeC
              ? plus(times(shift(first, row), n), times(panel, width))
              : shift(variable(chunk, group * width), row * n);
            b.store(to, shift(at, (i % vectors) * lanes), 1, lanes, sums[i]);
          }
        }),
      );
  });
  return ready(name, b.build(name, { flops: 2 * n ** 3, bytes: 12 * n * n }), [n * n, n * n, n * n], n * n);
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];

for (const n of process.argv.slice(2).map(Number)) {
  if (!(n >= width && n % width === 0)) throw new Error(`sizes are multiples of ${width} here, got ${n}`);
  const whole = product('the product', n, {});
  const without = [
    product('  without copying B', n, { copyB: false }),
    product('  without walking A', n, { walkA: false }),
    product('  without writing C', n, { writeC: false }),
    product('  without any of it', n, { copyB: false, walkA: false, writeC: false }),
  ];
  const variants = [firstCache(), whole, ...without];
  const peak = device.measurePeak().gflops;
  for (const { run } of variants) run();
  const end = performance.now() + 8000;
  while (performance.now() < end) {
    for (const { run, times: list } of variants) {
      const start = performance.now();
      run();
      list.push((performance.now() - start) / 1e3);
    }
  }
  console.log(`${n}: ${device.instructions}, ${device.threads} threads, burst peak ${peak.toFixed(0)} GFLOP/s`);
  for (const { name, flops, times: list } of variants) {
    const share = median(list.map((seconds, i) => flops / seconds / (variants[0].flops / variants[0].times[i])));
    const rate = flops / median(list) / 1e9;
    console.log(
      `  ${name.padEnd(28)} ${rate.toFixed(0).padStart(4)} GFLOP/s  ${(100 * share).toFixed(1).padStart(5)} %`,
    );
  }
}
device.dispose();
