/**
 * Fourier transforms of any length, along any axes: X_k = sum over j of x_j e^(-2 pi i j k / n). The inverse divides by n (norm
 * 'backward'); 'ortho' divides both ways by sqrt(n), 'forward' the forward one by n. Lengths with prime factors up to 13 run as passes,
 * others through Bluestein's convolution: O(n log n) for every n. Differentiable to any order. TensorFlow.js's functions take
 * NumPy's options besides.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import { conj, toPlanes } from '../../ops/complex.ts';
import * as composite from '../../ops/composite-fft.ts';
import { showShape } from '../../types/shape.ts';
import { joinPlanes, partsOf } from '../complex-tensor.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { axisOf, lift, movedStrings, valueOf } from './lift.ts';
import { concat, slice } from './joining.ts';
import { range } from './creation.ts';

export type FftNorm = 'backward' | 'ortho' | 'forward';
type Input = Tensor | TensorLike;

interface Plan {
  readonly axes: readonly number[];
  /** Extents to cut or pad the axes to. */
  readonly lengths: readonly number[];
}

/** The axes, counted from the front, and the lengths that the transform shall have along them. */
function planOf(
  op: string,
  shape: readonly number[],
  s: readonly number[] | undefined,
  given: readonly number[] | undefined,
): Plan {
  const rank = shape.length;
  const count = s?.length ?? rank;
  const axes = (given ?? shape.map((_, axis) => axis).slice(rank - count)).map((axis) => axisOf(op, axis, rank));
  if (rank === 0) fail(op, 'the input must have rank 1 or more', 'got a scalar', 'reshape it to [1]');
  if (axes.length === 0 || new Set(axes).size !== axes.length) {
    fail(op, 'axes must be distinct, and at least one', `got [${given ?? []}] for ${showShape(shape)}`);
  }
  if (s !== undefined && s.length !== axes.length) {
    fail(op, 'there must be one length for each axis', `got [${s}] for ${axes.length} axes`);
  }
  return { axes, lengths: s ?? axes.map((axis) => shape[axis]) };
}

function checkLengths(op: string, lengths: readonly number[]): void {
  for (const n of lengths) {
    if (!Number.isInteger(n) || n < 1) fail(op, 'transforms must have a length of 1 or more', `got ${n}`);
  }
}

/** Cut, or padded with zeros at the end, to the lengths; axis `shift` is the first of S. */
function resized(x: Value, { axes, lengths }: Plan, shift: number): Value {
  const target = x.shape.slice();
  axes.forEach((axis, i) => {
    target[axis + shift] = lengths[i];
  });
  const cut = build.slice(
    x,
    x.shape.map(() => 0),
    x.shape.map((extent, axis) => Math.min(extent, target[axis])),
  );
  return build.pad(
    cut,
    cut.shape.map((extent, axis) => [0, target[axis] - extent] as const),
  );
}

/** What to multiply the usual result by: that of forward transforms is not scaled, that of inverse ones is divided by n. */
function factorOf(op: string, norm: FftNorm, n: number, inverse: boolean): number {
  if (norm === 'backward') return 1;
  if (norm === 'ortho') return inverse ? Math.sqrt(n) : 1 / Math.sqrt(n);
  if (norm === 'forward') return inverse ? n : 1 / n;
  return fail(op, "norm must be 'backward', 'ortho' or 'forward'", `got ${JSON.stringify(norm)}`);
}

function product(lengths: readonly number[]): number {
  return lengths.reduce((a, b) => a * b, 1);
}

/** The planes of an argument: one for real numbers, two for complex ones. */
function planesOf(op: string, input: Input): Value {
  const z = partsOf(input, 'input', op);
  return z.im === null ? build.reshape(z.re, [1, ...z.re.shape]) : toPlanes(z);
}

function complexTransform<T extends Tensor>(
  op: string,
  input: Input,
  s: readonly number[] | undefined,
  axes: readonly number[] | undefined,
  norm: FftNorm,
  inverse: boolean,
): T {
  const planes = planesOf(op, input);
  const plan = planOf(op, planes.shape.slice(1), s, axes);
  checkLengths(op, plan.lengths);
  const result = composite.fft(resized(planes, plan, 1), plan.axes, inverse);
  const factor = factorOf(op, norm, product(plan.lengths), inverse);
  return joinPlanes<T>(build.scale(result, factor), op);
}

function realTransform<T extends Tensor>(
  op: string,
  input: Input,
  s: readonly number[] | undefined,
  axes: readonly number[] | undefined,
  norm: FftNorm,
): T {
  const x = build.asReal(valueOf(input, 'input', op));
  const plan = planOf(op, x.shape, s, axes);
  checkLengths(op, plan.lengths);
  const result = composite.rfft(resized(x, plan, 0), plan.axes);
  return joinPlanes<T>(build.scale(result, factorOf(op, norm, product(plan.lengths), false)), op);
}

function inverseReal<T extends Tensor>(
  op: string,
  input: Input,
  s: readonly number[] | undefined,
  axes: readonly number[] | undefined,
  norm: FftNorm,
): T {
  const z = partsOf(input, 'input', op);
  const planes = toPlanes(z);
  const shape = z.re.shape;
  const given = planOf(op, shape, s, axes);
  const last = given.axes.length - 1;
  const extent = shape[given.axes[last]];
  const length = s ? s[last] : Math.max(1, 2 * (extent - 1));
  checkLengths(op, [...given.lengths, length]);
  const plan = { axes: given.axes, lengths: given.lengths.with(last, Math.floor(length / 2) + 1) };
  const result = composite.irfft(resized(planes, plan, 1), plan.axes, length);
  const count = product(given.lengths.with(last, length));
  return lift<T>(build.scale(result, factorOf(op, norm, count, true)));
}

function oneLength(n: number | undefined | null): number[] | undefined {
  return n === undefined || n === null ? undefined : [n];
}

// ---- one dimension -------------------------------------------------------------------------------------------------------

/**
 * The transform along `axis` (the last) of complex or real numbers, as complex64; the axis is first cut, or padded with zeros, to a
 * length of n where that is given.
 */
export function fft<T extends Tensor = Tensor>(input: Input, n?: number, axis = -1, norm: FftNorm = 'backward'): T {
  return complexTransform<T>('fft', input, oneLength(n), [axis], norm, false);
}

/** The inverse of fft. */
export function ifft<T extends Tensor = Tensor>(input: Input, n?: number, axis = -1, norm: FftNorm = 'backward'): T {
  return complexTransform<T>('ifft', input, oneLength(n), [axis], norm, true);
}

/** The first n / 2 + 1 (rounded down) elements of the transform of real numbers; the others are their conjugates. */
export function rfft<T extends Tensor = Tensor>(
  input: Input,
  fftLength?: number,
  axis = -1,
  norm: FftNorm = 'backward',
): T {
  return realTransform<T>('rfft', input, oneLength(fftLength), [axis], norm);
}

/**
 * The real numbers, fftLength of them, whose rfft is given: 2 (m - 1) of m elements where it is not said, so say it for odd lengths.
 * The imaginary part of element 0, and of the last one for an even length, counts as 0.
 */
export function irfft<T extends Tensor = Tensor>(
  input: Input,
  fftLength?: number,
  axis = -1,
  norm: FftNorm = 'backward',
): T {
  return inverseReal<T>('irfft', input, oneLength(fftLength), [axis], norm);
}

/** The real transform of a signal whose first half is given and whose second is its conjugate: n irfft(conj(x)), n elements. */
export function hfft<T extends Tensor = Tensor>(input: Input, n?: number, axis = -1): T {
  const z = conj(partsOf(input, 'input', 'hfft'));
  return inverseReal<T>('hfft', joinPlanes(toPlanes(z), 'hfft'), oneLength(n), [axis], 'forward');
}

/** The inverse of hfft: conj(rfft(x)) / n. */
export function ihfft<T extends Tensor = Tensor>(input: Input, n?: number, axis = -1): T {
  const spectrum = realTransform('ihfft', input, oneLength(n), [axis], 'forward');
  return joinPlanes<T>(toPlanes(conj(partsOf(spectrum, 'input', 'ihfft'))), 'ihfft');
}

// ---- several -------------------------------------------------------------------------------------------------------------

type Lengths = readonly number[];

/** fft along several axes (all by default), of lengths s where given. */
export function fftn<T extends Tensor = Tensor>(
  input: Input,
  s?: Lengths,
  axes?: Lengths,
  norm: FftNorm = 'backward',
): T {
  return complexTransform<T>('fftn', input, s, axes, norm, false);
}

/** The inverse of fftn. */
export function ifftn<T extends Tensor = Tensor>(
  input: Input,
  s?: Lengths,
  axes?: Lengths,
  norm: FftNorm = 'backward',
): T {
  return complexTransform<T>('ifftn', input, s, axes, norm, true);
}

/** rfft along the last of several axes, fft along the others. */
export function rfftn<T extends Tensor = Tensor>(
  input: Input,
  s?: Lengths,
  axes?: Lengths,
  norm: FftNorm = 'backward',
): T {
  return realTransform<T>('rfftn', input, s, axes, norm);
}

/** The inverse of rfftn; the last length is 2 (m - 1) where s does not say it. */
export function irfftn<T extends Tensor = Tensor>(
  input: Input,
  s?: Lengths,
  axes?: Lengths,
  norm: FftNorm = 'backward',
): T {
  return inverseReal<T>('irfftn', input, s, axes, norm);
}

const LAST_TWO = [-2, -1];
const LAST_THREE = [-3, -2, -1];

/** fft along the last two axes. */
export function fft2d<T extends Tensor = Tensor>(input: Input, s?: Lengths): T {
  return complexTransform<T>('fft2d', input, s, LAST_TWO, 'backward', false);
}
/** The inverse of fft2d. */
export function ifft2d<T extends Tensor = Tensor>(input: Input, s?: Lengths): T {
  return complexTransform<T>('ifft2d', input, s, LAST_TWO, 'backward', true);
}
/** rfft along the last axis, fft along the one before. */
export function rfft2d<T extends Tensor = Tensor>(input: Input, fftLength?: Lengths): T {
  return realTransform<T>('rfft2d', input, fftLength, LAST_TWO, 'backward');
}
/** The inverse of rfft2d. */
export function irfft2d<T extends Tensor = Tensor>(input: Input, fftLength?: Lengths): T {
  return inverseReal<T>('irfft2d', input, fftLength, LAST_TWO, 'backward');
}
/** fft along the last three axes. */
export function fft3d<T extends Tensor = Tensor>(input: Input, s?: Lengths): T {
  return complexTransform<T>('fft3d', input, s, LAST_THREE, 'backward', false);
}
/** The inverse of fft3d. */
export function ifft3d<T extends Tensor = Tensor>(input: Input, s?: Lengths): T {
  return complexTransform<T>('ifft3d', input, s, LAST_THREE, 'backward', true);
}
/** rfft along the last axis, fft along the two before. */
export function rfft3d<T extends Tensor = Tensor>(input: Input, fftLength?: Lengths): T {
  return realTransform<T>('rfft3d', input, fftLength, LAST_THREE, 'backward');
}
/** The inverse of rfft3d. */
export function irfft3d<T extends Tensor = Tensor>(input: Input, fftLength?: Lengths): T {
  return inverseReal<T>('irfft3d', input, fftLength, LAST_THREE, 'backward');
}

// ---- order and frequencies -----------------------------------------------------------------------------------------------

/** The last `count(extent)` places of each axis before the others. */
function rolled<T extends Tensor>(
  op: string,
  x: Input,
  axes: number | Lengths | undefined,
  count: (extent: number) => number,
): T {
  const moved = movedStrings<T>(op, x, (part) => rolled(op, part, axes, count));
  if (moved) return moved;
  let result = lift(valueOf(x, 'x', op));
  const { rank } = result;
  const list = typeof axes === 'number' ? [axes] : (axes ?? result.shape.map((_, axis) => axis));
  for (const axis of list.map((given) => axisOf(op, given, rank))) {
    const extent = result.shape[axis];
    const last = count(extent);
    if (last === 0) continue;
    const part = (from: number, size: number) =>
      slice(result, result.shape.map(() => 0).with(axis, from), result.shape.with(axis, size));
    result = concat([part(extent - last, last), part(0, extent - last)], axis);
  }
  return result as T;
}

/** The zero frequency brought to the middle of the axes (all by default). */
export function fftShift<T extends Tensor = Tensor>(x: T | TensorLike, axes?: number | Lengths): T {
  return rolled<T>('fftShift', x, axes, (extent) => Math.floor(extent / 2));
}

/** The inverse of fftShift. */
export function ifftShift<T extends Tensor = Tensor>(x: T | TensorLike, axes?: number | Lengths): T {
  return rolled<T>('ifftShift', x, axes, (extent) => Math.ceil(extent / 2) % Math.max(1, extent));
}

/** The frequencies of fft's elements in cycles per unit of the sample spacing d: 0, 1, ..., -2, -1, over n d. */
export function fftFreq(n: number, d = 1): Tensor {
  checkLengths('fftFreq', [n]);
  const positive = Math.ceil(n / 2);
  const places = concat([range(0, positive), range(positive - n, 0)]);
  return lift(build.scale(places.value, 1 / (n * d)));
}

/** The frequencies of rfft's elements: 0, 1, ..., n / 2, over n d. */
export function rfftFreq(n: number, d = 1): Tensor {
  checkLengths('rfftFreq', [n]);
  return lift(build.scale(range(0, Math.floor(n / 2) + 1).value, 1 / (n * d)));
}

/** The Fourier functions together, as TensorFlow.js and TensorFlow name them. */
export const spectral = {
  fft,
  fft2d,
  fft3d,
  fftFreq,
  fftn,
  fftShift,
  hfft,
  ifft,
  ifft2d,
  ifft3d,
  ifftn,
  ifftShift,
  ihfft,
  irfft,
  irfft2d,
  irfft3d,
  irfftn,
  rfft,
  rfft2d,
  rfft3d,
  rfftFreq,
  rfftn,
} as const;
