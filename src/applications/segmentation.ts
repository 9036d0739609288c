/** Networks that give a class to each pixel: U-Net and FCN-8s. */
import { fail } from '../base/errors.ts';
import { type ActivationIdentifier, type Functional, type KerasShape, layers, model } from '../nn/index.ts';
import { checkCount, checkFactor, checkImageShape, checkNames, checkRate } from './arguments.ts';
import { add, concat, conv, image, maxPool, type SymbolicTensor } from './blocks.ts';
import { vggBlocks } from './vgg.ts';

export interface UNetArgs {
  /** [height, width, channels]; default [572, 572, 1]. */
  inputShape?: KerasShape;
  /** Default 2. */
  classes?: number;
  /** Channels of the first level, which each level below doubles; default 64. */
  filters?: number;
  /** How often the image is halved; default 4. */
  depth?: number;
  /** 'valid' (the default) is the paper's: 572 pixels give 388. 'same' keeps the size, which must be a multiple of 2^depth. */
  padding?: 'valid' | 'same';
  /** Rate of dropout at the end of the contracting path; default 0.5. */
  dropout?: number;
  /** Default 'softmax', over the classes of each pixel. */
  classifierActivation?: ActivationIdentifier;
  name?: string;
}

const he = { activation: 'relu', kernelInitializer: 'heNormal' } as const;

/** The middle of x, of that height and width. */
function cropped(x: SymbolicTensor, like: SymbolicTensor, name: string): SymbolicTensor {
  const margins = [1, 2].map((axis): [number, number] => {
    const spare = x.shape[axis]! - like.shape[axis]!;
    return [spare >> 1, spare - (spare >> 1)];
  });
  if (margins.flat().every((n) => n === 0)) return x;
  return layers.cropping2D({ cropping: [margins[0], margins[1]], name }).apply(x);
}

/** Whether every level is even before it is halved, and the lowest still has room for its two convolutions. */
function checkLevels(extent: number, depth: number, padding: 'valid' | 'same'): boolean {
  const loss = padding === 'valid' ? 4 : 0;
  let n = extent;
  for (let level = 0; level < depth; level++) {
    n -= loss;
    if (n < 2 || n % 2 !== 0) return false;
    n /= 2;
  }
  return n - loss >= 1;
}

/**
 * U-Net (Ronneberger, Fischer, Brox 2015): two 3x3 convolutions on each level, 2x2 pooling down, 2x2 transposed convolutions up,
 * each level of the way up beside what the way down had there. 31,030,658 parameters at [572, 572, 1], 2 classes, with the paper's
 * sizes: unpadded convolutions, 388 pixels of output. Output [batch, height', width', classes]. Input: any scale, 0..1 is usual.
 */
export function UNet(args: UNetArgs = {}): Functional {
  const op = 'UNet';
  const known = ['inputShape', 'classes', 'filters', 'depth', 'padding', 'dropout', 'classifierActivation', 'name'];
  checkNames(op, args, known);
  const { padding = 'valid', classifierActivation = 'softmax', name = 'unet' } = args;
  const inputShape = checkImageShape(op, args.inputShape ?? [572, 572, 1], 2, false);
  const classes = checkCount(op, 'classes', args.classes ?? 2);
  const first = checkCount(op, 'filters', args.filters ?? 64);
  const depth = checkCount(op, 'depth', args.depth ?? 4);
  const rate = checkRate(op, 'dropout', args.dropout ?? 0.5);
  if (padding !== 'valid' && padding !== 'same') fail(op, "padding must be 'valid' or 'same'", `got ${padding}`);
  if (!inputShape.slice(0, 2).every((n) => checkLevels(n!, depth, padding))) {
    const hint = padding === 'same' ? `pass multiples of ${2 ** depth}` : '572, 556 or 188 do with depth 4';
    fail(
      op,
      `height and width must be even on each of ${depth} levels`,
      `got [${inputShape}], padding ${padding}`,
      hint,
    );
  }
  const double = (x: SymbolicTensor, label: string, filters: number) =>
    [1, 2].reduce((y, i) => conv(y, `${label}_conv${i}`, filters, 3, { ...he, padding }), x);
  const entry = image({ inputShape, name });
  const skips: SymbolicTensor[] = [];
  let x = entry;
  for (let level = 0; level < depth; level++) {
    x = double(x, `down${level + 1}`, first * 2 ** level);
    if (level === depth - 1 && rate > 0) x = layers.dropout({ rate, name: `down${depth}_dropout` }).apply(x);
    skips.push(x);
    x = maxPool(x, `down${level + 1}_pool`, 2);
  }
  x = double(x, 'bottom', first * 2 ** depth);
  if (rate > 0) x = layers.dropout({ rate, name: 'bottom_dropout' }).apply(x);
  for (let level = depth - 1; level >= 0; level--) {
    const label = `up${level + 1}`;
    const filters = first * 2 ** level;
    x = layers.conv2dTranspose({ ...he, filters, kernelSize: 2, strides: 2, name: `${label}_enlarge` }).apply(x);
    x = double(concat([cropped(skips[level], x, `${label}_crop`), x], `${label}_concat`), `${label}`, filters);
  }
  const outputs = conv(x, 'predictions', classes, 1, { activation: classifierActivation });
  return model({ inputs: entry, outputs, name });
}

export interface FCN8sArgs {
  /** [height, width, channels], multiples of 32; default [512, 512, 3]. */
  inputShape?: KerasShape;
  /** Default 21, those of PASCAL VOC with the background. */
  classes?: number;
  /** Rate of dropout behind the two layers that replace VGG's dense ones; default 0.5. */
  dropout?: number;
  /** Factor on the number of channels; default 1. */
  alpha?: number;
  /** Default 'softmax', over the classes of each pixel. */
  classifierActivation?: ActivationIdentifier;
  name?: string;
}

/** Enlarges by `scale` with the smooth window that the paper begins with: twice as wide as the stride. */
function enlarged(x: SymbolicTensor, name: string, classes: number, scale: number): SymbolicTensor {
  const window = { filters: classes, kernelSize: 2 * scale, strides: scale, padding: 'same', useBias: false } as const;
  return layers.conv2dTranspose({ ...window, kernelInitializer: 'glorotUniform', name }).apply(x);
}

/**
 * FCN-8s (Long, Shelhamer, Darrell 2015) on VGG16: the dense layers as a 7x7 and a 1x1 convolution, scores of pool3 and pool4
 * added, transposed convolutions up to the input's size. 134,489,759 parameters at 21 classes. Output [batch, height, width,
 * classes]. Input: BGR less the means (`preprocessInput(x, {mode: 'caffe'})`).
 *
 * Different: padding 'same' throughout in place of 100 pixels around the image and crops, so sizes are multiples of 32; the
 * enlarging windows are learnt from random values, not fixed to bilinear ones.
 */
export function FCN8s(args: FCN8sArgs = {}): Functional {
  const op = 'FCN8s';
  checkNames(op, args, ['inputShape', 'classes', 'dropout', 'alpha', 'classifierActivation', 'name']);
  const { classifierActivation = 'softmax', name = 'fcn8s' } = args;
  const inputShape = checkImageShape(op, args.inputShape ?? [512, 512, 3], 32, true);
  if (inputShape.slice(0, 2).some((n) => n !== null && n % 32 !== 0)) {
    fail(op, 'height and width must be multiples of 32', `got [${inputShape}]`);
  }
  const classes = checkCount(op, 'classes', args.classes ?? 21);
  const rate = checkRate(op, 'dropout', args.dropout ?? 0.5);
  const alpha = checkFactor(op, 'alpha', args.alpha ?? 1);
  const width = (channels: number) => Math.max(1, Math.round(channels * alpha));
  const entry = image({ inputShape, name });
  const [, , pool3, pool4, pool5] = vggBlocks(entry, [2, 2, 3, 3, 3], width);
  let x = pool5;
  for (const [i, size] of [7, 1].entries()) {
    x = conv(x, `fc${i + 6}`, width(4096), size, he);
    if (rate > 0) x = layers.dropout({ rate, name: `fc${i + 6}_dropout` }).apply(x);
  }
  const score = (y: SymbolicTensor, label: string) => conv(y, label, classes, 1);
  x = enlarged(score(x, 'score_fr'), 'upscore2', classes, 2);
  x = enlarged(add([x, score(pool4, 'score_pool4')], 'fuse_pool4'), 'upscore_pool4', classes, 2);
  x = enlarged(add([x, score(pool3, 'score_pool3')], 'fuse_pool3'), 'upscore8', classes, 8);
  const outputs = layers.activation({ activation: classifierActivation, name: 'predictions' }).apply(x);
  return model({ inputs: entry, outputs, name });
}
