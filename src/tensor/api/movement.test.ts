/** Movement against TensorFlow.js where it has the function, against plain definitions where it has not. */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { uniform } from '../../../test/conformance/samples.ts';
import { registerBackend, setBackend } from '../backends.ts';
import * as base from '../index.ts';
import { referenceBackend } from '../reference-backend.ts';
import { x64Backend } from '../x64-backend.ts';
import * as api from './index.ts';

/** Both libraries through one untyped door. */
type Library = any;
const ours: Library = { ...base, ...api };
const random = uniform(3);
const count = (...shape: number[]) => shape.reduce((a, b) => a * b, 1);
const iota = (tf: Library, ...shape: number[]) =>
  tf.tensor(
    Array.from({ length: count(...shape) }, (_, i) => i + 1),
    shape,
  );

beforeAll(async () => {
  registerBackend('reference', async () => referenceBackend());
  registerBackend('x64', x64Backend);
  if (!(await setBackend('x64'))) await setBackend('reference');
});

function agree(f: (tf: Library) => Library): void {
  const [x, y] = [f(ours), f(tfjs)];
  const list = (t: Library): Library[] => (Array.isArray(t) ? t : [t]);
  expect(list(x).length).toBe(list(y).length);
  list(x).forEach((t, i) => {
    const wanted = list(y)[i];
    expect([t.dtype, t.shape]).toEqual([wanted.dtype, wanted.shape]);
    const data = wanted.dataSync();
    [...t.dataSync()].forEach((value: number, at: number) => expect(value).toBeCloseTo(data[at], 4));
  });
}

describe('as TensorFlow.js', () => {
  it.each<[string, (tf: Library) => Library]>([
    ['slice1d', (tf) => tf.slice1d(iota(tf, 5), 1, 3)],
    ['slice2d', (tf) => tf.slice2d(iota(tf, 3, 4), [1, 1], [2, 2])],
    ['slice3d', (tf) => tf.slice3d(iota(tf, 2, 3, 4), [1, 1, 0], [1, 2, 2])],
    ['slice4d', (tf) => tf.slice4d(iota(tf, 2, 2, 3, 4), [1, 1, 1, 0], [1, 1, 2, 2])],
    ['reverse1d', (tf) => tf.reverse1d([1, 2, 3])],
    ['reverse2d', (tf) => tf.reverse2d(iota(tf, 2, 3), 1)],
    ['reverse3d', (tf) => tf.reverse3d(iota(tf, 2, 3, 2))],
    ['reverse4d', (tf) => tf.reverse4d(iota(tf, 2, 3, 2, 2), [0, -1])],
    ['pad1d', (tf) => tf.pad1d([1, 2], [1, 2], 7)],
    [
      'pad2d',
      (tf) =>
        tf.pad2d(iota(tf, 2, 3), [
          [1, 0],
          [0, 2],
        ]),
    ],
    [
      'pad3d',
      (tf) =>
        tf.pad3d(iota(tf, 2, 1, 3), [
          [1, 0],
          [0, 2],
          [1, 1],
        ]),
    ],
    [
      'pad4d',
      (tf) =>
        tf.pad4d(iota(tf, 2, 1, 3, 1), [
          [1, 0],
          [0, 2],
          [1, 1],
          [0, 1],
        ]),
    ],
    ['concat1d', (tf) => tf.concat1d([[1, 2], [3]])],
    ['concat2d', (tf) => tf.concat2d([iota(tf, 2, 3), iota(tf, 2, 1)], 1)],
    ['concat3d', (tf) => tf.concat3d([iota(tf, 2, 3, 1), iota(tf, 2, 3, 2)], -1)],
    ['concat4d', (tf) => tf.concat4d([iota(tf, 1, 2, 3, 1), iota(tf, 2, 2, 3, 1)], 0)],
    [
      'batchToSpaceND',
      (tf) =>
        iota(tf, 4, 1, 2, 3).batchToSpaceND(
          [2, 2],
          [
            [0, 0],
            [1, 0],
          ],
        ),
    ],
    [
      'batchToSpaceND of three axes',
      (tf) =>
        iota(tf, 12, 2, 1, 1).batchToSpaceND(
          [2, 3],
          [
            [1, 0],
            [0, 2],
          ],
        ),
    ],
    [
      'spaceToBatchND',
      (tf) =>
        iota(tf, 2, 3, 4, 2).spaceToBatchND(
          [2, 2],
          [
            [1, 0],
            [0, 0],
          ],
        ),
    ],
    ['depthToSpace', (tf) => iota(tf, 2, 2, 3, 8).depthToSpace(2)],
    ['broadcastArgs', (tf) => tf.broadcastArgs([1, 4, 1], [3, 1, 1, 5])],
    ['meshgrid', (tf) => tf.meshgrid([1, 2, 3], [4, 5])],
    ['meshgrid ij', (tf) => tf.meshgrid([1, 2, 3], [4, 5], { indexing: 'ij' })],
    ['meshgrid of one', (tf) => tf.meshgrid([1, 2, 3])],
    ['bandPart', (tf) => tf.linalg.bandPart(iota(tf, 2, 4, 5), 1, 2)],
    ['bandPart of all', (tf) => tf.linalg.bandPart(iota(tf, 4, 5), -1, 0)],
    ['bandPart of tensors', (tf) => tf.linalg.bandPart(iota(tf, 4, 5), tf.scalar(1, 'int32'), tf.scalar(-1, 'int32'))],
    ['confusionMatrix', (tf) => tf.math.confusionMatrix([0, 1, 2, 1, 0], [0, 2, 2, 1, 0], 3)],
    ['movingAverage', (tf) => tf.movingAverage([1.2, 2], [3, 4], 0.6, 3)],
    ['movingAverage as it is', (tf) => tf.movingAverage([1.2, 2], [3, 4], 0.6, undefined, false)],
    ['norm of a matrix without axes', (tf) => tf.norm(iota(tf, 2, 3), 1)],
    ['norm of a matrix', (tf) => tf.norm(iota(tf, 2, 3), Infinity, [0, 1])],
    ['as5D', (tf) => iota(tf, 2, 3, 4).as5D(1, 2, 3, 2, 2)],
    ['variable', (tf) => iota(tf, 2).variable(false).add(1)],
    ['bitwiseAnd', (tf) => tf.bitwiseAnd(tf.tensor1d([0, 5, 3, -14], 'int32'), tf.tensor1d([5, 0, 7, 11], 'int32'))],
    [
      'basicLSTMCell and multiRNNCell',
      (tf) => {
        const cell = (inputs: number) => (data: Library, c: Library, h: Library) => {
          const kernel = iota(tf, inputs + 2, 8)
            .div(40)
            .sub(0.4);
          return tf.basicLSTMCell(tf.scalar(1), kernel, iota(tf, 8).div(9), data, c, h);
        };
        const states = () => [iota(tf, 2, 2).div(3), iota(tf, 2, 2).div(5)];
        return tf.multiRNNCell([cell(3), cell(2)], iota(tf, 2, 3), states(), states()).flat();
      },
    ],
    ['einsum', (tf) => tf.einsum('bij,bjk->ik', iota(tf, 2, 3, 4), iota(tf, 2, 4, 5))],
  ])('%s', (_name, f) => {
    const flat = (tf: Library) => (tf.linalg ? tf : { ...tf, linalg: { bandPart: tf.bandPart } });
    agree((tf) => f(flat(tf)));
  });

  it('stridedSlice of random masks', () => {
    const integer = (low: number, high: number) => low + Math.floor(random() * (high - low));
    let compared = 0;
    for (let trial = 0; trial < 600; trial++) {
      const rank = integer(1, 4);
      const shape = Array.from({ length: rank }, () => integer(1, 6));
      const entries = integer(1, rank + 2);
      const mask = () => (random() < 0.5 ? 0 : integer(0, 2 ** entries));
      const [begin, end] = [0, 1].map(() => Array.from({ length: entries }, () => integer(-7, 8)));
      const strides = Array.from({ length: entries }, () => [1, 1, 2, 3, -1, -2][integer(0, 6)]);
      const ellipsis = random() < 0.5 ? 0 : 2 ** integer(0, entries);
      const [fromStart, toEnd, newAxis] = [mask(), mask(), mask()];
      // With shrinkAxisMask TensorFlow.js takes other elements than TensorFlow: x[..., 0] and x[::2, 1] are wrong there.
      const masks = [fromStart, toEnd, ellipsis, newAxis, 0];
      const run = (tf: Library) => tf.stridedSlice(iota(tf, ...shape), begin, end, strides, ...masks);
      let wanted: Library;
      try {
        wanted = run(tfjs);
      } catch {
        continue;
      }
      const got = run(ours);
      const where = JSON.stringify({ shape, begin, end, strides, masks });
      // TensorFlow.js makes negative extents 0 too, but says so only in what it returns.
      expect(got.shape, where).toEqual(wanted.shape);
      expect([...got.dataSync()], where).toEqual([...wanted.dataSync()]);
      compared++;
    }
    expect(compared).toBeGreaterThan(200);
  });
});

/** The definition: loops over all labels. */
function naive(equation: string, tensors: { shape: number[]; data: ArrayLike<number> }[]): number[] {
  const [left, right] = equation.split('->');
  const terms = left.split(',');
  const extents = new Map<string, number>();
  terms.forEach((term, i) => {
    [...term].forEach((label, axis) => {
      const extent = tensors[i].shape[axis];
      if (extent !== 1 || !extents.has(label)) extents.set(label, extent);
    });
  });
  const labels = [...extents.keys()];
  const out = new Array<number>(count(...[...right].map((label) => extents.get(label)!))).fill(0);
  const place = (term: string, shape: number[], at: Map<string, number>) =>
    [...term].reduce((flat, label, axis) => flat * shape[axis] + (shape[axis] === 1 ? 0 : at.get(label)!), 0);
  const visit = (index: number, at: Map<string, number>) => {
    if (index === labels.length) {
      const product = terms.reduce((p, term, i) => p * tensors[i].data[place(term, tensors[i].shape, at)], 1);
      out[
        place(
          right,
          [...right].map((label) => extents.get(label)!),
          at,
        )
      ] += product;
      return;
    }
    for (let i = 0; i < extents.get(labels[index])!; i++) visit(index + 1, at.set(labels[index], i));
  };
  visit(0, new Map());
  return out;
}

describe('einsum', () => {
  const shapes: Record<string, number[][]> = {
    'i,i->': [[7], [7]],
    'i,j->ij': [[3], [5]],
    'ij->ji': [[3, 5]],
    'ij->': [[3, 5]],
    'ii->i': [[4, 4]],
    'ii->': [[5, 5]],
    'iij->ji': [[4, 4, 3]],
    'ijij->ij': [[2, 3, 2, 3]],
    'iji->j': [[3, 2, 3]],
    'ij,jk->ik': [
      [3, 4],
      [4, 5],
    ],
    'ij,jk->ki': [
      [3, 4],
      [4, 5],
    ],
    'ji,kj->ik': [
      [4, 3],
      [5, 4],
    ],
    'bij,bjk->bik': [
      [2, 3, 4],
      [2, 4, 5],
    ],
    'bij,bkj->ikb': [
      [2, 3, 4],
      [2, 5, 4],
    ],
    'bhqd,bhkd->bhqk': [
      [2, 3, 4, 5],
      [2, 3, 6, 5],
    ],
    'abc,cd,de->abe': [
      [2, 3, 4],
      [4, 5],
      [5, 6],
    ],
    'ab,bc,cd,da->': [
      [2, 3],
      [3, 4],
      [4, 5],
      [5, 2],
    ],
    'ij,ij,ij->ij': [
      [3, 4],
      [3, 4],
      [3, 4],
    ],
    'ij,k->ijk': [[2, 3], [4]],
    'ijk,jil->kl': [
      [2, 3, 4],
      [3, 2, 5],
    ],
    'ii,ij->j': [
      [3, 3],
      [3, 4],
    ],
    'i,ij,j->': [[3], [3, 4], [4]],
    'ab,cd->abcd': [
      [2, 1],
      [3, 2],
    ],
    'ab,ab->a': [
      [3, 1],
      [3, 4],
    ],
    'ab,ab->b': [
      [1, 4],
      [3, 4],
    ],
    ',a->a': [[], [3]],
    'a,b,c,d,e->': [[2], [3], [2], [2], [2]],
    'ij,jk->ik ': [
      [0, 3],
      [3, 2],
    ],
  };
  const tensors = (list: number[][]) =>
    list.map((shape) => ({
      shape,
      data: Array.from({ length: count(...shape) }, () => Math.round(random() * 8 - 4) / 2),
    }));

  it.each(Object.entries(shapes))('%s', (equation, list) => {
    const values = tensors(list);
    const got = api.einsum(equation, ...values.map(({ data, shape }) => api.tensor(data, shape as [number])));
    naive(equation.trim(), values).forEach((wanted, i) => expect(got.dataSync()[i]).toBeCloseTo(wanted, 4));
  });

  it.each<[string, string, number[][]]>([
    [
      '...ij,...jk->...ik',
      'abij,abjk->abik',
      [
        [2, 3, 2, 4],
        [2, 3, 4, 2],
      ],
    ],
    [
      '...ij,jk->...ik',
      'abij,jk->abik',
      [
        [2, 3, 2, 4],
        [4, 2],
      ],
    ],
    [
      'i...,i...->...',
      'iab,iab->ab',
      [
        [3, 2, 4],
        [3, 2, 4],
      ],
    ],
    [
      '...,...->...',
      'ab,ab->ab',
      [
        [2, 1],
        [1, 3],
      ],
    ],
    [
      'ij,jk',
      'ij,jk->ik',
      [
        [2, 3],
        [3, 4],
      ],
    ],
    [
      'ba,cb',
      'ba,cb->ac',
      [
        [2, 3],
        [4, 2],
      ],
    ],
    ['ii', 'ii->', [[3, 3]]],
    ['...i', 'abi->abi', [[2, 2, 3]]],
  ])('%s is %s', (short, long, list) => {
    const values = tensors(list);
    const got = api.einsum(short, ...values.map(({ data, shape }) => api.tensor(data, shape as [number])));
    naive(long, values).forEach((wanted, i) => expect(got.dataSync()[i]).toBeCloseTo(wanted, 4));
  });

  it.each(Object.entries(shapes).filter(([, list]) => count(...list[0]) > 0))(
    'has a gradient: %s',
    (equation, list) => {
      const values = tensors(list);
      const inputs = values.map(({ data, shape }) => api.tensor(data, shape as [number]));
      const weights = naive(equation, values).map((_, i) => 1 + (i % 3));
      const loss = (...xs: base.Tensor[]) => {
        const y = api.einsum(equation, ...xs);
        return y.mul(api.tensor(weights, y.shape as [number])).sum();
      };
      const found = base.grads(loss as never)(inputs);
      const total = (changed: typeof values) => naive(equation, changed).reduce((sum, y, i) => sum + y * weights[i], 0);
      for (const [i, dx] of found.entries()) {
        const at = Math.floor(random() * dx.size);
        const moved = (by: number) =>
          values.map((value, k) => (k === i ? { ...value, data: value.data.with(at, value.data[at] + by) } : value));
        expect(dx.dataSync()[at]).toBeCloseTo((total(moved(1)) - total(moved(-1))) / 2, 3);
      }
    },
  );

  it('of integers stays with them', () => {
    const x = api.einsum(
      'ij,j->i',
      api.tensor(
        [
          [1, 2],
          [3, 4],
        ],
        [2, 2],
        'int32',
      ),
      api.tensor([5, 6], [2], 'int32'),
    );
    expect([x.dtype, [...x.dataSync()]]).toEqual(['int32', [17, 39]]);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['unknown output', () => api.einsum('ij->k', api.zeros([2, 3])), /'k' in 'ij->k'/],
    ['two of an output', () => api.einsum('ij->ii', api.zeros([2, 3])), /twice/],
    ['rank', () => api.einsum('ijk->i', api.zeros([2, 3])), /term 0.*\[2,3\]/],
    ['count', () => api.einsum('ij,jk->ik', api.zeros([2, 3])), /takes 2 tensors; got 1/],
    [
      'extents',
      () => api.einsum('ij,jk->ik', api.zeros([2, 3]), api.zeros([4, 2])),
      /'j' must be equally long.*3 and 4/,
    ],
    ['diagonal', () => api.einsum('ii->i', api.zeros([2, 3])), /'i' must be equally long/],
    ['characters', () => api.einsum('i1->i', api.zeros([2, 3])), /must be letters/],
  ])('refuses: %s', (_name, f, message) => expect(f).toThrow(message));
});

describe('what TensorFlow.js lacks', () => {
  const x = () =>
    api.tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  it.each<[string, () => base.Tensor, unknown]>([
    [
      'spaceToDepth',
      () => api.spaceToDepth(api.depthToSpace(iota(ours, 1, 2, 3, 8), 2), 2),
      iota(ours, 1, 2, 3, 8).arraySync(),
    ],
    [
      'flip',
      () => api.flip(x(), 1),
      [
        [3, 2, 1],
        [6, 5, 4],
      ],
    ],
    [
      'roll',
      () => api.roll(x(), 1, 1),
      [
        [3, 1, 2],
        [6, 4, 5],
      ],
    ],
    [
      'roll of all',
      () => api.roll(x(), -2),
      [
        [3, 4, 5],
        [6, 1, 2],
      ],
    ],
    [
      'roll of two axes',
      () => api.roll(x(), [1, -1], [0, 1]),
      [
        [5, 6, 4],
        [2, 3, 1],
      ],
    ],
    [
      'rot90',
      () => api.rot90(x()),
      [
        [3, 6],
        [2, 5],
        [1, 4],
      ],
    ],
    [
      'rot90 twice',
      () => api.rot90(x(), 2),
      [
        [6, 5, 4],
        [3, 2, 1],
      ],
    ],
    [
      'rot90 back',
      () => api.rot90(x(), -1),
      [
        [4, 1],
        [5, 2],
        [6, 3],
      ],
    ],
    [
      'repeat',
      () => api.repeat(x(), 2, 1),
      [
        [1, 1, 2, 2, 3, 3],
        [4, 4, 5, 5, 6, 6],
      ],
    ],
    ['repeat of all', () => api.repeat([[1, 2]], 2), [1, 1, 2, 2]],
    [
      'repeat by counts',
      () => api.repeat(x(), [0, 2], 0),
      [
        [4, 5, 6],
        [4, 5, 6],
      ],
    ],
    [
      'triu',
      () => api.triu(x()),
      [
        [1, 2, 3],
        [0, 5, 6],
      ],
    ],
    [
      'triu above',
      () => api.triu(x(), 1),
      [
        [0, 2, 3],
        [0, 0, 6],
      ],
    ],
    [
      'tril',
      () => api.tril(x()),
      [
        [1, 0, 0],
        [4, 5, 0],
      ],
    ],
    ['diagonal', () => api.diagonal(x()), [1, 5]],
    ['diagonal above', () => api.diagonal(x(), 1), [2, 6]],
    ['diagonal below', () => api.diagonal(x(), -1), [4]],
    ['diagonal outside', () => api.diagonal(x(), 9), []],
    [
      'kron',
      () =>
        api.kron(
          [[1, 2]],
          [
            [1, 1],
            [0, 1],
          ],
        ),
      [
        [1, 1, 2, 2],
        [0, 1, 0, 2],
      ],
    ],
    [
      'kron of two ranks',
      () => api.kron([1, 2], [[1], [3]]),
      [
        [1, 2],
        [3, 6],
      ],
    ],
    [
      'tensordot',
      () =>
        api.tensordot(x(), x(), [
          [0, 1],
          [0, 1],
        ]),
      91,
    ],
    [
      'tensordot of numbers',
      () => api.tensordot(x(), api.transpose(x()), 1),
      [
        [14, 32],
        [32, 77],
      ],
    ],
    [
      'tensordot of nothing',
      () => api.tensordot([1, 2], [3, 4], 0),
      [
        [3, 4],
        [6, 8],
      ],
    ],
    [
      'oneHot of axis 0',
      () => api.oneHot([0, 2], 3, 1, 0, 'int32', 0),
      [
        [1, 0],
        [0, 0],
        [0, 1],
      ],
    ],
    ['strings', () => api.roll(['a', 'b', 'c'], 1), ['c', 'a', 'b']],
    ['leftShift', () => api.leftShift([1, 3, 1], [4, 1, 32]), [16, 6, 0]],
    ['rightShift', () => api.rightShift([-8, 9, -1], [1, 2, 40]), [-4, 2, -1]],
    ['bitwiseNot', () => api.bitwiseNot([0, -1, 5]), [-1, 0, -6]],
    ['bitcast', () => api.bitcast(api.bitcast(api.scalar(1.5))), 1.5],
  ])('%s', (_name, f, wanted) => expect(f().arraySync()).toEqual(wanted));

  it.each<[string, (x: base.Tensor) => base.Tensor]>([
    [
      'spaceToBatchND',
      (t) =>
        api.spaceToBatchND(
          t.reshape([1, 2, 3, 1]),
          [2, 1],
          [
            [0, 0],
            [1, 0],
          ],
        ),
    ],
    ['stridedSlice backwards', (t) => api.stridedSlice(t, [1, 2], [-9, -9], [-1, -2])],
    ['roll', (t) => api.roll(t, 1)],
    ['rot90', (t) => api.rot90(t)],
    ['repeat', (t) => api.repeat(t, 3, 0)],
    ['triu', (t) => api.triu(t)],
    ['diagonal', (t) => api.diagonal(t, 1)],
    ['kron', (t) => api.kron(t, [[1, 2]])],
    [
      'mirrorPad',
      (t) =>
        api.mirrorPad(
          t,
          [
            [1, 1],
            [2, 2],
          ],
          'reflect',
        ),
    ],
  ])('%s has a gradient', (_name, f) => {
    const values = [1, 2, 3, 4, 5, 6];
    const loss = (t: base.Tensor) => {
      const y = f(t).flatten();
      return y.mul(api.range(1, y.size + 1)).sum() as base.Scalar;
    };
    const dx = base
      .grad(loss)(api.tensor(values, [2, 3]))
      .dataSync();
    for (let i = 0; i < 6; i++) {
      const at = (by: number) => loss(api.tensor(values.with(i, values[i] + by), [2, 3])).dataSync()[0];
      expect(dx[i]).toBeCloseTo((at(1) - at(-1)) / 2, 3);
    }
  });

  it('where has no NaN in its gradient from the side that is not chosen', () => {
    const dx = base.grad((t) => api.where(t.greater(0), t, 0).sum())(api.tensor([-1, 0, 2, NaN]));
    expect([...dx.dataSync()]).toEqual([0, 0, 1, 0]);
  });
});
