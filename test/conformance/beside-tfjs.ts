/** What tests against TensorFlow.js's cpu backend share: both libraries behind one untyped door, and how results are compared. */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { expect } from 'vitest';
import * as api from '../../src/tensor/api/index.ts';
import { registerBackend, setBackend } from '../../src/tensor/backends.ts';
import * as base from '../../src/tensor/index.ts';
import { referenceBackend } from '../../src/tensor/reference-backend.ts';
import { uniform } from './samples.ts';

/** Whatever either library has, by name: static types of the two differ, and what is compared is what they do. */
export interface Library {
  (...args: readonly unknown[]): Library;
  readonly [name: string]: Library;
}
export type Case = (tf: Library) => unknown;

export const ours = { ...base, ...api } as unknown as Library;
export const theirs = tfjs as unknown as Library;

/** Both libraries ready: ours on the reference backend, unless it is told another. */
export async function prepare(): Promise<void> {
  registerBackend('reference', async () => referenceBackend());
  await setBackend('reference');
  await tfjs.setBackend('cpu');
}

/** A list of n numbers that depends on the seed alone. */
export function numbers(seed: number, n: number, low = -2, high = 2): number[] {
  const random = uniform(seed);
  return Array.from({ length: n }, () => low + (high - low) * random());
}

function read(tensors: unknown): { shape: number[]; dtype: string; data: number[] }[] {
  const list = (Array.isArray(tensors) ? tensors : [tensors]) as readonly base.Tensor[];
  return list.map((t) => ({
    shape: [...t.shape],
    dtype: t.dtype,
    data: Array.from(t.dataSync() as ArrayLike<number>),
  }));
}

export function expectClose(mine: unknown, wanted: unknown, tolerance = 2e-5): void {
  const [x, y] = [read(mine), read(wanted)];
  expect(x.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(y.map(({ shape, dtype }) => ({ shape, dtype })));
  for (const [i, { data }] of x.entries()) {
    for (const [k, value] of data.entries()) {
      const other = y[i].data[k];
      const near =
        Object.is(value, other) || value === other || Math.abs(value - other) <= tolerance * (1 + Math.abs(other));
      if (!near) expect.fail(`element ${k}: ${value}, TensorFlow.js has ${other}`);
    }
  }
}

/** One function for both. */
export function expectSame(run: Case, tolerance?: number): void {
  expectClose(run(ours), run(theirs), tolerance);
}

/** The gradient of sum(f(x)) in both. */
export function expectSameGradient(x: Case, f: (tf: Library, x: Library) => Library, tolerance = 1e-4): void {
  const gradientOf = (tf: Library) => tf.grad((v: Library) => tf.sum(f(tf, v)))(x(tf));
  expectClose(gradientOf(ours), gradientOf(theirs), tolerance);
}
