/** int64 from the API to the code, on every target, beside BigInt.asIntN(64, ...). */
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../src/index.ts';
import { backends } from './backends.ts';

const least = -(2n ** 63n);
const most = 2n ** 63n - 1n;
const edges = [
  least,
  least + 1n,
  -(2n ** 32n) - 1n,
  -7n,
  -2n,
  -1n,
  0n,
  1n,
  3n,
  2n ** 31n,
  2n ** 32n + 5n,
  most - 1n,
  most,
];
const pairs = edges.flatMap((a) => edges.map((b) => [a, b] as const));
const wrap = (x: bigint) => BigInt.asIntN(64, x);
const longs = (x: tf.Tensor): bigint[] => {
  expect(x.dtype).toBe('int64');
  return Array.from(x.dataSync<'int64'>());
};
const long = (values: readonly bigint[], shape?: number[]) => tf.tensor([...values], shape, 'int64');

describe.each(backends)('int64 on %s', (backend) => {
  beforeAll(() => tf.setBackend(backend));

  it('arithmetic wraps', () => {
    const [a, b] = [long(pairs.map(([x]) => x)), long(pairs.map(([, y]) => y))];
    expect(longs(a.add(b))).toEqual(pairs.map(([x, y]) => wrap(x + y)));
    expect(longs(a.sub(b))).toEqual(pairs.map(([x, y]) => wrap(x - y)));
    expect(longs(a.mul(b))).toEqual(pairs.map(([x, y]) => wrap(x * y)));
    expect(longs(a.mul(b).add(a))).toEqual(pairs.map(([x, y]) => wrap(x * y + x)));
  });

  it('bigints and numbers beside tensors', () => {
    const x = long([most, -7n, 3n]);
    expect(longs(x.add(3n))).toEqual([wrap(most + 3n), -4n, 6n]);
    expect(longs(x.mul(2))).toEqual([-2n, -14n, 6n]);
    expect(longs(tf.add(1n, x))).toEqual([least, -6n, 4n]);
    expect(longs(tf.tensor([1, 2], undefined, 'int32').mul(2n ** 40n))).toEqual([2n ** 40n, 2n ** 41n]);
    expect(longs(x.floorDiv(2))).toEqual([most >> 1n, -4n, 1n]);
    expect(Array.from(x.greater(most - 1n).dataSync())).toEqual([1, 0, 0]);
    for (const bad of [0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => x.add(bad)).toThrow(/^\[add\] a number beside an int64 tensor must be an integer below 2\^53/);
    }
    expect(longs(x.clipByValue(-2, Number.POSITIVE_INFINITY))).toEqual([most, -2n, 3n]);
    expect(longs(x.clipByValue(Number.NEGATIVE_INFINITY, 2))).toEqual([2n, -7n, 2n]);
    expect(() => tf.fill([2], Number.NaN, 'int64')).toThrow('int64');
  });

  it('places of 64 bits are in range or refused, and never wrap', () => {
    const x = tf.tensor1d([5, 6, 7]);
    const values = (y: tf.Tensor) => Array.from(y.dataSync() as ArrayLike<number>);
    expect(values(tf.gather(x, long([2n, 0n])))).toEqual([7, 5]);
    expect(values(tf.gather(x, [2n, 1n]))).toEqual([7, 6]);
    for (const bad of [2n ** 32n + 1n, -(2n ** 32n) + 1n, 3n, -1n, most, least, 2n ** 40n]) {
      const at = long([bad]);
      const one = tf.tensor1d([1]);
      for (const refused of [
        () => tf.gather(x, at),
        () => tf.gather(x, [bad]),
        () => tf.gatherND(x, at.reshape([1, 1])),
        () => tf.scatterND(at.reshape([1, 1]), one, [3]),
        () => tf.tensorScatterUpdate(x, at.reshape([1, 1]), one),
        () => tf.unsortedSegmentSum(one, at as tf.Tensor1D, 3),
      ]) {
        expect(() => values(refused())).toThrow(/must be in \[0, 3\)/);
      }
      expect(values(tf.oneHot(at, 3))).toEqual([0, 0, 0]);
      if (bad > 0n) expect(values(tf.bincount(at, [], 3))).toEqual([0, 0, 0]);
    }
  });

  it('what is found on the host', () => {
    const x = long([0n, 2n ** 32n, most, 0n, 2n ** 32n, least]);
    expect(longs(tf.unique(x).values)).toEqual([0n, 2n ** 32n, most, least]);
    expect(Array.from(tf.unique(x).indices.dataSync())).toEqual([0, 1, 2, 0, 1, 3]);
    expect(
      Array.from(
        tf.unique(tf.tensor([1.25, 1.5, 1.25, Number.NaN, Number.NaN, -0, 0], undefined, 'float64')).indices.dataSync(),
      ),
    ).toEqual([0, 1, 0, 2, 2, 3, 3]);
    expect(Array.from(tf.nonzero(x).dataSync())).toEqual([1, 2, 4, 5]);
    expect(longs(tf.where(x.greater(0n), x, x.neg()))).toEqual([0n, 2n ** 32n, most, 0n, 2n ** 32n, least]);
    expect(longs(tf.booleanMask(x, x))).toEqual([2n ** 32n, most, 2n ** 32n, least]);
  });

  it('is printed, listed, set in a buffer, sorted', () => {
    const x = long([most, least, 0n, -1n], [2, 2]);
    expect(x.arraySync()).toEqual([
      [most, least],
      [0n, -1n],
    ]);
    expect(x.toString()).toContain('9223372036854775807');
    expect(
      longs(
        tf.tensor([
          [most, least],
          [0n, -1n],
        ]),
      ),
    ).toEqual([most, least, 0n, -1n]);
    const buffer = tf.buffer([2], 'int64');
    buffer.set(most as never, 1);
    expect(buffer.get(1)).toBe(most);
    expect(longs(buffer.toTensor())).toEqual([0n, most]);
    expect(longs(tf.sort(x.flatten()))).toEqual([least, -1n, 0n, most]);
    expect(longs(tf.topk(x.flatten(), 2).values)).toEqual([most, 0n]);
    expect(longs(x.flatten().cumsum())).toEqual([most, -1n, -1n, -2n]);
    expect(longs(tf.cummax(x.flatten().reverse()).values)).toEqual([-1n, 0n, 0n, most]);
    expect(longs(tf.range(2 ** 40, 2 ** 40 + 3, 1, 'int64'))).toEqual([0n, 1n, 2n].map((i) => i + 2n ** 40n));
    expect(longs(tf.eye(2, 2, [], 'int64'))).toEqual([1n, 0n, 0n, 1n]);
    expect(longs(tf.unsortedSegmentMax(long([least, most, 5n]), tf.tensor1d([0, 0, 1], 'int32'), 2))).toEqual([
      most,
      5n,
    ]);
    expect(longs(tf.unsortedSegmentMin(long([least, most, 5n]), tf.tensor1d([0, 1, 1], 'int32'), 2))).toEqual([
      least,
      5n,
    ]);
    expect(longs(tf.oneHot([1, 0], 2, 1, 0, 'int64'))).toEqual([0n, 1n, 1n, 0n]);
  });

  it('sums of any axis and length', () => {
    for (const [rows, columns] of [
      [1, 1],
      [3, 5],
      [33, 17],
      [70, 129],
    ]) {
      const data = Array.from({ length: rows * columns }, (_, i) => wrap(BigInt(i) ** 5n * 1_000_003n));
      const x = long(data, [rows, columns]);
      const total = (list: bigint[]) => wrap(list.reduce((sum, v) => sum + v, 0n));
      expect(longs(x.sum())).toEqual([total(data)]);
      expect(longs(x.sum(1))).toEqual(
        Array.from({ length: rows }, (_, r) => total(data.slice(r * columns, (r + 1) * columns))),
      );
      expect(longs(x.sum(0))).toEqual(
        Array.from({ length: columns }, (_, c) => total(data.filter((_, i) => i % columns === c))),
      );
    }
  });
});
