/**
 * Convolution and pooling over images [batch, height, width, channels] (NHWC; 'NCHW' is transposed to it), batches optional.
 * Filters are [height, width, input channels, output channels]. Output height is floor((height + padding - filter) / stride) + 1,
 * and ceil(height / stride) with pad 'same'. dtype float32.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import type { Shape } from '../../types/shape.ts';
import { showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { lift, valueOf } from './lift.ts';
import type { Padding, Rounding } from './padding.ts';
import { padsOf, pairOf } from './padding.ts';

export type DataFormat = 'NHWC' | 'NCHW';

function isChannelsFirst(op: string, format: string): boolean {
  if (format !== 'NHWC' && format !== 'NCHW')
    fail(op, "dataFormat must be 'NHWC' or 'NCHW'", `got ${JSON.stringify(format)}`);
  return format === 'NCHW';
}

/** Runs `f` on a float32 batch of NHWC images, and gives back the layout and the rank that came. */
function onImages(op: string, x: Tensor | TensorLike, format: DataFormat, f: (x: Value) => Value): Value {
  const value = build.cast(valueOf(x, 'x', op), 'float32');
  const rank = value.shape.length;
  if (rank !== 3 && rank !== 4) {
    fail(
      op,
      'the input must have rank 4 [batch, height, width, channels], or 3 without the batch',
      `got ${showShape(value.shape)}`,
    );
  }
  const first = isChannelsFirst(op, format);
  const batch = rank === 4 ? value : build.reshape(value, [1, ...value.shape]);
  const images = first ? build.transpose(batch, [0, 2, 3, 1]) : batch;
  const output = f(images);
  const result = first ? build.transpose(output, [0, 3, 1, 2]) : output;
  return rank === 4 ? result : build.reshape(result, result.shape.slice(1));
}

function filterOf(op: string, filter: Tensor | TensorLike): Value {
  const value = build.cast(valueOf(filter, 'filter', op), 'float32');
  if (value.shape.length !== 4) fail(op, 'the filter must have rank 4', `got ${showShape(value.shape)}`);
  return value;
}

function window(
  op: string,
  shape: Shape,
  filter: readonly [number, number],
  strides: number | readonly number[],
  pad: Padding,
  dilations: number | readonly number[],
  rounding: Rounding | undefined,
  channelsFirst: boolean,
) {
  const spatial = {
    input: [shape[1], shape[2]] as const,
    filter,
    strides: pairOf(op, 'strides', strides),
    dilations: pairOf(op, 'dilations', dilations),
  };
  return { ...spatial, pads: padsOf(op, pad, spatial, rounding, channelsFirst) };
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
  const weights = filterOf('conv2d', filter);
  return lift<T>(
    onImages('conv2d', x, dataFormat, (images) => {
      const size = [weights.shape[0], weights.shape[1]] as const;
      const { pads, ...spatial } = window(
        'conv2d',
        images.shape,
        size,
        strides,
        pad,
        dilations,
        dimRoundingMode,
        dataFormat === 'NCHW',
      );
      const ratio = images.shape[3] / weights.shape[2];
      const groups = Number.isInteger(ratio) && ratio > 0 && weights.shape[3] % ratio === 0 ? ratio : 1;
      return build.conv2d(images, weights, { strides: spatial.strides, dilations: spatial.dilations, pads, groups });
    }),
  );
}

/** Convolution over [batch, width, channels] (batch optional) with a filter [width, input channels, output channels]. */
export function conv1d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  stride: number,
  pad: 'same' | 'valid' | number,
  dataFormat: 'NWC' = 'NWC',
  dilation = 1,
  dimRoundingMode?: Rounding,
): T {
  const value = valueOf(x, 'x', 'conv1d');
  const weights = valueOf(filter, 'filter', 'conv1d');
  if (dataFormat !== 'NWC') fail('conv1d', "dataFormat must be 'NWC'", `got ${JSON.stringify(dataFormat)}`);
  const rank = value.shape.length;
  if ((rank !== 2 && rank !== 3) || weights.shape.length !== 3) {
    fail(
      'conv1d',
      'the input must have rank 3 or 2 and the filter rank 3',
      `got ${showShape(value.shape)} and ${showShape(weights.shape)}`,
    );
  }
  const [width, channels] = value.shape.slice(-2);
  const images = lift(build.reshape(value, [rank === 3 ? value.shape[0] : 1, 1, width, channels]));
  const rows = lift(build.reshape(weights, [1, ...weights.shape]));
  // A number pads the width only.
  const pads: Padding =
    typeof pad === 'number'
      ? [
          [0, 0],
          [0, 0],
          [pad, pad],
          [0, 0],
        ]
      : pad;
  const y = conv2d(images, rows, [1, stride], pads, 'NHWC', [1, dilation], dimRoundingMode).value;
  return lift<T>(build.reshape(y, [...value.shape.slice(0, -2), y.shape[2], y.shape[3]]));
}

/**
 * The gradient of conv2d for its input: from [batch, height, width, inDepth] to outputShape [batch, height, width, outDepth],
 * with a filter [height, width, outDepth, inDepth].
 */
export function conv2dTranspose<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  outputShape: readonly number[],
  strides: number | readonly [number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
): T {
  const weights = filterOf('conv2dTranspose', filter);
  return lift<T>(
    onImages('conv2dTranspose', x, 'NHWC', (images) => {
      const shape = outputShape.length === 3 ? [1, ...outputShape] : [...outputShape];
      if (shape.length !== 4)
        fail('conv2dTranspose', 'outputShape must have 4 extents, or 3', `got ${showShape(outputShape)}`);
      const size = [weights.shape[0], weights.shape[1]] as const;
      const { pads, ...spatial } = window('conv2dTranspose', shape, size, strides, pad, 1, dimRoundingMode, false);
      return build.conv2dBackpropInput(images, weights, shape, {
        strides: spatial.strides,
        dilations: spatial.dilations,
        pads,
        groups: 1,
      });
    }),
  );
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
  const weights = filterOf('depthwiseConv2d', filter);
  const [height, width, channels, multiplier] = weights.shape;
  return lift<T>(
    onImages('depthwiseConv2d', x, dataFormat, (images) => {
      if (images.shape[3] !== channels) {
        fail('depthwiseConv2d', "the filter must have the input's channels", `got ${channels} and ${images.shape[3]}`);
      }
      const rows = build.reshape(weights, [height, width, 1, channels * multiplier]);
      const { pads, ...spatial } = window(
        'depthwiseConv2d',
        images.shape,
        [height, width],
        strides,
        pad,
        dilations,
        dimRoundingMode,
        dataFormat === 'NCHW',
      );
      return build.conv2d(images, rows, {
        strides: spatial.strides,
        dilations: spatial.dilations,
        pads,
        groups: channels,
      });
    }),
  );
}

/** depthwiseConv2d, then a convolution with a 1 x 1 filter. */
export function separableConv2d<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  depthwiseFilter: Tensor | TensorLike,
  pointwiseFilter: Tensor | TensorLike,
  strides: number | readonly [number, number],
  pad: Padding,
  dilation: number | readonly [number, number] = 1,
  dataFormat: DataFormat = 'NHWC',
): T {
  const depthwise = depthwiseConv2d(x, depthwiseFilter, strides, pad, dataFormat, dilation);
  return conv2d<T>(depthwise, pointwiseFilter, 1, 'valid', dataFormat);
}

function pooled(
  op: string,
  x: Tensor | TensorLike,
  filterSize: number | readonly number[],
  strides: number | readonly number[],
  pad: Padding,
  rounding: Rounding | undefined,
  f: (x: Value, attrs: { filter: number[]; strides: number[]; pads: number[] }) => Value,
): Value {
  const filter = pairOf(op, 'filterSize', filterSize);
  return onImages(op, x, 'NHWC', (images) => {
    const { pads, ...spatial } = window(op, images.shape, filter, strides, pad, 1, rounding, false);
    return f(images, { filter, strides: spatial.strides, pads });
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
  if (pairOf('pool', 'dilations', dilations).some((n) => n !== 1)) {
    fail('pool', 'dilations must be 1', `got ${JSON.stringify(dilations)}`);
  }
  if (poolingType !== 'avg' && poolingType !== 'max') {
    fail('pool', "poolingType must be 'avg' or 'max'", `got ${JSON.stringify(poolingType)}`);
  }
  return (poolingType === 'avg' ? avgPool : maxPool)<T>(input, windowShape, strides, pad, dimRoundingMode);
}
