/** EfficientNet: inverted residuals with squeeze-and-excitation, scaled in width and depth together. */
import { type Functional, initializers, layers } from '../nn/index.ts';
import { type ClassifierArgs, checkRate, classifierOf } from './arguments.ts';
import {
  activate,
  add,
  channelsOf,
  conv,
  image,
  norm,
  paddedForStride2,
  type SymbolicTensor,
  withAverageTop,
} from './blocks.ts';
import { toMultipleOf8 } from './mobilenet.ts';

export interface EfficientNetArgs extends ClassifierArgs {
  /** Rate of dropout before the last layer; default 0.2. */
  dropout?: number;
  /** Rate at which the last residual block is left out in training, growing from 0 at the first; default 0.2. */
  dropConnect?: number;
}

/** Window, blocks, channels, expansion, stride of the first: the paper's table 1. */
const stages = [
  [3, 1, 16, 1, 1],
  [3, 2, 24, 6, 2],
  [5, 2, 40, 6, 2],
  [3, 3, 80, 6, 2],
  [5, 3, 112, 6, 1],
  [5, 4, 192, 6, 2],
  [3, 1, 320, 6, 1],
] as const;

const fan = () => initializers.varianceScaling({ scale: 2, mode: 'fanOut', distribution: 'truncatedNormal' });
const bare = () => ({ useBias: false, kernelInitializer: fan() });
const swish = (x: SymbolicTensor, name: string) => activate(x, name, 'swish');

interface Block {
  readonly name: string;
  readonly kernelSize: number;
  readonly filters: number;
  readonly expansion: number;
  readonly stride: number;
  readonly dropRate: number;
}

/** x times a factor for each channel; the layer between is a quarter as wide as the block's input. */
function squeezeExcite(x: SymbolicTensor, name: string, narrow: number): SymbolicTensor {
  const channels = channelsOf(x);
  let factor = layers.globalAveragePooling2d({ name: `${name}se_squeeze` }).apply(x);
  factor = layers.reshape({ targetShape: [1, 1, channels], name: `${name}se_reshape` }).apply(factor);
  factor = conv(factor, `${name}se_reduce`, narrow, 1, { activation: 'swish', kernelInitializer: fan() });
  factor = conv(factor, `${name}se_expand`, channels, 1, { activation: 'sigmoid', kernelInitializer: fan() });
  return layers.multiply({ name: `${name}se_excite` }).apply([x, factor]);
}

function block(x: SymbolicTensor, { name, kernelSize, filters, expansion, stride, dropRate }: Block): SymbolicTensor {
  const channels = channelsOf(x);
  let y = x;
  if (expansion > 1) {
    y = conv(y, `${name}expand_conv`, channels * expansion, 1, bare());
    y = swish(norm(y, `${name}expand_bn`), `${name}expand_activation`);
  }
  if (stride === 2) y = paddedForStride2(y, `${name}dwconv_pad`, kernelSize);
  const padding = stride === 2 ? 'valid' : 'same';
  const window = { kernelSize, strides: stride, padding, useBias: false, depthwiseInitializer: fan() } as const;
  y = layers.depthwiseConv2d({ ...window, name: `${name}dwconv` }).apply(y);
  y = swish(norm(y, `${name}bn`), `${name}activation`);
  y = squeezeExcite(y, name, Math.max(1, Math.floor(channels / 4)));
  y = norm(conv(y, `${name}project_conv`, filters, 1, bare()), `${name}project_bn`);
  if (stride !== 1 || channels !== filters) return y;
  if (dropRate > 0) {
    y = layers.dropout({ rate: dropRate, noiseShape: [null, 1, 1, 1], name: `${name}drop` }).apply(y);
  }
  return add([y, x], `${name}add`);
}

/**
 * EfficientNet-B0 (Tan and Le 2019): 5,330,571 parameters at [224, 224, 3] and 1000 classes, moving averages and the 7 numbers of the
 * normalization of its input included; layers named as in keras.applications.EfficientNetB0. Input: 0..255; it is scaled inside.
 * Different from Keras: the input's means and variances are 0 and 1 until they are set (there they come with the weights).
 */
export function EfficientNetB0(args: EfficientNetArgs = {}): Functional {
  const op = 'EfficientNetB0';
  const defaults = { inputShape: [224, 224, 3], least: 32, others: ['dropout', 'dropConnect'] };
  const net = classifierOf(op, args, defaults);
  const rate = checkRate(op, 'dropout', args.dropout ?? 0.2);
  const drop = checkRate(op, 'dropConnect', args.dropConnect ?? 0.2);
  const width = (channels: number) => toMultipleOf8(channels * net.alpha);
  const total = stages.reduce((count, [, repeats]) => count + repeats, 0);
  const entry = image(net);
  let x: SymbolicTensor = layers.rescaling({ scale: 1 / 255, name: 'rescaling' }).apply(entry);
  x = layers.normalization({ axis: -1, name: 'normalization' }).apply(x);
  x = conv(paddedForStride2(x, 'stem_conv_pad', 3), 'stem_conv', width(32), 3, {
    ...bare(),
    strides: 2,
    padding: 'valid',
  });
  x = swish(norm(x, 'stem_bn'), 'stem_activation');
  let done = 0;
  for (const [stage, [kernelSize, repeats, filters, expansion, stride]] of stages.entries()) {
    for (let i = 0; i < repeats; i++) {
      const name = `block${stage + 1}${String.fromCharCode(97 + i)}_`;
      const first = i === 0 ? stride : 1;
      const dropRate = (drop * done++) / total;
      x = block(x, { name, kernelSize, filters: width(filters), expansion, stride: first, dropRate });
    }
  }
  x = swish(norm(conv(x, 'top_conv', width(1280), 1, bare()), 'top_bn'), 'top_activation');
  return withAverageTop(entry, x, net, { rate, name: 'top_dropout' });
}
