import { describe, expect, it } from 'vitest';
import * as tf from '../index.ts';

const list = (x: tf.Tensor) => Array.from(x.dataSync());

describe('jit', () => {
  it('traces once for each signature and then compiles nothing', () => {
    let calls = 0;
    const f = tf.jit((x: tf.Tensor, how: { by: number }) => {
      calls++;
      return x.mul(how.by);
    });
    expect(list(f(tf.tensor([1, 2]), { by: 3 }))).toEqual([3, 6]);
    const { compilations } = tf.memory();
    expect(list(f(tf.tensor([5, 6]), { by: 3 }))).toEqual([15, 18]);
    expect(tf.memory().compilations).toBe(compilations);
    expect([calls, f.traces]).toEqual([1, 1]);
    f(tf.tensor([1, 2, 3]), { by: 3 });
    f(tf.tensor([1, 2]), { by: 4 });
    f(tf.tensor([1, 2], undefined, 'int32'), { by: 4 });
    expect(f.traces).toBe(4);
  });

  it('takes and returns lists and objects', () => {
    const f = tf.jit((xs: readonly tf.Tensor[], flag: boolean) => ({ sum: tf.addN([...xs]), first: [xs[0]], flag }));
    const { sum, first, flag } = f([tf.tensor([1]), tf.tensor([2])], true);
    expect([list(sum), list(first[0]), flag]).toEqual([[3], [1], true]);
  });

  it('updates a variable in place, and copies it where someone still shares it', () => {
    const v = tf.variable(tf.zeros([1000]));
    const step = tf.jit((x: tf.Tensor) => v.assign(v.add(x)));
    const one = tf.ones([1000]);
    step(one);
    const { numBytes } = tf.memory();
    const before = v.current;
    step(one);
    expect(v.current).toBe(before);
    expect(tf.memory().numBytes).toBe(numBytes);
    const old = v.clone();
    const pending = v.mul(10);
    step(one);
    expect([v.dataSync()[7], old.dataSync()[7], pending.dataSync()[7]]).toEqual([3, 2, 20]);
    v.assign(one);
    step(one);
    expect([v.dataSync()[0], one.dataSync()[0]]).toEqual([2, 1]);
  });

  it('swaps variables', () => {
    const a = tf.variable([1, 1]);
    const b = tf.variable([2, 2]);
    const swap = tf.jit(() => {
      const kept = a.clone();
      a.assign(b);
      b.assign(kept as tf.Tensor1D);
    });
    swap();
    expect([list(a), list(b)]).toEqual([
      [2, 2],
      [1, 1],
    ]);
    swap();
    expect([list(a), list(b)]).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it('hands variables and arguments through without computing', () => {
    const v = tf.variable([1, 2]);
    const f = tf.jit((x: tf.Tensor) => {
      v.assign(x.reshape([2]) as tf.Tensor1D);
      return [v, x];
    });
    const x = tf.tensor([[3], [4]]);
    const [a, b] = f(x);
    expect([list(v), list(a), list(b), b.shape]).toEqual([
      [3, 4],
      [3, 4],
      [3, 4],
      [2, 1],
    ]);
    x.dispose();
    expect(list(v)).toEqual([3, 4]);
  });

  it('captures tensors, pending ones too, and keeps them', () => {
    const a = tf.tensor([1, 2]).add(1);
    const f = tf.jit((x: tf.Tensor) => x.add(a));
    expect(list(f(tf.tensor([0, 0])))).toEqual([2, 3]);
    a.dispose();
    expect(list(f(tf.tensor([1, 1])))).toEqual([3, 4]);
  });

  it('makes variables while it is traced', () => {
    let slot: tf.Variable | null = null;
    const f = tf.jit((x: tf.Tensor) =>
      tf.tidy(() => {
        slot ??= tf.variable(tf.zeros([2]), false);
        slot.assign(slot.add(x));
        return slot.mul(2);
      }),
    );
    f(tf.tensor([1, 2]));
    expect(list(f(tf.tensor([1, 2])))).toEqual([4, 8]);
    expect(list(slot!)).toEqual([2, 4]);
  });

  it('draws fresh random numbers in each call, the same for the same seed', () => {
    const f = tf.jit(() => [tf.randomUniform([3]), tf.randomNormal([3])]);
    tf.setSeed(7);
    const draw = () => f().map(list);
    const [a, b] = [draw(), draw()];
    expect(a).not.toEqual(b);
    expect(a[0]).not.toEqual(b[1]);
    tf.setSeed(7);
    expect([draw(), draw()]).toEqual([a, b]);
  });

  it('goes inline inside another', () => {
    const inner = tf.jit((x: tf.Tensor) => x.add(1));
    const outer = tf.jit((x: tf.Tensor) => inner(inner(x)));
    expect(list(outer(tf.tensor([1])))).toEqual([3]);
    expect([inner.traces, outer.traces]).toEqual([0, 1]);
  });

  it('has gradients inside and is differentiated from outside', () => {
    const slope = tf.jit((x: tf.Tensor) => tf.grad((z: tf.Tensor) => z.mul(z).mul(z))(x));
    expect(list(slope(tf.tensor([1, 2])))).toEqual([3, 12]);
  });

  it('refuses what it cannot do', async () => {
    const x = tf.tensor([1]);
    expect(() => tf.jit((y: tf.Tensor) => tf.scalar(y.dataSync()[0]))(x)).toThrow(
      '[jit] a value must not be read while',
    );
    const asynchronous = tf.jit(((y: tf.Tensor) => Promise.resolve(y)) as unknown as (y: tf.Tensor) => tf.Tensor);
    expect(() => asynchronous(x)).toThrow('[jit] the function must not be asynchronous');
    expect(() => tf.jit((_: Float32Array) => x)(new Float32Array(2))).toThrow('[jit] arguments must be tensors');
    expect(() => tf.jit((y: tf.Tensor) => tf.variable(y).mul(1))(x)).toThrow('it depends on argument 0');
    await expect(tf.tensor([2]).data()).resolves.toEqual(new Float32Array([2]));
  });

  it('runs in the background, in order', async () => {
    const v = tf.variable(tf.zeros([1 << 16]));
    const step = tf.jit((x: tf.Tensor) => {
      v.assign(v.add(x));
      return v.sum();
    });
    const one = tf.ones([1 << 16]);
    const sums = await Promise.all([step.async(one), step.async(one), step.async(one)]);
    expect(sums.map((sum) => sum.dataSync()[0] / 65536)).toEqual([1, 2, 3]);
    const later = step.async(one);
    expect(v.dataSync()[5]).toBe(4);
    await later;
  });

  it('leaks nothing', () => {
    const v = tf.variable(tf.zeros([10]));
    const step = tf.jit((x: tf.Tensor) => {
      v.assign(v.add(x));
      return tf.tidy(() => x.mul(v).sum());
    });
    const x = tf.ones([10]);
    step(x).dispose();
    const { numTensors, numBytes, numDataBuffers } = tf.memory();
    for (let i = 0; i < 100; i++) step(x).dispose();
    const after = tf.memory();
    expect([after.numTensors, after.numBytes, after.numDataBuffers]).toEqual([numTensors, numBytes, numDataBuffers]);
  });
});
