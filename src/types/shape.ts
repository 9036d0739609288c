/** Shapes: sizes, row-major strides, broadcasting, axes. A shape is a list of non-negative integers; [] is a scalar. */
import { fail } from '../base/errors.ts';
import type { DType } from './dtype.ts';

export type Shape = readonly number[];

/** What is known of a tensor before it is computed. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** Row-major strides in elements; the last axis has stride 1. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

export function showShape(shape: Shape): string {
  return `[${shape.join(',')}]`;
}

export function checkShape(op: string, shape: Shape): void {
  for (const extent of shape) {
    if (!Number.isSafeInteger(extent) || extent < 0) {
      fail(op, 'every extent of a shape must be a non-negative integer', `got ${showShape(shape)}`);
    }
  }
  checkCount(op, shape);
}

/** Indices are 32 bits wide, on every target. */
export function checkCount(op: string, shape: Shape): void {
  if (sizeOf(shape) > 2 ** 31 - 1) fail(op, 'a tensor may hold at most 2^31 - 1 elements', `got ${showShape(shape)}`);
}

/** NumPy's broadcasting: trailing axes align; equal, or one of them 1. */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let axis = 0; axis < rank; axis++) {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      fail(
        op,
        'shapes must broadcast: trailing axes equal or 1',
        `got ${showShape(a)} and ${showShape(b)}`,
        'reshape or expandDims one side',
      );
    }
    out[axis] = x === 1 ? y : x;
  }
  return out;
}

/** Sorted, distinct, non-negative axes; undefined means all of them. */
export function normalizeAxes(op: string, axes: number | readonly number[] | null | undefined, rank: number): number[] {
  if (axes === null || axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  const list = typeof axes === 'number' ? [axes] : axes;
  const out = new Set<number>();
  for (const axis of list) {
    if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
      fail(op, `axis must be an integer in [${-rank}, ${rank - 1}] for a tensor of rank ${rank}`, `got ${axis}`);
    }
    out.add(axis < 0 ? axis + rank : axis);
  }
  return [...out].sort((a, b) => a - b);
}
