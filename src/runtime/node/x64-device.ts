/**
 * The native device of Node on x86-64: loads images of machine code and runs programs on threads of its own. Where anything
 * that it needs is missing it says what, and throws nothing. Knows neither the code generator nor graphs.
 */
import { availableParallelism } from 'node:os';
import { InternalError } from '../../base/errors.ts';
import type { X64Driver, X64Image } from '../../kernel/image.ts';
import type { Program } from '../../kernel/program.ts';
import type { Device } from '../device.ts';
import { CodePageCache } from './code-pages.ts';
import type { Ffi } from './ffi.ts';
import { addressOf, loadFfi } from './ffi.ts';
import { measurePeak } from './peak.ts';
import type { Platform } from './platform.ts';
import { currentPlatform, systemOf } from './platform.ts';
import { Team } from './team.ts';
import { X64Executable } from './x64-executable.ts';

export interface X64Options {
  /** Default: TENSORLOOM_THREADS, else what the machine offers. */
  readonly threads?: number;
  /** Default: TENSORLOOM_INSTRUCTIONS (avx2 or avx512), else the widest that the processor has. */
  readonly instructions?: X64Instructions;
}

export type X64Instructions = 'avx2' | 'avx512';

export interface Unavailable {
  readonly unavailable: string;
}

/** Emits the driver for a system; handed in by the session, since a device knows no code generator. */
export type EmitDriver = (system: X64Driver['system']) => X64Driver;

export class X64Device implements Device<X64Image> {
  readonly threads: number;
  /** The widest instruction set that code for this device may use. */
  readonly instructions: X64Instructions;
  /** Bytes of a core's second cache. */
  readonly secondCache: number;
  readonly #ffi: Ffi;
  readonly #platform: Platform;
  readonly #pages: CodePageCache;
  readonly #team: Team;

  constructor(
    ffi: Ffi,
    platform: Platform,
    pages: CodePageCache,
    team: Team,
    instructions: X64Instructions,
    secondCache: number,
  ) {
    this.threads = team.threads;
    this.instructions = instructions;
    this.secondCache = secondCache;
    this.#ffi = ffi;
    this.#platform = platform;
    this.#pages = pages;
    this.#team = team;
  }

  load(program: Program, image: X64Image): X64Executable {
    if (image.entries.length !== program.kernels.length) {
      throw new InternalError(
        `internal: the image has ${image.entries.length} kernels, the program ${program.kernels.length}`,
      );
    }
    const pages = this.#pages.load(image.code);
    return new X64Executable(this.#ffi, this.#platform, this.#team, pages, program, image);
  }

  /** For StoragePool.addressOf: called once for each fresh buffer. */
  readonly addressOf = (buffer: ArrayBuffer): number => {
    const address = addressOf(this.#ffi, buffer);
    // Translating the addresses of small pages costs a large matrix product several percent.
    this.#platform.preferLargePages(address, buffer.byteLength);
    return address;
  };

  /** The most that this machine's multiply-add units and memory do with all threads; takes some tens of milliseconds. */
  measurePeak(): { gflops: number; copyBytesPerSecond: number } {
    const entry = this.instructions === 'avx512' ? 'peakWide' : 'peak';
    return measurePeak(this.#ffi, this.#platform, this.#team, entry);
  }

  dispose(): void {
    this.#team.dispose();
  }
}

/** The device, or why there is none. */
export function createX64Device(emitDriver: EmitDriver, options: X64Options = {}): X64Device | Unavailable {
  if (process.arch !== 'x64') return { unavailable: `the processor is ${process.arch}, not x64` };
  try {
    const ffi = loadFfi();
    if (typeof ffi === 'string') return { unavailable: ffi };
    const platform = currentPlatform(ffi);
    if (typeof platform === 'string') return { unavailable: platform };
    const pages = new CodePageCache(ffi, platform);
    const team = new Team(ffi, platform, pages, emitDriver(systemOf(process.platform)), threadsFrom(options));
    const id = team.identify();
    const missing = missingFeatures(id);
    if (missing.length > 0) {
      team.dispose();
      return { unavailable: `the processor lacks ${missing.join(', ')}` };
    }
    return new X64Device(ffi, platform, pages, team, options.instructions ?? instructionsOf(id), secondCacheOf(id));
  } catch (error) {
    return { unavailable: error instanceof Error ? error.message : String(error) };
  }
}

export function isUnavailable(device: X64Device | Unavailable): device is Unavailable {
  return 'unavailable' in device;
}

function threadsFrom(options: X64Options): number {
  const wanted = options.threads ?? Number(process.env.TENSORLOOM_THREADS || availableParallelism());
  return Number.isInteger(wanted) && wanted >= 1 ? Math.min(wanted, 256) : availableParallelism();
}

/** AVX-512 with its foundation, double and quad word, byte and word, and short vector parts, and a system that keeps the registers. */
function instructionsOf(id: Int32Array): X64Instructions {
  const has = (bit: number): boolean => ((id[4] >>> bit) & 1) === 1;
  const wide = [16, 17, 30, 31].every(has) && (id[6] & 0xe6) === 0xe6;
  return wide && process.env.TENSORLOOM_INSTRUCTIONS !== 'avx2' ? 'avx512' : 'avx2';
}

const SMALLEST_SECOND_CACHE = 256 * 1024;
const GUESSED_SECOND_CACHE = 512 * 1024;

/** What the processor says, between bounds: hypervisors hide it, or report what several cores share. */
function secondCacheOf(id: Int32Array): number {
  const bytes = (id[7] >>> 16) * 1024;
  return bytes === 0 ? GUESSED_SECOND_CACHE : Math.min(2 ** 21, Math.max(SMALLEST_SECOND_CACHE, bytes));
}

/** cpuid: [leaf 1 eax, ebx, ecx, edx, leaf 7 ebx, ecx, xcr0]. */
function missingFeatures(id: Int32Array): string[] {
  const has = (word: number, bit: number): boolean => ((id[word] >>> bit) & 1) === 1;
  const missing: string[] = [];
  if (!has(2, 28)) missing.push('AVX');
  if (!has(2, 12)) missing.push('FMA');
  if (!has(4, 5)) missing.push('AVX2');
  if (!has(2, 27) || (id[6] & 6) !== 6) missing.push('the operating system keeping AVX registers');
  return missing;
}
