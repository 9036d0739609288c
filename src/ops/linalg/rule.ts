/** Type checks and samples that rows of linear algebra are written with. */
import { fail } from '../../base/errors.ts';
import type { Shape, TensorType } from '../../types/shape.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import type { Sample } from '../row.ts';
import type { SampleInput } from '../rule.ts';
import { expectDType, f32, floats, show } from '../rule.ts';

/** float32 or float64 [..., m, n]. */
export function expectMatrix(op: string, a: TensorType, what = 'the input'): void {
  if (a.shape.length < 2) {
    fail(op, `${what} must have rank 2 or more: [..., rows, columns]`, `got ${show(a)}`, 'expandDims or reshape');
  }
  expectDType(op, a, floats, what);
}

/** float32 or float64 [..., n, n]. */
export function expectSquare(op: string, a: TensorType, what = 'the input'): void {
  expectMatrix(op, a, what);
  const [m, n] = a.shape.slice(-2);
  if (m !== n) fail(op, `${what} must be square in its last two axes`, `got ${show(a)}`);
}

/** Equal leading axes. */
export function expectSameLead(op: string, a: TensorType, b: TensorType): void {
  if (sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2))) return;
  fail(op, 'leading axes must be equal', `got ${showShape(a.shape)} and ${showShape(b.shape)}`, 'broadcastTo one side');
}

export function lead(type: TensorType): Shape {
  return type.shape.slice(0, -2);
}

/** Uniform in [-1, 1], with `diagonal` added to the diagonal of the last two axes. */
export function shiftedMatrix(shape: Shape, diagonal: number): SampleInput {
  return { ...f32(shape, -1, 1), diagonal };
}

/** Square matrices of the given sizes, no matrix at all, and batches. */
export function squareShapes(sizes: readonly number[]): Shape[] {
  return [...sizes.map((n) => [n, n]), [0, 0], [3, 0, 0], [0, 4, 4], [2, 3, 5, 5], [20, 4, 4]];
}

export function squareSamples(sizes: readonly number[], input: (shape: Shape) => SampleInput): Sample[] {
  return squareShapes(sizes).map((shape) => ({ inputs: [input(shape)] }));
}

/** Tall, wide, square, one row, one column, empty ones, batches. */
export const matrixShapes: readonly Shape[] = [
  [1, 1],
  [2, 2],
  [5, 3],
  [3, 5],
  [8, 8],
  [9, 9],
  [17, 6],
  [6, 17],
  [1, 7],
  [7, 1],
  [0, 3],
  [3, 0],
  [0, 0],
  [2, 0, 3],
  [0, 3, 3],
  [2, 3, 5, 4],
  [18, 3, 4],
];
