/** Gradients of slices of one tensor become one concatenation, and mean the same. */
import { expect, it } from 'vitest';
import { gradients } from '../autodiff/gradients.ts';
import type { Value } from '../graph/graph.ts';
import { topologicalOrder } from '../graph/graph.ts';
import { add, mul, pad, parameter, slice } from '../ops/build.ts';
import { evaluateGraph } from '../ops/evaluate.ts';
import { simplify } from './simplify.ts';

const kinds = (values: readonly Value[]) => topologicalOrder(values).map((op) => op.kind);

function expectSame(before: readonly Value[], after: readonly Value[], inputs: readonly Value[]): void {
  const feeds = new Map(
    inputs.map((x, i) => {
      const size = x.shape.reduce((a, b) => a * b, 1);
      const data = Float32Array.from({ length: size }, (_, k) => Math.sin(3 * k + i));
      return [x, { dtype: x.dtype, shape: x.shape, data }] as const;
    }),
  );
  const [wanted, got] = [evaluateGraph(before, feeds), evaluateGraph(after, feeds)];
  expect(got.map((array) => Array.from(array.data))).toEqual(wanted.map((array) => Array.from(array.data)));
}

it.each([[[0, 1, 2, 3]], [[2, 0, 3, 1]], [[3, 1]]])('slices %j of a tensor', (order) => {
  const x = parameter('float32', [2, 12]);
  const ws = order.map(() => parameter('float32', [2, 3]));
  const parts = order.map((i, k) => mul(slice(x, [0, 3 * i], [2, 3]), ws[k]));
  const dx = gradients(parts, [x])[0] as Value;
  const better = simplify([dx], [x, ...ws]);
  expect(kinds(better).filter((kind) => kind === 'add' || kind === 'pad')).toEqual([]);
  expectSame([dx], better, [x, ...ws]);
});

it('leaves pieces alone that meet, and padding that is not zero', () => {
  const [a, b] = [parameter('float32', [3]), parameter('float32', [3])];
  const overlapping = add(pad(a, [[0, 2]]), pad(b, [[2, 0]]));
  const ones = add(pad(a, [[0, 3]], 1), pad(b, [[3, 0]]));
  for (const value of [overlapping, ones]) {
    const [better] = simplify([value], [a, b]);
    expect(kinds([better])).toContain('add');
    expectSame([value], [better], [a, b]);
  }
});
