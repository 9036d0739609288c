/** Resizing images. Each axis is a sparse matrix, so gradients are exact, of any order; an infinity spreads over its window. */
import { isFloat } from '../../../types/dtype.ts';
import { fail } from '../../../base/errors.ts';
import type { Value } from '../../../graph/graph.ts';
import * as build from '../../../ops/build.ts';
import type { ResampleMethod } from '../../../ops/resample-tables.ts';
import { resampleTable } from '../../../ops/resample-tables.ts';
import type { Tensor } from '../../tensor.ts';
import type { TensorLike } from '../../types.ts';
import { makeTensor } from '../../convert.ts';
import { lift, valueOf } from '../lift.ts';
import { onBatch, sizeOfImages } from './images.ts';

function checkModes(op: string, alignCorners: boolean, halfPixelCenters: boolean): void {
  if (alignCorners && halfPixelCenters)
    fail(op, 'alignCorners and halfPixelCenters must not both be true', 'got both', 'choose one');
}

function resized(op: string, images: Value, size: readonly number[], how: ResampleMethod): Value {
  const [height, width] = images.shape.slice(1, 3);
  if (height === 0 || width === 0) fail(op, 'images must not be empty', `got ${height} x ${width}`);
  const [newHeight, newWidth] = sizeOfImages(op, size);
  if (how.method === 'nearest' && !isFloat(images.dtype)) return picked(images, [newHeight, newWidth], how);
  const real = build.asReal(images);
  const attrs = { ...how, inputSize: [height, width], outputSize: [newHeight, newWidth], adjoint: false };
  return build.resample(real, attrs);
}

/** Whole numbers are moved, not multiplied. */
function picked(images: Value, size: readonly number[], how: ResampleMethod): Value {
  return [1, 2].reduce((value, axis) => {
    const { starts } = resampleTable(value.shape[axis], size[axis - 1], how);
    return build.gather(value, makeTensor(starts, [starts.length], 'int32', 'resize').value, axis);
  }, images);
}

/**
 * Bilinear interpolation between pixels at o * scale, or at (o + 0.5) * scale - 0.5 with halfPixelCenters; with alignCorners the
 * centers of the corner pixels stay where they are. images: [batch, height, width, channels], the batch optional. dtype float32.
 */
export function resizeBilinear<T extends Tensor = Tensor>(
  images: T | TensorLike,
  size: readonly [number, number],
  alignCorners = false,
  halfPixelCenters = false,
): T {
  const op = 'resizeBilinear';
  checkModes(op, alignCorners, halfPixelCenters);
  const how = { method: 'bilinear', alignCorners, halfPixelCenters, antialias: false } as const;
  return lift<T>(onBatch(op, images, (batch) => resized(op, batch, size, how)));
}

/** The nearest pixel: floor(o * scale), with halfPixelCenters floor((o + 0.5) * scale), with alignCorners rounded. Keeps the dtype. */
export function resizeNearestNeighbor<T extends Tensor = Tensor>(
  images: T | TensorLike,
  size: readonly [number, number],
  alignCorners = false,
  halfPixelCenters = false,
): T {
  const op = 'resizeNearestNeighbor';
  checkModes(op, alignCorners, halfPixelCenters);
  const { dtype } = valueOf(images, 'images', op);
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'float64')
    fail(op, 'images must be float32, float64 or int32', `got ${dtype}`, 'cast');
  const how = { method: 'nearest', alignCorners, halfPixelCenters, antialias: false } as const;
  return lift<T>(onBatch(op, images, (batch) => resized(op, batch, size, how)));
}

/** nearest and area as in tf.image.resize of TensorFlow 2; bilinear, bicubic (Keys, a = -1/2), lanczos3 and lanczos5 as there and in JAX. */
export type ResizeMethod = 'nearest' | 'bilinear' | 'bicubic' | 'lanczos3' | 'lanczos5' | 'area';

const kernelOf: { readonly [K in ResizeMethod]: ResampleMethod['method'] } = {
  nearest: 'nearest',
  bilinear: 'triangle',
  bicubic: 'cubic',
  lanczos3: 'lanczos3',
  lanczos5: 'lanczos5',
  area: 'area',
};

/**
 * Resizes with half-pixel centers. With antialias the kernels are widened where an axis shrinks, so that every pixel counts (area
 * always does so; nearest never). images: [batch, height, width, channels], the batch optional. dtype float32, or with nearest
 * that of the images. Sources: tf.image.resize, jax.image.resize.
 */
export function resize<T extends Tensor = Tensor>(
  images: T | TensorLike,
  size: readonly [number, number],
  method: ResizeMethod = 'bilinear',
  antialias = false,
): T {
  const op = 'resize';
  if (!Object.hasOwn(kernelOf, method))
    fail(op, `method must be one of ${Object.keys(kernelOf).join(', ')}`, `got ${JSON.stringify(method)}`);
  const how = { method: kernelOf[method], alignCorners: false, halfPixelCenters: true, antialias };
  return lift<T>(onBatch(op, images, (batch) => resized(op, batch, size, how)));
}
