/**
 * The x64 code generator: kernels in, position-independent AVX2/FMA or AVX-512 machine code out. Every region becomes one function
 * `void entry(void** args, int64 chunk, int32* errors)` of the System V convention. Knows kernel IR and nothing above it.
 */
import { debug, debugLevel } from '../../base/debug.ts';
import type { Capabilities, NativeFn } from '../../kernel/capabilities.ts';
import type { X64Image } from '../../kernel/image.ts';
import type { Instr, Kernel, Region } from '../../kernel/ir.ts';
import { kernelKey } from '../../kernel/key.ts';
import { legalize } from '../shared/legalize.ts';
import { allocate, emitFrame } from './allocate.ts';
import { Assembler } from './assembler.ts';
import { hoistConstants } from './hoist.ts';
import { printItem } from './lir.ts';
import { entryArguments, lowerRegion } from './lower-region.ts';
import { withoutUnreadMasks } from './masks.ts';
import { imm, type Label, type Memory, ptr, rax } from './operands.ts';
import { type Streams, streamsOf } from './streaming.ts';
import { unroll } from './unroll.ts';
import { type Width, widthOf } from './values.ts';

export interface GenerateOptions {
  /** Puts the assembly into image.listing. */
  readonly listing?: boolean;
}

function capabilities(
  threads: number,
  instructions: 'avx2' | 'avx512' = 'avx2',
  cacheBytes = { l1: 32 * 1024, l2: 512 * 1024 },
): Capabilities {
  const wide = instructions === 'avx512';
  return {
    target: 'x64',
    lanes: wide ? 16 : 8,
    vectorRegisters: wide ? 32 : 16,
    tile: wide ? { rows: 14, vectors: 4, accumulators: 28 } : { rows: 12, vectors: 4, accumulators: 12 },
    fma: true,
    threads,
    keepsArena: true,
    cacheBytes,
    native: wide ? nativeWide : native,
  };
}

const native: ReadonlySet<NativeFn> = new Set<NativeFn>([
  // Of F16C, which is older than AVX2: every processor that has one has the other.
  'toF16',
  ...(['neg', 'abs', 'not', 'floor', 'ceil', 'round', 'sqrt'] as const),
  ...(['add', 'sub', 'mul', 'div', 'mod', 'min', 'max', 'and', 'or', 'xor', 'shl', 'shr', 'sar'] as const),
  ...(['f32ToI32', 'i32ToF32', 'maskToI32', 'i32ToMask', 'bitsToF32', 'bitsToI32'] as const),
  ...(['f32ToF64', 'f64ToF32', 'i32ToF64', 'f64ToI32', 'i32ToI64', 'i64ToI32', 'bitsToF64', 'bitsToI64'] as const),
  ...(['f64.neg', 'f64.abs', 'f64.floor', 'f64.ceil', 'f64.round', 'f64.sqrt'] as const),
  ...(['f64.add', 'f64.sub', 'f64.mul', 'f64.div', 'f64.min', 'f64.max'] as const),
  ...(['i64.neg', 'i64.not', 'i64.add', 'i64.sub', 'i64.mul', 'i64.shl', 'i64.shr'] as const),
  ...(['i64.and', 'i64.or', 'i64.xor'] as const),
]);

/** With AVX-512, in kernels that fill its vectors: smaller ones are AVX2 code. */
const nativeWide: ReadonlySet<NativeFn> = new Set<NativeFn>([
  ...native,
  ...(['i64.abs', 'i64.min', 'i64.max', 'i64.sar', 'i64ToF64', 'f64ToI64'] as const),
]);

function generate(kernels: readonly Kernel[], caps: Capabilities, options: GenerateOptions = {}): X64Image {
  const wantsListing = options.listing === true || debugLevel() >= 7;
  const parts: Uint8Array[] = [];
  const entries: number[][] = [];
  const listings: string[] = [];
  let size = 0;
  for (const kernel of kernels) {
    const part = cached(kernel, caps, wantsListing);
    entries.push(part.entries.map((entry) => size + entry));
    parts.push(part.code);
    listings.push(part.listing);
    size += part.code.length;
  }
  const code = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    code.set(part, at);
    at += part.length;
  }
  const listing = listings.join('\n');
  debug(7, () => listing);
  return wantsListing ? { code, entries, listing } : { code, entries };
}

interface KernelCode {
  readonly code: Uint8Array;
  readonly entries: readonly number[];
  readonly listing: string;
}

/** Code by the structure of kernels, so that a net of a hundred equal layers, or a second program, generates each once. */
const cache = new Map<string, KernelCode>();
const CACHED_BYTES = 16 * 2 ** 20;
let cachedBytes = 0;

function cached(kernel: Kernel, caps: Capabilities, listing: boolean): KernelCode {
  if (listing) return generateKernel(kernel, caps, true);
  const key = kernelKey(kernel);
  const known = cache.get(key);
  if (known) return known;
  const made = generateKernel(kernel, caps, false);
  cachedBytes += made.code.length + 2 * key.length;
  // Oldest first; a program that is still in use has its own copy of the code.
  for (const [old, { code }] of cache) {
    if (cachedBytes <= CACHED_BYTES) break;
    cache.delete(old);
    cachedBytes -= code.length + 2 * old.length;
  }
  cache.set(key, made);
  return made;
}

function generateKernel(source: Kernel, caps: Capabilities, listing: boolean): KernelCode {
  const width = widthOf(source);
  const kernel = unroll(legalize(source, width.bits === 512 ? caps : { native }));
  const assembler = new Assembler({ listing });
  const entries: number[] = [];
  for (const region of kernel.regions) {
    const streams = width.bits === 512 ? streamsOf(kernel, region) : noStreams;
    assembler.align(32);
    entries.push(assembler.position);
    if (streams.params.length > 0) {
      const elsewhere = assembler.label();
      unlessAligned(assembler, streams.params, elsewhere);
      emitRegion(assembler, kernel, region, width, streams.stores);
      assembler.align(32);
      assembler.bind(elsewhere);
    }
    emitRegion(assembler, kernel, region, width, noStreams.stores);
  }
  assembler.align(64);
  const { code, listing: text } = assembler.finish();
  // The next kernel starts on a cache line of its own.
  const padded = new Uint8Array(Math.ceil(code.length / 64) * 64);
  padded.set(code);
  return { code: padded, entries, listing: text };
}

const noStreams: Streams = { stores: new Set(), params: [] };

/** Jumps where one of the buffers does not begin with a cache line. */
function unlessAligned(assembler: Assembler, params: readonly number[], elsewhere: Label): void {
  const argument = (param: number): Memory => ptr(entryArguments.args, { disp: 8 * param });
  assembler.emit('mov', rax, argument(params[0]));
  for (const param of params.slice(1)) assembler.emit('or', rax, argument(param));
  assembler.emit('and', rax, imm(63));
  assembler.emit('jne', elsewhere);
}

function emitRegion(
  assembler: Assembler,
  kernel: Kernel,
  region: Region,
  width: Width,
  streams: ReadonlySet<Instr>,
): void {
  const lir = lowerRegion(assembler, kernel, width, region, streams);
  const allocation = allocate(lir, hoistConstants(lir, withoutUnreadMasks(lir.items)));
  const name = `${kernel.name}/${region.v.name}${streams.size > 0 ? ' (streaming)' : ''}`;
  debug(6, () => {
    const before = lir.items.map(printItem).join('\n');
    return `${name}: ${allocation.spills} spills, ${allocation.frameBytes} bytes of frame\n${before}`;
  });
  assembler.comment(`${name}: ${allocation.spills} spills`);
  emitFrame(lir, allocation);
}

export const x64Generator = { capabilities, generate };
