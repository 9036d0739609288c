/** Images turned, mirrored, cropped and warped. */
import { fail } from '../../../base/errors.ts';
import type { Value } from '../../../graph/graph.ts';
import * as build from '../../../ops/build.ts';
import type { FillMode, PixelSampling } from '../../../ops/composite.ts';
import * as composite from '../../../ops/composite.ts';
import { showShape } from '../../../types/shape.ts';
import { makeTensor } from '../../convert.ts';
import type { Tensor } from '../../tensor.ts';
import type { TensorLike } from '../../types.ts';
import { lift, valueOf } from '../lift.ts';
import { batchOf, onBatch, sizeOfImages } from './images.ts';

function checkMethod(op: string, what: string, method: string): asserts method is PixelSampling {
  if (method !== 'nearest' && method !== 'bilinear')
    fail(op, `${what} must be 'nearest' or 'bilinear'`, `got ${JSON.stringify(method)}`);
}

function checkFillMode(op: string, mode: FillMode): void {
  if (!['constant', 'reflect', 'wrap', 'nearest'].includes(mode))
    fail(op, "fillMode must be 'constant', 'reflect', 'wrap' or 'nearest'", `got ${JSON.stringify(mode)}`);
}

/** Mirrored left to right. image: [batch, height, width, channels]. */
export function flipLeftRight<T extends Tensor = Tensor>(image: T | TensorLike): T {
  return lift<T>(build.reverse(batchOf('flipLeftRight', image), [2]));
}

/** Mirrored upside down. image: [batch, height, width, channels]. */
export function flipUpDown<T extends Tensor = Tensor>(image: T | TensorLike): T {
  return lift<T>(build.reverse(batchOf('flipUpDown', image), [1]));
}

/** Turned counter-clockwise by k quarters. image: [batch, height, width, channels], the batch optional. */
export function rot90<T extends Tensor = Tensor>(image: T | TensorLike, k = 1): T {
  if (!Number.isInteger(k)) fail('rot90', 'k must be an integer', `got ${k}`);
  const quarters = ((k % 4) + 4) % 4;
  return lift<T>(
    onBatch(
      'rot90',
      image,
      (batch) => {
        if (quarters === 0) return batch;
        if (quarters === 2) return build.reverse(batch, [1, 2]);
        const turned = build.transpose(batch, [0, 2, 1, 3]);
        return build.reverse(turned, [quarters === 1 ? 1 : 2]);
      },
      'image',
    ),
  );
}

/**
 * Boxes [y1, x1, y2, x2] of images, in units of the image (0 and 1 are the centers of the corner pixels; y1 > y2 turns upside
 * down), resized to cropSize [height, width]: [boxes, height, width, channels], float32. boxInd says which image each is of; one
 * that is not there is an error. Samples outside are extrapolationValue. Gradients flow to the image and, bilinear, to the boxes.
 */
export function cropAndResize<T extends Tensor = Tensor>(
  image: Tensor | TensorLike,
  boxes: Tensor | TensorLike,
  boxInd: Tensor | TensorLike,
  cropSize: readonly [number, number],
  method: 'bilinear' | 'nearest' = 'bilinear',
  extrapolationValue = 0,
): T {
  const op = 'cropAndResize';
  const images = build.asReal(batchOf(op, image));
  const edges = build.asReal(valueOf(boxes, 'boxes', op));
  const owners = valueOf(boxInd, 'boxInd', op, 'int32');
  if (edges.shape.length !== 2 || edges.shape[1] !== 4)
    fail(op, 'boxes must be [boxes, 4]', `got ${showShape(edges.shape)}`);
  if (owners.shape.length !== 1 || owners.shape[0] !== edges.shape[0])
    fail(op, 'boxInd must have one entry for each box', `got ${showShape(owners.shape)} for ${showShape(edges.shape)}`);
  if (images.shape.includes(0)) fail(op, 'images must not be empty', `got ${showShape(images.shape)}`);
  checkMethod(op, 'method', method);
  const size = sizeOfImages(op, cropSize, 'cropSize');
  return lift<T>(composite.cropAndResize(images, edges, owners, size, method, extrapolationValue));
}

/** Rows and columns of the pixels of an image, [1, height * width], float32. */
function grid(height: number, width: number): { y: Value; x: Value } {
  const [y, x] = [0, 1].map((axis) => build.reshape(build.iota([height, width], axis, 'float32'), [1, height * width]));
  return { y, x };
}

function everyImage(v: Value, batch: number): Value {
  return build.broadcastTo(v, [batch, v.shape[1]]);
}

/**
 * Turned about `center` (in units of the image; 0.5 is the middle) counter-clockwise by `radians`, to the nearest pixel. What comes
 * from outside is fillValue: a number, or one for each of red, green and blue, with 255 for alpha. Keeps the dtype.
 */
export function rotateWithOffset<T extends Tensor = Tensor>(
  image: T | TensorLike,
  radians: number,
  fillValue: number | readonly [number, number, number] = 0,
  center: number | readonly [number, number] = 0.5,
): T {
  const op = 'rotateWithOffset';
  const images = batchOf(op, image);
  const [batch, height, width, channels] = images.shape;
  const [centerX, centerY] = [
    width * (typeof center === 'number' ? center : center[0]),
    height * (typeof center === 'number' ? center : center[1]),
  ];
  if (typeof fillValue !== 'number' && channels > 4)
    fail(op, 'fillValue must be a number for images of more than 4 channels', `got ${showShape(images.shape)}`);
  const fill =
    typeof fillValue === 'number'
      ? fillValue
      : makeTensor([...fillValue, 255].slice(0, channels), [channels], 'float32', op).value;
  if (images.shape.includes(0)) return lift<T>(images);
  // Places are worked out here, in double precision: a rounding error would pick another pixel.
  const [sin, cos] = [Math.sin(radians), Math.cos(radians)];
  const [ys, xs] = [new Float32Array(height * width), new Float32Array(height * width)];
  for (let i = 0; i < ys.length; i++) {
    const [y, x] = [Math.floor(i / width) - centerY, (i % width) - centerX];
    xs[i] = Math.round(x * cos - y * sin + centerX);
    ys[i] = Math.round(x * sin + y * cos + centerY);
  }
  const [y, x] = [ys, xs].map((v) => everyImage(makeTensor(v, [1, v.length], 'float32', op).value, batch));
  return lift<T>(build.reshape(composite.sampleImages(images, y, x, 'nearest', fill), images.shape));
}

/**
 * Projective transforms: output (x, y) is read at ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), k = c0 x + c1 y + 1, of the image.
 * transforms: [batch or 1, 8] as [a0, a1, a2, b0, b1, b2, c0, c1]. Outside of the image fillMode says what is read: 'constant'
 * fillValue, 'reflect' dcba|abcd|dcba, 'wrap' abcd|abcd|abcd, 'nearest' the border. Keeps the dtype.
 */
export function transform<T extends Tensor = Tensor>(
  image: T | TensorLike,
  transforms: Tensor | TensorLike,
  interpolation: 'nearest' | 'bilinear' = 'nearest',
  fillMode: FillMode = 'constant',
  fillValue = 0,
  outputShape?: readonly [number, number],
): T {
  const op = 'transform';
  const images = batchOf(op, image);
  const [batch, height, width, channels] = images.shape;
  const matrix = build.asReal(valueOf(transforms, 'transforms', op));
  const rows = matrix.shape[0];
  if (matrix.shape.length !== 2 || matrix.shape[1] !== 8 || (rows !== 1 && rows !== batch))
    fail(op, `transforms must be [${batch}, 8] or [1, 8]`, `got ${showShape(matrix.shape)}`);
  checkMethod(op, 'interpolation', interpolation);
  checkFillMode(op, fillMode);
  if (images.shape.includes(0)) fail(op, 'images must not be empty', `got ${showShape(images.shape)}`);
  const [outHeight, outWidth] = sizeOfImages(op, outputShape ?? [height, width], 'outputShape');
  const places = grid(outHeight, outWidth);
  const [x, y] = [everyImage(places.x, batch), everyImage(places.y, batch)];
  const entry = (i: number) => build.broadcastTo(build.slice(matrix, [0, i], [rows, 1]), x.shape);
  const line = (i: number) => build.add(build.mul(entry(i), x), build.mul(entry(i + 1), y));
  const k = build.offset(line(6), 1);
  const zero = build.equal(k, build.zerosLike(k));
  const divisor = build.select(zero, build.onesLike(k), k);
  // Where k is 0 the place is infinitely far away: outside, whatever the mode.
  const coordinate = (i: number, extent: number) =>
    composite.wrapCoordinate(build.div(build.add(line(i), entry(i + 2)), divisor), extent, fillMode);
  const far = build.constantLike(k, -2 * Math.max(height, width));
  const [atX, atY] = [coordinate(0, width), coordinate(3, height)].map((v) => build.select(zero, far, v));
  const sampled = composite.sampleImages(images, atY, atX, interpolation, fillValue);
  return lift<T>(build.cast(build.reshape(sampled, [batch, outHeight, outWidth, channels]), images.dtype));
}

/**
 * The pixels of images at rows y and columns x, [batch, height, width] each: [batch, height, width, channels], float32. Outside of
 * the image fillMode says what is read, as in transform. Gradients flow to the image and, bilinear, to the places.
 */
export function sampleAt<T extends Tensor = Tensor>(
  image: T | TensorLike,
  y: Tensor | TensorLike,
  x: Tensor | TensorLike,
  interpolation: 'nearest' | 'bilinear' = 'bilinear',
  fillMode: FillMode = 'constant',
  fillValue = 0,
): T {
  const op = 'sampleAt';
  const images = build.asReal(batchOf(op, image));
  const [batch, height, width, channels] = images.shape;
  checkMethod(op, 'interpolation', interpolation);
  checkFillMode(op, fillMode);
  if (images.shape.includes(0)) fail(op, 'images must not be empty', `got ${showShape(images.shape)}`);
  const places = [valueOf(y, 'y', op), valueOf(x, 'x', op)].map((v) => build.asReal(v));
  const { shape } = places[0];
  if (shape.length !== 3 || shape[0] !== batch || shape.join() !== places[1].shape.join()) {
    const must = `y and x must both be [${batch}, height, width]`;
    fail(op, must, `got ${showShape(shape)} and ${showShape(places[1].shape)}`);
  }
  const [atY, atX] = places.map((v, i) =>
    composite.wrapCoordinate(build.reshape(v, [batch, shape[1] * shape[2]]), i === 0 ? height : width, fillMode),
  );
  const sampled = composite.sampleImages(images, atY, atX, interpolation, fillValue);
  return lift<T>(build.reshape(sampled, [batch, shape[1], shape[2], channels]));
}

/**
 * The transform of transform() that turns by `radians`, scales, shears (radians, along x) and translates [x, y] in pixels, about
 * `center` [x, y] in pixels: a row of 8. It maps outputs to inputs, so scale > 1 shows more of the image.
 */
export function affineTransform({
  radians = 0,
  scale = 1,
  shear = 0,
  translate = [0, 0] as readonly [number, number],
  center = [0, 0] as readonly [number, number],
}: {
  radians?: number;
  scale?: number | readonly [number, number];
  shear?: number;
  translate?: readonly [number, number];
  center?: readonly [number, number];
} = {}): number[] {
  const [sx, sy] = typeof scale === 'number' ? [scale, scale] : scale;
  const [sin, cos] = [Math.sin(radians), Math.cos(radians)];
  const skew = Math.tan(shear);
  const [a0, a1] = [cos * sx, (cos * skew - sin) * sy];
  const [b0, b1] = [sin * sx, (sin * skew + cos) * sy];
  const [cx, cy] = center;
  return [a0, a1, cx - a0 * cx - a1 * cy + translate[0], b0, b1, cy - b0 * cx - b1 * cy + translate[1], 0, 0];
}
