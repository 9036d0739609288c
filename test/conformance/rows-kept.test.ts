/** Kernels that go row by row and keep a dear value between walks, and transposes in blocks: every target beside the reference. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/graph.ts';
import {
  add,
  broadcastTo,
  div,
  exp,
  max,
  mul,
  parameter,
  relu,
  reshape,
  reverse,
  sub,
  sum,
  transpose,
} from '../../src/ops/build.ts';
import { softmax } from '../../src/ops/composite.ts';
import type { NDArray } from '../../src/ops/row.ts';
import { sizeOf } from '../../src/types/shape.ts';
import { availableTargets, difference, reference, type Target } from './targets.ts';

let targets: Target[];
beforeAll(async () => {
  targets = await availableTargets();
});

let state = 99;
function numbers(shape: readonly number[]): NDArray {
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = (state / 2 ** 31 - 1) * 3;
  }
  return { dtype: 'float32', shape, data };
}

function compare(make: (x: Value) => Value[], array: NDArray): void {
  const x = parameter('float32', array.shape);
  const outputs = make(x);
  const feeds = new Map([[x, array]]);
  const expected = reference.run(outputs, feeds);
  for (const target of targets) {
    if (sizeOf(array.shape) > target.limit) continue;
    const results = target.run(outputs, feeds);
    results.forEach((result, i) => {
      const found = difference(result, expected[i], { absolute: 3e-6, relative: 3e-5 });
      expect(found, `${target.name}, output ${i} of [${array.shape}]`).toBeNull();
    });
  }
}

const ofRow = (reduced: Value, like: Value) =>
  broadcastTo(reshape(reduced, [...like.shape.slice(0, -1), 1]), like.shape);

/** Several walks need exp(x), one of them backwards, one in another shape, and one result leaves the kernel. */
function manyWalks(x: Value): Value[] {
  const last = x.shape.length - 1;
  const e = exp(sub(x, ofRow(max(x, [last]), x)));
  const total = sum(e, [last]);
  const share = div(e, ofRow(total, x));
  const mirrored = sub(share, reverse(e, [last]));
  const again = sum(mul(e, mirrored), [last]);
  return [share, mirrored, again, relu(sub(e, ofRow(again, x)))];
}

const shapes = [
  [1, 1],
  [9, 1],
  [3, 7],
  [8, 16],
  [5, 63],
  [17, 65],
  [12, 130],
  [2, 3, 37],
  [300, 19],
  [40, 1025],
];

describe('rows that keep a value between walks', () => {
  for (const shape of shapes) {
    it(`[${shape}]`, () => {
      const array = numbers(shape);
      compare((x) => [softmax(x, -1)], array);
      compare(manyWalks, array);
    });
  }

  it('infinities and NaN stay in their own row', () => {
    const array = numbers([10, 70]);
    array.data[3] = Infinity;
    array.data[70 * 2 + 69] = NaN;
    array.data[70 * 4] = -Infinity;
    array.data.fill(-Infinity, 70 * 6, 70 * 7);
    compare((x) => [softmax(x, -1), ...manyWalks(x)], array);
  });

  it('of an empty batch nothing is written', () => {
    compare((x) => [softmax(x, -1)], numbers([0, 5]));
  });
});

describe('transposes', () => {
  const cases: [number[], number[]][] = [
    [
      [200, 300],
      [1, 0],
    ],
    [
      [129, 257],
      [1, 0],
    ],
    [
      [16, 16],
      [1, 0],
    ],
    [
      [15, 400],
      [1, 0],
    ],
    [
      [3, 33, 70],
      [0, 2, 1],
    ],
    [
      [33, 5, 70],
      [2, 1, 0],
    ],
    [
      [2, 20, 3, 40],
      [0, 3, 1, 2],
    ],
    [
      [2, 150, 3, 20],
      [3, 2, 0, 1],
    ],
  ];
  for (const [shape, perm] of cases) {
    it(`[${shape}] to [${perm}]`, () => {
      const array = numbers(shape);
      compare((x) => [transpose(x, perm)], array);
      compare((x) => [add(exp(transpose(x, perm)), reverse(transpose(x, perm), [perm.length - 1]))], array);
    });
  }
});
