/** Arguments of tf.linalg: matrices as float32 values, checked. */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import { linalg as composite } from '../../ops/composite.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { lift, valueOf } from './lift.ts';

export type Input = Tensor | TensorLike;

/** A float32 matrix, or a batch of them. */
export function matrixOf(x: Input, argument: string, op: string): Value {
  const value = build.asReal(valueOf(x, argument, op));
  if (value.shape.length < 2) {
    fail(
      op,
      `${argument} must have rank 2 or more: [..., rows, columns]`,
      `got shape ${showShape(value.shape)}`,
      'reshape it',
    );
  }
  return value;
}

/** A matrix with as many rows as columns. */
export function squareOf(x: Input, argument: string, op: string): Value {
  const value = matrixOf(x, argument, op);
  const [m, n] = value.shape.slice(-2);
  if (m !== n) fail(op, `${argument} must be square in its last two axes`, `got shape ${showShape(value.shape)}`);
  return value;
}

/** solve(a, b) with b as columns: [..., n, k], or [..., n] where that is a's shape without its last axis. */
export function withColumns(
  op: string,
  a: Value,
  b: Input,
  argument: string,
  solve: (a: Value, b: Value) => Value,
): Tensor {
  const rhs = build.asReal(valueOf(b, argument, op));
  const rows = a.shape[a.shape.length - 2];
  const isVector = rhs.shape.length === 1 || sameShape(rhs.shape, a.shape.slice(0, -1));
  const columns = isVector ? build.reshape(rhs, [...rhs.shape, 1]) : rhs;
  if (columns.shape.length < 2 || columns.shape[columns.shape.length - 2] !== rows) {
    const shapes = `got ${showShape(a.shape)} and ${showShape(rhs.shape)}`;
    fail(op, `${argument} must have one row for each of the matrix's ${rows}`, shapes, 'transpose or reshape it');
  }
  const x = solve(...composite.broadcastLead(op, a, columns));
  return lift(isVector ? build.reshape(x, x.shape.slice(0, -1)) : x);
}
