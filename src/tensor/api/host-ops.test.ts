/** Sparse, ragged and string ops against TensorFlow.js; what they add; and what they refuse. */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import { uniform } from '../../../test/conformance/samples.ts';
import { fingerPrint64 } from '../../base/farmhash.ts';
import * as tf from '../../index.ts';
import type { Tensor } from '../../index.ts';

type Library = typeof tf;
const theirs = tfjs as unknown as Library;

/** Tensors in a result, as plain data; dtypes and shapes too. */
function plain(result: unknown): unknown {
  if (Array.isArray(result)) return result.map(plain);
  const tensor = result as Tensor;
  if (typeof tensor?.dataSync === 'function') return [tensor.dtype, tensor.shape, Array.from(tensor.dataSync())];
  return Object.fromEntries(Object.entries(result as object).map(([name, part]) => [name, plain(part)]));
}

function same(f: (lib: Library) => unknown): void {
  expect(plain(f(tf))).toEqual(plain(f(theirs)));
}

const int = (lib: Library, values: number[], shape?: number[]) => lib.tensor(values, shape ?? [values.length], 'int32');

describe('sparse', () => {
  it('sparseFillEmptyRows is as in TensorFlow.js', () => {
    const cases: [number[][], number[], number[]][] = [
      [
        [
          [0, 0],
          [1, 0],
          [1, 3],
          [1, 4],
          [3, 2],
          [3, 3],
        ],
        [0, 10, 13, 14, 32, 33],
        [5, 6],
      ],
      [
        [
          [3, 1],
          [0, 2],
          [3, 0],
        ],
        [1, 2, 3],
        [4, 3],
      ],
      [
        [
          [0, 0],
          [1, 0],
        ],
        [1, 2],
        [2, 1],
      ],
      [[[2]], [7], [4]],
    ];
    for (const [indices, values, shape] of cases) {
      same((lib) => lib.sparse.sparseFillEmptyRows(indices, values, shape, -1));
    }
    same((lib) => lib.sparse.sparseFillEmptyRows(int(lib, [], [0, 2]), lib.tensor([], [0]), [3, 4], 5));
    const strings = tf.sparse.sparseFillEmptyRows([[1, 0]], ['x'], [3, 1], 'none');
    expect(strings.outputValues.dataSync<'string'>()).toEqual(['none', 'x', 'none']);
    const grad = tf.grad((v: Tensor) =>
      tf
        .sparseFillEmptyRows(
          [
            [2, 0],
            [0, 1],
          ],
          v,
          [4, 2],
          0,
        )
        .outputValues.mul([1, 2, 3, 4]),
    );
    expect([...grad([5, 6]).dataSync()]).toEqual([3, 1]);
    expect(() => tf.sparseFillEmptyRows([[4, 0]], [1], [3, 1], 0)).toThrow('indices[0, 0] must be in [0, 3); got 4');
    expect(() => tf.sparseFillEmptyRows([[0, 0]], [1, 2], [3, 1], 0)).toThrow('values must be a list of 1');
    expect(() => tf.sparseFillEmptyRows([[0, 0]], [1], [0, 1], 0)).toThrow('with 0 rows there must be no indices');
  });

  it('sparseReshape is as in TensorFlow.js', () => {
    const indices = [
      [0, 0, 0],
      [0, 0, 1],
      [0, 1, 0],
      [1, 0, 0],
      [1, 2, 3],
    ];
    same((lib) => lib.sparse.sparseReshape(indices, [2, 3, 6], [9, -1]));
    same((lib) => lib.sparse.sparseReshape(indices, [2, 3, 6], [36]));
    same((lib) => lib.sparse.sparseReshape(int(lib, [], [0, 2]), [3, 4], [-1]));
    expect(() => tf.sparseReshape(indices, [2, 3, 6], [-1, -1])).toThrow('[sparseReshape] only one extent may be -1');
    expect(() => tf.sparseReshape(indices, [2, 3, 6], [5, -1])).toThrow('has 36 elements');
    expect(() => tf.sparseReshape(indices, [2, 3, 6], [0, -1])).toThrow('worked out where no other is 0');
  });

  it('segment sums and means are as in TensorFlow.js, in the namespace too', () => {
    const data = [
      [1, 2, 3, 4],
      [-1, -2, -3, -4],
      [6, 7, 8, 9],
    ];
    for (const name of ['sparseSegmentSum', 'sparseSegmentMean'] as const) {
      same((lib) => lib.sparse[name](data, int(lib, [0, 1, 1, 2]), int(lib, [0, 0, 1, 2])));
    }
  });

  it('sparseToDense takes strings', () => {
    const dense = tf.sparseToDense(
      [
        [0, 1],
        [1, 0],
      ],
      ['a', 'b'],
      [2, 2],
    );
    expect(dense.dataSync<'string'>()).toEqual(['', 'a', 'b', '']);
    same((lib) => lib.sparseToDense(int(lib, [0, 2]), ['x', 'y'], [4], lib.scalar('-')));
    same((lib) => lib.sparseToDense(int(lib, [1, 0, 0, 2], [2, 2]), lib.tensor([4, 5]), [2, 3], 7));
  });
});

describe('ragged', () => {
  it('raggedGather is as in TensorFlow.js', () => {
    same((lib) =>
      lib.raggedGather(
        [int(lib, [0, 3, 3, 7, 9])],
        lib.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        int(lib, [2, 1, 0, 3]),
        1,
      ),
    );
    same((lib) =>
      lib.raggedGather(
        [int(lib, [0, 0, 3, 3]), int(lib, [0, 2, 2, 4])],
        lib.tensor([1, 2, 3, 4]),
        int(lib, [2, 1, 0, 1]),
        2,
      ),
    );
    same((lib) =>
      lib.raggedGather(
        [int(lib, [0, 1, 3])],
        lib.tensor([
          [1, 2],
          [3, 4],
          [5, 6],
        ]),
        int(lib, [1, 0, 1, 1, 0, 0], [2, 3]),
        2,
      ),
    );
    same((lib) => lib.raggedGather([int(lib, [0, 2, 5])], lib.tensor([1, 2, 3, 4, 5]), lib.scalar(1, 'int32'), 0));
    const words = tf.raggedGather([[0, 1, 3]], ['a', 'b', 'c'], [1]);
    expect(words.outputDenseValues.dataSync<'string'>()).toEqual(['b', 'c']);
    expect(() => tf.raggedGather([[0, 1]], [1], [1])).toThrow(
      '[raggedGather] indices must be in [0, 1); element 0 is 1',
    );
    expect(() => tf.raggedGather([[0, 3, 2]], [1, 2, 3], [0])).toThrow('splits must be in order');
    expect(() => tf.raggedGather([[0, 9]], [1, 2, 3], [0])).toThrow('not in [0, 3]');
  });

  it('raggedRange is as in TensorFlow.js', () => {
    same((lib) => lib.raggedRange(int(lib, [0, 5, 8]), int(lib, [8, 7, 8]), int(lib, [2, 1, 1])));
    same((lib) => lib.raggedRange([0, 5, 8, 5], lib.scalar(0), lib.scalar(-0.75)));
    same((lib) => lib.raggedRange(lib.scalar(0), [4, 1.5], lib.scalar(1)));
    expect(() => tf.raggedRange([1], [2], [0])).toThrow('[raggedRange] deltas must not be 0; row 0 has 0');
    expect(() => tf.raggedRange([1, 2], [2], [1])).toThrow('must have one length');
  });

  it('raggedTensorToTensor is as in TensorFlow.js', () => {
    const values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
    for (const shape of [
      [4, 4],
      [-1, -1],
      [3, 2],
      [6, 5],
    ]) {
      same((lib) =>
        lib.raggedTensorToTensor(
          int(lib, shape),
          lib.tensor(values),
          lib.scalar(1.5),
          [int(lib, [0, 3, 3, 7, 9])],
          ['ROW_SPLITS'],
        ),
      );
      same((lib) =>
        lib.raggedTensorToTensor(
          int(lib, shape),
          lib.tensor(values),
          lib.scalar(1.5),
          [lib.scalar(4, 'int32'), int(lib, [0, 0, 0, 2, 2, 2, 2, 3, 3])],
          ['FIRST_DIM_SIZE', 'VALUE_ROWIDS'],
        ),
      );
    }
    for (const shape of [
      [-1, -1, -1],
      [3, 2, 3],
      [5, 1, 4],
    ]) {
      same((lib) =>
        lib.raggedTensorToTensor(
          int(lib, shape),
          lib.tensor(values),
          lib.scalar(0),
          [int(lib, [0, 2, 2, 5]), int(lib, [0, 1, 3, 3, 8, 9])],
          ['ROW_SPLITS', 'ROW_SPLITS'],
        ),
      );
    }
    // Values of a higher rank, with a default for each column; TensorFlow.js leaves such defaults out.
    const wide = tf.raggedTensorToTensor(
      [-1, -1, 2],
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [8, 9],
      [[0, 1, 3]],
      ['ROW_SPLITS'],
    );
    expect(wide.arraySync()).toEqual([
      [
        [1, 2],
        [8, 9],
      ],
      [
        [3, 4],
        [5, 6],
      ],
    ]);
    expect(tf.raggedTensorToTensor(-1, [1, 2, 3], 0, [[0, 1, 3]], ['ROW_SPLITS']).arraySync()).toEqual([
      [1, 0],
      [2, 3],
    ]);
    const words = tf.raggedTensorToTensor([-1, -1], ['a', 'b', 'c'], '', [[0, 1, 3]], ['ROW_SPLITS']);
    expect(words.dataSync<'string'>()).toEqual(['a', '', 'b', 'c']);
    const grad = tf.grad((v: Tensor) =>
      tf.raggedTensorToTensor([2, 1], v, 0, [[0, 1, 3]], ['ROW_SPLITS']).mul([[2], [3]]),
    );
    expect([...grad([1, 1, 1]).dataSync()]).toEqual([2, 3, 0]);
    const bad = (tensors: number[][], types: string[]) => () =>
      tf.raggedTensorToTensor([-1, -1], [1, 2], 0, tensors, types);
    expect(bad([[0, 2]], ['ROW_LENGTHS'])).toThrow('[raggedTensorToTensor] there must be one type for each partition');
    expect(bad([[0, 3]], ['ROW_SPLITS'])).toThrow('the partitions must have at most 2 values; they have 3');
    expect(bad([[0, 2, 1]], ['ROW_SPLITS'])).toThrow('row splits must be in order');
    expect(bad([[1], [0, 4]], ['FIRST_DIM_SIZE', 'VALUE_ROWIDS'])).toThrow('row ids must be in [0, 1); element 1 is 4');
  });
});

describe('strings', () => {
  it('stringNGrams is as in TensorFlow.js', () => {
    const data = ['aa', 'bb', 'cc', 'dd', 'ee', 'ff'];
    for (const widths of [[3], [1, 3], [2], [6, 4]]) {
      for (const padWidth of [-1, 0, 1, 3]) {
        for (const preserve of [false, true]) {
          same((lib) =>
            lib.string.stringNGrams(data, int(lib, [0, 1, 1, 4, 6]), '|', widths, 'LP', 'RP', padWidth, preserve),
          );
        }
      }
    }
    same((lib) =>
      lib.string.stringNGrams(lib.tensor([], [0], 'string'), int(lib, [0, 0]), '|', [2], 'L', 'R', -1, false),
    );
    expect(() => tf.stringNGrams(['a'], [1, 1], '', [1], '', '', 0, false)).toThrow(
      'dataSplits[0] must be in [0, 0]; got 1',
    );
    expect(() => tf.stringNGrams(['a', 'b'], [0, 1], '', [1], '', '', 0, false)).toThrow(
      'the last split must be the number of strings, 2',
    );
  });

  it('stringSplit is as in TensorFlow.js', () => {
    const input = ['pigs on the wing', 'animals', '', ' two  spaces ', 'a,b;c,'];
    for (const delimiter of [' ', '', ',;', ', ']) {
      for (const skipEmpty of [true, false])
        same((lib) => lib.string.stringSplit(input, lib.scalar(delimiter), skipEmpty));
    }
    same((lib) => lib.string.stringSplit(lib.tensor([], [0], 'string'), lib.scalar(' ')));
    expect(() => tf.stringSplit([1] as unknown as string[], ' ')).toThrow('[stringSplit] input must hold strings');
  });

  it('hashes are FarmHash fingerprints, of every length', () => {
    const random = uniform(3);
    for (let length = 0; length < 300; length += length < 140 ? 1 : 13) {
      const bytes = Uint8Array.from({ length }, () => random() * 256);
      expect(fingerPrint64(bytes), `length ${length}`).toBe(BigInt(tfjs.util.fingerPrint64(bytes).toString()));
    }
    expect(fingerPrint64('hello world')).toBe(6381520714923946011n);
    const words = [
      ['a', 'b'],
      ['c', 'a longer one, of more than 64 bytes, so that the loop of the hash runs more than once'],
    ];
    for (const buckets of [1, 10, 1000003]) same((lib) => lib.string.stringToHashBucketFast(words, buckets));
    expect(() => tf.stringToHashBucketFast(['a'], 0)).toThrow(
      '[stringToHashBucketFast] numBuckets must be an integer of 1 or more',
    );
  });

  it('staticRegexReplace is as in TensorFlow.js', () => {
    same((lib) => lib.string.staticRegexReplace(['this      is', 'a  test ü'], ' +', '_'));
    same((lib) => lib.string.staticRegexReplace([['aXbX'], ['X']], 'X(b?)', '<$1>', false));
    expect(() => tf.staticRegexReplace(['a'], '(', '')).toThrow(
      '[staticRegexReplace] the pattern must be a regular expression',
    );
  });
});
