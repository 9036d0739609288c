/**
 * Window functions of signal processing, as tensors of rank 1. Cosine windows of even length are periodic, as in TensorFlow.js: n + 1
 * points of the symmetric one without the last; `periodic` false gives the symmetric one. A window of one point is 1.
 */
import { fail } from '../../base/errors.ts';
import { makeTensor } from '../convert.ts';
import type { Tensor1D } from '../types.ts';

/** Points of a window, in double precision until they are stored. */
function sampled(op: string, length: number, at: (i: number) => number): Tensor1D {
  if (!Number.isInteger(length) || length < 0) {
    fail(op, 'the length of a window must be an integer of 0 or more', `got ${length}`);
  }
  const points = Float32Array.from({ length }, (_, i) => (length === 1 ? 1 : at(i)));
  return makeTensor<'R1'>(points, [length], 'float32', op);
}

/** sum of (-1)^j a_j cos(2 pi j i / n). */
function cosines(op: string, length: number, coefficients: readonly number[], periodic: boolean): Tensor1D {
  const n = length + (periodic && length % 2 === 0 ? 1 : 0) - 1;
  return sampled(op, length, (i) =>
    coefficients.reduce((sum, a, j) => sum + (j % 2 === 0 ? a : -a) * Math.cos((2 * Math.PI * j * i) / n), 0),
  );
}

/** a - b cos(2 pi i / n). */
export function cosineWindow(windowLength: number, a: number, b: number, periodic = true): Tensor1D {
  return cosines('cosineWindow', windowLength, [a, b], periodic);
}

/** 0.5 - 0.5 cos(2 pi i / n). */
export function hannWindow(windowLength: number, periodic = true): Tensor1D {
  return cosines('hannWindow', windowLength, [0.5, 0.5], periodic);
}

/** 0.54 - 0.46 cos(2 pi i / n). */
export function hammingWindow(windowLength: number, periodic = true): Tensor1D {
  return cosines('hammingWindow', windowLength, [0.54, 0.46], periodic);
}

/** 0.42 - 0.5 cos(2 pi i / n) + 0.08 cos(4 pi i / n). */
export function blackmanWindow(windowLength: number, periodic = true): Tensor1D {
  return cosines('blackmanWindow', windowLength, [0.42, 0.5, 0.08], periodic);
}

/** A triangle that is 0 at both ends: 1 - |2 i / (n - 1) - 1|. */
export function bartlettWindow(windowLength: number): Tensor1D {
  return sampled('bartlettWindow', windowLength, (i) => 1 - Math.abs((2 * i) / (windowLength - 1) - 1));
}

/** Bessel's I0 by its power series, whose terms are all positive. */
function besselI0(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** I0(beta sqrt(1 - (2 i / (n - 1) - 1)^2)) / I0(beta). */
export function kaiserWindow(windowLength: number, beta = 12): Tensor1D {
  const top = besselI0(beta);
  return sampled('kaiserWindow', windowLength, (i) => {
    const x = (2 * i) / (windowLength - 1) - 1;
    return besselI0(beta * Math.sqrt(Math.max(0, 1 - x * x))) / top;
  });
}

/** Vorbis's: sin(pi / 2 sin^2(pi (i + 1/2) / n)); its square and that of its neighbour half a window on add up to 1. */
export function vorbisWindow(windowLength: number): Tensor1D {
  return sampled('vorbisWindow', windowLength, (i) => {
    const sine = Math.sin((Math.PI * (i + 0.5)) / windowLength);
    return Math.sin((Math.PI / 2) * sine * sine);
  });
}
