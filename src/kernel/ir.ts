/**
 * Kernel IR: what a code generator sees. A kernel is a set of regions; a region is a loop nest whose outermost loop is shared
 * among threads. Values are vectors of `kernel.lanes` lanes of 32 or 64 bits; addresses are affine in the loop variables. It
 * knows nothing of graphs, tensors or machines. The written spec is docs/kernel-ir.md; interpreter.ts is its definition.
 */

/** Numbers that a register can hold. i32 and i64 are two's complement and wrap. */
export type NumberType = 'f32' | 'i32' | 'f64' | 'i64';
/** Type of a register: `lanes` lanes. A mask lane is true or false; how wide it is, is the target's business. */
export type RegType = NumberType | 'mask';
/**
 * Type of an element in memory. u8, i8 and u16 are loaded into i32 registers, with zeros or the sign above them, and stored from the
 * low bits. f16 and bf16 are loaded into f32 registers; what is stored must be one of their numbers, as toF16 and toBf16 give them.
 */
export type Elem = 'f32' | 'i32' | 'u8' | 'i8' | 'u16' | 'f16' | 'bf16' | 'f64' | 'i64';
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
  | 'abs' // every number
  | 'not' // integers (bitwise), mask
  | 'floor'
  | 'ceil'
  | 'round'
  | 'sqrt' // f32, f64; round is half to even
  | 'exp'
  | 'log'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf' // f32, f64; decomposed by legalisation where a target lacks them
  | 'toF16'
  | 'toBf16'; // f32: the nearest number of the smaller format, half to even

export type BinaryFn =
  | 'add'
  | 'sub'
  | 'mul' // every number; integers wrap
  | 'div' // floats: IEEE; integers: floor of the quotient, 0 where the divisor is 0
  | 'mod' // integers only: a - b * div(a, b), 0 where the divisor is 0
  | 'min' // every number: a < b ? a : b
  | 'max' // every number: a > b ? a : b
  | 'pow' // f32, f64
  | 'and'
  | 'or'
  | 'xor' // integers, mask
  | 'shl'
  | 'shr'
  | 'sar'; // integers; the shift count must be a constant register of the same type, in 0..31 or 0..63

export type CompareFn = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';

export type ConvertFn =
  | 'f32ToI32' // toward zero, saturating, NaN -> 0
  | 'i32ToF32' // nearest even
  | 'maskToI32' // 1 or 0
  | 'i32ToMask' // a != 0
  | 'bitsToF32'
  | 'bitsToI32' // reinterpret
  | 'f32ToF64'
  | 'f64ToF32' // nearest even
  | 'i32ToF64'
  | 'f64ToI32' // toward zero, saturating, NaN -> 0
  | 'i64ToF64' // nearest even
  | 'f64ToI64' // toward zero, saturating, NaN -> 0
  | 'i32ToI64'
  | 'i64ToI32' // the low half
  | 'bitsToF64'
  | 'bitsToI64'; // reinterpret

export type ReduceFn = 'add' | 'mul' | 'min' | 'max';

export type Instr =
  | { readonly op: 'const'; readonly out: Reg; readonly type: 'f32' | 'i32' | 'f64'; readonly value: number }
  | { readonly op: 'const'; readonly out: Reg; readonly type: 'i64'; readonly value: bigint }
  /** i32: at + lane * laneStep. */
  | { readonly op: 'index'; readonly out: Reg; readonly type: 'i32'; readonly at: Affine; readonly laneStep: number }
  /**
   * Lane l in 0..lanes-1 reads element at + l * stride; the other lanes are 0. stride 0 reads one element and puts it in every
   * lane whatever `lanes` says.
   */
  | {
      readonly op: 'load';
      readonly out: Reg;
      readonly type: NumberType;
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
      readonly of: NumberType;
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
  | {
      readonly op: 'fma';
      readonly out: Reg;
      readonly type: 'f32' | 'f64';
      readonly a: Reg;
      readonly b: Reg;
      readonly c: Reg;
    }
  | { readonly op: 'convert'; readonly out: Reg; readonly type: RegType; readonly fn: ConvertFn; readonly a: Reg }
  /** Combines lanes 0..lanes-1 of a and puts the result in every lane. The order is fixed for a target. */
  | {
      readonly op: 'reduce';
      readonly out: Reg;
      readonly type: NumberType;
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
  /** Lanes of every register: a power of two, at most the target's (half of them where any register holds 64-bit lanes). */
  readonly lanes: number;
  /** What one run does, for reports: floating-point operations and bytes that must move at least. */
  readonly flops: number;
  readonly bytes: number;
}

export const elemBytes: { readonly [K in Elem]: number } = {
  f32: 4,
  i32: 4,
  u8: 1,
  i8: 1,
  u16: 2,
  f16: 2,
  bf16: 2,
  f64: 8,
  i64: 8,
};

/** What an element is loaded as and stored from. */
export const registerOf: { readonly [K in Elem]: NumberType } = {
  f32: 'f32',
  i32: 'i32',
  u8: 'i32',
  i8: 'i32',
  u16: 'i32',
  f16: 'f32',
  bf16: 'f32',
  f64: 'f64',
  i64: 'i64',
};

export const convertTypes: { readonly [F in ConvertFn]: { readonly from: RegType; readonly to: RegType } } = {
  f32ToI32: { from: 'f32', to: 'i32' },
  i32ToF32: { from: 'i32', to: 'f32' },
  maskToI32: { from: 'mask', to: 'i32' },
  i32ToMask: { from: 'i32', to: 'mask' },
  bitsToF32: { from: 'i32', to: 'f32' },
  bitsToI32: { from: 'f32', to: 'i32' },
  f32ToF64: { from: 'f32', to: 'f64' },
  f64ToF32: { from: 'f64', to: 'f32' },
  i32ToF64: { from: 'i32', to: 'f64' },
  f64ToI32: { from: 'f64', to: 'i32' },
  i64ToF64: { from: 'i64', to: 'f64' },
  f64ToI64: { from: 'f64', to: 'i64' },
  i32ToI64: { from: 'i32', to: 'i64' },
  i64ToI32: { from: 'i64', to: 'i32' },
  bitsToF64: { from: 'i64', to: 'f64' },
  bitsToI64: { from: 'f64', to: 'i64' },
};

/** Whether lanes of this type have 64 bits. */
export function isWide(type: RegType): boolean {
  return type === 'f64' || type === 'i64';
}

/** Whether any register of the kernel has lanes of 64 bits. */
export function holdsWide(kernel: Kernel): boolean {
  const inBlock = (nodes: readonly Node[]): boolean =>
    nodes.some((node) => (node.op === 'loop' ? inBlock(node.body) : 'type' in node && isWide(node.type)));
  return kernel.params.some(({ elem }) => isWide(registerOf[elem])) || kernel.regions.some(({ body }) => inBlock(body));
}

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
