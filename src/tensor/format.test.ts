/** The printed form against TensorFlow.js, for random shapes; and where ours says more. */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import { uniform } from '../../test/conformance/samples.ts';
import { formatTensor } from './format.ts';

const random = uniform(7);
const extents = [1, 2, 3, 5, 20, 21, 22, 30];
const shapes = [[], [0], [0, 3], [1], [19], [21], [3, 0]].concat(
  Array.from({ length: 30 }, () => {
    const shape: number[] = [];
    for (let rank = 1 + Math.floor(random() * 5); rank > 0; rank--) {
      const most = shape.length > 1 ? 4 : extents.length;
      shape.push(extents[Math.floor(random() * most)]);
    }
    return shape;
  }),
);

describe('formatTensor is as in TensorFlow.js', () => {
  it.each(['float32', 'int32', 'bool', 'string'] as const)('%s', (dtype) => {
    for (const shape of shapes) {
      const size = shape.reduce((a, b) => a * b, 1);
      const values = Array.from({ length: size }, () => {
        const x = (random() - 0.5) * 10 ** Math.floor(random() * 9);
        const rounded = random() < 0.1 ? [NaN, Infinity, -Infinity, 0][Math.floor(random() * 4)] : Math.fround(x);
        if (dtype === 'float32') return Math.abs(rounded) < 1e-6 ? 0 : rounded;
        if (dtype === 'int32') return Math.trunc(x);
        return dtype === 'bool' ? Number(x > 0) : 'x'.repeat(Math.floor(random() * 4));
      });
      const wanted = tfjs.tensor(values as number[], shape, dtype);
      for (const verbose of [false, true]) {
        const text = formatTensor(shape, dtype, wanted.dataSync() as Float32Array, verbose);
        expect(text, `${dtype}[${shape}]`).toBe(wanted.toString(verbose));
      }
    }
  });
});

it('shows small numbers, which TensorFlow.js prints as 0', () => {
  expect(formatTensor([2], 'float32', Float32Array.of(1e-9, -2.5e-20))).toBe('Tensor\n    [1e-9, -2.5e-20]');
});
