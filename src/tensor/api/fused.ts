/** tf.fused: a product or convolution with bias and activation. The compiler fuses them anyway; the names are TensorFlow.js's. */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import * as activations from './activations.ts';
import { add } from './arithmetic.ts';
import * as convolution from './convolution.ts';
import * as matrices from './matrices.ts';
import type { Padding, Rounding } from './padding.ts';
import type { DataFormat } from './windows.ts';
import { reshape } from './transformations.ts';

type Input = Tensor | TensorLike;

export type FusedActivation = 'linear' | 'relu' | 'prelu' | 'elu' | 'relu6' | 'leakyrelu' | 'sigmoid';

interface Behind {
  readonly bias?: Input;
  /** 'linear' by default. */
  readonly activation?: FusedActivation;
  readonly preluActivationWeights?: Input;
  /** 0.2 by default. */
  readonly leakyreluAlpha?: number;
}

function behind<T extends Tensor>(op: string, y: Tensor, { bias, activation = 'linear', ...rest }: Behind): T {
  const x = bias === undefined || bias === null ? y : add<Tensor>(y, bias);
  switch (activation) {
    case 'linear':
      return x as T;
    case 'relu':
      return activations.relu(x) as T;
    case 'relu6':
      return activations.relu6(x) as T;
    case 'elu':
      return activations.elu(x) as T;
    case 'sigmoid':
      return activations.sigmoid(x) as T;
    case 'leakyrelu':
      return activations.leakyRelu(x, rest.leakyreluAlpha ?? 0.2) as T;
    case 'prelu':
      if (rest.preluActivationWeights === undefined)
        fail(op, "activation 'prelu' needs preluActivationWeights", 'got none');
      return activations.prelu(x, rest.preluActivationWeights) as T;
    default:
      return fail(
        op,
        "activation must be 'linear', 'relu', 'prelu', 'elu', 'relu6', 'leakyrelu' or 'sigmoid'",
        `got ${JSON.stringify(activation)}`,
      );
  }
}

export interface FusedConvolution extends Behind {
  readonly x: Input;
  readonly filter: Input;
  readonly strides: number | readonly [number, number];
  readonly pad: Padding;
  readonly dataFormat?: DataFormat;
  readonly dilations?: number | readonly [number, number];
  readonly dimRoundingMode?: Rounding;
}

/** A bias by channel, or of any shape that broadcasts; with the channels first it is turned to stand there. */
function biasOf({ bias, dataFormat }: FusedConvolution): Input | undefined {
  if (dataFormat !== 'NCHW' || bias === undefined || bias === null) return bias;
  const size = (bias as Tensor).size;
  const rank = (bias as Tensor).rank;
  return rank === 1 ? reshape(bias, [size, 1, 1]) : bias;
}

/** activation(conv2d(x, filter) + bias). */
export function conv2d<T extends Tensor = Tensor>(args: FusedConvolution): T {
  const { x, filter, strides, pad, dataFormat = 'NHWC', dilations = 1, dimRoundingMode } = args;
  const y = convolution.conv2d(x, filter, strides, pad, dataFormat, dilations, dimRoundingMode);
  return behind<T>('fused.conv2d', y, { ...args, bias: biasOf(args) });
}

/** activation(depthwiseConv2d(x, filter) + bias). */
export function depthwiseConv2d<T extends Tensor = Tensor>(args: FusedConvolution): T {
  const { x, filter, strides, pad, dataFormat = 'NHWC', dilations = 1, dimRoundingMode } = args;
  const y = convolution.depthwiseConv2d(x, filter, strides, pad, dataFormat, dilations, dimRoundingMode);
  return behind<T>('fused.depthwiseConv2d', y, { ...args, bias: biasOf(args) });
}

export interface FusedProduct extends Behind {
  readonly a: Input;
  readonly b: Input;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** activation(matMul(a, b) + bias). */
export function matMul<T extends Tensor = Tensor>(args: FusedProduct): T {
  const { a, b, transposeA = false, transposeB = false } = args;
  return behind<T>('fused.matMul', matrices.matMul(a, b, transposeA, transposeB), args);
}
