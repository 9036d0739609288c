import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import * as tf from '../index.ts';

const list = (x: tf.Tensor) => Array.from(x.dataSync());
const compilationsOf = (f: () => unknown) => {
  const before = tf.memory().compilations;
  f();
  return tf.memory().compilations - before;
};

describe('lazy evaluation', () => {
  it('runs a chain as one program, and the second time compiles nothing', () => {
    const f = (x: tf.Tensor, rate: number) => list(x.mul(rate).add(1).relu());
    expect(compilationsOf(() => expect(f(tf.tensor([-1, 2, 3]), 2.5)).toEqual([0, 6, 8.5]))).toBe(1);
    expect(compilationsOf(() => expect(f(tf.tensor([1, 1, 1]), 0.75)).toEqual([1.75, 1.75, 1.75]))).toBe(0);
  });

  it('keeps what pending operations still need', () => {
    const x = tf.tensor([1, 2, 3]);
    const shared = x.exp();
    const a = shared.sum();
    const b = shared.mul(2);
    a.dataSync();
    const { numDataBuffers } = tf.memory();
    expect(list(b)[0]).toBeCloseTo(2 * Math.E);
    expect(tf.memory().numDataBuffers).toBe(numDataBuffers + 1);
  });

  it('learns what is read again: a simulation that prints each step does not start over', () => {
    let state = tf.tensor([1, 1]);
    const step = () => {
      state = state.mul(2).add(1) as tf.Tensor1D;
      return state.sum().dataSync()[0];
    };
    const sums = [step(), step(), step(), step()];
    expect(sums).toEqual([6, 14, 30, 62]);
    expect(
      compilationsOf(() => {
        for (let i = 0; i < 20; i++) step();
      }),
    ).toBe(0);
  });

  it('shares the bytes of reshapes and clones', () => {
    const x = tf.tensor([1, 2, 3, 4]);
    const { numBytes } = tf.memory();
    const y = x.reshape([2, 2]);
    const z = x.clone();
    expect([y.arraySync(), list(z)]).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
      [1, 2, 3, 4],
    ]);
    expect(tf.memory().numBytes).toBe(numBytes);
    x.dispose();
    z.dispose();
    expect(y.arraySync()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    y.dispose();
    expect(tf.memory().numBytes).toBe(numBytes - 16);
  });

  it('computes a disposed tensor for those who still need it', () => {
    const x = tf.tensor([1, 2, 3]);
    const hidden = x.add(1);
    const y = hidden.mul(2);
    x.dispose();
    hidden.dispose();
    expect(() => hidden.dataSync()).toThrow('a tensor must not be used after it was disposed');
    expect(() => hidden.add(1)).toThrow(/^\[add\].*disposed/);
    // What is made meanwhile must not take the place of x.
    tf.tensor([9, 9, 9]);
    expect(list(y)).toEqual([4, 6, 8]);
  });

  it('evaluates many tensors in one program', () => {
    const x = tf.tensor([1, 2]);
    const [a, b] = [x.add(1), x.mul(3)];
    expect(compilationsOf(() => tf.evaluateAll([a, b, x]))).toBeLessThanOrEqual(1);
    expect(
      compilationsOf(() =>
        expect([list(a), list(b)]).toEqual([
          [2, 3],
          [3, 6],
        ]),
      ),
    ).toBe(0);
  });

  it('bounds what is pending', () => {
    let t = tf.tensor([0]);
    for (let i = 0; i < 5000; i++) t = t.add(1) as tf.Tensor1D;
    expect(t.value.op.depth).toBeLessThan(1100);
    expect(list(t)).toEqual([5000]);
  });

  it('handles empty tensors, constants and what simplifies to an input', () => {
    expect(list(tf.zeros([0, 3]).add(1))).toEqual([]);
    expect(list(tf.scalar(3))).toEqual([3]);
    const x = tf.tensor([1, 2]);
    expect(list(x.mul(1))).toEqual([1, 2]);
    expect(list(x.sub(x))).toEqual([0, 0]);
    const [a, b] = [x.add(2), x.add(2)];
    tf.evaluateAll([a, b]);
    expect([list(a), list(b)]).toEqual([
      [3, 4],
      [3, 4],
    ]);
  });

  it('reads asynchronously, in order, without computing twice', async () => {
    const x = tf.ones([1 << 16]).mul(2);
    const y = x.add(1);
    const before = tf.memory().numDataBuffers;
    const [a, b] = await Promise.all([y.data(), y.data()]);
    expect([a[9], b[9]]).toEqual([3, 3]);
    expect(a).not.toBe(b);
    expect(tf.memory().numDataBuffers - before).toBeLessThanOrEqual(1);
    const z = y.mul(4);
    const pending = z.data();
    expect(z.dataSync()[0]).toBe(12);
    z.dispose();
    expect((await pending)[65535]).toBe(12);
    expect(await (await x.ready()).array()).toHaveLength(1 << 16);
  });

  it('gives each read an array of its own', () => {
    const v = tf.variable([1, 2]);
    const a = v.dataSync();
    a[0] = 99;
    expect(list(v)).toEqual([1, 2]);
  });
});

describe('lifetimes', () => {
  it('tidy frees all but what it returns', () => {
    const { numTensors, numBytes } = tf.memory();
    const y = tf.tidy(() => {
      const x = tf.tensor([1, 2, 3]);
      x.add(1).dataSync();
      tf.tidy(() => x.mul(2).dataSync());
      return { y: x.square(), rest: [1, 'a'] };
    });
    expect(list(y.y)).toEqual([1, 4, 9]);
    tf.dispose(y);
    expect([tf.memory().numTensors, tf.memory().numBytes]).toEqual([numTensors, numBytes]);
  });

  it('keep and variables outlive tidy; an error in it frees too', () => {
    const { numTensors } = tf.memory();
    const made: tf.Tensor[] = [];
    tf.tidy(() => {
      made.push(tf.keep(tf.tensor([1])), tf.variable([2]));
    });
    expect(made.map((tensor) => list(tensor)[0])).toEqual([1, 2]);
    tf.dispose(made);
    expect(() =>
      tf.tidy(() => {
        tf.tensor([1]);
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(() => tf.tidy((async () => tf.tensor([1])) as unknown as () => tf.Tensor)).toThrow(
      'must not be asynchronous',
    );
  });

  it('using disposes at the end of the block', () => {
    const { numTensors } = tf.memory();
    {
      using x = tf.tensor([1]);
      expect(x.isDisposed).toBe(false);
    }
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('a loop without tidy stays flat', () => {
    let t = tf.zeros([1000]);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const held: number[] = [];
    for (let i = 0; i <= 20_000; i++) {
      t = t.add(1).mul(0.5);
      if (i % 4 === 0) t.dataSync();
      if (i % 10_000 !== 0 || i === 0) continue;
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      held.push((heapUsed + arrayBuffers) / 2 ** 20);
    }
    expect(held[1] - held[0]).toBeLessThan(3);
  });
});

describe('tensors of values', () => {
  it('infers shape and dtype', () => {
    expect(
      tf.tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]).shape,
    ).toEqual([3, 2]);
    expect(tf.tensor([true, false]).dtype).toBe('bool');
    expect(tf.tensor(new Int32Array([1])).dtype).toBe('int32');
    expect(tf.tensor(new Uint8Array([200])).dtype).toBe('int32');
    expect(tf.tensor([new Float32Array([1, 2]), new Float32Array([3, 4])]).shape).toEqual([2, 2]);
    expect(list(tf.tensor([1.9, -1.9, Number.NaN], undefined, 'int32'))).toEqual([1, -1, 0]);
    expect(list(tf.tensor([0.5, 0, 2], undefined, 'bool'))).toEqual([1, 0, 1]);
  });

  it('refuses what does not fit', () => {
    expect(() => tf.tensor([[1, 2], [3]])).toThrow('element [1] has 1');
    expect(() => tf.tensor([[1, 2], 3] as never)).toThrow('element [1] is 3');
    expect(() => tf.tensor([1, 2, 3], [2, 2])).toThrow('shape [2,2] needs 4 values; got 3');
    expect(() => tf.tensor([{}] as never)).toThrow('got Object');
    expect(() => tf.tensor([1], undefined, 'float128' as never)).toThrow('dtype must be one of');
    expect(() => tf.tensor([1, 'x'] as never)).toThrow('element [1] is "x"');
    expect(() => tf.tensor([1], [-1])).toThrow('non-negative');
    expect(() => tf.add(undefined as never, 1)).toThrow('[add] a must be a tensor');
  });

  it('prints', () => {
    expect(String(tf.tensor([1, 2.5]))).toBe('Tensor\n    [1, 2.5]');
    expect(String(tf.scalar(7, 'int32'))).toBe('Tensor\n    7');
    expect(String(tf.range(0, 30))).toContain('[0, 1, 2, ..., 27, 28, 29]');
    expect(tf.zeros([1, 2]).toString(true)).toContain('shape: [1,2]');
  });
});
