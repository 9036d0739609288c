/** A program: kernels, buffers and an order. What the compiler makes, a code generator translates and a device runs. */
import type { TypedArray } from '../types/dtype.ts';
import type { Elem, Kernel } from './ir.ts';

export interface BufferSpec {
  readonly elem: Elem;
  /** In elements. */
  readonly size: number;
  /**
   * input and output live in storages handed to run; temp and constant live in the program's arena; a window is a part of one of
   * the others.
   */
  readonly kind: 'input' | 'output' | 'temp' | 'constant' | 'window';
  /** Bytes from the arena's start, a multiple of 64 (temp, constant); from the start of what it is part of (window). */
  readonly offset: number;
  /** A window starts `bytes` further with each iteration of a loop (an index into Program.loops), and back where the loop ends. */
  readonly window?: {
    readonly of: number;
    readonly strides: readonly { readonly loop: number; readonly bytes: number }[];
  };
  /** What a constant holds. */
  readonly data?: TypedArray;
  /** An output that is updated in place: the input buffer whose storage it shares (run is handed the same storage for both). */
  readonly alias?: number;
}

export interface Step {
  /** Index into Program.kernels. */
  readonly kernel: number;
  /** For each parameter of the kernel, an index into Program.buffers. */
  readonly args: readonly number[];
  /** Steps of one stage are independent; a barrier stands between stages. Steps are sorted by it. */
  readonly stage: number;
}

/**
 * Steps that run again and again: [first, end), which are whole stages. Loops stand in order of `first`, outer before inner, and
 * contain each other or do not meet.
 */
export interface Loop {
  readonly first: number;
  readonly end: number;
  /** Iterations, at least 1; no more than that where there is a flag. */
  readonly count: number;
  /** A buffer of one i32: an iteration begins only while it is not 0. */
  readonly flag?: number;
}

/**
 * The first steps, whole stages, read nothing but these inputs and constants, and nobody else writes where they write: a run after
 * which the inputs have stayed the same need not be followed by another run of them.
 */
export interface Prologue {
  readonly steps: number;
  /** Indices into Program.buffers. */
  readonly inputs: readonly number[];
}

/** What a guard protects, for the error message. */
export interface GuardSite {
  readonly op: string;
  readonly what: string;
  readonly bound: number;
}

export interface Program {
  readonly name: string;
  /** Distinct kernels. */
  readonly kernels: readonly Kernel[];
  readonly buffers: readonly BufferSpec[];
  /** Buffer indices in the order in which run takes storages. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly steps: readonly Step[];
  readonly loops?: readonly Loop[];
  readonly prologue?: Prologue;
  readonly arenaBytes: number;
  readonly sites: readonly GuardSite[];
}
