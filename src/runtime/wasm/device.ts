/**
 * The wasm device: a linear memory, threads, and the programs that are loaded. Storages that live in the memory (see `home`) are
 * used where they lie; of others a run copies in what it reads and copies out what it wrote.
 */
import { debug } from '../../base/debug.ts';
import { fail, InternalError } from '../../base/errors.ts';
import type { WasmImage } from '../../kernel/image.ts';
import type { Program } from '../../kernel/program.ts';
import type { Device, StepTime } from '../device.ts';
import type { Home, Storage } from '../storage.ts';
import { hasSharedMemory, hasSimd } from './features.ts';
import { LinearMemory } from './memory.ts';
import { LoadedProgram } from './program.ts';
import { Runner } from './runner.ts';
import type { NodeModules, Spawn } from './workers.ts';
import { findSpawn, loadNodeModules } from './workers.ts';

export interface WasmDeviceOptions {
  /** Threads that share a run, the calling one included. Default: TENSORLOOM_THREADS, else one for each processor. */
  readonly threads?: number;
  /** Address of dist/wasm-worker.js, for pages whose content security policy forbids workers from blob: addresses. */
  readonly workerUrl?: string | URL;
  /** Most bytes of linear memory; by default what the engine allows, up to 4 GiB. */
  readonly maximumBytes?: number;
  /** false: no shared memory and no workers, as on a page that is not cross-origin isolated. */
  readonly shared?: boolean;
}

export type WasmExecutable = ReturnType<Device<WasmImage>['load']>;

export async function createWasmDevice(options: WasmDeviceOptions = {}): Promise<WasmDevice> {
  return wasmDeviceWith(await loadNodeModules(), options);
}

/** The same for those who cannot wait and have Node's modules at hand. */
export function wasmDeviceWith(node: NodeModules | null, options: WasmDeviceOptions = {}): WasmDevice {
  if (!hasSimd()) fail('wasm', 'the engine must have WebAssembly SIMD', undefined, 'take a newer browser or Node');
  const threads = options.threads ?? defaultThreads(node);
  if (!Number.isInteger(threads) || threads < 1)
    fail('wasm', 'the number of threads must be an integer from 1', `got ${threads}`);
  const shared = options.shared !== false && hasSharedMemory();
  const spawn = shared ? findSpawn(options, node) : null;
  debug(1, () => `wasm: ${threads} threads${spawn ? '' : ', but no workers here'}`);
  return new WasmDevice(spawn ? threads : 1, new LinearMemory(shared, options.maximumBytes), spawn);
}

/** TENSORLOOM_THREADS, else the processors that this process may use. */
function defaultThreads(node: NodeModules | null): number {
  const host = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const wanted = host.process?.env?.TENSORLOOM_THREADS;
  if (wanted !== undefined && wanted !== '') {
    const threads = Number(wanted);
    if (Number.isInteger(threads) && threads > 0) return threads;
    return fail('wasm', 'TENSORLOOM_THREADS must be an integer from 1', `got "${wanted}"`);
  }
  return node ? node.os.availableParallelism() : (globalThis.navigator?.hardwareConcurrency ?? 1);
}

export class WasmDevice implements Device<WasmImage> {
  readonly threads: number;
  /** Where tensors may live, so that runs need not copy them. */
  readonly home: Home;
  readonly #memory: LinearMemory;
  readonly #runner: Runner;
  /** Workers keep one instance for each slot, so slots are used again. */
  readonly #slots: (LoadedProgram | null)[] = [];
  #versions = 0;
  #isDisposed = false;

  constructor(threads: number, memory: LinearMemory, spawn: Spawn | null) {
    this.threads = threads;
    this.#memory = memory;
    this.home = new Residences(memory);
    this.#runner = new Runner(this.home, memory, threads, spawn);
  }

  /** Bytes of linear memory, and how many of them are in use. */
  get memory(): { readonly bytes: number; readonly used: number } {
    return { bytes: this.#memory.byteLength, used: this.#memory.usedBytes };
  }

  /** `image` is what the code generator made of program.kernels, in that order. */
  load(program: Program, image: WasmImage): WasmExecutable {
    if (this.#isDisposed) throw new InternalError('internal: a disposed wasm device was asked to load a program');
    const free = this.#slots.indexOf(null);
    const slot = free >= 0 ? free : this.#slots.length;
    const loaded = new LoadedProgram(this.#memory, program, image, slot, ++this.#versions);
    this.#slots[slot] = loaded;
    return new LoadedExecutable(this.#runner, loaded, () => {
      this.#slots[slot] = null;
    });
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#runner.dispose();
    this.#slots.length = 0;
  }
}

/** The part of the memory that tensors may live in; the other part is left for programs. */
const SHARE_OF_TENSORS = 0.5;

/** Storages in the linear memory. What the garbage collector has not come to yet counts, so the rest must do without. */
class Residences implements Home {
  readonly #memory: LinearMemory;
  readonly #sizes = new Map<number, number>();
  #used = 0;

  constructor(memory: LinearMemory) {
    this.#memory = memory;
  }

  get bytes(): Uint8Array {
    return this.#memory.bytes;
  }

  take(byteLength: number): number {
    if (this.#used + byteLength > this.#memory.maximumBytes * SHARE_OF_TENSORS) return -1;
    const at = this.#memory.tryAllocate(byteLength);
    if (at < 0) return -1;
    this.#sizes.set(at, byteLength);
    this.#used += byteLength;
    return at;
  }

  give(at: number): void {
    const byteLength = this.#sizes.get(at);
    if (byteLength === undefined) throw new InternalError(`internal: no storage lives at ${at}`);
    this.#sizes.delete(at);
    this.#used -= byteLength;
    this.#memory.release(at);
  }
}

class LoadedExecutable implements WasmExecutable {
  readonly #runner: Runner;
  readonly #loaded: LoadedProgram;
  readonly #onDispose: () => void;

  constructor(runner: Runner, loaded: LoadedProgram, onDispose: () => void) {
    this.#runner = runner;
    this.#loaded = loaded;
    this.#onDispose = onDispose;
  }

  get bytes(): number {
    return this.#loaded.bytes;
  }

  run(inputs: readonly Storage[], outputs: readonly Storage[]): void {
    this.#runner.run(this.#loaded, inputs, outputs);
  }

  runAsync(inputs: readonly Storage[], outputs: readonly Storage[]): Promise<void> {
    return this.#runner.runAsync(this.#loaded, inputs, outputs);
  }

  profile(inputs: readonly Storage[], outputs: readonly Storage[]): StepTime[] {
    return this.#runner.profile(this.#loaded, inputs, outputs);
  }

  dispose(): void {
    if (this.#loaded.isFreed) return;
    // A run that is on its way still reads the tables.
    this.#runner.drain();
    this.#loaded.free();
    this.#onDispose();
  }
}
