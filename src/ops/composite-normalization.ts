/**
 * Normalization: x minus a mean, over a deviation, times a gain, plus a shift. Where the statistics belong to x itself the
 * gradient is written out: what falls out of the chain reads x and dy several times more. Knows no layers.
 */
import type { Value } from '../graph/graph.ts';
import type { Shape } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';
import {
  add,
  asReal,
  constantLike,
  div,
  maximum,
  mul,
  offset,
  pow,
  rsqrt,
  scale,
  square,
  sub,
} from './build-elementwise.ts';
import { channelMoments, channelSums } from './build-moments.ts';
import { broadcastTo, pad, reshape, slice, sumTo, transpose } from './build-movement.ts';
import { mean, sum } from './build-reduce.ts';
import { withGradient } from './custom.ts';
import { moments } from './composite-statistics.ts';

/** Channels below this leave most lanes of the one-pass rows empty; plain reductions do better. */
const FEW_CHANNELS = 4;

interface Affine {
  /** [channels], or null for 1 and 0. */
  readonly gain: Value | null;
  readonly shift: Value | null;
}

/** [groups, channels] at every row of [groups, rows, channels]. */
function spread(statistic: Value, shape: Shape): Value {
  return broadcastTo(reshape(statistic, [shape[0], 1, shape[2]]), shape);
}

/** (x - mean) * inverse * gain + shift over [batch, rows, channels], mean and inverse being [batch, channels]. */
function apply(x: Value, center: Value, inverse: Value, { gain, shift }: Affine): Value {
  const factor = gain === null ? inverse : mul(inverse, broadcastTo(gain, inverse.shape));
  const normal = mul(sub(x, spread(center, x.shape)), spread(factor, x.shape));
  return shift === null ? normal : add(normal, broadcastTo(shift, x.shape));
}

/** The mean within each of `groups` neighbouring channels of [batch, channels], at every channel. */
function withinGroups(statistic: Value, groups: number): Value {
  const [batch, channels] = statistic.shape;
  if (groups === channels) return statistic;
  const shape = [batch, groups, channels / groups];
  return reshape(broadcastTo(mean(reshape(statistic, shape), [2], true), shape), [batch, channels]);
}

export interface Normalized {
  readonly y: Value;
  /** [batch, channels]; those of a group are equal. */
  readonly mean: Value;
  readonly variance: Value;
}

/**
 * Normalizes [batch, rows, channels] with mean and variance over rows and over each of `groups` runs of neighbouring channels.
 * Reads x twice forward, x and dy twice backward.
 */
export function normalizeGroups(x: Value, groups: number, affine: Affine, epsilon: number): Normalized {
  const ofChannels = channelMoments(x);
  const center = withinGroups(ofChannels.mean, groups);
  const apart = square(sub(ofChannels.mean, center));
  const variance = withinGroups(groups === x.shape[2] ? ofChannels.variance : add(ofChannels.variance, apart), groups);
  const inverse = rsqrt(offset(variance, epsilon));
  const value = apply(x, center, inverse, affine);
  const { gain, shift } = affine;
  const inputs = [x, ...(gain ? [gain] : []), ...(shift ? [shift] : [])];
  const y = withGradient(value, inputs, (dy) => {
    const [plain, product] = channelSums(dy, x, center);
    const normalProduct = mul(product, inverse);
    const weighted = (v: Value) => (gain === null ? v : mul(v, broadcastTo(gain, v.shape)));
    const [a, b] = [plain, normalProduct].map((v) => scale(withinGroups(weighted(v), groups), 1 / x.shape[1]));
    // dx = inverse (gain dy - mean(gain dy) - normal mean(gain dy normal)), where normal = (x - center) inverse.
    const factor = weighted(inverse);
    const deviation = sub(x, spread(center, x.shape));
    const dx = sub(
      mul(dy, spread(factor, x.shape)),
      add(mul(deviation, spread(mul(mul(b, inverse), inverse), x.shape)), spread(mul(a, inverse), x.shape)),
    );
    return [dx, ...(gain ? [sumTo(normalProduct, gain.shape)] : []), ...(shift ? [sumTo(plain, shift.shape)] : [])];
  });
  return { y, mean: center, variance };
}

/** [outer..., kept axis] as [1, rows, channels] by moving the axis last; how to get back. */
function asRows(x: Value, axis: number): { rows: Value; back: (y: Value) => Value } {
  const rank = x.shape.length;
  const perm = [...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis), axis];
  const moved = transpose(x, perm);
  const channels = x.shape[axis];
  const rows = reshape(moved, [1, channels === 0 ? 0 : sizeOf(x.shape) / channels, channels]);
  const inverse = perm.map((_, i) => perm.indexOf(i));
  return { rows, back: (y) => transpose(reshape(y, moved.shape), inverse) };
}

/** Batch normalization with the batch's own statistics over all axes but `axis`: y, and mean and variance [channels]. */
export function batchNormTraining(x: Value, axis: number, affine: Affine, epsilon: number): Normalized {
  const real = asReal(x);
  const { rows, back } = asRows(real, axis);
  const channels = rows.shape[2];
  if (channels < FEW_CHANNELS || rows.shape[1] === 0) {
    const axes = real.shape.map((_, i) => i).filter((i) => i !== axis);
    const statistics = moments(real, axes, true);
    const at = (v: Value | null) => v && reshape(v, statistics.mean.shape);
    const y = batchNorm(real, statistics.mean, statistics.variance, at(affine.shift), at(affine.gain), epsilon);
    return { y, mean: reshape(statistics.mean, [channels]), variance: reshape(statistics.variance, [channels]) };
  }
  const result = normalizeGroups(rows, channels, affine, epsilon);
  return {
    y: back(result.y),
    mean: reshape(result.mean, [channels]),
    variance: reshape(result.variance, [channels]),
  };
}

/** (x - mean) / sqrt(variance + epsilon) * scale + offset; all broadcast. */
export function batchNorm(
  x: Value,
  center: Value,
  variance: Value,
  shift: Value | null,
  gain: Value | null,
  epsilon: number,
): Value {
  const inverse = rsqrt(offset(asReal(variance), epsilon));
  const factor = gain === null ? inverse : mul(inverse, gain);
  const normal = mul(sub(x, center), factor);
  return shift === null ? normal : add(normal, shift);
}

/** Group normalization of [batch, ...spatial, channels]: statistics over the spatial axes and `groups` runs of channels. */
export function groupNorm(x: Value, groups: number, affine: Affine, epsilon: number): Value {
  const real = asReal(x);
  const { shape } = real;
  const [batch, channels] = [shape[0], shape[shape.length - 1]];
  const rows = shape.slice(1, -1).reduce((a, b) => a * b, 1);
  if (channels >= FEW_CHANNELS && rows > 0)
    return reshape(normalizeGroups(reshape(real, [batch, rows, channels]), groups, affine, epsilon).y, shape);
  const parts = reshape(real, [batch, rows, groups, channels / groups]);
  const statistics = moments(parts, [1, 3], true);
  const at = (v: Value | null) => v && reshape(v, [1, 1, groups, channels / groups]);
  return reshape(
    batchNorm(parts, statistics.mean, statistics.variance, at(affine.shift), at(affine.gain), epsilon),
    shape,
  );
}

/** `statistic` of the last axes, repeated over them. */
function over(statistic: Value, shape: Shape): Value {
  return broadcastTo(statistic, shape);
}

/**
 * Layer normalization: statistics over the last `count` axes. gain and shift have their shape. The rows of forward and
 * backward are one kernel each.
 */
export function layerNorm(x: Value, count: number, { gain, shift }: Affine, epsilon: number): Value {
  const real = asReal(x);
  const { shape } = real;
  const lead = shape.slice(0, shape.length - count);
  const inner = shape.slice(shape.length - count);
  const flat = [...lead, sizeOf(inner)];
  const last = [lead.length];
  const xs = reshape(real, flat);
  const vector = (v: Value | null) => v && reshape(asReal(v), [sizeOf(inner)]);
  const [g, s] = [vector(gain), vector(shift)];
  const deviation = sub(xs, over(mean(xs, last, true), flat));
  const inverse = rsqrt(offset(mean(square(deviation), last, true), epsilon));
  const normal = mul(deviation, over(inverse, flat));
  const gained = g === null ? normal : mul(normal, broadcastTo(g, flat));
  const value = s === null ? gained : add(gained, broadcastTo(s, flat));
  const inputs = [xs, ...(g ? [g] : []), ...(s ? [s] : [])];
  const y = withGradient(value, inputs, (dy) => {
    const d = g === null ? dy : mul(dy, broadcastTo(g, flat));
    const [a, b] = [mean(d, last, true), mean(mul(d, normal), last, true)];
    const dx = mul(sub(d, add(over(a, flat), mul(normal, over(b, flat)))), over(inverse, flat));
    const rest = lead.map((_, i) => i);
    return [dx, ...(g ? [sum(mul(dy, normal), rest)] : []), ...(s ? [sum(dy, rest)] : [])];
  });
  return reshape(y, shape);
}

/** x / sqrt(mean(x^2) + epsilon) * gain over the last axis. */
export function rmsNorm(x: Value, gain: Value | null, epsilon: number): Value {
  const xs = asReal(x);
  const { shape } = xs;
  const last = [shape.length - 1];
  const inverse = rsqrt(offset(mean(square(xs), last, true), epsilon));
  const normal = mul(xs, over(inverse, shape));
  const value = gain === null ? normal : mul(normal, broadcastTo(gain, shape));
  return withGradient(value, [xs, ...(gain ? [gain] : [])], (dy) => {
    const d = gain === null ? dy : mul(dy, broadcastTo(gain, shape));
    const b = mean(mul(d, normal), last, true);
    const dx = mul(sub(d, mul(normal, over(b, shape))), over(inverse, shape));
    return [dx, ...(gain ? [sumTo(mul(dy, normal), gain.shape)] : [])];
  });
}

/** x / sqrt(max(sum(x^2), epsilon)) along the axes. */
export function l2Normalize(x: Value, axes: readonly number[], epsilon: number): Value {
  const xs = asReal(x);
  const total = sum(square(xs), axes, true);
  return mul(xs, over(rsqrt(maximum(total, constantLike(total, epsilon))), xs.shape));
}

/** x (bias + alpha sum of x^2 over channels c - radius..c + radius)^-beta, along the last axis. */
export function localResponseNormalization(x: Value, radius: number, bias: number, alpha: number, beta: number): Value {
  const xs = asReal(x);
  const { shape } = xs;
  const last = shape.length - 1;
  const reach = Math.min(radius, Math.max(0, shape[last] - 1));
  const squares = pad(
    square(xs),
    shape.map((_, i) => (i === last ? ([reach, reach] as const) : ([0, 0] as const))),
  );
  const begin = shape.map(() => 0);
  let total = slice(squares, begin, shape);
  for (let i = 1; i <= 2 * reach; i++) total = add(total, slice(squares, begin.with(last, i), shape));
  const base = offset(scale(total, alpha), bias);
  if (beta === 0.5) return mul(xs, rsqrt(base));
  if (beta === 1) return div(xs, base);
  return mul(xs, pow(base, constantLike(base, -beta)));
}
