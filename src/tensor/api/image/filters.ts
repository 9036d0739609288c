/** Filters over images [batch, height, width, channels], the batch optional, and what measures how much two images differ. */
import { fail } from '../../../base/errors.ts';
import type { Value } from '../../../graph/graph.ts';
import * as build from '../../../ops/build.ts';
import * as composite from '../../../ops/composite.ts';
import { sameShape, showShape } from '../../../types/shape.ts';
import { makeTensor } from '../../convert.ts';
import type { Tensor } from '../../tensor.ts';
import type { TensorLike } from '../../types.ts';
import { lift, valueOf } from '../lift.ts';
import type { Padding, PerAxis } from '../padding.ts';
import { perAxis } from '../padding.ts';
import { mirrorPad } from '../transformations.ts';
import { windowOf } from '../windows.ts';
import { onBatch } from './images.ts';

/** Every channel filtered by `taps` ([height, width]) without padding. */
function everyChannel(images: Value, taps: readonly number[], height: number, width: number): Value {
  const channels = images.shape[3];
  const filter = makeTensor([...taps], [height, width, 1, 1], images.dtype).value;
  const weights = build.reshape(build.broadcastTo(filter, [height, width, 1, channels]), [height, width, 1, channels]);
  return build.conv(images, weights, { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: channels });
}

function mirrored(images: Value, rows: number, columns: number): Value {
  const none = [0, 0] as const;
  return mirrorPad(lift(images), [none, [rows, rows], [columns, columns], none], 'reflect').value;
}

/** Sobel's derivatives along height and width, [..., height, width, channels, 2], mirrored at the border. Source: tf.image.sobel_edges. */
export function sobelEdges<T extends Tensor = Tensor>(image: Tensor | TensorLike): T {
  const op = 'sobelEdges';
  return lift<T>(
    onBatch(
      op,
      image,
      (batch) => {
        const real = build.asReal(batch);
        if (real.shape[1] < 2 || real.shape[2] < 2)
          fail(op, 'images must be at least 2 x 2', `got ${showShape(real.shape)}`);
        const padded = mirrored(real, 1, 1);
        const vertical = everyChannel(padded, [-1, -2, -1, 0, 0, 0, 1, 2, 1], 3, 3);
        const horizontal = everyChannel(padded, [-1, 0, 1, -2, 0, 2, -1, 0, 1], 3, 3);
        const parts = [vertical, horizontal].map((v) => build.reshape(v, [...v.shape, 1]));
        return build.concat(parts, 4);
      },
      'image',
    ),
  );
}

/** exp(-x^2 / (2 sigma^2)) at whole distances from the middle of `size`, of sum 1. */
function gaussian(size: number, sigma: number): number[] {
  const weights = Array.from({ length: size }, (_, i) => Math.exp(-((i - (size - 1) / 2) ** 2) / (2 * sigma * sigma)));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

function blurred(images: Value, taps: readonly (readonly number[])[]): Value {
  const [rows, columns] = taps;
  return everyChannel(everyChannel(images, rows, rows.length, 1), columns, 1, columns.length);
}

/** Each channel under a Gaussian of `sigma` pixels, cut off at kernelSize (odd; 6 sigma + 1 by default), mirrored at the border. */
export function gaussianBlur<T extends Tensor = Tensor>(
  image: Tensor | TensorLike,
  sigma: number | readonly [number, number],
  kernelSize?: PerAxis,
): T {
  const op = 'gaussianBlur';
  const sigmas = typeof sigma === 'number' ? [sigma, sigma] : sigma;
  if (sigmas.some((s) => !(s > 0))) fail(op, 'sigma must be positive', `got ${JSON.stringify(sigma)}`);
  const sizes =
    kernelSize === undefined ? sigmas.map((s) => 2 * Math.ceil(3 * s) + 1) : perAxis(op, 'kernelSize', kernelSize, 2);
  if (sizes.some((size) => size % 2 === 0)) fail(op, 'kernelSize must be odd', `got ${JSON.stringify(kernelSize)}`);
  return lift<T>(
    onBatch(
      op,
      image,
      (batch) => {
        const padded = mirrored(build.asReal(batch), (sizes[0] - 1) / 2, (sizes[1] - 1) / 2);
        return blurred(padded, [gaussian(sizes[0], sigmas[0]), gaussian(sizes[1], sigmas[1])]);
      },
      'image',
    ),
  );
}

/**
 * Windows of images as channels: [batch, rows, columns, height * width * channels], in the order row, column, channel of the
 * window. Source: tf.image.extract_patches.
 */
export function extractPatches<T extends Tensor = Tensor>(
  images: Tensor | TensorLike,
  sizes: PerAxis,
  strides: PerAxis,
  rates: PerAxis = 1,
  padding: Padding = 'valid',
): T {
  const op = 'extractPatches';
  return lift<T>(
    onBatch(op, images, (batch) => {
      const filter = perAxis(op, 'sizes', sizes, 2);
      const window = windowOf(op, batch.shape, { filter, strides, pad: padding, dilations: rates });
      const span = filter.map((n, i) => (n - 1) * window.dilations[i] + 1);
      const room = [1, 2].map((axis, i) => batch.shape[axis] + window.pads[2 * i] + window.pads[2 * i + 1]);
      if (room.some((extent, i) => extent < span[i]))
        fail(op, 'the window must fit into the padded image', `a window of ${span} in ${room}`, "use padding 'same'");
      return build.concat(composite.windowTaps(batch, window, 0), 3);
    }),
  );
}

/** (x - mean) / max(deviation, 1 / sqrt(elements)) for each image. Source: tf.image.per_image_standardization. */
export function perImageStandardization<T extends Tensor = Tensor>(image: Tensor | TensorLike): T {
  return lift<T>(
    onBatch(
      'perImageStandardization',
      image,
      (batch) => {
        const real = build.asReal(batch);
        const [, height, width, channels] = real.shape;
        const { mean, variance } = composite.moments(real, [1, 2, 3], true);
        const deviation = build.sqrt(variance);
        const least = build.constantLike(deviation, 1 / Math.sqrt(Math.max(1, height * width * channels)));
        return build.div(build.sub(real, mean), build.maximum(deviation, least));
      },
      'image',
    ),
  );
}

/** Sum of |differences| of neighbouring pixels along height and width: [batch], or a scalar without the batch. */
export function totalVariation<T extends Tensor = Tensor>(images: Tensor | TensorLike): T {
  const value = valueOf(images, 'images', 'totalVariation');
  if (value.shape.length !== 3 && value.shape.length !== 4)
    fail('totalVariation', 'images must have rank 3 or 4', `got ${showShape(value.shape)}`);
  return lift<T>(composite.totalVariation(value));
}

function pair(op: string, a: Tensor | TensorLike, b: Tensor | TensorLike): [Value, Value] {
  const [x, y] = [valueOf(a, 'image1', op), valueOf(b, 'image2', op)].map((v) => build.asReal(v));
  if (x.shape.length < 3) fail(op, 'images must have rank 3 or more', `got ${showShape(x.shape)}`);
  if (!sameShape(x.shape, y.shape))
    fail(op, 'both images must have one shape', `got ${showShape(x.shape)} and ${showShape(y.shape)}`);
  return [x, y];
}

/** Peak signal-to-noise ratio in decibels, 20 log10(maxVal) - 10 log10(mean squared difference), for each image. */
export function psnr<T extends Tensor = Tensor>(
  image1: Tensor | TensorLike,
  image2: Tensor | TensorLike,
  maxVal: number,
): T {
  const [x, y] = pair('psnr', image1, image2);
  const rank = x.shape.length;
  const error = build.mean(build.square(build.sub(x, y)), [rank - 3, rank - 2, rank - 1]);
  return lift<T>(build.offset(build.scale(build.log(error), -10 / Math.LN10), 20 * Math.log10(maxVal)));
}

interface SsimOptions {
  readonly filterSize?: number;
  readonly filterSigma?: number;
  readonly k1?: number;
  readonly k2?: number;
}

/** [luminance times structure, structure], each [batch, channels]: means over all places of the window. */
function similarity(
  x: Value,
  y: Value,
  maxVal: number,
  taps: readonly number[],
  k1: number,
  k2: number,
): [Value, Value] {
  const blur = (v: Value) => blurred(v, [taps, taps]);
  const [c1, c2] = [(k1 * maxVal) ** 2, (k2 * maxVal) ** 2];
  const [meanX, meanY] = [blur(x), blur(y)];
  const product = build.mul(meanX, meanY);
  const squares = build.add(build.square(meanX), build.square(meanY));
  const luminance = build.div(build.offset(build.scale(product, 2), c1), build.offset(squares, c1));
  const covariance = build.sub(blur(build.mul(x, y)), product);
  const variances = build.sub(blur(build.add(build.square(x), build.square(y))), squares);
  const structure = build.div(build.offset(build.scale(covariance, 2), c2), build.offset(variances, c2));
  return [build.mean(build.mul(luminance, structure), [1, 2]), build.mean(structure, [1, 2])];
}

function asImages(
  op: string,
  a: Tensor | TensorLike,
  b: Tensor | TensorLike,
): { x: Value; y: Value; lead: readonly number[] } {
  const [x, y] = pair(op, a, b);
  const lead = x.shape.slice(0, -3);
  const flat = [lead.reduce((n, extent) => n * extent, 1), ...x.shape.slice(-3)];
  return { x: build.reshape(x, flat), y: build.reshape(y, flat), lead };
}

function checkWindow(op: string, x: Value, size: number): void {
  if (!Number.isInteger(size) || size < 1) fail(op, 'filterSize must be a positive integer', `got ${size}`);
  if (x.shape[1] < size || x.shape[2] < size)
    fail(op, `images must be at least ${size} x ${size}`, `got ${showShape(x.shape)}`, 'use a smaller filterSize');
}

/** Structural similarity (Wang et al. 2004) of each pair of images [..., height, width, channels], mean over places and channels. */
export function ssim<T extends Tensor = Tensor>(
  image1: Tensor | TensorLike,
  image2: Tensor | TensorLike,
  maxVal: number,
  { filterSize = 11, filterSigma = 1.5, k1 = 0.01, k2 = 0.03 }: SsimOptions = {},
): T {
  const { x, y, lead } = asImages('ssim', image1, image2);
  checkWindow('ssim', x, filterSize);
  const [value] = similarity(x, y, maxVal, gaussian(filterSize, filterSigma), k1, k2);
  return lift<T>(build.reshape(build.mean(value, [1]), lead));
}

/** The weights of the five scales that Wang, Simoncelli and Bovik (2003) found. */
const scales = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/** Structural similarity over several scales, each half as large: product of powers, mean over channels. */
export function ssimMultiscale<T extends Tensor = Tensor>(
  image1: Tensor | TensorLike,
  image2: Tensor | TensorLike,
  maxVal: number,
  powerFactors: readonly number[] = scales,
  { filterSize = 11, filterSigma = 1.5, k1 = 0.01, k2 = 0.03 }: SsimOptions = {},
): T {
  const op = 'ssimMultiscale';
  let { x, y, lead } = asImages(op, image1, image2);
  if (powerFactors.length === 0) fail(op, 'there must be power factors', 'got an empty list');
  const taps = gaussian(filterSize, filterSigma);
  const half = (v: Value) => {
    // An odd extent repeats its last row, as TensorFlow's symmetric padding does.
    const even = [
      [0, 0],
      [0, v.shape[1] % 2],
      [0, v.shape[2] % 2],
      [0, 0],
    ] as const;
    const padded = mirrorPad(lift(v), even, 'symmetric').value;
    return build.avgPool(padded, { filter: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] });
  };
  const factors = powerFactors.map((power, i) => {
    if (i > 0) [x, y] = [half(x), half(y)];
    checkWindow(op, x, filterSize);
    const [whole, structure] = similarity(x, y, maxVal, taps, k1, k2);
    const value = build.relu(i === powerFactors.length - 1 ? whole : structure);
    return build.pow(value, build.constantLike(value, power));
  });
  return lift<T>(build.reshape(build.mean(factors.reduce(build.mul), [1]), lead));
}
