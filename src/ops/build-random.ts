/** Builders of random numbers. Each is a pure function of its key (int32[2]) and shape. */
import type { Value } from '../graph/graph.ts';
import type { Shape } from '../types/shape.ts';
import { apply1 } from './apply.ts';
import {
  add,
  asReal,
  cast,
  constantLike,
  cos,
  log,
  mul,
  offset,
  rightShiftLogical,
  scale,
  sqrt,
  sub,
} from './build-elementwise.ts';
import type { RealDType } from './build-elementwise.ts';
import { erfInverse } from './composite.ts';
import { withGradient } from './custom.ts';

export function randomBits(key: Value, shape: Shape, stream = 0): Value {
  return apply1('randomBits', [key], { shape, stream });
}

/** Streams of the second words of float64, beside those of the first. */
const SECOND = 2 ** 28;

/** Uniform in [0, 1), in steps of 2^-24; of float64 in steps of 2^-53, from two words of bits. */
export function randomUnit(key: Value, shape: Shape, stream = 0, dtype: RealDType = 'float32'): Value {
  const first = randomBits(key, shape, stream);
  if (dtype === 'float32') return apply1('bitsToUnit', [first]);
  const upper = (bits: Value, lost: number) => cast(rightShiftLogical(bits, constantLike(bits, lost)), 'float64');
  const [high, low] = [upper(first, 5), upper(randomBits(key, shape, stream + SECOND), 6)];
  return scale(add(scale(high, 2 ** 26), low), 2 ** -53);
}

/** Half a step of randomUnit. */
export function halfStep(dtype: RealDType): number {
  return dtype === 'float64' ? 2 ** -54 : 2 ** -25;
}

export function randomUniform(key: Value, shape: Shape, low = 0, high = 1, dtype?: RealDType): Value {
  return offset(scale(randomUnit(key, shape, 0, dtype), high - low), low);
}

/** Box and Muller: sqrt(-2 log u) cos(2 pi v), u in (0, 1]. */
export function randomNormal(key: Value, shape: Shape, mean = 0, stdDev = 1, dtype?: RealDType): Value {
  const unit = randomUnit(key, shape, 0, dtype);
  const u = sub(constantLike(unit, 1), unit);
  const v = randomUnit(key, shape, 1, dtype);
  const normal = mul(sqrt(scale(log(u), -2)), cos(scale(v, 2 * Math.PI)));
  return offset(scale(normal, stdDev), mean);
}

/** P(|normal| < 2). */
const WITHIN_TWO = 0.954499736103642;

/** Normal, conditioned on lying within two standard deviations: the inverse distribution function of a uniform. */
export function truncatedNormal(key: Value, shape: Shape, mean = 0, stdDev = 1, dtype: RealDType = 'float32'): Value {
  // The middle of each step, so that the ends stay inside.
  const unit = randomUnit(key, shape, 0, dtype);
  const symmetric = offset(scale(unit, 2 * WITHIN_TWO), WITHIN_TWO * (2 * halfStep(dtype) - 1));
  return offset(scale(erfInverse(symmetric), Math.SQRT2 * stdDev), mean);
}

/** Gamma variates of rate 1, one for each alpha; differentiable in alpha. */
export function gammaSample(key: Value, alpha: Value): Value {
  const real = asReal(alpha);
  const z: Value = withGradient(apply1('gammaSample', [key, real]), [real], (dz) => {
    return [mul(dz, gammaSampleGradient(real, z))];
  });
  return z;
}

/** dz / d alpha of gamma variates at a fixed value of the distribution function. */
export function gammaSampleGradient(alpha: Value, z: Value): Value {
  return apply1('gammaSampleGradient', [alpha, z]);
}

/** int32 counts of events, one for each rate; -1 for a rate that is negative, infinite or NaN. */
export function poissonSample(key: Value, rate: Value): Value {
  return apply1('poissonSample', [key, asReal(rate)]);
}
