/** Transposes that move only axes with one place are reshapes; others stay. */
import { expect, it } from 'vitest';
import { parameter, transpose } from '../ops/build.ts';
import { simplify } from './simplify.ts';

it.each([
  [[2, 1, 4, 3], [0, 2, 1, 3], 'reshape'],
  [[1, 5, 1], [1, 2, 0], 'reshape'],
  [[1, 1, 1], [2, 0, 1], 'parameter'],
  [[3, 1, 2], [1, 0, 2], 'reshape'],
  [[3, 1, 2], [2, 1, 0], 'transpose'],
  [[0, 1, 2], [2, 1, 0], 'transpose'],
])('%j by %j is a %s', (shape, perm, kind) => {
  const x = parameter('float32', shape);
  const [y] = simplify([transpose(x, perm)], [x]);
  expect(y.op.kind).toBe(kind);
  expect(y.shape).toEqual(perm.map((axis) => shape[axis]));
});
