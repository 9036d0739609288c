/** An autoencoder whose code is a Gaussian: VAE, dense or convolutional. */
import { fail } from '../base/errors.ts';
import { type ActivationIdentifier, type Functional, input, type KerasShape, layers, model } from '../nn/index.ts';
import { checkCount, checkFactor, checkImageShape, checkNames } from './arguments.ts';
import { conv, image, type SymbolicTensor } from './blocks.ts';
import { GaussianSample } from './layers/gaussian_sample.ts';

export interface VAEArgs {
  /** [height, width, channels]; default [28, 28, 1]. */
  inputShape?: KerasShape;
  /** Length of the code; default 20. */
  latentDim?: number;
  /** 'dense' (the default) is the paper's; 'conv' halves the image for each entry of filters. */
  kind?: 'dense' | 'conv';
  /** Width of the hidden layer on both sides; default 500. */
  hidden?: number;
  /** Channels of the levels of a convolutional one; default [32, 64]. */
  filters?: readonly number[];
  /** Factor on the divergence in the loss; default 1. */
  beta?: number;
  /** Default 'sigmoid': pixels 0..1. */
  outputActivation?: ActivationIdentifier;
  name?: string;
}

interface Plan {
  readonly shape: KerasShape;
  readonly latent: number;
  readonly hidden: number;
  readonly filters: readonly number[] | null;
  readonly activation: ActivationIdentifier;
}

function dense(x: SymbolicTensor, units: number, name: string, activation: ActivationIdentifier = 'linear') {
  return layers.dense({ units, activation, name }).apply(x);
}

/** Images to the mean and log variance of their codes. */
function encoderOf({ shape, latent, hidden, filters }: Plan): Functional {
  const entry = image({ inputShape: shape, name: 'encoder' });
  let x = entry;
  for (const [i, channels] of (filters ?? []).entries()) {
    x = conv(x, `down${i + 1}`, channels, 3, { strides: 2, activation: 'relu', kernelInitializer: 'heNormal' });
  }
  x = layers.flatten({ name: 'encoder_flatten' }).apply(x);
  x = dense(x, hidden, 'encoder_hidden', filters ? 'relu' : 'tanh');
  return model({
    inputs: entry,
    outputs: [dense(x, latent, 'mean'), dense(x, latent, 'log_variance')],
    name: 'encoder',
  });
}

/** Codes to images. */
function decoderOf({ shape, latent, hidden, filters, activation }: Plan): Functional {
  const [height, width, channels] = shape as readonly number[];
  const entry = input({ shape: [latent], name: 'decoder_input' });
  let x = dense(entry, hidden, 'decoder_hidden', filters ? 'relu' : 'tanh');
  if (!filters) {
    x = dense(x, height * width * channels, 'pixels', activation);
    x = layers.reshape({ targetShape: [height, width, channels], name: 'image' }).apply(x);
    return model({ inputs: entry, outputs: x, name: 'decoder' });
  }
  const up = { kernelSize: 3, strides: 2, padding: 'same' } as const;
  const levels = [...filters].reverse();
  const small = [height, width].map((n) => n / 2 ** filters.length);
  x = dense(x, small[0] * small[1] * levels[0], 'project', 'relu');
  x = layers.reshape({ targetShape: [...small, levels[0]], name: 'project_image' }).apply(x);
  levels.slice(1).forEach((count, i) => {
    const relu = { activation: 'relu', kernelInitializer: 'heNormal', name: `up${i + 1}` } as const;
    x = layers.conv2dTranspose({ ...up, ...relu, filters: count }).apply(x);
  });
  x = layers.conv2dTranspose({ ...up, filters: channels, activation, name: 'image' }).apply(x);
  return model({ inputs: entry, outputs: x, name: 'decoder' });
}

/**
 * VAE (Kingma and Welling 2013): an encoder to the mean and log variance of a Gaussian code, a sample, a decoder. The divergence from
 * N(0, 1) is added to the loss by itself, in nats for each image; so fit(x, x) with a loss that sums over pixels maximizes the paper's
 * bound. The dense one has a hidden layer of 500 tanh units on each side, 815,824 parameters.
 * `model.getLayer('encoder')` and `getLayer('decoder')` are models of their own. Input and output: pixels 0..1.
 */
export function VAE(args: VAEArgs = {}): Functional {
  const op = 'VAE';
  const known = ['inputShape', 'latentDim', 'kind', 'hidden', 'filters', 'beta', 'outputActivation', 'name'];
  checkNames(op, args, known);
  const { kind = 'dense', name = 'vae', outputActivation: activation = 'sigmoid' } = args;
  if (kind !== 'dense' && kind !== 'conv') fail(op, "kind must be 'dense' or 'conv'", `got ${JSON.stringify(kind)}`);
  const shape = checkImageShape(op, args.inputShape ?? [28, 28, 1], 1, false);
  const filters = kind === 'conv' ? (args.filters ?? [32, 64]).map((n) => checkCount(op, 'filters', n)) : null;
  const multiple = 2 ** (filters?.length ?? 0);
  if (shape.slice(0, 2).some((n) => n! % multiple !== 0)) {
    fail(op, `height and width must be multiples of ${multiple}`, `got [${shape}]`, 'pass fewer filters');
  }
  const beta = args.beta === 0 ? 0 : checkFactor(op, 'beta', args.beta ?? 1);
  const latent = checkCount(op, 'latentDim', args.latentDim ?? 20);
  const hidden = checkCount(op, 'hidden', args.hidden ?? 500);
  const plan: Plan = { shape, latent, hidden, filters, activation };
  const entry = image({ inputShape: shape, name });
  const code = encoderOf(plan).apply<SymbolicTensor[]>(entry);
  const sample = new GaussianSample({ beta, name: 'sample' }).apply(code);
  return model({ inputs: entry, outputs: decoderOf(plan).apply(sample), name });
}
