/**
 * tf.random: distributions drawn from explicit keys. A key is an int32 tensor [2]; the same key draws the same numbers, bit for bit
 * up to the rounding of logarithms and the like, on every target and for any number of threads, in eager code and in jit. A key
 * is for one draw: split it for more. Parameters broadcast to the shape; gradients flow into those of a location or scale (and
 * into alpha, beta and degrees of freedom by implicit differentiation of the distribution function).
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import { random as composite } from '../../ops/composite.ts';
import { broadcastShapes, checkShape, sameShape, showShape, sizeOf } from '../../types/shape.ts';
import { makeTensor } from '../convert.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensor1D, Tensor2D } from '../types.ts';
import type { Input } from './lift.ts';
import { axisOf, lift, valueOf } from './lift.ts';

type Key = Tensor1D | Tensor;

/** The key of a seed: int32 [2]. Seeds are integers; those beyond 32 bits count in full up to 2^53. */
export function key(seed: number): Tensor1D {
  if (!Number.isSafeInteger(seed)) fail('random.key', 'the seed must be an integer', `got ${seed}`);
  return makeTensor<'R1'>(new Int32Array([Math.floor(seed / 2 ** 32) | 0, seed | 0]));
}

function keyOf(op: string, k: Key): Value {
  const value = valueOf(k, 'key', op);
  if (value.dtype !== 'int32' || !sameShape(value.shape, [2])) {
    fail(
      op,
      'the key must be an int32 tensor [2]',
      `got ${value.dtype}${showShape(value.shape)}`,
      'make it with tf.random.key(seed) or split',
    );
  }
  return value;
}

/** `num` keys, [num, 2], independent of each other and of what the key itself draws. unstack them, or vmap over them. */
export function split(k: Key, num = 2): Tensor2D {
  if (!Number.isInteger(num) || num < 1) fail('random.split', 'num must be a positive integer', `got ${num}`);
  return lift<Tensor2D>(composite.splitKey(keyOf('random.split', k), num));
}

/** The key for `data`, a step or an index: different numbers give independent keys. */
export function foldIn(k: Key, data: number | Tensor): Tensor1D {
  const value = valueOf(data as Input, 'data', 'random.foldIn', typeof data === 'number' ? 'int32' : undefined);
  if (value.dtype !== 'int32' || sizeOf(value.shape) !== 1) {
    fail('random.foldIn', 'data must be one int32 number', `got ${value.dtype}${showShape(value.shape)}`);
  }
  return lift<Tensor1D>(composite.foldIn(keyOf('random.foldIn', k), value));
}

/** Key, shape and real parameters broadcast to the shape. */
function start(
  op: string,
  k: Key,
  shape: readonly number[],
  parameters: readonly [string, Input][],
): [Value, ...Value[]] {
  checkShape(op, shape);
  const values = parameters.map(([name, x]) => {
    const value = build.asReal(valueOf(x, name, op));
    if (!sameShape(broadcastShapes(op, value.shape, shape), shape)) {
      fail(op, `${name} must broadcast to the shape ${showShape(shape)}`, `got shape ${showShape(value.shape)}`);
    }
    return build.broadcastTo(value, shape);
  });
  return [keyOf(op, k), ...values];
}

/** location + scale x. */
function placed(x: Value, location: Value, scale: Value): Tensor {
  return lift(build.add(build.mul(x, scale), location));
}

/** Uniform over [minval, maxval), in 2^24 steps; in 2^53 where a bound is float64, as is the result then. */
export function uniform(k: Key, shape: readonly number[], minval: Input = 0, maxval: Input = 1): Tensor {
  const [bits, low, high] = start('random.uniform', k, shape, [
    ['minval', minval],
    ['maxval', maxval],
  ]);
  const unit = build.randomUnit(bits, [...shape], 0, build.realOf(low, high));
  return placed(unit, low, build.sub(high, low));
}

/** Normal (Box & Muller 1958): |x| stays below 5.9 standard deviations, since uniform numbers have 24 bits. With a float64 parameter they have 53. */
export function normal(k: Key, shape: readonly number[], mean: Input = 0, stdDev: Input = 1): Tensor {
  const [bits, location, scale] = start('random.normal', k, shape, [
    ['mean', mean],
    ['stdDev', stdDev],
  ]);
  const z = build.randomNormal(bits, [...shape], 0, 1, build.realOf(location, scale));
  return placed(z, location, scale);
}

/** Normal, conditioned on lying within two standard deviations of the mean. */
export function truncatedNormal(k: Key, shape: readonly number[], mean: Input = 0, stdDev: Input = 1): Tensor {
  const [bits, location, scale] = start('random.truncatedNormal', k, shape, [
    ['mean', mean],
    ['stdDev', stdDev],
  ]);
  const z = build.truncatedNormal(bits, [...shape], 0, 1, build.realOf(location, scale));
  return placed(z, location, scale);
}

/**
 * Gamma with density x^(alpha - 1) e^(-rate x) up to a factor: Marsaglia & Tsang (2000), exact but for rounding. NaN for alpha <= 0. Below
 * alpha = 1 numbers under float32's range become 0. The gradient in alpha is implicit (Figurnov et al. 2018); it is not
 * differentiated again.
 */
export function gamma(k: Key, shape: readonly number[], alpha: Input, rate: Input = 1): Tensor {
  const [bits, a, r] = start('random.gamma', k, shape, [
    ['alpha', alpha],
    ['rate', rate],
  ]);
  return lift(build.div(build.gammaSample(bits, a), r));
}

/** Beta with density x^(a - 1) (1 - x)^(b - 1): x / (x + y) of two gamma variates. */
export function beta(k: Key, shape: readonly number[], a: Input, b: Input): Tensor {
  const [bits, x, y] = start('random.beta', k, shape, [
    ['a', a],
    ['b', b],
  ]);
  return lift(composite.beta(bits, x, y));
}

/** Vectors on the simplex [...shape, n] for alpha [n] (or [..., n]): gamma variates over their sum. */
export function dirichlet(k: Key, alpha: Input, shape: readonly number[] = []): Tensor {
  const value = build.asReal(valueOf(alpha, 'alpha', 'random.dirichlet'));
  if (value.shape.length === 0) fail('random.dirichlet', 'alpha must have rank 1 or more', 'got a scalar');
  checkShape('random.dirichlet', shape);
  const all = build.broadcastTo(value, [...shape, ...value.shape]);
  return lift(composite.dirichlet(keyOf('random.dirichlet', k), all));
}

/**
 * Poisson counts, int32: products of uniforms below a rate of 10, transformed rejection (Hörmann 1993, PTRS) from there on; exact
 * but for rounding, which shows from rates of about 10^6 on. -1 for a rate that is negative, infinite or NaN.
 */
export function poisson(k: Key, shape: readonly number[], rate: Input): Tensor {
  const [bits, r] = start('random.poisson', k, shape, [['rate', rate]]);
  return lift(build.poissonSample(bits, r));
}

/**
 * Classes drawn from softmax(logits) over the last axis (Gumbel's trick): logits [..., classes] give int32 [...shape, ...]. A logit
 * of -Infinity is never drawn. Probabilities are exact to about 2^-24.
 */
export function categorical(k: Key, logits: Input, shape: readonly number[] = []): Tensor {
  const value = build.asReal(valueOf(logits, 'logits', 'random.categorical'));
  if (value.shape.length === 0 || value.shape.at(-1) === 0) {
    fail(
      'random.categorical',
      'logits must be [..., classes] with at least one class',
      `got shape ${showShape(value.shape)}`,
    );
  }
  checkShape('random.categorical', shape);
  return lift(composite.categorical(keyOf('random.categorical', k), value, [...shape]));
}

/** true with probability p. */
export function bernoulli(k: Key, shape: readonly number[], p: Input = 0.5): Tensor {
  const [bits, probability] = start('random.bernoulli', k, shape, [['p', p]]);
  return lift(build.less(build.randomUnit(bits, [...shape], 0, build.realOf(probability)), probability));
}

/** Gumbel: -log(-log u). */
export function gumbel(k: Key, shape: readonly number[], location: Input = 0, scale: Input = 1): Tensor {
  const [bits, l, s] = start('random.gumbel', k, shape, [
    ['location', location],
    ['scale', scale],
  ]);
  return placed(composite.gumbel(bits, [...shape], build.realOf(l, s)), l, s);
}

/** Exponential with density rate e^(-rate x). */
export function exponential(k: Key, shape: readonly number[], rate: Input = 1): Tensor {
  const [bits, r] = start('random.exponential', k, shape, [['rate', rate]]);
  return lift(build.div(composite.exponential(bits, [...shape], build.realOf(r)), r));
}

/** Laplace with density e^(-|x - location| / scale) / (2 scale). */
export function laplace(k: Key, shape: readonly number[], location: Input = 0, scale: Input = 1): Tensor {
  const [bits, l, s] = start('random.laplace', k, shape, [
    ['location', location],
    ['scale', scale],
  ]);
  return placed(composite.laplace(bits, [...shape], build.realOf(l, s)), l, s);
}

/** Logistic: log(u / (1 - u)). */
export function logistic(k: Key, shape: readonly number[], location: Input = 0, scale: Input = 1): Tensor {
  const [bits, l, s] = start('random.logistic', k, shape, [
    ['location', location],
    ['scale', scale],
  ]);
  return placed(composite.logistic(bits, [...shape], build.realOf(l, s)), l, s);
}

/** Cauchy: tan(pi (u - 1/2)). */
export function cauchy(k: Key, shape: readonly number[], location: Input = 0, scale: Input = 1): Tensor {
  const [bits, l, s] = start('random.cauchy', k, shape, [
    ['location', location],
    ['scale', scale],
  ]);
  return placed(composite.cauchy(bits, [...shape], build.realOf(l, s)), l, s);
}

/** Student's t with df degrees of freedom. */
export function studentT(k: Key, shape: readonly number[], df: Input): Tensor {
  const [bits, degrees] = start('random.studentT', k, shape, [['df', df]]);
  return lift(composite.studentT(bits, degrees, [...shape]));
}

/** Integers in [minval, maxval), int32. */
export function randint(k: Key, shape: readonly number[], minval: number, maxval: number): Tensor {
  const isInt = (x: number) => Number.isInteger(x) && Math.abs(x) <= 2 ** 31;
  if (!isInt(minval) || !isInt(maxval) || maxval <= minval || maxval - minval > 2 ** 31) {
    fail('random.randint', 'minval < maxval must be int32 integers', `got ${minval} and ${maxval}`);
  }
  const [bits] = start('random.randint', k, shape, []);
  return lift(composite.integers(bits, [...shape], minval, maxval - minval));
}

/** mean + L z with L L^T = covariance: [...shape, n] for a mean [n] and a positive definite covariance [n, n]. */
export function multivariateNormal(k: Key, mean: Input, covariance: Input, shape: readonly number[] = []): Tensor {
  const op = 'random.multivariateNormal';
  const [m, c] = [mean, covariance].map((x, i) => build.asReal(valueOf(x, i ? 'covariance' : 'mean', op)));
  if (m.shape.length !== 1 || !sameShape(c.shape, [m.shape[0], m.shape[0]])) {
    fail(op, 'mean must be [n] and covariance [n, n]', `got ${showShape(m.shape)} and ${showShape(c.shape)}`);
  }
  checkShape(op, shape);
  return lift(composite.multivariateNormal(keyOf(op, k), m, c, [...shape]));
}

/** Orthogonal matrices [...shape, n, n], evenly distributed (Haar's measure; Mezzadri 2007). */
export function orthogonal(k: Key, n: number, shape: readonly number[] = []): Tensor {
  checkShape('random.orthogonal', [...shape, n]);
  return lift(composite.orthogonal(keyOf('random.orthogonal', k), [...shape], n));
}

/** 0 .. n-1 in random order: by sorting random bits, twice where ties would show. */
function order(bits: Value, n: number): Value {
  const first = build.argsort(build.randomBits(bits, [n], 0), 0);
  if (n < 2 ** 11) return first;
  return build.gather(first, build.argsort(build.randomBits(bits, [n], 1), 0));
}

/** A number n gives 0 .. n-1 in random order, int32; a tensor its slices along `axis` in random order. */
export function permutation(k: Key, x: number | Tensor, axis = 0): Tensor {
  const bits = keyOf('random.permutation', k);
  if (typeof x === 'number') {
    checkShape('random.permutation', [x]);
    return lift(order(bits, x));
  }
  const value = valueOf(x, 'x', 'random.permutation');
  const at = axisOf('random.permutation', axis, value.shape.length);
  return lift(build.gather(value, order(bits, value.shape[at]), at));
}

/** The slices of a tensor along `axis` in random order. */
export function shuffle(k: Key, x: Tensor, axis = 0): Tensor {
  return permutation(k, x, axis);
}

/**
 * Slices of a along axis 0 (or numbers below it, where it is a number) drawn with probabilities p (all alike by default), of the given
 * shape; with replace = false each at most once (the largest of Gumbel's perturbed logarithms).
 */
export function choice(k: Key, a: number | Tensor, shape: readonly number[] = [], replace = true, p?: Input): Tensor {
  const op = 'random.choice';
  const bits = keyOf(op, k);
  const source = typeof a === 'number' ? null : valueOf(a, 'a', op);
  const n = source ? source.shape[0] : (a as number);
  checkShape(op, [...shape, n]);
  const count = sizeOf(shape);
  if (n === 0 && count > 0) fail(op, 'there must be something to choose from', 'got nothing');
  if (!replace && count > n)
    fail(op, 'without replacement there can be no more choices than things', `got ${count} of ${n}`);
  const weights = p === undefined ? null : build.log(build.asReal(valueOf(p, 'p', op)));
  if (weights && !sameShape(weights.shape, [n]))
    fail(op, `p must have shape [${n}]`, `got ${showShape(weights.shape)}`);
  let indices: Value;
  if (!replace) {
    const ranked = weights
      ? build.argsort(build.neg(build.add(weights, composite.gumbel(bits, [n], build.realOf(weights)))), 0)
      : order(bits, n);
    indices = build.slice(ranked, [0], [count]);
  } else if (weights) indices = composite.categorical(bits, weights, [count]);
  else indices = composite.integers(bits, [count], 0, n);
  const shaped = build.reshape(indices, [...shape]);
  return lift(source ? build.gather(source, shaped) : shaped);
}
