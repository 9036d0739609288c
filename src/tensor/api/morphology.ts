/** Morphology over height and width of images: grey-scale dilation and erosion. */
import { fail } from '../../base/errors.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import { showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { lift, valueOf } from './lift.ts';
import type { Padding } from './padding.ts';
import { onImages, windowOf } from './windows.ts';

/**
 * y[n, i, j, c] = max over h, w of x[n, i stride + h dilation, j stride + w dilation, c] + filter[h, w, c]; padding never wins.
 * x: [batch, height, width, channels], the batch optional; filter: [height, width, channels].
 */
export function dilation2d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  strides: number | readonly [number, number],
  pad: Padding,
  dilations: number | readonly [number, number] = 1,
  dataFormat: 'NHWC' = 'NHWC',
): T {
  const op = 'dilation2d';
  if (dataFormat !== 'NHWC') fail(op, "dataFormat must be 'NHWC'", `got ${JSON.stringify(dataFormat)}`);
  const weights = build.asReal(valueOf(filter, 'filter', op));
  return lift<T>(
    onImages(op, x, 2, false, (images) => {
      if (weights.shape.length !== 3 || weights.shape[2] !== images.shape[3]) {
        fail(
          op,
          "the filter must be [height, width, channels] with the input's channels",
          `got ${showShape(weights.shape)} for ${showShape(images.shape)}`,
        );
      }
      const args = { filter: weights.shape.slice(0, 2), strides, pad, dilations };
      return composite.morphologicalDilation(images, weights, windowOf(op, images.shape, args));
    }),
  );
}

/** min over h, w of x[...] - filter[h, w, c]: the dilation of -x by the filter turned around, negated. Source: tf.nn.erosion2d. */
export function erosion2d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  strides: number | readonly [number, number],
  pad: Padding,
  dilations: number | readonly [number, number] = 1,
): T {
  const [value, weights] = [valueOf(x, 'x', 'erosion2d'), valueOf(filter, 'filter', 'erosion2d')];
  const turned = weights.shape.length === 3 ? build.reverse(weights, [0, 1]) : weights;
  const dilated = dilation2d(lift(build.neg(value)), lift(turned), strides, pad, dilations);
  return lift<T>(build.neg(dilated.value));
}
