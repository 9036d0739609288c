/** The row that makes one index of several: what gathers and scatters by coordinates are written with. */
import { newArray } from '../types/dtype.ts';
import { stridesOf } from '../types/shape.ts';
import { fail } from '../base/errors.ts';
import { constant, zero } from '../kernel/ir.ts';
import { foldedFirst } from './batching.ts';
import { checkedIndex, labelOf } from './places.ts';
import type { OpRow } from './row.ts';
import { expectDType, expectRank, i32, intsAttr, show } from './rule.ts';

export const ravelRows = {
  ravelIndices: {
    name: 'ravelIndices',
    summary: 'flat places in a tensor of shape attrs.dims of coordinates [k, rank], each checked against its axis',
    arity: 1,
    infer([indices], attrs) {
      const op = labelOf(attrs, 'ravelIndices');
      expectDType(op, indices, ['int32'], 'the indices');
      expectRank(op, indices, 2, 'the indices [k, rank]');
      const dims = intsAttr(attrs, 'dims');
      if (indices.shape[1] !== dims.length) {
        fail(op, `there must be ${dims.length} coordinates in each row of indices`, `got ${show(indices)}`);
      }
      if (indices.shape[0] > 0 && dims.some((extent) => extent === 0)) {
        fail(op, 'there must be no index into an empty tensor', `got ${show(indices)} into [${dims}]`);
      }
      return [{ dtype: 'int32', shape: [indices.shape[0]] }];
    },
    gradient: 'constant',
    batching: foldedFirst(),
    evaluate([indices], attrs, [type]) {
      const dims = intsAttr(attrs, 'dims');
      const strides = stridesOf(dims);
      const out = newArray('int32', type.shape[0]);
      for (let k = 0; k < out.length; k++) {
        for (const [axis, extent] of dims.entries()) {
          const index = indices.data[k * dims.length + axis];
          out[k] +=
            checkedIndex(labelOf(attrs, 'ravelIndices'), `index of axis ${axis}`, index, extent) * strides[axis];
        }
      }
      return [out];
    },
    lowering: {
      tag: 'point',
      emit({ b, attrs, guarded }, [k]) {
        const dims = intsAttr(attrs, 'dims');
        const strides = stridesOf(dims);
        let flat = b.i32(0);
        for (const [axis, extent] of dims.entries()) {
          const at = { at: axis === 0 ? zero : constant(axis), laneStep: 0 };
          const { index } = guarded(0, [k, at], extent, `index of axis ${axis}`);
          const part = strides[axis] === 1 ? index : b.binary('mul', index, b.i32(strides[axis]));
          flat = axis === 0 ? part : b.binary('add', flat, part);
        }
        return [flat];
      },
    },
    get samples() {
      return [
        { inputs: [i32([1, 1], 0, 1)], attrs: { dims: [1] } },
        { inputs: [i32([0, 2], 0, 1)], attrs: { dims: [3, 0] } },
        { inputs: [i32([5, 0], 0, 1)], attrs: { dims: [] } },
        { inputs: [i32([9, 2], 0, 3)], attrs: { dims: [3, 5] } },
        { inputs: [i32([33, 3], 0, 2)], attrs: { dims: [2, 3, 4] } },
      ];
    },
  },
} satisfies Record<string, OpRow>;
