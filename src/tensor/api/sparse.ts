/**
 * Sparse tensors as TensorFlow.js has them: int32 indices [n, rank], n values, and the dense shape. The shapes of results depend on
 * data, so indices are read on the host; values may be of any dtype and have gradients.
 */
import { fail } from '../../base/errors.ts';
import { showShape, sizeOf, stridesOf } from '../../types/shape.ts';
import { makeTensor } from '../convert.ts';
import type { Tensor1D, Tensor2D } from '../types.ts';
import { anyTensor, int32, intsOf, pickRows, type Input } from './host.ts';
import { sparseSegmentMean, sparseSegmentSqrtN, sparseSegmentSum } from './segments.ts';
import { reshape } from './transformations.ts';

export interface FilledRows {
  /** Rows in order; an empty one has its first place. */
  outputIndices: Tensor2D;
  outputValues: Tensor1D;
  /** For each row of the dense shape: had it no value? */
  emptyRowIndicator: Tensor1D;
  /** For each value that came in, its place among those that go out. */
  reverseIndexMap: Tensor1D;
}

/** Gives every row of a sparse tensor that has no value the value defaultValue at its beginning. Rows come out in order. */
export function sparseFillEmptyRows(indices: Input, values: Input, denseShape: Input, defaultValue: Input): FilledRows {
  const op = 'sparseFillEmptyRows';
  const places = intsOf(op, indices, 'indices', 2);
  const given = anyTensor(op, values, 'values');
  const shape = intsOf(op, denseShape, 'denseShape', 1);
  const filler = anyTensor(op, defaultValue, 'defaultValue', given.dtype);
  const [count, rank] = places.shape;
  if (given.rank !== 1 || given.shape[0] !== count) {
    fail(op, `values must be a list of ${count}, one for each index`, `got shape ${showShape(given.shape)}`);
  }
  if (filler.rank !== 0) fail(op, 'defaultValue must be a scalar', `got shape ${showShape(filler.shape)}`);
  const rows = shape.data[0] ?? 0;
  if (rows === 0 && count > 0) fail(op, 'with 0 rows there must be no indices', `got ${count} indices`);
  const perRow = new Int32Array(rows);
  for (let i = 0; i < count; i++) {
    const row = places.data[i * rank];
    if (row < 0 || row >= rows) fail(op, `indices[${i}, 0] must be in [0, ${rows})`, `got ${row}`);
    perRow[row]++;
  }
  const starts = new Int32Array(rows + 1);
  perRow.forEach((n, row) => {
    starts[row + 1] = starts[row] + Math.max(1, n);
  });
  const total = starts[rows];
  const from = new Int32Array(total).fill(count);
  const next = starts.slice();
  const reverse = new Int32Array(count);
  const out = new Int32Array(total * rank);
  perRow.forEach((_, row) => {
    if (rank > 0) out[starts[row] * rank] = row;
  });
  for (let i = 0; i < count; i++) {
    const to = next[places.data[i * rank]]++;
    from[to] = i;
    reverse[i] = to;
    out.set(places.data.subarray(i * rank, (i + 1) * rank), to * rank);
  }
  return {
    outputIndices: int32<Tensor2D>(out, [total, rank]),
    outputValues: pickRows(given, reshape(filler, [1]), from) as Tensor1D,
    emptyRowIndicator: makeTensor<'R1'>(
      Uint8Array.from(perRow, (n) => Number(n === 0)),
      [rows],
      'bool',
      op,
    ),
    reverseIndexMap: int32<Tensor1D>(reverse),
  };
}

/** The indices of the same values in another dense shape, one extent of which may be -1. */
export function sparseReshape(
  inputIndices: Input,
  inputShape: Input,
  newShape: Input,
): { outputIndices: Tensor2D; outputShape: Tensor1D } {
  const op = 'sparseReshape';
  const places = intsOf(op, inputIndices, 'inputIndices', 2);
  const from = Array.from(intsOf(op, inputShape, 'inputShape', 1).data);
  const wanted = Array.from(intsOf(op, newShape, 'newShape', 1).data);
  const [count, rank] = places.shape;
  if (rank !== from.length) {
    fail(op, `there must be ${from.length} coordinates for each value`, `got ${rank}`);
  }
  const to = completed(op, sizeOf(from), wanted, from);
  const [strides, newStrides] = [stridesOf(from), stridesOf(to)];
  const out = new Int32Array(count * to.length);
  for (let i = 0; i < count; i++) {
    let flat = 0;
    for (let axis = 0; axis < rank; axis++) flat += places.data[i * rank + axis] * strides[axis];
    newStrides.forEach((stride, axis) => {
      out[i * to.length + axis] = Math.trunc(flat / stride);
      flat %= stride;
    });
  }
  return { outputIndices: int32<Tensor2D>(out, [count, to.length]), outputShape: int32<Tensor1D>(to) };
}

/** The shape with its -1 worked out. */
function completed(op: string, size: number, wanted: readonly number[], from: readonly number[]): number[] {
  const open = wanted.indexOf(-1);
  if (wanted.some((extent) => extent < -1)) fail(op, 'extents must not be negative', `got ${showShape(wanted)}`);
  if (open >= 0 && wanted.indexOf(-1, open + 1) >= 0) fail(op, 'only one extent may be -1', `got ${showShape(wanted)}`);
  const known = sizeOf(wanted.filter((extent) => extent !== -1));
  if (open >= 0 && known === 0) {
    fail(op, 'an extent can only be worked out where no other is 0', `got ${showShape(wanted)}`);
  }
  const shape = open < 0 ? [...wanted] : wanted.with(open, Math.trunc(size / known));
  if (sizeOf(shape) !== size) {
    fail(
      op,
      `the dense shape ${showShape(from)} has ${size} elements, and so must the new one`,
      `got ${showShape(wanted)}`,
    );
  }
  return shape;
}

/** The functions of sparse tensors together. */
export const sparse = {
  sparseFillEmptyRows,
  sparseReshape,
  sparseSegmentMean,
  sparseSegmentSqrtN,
  sparseSegmentSum,
} as const;
