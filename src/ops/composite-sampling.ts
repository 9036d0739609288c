/**
 * Reading images at places that are computed: crops, rotations, projective transforms. Places are real numbers [batch, places],
 * counted in pixels; gradients flow to the image and, between pixels, to the places. Knows no particular transform.
 */
import type { Value } from '../graph/graph.ts';
import { gatherAt } from './build-indexing.ts';
import {
  add,
  asReal,
  cast,
  constant,
  constantLike,
  div,
  floor,
  greater,
  greaterEqual,
  less,
  lessEqual,
  logicalAnd,
  minimum,
  mul,
  neg,
  offset,
  scale,
  select,
  sub,
} from './build-elementwise.ts';
import { broadcastTo, reshape, stopGradient } from './build-movement.ts';

export type PixelSampling = 'nearest' | 'bilinear';

function number(x: Value, value: number): Value {
  return constantLike(x, value);
}

/** x within [low, high]; NaN becomes low. */
export function clamp(x: Value, low: number, high: number): Value {
  const least = select(greaterEqual(x, number(x, low)), x, number(x, low));
  return minimum(least, number(x, high));
}

/** [batch, places] at every channel. */
function everyChannel(x: Value, channels: number): Value {
  return broadcastTo(reshape(x, [...x.shape, 1]), [...x.shape, channels]);
}

/** Pixels [batch, places, channels] at whole coordinates; outside of the image they are `fill` ([channels] or a number). */
function pixels(images: Value, y: Value, x: Value, fill: Value | number): Value {
  const [batch, height, width, channels] = images.shape;
  const inside = [
    [y, height],
    [x, width],
  ] as const;
  const within = inside
    .map(([at, extent]) => logicalAnd(greaterEqual(at, number(at, 0)), lessEqual(at, number(at, extent - 1))))
    .reduce(logicalAnd);
  const [row, column] = inside.map(([at, extent]) => cast(clamp(at, 0, extent - 1), 'int32'));
  const index = add(mul(row, constant(width, 'int32', row.shape)), column);
  const flat = reshape(images, [batch, 1, height * width, channels]);
  const places = y.shape[1];
  const found = reshape(gatherAt(flat, index), [batch, places, channels]);
  const outside =
    typeof fill === 'number'
      ? constant(fill, found.dtype, found.shape)
      : broadcastTo(cast(fill, found.dtype), found.shape);
  const mask = broadcastTo(reshape(within, [batch, places, 1]), found.shape);
  return select(mask, found, outside);
}

/** images [batch, height, width, channels] at rows y and columns x, both [batch, places]: [batch, places, channels]. */
export function sampleImages(
  images: Value,
  y: Value,
  x: Value,
  interpolation: PixelSampling,
  fill: Value | number,
): Value {
  const channels = images.shape[3];
  if (interpolation === 'nearest') return pixels(images, floor(offset(y, 0.5)), floor(offset(x, 0.5)), fill);
  const real = asReal(images);
  const [top, left] = [stopGradient(floor(y)), stopGradient(floor(x))];
  const [down, right] = [everyChannel(sub(y, top), channels), everyChannel(sub(x, left), channels)];
  const one = number(down, 1);
  const line = (row: Value) =>
    add(mul(sub(one, right), pixels(real, row, left, fill)), mul(right, pixels(real, row, offset(left, 1), fill)));
  return add(mul(sub(one, down), line(top)), mul(down, line(offset(top, 1))));
}

/** x / by, toward 0. */
function turns(x: Value, by: number): Value {
  return cast(cast(div(x, number(x, by)), 'int32'), x.dtype);
}

/** Periodic: the last pixel is followed by the first. TensorFlow's formula, which counts periods of extent - 1. */
function wrapped(x: Value, extent: number): Value {
  const before = add(x, scale(offset(turns(neg(x), extent - 1), 1), extent));
  const after = sub(x, scale(turns(x, extent - 1), extent));
  return select(less(x, number(x, 0)), before, select(greater(x, number(x, extent - 1)), after, x));
}

/** Mirrored about the outer edges of the border pixels: dcba|abcd|dcba. */
function reflected(x: Value, extent: number): Value {
  const period = 2 * extent;
  const before = add(x, scale(turns(neg(x), period), period));
  const unfolded = select(less(before, number(x, -extent)), offset(before, period), offset(neg(before), -1));
  const after = sub(x, scale(turns(x, period), period));
  const folded = select(greaterEqual(after, number(x, extent)), sub(number(x, period - 1), after), after);
  return select(less(x, number(x, 0)), unfolded, select(greater(x, number(x, extent - 1)), folded, x));
}

export type FillMode = 'constant' | 'reflect' | 'wrap' | 'nearest';

/** What a coordinate outside of 0..extent-1 stands for. 'constant' leaves it outside. */
export function wrapCoordinate(x: Value, extent: number, mode: FillMode): Value {
  if (mode === 'constant') return x;
  if (mode === 'nearest' || extent <= 1) return clamp(x, 0, extent - 1);
  return clamp(mode === 'wrap' ? wrapped(x, extent) : reflected(x, extent), 0, extent - 1);
}
