/**
 * Sums and the like over segments: rows of a tensor that have one id are combined. Ids are int32 and need not be sorted; one
 * outside of [0, numSegments) is an error when a value is read. Sums add in the order of the rows, for any number of threads.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import { sameShape, showShape, sizeOf } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { computed, lift, placesOf, valueOf } from './lift.ts';

type Input = Tensor | TensorLike;
type Kind = composite.SegmentKind;

/** What a segment without rows holds: TensorFlow's choices. */
function emptyOf(kind: Kind, isSorted: boolean, dtype: Value['dtype']): number {
  if (kind === 'prod') return 1;
  if (isSorted || (kind !== 'max' && kind !== 'min')) return 0;
  if (dtype === 'float64') return kind === 'min' ? Number.MAX_VALUE : -Number.MAX_VALUE;
  const largest = dtype === 'float32' ? 3.4028234663852886e38 : 2147483647;
  return kind === 'min' ? largest : dtype === 'float32' ? -largest : -(2 ** 31);
}

/** One more than the largest id; reads the ids. */
function countOf(ids: Value): number {
  let most = -1;
  for (const id of lift(ids).dataSync()) if (id > most) most = id;
  return most + 1;
}

function combine<T extends Tensor>(
  op: string,
  kind: Kind,
  data: Input,
  segmentIds: Input,
  numSegments: number | undefined,
  isSorted: boolean,
): T {
  const given = valueOf(data, isSorted ? 'data' : 'x', op);
  const value = given.dtype === 'bool' ? build.cast(given, 'int32') : given;
  const ids = placesOf(segmentIds, 'segmentIds', op);
  const rank = ids.shape.length;
  if (rank === 0 || !sameShape(ids.shape, value.shape.slice(0, rank))) {
    fail(
      op,
      "segmentIds must have the shape of the data's first axes",
      `got ${showShape(ids.shape)} for data of shape ${showShape(value.shape)}`,
    );
  }
  const count = numSegments ?? countOf(ids);
  if (!Number.isInteger(count) || count < 0) fail(op, 'numSegments must be a non-negative integer', `got ${count}`);
  const k = sizeOf(ids.shape);
  const rows = build.reshape(value, [k, ...value.shape.slice(rank)]);
  return lift<T>(
    computed([rows], (wide) =>
      composite.segments(kind, wide, build.reshape(ids, [k]), count, emptyOf(kind, isSorted, wide.dtype), op),
    ),
  );
}

/** Sums of the rows of x with one id: [numSegments, ...]; ids have the shape of the first axes of x. Empty: 0. */
export function unsortedSegmentSum<T extends Tensor = Tensor>(x: Input, segmentIds: Input, numSegments: number): T {
  return combine<T>('unsortedSegmentSum', 'sum', x, segmentIds, numSegments, false);
}
/** Means of the rows with one id, float32. Empty: 0. */
export function unsortedSegmentMean<T extends Tensor = Tensor>(x: Input, segmentIds: Input, numSegments: number): T {
  return combine<T>('unsortedSegmentMean', 'mean', x, segmentIds, numSegments, false);
}
/** Sums of the rows with one id over the root of their number, float32. Empty: 0. */
export function unsortedSegmentSqrtN<T extends Tensor = Tensor>(x: Input, segmentIds: Input, numSegments: number): T {
  return combine<T>('unsortedSegmentSqrtN', 'sqrtN', x, segmentIds, numSegments, false);
}
/** Largest elements of the rows with one id. Empty: the lowest number of the dtype. */
export function unsortedSegmentMax<T extends Tensor = Tensor>(x: Input, segmentIds: Input, numSegments: number): T {
  return combine<T>('unsortedSegmentMax', 'max', x, segmentIds, numSegments, false);
}
/** Smallest elements of the rows with one id. Empty: the highest number of the dtype. */
export function unsortedSegmentMin<T extends Tensor = Tensor>(x: Input, segmentIds: Input, numSegments: number): T {
  return combine<T>('unsortedSegmentMin', 'min', x, segmentIds, numSegments, false);
}
/** Products of the rows with one id. Empty: 1. */
export function unsortedSegmentProd<T extends Tensor = Tensor>(x: Input, segmentIds: Input, numSegments: number): T {
  return combine<T>('unsortedSegmentProd', 'prod', x, segmentIds, numSegments, false);
}

/** Sums of the rows of `data` with one id. Without numSegments the ids are read: one more than the largest. Empty: 0. */
export function segmentSum<T extends Tensor = Tensor>(data: Input, segmentIds: Input, numSegments?: number): T {
  return combine<T>('segmentSum', 'sum', data, segmentIds, numSegments, true);
}
/** Means of the rows with one id, float32; see segmentSum. Empty: 0. */
export function segmentMean<T extends Tensor = Tensor>(data: Input, segmentIds: Input, numSegments?: number): T {
  return combine<T>('segmentMean', 'mean', data, segmentIds, numSegments, true);
}
/** Largest elements of the rows with one id; see segmentSum. Empty: 0. */
export function segmentMax<T extends Tensor = Tensor>(data: Input, segmentIds: Input, numSegments?: number): T {
  return combine<T>('segmentMax', 'max', data, segmentIds, numSegments, true);
}
/** Smallest elements of the rows with one id; see segmentSum. Empty: 0. */
export function segmentMin<T extends Tensor = Tensor>(data: Input, segmentIds: Input, numSegments?: number): T {
  return combine<T>('segmentMin', 'min', data, segmentIds, numSegments, true);
}
/** Products of the rows with one id; see segmentSum. Empty: 1. */
export function segmentProd<T extends Tensor = Tensor>(data: Input, segmentIds: Input, numSegments?: number): T {
  return combine<T>('segmentProd', 'prod', data, segmentIds, numSegments, true);
}

function sparse<T extends Tensor>(
  op: string,
  kind: Kind,
  data: Input,
  indices: Input,
  segmentIds: Input,
  numSegments: number | undefined,
): T {
  const value = valueOf(data, 'data', op);
  const places = placesOf(indices, 'indices', op);
  if (value.shape.length === 0 || places.shape.length !== 1) {
    fail(
      op,
      'data must have rank 1 or more and indices must be a list',
      `got data of shape ${showShape(value.shape)}, indices of shape ${showShape(places.shape)}`,
    );
  }
  const rows = lift(build.gather(value, places, 0, 0, op));
  return combine<T>(op, kind, rows, segmentIds, numSegments, true);
}

/** segmentSum of the rows of `data` at `indices`. */
export function sparseSegmentSum<T extends Tensor = Tensor>(
  data: Input,
  indices: Input,
  segmentIds: Input,
  numSegments?: number,
): T {
  return sparse<T>('sparseSegmentSum', 'sum', data, indices, segmentIds, numSegments);
}
/** segmentMean of the rows of `data` at `indices`. */
export function sparseSegmentMean<T extends Tensor = Tensor>(
  data: Input,
  indices: Input,
  segmentIds: Input,
  numSegments?: number,
): T {
  return sparse<T>('sparseSegmentMean', 'mean', data, indices, segmentIds, numSegments);
}
/** Sums over the root of the number, of the rows of `data` at `indices`. */
export function sparseSegmentSqrtN<T extends Tensor = Tensor>(
  data: Input,
  indices: Input,
  segmentIds: Input,
  numSegments?: number,
): T {
  return sparse<T>('sparseSegmentSqrtN', 'sqrtN', data, indices, segmentIds, numSegments);
}
