/**
 * Transposed convolutions and the gradients of convolutions by their TensorFlow.js names. A transposed convolution is the
 * gradient of a convolution for its input: x has the shape of the convolution's output, the result that of its input.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import { showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { convolutionAttrs } from './convolution.ts';
import { type Input, lift, narrowed, valueOf } from './lift.ts';
import type { Padding, PerAxis, Rounding } from './padding.ts';
import type { DataFormat } from './windows.ts';
import { filterOf, isChannelsFirst, onImages, toLast, wholeShape } from './windows.ts';

function transposed(
  op: string,
  spatial: number,
  [x, filter]: readonly [Input, Input],
  outputShape: readonly number[],
  strides: PerAxis,
  pad: Padding,
  rounding?: Rounding,
  dilations: PerAxis = 1,
): Value {
  const weights = filterOf(op, filter, spatial);
  const result = onImages(op, x, spatial, false, (images) => {
    const shape = wholeShape(op, 'outputShape', outputShape, spatial);
    const attrs = convolutionAttrs(op, shape, weights.shape, strides, pad, dilations, rounding);
    const [made, taken] = weights.shape.slice(-2);
    if (shape[spatial + 1] !== made * attrs.groups || images.shape[spatial + 1] !== taken) {
      fail(
        op,
        "the filter [...taps, output channels, input channels] must have outputShape's and the input's channels",
        `got ${showShape(weights.shape)} for ${showShape(images.shape)} to ${showShape(shape)}`,
      );
    }
    return build.convBackpropInput(images, weights, shape, attrs);
  });
  return narrowed(result, x, filter);
}

/** conv1d's gradient for its input: from [batch, width, inDepth] to outputShape, with a filter [width, outDepth, inDepth]. */
export function conv1dTranspose<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  outputShape: readonly number[],
  stride: number | readonly [number],
  pad: Padding,
  dimRoundingMode?: Rounding,
  dilation: number | readonly [number] = 1,
): T {
  return lift<T>(transposed('conv1dTranspose', 1, [x, filter], outputShape, stride, pad, dimRoundingMode, dilation));
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
  dilations: number | readonly [number, number] = 1,
): T {
  return lift<T>(transposed('conv2dTranspose', 2, [x, filter], outputShape, strides, pad, dimRoundingMode, dilations));
}

/** conv3d's gradient for its input: from [batch, depth, height, width, inDepth] to outputShape, filter [d, h, w, outDepth, inDepth]. */
export function conv3dTranspose<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  outputShape: readonly number[],
  strides: number | readonly [number, number, number],
  pad: Padding,
  dimRoundingMode?: Rounding,
  dilations: number | readonly [number, number, number] = 1,
): T {
  return lift<T>(transposed('conv3dTranspose', 3, [x, filter], outputShape, strides, pad, dimRoundingMode, dilations));
}

interface BackpropArgs {
  readonly strides: PerAxis;
  readonly pad: Padding;
  readonly format?: string;
  readonly dilations?: PerAxis;
  readonly rounding?: Rounding;
}

/** A shape in the given format as [batch, ...spatial, channels]. */
function channelsLast(shape: readonly number[], channelsFirst: boolean): number[] {
  return channelsFirst ? [shape[0], ...shape.slice(2), shape[1]] : [...shape];
}

function backpropInput(
  op: string,
  spatial: number,
  xShape: readonly number[],
  dy: Input,
  weights: Value,
  args: BackpropArgs,
) {
  const first = args.format !== undefined && isChannelsFirst(op, args.format, spatial);
  const whole = channelsLast(wholeShape(op, 'xShape', xShape, spatial), first);
  const { strides, pad, dilations, rounding } = args;
  const attrs = convolutionAttrs(op, whole, weights.shape, strides, pad, dilations, rounding, first);
  const ofOutput = (y: Value) => build.convBackpropInput(y, weights, whole, attrs);
  return onImages(op, dy, spatial, first, ofOutput, 'the gradient');
}

function backpropFilter(
  op: string,
  spatial: number,
  [x, dy]: readonly [Input, Input],
  filterShape: readonly number[],
  args: BackpropArgs,
): Value {
  const first = args.format !== undefined && isChannelsFirst(op, args.format, spatial);
  const [images, grads] = [valueOf(x, 'x', op), valueOf(dy, 'dy', op)].map((v) => {
    const batch = v.shape.length === spatial + 1 ? build.reshape(v, [1, ...v.shape]) : v;
    if (batch.shape.length !== spatial + 2)
      fail(
        op,
        `x and dy must have rank ${spatial + 2}, or ${spatial + 1} without the batch`,
        `got ${showShape(v.shape)}`,
      );
    return build.asReal(toLast(batch, first));
  });
  const shape = wholeShape(op, 'filterShape', filterShape, spatial);
  const { strides, pad, dilations, rounding } = args;
  const attrs = convolutionAttrs(op, images.shape, shape, strides, pad, dilations, rounding, first);
  return build.convBackpropFilter(images, grads, shape, attrs);
}

/** The gradient of conv2d for an input of `xShape`. */
export function conv2DBackpropInput<T extends Tensor = Tensor>(
  xShape: readonly number[],
  dy: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  strides: number | readonly [number, number],
  pad: Padding,
  dataFormat: DataFormat = 'NHWC',
  dimRoundingMode?: Rounding,
): T {
  const op = 'conv2DBackpropInput';
  const args = { strides, pad, format: dataFormat, rounding: dimRoundingMode };
  return lift<T>(backpropInput(op, 2, xShape, dy, filterOf(op, filter, 2), args));
}

/** The gradient of conv2d for a filter of `filterShape` [height, width, input channels, output channels]. */
export function conv2DBackpropFilter<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  dy: Tensor | TensorLike,
  filterShape: readonly number[],
  strides: number | readonly [number, number],
  pad: Padding,
  dataFormat: DataFormat = 'NHWC',
  dimRoundingMode?: Rounding,
): T {
  const args = { strides, pad, format: dataFormat, rounding: dimRoundingMode };
  return lift<T>(backpropFilter('conv2DBackpropFilter', 2, [x, dy], filterShape, args));
}

/** The gradient of conv3d for an input of `xShape`. */
export function conv3DBackpropInput<T extends Tensor = Tensor>(
  xShape: readonly number[],
  dy: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  strides: number | readonly [number, number, number],
  pad: Padding,
): T {
  const op = 'conv3DBackpropInput';
  return lift<T>(backpropInput(op, 3, xShape, dy, filterOf(op, filter, 3), { strides, pad }));
}

/** The gradient of conv3d for a filter of `filterShape`. */
export function conv3DBackpropFilter<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  dy: Tensor | TensorLike,
  filterShape: readonly number[],
  strides: number | readonly [number, number, number],
  pad: Padding,
): T {
  return lift<T>(backpropFilter('conv3DBackpropFilter', 3, [x, dy], filterShape, { strides, pad }));
}

/** A depthwise filter [height, width, channels, multiplier] as that of a convolution in groups. */
function groupedShape([height, width, channels, multiplier]: readonly number[]): number[] {
  return [height, width, 1, channels * multiplier];
}

/** The gradient of depthwiseConv2d for an input of `xShape`. */
export function depthwiseConv2dNativeBackpropInput<T extends Tensor = Tensor>(
  xShape: readonly number[],
  dy: Tensor | TensorLike,
  filter: Tensor | TensorLike,
  strides: number | readonly [number, number],
  pad: Padding,
  dilations: number | readonly [number, number] = 1,
  dimRoundingMode?: Rounding,
): T {
  const op = 'depthwiseConv2dNativeBackpropInput';
  const weights = filterOf(op, filter, 2);
  const grouped = build.reshape(weights, groupedShape(weights.shape));
  return lift<T>(backpropInput(op, 2, xShape, dy, grouped, { strides, pad, dilations, rounding: dimRoundingMode }));
}

/** The gradient of depthwiseConv2d for a filter of `filterShape` [height, width, channels, multiplier]. */
export function depthwiseConv2dNativeBackpropFilter<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  dy: Tensor | TensorLike,
  filterShape: readonly number[],
  strides: number | readonly [number, number],
  pad: Padding,
  dilations: number | readonly [number, number] = 1,
  dimRoundingMode?: Rounding,
): T {
  const op = 'depthwiseConv2dNativeBackpropFilter';
  const shape = wholeShape(op, 'filterShape', filterShape, 2);
  const args = { strides, pad, dilations, rounding: dimRoundingMode };
  return lift<T>(build.reshape(backpropFilter(op, 2, [x, dy], groupedShape(shape), args), shape));
}
