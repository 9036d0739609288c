/** Residual networks: ResNet of both versions, basic and bottleneck blocks, and squeeze-and-excitation. */
import { type Functional, layers } from '../nn/index.ts';
import { type ClassifierArgs, type Classifier, classifierOf } from './arguments.ts';
import {
  add,
  channelsOf,
  conv,
  image,
  maxPool,
  norm,
  padded,
  relu,
  type SymbolicTensor,
  withAverageTop,
} from './blocks.ts';

/** What tells one residual network from another. */
interface Design {
  readonly op: string;
  /** Blocks in each of the four stages. */
  readonly depths: readonly number[];
  /** A basic block is two 3x3 convolutions; a bottleneck 1x1, 3x3 and a 1x1 of four times as many channels. */
  readonly block: 'basic' | 'bottleneck';
  /** Whether convolutions have biases, though a normalization follows: Keras's have. */
  readonly biased: boolean;
  /** The channels between the two layers of squeeze-and-excitation are as many times fewer. */
  readonly squeeze?: number;
}

interface Stroke {
  readonly net: Classifier;
  readonly design: Design;
}

const epsilon = 1.001e-5;
const bn = (x: SymbolicTensor, name: string) => norm(x, name, { epsilon });

/** Convolution with zeros on all sides, so that a stride samples the same places in every framework. */
function conv3x3(x: SymbolicTensor, name: string, filters: number, strides: number, useBias: boolean): SymbolicTensor {
  const y = strides === 1 ? x : padded(x, name.replace(/conv$/, 'pad'), 1);
  return conv(y, name, filters, 3, { strides, useBias, padding: strides === 1 ? 'same' : 'valid' });
}

/** x times a factor for each channel, which follows from the means of all (Hu, Shen, Sun 2018). */
function squeezeExcite(x: SymbolicTensor, name: string, ratio: number): SymbolicTensor {
  const channels = channelsOf(x);
  let factor = layers.globalAveragePooling2d({ name: `${name}_squeeze` }).apply(x);
  const units = Math.max(1, Math.floor(channels / ratio));
  factor = layers.dense({ units, activation: 'relu', name: `${name}_reduce` }).apply(factor);
  factor = layers.dense({ units: channels, activation: 'sigmoid', name: `${name}_expand` }).apply(factor);
  factor = layers.reshape({ targetShape: [1, 1, channels], name: `${name}_factor` }).apply(factor);
  return layers.multiply({ name: `${name}_excite` }).apply([x, factor]);
}

/** relu(shortcut(x) + branch(x)), each convolution with its normalization behind it. */
function block1(x: SymbolicTensor, name: string, filters: number, stride: number, { net, design }: Stroke) {
  const useBias = design.biased;
  const narrow = net.width(filters);
  const wide = design.block === 'basic' ? narrow : net.width(4 * filters);
  let y: SymbolicTensor;
  if (design.block === 'basic') {
    y = relu(bn(conv3x3(x, `${name}_1_conv`, narrow, stride, useBias), `${name}_1_bn`), `${name}_1_relu`);
    y = bn(conv3x3(y, `${name}_2_conv`, narrow, 1, useBias), `${name}_2_bn`);
  } else {
    // Squeeze-and-excitation networks stride in the 3x3 convolution, Keras's ResNets as the paper in the first.
    const late = design.squeeze !== undefined;
    y = conv(x, `${name}_1_conv`, narrow, 1, { strides: late ? 1 : stride, useBias });
    y = relu(bn(y, `${name}_1_bn`), `${name}_1_relu`);
    y = relu(bn(conv3x3(y, `${name}_2_conv`, narrow, late ? stride : 1, useBias), `${name}_2_bn`), `${name}_2_relu`);
    y = bn(conv(y, `${name}_3_conv`, wide, 1, { useBias }), `${name}_3_bn`);
  }
  if (design.squeeze) y = squeezeExcite(y, `${name}_se`, design.squeeze);
  const shortcut =
    stride !== 1 || channelsOf(x) !== wide
      ? bn(conv(x, `${name}_0_conv`, wide, 1, { strides: stride, useBias }), `${name}_0_bn`)
      : x;
  return relu(add([shortcut, y], `${name}_add`), `${name}_out`);
}

function version1(design: Design, args: ClassifierArgs): Functional {
  const net = classifierOf(design.op, args, { inputShape: [224, 224, 3], least: 32 });
  const entry = image(net);
  let x = padded(entry, 'conv1_pad', 3);
  x = conv(x, 'conv1_conv', net.width(64), 7, { strides: 2, padding: 'valid', useBias: design.biased });
  x = relu(bn(x, 'conv1_bn'), 'conv1_relu');
  // The values are not negative, so zeros around them are what the paper's padding is.
  x = maxPool(padded(x, 'pool1_pad', 1), 'pool1_pool', 3, { strides: 2 });
  design.depths.forEach((depth, stage) => {
    for (let i = 1; i <= depth; i++) {
      const stride = i === 1 && stage > 0 ? 2 : 1;
      x = block1(x, `conv${stage + 2}_block${i}`, 64 * 2 ** stage, stride, { net, design });
    }
  });
  return withAverageTop(entry, x, net);
}

/** shortcut(x) + branch(relu(norm(x))): what is added is never normalized, so that x reaches every depth. */
function block2(x: SymbolicTensor, name: string, filters: number, stride: number, first: boolean, stroke: Stroke) {
  const { net, design } = stroke;
  const narrow = net.width(filters);
  const wide = design.block === 'basic' ? narrow : net.width(4 * filters);
  const ready = relu(bn(x, `${name}_preact_bn`), `${name}_preact_relu`);
  let shortcut = x;
  const projects = design.block === 'bottleneck' ? first : stride !== 1 || channelsOf(x) !== wide;
  if (projects) shortcut = conv(ready, `${name}_0_conv`, wide, 1, { strides: stride, useBias: design.biased });
  else if (stride > 1) shortcut = maxPool(x, `${name}_0_pool`, 1, { strides: stride });
  let y: SymbolicTensor;
  if (design.block === 'basic') {
    y = conv3x3(ready, `${name}_1_conv`, narrow, stride, false);
    y = relu(bn(y, `${name}_1_bn`), `${name}_1_relu`);
    y = conv3x3(y, `${name}_2_conv`, narrow, 1, design.biased);
  } else {
    y = conv(ready, `${name}_1_conv`, narrow, 1, { useBias: false });
    y = relu(bn(y, `${name}_1_bn`), `${name}_1_relu`);
    y = conv3x3(y, `${name}_2_conv`, narrow, stride, false);
    y = relu(bn(y, `${name}_2_bn`), `${name}_2_relu`);
    y = conv(y, `${name}_3_conv`, wide, 1, { useBias: design.biased });
  }
  return add([shortcut, y], `${name}_out`);
}

function version2(design: Design, args: ClassifierArgs): Functional {
  const net = classifierOf(design.op, args, { inputShape: [224, 224, 3], least: 32 });
  const entry = image(net);
  let x = padded(entry, 'conv1_pad', 3);
  x = conv(x, 'conv1_conv', net.width(64), 7, { strides: 2, padding: 'valid', useBias: design.biased });
  x = maxPool(padded(x, 'pool1_pad', 1), 'pool1_pool', 3, { strides: 2 });
  const last = design.depths.length - 1;
  design.depths.forEach((depth, stage) => {
    for (let i = 1; i <= depth; i++) {
      // Keras's stages stride at their end, basic ones (there are none in Keras) at their beginning.
      const at = design.block === 'bottleneck' ? i === depth && stage < last : i === 1 && stage > 0;
      x = block2(x, `conv${stage + 2}_block${i}`, 64 * 2 ** stage, at ? 2 : 1, i === 1, { net, design });
    }
  });
  return withAverageTop(entry, relu(bn(x, 'post_bn'), 'post_relu'), net);
}

const bottleneck = { block: 'bottleneck', biased: true } as const;
const basic = { block: 'basic', biased: false } as const;

/**
 * ResNet-18 (He, Zhang, Ren, Sun 2015): 11,689,512 trained parameters at [224, 224, 3] and 1000 classes, and 9,600 moving averages.
 * Basic blocks, projections where the shape changes, no biases before normalizations (as in torchvision; Keras has no ResNet-18).
 * Input: what it is trained with; usual is `preprocessInput(x, {mode: 'torch'})`.
 */
export const ResNet18 = (args: ClassifierArgs = {}): Functional =>
  version1({ op: 'ResNet18', depths: [2, 2, 2, 2], ...basic }, args);

/**
 * ResNet-50 (He, Zhang, Ren, Sun 2015): 25,636,712 parameters at [224, 224, 3] and 1000 classes, biases and moving averages included,
 * as in keras.applications.ResNet50, whose layer names it has, so that its weights fit. Input: BGR less the means 103.939,
 * 116.779, 123.68 (`preprocessInput(x, {mode: 'caffe'})`). Strides stand in the first 1x1 convolution of a stage, as in the paper.
 */
export const ResNet50 = (args: ClassifierArgs = {}): Functional =>
  version1({ op: 'ResNet50', depths: [3, 4, 6, 3], ...bottleneck }, args);

/** ResNet-101 (the same paper): 44,707,176 parameters. All else as in ResNet50. */
export const ResNet101 = (args: ClassifierArgs = {}): Functional =>
  version1({ op: 'ResNet101', depths: [3, 4, 23, 3], ...bottleneck }, args);

/**
 * ResNet-18 of version 2 (He et al. 2016, "Identity mappings"): 11,687,720 trained parameters. Basic blocks with normalization and
 * relu in front of each convolution, without biases; a stage strides in its first block. Input as of ResNet18.
 */
export const ResNet18V2 = (args: ClassifierArgs = {}): Functional =>
  version2({ op: 'ResNet18V2', depths: [2, 2, 2, 2], ...basic }, args);

/**
 * ResNet-50 of version 2 (He et al. 2016, "Identity mappings"): 25,613,800 parameters, layers named as in
 * keras.applications.ResNet50V2. Normalization and relu stand before the convolutions; a stage strides in its last block.
 * Input: -1..1 (`preprocessInput(x, {mode: 'tf'})`).
 */
export const ResNet50V2 = (args: ClassifierArgs = {}): Functional =>
  version2({ op: 'ResNet50V2', depths: [3, 4, 6, 3], ...bottleneck }, args);

/** ResNet-101 of version 2: 44,675,560 parameters. All else as in ResNet50V2. */
export const ResNet101V2 = (args: ClassifierArgs = {}): Functional =>
  version2({ op: 'ResNet101V2', depths: [3, 4, 23, 3], ...bottleneck }, args);

/**
 * SE-ResNet-50 (Hu, Shen, Sun 2018): 28,088,024 trained parameters at [224, 224, 3] and 1000 classes, the paper's 28.1 million, and
 * 53,120 moving averages. ResNet-50 without biases before normalizations, with strides in the 3x3 convolutions, and a factor for
 * each channel at the end of each branch (reduction 16, layers with biases). Input as of ResNet18.
 */
export const SEResNet50 = (args: ClassifierArgs = {}): Functional =>
  version1({ op: 'SEResNet50', depths: [3, 4, 6, 3], block: 'bottleneck', biased: false, squeeze: 16 }, args);
