/**
 * What decompositions write with: a kernel builder that decomposes, in turn, whatever the target does not have. Knows the
 * capabilities of a target but no target by name.
 */
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { isNative, type NativeFn } from '../../../kernel/capabilities.ts';
import type { BinaryFn, CompareFn, ConvertFn, ReduceFn, Reg, RegType, UnaryFn } from '../../../kernel/ir.ts';
import { constant } from '../../../kernel/ir.ts';

export type UnaryRule = (e: Emitter, a: Reg) => Reg;
export type BinaryRule = (e: Emitter, a: Reg, b: Reg) => Reg;
type RulesOf<Fn extends string, Rule> = { readonly [T in RegType]?: { readonly [F in Fn]?: Rule } };

/** For each function and the type of its operand, how to do without it. */
export interface Rules {
  readonly unary: RulesOf<UnaryFn, UnaryRule>;
  readonly binary: RulesOf<BinaryFn, BinaryRule>;
  readonly convert: RulesOf<ConvertFn, UnaryRule>;
}

export type Native = ReadonlySet<NativeFn>;

export class Emitter {
  readonly #b: KernelBuilder;
  readonly #native: Native;
  readonly #rules: Rules;

  constructor(b: KernelBuilder, native: Native, rules: Rules) {
    this.#b = b;
    this.#native = native;
    this.#rules = rules;
  }

  unary(fn: UnaryFn, a: Reg): Reg {
    const type = this.#b.typeOf(a);
    const rule = isNative(this.#native, fn, type) ? undefined : this.#rules.unary[type]?.[fn];
    return rule ? rule(this, a) : this.#b.unary(fn, a);
  }

  binary(fn: BinaryFn, a: Reg, b: Reg): Reg {
    const type = this.#b.typeOf(a);
    const rule = isNative(this.#native, fn, type) ? undefined : this.#rules.binary[type]?.[fn];
    return rule ? rule(this, a, b) : this.#b.binary(fn, a, b);
  }

  convert(fn: ConvertFn, a: Reg): Reg {
    const rule = this.#native.has(fn) ? undefined : this.#rules.convert[this.#b.typeOf(a)]?.[fn];
    return rule ? rule(this, a) : this.#b.convert(fn, a);
  }

  /**
   * Lanes 0..count-1 combined. Where the target has no instruction for it, by pairs of blocks that grow: of i64 only, where the
   * order does not matter.
   */
  reduce(fn: ReduceFn, a: Reg, count: number): Reg {
    const type = this.#b.typeOf(a);
    if (type !== 'i64' || isNative(this.#native, fn, type)) return this.#b.reduceLanes(fn, a, count);
    const neutral = { add: 0n, mul: 1n, min: 2n ** 63n - 1n, max: -(2n ** 63n) }[fn];
    let rest = a;
    if (count < this.#b.lanes) {
      const active = this.compare('lt', this.#b.index(constant(0), 1), this.i32(count));
      rest = this.select(active, a, this.i64(neutral));
    }
    for (let size = 1; size < this.#b.lanes; size *= 2) {
      const side = (odd: boolean): Reg => this.#b.exchange(rest, rest, size, odd);
      rest = this.binary(fn, side(false), side(true));
    }
    return rest;
  }

  typeOf(a: Reg): RegType {
    return this.#b.typeOf(a);
  }

  f32(value: number): Reg {
    return this.#b.f32(value);
  }

  f64(value: number): Reg {
    return this.#b.f64(value);
  }

  i64(value: bigint): Reg {
    return this.#b.i64(value);
  }

  i32(value: number): Reg {
    return this.#b.i32(value);
  }

  add(a: Reg, b: Reg): Reg {
    return this.binary('add', a, b);
  }

  sub(a: Reg, b: Reg): Reg {
    return this.binary('sub', a, b);
  }

  mul(a: Reg, b: Reg): Reg {
    return this.binary('mul', a, b);
  }

  /** a * b + c, rounded once or twice: no decomposition may count on either. */
  fma(a: Reg, b: Reg, c: Reg): Reg {
    return this.#b.fma(a, b, c);
  }

  and(a: Reg, b: Reg): Reg {
    return this.binary('and', a, b);
  }

  or(a: Reg, b: Reg): Reg {
    return this.binary('or', a, b);
  }

  xor(a: Reg, b: Reg): Reg {
    return this.binary('xor', a, b);
  }

  shift(fn: 'shl' | 'shr' | 'sar', a: Reg, count: number): Reg {
    return this.binary(fn, a, this.#b.typeOf(a) === 'i64' ? this.i64(BigInt(count)) : this.i32(count));
  }

  compare(fn: CompareFn, a: Reg, b: Reg): Reg {
    return this.#b.compare(fn, a, b);
  }

  select(mask: Reg, a: Reg, b: Reg): Reg {
    return this.#b.select(mask, a, b);
  }

  /** A constant of the type of a. */
  like(a: Reg, value: number): Reg {
    return this.#b.like(a, value);
  }

  /** The lanes of floats as integers of their width. */
  bits(a: Reg): Reg {
    return this.convert(this.typeOf(a) === 'f64' ? 'bitsToI64' : 'bitsToI32', a);
  }

  float(bits: Reg): Reg {
    return this.convert(this.typeOf(bits) === 'i64' ? 'bitsToF64' : 'bitsToF32', bits);
  }

  /** c[0] + c[1] x + c[2] x^2 + ... */
  polynomial(coefficients: readonly number[], x: Reg): Reg {
    let sum = this.like(x, coefficients[coefficients.length - 1]);
    for (let k = coefficients.length - 2; k >= 0; k--) sum = this.fma(sum, x, this.like(x, coefficients[k]));
    return sum;
  }

  // ---- idioms shared by several functions ----

  /** Just the sign bit. */
  signBit(a: Reg): Reg {
    return this.and(this.bits(a), this.typeOf(a) === 'f64' ? this.i64(signMask64) : this.i32(signMask));
  }

  /** `magnitude`, whose sign bit is clear, with this sign bit. */
  withSign(magnitude: Reg, sign: Reg): Reg {
    return this.float(this.or(this.bits(magnitude), sign));
  }

  /** The smaller of `limit` and a; NaN stays NaN, because min gives its second operand where it cannot order. */
  atMost(limit: number, a: Reg): Reg {
    return this.binary('min', this.like(a, limit), a);
  }

  atLeast(limit: number, a: Reg): Reg {
    return this.binary('max', this.like(a, limit), a);
  }

  /** The nearest integer of a, |a| < 2^22, as f32 and in the low bits of an i32 (above them stands a constant, `magicBits`). */
  nearest(a: Reg, factor = 1): { readonly rounded: Reg; readonly bits: Reg } {
    const magic = this.f32(12582912);
    const shifted = factor === 1 ? this.add(a, magic) : this.fma(a, this.f32(factor), magic);
    return { rounded: this.sub(shifted, magic), bits: this.bits(shifted) };
  }

  /** 2^n for an i32 n in -126..127. */
  powerOfTwo(n: Reg): Reg {
    return this.float(this.shift('shl', this.add(n, this.i32(127)), 23));
  }

  /** a * 2^n for n in -252..254, rounded once, also where the result is denormal. */
  scale(a: Reg, n: Reg): Reg {
    const half = this.shift('sar', n, 1);
    return this.mul(this.mul(a, this.powerOfTwo(half)), this.powerOfTwo(this.sub(n, half)));
  }
}

export const signMask = -0x80000000;
const signMask64 = -(2n ** 63n);
/** The bits of 1.5 * 2^23: adding it leaves no room for a fraction. */
export const magicBits = 0x4b400000;
