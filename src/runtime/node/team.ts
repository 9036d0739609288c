/**
 * The threads of a device and the order of its runs. Every native run takes a ticket when it is called and waits for its
 * turn in machine code, so synchronous and asynchronous runs take effect in the order of their calls. At most one
 * asynchronous run is under way; later ones wait in a queue here, or run at once when a synchronous run comes behind them.
 */
import type { X64Driver } from '../../kernel/image.ts';
import { x64Layout } from '../../kernel/image.ts';
import type { CodePageCache, CodePages } from './code-pages.ts';
import type { Ffi, NativeFunction } from './ffi.ts';
import { bytesAt, functionAt } from './ffi.ts';
import { NativeBlock } from './native-block.ts';
import type { Platform } from './platform.ts';

const { control, job } = x64Layout;

/** A job in native memory, ready to run but for its ticket. */
export interface Job {
  readonly block: NativeBlock;
  /** Byte offset of the job in the block. */
  readonly offset: number;
}

interface Queued {
  readonly job: Job;
  readonly done: (error: unknown) => void;
}

export class Team {
  readonly threads: number;
  readonly driver: X64Driver;
  readonly #ffi: Ffi;
  readonly #platform: Platform;
  readonly #pages: CodePages;
  readonly #control: number;
  readonly #state: Int32Array;
  readonly #run: NativeFunction;
  #workers = 0;
  #nextTicket = 0;
  #queue: Queued[] = [];
  #asyncInFlight = false;
  #disposed = false;

  constructor(ffi: Ffi, platform: Platform, pages: CodePageCache, driver: X64Driver, threads: number) {
    this.#ffi = ffi;
    this.#platform = platform;
    this.driver = driver;
    this.threads = threads;
    this.#pages = pages.load(driver.code);
    this.#control = platform.allocate(platform.pageBytes);
    const bytes = bytesAt(ffi, this.#control, control.size);
    this.#state = new Int32Array(bytes.buffer);
    const addresses = new BigInt64Array(bytes.buffer);
    addresses[control.wait / 8] = BigInt(platform.functions.wait);
    addresses[control.wake / 8] = BigInt(platform.functions.wake);
    addresses[control.yield / 8] = BigInt(platform.functions.yield);
    this.#run = functionAt(ffi, this.#pages.address + driver.entries.run);
  }

  get controlAddress(): number {
    return this.#control;
  }

  /** Address of an entry of the driver. */
  entry(name: keyof X64Driver['entries']): number {
    return this.#pages.address + this.driver.entries[name];
  }

  /** What the processor says of itself, see X64Driver.entries.identify. */
  identify(): Int32Array {
    const block = new NativeBlock(this.#ffi, 64);
    functionAt(this.#ffi, this.entry('identify'))(block.address);
    return block.i32.slice(0, 8);
  }

  /** Runs a job now; returns when it is done. */
  run(task: Job): void {
    this.#startWorkers(task);
    this.#runQueued();
    this.#takeTicket(task);
    this.#run(task.block.address + task.offset);
  }

  /** Runs a job on a thread of libuv's; `done` is called on the main thread. */
  runAsync(task: Job, done: (error: unknown) => void): void {
    this.#startWorkers(task);
    this.#queue.push({ job: task, done });
    this.#next();
  }

  /** Sends the workers home, behind every run that was called before. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    // The thread of a run under way still needs the driver and the control block: they stay.
    const busy = this.#asyncInFlight;
    this.#runQueued();
    if (this.#workers > 0) {
      this.#state[control.exit / 4] = 1;
      // An empty parallel job wakes everybody.
      const block = new NativeBlock(this.#ffi, job.size);
      block.setAddress(job.control, this.#control);
      block.i32[job.parallel / 4] = 1;
      this.run({ block, offset: 0 });
      const nobody = new Int32Array(new SharedArrayBuffer(4));
      for (let waited = 0; waited < 200 && Atomics.load(this.#state, control.live / 4) > 0; waited++) {
        Atomics.wait(nobody, 0, 0, 1);
      }
      // A worker still has a few instructions to go after it counted itself out: the driver's page stays for it.
      if (Atomics.load(this.#state, control.live / 4) > 0) return;
    }
    if (busy) return;
    if (this.#workers === 0) this.#pages.release();
    this.#platform.free(this.#control, this.#platform.pageBytes);
  }

  #startWorkers(task: Job): void {
    if (this.#workers > 0 || this.threads < 2 || task.block.i32[(task.offset + job.parallel) / 4] === 0) return;
    for (let i = 1; i < this.threads; i++) {
      Atomics.add(this.#state, control.live / 4, 1);
      this.#workers++;
      this.#platform.startThread(this.entry('worker'), this.#control);
    }
  }

  #takeTicket(task: Job): void {
    task.block.i32[(task.offset + job.ticket) / 4] = this.#nextTicket;
    this.#nextTicket = (this.#nextTicket + 1) | 0;
  }

  #next(): void {
    if (this.#asyncInFlight) return;
    const queued = this.#queue.shift();
    if (!queued) return;
    this.#asyncInFlight = true;
    this.#takeTicket(queued.job);
    this.#run.async(queued.job.block.address + queued.job.offset, (error: unknown) => {
      this.#asyncInFlight = false;
      this.#next();
      queued.done(error);
    });
  }

  /** What was called before must take effect before; the run under way is waited for by its ticket. */
  #runQueued(): void {
    for (let queued = this.#queue.shift(); queued; queued = this.#queue.shift()) {
      const { job: task, done } = queued;
      this.#takeTicket(task);
      this.#run(task.block.address + task.offset);
      // Never before runAsync's caller has its promise, and in order with the run under way.
      setImmediate(() => done(null));
    }
  }
}
