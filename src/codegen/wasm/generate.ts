/** The wasm code generator: kernels in, one module out, a function for each region. It never runs what it makes. */
import { debug, debugLevel } from '../../base/debug.ts';
import type { Capabilities, NativeFn } from '../../kernel/capabilities.ts';
import type { WasmImage } from '../../kernel/image.ts';
import type { Kernel } from '../../kernel/ir.ts';
import { legalize } from '../shared/legalize.ts';
import { encodeModule, FunctionWriter } from './encoder.ts';
import { floorDivideFunction, floorModuloFunction } from './helpers.ts';
import type { Environment } from './region.ts';
import { RegionEmitter, regionParams } from './region.ts';
import { unrollRegion } from './unroll.ts';

export interface WasmOptions {
  /** Whether the engine has relaxed SIMD. */
  readonly relaxed: boolean;
}

const native: Capabilities['native'] = new Set<NativeFn>([
  ...(['neg', 'abs', 'not', 'floor', 'ceil', 'round', 'sqrt'] as const),
  ...(['add', 'sub', 'mul', 'div', 'mod', 'min', 'max', 'and', 'or', 'xor', 'shl', 'shr', 'sar'] as const),
  ...(['f32ToI32', 'i32ToF32', 'maskToI32', 'i32ToMask', 'bitsToF32', 'bitsToI32'] as const),
  ...(['f32ToF64', 'f64ToF32', 'i32ToF64', 'f64ToI32', 'i64ToF64', 'f64ToI64', 'i32ToI64', 'i64ToI32'] as const),
  ...(['bitsToF64', 'bitsToI64'] as const),
  ...(['f64.neg', 'f64.abs', 'f64.floor', 'f64.ceil', 'f64.round', 'f64.sqrt'] as const),
  ...(['f64.add', 'f64.sub', 'f64.mul', 'f64.div', 'f64.min', 'f64.max'] as const),
  ...(['i64.neg', 'i64.abs', 'i64.not', 'i64.add', 'i64.sub', 'i64.mul', 'i64.div', 'i64.mod'] as const),
  ...(['i64.and', 'i64.or', 'i64.xor', 'i64.shl', 'i64.shr', 'i64.sar'] as const),
]);

function capabilities(threads: number, options: WasmOptions): Capabilities {
  return {
    target: 'wasm',
    lanes: 4,
    vectorRegisters: 16,
    // Measured: with its operands (6) this tile (8) just fits V8's 15 registers. 4 x 8 runs at 33 to 37 GFLOP/s on a core where 5 x 8 reaches 20 to 24.
    tile: { rows: 4, vectors: 2, accumulators: 8 },
    fma: options.relaxed,
    threads,
    cacheBytes: { l1: 32 * 1024, l2: 512 * 1024 },
    native,
  };
}

function generate(kernels: readonly Kernel[], caps: Capabilities): WasmImage {
  const legal = kernels.map((kernel) => legalize(kernel, caps));
  const listed = debugLevel() >= 7;
  const helpers: FunctionWriter[] = [];
  const helper = (
    make: (type: 'i32' | 'i64', listed: boolean) => FunctionWriter,
  ): ((type: 'i32' | 'i64') => number) => {
    const made = new Map<string, number>();
    return (type) => {
      const index = made.get(type) ?? regionCount + helpers.push(make(type, listed)) - 1;
      made.set(type, index);
      return index;
    };
  };
  const regionCount = legal.reduce((count, kernel) => count + kernel.regions.length, 0);
  const env: Environment = {
    relaxed: caps.fma,
    floorDivide: helper(floorDivideFunction),
    floorModulo: helper(floorModuloFunction),
  };
  const exported = new Map<FunctionWriter, string>();
  const names = legal.map((kernel, k) =>
    kernel.regions.map((region, r) => {
      const writer = new FunctionWriter(`${kernel.name} ${r}`, regionParams, [], listed);
      new RegionEmitter(writer, kernel, unrollRegion(region), env).emit();
      const name = `k${k}r${r}`;
      exported.set(writer, name);
      return name;
    }),
  );
  const functions = [...exported.keys(), ...helpers];
  if (listed) for (const f of functions) debug(7, () => `(func ;; ${f.name}\n${f.listing?.join('\n')})`);
  const { bytes, memoryFlagsAt } = encodeModule({ sharedMemory: true, functions, exports: exported });
  return { module: bytes, names, memoryFlagsAt };
}

export const wasmGenerator = { capabilities, generate };
