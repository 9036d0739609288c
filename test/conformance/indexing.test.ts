/**
 * Indexing, sorting, running totals and segments by their users' names: against TensorFlow.js where it has them, else against
 * plain JavaScript; gradients by name to second order; bad indices on every target.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import * as api from '../../src/tensor/api/index.ts';
import { registerBackend, setBackend } from '../../src/tensor/backends.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { grad } from '../../src/tensor/index.ts';
import { wasmBackend } from '../../src/tensor/wasm-backend.ts';
import { x64Backend } from '../../src/tensor/x64-backend.ts';
import {
  type Case,
  expectClose,
  expectSame,
  expectSameGradient,
  type Library,
  numbers,
  ours,
  prepare,
  theirs,
} from './beside-tfjs.ts';
import { uniform } from './samples.ts';

beforeAll(prepare);

const tensor = (seed: number, ...shape: number[]) => {
  const data = numbers(
    seed,
    shape.reduce((n, extent) => n * extent, 1),
  );
  return (tf: Library) => tf.tensor(data, shape);
};
const ints = (tf: Library, values: unknown) => tf.tensor(values, undefined, 'int32');
const list = tensor(1, 11);
const table = tensor(2, 5, 7);
const cube = tensor(3, 3, 4, 5);
const tied = (tf: Library) => tf.tensor([3, 1, 3, 2, 3, 1, 0, 2], [2, 4]);

const values: Record<string, Case> = {
  gatherND: (tf) =>
    tf.gatherND(
      cube(tf),
      ints(tf, [
        [0, 1],
        [2, 3],
        [0, 1],
      ]),
    ),
  'gatherND of whole rows': (tf) =>
    tf.gatherND(
      cube(tf),
      ints(tf, [
        [[0], [2]],
        [[1], [1]],
      ]),
    ),
  'gatherND of elements': (tf) =>
    tf.gatherND(
      cube(tf),
      ints(tf, [
        [0, 1, 2],
        [2, 3, 4],
      ]),
    ),
  'gatherND of ints': (tf) =>
    tf.gatherND(
      ints(tf, [
        [1, 2],
        [3, 4],
      ]),
      ints(tf, [[1, 0]]),
    ),
  scatterND: (tf) => tf.scatterND(ints(tf, [[0], [3], [0]]), tensor(4, 3, 7)(tf), [5, 7]),
  'scatterND of elements': (tf) =>
    tf.scatterND(
      ints(tf, [
        [0, 1],
        [2, 0],
        [0, 1],
      ]),
      list(tf).slice(0, 3),
      [3, 2],
    ),
  'scatterND of a list': (tf) => tf.scatterND(ints(tf, [4, 3, 1]), ints(tf, [9, 10, 11]), [8]),
  tensorScatterUpdate: (tf) => tf.tensorScatterUpdate(table(tf), ints(tf, [[0], [3]]), tensor(5, 2, 7)(tf)),
  sparseToDense: (tf) =>
    tf.sparseToDense(
      ints(tf, [
        [0, 1],
        [2, 0],
      ]),
      tf.tensor1d([5, 6]),
      [3, 2],
      7,
    ),
  'sparseToDense of a list': (tf) => tf.sparseToDense(ints(tf, [1, 3]), tf.scalar(2), [5]),
  topk: (tf) => Object.values(tf.topk(table(tf), 3)),
  'topk of one': (tf) => Object.values(tf.topk(table(tf))),
  'topk among equals': (tf) => Object.values(tf.topk(tied(tf), 3)),
  'topk of all': (tf) => Object.values(tf.topk(tied(tf), 4, true)),
  'topk of none': (tf) => Object.values(tf.topk(tied(tf), 0)),
  'topk of ints': (tf) => Object.values(tf.topk(ints(tf, [1, 5, 5, -3]), 2)),
  'topk method': (tf) => Object.values(cube(tf).topk(2)),
  unique: (tf) => Object.values(tf.unique(ints(tf, [1, 1, 2, 4, 4, 4, 7, 8, 8]))),
  'unique floats': (tf) => Object.values(tf.unique(tf.tensor1d([0.5, -1, 0.5, 3, -1]))),
  'unique rows': (tf) =>
    Object.values(
      tf.unique(
        ints(tf, [
          [1, 0, 0],
          [1, 0, 0],
          [2, 0, 0],
        ]),
        0,
      ),
    ),
  'unique columns': (tf) =>
    Object.values(
      tf.unique(
        ints(tf, [
          [1, 0, 0],
          [1, 0, 0],
          [2, 0, 0],
        ]),
        1,
      ),
    ),
  searchSorted: (tf) =>
    tf.searchSorted(
      tf.tensor2d([
        [0, 3, 8, 9, 10],
        [1, 2, 3, 4, 5],
      ]),
      tf.tensor2d([
        [9, 9, 0],
        [1, 5, 2],
      ]),
    ),
  // Of lists TensorFlow.js's results have rank 2, against its own documentation; ours have the values' shape.
  upperBound: (tf) => tf.upperBound(tf.tensor2d([[-1, 0, 0, 4, 9]]), tf.tensor2d([[0, 10, -5, 4]])),
  lowerBound: (tf) => tf.lowerBound(tf.tensor2d([[-1, 0, 0, 4, 9]]), tf.tensor2d([[0, 10, -5, 4]])),
  bincount: (tf) => tf.bincount(ints(tf, [1, 1, 2, 5, 0]), tf.tensor1d([]), 4),
  'bincount with weights': (tf) => tf.bincount(ints(tf, [1, 1, 2, 5, 0]), tf.tensor1d([0.5, 1, 2, 3, 4]), 4),
  denseBincount: (tf) =>
    tf.denseBincount(
      ints(tf, [
        [1, 1, 2],
        [0, 3, 9],
      ]),
      tf.tensor1d([]),
      4,
    ),
  'denseBincount binary': (tf) =>
    tf.denseBincount(
      ints(tf, [
        [1, 1, 2],
        [0, 3, 9],
      ]),
      tf.tensor1d([]),
      4,
      true,
    ),
  cumsum: (tf) => tf.cumsum(cube(tf)),
  'cumsum exclusive': (tf) => tf.cumsum(cube(tf), 1, true),
  'cumsum reverse': (tf) => tf.cumsum(cube(tf), 2, false, true),
  'cumsum both': (tf) => tf.cumsum(cube(tf), 0, true, true),
  'cumsum of ints': (tf) => tf.cumsum(ints(tf, [1, 2, 3]), 0),
  cumprod: (tf) => tf.cumprod(cube(tf), 1),
  'cumprod exclusive': (tf) => tf.cumprod(cube(tf), 2, true),
  'cumprod reverse': (tf) => tf.cumprod(cube(tf), 0, false, true),
  unsortedSegmentSum: (tf) => tf.unsortedSegmentSum(table(tf), ints(tf, [0, 2, 0, 1, 2]), 4),
  'sparse segment sum': (tf) =>
    (tf.sparse ? tf.sparse.sparseSegmentSum : tf.sparseSegmentSum)(table(tf), ints(tf, [0, 1, 4]), ints(tf, [0, 0, 1])),
  'sparse segment mean': (tf) =>
    (tf.sparse ? tf.sparse.sparseSegmentMean : tf.sparseSegmentMean)(
      table(tf),
      ints(tf, [0, 1, 4]),
      ints(tf, [0, 0, 1]),
    ),
  'oneHot outside': (tf) => tf.oneHot(ints(tf, [0, 3, -1, 2]), 3),
  'gather of two axes of indices': (tf) =>
    tf.gather(
      cube(tf),
      ints(tf, [
        [0, 2],
        [1, 1],
      ]),
      1,
    ),
  'gather in batches': (tf) =>
    tf.gather(
      cube(tf),
      ints(tf, [
        [0, 2],
        [1, 1],
        [3, 0],
      ]),
      1,
      1,
    ),
  'gather of the last axis': (tf) => tf.gather(cube(tf), ints(tf, [4, 0]), 2),
};

describe('values', () => {
  it.each(Object.entries(values))('%s', (_name, run) => expectSame(run));

  it('asynchronous ones', async () => {
    const each: ((lib: Library) => unknown)[] = [
      (lib) =>
        lib.whereAsync(
          lib.tensor2d(
            [
              [1, 0],
              [1, 1],
              [0, 0],
            ],
            [3, 2],
            'bool',
          ),
        ),
      (lib) => lib.booleanMaskAsync(table(lib), lib.tensor1d([1, 0, 1, 1, 0], 'bool')),
      (lib) => lib.booleanMaskAsync(table(lib), lib.tensor1d([1, 0, 1, 1, 0, 0, 1], 'bool'), 1),
      (lib) => lib.setdiff1dAsync(ints(lib, [1, 2, 3, 4, 5, 6, 3]), ints(lib, [1, 2, 4, 6])),
      (lib) =>
        lib.inTopKAsync(
          lib.tensor2d([
            [20, 10, 40, 30],
            [30, 50, -20, 10],
          ]),
          lib.tensor1d([2, 0]),
          2,
        ),
    ];
    for (const run of each) expectClose(await run(ours), await run(theirs));
  });
});

describe('gradients that TensorFlow.js has', () => {
  const gradients: Record<string, [Case, (tf: Library, x: Library) => Library]> = {
    // Along other axes than the last one TensorFlow.js's gradient has the wrong shape.
    cumsum: [cube, (tf, x) => tf.square(tf.cumsum(x, 2, true))],
    'cumsum reverse': [cube, (tf, x) => tf.square(tf.cumsum(x, 2, false, true))],
    unsortedSegmentSum: [table, (tf, x) => tf.square(tf.unsortedSegmentSum(x, ints(tf, [0, 2, 0, 1, 2]), 3))],
    gather: [table, (tf, x) => tf.square(tf.gather(x, ints(tf, [0, 3, 3])))],
  };
  it.each(Object.entries(gradients))('%s', (_name, [x, f]) => expectSameGradient(x, f));
});

// ---- what TensorFlow.js lacks ------------------------------------------------------------------------------------------

const random = uniform(7);
const some = (...shape: number[]) =>
  api.tensor(
    Array.from({ length: shape.reduce((n, extent) => n * extent, 1) }, () => random() * 4 - 2),
    shape,
  ) as Tensor;
const read = (x: Tensor) => Array.from(x.dataSync() as ArrayLike<number>);

describe('sorting', () => {
  it('puts NaN last and keeps the order of equals', () => {
    const x = api.tensor1d([2, NaN, -0, 0, -Infinity, 2, Infinity, NaN, -1]);
    expect(read(api.argsort(x))).toEqual([4, 8, 2, 3, 0, 5, 6, 1, 7]);
    expect(read(api.argsort(x, 0, 'DESCENDING'))).toEqual([6, 0, 5, 2, 3, 8, 4, 1, 7]);
    expect(read(api.sort(x)).slice(0, 7)).toEqual([-Infinity, -1, -0, 0, 2, 2, Infinity]);
  });

  it('works along any axis', () => {
    const x = some(3, 4, 5);
    for (const axis of [0, 1, -1]) {
      const sorted = api.sort(x, axis);
      expect(read(api.takeAlongAxis(x, api.argsort(x, axis), axis))).toEqual(read(sorted));
      const back = api.sort(api.neg(x), axis, 'DESCENDING');
      expect(read(api.neg(back))).toEqual(read(sorted));
    }
    const rows = (api.sort(x, -1).arraySync() as number[][][]).flat();
    const wanted = (x.arraySync() as number[][][]).flat().map((row) => row.toSorted((a, b) => a - b));
    expect(rows).toEqual(wanted);
  });

  it('finds the k-th value', () => {
    const { values, indices } = api.kthValue(api.tensor1d([5, 1, 4, 1, 3]), 2);
    expect([read(values), read(indices)]).toEqual([[1], [3]]);
  });
});

describe('quantiles, as NumPy gives them', () => {
  const x = [3, 1, 4, 1, 5, 9, 2, 6];
  it.each([
    ['linear', [1, 1.75, 3.5, 5.25, 9]],
    ['lower', [1, 1, 3, 5, 9]],
    ['higher', [1, 2, 4, 6, 9]],
    ['midpoint', [1, 1.5, 3.5, 5.5, 9]],
    ['nearest', [1, 2, 4, 5, 9]],
  ] as const)('%s', (interpolation, wanted) => {
    const qs = [0, 0.25, 0.5, 0.75, 1];
    expect(read(api.quantile(x, qs, null, false, interpolation))).toEqual(wanted);
  });

  it('over axes, with NaN', () => {
    const table = api.tensor2d([1, 2, 3, 4, NaN, 6], [2, 3]);
    expect(read(api.median(table, 1))).toEqual([2, NaN]);
    expect(api.median(table, 0, true).shape).toEqual([1, 3]);
    expect(read(api.percentile(table, 50, 0))).toEqual([2.5, NaN, 4.5]);
    expect(api.quantile(table, [0.1, 0.9], [0, 1]).shape).toEqual([2]);
  });
});

describe('counting', () => {
  it('histogram, as NumPy', () => {
    const { counts, edges } = api.histogram([1, 2, 1, 4, 0, 5, 5.5], 5, [0, 5]);
    expect(read(edges)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(read(counts)).toEqual([1, 2, 1, 0, 2]);
    const own = api.histogram([1, 2, 3, 4], 3, undefined, [1, 0.5, 2, 3]);
    expect(read(own.edges)).toEqual([1, 2, 3, 4]);
    expect(read(own.counts)).toEqual([1, 0.5, 5]);
    expect(read(api.histogram([2, 2, 2], 2).counts)).toEqual([0, 3]);
  });

  it('histogramFixedWidth, as TensorFlow', () => {
    expect(read(api.histogramFixedWidth([-1, 0, 1.5, 2, 5, 15], [0, 5], 5))).toEqual([2, 1, 1, 0, 2]);
  });

  it('uniqueWithCounts, of numbers with NaN and zeros, and of strings', () => {
    const { values, counts, indices } = api.uniqueWithCounts([1, NaN, 0, -0, NaN, 1, 1]);
    expect([read(values), read(counts), read(indices)]).toEqual([
      [1, NaN, 0],
      [3, 2, 2],
      [0, 1, 2, 2, 1, 0, 0],
    ]);
    const words = api.unique(api.tensor1d(['b', 'a', 'b', 'c']));
    expect(words.values.dataSync()).toEqual(['b', 'a', 'c']);
  });
});

describe('running extrema and log-sums', () => {
  it('cummax and cummin say where', () => {
    const x = api.tensor1d([1, 3, 3, NaN, 5]);
    const max = api.cummax(x);
    expect([read(max.values), read(max.indices)]).toEqual([
      [1, 3, 3, NaN, NaN],
      [0, 1, 2, 3, 3],
    ]);
    const min = api.cummin(api.tensor1d([2, 1, 1, 0]), 0, true);
    expect([read(min.values), read(min.indices)]).toEqual([
      [0, 0, 0, 0],
      [3, 3, 3, 3],
    ]);
  });

  it('logCumsumExp neither overflows nor forgets', () => {
    const x = [-1000, -1001, 0, 1000, 999, -Infinity];
    const wanted = x.map((_, i) => {
      const most = Math.max(...x.slice(0, i + 1));
      return most + Math.log(x.slice(0, i + 1).reduce((sum, v) => sum + Math.exp(v - most), 0));
    });
    const got = read(api.logCumsumExp(x));
    for (const [i, v] of got.entries()) expect(v).toBeCloseTo(wanted[i], 3);
    expect(read(api.logCumsumExp([-Infinity, 1, Infinity]))).toEqual([-Infinity, 1, Infinity]);
    expect(read(api.logCumsumExp([2, 3], 0, true))).toEqual([-Infinity, 2]);
  });
});

describe('scatters in all modes', () => {
  const indices = [[0], [2], [0], [2]];
  const updates = [1, 2, 3, -4];
  const base = api.tensor1d([10, 20, 30]);
  const at = () => [api.tensor2d(indices, undefined, 'int32'), api.tensor1d(updates)] as const;
  const scatters = {
    add: api.tensorScatterAdd,
    update: api.tensorScatterUpdate,
    max: api.tensorScatterMax,
    min: api.tensorScatterMin,
    mul: api.tensorScatterMul,
  };
  it.each([
    ['add', [4, 0, -2], [14, 20, 28]],
    ['update', [3, 0, -4], [3, 20, -4]],
    ['max', [3, 0, 2], [10, 20, 30]],
    ['min', [1, 0, -4], [1, 20, -4]],
    ['mul', [3, 0, -8], [30, 20, -240]],
  ] as const)('%s', (mode, wanted, onto) => {
    expect(read(api.scatterND(...at(), [3], mode))).toEqual(wanted);
    expect(read(scatters[mode](base, ...at()))).toEqual(onto);
  });

  it('tensorScatterSub', () => expect(read(api.tensorScatterSub(base, ...at()))).toEqual([6, 20, 32]));

  it('putAlongAxis', () => {
    const x = api.tensor2d([10, 30, 20, 60, 40, 50], [2, 3]);
    expect(read(api.putAlongAxis(x, api.argMax(x, 1).reshape([2, 1]), 99, 1))).toEqual([10, 99, 20, 99, 40, 50]);
    const twice = api.tensor2d([0, 0, 1, 2], [2, 2], 'int32');
    expect(read(api.putAlongAxis(x, twice, 1, 1, 'add'))).toEqual([12, 30, 20, 60, 41, 51]);
  });
});

describe('slices with computed starts', () => {
  it('read and write', () => {
    const x = api.reshape(api.range(0, 12), [3, 4]);
    const begin = api.tensor1d([1, 2], 'int32');
    expect(read(api.dynamicSlice(x, begin, [2, 2]))).toEqual([6, 7, 10, 11]);
    const y = api.dynamicUpdateSlice(x, [[-1, -2]], begin);
    expect(read(y)).toEqual([0, 1, 2, 3, 4, 5, -1, -2, 8, 9, 10, 11]);
  });
});

describe('segments', () => {
  const x = api.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
  const ids = api.tensor1d([2, 0, 2], 'int32');
  it('by every kind', () => {
    expect(read(api.unsortedSegmentMean(x, ids, 3))).toEqual([3, 4, 0, 0, 3, 4]);
    expect(read(api.unsortedSegmentProd(x, ids, 3))).toEqual([3, 4, 1, 1, 5, 12]);
    expect(read(api.unsortedSegmentMin(x, ids, 3)).slice(2, 4)).toEqual([3.4028234663852886e38, 3.4028234663852886e38]);
    expect(read(api.segmentMax(x, ids))).toEqual([3, 4, 0, 0, 5, 6]);
    expect(read(api.segmentMin(x, ids))).toEqual([3, 4, 0, 0, 1, 2]);
    expect(read(api.unsortedSegmentSqrtN(x, ids, 3))[4]).toBeCloseTo(6 / Math.SQRT2, 5);
  });
});

// ---- gradients by name, to second order --------------------------------------------------------------------------------

/** The derivative of f along a random direction, by differences and by gradients; then the same of that derivative. */
function checkGradients(f: (x: Tensor) => Tensor, x: Tensor, step = 5e-3, order = 2): void {
  const weights = some(...f(x).shape);
  const direction = some(...x.shape);
  const loss = (v: Tensor) => api.sum(api.mul(f(v), weights)) as Tensor;
  const slope = (v: Tensor) => api.sum(api.mul(grad(loss)(v), direction)) as Tensor;
  const check = (g: (v: Tensor) => Tensor) => {
    const analytic = read(api.sum(api.mul(grad(g)(x), direction)))[0];
    const at = (t: number) => read(g(api.add(x, api.mul(direction, t))))[0];
    const numeric = (at(step) - at(-step)) / (2 * step);
    expect(Math.abs(numeric - analytic)).toBeLessThanOrEqual(2e-2 * (1 + Math.abs(numeric)));
  };
  check(loss);
  if (order > 1) check(slope);
}

describe('gradients by name', () => {
  const square = (x: Tensor) => api.square(x) as Tensor;
  const ids = api.tensor1d([2, 0, 2, 1, 2], 'int32');
  const apart = () => api.tensor2d([0.3, -1.4, 1.2, 0.9, -0.5, 1.8, 0.1, -0.9, 1.5, -1.9], [5, 2]) as Tensor;
  const places = api.tensor2d([0, 1, 4, 0, 0, 1], [3, 2], 'int32');
  const functions: Record<string, (x: Tensor) => Tensor> = {
    sort: (x) => square(api.sort(x, 0)),
    topk: (x) => square(api.topk(api.transpose(x), 2).values),
    quantile: (x) => square(api.quantile(x, [0.2, 0.7], 0)),
    median: (x) => square(api.median(x)),
    gatherND: (x) => square(api.gatherND(x, places)),
    scatterND: (x) => square(api.scatterND(api.tensor2d([1, 1, 0, 2, 1], [5, 1], 'int32'), square(x), [3, 2])),
    'scatterND update': (x) =>
      square(api.scatterND(api.tensor2d([1, 1, 0, 2, 1], [5, 1], 'int32'), square(x), [3, 2], 'update')),
    tensorScatterUpdate: (x) => square(api.tensorScatterUpdate(square(x), places, api.tensor1d([1, 2, 3]))),
    tensorScatterMax: (x) => square(api.tensorScatterMax(x, places, api.tensor1d([0, 2, -3]))),
    tensorScatterMul: (x) => square(api.tensorScatterMul(x, places, api.tensor1d([1, 2, 3]))),
    takeAlongAxis: (x) => square(api.takeAlongAxis(x, api.argsort(x, 0), 0)),
    putAlongAxis: (x) => square(api.putAlongAxis(square(x), places.slice([0, 0], [3, 2]), [[5, 6]], 0)),
    embeddingLookup: (x) =>
      square(
        api.embeddingLookup(x, [
          [0, 3],
          [3, 1],
        ]),
      ),
    dynamicSlice: (x) => square(api.dynamicSlice(x, [1, 0], [3, 1])),
    dynamicUpdateSlice: (x) => square(api.dynamicUpdateSlice(square(x), api.mul(x.slice([0, 0], [2, 2]), 2), [1, 0])),
    cumsum: (x) => square(api.cumsum(x, 0, true, true)),
    cumprod: (x) => api.cumprod(x, 0),
    'cumprod exclusive': (x) => api.cumprod(x, 0, true),
    'cumprod reverse': (x) => api.cumprod(x, 0, false, true),
    cummax: (x) => square(api.cummax(x, 0).values),
    cummin: (x) => square(api.cummin(x, 0, true).values),
    logCumsumExp: (x) => square(api.logCumsumExp(x, 0)),
    'logCumsumExp reverse': (x) => square(api.logCumsumExp(x, 1, false, true)),
    segmentSum: (x) => square(api.segmentSum(x, ids, 3)),
    segmentMean: (x) => square(api.segmentMean(x, ids, 3)),
    segmentMax: (x) => square(api.segmentMax(x, ids, 3)),
    segmentMin: (x) => square(api.unsortedSegmentMin(x, ids, 3)),
    segmentProd: (x) => square(api.unsortedSegmentProd(x, ids, 3)),
    sparseSegmentMean: (x) => square(api.sparseSegmentMean(x, [0, 3, 4, 0], [0, 0, 1, 1], 2)),
    bincount: (x) => square(api.bincount(ids, x.slice([0, 0], [5, 1]), 3)),
    histogram: (x) => square(api.histogram(ids, 3, [0, 3], x.slice([0, 0], [5, 1])).counts),
    unique: (x) => square(api.gather(x, api.unique(ids).values)),
    booleanMask: (x) => square(api.booleanMask(x, [true, false, true, true, false])),
  };
  it.each(Object.entries(functions))('%s', (_name, f) => checkGradients(f, apart()));

  it.each(['cumprod', 'exclusive', 'reverse'])('%s where factors are zero', (name) => {
    const x = api.tensor1d([1.5, 0, -2, 0.7, 0, 1.1]) as Tensor;
    checkGradients((v) => api.cumprod(v, 0, name === 'exclusive', name === 'reverse'), x, 1e-2);
  });
});

// ---- bad indices -------------------------------------------------------------------------------------------------------

const bad: Record<string, [(index: number) => Tensor, number]> = {
  gather: [(i) => api.gather(some(3, 4), [1, i]), 3],
  gatherND: [
    (i) =>
      api.gatherND(some(3, 4), [
        [0, 1],
        [2, i],
      ]),
    4,
  ],
  scatterND: [(i) => api.scatterND(api.tensor2d([0, i], [2, 1], 'int32'), some(2, 4), [3, 4]), 3],
  tensorScatterUpdate: [(i) => api.tensorScatterUpdate(some(3, 4), api.tensor2d([i], [1, 1], 'int32'), some(1, 4)), 3],
  takeAlongAxis: [(i) => api.takeAlongAxis(some(2, 5), api.tensor2d([0, i], [2, 1], 'int32'), 1), 5],
  putAlongAxis: [(i) => api.putAlongAxis(some(2, 5), api.tensor2d([0, i], [2, 1], 'int32'), 1, 1), 5],
  take: [(i) => api.take(some(2, 5), [i]), 10],
  embeddingLookup: [(i) => api.embeddingLookup(some(7, 5), [[1, i]]), 7],
  dynamicSlice: [(i) => api.dynamicSlice(some(6, 5), [i, 0], [2, 5]), 5],
  dynamicUpdateSlice: [(i) => api.dynamicUpdateSlice(some(6, 5), some(2, 5), [i, 0]), 5],
  segmentSum: [(i) => api.segmentSum(some(3, 2), [0, 1, i], 2), 2],
  unsortedSegmentMax: [(i) => api.unsortedSegmentMax(some(3, 2), [0, 1, i], 2), 2],
  sparseToDense: [
    (i) =>
      api.sparseToDense(
        [
          [0, 1],
          [0, i],
        ],
        [1, 2],
        [2, 2],
      ),
    2,
  ],
};

describe('bad indices', () => {
  it.each(Object.entries(bad))(
    '%s names itself, the index and the bound, alike on every target',
    async (name, [run, bound]) => {
      registerBackend('x64', x64Backend);
      registerBackend('wasm', wasmBackend);
      try {
        for (const index of [-1, bound, 2 ** 31 - 1, -(2 ** 31)]) {
          const messages = new Set<string>();
          for (const backend of ['reference', 'x64', 'wasm'] as const) {
            if (!(await setBackend(backend))) continue;
            try {
              read(run(index));
              messages.add(`${backend}: no error`);
            } catch (error) {
              messages.add((error as Error).message);
            }
          }
          expect([...messages]).toEqual([
            expect.stringMatching(new RegExp(`^\\[${name}\\].* must be in \\[0, ${bound}\\); got ${index};`)),
          ]);
        }
      } finally {
        await setBackend('reference');
      }
    },
  );

  it('bincount refuses negative numbers', () => {
    expect(() => read(api.bincount(api.tensor1d([1, -2], 'int32'), [], 4))).toThrow(/\[bincount\].*got -2/);
  });
});

describe('mistakes', () => {
  const wrong: [RegExp, () => unknown][] = [
    [/\[topk\].*k must be an integer in \[0, 3\].*got 4/, () => api.topk([1, 2, 3], 4)],
    [/\[sort\].*'ASCENDING' or 'DESCENDING'/, () => api.sort([1], 0, 'up' as never)],
    [/\[gatherND\].*longer than the rank/, () => api.gatherND([1, 2], [[0, 0]])],
    [/\[scatterND\].*updates\.shape must be/, () => api.scatterND([[0]], [[1, 2]], [3])],
    [/\[scatterND\].*mode/, () => api.scatterND([[0]], [1], [3], 'sub' as never)],
    [/\[gather\].*int32/, () => api.gather([1, 2], api.tensor1d([0.5]))],
    [/\[searchSorted\].*leading axes/, () => api.searchSorted([[1], [2]], [[1]])],
    [/\[quantile\].*\[0, 1\].*got 2/, () => api.quantile([1], 2)],
    [/\[dynamicSlice\].*fit/, () => api.dynamicSlice([1, 2], [0], [3])],
    [/\[unsortedSegmentSum\].*first axes/, () => api.unsortedSegmentSum([1, 2], [0], 1)],
    [/\[cumsum\].*rank 1/, () => api.cumsum(3)],
    [/\[booleanMask\].*mask's shape/, () => api.booleanMask([1, 2], [true])],
    [/\[takeAlongAxis\].*rank of x/, () => api.takeAlongAxis([[1, 2]], [0])],
  ];
  it.each(wrong)('%s', (message, run) => expect(run).toThrow(message));
});
