/** int64 from the API to the code, on every target, beside BigInt.asIntN(64, ...). */
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../src/index.ts';

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

describe.each(['reference', 'wasm', 'x64'])('int64 on %s', (backend) => {
  let there = false;
  beforeAll(async () => {
    there = await tf.setBackend(backend).catch(() => false);
  });
  const when = (f: () => void) => () => {
    if (there) f();
  };

  it(
    'arithmetic wraps',
    when(() => {
      const [a, b] = [long(pairs.map(([x]) => x)), long(pairs.map(([, y]) => y))];
      expect(longs(a.add(b))).toEqual(pairs.map(([x, y]) => wrap(x + y)));
      expect(longs(a.sub(b))).toEqual(pairs.map(([x, y]) => wrap(x - y)));
      expect(longs(a.mul(b))).toEqual(pairs.map(([x, y]) => wrap(x * y)));
      expect(longs(a.mul(b).add(a))).toEqual(pairs.map(([x, y]) => wrap(x * y + x)));
    }),
  );

  it(
    'sums of any axis and length',
    when(() => {
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
    }),
  );
});
