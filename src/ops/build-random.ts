/** Builders of random numbers. Each is a pure function of its key (int32[2]) and shape. */
import type { Value } from '../graph/graph.ts';
import type { Shape } from '../types/shape.ts';
import { apply1 } from './apply.ts';
import { constantLike, cos, log, mul, offset, scale, sqrt, sub } from './build-elementwise.ts';
import { erfInverse } from './composite.ts';

export function randomBits(key: Value, shape: Shape, stream = 0): Value {
  return apply1('randomBits', [key], { shape, stream });
}

/** Uniform in [0, 1), in steps of 2^-24. */
export function randomUnit(key: Value, shape: Shape, stream = 0): Value {
  return apply1('bitsToUnit', [randomBits(key, shape, stream)]);
}

export function randomUniform(key: Value, shape: Shape, low = 0, high = 1): Value {
  return offset(scale(randomUnit(key, shape), high - low), low);
}

/** Box and Muller: sqrt(-2 log u) cos(2 pi v), u in (0, 1]. */
export function randomNormal(key: Value, shape: Shape, mean = 0, stdDev = 1): Value {
  const unit = randomUnit(key, shape, 0);
  const u = sub(constantLike(unit, 1), unit);
  const v = randomUnit(key, shape, 1);
  const normal = mul(sqrt(scale(log(u), -2)), cos(scale(v, 2 * Math.PI)));
  return offset(scale(normal, stdDev), mean);
}

/** P(|normal| < 2). */
const WITHIN_TWO = 0.954499736103642;

/** Normal, conditioned on lying within two standard deviations: the inverse distribution function of a uniform. */
export function truncatedNormal(key: Value, shape: Shape, mean = 0, stdDev = 1): Value {
  // The middle of each step, so that the ends stay inside.
  const symmetric = offset(scale(randomUnit(key, shape), 2 * WITHIN_TWO), WITHIN_TWO * (2 ** -24 - 1));
  return offset(scale(erfInverse(symmetric), Math.SQRT2 * stdDev), mean);
}
