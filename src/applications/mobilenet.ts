/** Networks of depthwise separable convolutions: MobileNet in two versions. */
import { type Functional, layers, model } from '../nn/index.ts';
import { type ClassifierArgs, checkCount, checkRate, classifierOf } from './arguments.ts';
import {
  activate,
  add,
  channelsOf,
  conv,
  image,
  norm,
  padded,
  paddedForStride2,
  pooled,
  relu6,
  type SymbolicTensor,
  withAverageTop,
} from './blocks.ts';

export interface MobileNetArgs extends ClassifierArgs {
  /** Filters for each channel of a depthwise convolution; default 1. */
  depthMultiplier?: number;
  /** Rate of dropout before the last layer; default 0.001. */
  dropout?: number;
}

function depthwise(x: SymbolicTensor, name: string, kernelSize: number, strides: number, depthMultiplier = 1) {
  const padding = strides === 1 ? 'same' : 'valid';
  return layers.depthwiseConv2d({ kernelSize, strides, padding, depthMultiplier, useBias: false, name }).apply(x);
}

/**
 * MobileNet (Howard et al. 2017): 4,253,864 parameters at [224, 224, 3], alpha 1 and 1000 classes, moving averages included; layers named
 * as in keras.applications.MobileNet. alpha is the paper's width multiplier. Input: -1..1
 * (`preprocessInput(x, {mode: 'tf'})`).
 */
export function MobileNet(args: MobileNetArgs = {}): Functional {
  const op = 'MobileNet';
  const defaults = { inputShape: [224, 224, 3], least: 32, others: ['depthMultiplier', 'dropout'] };
  const net = classifierOf(op, args, defaults);
  const multiplier = checkCount(op, 'depthMultiplier', args.depthMultiplier ?? 1);
  const rate = checkRate(op, 'dropout', args.dropout ?? 1e-3);
  const width = (channels: number) => Math.max(1, Math.floor(channels * net.alpha));
  const entry = image(net);
  let x = conv(entry, 'conv1', width(32), 3, { strides: 2, useBias: false });
  x = relu6(norm(x, 'conv1_bn'), 'conv1_relu');
  const filters = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024];
  for (const [i, channels] of filters.entries()) {
    const stride = [1, 3, 5, 11].includes(i) ? 2 : 1;
    if (stride === 2) x = padded(x, `conv_pad_${i + 1}`, 0, 1);
    x = depthwise(x, `conv_dw_${i + 1}`, 3, stride, multiplier);
    x = relu6(norm(x, `conv_dw_${i + 1}_bn`), `conv_dw_${i + 1}_relu`);
    x = conv(x, `conv_pw_${i + 1}`, width(channels), 1, { useBias: false });
    x = relu6(norm(x, `conv_pw_${i + 1}_bn`), `conv_pw_${i + 1}_relu`);
  }
  if (!net.includeTop) return model({ inputs: entry, outputs: pooled(x, net.pooling), name: net.name });
  // A 1x1 convolution of one pixel is a dense layer; Keras has it so, and its weights have that shape.
  const features = channelsOf(x);
  x = layers.globalAveragePooling2d({ name: 'global_average_pooling2d' }).apply(x);
  x = layers.reshape({ targetShape: [1, 1, features], name: 'reshape_1' }).apply(x);
  if (rate > 0) x = layers.dropout({ rate, name: 'dropout' }).apply(x);
  x = conv(x, 'conv_preds', net.classes, 1);
  x = layers.reshape({ targetShape: [net.classes], name: 'reshape_2' }).apply(x);
  return model({ inputs: entry, outputs: activate(x, 'predictions', net.classifierActivation), name: net.name });
}

/** The multiple of 8 that is nearest, but not less than 0.9 of it. */
export function toMultipleOf8(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

const slow = { epsilon: 1e-3, momentum: 0.999 } as const;

/** Wide in the middle, narrow and linear at its ends, which are added where they have one shape. */
function invertedResidual(x: SymbolicTensor, name: string, filters: number, stride: number, expansion: number) {
  const channels = channelsOf(x);
  let y = x;
  if (expansion > 1) {
    y = conv(y, `${name}_expand`, expansion * channels, 1, { useBias: false });
    y = relu6(norm(y, `${name}_expand_BN`, slow), `${name}_expand_relu`);
  }
  if (stride === 2) y = paddedForStride2(y, `${name}_pad`, 3);
  y = depthwise(y, `${name}_depthwise`, 3, stride);
  y = relu6(norm(y, `${name}_depthwise_BN`, slow), `${name}_depthwise_relu`);
  y = norm(conv(y, `${name}_project`, filters, 1, { useBias: false }), `${name}_project_BN`, slow);
  return channels === filters && stride === 1 ? add([x, y], `${name}_add`) : y;
}

/**
 * MobileNetV2 (Sandler et al. 2018): 3,538,984 parameters at [224, 224, 3], alpha 1 and 1000 classes, moving averages included; layers named
 * as in keras.applications.MobileNetV2. Channels are multiples of 8 for every alpha; the last 1280 grow with alpha but do
 * not shrink. Input: -1..1 (`preprocessInput(x, {mode: 'tf'})`).
 */
export function MobileNetV2(args: ClassifierArgs = {}): Functional {
  const net = classifierOf('MobileNetV2', args, { inputShape: [224, 224, 3], least: 32 });
  const width = (channels: number) => toMultipleOf8(channels * net.alpha);
  const entry = image(net);
  let x = conv(entry, 'Conv1', width(32), 3, { strides: 2, useBias: false });
  x = relu6(norm(x, 'bn_Conv1', slow), 'Conv1_relu');
  x = invertedResidual(x, 'expanded_conv', width(16), 1, 1);
  let block = 0;
  // Channels, blocks and the stride of the first, from the paper's table 2.
  const stages = [
    [24, 2, 2],
    [32, 3, 2],
    [64, 4, 2],
    [96, 3, 1],
    [160, 3, 2],
    [320, 1, 1],
  ] as const;
  for (const [channels, count, stride] of stages) {
    for (let i = 0; i < count; i++) {
      x = invertedResidual(x, `block_${++block}`, width(channels), i === 0 ? stride : 1, 6);
    }
  }
  x = conv(x, 'Conv_1', net.alpha > 1 ? width(1280) : 1280, 1, { useBias: false });
  x = relu6(norm(x, 'Conv_1_bn', slow), 'out_relu');
  return withAverageTop(entry, x, net);
}
