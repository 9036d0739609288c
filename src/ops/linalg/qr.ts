/**
 * Rows of the QR factorisation: qr itself, made of panels, and the Householder panel in the compact form I - V T V^T
 * (Schreiber & Van Loan 1989), which turns the work behind a panel into matrix products.
 */
import type { Attrs, Value } from '../../graph/graph.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, shift, variable } from '../../kernel/ir.ts';
import { newArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import { add, matMul, pad, sub, zerosLike } from '../build.ts';
import { householder, triangularSolve } from '../build-linalg.ts';
import type { KernelsContext } from '../lowering.ts';
import type { OpRow } from '../row.ts';
import { boolAttr } from '../rule.ts';
import { compactTriangle, eachMatrix, householderDense, reflect } from './dense.ts';
import type { Matrix } from './kernel.ts';
import {
  batchOf,
  eachOnGrid,
  eachRagged,
  eachVector,
  groupOf,
  element,
  padded,
  places,
  setScalar,
  setVector,
  sumOver,
  vector,
} from './kernel.ts';
import { adjoint, block, eye, sizes, stackColumns, stackRows, triangle, zeros } from './parts.ts';
import { makeReflector } from './reflector.ts';
import { expectMatrix, lead, matrixShapes, shiftedMatrix } from './rule.ts';

/** Columns of a panel. */
const PANEL = 32;

// ---- the panel ---------------------------------------------------------------------------------------------------------

/**
 * Columns are contiguous in the copy, so sums and updates run along vectors of rows. Column groups begin at the vector that holds
 * k: columns before k are "reflected" by 0 times the vector.
 */
function emitPanel({ inputs: [a], kernel, scratch, realType }: KernelsContext): void {
  const [m, n] = a.shape.slice(-2);
  const batch = batchOf(a.shape);
  const count = Math.min(m, n);
  kernel(
    '',
    (s) => {
      const { b } = s;
      const [tall, wide] = [padded(m, b.lanes), padded(n, groupOf(b.lanes))];
      const small = padded(count, b.lanes);
      const input = s.input(0);
      const take = (size: number) => s.scratch(scratch(realType, batch * size), 'write');
      const [work, vectors, dots, triangles] = [
        take(wide * tall),
        take(count * tall),
        take(small),
        take(count * small),
      ];
      const [vt, t, r] = [s.output(0), s.output(1), s.output(2)];
      b.region('matrix', batch, (matrix) => {
        const at = (buf: number, rows: number, stride: number): Matrix => ({
          buf,
          base: variable(matrix, rows * stride),
          stride,
        });
        const [w, v, z, tt] = [
          at(work, wide, tall),
          at(vectors, count, tall),
          at(dots, 1, small),
          at(triangles, count, small),
        ];
        copyIn(b, at(input, m, n), w, m, n, wide);
        eachVector(b, constant(0), small, (j) => setVector(b, z, constant(0), j, b.real(0)));
        eachOnGrid(b, 'k', count, (k, start) => {
          const tau = makeReflector(b, { m: w, row: k }, { m: v, row: k }, k, start);
          reflectGroups(b, w, v, k, start, wide, tau);
          extendTriangle(b, { v, z, t: tt }, k, start, tau);
        });
        copyOut(b, v, at(vt, count, m), count, m);
        copyOut(b, tt, at(t, count, count), count, count);
        b.loop('i', 0, count, (i) => {
          eachRagged(b, n, (j, lanes) => {
            const x = b.load(work, element(w, j, variable(i)), tall, lanes);
            const isUpper = b.compare('ge', places(b, j), b.index(variable(i)));
            const place = element(at(r, count, n), variable(i), j);
            b.store(r, place, 1, lanes, b.select(isUpper, x, b.real(0)));
          });
        });
      });
    },
    { total: 3 * batch * m * n * Math.min(m, n) },
  );
}

/** The transpose of `from` [m, n], with zeros up to the padded row and `rows` rows. */
function copyIn(b: KernelBuilder, from: Matrix, w: Matrix, m: number, n: number, rows: number): void {
  b.loop('c', 0, n, (c) => {
    eachRagged(b, m, (i, lanes) => {
      setVector(b, w, variable(c), i, b.load(from.buf, element(from, i, variable(c)), n, lanes));
    });
  });
  b.loop('c', n, rows, (c) => {
    eachVector(b, constant(0), w.stride, (i) => setVector(b, w, variable(c), i, b.real(0)));
  });
}

/** Rows of a padded matrix to one that is not. */
function copyOut(b: KernelBuilder, from: Matrix, to: Matrix, rows: number, columns: number): void {
  b.loop('i', 0, rows, (i) => {
    eachRagged(b, columns, (j, lanes) => {
      const x = b.load(from.buf, element(from, variable(i), j), 1, lanes);
      b.store(to.buf, element(to, variable(i), j), 1, lanes, x);
    });
  });
}

/** Rows c > k of w lose tau (row . v) v, a group of them at a time. */
function reflectGroups(b: KernelBuilder, w: Matrix, v: Matrix, k: Affine, start: Affine, rows: number, tau: Reg): void {
  const size = groupOf(b.lanes);
  const group = Array.from({ length: size }, (_, i) => i);
  b.loop(
    'c',
    [start],
    [constant(rows)],
    (c) => {
      const row = (i: number) => shift(variable(c), i);
      const sums = group.map(() => b.acc(b.real(0)));
      eachVector(b, start, w.stride, (at) => {
        const x = vector(b, v, k, at);
        for (const i of group) b.fmaAcc(sums[i], vector(b, w, row(i), at), x);
      });
      const factors = group.map((i) => {
        const isAfter = b.compare('gt', b.index(row(i)), b.index(k));
        const total = b.binary('mul', b.reduceLanes('add', sums[i], b.lanes), tau);
        return b.select(isAfter, b.unary('neg', total), b.real(0));
      });
      eachVector(b, start, w.stride, (at) => {
        const x = vector(b, v, k, at);
        for (const i of group) setVector(b, w, row(i), at, b.fma(factors[i], x, vector(b, w, row(i), at)));
      });
    },
    { step: size },
  );
}

/** Column k of T: -tau T (V^T v_k) above the diagonal, tau on it. Rows of T are zero beyond what is known. */
function extendTriangle(
  b: KernelBuilder,
  { v, z, t }: { v: Matrix; z: Matrix; t: Matrix },
  k: Affine,
  start: Affine,
  tau: Reg,
): void {
  eachVector(b, constant(0), t.stride, (j) => setVector(b, t, k, j, b.real(0)));
  b.loop('j', 0, [k], (j) => {
    const sum = sumOver(b, start, v.stride, (acc, at) =>
      b.fmaAcc(acc, vector(b, v, variable(j), at), vector(b, v, k, at)),
    );
    setScalar(b, z, constant(0), variable(j), sum);
  });
  b.loop('i', 0, [k], (i) => {
    const sum = sumOver(b, constant(0), t.stride, (acc, at) => {
      b.fmaAcc(acc, vector(b, t, variable(i), at), vector(b, z, constant(0), at));
    });
    setScalar(b, t, variable(i), k, b.unary('neg', b.binary('mul', sum, tau)));
  });
  setScalar(b, t, k, k, tau);
}

// ---- the factorisation -------------------------------------------------------------------------------------------------

interface Panel {
  readonly vt: Value;
  readonly t: Value;
}

/** x less V f(T) (V^T x), with f(T) = T^T for H_K-1 .. H_0 and T for H_0 .. H_K-1. */
function applyPanel({ vt, t }: Panel, x: Value, transposeT: boolean): Value {
  return sub(x, matMul(vt, matMul(t, matMul(vt, x), transposeT, false), true, false));
}

/** R panel by panel, then Q from the last panel to the first, on as many columns as are already not those of the identity. */
function expand([a]: readonly Value[], attrs: Attrs): readonly Value[] {
  const [m, n] = sizes(a);
  const count = Math.min(m, n);
  const full = boolAttr(attrs, 'fullMatrices');
  const panels: Panel[] = [];
  const rows: Value[] = [];
  let rest = a;
  for (let at = 0; at < count; at += PANEL) {
    const width = Math.min(PANEL, count - at);
    const columns = n - at;
    // The last panel of a wide matrix takes all columns that are left if they are few.
    const taken = columns <= PANEL ? columns : width;
    const [vt, t, r] = householder(block(rest, 0, m - at, 0, taken));
    panels.push({ vt, t });
    let top = r;
    if (taken < columns) {
      const right = applyPanel({ vt, t }, block(rest, 0, m - at, taken, columns), true);
      top = stackColumns([r, block(right, 0, width, 0, columns - taken)]);
      rest = block(right, width, m - at, 0, columns - taken);
    }
    rows.push(at === 0 ? top : stackColumns([zeros(a, width, at), top]));
  }
  const outer = full ? m : count;
  if (outer > count) rows.push(zeros(a, outer - count, n));
  return [formQ(a, panels, m, outer), rows.length > 0 ? stackRows(rows) : zeros(a, outer, n)];
}

function formQ(a: Value, panels: readonly Panel[], m: number, columns: number): Value {
  let q: Value | null = null;
  for (let p = panels.length - 1; p >= 0; p--) {
    const at = p * PANEL;
    const [rowsLeft, columnsLeft] = [m - at, columns - at];
    const width = sizes(panels[p].vt)[0];
    const none = lead(a).map((): readonly [number, number] => [0, 0]);
    const corner = pad(eye(a.dtype, lead(a), width), [...none, [0, rowsLeft - width], [0, columnsLeft - width]]);
    const start =
      q === null
        ? eye(a.dtype, lead(a), rowsLeft, columnsLeft)
        : add(pad(q, [...none, [width, 0], [width, 0]]), corner);
    q = applyPanel(panels[p], start, false);
  }
  return q ?? eye(a.dtype, lead(a), m, columns);
}

/**
 * Of A = Q R with m >= n: (dQ + Q sym(M)) R^-T, where M = R dR^T - dQ^T Q and sym copies the lower triangle to the upper one
 * (Seeger et al. 2017; Walter & Lehmann 2010).
 */
function thinGradient(q: Value, r: Value, dq: Value, dr: Value): Value {
  const m = sub(matMul(r, dr, false, true), matMul(dq, q, true, false));
  const symmetric = add(triangle(m, 'lower'), adjoint(triangle(m, 'strictlyLower')));
  const right = add(dq, matMul(q, symmetric));
  return adjoint(triangularSolve(r, adjoint(right), { lower: false }));
}

/** Columns right of the square follow A2 = Q R2; what completes Q turns with it: dQ2 = -Q1 dQ1^T Q2. */
function gradient(q: Value, r: Value, dq: Value, dr: Value): Value {
  const [m, columns] = sizes(q);
  const n = sizes(r)[1];
  const k = Math.min(m, n);
  if (columns > k) {
    const [q1, q2] = [block(q, 0, m, 0, k), block(q, 0, m, k, columns)];
    const [d1, d2] = [block(dq, 0, m, 0, k), block(dq, 0, m, k, columns)];
    const turned = sub(d1, matMul(q2, matMul(d2, q1, true, false)));
    return thinGradient(q1, block(r, 0, k, 0, k), turned, block(dr, 0, k, 0, k));
  }
  if (n === k) return thinGradient(q, r, dq, dr);
  const [r1, r2] = [block(r, 0, k, 0, k), block(r, 0, k, k, n)];
  const [d1, d2] = [block(dr, 0, k, 0, k), block(dr, 0, k, k, n)];
  const turned = add(dq, matMul(matMul(q, r2), d2, false, true));
  return stackColumns([thinGradient(q, r1, turned, d1), matMul(q, d2)]);
}

/** The first columns of the product of all reflectors, [m, columns]. */
function productOf(v: Float64Array, tau: Float64Array, m: number, columns: number): Float64Array {
  const q = new Float64Array(m * columns);
  for (let i = 0; i < Math.min(m, columns); i++) q[i * columns + i] = 1;
  for (let k = tau.length - 1; k >= 0; k--) reflect(q, columns, v.subarray(k * m, (k + 1) * m), tau[k], 0);
  return q;
}

export const qrRows = {
  householder: {
    name: 'householder',
    summary: 'the parts that qr is made of: V^T, T and R of Q = I - V T V^T, Q R = A, for few columns',
    arity: 1,
    infer([a]) {
      expectMatrix('householder', a);
      const [m, n] = a.shape.slice(-2);
      const count = Math.min(m, n);
      return [
        { dtype: a.dtype, shape: [...lead(a), count, m] },
        { dtype: a.dtype, shape: [...lead(a), count, count] },
        { dtype: a.dtype, shape: [...lead(a), count, n] },
      ];
    },
    // The compiler alone makes this op, after gradients are taken.
    gradient: 'constant',
    batching: 'leading',
    evaluate([a], _attrs, types) {
      const [vt, t, r] = types.map((type) => newArray(type.dtype, sizeOf(type.shape)));
      const [m, n] = a.shape.slice(-2);
      const count = Math.min(m, n);
      eachMatrix(a, (matrix, at) => {
        const { v, tau } = householderDense(matrix, m, n);
        vt.set(v, at * count * m);
        t.set(compactTriangle(v, tau, m), at * count * count);
        r.set(matrix.subarray(0, count * n), at * count * n);
      });
      return [vt, t, r];
    },
    lowering: { tag: 'kernels', emit: emitPanel },
    get samples() {
      return [...matrixShapes, [40, 37], [75, 32]].map((shape) => ({ inputs: [shiftedMatrix(shape, 0)] }));
    },
    tolerance: { absolute: 1e-4, relative: 1e-4 },
  },
  qr: {
    name: 'qr',
    summary:
      'Q R = A of [..., m, n], Q orthonormal, R upper triangular; R_kk has the sign opposite to what stood there',
    arity: 1,
    infer([a], attrs) {
      expectMatrix('qr', a);
      const [m, n] = a.shape.slice(-2);
      const columns = boolAttr(attrs, 'fullMatrices') ? m : Math.min(m, n);
      return [
        { dtype: a.dtype, shape: [...lead(a), m, columns] },
        { dtype: a.dtype, shape: [...lead(a), columns, n] },
      ];
    },
    gradient({ outputs: [q, r] }, [dq, dr]) {
      return [gradient(q, r, dq ?? zerosLike(q), dr ?? zerosLike(r))];
    },
    batching: 'leading',
    evaluate([a], _attrs, types) {
      const [q, r] = types.map((type) => newArray(type.dtype, sizeOf(type.shape)));
      const [m, n] = a.shape.slice(-2);
      const columns = types[0].shape[types[0].shape.length - 1];
      eachMatrix(a, (matrix, at) => {
        const { v, tau } = householderDense(matrix, m, n);
        q.set(productOf(v, tau, m, columns), at * m * columns);
        r.set(matrix.subarray(0, columns * n), at * columns * n);
      });
      return [q, r];
    },
    lowering: { tag: 'expand', expand },
    get samples() {
      return [
        ...[...matrixShapes, [40, 37], [75, 70], [35, 80]].map((shape) => ({
          inputs: [shiftedMatrix(shape, 2)],
          attrs: { fullMatrices: false },
        })),
        ...[
          [3, 3],
          [3, 5],
          [2, 3, 4],
        ].map((shape) => ({ inputs: [shiftedMatrix(shape, 2)], attrs: { fullMatrices: true } })),
      ];
    },
    tolerance: { absolute: 1e-4, relative: 1e-4 },
  },
} satisfies Record<string, OpRow>;
