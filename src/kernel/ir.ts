/**
 * Kernel IR: what a code generator sees. A kernel is a set of regions; a region is a loop nest whose outermost loop is shared
 * among threads. Values are vectors of `kernel.lanes` 32-bit lanes; addresses are affine in the loop variables. It knows
 * nothing of graphs, tensors or machines. The written spec is docs/kernel-ir.md; interpreter.ts is its definition.
 */

/** Type of a register: every register has `lanes` lanes of 32 bits. A mask lane is all ones (true) or all zeros (false). */
export type RegType = 'f32' | 'i32' | 'mask';
/** Type of an element in memory. u8 is loaded into, and stored from, an i32 register (its low byte). */
export type Elem = 'f32' | 'i32' | 'u8';
export type Reg = number;

export interface LoopVar {
  readonly id: number;
  readonly name: string;
}

/** offset + sum of coef * v, in elements (addresses) or as a plain integer (bounds, index). Terms have distinct variables and non-zero coefs. */
export interface Affine {
  readonly offset: number;
  readonly terms: readonly Term[];
}
export interface Term {
  readonly v: LoopVar;
  readonly coef: number;
}

export interface Param {
  readonly name: string;
  readonly elem: Elem;
  /** In elements. */
  readonly size: number;
  readonly access: 'read' | 'write' | 'readwrite';
}

/** Adds index * scale elements to an address. `index` must be the result of a guard; lane 0 is used. */
export interface Dynamic {
  readonly index: Reg;
  readonly scale: number;
}

export type UnaryFn =
  | 'neg'
  | 'abs' // f32, i32
  | 'not' // i32 (bitwise), mask
  | 'floor'
  | 'ceil'
  | 'round'
  | 'sqrt' // f32; round is half to even
  | 'exp'
  | 'log'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf'; // f32; decomposed by legalisation where a target lacks them

export type BinaryFn =
  | 'add'
  | 'sub'
  | 'mul' // f32, i32 (wrapping)
  | 'div' // f32: IEEE; i32: floor of the quotient, 0 where the divisor is 0
  | 'mod' // i32 only: a - b * div(a, b), 0 where the divisor is 0
  | 'min' // f32: a < b ? a : b; i32
  | 'max' // f32: a > b ? a : b; i32
  | 'pow' // f32
  | 'and'
  | 'or'
  | 'xor' // i32, mask
  | 'shl'
  | 'shr'
  | 'sar'; // i32; the shift count must be a constant register in 0..31

export type CompareFn = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';

export type ConvertFn =
  | 'f32ToI32' // toward zero, saturating, NaN -> 0
  | 'i32ToF32' // nearest even
  | 'maskToI32' // 1 or 0
  | 'i32ToMask' // a != 0
  | 'bitsToF32'
  | 'bitsToI32'; // reinterpret

export type ReduceFn = 'add' | 'mul' | 'min' | 'max';

export type Instr =
  | { readonly op: 'const'; readonly out: Reg; readonly type: 'f32' | 'i32'; readonly value: number }
  /** i32: at + lane * laneStep. */
  | { readonly op: 'index'; readonly out: Reg; readonly type: 'i32'; readonly at: Affine; readonly laneStep: number }
  /**
   * Lane l in 0..lanes-1 reads element at + l * stride; the other lanes are 0. stride 0 reads one element and puts it in every
   * lane whatever `lanes` says.
   */
  | {
      readonly op: 'load';
      readonly out: Reg;
      readonly type: 'f32' | 'i32';
      readonly buf: number;
      readonly at: Affine;
      readonly stride: number;
      readonly lanes: number;
      readonly dyn?: Dynamic;
    }
  /** Lane l in 0..lanes-1 is written to element at + l * stride (stride is not 0 unless lanes is 1). */
  | {
      readonly op: 'store';
      readonly buf: number;
      readonly at: Affine;
      readonly stride: number;
      readonly lanes: number;
      readonly value: Reg;
      readonly dyn?: Dynamic;
    }
  | { readonly op: 'unary'; readonly out: Reg; readonly type: RegType; readonly fn: UnaryFn; readonly a: Reg }
  | {
      readonly op: 'binary';
      readonly out: Reg;
      readonly type: RegType;
      readonly fn: BinaryFn;
      readonly a: Reg;
      readonly b: Reg;
    }
  | {
      readonly op: 'compare';
      readonly out: Reg;
      readonly type: 'mask';
      readonly fn: CompareFn;
      readonly of: 'f32' | 'i32';
      readonly a: Reg;
      readonly b: Reg;
    }
  /** mask ? a : b, lane by lane. */
  | {
      readonly op: 'select';
      readonly out: Reg;
      readonly type: RegType;
      readonly mask: Reg;
      readonly a: Reg;
      readonly b: Reg;
    }
  /** a * b + c; rounded once or twice as the target likes best. */
  | { readonly op: 'fma'; readonly out: Reg; readonly type: 'f32'; readonly a: Reg; readonly b: Reg; readonly c: Reg }
  | { readonly op: 'convert'; readonly out: Reg; readonly type: RegType; readonly fn: ConvertFn; readonly a: Reg }
  /** Combines lanes 0..lanes-1 of a and puts the result in every lane. The order is fixed for a target. */
  | {
      readonly op: 'reduce';
      readonly out: Reg;
      readonly type: 'f32' | 'i32';
      readonly fn: ReduceFn;
      readonly a: Reg;
      readonly lanes: number;
    }
  /**
   * Lanes in blocks of `size` (a power of two below the kernel's lanes): the blocks of one parity of a and b, interleaved.
   * odd false: a0 b0 a2 b2 ...; true: a1 b1 a3 b3 ... Pairs of these for size = 1, 2, 4, ... transpose a square of registers.
   */
  | {
      readonly op: 'exchange';
      readonly out: Reg;
      readonly type: RegType;
      readonly a: Reg;
      readonly b: Reg;
      readonly size: number;
      readonly odd: boolean;
    }
  /** Declares an accumulator: the one kind of register that may change. It lives to the end of the block that declares it. */
  | { readonly op: 'acc'; readonly out: Reg; readonly type: RegType; readonly init: Reg }
  | { readonly op: 'set'; readonly acc: Reg; readonly value: Reg }
  /** acc = a * b + acc. */
  | { readonly op: 'fmaAcc'; readonly acc: Reg; readonly a: Reg; readonly b: Reg }
  /**
   * out = (0 <= index < bound in lane 0) ? index : 0. Where it does not hold, `site` and the index are written to the error
   * record { site + 1, index } and the kernel goes on; the runtime turns that into an error. bound >= 1.
   */
  | {
      readonly op: 'guard';
      readonly out: Reg;
      readonly type: 'i32';
      readonly index: Reg;
      readonly bound: number;
      readonly site: number;
    };

/** v from max(lo) while v < min(hi), by step. It may run zero times. */
export interface Loop {
  readonly op: 'loop';
  readonly v: LoopVar;
  readonly lo: readonly Affine[];
  readonly hi: readonly Affine[];
  /** One more upper bound, from data: lane 0 of an i32 register, read once on entry. It can only make the loop shorter. */
  readonly until?: Reg;
  readonly step: number;
  readonly body: readonly Node[];
}

export type Node = Instr | Loop;

/** body runs once for each chunk v in 0..extent-1; chunks of all regions are independent of each other. */
export interface Region {
  readonly v: LoopVar;
  readonly extent: number;
  readonly body: readonly Node[];
}

export interface Kernel {
  readonly name: string;
  readonly params: readonly Param[];
  readonly regions: readonly Region[];
  /** Lanes of every register: a power of two, at most the target's. */
  readonly lanes: number;
  /** What one run does, for reports: floating-point operations and bytes that must move at least. */
  readonly flops: number;
  readonly bytes: number;
}

export const elemBytes: { readonly [K in Elem]: number } = { f32: 4, i32: 4, u8: 1 };

// ---- affine arithmetic -------------------------------------------------------------------------------------------------

export const zero: Affine = { offset: 0, terms: [] };

export function constant(offset: number): Affine {
  return offset === 0 ? zero : { offset, terms: [] };
}

export function variable(v: LoopVar, coef = 1): Affine {
  return coef === 0 ? zero : { offset: 0, terms: [{ v, coef }] };
}

export function plus(a: Affine, b: Affine): Affine {
  if (a.terms.length === 0 && b.terms.length === 0) return constant(a.offset + b.offset);
  const terms: Term[] = a.terms.slice();
  for (const term of b.terms) {
    const at = terms.findIndex((t) => t.v.id === term.v.id);
    if (at < 0) terms.push(term);
    else if (terms[at].coef + term.coef === 0) terms.splice(at, 1);
    else terms[at] = { v: term.v, coef: terms[at].coef + term.coef };
  }
  return { offset: a.offset + b.offset, terms };
}

export function times(a: Affine, factor: number): Affine {
  if (factor === 0) return zero;
  if (factor === 1) return a;
  return { offset: a.offset * factor, terms: a.terms.map((t) => ({ v: t.v, coef: t.coef * factor })) };
}

export function shift(a: Affine, by: number): Affine {
  return by === 0 ? a : { offset: a.offset + by, terms: a.terms };
}
