/**
 * The gamma function's family on graph values: lgamma, digamma, polygamma, zeta. Elementwise, without branches: every
 * region's formula gets an argument that is safe for it, and selects choose. docs/special-functions.md states the errors.
 */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import {
  abs,
  add,
  asReal,
  constantLike,
  cos,
  div,
  equal,
  greater,
  greaterEqual,
  less,
  log,
  log1p,
  logicalOr,
  matched,
  mul,
  neg,
  offset,
  pow,
  reciprocal,
  round,
  scale,
  select,
  sin,
  square,
  sub,
  zerosLike,
} from './build-elementwise.ts';
import { chebyshev, horner, seriesFor } from './composite-series.ts';
import { withGradient } from './custom.ts';
import { DIGAMMA_ROOT, digamma12, lgamma2 } from './special-coefficients.ts';

/** sin(pi x). The argument is reduced exactly, so integers give 0. */
export function sinPi(x: Value): Value {
  const turn = sub(x, scale(round(scale(x, 0.5)), 2));
  const end = select(less(turn, zerosLike(turn)), constantLike(turn, -1), constantLike(turn, 1));
  // In [-1/2, 1/2], with the same sine.
  const folded = select(greater(abs(turn), constantLike(turn, 0.5)), sub(end, turn), turn);
  const y = sin(scale(folded, Math.PI));
  return withGradient(y, [x], (dy) => [mul(dy, scale(cosPi(x), Math.PI))]);
}

/** cos(pi x). */
export function cosPi(x: Value): Value {
  const turn = sub(x, scale(round(scale(x, 0.5)), 2));
  // sin(pi (1/2 - |turn|)), which is exact at the zeros.
  const folded = sub(constantLike(turn, 0.5), abs(turn));
  const inside = select(less(folded, constantLike(folded, -0.5)), sub(constantLike(turn, -1), folded), folded);
  const y = sin(scale(inside, Math.PI));
  return withGradient(y, [x], (dy) => [neg(mul(dy, scale(sinPi(x), Math.PI)))]);
}

/** cos(pi x) / sin(pi x); NaN at the integers. */
function cotPi(x: Value): Value {
  const part = scale(sub(x, round(x)), Math.PI);
  return select(equal(part, zerosLike(part)), constantLike(part, NaN), div(cos(part), sin(part)));
}

/** From here on asymptotic series have double precision. */
const LARGE = 10;
const stirling = {
  narrow: [1 / 12, -1 / 360, 1 / 1260, -1 / 1680],
  wide: [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400],
};

/** x less as many ones as bring it below 2.5, and the product of what it was before each. */
function stepsDown(x: Value, large: Value): { rest: Value; product: Value } {
  let rest = select(large, constantLike(x, 2), x);
  let product = constantLike(x, 1);
  for (let i = 2; i < LARGE; i++) {
    const more = greaterEqual(rest, constantLike(x, 2.5));
    rest = select(more, offset(rest, -1), rest);
    product = select(more, mul(product, rest), product);
  }
  return { rest, product };
}

/**
 * For x > 0. Below 3.5 by lgamma(2 + t), t in [-1/2, 1/2], which has its zero at t = 0 as a factor, and logarithms that come
 * from gamma(x + 1) = x gamma(x); above by Stirling's series, in double precision from 10 on, with a product of steps down to 2.5.
 */
function lgammaPositive(given: Value): Value {
  const wide = given.dtype === 'float64';
  const from = wide ? LARGE : 3.5;
  const at = (value: number) => constantLike(given, value);
  const large = greaterEqual(given, at(from));
  const { rest: x, product } = wide ? stepsDown(given, large) : { rest: given, product: null };
  const safe = select(large, at(2), x);
  const [tiny, low, middle] = [less(safe, at(0.5)), less(safe, at(1.5)), less(safe, at(2.5))];
  const shift = select(tiny, at(0), select(low, at(1), select(middle, at(2), at(3))));
  const t = sub(safe, shift);
  const near = mul(t, chebyshev(offset(scale(t, 2), 1), lgamma2));
  const step = log1p(select(low, t, select(middle, at(0), offset(t, 1))));
  const far = select(large, given, at(from));
  const logarithm = log(select(tiny, safe, far));
  const inside = sub(select(low, sub(near, step), add(near, step)), select(tiny, logarithm, at(0)));

  const inverse = reciprocal(far);
  const tail = mul(inverse, horner(square(inverse), seriesFor(given, stirling)));
  const main = mul(offset(far, -0.5), offset(logarithm, -1));
  return select(
    large,
    add(main, offset(tail, 0.5 * Math.log(2 * Math.PI) - 0.5)),
    product ? add(inside, log(product)) : inside,
  );
}

/** log |gamma(x)|; infinite at 0, -1, -2, ... */
export function lgamma(x: Value): Value {
  const real = asReal(x);
  const a = abs(real);
  const positive = lgammaPositive(a);
  // gamma(x) gamma(-x) = -pi / (x sin(pi x)).
  const reflected = sub(neg(add(log(a), log(scale(abs(sinPi(real)), 1 / Math.PI)))), positive);
  const minusInfinity = equal(real, constantLike(real, -Infinity));
  const y = select(less(real, zerosLike(real)), select(minusInfinity, a, reflected), positive);
  return withGradient(y, [real], (dy) => [mul(dy, digamma(real))]);
}

const digammaTail = {
  narrow: [-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132],
  wide: [-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760, -1 / 12, 3617 / 8160],
};

/**
 * For x > 0: below 4 through [1, 2), where the zero is a factor, above by the asymptotic series; in double precision that begins at 10,
 * and reciprocals lead down to 4.
 */
function digammaPositive(given: Value): Value {
  const wide = given.dtype === 'float64';
  const from = wide ? LARGE : 4;
  const at = (value: number) => constantLike(given, value);
  const large = greaterEqual(given, at(from));
  let safe = select(large, at(1), given);
  let down: Value | null = null;
  for (let i = 4; i < from; i++) {
    const more = greaterEqual(safe, at(4));
    safe = select(more, offset(safe, -1), safe);
    const step = select(more, reciprocal(safe), at(0));
    down = down ? add(down, step) : step;
  }
  const [below1, below2, below3] = [less(safe, at(1)), less(safe, at(2)), less(safe, at(3))];
  const t = add(safe, select(below1, at(1), select(below2, at(0), select(below3, at(-1), at(-2)))));
  const [high, low] = DIGAMMA_ROOT;
  const root = offset(offset(t, -high), -low);
  const near = mul(root, chebyshev(scale(offset(t, -1), 2), digamma12));
  const above = add(reciprocal(t), select(below3, at(0), reciprocal(offset(t, 1))));
  const steps = select(below1, neg(reciprocal(safe)), select(below2, at(0), above));

  const far = select(large, given, at(from));
  const inverse = reciprocal(far);
  const tail = mul(square(inverse), horner(square(inverse), seriesFor(given, digammaTail)));
  const below = add(near, steps);
  return select(large, add(sub(log(far), scale(inverse, 0.5)), tail), down ? add(below, down) : below);
}

/** The derivative of lgamma; NaN at the negative integers. */
export function digamma(x: Value): Value {
  const real = asReal(x);
  const negative = less(real, zerosLike(real));
  const positive = digammaPositive(select(negative, offset(neg(real), 1), real));
  const y = select(negative, sub(positive, scale(cotPi(real), Math.PI)), positive);
  return withGradient(y, [real], (dy) => [mul(dy, polygamma(1, real))]);
}

/** B(2j) / (2j)!, j = 1, 2, ...: Euler's and Maclaurin's sum formula. */
const bernoulli = [1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600];
const DIRECT_TERMS = 10;

/** The sum of 1 / (q + k)^s over k = 0, 1, ..., given how to raise a reciprocal to the power s. */
function hurwitz(q: Value, s: Value, raise: (inverse: Value) => Value): Value {
  let sum = raise(reciprocal(q));
  for (let k = 1; k < DIRECT_TERMS; k++) sum = add(sum, raise(reciprocal(offset(q, k))));
  const inverse = reciprocal(offset(q, DIRECT_TERMS));
  const power = raise(inverse);
  const tail = add(div(power, mul(inverse, offset(s, -1))), scale(power, 0.5));
  let [factor, terms] = [mul(mul(power, s), inverse), zerosLike(power)];
  for (const [j, b] of bernoulli.entries()) {
    terms = add(terms, scale(factor, b));
    factor = mul(factor, mul(mul(offset(s, 2 * j + 1), offset(s, 2 * j + 2)), square(inverse)));
  }
  // 1 / infinity^s is 0, but the sum formula divides it by a power of itself.
  return select(equal(q, constantLike(q, Infinity)), zerosLike(q), add(sum, add(tail, terms)));
}

/** Hurwitz' zeta function, the sum of (q + k)^-s over k = 0, 1, ..., for s > 1 and q > 0. */
export function zeta(s: Value, q: Value): Value {
  const [x, y] = matched('zeta', s, q, 'float32');
  const value = hurwitz(y, x, (inverse) => pow(inverse, x));
  const at = (number: number) => constantLike(x, number);
  const outside = logicalOr(less(x, at(1)), less(y, at(0)));
  return select(outside, at(NaN), select(equal(x, at(1)), at(Infinity), value));
}

/** x^n by squaring. */
function integerPower(x: Value, n: number): Value {
  let result: Value | null = null;
  for (let [rest, power] = [n, x]; rest > 0; rest >>= 1, power = square(power)) {
    if (rest & 1) result = result ? mul(result, power) : power;
    if (rest === 1) break;
  }
  return result ?? constantLike(x, 1);
}

/** Coefficients of P with (d/dz)^n cot(z) = P(cot z): cot' = -(1 + cot^2). */
function cotangentDerivative(n: number): number[] {
  let c = [0, 1];
  for (let i = 0; i < n; i++) {
    const next = new Array<number>(c.length + 1).fill(0);
    for (let k = 1; k < c.length; k++) {
      next[k - 1] -= k * c[k];
      next[k + 1] -= k * c[k];
    }
    c = next;
  }
  return c;
}

/** The largest order whose factorial is a float32. */
const MOST_ORDER = 33;

/** The n-th derivative of digamma: polygamma(0, x) is digamma, polygamma(1, x) trigamma. */
export function polygamma(n: number, x: Value): Value {
  if (!Number.isInteger(n) || n < 0 || n > MOST_ORDER) {
    fail('polygamma', `the order must be an integer in [0, ${MOST_ORDER}]`, `got ${n}`);
  }
  if (n === 0) return digamma(x);
  const real = asReal(x);
  const negative = less(real, zerosLike(real));
  const q = select(negative, offset(neg(real), 1), real);
  let factorial = 1;
  for (let k = 2; k <= n; k++) factorial *= k;
  const sum = hurwitz(q, constantLike(q, n + 1), (inverse) => integerPower(inverse, n + 1));
  const positive = scale(sum, n % 2 === 0 ? -factorial : factorial);
  const turned = scale(horner(cotPi(real), cotangentDerivative(n)), Math.PI ** (n + 1));
  const reflected = sub(n % 2 === 0 ? positive : neg(positive), turned);
  const y = select(negative, reflected, positive);
  return withGradient(y, [real], (dy) => [mul(dy, n < MOST_ORDER ? polygamma(n + 1, real) : constantLike(real, NaN))]);
}
