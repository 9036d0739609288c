/** Contractions of few rows with a large second operand: threads share its columns, and it is read where it lies. */
import { beforeAll, describe, expect, it } from 'vitest';
import { add, conv, matMul, parameter, relu } from '../../src/ops/build.ts';
import type { NDArray } from '../../src/ops/row.ts';
import { sizeOf } from '../../src/types/shape.ts';
import { availableTargets, difference, reference, type Target } from './targets.ts';

let targets: Target[];
beforeAll(async () => {
  targets = (await availableTargets()).filter((target) => target.limit === Infinity);
});

let state = 5;
function numbers(shape: readonly number[]): NDArray {
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state / 2 ** 31 - 1;
  }
  return { dtype: 'float32', shape, data };
}

function compare(shapes: readonly number[][], make: typeof matMul): void {
  const arrays = shapes.map(numbers);
  const [x, w, bias] = arrays.map(({ shape }) => parameter('float32', shape));
  const outputs = [relu(add(make(x, w), bias))];
  const feeds = new Map([x, w, bias].map((value, i) => [value, arrays[i]]));
  const [expected] = reference.run(outputs, feeds);
  for (const target of targets) {
    const found = difference(target.run(outputs, feeds)[0], expected, { absolute: 3e-4, relative: 1e-5 });
    expect(found, `${target.name}: [${shapes[0]}] and [${shapes[1]}]`).toBeNull();
  }
}

describe('few rows, a large second operand', () => {
  for (const [m, k, n] of [
    [50, 700, 507],
    [1, 900, 700],
    [7, 300, 1000],
    [99, 1000, 333],
  ]) {
    it(`matMul of [${m}, ${k}] and [${k}, ${n}]`, () => {
      const shapes = [
        [m, k],
        [k, n],
        [m, n],
      ];
      compare(shapes, (x, w) => matMul(x, w));
    });
  }

  for (const [side, from, to] of [
    [7, 130, 200],
    [5, 65, 507],
    [3, 512, 130],
  ]) {
    it(`3x3 convolution of [1, ${side}, ${side}, ${from}] to ${to}`, () => {
      const attrs = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1 };
      const shapes = [
        [1, side, side, from],
        [3, 3, from, to],
        [1, side, side, to],
      ];
      compare(shapes, (x, w) => conv(x, w, attrs));
    });
  }
});
