/** Networks that make images out of noise and judge them: DCGAN. */
import { fail } from '../base/errors.ts';
import {
  type ActivationIdentifier,
  type Functional,
  initializers,
  input,
  type KerasShape,
  layers,
  model,
} from '../nn/index.ts';
import { checkCount, checkImageShape, checkNames, checkRate } from './arguments.ts';
import { conv, image, norm, type SymbolicTensor } from './blocks.ts';

/** What generator and discriminator have in common. */
interface DCGANArgs {
  /** [height, width, channels] of an image; each level halves it. Default [64, 64, 3]. */
  imageShape?: KerasShape;
  /** Side of the windows; default 5. */
  kernelSize?: number;
  name?: string;
}

export interface DCGANGeneratorArgs extends DCGANArgs {
  /** Length of the noise; default 100. */
  latentDim?: number;
  /** Channels of each level, from the smallest image; default [1024, 512, 256, 128]. */
  filters?: readonly number[];
  /** Default 'tanh': images in -1..1. */
  outputActivation?: ActivationIdentifier;
}

export interface DCGANDiscriminatorArgs extends DCGANArgs {
  /** Channels of each level, from the largest image; default [64, 128, 256, 512]. */
  filters?: readonly number[];
  /** Rate of dropout behind each level; default 0. */
  dropout?: number;
  /** Whether levels but the first have batch normalization; default true. */
  batchNormalization?: boolean;
  /** Default 'linear', which gives a logit; 'sigmoid' gives the probability of being real. */
  outputActivation?: ActivationIdentifier;
}

/** All weights begin so: N(0, 0.02), the paper's. */
const normal = () => initializers.randomNormal({ stddev: 0.02 });

/** Height and width of the smallest image, after as many halvings. */
function smallest(op: string, shape: KerasShape, halvings: number): [number, number] {
  const [height, width] = shape.slice(0, 2).map((n) => n! / 2 ** halvings);
  if (Number.isInteger(height) && Number.isInteger(width)) return [height, width];
  const hint = 'pass fewer filters, or another size';
  return fail(op, `height and width must be multiples of ${2 ** halvings}`, `got [${shape}]`, hint);
}

function checkFilters(op: string, filters: readonly number[]): readonly number[] {
  if (!Array.isArray(filters) || filters.length === 0) {
    fail(op, 'filters must be a list of channels, one for each level', `got ${JSON.stringify(filters)}`);
  }
  return filters.map((n: unknown) => checkCount(op, 'filters', n));
}

/**
 * DCGAN's generator (Radford, Metz, Chintala 2015, figure 1): noise [batch, latentDim] through a dense layer to the smallest image,
 * transposed convolutions of stride 2 up to the largest, batch normalization and relu between, tanh at the end. Noise: uniform in -1..1
 * in the paper, normal is usual. Normalized layers have no biases. For 28x28: {imageShape: [28, 28, 1], filters: [128, 64]}.
 */
export function DCGANGenerator(args: DCGANGeneratorArgs = {}): Functional {
  const op = 'DCGANGenerator';
  checkNames(op, args, ['imageShape', 'kernelSize', 'name', 'latentDim', 'filters', 'outputActivation']);
  const { outputActivation: activation = 'tanh', name = 'generator' } = args;
  const shape = checkImageShape(op, args.imageShape ?? [64, 64, 3], 1, false);
  const filters = checkFilters(op, args.filters ?? [1024, 512, 256, 128]);
  const kernelSize = checkCount(op, 'kernelSize', args.kernelSize ?? 5);
  const latent = checkCount(op, 'latentDim', args.latentDim ?? 100);
  const [height, width] = smallest(op, shape, filters.length);
  const ready = (x: SymbolicTensor, label: string) =>
    layers.activation({ activation: 'relu', name: `${label}_relu` }).apply(norm(x, `${label}_bn`));
  const up = { kernelSize, strides: 2, padding: 'same', kernelInitializer: normal() } as const;
  const entry = input({ shape: [latent], name: `${name}_input` });
  const units = height * width * filters[0];
  let x = layers.dense({ units, useBias: false, kernelInitializer: normal(), name: 'project' }).apply(entry);
  x = ready(layers.reshape({ targetShape: [height, width, filters[0]], name: 'project_image' }).apply(x), 'project');
  filters.slice(1).forEach((channels, i) => {
    const label = `up${i + 1}`;
    x = ready(layers.conv2dTranspose({ ...up, filters: channels, useBias: false, name: label }).apply(x), label);
  });
  const last = { ...up, filters: shape[2]!, activation, name: 'image' };
  return model({ inputs: entry, outputs: layers.conv2dTranspose(last).apply(x), name });
}

/**
 * DCGAN's discriminator (the same paper): convolutions of stride 2, leaky relu 0.2, batch normalization on all levels but the first, a
 * dense layer. Input: images in -1..1; output [batch, 1], a logit.
 */
export function DCGANDiscriminator(args: DCGANDiscriminatorArgs = {}): Functional {
  const op = 'DCGANDiscriminator';
  const known = ['imageShape', 'kernelSize', 'name', 'filters', 'dropout', 'batchNormalization', 'outputActivation'];
  checkNames(op, args, known);
  const { outputActivation: activation = 'linear', name = 'discriminator', batchNormalization = true } = args;
  const inputShape = checkImageShape(op, args.imageShape ?? [64, 64, 3], 1, false);
  const filters = checkFilters(op, args.filters ?? [64, 128, 256, 512]);
  const kernelSize = checkCount(op, 'kernelSize', args.kernelSize ?? 5);
  const rate = checkRate(op, 'dropout', args.dropout ?? 0);
  smallest(op, inputShape, filters.length);
  const entry = image({ inputShape, name });
  let x = entry;
  filters.forEach((channels, i) => {
    const label = `down${i + 1}`;
    const normalized = batchNormalization && i > 0;
    x = conv(x, label, channels, kernelSize, { strides: 2, useBias: !normalized, kernelInitializer: normal() });
    if (normalized) x = norm(x, `${label}_bn`);
    x = layers.leakyReLU({ alpha: 0.2, name: `${label}_leaky` }).apply(x);
    if (rate > 0) x = layers.dropout({ rate, name: `${label}_dropout` }).apply(x);
  });
  x = layers.flatten({ name: 'flatten' }).apply(x);
  const judge = { units: 1, activation, kernelInitializer: normal(), name: 'verdict' };
  return model({ inputs: entry, outputs: layers.dense(judge).apply(x), name });
}
