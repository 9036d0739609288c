import { beforeAll, describe, expect, it } from 'vitest';
import type { Value } from '../graph/graph.ts';
import { add, mul, square, sum } from '../ops/build.ts';
import { registerBackend, setBackend } from './backends.ts';
import { makeTensor, memory, tidy, jit, variable, wrap, grad, variableGrads, type Tensor, toTensor } from './index.ts';
import { referenceBackend } from './reference-backend.ts';

const op =
  (f: (...values: never[]) => Value) =>
  (...tensors: Tensor[]) =>
    wrap(f(...(tensors.map((x) => x.value) as never[])));
const plus = op(add);
const times = op(mul);
const total = op((x: never) => sum(x));
const squared = op(square);

beforeAll(async () => {
  registerBackend('reference', async () => referenceBackend());
  await setBackend('reference');
});

describe('eager', () => {
  it('computes when read', async () => {
    const a = makeTensor([
      [1, 2],
      [3, 4],
    ]);
    const b = plus(a, times(a, a));
    expect(await b.array()).toEqual([
      [2, 6],
      [12, 20],
    ]);
    expect(b.dtype).toBe('float32');
    expect(String(b)).toBe('Tensor\n    [[2 , 6 ],\n     [12, 20]]');
  });
  it('compiles once', () => {
    const run = (x: number) => total(times(makeTensor([x, x]), toTensor(x + 0.25, 'x', 'test'))).dataSync()[0];
    run(1);
    const before = memory().compilations;
    expect(run(2)).toBe(9);
    expect(memory().compilations).toBe(before);
  });
  it('disposes', () => {
    const before = memory();
    const a = makeTensor([1, 2, 3]);
    const y = tidy(() => total(squared(plus(a, a))));
    a.dispose();
    expect(y.dataSync()[0]).toBe(56);
    y.dispose();
    expect(memory().numTensors).toBe(before.numTensors);
    expect(memory().numBytes).toBe(before.numBytes);
    expect(() => plus(a, a)).toThrow(/disposed/);
  });
});

describe('jit', () => {
  it('updates variables in place', () => {
    const v = variable([1, 2, 3]);
    const step = jit((x: Tensor) => {
      v.assign(plus(v, x));
      return total(v);
    });
    expect(step(makeTensor([1, 1, 1])).dataSync()[0]).toBe(9);
    const old = v.clone();
    expect(step(makeTensor([1, 1, 1])).dataSync()[0]).toBe(12);
    expect(Array.from(v.dataSync())).toEqual([3, 4, 5]);
    expect(Array.from(old.dataSync())).toEqual([2, 3, 4]);
    expect(step.traces).toBe(1);
  });
});

describe('gradients', () => {
  it('nest', () => {
    const f = (x: Tensor) => times(times(x, x), x);
    const d = grad(f);
    expect(d(makeTensor([2])).dataSync()[0]).toBe(12);
    expect(grad((x: Tensor) => d(x))(makeTensor([2])).dataSync()[0]).toBe(12);
    expect(grad(grad(grad(f)))(makeTensor([2])).dataSync()[0]).toBe(6);
  });
  it('variableGrads', () => {
    const v = variable([1, 2, 3], true, 'w');
    const { value, grads } = variableGrads(() => total(squared(v)) as Tensor<'R0'>);
    expect(value.dataSync()[0]).toBe(14);
    expect(Array.from(grads['w'].dataSync())).toEqual([2, 4, 6]);
  });
});
