/**
 * Ragged tensors as TensorFlow.js has them: flat values and, for each ragged axis, row splits (row i is [splits[i], splits[i + 1])).
 * Splits are read on the host; values may be of any dtype and have gradients.
 */
import { fail } from '../../base/errors.ts';
import { sameShape, showShape, sizeOf } from '../../types/shape.ts';
import { makeTensor, toTensor } from '../convert.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensor1D } from '../types.ts';
import { anyTensor, int32, type Input, type Ints, intsOf, pickRows } from './host.ts';
import { gather } from './joining.ts';
import { broadcastTo, reshape } from './transformations.ts';

/** Checks that splits begin at 0 or later, never go back, and end inside of what they point to. */
function checkSplits(op: string, splits: readonly Ints[], rows: number): void {
  splits.forEach(({ shape, data }, axis) => {
    const name = `paramsNestedSplits[${axis}]`;
    const last = axis + 1 < splits.length ? splits[axis + 1].data.length - 1 : rows;
    if (shape.length !== 1 || data.length === 0)
      fail(op, `${name} must be a list that is not empty`, `got ${showShape(shape)}`);
    data.forEach((split, i) => {
      const least = i === 0 ? 0 : data[i - 1];
      if (split >= least && split <= last) return;
      fail(
        op,
        `splits must be in order and inside of what they point to`,
        `${name}[${i}] is ${split}, not in [${least}, ${last}]`,
      );
    });
  });
}

/**
 * Rows of a ragged tensor at `indices`: again a ragged tensor, with one more list of splits for each further axis of the indices.
 * outputRaggedRank follows from them and is not looked at.
 */
export function raggedGather(
  paramsNestedSplits: readonly Input[],
  paramsDenseValues: Input,
  indices: Input,
  _outputRaggedRank?: number,
): { outputNestedSplits: Tensor[]; outputDenseValues: Tensor } {
  const op = 'raggedGather';
  if (!Array.isArray(paramsNestedSplits) || paramsNestedSplits.length === 0) {
    fail(op, 'paramsNestedSplits must be a list of at least one tensor', `got ${typeof paramsNestedSplits}`);
  }
  const splits = paramsNestedSplits.map((x: Input, i) => intsOf(op, x, `paramsNestedSplits[${i}]`));
  const values = anyTensor(op, paramsDenseValues, 'paramsDenseValues');
  if (values.rank === 0) fail(op, 'paramsDenseValues must have rank 1 or more', 'got a scalar');
  checkSplits(op, splits, values.shape[0] as number);
  const places = intsOf(op, indices, 'indices');
  const bound = splits[0].data.length - 1;
  const lead = places.shape.length - 1;
  const out: number[][] = Array.from({ length: Math.max(0, lead) + splits.length }, () => [0]);
  // Axes of the indices are even: their rows all have one length.
  for (let axis = 0; axis < lead; axis++) {
    const rows = sizeOf(places.shape.slice(0, axis + 1));
    for (let i = 1; i <= rows; i++) out[axis].push(i * places.shape[axis + 1]);
  }
  const rows: number[] = [];
  places.data.forEach((place, i) => {
    if (place < 0 || place >= bound) fail(op, `indices must be in [0, ${bound})`, `element ${i} is ${place}`);
    let [start, limit] = [place, place + 1];
    splits.forEach(({ data }, axis) => {
      const to = axis + lead;
      if (to >= 0) {
        const list = out[to];
        const shift = list[list.length - 1] - data[start];
        for (let j = start; j < limit; j++) list.push(data[j + 1] + shift);
      }
      [start, limit] = [data[start], data[limit]];
    });
    for (let row = start; row < limit; row++) rows.push(row);
  });
  const nested = lead < 0 ? out.slice(0, splits.length - 1) : out;
  return { outputNestedSplits: nested.map((list) => int32(list)), outputDenseValues: gather(values, int32(rows)) };
}

/** Rows starts[i], starts[i] + deltas[i], ... before limits[i]. Scalars count for every row. */
export function raggedRange(
  starts: Input,
  limits: Input,
  deltas: Input,
): { rtNestedSplits: Tensor1D; rtDenseValues: Tensor1D } {
  const op = 'raggedRange';
  const first = toTensor(starts as Tensor, 'starts', op);
  const like = first.dtype === 'int32' ? 'int32' : 'float32';
  const all = [first, toTensor(limits as Tensor, 'limits', op, like), toTensor(deltas as Tensor, 'deltas', op, like)];
  all.forEach((tensor, i) => {
    if (tensor.dtype === 'int64')
      fail(op, 'starts, limits and deltas must be int32 or float32', 'got int64', 'use cast');
    if (tensor.rank > 1)
      fail(
        op,
        `${['starts', 'limits', 'deltas'][i]} must be a scalar or a list`,
        `got shape ${showShape(tensor.shape)}`,
      );
  });
  const sizes = all.filter((tensor) => tensor.rank === 1).map((tensor) => tensor.size);
  if (sizes.some((size) => size !== sizes[0])) {
    fail(op, 'starts, limits and deltas must have one length', `got ${all.map((x) => showShape(x.shape)).join(', ')}`);
  }
  const rows = sizes[0] ?? 1;
  const data = all.map((tensor) => tensor.dataSync());
  const at = (i: number, row: number) => data[i][all[i].rank === 0 ? 0 : row];
  const splits = new Int32Array(rows + 1);
  const out: number[] = [];
  for (let row = 0; row < rows; row++) {
    const [start, limit, delta] = [at(0, row), at(1, row), at(2, row)];
    if (delta === 0) fail(op, 'deltas must not be 0', `row ${row} has 0`);
    const count = Math.max(0, Math.ceil((limit - start) / delta));
    if (!(splits[row] + count < 2 ** 31)) fail(op, 'there must be fewer than 2^31 values', `row ${row} has ${count}`);
    splits[row + 1] = splits[row] + count;
    for (let i = 0, value = start; i < count; i++, value += delta) out.push(value);
  }
  const values = like === 'int32' ? Int32Array.from(out) : Float32Array.from(out);
  return {
    rtNestedSplits: int32<Tensor1D>(splits),
    rtDenseValues: makeTensor<'R1'>(values, [out.length], like, op),
  };
}

export type RowPartition = 'FIRST_DIM_SIZE' | 'VALUE_ROWIDS' | 'ROW_SPLITS';

/** The parent and the column of each row that a partition makes. */
interface Children {
  readonly parents: Int32Array;
  readonly columns: Int32Array;
  /** The longest row. */
  readonly width: number;
}

function childrenOf(op: string, kind: RowPartition, { data }: Ints, parentCount: number): Children {
  if (kind === 'VALUE_ROWIDS') {
    const columns = new Int32Array(data.length);
    data.forEach((parent, i) => {
      if (parent < 0 || parent >= parentCount) {
        fail(op, `row ids must be in [0, ${parentCount})`, `element ${i} is ${parent}`);
      }
      columns[i] = i > 0 && data[i - 1] === parent ? columns[i - 1] + 1 : 0;
    });
    return { parents: data, columns, width: columns.reduce((most, column) => Math.max(most, column + 1), 0) };
  }
  if (data.length === 0 || data[0] !== 0 || data.length - 1 > parentCount) {
    fail(
      op,
      `row splits must begin with 0 and have at most ${parentCount + 1} elements`,
      `got ${data.length} from ${data[0]}`,
    );
  }
  const [parents, columns]: number[][] = [[], []];
  let width = 0;
  for (let row = 0; row + 1 < data.length; row++) {
    const length = data[row + 1] - data[row];
    if (length < 0)
      fail(op, 'row splits must be in order', `element ${row + 1} is ${data[row + 1]} after ${data[row]}`);
    width = Math.max(width, length);
    for (let column = 0; column < length; column++) {
      parents.push(row);
      columns.push(column);
    }
  }
  return { parents: Int32Array.from(parents), columns: Int32Array.from(columns), width };
}

/** How many rows the outermost axis has, and the partitions of the axes behind it. */
function partitionsOf(op: string, tensors: readonly Input[], types: readonly string[]) {
  const known = ['FIRST_DIM_SIZE', 'VALUE_ROWIDS', 'ROW_SPLITS'];
  if (types.length === 0 || types.length !== tensors.length || types.some((type) => !known.includes(type))) {
    fail(op, `there must be one type for each partition, of ${known.join(', ')}`, `got ${JSON.stringify(types)}`);
  }
  const ints = tensors.map((x, i) => intsOf(op, x, `rowPartitionTensors[${i}]`));
  const partitions = types.map((type, i) => ({ type: type as RowPartition, ints: ints[i] }));
  const [first] = partitions;
  if (first.ints.data.length === 0) fail(op, 'the first partition must not be empty', 'it is');
  if (first.type === 'VALUE_ROWIDS') fail(op, 'row ids must stand behind FIRST_DIM_SIZE', 'they come first');
  const rest = first.type === 'FIRST_DIM_SIZE' ? partitions.slice(1) : partitions;
  if (rest.some(({ type }) => type === 'FIRST_DIM_SIZE'))
    fail(op, 'FIRST_DIM_SIZE must come first', `got ${types.join()}`);
  const rows = first.type === 'FIRST_DIM_SIZE' ? first.ints.data[0] : first.ints.data.length - 1;
  return { rows, rest };
}

/** The extents that are wanted, -1 where an extent is to be worked out. */
function wantedShape(op: string, shape: Ints, raggedRank: number, values: Tensor): number[] {
  const rank = raggedRank + values.rank;
  if (shape.shape.length === 0) {
    if (shape.data[0] !== -1) fail(op, 'a scalar shape must be -1: not known', `got ${shape.data[0]}`);
    return [...new Array<number>(raggedRank + 1).fill(-1), ...values.shape.slice(1)];
  }
  const wanted = Array.from(shape.data);
  if (wanted.length !== rank) fail(op, `shape must have ${rank} extents`, `got ${showShape(wanted)}`);
  return wanted.map((extent, axis) => {
    if (extent < -1) fail(op, 'extents must be -1 or more', `got ${showShape(wanted)}`);
    const inner = axis > raggedRank ? (values.shape[axis - raggedRank] as number) : -1;
    if (inner < 0 || extent === -1) return inner < 0 ? extent : inner;
    if (inner !== extent)
      fail(op, `extent ${axis} of the values is ${inner}, and so must that of shape be`, `got ${extent}`);
    return extent;
  });
}

/**
 * A dense tensor of ragged values: rows that are too short are filled with defaultValue, those too long are cut. `shape` has an extent
 * for each axis, -1 for the longest row; a scalar -1 leaves all of them open. rowPartitionTypes: ROW_SPLITS for each ragged axis, or
 * FIRST_DIM_SIZE and then VALUE_ROWIDS.
 */
export function raggedTensorToTensor(
  shape: Input,
  values: Input,
  defaultValue: Input,
  rowPartitionTensors: readonly Input[],
  rowPartitionTypes: readonly string[],
): Tensor {
  const op = 'raggedTensorToTensor';
  const given = anyTensor(op, values, 'values');
  const filler = anyTensor(op, defaultValue, 'defaultValue', given.dtype);
  if (given.rank === 0) fail(op, 'values must have rank 1 or more', 'got a scalar');
  const inner = given.shape.slice(1);
  if (filler.rank >= given.rank) {
    fail(
      op,
      'defaultValue must have a lower rank than values',
      `got ${showShape(filler.shape)} for ${showShape(given.shape)}`,
    );
  }
  const { rows, rest } = partitionsOf(op, rowPartitionTensors, rowPartitionTypes);
  const out = wantedShape(op, intsOf(op, shape, 'shape'), rest.length, given);
  if (out[0] < 0) out[0] = rows;
  /** For each row of the axis at hand, its place in the result, or -1. */
  let places = Int32Array.from({ length: rows }, (_, row) => (row < out[0] ? row : -1));
  rest.forEach(({ type, ints }, i) => {
    const { parents, columns, width } = childrenOf(op, type, ints, places.length);
    const extent = out[i + 1] < 0 ? width : out[i + 1];
    out[i + 1] = extent;
    const above = places;
    places = parents.map((parent, k) =>
      above[parent] < 0 || columns[k] >= extent ? -1 : above[parent] * extent + columns[k],
    );
  });
  const count = given.shape[0] as number;
  if (places.length > count) fail(op, `the partitions must have at most ${count} values`, `they have ${places.length}`);
  const from = new Int32Array(sizeOf(out.slice(0, rest.length + 1))).fill(count);
  places.forEach((place, row) => {
    if (place >= 0) from[place] = row;
  });
  const spread = sameShape(filler.shape, inner) ? filler : broadcastTo(filler, inner);
  return reshape(pickRows(given, reshape(spread, [1, ...inner]), from), out);
}
