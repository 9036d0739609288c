/**
 * Bytes of tensors. They are JavaScript ArrayBuffers, so that the garbage collector sees their size and frees what nobody
 * holds, also in a loop that never yields; x64 code runs on them in place. What is released by hand is kept for reuse,
 * since fresh pages cost more than most kernels. A device whose code reaches its own memory only (WebAssembly) offers that as
 * a home; large storages then live there, as long as there is room.
 */
import { fail, InternalError } from '../base/errors.ts';
import type { DType, TypedArray } from '../types/dtype.ts';
import { dtypes } from '../types/dtype.ts';

const ALIGNMENT = 64;
/** Most bytes kept for reuse. */
const POOL_LIMIT = 256 * 2 ** 20;

/** Storages smaller than this are no trouble to copy, and a finalizer for each would be. */
const SMALLEST_AT_HOME = 16 * 1024;

/** A device's own memory, in which storages may live. It may grow, and then has another buffer. */
export interface Home {
  /** All of it; the view is good until the memory grows. */
  readonly bytes: Uint8Array;
  /** Where so many bytes (a multiple of 64) are from now on somebody's; -1 where they had better be a buffer of their own. */
  take(byteLength: number): number;
  /** Gives back what was taken. */
  give(at: number): void;
}

export class Storage {
  /** Aligned to 64 bytes only where `alignedOffset` was set by the device's allocator. */
  #bytes: Uint8Array | null;
  readonly byteLength: number;
  /** Native address of the first byte, cached by devices that need one. */
  address = 0;
  /** The memory that it lives in, and where; null for a buffer of its own. */
  readonly home: Home | null;
  readonly at: number;

  constructor(bytes: Uint8Array, home: Home | null = null) {
    this.#bytes = bytes;
    this.byteLength = bytes.byteLength;
    this.home = home;
    this.at = home ? bytes.byteOffset : 0;
  }

  get isReleased(): boolean {
    return this.#bytes === null;
  }

  get bytes(): Uint8Array {
    if (this.#bytes === null) throw new InternalError('internal: a released storage was used');
    if (this.home) {
      const all = this.home.bytes;
      if (all.buffer !== this.#bytes.buffer) this.#bytes = all.subarray(this.at, this.at + this.byteLength);
    }
    return this.#bytes;
  }

  /** A view of the first `length` elements as they are stored, sharing memory. */
  view(dtype: DType, length: number): TypedArray {
    const bytes = this.bytes;
    return new dtypes[dtype].store(bytes.buffer, bytes.byteOffset, length);
  }

  /** Gives up the bytes and returns them. */
  detach(): Uint8Array {
    const bytes = this.bytes;
    this.#bytes = null;
    return bytes;
  }
}

/** Finds the native address of a buffer; 0 where there is none. Set by the device that needs addresses. */
export type AddressOf = (buffer: ArrayBuffer) => number;

/** Storages that nobody holds any more give their place back. */
const collected = new FinalizationRegistry<{ home: Home; at: number }>(({ home, at }) => home.give(at));

/** Hands out storages and keeps released ones, by size, for reuse. */
export class StoragePool {
  #free = new Map<number, { bytes: Uint8Array; address: number }[]>();
  #pooled = 0;
  #addressOf: AddressOf = () => 0;
  #beforeFirst: (() => void) | null = null;
  /** Where large storages should live from now on; null: nowhere in particular. */
  home: Home | null = null;

  set addressOf(find: AddressOf) {
    this.#addressOf = find;
  }

  /** Called once, before the first buffer is made: a device that is chosen that late can still find its address. */
  set beforeFirst(call: () => void) {
    this.#beforeFirst = call;
  }

  /** Bytes kept for reuse. */
  get pooledBytes(): number {
    return this.#pooled;
  }

  /** Contents are undefined: whatever was there before. */
  allocate(byteLength: number): Storage {
    const size = Math.max(ALIGNMENT, Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT);
    const resident = this.#atHome(size);
    if (resident) return resident;
    const kept = this.#free.get(size)?.pop();
    if (kept) {
      this.#pooled -= size;
      const storage = new Storage(kept.bytes);
      storage.address = kept.address;
      return storage;
    }
    this.#callBeforeFirst();
    const buffer = this.#claim(size + ALIGNMENT);
    const base = this.#addressOf(buffer);
    const skip = base === 0 ? 0 : (ALIGNMENT - (base % ALIGNMENT)) % ALIGNMENT;
    const storage = new Storage(new Uint8Array(buffer, skip, size));
    storage.address = base === 0 ? 0 : base + skip;
    return storage;
  }

  #atHome(size: number): Storage | null {
    const { home } = this;
    if (!home || size < SMALLEST_AT_HOME) return null;
    const at = home.take(size);
    if (at < 0) return null;
    const storage = new Storage(home.bytes.subarray(at, at + size), home);
    collected.register(storage, { home, at }, storage);
    return storage;
  }

  /** A fresh buffer; what is kept for reuse is given up before it fails. */
  #claim(byteLength: number): ArrayBuffer {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        // Views are more limited than buffers on some engines, so the view is what must be possible.
        return new Uint8Array(byteLength).buffer;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.clear();
      }
    }
    const came = `${(byteLength / 2 ** 20).toFixed(1)} MiB were asked for, more than this process may have`;
    return fail('memory', 'a tensor must fit into memory', came, 'use smaller batches, or dispose what is not needed');
  }

  release(storage: Storage): void {
    if (storage.isReleased) return;
    const { address, home, at } = storage;
    const bytes = storage.detach();
    if (home) {
      collected.unregister(storage);
      home.give(at);
      return;
    }
    if (this.#pooled + bytes.byteLength > POOL_LIMIT) return;
    this.#pooled += bytes.byteLength;
    const list = this.#free.get(bytes.byteLength);
    if (list) list.push({ bytes, address });
    else this.#free.set(bytes.byteLength, [{ bytes, address }]);
  }

  #callBeforeFirst(): void {
    const call = this.#beforeFirst;
    this.#beforeFirst = null;
    call?.();
  }

  clear(): void {
    this.#free.clear();
    this.#pooled = 0;
  }
}
