/**
 * The incomplete gamma and beta functions on graph values, regularized. Series and continued fractions of a fixed length, and
 * Temme's expansion where they would be long; gradients for all arguments are those of the formulas themselves.
 */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { broadcastShapes } from '../types/shape.ts';
import {
  realOf,
  abs,
  add,
  asReal,
  constantLike,
  div,
  equal,
  exp,
  greater,
  greaterEqual,
  less,
  log,
  log1p,
  logicalAnd,
  logicalNot,
  logicalOr,
  matched,
  maximum,
  minimum,
  mul,
  neg,
  offset,
  reciprocal,
  rsqrt,
  scale,
  select,
  sqrt,
  square,
  sub,
  zerosLike,
} from './build-elementwise.ts';
import { broadcastTo } from './build-movement.ts';
import { erfc } from './composite-error.ts';
import { lgamma } from './composite-gamma.ts';
import { chebyshev, horner } from './composite-series.ts';
import { eta, temme0, temme1, temme2 } from './special-coefficients.ts';

const SERIES_TERMS = 52;
const FRACTION_TERMS = 32;
/** From this shape on, and for |x / a - 1| below NEAR, Temme's expansion. */
const LARGE_SHAPE = 20;
const NEAR = 0.3;
/** Numbers that a denominator must not come closer to 0 than. */
const TINY = 1e-30;

/** log of gamma(a) over Stirling's approximation of it, sqrt(2 pi / a) (a / e)^a. */
function logStirlingRatio(a: Value): Value {
  const large = greaterEqual(a, constantLike(a, 8));
  const inverse = reciprocal(select(large, a, constantLike(a, 8)));
  const series = mul(inverse, horner(square(inverse), [1 / 12, -1 / 360, 1 / 1260]));
  const small = select(large, constantLike(a, 1), a);
  const main = offset(sub(mul(offset(small, -0.5), log(small)), small), 0.5 * Math.log(2 * Math.PI));
  return select(large, series, sub(lgamma(small), main));
}

/** a (m - log(1 + m)) for m = x / a - 1: how unlikely x is where a is expected. */
function deviance(a: Value, x: Value): Value {
  const m = div(sub(x, a), a);
  // Where m is near -1 its rounding would show in the logarithm.
  const near = less(abs(m), constantLike(m, 0.5));
  const one = constantLike(m, 1);
  const logarithm = select(near, log1p(select(near, m, zerosLike(m))), log(select(near, one, div(x, a))));
  return mul(a, sub(m, logarithm));
}

/** x^a e^-x / gamma(a + 1). For large a in terms of x / a, since a log(x) and lgamma(a) would cancel. */
function gammaPrefactor(a: Value, x: Value): Value {
  const large = greaterEqual(a, constantLike(a, 8));
  const [bigA, bigX] = [select(large, a, constantLike(a, 8)), select(large, x, constantLike(x, 8))];
  const power = neg(add(deviance(bigA, bigX), logStirlingRatio(bigA)));
  const [smallA, smallX] = [select(large, constantLike(a, 1), a), select(large, constantLike(x, 1), x)];
  const direct = sub(sub(mul(smallA, log(smallX)), smallX), lgamma(offset(smallA, 1)));
  const factor = select(large, scale(rsqrt(bigA), 1 / Math.sqrt(2 * Math.PI)), constantLike(a, 1));
  return mul(exp(select(large, power, direct)), factor);
}

/** The sum of x^k / ((a + 1) ... (a + k)), for x that is not much larger than a. */
function gammaSeries(a: Value, x: Value): Value {
  let term = constantLike(x, 1);
  let sum = term;
  for (let k = 1; k <= SERIES_TERMS; k++) {
    term = mul(term, div(x, offset(a, k)));
    sum = add(sum, term);
  }
  return sum;
}

/** 1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - ...)), from the innermost term outward, for x > a. */
function gammaFraction(a: Value, x: Value): Value {
  const base = sub(x, a);
  let value = offset(base, 2 * FRACTION_TERMS + 1);
  for (let k = FRACTION_TERMS; k >= 1; k--) {
    const numerator = scale(offset(neg(a), k), k);
    value = sub(offset(base, 2 * k - 1), div(numerator, value));
  }
  return reciprocal(value);
}

/** [P, Q] for large a and x near a: half of erfc, and a correction. */
function temme(a: Value, x: Value): [Value, Value] {
  const m = div(sub(x, a), a);
  const v = offset(scale(m, 1 / NEAR), 1);
  const y = mul(m, chebyshev(v, eta));
  const inverse = reciprocal(a);
  const terms = add(chebyshev(v, temme0), mul(inverse, add(chebyshev(v, temme1), mul(inverse, chebyshev(v, temme2)))));
  const factor = mul(exp(scale(mul(a, square(y)), -0.5)), scale(rsqrt(a), 1 / Math.sqrt(2 * Math.PI)));
  const correction = mul(factor, terms);
  const z = mul(y, sqrt(scale(a, 0.5)));
  return [sub(scale(erfc(neg(z)), 0.5), correction), add(scale(erfc(z), 0.5), correction)];
}

/** The series and fractions above end where float32 does. */
function refuseDouble(op: string, values: readonly Value[]): void {
  if (realOf(...values) === 'float64')
    fail(op, 'inputs must not be float64', 'its series have float32 accuracy', "cast to 'float32'");
}

function incompleteGamma(op: string, shape: Value, x: Value, upper: boolean): Value {
  refuseDouble(op, [shape, x]);
  const [a, y] = matched(op, shape, x, 'float32');
  const at = (value: number) => constantLike(y, value);
  const valid = logicalAnd(greater(a, at(0)), greater(y, at(0)));
  const ordinary = logicalAnd(valid, less(y, at(Infinity)));
  const [p, q] = [select(ordinary, a, at(1)), select(ordinary, y, at(1))];
  const close = less(abs(sub(q, p)), scale(p, NEAR));
  const near = logicalAnd(greaterEqual(p, at(LARGE_SHAPE)), close);
  const early = less(q, maximum(p, at(1)));

  const [bigA, bigX] = [select(near, p, at(100)), select(near, q, at(100))];
  const [nearLower, nearUpper] = temme(bigA, bigX);
  const inSeries = logicalAnd(early, logicalNot(near));
  const [sa, sx] = [select(inSeries, p, at(1)), select(inSeries, q, at(0.5))];
  const lower = mul(gammaPrefactor(sa, sx), gammaSeries(sa, sx));
  const inFraction = logicalAnd(logicalNot(early), logicalNot(near));
  const [fa, fx] = [select(inFraction, p, at(1)), select(inFraction, q, at(2))];
  const rest = mul(mul(gammaPrefactor(fa, fx), fa), gammaFraction(fa, fx));

  const one = at(1);
  const value = upper
    ? select(near, nearUpper, select(early, sub(one, lower), rest))
    : select(near, nearLower, select(early, lower, sub(one, rest)));
  // At 0 nothing of the whole is below, at infinity all; outside of the domain it is no number.
  const atEnd = select(equal(y, at(0)), at(upper ? 1 : 0), at(upper ? 0 : 1));
  const inside = logicalAnd(greater(a, at(0)), greaterEqual(y, at(0)));
  return select(ordinary, value, select(inside, atEnd, at(NaN)));
}

/** P(a, x): the integral of t^(a-1) e^-t from 0 to x over gamma(a), for a > 0 and x >= 0. */
export function igamma(a: Value, x: Value): Value {
  return incompleteGamma('igamma', a, x, false);
}

/** Q(a, x) = 1 - P(a, x), the integral from x to infinity. */
export function igammac(a: Value, x: Value): Value {
  return incompleteGamma('igammac', a, x, true);
}

const BETA_TERMS = 40;

/** Away from 0, so that it can be divided by. */
function nonZero(x: Value): Value {
  return select(less(abs(x), constantLike(x, TINY)), constantLike(x, TINY), x);
}

/** The continued fraction of the incomplete beta function, by Lentz's method; for x below (a + 1) / (a + b + 2). */
function betaFraction(a: Value, b: Value, x: Value): Value {
  const sum = add(a, b);
  let c = constantLike(x, 1);
  let d = reciprocal(nonZero(sub(c, div(mul(sum, x), offset(a, 1)))));
  let value = d;
  const step = (numerator: Value) => {
    d = reciprocal(nonZero(offset(mul(numerator, d), 1)));
    c = nonZero(offset(div(numerator, c), 1));
    value = mul(value, mul(d, c));
  };
  for (let k = 1; k <= BETA_TERMS; k++) {
    const place = offset(a, 2 * k);
    step(div(mul(scale(offset(neg(b), k), -k), x), mul(offset(place, -1), place)));
    step(neg(div(mul(mul(offset(a, k), offset(sum, k)), x), mul(place, offset(place, 1)))));
  }
  return value;
}

/** x^a (1 - x)^b over the beta function, in terms of how far x is from a / (a + b). */
function betaPower(a: Value, b: Value, x: Value): Value {
  const sum = add(a, b);
  const rest = sub(constantLike(x, 1), x);
  const unlikely = add(deviance(a, mul(x, sum)), deviance(b, mul(rest, sum)));
  const ratio = sub(logStirlingRatio(sum), add(logStirlingRatio(a), logStirlingRatio(b)));
  const size = sqrt(mul(a, scale(div(b, sum), 1 / (2 * Math.PI))));
  return mul(size, exp(sub(ratio, unlikely)));
}

/** I_x(a, b): the integral of t^(a-1) (1-t)^(b-1) from 0 to x over that to 1, for a, b > 0 and x in [0, 1]. */
export function betainc(a: Value, b: Value, x: Value): Value {
  refuseDouble('betainc', [a, b, x]);
  const shape = broadcastShapes('betainc', broadcastShapes('betainc', a.shape, b.shape), x.shape);
  const [p, q, y] = [a, b, x].map((value) => broadcastTo(asReal(value), shape));
  const at = (value: number) => constantLike(y, value);
  const positive = logicalAnd(greater(p, at(0)), greater(q, at(0)));
  const ordinary = logicalAnd(positive, logicalAnd(greater(y, at(0)), less(y, at(1))));
  const [u, v, t] = [select(ordinary, p, at(1)), select(ordinary, q, at(1)), select(ordinary, y, at(0.5))];
  const rest = sub(at(1), t);
  const turned = greater(t, div(offset(u, 1), offset(add(u, v), 2)));
  const [first, second] = [select(turned, v, u), select(turned, u, v)];
  const argument = select(turned, rest, t);
  const power = betaPower(u, v, t);
  const part = div(mul(power, betaFraction(first, second, argument)), first);
  const value = select(turned, sub(at(1), part), part);
  const inside = logicalAnd(positive, logicalAnd(greaterEqual(y, at(0)), logicalNot(greater(y, at(1)))));
  const atEnd = minimum(maximum(y, at(0)), at(1));
  return select(
    ordinary,
    value,
    select(logicalAnd(inside, logicalOr(equal(y, at(0)), equal(y, at(1)))), atEnd, at(NaN)),
  );
}
