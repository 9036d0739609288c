/** The row that reads rows at places that come from data; the builders reshape, so that lanes always run over `inner`. */
import { fail } from '../base/errors.ts';
import { newArray } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { registerTypeOf } from './elements.ts';
import type { BatchingContext } from './batching.ts';
import { foldFirst, stacked } from './batching.ts';
import { gatherAt, reshape, scatterAdd, transpose } from './build.ts';
import { checkIndices, forEachMove, labelOf } from './places.ts';
import type { OpRow } from './row.ts';
import { expectRank, f32, i32 } from './rule.ts';

/** One table for the whole stack is read at all indices at once; one list of indices for all tables is repeated. */
function batchGather(context: BatchingContext) {
  const { inputs, batched, size, outputs } = context;
  if (batched[0]) {
    const rows = gatherAt(foldFirst(inputs[0]), foldFirst(stacked(context, 1)));
    return [reshape(rows, [size, ...outputs[0].shape])];
  }
  const [x, indices] = inputs;
  const [batch, outer, , inner] = x.shape;
  const k = indices.shape[2];
  const rows = gatherAt(x, reshape(transpose(indices, [1, 0, 2]), [batch, size * k]));
  return [transpose(reshape(rows, [batch, outer, size, k, inner]), [2, 0, 1, 3, 4])];
}

export const gatherRows = {
  gather: {
    name: 'gather',
    summary: 'rows of [batch, outer, n, inner] at indices [batch, k]',
    arity: 2,
    infer([x, indices]) {
      expectRank('gather', x, 4, 'the input [batch, outer, n, inner]');
      checkIndices('gather', indices, x.shape[0]);
      if (x.shape[2] === 0 && indices.shape[1] > 0) {
        fail('gather', 'nothing can be gathered from an empty axis', `got ${indices.shape[1]} indices into 0 rows`);
      }
      return [{ dtype: x.dtype, shape: [x.shape[0], x.shape[1], indices.shape[1], x.shape[3]] }];
    },
    gradient: ({ inputs: [x, indices] }, [dy]) => [dy && scatterAdd(indices, dy, x.shape[2]), null],
    evaluate([x, indices], attrs, [type]) {
      const out = newArray(type.dtype, sizeOf(type.shape));
      forEachMove(labelOf(attrs, 'gather'), indices, x.shape, (to, from) => {
        out[to] = x.data[from];
      });
      return [out];
    },
    batching: batchGather,
    small: 'asIs',
    lowering: {
      tag: 'point',
      emit({ b, inputs: [x], guarded, loadAt }, [batch, outer, k, inner]) {
        // No rows, no indices: the output is empty and this is never run.
        if (x.shape[2] === 0) return [b.constant(registerTypeOf(x.dtype), 0)];
        const row = guarded(1, [batch, k], x.shape[2], 'index');
        return [loadAt(0, [batch, outer, row, inner])];
      },
    },
    get samples() {
      return [
        { inputs: [f32([1, 1, 1, 1]), i32([1, 1], 0, 1)] },
        { inputs: [f32([1, 1, 9, 1]), i32([1, 5], 0, 9)] },
        { inputs: [f32([1, 1, 12, 17]), i32([1, 7], 0, 12)] },
        { inputs: [f32([2, 3, 4, 9]), i32([2, 5], 0, 4)] },
        { inputs: [f32([1, 2, 4, 3]), i32([1, 0], 0, 4)] },
        { inputs: [i32([1, 2, 5, 8]), i32([1, 6], 0, 5)] },
      ];
    },
  },
} satisfies Record<string, OpRow>;
