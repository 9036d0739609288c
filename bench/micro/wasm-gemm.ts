/**
 * How fast a register tile runs in the code of the wasm generator: packed panels that stay in the first-level cache, one
 * thread. Prints the best of many runs for several tiles.
 *
 * npx esbuild bench/micro/wasm-gemm.ts --bundle --platform=node --format=esm --outfile=<somewhere>.mjs && node <somewhere>.mjs
 */
import { wasmGenerator } from '../../src/codegen/wasm/generate.ts';
import { hasRelaxedSimd } from '../../src/runtime/wasm/features.ts';
import { KernelBuilder } from '../../src/kernel/builder.ts';
import { constant, type Kernel, plus, times } from '../../src/kernel/ir.ts';

/** C[rows, 4 vectors] += A * B panel [K][4 vectors], `repeat` times. A is a panel [K][rows], or [rows][K] as it stands in memory. */
function tile(rows: number, vectors: number, packed: boolean, repeat: number, K = 256, written = false): Kernel {
  const b = new KernelBuilder(4);
  const columns = vectors * 4;
  const A = b.param('a', 'f32', K * rows, 'read');
  const B = b.param('b', 'f32', K * columns, 'read');
  const C = b.param('c', 'f32', rows * columns, 'readwrite');
  b.region('chunk', 1, () => {
    b.loop('again', 0, repeat, () => {
      const acc = Array.from({ length: rows * vectors }, (_, i) => b.acc(b.load(C, constant(i * 4), 1, 4)));
      b.each(
        'k',
        K,
        (k) => {
          const right = Array.from({ length: vectors }, (_, v) =>
            b.load(B, plus(times(k, columns), constant(v * 4)), 1, 4),
          );
          for (let r = 0; r < rows; r++) {
            const at = packed ? plus(times(k, rows), constant(r)) : plus(k, constant(r * K));
            const left = b.load(A, at, 0, 4);
            for (let v = 0; v < vectors; v++) b.fmaAcc(acc[r * vectors + v], left, right[v]);
          }
        },
        written,
      );
      for (let i = 0; i < rows * vectors; i++) b.store(C, constant(i * 4), 1, 4, acc[i]);
    });
  });
  return b.build(`tile ${rows}x${columns} ${packed ? 'packed' : 'strided'} ${K}${written ? ' unrolled' : ''}`, {
    flops: 2 * rows * columns * K * repeat,
    bytes: 0,
  });
}

const repeat = 200;
const relaxed = hasRelaxedSimd();
console.log(`node ${process.version}, relaxed SIMD: ${relaxed}`);
const tiles: [number, number][] = [
  [4, 2],
  [5, 2],
  [6, 2],
  [4, 3],
  [3, 3],
  [8, 1],
  [10, 1],
];
const kernels = [
  ...tiles.flatMap(([rows, vectors]) => [true, false].map((packed) => tile(rows, vectors, packed, repeat))),
  // As short walks over k are written: without a loop.
  tile(4, 2, false, 5000, 9, true),
  tile(4, 2, false, 5000, 16, true),
];
for (const kernel of kernels) {
  const image = wasmGenerator.generate([kernel], wasmGenerator.capabilities(1, { relaxed }));
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(image.module as BufferSource), {
    env: { memory },
  });
  const run = exports[image.names[0][0]] as (args: number, chunk: number, error: number) => void;
  new Int32Array(memory.buffer).set([4096, 65536, 262144], 16);
  new Float32Array(memory.buffer).fill(1e-3, 1024, 200_000);
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + 800;
  while (performance.now() < end) {
    const start = performance.now();
    run(64, 0, 0);
    best = Math.min(best, performance.now() - start);
  }
  console.log(`${kernel.name.padEnd(28)} ${(kernel.flops / best / 1e6).toFixed(1)} GFLOP/s`);
}
