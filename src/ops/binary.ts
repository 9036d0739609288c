/** Rows of elementwise functions of two inputs of one shape and one dtype. Broadcasting and promotion are the builders' work. */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { CompareFn, Reg } from '../kernel/ir.ts';
import { binary as scalarBinary, binaryI64 } from '../kernel/scalar.ts';
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { dtypes, isFloat, newArray, roundTo } from '../types/dtype.ts';
import {
  constantLike,
  div,
  equal,
  floorDiv,
  greater,
  less,
  log,
  logicalOr,
  mul,
  neg,
  pow,
  scale,
  select,
  sub,
  zerosLike,
} from './build.ts';
import type { OpRow, Sample } from './row.ts';
import {
  bool,
  everyShape,
  expectDType,
  expectSameDType,
  expectSameShape,
  f32,
  fewShapes,
  i32,
  numbers,
  ofLongs,
} from './rule.ts';

interface BinaryOptions {
  readonly summary: string;
  readonly dtypes: readonly DType[];
  readonly output?: DType;
  /** Of numbers of this dtype. */
  readonly at: (a: number, b: number, dtype: DType) => number;
  readonly intAt?: (a: number, b: number) => number;
  /** For int64, where `at` cannot take bigints; what does not fit wraps. */
  readonly longAt?: (a: bigint, b: bigint) => bigint;
  readonly emit: (b: KernelBuilder, x: Reg, y: Reg, dtype: DType) => Reg;
  readonly gradient: 'constant' | ((dy: Value, a: Value, b: Value, y: Value) => (Value | null)[]);
  /** Range of float32 samples: for both inputs, or for each. */
  readonly ranges?: readonly [readonly [number, number], readonly [number, number]];
  readonly intRanges?: readonly [readonly [number, number], readonly [number, number]];
  readonly tolerance?: { readonly absolute: number; readonly relative: number };
}

function binarySamples({ dtypes, ranges, intRanges }: BinaryOptions): Sample[] {
  const [ra, rb] = ranges ?? [
    [-2, 2],
    [-2, 2],
  ];
  const [ia, ib] = intRanges ?? [
    [-9, 10],
    [-9, 10],
  ];
  const samples: Sample[] = [];
  if (dtypes.includes('float32')) {
    samples.push(
      ...everyShape(
        (s) => f32(s, ...ra),
        (s) => f32(s, ...rb),
      ),
    );
  }
  if (dtypes.includes('int32')) {
    samples.push(
      ...fewShapes(
        (s) => i32(s, ...ia),
        (s) => i32(s, ...ib),
      ),
    );
  }
  if (dtypes.includes('bool')) samples.push(...fewShapes(bool, bool));
  return samples;
}

/** The definition for a dtype. */
function atOf({ at, intAt, longAt }: BinaryOptions, dtype: DType): BinaryOptions['at'] {
  if (dtype === 'int64' && longAt) {
    const long = ofLongs(longAt);
    return (a, b) => long(a, b);
  }
  return dtype === 'int32' ? (intAt ?? at) : at;
}

/** A row of an elementwise function of two inputs. */
export function binary(name: string, options: BinaryOptions): OpRow {
  const { dtypes, gradient } = options;
  return {
    name,
    summary: options.summary,
    arity: 2,
    infer(inputs) {
      for (const input of inputs) expectDType(name, input, dtypes, 'inputs');
      expectSameDType(name, inputs);
      expectSameShape(name, inputs);
      return [{ dtype: options.output ?? inputs[0].dtype, shape: inputs[0].shape }];
    },
    gradient:
      gradient === 'constant'
        ? 'constant'
        : ({ inputs: [a, b], outputs: [y] }, [dy]) =>
            dy === null || !isFloat(a.dtype) ? [null, null] : gradient(dy, a, b, y),
    evaluate([a, b], _attrs, [type]) {
      const out = newArray(type.dtype, a.data.length);
      const at = atOf(options, a.dtype);
      for (let i = 0; i < out.length; i++) out[i] = at(a.data[i], b.data[i], a.dtype);
      return [out];
    },
    batching: 'elementwise',
    lowering: { tag: 'map', emit: (b, [x, y], _attrs, [dtype]) => options.emit(b, x, y, dtype) },
    get samples() {
      return binarySamples(options);
    },
    ...(options.tolerance && { tolerance: options.tolerance }),
  };
}

/** floor(a / b) in integers, 0 where b is 0. */
function intFloorDiv(a: number, b: number): number {
  return b === 0 ? 0 : Math.floor(a / b) | 0;
}

/** The remainder that has the divisor's sign. */
function floorMod(a: number, b: number): number {
  const rest = a % b;
  // A remainder of -0 is 0.
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest + 0;
}

/** The kernel's min and max give b where either is NaN; so a NaN in a has to be asked for. */
function extremum(fn: 'min' | 'max'): (b: KernelBuilder, x: Reg, y: Reg, dtype: DType) => Reg {
  return (b, x, y, dtype) => {
    const best = b.binary(fn, x, y);
    return isFloat(dtype) ? b.select(b.compare('ne', x, x), x, best) : best;
  };
}

function extremumAt(fn: 'min' | 'max'): (a: number, b: number) => number {
  return (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : fn === 'min' ? (a < b ? a : b) : a > b ? a : b);
}

/** Ties give the whole gradient to the first input. */
function splitBy(takesFirst: (a: Value, b: Value) => Value): BinaryOptions['gradient'] {
  return (dy, a, b) => {
    const first = takesFirst(a, b);
    const zero = zerosLike(dy);
    return [select(first, dy, zero), select(first, zero, dy)];
  };
}

function emitFloatMod(b: KernelBuilder, x: Reg, y: Reg): Reg {
  const quotient = b.unary('floor', b.binary('div', x, y));
  const rest = b.binary('sub', x, b.binary('mul', quotient, y));
  // Where the quotient was rounded across an integer the remainder has the wrong sign.
  const zero = b.like(x, 0);
  const wrong = b.binary('xor', b.compare('lt', rest, zero), b.compare('lt', y, zero));
  const fix = b.binary('and', wrong, b.compare('ne', rest, zero));
  return b.select(fix, b.binary('add', rest, y), rest);
}

/** Wrapping power by squaring; a negative exponent gives the truncated reciprocal. */
function intPow(base: number, exponent: number): number {
  if (exponent < 0) return base === 1 ? 1 : base === -1 ? (exponent % 2 === 0 ? 1 : -1) : 0;
  let result = 1;
  for (let bits = exponent, square = base; bits > 0; bits >>>= 1, square = Math.imul(square, square)) {
    if (bits & 1) result = Math.imul(result, square);
  }
  return result;
}

function longPow(base: bigint, exponent: bigint): bigint {
  if (exponent < 0n) return base === 1n ? 1n : base === -1n ? (exponent % 2n === 0n ? 1n : -1n) : 0n;
  let result = 1n;
  for (let bits = exponent, square = base; bits > 0n; bits >>= 1n, square = BigInt.asIntN(64, square * square)) {
    if (bits & 1n) result = BigInt.asIntN(64, result * square);
  }
  return result;
}

function emitIntPow(b: KernelBuilder, base: Reg, exponent: Reg, dtype: DType): Reg {
  const [zero, one, minusOne] = [b.like(base, 0), b.like(base, 1), b.like(base, -1)];
  const isOdd = b.compare('ne', b.binary('and', exponent, one), zero);
  let result = b.select(isOdd, base, one);
  let square = base;
  for (let bit = 1; bit < 8 * dtypes[dtype].bytes - 1; bit++) {
    square = b.binary('mul', square, square);
    const set = b.compare('ne', b.binary('and', exponent, b.like(exponent, 2 ** bit)), zero);
    result = b.select(set, b.binary('mul', result, square), result);
  }
  const inverse = b.select(
    b.compare('eq', base, one),
    one,
    b.select(b.compare('eq', base, minusOne), b.select(isOdd, minusOne, one), zero),
  );
  return b.select(b.compare('lt', exponent, zero), inverse, result);
}

/** d(a^b) = b a^(b-1) da + a^b log(a) db, where 0^b counts as constant in b. */
const powGradient: BinaryOptions['gradient'] = (dy, a, b, y) => {
  const zero = zerosLike(a);
  const one = constantLike(b, 1);
  const da = select(equal(b, zero), zero, mul(b, pow(a, sub(b, one))));
  const positive = greater(a, zero);
  const logA = select(positive, log(select(positive, a, constantLike(a, 1))), zero);
  return [mul(dy, da), mul(dy, mul(y, logA))];
};

export const binaryRows = {
  add: binary('add', {
    summary: 'a + b',
    dtypes: numbers,
    at: (a, b) => a + b,
    emit: (b, x, y) => b.binary('add', x, y),
    gradient: (dy) => [dy, dy],
  }),
  sub: binary('sub', {
    summary: 'a - b',
    dtypes: numbers,
    at: (a, b) => a - b,
    emit: (b, x, y) => b.binary('sub', x, y),
    gradient: (dy) => [dy, neg(dy)],
  }),
  mul: binary('mul', {
    summary: 'a * b',
    dtypes: numbers,
    at: (a, b) => a * b,
    intAt: Math.imul,
    emit: (b, x, y) => b.binary('mul', x, y),
    gradient: (dy, a, b) => [mul(dy, b), mul(dy, a)],
  }),
  div: binary('div', {
    summary: 'a / b; of integers the floor, and 0 where b is 0',
    dtypes: numbers,
    at: (a, b) => a / b,
    intAt: intFloorDiv,
    longAt: binaryI64('div'),
    emit: (b, x, y) => b.binary('div', x, y),
    gradient: (dy, _a, b, y) => [div(dy, b), neg(div(mul(dy, y), b))],
    ranges: [
      [-2, 2],
      [0.5, 3],
    ],
  }),
  floorDiv: binary('floorDiv', {
    summary: 'floor(a / b); of integers 0 where b is 0',
    dtypes: numbers,
    at: (a, b, dtype) => Math.floor(roundTo(dtype, a / b)),
    intAt: intFloorDiv,
    longAt: binaryI64('div'),
    emit: (b, x, y, dtype) => {
      const quotient = b.binary('div', x, y);
      return isFloat(dtype) ? b.unary('floor', quotient) : quotient;
    },
    gradient: 'constant',
    ranges: [
      [-9, 9],
      [0.5, 3],
    ],
  }),
  mod: binary('mod', {
    summary: 'a - b * floor(a / b): the remainder with the sign of b; of integers 0 where b is 0',
    dtypes: numbers,
    at: floorMod,
    intAt: (a, b) => (b === 0 ? 0 : floorMod(a, b)),
    longAt: binaryI64('mod'),
    emit: (b, x, y, dtype) => (isFloat(dtype) ? emitFloatMod(b, x, y) : b.binary('mod', x, y)),
    gradient: (dy, a, b) => [dy, neg(mul(dy, floorDiv(a, b)))],
    ranges: [
      [-9, 9],
      [0.5, 3],
    ],
    tolerance: { absolute: 2e-6, relative: 1e-6 },
  }),
  maximum: binary('maximum', {
    summary: 'the larger of a and b; NaN where either is NaN',
    dtypes: numbers,
    at: extremumAt('max'),
    emit: extremum('max'),
    gradient: splitBy((a, b) => logicalOr(greater(a, b), equal(a, b))),
  }),
  minimum: binary('minimum', {
    summary: 'the smaller of a and b; NaN where either is NaN',
    dtypes: numbers,
    at: extremumAt('min'),
    emit: extremum('min'),
    gradient: splitBy((a, b) => logicalOr(less(a, b), equal(a, b))),
  }),
  pow: binary('pow', {
    summary: 'a to the power of b',
    dtypes: numbers,
    at: scalarBinary('pow', 'f32'),
    intAt: intPow,
    longAt: longPow,
    emit: (b, x, y, dtype) => (isFloat(dtype) ? b.binary('pow', x, y) : emitIntPow(b, x, y, dtype)),
    gradient: powGradient,
    ranges: [
      [0.1, 3],
      [-2, 3],
    ],
    intRanges: [
      [-4, 5],
      [-2, 9],
    ],
    tolerance: { absolute: 1e-6, relative: 1e-5 },
  }),
  squaredDifference: binary('squaredDifference', {
    summary: '(a - b)^2',
    dtypes: numbers,
    at: (a, b, dtype) => roundTo(dtype, a - b) ** 2,
    intAt: (a, b) => Math.imul(a - b, a - b),
    longAt: (a, b) => (a - b) ** 2n,
    emit: (b, x, y) => {
      const d = b.binary('sub', x, y);
      return b.binary('mul', d, d);
    },
    gradient: (dy, a, b) => {
      const da = scale(mul(dy, sub(a, b)), 2);
      return [da, neg(da)];
    },
  }),
} satisfies Record<string, OpRow>;

function comparison(name: string, fn: CompareFn, symbol: string, at: (a: number, b: number) => boolean): OpRow {
  return binary(name, {
    summary: `is a ${symbol} b?`,
    dtypes: numbers,
    output: 'bool',
    at: (a, b) => (at(a, b) ? 1 : 0),
    emit: (b, x, y) => b.compare(fn, x, y),
    gradient: 'constant',
    intRanges: [
      [-2, 3],
      [-2, 3],
    ],
  });
}

function logical(name: string, fn: 'and' | 'or' | 'xor', at: (a: number, b: number) => number): OpRow {
  return binary(name, {
    summary: `a ${fn} b`,
    dtypes: ['bool'],
    at,
    emit: (b, x, y) => b.binary(fn, x, y),
    gradient: 'constant',
  });
}

export const comparisonRows = {
  equal: comparison('equal', 'eq', '=', (a, b) => a === b),
  notEqual: comparison('notEqual', 'ne', '!=', (a, b) => a !== b),
  less: comparison('less', 'lt', '<', (a, b) => a < b),
  lessEqual: comparison('lessEqual', 'le', '<=', (a, b) => a <= b),
  greater: comparison('greater', 'gt', '>', (a, b) => a > b),
  greaterEqual: comparison('greaterEqual', 'ge', '>=', (a, b) => a >= b),
  logicalAnd: logical('logicalAnd', 'and', (a, b) => a & b),
  logicalOr: logical('logicalOr', 'or', (a, b) => a | b),
  logicalXor: logical('logicalXor', 'xor', (a, b) => a ^ b),
} satisfies Record<string, OpRow>;
