/** The strokes that networks are drawn with: a convolution, a normalization, an activation, each with its name; and tops. */
import { type Activation, type ActivationIdentifier, type Conv2DArgs, input, layers, model } from '../nn/index.ts';
import type { Functional, SymbolicTensor } from '../nn/index.ts';
import type { Classifier } from './arguments.ts';

export type { SymbolicTensor };
export type Size = number | [number, number];
type ConvOptions = Omit<Conv2DArgs, 'filters' | 'kernelSize' | 'name'>;

/** A convolution with padding 'same' unless told otherwise. */
export function conv(
  x: SymbolicTensor,
  name: string,
  filters: number,
  kernelSize: Size,
  options: ConvOptions = {},
): SymbolicTensor {
  return layers.conv2d({ padding: 'same', ...options, name, filters, kernelSize }).apply(x);
}

export interface NormOptions {
  readonly epsilon?: number;
  readonly momentum?: number;
  readonly scale?: boolean;
}

export function norm(x: SymbolicTensor, name: string, options: NormOptions = {}): SymbolicTensor {
  return layers.batchNormalization({ ...options, name }).apply(x);
}

export function activate(
  x: SymbolicTensor,
  name: string,
  activation: ActivationIdentifier | Activation,
): SymbolicTensor {
  return layers.activation({ activation: activation as ActivationIdentifier, name }).apply(x);
}

export const relu = (x: SymbolicTensor, name: string): SymbolicTensor => activate(x, name, 'relu');

/** min(max(x, 0), 6) */
export const relu6 = (x: SymbolicTensor, name: string): SymbolicTensor => layers.reLU({ maxValue: 6, name }).apply(x);

/** `before` and `after` zeros along both axes of space. */
export function padded(x: SymbolicTensor, name: string, before: number, after = before): SymbolicTensor {
  const both: [number, number] = [before, after];
  return layers.zeroPadding2d({ padding: [both, both], name }).apply(x);
}

/**
 * Zeros for a window of stride 2 as PyTorch and the papers place them, where 'same' would put more of them behind: the padding
 * before is half a window in any case but, for an even extent, one less.
 */
export function paddedForStride2(x: SymbolicTensor, name: string, kernelSize: number): SymbolicTensor {
  const half = kernelSize >> 1;
  const [height, width] = x.shape.slice(1, 3);
  const of = (n: number | null): [number, number] => [half - (n === null || n % 2 === 0 ? 1 : 0), half];
  return layers.zeroPadding2d({ padding: [of(height), of(width)], name }).apply(x);
}

export interface PoolOptions {
  readonly strides?: number;
  readonly padding?: 'same' | 'valid';
}

export function maxPool(x: SymbolicTensor, name: string, poolSize: number, options: PoolOptions = {}): SymbolicTensor {
  return layers.maxPooling2d({ strides: poolSize, ...options, poolSize, name }).apply(x);
}

export function avgPool(x: SymbolicTensor, name: string, poolSize: number, options: PoolOptions = {}): SymbolicTensor {
  return layers.averagePooling2d({ strides: poolSize, ...options, poolSize, name }).apply(x);
}

export function concat(inputs: readonly SymbolicTensor[], name: string): SymbolicTensor {
  return layers.concatenate({ name }).apply(inputs);
}

export function add(inputs: readonly SymbolicTensor[], name: string): SymbolicTensor {
  return layers.add({ name }).apply(inputs);
}

/** The symbolic image that a network begins with. */
export function image({ inputShape, name }: { inputShape: Classifier['inputShape']; name: string }): SymbolicTensor {
  return input({ shape: inputShape, name: `${name}_input` });
}

/** The number of channels of a symbolic image. */
export const channelsOf = (x: SymbolicTensor): number => x.shape[x.shape.length - 1]!;

export function predictions(x: SymbolicTensor, { classes, classifierActivation }: Classifier): SymbolicTensor {
  return layers.dense({ units: classes, activation: classifierActivation, name: 'predictions' }).apply(x);
}

/** A mean or maximum over space, or the features as they are. */
export function pooled(x: SymbolicTensor, pooling: 'avg' | 'max' | null): SymbolicTensor {
  if (pooling === 'avg') return layers.globalAveragePooling2d({ name: 'avg_pool' }).apply(x);
  return pooling === 'max' ? layers.globalMaxPooling2d({ name: 'max_pool' }).apply(x) : x;
}

/** The model of features with the usual top: their mean over space, dropout where there is any, and a dense layer. */
export function withAverageTop(
  entry: SymbolicTensor,
  features: SymbolicTensor,
  args: Classifier,
  dropout: { rate: number; name: string } | null = null,
): Functional {
  const { includeTop, name } = args;
  if (!includeTop) return model({ inputs: entry, outputs: pooled(features, args.pooling), name });
  let x = pooled(features, 'avg');
  if (dropout && dropout.rate > 0) x = layers.dropout(dropout).apply(x);
  return model({ inputs: entry, outputs: predictions(x, args), name });
}
