/**
 * The row of the general eigenvalue problem: eigenvalues of the Schur form (schur.ts) in order, vectors (eigenvectors.ts), gradient.
 * Complex numbers are pairs of reals.
 */
import type { Value } from '../../graph/graph.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, variable } from '../../kernel/ir.ts';
import { newArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import {
  add,
  argMax,
  cast,
  equal,
  greaterEqual,
  iota,
  matMul,
  max,
  mul,
  neg,
  onesLike,
  reciprocal,
  scale,
  select,
  square,
  sub,
  sum,
  zerosLike,
} from '../build.ts';
import { eig } from '../build-linalg.ts';
import type { Complex } from '../complex.ts';
import * as complex from '../complex.ts';
import { solve } from '../composite-linalg.ts';
import type { KernelsContext, KernelStage } from '../lowering.ts';
import type { OpRow } from '../row.ts';
import { boolAttr, f32 } from '../rule.ts';
import { DECISIVE, eachMatrix } from './dense.ts';
import { eigenDense } from './dense-eig.ts';
import type { Values } from './eigenvectors.ts';
import { IM, RE, substitutionStage, valuesOf, vectorsStage } from './eigenvectors.ts';
import type { Matrix } from './kernel.ts';
import { batchOf, eachVector, scalar, setScalar, setVector } from './kernel.ts';
import { adjoint, asColumn, asRow, block, blocks2x2, diagonalMatrix, sizes, stackRows } from './parts.ts';
import { paddedRow, rankRow } from './rotations.ts';
import { expectSquare } from './rule.ts';
import type { Schur } from './schur.ts';
import { formOf, schurStage } from './schur.ts';

const ZERO = constant(0);

// ---- eigenvalues -------------------------------------------------------------------------------------------------------

/** The eigenvalues of T's blocks, in ascending order of their real parts; in a pair the one above the axis is first. */
function valuesStage(context: KernelsContext, batch: number, n: number, schur: Schur): Values {
  const row = paddedRow(n, context.lanes);
  const values: Values = {
    parts: context.scratch(context.realType, batch * 2 * row),
    row,
    ranks: context.scratch('i32', batch * n),
  };
  const write = (stage: KernelStage): void => {
    const { b } = stage;
    const [form, scales, failures] = [schur.t, schur.scale, schur.failed].map((m) => stage.scratch(m, 'read'));
    const [parts, ranks] = [values.parts, values.ranks].map((m) => stage.scratch(m, 'write'));
    const outputs = [stage.output(0), stage.output(1)];
    const site = stage.site('an eigenvalue', n);
    b.region('matrix', batch, (v) => {
      const t = formOf(schur, form, variable(v));
      const w = valuesOf(variable(v), parts, row);
      eachVector(b, ZERO, row, (at) => {
        setVector(b, w, RE, at, b.real(Number.NaN));
        setVector(b, w, IM, at, b.real(0));
      });
      b.loop('i', 0, n, (i) => {
        const [re, im] = eigenvalueAt(b, t, variable(i));
        setScalar(b, w, RE, variable(i), re);
        setScalar(b, w, IM, variable(i), im);
      });
      const factor = b.load(scales, variable(v), 0, 1);
      const failed = b.convert('i32ToMask', b.load(failures, variable(v), 0, 1));
      rankRow(b, w, n, failed, false, (i, rank, isBad) => {
        b.store(ranks, plus(variable(v, n), i), 1, 1, rank);
        const dyn = { index: b.guard(rank, n, site), scale: 1 };
        [RE, IM].forEach((part, o) => {
          const value = b.binary('mul', scalar(b, w, part, i), factor);
          b.store(outputs[o], variable(v, n), 1, 1, b.select(isBad, b.real(Number.NaN), value), dyn);
        });
      });
    });
  };
  context.kernel('eigenvalues', write, { total: batch * 4 * n * n });
  return values;
}

/** The eigenvalue of row i: its diagonal element, or one of the pair of the block that it is in. */
function eigenvalueAt(b: KernelBuilder, t: Matrix, i: Affine): [Reg, Reg] {
  const zero = b.real(0);
  const at = (row: number, column: number) => scalar(b, t, shift(i, row), shift(i, column));
  const pairWith = (by: number): [Reg, Reg] => {
    const half = b.binary('mul', b.binary('sub', at(by, by), at(0, 0)), b.real(0.5));
    const square = b.fma(half, half, b.binary('mul', at(0, by), at(by, 0)));
    const mean = b.fma(at(0, 0), b.real(0.5), b.binary('mul', at(by, by), b.real(0.5)));
    return [mean, b.unary('sqrt', b.binary('max', b.unary('neg', square), zero))];
  };
  const [isUpper, isLower] = [b.compare('ne', at(1, 0), zero), b.compare('ne', at(0, -1), zero)];
  const [next, before] = [pairWith(1), pairWith(-1)];
  const re = b.select(isUpper, next[0], b.select(isLower, before[0], at(0, 0)));
  return [re, b.select(isUpper, next[1], b.select(isLower, b.unary('neg', before[1]), zero))];
}

function emit(context: KernelsContext): void {
  const [a] = context.inputs;
  const n = a.shape[a.shape.length - 1];
  const batch = batchOf(a.shape);
  if (n === 0 || batch === 0) return;
  const withVectors = context.outputs.length > 2;
  const schur = schurStage(context, batch, n, withVectors);
  const values = valuesStage(context, batch, n, schur);
  if (!withVectors) return;
  const x = substitutionStage(context, batch, n, schur, values);
  vectorsStage(context, batch, n, schur, values, x);
}

// ---- gradient ----------------------------------------------------------------------------------------------------------

/**
 * With M = V^-1 dA V a change of A changes the eigenvalues by M's diagonal and the vectors by V (F * M), F_ij = 1 / (w_j - w_i) where
 * they differ (Boeddeker et al. 2017), of which the part along each vector goes, since its length and one phase stay. The transpose:
 * dA = Re(V^-H (diag(dw) + conj(F) * (V^H dV')) V^H).
 */
function gradient(w: Parts, v: Parts, dw: Parts | null, dv: Parts | null): Value {
  const zero = zerosLike(v.re);
  let inner: Parts = dw ? { re: diagonalMatrix(dw.re), im: diagonalMatrix(dw.im) } : { re: zero, im: zero };
  const vh: Parts = { re: adjoint(v.re), im: neg(adjoint(v.im)) };
  if (dv) {
    const product = complex.bilinear(vh, withoutGauge(v, dv), matMul);
    const gap = { re: sub(asRow(w.re), asColumn(w.re)), im: sub(asRow(w.im), asColumn(w.im)) };
    const size = add(square(gap.re), square(gap.im));
    const isSame = equal(size, zerosLike(size));
    const inverse = select(isSame, zerosLike(size), reciprocal(select(isSame, onesLike(size), size)));
    // conj(1 / g) = g / |g|^2
    const vectors = complex.mul({ re: mul(gap.re, inverse), im: mul(gap.im, inverse) }, product);
    inner = { re: add(inner.re, vectors.re), im: add(inner.im, complex.imagOf(vectors)) };
  }
  // The real part only: what nobody reads is not written.
  const solved = solveComplex(vh, inner);
  return sub(matMul(solved.re, vh.re), matMul(solved.im, vh.im));
}

/** X with A X = B, from [Re A, -Im A; Im A, Re A] [Re X; Im X] = [Re B; Im B]. */
function solveComplex(a: Parts, b: Parts): Parts {
  const x = solve(blocks2x2(a.re, neg(a.im), a.im, a.re), stackRows([b.re, b.im]));
  const [n, columns] = sizes(b.re);
  return { re: block(x, 0, n, 0, columns), im: block(x, n, 2 * n, 0, columns) };
}

/** What of dv is left when no column may change its length or the phase of its largest component. */
function withoutGauge({ re, im }: Parts, dv: Parts): Parts {
  const along = sum(add(mul(re, dv.re), mul(im, dv.im)), [-2], true);
  const turning = sum(sub(mul(re, dv.im), mul(im, dv.re)), [-2], true);
  const size = add(square(re), square(im));
  const isLarge = greaterEqual(size, scale(max(size, [-2], true), DECISIVE * DECISIVE));
  const rank = size.shape.length;
  const pivot = argMax(cast(isLarge, 'int32'), rank - 2);
  const isPivot = equal(asRow(pivot), iota(size.shape, rank - 2));
  const atPivot = select(isPivot, reciprocal(select(isPivot, re, onesLike(re))), zerosLike(re));
  return { re: sub(dv.re, mul(re, along)), im: sub(sub(dv.im, mul(im, along)), mul(atPivot, turning)) };
}

/** A complex value that has both parts. */
type Parts = Complex & { readonly im: Value };

function partsOf(re: Value | null | undefined, im: Value | null | undefined): Parts | null {
  const other = re ?? im;
  if (!other) return null;
  return { re: re ?? zerosLike(other), im: im ?? zerosLike(other) };
}

const shapes = [
  [1, 1],
  [2, 2],
  [3, 3],
  [4, 4],
  [0, 0],
  [3, 0, 0],
  [0, 4, 4],
  [2, 3, 3, 3],
];

export const eigRows = {
  eig: {
    name: 'eig',
    summary:
      'eigenvalues (real, imaginary parts; ascending real parts) and eigenvectors (columns) of a general matrix [..., n, n]',
    arity: 1,
    infer([a], attrs) {
      expectSquare('eig', a);
      const values = { dtype: a.dtype, shape: a.shape.slice(0, -1) };
      const vectors = { dtype: a.dtype, shape: a.shape };
      return boolAttr(attrs, 'vectors') ? [values, values, vectors, vectors] : [values, values];
    },
    gradient({ inputs: [a], outputs, attrs }, [dre, dim, dvre, dvim]) {
      if (sizeOf(a.shape) === 0) return [zerosLike(a)];
      const [re, im, vre, vim] = boolAttr(attrs, 'vectors') ? outputs : eig(a);
      return [gradient({ re, im }, { re: vre, im: vim }, partsOf(dre, dim), partsOf(dvre, dvim))];
    },
    batching: 'leading',
    evaluate([a], _attrs, types) {
      const outs = types.map((type) => newArray(type.dtype, sizeOf(type.shape)));
      const n = a.shape[a.shape.length - 1];
      eachMatrix(a, (matrix, at) => {
        const { re, im, vectors } = eigenDense(matrix, n);
        outs[0].set(re, at * n);
        outs[1].set(im, at * n);
        if (outs.length > 2) vectors.forEach((part, i) => outs[2 + i].set(part, at * n * n));
      });
      return outs;
    },
    lowering: { tag: 'kernels', emit },
    // As eigh's: differences check the gradient of the small ones.
    get samples() {
      return [true, false].flatMap((vectors) =>
        [...shapes, [130, 4, 4], [42, 7, 7], [27, 9, 9], [7, 18, 18]].map((shape) => ({
          inputs: [f32(shape, -4, 4)],
          attrs: { vectors },
        })),
      );
    },
    // Vectors of eigenvalues that lie close are that much less certain.
    tolerance: { absolute: 1e-3, relative: 1e-3 },
  },
} satisfies { readonly [name: string]: OpRow };
