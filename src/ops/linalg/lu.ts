/** The row of the LU factorisation with partial pivoting: panels of few columns in a kernel, recursive halves of columns above. */
import type { Value } from '../../graph/graph.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { Affine } from '../../kernel/ir.ts';
import { constant, plus, shift, variable } from '../../kernel/ir.ts';
import { newArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import { add, concat, matMul, slice, sub } from '../build.ts';
import { lu, triangularSolve } from '../build-linalg.ts';
import type { KernelsContext } from '../lowering.ts';
import type { OpRow } from '../row.ts';
import { eachMatrix, luDense } from './dense.ts';
import type { Matrix } from './kernel.ts';
import {
  batchOf,
  eachOnGrid,
  eachRagged,
  eachVector,
  element,
  minusProduct,
  padded,
  places,
  scalar,
  setScalar,
  setVector,
  vector,
} from './kernel.ts';
import {
  adjoint,
  block,
  eye,
  halve,
  inversePermutation,
  sizes,
  stackColumns,
  stackRows,
  takeElements,
  takeRows,
  triangle,
} from './parts.ts';
import { expectMatrix, lead, matrixShapes, shiftedMatrix } from './rule.ts';

/** Panels of more columns are halved. */
const BASE = 32;

/**
 * A copy that holds each column contiguously: search, scaling and update then run along vectors of rows. Padding is NaN, which
 * no comparison chooses as the pivot and which never leaves its places.
 */
function emit({ inputs: [a], kernel, scratch, realType }: KernelsContext): void {
  const [m, n] = a.shape.slice(-2);
  const batch = batchOf(a.shape);
  kernel(
    '',
    (s) => {
      const { b } = s;
      const stride = padded(m, b.lanes);
      const [input, work] = [s.input(0), s.scratch(scratch(realType, batch * n * stride), 'write')];
      const [packed, perm] = [s.output(0), s.output(1)];
      const site = s.site('a pivot', m);
      b.region('matrix', batch, (v) => {
        const from: Matrix = { buf: input, base: variable(v, m * n), stride: n };
        const w: Matrix = { buf: work, base: variable(v, n * stride), stride };
        const order = variable(v, m);
        eachRagged(b, m, (i, lanes) => {
          b.store(perm, plus(order, i), 1, lanes, places(b, i));
          b.loop('c', 0, n, (c) => {
            const column = b.load(input, element(from, i, variable(c)), n, lanes);
            const inside = b.compare('lt', places(b, i), b.i32(m));
            setVector(b, w, variable(c), i, lanes === b.lanes ? column : b.select(inside, column, b.real(Number.NaN)));
          });
        });
        eachOnGrid(b, 'k', Math.min(m, n), (k, start) => {
          const pivotRow = b.guard(searchPivot(b, w, k, start), m, site);
          const swapIn = { index: pivotRow, scale: 1 };
          b.loop('c', 0, n, (column) => {
            const c = variable(column);
            const [x, y] = [scalar(b, w, c, k), b.load(work, element(w, c, constant(0)), 0, 1, swapIn)];
            setScalar(b, w, c, k, y);
            b.store(work, element(w, c, constant(0)), 1, 1, x, swapIn);
          });
          const [x, y] = [b.load(perm, plus(order, k), 0, 1), b.load(perm, order, 0, 1, swapIn)];
          b.store(perm, plus(order, k), 1, 1, y);
          b.store(perm, order, 1, 1, x, swapIn);
          eliminate(b, w, k, start, n);
        });
        b.each('c', n, (c) => {
          eachRagged(b, m, (i, lanes) => {
            const column = b.load(work, element(w, c, i), 1, lanes);
            b.store(packed, element({ buf: packed, base: variable(v, m * n), stride: n }, i, c), n, lanes, column);
          });
        });
      });
    },
    { total: batch * m * n * Math.min(m, n) },
  );
}

/** The row at or below k whose element in column k is largest, the first of equals; k if all are NaN. */
function searchPivot(b: KernelBuilder, w: Matrix, k: Affine, start: Affine) {
  const best = b.acc(b.real(-1));
  const where = b.acc(b.index(k));
  eachVector(b, start, w.stride, (at) => {
    const place = places(b, at);
    const size = b.unary('abs', vector(b, w, k, at));
    const better = b.binary('and', b.compare('gt', size, best), b.compare('ge', place, b.index(k)));
    b.set(best, b.select(better, size, best));
    b.set(where, b.select(better, place, where));
  });
  const largest = b.compare('eq', best, b.reduceLanes('max', best, b.lanes));
  return b.reduceLanes('min', b.select(largest, where, b.i32(2 ** 31 - 1)), b.lanes);
}

/** Column k below the diagonal becomes that of L; later columns lose its product with their row k. */
function eliminate(b: KernelBuilder, w: Matrix, k: Affine, start: Affine, n: number): void {
  const pivot = scalar(b, w, k, k);
  const divisor = b.select(b.compare('eq', pivot, b.real(0)), b.real(1), pivot);
  const next = shift(start, b.lanes);
  const isBelow = b.compare('gt', places(b, start), b.index(k));
  const first = vector(b, w, k, start);
  setVector(b, w, k, start, b.select(isBelow, b.binary('div', first, divisor), first));
  eachVector(b, next, w.stride, (at) => setVector(b, w, k, at, b.binary('div', vector(b, w, k, at), divisor)));
  b.loop('c', [shift(k, 1)], [constant(n)], (column) => {
    const c = variable(column);
    const factor = scalar(b, w, c, k);
    const old = vector(b, w, c, start);
    const changed = minusProduct(b, factor, vector(b, w, k, start), old);
    setVector(b, w, c, start, b.select(isBelow, changed, old));
    eachVector(b, next, w.stride, (at) => {
      setVector(b, w, c, at, minusProduct(b, factor, vector(b, w, k, at), vector(b, w, c, at)));
    });
  });
}

/** The left columns first; the right ones follow their exchanges, lose what the left ones say, and are factored in turn. */
function expand([a]: readonly Value[]): readonly Value[] | null {
  const [m, n] = sizes(a);
  if (n <= BASE || m === 0) return null;
  const least = Math.min(m, n);
  const n1 = least > BASE ? halve(least, BASE) : least;
  const [left, order] = lu(block(a, 0, m, 0, n1));
  const right = takeRows(block(a, 0, m, n1, n), order);
  const l11 = block(left, 0, n1, 0, n1);
  const u12 = triangularSolve(l11, block(right, 0, n1, 0, n - n1), { lower: true, unit: true });
  const top = stackColumns([l11, u12]);
  if (m === n1) return [top, order];
  const l21 = block(left, n1, m, 0, n1);
  const [l22, below] = lu(sub(block(right, n1, m, 0, n - n1), matMul(l21, u12)));
  const bottom = stackColumns([takeRows(l21, below), l22]);
  const perm = concat([lastAxis(order, 0, n1), takeElements(lastAxis(order, n1, m), below)], order.shape.length - 1);
  return [stackRows([top, bottom]), perm];
}

function lastAxis(x: Value, from: number, to: number): Value {
  const axis = x.shape.length - 1;
  return slice(x, x.shape.map(() => 0).with(axis, from), x.shape.with(axis, to - from));
}

/**
 * With X = L^-1 dA U^-1 for the leading square, dL = L tril(X, -1) and dU = triu(X) U, so the gradient is
 * P^T L^-T (tril(L^T dL, -1) + triu(dU U^T)) U^-T. Rows below it are L2 = A2 U^-1, columns right of it U2 = L^-1 A2 (Walter &
 * Lehmann 2010 for the rectangular cases; Giles 2008).
 */
function gradient(packed: Value, order: Value, dp: Value): Value {
  const [m, n] = sizes(packed);
  const k = Math.min(m, n);
  const [lu11, d11] = [block(packed, 0, k, 0, k), block(dp, 0, k, 0, k)];
  const unitLower = (x: Value, transpose: boolean) => triangularSolve(lu11, x, { lower: true, unit: true, transpose });
  // x U^-T = (U^-1 x^T)^T
  const rightOfU = (x: Value) => adjoint(triangularSolve(lu11, adjoint(x), { lower: false }));
  const lower = add(triangle(lu11, 'strictlyLower'), eye(packed.dtype, lead(packed), k));
  const upper = triangle(lu11, 'upper');
  let dl = triangle(d11, 'strictlyLower');
  let du = triangle(d11, 'upper');
  const rest: { below: Value | null; right: Value | null } = { below: null, right: null };
  if (m > k) {
    rest.below = rightOfU(block(dp, k, m, 0, k));
    du = sub(du, matMul(block(packed, k, m, 0, k), rest.below, true, false));
  }
  if (n > k) {
    rest.right = unitLower(block(dp, 0, k, k, n), true);
    dl = sub(dl, matMul(rest.right, block(packed, 0, k, k, n), false, true));
  }
  const inner = add(
    triangle(matMul(lower, dl, true, false), 'strictlyLower'),
    triangle(matMul(du, upper, false, true), 'upper'),
  );
  let da = rightOfU(unitLower(inner, true));
  if (rest.right) da = stackColumns([da, rest.right]);
  if (rest.below) da = stackRows([da, rest.below]);
  return takeRows(da, inversePermutation(order));
}

export const luRows = {
  lu: {
    name: 'lu',
    summary:
      'P A = L U of [..., m, n] with partial pivoting: L (its ones left out) and U in one matrix, and the order of the rows',
    arity: 1,
    infer([a]) {
      expectMatrix('lu', a);
      return [
        { dtype: a.dtype, shape: a.shape },
        { dtype: 'int32', shape: a.shape.slice(0, -1) },
      ];
    },
    gradient: ({ outputs: [packed, order] }, [dp]) => [dp && gradient(packed, order, dp)],
    batching: 'leading',
    evaluate([a], _attrs, [type]) {
      const [m, n] = type.shape.slice(-2);
      const packed = newArray(type.dtype, sizeOf(type.shape));
      const order = newArray('int32', sizeOf(type.shape.slice(0, -1)));
      eachMatrix(a, (matrix, at) => {
        const factors = luDense(matrix, m, n);
        packed.set(factors.packed, at * m * n);
        order.set(factors.perm, at * m);
      });
      return [packed, order];
    },
    lowering: { tag: 'kernels', emit, expand },
    // Dominant diagonals where differences check the gradient; those that exchange rows are too large for that.
    get samples() {
      return [
        ...[...matrixShapes, [40, 37], [5, 50], [35, 35]].map((shape) => ({
          inputs: [shiftedMatrix(shape, 2 + Math.max(...shape.slice(-2)))],
        })),
        ...[
          [60, 40],
          [40, 60],
          [520, 2, 2],
        ].map((shape) => ({ inputs: [shiftedMatrix(shape, 0)] })),
      ];
    },
    tolerance: { absolute: 2e-4, relative: 2e-4 },
  },
} satisfies Record<string, OpRow>;
