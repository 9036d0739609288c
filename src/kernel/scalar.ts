/**
 * What each function of kernel IR means for one lane. Results are rounded to f32 or wrapped to i32 and i64 by the register they
 * are written to, so these are plain double, integer and bigint expressions. Part of the definition of the IR; knows no kernels.
 */
import { invariant } from '../base/errors.ts';
import { roundToBfloat16, roundToFloat16 } from '../types/half.ts';
import { erf } from './erf.ts';
import type { BinaryFn, CompareFn, ConvertFn, RegType, UnaryFn } from './ir.ts';

export type Unary = (a: number) => number;
export type Binary = (a: number, b: number) => number;
export type Ternary = (a: number, b: number, c: number) => number;

/** The product of two f32 is exact in double: one rounding (but for the rare double one). */
export const fma: Ternary = (a, b, c) => a * b + c;
export const mulAdd: Ternary = (a, b, c) => Math.fround(a * b) + c;

/** Types whose lanes are JavaScript numbers; those of i64 are bigints. */
export type Narrow = Exclude<RegType, 'i64'>;

export function unary(fn: UnaryFn, type: Narrow): Unary {
  return found(unaryTables[type][fn], fn, type);
}

export function binary(fn: BinaryFn, type: Narrow): Binary {
  return found(binaryTables[type][fn], fn, type);
}

export function unaryI64(fn: UnaryFn): (a: bigint) => bigint {
  return found(longUnary[fn], fn, 'i64');
}

export function binaryI64(fn: BinaryFn): (a: bigint, b: bigint) => bigint {
  return found(longBinary[fn], fn, 'i64');
}

export const compare: { readonly [F in CompareFn]: <N extends number | bigint>(a: N, b: N) => boolean } = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

/** The conversions whose operand is a number. A bigint that does not fit wraps in the register that it is written to. */
export const convert: { readonly [F in ConvertFn]?: (a: number) => number | bigint } = {
  f32ToI32: saturate,
  i32ToF32: (a) => a,
  maskToI32: (a) => (a !== 0 ? 1 : 0),
  i32ToMask: (a) => (a !== 0 ? -1 : 0),
  f32ToF64: (a) => a,
  f64ToF32: (a) => a,
  i32ToF64: (a) => a,
  f64ToI32: saturate,
  f64ToI64: saturateI64,
  i32ToI64: BigInt,
};

/** f64ToI64, in the same manner as saturate. */
function saturateI64(a: number): bigint {
  if (Number.isNaN(a)) return 0n;
  return a >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(Math.max(Math.trunc(a), -(2 ** 63)));
}

/** f32ToI32 and f64ToI32: toward zero; what does not fit becomes the nearest that does; NaN becomes 0. */
export function saturate(a: number): number {
  return Number.isNaN(a) ? 0 : Math.min(Math.max(Math.trunc(a), -(2 ** 31)), 2 ** 31 - 1);
}

const floatUnary: { readonly [F in UnaryFn]?: Unary } = {
  neg: (a) => -a,
  abs: Math.abs,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfEven,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  erf,
};

const unaryTables: { readonly [T in Narrow]: { readonly [F in UnaryFn]?: Unary } } = {
  f32: { ...floatUnary, toF16: roundToFloat16, toBf16: roundToBfloat16 },
  f64: floatUnary,
  i32: { neg: (a) => -a, abs: Math.abs, not: (a) => ~a },
  mask: { not: (a) => ~a },
};

const bitwise: { readonly [F in BinaryFn]?: Binary } = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

const floatBinary: { readonly [F in BinaryFn]?: Binary } = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: (a, b) => (a < b ? a : b),
  max: (a, b) => (a > b ? a : b),
  pow,
};

const binaryTables: { readonly [T in Narrow]: { readonly [F in BinaryFn]?: Binary } } = {
  f32: floatBinary,
  f64: floatBinary,
  i32: {
    ...bitwise,
    add: (a, b) => a + b,
    sub: (a, b) => a - b,
    mul: Math.imul,
    div: floorDiv,
    mod: (a, b) => (b === 0 ? 0 : a - Math.imul(b, floorDiv(a, b))),
    min: (a, b) => (a < b ? a : b),
    max: (a, b) => (a > b ? a : b),
    shl: (a, b) => a << b,
    shr: (a, b) => a >>> b,
    sar: (a, b) => a >> b,
  },
  mask: bitwise,
};

const longUnary: { readonly [F in UnaryFn]?: (a: bigint) => bigint } = {
  neg: (a) => -a,
  abs: (a) => (a < 0n ? -a : a),
  not: (a) => ~a,
};

const longBinary: { readonly [F in BinaryFn]?: (a: bigint, b: bigint) => bigint } = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: floorDivI64,
  mod: (a, b) => (b === 0n ? 0n : a - b * floorDivI64(a, b)),
  min: (a, b) => (a < b ? a : b),
  max: (a, b) => (a > b ? a : b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr: (a, b) => BigInt.asUintN(64, a) >> b,
  sar: (a, b) => a >> b,
};

function floorDivI64(a: bigint, b: bigint): bigint {
  if (b === 0n) return 0n;
  const quotient = a / b;
  return quotient * b !== a && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

function found<F>(fn: F | undefined, name: string, type: RegType): F {
  invariant(fn !== undefined, `${name} is not defined for ${type}`);
  return fn;
}

function roundHalfEven(a: number): number {
  const down = Math.floor(a);
  const rest = a - down;
  const up = rest > 0.5 || (rest === 0.5 && down % 2 !== 0);
  const rounded = up ? down + 1 : down;
  return rounded === 0 && (a < 0 || Object.is(a, -0)) ? -0 : rounded;
}

function floorDiv(a: number, b: number): number {
  return b === 0 ? 0 : Math.floor(a / b) | 0;
}

/** IEEE 754's pow, where Math.pow differs: 1 to any power is 1, and so is -1 to an infinite one. */
function pow(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Infinity)) return 1;
  return a ** b;
}
