/**
 * Fourier transforms in terms of the fft row: of any length, along any axes, of real numbers. Gradients come from the row's, so
 * any order works. Complex values are planes [2, ...S] (complex.ts); axes count those of S.
 */
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { apply1 } from './apply.ts';
import * as build from './build.ts';
import { conj, fromPlanes, mul, toPlanes } from './complex.ts';
import { largestPrime, LARGEST_RADIX, smoothLength } from './fft-plan.ts';

interface Transform {
  readonly inverse: boolean;
  /** Planes of the result: 1 leaves the imaginary part out. */
  readonly parts: 1 | 2;
}

function table(kind: string, order: number, shape: readonly number[], dtype: DType): Value {
  return apply1('fourierTable', [], { kind, order, shape: [2, ...shape], dtype });
}

function cut(x: Value, axis: number, extent: number): Value {
  return build.slice(
    x,
    x.shape.map(() => 0),
    x.shape.with(axis, extent),
  );
}

/**
 * Bluestein: j k = (j^2 + k^2 - (k - j)^2) / 2 makes the transform a convolution with a chirp, which transforms of a length with
 * small factors do. [parts, outer, n, inner].
 */
function bluestein(x: Value, { inverse, parts }: Transform): Value {
  const [, outer, n, inner] = x.shape;
  const length = smoothLength(2 * n - 1);
  const flip = (z: { re: Value; im: Value }) => (inverse ? { re: z.re, im: build.neg(z.im) } : z);
  const column = (planes: Value) => flip(fromPlanes(build.reshape(planes, [2, 1, planes.shape[1], 1])));
  const chirp = column(table('chirp', 2 * n, [n], x.dtype));
  const spectrum = column(table('chirpSpectrum', 2 * n, [length], x.dtype));
  const given = x.shape[0] === 2 ? fromPlanes(x) : { re: build.reshape(x, [outer, n, inner]), im: null };
  const padded = build.pad(toPlanes(mul(given, chirp)), [
    [0, 0],
    [0, 0],
    [0, length - n],
    [0, 0],
  ]);
  const product = mul(fromPlanes(apply1('fft', [padded], { inverse, parts: 2 })), spectrum);
  const filtered = apply1('fft', [toPlanes(product)], { inverse: !inverse, parts: 2 });
  const result = mul(fromPlanes(build.scale(cut(filtered, 2, n), 1 / length)), chirp);
  return parts === 2 ? toPlanes(result) : build.reshape(result.re, [1, outer, n, inner]);
}

/** Sums of x e^(-2 pi i j k / n) along an axis of S, x being [1 or 2, ...S]; not scaled. */
function transform(x: Value, axis: number, attrs: Transform): Value {
  const shape = x.shape.slice(1);
  const n = shape[axis];
  const rows = build.reshape(x, [x.shape[0], sizeOf(shape.slice(0, axis)), n, sizeOf(shape.slice(axis + 1))]);
  const smooth = n === 0 || largestPrime(n) <= LARGEST_RADIX;
  const result = smooth ? apply1('fft', [rows], { ...attrs }) : bluestein(rows, attrs);
  return build.reshape(result, [attrs.parts, ...shape]);
}

/** Transforms along the axes; the inverse one divides by their extents. */
export function fft(planes: Value, axes: readonly number[], inverse: boolean): Value {
  const shape = planes.shape.slice(1);
  const count = axes.reduce((n, axis) => n * shape[axis], 1);
  const result = axes.reduce((x, axis) => transform(x, axis, { inverse, parts: 2 }), planes);
  return inverse ? build.scale(result, 1 / count) : result;
}

/** The first n / 2 + 1 (rounded down) of the transform along the last of the axes, and whole transforms along the others. */
export function rfft(x: Value, axes: readonly number[]): Value {
  const last = axes[axes.length - 1];
  const planes = build.reshape(build.asReal(x), [1, ...x.shape]);
  const full = transform(planes, last, { inverse: false, parts: 2 });
  return fft(cut(full, last + 1, Math.floor(x.shape[last] / 2) + 1), axes.slice(0, -1), false);
}

/** The real numbers, `length` of them along the last axis, whose rfft is given; what an rfft could not give is left out. */
export function irfft(planes: Value, axes: readonly number[], length: number): Value {
  const last = axes[axes.length - 1];
  const half = fft(planes, axes.slice(0, -1), true);
  const shape = half.shape.slice(1);
  const wanted = Math.floor(length / 2) + 1;
  const given = shape[last];
  const padding = half.shape.map((_, axis) => [0, axis === last + 1 ? Math.max(0, wanted - given) : 0] as const);
  const low = cut(build.pad(half, padding), last + 1, wanted);
  const count = length - wanted;
  // X_(n - k) = conj X_k.
  const begin = low.shape.map(() => 0).with(last + 1, 1);
  const mirrored = build.reverse(build.slice(low, begin, low.shape.with(last + 1, count)), [last + 1]);
  const whole = count === 0 ? low : build.concat([low, toPlanes(conj(fromPlanes(mirrored)))], last + 1);
  const result = transform(whole, last, { inverse: true, parts: 1 });
  return build.scale(build.reshape(result, result.shape.slice(1)), 1 / length);
}
