/**
 * Distributions as functions of a key (int32[2]): each is a transformation of uniform bits, so the bits are the same on every target
 * and values agree up to the rounding of the transformation. Parameters broadcast to the shape; where a reparameterisation
 * exists, gradients flow into them.
 */
import type { Value } from '../graph/graph.ts';
import type { Shape } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';
import {
  abs,
  add,
  cast,
  constant,
  constantLike,
  div,
  floor,
  less,
  log,
  log1p,
  minimum,
  mul,
  neg,
  offset,
  scale,
  select,
  sign,
  sqrt,
  sub,
  realOf,
} from './build-elementwise.ts';
import type { RealDType } from './build-elementwise.ts';
import { cholesky, qr } from './build-linalg.ts';
import { broadcastTo, concat, reshape, slice } from './build-movement.ts';
import { gammaSample, halfStep, randomBits, randomNormal, randomUnit } from './build-random.ts';
import { argMax, sum } from './build-reduce.ts';
import { matMul } from './build-window.ts';
import { tan } from './composite-math.ts';
import { asRow, diagonalOf } from './linalg/parts.ts';

/** Streams of bits that only the making of keys uses. */
const KEYS = 0x6b657900;

/** `count` keys [count, 2] that are independent of each other and of everything drawn from `key` itself. */
export function splitKey(key: Value, count: number): Value {
  const words = [0, 1].map((word) => reshape(randomBits(key, [count], KEYS + word), [count, 1]));
  return concat(words, 1);
}

/** A key made of a key and a number (int32, a scalar). */
export function foldIn(key: Value, data: Value): Value {
  const moved = add(key, concat([reshape(data, [1]), constant(0, 'int32', [1])], 0));
  const words = [2, 3].map((word) => randomBits(moved, [1], KEYS + word));
  return concat(words, 0);
}

/** Uniform in (0, 1): the middle of one of 2^24 steps, of float64 one of 2^53. */
export function openUnit(key: Value, shape: Shape, stream = 0, dtype: RealDType = 'float32'): Value {
  const u = offset(randomUnit(key, shape, stream, dtype), halfStep(dtype));
  // In the upper half of float64 the middle of the last step rounds to 1.
  return dtype === 'float64' ? minimum(u, constantLike(u, 1 - 2 ** -53)) : u;
}

/** -log(-log u). */
export function gumbel(key: Value, shape: Shape, dtype?: RealDType): Value {
  return neg(log(neg(log(openUnit(key, shape, 0, dtype)))));
}

/** -log(1 - u), of rate 1. */
export function exponential(key: Value, shape: Shape, dtype?: RealDType): Value {
  return neg(log1p(neg(randomUnit(key, shape, 0, dtype))));
}

/** sign(u) log(1 - 2 |u|) for u in (-1/2, 1/2). */
export function laplace(key: Value, shape: Shape, dtype?: RealDType): Value {
  const u = offset(openUnit(key, shape, 0, dtype), -0.5);
  return neg(mul(sign(u), log1p(scale(abs(u), -2))));
}

/** log(u / (1 - u)). */
export function logistic(key: Value, shape: Shape, dtype?: RealDType): Value {
  const u = openUnit(key, shape, 0, dtype);
  return sub(log(u), log1p(neg(u)));
}

/** tan(pi (u - 1/2)). */
export function cauchy(key: Value, shape: Shape, dtype?: RealDType): Value {
  return tan(scale(offset(openUnit(key, shape, 0, dtype), -0.5), Math.PI));
}

/** Integers in [low, low + span), span up to 2^31: the high word of bits times span, in halves, so that all spans are even to 2^-32. */
export function integers(key: Value, shape: Shape, low: number, span: number): Value {
  if (span <= 2 ** 24) {
    const u = randomUnit(key, shape);
    const value = minimum(floor(scale(u, span)), constantLike(u, span - 1));
    return offset(cast(value, 'int32'), low);
  }
  // Two digits in base 4096 or more: floor(u1 span / 2^12) picks the block, u2 the place in it.
  const blocks = Math.ceil(span / 4096);
  const draw = (stream: number) => {
    const u = randomUnit(key, shape, stream);
    const block = cast(minimum(floor(scale(u, blocks)), constantLike(u, blocks - 1)), 'int32');
    const place = cast(floor(scale(randomUnit(key, shape, stream + 1), 4096)), 'int32');
    return add(scale(block, 4096), place);
  };
  let value = draw(0);
  // The last block may be short: what falls beyond the end is drawn again, and is even after a few times.
  for (let again = 1; again < 5 && blocks * 4096 !== span; again++) {
    const inside = less(value, constantLike(value, span));
    value = select(inside, value, draw(2 * again));
  }
  return offset(minimum(value, constantLike(value, span - 1)), low);
}

/** The index of the largest of logits + gumbel noise along the last axis (Gumbel 1954): exact draws from softmax(logits). */
export function categorical(key: Value, logits: Value, samples: Shape): Value {
  const classes = logits.shape[logits.shape.length - 1];
  const lead = logits.shape.slice(0, -1);
  const shape = [...samples, ...lead, classes];
  const noisy = add(broadcastTo(logits, shape), gumbel(key, shape, realOf(logits)));
  return argMax(noisy, shape.length - 1);
}

/** x / (x + y) of two gamma variates. */
export function beta(key: Value, a: Value, b: Value): Value {
  const [first, second] = twoKeys(key);
  const [x, y] = [gammaSample(first, a), gammaSample(second, b)];
  return div(x, add(x, y));
}

export function twoKeys(key: Value): [Value, Value] {
  const keys = splitKey(key, 2);
  return [reshape(slice(keys, [0, 0], [1, 2]), [2]), reshape(slice(keys, [1, 0], [1, 2]), [2])];
}

/** Gamma variates over their sum along the last axis. */
export function dirichlet(key: Value, alpha: Value): Value {
  const x = gammaSample(key, alpha);
  return div(x, sum(x, [-1], true));
}

/** mean + L z, L L^T being the covariance, z standard normal [...shape, n]. */
export function multivariateNormal(key: Value, mean: Value, covariance: Value, shape: Shape): Value {
  const n = covariance.shape[covariance.shape.length - 1];
  const z = randomNormal(key, [sizeOf(shape), n], 0, 1, realOf(mean, covariance));
  const x = matMul(z, cholesky(covariance), false, true);
  return add(reshape(x, [...shape, n]), mean);
}

/** z / sqrt(g / df), g of a chi-squared distribution with df degrees of freedom. */
export function studentT(key: Value, df: Value, shape: Shape): Value {
  const [first, second] = twoKeys(key);
  const g = gammaSample(second, scale(broadcastTo(df, shape), 0.5));
  const half = scale(broadcastTo(df, shape), 0.5);
  return mul(randomNormal(first, shape), sqrt(div(half, g)));
}

/** Q of a normal matrix, its columns signed by R's diagonal: evenly distributed over the orthogonal matrices (Mezzadri 2007). */
export function orthogonal(key: Value, shape: Shape, n: number): Value {
  const [q, r] = qr(randomNormal(key, [...shape, n, n]));
  const signs = sign(diagonalOf(r));
  return mul(q, asRow(signs));
}
