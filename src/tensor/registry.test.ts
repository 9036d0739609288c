/** Registered kernels, gradients and ops: they run, differentiate, map and compile like everything else. */
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from './index.ts';
import type { Tensor } from './index.ts';
import { referenceBackend } from './reference-backend.ts';

beforeAll(async () => {
  tf.registerBackend('reference', async () => referenceBackend());
  await tf.setBackend('reference');
});

const numbers = (x: Tensor) => Array.from(x.dataSync());

describe('registerKernel', () => {
  it('runs a function of tensors by name, with the gradients of what it is built of', () => {
    tf.registerKernel({
      kernelName: 'Scaled',
      backendName: 'cpu',
      kernelFunc: ({ inputs: { x }, attrs }) => x.square().mul(attrs.factor as number),
    });
    const f = (x: Tensor) => tf.runKernel('Scaled', { x }, { factor: 3 }) as Tensor;
    const x = tf.tensor1d([1, 2]);
    expect(numbers(f(x))).toEqual([3, 12]);
    expect(numbers(tf.grad((v: Tensor) => f(v).sum())(x))).toEqual([6, 12]);
    expect(numbers(tf.vmap(f)(x))).toEqual([3, 12]);
    expect(numbers(tf.jit(f)(x))).toEqual([3, 12]);
    expect(tf.getKernel('Scaled', 'cpu')?.kernelName).toBe('Scaled');
    tf.copyRegisteredKernels('cpu', 'other');
    expect(tf.getKernelsForBackend('other')).toHaveLength(1);
    tf.unregisterKernel('Scaled', 'cpu');
    tf.unregisterKernel('Scaled', 'other');
    expect(() => tf.unregisterKernel('Scaled', 'cpu')).toThrow(/must be registered/);
    expect(() => f(x)).toThrow(/must be registered.*tf\.relu for Relu/s);
  });

  it('has the registered gradient, with what it saves, to second order and for several outputs', () => {
    tf.registerKernel({
      kernelName: 'SinCos',
      backendName: 'cpu',
      kernelFunc: ({ inputs: { x } }) => [tf.sin(x), tf.cos(x)],
    });
    tf.registerGradient({
      kernelName: 'SinCos',
      inputsToSave: ['x'],
      outputsToSave: [false, true],
      gradFunc: (dy, [x, c], { twice }) => ({
        x: () =>
          dy[0]
            .mul(c)
            .sub(dy[1].mul(tf.sin(x)))
            .mul(twice ? 2 : 1),
      }),
    });
    const f = (x: Tensor, twice: boolean) => tf.runKernel('SinCos', { x }, { twice }) as Tensor[];
    const x = tf.tensor1d([0.3, 1.1]);
    const first = (twice: boolean) => tf.grad((v: Tensor) => f(v, twice)[0].sum())(x);
    expect(numbers(first(true))[0]).toBeCloseTo(2 * Math.cos(0.3), 6);
    expect(numbers(first(false))[1]).toBeCloseTo(Math.cos(1.1), 6);
    const both = tf.grad((v: Tensor) => {
      const [s, c] = f(v, false);
      return s.mul(c).sum();
    })(x);
    expect(numbers(both)[0]).toBeCloseTo(Math.cos(0.6), 6);
    const second = tf.grad((v: Tensor) =>
      tf
        .grad((u: Tensor) => f(u, false)[0].sum())(v)
        .sum(),
    )(x);
    expect(numbers(second)[0]).toBeCloseTo(-Math.sin(0.3), 6);
    expect(tf.getGradient('SinCos')).toBeDefined();
    tf.unregisterGradient('SinCos');
    expect(() => tf.unregisterGradient('SinCos')).toThrow(/must be registered/);
    tf.unregisterKernel('SinCos', 'cpu');
  });

  it('says what replaces a kernel of a backend', () => {
    tf.registerKernel({
      kernelName: 'Old',
      backendName: 'cpu',
      kernelFunc: ({ inputs: { x }, backend }) => (backend as { readSync(id: unknown): Tensor }).readSync(x),
    });
    expect(() => tf.runKernel('Old', { x: tf.scalar(1) })).toThrow(/backend\.readSync.*fuses/s);
    tf.registerKernel({ kernelName: 'Old', backendName: 'cpu', kernelFunc: () => ({ dataId: {} }) as never });
    expect(() => tf.runKernel('Old', { x: tf.scalar(1) })).toThrow(/must return a tensor/);
    tf.unregisterKernel('Old', 'cpu');
    expect(() => tf.registerKernel({} as never)).toThrow(/kernelName/);
    expect(() => tf.registerGradient({ kernelName: 'A' } as never)).toThrow(/gradFunc/);
  });
});

describe('registerOp', () => {
  it('keeps functions by name', () => {
    tf.registerOp('Twice', ({ inputs: [x], attrs }) => x.mul(attrs.by as number));
    const twice = tf.getRegisteredOp('Twice')!;
    expect(numbers(twice({ inputs: [tf.scalar(4)], attrs: { by: 2 } }) as Tensor)).toEqual([8]);
    tf.deregisterOp('Twice');
    expect(tf.getRegisteredOp('Twice')).toBeUndefined();
    expect(() => tf.registerOp('', () => tf.scalar(1))).toThrow(/name/);
    expect(() => tf.registerOp('x', 3 as never)).toThrow(/function/);
  });
});
