/** What sorting gives: the largest few, quantiles, counts. Written with builders. */
import type { Value } from '../graph/graph.ts';
import { apply1 } from './apply.ts';
import { argsort } from './build-sort.ts';
import { around } from './build-cumulate.ts';
import {
  add,
  cast,
  constant,
  constantLike,
  div,
  equal,
  floor,
  iota,
  isNaN,
  lessEqual,
  logicalAnd,
  maximum,
  minimum,
  mul,
  scale,
  select,
  sub,
} from './build-elementwise.ts';
import { scatterAdd, searchSorted, takeAlong } from './build-indexing.ts';
import { broadcastTo, reshape, slice } from './build-movement.ts';
import { any, max, min } from './build-reduce.ts';
import { sort } from './build-sort.ts';

/** The k first along the last axis in descending (or ascending) order, and their places: the first of equals first. */
export function topk(x: Value, k: number, descending = true): { values: Value; indices: Value } {
  const axis = x.shape.length - 1;
  const n = x.shape[axis];
  const rows = around(x.shape, axis)[0];
  const first = reshape(firstPlaces(x, rows, n, k, descending), [rows, k, 1]);
  const values = takeAlong(reshape(x, [rows, n, 1]), first);
  const shape = x.shape.with(axis, k);
  return { values: reshape(values, shape), indices: reshape(first, shape) };
}

/** Short lists are found in one pass, longer ones by sorting everything. */
const SHORT_LIST = 16;

function firstPlaces(x: Value, rows: number, n: number, k: number, descending: boolean): Value {
  // Sorting short rows in lanes costs less than looking through them.
  if (k >= 1 && k <= SHORT_LIST && n >= 128) {
    const countable = x.dtype === 'bool' ? cast(x, 'int32') : x;
    return apply1('topkPlaces', [reshape(countable, [rows, n])], { k, descending });
  }
  const order = reshape(argsort(x, x.shape.length - 1, descending), [rows, n]);
  return slice(order, [0, 0], [rows, k]);
}

/** Is each target among the k classes with the largest predictions (the first of equals counting first)? */
export function inTopK(predictions: Value, targets: Value, k: number): Value {
  const { indices } = topk(predictions, k);
  const wanted = broadcastTo(reshape(targets, [...targets.shape, 1]), indices.shape);
  return any(equal(indices, wanted), indices.shape.length - 1);
}

export type Interpolation = 'linear' | 'lower' | 'higher' | 'midpoint' | 'nearest';

/** Half to even, as NumPy's nearest. */
function nearest(place: number): number {
  const low = Math.floor(place);
  if (place - low !== 0.5) return Math.round(place);
  return low % 2 === 0 ? low : low + 1;
}

/** The quantile at each of `qs` along the middle axis of [outer, n, inner]: [outer, inner] for each. NaN where there is a NaN. */
export function quantiles(x: Value, qs: readonly number[], interpolation: Interpolation): Value[] {
  const [outer, n, inner] = x.shape;
  const { values } = sort(x, 1);
  const at = (i: number) => reshape(slice(values, [0, i, 0], [outer, 1, inner]), [outer, inner]);
  // NaN stands last.
  const last = at(n - 1);
  return qs.map((q) => {
    const place = q * (n - 1);
    const [low, high] = [Math.floor(place), Math.ceil(place)];
    let value: Value;
    if (interpolation === 'lower' || low === high) value = at(low);
    else if (interpolation === 'higher') value = at(high);
    else if (interpolation === 'nearest') value = at(nearest(place));
    else {
      const share = interpolation === 'midpoint' ? 0.5 : place - low;
      value = between(at(low), at(high), share);
    }
    return select(isNaN(last), last, value);
  });
}

/** a + share (b - a); equal infinities are themselves. */
function between(a: Value, b: Value, share: number): Value {
  return select(equal(a, b), a, add(a, scale(sub(b, a), share)));
}

/**
 * How many values fall into each of `bins` bins of one width from low to high (scalars), the last one closed; those outside are
 * not counted. With weights their sums. The edges too.
 */
export function histogram(
  x: Value,
  bins: number,
  low: Value,
  high: Value,
  weights: Value | null,
): { counts: Value; edges: Value } {
  // A range of one point is widened by a half on each side, as NumPy does.
  const isPoint = equal(low, high);
  const from = select(isPoint, sub(low, constantLike(low, 0.5)), low);
  const to = select(isPoint, add(high, constantLike(high, 0.5)), high);
  const width = sub(to, from);
  const edges = add(
    broadcastTo(from, [bins + 1]),
    mul(broadcastTo(width, [bins + 1]), scale(cast(iotaOf(bins + 1), width.dtype), 1 / bins)),
  );
  const [count] = x.shape;
  // By the edges themselves, so that no rounding puts a value into the wrong bin.
  const list = select(
    equal(iotaOf(bins + 1), constantLike(iotaOf(bins + 1), bins)),
    broadcastTo(to, [bins + 1]),
    edges,
  );
  const place = reshape(searchSorted(reshape(list, [1, bins + 1]), reshape(x, [1, count]), true), [count]);
  const inside = logicalAnd(lessEqual(broadcastTo(from, [count]), x), lessEqual(x, broadcastTo(to, [count])));
  const bin = select(
    inside,
    minimum(sub(place, constantLike(place, 1)), constantLike(place, bins - 1)),
    constantLike(place, bins),
  );
  return { counts: counted(bin, bins + 1, bins, weights, 'histogram'), edges: list };
}

/** Sums of weights (or ones) at places in [0, rows), of which the first `kept` are wanted. */
function counted(places: Value, rows: number, kept: number, weights: Value | null, op: string): Value {
  const [count] = places.shape;
  const what = weights ?? constant(1, 'int32', [count]);
  const sums = scatterAdd(reshape(places, [1, count]), reshape(what, [1, 1, count, 1]), rows, op);
  return slice(reshape(sums, [rows]), [0], [kept]);
}

function iotaOf(n: number): Value {
  return iota([n]);
}

/** As tf.histogramFixedWidth: bins of one width, values outside counted in the first and the last one. */
export function histogramFixedWidth(x: Value, low: Value, high: Value, bins: number): Value {
  const [count] = x.shape;
  const spread = (v: Value) => broadcastTo(v, [count]);
  const place = floor(div(scale(sub(x, spread(low)), bins), spread(sub(high, low))));
  const inside = minimum(maximum(place, constantLike(place, 0)), constantLike(place, bins - 1));
  return counted(cast(inside, 'int32'), bins, bins, null, 'histogramFixedWidth');
}

/** How often each of 0 .. size - 1 is among x [rows, k]; what is larger is not counted. [rows, size] of the weights' dtype. */
export function bincount(x: Value, weights: Value | null, size: number, binary: boolean, op: string): Value {
  const [rows, k] = x.shape;
  const bin = minimum(x, constantLike(x, size));
  const what = weights && !binary ? weights : constant(1, weights?.dtype ?? 'int32', [rows, k]);
  const sums = scatterAdd(bin, reshape(what, [rows, 1, k, 1]), size + 1, op);
  const kept = slice(reshape(sums, [rows, size + 1]), [0, 0], [rows, size]);
  return binary ? minimum(kept, constantLike(kept, 1)) : kept;
}

/** Smallest and largest of a list, for a histogram's range. */
export function rangeOf(x: Value): { low: Value; high: Value } {
  return { low: min(x), high: max(x) };
}
