/**
 * Signals: frames, short-time Fourier transforms, mel filter banks, cosine transforms and convolution by Fourier transform. Signals
 * run along the last axis; axes before it are batches. Everything is differentiable to any order. TensorFlow's conventions.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite-signal.ts';
import type { DctType } from '../../ops/composite-signal.ts';
import { smoothLength } from '../../ops/fft-plan.ts';
import { broadcastShapes, showShape } from '../../types/shape.ts';
import { eachPart, isComplex } from '../complex-tensor.ts';
import { makeTensor } from '../convert.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensor1D, Tensor2D, TensorLike } from '../types.ts';
import { conj, real } from './complex.ts';
import { slice } from './joining.ts';
import { axisOf, lift, valueOf } from './lift.ts';
import { fftn, ifftn, irfft, irfftn, rfft, rfftn, spectral } from './spectral.ts';
import { mul } from './arithmetic.ts';
import { matMul } from './matrices.ts';
import {
  bartlettWindow,
  blackmanWindow,
  cosineWindow,
  hammingWindow,
  hannWindow,
  kaiserWindow,
  vorbisWindow,
} from './signal-windows.ts';

type Input = Tensor | TensorLike;
export type WindowFunction = (length: number) => Tensor1D;

function checkCount(op: string, name: string, n: number, least = 1): void {
  if (!Number.isInteger(n) || n < least) fail(op, `${name} must be an integer of ${least} or more`, `got ${n}`);
}

function signalOf(op: string, x: Input, argument: string): Value {
  const value = valueOf(x, argument, op);
  if (value.shape.length === 0) fail(op, `${argument} must have rank 1 or more`, 'got a scalar', 'reshape it to [1]');
  return value;
}

/** The least power of two that is not below value. */
export function enclosingPowerOfTwo(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}

/**
 * Overlapping pieces: [..., n] becomes [..., frames, frameLength], frame i beginning at i * frameStep. Frames lie inside the signal;
 * with padEnd every frame that begins inside it is taken, and what reaches beyond is padValue (0).
 */
export function frame<T extends Tensor = Tensor>(
  signal: Input,
  frameLength: number,
  frameStep: number,
  padEnd = false,
  padValue = 0,
): T {
  if (isComplex(signal)) {
    return eachPart<T>('frame', [signal], ([part]) => [frame(part, frameLength, frameStep, padEnd, padValue)])[0];
  }
  const value = signalOf('frame', signal, 'signal');
  checkCount('frame', 'frameLength', frameLength);
  checkCount('frame', 'frameStep', frameStep);
  const last = value.shape.length - 1;
  const n = value.shape[last];
  const count = padEnd ? Math.ceil(n / frameStep) : n < frameLength ? 0 : 1 + Math.floor((n - frameLength) / frameStep);
  const missing = Math.max(0, (count - 1) * frameStep + frameLength - n);
  const padded =
    missing === 0 || !padEnd
      ? value
      : build.pad(
          value,
          value.shape.map((_, axis) => [0, axis === last ? missing : 0] as const),
          padValue,
        );
  return lift<T>(composite.frame(padded, frameLength, frameStep, count));
}

/** Frames [..., frames, frameLength] added up where they overlap: [..., (frames - 1) frameStep + frameLength]. */
export function overlapAndAdd<T extends Tensor = Tensor>(frames: Input, frameStep: number): T {
  if (isComplex(frames)) return eachPart<T>('overlapAndAdd', [frames], ([part]) => [overlapAndAdd(part, frameStep)])[0];
  const value = signalOf('overlapAndAdd', frames, 'frames');
  if (value.shape.length < 2) {
    fail('overlapAndAdd', 'frames must have rank 2 or more', `got shape ${showShape(value.shape)}`);
  }
  checkCount('overlapAndAdd', 'frameStep', frameStep);
  return lift<T>(composite.overlapAndAdd(value, frameStep));
}

/**
 * The short-time Fourier transform: rfft of frames times a window. [..., n] becomes complex64 [..., frames, fftLength / 2 + 1];
 * fftLength is the power of two from frameLength on unless given.
 */
export function stft<T extends Tensor = Tensor>(
  signal: Input,
  frameLength: number,
  frameStep: number,
  fftLength?: number,
  windowFn: WindowFunction | null = hannWindow,
  padEnd = false,
): T {
  checkCount('stft', 'frameLength', frameLength);
  const length = fftLength ?? enclosingPowerOfTwo(frameLength);
  checkCount('stft', 'fftLength', length);
  const frames = frame(signal, frameLength, frameStep, padEnd);
  return rfft<T>(windowFn ? mul(frames, windowFn(frameLength)) : frames, length);
}

/**
 * The signal whose stft is given. windowFn is the window of the forward transform. Frames are transformed back, multiplied by the
 * window and added up; `normalize` then divides by the sum of the squared windows there, which gives back the signal of an
 * unchanged stft wherever that sum is not 0. Without it this is TensorFlow's inverse_stft.
 */
export function inverseStft<T extends Tensor = Tensor>(
  stfts: Input,
  frameLength: number,
  frameStep: number,
  fftLength?: number,
  windowFn: WindowFunction | null = hannWindow,
  normalize = true,
): T {
  const op = 'inverseStft';
  checkCount(op, 'frameLength', frameLength);
  const transformed = irfft(stfts, fftLength ?? enclosingPowerOfTwo(frameLength)).value;
  const last = transformed.shape.length - 1;
  if (last < 1) fail(op, 'stfts must have rank 2 or more', `got rank ${last + 1}`);
  const given = transformed.shape[last];
  const cut = build.slice(
    transformed,
    transformed.shape.map(() => 0),
    transformed.shape.with(last, Math.min(given, frameLength)),
  );
  const frames = build.pad(
    cut,
    cut.shape.map((_, axis) => [0, axis === last ? Math.max(0, frameLength - given) : 0] as const),
  );
  checkCount(op, 'frameStep', frameStep);
  const window = windowFn ? windowFn(frameLength).value : build.constant(1, frames.dtype, [frameLength]);
  const sum = composite.overlapAndAdd(build.mul(frames, window), frameStep);
  if (!normalize) return lift<T>(sum);
  const squares = build.broadcastTo(build.square(window), [frames.shape[last - 1], frameLength]);
  const weight = composite.overlapAndAdd(squares, frameStep);
  const covered = build.greater(weight, build.constantLike(weight, 1e-8));
  return lift<T>(build.mul(sum, build.select(covered, build.reciprocal(weight), build.zerosLike(weight))));
}

/**
 * For TensorFlow's way of inverting: a window for inverseStft (with normalize false) that gives back the signal of a stft with
 * forwardWindowFn.
 */
export function inverseStftWindowFn(frameStep: number, forwardWindowFn: WindowFunction = hannWindow): WindowFunction {
  checkCount('inverseStftWindowFn', 'frameStep', frameStep);
  return (frameLength) => {
    const window = forwardWindowFn(frameLength).value;
    const rows = Math.ceil(frameLength / frameStep);
    const padded = build.pad(build.square(window), [[0, rows * frameStep - frameLength]]);
    const sums = build.sum(build.reshape(padded, [rows, frameStep]), [0], true);
    const repeated = build.reshape(build.broadcastTo(sums, [rows, frameStep]), [rows * frameStep]);
    return lift(build.div(window, build.slice(repeated, [0], [frameLength])));
  };
}

const melOf = (hertz: number) => 1127 * Math.log1p(hertz / 700);

/**
 * A matrix [numSpectrogramBins, numMelBins] that sums magnitudes of a linear spectrogram (bin i at i sampleRate / 2 over the number of
 * bins less one) into triangles that are evenly spaced in mel, 1127 log(1 + f / 700), from lower to upper edge. As TensorFlow's.
 */
export function linearToMelWeightMatrix(
  numMelBins = 20,
  numSpectrogramBins = 129,
  sampleRate = 8000,
  lowerEdgeHertz = 125,
  upperEdgeHertz = 3800,
): Tensor2D {
  const op = 'linearToMelWeightMatrix';
  checkCount(op, 'numMelBins', numMelBins);
  checkCount(op, 'numSpectrogramBins', numSpectrogramBins, 2);
  if (!(lowerEdgeHertz >= 0 && lowerEdgeHertz < upperEdgeHertz && upperEdgeHertz <= sampleRate / 2)) {
    fail(
      op,
      '0 <= lowerEdgeHertz < upperEdgeHertz <= sampleRate / 2',
      `got ${lowerEdgeHertz}, ${upperEdgeHertz} and ${sampleRate}`,
    );
  }
  const [low, high] = [melOf(lowerEdgeHertz), melOf(upperEdgeHertz)];
  const edge = (i: number) => low + ((high - low) * i) / (numMelBins + 1);
  const weights = new Float32Array(numSpectrogramBins * numMelBins);
  // The constant component belongs to no triangle.
  for (let bin = 1; bin < numSpectrogramBins; bin++) {
    const mel = melOf(((sampleRate / 2) * bin) / (numSpectrogramBins - 1));
    for (let band = 0; band < numMelBins; band++) {
      const [lower, center, upper] = [edge(band), edge(band + 1), edge(band + 2)];
      const weight = Math.min((mel - lower) / (center - lower), (upper - mel) / (upper - center));
      weights[bin * numMelBins + band] = Math.max(0, weight);
    }
  }
  return makeTensor<'R2'>(weights, [numSpectrogramBins, numMelBins], 'float32', op);
}

/**
 * Cosine transforms of types 1 to 4 along an axis, which is first cut or padded to n. Without a norm as SciPy and TensorFlow scale
 * them: type 2 is 2 sum x_j cos(pi k (2 j + 1) / 2 n), and type 3 its inverse but for 2 n. 'ortho' makes types 2 to 4 orthogonal.
 */
export function dct<T extends Tensor = Tensor>(
  input: Input,
  type: DctType = 2,
  n?: number | null,
  axis = -1,
  norm?: 'ortho' | null,
): T {
  const { rows, back, length } = dctRows('dct', input, type, n, axis, norm);
  if (norm !== 'ortho') return lift<T>(back(composite.dct(rows, type)));
  return lift<T>(back(orthogonal(rows, type, length)));
}

/** The inverse of dct with the same type, length and norm. */
export function idct<T extends Tensor = Tensor>(
  input: Input,
  type: DctType = 2,
  n?: number | null,
  axis = -1,
  norm?: 'ortho' | null,
): T {
  const { rows, back, length } = dctRows('idct', input, type, n, axis, norm);
  const inverse = type === 2 ? 3 : type === 3 ? 2 : type;
  if (norm === 'ortho') return lift<T>(back(orthogonal(rows, inverse, length)));
  const scale = 1 / (type === 1 ? 2 * (length - 1) : 2 * length);
  return lift<T>(back(build.scale(composite.dct(rows, inverse), scale)));
}

/** Type 3 is the transpose of type 2, so their first elements are scaled on either side. */
function orthogonal(rows: Value, type: DctType, n: number): Value {
  const usual = Math.sqrt(1 / (2 * n));
  if (type === 4) return build.scale(composite.dct(rows, 4), usual);
  const first = build.equal(build.iota([n], 0), build.constant(0, 'int32', [n]));
  const factor = (atFirst: number, else_: number) =>
    build.select(first, build.constant(atFirst, rows.dtype, [n]), build.constant(else_, rows.dtype, [n]));
  if (type === 2) return build.mul(composite.dct(rows, 2), factor(Math.sqrt(1 / (4 * n)), usual));
  return composite.dct(build.mul(rows, factor(Math.sqrt(1 / n), usual)), 3);
}

function dctRows(
  op: string,
  input: Input,
  type: DctType,
  n: number | null | undefined,
  axis: number,
  norm: 'ortho' | null | undefined,
): { rows: Value; back: (y: Value) => Value; length: number } {
  const x = build.asReal(signalOf(op, input, 'input'));
  const rank = x.shape.length;
  const at = axisOf(op, axis, rank);
  if (![1, 2, 3, 4].includes(type)) fail(op, 'type must be 1, 2, 3 or 4', `got ${String(type)}`);
  if (norm !== undefined && norm !== null && norm !== 'ortho') {
    fail(op, "norm must be 'ortho' or null", `got ${JSON.stringify(norm)}`);
  }
  if (type === 1 && norm === 'ortho')
    fail(op, 'type 1 has no orthogonal form here', "got norm 'ortho'", 'leave norm out');
  const length = n ?? x.shape[at];
  checkCount(op, 'the length', length, type === 1 ? 2 : 1);
  const perm = x.shape.map((_, i) => i);
  perm.push(...perm.splice(at, 1));
  const moved = build.transpose(x, perm);
  const given = x.shape[at];
  const cut = build.slice(
    moved,
    perm.map(() => 0),
    moved.shape.with(-1, Math.min(given, length)),
  );
  const rows = build.pad(
    cut,
    cut.shape.map((_, i) => [0, i === rank - 1 ? Math.max(0, length - given) : 0] as const),
  );
  const back = (y: Value) =>
    build.transpose(
      y,
      perm.map((_, i) => perm.indexOf(i)),
    );
  return { rows, back, length };
}

/** Cepstral coefficients of log magnitudes in mel bands: dct of type 2 along the last axis over sqrt(2 bands). */
export function mfccsFromLogMelSpectrograms<T extends Tensor = Tensor>(logMelSpectrograms: Input): T {
  const op = 'mfccsFromLogMelSpectrograms';
  const value = signalOf(op, logMelSpectrograms, 'logMelSpectrograms');
  const bands = value.shape[value.shape.length - 1];
  checkCount(op, 'the number of mel bands', bands);
  return lift<T>(build.scale(dct(lift(value), 2).value, 1 / Math.sqrt(2 * bands)));
}

/**
 * The convolution y_k = sum over j of a_j b_(k - j) along the axes (all by default), by Fourier transform. 'full' has every k for
 * which there is a product, 'same' the middle part of a's shape, 'valid' those k where the smaller one lies inside the other.
 * Other axes broadcast. Real or complex. Rounding errors are relative to the largest element, not to each.
 */
export function fftConvolve<T extends Tensor = Tensor>(
  a: Input,
  b: Input,
  mode: 'full' | 'same' | 'valid' = 'full',
  axes?: number | readonly number[],
): T {
  const op = 'fftConvolve';
  const [x, y] = [a, b].map((side, i) => (isComplex(side) ? (side as Tensor) : lift(valueOf(side, 'ab'[i], op))));
  if (x.rank !== y.rank || x.rank === 0) {
    fail(op, 'both must have one rank, at least 1', `got ${showShape(x.shape)} and ${showShape(y.shape)}`);
  }
  if (mode !== 'full' && mode !== 'same' && mode !== 'valid') {
    fail(op, "mode must be 'full', 'same' or 'valid'", `got ${JSON.stringify(mode)}`);
  }
  const list = (typeof axes === 'number' ? [axes] : (axes ?? x.shape.map((_, axis) => axis))).map((axis) =>
    axisOf(op, axis, x.rank),
  );
  const ones = (shape: readonly number[]) => shape.map((extent, axis) => (list.includes(axis) ? 1 : extent));
  const outer = broadcastShapes(op, ones(x.shape), ones(y.shape));
  const isAround = (p: Tensor, q: Tensor) => list.every((axis) => p.shape[axis] >= q.shape[axis]);
  if (mode === 'valid' && !isAround(x, y) && !isAround(y, x)) {
    fail(
      op,
      "for 'valid' one must be at least as long as the other along every axis",
      `got ${showShape(x.shape)} and ${showShape(y.shape)}`,
    );
  }
  const full = list.map((axis) => Math.max(0, x.shape[axis] + y.shape[axis] - 1));
  if (list.some((axis) => x.shape[axis] === 0 || y.shape[axis] === 0)) {
    fail(op, 'the axes must not be empty', `got ${showShape(x.shape)} and ${showShape(y.shape)}`);
  }
  const lengths = full.map((n) => smoothLength(n));
  const whole =
    isComplex(x) || isComplex(y)
      ? ifftn(mul(fftn(x, lengths, list), fftn(y, lengths, list)), lengths, list)
      : irfftn(mul(rfftn(x, lengths, list), rfftn(y, lengths, list)), lengths, list);
  const begin = outer.map(() => 0);
  const size = [...outer];
  list.forEach((axis, i) => {
    const [p, q] = [x.shape[axis], y.shape[axis]];
    size[axis] = mode === 'full' ? full[i] : mode === 'same' ? p : Math.max(p, q) - Math.min(p, q) + 1;
    begin[axis] = Math.floor((full[i] - size[axis]) / 2);
  });
  return slice(whole, begin, size) as T;
}

/** Power in mel bands: |stft|^2 times linearToMelWeightMatrix, [..., frames, numMelBins]. */
export function melSpectrogram<T extends Tensor = Tensor>(
  signal: Input,
  frameLength: number,
  frameStep: number,
  sampleRate: number,
  numMelBins = 80,
  options: { fftLength?: number; lowerEdgeHertz?: number; upperEdgeHertz?: number } = {},
): T {
  const spectrum = stft(signal, frameLength, frameStep, options.fftLength);
  const bins = spectrum.shape[spectrum.rank - 1];
  const { lowerEdgeHertz = 0, upperEdgeHertz = sampleRate / 2 } = options;
  const bank = linearToMelWeightMatrix(numMelBins, bins, sampleRate, lowerEdgeHertz, upperEdgeHertz);
  const power = real(mul(spectrum, conj(spectrum)));
  return matMul<T>(power, bank);
}

/** The functions of signals together: TensorFlow.js's, TensorFlow's, and the Fourier transforms. */
export const signal = {
  ...spectral,
  bartlettWindow,
  blackmanWindow,
  dct,
  fftConvolve,
  frame,
  hammingWindow,
  hannWindow,
  idct,
  inverseStft,
  inverseStftWindowFn,
  kaiserWindow,
  linearToMelWeightMatrix,
  melFilterbank: linearToMelWeightMatrix,
  melSpectrogram,
  mfccsFromLogMelSpectrograms,
  overlapAndAdd,
  stft,
  vorbisWindow,
} as const;

export { cosineWindow };
