/** Elementwise functions that are no rows: trigonometry, hyperbolics, the inverse of erf. */
import type { Value } from '../graph/graph.ts';
import {
  abs,
  add,
  cast,
  constantLike,
  cos,
  div,
  equal,
  exp,
  expm1,
  greater,
  less,
  log,
  log1p,
  logicalAnd,
  maximum,
  minimum,
  mul,
  neg,
  notEqual,
  offset,
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
import { withGradient } from './custom.ts';

/** sum of coefficients[i] * x^(n - i), by Horner's rule. */
function polynomial(x: Value, coefficients: readonly number[]): Value {
  return coefficients.slice(1).reduce((sum, c) => offset(mul(sum, x), c), constantLike(x, coefficients[0]));
}

const erfInverseCentral = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
];
const erfInverseTail = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
  1.00167406, 2.83297682,
];

/** Inverse of erf on (-1, 1), good to a few units in the last place of float32 (Giles 2010). */
export function erfInverse(x: Value): Value {
  const w = neg(log1p(neg(square(x))));
  const central = polynomial(offset(w, -2.5), erfInverseCentral);
  const tail = polynomial(offset(sqrt(w), -3), erfInverseTail);
  const y = mul(select(less(w, constantLike(w, 5)), central, tail), x);
  return withGradient(y, [x], (dy) => [mul(dy, scale(exp(square(erfInverse(x))), Math.sqrt(Math.PI) / 2))]);
}

/** max(low, min(high, x)); the gradient passes inside, ends included. */
export function clipByValue(x: Value, low: number, high: number): Value {
  return minimum(maximum(x, constantLike(x, low)), constantLike(x, high));
}

export function isInf(x: Value): Value {
  const real = cast(x, 'float32');
  return equal(abs(real), constantLike(real, Infinity));
}

/** a / b, and 0 where b is 0. */
export function divNoNan(a: Value, b: Value): Value {
  // The quotient of integers is 0 there already.
  if (a.dtype !== 'float32' && b.dtype !== 'float32') return div(a, b);
  const [x, y] = [cast(a, 'float32'), cast(b, 'float32')];
  const safe = notEqual(y, zerosLike(y));
  const quotient = div(x, select(safe, y, constantLike(y, 1)));
  return select(safe, quotient, zerosLike(quotient));
}

export function tan(x: Value): Value {
  const real = cast(x, 'float32');
  const y = div(sin(real), cos(real));
  return withGradient(y, [real], (dy) => [mul(dy, offset(square(tan(real)), 1))]);
}

const TAN_PI_8 = Math.SQRT2 - 1;
const TAN_3_PI_8 = Math.SQRT2 + 1;

/** Moshier's: the argument is brought to [-tan(pi/8), tan(pi/8)], then an odd polynomial. */
export function atan(x: Value): Value {
  const real = cast(x, 'float32');
  const a = abs(real);
  const [big, middle] = [greater(a, constantLike(a, TAN_3_PI_8)), greater(a, constantLike(a, TAN_PI_8))];
  const shifted = div(offset(a, -1), offset(a, 1));
  const t = select(big, neg(reciprocal(a)), select(middle, shifted, a));
  const base = select(big, constantLike(a, Math.PI / 2), select(middle, constantLike(a, Math.PI / 4), zerosLike(a)));
  const z = square(t);
  const odd = mul(polynomial(z, [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1]), mul(z, t));
  const y = mul(sign(real), add(base, add(odd, t)));
  return withGradient(y, [real], (dy) => [div(dy, offset(square(real), 1))]);
}

/** The angle of the point (x, y) in (-pi, pi]. */
export function atan2(y: Value, x: Value): Value {
  const [v, u] = [cast(y, 'float32'), cast(x, 'float32')];
  const origin = logicalAnd(equal(u, zerosLike(u)), equal(v, zerosLike(v)));
  const angle = atan(div(v, select(origin, constantLike(u, 1), u)));
  const turn = scale(select(less(v, zerosLike(v)), constantLike(v, -1), constantLike(v, 1)), Math.PI);
  const zero = zerosLike(angle);
  return add(angle, select(less(u, zerosLike(u)), turn, zero));
}

/** 2 atan(x / (1 + sqrt(1 - x^2))). */
export function asin(x: Value): Value {
  const real = cast(x, 'float32');
  const root = sqrt(mul(offset(neg(real), 1), offset(real, 1)));
  const y = scale(atan(div(real, offset(root, 1))), 2);
  return withGradient(y, [real], (dy) => [mul(dy, rsqrt(offset(neg(square(real)), 1)))]);
}

/** 2 atan(sqrt((1 - x) / (1 + x))). */
export function acos(x: Value): Value {
  const real = cast(x, 'float32');
  const y = scale(atan(sqrt(div(offset(neg(real), 1), offset(real, 1)))), 2);
  return withGradient(y, [real], (dy) => [neg(mul(dy, rsqrt(offset(neg(square(real)), 1))))]);
}

export function sinh(x: Value): Value {
  const real = cast(x, 'float32');
  const y = scale(sub(expm1(real), expm1(neg(real))), 0.5);
  return withGradient(y, [real], (dy) => [mul(dy, cosh(real))]);
}

export function cosh(x: Value): Value {
  const real = cast(x, 'float32');
  const y = scale(add(exp(real), exp(neg(real))), 0.5);
  return withGradient(y, [real], (dy) => [mul(dy, sinh(real))]);
}

/** Beyond it x^2 might overflow, and log(2x) is exact enough. */
const LARGE = 1e9;

/** sign(x) log1p(|x| + x^2 / (1 + sqrt(1 + x^2))). */
export function asinh(x: Value): Value {
  const real = cast(x, 'float32');
  const a = abs(real);
  const large = greater(a, constantLike(a, LARGE));
  const safe = select(large, constantLike(a, 1), a);
  const near = log1p(add(safe, div(square(safe), offset(sqrt(offset(square(safe), 1)), 1))));
  const y = mul(sign(real), select(large, offset(log(a), Math.LN2), near));
  return withGradient(y, [real], (dy) => [mul(dy, rsqrt(offset(square(real), 1)))]);
}

/** log1p(t + sqrt(2t + t^2)) with t = x - 1. */
export function acosh(x: Value): Value {
  const real = cast(x, 'float32');
  const large = greater(real, constantLike(real, LARGE));
  const t = offset(select(large, constantLike(real, 1), real), -1);
  const near = log1p(add(t, sqrt(mul(t, offset(t, 2)))));
  const y = select(large, offset(log(real), Math.LN2), near);
  return withGradient(y, [real], (dy) => [mul(dy, rsqrt(mul(offset(real, -1), offset(real, 1))))]);
}

export function atanh(x: Value): Value {
  const real = cast(x, 'float32');
  const y = scale(sub(log1p(real), log1p(neg(real))), 0.5);
  return withGradient(y, [real], (dy) => [div(dy, offset(neg(square(real)), 1))]);
}
