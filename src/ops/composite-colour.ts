/** Colour spaces and adjustments of images whose last axis has the channels. Values in [0, 1] unless a function says else. */
import type { Value } from '../graph/graph.ts';
import {
  abs,
  add,
  asReal,
  constant,
  div,
  equal,
  floor,
  greater,
  maximum,
  minimum,
  mod,
  mul,
  offset,
  realOf,
  scale,
  select,
  sub,
} from './build-elementwise.ts';
import { broadcastTo, concat, slice } from './build-movement.ts';
import { max, mean, min, sum } from './build-reduce.ts';

/** Channels of the last axis, each with extent 1 there. */
function split(x: Value): Value[] {
  const last = x.shape.length - 1;
  const begin = x.shape.map(() => 0);
  return Array.from({ length: x.shape[last] }, (_, c) => slice(x, begin.with(last, c), x.shape.with(last, 1)));
}

function join(channels: readonly Value[]): Value {
  return concat(channels, channels[0].shape.length - 1);
}

function like(x: Value, value: number): Value {
  return constant(value, x.dtype, x.shape);
}

/** Every pixel times a matrix: out[c] = sum of in[k] * matrix[k][c]. */
function mix(x: Value, matrix: readonly (readonly number[])[]): Value {
  const channels = split(asReal(x));
  const outs = matrix[0].map((_, c) => channels.map((v, k) => scale(v, matrix[k][c])).reduce(add));
  return join(outs);
}

/** 0.2989 red + 0.587 green + 0.114 blue (ITU-R BT.601), one channel. */
export function luminance(x: Value): Value {
  const [r, g, b] = split(asReal(x));
  return add(add(scale(r, 0.2989), scale(g, 0.587)), scale(b, 0.114));
}

/** RGB to hue, saturation and value, all in [0, 1]; the hue of greys is 0. */
export function rgbToHsv(x: Value): Value {
  const real = asReal(x);
  const [r, g, b] = split(real);
  const last = [x.shape.length - 1];
  const value = max(real, last, true);
  const chroma = sub(value, min(real, last, true));
  const grey = equal(chroma, like(chroma, 0));
  const divisor = select(grey, like(chroma, 1), chroma);
  const sixth = select(
    equal(value, r),
    div(sub(g, b), divisor),
    select(equal(value, g), offset(div(sub(b, r), divisor), 2), offset(div(sub(r, g), divisor), 4)),
  );
  const turned = scale(sixth, 1 / 6);
  const hue = select(grey, like(turned, 0), sub(turned, floor(turned)));
  const positive = greater(value, like(value, 0));
  const saturation = select(positive, div(chroma, select(positive, value, like(value, 1))), like(value, 0));
  return join([hue, saturation, value]);
}

/** Hue, saturation and value to RGB: c(n) = v - v s max(0, min(k, 4 - k, 1)) where k = (n + 6 h) mod 6, n = 5, 3, 1. */
export function hsvToRgb(x: Value): Value {
  const [h, s, v] = split(asReal(x));
  const chroma = mul(v, s);
  const channel = (n: number) => {
    const k = mod(offset(scale(h, 6), n), like(h, 6));
    const ramp = maximum(like(k, 0), minimum(minimum(k, sub(like(k, 4), k)), like(k, 1)));
    return sub(v, mul(chroma, ramp));
  };
  return join([channel(5), channel(3), channel(1)]);
}

const yuv = [
  [0.299, -0.14714119, 0.61497538],
  [0.587, -0.28886916, -0.51496512],
  [0.114, 0.43601035, -0.10001026],
];
const fromYuv = [
  [1, 1, 1],
  [0, -0.394642334, 2.03206185],
  [1.13988303, -0.58062185, 0],
];
const yiq = [
  [0.299, 0.59590059, 0.21153661],
  [0.587, -0.27455667, -0.52273617],
  [0.114, -0.32134392, 0.31119955],
];
const fromYiq = [
  [1, 1, 1],
  [0.95598634, -0.27201283, -1.10674021],
  [0.6208248, -0.64720424, 1.70423049],
];

export const rgbToYuv = (x: Value): Value => mix(x, yuv);
export const yuvToRgb = (x: Value): Value => mix(x, fromYuv);
export const rgbToYiq = (x: Value): Value => mix(x, yiq);
export const yiqToRgb = (x: Value): Value => mix(x, fromYiq);

/** (x - mean of the channel) factor + mean of the channel, the mean over height and width. */
export function adjustContrast(x: Value, factor: number): Value {
  const real = asReal(x);
  const rank = x.shape.length;
  const center = broadcastTo(mean(real, [rank - 3, rank - 2], true), x.shape);
  return add(scale(sub(real, center), factor), center);
}

/** Turns the hue by `delta` (1 is once around). */
export function adjustHue(x: Value, delta: number): Value {
  const [h, s, v] = split(rgbToHsv(x));
  const turned = offset(h, delta);
  return hsvToRgb(join([sub(turned, floor(turned)), s, v]));
}

export function adjustSaturation(x: Value, factor: number): Value {
  const [h, s, v] = split(rgbToHsv(x));
  const clipped = minimum(maximum(scale(s, factor), like(s, 0)), like(s, 1));
  return hsvToRgb(join([h, clipped, v]));
}

/** Sum of absolute differences of neighbours along height and width: [batch], or a scalar without the batch. */
export function totalVariation(x: Value): Value {
  const real = asReal(x);
  const rank = x.shape.length;
  const differences = [rank - 3, rank - 2].map((axis) => {
    const extent = x.shape[axis];
    if (extent < 2) return constant(0, realOf(x), x.shape.slice(0, rank - 3));
    const begin = x.shape.map(() => 0);
    const size = x.shape.with(axis, extent - 1);
    const d = abs(sub(slice(real, begin.with(axis, 1), size), slice(real, begin, size)));
    return sum(d, [rank - 3, rank - 2, rank - 1]);
  });
  return add(differences[0], differences[1]);
}
