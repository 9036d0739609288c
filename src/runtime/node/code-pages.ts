/** Executable pages: written first, then made executable and never writable again. Equal code shares its pages. */
import type { Ffi } from './ffi.ts';
import { bytesAt } from './ffi.ts';
import type { Platform } from './platform.ts';

export interface CodePages {
  readonly address: number;
  readonly bytes: number;
  release(): void;
}

interface Entry {
  readonly address: number;
  readonly bytes: number;
  readonly code: Uint8Array;
  references: number;
}

export class CodePageCache {
  readonly #ffi: Ffi;
  readonly #platform: Platform;
  readonly #entries = new Map<string, Entry[]>();

  constructor(ffi: Ffi, platform: Platform) {
    this.#ffi = ffi;
    this.#platform = platform;
  }

  load(code: Uint8Array): CodePages {
    const key = `${code.length}/${hash(code)}`;
    const bucket = this.#entries.get(key) ?? [];
    let entry = bucket.find((e) => equal(e.code, code));
    if (!entry) {
      const page = this.#platform.pageBytes;
      const bytes = Math.max(page, Math.ceil(code.length / page) * page);
      const address = this.#platform.allocate(bytes);
      bytesAt(this.#ffi, address, code.length).set(code);
      this.#platform.makeExecutable(address, bytes);
      entry = { address, bytes, code, references: 0 };
      bucket.push(entry);
      this.#entries.set(key, bucket);
    }
    const found = entry;
    found.references++;
    let released = false;
    return {
      address: found.address,
      bytes: found.bytes,
      release: () => {
        if (released) return;
        released = true;
        if (--found.references > 0) return;
        this.#platform.free(found.address, found.bytes);
        const left = (this.#entries.get(key) ?? []).filter((e) => e !== found);
        if (left.length > 0) this.#entries.set(key, left);
        else this.#entries.delete(key);
      },
    };
  }
}

/** FNV-1a; a collision only costs a comparison. */
function hash(bytes: Uint8Array): number {
  let h = 0x811c9dc5;
  for (const byte of bytes) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
