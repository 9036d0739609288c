/**
 * Pooling over the spatial axes of [batch, ...spatial, channels], the batch optional: one axis by pool(), two by maxPool and
 * avgPool, three by maxPool3d and avgPool3d. Padding never wins a maximum and takes no part in a mean. dtype float32.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { type Input, lift, narrowed, valueOf } from './lift.ts';
import type { Padding, PerAxis, Rounding } from './padding.ts';
import { perAxis } from './padding.ts';
import type { DataFormat3D, WindowArgs } from './windows.ts';
import { isChannelsFirst, onImages, toLast, windowOf } from './windows.ts';

interface PoolArgs extends Omit<WindowArgs, 'filter'> {
  readonly filterSize: PerAxis;
}

type Attributes = ReturnType<typeof windowOf>;

function poolWindow(op: string, shape: readonly number[], { filterSize, ...args }: PoolArgs): Attributes {
  const filter = perAxis(op, 'filterSize', filterSize, shape.length - 2);
  return windowOf(op, shape, { ...args, filter });
}

/** Without dilations, as the rows of pooling take it. */
function attributes({ filter, strides, pads }: Attributes) {
  return { filter, strides, pads };
}

function pooled(op: string, kind: 'max' | 'avg', x: Input, spatial: number, args: PoolArgs): Value {
  const result = onImages(op, x, spatial, args.channelsFirst === true, (images) => {
    const window = poolWindow(op, images.shape, args);
    if (window.dilations.every((n) => n === 1))
      return kind === 'max' ? build.maxPool(images, attributes(window))[0] : build.avgPool(images, attributes(window));
    return kind === 'max' ? composite.maxPoolDilated(images, window) : composite.avgPoolDilated(images, window);
  });
  return narrowed(result, x);
}

/** The largest of each window [height, width]. */
export function maxPool<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filterSize: number | readonly [number, number],
  strides: number | readonly [number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
): T {
  return lift<T>(pooled('maxPool', 'max', x, 2, { filterSize, strides, pad, rounding: dimRoundingMode }));
}

/** The mean of each window [height, width]. */
export function avgPool<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filterSize: number | readonly [number, number],
  strides: number | readonly [number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
): T {
  return lift<T>(pooled('avgPool', 'avg', x, 2, { filterSize, strides, pad, rounding: dimRoundingMode }));
}

/** The largest of each window [depth, height, width]. */
export function maxPool3d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filterSize: number | readonly [number, number, number],
  strides: number | readonly [number, number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
  dataFormat: DataFormat3D = 'NDHWC',
): T {
  const channelsFirst = isChannelsFirst('maxPool3d', dataFormat, 3);
  const args = { filterSize, strides, pad, rounding: dimRoundingMode, channelsFirst };
  return lift<T>(pooled('maxPool3d', 'max', x, 3, args));
}

/** The mean of each window [depth, height, width]. */
export function avgPool3d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filterSize: number | readonly [number, number, number],
  strides: number | readonly [number, number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
  dataFormat: DataFormat3D = 'NDHWC',
): T {
  const channelsFirst = isChannelsFirst('avgPool3d', dataFormat, 3);
  const args = { filterSize, strides, pad, rounding: dimRoundingMode, channelsFirst };
  return lift<T>(pooled('avgPool3d', 'avg', x, 3, args));
}

/**
 * maxPool or avgPool by name, over as many axes as the window has (one, two or three; a number means two), with any strides
 * and dilations together.
 */
export function pool<T extends Tensor = Tensor>(
  input: Tensor | TensorLike,
  windowShape: PerAxis,
  poolingType: 'avg' | 'max',
  pad: Padding,
  dilations: PerAxis = 1,
  strides: PerAxis = 1,
  dimRoundingMode?: Rounding,
): T {
  if (poolingType !== 'avg' && poolingType !== 'max') {
    fail('pool', "poolingType must be 'avg' or 'max'", `got ${JSON.stringify(poolingType)}`);
  }
  const spatial = typeof windowShape === 'number' ? 2 : windowShape.length;
  if (spatial < 1 || spatial > 3) fail('pool', 'windowShape must have one, two or three extents', `got ${spatial}`);
  const args = { filterSize: windowShape, strides, pad, dilations, rounding: dimRoundingMode };
  return lift<T>(pooled('pool', poolingType, input, spatial, args));
}

/**
 * maxPool and where each maximum stands: its flat index (row * width + column) * channels + channel in the image, or in the
 * batch with includeBatchInIndex. x must have rank 4; indexes are int32.
 */
export function maxPoolWithArgmax(
  x: Tensor | TensorLike,
  filterSize: number | readonly [number, number],
  strides: number | readonly [number, number],
  pad: Padding,
  includeBatchInIndex = false,
): { result: Tensor; indexes: Tensor } {
  const op = 'maxPoolWithArgmax';
  const images = build.asReal(valueOf(x, 'x', op));
  if (images.shape.length !== 4) {
    fail(op, 'the input must have rank 4 [batch, height, width, channels]', `got ${showShape(images.shape)}`);
  }
  const window = poolWindow(op, images.shape, { filterSize, strides, pad });
  const [result, position] = build.maxPool(images, attributes(window));
  const [, height, width, channels] = images.shape;
  const int = (n: number) => build.constant(n, 'int32', position.shape);
  const along = (axis: number) => build.iota(position.shape, axis);
  const row = build.floorDiv(position, int(window.filter[1]));
  const column = build.sub(position, build.mul(row, int(window.filter[1])));
  const place = (axis: number, tap: Value) =>
    build.add(build.sub(build.mul(along(axis), int(window.strides[axis - 1])), int(window.pads[2 * axis - 2])), tap);
  const line = includeBatchInIndex ? build.add(build.mul(along(0), int(height)), place(1, row)) : place(1, row);
  const pixel = build.add(build.mul(line, int(width)), place(2, column));
  return { result: lift(narrowed(result, x)), indexes: lift(build.add(build.mul(pixel, int(channels)), along(3))) };
}

// ---- gradients by their TensorFlow.js names ----------------------------------------------------------------------------

function gradient(op: string, kind: 'max' | 'avg', dy: Input, x: Input, spatial: number, args: PoolArgs): Value {
  const images = build.asReal(valueOf(x, 'input', op));
  const batch = images.shape.length === spatial + 1 ? build.reshape(images, [1, ...images.shape]) : images;
  const first = args.channelsFirst === true;
  const shape = toLast(batch, first).shape;
  const ofOutput = (y: Value): Value => {
    const window = attributes(poolWindow(op, shape, args));
    if (kind === 'max') return build.maxPoolBackprop(y, build.maxPool(toLast(batch, first), window)[1], shape, window);
    const ones = build.constant(1, y.dtype, [1, ...shape.slice(1, -1), 1]);
    const shares = build.div(y, build.windowSum(ones, window));
    return build.windowSumBackprop(shares, shape, window);
  };
  return onImages(op, dy, spatial, first, ofOutput, 'the gradient');
}

/** The gradient of maxPool for its input. `output` is what maxPool gave, and only checked. */
export function maxPoolGrad<T extends Tensor = Tensor>(
  dy: Tensor | TensorLike,
  input: Tensor | TensorLike,
  output: Tensor | TensorLike,
  filterSize: number | readonly [number, number],
  strides: number | readonly [number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
): T {
  checkOutput('maxPoolGrad', dy, output);
  return lift<T>(gradient('maxPoolGrad', 'max', dy, input, 2, { filterSize, strides, pad, rounding: dimRoundingMode }));
}

/** The gradient of avgPool for its input. */
export function avgPoolGrad<T extends Tensor = Tensor>(
  dy: Tensor | TensorLike,
  input: Tensor | TensorLike,
  filterSize: number | readonly [number, number],
  strides: number | readonly [number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
): T {
  return lift<T>(gradient('avgPoolGrad', 'avg', dy, input, 2, { filterSize, strides, pad, rounding: dimRoundingMode }));
}

/** The gradient of maxPool3d for its input. */
export function maxPool3dGrad<T extends Tensor = Tensor>(
  dy: Tensor | TensorLike,
  input: Tensor | TensorLike,
  output: Tensor | TensorLike,
  filterSize: number | readonly [number, number, number],
  strides: number | readonly [number, number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
): T {
  checkOutput('maxPool3dGrad', dy, output);
  const args = { filterSize, strides, pad, rounding: dimRoundingMode };
  return lift<T>(gradient('maxPool3dGrad', 'max', dy, input, 3, args));
}

/** The gradient of avgPool3d for its input. */
export function avgPool3dGrad<T extends Tensor = Tensor>(
  dy: Tensor | TensorLike,
  input: Tensor | TensorLike,
  filterSize: number | readonly [number, number, number],
  strides: number | readonly [number, number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
): T {
  const args = { filterSize, strides, pad, rounding: dimRoundingMode };
  return lift<T>(gradient('avgPool3dGrad', 'avg', dy, input, 3, args));
}

function checkOutput(op: string, dy: Input, output: Input): void {
  const [d, y] = [valueOf(dy, 'dy', op), valueOf(output, 'output', op)];
  if (!sameShape(d.shape, y.shape))
    fail(op, 'dy and output must have one shape', `got ${showShape(d.shape)} and ${showShape(y.shape)}`);
}

// ---- global and adaptive pooling ---------------------------------------------------------------------------------------

/** Spatial axes of [batch, ...spatial, channels] or, with channels first, [batch, channels, ...spatial]. */
function spatialAxes(op: string, x: Value, channelsFirst: boolean): number[] {
  const rank = x.shape.length;
  if (rank < 3 || rank > 5) fail(op, 'the input must have rank 3, 4 or 5', `got ${showShape(x.shape)}`);
  return Array.from({ length: rank - 2 }, (_, i) => i + (channelsFirst ? 2 : 1));
}

/** The mean over all spatial axes of [batch, ...spatial, channels], one to three of them; keepDims leaves extents of 1. */
export function globalAvgPool<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  keepDims = false,
  channelsFirst = false,
): T {
  const value = build.asReal(valueOf(x, 'x', 'globalAvgPool'));
  return lift<T>(narrowed(build.mean(value, spatialAxes('globalAvgPool', value, channelsFirst), keepDims), x));
}

/** The largest over all spatial axes of [batch, ...spatial, channels], one to three of them; keepDims leaves extents of 1. */
export function globalMaxPool<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  keepDims = false,
  channelsFirst = false,
): T {
  const value = build.asReal(valueOf(x, 'x', 'globalMaxPool'));
  return lift<T>(narrowed(build.max(value, spatialAxes('globalMaxPool', value, channelsFirst), keepDims), x));
}

/** One axis pooled to `target` places: place i takes elements floor(i n / target) to ceil((i + 1) n / target). */
function adaptive(value: Value, axis: number, target: number, reduce: (part: Value) => Value): Value {
  const extent = value.shape[axis];
  const parts = Array.from({ length: target }, (_, i) => {
    const [from, to] = [Math.floor((i * extent) / target), Math.ceil(((i + 1) * extent) / target)];
    return reduce(build.slice(value, value.shape.map(() => 0).with(axis, from), value.shape.with(axis, to - from)));
  });
  return build.concat(parts, axis);
}

function adaptivePool(op: string, kind: 'max' | 'avg', x: Input, outputSize: PerAxis): Value {
  let value = build.asReal(valueOf(x, 'x', op));
  const axes = spatialAxes(op, value, false);
  const targets = perAxis(op, 'outputSize', outputSize, axes.length);
  const inputs = value.shape.slice(1, -1);
  if (inputs.some((n) => n === 0)) fail(op, 'spatial axes must not be empty', `got ${showShape(value.shape)}`);
  if (inputs.every((extent, i) => extent % targets[i] === 0)) {
    // Windows of one size, side by side.
    const filter = inputs.map((extent, i) => extent / targets[i]);
    const attrs = { filter, strides: filter, pads: filter.flatMap(() => [0, 0]) };
    return kind === 'max' ? build.maxPool(value, attrs)[0] : build.avgPool(value, attrs);
  }
  const reduce = kind === 'max' ? build.max : build.mean;
  for (const [i, axis] of axes.entries())
    value = adaptive(value, axis, targets[i], (part) => reduce(part, [axis], true));
  return value;
}

/** The mean of outputSize windows for each spatial axis, whatever the input's extents: window i begins at floor(i n / size). */
export function adaptiveAvgPool<T extends Tensor = Tensor>(x: Tensor | TensorLike, outputSize: PerAxis): T {
  return lift<T>(narrowed(adaptivePool('adaptiveAvgPool', 'avg', x, outputSize), x));
}

/** The largest of outputSize windows for each spatial axis, whatever the input's extents. */
export function adaptiveMaxPool<T extends Tensor = Tensor>(x: Tensor | TensorLike, outputSize: PerAxis): T {
  return lift<T>(narrowed(adaptivePool('adaptiveMaxPool', 'max', x, outputSize), x));
}
