/**
 * Bessel functions of order 0 and 1 on graph values: I and K, their exponentially scaled forms, J and Y. Chebyshev series of what
 * is smooth in them, from scripts/chebyshev.py.
 */
import type { Value } from '../graph/graph.ts';
import {
  abs,
  add,
  asReal,
  constantLike,
  cos,
  div,
  equal,
  exp,
  greater,
  log,
  maximum,
  minimum,
  mul,
  neg,
  offset,
  reciprocal,
  rsqrt,
  scale,
  select,
  sign,
  sin,
  square,
  sub,
} from './build-elementwise.ts';
import { chebyshev } from './composite-series.ts';
import { withGradient } from './custom.ts';
import * as c from './special-coefficients.ts';

/** near(min(x, limit)) where x <= limit, else far(max(x, limit)); NaN stays NaN. */
function pieces(x: Value, limit: number, near: (x: Value) => Value, far: (x: Value) => Value): Value {
  const end = constantLike(x, limit);
  return select(greater(x, end), far(maximum(x, end)), near(minimum(x, end)));
}

/** e^-|x| I0(x). */
export function besselI0e(x: Value): Value {
  const real = asReal(x);
  const y = pieces(
    abs(real),
    8,
    (a) => mul(chebyshev(scale(a, 0.25), c.i0Near), rsqrt(offset(a, 1))),
    (a) => mul(chebyshev(scale(reciprocal(a), 16), c.i0Far), rsqrt(a)),
  );
  return withGradient(y, [real], (dy) => [mul(dy, sub(besselI1e(real), mul(sign(real), besselI0e(real))))]);
}

/** e^-|x| I1(x). */
export function besselI1e(x: Value): Value {
  const real = asReal(x);
  const positive = pieces(
    abs(real),
    8,
    (a) => div(mul(chebyshev(scale(a, 0.25), c.i1Near), mul(a, rsqrt(offset(a, 1)))), offset(a, 1)),
    (a) => mul(chebyshev(scale(reciprocal(a), 16), c.i1Far), rsqrt(a)),
  );
  const y = mul(sign(real), positive);
  return withGradient(y, [real], (dy) => {
    const value = besselI1e(real);
    const slope = sub(sub(besselI0e(real), mul(sign(real), value)), overArgument(value, real, 0.5));
    return [mul(dy, slope)];
  });
}

/** y / x, and `atZero` where x is 0. */
function overArgument(y: Value, x: Value, atZero: number): Value {
  const zero = equal(x, constantLike(x, 0));
  return select(zero, constantLike(x, atZero), div(y, select(zero, constantLike(x, 1), x)));
}

/** y e^a: in two halves, so that it is infinite only where the product is. */
function grown(y: Value, a: Value): Value {
  const half = exp(scale(a, 0.5));
  return select(equal(a, constantLike(a, Infinity)), a, mul(mul(y, half), half));
}

/** The modified Bessel function of the first kind and order 0. */
export function besselI0(x: Value): Value {
  const real = asReal(x);
  const y = grown(besselI0e(real), abs(real));
  return withGradient(y, [real], (dy) => [mul(dy, besselI1(real))]);
}

/** The modified Bessel function of the first kind and order 1. */
export function besselI1(x: Value): Value {
  const real = asReal(x);
  const y = mul(sign(real), grown(abs(besselI1e(real)), abs(real)));
  return withGradient(y, [real], (dy) => {
    return [mul(dy, sub(besselI0(real), overArgument(besselI1(real), real, 0.5)))];
  });
}

/** log(x) where it is multiplied by something that is 0 with x: 0 there. */
function finiteLog(x: Value): Value {
  return log(select(equal(x, constantLike(x, 0)), constantLike(x, 1), x));
}

/** e^x K0(x) and e^x K1(x) for x > 0. */
function scaledK(x: Value, order: 0 | 1): Value {
  const [near, far] = order === 0 ? [c.k0Near, c.k0Far] : [c.k1Near, c.k1Far];
  return pieces(
    x,
    2,
    (a) => {
      const smooth = chebyshev(scale(square(a), 0.5), near);
      const half = scale(a, 0.5);
      const value =
        order === 0 ? sub(smooth, mul(log(half), besselI0(a))) : add(div(smooth, a), mul(finiteLog(half), besselI1(a)));
      return mul(value, exp(a));
    },
    (a) => mul(chebyshev(scale(reciprocal(a), 4), far), rsqrt(a)),
  );
}

/** e^x K0(x); NaN for x < 0. */
export function besselK0e(x: Value): Value {
  const real = asReal(x);
  return withGradient(scaledK(real, 0), [real], (dy) => [mul(dy, sub(besselK0e(real), besselK1e(real)))]);
}

/** e^x K1(x); NaN for x < 0. */
export function besselK1e(x: Value): Value {
  const real = asReal(x);
  return withGradient(scaledK(real, 1), [real], (dy) => {
    const value = besselK1e(real);
    return [mul(dy, sub(sub(value, besselK0e(real)), div(value, real)))];
  });
}

/** The modified Bessel function of the second kind and order 0; NaN for x < 0. */
export function besselK0(x: Value): Value {
  const real = asReal(x);
  const y = mul(scaledK(real, 0), exp(neg(real)));
  return withGradient(y, [real], (dy) => [neg(mul(dy, besselK1(real)))]);
}

/** The modified Bessel function of the second kind and order 1; NaN for x < 0. */
export function besselK1(x: Value): Value {
  const real = asReal(x);
  const y = mul(scaledK(real, 1), exp(neg(real)));
  return withGradient(y, [real], (dy) => [neg(mul(dy, add(besselK0(real), div(besselK1(real), real))))]);
}

/** sqrt(2 / (pi x)) (P cos(t) - Q sin(t)), or with (P sin(t) + Q cos(t)) for Y, t = x - (2 order + 1) pi / 4, x >= 8. */
function wave(beyond: Value, order: 0 | 1, kind: 'J' | 'Y'): Value {
  // Infinity has no sine, but the wave has died out long before.
  const x = minimum(beyond, constantLike(beyond, 3e38));
  const v = scale(square(scale(reciprocal(x), 8)), 2);
  const p = chebyshev(v, order === 0 ? c.p0 : c.p1);
  const q = div(chebyshev(v, order === 0 ? c.q0 : c.q1), x);
  // The shift by pi/4 is taken out of the angle, whose rounding it would add to.
  const [s, k] = [scale(sin(x), Math.SQRT1_2), scale(cos(x), Math.SQRT1_2)];
  const [sine, cosine] = order === 0 ? [sub(s, k), add(s, k)] : [neg(add(s, k)), sub(s, k)];
  const sum = kind === 'J' ? sub(mul(p, cosine), mul(q, sine)) : add(mul(p, sine), mul(q, cosine));
  return mul(sum, scale(rsqrt(x), Math.sqrt(2 / Math.PI)));
}

/** 1 + u of the series on [0, 8]. */
function middle(a: Value): Value {
  return scale(square(a), 1 / 32);
}

/** The Bessel function of the first kind and order 0. */
export function besselJ0(x: Value): Value {
  const real = asReal(x);
  const y = pieces(
    abs(real),
    8,
    (a) => chebyshev(middle(a), c.j0Near),
    (a) => wave(a, 0, 'J'),
  );
  return withGradient(y, [real], (dy) => [neg(mul(dy, besselJ1(real)))]);
}

/** The Bessel function of the first kind and order 1. */
export function besselJ1(x: Value): Value {
  const real = asReal(x);
  const positive = pieces(
    abs(real),
    8,
    (a) => mul(chebyshev(middle(a), c.j1Near), a),
    (a) => wave(a, 1, 'J'),
  );
  const y = mul(sign(real), positive);
  return withGradient(y, [real], (dy) => {
    return [mul(dy, sub(besselJ0(real), overArgument(besselJ1(real), real, 0.5)))];
  });
}

/** The Bessel function of the second kind and order 0: -infinity at 0, NaN for x < 0. */
export function besselY0(x: Value): Value {
  const real = asReal(x);
  const y = pieces(
    real,
    8,
    (a) => add(chebyshev(middle(a), c.y0Near), scale(mul(log(a), besselJ0(a)), 2 / Math.PI)),
    (a) => wave(a, 0, 'Y'),
  );
  return withGradient(y, [real], (dy) => [neg(mul(dy, besselY1(real)))]);
}

/** The Bessel function of the second kind and order 1: -infinity at 0, NaN for x < 0. */
export function besselY1(x: Value): Value {
  const real = asReal(x);
  const y = pieces(
    real,
    8,
    (a) => {
      const singular = sub(mul(finiteLog(a), besselJ1(a)), reciprocal(a));
      return add(mul(chebyshev(middle(a), c.y1Near), a), scale(singular, 2 / Math.PI));
    },
    (a) => wave(a, 1, 'Y'),
  );
  return withGradient(y, [real], (dy) => [mul(dy, sub(besselY0(real), div(besselY1(real), real)))]);
}
