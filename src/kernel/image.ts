/** Machine code as a code generator hands it to a device: neither knows the other, both know this. */

export interface X64Image {
  /** Position independent; its constants lie behind it. */
  readonly code: Uint8Array;
  /** Byte offset of each kernel's regions: entries[kernel][region]. */
  readonly entries: readonly (readonly number[])[];
  /** Assembly, where DEBUG or the caller asked for it. */
  readonly listing?: string;
}

export interface WasmImage {
  readonly module: Uint8Array;
  /** Name of the exported function of each kernel's each region: (args, chunk, errorRecord) -> (). args is never 0. */
  readonly names: readonly (readonly string[])[];
  /** Place in the module of the flags of its imported memory: 1 for a private memory, 3 for a shared one. It is emitted as shared. */
  readonly memoryFlagsAt: number;
}

export type X64System = 'linux' | 'darwin' | 'windows';

/**
 * The code that runs programs: each entry is a function of one pointer in the system's own calling convention. What the
 * pointers point to is laid out by x64Layout.
 */
export interface X64Driver {
  readonly code: Uint8Array;
  readonly system: X64System;
  readonly entries: {
    /** (job): runs its records and returns when all are done. */
    readonly run: number;
    /** (control): a worker's whole life. */
    readonly worker: number;
    /** (int32[8]): cpuid leaf 1 eax..edx, leaf 7 ebx, ecx; xcr0; leaf 0x80000006 ecx (0 where there is none). */
    readonly identify: number;
    /** Kernel entries, for records: args[0] = iterations of PEAK_FLOPS operations. */
    readonly peak: number;
    /** The same with 512-bit vectors, for processors that have them. */
    readonly peakWide: number;
    /** args = { source, target, bytes of a chunk (a multiple of 128) }. */
    readonly copy: number;
  };
  /** Operations of one iteration of the peak loop. */
  readonly peakFlops: { readonly peak: number; readonly peakWide: number };
}

/** Byte offsets of the structures that device and driver share. Fields that threads write stand on cache lines of their own. */
export const x64Layout = {
  record: {
    entry: 0,
    args: 8,
    /** Chunks, at least 1; int32. */
    extent: 16,
    /** int32: 0 for a kernel, 1 where a loop begins, 2 where it ends. */
    kind: 20,
    /** int32: 1 on the last record of a stage. */
    endsStage: 24,
    /** int32, on the last record of a stage: chunks of the whole stage. */
    stageChunks: 32,
    /** int32: where `claimed` stops; grows by `extent` each time the stage is opened. */
    limit: 36,
    /** int32, on the last record of a stage: the phase for which it was opened. */
    phase: 40,
    /** int32: chunks claimed so far, in all runs. It only ever grows (modulo 2^32), so a late thread cannot claim twice. */
    claimed: 64,
    /** int32, on the last record of a stage: chunks that are done. */
    done: 128,
    size: 192,
  },
  /** Where a loop begins: a record of kind 1. */
  loopBegin: {
    /** The cell that holds the address of the loop's flag (int32), or 0: it has none. */
    flag: 0,
    /** The record behind the loop's end. */
    exit: 8,
    /** int64: iterations that are done. */
    iteration: 40,
  },
  /** Where a loop ends: a record of kind 2. */
  loopEnd: {
    begin: 8,
    /** int32: cells to be moved on, and where their list is: { address of the cell, bytes } each. */
    moves: 16,
    moveTable: 24,
    /** int64. */
    count: 32,
  },
  job: {
    control: 0,
    begin: 8,
    end: 16,
    errors: 24,
    /** int32: runs take their turns by it. */
    ticket: 32,
    /** int32: 0 runs everything on the calling thread. */
    parallel: 36,
    size: 64,
  },
  control: {
    /** int32: the ticket whose turn it is. */
    serving: 0,
    turnWaiters: 64,
    /** int32: grows with each parallel job; workers sleep on it. */
    generation: 128,
    sleepers: 192,
    /** int32: workers that may be reading the job. */
    active: 256,
    /** int32: whether a job may be entered. */
    open: 320,
    end: 328,
    errors: 336,
    /** int32: workers leave when it is 1. */
    exit: 384,
    /** int32: workers that have not left. */
    live: 448,
    /** Functions of the system, where it has no stable system calls. */
    wait: 512,
    wake: 520,
    yield: 528,
    /** int32: grows with each stage that is opened, and with each job that is over; the first record of the stage. */
    phase: 576,
    position: 584,
    size: 640,
  },
} as const;
