/**
 * Random tensors. Every one is a pure function of a key, so the same seed gives the same numbers on every target and for any
 * number of threads. Without a seed the key comes from the global state, which setSeed fixes.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import type { DType } from '../../types/dtype.ts';
import { checkShape } from '../../types/shape.ts';
import { nextRandomKey } from '../random.ts';
import { Tensor } from '../tensor.ts';
import type { Rank, ShapeMap, TensorLike } from '../types.ts';
import { lift, valueOf } from './lift.ts';

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

function numbers<R extends Rank>(op: string, value: Value, dtype: DType): Tensor<R> {
  if (dtype !== 'float32' && dtype !== 'int32') fail(op, 'dtype must be float32 or int32', `got ${String(dtype)}`);
  return lift<Tensor<R>>(build.cast(value, dtype));
}

/** Normally distributed numbers: mean 0 and stdDev 1 by default. */
export function randomNormal<R extends Rank = Rank>(
  shape: ShapeMap[R],
  mean = 0,
  stdDev = 1,
  dtype: 'float32' | 'int32' = 'float32',
  seed?: number | null,
): Tensor<R> {
  checkShape('randomNormal', shape);
  return numbers('randomNormal', build.randomNormal(keyFor('randomNormal', seed), [...shape], mean, stdDev), dtype);
}

/** Numbers of the standard normal distribution. */
export function randomStandardNormal<R extends Rank = Rank>(
  shape: ShapeMap[R],
  dtype: 'float32' | 'int32' = 'float32',
  seed?: number | null,
): Tensor<R> {
  return randomNormal<R>(shape, 0, 1, dtype, seed);
}

/** Normally distributed numbers within two standard deviations of the mean. */
export function truncatedNormal<R extends Rank = Rank>(
  shape: ShapeMap[R],
  mean = 0,
  stdDev = 1,
  dtype: 'float32' | 'int32' = 'float32',
  seed?: number | null,
): Tensor<R> {
  checkShape('truncatedNormal', shape);
  const value = build.truncatedNormal(keyFor('truncatedNormal', seed), [...shape], mean, stdDev);
  return numbers('truncatedNormal', value, dtype);
}

/** Numbers spread evenly over [minval, maxval): [0, 1) by default; of dtype int32 rounded toward zero. */
export function randomUniform<R extends Rank = Rank>(
  shape: ShapeMap[R],
  minval = 0,
  maxval = 1,
  dtype: 'float32' | 'int32' | 'bool' = 'float32',
  seed?: number | string | null,
): Tensor<R> {
  checkShape('randomUniform', shape);
  const unit = build.randomUnit(keyFor('randomUniform', seed), [...shape]);
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
  if (value.dtype !== 'float32') fail('dropout', 'the input must be float32', `got ${value.dtype}`, 'use cast');
  if (!(rate >= 0 && rate < 1)) fail('dropout', 'rate must be in [0, 1)', `got ${rate}`);
  if (rate === 0) return x instanceof Tensor ? x.clone() : lift(value);
  return lift(composite.dropout(value, rate, keyFor('dropout', seed), noiseShape ? [...noiseShape] : value.shape));
}
