/**
 * Convolutions over one, two and three spatial axes. Inputs are [batch, ...spatial, channels] (or channels first by dataFormat),
 * batches optional; filters are [...taps, input channels, output channels]. An output extent is
 * floor((input + padding - (filter - 1) * dilation - 1) / stride) + 1, and ceil(input / stride) with pad 'same'. dtype float32.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { type Input, lift, narrowed } from './lift.ts';
import type { Padding, PerAxis, Rounding } from './padding.ts';
import type { DataFormat, DataFormat1D, DataFormat3D, WindowArgs } from './windows.ts';
import { filterOf, isChannelsFirst, onImages, windowOf } from './windows.ts';

/** Filters of 1/g of the input's channels make g groups. */
function groupsOf(channels: number, filter: readonly number[]): number {
  const [inner, outer] = filter.slice(-2);
  const ratio = channels / inner;
  return Number.isInteger(ratio) && ratio > 0 && outer % ratio === 0 ? ratio : 1;
}

function convolve(op: string, x: Input, filter: Input, format: string, args: Omit<WindowArgs, 'filter'>): Value {
  const spatial = Number(op[4]);
  const channelsFirst = isChannelsFirst(op, format, spatial);
  const weights = filterOf(op, filter, spatial);
  const result = onImages(op, x, spatial, channelsFirst, (images) => {
    const size = weights.shape.slice(0, spatial);
    const { strides, dilations, pads } = windowOf(op, images.shape, { ...args, filter: size, channelsFirst });
    const groups = groupsOf(images.shape[spatial + 1], weights.shape);
    return build.conv(images, weights, { strides, dilations, pads, groups });
  });
  return narrowed(result, x, filter);
}

/**
 * y[n, i, o] = sum over w, c of x[n, i stride + w dilation, c] filter[w, c, o], in the padded x: convolution over
 * [batch, width, channels].
 */
export function conv1d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  stride: number | readonly [number],
  pad: Padding,
  dataFormat: DataFormat1D = 'NWC',
  dilation: number | readonly [number] = 1,
  dimRoundingMode?: Rounding,
): T {
  const args = { strides: stride, pad, dilations: dilation, rounding: dimRoundingMode };
  return lift<T>(convolve('conv1d', x, filter, dataFormat, args));
}

/**
 * y[n, i, j, o] = sum over h, w, c of x[n, i stride + h dilation, j stride + w dilation, c] filter[h, w, c, o], in the padded x.
 * Filters of 1/g of the channels make g groups.
 */
export function conv2d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  strides: number | readonly [number, number],
  pad: Padding,
  dataFormat: DataFormat = 'NHWC',
  dilations: number | readonly [number, number] = 1,
  dimRoundingMode?: Rounding,
): T {
  const args = { strides, pad, dilations, rounding: dimRoundingMode };
  return lift<T>(convolve('conv2d', x, filter, dataFormat, args));
}

/** Convolution over [batch, depth, height, width, channels] with a filter [depth, height, width, input, output channels]. */
export function conv3d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  strides: number | readonly [number, number, number],
  pad: Padding,
  dataFormat: DataFormat3D = 'NDHWC',
  dilations: number | readonly [number, number, number] = 1,
  dimRoundingMode?: Rounding,
): T {
  const args = { strides, pad, dilations, rounding: dimRoundingMode };
  return lift<T>(convolve('conv3d', x, filter, dataFormat, args));
}

/** A filter of its own for each channel: filter [height, width, channels, multiplier], output channels * multiplier. */
export function depthwiseConv2d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  strides: number | readonly [number, number],
  pad: Padding,
  dataFormat: DataFormat = 'NHWC',
  dilations: number | readonly [number, number] = 1,
  dimRoundingMode?: Rounding,
): T {
  const op = 'depthwiseConv2d';
  const channelsFirst = isChannelsFirst(op, dataFormat, 2);
  const weights = filterOf(op, filter, 2);
  const [height, width, channels, multiplier] = weights.shape;
  return lift<T>(
    narrowed(
      onImages(op, x, 2, channelsFirst, (images) => {
        if (images.shape[3] !== channels) {
          fail(
            op,
            "the filter [height, width, channels, multiplier] must have the input's channels",
            `got ${channels} and ${images.shape[3]}`,
          );
        }
        const args = { filter: [height, width], strides, pad, dilations, rounding: dimRoundingMode, channelsFirst };
        const window = windowOf(op, images.shape, args);
        return build.conv(images, build.reshape(weights, [height, width, 1, channels * multiplier]), {
          strides: window.strides,
          dilations: window.dilations,
          pads: window.pads,
          groups: channels,
        });
      }),
      x,
      filter,
    ),
  );
}

/** depthwiseConv2d, then a convolution with a 1 x 1 filter [1, 1, channels * multiplier, output channels]. */
export function separableConv2d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  depthwiseFilter: Tensor | TensorLike,
  pointwiseFilter: Tensor | TensorLike,
  strides: number | readonly [number, number],
  pad: Padding,
  dilation: number | readonly [number, number] = 1,
  dataFormat: DataFormat = 'NHWC',
): T {
  const [height, width] = filterOf('separableConv2d', pointwiseFilter, 2).shape;
  if (height !== 1 || width !== 1)
    fail('separableConv2d', 'the pointwise filter must be 1 x 1', `got ${height} x ${width}`);
  const depthwise = depthwiseConv2d(x, depthwiseFilter, strides, pad, dataFormat, dilation);
  return conv2d<T>(depthwise, pointwiseFilter, 1, 'valid', dataFormat);
}

/** What the gradients take besides tensors: those of the convolution that they belong to. */
export function convolutionAttrs(
  op: string,
  shape: readonly number[],
  filter: readonly number[],
  strides: PerAxis,
  pad: Padding,
  dilations: PerAxis = 1,
  rounding?: Rounding,
  channelsFirst = false,
) {
  const args = { filter: filter.slice(0, -2), strides, pad, dilations, rounding, channelsFirst };
  const window = windowOf(op, shape, args);
  const groups = groupsOf(shape[shape.length - 1], filter);
  return { strides: window.strides, dilations: window.dilations, pads: window.pads, groups };
}
