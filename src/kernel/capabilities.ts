/** What a code generator can do: all that scheduling and legalisation may ask about a target. */
import type { BinaryFn, ConvertFn, RegType, UnaryFn } from './ir.ts';

/** A function of 32-bit lanes or masks, or one of 64-bit lanes. */
export type NativeFn = UnaryFn | BinaryFn | ConvertFn | `${'f64' | 'i64'}.${UnaryFn | BinaryFn}`;

/** Whether a target has the function as instructions, for registers of this type. */
export function isNative(native: ReadonlySet<NativeFn>, fn: UnaryFn | BinaryFn, type: RegType): boolean {
  return native.has(type === 'f64' || type === 'i64' ? `${type}.${fn}` : fn);
}

export interface Capabilities {
  readonly target: string;
  /** 32-bit lanes of a vector register. */
  readonly lanes: number;
  /** Vector registers that a register tile may fill. */
  readonly vectorRegisters: number;
  /** Most accumulator vectors that a register tile may use, and most rows; less than the registers where the engine spills. */
  readonly tile: { readonly rows: number; readonly vectors: number; readonly accumulators: number };
  readonly fma: boolean;
  /** Threads that a program will be shared among; it never changes results, only how work is cut. */
  readonly threads: number;
  /** Whether temporaries are the program's own: what one run has written is still there in the next. */
  readonly keepsArena?: boolean;
  readonly cacheBytes: { readonly l1: number; readonly l2: number };
  /** Functions that the target has as instructions; the others are decomposed by legalize. What has toF16 loads and stores f16, too. */
  readonly native: ReadonlySet<NativeFn>;
}
