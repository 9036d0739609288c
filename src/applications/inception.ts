/** Networks whose blocks look at several scales at once: GoogLeNet and Inception-v3. */
import { type Functional, layers, model } from '../nn/index.ts';
import { type ClassifierArgs, type Classifier, checkRate, classifierOf } from './arguments.ts';
import {
  activate,
  avgPool,
  concat,
  conv,
  image,
  maxPool,
  norm,
  pooled,
  predictions,
  type Size,
  type SymbolicTensor,
  withAverageTop,
} from './blocks.ts';
import { LocalResponseNormalization } from './layers/local_response_normalization.ts';

export interface GoogLeNetArgs extends ClassifierArgs {
  /** Rate of dropout before the last layer; default 0.4. */
  dropout?: number;
  /** Two more classifiers, behind blocks 4a and 4d, whose losses count 0.3 in the paper; the outputs are then three. Default false. */
  auxiliary?: boolean;
}

/** Channels of the paper's table 1: 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5; after pooling. */
const blocks: { readonly [name: string]: readonly [number, number, number, number, number, number] } = {
  '3a': [64, 96, 128, 16, 32, 32],
  '3b': [128, 128, 192, 32, 96, 64],
  '4a': [192, 96, 208, 16, 48, 64],
  '4b': [160, 112, 224, 24, 64, 64],
  '4c': [128, 128, 256, 24, 64, 64],
  '4d': [112, 144, 288, 32, 64, 64],
  '4e': [256, 160, 320, 32, 128, 128],
  '5a': [256, 160, 320, 32, 128, 128],
  '5b': [384, 192, 384, 48, 128, 128],
};

const he = { activation: 'relu', kernelInitializer: 'heNormal' } as const;

function inception(x: SymbolicTensor, name: string, net: Classifier): SymbolicTensor {
  const [one, reduce3, three, reduce5, five, after] = blocks[name].map(net.width);
  const named = (part: string) => `inception_${name}_${part}`;
  const pool = maxPool(x, named('pool'), 3, { strides: 1, padding: 'same' });
  return concat(
    [
      conv(x, named('1x1'), one, 1, he),
      conv(conv(x, named('3x3_reduce'), reduce3, 1, he), named('3x3'), three, 3, he),
      conv(conv(x, named('5x5_reduce'), reduce5, 1, he), named('5x5'), five, 5, he),
      conv(pool, named('pool_proj'), after, 1, he),
    ],
    named('output'),
  );
}

/** The classifier that hangs on a block in the middle. */
function auxiliary(x: SymbolicTensor, number: number, net: Classifier): SymbolicTensor {
  const name = `loss${number}`;
  let y = avgPool(x, `${name}_pool`, 5, { strides: 3 });
  y = conv(y, `${name}_conv`, net.width(128), 1, he);
  y = layers.flatten({ name: `${name}_flatten` }).apply(y);
  y = layers.dense({ units: net.width(1024), ...he, name: `${name}_fc` }).apply(y);
  y = layers.dropout({ rate: 0.7, name: `${name}_dropout` }).apply(y);
  const { classes, classifierActivation: activation } = net;
  return layers.dense({ units: classes, activation, name: `${name}_predictions` }).apply(y);
}

/**
 * GoogLeNet (Szegedy et al. 2014, table 1): 6,998,552 parameters at [224, 224, 3] and 1000 classes, 13,378,280 with the auxiliary
 * classifiers, which are those of the authors' Caffe model. Input: BGR less the means (`preprocessInput(x, {mode: 'caffe'})`).
 * Different: weights begin after He et al. 2015.
 */
export function GoogLeNet(args: GoogLeNetArgs = {}): Functional {
  const op = 'GoogLeNet';
  const { auxiliary: more = false } = args;
  const defaults = { inputShape: [224, 224, 3], least: more ? 80 : 32, others: ['dropout', 'auxiliary'] };
  const net = classifierOf(op, args, defaults, !more);
  const rate = checkRate(op, 'dropout', args.dropout ?? 0.4);
  const local = (x: SymbolicTensor, name: string) =>
    new LocalResponseNormalization({ depthRadius: 2, alpha: 1e-4 / 5, beta: 0.75, name }).apply(x);
  const shrink = { strides: 2, padding: 'same' } as const;
  const entry = image(net);
  let x = conv(entry, 'conv1', net.width(64), 7, { ...he, strides: 2 });
  x = local(maxPool(x, 'pool1', 3, shrink), 'norm1');
  x = conv(x, 'conv2_reduce', net.width(64), 1, he);
  x = local(conv(x, 'conv2', net.width(192), 3, he), 'norm2');
  x = maxPool(x, 'pool2', 3, shrink);
  const ends = new Map<string, SymbolicTensor>();
  for (const name of Object.keys(blocks)) {
    x = inception(x, name, net);
    ends.set(name, x);
    if (name === '3b' || name === '4e') x = maxPool(x, `pool${name[0]}`, 3, shrink);
  }
  const top = { rate, name: 'dropout' };
  if (!more || !net.includeTop) return withAverageTop(entry, x, net, top);
  let last = pooled(x, 'avg');
  if (rate > 0) last = layers.dropout(top).apply(last);
  const outputs = [predictions(last, net), auxiliary(ends.get('4a')!, 1, net), auxiliary(ends.get('4d')!, 2, net)];
  return model({ inputs: entry, outputs, name: net.name });
}

/** Draws convolutions with normalization and relu, numbered as Keras numbers them in a new session. */
class Numbered {
  #next = 0;
  readonly #net: Classifier;
  constructor(net: Classifier) {
    this.#net = net;
  }
  conv(x: SymbolicTensor, filters: number, size: Size, options: { strides?: number; padding?: 'valid' } = {}) {
    const suffix = this.#next === 0 ? '' : `_${this.#next}`;
    this.#next++;
    const y = conv(x, `conv2d${suffix}`, this.#net.width(filters), size, { ...options, useBias: false });
    const normed = norm(y, `batch_normalization${suffix}`, { scale: false });
    return activate(normed, `activation${suffix}`, 'relu');
  }
  pool(x: SymbolicTensor, name: string): SymbolicTensor {
    return avgPool(x, `${name}_pool`, 3, { strides: 1, padding: 'same' });
  }
}

const valid = { padding: 'valid' } as const;
const shrinking = { strides: 2, padding: 'valid' } as const;

/** 35x35: 1x1, 5x5, two 3x3, and the mean of neighbours. */
function blockA(x: SymbolicTensor, name: string, after: number, draw: Numbered): SymbolicTensor {
  const one = draw.conv(x, 64, 1);
  const five = draw.conv(draw.conv(x, 48, 1), 64, 5);
  const double = draw.conv(draw.conv(draw.conv(x, 64, 1), 96, 3), 96, 3);
  return concat([one, five, double, draw.conv(draw.pool(x, name), after, 1)], name);
}

/** 17x17: 7x7 as 1x7 and 7x1, once and twice. */
function blockB(x: SymbolicTensor, name: string, width: number, draw: Numbered): SymbolicTensor {
  const one = draw.conv(x, 192, 1);
  const once = draw.conv(draw.conv(draw.conv(x, width, 1), width, [1, 7]), 192, [7, 1]);
  let twice = draw.conv(x, width, 1);
  for (const [i, size] of (
    [
      [7, 1],
      [1, 7],
      [7, 1],
      [1, 7],
    ] as const
  ).entries()) {
    twice = draw.conv(twice, i === 3 ? 192 : width, [...size]);
  }
  return concat([one, once, twice, draw.conv(draw.pool(x, name), 192, 1)], name);
}

/** 8x8: the last 3x3 of each branch as 1x3 beside 3x1. */
function blockC(x: SymbolicTensor, name: string, draw: Numbered): SymbolicTensor {
  const split = (y: SymbolicTensor, part: string) =>
    concat([draw.conv(y, 384, [1, 3]), draw.conv(y, 384, [3, 1])], `${name}_${part}`);
  const one = draw.conv(x, 320, 1);
  const three = split(draw.conv(x, 384, 1), '3x3');
  const double = split(draw.conv(draw.conv(x, 448, 1), 384, 3), '3x3dbl');
  return concat([one, three, double, draw.conv(draw.pool(x, name), 192, 1)], name);
}

/**
 * Inception-v3 (Szegedy et al. 2015, "Rethinking the Inception architecture"): 23,851,784 parameters at [299, 299, 3] and 1000 classes,
 * moving averages included, as in keras.applications.InceptionV3. Normalizations have no factor; there is no auxiliary
 * classifier, no dropout. Input: -1..1 (`preprocessInput(x, {mode: 'tf'})`), at least 75 pixels.
 */
export function InceptionV3(args: ClassifierArgs = {}): Functional {
  const net = classifierOf('InceptionV3', args, { inputShape: [299, 299, 3], least: 75 });
  const draw = new Numbered(net);
  const entry = image(net);
  let x = draw.conv(entry, 32, 3, shrinking);
  x = draw.conv(draw.conv(x, 32, 3, valid), 64, 3);
  x = maxPool(x, 'pool1', 3, { strides: 2 });
  x = draw.conv(draw.conv(x, 80, 1, valid), 192, 3, valid);
  x = maxPool(x, 'pool2', 3, { strides: 2 });
  [32, 64, 64].forEach((after, i) => {
    x = blockA(x, `mixed${i}`, after, draw);
  });
  const plain = draw.conv(x, 384, 3, shrinking);
  const double = draw.conv(draw.conv(draw.conv(x, 64, 1), 96, 3), 96, 3, shrinking);
  x = concat([plain, double, maxPool(x, 'mixed3_pool', 3, { strides: 2 })], 'mixed3');
  [128, 160, 160, 192].forEach((width, i) => {
    x = blockB(x, `mixed${i + 4}`, width, draw);
  });
  const three = draw.conv(draw.conv(x, 192, 1), 320, 3, shrinking);
  let seven = draw.conv(draw.conv(draw.conv(x, 192, 1), 192, [1, 7]), 192, [7, 1]);
  seven = draw.conv(seven, 192, 3, shrinking);
  x = concat([three, seven, maxPool(x, 'mixed8_pool', 3, { strides: 2 })], 'mixed8');
  x = blockC(blockC(x, 'mixed9', draw), 'mixed10', draw);
  return withAverageTop(entry, x, net);
}
