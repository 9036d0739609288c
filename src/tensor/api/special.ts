/**
 * Special functions, elementwise, float32, with gradients of any order. TensorFlow.js has none of them; names are those of
 * TensorFlow and JAX. docs/special-functions.md states how good each is.
 */
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { binary, lift, unary, valueOf } from './lift.ts';

/** log |gamma(x)|; infinite at 0, -1, -2, ... */
export function lgamma<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('lgamma', x, composite.lgamma);
}

/** The derivative of lgamma; NaN at the negative integers. */
export function digamma<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('digamma', x, composite.digamma);
}

/** The n-th derivative of digamma, n in [0, 33]; polygamma(1, x) is trigamma. */
export function polygamma<T extends Tensor = Tensor>(n: number, x: T | TensorLike): T {
  return unary<T>('polygamma', x, (value) => composite.polygamma(n, value));
}

/** Hurwitz' zeta function, the sum of (q + k)^-x over k = 0, 1, ..., for x > 1 and q > 0; zeta(x, 1) is Riemann's. */
export function zeta<T extends Tensor = Tensor>(x: Tensor | TensorLike, q: Tensor | TensorLike): T {
  return lift<T>(composite.zeta(valueOf(x, 'x', 'zeta'), valueOf(q, 'q', 'zeta')));
}

/** 1 - erf(x), without the cancellation. */
export function erfc<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('erfc', x, composite.erfc);
}

/** e^(x^2) erfc(x). */
export function erfcx<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('erfcx', x, composite.erfcx);
}

/** The inverse of erf on [-1, 1]. */
export function erfinv<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('erfinv', x, (value) => composite.erfInverse(build.asReal(value)));
}

/** The normal distribution function: the probability that a standard normal number is below x. */
export function ndtr<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('ndtr', x, composite.normalCdf);
}

/** P(a, x): the integral of t^(a-1) e^-t from 0 to x over gamma(a), for a > 0 and x >= 0. */
export function igamma<T extends Tensor = Tensor>(a: Tensor | TensorLike, x: Tensor | TensorLike): T {
  return lift<T>(composite.igamma(valueOf(a, 'a', 'igamma'), valueOf(x, 'x', 'igamma')));
}

/** Q(a, x) = 1 - P(a, x), the integral from x to infinity. */
export function igammac<T extends Tensor = Tensor>(a: Tensor | TensorLike, x: Tensor | TensorLike): T {
  return lift<T>(composite.igammac(valueOf(a, 'a', 'igammac'), valueOf(x, 'x', 'igammac')));
}

/** I_x(a, b): the integral of t^(a-1) (1-t)^(b-1) from 0 to x over that to 1, for a, b > 0 and x in [0, 1]. */
export function betainc<T extends Tensor = Tensor>(
  a: Tensor | TensorLike,
  b: Tensor | TensorLike,
  x: Tensor | TensorLike,
): T {
  return lift<T>(composite.betainc(valueOf(a, 'a', 'betainc'), valueOf(b, 'b', 'betainc'), valueOf(x, 'x', 'betainc')));
}

/** The modified Bessel function of the first kind and order 0. */
export function besselI0<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselI0', x, composite.besselI0);
}
/** The modified Bessel function of the first kind and order 1. */
export function besselI1<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselI1', x, composite.besselI1);
}
/** e^-|x| besselI0(x). */
export function besselI0e<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselI0e', x, composite.besselI0e);
}
/** e^-|x| besselI1(x). */
export function besselI1e<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselI1e', x, composite.besselI1e);
}
/** The modified Bessel function of the second kind and order 0, of x > 0. */
export function besselK0<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselK0', x, composite.besselK0);
}
/** The modified Bessel function of the second kind and order 1, of x > 0. */
export function besselK1<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselK1', x, composite.besselK1);
}
/** e^x besselK0(x). */
export function besselK0e<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselK0e', x, composite.besselK0e);
}
/** e^x besselK1(x). */
export function besselK1e<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselK1e', x, composite.besselK1e);
}
/** The Bessel function of the first kind and order 0. */
export function besselJ0<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselJ0', x, composite.besselJ0);
}
/** The Bessel function of the first kind and order 1. */
export function besselJ1<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselJ1', x, composite.besselJ1);
}
/** The Bessel function of the second kind and order 0, of x > 0. */
export function besselY0<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselY0', x, composite.besselY0);
}
/** The Bessel function of the second kind and order 1, of x > 0. */
export function besselY1<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('besselY1', x, composite.besselY1);
}

/** 2^x. */
export function exp2<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('exp2', x, composite.exp2);
}
/** The logarithm to the base 2. */
export function log2<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('log2', x, composite.log2);
}
/** The logarithm to the base 10. */
export function log10<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('log10', x, composite.log10);
}
/** The real cube root, of negative numbers too. */
export function cbrt<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('cbrt', x, composite.cbrt);
}
/** log(x / (1 - x)), the inverse of sigmoid. */
export function logit<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('logit', x, composite.logit);
}
/** sin(pi x) / (pi x), and 1 at 0. */
export function sinc<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('sinc', x, composite.sinc);
}
/** sqrt(a^2 + b^2), where neither square need be a float32. The gradient at the origin is 0. */
export function hypot<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('hypot', a, b, composite.hypot);
}
/** a log(b), and 0 where a is 0. */
export function xlogy<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('xlogy', a, b, composite.xlogy);
}
/** a log(1 + b), and 0 where a is 0. */
export function xlog1py<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('xlog1py', a, b, composite.xlog1py);
}
/** |a| with the sign of b, that of a zero included. */
export function copySign<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('copySign', a, b, composite.copySign);
}
/** The next float32 after a on the way to b. */
export function nextAfter<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('nextAfter', a, b, composite.nextAfter);
}
