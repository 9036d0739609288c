/** What this engine's WebAssembly can do, found by asking it to validate tiny modules. */

const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** A module with one function () -> () of these instructions. */
function validates(code: readonly number[]): boolean {
  const body = [0, ...code, 0x0b];
  const bytes = [...header, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, body.length + 2, 1, body.length, ...body];
  return typeof WebAssembly !== 'undefined' && WebAssembly.validate(Uint8Array.from(bytes));
}

const vectorZero = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];

/** 128-bit vectors: without them there is no wasm target. */
export function hasSimd(): boolean {
  return validates([...vectorZero, 0x1a]);
}

/** f32x4.relaxed_madd, a fused multiply-add where the processor has one. */
export function hasRelaxedSimd(): boolean {
  return validates([...vectorZero, ...vectorZero, ...vectorZero, 0xfd, 0x85, 0x02, 0x1a]);
}

/** Whether memory can be shared with workers: browsers allow it only on pages that are cross-origin isolated. */
export function hasSharedMemory(): boolean {
  if (typeof SharedArrayBuffer === 'undefined') return false;
  return (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;
}
