/** Softmax and its logarithm; batch, layer, group, instance, root-mean-square and local response normalization. */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import { gradients } from '../../autodiff/gradients.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import { normalizeAxes, sameShape, showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { axisOf, lift, narrowed, valueOf, wideOf } from './lift.ts';

function along(op: string, logits: Tensor | TensorLike, dim: number, f: (x: Value, axis: number) => Value): Value {
  const value = wideOf(logits, 'logits', op);
  if (value.shape.length === 0) fail(op, 'the input must have rank 1 or more', 'got a scalar');
  return narrowed(f(value, axisOf(op, dim, value.shape.length)), logits);
}

/** e^x over its sum along `dim` (the last). The largest element is subtracted first, so nothing overflows. */
export function softmax<T extends Tensor = Tensor>(logits: T | TensorLike, dim = -1): T {
  return lift<T>(along('softmax', logits, dim, composite.softmax));
}

/** log(softmax(x)) along `axis` (the last), without taking the logarithm of a rounded 0. */
export function logSoftmax<T extends Tensor = Tensor>(logits: T | TensorLike, axis = -1): T {
  return lift<T>(along('logSoftmax', logits, axis, composite.logSoftmax));
}

type Optional = Tensor | TensorLike | null | undefined;

function optional(y: Optional, name: string, op: string): Value | null {
  return y === null || y === undefined ? null : wideOf(y, name, op);
}

/** (x - mean) / sqrt(variance + varianceEpsilon) * scale + offset; all broadcast to x. varianceEpsilon is 0.001 by default. */
export function batchNorm<T extends Tensor = Tensor>(
  x: T | TensorLike,
  mean: Tensor | TensorLike,
  variance: Tensor | TensorLike,
  offset?: Optional,
  scale?: Optional,
  varianceEpsilon = 0.001,
): T {
  return lift<T>(
    narrowed(
      composite.batchNorm(
        wideOf(x, 'x', 'batchNorm'),
        wideOf(mean, 'mean', 'batchNorm'),
        wideOf(variance, 'variance', 'batchNorm'),
        optional(offset, 'offset', 'batchNorm'),
        optional(scale, 'scale', 'batchNorm'),
        varianceEpsilon,
      ),
      x,
    ),
  );
}

function ofRank(op: string, rank: number): typeof batchNorm {
  return (x, mean, variance, offset, scale, varianceEpsilon) => {
    const value = valueOf(x, 'x', op);
    if (value.shape.length !== rank) fail(op, `x must have rank ${rank}`, `got ${showShape(value.shape)}`);
    return batchNorm(x, mean, variance, offset, scale, varianceEpsilon);
  };
}

/** batchNorm of a tensor of rank 2. */
export const batchNorm2d = ofRank('batchNorm2d', 2);
/** batchNorm of a tensor of rank 3. */
export const batchNorm3d = ofRank('batchNorm3d', 3);
/** batchNorm of a tensor of rank 4. */
export const batchNorm4d = ofRank('batchNorm4d', 4);

/** A gain or shift by channel: a vector of `channels`. */
function vector(op: string, name: string, v: Optional, channels: number): Value | null {
  const value = optional(v, name, op);
  if (value === null) return null;
  if (value.shape.length !== 1 || value.shape[0] !== channels)
    fail(op, `${name} must have shape [${channels}], one for each channel`, `got ${showShape(value.shape)}`);
  return build.asReal(value);
}

function checkEpsilon(op: string, epsilon: number): void {
  if (!(epsilon >= 0 && Number.isFinite(epsilon))) fail(op, 'epsilon must be a finite number >= 0', `got ${epsilon}`);
}

/**
 * Batch normalization as training does it: y = (x - mean) / sqrt(variance + epsilon) * scale + offset with the batch's own mean
 * and variance (of the population) over all axes but `axis` (the last). Gives both too, [channels], for running averages. The
 * gradient of y goes to x, offset and scale; x is read twice forward, x and dy twice backward.
 */
export function batchNormTraining(
  x: Tensor | TensorLike,
  offset?: Optional,
  scale?: Optional,
  epsilon = 0.001,
  axis = -1,
): { y: Tensor; mean: Tensor; variance: Tensor } {
  const op = 'batchNormTraining';
  const value = wideOf(x, 'x', op);
  if (value.shape.length === 0) fail(op, 'the input must have rank 1 or more', 'got a scalar');
  checkEpsilon(op, epsilon);
  const at = axisOf(op, axis, value.shape.length);
  const channels = value.shape[at];
  const affine = { gain: vector(op, 'scale', scale, channels), shift: vector(op, 'offset', offset, channels) };
  const { y, mean, variance } = composite.batchNormTraining(value, at, affine, epsilon);
  return { y: lift(narrowed(y, x)), mean: lift(mean), variance: lift(variance) };
}

/**
 * Layer normalization (Ba, Kiros, Hinton 2016): statistics over `axis` (the last; or several), for each element of the other
 * axes. scale and offset have the extents of those axes. epsilon is 0.001, as in Keras.
 */
export function layerNorm<T extends Tensor = Tensor>(
  x: T | TensorLike,
  scale?: Optional,
  offset?: Optional,
  epsilon = 0.001,
  axis: number | readonly number[] = -1,
): T {
  const op = 'layerNorm';
  const value = build.asReal(valueOf(x, 'x', op));
  const rank = value.shape.length;
  if (rank === 0) fail(op, 'the input must have rank 1 or more', 'got a scalar');
  checkEpsilon(op, epsilon);
  const axes = normalizeAxes(op, axis, rank);
  const inner = axes.map((i) => value.shape[i]);
  const parameter = (v: Optional, name: string) => {
    const p = optional(v, name, op);
    if (p !== null && p.shape.join() !== inner.join())
      fail(op, `${name} must have the shape of the normalized axes ${showShape(inner)}`, `got ${showShape(p.shape)}`);
    return p;
  };
  const affine = { gain: parameter(scale, 'scale'), shift: parameter(offset, 'offset') };
  // Other axes than the last ones are moved there.
  const kept = value.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const perm = [...kept, ...axes];
  const y = composite.layerNorm(build.transpose(value, perm), axes.length, affine, epsilon);
  const moved = build.transpose(
    y,
    perm.map((_, i) => perm.indexOf(i)),
  );
  return lift<T>(narrowed(moved, x));
}

/**
 * Group normalization (Wu, He 2018) of [batch, ...spatial, channels]: statistics over the spatial axes and each of `groups`
 * runs of neighbouring channels, for each element of the batch. scale and offset are [channels]; axis is that of the channels.
 */
export function groupNorm<T extends Tensor = Tensor>(
  x: T | TensorLike,
  groups: number,
  scale?: Optional,
  offset?: Optional,
  epsilon = 0.001,
  axis = -1,
): T {
  return lift<T>(grouped('groupNorm', x, () => groups, scale, offset, epsilon, axis));
}

/** groupNorm with a group for each channel (Ulyanov, Vedaldi, Lempitsky 2016). */
export function instanceNorm<T extends Tensor = Tensor>(
  x: T | TensorLike,
  scale?: Optional,
  offset?: Optional,
  epsilon = 0.001,
  axis = -1,
): T {
  return lift<T>(grouped('instanceNorm', x, (channels) => channels, scale, offset, epsilon, axis));
}

function grouped(
  op: string,
  x: Tensor | TensorLike,
  groupsOf: (channels: number) => number,
  scale: Optional,
  offset: Optional,
  epsilon: number,
  axis: number,
): Value {
  const value = wideOf(x, 'x', op);
  const rank = value.shape.length;
  if (rank < 2) fail(op, 'the input must have rank 2 or more [batch, ..., channels]', `got ${showShape(value.shape)}`);
  checkEpsilon(op, epsilon);
  const at = axisOf(op, axis, rank);
  if (at === 0) fail(op, 'the axis of the channels must not be that of the batch', 'got 0');
  const channels = value.shape[at];
  const groups = groupsOf(channels);
  if (channels > 0 && (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0))
    fail(op, 'groups must divide the channels', `got ${groups} groups of ${channels} channels`);
  const affine = { gain: vector(op, 'scale', scale, channels), shift: vector(op, 'offset', offset, channels) };
  const perm = [...value.shape.map((_, i) => i).filter((i) => i !== at), at];
  const y = composite.groupNorm(build.transpose(value, perm), groups, affine, epsilon);
  const moved = build.transpose(
    y,
    perm.map((_, i) => perm.indexOf(i)),
  );
  return narrowed(moved, x);
}

/** x / sqrt(mean(x^2) + epsilon) * scale over the last axis (Zhang, Sennrich 2019); scale has its extent. */
export function rmsNorm<T extends Tensor = Tensor>(x: T | TensorLike, scale?: Optional, epsilon = 1e-6): T {
  const op = 'rmsNorm';
  const value = wideOf(x, 'x', op);
  if (value.shape.length === 0) fail(op, 'the input must have rank 1 or more', 'got a scalar');
  checkEpsilon(op, epsilon);
  const gain = vector(op, 'scale', scale, value.shape[value.shape.length - 1]);
  return lift<T>(narrowed(composite.rmsNorm(value, gain, epsilon), x));
}

/** x / sqrt(max(sum(x^2), epsilon)) along the axes (the last by default; null for all). */
export function l2Normalize<T extends Tensor = Tensor>(
  x: T | TensorLike,
  axis: number | readonly number[] | null = -1,
  epsilon = 1e-12,
): T {
  const value = wideOf(x, 'x', 'l2Normalize');
  const axes = normalizeAxes('l2Normalize', axis, value.shape.length);
  return lift<T>(narrowed(composite.l2Normalize(value, axes, epsilon), x));
}

function responses(op: string, x: Tensor | TensorLike, depthRadius: number): Value {
  const value = valueOf(x, 'x', op);
  const rank = value.shape.length;
  if (rank !== 3 && rank !== 4) fail(op, 'x must have rank 3 or 4', `got ${showShape(value.shape)}`);
  if (!Number.isInteger(depthRadius) || depthRadius < 0)
    fail(op, 'depthRadius must be an integer >= 0', `got ${depthRadius}`);
  return build.asReal(value);
}

/**
 * x / (bias + alpha sum of x^2 over channels c - depthRadius..c + depthRadius)^beta, along the last axis of [batch, height, width,
 * channels] (the batch optional). Krizhevsky, Sutskever, Hinton 2012.
 */
export function localResponseNormalization<T extends Tensor = Tensor>(
  x: T | TensorLike,
  depthRadius = 5,
  bias = 1,
  alpha = 1,
  beta = 0.5,
): T {
  const value = responses('localResponseNormalization', x, depthRadius);
  return lift<T>(narrowed(composite.localResponseNormalization(value, depthRadius, bias, alpha, beta), x));
}

/** The gradient of localResponseNormalization for x, given that of its output y. */
export function localResponseNormalizationBackprop<T extends Tensor = Tensor>(
  x: T | TensorLike,
  y: T | TensorLike,
  dy: T | TensorLike,
  depthRadius = 5,
  bias = 1,
  alpha = 1,
  beta = 0.5,
): T {
  const op = 'localResponseNormalizationBackprop';
  const value = responses(op, x, depthRadius);
  const given = build.asReal(valueOf(dy, 'dy', op));
  for (const [name, v] of [
    ['y', valueOf(y, 'y', op)],
    ['dy', given],
  ] as const) {
    if (!sameShape(v.shape, value.shape))
      fail(op, `${name} must have x's shape ${showShape(value.shape)}`, `got ${showShape(v.shape)}`);
  }
  const output = composite.localResponseNormalization(value, depthRadius, bias, alpha, beta);
  return lift<T>(gradients([output], [value], [given])[0] ?? build.zerosLike(value));
}
