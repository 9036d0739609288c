/**
 * What functions of one or two tensors do with complex64. A function that has no rule here refuses it. The rules' keys are the
 * names of the user's functions.
 */
import * as build from '../../ops/build.ts';
import * as complex from '../../ops/complex.ts';
import type { Complex } from '../../ops/complex.ts';
import type { Value } from '../../graph/graph.ts';

/** A complex result, or a value of real numbers or booleans. */
type Result = Complex | { readonly value: Value };

/** Is it so for both parts? */
function ofBoth(f: (part: Value) => Value, combine: (a: Value, b: Value) => Value) {
  return (z: Complex): Result => ({ value: combine(f(z.re), f(complex.imagOf(z))) });
}

function isInf(x: Value): Value {
  return build.equal(build.abs(x), build.constantLike(x, Infinity));
}

export const unaryRules: { readonly [op: string]: (z: Complex) => Result } = {
  abs: (z) => ({ value: complex.abs(z) }),
  cos: complex.cos,
  cosh: complex.cosh,
  exp: complex.exp,
  expm1: complex.expm1,
  isFinite: ofBoth(build.isFinite, build.logicalAnd),
  isInf: ofBoth(isInf, build.logicalOr),
  isNaN: ofBoth(build.isNaN, build.logicalOr),
  log: complex.log,
  log1p: complex.log1p,
  neg: complex.neg,
  onesLike: (z) => complex.number(1, 0, z),
  reciprocal: complex.reciprocal,
  rsqrt: complex.rsqrt,
  sigmoid: complex.sigmoid,
  sign: complex.sign,
  sin: complex.sin,
  sinh: complex.sinh,
  sqrt: complex.sqrt,
  square: complex.square,
  tan: complex.tan,
  tanh: complex.tanh,
  zerosLike: (z) => complex.number(0, 0, z),
};

export const binaryRules: { readonly [op: string]: (a: Complex, b: Complex) => Result } = {
  add: complex.add,
  div: complex.div,
  divNoNan: (a, b) => {
    const isZero = complex.equal(b, complex.number(0, 0, b));
    const quotient = complex.div(a, complex.where(isZero, complex.number(1, 0, b), b));
    return complex.where(isZero, complex.number(0, 0, quotient), quotient);
  },
  equal: (a, b) => ({ value: complex.equal(a, b) }),
  mul: complex.mul,
  notEqual: (a, b) => ({ value: complex.notEqual(a, b) }),
  pow: complex.pow,
  // conj(a - b) (a - b), as TensorFlow has it.
  squaredDifference: (a, b) => {
    const difference = complex.sub(a, b);
    return complex.mul(complex.conj(difference), difference);
  },
  sub: complex.sub,
};
