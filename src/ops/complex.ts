/**
 * Complex arithmetic on graph values. The compiler knows no complex numbers: one of shape S is a real value [2, ...S], real
 * parts before imaginary ones, so that lanes run over parts and a product is a few multiplications of planes. Between operations
 * it is taken apart (`Complex`); a real number has no imaginary part at all, and costs nothing for it.
 *
 * Gradients are those of the two planes: for a real loss L, dL/d(re) + i dL/d(im). That is TensorFlow's convention (the conjugate
 * of JAX's): x - rate * gradient descends. For a holomorphic f it is dy conj(f').
 */
import type { Value } from '../graph/graph.ts';
import { broadcastShapes } from '../types/shape.ts';
import type { Shape } from '../types/shape.ts';
import * as build from './build.ts';
import { cosh as realCosh, atan2, sinh as realSinh } from './composite-math.ts';
import { withGradient, withGradients } from './custom.ts';

export interface Complex {
  readonly re: Value;
  /** null: a real number. */
  readonly im: Value | null;
}

// ---- planes ------------------------------------------------------------------------------------------------------------

export function isReal(z: Complex): z is Complex & { im: null } {
  return z.im === null;
}

export function imagOf(z: Complex): Value {
  return z.im ?? build.zerosLike(z.re);
}

/** [2, ...S] taken apart. */
export function fromPlanes(planes: Value): { re: Value; im: Value } {
  const shape = planes.shape.slice(1);
  const plane = (i: number) => {
    const begin = planes.shape.map((_, axis) => (axis === 0 ? i : 0));
    return build.reshape(build.slice(planes, begin, [1, ...shape]), shape);
  };
  return { re: plane(0), im: plane(1) };
}

/** [2, ...S] put together. */
export function toPlanes(z: Complex): Value {
  const parts = [z.re, imagOf(z)].map((part) => build.reshape(build.asReal(part), [1, ...part.shape]));
  return build.concat(parts, 0);
}

/** f(z), whose gradient is dy conj(f'(z)). */
function holomorphic(value: Complex, z: Complex, derivative: (z: Complex) => Complex): Complex {
  const [re, im] = withGradients([value.re, imagOf(value)], partsOf(z), ([re, im]) => {
    const dy = { re: re ?? build.zerosLike(value.re), im };
    return partsOf(mul(dy, conj(derivative(z))), z);
  });
  return { re, im };
}

/** The parts that are there; as many as `like` has. */
function partsOf(z: Complex, like = z): Value[] {
  return isReal(like) ? [z.re] : [z.re, imagOf(z)];
}

/** Numbers in real arithmetic as long as nothing complex comes in. */
export function realNumber(x: Value): Complex {
  return { re: build.asReal(x), im: null };
}

export function number(re: number, im: number, like: Complex): Complex {
  return { re: build.constantLike(like.re, re), im: im === 0 ? null : build.constantLike(like.re, im) };
}

// ---- arithmetic ----------------------------------------------------------------------------------------------------------

export function conj(z: Complex): Complex {
  return { re: z.re, im: z.im && build.neg(z.im) };
}

export function neg(z: Complex): Complex {
  return { re: build.neg(z.re), im: z.im && build.neg(z.im) };
}

/** i z. */
export function timesI(z: Complex): Complex {
  return { re: build.neg(imagOf(z)), im: z.re };
}

function spread(part: Value, shape: Shape): Value {
  return build.broadcastTo(part, shape);
}

export function add(a: Complex, b: Complex): Complex {
  const re = build.add(a.re, b.re);
  if (a.im && b.im) return { re, im: build.add(a.im, b.im) };
  const im = a.im ?? b.im;
  return { re, im: im && spread(im, re.shape) };
}

export function sub(a: Complex, b: Complex): Complex {
  return add(a, neg(b));
}

/** What a bilinear `product` of real values makes of complex ones; only the parts that are there are multiplied. */
export function bilinear(a: Complex, b: Complex, product: (x: Value, y: Value) => Value): Complex {
  const re = product(a.re, b.re);
  if (a.im && b.im) {
    return { re: build.sub(re, product(a.im, b.im)), im: build.add(product(a.re, b.im), product(a.im, b.re)) };
  }
  if (a.im) return { re, im: product(a.im, b.re) };
  return { re, im: b.im && product(a.re, b.im) };
}

export function mul(a: Complex, b: Complex): Complex {
  return bilinear(a, b, build.mul);
}

export function scale(z: Complex, factor: number): Complex {
  return { re: build.scale(z.re, factor), im: z.im && build.scale(z.im, factor) };
}

export function offset(z: Complex, term: number): Complex {
  return { re: build.offset(z.re, term), im: z.im };
}

/** 1 / z, without overflow of |z|^2: parts are divided by the larger of them first. */
export function reciprocal(z: Complex): Complex {
  if (isReal(z)) return { re: build.reciprocal(z.re), im: null };
  const [re, im] = [z.re, imagOf(z)];
  const size = build.maximum(build.abs(re), build.abs(im));
  const [x, y] = [build.div(re, size), build.div(im, size)];
  const norm = build.mul(size, build.add(build.square(x), build.square(y)));
  const value = { re: build.div(x, norm), im: build.neg(build.div(y, norm)) };
  return holomorphic(value, z, (at) => neg(square(reciprocal(at))));
}

export function div(a: Complex, b: Complex): Complex {
  if (isReal(b)) return { re: build.div(a.re, b.re), im: a.im && build.div(a.im, b.re) };
  return mul(a, reciprocal(b));
}

export function square(z: Complex): Complex {
  return mul(z, z);
}

// ---- polar form ----------------------------------------------------------------------------------------------------------

/** sqrt(re^2 + im^2) without overflow; its gradient is dy z / |z|, and 0 at 0. */
export function abs(z: Complex): Value {
  if (isReal(z)) return build.abs(z.re);
  const [x, y] = [build.abs(z.re), build.abs(imagOf(z))];
  const [high, low] = [build.maximum(x, y), build.minimum(x, y)];
  const ratio = build.select(build.equal(high, low), build.onesLike(high), build.div(low, high));
  const value = build.mul(high, build.sqrt(build.offset(build.square(ratio), 1)));
  return withGradient(value, partsOf(z), (dy) => partsOf(mul(sign(z), realNumber(dy))));
}

/** z / |z|, and 0 at 0, as is its gradient there. */
export function sign(z: Complex): Complex {
  if (isReal(z)) return { re: build.sign(z.re), im: null };
  const size = abs(z);
  const isZero = build.equal(size, build.zerosLike(size));
  const safe = build.select(isZero, build.onesLike(size), size);
  return where(isZero, number(0, 0, z), div(z, realNumber(safe)));
}

/** The angle in (-pi, pi]; its gradient is dy i z / |z|^2, and 0 at 0. */
export function angle(z: Complex): Value {
  const value = atan2(imagOf(z), z.re);
  // Of real numbers it is 0 or pi.
  if (isReal(z)) return build.stopGradient(value);
  return withGradient(value, partsOf(z), (dy) => {
    const size = abs(z);
    const safe = build.select(build.equal(size, build.zerosLike(size)), build.onesLike(size), size);
    return partsOf(mul(timesI(sign(z)), realNumber(build.div(dy, safe))));
  });
}

// ---- elementary functions ------------------------------------------------------------------------------------------------

export function exp(z: Complex): Complex {
  const size = build.exp(z.re);
  if (isReal(z)) return { re: size, im: null };
  const im = imagOf(z);
  return { re: build.mul(size, build.cos(im)), im: build.mul(size, build.sin(im)) };
}

/** log |z| + i angle(z). */
export function log(z: Complex): Complex {
  return holomorphic({ re: build.log(abs(z)), im: angle(z) }, z, reciprocal);
}

export function log1p(z: Complex): Complex {
  return log(offset(z, 1));
}

export function expm1(z: Complex): Complex {
  return offset(exp(z), -1);
}

/** The root with a real part that is not negative. */
export function sqrt(z: Complex): Complex {
  const [re, im] = [z.re, imagOf(z)];
  // Halves before they are added, so that nothing overflows.
  const t = build.sqrt(build.add(build.scale(abs(z), 0.5), build.scale(build.abs(re), 0.5)));
  const zero = build.zerosLike(t);
  const isZero = build.equal(t, zero);
  const s = build.select(isZero, zero, build.div(build.scale(im, 0.5), build.select(isZero, build.onesLike(t), t)));
  const right = build.greaterEqual(re, zero);
  const value = {
    re: build.select(right, t, build.abs(s)),
    im: build.select(right, s, build.select(build.less(im, zero), build.neg(t), t)),
  };
  return holomorphic(value, z, (at) => scale(reciprocal(sqrt(at)), 0.5));
}

export function rsqrt(z: Complex): Complex {
  return reciprocal(sqrt(z));
}

export function sin(z: Complex): Complex {
  const [re, im] = [z.re, imagOf(z)];
  return { re: build.mul(build.sin(re), realCosh(im)), im: build.mul(build.cos(re), realSinh(im)) };
}

export function cos(z: Complex): Complex {
  const [re, im] = [z.re, imagOf(z)];
  return { re: build.mul(build.cos(re), realCosh(im)), im: build.neg(build.mul(build.sin(re), realSinh(im))) };
}

/** -i sin(i z). */
export function sinh(z: Complex): Complex {
  return neg(timesI(sin(timesI(z))));
}

/** cos(i z). */
export function cosh(z: Complex): Complex {
  return cos(timesI(z));
}

/** (sinh 2x + i sin 2y) / (cosh 2x + cos 2y), in a form that does not overflow. */
export function tanh(z: Complex): Complex {
  const [re, im] = [z.re, imagOf(z)];
  const t = build.tanh(re);
  const c = build.cos(im);
  const s = build.sin(im);
  // Over cosh^2 x: cosh 2x + cos 2y = 2 (sinh^2 x + cos^2 y), and 1 / cosh^2 x = 1 - tanh^2 x.
  const sech2 = build.mul(build.offset(build.neg(t), 1), build.offset(t, 1));
  const below = build.add(build.square(t), build.mul(build.square(c), sech2));
  const value = { re: build.div(t, below), im: build.div(build.mul(build.mul(s, c), sech2), below) };
  return holomorphic(value, z, (at) => offset(neg(square(tanh(at))), 1));
}

/** -i tanh(i z). */
export function tan(z: Complex): Complex {
  return neg(timesI(tanh(timesI(z))));
}

/** 1 / (1 + e^-z) = (1 + tanh(z / 2)) / 2. */
export function sigmoid(z: Complex): Complex {
  return offset(scale(tanh(scale(z, 0.5)), 0.5), 0.5);
}

/** e^(b log a), with 0^0 = 1 and 0^b = 0 for Re b > 0. */
export function pow(a: Complex, b: Complex): Complex {
  const shape = broadcastShapes('pow', a.re.shape, b.re.shape);
  const [x, y] = [a, b].map((side) => ({ re: spread(side.re, shape), im: spread(imagOf(side), shape) }));
  const isZero = build.equal(abs(x), build.zerosLike(x.re));
  const base = where(isZero, number(1, 0, x), x);
  const value = exp(mul(y, log(base)));
  const ofZero = build.cast(build.equal(abs(y), build.zerosLike(y.re)), x.re.dtype);
  return where(isZero, { re: ofZero, im: null }, value);
}

// ---- choice, comparison, sums ----------------------------------------------------------------------------------------------

export function where(condition: Value, a: Complex, b: Complex): Complex {
  const re = build.select(condition, a.re, b.re);
  if (isReal(a) && isReal(b)) return { re, im: null };
  return { re, im: build.select(condition, imagOf(a), imagOf(b)) };
}

export function equal(a: Complex, b: Complex): Value {
  return build.logicalAnd(build.equal(a.re, b.re), build.equal(imagOf(a), imagOf(b)));
}

export function notEqual(a: Complex, b: Complex): Value {
  return build.logicalNot(equal(a, b));
}

/** The same real-linear function of both parts. */
export function eachPart(z: Complex, f: (part: Value) => Value): Complex {
  return { re: f(z.re), im: z.im && f(z.im) };
}

/** The product along the last axis, halving it again and again. */
function prodLast(z: Complex): Complex {
  const shape = z.re.shape;
  const [rank, n] = [shape.length, shape[shape.length - 1]];
  const cut = (from: number, count: number) =>
    eachPart(z, (part) => build.slice(part, shape.map(() => 0).with(rank - 1, from), shape.with(rank - 1, count)));
  if (n === 0)
    return number(
      1,
      0,
      eachPart(z, (part) => build.constant(0, part.dtype, part.shape.slice(0, -1))),
    );
  if (n === 1) return eachPart(z, (part) => build.reshape(part, shape.slice(0, -1)));
  const half = Math.floor(n / 2);
  const product = mul(cut(0, half), cut(half, half));
  if (n % 2 === 0) return prodLast(product);
  const last = cut(n - 1, 1);
  return prodLast({
    re: build.concat([product.re, last.re], rank - 1),
    im: build.concat([imagOf(product), imagOf(last)], rank - 1),
  });
}

export function prod(z: Complex, axes: readonly number[], keepDims: boolean): Complex {
  const { shape } = z.re;
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const count = axes.reduce((n, axis) => n * shape[axis], 1);
  const rows = eachPart(z, (part) =>
    build.reshape(build.transpose(part, [...kept, ...axes]), [...kept.map((axis) => shape[axis]), count]),
  );
  const result = shape.flatMap((extent, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [extent]));
  return eachPart(prodLast(rows), (part) => build.reshape(part, result));
}
