/** Pooling over the spatial axes of images. dtype float32. */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { lift } from './lift.ts';
import type { Padding, Rounding } from './padding.ts';
import { perAxis } from './padding.ts';
import { onImages, windowOf } from './windows.ts';

function pooled(
  op: string,
  x: Tensor | TensorLike,
  filterSize: number | readonly number[],
  strides: number | readonly number[],
  pad: Padding,
  rounding: Rounding | undefined,
  f: (x: Value, attrs: { filter: number[]; strides: number[]; pads: number[] }) => Value,
): Value {
  const filter = perAxis(op, 'filterSize', filterSize, 2);
  return onImages(op, x, 2, false, (images) => {
    const window = windowOf(op, images.shape, { filter, strides, pad, rounding });
    return f(images, { filter, strides: [...window.strides], pads: window.pads });
  });
}

/** The largest of each window; padding never wins. */
export function maxPool<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filterSize: number | readonly [number, number],
  strides: number | readonly [number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
): T {
  return lift<T>(
    pooled('maxPool', x, filterSize, strides, pad, dimRoundingMode, (images, attrs) => build.maxPool(images, attrs)[0]),
  );
}

/** The mean of each window over the elements that are no padding. */
export function avgPool<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filterSize: number | readonly [number, number],
  strides: number | readonly [number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
): T {
  return lift<T>(pooled('avgPool', x, filterSize, strides, pad, dimRoundingMode, build.avgPool));
}

/** maxPool or avgPool by name; windows with dilations are not there yet. */
export function pool<T extends Tensor = Tensor>(
  input: Tensor | TensorLike,
  windowShape: number | readonly [number, number],
  poolingType: 'avg' | 'max',
  pad: Padding,
  dilations: number | readonly [number, number] = 1,
  strides: number | readonly [number, number] = 1,
  dimRoundingMode?: Rounding,
): T {
  if (perAxis('pool', 'dilations', dilations, 2).some((n) => n !== 1)) {
    fail('pool', 'dilations must be 1', `got ${JSON.stringify(dilations)}`);
  }
  if (poolingType !== 'avg' && poolingType !== 'max') {
    fail('pool', "poolingType must be 'avg' or 'max'", `got ${JSON.stringify(poolingType)}`);
  }
  return (poolingType === 'avg' ? avgPool : maxPool)<T>(input, windowShape, strides, pad, dimRoundingMode);
}
