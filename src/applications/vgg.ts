/** Plain stacks of convolutions: LeNet-5, AlexNet, VGG16 and VGG19. */
import { type Functional, layers, model } from '../nn/index.ts';
import { type ClassifierArgs, type Classifier, checkRate, classifierOf } from './arguments.ts';
import { avgPool, conv, image, maxPool, pooled, predictions, type SymbolicTensor } from './blocks.ts';
import { LocalResponseNormalization } from './layers/local_response_normalization.ts';

/** Without normalization deep stacks only train from weights that keep the variance of relu's outputs (He et al. 2015). */
const he = { activation: 'relu', kernelInitializer: 'heNormal' } as const;

function dense(x: SymbolicTensor, name: string, units: number): SymbolicTensor {
  return layers.dense({ units, ...he, name }).apply(x);
}

/**
 * LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998): 5x5 convolutions of 6 and 16 maps, each followed by 2x2 means, then 120, 84
 * and the classes; tanh throughout. 61,706 parameters at [32, 32, 1] and 10 classes. Input: about -0.1 to 1.175 (the paper's), or
 * 0..1; 28x28 images want two pixels of padding on each side.
 *
 * Different from the paper, as nearly everybody has it since: a map of the second convolution sees all maps before it (in the
 * paper a table of them: 1,516 weights for 2,416), means have no weights of their own (12 and 32 there), and the output is a
 * softmax layer, not distances to fixed patterns. With those the paper counts 60,000.
 */
export function LeNet5(args: ClassifierArgs = {}): Functional {
  const net = classifierOf('LeNet5', args, { inputShape: [32, 32, 1], classes: 10, least: 16 }, false);
  const tanh = { activation: 'tanh', padding: 'valid' } as const;
  const entry = image(net);
  let x = conv(entry, 'c1', net.width(6), 5, tanh);
  x = avgPool(x, 's2', 2);
  x = conv(x, 'c3', net.width(16), 5, tanh);
  x = avgPool(x, 's4', 2);
  if (!net.includeTop) return model({ inputs: entry, outputs: pooled(x, net.pooling), name: net.name });
  x = layers.flatten({ name: 'flatten' }).apply(x);
  x = layers.dense({ units: net.width(120), activation: 'tanh', name: 'c5' }).apply(x);
  x = layers.dense({ units: net.width(84), activation: 'tanh', name: 'f6' }).apply(x);
  return model({ inputs: entry, outputs: predictions(x, net), name: net.name });
}

export interface DropoutTopArgs extends ClassifierArgs {
  /** Rate of dropout before the dense layers on top. */
  dropout?: number;
}

/**
 * AlexNet (Krizhevsky, Sutskever, Hinton 2012): 60,965,224 parameters at [227, 227, 3] and 1000 classes, the paper's "60 million".
 * The second, fourth and fifth convolution have two groups, which there lived on two cards; local response normalization after the
 * first two; overlapping 3x3 pooling; dropout 0.5. Input: RGB less the mean of the training set, about -120 to 135.
 *
 * Different from the paper: 227 pixels where it says 224 (its own numbers only work out so), weights after He et al. 2015 and
 * biases that begin at 0.
 */
export function AlexNet(args: DropoutTopArgs = {}): Functional {
  const net = classifierOf('AlexNet', args, { inputShape: [227, 227, 3], least: 67, others: ['dropout'] }, false);
  const even = (channels: number) => 2 * Math.max(1, Math.round((channels * net.alpha) / 2));
  const rate = checkRate('AlexNet', 'dropout', args.dropout ?? 0.5);
  // depthRadius, bias, alpha and beta are the paper's n = 5, k = 2, 1e-4, 0.75.
  const local = (x: SymbolicTensor, name: string) =>
    new LocalResponseNormalization({ depthRadius: 2, bias: 2, alpha: 1e-4, beta: 0.75, name }).apply(x);
  const entry = image(net);
  let x = conv(entry, 'conv1', even(96), 11, { ...he, strides: 4, padding: 'valid' });
  x = maxPool(local(x, 'norm1'), 'pool1', 3, { strides: 2 });
  x = conv(x, 'conv2', even(256), 5, { ...he, groups: 2 });
  x = maxPool(local(x, 'norm2'), 'pool2', 3, { strides: 2 });
  x = conv(x, 'conv3', even(384), 3, he);
  x = conv(x, 'conv4', even(384), 3, { ...he, groups: 2 });
  x = conv(x, 'conv5', even(256), 3, { ...he, groups: 2 });
  x = maxPool(x, 'pool5', 3, { strides: 2 });
  return withDenseTop(entry, x, net, ['fc6', 'fc7'], rate);
}

/** Two layers of 4096, each with dropout behind it, and the classes. */
function withDenseTop(
  entry: SymbolicTensor,
  features: SymbolicTensor,
  net: Classifier,
  names: readonly string[],
  rate: number,
): Functional {
  const { includeTop, pooling, name } = net;
  if (!includeTop) return model({ inputs: entry, outputs: pooled(features, pooling), name });
  let x = layers.flatten({ name: 'flatten' }).apply(features);
  for (const layer of names) {
    x = dense(x, layer, net.width(4096));
    if (rate > 0) x = layers.dropout({ rate, name: `${layer}_dropout` }).apply(x);
  }
  return model({ inputs: entry, outputs: predictions(x, net), name });
}

/** The convolutions of VGG: in each block so many of 3x3, then 2x2 pooling. Returns the outputs of all blocks. */
export function vggBlocks(
  entry: SymbolicTensor,
  counts: readonly number[],
  width: (channels: number) => number,
): SymbolicTensor[] {
  const ends: SymbolicTensor[] = [];
  let x = entry;
  [64, 128, 256, 512, 512].forEach((channels, block) => {
    for (let i = 1; i <= counts[block]; i++) x = conv(x, `block${block + 1}_conv${i}`, width(channels), 3, he);
    x = maxPool(x, `block${block + 1}_pool`, 2);
    ends.push(x);
  });
  return ends;
}

function vgg(op: string, counts: readonly number[], args: DropoutTopArgs): Functional {
  const net = classifierOf(op, args, { inputShape: [224, 224, 3], least: 32, others: ['dropout'] }, false);
  const rate = checkRate(op, 'dropout', args.dropout ?? 0);
  const entry = image(net);
  return withDenseTop(entry, vggBlocks(entry, counts, net.width)[4], net, ['fc1', 'fc2'], rate);
}

/**
 * VGG16 (Simonyan and Zisserman 2014, configuration D): 138,357,544 parameters at [224, 224, 3] and 1000 classes. Layers are named
 * as in keras.applications.VGG16, so that its weights fit. Input: BGR less the means 103.939, 116.779, 123.68
 * (`preprocessInput(x, {mode: 'caffe'})`).
 *
 * Different: weights begin after He et al. 2015, with which it trains from nothing (the paper starts from a shallower net), and
 * there is no dropout unless asked for, as in Keras; the paper's rate is 0.5.
 */
export const VGG16 = (args: DropoutTopArgs = {}): Functional => vgg('VGG16', [2, 2, 3, 3, 3], args);

/** VGG19 (the same paper, configuration E): 143,667,240 parameters. All else as in VGG16. */
export const VGG19 = (args: DropoutTopArgs = {}): Functional => vgg('VGG19', [2, 2, 4, 4, 4], args);
