/**
 * Rows that read or write at places that come from data. Both work on [batch, outer, n, inner] with indices [batch, k]; the
 * builders reshape to that, so that lanes always run over `inner`. An index outside of [0, n) is an error on every target.
 */
import { fail } from '../base/errors.ts';
import type { Affine } from '../kernel/ir.ts';
import { constant, plus, times, variable } from '../kernel/ir.ts';
import type { TensorType } from '../types/shape.ts';
import { newArray } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import type { BatchingContext } from './batching.ts';
import { foldedFirst, foldFirst, stacked } from './batching.ts';
import { gatherAt, reshape, scatterAdd, transpose } from './build.ts';
import type { KernelContext } from './lowering.ts';
import type { NDArray, OpRow } from './row.ts';
import { expectDType, expectRank, f32, i32, intAttr, show } from './rule.ts';

function checkIndices(op: string, indices: TensorType, batch: number): void {
  expectDType(op, indices, ['int32'], 'the indices');
  expectRank(op, indices, 2, 'the indices [batch, k]');
  if (indices.shape[0] !== batch) fail(op, 'batch axes must be equal', `got ${batch} and ${show(indices)}`);
}

function checkedIndex(op: string, indices: NDArray, batch: number, k: number, bound: number): number {
  const index = indices.data[batch * indices.shape[1] + k];
  if (index < 0 || index >= bound) fail(op, `an index must be in [0, ${bound})`, `got ${index}`);
  return index;
}

/** Calls visit(flat of the [batch, outer, k, inner] side, flat of the [batch, outer, n, inner] side). */
function forEachMove(
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
        const row = checkedIndex(op, indices, batch, k, n);
        const block = batch * outers + outer;
        for (let inner = 0; inner < inners; inner++) {
          visit((block * count + k) * inners + inner, (block * n + row) * inners + inner);
        }
      }
    }
  }
}

/** Columns that one chunk owns where there is one batch only. */
const BLOCK = 64;

/**
 * Zeroes and then adds row by row, in the order of the indices. Chunks own whole batches, or blocks of columns of the only one,
 * so none shares an element and the sums do not depend on threads.
 */
function emitScatterAdd(context: KernelContext): void {
  const { b, outputs } = context;
  const [batches, outers, n, inners] = outputs[0].shape;
  if (n === 0 || inners === 0) return;
  const write = scatterColumns(context);
  if (batches > 1 || inners <= BLOCK) {
    b.region('batch', batches, (v) => {
      write(variable(v, outers * n * inners), variable(v, context.inputs[0].shape[1]), constant(0), inners);
    });
    return;
  }
  const full = Math.floor(inners / BLOCK);
  b.region('block', full, (v) => write(constant(0), constant(0), variable(v, BLOCK), BLOCK));
  const rest = inners - full * BLOCK;
  if (rest > 0) b.region('rest', 1, () => write(constant(0), constant(0), constant(full * BLOCK), rest));
}

/** Writes columns [column, column + width) of the batch whose output and indices begin at the given places. */
function scatterColumns({ b, inputs, outputs, inputBuffers, outputBuffers, site }: KernelContext) {
  const [, outers, n, inners] = outputs[0].shape;
  const count = inputs[0].shape[1];
  const [indices, updates] = inputBuffers;
  const [out] = outputBuffers;
  const where = count > 0 ? site('index', n) : 0;
  const zero = () => (outputs[0].dtype === 'float32' ? b.f32(0) : b.i32(0));
  const vectors = (width: number, at: (offset: Affine, lanes: number) => void) => {
    const full = width - (width % b.lanes);
    if (full > 0) b.loop('i', 0, full, (v) => at(variable(v), b.lanes), { step: b.lanes });
    if (full < width) at(constant(full), width - full);
  };
  return (outBase: Affine, indexBase: Affine, column: Affine, width: number): void => {
    const to = plus(outBase, column);
    b.each('row', outers * n, (row) => {
      vectors(width, (offset, lanes) => b.store(out, plus(plus(to, times(row, inners)), offset), 1, lanes, zero()));
    });
    const from = plus(times(indexBase, outers * inners), column);
    b.each('outer', outers, (outer) => {
      b.each('k', count, (k) => {
        const index = b.guard(b.load(indices, plus(indexBase, k), 0, 1), n, where);
        const dyn = { index, scale: inners };
        const source = plus(from, plus(times(outer, count * inners), times(k, inners)));
        const target = plus(to, times(outer, n * inners));
        vectors(width, (offset, lanes) => {
          const old = b.load(out, plus(target, offset), 1, lanes, dyn);
          const sum = b.binary('add', old, b.load(updates, plus(source, offset), 1, lanes));
          b.store(out, plus(target, offset), 1, lanes, sum, dyn);
        });
      });
    });
  };
}

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
    evaluate([x, indices], _attrs, [type]) {
      const out = newArray(type.dtype, sizeOf(type.shape));
      forEachMove('gather', indices, x.shape, (to, from) => {
        out[to] = x.data[from];
      });
      return [out];
    },
    batching: batchGather,
    lowering: {
      tag: 'point',
      emit({ b, inputs: [x], guarded, loadAt }, [batch, outer, k, inner]) {
        // No rows, no indices: the output is empty and this is never run.
        if (x.shape[2] === 0) return [x.dtype === 'float32' ? b.f32(0) : b.i32(0)];
        const row = guarded(1, [batch, k], x.shape[2], 'index');
        return [loadAt(0, [batch, outer, row, inner])];
      },
    },
    samples: [
      { inputs: [f32([1, 1, 1, 1]), i32([1, 1], 0, 1)] },
      { inputs: [f32([1, 1, 9, 1]), i32([1, 5], 0, 9)] },
      { inputs: [f32([1, 1, 12, 17]), i32([1, 7], 0, 12)] },
      { inputs: [f32([2, 3, 4, 9]), i32([2, 5], 0, 4)] },
      { inputs: [f32([1, 2, 4, 3]), i32([1, 0], 0, 4)] },
      { inputs: [i32([1, 2, 5, 8]), i32([1, 6], 0, 5)] },
    ],
  },
  scatterAdd: {
    name: 'scatterAdd',
    summary: 'adds updates [batch, outer, k, inner] into zeros [batch, outer, n, inner] at indices [batch, k]',
    arity: 2,
    infer([indices, updates], attrs) {
      expectDType('scatterAdd', updates, ['float32', 'int32'], 'the updates');
      expectRank('scatterAdd', updates, 4, 'the updates [batch, outer, k, inner]');
      checkIndices('scatterAdd', indices, updates.shape[0]);
      if (indices.shape[1] !== updates.shape[2]) {
        fail('scatterAdd', 'there must be one index for each row of updates', `got ${show(indices)}, ${show(updates)}`);
      }
      return [{ dtype: updates.dtype, shape: updates.shape.with(2, intAttr(attrs, 'rows')) }];
    },
    gradient: ({ inputs: [indices] }, [dx]) => [null, dx && gatherAt(dx, indices)],
    evaluate([indices, updates], _attrs, [type]) {
      const totals = new Float64Array(sizeOf(type.shape));
      forEachMove('scatterAdd', indices, type.shape, (from, to) => {
        totals[to] += updates.data[from];
      });
      return [newArray(type.dtype, totals.length).map((_, i) => totals[i])];
    },
    batching: foldedFirst(),
    lowering: { tag: 'kernel', emit: emitScatterAdd },
    samples: [
      { inputs: [i32([1, 1], 0, 1), f32([1, 1, 1, 1])], attrs: { rows: 1 } },
      { inputs: [i32([1, 9], 0, 3), f32([1, 1, 9, 1])], attrs: { rows: 3 } },
      { inputs: [i32([1, 7], 0, 5), f32([1, 1, 7, 17])], attrs: { rows: 5 } },
      { inputs: [i32([1, 9], 0, 5), f32([1, 2, 9, 150])], attrs: { rows: 5 } },
      { inputs: [i32([2, 5], 0, 4), f32([2, 3, 5, 9])], attrs: { rows: 4 } },
      { inputs: [i32([1, 0], 0, 4), f32([1, 2, 0, 3])], attrs: { rows: 4 } },
      { inputs: [i32([1, 6], 0, 5), i32([1, 2, 6, 8])], attrs: { rows: 5 } },
    ],
    tolerance: { absolute: 1e-5, relative: 1e-5 },
  },
} satisfies Record<string, OpRow>;
