/**
 * The row of the singular value decomposition. A tall matrix is its QR factorisation and a square one, a wide matrix the transpose of
 * a tall one; a square one is written in kernels: bidiagonal.ts has the numbers, rotations.ts the vectors.
 */
import type { Attrs, Value } from '../../graph/graph.ts';
import { constant, plus, shift, times, variable } from '../../kernel/ir.ts';
import { newArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import { add, equal, matMul, mul, onesLike, reciprocal, select, square, sub, zerosLike } from '../build.ts';
import { qr, singularValues, svd } from '../build-linalg.ts';
import type { KernelsContext } from '../lowering.ts';
import type { OpRow } from '../row.ts';
import { boolAttr, f32 } from '../rule.ts';
import type { Found } from './bidiagonal.ts';
import { iterateStage, reduceStage } from './bidiagonal.ts';
import { eachMatrix, svdDense } from './dense.ts';
import type { Matrix } from './kernel.ts';
import { batchOf, eachBlock, eachRagged, element } from './kernel.ts';
import { adjoint, asColumn, asRow, diagonalMatrix, sizes } from './parts.ts';
import { signOfRow, writeVectors } from './rotations.ts';
import { expectMatrix, lead } from './rule.ts';

function expand([a]: readonly Value[], attrs: Attrs): readonly Value[] | null {
  const [m, n] = sizes(a);
  if (m === n) return null;
  const withVectors = boolAttr(attrs, 'vectors');
  if (m < n) {
    if (!withVectors) return [singularValues(adjoint(a))];
    const [u, s, vt] = svd(adjoint(a));
    return [adjoint(vt), s, adjoint(u)];
  }
  const [q, r] = qr(a);
  if (!withVectors) return [singularValues(r)];
  const [u, s, vt] = svd(r);
  return [matMul(q, u), s, vt];
}

function emit(context: KernelsContext): void {
  const [a] = context.inputs;
  const n = a.shape[a.shape.length - 1];
  const batch = batchOf(a.shape);
  if (n === 0 || batch === 0) return;
  const withVectors = context.outputs.length > 1;
  const t = reduceStage(context, batch, n);
  const found = iterateStage(context, t, withVectors ? 1 : 0, withVectors);
  if (!found.records) return;
  const common = { n, batch, stride: t.stride, rowOf: (k: typeof ZERO) => k, rows: n, count: n - 1 };
  const u = writeVectors(context, 'left', {
    ...common,
    reflectors: t.left,
    taus: t.leftTaus,
    shift: 0,
    record: found.records.left,
    direction: 1,
  });
  const v = writeVectors(context, 'right', {
    ...common,
    reflectors: t.right,
    taus: t.rightTaus,
    shift: 1,
    record: found.records.right,
    direction: 1,
  });
  putInOrder(context, n, batch, found, t.row, { u, v });
}

const ZERO = constant(0);
/** Vectors that a chunk puts in order. */
const ROWS = 8;

type Written = ReturnType<typeof writeVectors>;

/** Vector i becomes column rank(i) of U and row rank(i) of V^T; a pair changes sign together, so that v's largest component is positive. */
function putInOrder(
  context: KernelsContext,
  n: number,
  batch: number,
  found: Found,
  row: number,
  written: { u: Written; v: Written },
): void {
  context.kernel(
    'order',
    (stage) => {
      const { b } = stage;
      const [left, right, order, signs] = [written.u.vectors, written.v.vectors, found.ranks, found.values].map(
        (memory) => stage.scratch(memory, 'read'),
      );
      const [u, s, vt] = [stage.output(0), stage.output(1, 'read'), stage.output(2)];
      const site = stage.site('a singular vector', n);
      eachBlock(b, batch, n, ROWS, (matrix, from, width) => {
        b.loop('i', [from], [shift(from, width)], (iv) => {
          const i = variable(iv);
          const rank = b.guard(b.load(order, plus(times(matrix, n), i), 0, 1), n, site);
          const value = b.load(s, times(matrix, n), 0, 1, { index: rank, scale: 1 });
          const isBad = b.compare('ne', value, value);
          const vectors = (buf: number, { stride }: Written): Matrix => ({
            buf,
            base: times(matrix, n * stride),
            stride,
          });
          const [us, vs] = [vectors(left, written.u), vectors(right, written.v)];
          const found = b.load(signs, plus(times(matrix, 3 * row), i), 0, 1);
          const isNegative = b.compare('lt', found, b.real(0));
          // V's vector takes the sign that its value came with.
          const own = signOfRow(b, vs, i, n, site);
          const signV = b.select(isBad, b.real(Number.NaN), own);
          const signU = b.select(isNegative, b.unary('neg', signV), signV);
          eachRagged(b, n, (at, lanes) => {
            const x = b.load(left, element(us, i, at), 1, lanes);
            const place = plus(times(matrix, n * n), times(at, n));
            b.store(u, place, n, lanes, b.binary('mul', x, signU), { index: rank, scale: 1 });
            const y = b.load(right, element(vs, i, at), 1, lanes);
            const rowPlace = plus(times(matrix, n * n), at);
            b.store(vt, rowPlace, 1, lanes, b.binary('mul', y, signV), { index: rank, scale: n });
          });
        });
      });
    },
    { total: batch * 8 * n * n },
  );
}

/** 1 / x, and 0 where x is 0. */
function inverseOrZero(x: Value): Value {
  const isZero = equal(x, zerosLike(x));
  return select(isZero, zerosLike(x), reciprocal(select(isZero, onesLike(x), x)));
}

/**
 * Townsend (2016), "Differentiating the singular value decomposition": with F_ij = 1 / (s_j^2 - s_i^2) where they differ,
 * dA = U ((F * (U^T dU - dU^T U)) S + S (F * (V^T dV - dV^T V)) + diag(ds)) V^T + (1 - U U^T) dU S^-1 V^T + U S^-1 dV^T (1 - V V^T).
 */
function gradient(u: Value, s: Value, vt: Value, [du, ds, dvt]: readonly (Value | null)[]): Value {
  const [[m, k], [, n]] = [sizes(u), sizes(vt)];
  let inner: Value = diagonalMatrix(ds ?? zerosLike(s));
  // Only where it is read: an op that nothing reads would keep alive what it reads itself.
  const spread = (x: Value) => mul(inverseOrZero(sub(asRow(square(s)), asColumn(square(s)))), x);
  const outer: Value[] = [];
  if (du !== null) {
    const product = matMul(u, du, true, false);
    inner = add(inner, mul(spread(sub(product, adjoint(product))), asRow(s)));
    if (m > k) {
      const scaled = mul(sub(du, matMul(u, product)), asRow(inverseOrZero(s)));
      outer.push(matMul(scaled, vt));
    }
  }
  if (dvt !== null) {
    const product = matMul(vt, dvt, false, true);
    inner = add(inner, mul(asColumn(s), spread(sub(product, adjoint(product)))));
    if (n > k) {
      const scaled = mul(asColumn(inverseOrZero(s)), sub(dvt, matMul(adjoint(product), vt)));
      outer.push(matMul(u, scaled));
    }
  }
  return outer.reduce((sum, term) => add(sum, term), matMul(matMul(u, inner), vt));
}

const small = [
  [1, 1],
  [2, 2],
  [3, 3],
  [5, 3],
  [3, 5],
  [1, 7],
  [7, 1],
  [0, 3],
  [3, 0],
  [0, 0],
  [2, 0, 3],
  [0, 3, 3],
  [2, 2, 4, 3],
];

export const svdRows = {
  svd: {
    name: 'svd',
    summary:
      'U, s (descending) and V^T of [..., m, n], or s alone; in the vectors of the shorter side the largest component is positive',
    arity: 1,
    infer([a], attrs) {
      expectMatrix('svd', a);
      const [m, n] = a.shape.slice(-2);
      const k = Math.min(m, n);
      const type = (...shape: number[]) => ({ dtype: a.dtype, shape: [...lead(a), ...shape] });
      return boolAttr(attrs, 'vectors') ? [type(m, k), type(k), type(k, n)] : [type(k)];
    },
    gradient({ inputs: [a], outputs, attrs }, dys) {
      if (boolAttr(attrs, 'vectors')) return [gradient(outputs[0], outputs[1], outputs[2], dys)];
      return [gradient(...svd(a), [null, dys[0], null])];
    },
    batching: 'leading',
    evaluate([a], _attrs, types) {
      const outs = types.map((type) => newArray(type.dtype, sizeOf(type.shape)));
      const [m, n] = a.shape.slice(-2);
      const k = Math.min(m, n);
      eachMatrix(a, (matrix, at) => {
        const { u, s, vt } = svdDense(matrix, m, n);
        if (outs.length === 1) return outs[0].set(s, at * k);
        outs[0].set(u, at * m * k);
        outs[1].set(s, at * k);
        outs[2].set(vt, at * k * n);
      });
      return outs;
    },
    lowering: { tag: 'kernels', emit, expand },
    // Differences check the gradient of the small ones; the others are too large for that, since neighbouring values come close.
    get samples() {
      return [true, false].flatMap((vectors) =>
        [...small, [27, 9, 9], [33, 8, 8], [21, 17, 6], [21, 6, 17], [70, 5, 6]].map((shape) => ({
          // Large numbers, so that a difference's step is small against the gaps between values.
          inputs: [f32(shape, -4, 4)],
          attrs: { vectors },
        })),
      );
    },
    tolerance: { absolute: 4e-4, relative: 2e-4 },
  },
} satisfies { readonly [name: string]: OpRow };
