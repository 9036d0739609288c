/**
 * Sorting, searching and counting. Sorts are stable, equal elements keep their order, NaN stands last in either direction; both
 * zeros are equal. Gradients go through the places.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import { promote } from '../../types/dtype.ts';
import { normalizeAxes, showShape, sizeOf } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { axisOf, lift, placesOf, valueOf } from './lift.ts';

export type Direction = 'ASCENDING' | 'DESCENDING';

function isDescending(op: string, direction: Direction): boolean {
  if (direction === 'ASCENDING' || direction === 'DESCENDING') return direction === 'DESCENDING';
  fail(op, "direction must be 'ASCENDING' or 'DESCENDING'", `got ${String(direction)}`);
}

function ranked(op: string, x: Tensor | TensorLike): Value {
  const value = valueOf(x, 'x', op);
  if (value.shape.length === 0) fail(op, 'the input must have rank 1 or more', 'got a scalar', 'reshape it to [1]');
  return value;
}

/** The elements in order along `axis` (-1). */
export function sort<T extends Tensor = Tensor>(x: T | TensorLike, axis = -1, direction: Direction = 'ASCENDING'): T {
  const value = ranked('sort', x);
  const at = axisOf('sort', axis, value.shape.length);
  return lift<T>(build.sort(value, at, isDescending('sort', direction)).values);
}

/** The places of the elements in order along `axis` (-1), int32: gathering at them along the axis sorts. Stable. */
export function argsort(x: Tensor | TensorLike, axis = -1, direction: Direction = 'ASCENDING'): Tensor {
  const value = ranked('argsort', x);
  const at = axisOf('argsort', axis, value.shape.length);
  return lift(build.argsort(value, at, isDescending('argsort', direction)));
}

/**
 * The k largest elements (1) along the last axis, in descending order, and their places (int32); of equal ones the first comes
 * first. `sorted` is there for compatibility: the result always is.
 */
export function topk<T extends Tensor = Tensor>(
  x: T | TensorLike,
  k = 1,
  _sorted = true,
): { values: T; indices: Tensor } {
  const value = ranked('topk', x);
  const last = value.shape[value.shape.length - 1];
  if (!Number.isInteger(k) || k < 0 || k > last) {
    fail('topk', `k must be an integer in [0, ${last}], the last axis`, `got ${k} for shape ${showShape(value.shape)}`);
  }
  const { values, indices } = composite.topk(value, k);
  return { values: lift<T>(values), indices: lift(indices) };
}

/** The k-th smallest element (from 1) along `axis` (-1) and its place; the axis is dropped unless keepDims. */
export function kthValue<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  k: number,
  axis = -1,
  keepDims = false,
): { values: T; indices: Tensor } {
  const value = ranked('kthValue', x);
  const at = axisOf('kthValue', axis, value.shape.length);
  const n = value.shape[at];
  if (!Number.isInteger(k) || k < 1 || k > n) fail('kthValue', `k must be an integer in [1, ${n}]`, `got ${k}`);
  const sorted = build.sort(value, at);
  const pick = (v: Value) => {
    const part = build.slice(v, v.shape.map(() => 0).with(at, k - 1), v.shape.with(at, 1));
    return keepDims ? part : build.reshape(part, v.shape.toSpliced(at, 1));
  };
  return { values: lift<T>(pick(sorted.values)), indices: lift(pick(sorted.indices)) };
}

/**
 * Where `values` [..., k] would be put into `sortedSequence` [..., n] so that it stays sorted: before equal elements (side
 * 'left') or behind them ('right'). int32 of the shape of values. NaN counts as the largest number.
 */
export function searchSorted(
  sortedSequence: Tensor | TensorLike,
  values: Tensor | TensorLike,
  side: 'left' | 'right' = 'left',
): Tensor {
  const list = ranked('searchSorted', sortedSequence);
  const wanted = ranked('searchSorted', values);
  if (side !== 'left' && side !== 'right')
    fail('searchSorted', "side must be 'left' or 'right'", `got ${String(side)}`);
  const dtype = promote(promote(list.dtype, wanted.dtype), 'int32');
  const rows = (v: Value): Value => {
    const n = v.shape[v.shape.length - 1];
    return build.reshape(v, [sizeOf(v.shape.slice(0, -1)), n]);
  };
  const [x, y] = [rows(build.cast(list, dtype)), rows(build.cast(wanted, dtype))];
  if (x.shape[0] !== y.shape[0]) {
    fail(
      'searchSorted',
      'the leading axes of both must be equal',
      `got shapes ${showShape(list.shape)} and ${showShape(wanted.shape)}`,
    );
  }
  return lift(build.reshape(build.searchSorted(x, y, side === 'right'), wanted.shape));
}

/** searchSorted from the left: the first place that is not less. */
export function lowerBound(sortedSequence: Tensor | TensorLike, values: Tensor | TensorLike): Tensor {
  return searchSorted(sortedSequence, values, 'left');
}

/** searchSorted from the right: the first place that is greater. */
export function upperBound(sortedSequence: Tensor | TensorLike, values: Tensor | TensorLike): Tensor {
  return searchSorted(sortedSequence, values, 'right');
}

/** Is each target ([...], of any numbers, as int32) among the k classes with the largest predictions [..., classes]? bool. */
export function inTopK(predictions: Tensor | TensorLike, targets: Tensor | TensorLike, k = 1): Tensor {
  const scores = valueOf(predictions, 'predictions', 'inTopK');
  // TensorFlow.js takes them in any dtype.
  const given = valueOf(targets, 'targets', 'inTopK', 'int32');
  const wanted = given.dtype === 'int64' ? build.asPlaces(given) : build.cast(given, 'int32');
  const rank = scores.shape.length;
  if (rank < 2) fail('inTopK', 'predictions must have rank 2 or more', `got shape ${showShape(scores.shape)}`);
  const lead = scores.shape.slice(0, -1);
  if (wanted.shape.length !== rank - 1 || wanted.shape.some((extent, axis) => extent !== lead[axis])) {
    fail(
      'inTopK',
      'targets must have the shape of predictions without the last axis',
      `got ${showShape(scores.shape)} and ${showShape(wanted.shape)}`,
    );
  }
  const classes = scores.shape[rank - 1];
  if (!Number.isInteger(k) || k < 1 || k > classes)
    fail('inTopK', `k must be an integer in [1, ${classes}]`, `got ${k}`);
  return lift(composite.inTopK(scores, wanted, k));
}

/** inTopK, as TensorFlow.js has it. */
export async function inTopKAsync(
  predictions: Tensor | TensorLike,
  targets: Tensor | TensorLike,
  k = 1,
): Promise<Tensor> {
  const result = inTopK(predictions, targets, k);
  await result.ready();
  return result;
}

type Axes = number | readonly number[] | null;

function quantileOf<T extends Tensor>(
  op: string,
  x: Tensor | TensorLike,
  q: number | readonly number[],
  axis: Axes,
  keepDims: boolean,
  interpolation: composite.Interpolation,
  scale: number,
): T {
  const value = build.asReal(valueOf(x, 'x', op));
  const axes = normalizeAxes(op, axis, value.shape.length);
  const list = typeof q === 'number' ? [q] : q;
  for (const one of list) if (!(one >= 0 && one <= scale)) fail(op, `q must lie in [0, ${scale}]`, `got ${one}`);
  const kinds: readonly string[] = ['linear', 'lower', 'higher', 'midpoint', 'nearest'];
  if (!kinds.includes(interpolation)) {
    fail(op, `interpolation must be one of ${kinds.join(', ')}`, `got ${String(interpolation)}`);
  }
  const kept = value.shape.map((_, a) => a).filter((a) => !axes.includes(a));
  const keptShape = kept.map((a) => value.shape[a]);
  const n = sizeOf(axes.map((a) => value.shape[a]));
  if (n === 0) fail(op, 'there must be an element to choose from', `got shape ${showShape(value.shape)}`);
  const rows = build.reshape(build.transpose(value, [...kept, ...axes]), [sizeOf(keptShape), n, 1]);
  const shape = keepDims ? value.shape.map((extent, a) => (axes.includes(a) ? 1 : extent)) : keptShape;
  const results = composite
    .quantiles(
      rows,
      list.map((one) => one / scale),
      interpolation,
    )
    .map((result) => build.reshape(result, typeof q === 'number' ? shape : [1, ...shape]));
  return lift<T>(typeof q === 'number' ? results[0] : build.concat(results, 0));
}

/**
 * The q-quantile (q in [0, 1]) over the axes (all by default), as numpy.quantile: the element at q (n - 1) of the sorted ones,
 * between two of them by `interpolation`: 'linear', 'lower', 'higher', 'midpoint', 'nearest'. A list of q gives a new first axis.
 * NaN where there is one. float32.
 */
export function quantile<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  q: number | readonly number[],
  axis: Axes = null,
  keepDims = false,
  interpolation: composite.Interpolation = 'linear',
): T {
  return quantileOf<T>('quantile', x, q, axis, keepDims, interpolation, 1);
}

/** quantile with q in percent, [0, 100]. */
export function percentile<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  q: number | readonly number[],
  axis: Axes = null,
  keepDims = false,
  interpolation: composite.Interpolation = 'linear',
): T {
  return quantileOf<T>('percentile', x, q, axis, keepDims, interpolation, 100);
}

/** The middle element, or the mean of the two middle ones, over the axes (all by default). */
export function median<T extends Tensor = Tensor>(x: Tensor | TensorLike, axis: Axes = null, keepDims = false): T {
  return quantileOf<T>('median', x, 0.5, axis, keepDims, 'linear', 1);
}

function expectCount(op: string, name: string, n: number, least: number): void {
  if (!Number.isInteger(n) || n < least) fail(op, `${name} must be an integer of ${least} or more`, `got ${n}`);
}

function listOf(op: string, x: Tensor | TensorLike, name = 'x'): Value {
  const value = build.asReal(valueOf(x, name, op));
  return build.reshape(value, [sizeOf(value.shape)]);
}

/**
 * How many elements fall into each of `bins` (10) bins of one width, as numpy.histogram: [low, high) but the last one, which
 * is closed; elements outside of `range` (by default from the smallest to the largest) are not counted. int32 counts, or float32
 * sums of `weights` of the shape of x; and the bins + 1 edges.
 */
export function histogram(
  x: Tensor | TensorLike,
  bins = 10,
  range?: readonly [number, number],
  weights?: Tensor | TensorLike,
): { counts: Tensor; edges: Tensor } {
  expectCount('histogram', 'bins', bins, 1);
  const list = listOf('histogram', x);
  const sums = weights === undefined ? null : listOf('histogram', weights, 'weights');
  if (sums && sums.shape[0] !== list.shape[0]) {
    fail('histogram', 'there must be one weight for each element', `got ${sums.shape[0]} for ${list.shape[0]}`);
  }
  if (range && !(range[0] <= range[1])) fail('histogram', 'range must be [low, high]', `got [${range}]`);
  const isEmpty = list.shape[0] === 0;
  const ends = range ?? (isEmpty ? [0, 1] : null);
  const low = ends ? build.constant(ends[0]) : build.min(list);
  const high = ends ? build.constant(ends[1]) : build.max(list);
  const { counts, edges } = composite.histogram(list, bins, low, high, sums);
  return { counts: lift(counts), edges: lift(edges) };
}

/** As TensorFlow's histogram_fixed_width: `nbins` (100) bins over valueRange; what is outside counts in the first or last. int32. */
export function histogramFixedWidth(
  values: Tensor | TensorLike,
  valueRange: readonly [number, number],
  nbins = 100,
): Tensor {
  expectCount('histogramFixedWidth', 'nbins', nbins, 1);
  if (!(valueRange[0] < valueRange[1])) {
    fail('histogramFixedWidth', 'valueRange must be [low, high] with low < high', `got [${valueRange}]`);
  }
  const list = listOf('histogramFixedWidth', values, 'values');
  const [low, high] = valueRange;
  return lift(composite.histogramFixedWidth(list, build.constant(low), build.constant(high), nbins));
}

/** Elements to count and, unless there are none, their weights. */
function counting(op: string, x: Tensor | TensorLike, weights: Tensor | TensorLike, size: number) {
  const value = placesOf(x, 'x', op);
  const what = valueOf(weights, 'weights', op);
  const [count, given] = [sizeOf(value.shape), sizeOf(what.shape)];
  expectCount(op, 'size', size, 0);
  if (given !== count && given !== 0) {
    fail(
      op,
      'weights must have the shape of x, or be empty',
      `got ${showShape(what.shape)} for ${showShape(value.shape)}`,
    );
  }
  return { value, what: given === 0 ? null : build.reshape(what, value.shape), dtype: what.dtype };
}

/**
 * How often each of 0 .. size - 1 is among the elements of x (int32, not negative), or the sums of their weights (of the shape of
 * x; empty: ones). What is size or more is not counted. Of the weights' dtype.
 */
export function bincount<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  weights: Tensor | TensorLike,
  size: number,
): T {
  const { value, what, dtype } = counting('bincount', x, weights, size);
  const n = sizeOf(value.shape);
  const flat = (v: Value) => build.reshape(v, [1, n]);
  const counts = composite.bincount(flat(value), what && flat(what), size, false, 'bincount');
  return lift<T>(build.cast(build.reshape(counts, [size]), dtype));
}

/** bincount of each row of x ([n] or [rows, n]); `binaryOutput`: 1 where a number is there at all. */
export function denseBincount<T extends Tensor = Tensor>(
  x: Tensor | TensorLike,
  weights: Tensor | TensorLike,
  size: number,
  binaryOutput = false,
): T {
  const { value, what, dtype } = counting('denseBincount', x, weights, size);
  const rank = value.shape.length;
  if (rank > 2) fail('denseBincount', 'x must have rank 2 at most', `got shape ${showShape(value.shape)}`);
  const shape = rank === 2 ? value.shape : [1, sizeOf(value.shape)];
  const rows = (v: Value) => build.reshape(v, shape);
  const counts = composite.bincount(rows(value), what && rows(what), size, binaryOutput, 'denseBincount');
  return lift<T>(build.cast(rank === 2 ? counts : build.reshape(counts, [size]), dtype));
}
