/** Means, moments, normalization, one-hot and dropout on graph values. */
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import {
  abs,
  add,
  asReal,
  cast,
  constant,
  constantLike,
  div,
  equal,
  greaterEqual,
  iota,
  pow,
  scale,
  select,
  sqrt,
  square,
  sub,
  zerosLike,
} from './build-elementwise.ts';
import { asPlaces } from './build-indexing.ts';
import { channelMoments } from './build-moments.ts';
import { broadcastTo, reshape } from './build-movement.ts';
import { max, mean, min, sum } from './build-reduce.ts';
import { randomUnit } from './build-random.ts';
import type { Shape } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';

/** Channels from which the one-pass row pays, and the rows that it needs. */
const LEAST_CHANNELS = 4;

/** [groups, rows, channels] where the axes are neighbours that end before the last one, so that one pass over memory will do. */
function asGroups(shape: Shape, axes: readonly number[]): Shape | null {
  const first = axes[0];
  if (axes.length === 0 || axes[axes.length - 1] !== shape.length - 2) return null;
  if (axes.some((axis, i) => axis !== first + i)) return null;
  const [groups, rows] = [sizeOf(shape.slice(0, first)), sizeOf(shape.slice(first, -1))];
  const channels = shape[shape.length - 1];
  return channels >= LEAST_CHANNELS && rows > 1 ? [groups, rows, channels] : null;
}

/** Mean and variance (of the population) along the axes (sorted). */
export function moments(
  x: Value,
  axes: readonly number[],
  keepDims = false,
): { readonly mean: Value; readonly variance: Value } {
  const real = asReal(x);
  const groups = asGroups(real.shape, axes);
  if (groups !== null) {
    const statistics = channelMoments(reshape(real, groups));
    const shape = real.shape.flatMap((extent, axis) => (!axes.includes(axis) ? [extent] : keepDims ? [1] : []));
    return { mean: reshape(statistics.mean, shape), variance: reshape(statistics.variance, shape) };
  }
  const center = mean(real, axes, true);
  const variance = mean(square(sub(real, center)), axes, keepDims);
  return { mean: reshape(center, variance.shape), variance };
}

/** `on` at each index along a new last axis of extent `depth`, else `off`. An index outside of it gives no `on`. */
export function oneHot(indices: Value, depth: number, on = 1, off = 0, dtype: DType = 'int32'): Value {
  const shape = [...indices.shape, depth];
  const spread = broadcastTo(reshape(cast(asPlaces(indices), 'int32'), [...indices.shape, 1]), shape);
  const hit = equal(spread, broadcastTo(iota([depth]), shape));
  if (dtype === 'bool' && on === 1 && off === 0) return hit;
  return select(hit, constant(on, dtype, shape), constant(off, dtype, shape));
}

/** Each element is zeroed with probability `rate`, the others are multiplied by 1 / (1 - rate). */
export function dropout(x: Value, rate: number, key: Value, noiseShape: Shape = x.shape): Value {
  const real = asReal(x);
  if (rate === 0) return real;
  const unit = randomUnit(key, noiseShape);
  const kept = broadcastTo(greaterEqual(unit, constantLike(unit, rate)), real.shape);
  return select(kept, scale(real, 1 / (1 - rate)), zerosLike(real));
}

/** p-norm along the axes: sums of |x|^p, its root; 1, 2, +-Infinity and others. */
export function norm(x: Value, p: number, axes: readonly number[], keepDims: boolean): Value {
  const real = asReal(x);
  if (p === 1) return sum(abs(real), axes, keepDims);
  if (p === Infinity) return max(abs(real), axes, keepDims);
  if (p === -Infinity) return min(abs(real), axes, keepDims);
  if (p === 2) return sqrt(sum(square(real), axes, keepDims));
  const total = sum(pow(abs(real), constantLike(real, p)), axes, keepDims);
  return pow(total, constantLike(total, 1 / p));
}

/** n evenly spaced numbers from start to stop, both included. */
export function linspace(start: number, stop: number, n: number): Value {
  if (n === 1) return constant(start, 'float32', [1]);
  const place = div(iota([n], 0, 'float32'), constant(n - 1, 'float32', [n]));
  return add(scale(sub(constant(1, 'float32', [n]), place), start), scale(place, stop));
}
