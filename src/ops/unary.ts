/** Rows of elementwise functions of one input. Output shape is the input's. Knows no other family but the builders. */
import type { KernelBuilder } from '../kernel/builder.ts';
import { erf } from '../kernel/erf.ts';
import type { Reg } from '../kernel/ir.ts';
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { isFloat, newArray } from '../types/dtype.ts';
import {
  add,
  constantLike,
  cos,
  div,
  exp,
  greater,
  mul,
  neg,
  scale,
  select,
  sin,
  sign,
  square,
  sub,
  zerosLike,
} from './build.ts';
import type { OpRow, Sample } from './row.ts';
import { bool, everyShape, expectDType, f32, fewShapes, floats, i32, numbers, ofLongs } from './rule.ts';

interface UnaryOptions {
  readonly summary: string;
  readonly dtypes: readonly DType[];
  /** dtype of the output; the input's by default. */
  readonly output?: DType;
  readonly at: (x: number) => number;
  /** For int32, where it differs. */
  readonly intAt?: (x: number) => number;
  /** For int64, where `at` cannot take a bigint; what does not fit wraps. */
  readonly longAt?: (x: bigint) => bigint;
  readonly emit: (b: KernelBuilder, x: Reg, dtype: DType) => Reg;
  /** dx from dy, the input and the output. */
  readonly gradient: 'constant' | ((dy: Value, x: Value, y: Value) => Value);
  readonly low?: number;
  readonly high?: number;
  readonly tolerance?: { readonly absolute: number; readonly relative: number };
}

/** The definition for a dtype. */
function atOf({ at, intAt, longAt }: UnaryOptions, dtype: DType): UnaryOptions['at'] {
  if (dtype === 'int64') return longAt ? ofLongs(longAt) : at;
  return dtype === 'int32' ? (intAt ?? at) : at;
}

function unary(name: string, options: UnaryOptions): OpRow {
  const { dtypes, gradient } = options;
  return {
    name,
    summary: options.summary,
    arity: 1,
    infer([x]) {
      expectDType(name, x, dtypes);
      return [{ dtype: options.output ?? x.dtype, shape: x.shape }];
    },
    gradient:
      gradient === 'constant'
        ? 'constant'
        : ({ inputs: [x], outputs: [y] }, [dy]) => [dy === null || !isFloat(x.dtype) ? null : gradient(dy, x, y)],
    evaluate([x], _attrs, [type]) {
      const out = newArray(type.dtype, x.data.length);
      const at = atOf(options, x.dtype);
      for (let i = 0; i < out.length; i++) out[i] = at(x.data[i]);
      return [out];
    },
    batching: 'elementwise',
    lowering: { tag: 'map', emit: (b, [x], _attrs, [dtype]) => options.emit(b, x, dtype) },
    get samples() {
      const samples: Sample[] = [];
      if (dtypes.includes('float32')) samples.push(...everyShape((s) => f32(s, options.low, options.high)));
      if (dtypes.includes('int32')) samples.push(...fewShapes((s) => i32(s)));
      if (dtypes.includes('bool')) samples.push(...fewShapes((s) => bool(s)));
      return samples;
    },
    ...(options.tolerance && { tolerance: options.tolerance }),
  };
}

/** A few units in the last place, and what cancellation leaves near zero. */
const close = { absolute: 1e-6, relative: 2e-6 };

function negated(b: KernelBuilder, x: Reg, dtype: DType): Reg {
  return isFloat(dtype) ? b.unary('neg', x) : b.binary('sub', b.like(x, 0), x);
}

/** 1 / (1 + exp(-x)); exp overflows to infinity for very negative x, which gives 0. */
function emitSigmoid(b: KernelBuilder, x: Reg): Reg {
  const one = b.like(x, 1);
  return b.binary('div', one, b.binary('add', one, b.unary('exp', b.unary('neg', x))));
}

/** Kahan: log(u) * x / (u - 1) with u = 1 + x cancels the rounding of u. */
function emitLog1p(b: KernelBuilder, x: Reg): Reg {
  const one = b.like(x, 1);
  const u = b.binary('add', one, x);
  const fixed = b.binary('mul', b.unary('log', u), b.binary('div', x, b.binary('sub', u, one)));
  const finite = b.select(b.compare('eq', u, one), x, fixed);
  return b.select(b.compare('eq', u, b.like(x, Infinity)), u, finite);
}

/** Kahan: (u - 1) * x / log(u) with u = exp(x); x itself where u rounds to 1, and u - 1 where x / log(u) says nothing. */
function emitExpm1(b: KernelBuilder, x: Reg): Reg {
  const one = b.like(x, 1);
  const u = b.unary('exp', x);
  const less1 = b.binary('sub', u, one);
  const fixed = b.binary('mul', less1, b.binary('div', x, b.unary('log', u)));
  const near = b.compare('lt', b.unary('abs', x), b.like(x, 0.5));
  return b.select(b.compare('eq', u, one), x, b.select(near, fixed, less1));
}

function emitSign(b: KernelBuilder, x: Reg): Reg {
  const [zero, one, minusOne] = [b.like(x, 0), b.like(x, 1), b.like(x, -1)];
  // x itself where it is neither: 0, or NaN.
  return b.select(b.compare('gt', x, zero), one, b.select(b.compare('lt', x, zero), minusOne, x));
}

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest < 0.5) return down;
  if (rest > 0.5) return Math.ceil(x);
  return down % 2 === 0 ? down : down + 1;
}

export const unaryRows = {
  neg: unary('neg', {
    summary: '-x',
    dtypes: numbers,
    at: (x) => -x,
    emit: negated,
    gradient: (dy) => neg(dy),
  }),
  abs: unary('abs', {
    summary: '|x|',
    dtypes: numbers,
    at: Math.abs,
    longAt: (x) => (x < 0n ? -x : x),
    emit: (b, x) => b.unary('abs', x),
    gradient: (dy, x) => mul(dy, sign(x)),
  }),
  sign: unary('sign', {
    summary: '-1, 0 or 1 by the sign of x; NaN stays NaN',
    dtypes: numbers,
    at: Math.sign,
    longAt: (x) => (x < 0n ? -1n : x > 0n ? 1n : 0n),
    emit: emitSign,
    gradient: 'constant',
  }),
  floor: unary('floor', {
    summary: 'the largest integer not above x',
    dtypes: floats,
    at: Math.floor,
    emit: (b, x) => b.unary('floor', x),
    gradient: 'constant',
  }),
  ceil: unary('ceil', {
    summary: 'the smallest integer not below x',
    dtypes: floats,
    at: Math.ceil,
    emit: (b, x) => b.unary('ceil', x),
    gradient: 'constant',
  }),
  round: unary('round', {
    summary: 'the nearest integer; halves go to the even one',
    dtypes: floats,
    at: roundHalfEven,
    emit: (b, x) => b.unary('round', x),
    gradient: 'constant',
  }),
  exp: unary('exp', {
    summary: 'e^x',
    dtypes: floats,
    at: Math.exp,
    emit: (b, x) => b.unary('exp', x),
    gradient: (dy, _x, y) => mul(dy, y),
    low: -10,
    high: 10,
    tolerance: close,
  }),
  expm1: unary('expm1', {
    summary: 'e^x - 1, accurate near 0',
    dtypes: floats,
    at: Math.expm1,
    emit: emitExpm1,
    gradient: (dy, x) => mul(dy, exp(x)),
    tolerance: close,
  }),
  log: unary('log', {
    summary: 'natural logarithm',
    dtypes: floats,
    at: Math.log,
    emit: (b, x) => b.unary('log', x),
    gradient: (dy, x) => div(dy, x),
    low: 0.01,
    high: 20,
    tolerance: close,
  }),
  log1p: unary('log1p', {
    summary: 'log(1 + x), accurate near 0',
    dtypes: floats,
    at: Math.log1p,
    emit: emitLog1p,
    gradient: (dy, x) => div(dy, add(x, constantLike(x, 1))),
    low: -0.9,
    high: 3,
    tolerance: close,
  }),
  sqrt: unary('sqrt', {
    summary: 'square root',
    dtypes: floats,
    at: Math.sqrt,
    emit: (b, x) => b.unary('sqrt', x),
    gradient: (dy, _x, y) => div(scale(dy, 0.5), y),
    low: 0.05,
    high: 20,
  }),
  rsqrt: unary('rsqrt', {
    summary: '1 / sqrt(x)',
    dtypes: floats,
    at: (x) => 1 / Math.sqrt(x),
    emit: (b, x) => b.binary('div', b.like(x, 1), b.unary('sqrt', x)),
    gradient: (dy, x, y) => div(mul(scale(dy, -0.5), y), x),
    low: 0.05,
    high: 20,
    tolerance: close,
  }),
  sin: unary('sin', {
    summary: 'sine of radians',
    dtypes: floats,
    at: Math.sin,
    emit: (b, x) => b.unary('sin', x),
    gradient: (dy, x) => mul(dy, cos(x)),
    low: -10,
    high: 10,
    tolerance: close,
  }),
  cos: unary('cos', {
    summary: 'cosine of radians',
    dtypes: floats,
    at: Math.cos,
    emit: (b, x) => b.unary('cos', x),
    gradient: (dy, x) => neg(mul(dy, sin(x))),
    low: -10,
    high: 10,
    tolerance: close,
  }),
  tanh: unary('tanh', {
    summary: 'hyperbolic tangent',
    dtypes: floats,
    at: Math.tanh,
    emit: (b, x) => b.unary('tanh', x),
    gradient: (dy, _x, y) => mul(dy, sub(constantLike(y, 1), square(y))),
    tolerance: close,
  }),
  sigmoid: unary('sigmoid', {
    summary: '1 / (1 + e^-x)',
    dtypes: floats,
    at: (x) => 1 / (1 + Math.exp(-x)),
    emit: emitSigmoid,
    gradient: (dy, _x, y) => mul(dy, mul(y, sub(constantLike(y, 1), y))),
    low: -6,
    high: 6,
    tolerance: close,
  }),
  erf: unary('erf', {
    summary: 'error function: 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x',
    dtypes: floats,
    at: erf,
    emit: (b, x) => b.unary('erf', x),
    gradient: (dy, x) => mul(dy, scale(exp(neg(square(x))), 2 / Math.sqrt(Math.PI))),
    tolerance: close,
  }),
  square: unary('square', {
    summary: 'x * x',
    dtypes: numbers,
    at: (x) => x * x,
    intAt: (x) => Math.imul(x, x),
    emit: (b, x) => b.binary('mul', x, x),
    gradient: (dy, x) => mul(dy, scale(x, 2)),
  }),
  reciprocal: unary('reciprocal', {
    summary: '1 / x',
    dtypes: floats,
    at: (x) => 1 / x,
    emit: (b, x) => b.binary('div', b.like(x, 1), x),
    gradient: (dy, _x, y) => neg(mul(dy, square(y))),
    low: 0.3,
    high: 4,
  }),
  relu: unary('relu', {
    summary: 'max(x, 0); NaN stays NaN',
    dtypes: numbers,
    at: (x) => (x < 0 ? 0 : x),
    longAt: (x) => (x < 0n ? 0n : x),
    emit: (b, x) => b.binary('max', b.like(x, 0), x),
    gradient: (dy, _x, y) => select(greater(y, zerosLike(y)), dy, zerosLike(dy)),
  }),
  isNaN: unary('isNaN', {
    summary: 'is x not a number?',
    dtypes: floats,
    output: 'bool',
    at: (x) => (Number.isNaN(x) ? 1 : 0),
    emit: (b, x) => b.compare('ne', x, x),
    gradient: 'constant',
  }),
  isFinite: unary('isFinite', {
    summary: 'is x neither infinite nor NaN?',
    dtypes: floats,
    output: 'bool',
    at: (x) => (Number.isFinite(x) ? 1 : 0),
    emit: (b, x) => b.compare('lt', b.unary('abs', x), b.like(x, Infinity)),
    gradient: 'constant',
  }),
  logicalNot: unary('logicalNot', {
    summary: 'not x',
    dtypes: ['bool'],
    at: (x) => 1 - x,
    emit: (b, x) => b.unary('not', x),
    gradient: 'constant',
  }),
} satisfies Record<string, OpRow>;
