/** The error function's family on graph values: erfc, erfcx, the inverse of erf, the normal distribution function. */
import type { Value } from '../graph/graph.ts';
import {
  abs,
  add,
  asReal,
  constantLike,
  div,
  equal,
  erf,
  exp,
  greater,
  less,
  log,
  maximum,
  mul,
  neg,
  offset,
  round,
  scale,
  select,
  sign,
  sqrt,
  square,
  sub,
  zerosLike,
} from './build-elementwise.ts';
import { chebyshev, horner } from './composite-series.ts';
import { withGradient } from './custom.ts';
import { erfcx as erfcxSeries } from './special-coefficients.ts';

/** e^(factor x^2) with a few ulp for all x: x^2 is taken in two parts, since its rounding would be multiplied by its size. */
function expOfSquare(x: Value, factor: number): Value {
  const a = abs(x);
  // The high part has few bits, so that its square is exact; where it ends the result is 0 or infinite.
  const end = constantLike(a, x.dtype === 'float64' ? 28 : 16);
  const inside = select(less(a, end), a, end);
  const high = scale(round(scale(inside, 64)), 1 / 64);
  const rest = mul(sub(inside, high), add(inside, high));
  const y = mul(exp(scale(square(high), factor)), exp(scale(rest, factor)));
  return select(equal(x, x), y, x);
}

/** e^(-x^2). */
export function gaussian(x: Value): Value {
  return withGradient(expOfSquare(x, -1), [x], (dy) => [mul(dy, scale(mul(x, gaussian(x)), -2))]);
}

/** For a >= 0. */
function erfcxPositive(a: Value): Value {
  const finite = select(greater(a, constantLike(a, 1e30)), constantLike(a, 1e30), a);
  const v = div(scale(finite, 2), offset(finite, 4));
  return div(chebyshev(v, erfcxSeries), offset(scale(a, 2), 1));
}

/** e^(x^2) erfc(x): falls off as 1 / x where erfc is too small for any number. */
export function erfcx(x: Value): Value {
  const real = asReal(x);
  const positive = erfcxPositive(abs(real));
  const grown = scale(expOfSquare(real, 1), 2);
  const y = select(less(real, zerosLike(real)), sub(grown, positive), positive);
  const slope = (dy: Value) => mul(dy, offset(scale(mul(real, erfcx(real)), 2), -2 / Math.sqrt(Math.PI)));
  return withGradient(y, [real], (dy) => [slope(dy)]);
}

/** 1 - erf(x), without the cancellation. */
export function erfc(x: Value): Value {
  const real = asReal(x);
  const a = abs(real);
  const tail = mul(gaussian(a), erfcxPositive(a));
  const outside = select(less(real, zerosLike(real)), sub(constantLike(real, 2), tail), tail);
  const y = select(less(a, constantLike(a, 0.5)), sub(constantLike(real, 1), erf(real)), outside);
  return withGradient(y, [real], (dy) => [mul(dy, scale(gaussian(real), -2 / Math.sqrt(Math.PI)))]);
}

const inverseCentral = [
  1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-6, -3.5233877e-6, 3.43273939e-7,
  2.81022636e-8,
];
const inverseTail = [
  2.83297682, 1.00167406, 0.00943887047, -0.0076224613, 0.00573950773, -0.00367342844, 0.00134934322, 0.000100950558,
  -0.000200214257,
];

/**
 * Double precision from a guess y: Halley's steps, whose error is the cube of the last one's. In the tail (1 - |x| < 1e-6), for which
 * the guess was not made, it begins with y^2 = -log((1 - |x|) y sqrt(pi)). Beyond 1/2 the steps go by erfc, which has no cancellation.
 */
function refinedInverse(x: Value, a: Value, guess: Value): Value {
  const rest = sub(constantLike(a, 1), a);
  const isTail = less(rest, constantLike(a, 1e-6));
  const safe = select(isTail, maximum(rest, constantLike(a, 2 ** -60)), constantLike(a, 1e-7));
  const level = neg(log(safe));
  let far = sqrt(level);
  for (let i = 0; i < 4; i++) far = sqrt(sub(level, log(scale(far, Math.sqrt(Math.PI)))));
  let y = select(isTail, far, abs(select(isTail, constantLike(a, 1), guess)));
  for (let i = 0; i < 2; i++) {
    const missed = select(less(rest, constantLike(a, 0.5)), sub(rest, erfc(y)), sub(erf(y), a));
    const step = mul(missed, scale(exp(square(y)), Math.sqrt(Math.PI) / 2));
    y = sub(y, div(step, offset(mul(y, step), 1)));
  }
  return mul(sign(x), y);
}

/** Inverse of erf on [-1, 1], good to a few units in the last place (Giles 2010); NaN outside. */
export function erfInverse(x: Value): Value {
  const one = constantLike(x, 1);
  const a = abs(x);
  const w = neg(log(mul(sub(one, a), add(one, a))));
  const central = horner(offset(w, -2.5), inverseCentral);
  const tail = horner(offset(sqrt(w), -3), inverseTail);
  const inside = mul(select(less(w, constantLike(w, 5)), central, tail), x);
  const value = x.dtype === 'float64' ? refinedInverse(x, a, inside) : inside;
  const y = select(equal(a, one), mul(x, constantLike(x, Infinity)), value);
  const slope = (dy: Value) => mul(dy, scale(exp(square(erfInverse(x))), Math.sqrt(Math.PI) / 2));
  return withGradient(y, [x], (dy) => [slope(dy)]);
}

/** The normal distribution function, erfc(-x / sqrt 2) / 2. */
export function normalCdf(x: Value): Value {
  const real = asReal(x);
  const tail = scale(mul(expOfSquare(real, -0.5), erfcxPositive(scale(abs(real), Math.SQRT1_2))), 0.5);
  const y = select(less(real, zerosLike(real)), tail, sub(constantLike(real, 1), tail));
  return withGradient(y, [real], (dy) => [
    mul(dy, scale(gaussian(scale(real, Math.SQRT1_2)), 1 / Math.sqrt(2 * Math.PI))),
  ]);
}
