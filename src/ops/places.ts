/**
 * What rows that read or write at places from data share: both work on [batch, outer, n, inner] with indices [batch, k]. An index
 * outside of [0, n) is an error on every target.
 */
import { fail, failIndex } from '../base/errors.ts';
import type { Attrs } from '../graph/graph.ts';
import type { TensorType } from '../types/shape.ts';
import type { NDArray } from './row.ts';
import { expectDType, expectRank, show } from './rule.ts';

export function checkIndices(op: string, indices: TensorType, batch: number): void {
  expectDType(op, indices, ['int32'], 'the indices');
  expectRank(op, indices, 2, 'the indices [batch, k]');
  if (indices.shape[0] !== batch) fail(op, 'batch axes must be equal', `got ${batch} and ${show(indices)}`);
}

/** The name in messages: that of the function which the user called, where the builder said it. */
export function labelOf(attrs: Attrs, kind: string): string {
  return typeof attrs.op === 'string' ? attrs.op : kind;
}

/** The index, if it is in [0, bound). */
export function checkedIndex(op: string, what: string, index: number, bound: number): number {
  if (index < 0 || index >= bound) failIndex(op, what, bound, index);
  return index;
}

function indexAt(op: string, indices: NDArray, batch: number, k: number, bound: number): number {
  const index = indices.data[batch * indices.shape[1] + k];
  return checkedIndex(op, 'index', index, bound);
}

/** Calls visit(flat of the [batch, outer, k, inner] side, flat of the [batch, outer, n, inner] side). */
export function forEachMove(
  op: string,
  indices: NDArray,
  wide: readonly number[],
  visit: (narrow: number, wide: number) => void,
): void {
  const [batches, outers, n, inners] = wide;
  const count = indices.shape[1];
  for (let batch = 0; batch < batches; batch++) {
    for (let outer = 0; outer < outers; outer++) {
      for (let k = 0; k < count; k++) {
        const row = indexAt(op, indices, batch, k, n);
        const block = batch * outers + outer;
        for (let inner = 0; inner < inners; inner++) {
          visit((block * count + k) * inners + inner, (block * n + row) * inners + inner);
        }
      }
    }
  }
}
