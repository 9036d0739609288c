/** Elementwise functions that are no rows: trigonometry, hyperbolics, roots, logarithms of other bases. */
import type { Value } from '../graph/graph.ts';
import {
  abs,
  add,
  asReal,
  bitcast,
  cast,
  constantLike,
  cos,
  div,
  equal,
  exp,
  expm1,
  greater,
  isFinite,
  less,
  log,
  log1p,
  logicalAnd,
  logicalOr,
  logicalXor,
  matched,
  maximum,
  minimum,
  mul,
  neg,
  notEqual,
  offset,
  onesLike,
  pow,
  realOf,
  reciprocal,
  rsqrt,
  scale,
  select,
  sign,
  sin,
  sqrt,
  square,
  sub,
  zerosLike,
} from './build-elementwise.ts';
import { isFloat, numbersOf, promote } from '../types/dtype.ts';
import { cosPi, sinPi } from './composite-gamma.ts';
import { stopGradient } from './build-movement.ts';
import { horner } from './composite-series.ts';
import { withGradient } from './custom.ts';

/** max(low, min(high, x)); the gradient passes inside, ends included. */
export function clipByValue(given: Value, low: number, high: number): Value {
  const x = given.dtype === 'bool' ? cast(given, 'int32') : given;
  // An integer has no bound beyond its range; a constant there would wrap.
  const [least, greatest] = numbersOf(x.dtype);
  const raised = low <= least ? x : maximum(x, constantLike(x, Math.min(low, greatest)));
  return high >= greatest ? raised : minimum(raised, constantLike(x, Math.max(high, least)));
}

export function isInf(x: Value): Value {
  const real = asReal(x);
  return equal(abs(real), constantLike(real, Infinity));
}

/** a / b, and 0 where b is 0. */
export function divNoNan(a: Value, b: Value): Value {
  // The quotient of integers is 0 there already.
  const dtype = promote(a.dtype, b.dtype);
  if (!isFloat(dtype)) return div(a, b);
  const [x, y] = [cast(a, dtype), cast(b, dtype)];
  const safe = notEqual(y, zerosLike(y));
  const quotient = div(x, select(safe, y, constantLike(y, 1)));
  return select(safe, quotient, zerosLike(quotient));
}

export function tan(x: Value): Value {
  const real = asReal(x);
  const y = div(sin(real), cos(real));
  return withGradient(y, [real], (dy) => [mul(dy, offset(square(tan(real)), 1))]);
}

const TAN_PI_8 = Math.SQRT2 - 1;
const TAN_3_PI_8 = Math.SQRT2 + 1;

const narrowAtan = [-3.33329491539e-1, 1.99777106478e-1, -1.38776856032e-1, 8.05374449538e-2];
/** A quotient of polynomials for |t| up to 0.66 (Moshier's Cephes, atan.c), ascending. */
const wideAtan = {
  above: [
    -6.485021904942025371773e1, -1.22886668449013617341e2, -7.50085579231470466734e1, -1.615753718733365076637e1,
    -8.750608600031904122785e-1,
  ],
  below: [
    1.945506571482613964425e2, 4.853903996359136964868e2, 4.328810604912902668951e2, 1.650270098316988542046e2,
    2.485846490142306297962e1, 1,
  ],
};
const LOST_OF_PI_2 = 6.12323399573676588613e-17;

/** Moshier's: the argument is brought to a neighbourhood of 0, then an odd polynomial or, in double precision, a quotient. */
export function atan(x: Value): Value {
  const real = asReal(x);
  const a = abs(real);
  const wide = real.dtype === 'float64';
  const [big, middle] = [greater(a, constantLike(a, TAN_3_PI_8)), greater(a, constantLike(a, wide ? 0.66 : TAN_PI_8))];
  const shifted = div(offset(a, -1), offset(a, 1));
  const t = select(big, neg(reciprocal(a)), select(middle, shifted, a));
  const base = select(big, constantLike(a, Math.PI / 2), select(middle, constantLike(a, Math.PI / 4), zerosLike(a)));
  const z = square(t);
  const series = wide ? div(horner(z, wideAtan.above), horner(z, wideAtan.below)) : horner(z, narrowAtan);
  const odd = mul(series, mul(z, t));
  // What base lacks of pi/2 and pi/4 in double precision.
  const lost = select(
    big,
    constantLike(a, LOST_OF_PI_2),
    select(middle, constantLike(a, LOST_OF_PI_2 / 2), zerosLike(a)),
  );
  const y = mul(sign(real), add(base, add(wide ? add(odd, lost) : odd, t)));
  return withGradient(y, [real], (dy) => [div(dy, offset(square(real), 1))]);
}

/** Is the sign bit set? So it is for -0. */
export function signBit(x: Value): Value {
  const bits = bitcast(asReal(x));
  return less(bits, zerosLike(bits));
}

/** x, or -x where the condition holds. */
function negatedWhere(condition: Value, x: Value): Value {
  return select(condition, neg(x), x);
}

/** The angle of the point (x, y) in [-pi, pi]; IEEE 754's for zeros and infinities. */
export function atan2(y: Value, x: Value): Value {
  const [v, u] = matched('atan2', y, x, 'float32');
  const [a, b] = [abs(v), abs(u)];
  const [small, large] = [minimum(a, b), maximum(a, b)];
  // Between equals (zeros, infinities) the ratio is 1, at the origin 0.
  const same = equal(small, large);
  const none = equal(large, zerosLike(large));
  const ratio = div(select(same, onesLike(small), small), select(same, onesLike(large), large));
  const first = atan(select(none, zerosLike(ratio), ratio));
  const eighth = select(greater(a, b), sub(constantLike(first, Math.PI / 2), first), first);
  const half = select(signBit(u), sub(constantLike(first, Math.PI), eighth), eighth);
  const angle = negatedWhere(signBit(v), half);
  return withGradient(angle, [v, u], (dy) => {
    // In units of the larger side, so that no square over- or underflows.
    const size = nonZero(maximum(abs(v), abs(u)));
    const [p, q] = [div(v, size), div(u, size)];
    const factor = div(dy, mul(add(square(p), square(q)), size));
    return [mul(factor, q), neg(mul(factor, p))];
  });
}

/** The size itself, 1 where it is 0: the gradient at the origin is 0. */
function nonZero(size: Value): Value {
  return select(equal(size, zerosLike(size)), onesLike(size), size);
}

/** 2 atan(x / (1 + sqrt(1 - x^2))). */
export function asin(x: Value): Value {
  const real = asReal(x);
  const root = sqrt(mul(offset(neg(real), 1), offset(real, 1)));
  const y = scale(atan(div(real, offset(root, 1))), 2);
  return withGradient(y, [real], (dy) => [mul(dy, rsqrt(offset(neg(square(real)), 1)))]);
}

/** 2 atan(sqrt((1 - x) / (1 + x))). */
export function acos(x: Value): Value {
  const real = asReal(x);
  const y = scale(atan(sqrt(div(offset(neg(real), 1), offset(real, 1)))), 2);
  return withGradient(y, [real], (dy) => [neg(mul(dy, rsqrt(offset(neg(square(real)), 1))))]);
}

/** Beyond it e^x overflows before e^x / 2 does. */
const NEAR_OVERFLOW = { float32: 88, float64: 709 };

/** e^|x| / 2 as (e^(|x| / 2) / 2) e^(|x| / 2). */
function halfPower(x: Value): Value {
  const root = exp(scale(abs(x), 0.5));
  return mul(scale(root, 0.5), root);
}

export function sinh(x: Value): Value {
  const real = asReal(x);
  const near = scale(sub(expm1(real), expm1(neg(real))), 0.5);
  const y = select(
    greater(abs(real), constantLike(real, NEAR_OVERFLOW[realOf(real)])),
    mul(sign(real), halfPower(real)),
    near,
  );
  return withGradient(y, [real], (dy) => [mul(dy, cosh(real))]);
}

export function cosh(x: Value): Value {
  const real = asReal(x);
  const near = scale(add(exp(real), exp(neg(real))), 0.5);
  const y = select(greater(abs(real), constantLike(real, NEAR_OVERFLOW[realOf(real)])), halfPower(real), near);
  return withGradient(y, [real], (dy) => [mul(dy, sinh(real))]);
}

/** Beyond it x^2 might overflow, and log(2x) is exact enough. */
const LARGE = 1e9;

/** sign(x) log1p(|x| + x^2 / (1 + sqrt(1 + x^2))). */
export function asinh(x: Value): Value {
  const real = asReal(x);
  const a = abs(real);
  const large = greater(a, constantLike(a, LARGE));
  const safe = select(large, constantLike(a, 1), a);
  const near = log1p(add(safe, div(square(safe), offset(sqrt(offset(square(safe), 1)), 1))));
  const y = mul(sign(real), select(large, offset(log(a), Math.LN2), near));
  return withGradient(y, [real], (dy) => [mul(dy, rsqrt(offset(square(real), 1)))]);
}

/** log1p(t + sqrt(2t + t^2)) with t = x - 1. */
export function acosh(x: Value): Value {
  const real = asReal(x);
  const large = greater(real, constantLike(real, LARGE));
  const t = offset(select(large, constantLike(real, 1), real), -1);
  const near = log1p(add(t, sqrt(mul(t, offset(t, 2)))));
  const y = select(large, offset(log(real), Math.LN2), near);
  return withGradient(y, [real], (dy) => [mul(dy, rsqrt(mul(offset(real, -1), offset(real, 1))))]);
}

export function atanh(x: Value): Value {
  const real = asReal(x);
  const y = scale(sub(log1p(real), log1p(neg(real))), 0.5);
  return withGradient(y, [real], (dy) => [div(dy, offset(neg(square(real)), 1))]);
}

/** x log(y), and 0 where x is 0 (unless y is NaN). */
export function xlogy(x: Value, y: Value): Value {
  const [a, b] = matched('xlogy', x, y, 'float32');
  return withGradient(zeroTimes(a, b, log), [a, b], (dy) => [
    mul(dy, zeroTimes(onesWhereNot0(a), b, log)),
    mul(dy, zeroTimes(a, b, reciprocal)),
  ]);
}

/** x log(1 + y), and 0 where x is 0 (unless y is NaN). */
export function xlog1py(x: Value, y: Value): Value {
  const [a, b] = matched('xlog1py', x, y, 'float32');
  return withGradient(zeroTimes(a, b, log1p), [a, b], (dy) => [
    mul(dy, zeroTimes(onesWhereNot0(a), b, log1p)),
    mul(
      dy,
      zeroTimes(a, b, (v) => reciprocal(offset(v, 1))),
    ),
  ]);
}

/** a f(b); 0 where a is 0 and b a number. f does not see b there, so no gradient of it is NaN. */
function zeroTimes(a: Value, b: Value, f: (x: Value) => Value): Value {
  const zero = logicalAnd(equal(a, zerosLike(a)), equal(b, b));
  return mul(a, f(select(zero, onesLike(b), b)));
}

function onesWhereNot0(x: Value): Value {
  return select(equal(x, zerosLike(x)), zerosLike(x), onesLike(x));
}

/** 2^x. */
export function exp2(x: Value): Value {
  const real = asReal(x);
  const y = pow(constantLike(real, 2), real);
  return withGradient(y, [real], (dy) => [mul(dy, scale(exp2(real), Math.LN2))]);
}

export function log2(x: Value): Value {
  return logarithm(x, Math.LOG2E);
}

export function log10(x: Value): Value {
  return logarithm(x, Math.LOG10E);
}

/** log(x) * factor; the factor in two parts, so that it is not rounded. */
function logarithm(x: Value, factor: number): Value {
  const real = asReal(x);
  const natural = log(real);
  const high = Math.fround(factor);
  const finite = isFinite(natural);
  const low = scale(select(finite, natural, zerosLike(natural)), factor - high);
  const y = add(scale(natural, high), low);
  return withGradient(y, [real], (dy) => [div(scale(dy, factor), real)]);
}

/** The real cube root, of negative numbers too. */
export function cbrt(x: Value): Value {
  const real = asReal(x);
  const a = abs(real);
  const ordinary = logicalAnd(isFinite(a), greater(a, zerosLike(a)));
  const safe = select(ordinary, a, onesLike(a));
  // One step of Newton's makes up for what the rounded exponent 1/3 loses.
  const guess = pow(safe, constantLike(safe, 1 / 3));
  const root = sub(guess, scale(sub(guess, div(safe, square(guess))), 1 / 3));
  const y = mul(sign(real), select(ordinary, root, a));
  return withGradient(y, [real], (dy) => [div(scale(dy, 1 / 3), square(cbrt(real)))]);
}

/** sqrt(x^2 + y^2) without over- or underflow on the way. The gradient at the origin is 0. */
export function hypot(x: Value, y: Value): Value {
  const [u, v] = matched('hypot', x, y, 'float32');
  const [a, b] = [abs(u), abs(v)];
  const [small, large] = [minimum(a, b), maximum(a, b)];
  const ordinary = logicalAnd(isFinite(large), greater(large, zerosLike(large)));
  const ratio = div(select(ordinary, small, zerosLike(small)), select(ordinary, large, onesLike(large)));
  const length = mul(large, sqrt(offset(square(ratio), 1)));
  const infinite = logicalOr(isInf(u), isInf(v));
  const value = select(infinite, constantLike(u, Infinity), length);
  return withGradient(value, [u, v], (dy) => {
    const size = hypot(u, v);
    const safe = select(equal(size, zerosLike(size)), onesLike(size), size);
    return [mul(dy, div(u, safe)), mul(dy, div(v, safe))];
  });
}

/** log(x / (1 - x)), accurate near 1/2 as well. */
export function logit(x: Value): Value {
  const real = asReal(x);
  const rest = sub(onesLike(real), real);
  const middle = less(abs(offset(real, -0.5)), constantLike(real, 0.25));
  const near = log1p(div(scale(offset(real, -0.5), 2), select(middle, rest, onesLike(rest))));
  const y = select(middle, near, sub(log(real), log1p(neg(real))));
  return withGradient(y, [real], (dy) => [div(dy, mul(real, sub(onesLike(real), real)))]);
}

/** sin(pi x) / (pi x), and 1 at 0. */
export function sinc(x: Value): Value {
  const real = asReal(x);
  const zero = equal(real, zerosLike(real));
  const y = select(zero, onesLike(real), div(sinPi(real), scale(select(zero, onesLike(real), real), Math.PI)));
  return withGradient(y, [real], (dy) => [mul(dy, sincSlope(real))]);
}

/** (cos(pi x) - sinc(x)) / x; near 0, where that cancels, its series. */
function sincSlope(x: Value): Value {
  const near = less(abs(x), constantLike(x, 0.4));
  const safe = select(near, onesLike(x), x);
  const far = div(sub(cosPi(safe), sinc(safe)), safe);
  // The sum of (-1)^k 2k / (2k + 1)! (pi x)^(2k - 1), k = 1, 2, ..., times pi.
  const z = scale(select(near, x, zerosLike(x)), Math.PI);
  const terms: number[] = [];
  for (let k = 1, factorial = 1; k <= (x.dtype === 'float64' ? 11 : 6); k++) {
    factorial *= -2 * k * (2 * k + 1);
    terms.push((2 * k) / factorial);
  }
  return select(near, scale(mul(z, horner(square(z), terms)), Math.PI), far);
}

/** |x| with the sign of y, that of a zero included. */
export function copySign(x: Value, y: Value): Value {
  const [a, b] = matched('copySign', x, y, 'float32');
  const differ = logicalXor(signBit(a), signBit(b));
  const y1 = negatedWhere(differ, a);
  return withGradient(y1, [a, b], (dy) => [negatedWhere(differ, dy), null]);
}

/** The next number of the dtype after x on the way to y; y where they are equal. */
export function nextAfter(x: Value, y: Value): Value {
  const [a, b] = matched('nextAfter', x, y, 'float32');
  const bits = bitcast(a);
  const zero = zerosLike(a);
  // Away from zero the bits of |x| count up.
  const outward = equal(greater(b, a), greater(a, zero));
  const step = bitcast(add(bits, select(outward, onesLike(bits), constantLike(bits, -1))));
  const least = a.dtype === 'float64' ? Number.MIN_VALUE : 2 ** -149;
  const smallest = select(greater(b, zero), constantLike(a, least), constantLike(a, -least));
  const moved = select(equal(a, zero), smallest, step);
  const isNumber = logicalAnd(equal(a, a), equal(b, b));
  return stopGradient(select(isNumber, select(equal(a, b), b, moved), add(a, b)));
}
