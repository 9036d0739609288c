/**
 * Random tensors. Every one is a pure function of a key, so the same seed gives the same numbers on every target and for any
 * number of threads. Without a seed the key comes from the global state, which setSeed fixes.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import type { DType } from '../../types/dtype.ts';
import { checkDType, isFloat } from '../../types/dtype.ts';
import { checkShape, sizeOf } from '../../types/shape.ts';
import { makeTensor } from '../convert.ts';
import { nextRandomKey } from '../random.ts';
import { Tensor } from '../tensor.ts';
import type { Rank, ShapeMap, TensorLike } from '../types.ts';
import { computed, lift, valueOf } from './lift.ts';

/** FNV-1a, for seeds that are names. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

function keyFor(op: string, seed: number | string | null | undefined): Value {
  if (seed === undefined || seed === null) return nextRandomKey().value;
  const number = typeof seed === 'string' ? hash(seed) : seed;
  if (typeof number !== 'number' || !Number.isFinite(number)) {
    fail(op, 'the seed must be a finite number or a string', `got ${String(seed)}`);
  }
  return nextRandomKey(number).value;
}

/** What numbers of a dtype are drawn in: float64 has 53 random bits, everything else 24. */
function realOf(dtype: DType): 'float32' | 'float64' {
  return dtype === 'float64' ? dtype : 'float32';
}

function numbers<R extends Rank>(op: string, value: Value, dtype: DType): Tensor<R> {
  if (checkDType(op, dtype) === 'bool') fail(op, 'dtype must be one of numbers', 'got bool');
  return lift<Tensor<R>>(build.cast(value, dtype));
}

/** Normally distributed numbers: mean 0 and stdDev 1 by default. */
export function randomNormal<R extends Rank = Rank>(
  shape: ShapeMap[R],
  mean = 0,
  stdDev = 1,
  dtype: DType = 'float32',
  seed?: number | null,
): Tensor<R> {
  checkShape('randomNormal', shape);
  return numbers(
    'randomNormal',
    build.randomNormal(keyFor('randomNormal', seed), [...shape], mean, stdDev, realOf(dtype)),
    dtype,
  );
}

/** Numbers of the standard normal distribution. */
export function randomStandardNormal<R extends Rank = Rank>(
  shape: ShapeMap[R],
  dtype: DType = 'float32',
  seed?: number | null,
): Tensor<R> {
  return randomNormal<R>(shape, 0, 1, dtype, seed);
}

/** Normally distributed numbers within two standard deviations of the mean. */
export function truncatedNormal<R extends Rank = Rank>(
  shape: ShapeMap[R],
  mean = 0,
  stdDev = 1,
  dtype: DType = 'float32',
  seed?: number | null,
): Tensor<R> {
  checkShape('truncatedNormal', shape);
  const value = build.truncatedNormal(keyFor('truncatedNormal', seed), [...shape], mean, stdDev, realOf(dtype));
  return numbers('truncatedNormal', value, dtype);
}

/** Numbers spread evenly over [minval, maxval): [0, 1) by default; of dtype int32 rounded toward zero. */
export function randomUniform<R extends Rank = Rank>(
  shape: ShapeMap[R],
  minval = 0,
  maxval = 1,
  dtype: DType = 'float32',
  seed?: number | string | null,
): Tensor<R> {
  checkShape('randomUniform', shape);
  const unit = build.randomUnit(keyFor('randomUniform', seed), [...shape], 0, realOf(dtype));
  if (dtype === 'bool') return lift<Tensor<R>>(build.greaterEqual(unit, build.constantLike(unit, 0.5)));
  return numbers('randomUniform', build.offset(build.scale(unit, maxval - minval), minval), dtype);
}

/** Integers spread evenly over [minval, maxval). */
export function randomUniformInt<R extends Rank = Rank>(
  shape: ShapeMap[R],
  minval: number,
  maxval: number,
  seed?: number | string | null,
): Tensor<R> {
  checkShape('randomUniformInt', shape);
  const unit = build.randomUnit(keyFor('randomUniformInt', seed), [...shape]);
  return lift<Tensor<R>>(build.cast(build.floor(build.offset(build.scale(unit, maxval - minval), minval)), 'int32'));
}

/**
 * Zeroes each element with probability `rate`, and multiplies the others by 1 / (1 - rate). noiseShape may have extents of 1,
 * along which all elements share their fate.
 */
export function dropout(
  x: Tensor | TensorLike,
  rate: number,
  noiseShape?: readonly number[] | null,
  seed?: number | string | null,
): Tensor {
  const value = valueOf(x, 'x', 'dropout');
  if (!isFloat(value.dtype)) fail('dropout', 'the input must be a float', `got ${value.dtype}`, 'use cast');
  if (!(rate >= 0 && rate < 1)) fail('dropout', 'rate must be in [0, 1)', `got ${rate}`);
  if (rate === 0) return x instanceof Tensor ? x.clone() : lift(value);
  const [key, shape] = [keyFor('dropout', seed), noiseShape ? [...noiseShape] : value.shape];
  return lift(computed([value], (real) => composite.dropout(real, rate, key, shape)));
}

/** A tensor of what randFunction() gives, element by element. dtype float32, float64, int32 (toward zero) or bool. */
export function rand<R extends Rank = Rank>(
  shape: ShapeMap[R],
  randFunction: () => number,
  dtype: 'float32' | 'float64' | 'int32' | 'bool' = 'float32',
): Tensor<R> {
  checkShape('rand', shape);
  if (typeof randFunction !== 'function') fail('rand', 'randFunction must be a function', `got ${typeof randFunction}`);
  const data = Array.from({ length: sizeOf(shape) }, () => randFunction());
  const whole = isFloat(dtype) ? data : data.map((x) => (dtype === 'bool' ? Math.trunc(x) & 0xff : Math.trunc(x)));
  return makeTensor<R>(whole, [...shape], dtype, 'rand');
}

/**
 * Gamma variates of shape parameter alpha and rate (inverse scale) beta, by Marsaglia & Tsang. The mean is alpha / beta, as
 * TensorFlow.js documents it (its 4.22 multiplies by beta instead).
 */
export function randomGamma<R extends Rank = Rank>(
  shape: ShapeMap[R],
  alpha: number,
  beta = 1,
  dtype: 'float32' | 'int32' = 'float32',
  seed?: number | null,
): Tensor<R> {
  checkShape('randomGamma', shape);
  const value = build.gammaSample(keyFor('randomGamma', seed), build.constant(alpha, 'float32', [...shape]));
  const scaled = build.scale(value, 1 / (beta ?? 1));
  return numbers('randomGamma', dtype === 'int32' ? build.round(scaled) : scaled, dtype);
}

/**
 * numSamples draws from each row of logits, [outcomes] or [batch, outcomes] with at least two outcomes: int32 [numSamples] or
 * [batch, numSamples]. With `normalized` the numbers are probabilities instead of logits.
 */
export function multinomial(
  logits: Tensor | TensorLike,
  numSamples: number,
  seed?: number | null,
  normalized = false,
): Tensor {
  const value = build.asReal(valueOf(logits, 'logits', 'multinomial'));
  const rank = value.shape.length;
  if (rank !== 1 && rank !== 2) fail('multinomial', 'logits must have rank 1 or 2', `got shape [${value.shape}]`);
  const outcomes = value.shape[rank - 1];
  if (outcomes < 2) fail('multinomial', 'there must be at least two outcomes', `got ${outcomes}`);
  checkShape('multinomial', [numSamples]);
  const weights = normalized ? build.log(value) : value;
  const drawn = composite.random.categorical(keyFor('multinomial', seed), weights, [numSamples]);
  return lift(rank === 1 ? drawn : build.transpose(drawn, [1, 0]));
}
