/**
 * What each function of kernel IR means for one lane. Results are rounded to f32 or wrapped to i32 by the register they are
 * written to, so these are plain double and integer expressions. Part of the definition of the IR; knows no kernels.
 */
import { invariant } from '../base/errors.ts';
import { erf } from './erf.ts';
import type { BinaryFn, CompareFn, RegType, UnaryFn } from './ir.ts';

export type Unary = (a: number) => number;
export type Binary = (a: number, b: number) => number;
export type Ternary = (a: number, b: number, c: number) => number;

/** The product of two f32 is exact in double: one rounding (but for the rare double one). */
export const fma: Ternary = (a, b, c) => a * b + c;
export const mulAdd: Ternary = (a, b, c) => Math.fround(a * b) + c;

export function unary(fn: UnaryFn, type: RegType): Unary {
  return found(unaryTables[type][fn], fn, type);
}

export function binary(fn: BinaryFn, type: RegType): Binary {
  return found(binaryTables[type][fn], fn, type);
}

export const compare: { readonly [F in CompareFn]: (a: number, b: number) => boolean } = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

/** f32ToI32: toward zero; what does not fit becomes the nearest that does; NaN becomes 0. */
export function saturate(a: number): number {
  return Number.isNaN(a) ? 0 : Math.min(Math.max(Math.trunc(a), -(2 ** 31)), 2 ** 31 - 1);
}

const unaryTables: { readonly [T in RegType]: { readonly [F in UnaryFn]?: Unary } } = {
  f32: {
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
  },
  i32: { neg: (a) => -a, abs: Math.abs, not: (a) => ~a },
  mask: { not: (a) => ~a },
};

const bitwise: { readonly [F in BinaryFn]?: Binary } = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

const binaryTables: { readonly [T in RegType]: { readonly [F in BinaryFn]?: Binary } } = {
  f32: {
    add: (a, b) => a + b,
    sub: (a, b) => a - b,
    mul: (a, b) => a * b,
    div: (a, b) => a / b,
    min: (a, b) => (a < b ? a : b),
    max: (a, b) => (a > b ? a : b),
    pow,
  },
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
