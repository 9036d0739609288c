/** For tests: runs a kernel's wasm beside the interpreter, with buffers laid out so that a stray access traps or shows. */
import { interpretKernel } from '../../kernel/interpreter.ts';
import type { Kernel } from '../../kernel/ir.ts';
import type { TypedArray } from '../../types/dtype.ts';
import { wasmGenerator } from './generate.ts';

const PAGE = 65536;
const ARGS = 64;
export const ERRORS = 1024;

export interface Outcome {
  readonly buffers: TypedArray[];
  /** The error record { site + 1, index }. */
  readonly error: [number, number];
}

/**
 * Runs every chunk of `kernel` on copies of `buffers`. The buffer `last` ends with the last byte of memory, so that touching
 * anything beyond it traps; the others are surrounded by bytes that are checked afterwards.
 */
export function runWasm(kernel: Kernel, buffers: readonly TypedArray[], last = 0, relaxed = false): Outcome {
  const image = wasmGenerator.generate([kernel], wasmGenerator.capabilities(1, { relaxed }));
  if (!WebAssembly.validate(image.module as BufferSource)) throw new Error('the module does not validate');
  const order = buffers.map((_, i) => i).filter((i) => i !== last);
  const total = buffers.reduce((sum, buffer) => sum + buffer.byteLength + 256, 4096);
  const pages = Math.ceil(total / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  const bytes = new Uint8Array(memory.buffer).fill(0xa5);
  const table = new Int32Array(memory.buffer);
  table.fill(0, 0, 512);
  const addresses: number[] = [];
  let top = 2048;
  for (const i of order) {
    addresses[i] = top;
    top = Math.ceil((top + buffers[i].byteLength + 128) / 4) * 4;
  }
  addresses[last] = pages * PAGE - buffers[last].byteLength;
  buffers.forEach((buffer, i) => {
    bytes.set(new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength), addresses[i]);
    table[ARGS / 4 + i] = addresses[i];
  });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(image.module as BufferSource), { env: { memory } });
  kernel.regions.forEach((region, r) => {
    const run = instance.exports[image.names[0][r]] as (args: number, chunk: number, errors: number) => void;
    for (let chunk = 0; chunk < region.extent; chunk++) run(ARGS, chunk, ERRORS);
  });
  const result = buffers.map((buffer, i) => {
    const copy = bytes.slice(addresses[i], addresses[i] + buffer.byteLength);
    bytes.fill(0xa5, addresses[i], addresses[i] + buffer.byteLength);
    return new (buffer.constructor as new (b: ArrayBuffer) => TypedArray)(copy.buffer);
  });
  if (bytes.subarray(2048).some((byte) => byte !== 0xa5)) throw new Error('a byte outside the buffers was written');
  return { buffers: result, error: [table[ERRORS / 4], table[ERRORS / 4 + 1]] };
}

/** What the interpreter makes of the same. */
export function runInterpreter(kernel: Kernel, buffers: readonly TypedArray[], fma = false): Outcome {
  const copies = buffers.map((buffer) => buffer.slice());
  const failures: { site: number; index: number }[] = [];
  interpretKernel(kernel, copies, failures, { fma });
  const last = failures[failures.length - 1];
  return { buffers: copies, error: last ? [last.site + 1, last.index] : [0, 0] };
}
