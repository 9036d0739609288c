/** Builders of elementwise ops: constants, casts, arithmetic, comparison, choice. */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { dtypes, isFloat, promote, roundTo } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { broadcastShapes } from '../types/shape.ts';
import { apply1 } from './apply.ts';
import { broadcastTo } from './build-movement.ts';

/** A number, repeated to `shape`. */
export function constant(value: number, dtype: DType = 'float32', shape: Shape = []): Value {
  // What a caller without types left out would go on as NaN.
  if (value === undefined || value === null || typeof value === 'string') {
    const came = typeof value === 'string' ? JSON.stringify(value) : `${value}`;
    fail('constant', 'an argument must be a number', `got ${came}`, 'check the numbers behind the tensors');
  }
  if (dtype === 'int64' && !(value >= -(2 ** 63) && value < 2 ** 63)) {
    fail('constant', 'an int64 must be a number in [-2^63, 2^63)', `got ${value}`);
  }
  return broadcastTo(apply1('constant', [], { value: roundTo(dtype, value), dtype }), shape);
}

/** What is fed: a placeholder, a variable or data from outside. */
export function parameter(dtype: DType, shape: Shape, name?: string): Value {
  return apply1('parameter', [], { dtype, shape, ...(name !== undefined && { name }) });
}

export function constantLike(x: Value, value: number): Value {
  return constant(value, x.dtype, x.shape);
}

export function zerosLike(x: Value): Value {
  return constantLike(x, 0);
}

export function onesLike(x: Value): Value {
  return constantLike(x, 1);
}

/** The coordinate along `axis`. */
export function iota(shape: Shape, axis = 0, dtype: DType = 'int32'): Value {
  return cast(apply1('iota', [], { shape, axis, dtype: dtypes[dtype].compute }), dtype);
}

export function cast(x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : apply1('cast', [x], { dtype });
}

/**
 * Both with the smallest dtype that holds either, and one shape. bool counts as `least`, since it cannot be computed with; where that
 * is a float, everything does that is smaller.
 */
export function matched(op: string, a: Value, b: Value, least: DType = 'int32'): [Value, Value] {
  const both = promote(a.dtype, b.dtype);
  const dtype = isFloat(least) || both === 'bool' ? promote(both, least) : both;
  const shape = broadcastShapes(op, a.shape, b.shape);
  return [broadcastTo(cast(a, dtype), shape), broadcastTo(cast(b, dtype), shape)];
}

function binary(kind: string, a: Value, b: Value, least: DType = 'int32'): Value {
  return apply1(kind, matched(kind, a, b, least));
}

export function add(a: Value, b: Value): Value {
  return binary('add', a, b);
}
export function sub(a: Value, b: Value): Value {
  return binary('sub', a, b);
}
export function mul(a: Value, b: Value): Value {
  return binary('mul', a, b);
}
/** Of int32 the floor of the quotient. */
export function div(a: Value, b: Value): Value {
  return binary('div', a, b);
}
export function floorDiv(a: Value, b: Value): Value {
  return binary('floorDiv', a, b);
}
export function mod(a: Value, b: Value): Value {
  return binary('mod', a, b);
}
export function pow(a: Value, b: Value): Value {
  return binary('pow', a, b);
}
export function maximum(a: Value, b: Value): Value {
  return binary('maximum', a, b);
}
export function minimum(a: Value, b: Value): Value {
  return binary('minimum', a, b);
}
export function squaredDifference(a: Value, b: Value): Value {
  return binary('squaredDifference', a, b);
}
export function equal(a: Value, b: Value): Value {
  return binary('equal', a, b);
}
export function notEqual(a: Value, b: Value): Value {
  return binary('notEqual', a, b);
}
export function less(a: Value, b: Value): Value {
  return binary('less', a, b);
}
export function lessEqual(a: Value, b: Value): Value {
  return binary('lessEqual', a, b);
}
export function greater(a: Value, b: Value): Value {
  return binary('greater', a, b);
}
export function greaterEqual(a: Value, b: Value): Value {
  return binary('greaterEqual', a, b);
}

/** Logic takes bool only: a number there is more likely a mistake than a wish. */
function logical(kind: string, a: Value, b: Value): Value {
  for (const side of [a, b]) {
    if (side.dtype !== 'bool')
      fail(kind, 'inputs must be bool', `got ${a.dtype} and ${b.dtype}`, "compare first, or cast to 'bool'");
  }
  return binary(kind, a, b, 'bool');
}

export function logicalAnd(a: Value, b: Value): Value {
  return logical('logicalAnd', a, b);
}
export function logicalOr(a: Value, b: Value): Value {
  return logical('logicalOr', a, b);
}
export function logicalXor(a: Value, b: Value): Value {
  return logical('logicalXor', a, b);
}
export function logicalNot(x: Value): Value {
  return apply1('logicalNot', [x]);
}

/** condition ? a : b, elementwise; all three broadcast. */
export function select(condition: Value, a: Value, b: Value): Value {
  const dtype = promote(a.dtype, b.dtype);
  const shape = broadcastShapes('select', broadcastShapes('select', condition.shape, a.shape), b.shape);
  const [c, x, y] = [condition, cast(a, dtype), cast(b, dtype)].map((v) => broadcastTo(v, shape));
  return apply1('select', [c, x, y]);
}

/** x * factor, in x's dtype. */
export function scale(x: Value, factor: number): Value {
  return factor === 1 ? x : mul(x, constantLike(x, factor));
}

/** x + term, in x's dtype. */
export function offset(x: Value, term: number): Value {
  return term === 0 ? x : add(x, constantLike(x, term));
}

/** Functions of numbers: bool counts as int32. */
function numeric(kind: string, x: Value): Value {
  return apply1(kind, [x.dtype === 'bool' ? cast(x, 'int32') : x]);
}

/** As what reals are computed in: float64 stays, everything else is float32. */
export function asReal(x: Value): Value {
  return cast(x, realOf(x));
}

export type RealDType = 'float32' | 'float64';

/** What reals are computed in beside these values: float64 where any of them is. */
export function realOf(...values: readonly Value[]): RealDType {
  return values.some(({ dtype }) => dtype === 'float64') ? 'float64' : 'float32';
}

/** Functions of reals: what is no float counts as float32. */
function real(kind: string, x: Value): Value {
  return apply1(kind, [isFloat(x.dtype) ? x : cast(x, 'float32')]);
}

export function neg(x: Value): Value {
  return numeric('neg', x);
}
export function abs(x: Value): Value {
  return numeric('abs', x);
}
export function sign(x: Value): Value {
  return numeric('sign', x);
}
export function square(x: Value): Value {
  return numeric('square', x);
}
export function relu(x: Value): Value {
  return numeric('relu', x);
}

/** Integers are their own floor, ceil and round. */
function rounding(kind: string, x: Value): Value {
  if (isFloat(x.dtype)) return apply1(kind, [x]);
  return x.dtype === 'bool' ? cast(x, 'int32') : x;
}

export function floor(x: Value): Value {
  return rounding('floor', x);
}
export function ceil(x: Value): Value {
  return rounding('ceil', x);
}
/** Halves go to the even neighbour. */
export function round(x: Value): Value {
  return rounding('round', x);
}

export function exp(x: Value): Value {
  return real('exp', x);
}
export function expm1(x: Value): Value {
  return real('expm1', x);
}
export function log(x: Value): Value {
  return real('log', x);
}
export function log1p(x: Value): Value {
  return real('log1p', x);
}
export function sqrt(x: Value): Value {
  return real('sqrt', x);
}
export function rsqrt(x: Value): Value {
  return real('rsqrt', x);
}
export function sin(x: Value): Value {
  return real('sin', x);
}
export function cos(x: Value): Value {
  return real('cos', x);
}
export function tanh(x: Value): Value {
  return real('tanh', x);
}
export function sigmoid(x: Value): Value {
  return real('sigmoid', x);
}
export function erf(x: Value): Value {
  return real('erf', x);
}
export function reciprocal(x: Value): Value {
  return real('reciprocal', x);
}
export function isNaN(x: Value): Value {
  return real('isNaN', x);
}
export function isFinite(x: Value): Value {
  return real('isFinite', x);
}

/** Bits of integers; bool counts as int32. */
function bits(kind: string, a: Value, b: Value): Value {
  for (const side of [a, b]) {
    if (isFloat(side.dtype)) fail(kind, 'inputs must be integers', `got ${a.dtype} and ${b.dtype}`, "cast to 'int32'");
  }
  return binary(kind, a, b);
}

export function bitwiseAnd(a: Value, b: Value): Value {
  return bits('bitwiseAnd', a, b);
}
export function bitwiseOr(a: Value, b: Value): Value {
  return bits('bitwiseOr', a, b);
}
export function bitwiseXor(a: Value, b: Value): Value {
  return bits('bitwiseXor', a, b);
}
export function bitwiseNot(x: Value): Value {
  return bits('bitwiseXor', x, constant(-1, x.dtype === 'bool' || isFloat(x.dtype) ? 'int32' : x.dtype, x.shape));
}
export function leftShift(x: Value, count: Value): Value {
  return bits('leftShift', x, count);
}
export function rightShift(x: Value, count: Value): Value {
  return bits('rightShift', x, count);
}
export function rightShiftLogical(x: Value, count: Value): Value {
  // The zeros come in above the eight bits of a byte, not above what it is computed in.
  if (x.dtype === 'int8') return cast(rightShiftLogical(cast(x, 'uint8'), cast(count, 'uint8')), 'int8');
  return bits('rightShiftLogical', x, count);
}
/** The same bits: float32 as int32, int32 as float32. */
export function bitcast(x: Value): Value {
  return apply1('bitcast', [x]);
}
