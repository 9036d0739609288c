/** float16, bfloat16, int8 and uint8 as users meet them: on every backend, through jit, vmap, loops and gradients. */
import { afterAll, describe, expect, it } from 'vitest';
import * as tf from '../../src/index.ts';
import { type DType, dtypes, elementOf } from '../../src/types/dtype.ts';

const smalls = ['float16', 'bfloat16', 'int8', 'uint8'] as const;
const halves = ['float16', 'bfloat16'] as const;
await tf.ready();
const before = tf.getBackend();
afterAll(() => tf.setBackend(before));

const numbers = (x: tf.Tensor): number[] => Array.from(x.dataSync() as ArrayLike<number>);
const rounded = (dtype: DType, xs: readonly number[]): number[] => xs.map((x) => elementOf(dtype, x));
const xs = [0.1, 1.5, -2.5, 3, 100, -77, 5, 8, 9];

describe.each(['reference', 'wasm', ...(tf.getBackend() === 'x64' ? ['x64'] : [])])('on %s', (backend) => {
  const on = async <T>(f: () => T): Promise<T> => {
    await tf.setBackend(backend);
    return tf.tidy(f as () => tf.TensorContainer) as T;
  };

  it.each(smalls)('%s: each op rounds or wraps once, from what it is computed in', async (dtype) => {
    await on(() => {
      const x = tf.tensor(xs, undefined, dtype);
      const stored = rounded(dtype, xs);
      expect(numbers(x)).toEqual(stored);
      const round = (f: (a: number) => number) =>
        rounded(
          dtype,
          stored.map((a) => Math.fround(f(a))),
        );
      expect(numbers(x.add(x))).toEqual(round((a) => a + a));
      expect(numbers(x.mul(x).add(3))).toEqual(
        rounded(
          dtype,
          round((a) => a * a).map((a) => a + 3),
        ),
      );
      expect(x.mul(x).dtype).toBe(dtype);
      expect(numbers(x.reshape([3, 3]).transpose().flatten())).toEqual(
        [0, 3, 6, 1, 4, 7, 2, 5, 8].map((i) => stored[i]),
      );
      expect(numbers(tf.concat([x, x.reverse()]))).toEqual([...stored, ...stored.toReversed()]);
      expect(numbers(tf.gather(x, [8, 0]))).toEqual([stored[8], stored[0]]);
      expect(numbers(x.pad([[1, 0]], 0.3))).toEqual([elementOf(dtype, 0.3), ...stored]);
      expect(numbers(x.greater(3))).toEqual(stored.map((a) => Number(a > 3)));
      expect(x.argMax().dtype).toBe('int32');
      expect(numbers(x.max())).toEqual([Math.max(...stored)]);
    });
  });

  it('promotes: small with small of its kind, integers with floats, small with float32', async () => {
    await on(() => {
      const of = (dtype: DType) => tf.ones([2], dtype);
      expect(of('int8').add(of('uint8')).dtype).toBe('int32');
      expect(of('float16').add(of('bfloat16')).dtype).toBe('float32');
      expect(of('int32').add(of('float16')).dtype).toBe('float16');
      expect(of('bfloat16').mul(of('float32')).dtype).toBe('float32');
      expect(of('bool').add(of('int8')).dtype).toBe('int8');
      expect(of('int8').add(1).dtype).toBe('int8');
      expect(of('int8').add(0.5).dtype).toBe('float32');
      expect(of('bfloat16').add(0.5).dtype).toBe('bfloat16');
      expect(of('int8').exp().dtype).toBe('float32');
    });
  });

  it('sums and products accumulate in float32', async () => {
    await on(() => {
      // In bfloat16 256 + 1 is 256: a sum that rounded as it goes would stay there.
      expect(numbers(tf.ones([4096], 'bfloat16').sum())).toEqual([4096]);
      expect(numbers(tf.ones([1, 300], 'bfloat16').matMul(tf.ones([300, 1], 'bfloat16')))).toEqual([300]);
      expect(numbers(tf.ones([1, 295]).matMul(tf.ones([295, 1])))).toEqual([295]);
      expect(numbers(tf.fill([70000], 0.25, 'float16').mean())).toEqual([0.25]);
      expect(numbers(tf.fill([300], 300, 'float16').square().sum())).toEqual([Number.POSITIVE_INFINITY]);
      expect(numbers(tf.fill([200], 1, 'int8').sum())).toEqual([200 - 256]);
    });
  });

  it.each(halves)('%s: layers of a net against float32, to the rounding of what goes in and out', async (dtype) => {
    await on(() => {
      const image = tf.randomNormal<tf.Rank.R4>([2, 9, 9, 3], 0, 1, 'float32', 1).cast(dtype);
      const filter = tf.randomNormal<tf.Rank.R4>([3, 3, 3, 8], 0, 0.2, 'float32', 2).cast(dtype);
      const run = (x: tf.Tensor4D, w: tf.Tensor4D) => {
        const y = tf.conv2d(x, w, 1, 'same');
        return [
          y,
          tf.maxPool(x, 2, 2, 'same'),
          tf.avgPool(x, 3, 1, 'same'),
          tf.softmax(y),
          tf.layerNorm(y),
          tf.gelu(y),
          tf.mean(y, [1, 2]),
        ];
      };
      const small = run(image as tf.Tensor4D, filter as tf.Tensor4D);
      const wide = run(image.cast('float32'), filter.cast('float32'));
      // avgPool and what follows conv2d see its rounded result: one unit each.
      const unit = dtype === 'float16' ? 2 ** -10 : 2 ** -7;
      for (const [i, y] of small.entries()) {
        expect(y.dtype).toBe(dtype);
        const scale = numbers(wide[i]).reduce((most, a) => Math.max(most, Math.abs(a)), 0);
        const [got, want] = [numbers(y), numbers(wide[i])];
        const worst = got.reduce((most, a, k) => Math.max(most, Math.abs(a - want[k])), 0);
        expect(worst / scale).toBeLessThan(3 * unit);
      }
    });
  });

  it.each(halves)('%s: gradients have the dtype of what they are for, and the numbers of float32', async (dtype) => {
    await on(() => {
      const f = (x: tf.Tensor, w: tf.Tensor) =>
        tf
          .tanh(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D))
          .mul(x.sum(-1, true))
          .mean();
      const x = tf.randomNormal([5, 4], 0, 1, 'float32', 3).cast(dtype);
      const w = tf.randomNormal([4, 6], 0, 1, 'float32', 4).cast(dtype);
      const small = tf.grads(f)([x, w]);
      const wide = tf.grads(f)([x.cast('float32'), w.cast('float32')]);
      const unit = dtype === 'float16' ? 2 ** -10 : 2 ** -7;
      for (const [i, g] of small.entries()) {
        expect(g.dtype).toBe(dtype);
        const want = numbers(wide[i]);
        const scale = Math.max(...want.map(Math.abs));
        expect(Math.max(...numbers(g).map((a, k) => Math.abs(a - want[k]))) / scale).toBeLessThan(8 * unit);
      }
      // Mixed precision: a float32 variable that is computed with in half.
      const mixed = tf.grad((v: tf.Tensor) => f(x, v.cast(dtype)).cast('float32'))(w.cast('float32'));
      expect(mixed.dtype).toBe('float32');
      expect(numbers(mixed)).toEqual(numbers(small[1]));
    });
  });

  it('jit, vmap, scan and jacobians keep the dtype', async () => {
    await on(() => {
      const x = tf.tensor(
        [
          [1, 2],
          [3, 4.5],
        ],
        undefined,
        'bfloat16',
      );
      const double = (v: tf.Tensor) => v.mul(2).add(v);
      expect(tf.jit(double)(x).dtype).toBe('bfloat16');
      expect(numbers(tf.jit(double)(x))).toEqual(numbers(double(x)));
      const rows = tf.vmap((v: tf.Tensor) => v.sum())(x) as tf.Tensor;
      expect([rows.dtype, ...numbers(rows)]).toEqual(['bfloat16', 3, 7.5]);
      const [last] = tf.scan(
        (carry: tf.Tensor, v: tf.Tensor) => [carry.add(v), carry],
        tf.zeros([2], 'bfloat16'),
        x,
      ) as tf.Tensor[];
      expect([last.dtype, ...numbers(last)]).toEqual(['bfloat16', 4, 6.5]);
      const j = tf.jacobian((v: tf.Tensor) => v.mul(v))(tf.tensor([1, 3], undefined, 'float16')) as tf.Tensor;
      expect([j.dtype, ...numbers(j)]).toEqual(['float16', 2, 0, 0, 6]);
    });
  });
});

it('takes the bytes that its dtype says', () => {
  for (const dtype of smalls) {
    const { numBytes } = tf.memory();
    const x = tf.tensor(new Float32Array(1000).fill(1), [1000], dtype);
    expect(tf.memory().numBytes - numBytes).toBe(1000 * dtypes[dtype].bytes);
    x.dispose();
  }
});

it('a variable, a buffer and print', () => {
  const v = tf.variable(tf.tensor([0.1, 0.2], undefined, 'bfloat16'));
  v.assign(v.add(1));
  expect(numbers(v)).toEqual(
    rounded(
      'bfloat16',
      rounded('bfloat16', [0.1, 0.2]).map((a) => a + 1),
    ),
  );
  expect(v.toString()).toBe('Tensor\n    [1.1015625, 1.203125]');
  v.dispose();
  const buffer = tf.buffer([2], 'int8');
  buffer.set(300, 1);
  expect(numbers(buffer.toTensor())).toEqual([0, 44]);
  expect(tf.tensor([-1, 2], undefined, 'int8').toString()).toBe('Tensor\n    [-1, 2]');
});
