/** Colour spaces and adjustments. The last axis has the channels; float32 images are in [0, 1] unless a function says else. */
import { fail } from '../../../base/errors.ts';
import type { Value } from '../../../graph/graph.ts';
import * as build from '../../../ops/build.ts';
import * as composite from '../../../ops/composite.ts';
import { showShape } from '../../../types/shape.ts';
import type { Tensor } from '../../tensor.ts';
import type { TensorLike } from '../../types.ts';
import { lift, valueOf } from '../lift.ts';
import { withChannels } from './images.ts';

/** One channel repeated three times; the last axis must have one channel. */
export function grayscaleToRGB<T extends Tensor = Tensor>(image: T | TensorLike): T {
  const value = withChannels('grayscaleToRGB', image, 1);
  return lift<T>(build.broadcastTo(value, value.shape.with(-1, 3)));
}

/** 0.2989 red + 0.587 green + 0.114 blue (ITU-R BT.601), one channel, in the image's dtype. */
export function rgbToGrayscale<T extends Tensor = Tensor>(image: T | TensorLike): T {
  const value = withChannels('rgbToGrayscale', image, 3);
  return lift<T>(build.cast(composite.luminance(value), value.dtype));
}

function converter(op: string, f: (x: Value) => Value) {
  return <T extends Tensor = Tensor>(image: T | TensorLike): T => lift<T>(f(withChannels(op, image, 3, 1)));
}

/** Red, green, blue to hue, saturation, value, all in [0, 1]. */
export const rgbToHsv = converter('rgbToHsv', composite.rgbToHsv);
/** Hue (taken modulo 1), saturation, value to red, green, blue. */
export const hsvToRgb = converter('hsvToRgb', composite.hsvToRgb);
/** Red, green, blue to luma y in [0, 1] and chroma u, v about 0. */
export const rgbToYuv = converter('rgbToYuv', composite.rgbToYuv);
/** y, u, v to red, green, blue. */
export const yuvToRgb = converter('yuvToRgb', composite.yuvToRgb);
/** Red, green, blue to luma y in [0, 1] and i, q about 0 (NTSC). */
export const rgbToYiq = converter('rgbToYiq', composite.rgbToYiq);
/** y, i, q to red, green, blue. */
export const yiqToRgb = converter('yiqToRgb', composite.yiqToRgb);

function real(op: string, image: Tensor | TensorLike): Value {
  return build.asReal(valueOf(image, 'image', op));
}

/** image + delta. */
export function adjustBrightness<T extends Tensor = Tensor>(image: T | TensorLike, delta: number): T {
  return lift<T>(build.offset(real('adjustBrightness', image), delta));
}

/** (x - mean) factor + mean, with each channel's mean over height and width. image: [..., height, width, channels]. */
export function adjustContrast<T extends Tensor = Tensor>(image: T | TensorLike, factor: number): T {
  const value = real('adjustContrast', image);
  if (value.shape.length < 3)
    fail('adjustContrast', 'images must have rank 3 or more', `got ${showShape(value.shape)}`);
  return lift<T>(composite.adjustContrast(value, factor));
}

/** gain x^gamma. */
export function adjustGamma<T extends Tensor = Tensor>(image: T | TensorLike, gamma = 1, gain = 1): T {
  if (!(gamma >= 0)) fail('adjustGamma', 'gamma must be a number >= 0', `got ${gamma}`);
  const value = real('adjustGamma', image);
  return lift<T>(build.scale(build.pow(value, build.constantLike(value, gamma)), gain));
}

/** Turns the hue of RGB images by delta: 1 is once around. */
export function adjustHue<T extends Tensor = Tensor>(image: T | TensorLike, delta: number): T {
  return lift<T>(composite.adjustHue(withChannels('adjustHue', image, 3, 1), delta));
}

/** Saturation of RGB images times factor, at most 1. */
export function adjustSaturation<T extends Tensor = Tensor>(image: T | TensorLike, factor: number): T {
  if (!(factor >= 0)) fail('adjustSaturation', 'factor must be a number >= 0', `got ${factor}`);
  return lift<T>(composite.adjustSaturation(withChannels('adjustSaturation', image, 3, 1), factor));
}

/**
 * 255 where the grey value exceeds the threshold (with `inverted` where it does not), else 0: int32 [height, width, 1]. image:
 * [height, width, 1 or 3] with values in [0, 255]. 'binary' takes threshValue (of 1), 'otsu' the threshold that parts the
 * histogram's two classes best (Otsu 1979).
 */
export function threshold<T extends Tensor = Tensor>(
  image: Tensor | TensorLike,
  method: 'binary' | 'otsu' = 'binary',
  inverted = false,
  threshValue = 0.5,
): T {
  const op = 'threshold';
  const value = valueOf(image, 'image', op);
  const channels = value.shape[2];
  if (value.shape.length !== 3 || (channels !== 1 && channels !== 3))
    fail(op, 'the image must be [height, width, 1 or 3]', `got ${showShape(value.shape)}`);
  if (value.dtype !== 'int32' && value.dtype !== 'float32' && value.dtype !== 'float64')
    fail(op, 'the image must be int32, float32 or float64', `got ${value.dtype}`, 'cast');
  if (method !== 'binary' && method !== 'otsu')
    fail(op, "method must be 'binary' or 'otsu'", `got ${JSON.stringify(method)}`);
  const grey = channels === 3 ? composite.luminance(value) : build.asReal(value);
  const level = method === 'otsu' ? otsu(grey) : build.constantLike(grey, threshValue * 255);
  const hit = inverted ? build.lessEqual(grey, level) : build.greater(grey, level);
  return lift<T>(build.select(hit, build.constant(255, 'int32', grey.shape), build.constant(0, 'int32', grey.shape)));
}

/** The first level whose two classes of the histogram lie furthest apart, at every pixel; -1 where there is one class only. */
function otsu(grey: Value): Value {
  const levels = 256;
  const count = grey.shape[0] * grey.shape[1];
  const rounded = build.reshape(build.cast(build.round(grey), 'int32'), [1, count]);
  const ones = build.constant(1, 'float32', [1, 1, count, 1]);
  const histogram = build.reshape(build.scatterAdd(rounded, ones, levels), [levels]);
  const value = build.iota([levels], 0, 'float32');
  const upTo = (v: Value) => {
    // below[i][j] is 1 for j <= i: 65,536 products, once.
    const below = build.cast(
      build.lessEqual(build.iota([levels, levels], 1), build.iota([levels, levels], 0)),
      'float32',
    );
    return build.reshape(build.matMul(below, build.reshape(v, [levels, 1])), [levels]);
  };
  const [weight, moment] = [upTo(histogram), upTo(build.mul(histogram, value))];
  const all = (v: Value) => build.broadcastTo(build.sum(v), [levels]);
  const [restWeight, restMoment] = [
    build.sub(all(histogram), weight),
    build.sub(all(build.mul(histogram, value)), moment),
  ];
  const apart = build.sub(build.div(moment, weight), build.div(restMoment, restWeight));
  const share = build.scale(build.mul(weight, restWeight), 1 / (count * count));
  const between = build.mul(build.mul(share, apart), apart);
  // Empty classes give 0 / 0, which never counts; the last level has nothing above it.
  const zero = build.zerosLike(between);
  const valid = build.logicalAnd(build.greater(weight, zero), build.greater(restWeight, zero));
  const score = build.select(valid, between, zero);
  const best = build.asReal(build.argMax(score, 0));
  const level = build.select(build.greater(build.max(score), build.constant(0)), best, build.constant(-1));
  return build.broadcastTo(level, grey.shape);
}
