/**
 * A block of memory that machine code reads and writes: an ArrayBuffer, whose bytes never move, seen from both sides. It is
 * freed by the garbage collector, so whoever hands out its address must keep the block.
 */
import { invariant } from '../../base/errors.ts';
import type { Ffi } from './ffi.ts';
import { addressOf } from './ffi.ts';

const ALIGNMENT = 64;

export class NativeBlock {
  readonly address: number;
  readonly i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor(ffi: Ffi, bytes: number) {
    const size = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    const buffer = new ArrayBuffer(size + ALIGNMENT);
    const base = addressOf(ffi, buffer);
    const skip = (ALIGNMENT - (base % ALIGNMENT)) % ALIGNMENT;
    this.address = base + skip;
    this.i32 = new Int32Array(buffer, skip, size / 4);
    this.#u32 = new Uint32Array(buffer, skip, size / 4);
  }

  setAddress(offset: number, address: number): void {
    invariant(Number.isSafeInteger(address) && address >= 0, `address ${address} is none`);
    this.#u32[offset / 4] = address % 2 ** 32;
    this.#u32[offset / 4 + 1] = Math.floor(address / 2 ** 32);
  }

  /** An int64. */
  setInteger(offset: number, value: number): void {
    invariant(Number.isSafeInteger(value), `${value} is no integer`);
    this.#u32[offset / 4] = ((value % 2 ** 32) + 2 ** 32) % 2 ** 32;
    this.#u32[offset / 4 + 1] = Math.floor(value / 2 ** 32);
  }
}
