/** Elementwise functions of one tensor: the output has the shape of the input. Integers become float32 where the result is real. */
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { lift, unary, valueOf } from './lift.ts';

/** |x|. */
export function abs<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('abs', x, build.abs);
}

/** Arc cosine, in [0, pi]. dtype float32. */
export function acos<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('acos', x, composite.acos);
}

/** Inverse hyperbolic cosine of x >= 1. */
export function acosh<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('acosh', x, composite.acosh);
}

/** Arc sine, in [-pi/2, pi/2]. */
export function asin<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('asin', x, composite.asin);
}

/** Inverse hyperbolic sine. */
export function asinh<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('asinh', x, composite.asinh);
}

/** Arc tangent, in (-pi/2, pi/2). */
export function atan<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('atan', x, composite.atan);
}

/** Inverse hyperbolic tangent of |x| < 1. */
export function atanh<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('atanh', x, composite.atanh);
}

/** The smallest integer not below x. */
export function ceil<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('ceil', x, build.ceil);
}

/** Cosine of radians. */
export function cos<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('cos', x, build.cos);
}

/** (e^x + e^-x) / 2. */
export function cosh<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('cosh', x, composite.cosh);
}

/** 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x. */
export function erf<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('erf', x, build.erf);
}

/** e^x. dtype float32. */
export function exp<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('exp', x, build.exp);
}

/** e^x - 1, accurate near 0. */
export function expm1<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('expm1', x, build.expm1);
}

/** The largest integer not above x. */
export function floor<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('floor', x, build.floor);
}

/** Is x neither infinite nor NaN? dtype bool. */
export function isFinite<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('isFinite', x, build.isFinite);
}

/** Is x infinite? dtype bool. */
export function isInf<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('isInf', x, composite.isInf);
}

/** Is x not a number? dtype bool. */
export function isNaN<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('isNaN', x, build.isNaN);
}

/** Natural logarithm. dtype float32. */
export function log<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('log', x, build.log);
}

/** log(1 + x), accurate near 0. */
export function log1p<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('log1p', x, build.log1p);
}

/** -x. */
export function neg<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('neg', x, build.neg);
}

/** 1 / x. */
export function reciprocal<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('reciprocal', x, build.reciprocal);
}

/** The nearest integer; halves go to the even one. */
export function round<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('round', x, build.round);
}

/** 1 / sqrt(x). */
export function rsqrt<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('rsqrt', x, build.rsqrt);
}

/** -1, 0 or 1; NaN stays NaN. */
export function sign<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('sign', x, build.sign);
}

/** Sine of radians. */
export function sin<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('sin', x, build.sin);
}

/** (e^x - e^-x) / 2. */
export function sinh<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('sinh', x, composite.sinh);
}

/** Square root. dtype float32. */
export function sqrt<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('sqrt', x, build.sqrt);
}

/** x * x. */
export function square<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('square', x, build.square);
}

/** Tangent of radians. */
export function tan<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('tan', x, composite.tan);
}

/** max(low, min(high, x)): every element brought into [clipValueMin, clipValueMax]. The gradient passes where nothing was clipped. */
export function clipByValue<T extends Tensor = Tensor>(
  x: T | TensorLike,
  clipValueMin: number,
  clipValueMax: number,
): T {
  if (typeof clipValueMin !== 'number' || typeof clipValueMax !== 'number') {
    fail('clipByValue', 'clipValueMin and clipValueMax must be numbers', `got ${clipValueMin} and ${clipValueMax}`);
  }
  if (!(clipValueMin <= clipValueMax)) {
    fail('clipByValue', 'clipValueMin must not be above clipValueMax', `got ${clipValueMin} and ${clipValueMax}`);
  }
  return lift<T>(composite.clipByValue(valueOf(x, 'x', 'clipByValue'), clipValueMin, clipValueMax));
}
