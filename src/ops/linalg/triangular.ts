/** The row of solving with a triangular matrix: rows in order for a small one, halves with matMul between for a large one. */
import type { Attrs, Value } from '../../graph/graph.ts';
import { fail } from '../../base/errors.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../../kernel/ir.ts';
import { newArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import { matMul, neg, sub } from '../build.ts';
import { triangularSolve } from '../build-linalg.ts';
import type { KernelContext } from '../lowering.ts';
import type { OpRow, Sample } from '../row.ts';
import { boolAttr, f32, show } from '../rule.ts';
import { eachMatrix, triangularSolveDense } from './dense.ts';
import { batchOf, eachBlock } from './kernel.ts';
import type { Part } from './parts.ts';
import { block, halve, sizes, stackRows, triangle } from './parts.ts';
import { expectMatrix, expectSameLead, expectSquare, shiftedMatrix } from './rule.ts';

/** Larger matrices are halved. */
const BASE = 64;
/** Vectors of right-hand sides that a chunk holds in registers. */
const VECTORS = 4;

interface Options {
  readonly lower: boolean;
  readonly transpose: boolean;
  readonly unit: boolean;
}

function optionsOf(attrs: Attrs): Options {
  return { lower: boolAttr(attrs, 'lower'), transpose: boolAttr(attrs, 'transpose'), unit: boolAttr(attrs, 'unit') };
}

/** Row i of X is (row i of B - sum over the solved rows j of t_ij X_j) / t_ii, for a few vectors of columns at a time. */
function emit({ b, attrs, inputs, inputBuffers: [a, rhs], outputBuffers: [out] }: KernelContext): void {
  const [n, columns] = inputs[1].shape.slice(-2);
  const { lower, transpose, unit } = optionsOf(attrs);
  const forward = lower !== transpose;
  const solve = (matrix: Affine, column: Affine, width: number): void => {
    const parts: { offset: number; lanes: number }[] = [];
    for (let offset = 0; offset < width; offset += b.lanes)
      parts.push({ offset, lanes: Math.min(b.lanes, width - offset) });
    const triangleAt = times(matrix, n * n);
    const at = (i: Affine, j: Affine): Reg => {
      const [row, place] = transpose ? [j, i] : [i, j];
      return b.load(a, plus(triangleAt, plus(times(row, n), place)), 0, 1);
    };
    const place = (i: Affine, offset: number): Affine =>
      plus(plus(times(matrix, n * columns), times(i, columns)), shift(column, offset));
    b.loop('step', 0, n, (step) => {
      const i = forward ? variable(step) : plus(constant(n - 1), variable(step, -1));
      const sums = parts.map(({ offset, lanes }) => b.acc(b.load(rhs, place(i, offset), 1, lanes)));
      const [lo, hi] = forward ? [constant(0), i] : [shift(i, 1), constant(n)];
      b.loop('j', [lo], [hi], (v) => {
        const factor = b.unary('neg', at(i, variable(v)));
        parts.forEach(({ offset, lanes }, p) => {
          b.fmaAcc(sums[p], factor, b.load(out, place(variable(v), offset), 1, lanes));
        });
      });
      const pivot = unit ? null : at(i, i);
      parts.forEach(({ offset, lanes }, p) => {
        const x = pivot === null ? sums[p] : b.binary('div', sums[p], pivot);
        b.store(out, place(i, offset), 1, lanes, x);
      });
    });
  };
  eachBlock(b, batchOf(inputs[1].shape), columns, VECTORS * b.lanes, solve);
}

/** The half that depends on nothing first; then the other one, less what the first half contributes. */
function expand([a, b]: readonly Value[], attrs: Attrs): readonly Value[] | null {
  const [n, columns] = sizes(b);
  if (n <= BASE) return null;
  const { lower, transpose } = optionsOf(attrs);
  const forward = lower !== transpose;
  const n1 = halve(n, BASE);
  const options = optionsOf(attrs);
  const off = lower ? block(a, n1, n, 0, n1) : block(a, 0, n1, n1, n);
  const [a1, a2] = [block(a, 0, n1, 0, n1), block(a, n1, n, n1, n)];
  const [b1, b2] = [block(b, 0, n1, 0, columns), block(b, n1, n, 0, columns)];
  if (forward) {
    const x1 = triangularSolve(a1, b1, options);
    return [stackRows([x1, triangularSolve(a2, sub(b2, matMul(off, x1, transpose, false)), options)])];
  }
  const x2 = triangularSolve(a2, b2, options);
  return [stackRows([triangularSolve(a1, sub(b1, matMul(off, x2, transpose, false)), options), x2])];
}

function samples(): Sample[] {
  const cases: Sample[] = [];
  const shapes: readonly (readonly [number, number])[] = [
    [1, 1],
    [3, 4],
    [8, 8],
    [9, 1],
    [17, 37],
    [70, 5],
    [0, 3],
    [3, 0],
  ];
  for (const lower of [true, false]) {
    for (const transpose of [true, false]) {
      for (const unit of [true, false]) {
        const attrs = { lower, transpose, unit };
        for (const [n, columns] of unit ? shapes.slice(2, 4) : shapes) {
          cases.push({ inputs: [shiftedMatrix([n, n], 3 + n), f32([n, columns])], attrs });
        }
        cases.push({ inputs: [shiftedMatrix([2, 3, 4, 4], 4), f32([2, 3, 4, 9])], attrs });
      }
    }
  }
  cases.push({ inputs: [shiftedMatrix([18, 4, 4], 4), f32([18, 4, 41])], attrs: { lower: true } });
  return cases;
}

export const triangularRows = {
  triangularSolve: {
    name: 'triangularSolve',
    summary: 'X with T X = B for a triangle T of [..., n, n] (lower or upper, transposed, with ones on its diagonal)',
    arity: 2,
    infer([a, b]) {
      expectSquare('triangularSolve', a, 'the matrix');
      expectMatrix('triangularSolve', b, 'the right-hand side');
      expectSameLead('triangularSolve', a, b);
      if (a.shape[a.shape.length - 1] !== b.shape[b.shape.length - 2]) {
        fail(
          'triangularSolve',
          'the right-hand side must have one row for each row of the matrix',
          `got ${show(a)} and ${show(b)}`,
        );
      }
      return [{ dtype: b.dtype, shape: b.shape }];
    },
    // T X = B: dB = T^-T dX, dT = -dB X^T on the triangle (Giles 2008).
    gradient({ inputs: [a], outputs: [x], attrs }, [dx]) {
      if (dx === null) return [null, null];
      const { lower, transpose, unit } = optionsOf(attrs);
      const db = triangularSolve(a, dx, { lower, transpose: !transpose, unit });
      const product = transpose ? matMul(x, db, false, true) : matMul(db, x, false, true);
      const part: Part = lower ? (unit ? 'strictlyLower' : 'lower') : unit ? 'strictlyUpper' : 'upper';
      return [neg(triangle(product, part)), db];
    },
    batching: 'leading',
    evaluate([a, b], attrs, [type]) {
      const out = newArray(type.dtype, sizeOf(type.shape));
      const { lower, transpose, unit } = optionsOf(attrs);
      const [n, columns] = b.shape.slice(-2);
      const sides: Float64Array[] = [];
      eachMatrix(b, (matrix) => sides.push(matrix));
      eachMatrix(a, (t, at) => {
        const element = transpose ? (i: number, j: number) => t[j * n + i] : (i: number, j: number) => t[i * n + j];
        out.set(triangularSolveDense(element, lower !== transpose, unit, sides[at], n, columns), at * n * columns);
      });
      return [out];
    },
    lowering: { tag: 'kernel', emit, expand },
    get samples() {
      return samples();
    },
    tolerance: { absolute: 1e-4, relative: 1e-4 },
  },
} satisfies Record<string, OpRow>;
