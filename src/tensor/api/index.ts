/** The user's functions on tensors, by family. */
import { installMethods } from './methods.ts';

installMethods();

export * from './activations.ts';
export * from './arithmetic.ts';
export * from './bitwise.ts';
export * from './control-flow.ts';
export * from './complex.ts';
export {
  conv1d,
  conv2d,
  conv3d,
  depthwiseConv2d,
  separableConv2d,
} from './convolution.ts';
export * as browser from './browser.ts';
export * from './convolution-transpose.ts';
export * from './morphology.ts';
export * from './pooling.ts';
export * from './creation.ts';
export * from './cumulative.ts';
export * from './indexing.ts';
export { engine } from './engine.ts';
export type { Engine } from './engine.ts';
export * from './evaluation.ts';
export * as fused from './fused.ts';
export * as image from './image/index.ts';
export * from './globals.ts';
export * from './helpers.ts';
export * from './joining.ts';
export * as linalg from './linalg.ts';
export * from './logical.ts';
export { losses, Reduction } from './losses.ts';
export * from './math.ts';
export * from './attention.ts';
export * from './matrices.ts';
export * from './movement.ts';
export * from './normalization.ts';
export type { Padding, Rounding } from './padding.ts';
export {
  dropout,
  multinomial,
  rand,
  randomGamma,
  randomNormal,
  randomStandardNormal,
  randomUniform,
  randomUniformInt,
  truncatedNormal,
} from './random.ts';
export * from './ragged.ts';
export * as random from './random-keys.ts';
export * from './reduction.ts';
export * from './rnn.ts';
export * from './special.ts';
export { sparse, sparseFillEmptyRows, sparseReshape } from './sparse.ts';
export type { FilledRows } from './sparse.ts';
export * from './string.ts';
export { cosineWindow, enclosingPowerOfTwo, signal } from './signal.ts';
export type { WindowFunction } from './signal.ts';
export { fft, ifft, irfft, rfft, spectral } from './spectral.ts';
export type { FftNorm } from './spectral.ts';
export * from './strided-slice.ts';
export * from './transformations.ts';
export * from './segments.ts';
export * from './sorting.ts';
export * from './unique.ts';
export { util } from './util.ts';
