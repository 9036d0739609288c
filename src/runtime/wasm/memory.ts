/** The linear memory and who has which part of it: first fit over a list of free blocks, growing when none fits. Knows no programs. */
import { fail, InternalError } from '../../base/errors.ts';

const PAGE = 65536;
const ALIGNMENT = 64;
const INITIAL_PAGES = 16;
/** 4 GiB, and what to try where the engine will not promise so much address space. */
const MAXIMUM_PAGES = [65536, 32768, 16384, 4096];

interface Free {
  at: number;
  bytes: number;
}

export class LinearMemory {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  readonly #maximum: number;
  /** Sorted by address; neighbours are merged. */
  readonly #free: Free[] = [];
  readonly #used = new Map<number, number>();
  #bytes: Uint8Array;
  #words: Int32Array;

  /** `maximumBytes` limits growth below what the engine allows. */
  constructor(shared: boolean, maximumBytes = 2 ** 32) {
    const limit = Math.max(INITIAL_PAGES, Math.min(65536, Math.floor(maximumBytes / PAGE)));
    const { memory, maximum } = reserve(shared, limit);
    this.memory = memory;
    this.#maximum = maximum;
    this.shared = shared;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    // Nothing lies at address 0, so that a forgotten address shows.
    this.#free.push({ at: ALIGNMENT, bytes: memory.buffer.byteLength - ALIGNMENT });
  }

  /** Bytes of the whole memory. */
  get byteLength(): number {
    return this.bytes.byteLength;
  }

  get usedBytes(): number {
    let sum = 0;
    for (const bytes of this.#used.values()) sum += bytes;
    return sum;
  }

  /** All of it; the view is only good until the memory grows. */
  get bytes(): Uint8Array {
    this.#refresh();
    return this.#bytes;
  }

  /** The same as words of 32 bits. */
  get words(): Int32Array {
    this.#refresh();
    return this.#words;
  }

  /** The most that it may grow to. */
  get maximumBytes(): number {
    return this.#maximum * PAGE;
  }

  /** Address of at least `bytes` bytes, a multiple of 64. Their contents are undefined. */
  allocate(bytes: number, what: string): number {
    const at = this.tryAllocate(bytes);
    if (at >= 0) return at;
    return fail(
      what,
      'the tensors of one program must fit into the linear memory of WebAssembly',
      `${mebibytes(bytes)} more were needed, ${mebibytes(this.usedBytes)} of at most ${mebibytes(this.maximumBytes)} are in use`,
      'use smaller batches, dispose sessions that are no longer needed, or take another backend',
    );
  }

  /** The same; -1 where there is no room. */
  tryAllocate(bytes: number): number {
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    let index = this.#free.findIndex((block) => block.bytes >= size);
    if (index < 0) index = this.#grow(size);
    if (index < 0) return -1;
    const block = this.#free[index];
    const at = block.at;
    if (block.bytes === size) this.#free.splice(index, 1);
    else {
      block.at += size;
      block.bytes -= size;
    }
    this.#used.set(at, size);
    return at;
  }

  release(at: number): void {
    const bytes = this.#used.get(at);
    if (bytes === undefined) throw new InternalError(`internal: no block of linear memory starts at ${at}`);
    this.#used.delete(at);
    let index = this.#free.findIndex((block) => block.at > at);
    if (index < 0) index = this.#free.length;
    this.#free.splice(index, 0, { at, bytes });
    this.#merge(index);
    if (index > 0) this.#merge(index - 1);
  }

  #refresh(): void {
    const { buffer } = this.memory;
    if (this.#bytes.buffer === buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
  }

  /** Joins a free block with the next where they touch. */
  #merge(index: number): void {
    const block = this.#free[index];
    const next = this.#free[index + 1];
    if (!next || block.at + block.bytes !== next.at) return;
    block.bytes += next.bytes;
    this.#free.splice(index + 1, 1);
  }

  /** Makes the last free block at least `size` long and returns its index; -1 where the memory cannot grow so far. */
  #grow(size: number): number {
    const end = this.memory.buffer.byteLength;
    const last = this.#free[this.#free.length - 1];
    const kept = last && last.at + last.bytes === end ? last.bytes : 0;
    const needed = Math.ceil((size - kept) / PAGE);
    // A little more than asked for, so that many small blocks do not grow it each.
    const generous = Math.min(Math.max(needed, Math.ceil(end / PAGE / 8)), this.#maximum - end / PAGE);
    if (!this.#tryGrow(generous >= needed ? generous : needed) && !this.#tryGrow(needed)) return -1;
    const grown = this.memory.buffer.byteLength;
    if (kept > 0) last.bytes += grown - end;
    else this.#free.push({ at: end, bytes: grown - end });
    return this.#free.length - 1;
  }

  #tryGrow(pages: number): boolean {
    if (this.memory.buffer.byteLength / PAGE + pages > this.#maximum) return false;
    try {
      this.memory.grow(pages);
      return true;
    } catch {
      return false;
    }
  }
}

function reserve(shared: boolean, limit: number): { memory: WebAssembly.Memory; maximum: number } {
  let problem: unknown;
  for (const maximum of [limit, ...MAXIMUM_PAGES.filter((pages) => pages < limit)]) {
    try {
      return { memory: new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared }), maximum };
    } catch (error) {
      problem = error;
    }
  }
  return fail('wasm', 'the engine must provide linear memory', String(problem), 'free memory or raise its limit');
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
