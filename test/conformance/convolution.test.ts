/** Convolutions by their users' names against TensorFlow.js, or against what they are made of where it has none. */
import * as conv2d_backprop_filter from '@tensorflow/tfjs-core/dist/ops/conv2d_backprop_filter.js';
import * as conv2d_backprop_input from '@tensorflow/tfjs-core/dist/ops/conv2d_backprop_input.js';
import * as conv3d_backprop_filter from '@tensorflow/tfjs-core/dist/ops/conv3d_backprop_filter.js';
import * as conv3d_backprop_input from '@tensorflow/tfjs-core/dist/ops/conv3d_backprop_input.js';
import * as depthwise_conv2d_native_backprop_filter from '@tensorflow/tfjs-core/dist/ops/depthwise_conv2d_native_backprop_filter.js';
import * as depthwise_conv2d_native_backprop_input from '@tensorflow/tfjs-core/dist/ops/depthwise_conv2d_native_backprop_input.js';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Case,
  expectClose,
  expectSame,
  expectSameGradient,
  type Library,
  numbers,
  ours,
  prepare,
  theirs,
} from './beside-tfjs.ts';

/** TensorFlow.js keeps these to itself. */
const hidden = {
  ...conv2d_backprop_filter,
  ...conv2d_backprop_input,
  ...conv3d_backprop_filter,
  ...conv3d_backprop_input,
  ...depthwise_conv2d_native_backprop_filter,
  ...depthwise_conv2d_native_backprop_input,
} as unknown as Library;

beforeAll(prepare);

const tensor = (seed: number, ...shape: number[]) => {
  const data = numbers(
    seed,
    shape.reduce((n, extent) => n * extent, 1),
  );
  return (tf: Library) => tf.tensor(data, shape);
};
const line = tensor(1, 2, 13, 3);
const image = tensor(2, 2, 7, 6, 3);
const volume = tensor(3, 2, 4, 6, 5, 2);

const cases: Record<string, Case> = {
  'conv1d valid': (tf) => tf.conv1d(line(tf), tensor(4, 4, 3, 5)(tf), 1, 'valid'),
  'conv1d stride': (tf) => tf.conv1d(line(tf), tensor(4, 4, 3, 5)(tf), 3, 'same'),
  'conv1d dilated': (tf) => tf.conv1d(line(tf), tensor(4, 4, 3, 5)(tf), 1, 'same', 'NWC', 2),
  'conv1d rank 2': (tf) => tf.conv1d(tensor(5, 9, 3)(tf), tensor(4, 4, 3, 5)(tf), 1, 'valid'),
  'conv3d valid': (tf) => tf.conv3d(volume(tf), tensor(6, 2, 3, 2, 2, 4)(tf), 1, 'valid'),
  'conv3d same': (tf) => tf.conv3d(volume(tf), tensor(6, 2, 3, 2, 2, 4)(tf), [1, 2, 2], 'same'),
  'conv3d dilated': (tf) => tf.conv3d(volume(tf), tensor(6, 2, 2, 2, 2, 4)(tf), 1, 'same', 'NDHWC', [1, 2, 3]),
  'conv3d rank 4': (tf) => tf.conv3d(tensor(7, 4, 5, 5, 2)(tf), tensor(6, 2, 3, 2, 2, 4)(tf), 1, 'valid'),
  'conv2dTranspose same': (tf) => tf.conv2dTranspose(image(tf), tensor(8, 3, 3, 4, 3)(tf), [2, 14, 12, 4], 2, 'same'),
  'conv2dTranspose valid': (tf) => tf.conv2dTranspose(image(tf), tensor(8, 3, 2, 4, 3)(tf), [2, 9, 7, 4], 1, 'valid'),
  'conv2dTranspose number': (tf) => tf.conv2dTranspose(image(tf), tensor(8, 3, 3, 4, 3)(tf), [2, 7, 6, 4], 1, 1),
  conv3dTranspose: (tf) =>
    tf.conv3dTranspose(volume(tf), tensor(9, 2, 3, 3, 4, 2)(tf), [2, 8, 12, 10, 4], [2, 2, 2], 'same'),
  depthwise: (tf) => tf.depthwiseConv2d(image(tf), tensor(10, 3, 3, 3, 1)(tf), 1, 'same'),
  'depthwise multiplier': (tf) => tf.depthwiseConv2d(image(tf), tensor(10, 3, 2, 3, 2)(tf), 2, 'valid'),
  'depthwise dilated': (tf) => tf.depthwiseConv2d(image(tf), tensor(10, 3, 2, 3, 2)(tf), 1, 'same', 'NHWC', [2, 2]),
  'depthwise one channel': (tf) =>
    tf.depthwiseConv2d(tensor(11, 1, 5, 5, 1)(tf), tensor(12, 3, 3, 1, 4)(tf), 1, 'same'),
  separable: (tf) =>
    tf.separableConv2d(image(tf), tensor(10, 3, 3, 3, 2)(tf), tensor(13, 1, 1, 6, 5)(tf), 1, 'same', [1, 2]),
  'method conv2dTranspose': (tf) => image(tf).conv2dTranspose(tensor(8, 3, 3, 4, 3)(tf), [2, 14, 12, 4], 2, 'same'),
};

describe('values', () => {
  it.each(Object.entries(cases))('%s', (_name, run) => expectSame(run));

  it('reads channels that come first', () => {
    const first = ours.conv3d(
      ours.transpose(volume(ours), [0, 4, 1, 2, 3]),
      tensor(6, 2, 3, 2, 2, 4)(ours),
      1,
      'same',
      'NCDHW',
    );
    const last = ours.conv3d(volume(ours), tensor(6, 2, 3, 2, 2, 4)(ours), 1, 'same');
    expectClose(ours.transpose(first, [0, 2, 3, 4, 1]), last);
    const width = ours.conv1d(ours.transpose(line(ours), [0, 2, 1]), tensor(4, 4, 3, 5)(ours), 1, 'same', 'NCW');
    expectClose(ours.transpose(width, [0, 2, 1]), ours.conv1d(line(ours), tensor(4, 4, 3, 5)(ours), 1, 'same'));
  });

  it('convolves in groups, each of which is a convolution of its own', () => {
    const [x, filter] = [tensor(14, 2, 6, 5, 6)(ours), tensor(15, 3, 3, 2, 9)(ours)];
    const whole = ours.conv2d(x, filter, [2, 1], 'same');
    const [xs, filters] = [ours.split(x, 3, 3), ours.split(filter, 3, 3)];
    const parts = xs.map((part: Library, g: number) => ours.conv2d(part, filters[g], [2, 1], 'same'));
    expectClose(whole, ours.concat(parts, 3));
  });

  it('transposes over one axis as over two', () => {
    const [x, filter] = [tensor(16, 2, 6, 3)(ours), tensor(17, 5, 4, 3)(ours)];
    const wide = ours.conv2dTranspose(ours.expandDims(x, 1), ours.expandDims(filter, 0), [2, 1, 12, 4], [1, 2], 'same');
    expectClose(ours.conv1dTranspose(x, filter, [2, 12, 4], 2, 'same'), ours.squeeze(wide, [1]));
  });
});

describe('gradients', () => {
  const filter = tensor(18, 3, 3, 3, 4);
  const gradients: Record<string, [Case, (tf: Library, x: Library) => Library]> = {
    'conv1d x': [line, (tf, x) => tf.conv1d(x, tensor(4, 4, 3, 5)(tf), 2, 'same').square()],
    'conv1d filter': [tensor(4, 4, 3, 5), (tf, f) => tf.conv1d(line(tf), f, 2, 'same').square()],
    'conv3d x': [volume, (tf, x) => tf.conv3d(x, tensor(6, 2, 3, 2, 2, 4)(tf), [1, 2, 2], 'same').square()],
    'conv3d filter': [tensor(6, 2, 3, 2, 2, 4), (tf, f) => tf.conv3d(volume(tf), f, 1, 'valid').square()],
    'conv2dTranspose x': [
      image,
      (tf, x) => tf.conv2dTranspose(x, tensor(8, 3, 3, 4, 3)(tf), [2, 14, 12, 4], 2, 'same').square(),
    ],
    'conv2dTranspose filter': [
      tensor(8, 3, 3, 4, 3),
      (tf, f) => tf.conv2dTranspose(image(tf), f, [2, 14, 12, 4], 2, 'same').square(),
    ],
    'depthwise x': [image, (tf, x) => tf.depthwiseConv2d(x, tensor(10, 3, 3, 3, 2)(tf), 2, 'same').square()],
    'depthwise filter': [tensor(10, 3, 3, 3, 2), (tf, f) => tf.depthwiseConv2d(image(tf), f, 1, 'same').square()],
    'conv2d dilated': [filter, (tf, f) => tf.conv2d(image(tf), f, 1, 'same').square()],
  };
  it.each(Object.entries(gradients))('%s', (_name, [x, f]) => expectSameGradient(x, f));

  it('are there by name', () => {
    const x = (tf: Library) => image(tf);
    const dy = tensor(19, 2, 4, 3, 4);
    expectClose(
      ours.conv2DBackpropInput([2, 7, 6, 3], dy(ours), filter(ours), 2, 'same'),
      hidden.conv2DBackpropInput([2, 7, 6, 3], dy(theirs), filter(theirs), 2, 'same'),
    );
    expectClose(
      ours.conv2DBackpropFilter(x(ours), dy(ours), [3, 3, 3, 4], 2, 'same'),
      hidden.conv2DBackpropFilter(x(theirs), dy(theirs), [3, 3, 3, 4], 2, 'same'),
    );
    const [dz, f3] = [tensor(20, 2, 3, 4, 4, 4), tensor(6, 2, 3, 2, 2, 4)];
    expectClose(
      ours.conv3DBackpropInput([2, 4, 6, 5, 2], dz(ours), f3(ours), 1, 'valid'),
      hidden.conv3DBackpropInput([2, 4, 6, 5, 2], dz(theirs), f3(theirs), 1, 'valid'),
    );
    expectClose(
      ours.conv3DBackpropFilter(volume(ours), dz(ours), [2, 3, 2, 2, 4], 1, 'valid'),
      hidden.conv3DBackpropFilter(volume(theirs), dz(theirs), [2, 3, 2, 2, 4], 1, 'valid'),
    );
    const [dw, fw] = [tensor(21, 2, 4, 3, 6), tensor(10, 3, 3, 3, 2)];
    expectClose(
      ours.depthwiseConv2dNativeBackpropInput([2, 7, 6, 3], dw(ours), fw(ours), 2, 'same'),
      hidden.depthwiseConv2dNativeBackpropInput([2, 7, 6, 3], dw(theirs), fw(theirs), 2, 'same'),
    );
    expectClose(
      ours.depthwiseConv2dNativeBackpropFilter(x(ours), dw(ours), [3, 3, 3, 2], 2, 'same'),
      hidden.depthwiseConv2dNativeBackpropFilter(x(theirs), dw(theirs), [3, 3, 3, 2], 2, 'same'),
    );
  });
});

describe('errors', () => {
  const x = () => ours.ones([1, 8, 8, 3]);
  const refused: [string, () => unknown, RegExp][] = [
    ['rank', () => ours.conv3d(x(), ours.ones([3, 3, 3, 2, 2]), 1, 'same'), /^\[conv3d\] the filter's input channels/],
    [
      'rank of x',
      () => ours.conv1d(ours.ones([8]), ours.ones([3, 3, 3]), 1, 'same'),
      /^\[conv1d\] the input must have rank 3/,
    ],
    ['filter', () => ours.conv2d(x(), ours.ones([3, 3, 3]), 1, 'same'), /^\[conv2d\] the filter must have rank 4/],
    [
      'format',
      () => ours.conv2d(x(), ours.ones([3, 3, 3, 1]), 1, 'same', 'NWC'),
      /^\[conv2d\] dataFormat must be 'NHWC'/,
    ],
    [
      'strides',
      () => ours.conv2d(x(), ours.ones([3, 3, 3, 1]), [1, 2, 3], 'same'),
      /strides must be a positive integer/,
    ],
    ['zero stride', () => ours.conv2d(x(), ours.ones([3, 3, 3, 1]), 0, 'same'), /strides must be a positive integer/],
    ['pads', () => ours.conv2d(x(), ours.ones([3, 3, 3, 1]), 1, [[0, 0]]), /pair for each of four axes/],
    [
      'depthwise',
      () => ours.depthwiseConv2d(x(), ours.ones([3, 3, 2, 1]), 1, 'same'),
      /^\[depthwiseConv2d\] the filter/,
    ],
    [
      'pointwise',
      () => ours.separableConv2d(x(), ours.ones([3, 3, 3, 1]), ours.ones([3, 3, 3, 1]), 1, 'same'),
      /must be 1 x 1/,
    ],
    [
      'transposed channels',
      () => ours.conv2dTranspose(x(), ours.ones([3, 3, 4, 3]), [1, 16, 16, 5], 2, 'same'),
      /^\[conv2dTranspose\] the filter/,
    ],
    [
      'transposed extent',
      () => ours.conv2dTranspose(x(), ours.ones([3, 3, 4, 3]), [1, 30, 16, 4], 2, 'same'),
      /the gradient must have the shape of the convolution's output/,
    ],
  ];
  it.each(refused)('%s', (_name, f, message) => expect(f).toThrow(message));
});
