/** Eager training loops, as users of TensorFlow.js write them. */
import { describe, expect, it } from 'vitest';
import * as tf from '../index.ts';

function problem() {
  const x = tf.tensor([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
  const y = tf.tensor([[0], [1], [1], [0]]);
  const w1 = tf.variable(
    tf.tensor([
      [0.5, -0.7, 0.3],
      [-0.4, 0.6, 0.8],
    ]),
  );
  const w2 = tf.variable(tf.tensor([[0.3], [-0.9], [0.7]]));
  const loss = () => tf.mean(tf.square(x.matMul(w1).tanh().matMul(w2).sub(y))) as tf.Scalar;
  return { w1, w2, loss };
}

describe('an eager training loop', () => {
  it('compiles nothing after its first rounds and leaks nothing', () => {
    const { w1, w2, loss } = problem();
    const losses: number[] = [];
    const step = () =>
      tf.tidy(() => {
        const { value, grads } = tf.variableGrads(loss);
        for (const w of [w1, w2] as tf.Variable[]) w.assign(w.sub(tf.mul(grads[w.name], 0.3)));
        losses.push(value.dataSync()[0]);
        tf.evaluateAll([w1, w2]);
      });
    for (let i = 0; i < 3; i++) step();
    const before = tf.memory();
    for (let i = 0; i < 200; i++) step();
    const after = tf.memory();
    expect(after.compilations).toBe(before.compilations);
    expect([after.numTensors, after.numDataBuffers, after.numBytes]).toEqual([
      before.numTensors,
      before.numDataBuffers,
      before.numBytes,
    ]);
    expect(losses.at(-1)).toBeLessThan(losses[0] / 2);
  });

  it('minimizes with an optimizer, and as one jitted step gives the same', () => {
    const run = (wrapStep: (step: () => tf.Scalar) => () => tf.Scalar) => {
      const { w1, w2, loss } = problem();
      const optimizer = tf.train.adam(0.05);
      const step = wrapStep(() => optimizer.minimize(loss, true, [w1, w2]) as tf.Scalar);
      return Array.from({ length: 20 }, () => step().dataSync()[0]);
    };
    const eager = run((step) => step);
    const jitted = run((step) => tf.jit(step));
    expect(eager[19]).toBeLessThan(eager[0]);
    eager.forEach((value, i) => {
      expect(jitted[i]).toBeCloseTo(value, 5);
    });
  });

  it('reads values inside a differentiated function', () => {
    const seen: number[] = [];
    const slope = tf.grad((x: tf.Tensor) => {
      const y = x.mul(x);
      seen.push(y.dataSync()[0]);
      return y.mul(x).sum();
    });
    expect(slope(tf.tensor([2])).dataSync()[0]).toBe(12);
    expect(seen).toEqual([4]);
  });
});

describe('gradients', () => {
  it('customGrad, to second order', () => {
    const cube = tf.customGrad((x, save) => {
      const input = x as tf.Tensor;
      (save as tf.GradSaver)([input]);
      return {
        value: input.pow(3),
        gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => dy.mul(saved.square().mul(30)),
      };
    });
    const x = tf.tensor([2]);
    expect(
      tf
        .grad((z: tf.Tensor) => cube(z))(x)
        .dataSync()[0],
    ).toBe(120);
    expect(
      tf
        .grad(tf.grad((z: tf.Tensor) => cube(z)))(x)
        .dataSync()[0],
    ).toBe(120);
  });

  it('grads, valueAndGrad(s) and dy', () => {
    const f = (a: tf.Tensor, b: tf.Tensor) => a.mul(b).add(a);
    const [da, db] = tf.grads(f)([tf.tensor([2]), tf.tensor([3])]);
    expect([da.dataSync()[0], db.dataSync()[0]]).toEqual([4, 2]);
    const { value, grad } = tf.valueAndGrad((a: tf.Tensor) => a.square())(tf.tensor([3]), tf.tensor([10]));
    expect([value.dataSync()[0], grad.dataSync()[0]]).toEqual([9, 60]);
    const both = tf.valueAndGrads(f)([tf.tensor([2]), tf.tensor([3])]);
    expect([both.value.dataSync()[0], ...both.grads.map((g) => g.dataSync()[0])]).toEqual([8, 4, 2]);
  });

  it('say what is wrong', () => {
    const x = tf.tensor([1, 2]);
    expect(() => tf.grad(() => tf.tensor([1]))(x)).toThrow('[grad] the result must depend on every argument');
    expect(() => tf.variableGrads(() => tf.variable([1, 2]).square() as never)).toThrow('must return a scalar');
    expect(() => tf.variableGrads(() => tf.scalar(1))).toThrow('at least one trainable variable');
    expect(() => tf.grad((a: tf.Tensor) => a)(x, tf.tensor([1, 2, 3]))).toThrow('dy must have the shape');
    expect(() => tf.grad((a: tf.Tensor) => a.dataSync() as never)(x)).toThrow('must return a tensor');
  });
});

describe('profile', () => {
  it('tells kernels, bytes and tensors', async () => {
    const x = tf.ones([256, 256]);
    x.dataSync();
    const { result, kernels, newBytes, newTensors } = await tf.profile(() => tf.tidy(() => x.matMul(x).relu()));
    expect(result.dataSync()[0]).toBe(256);
    expect([newBytes, newTensors]).toEqual([256 * 256 * 4, 1]);
    if (tf.getBackend() === 'reference') return;
    expect(kernels.some(({ flops, gflops, ms }) => flops >= 2 * 256 ** 3 && gflops > 0 && ms > 0)).toBe(true);
    expect((await tf.time(() => x.add(1))).kernelMs).toBeGreaterThan(0);
  });
});
