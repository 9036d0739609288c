/** The row of the Cholesky factorisation: unblocked in a kernel for small matrices, recursive halves for large ones. */
import type { Attrs, Value } from '../../graph/graph.ts';
import { constant, shift, variable } from '../../kernel/ir.ts';
import { newArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import { add, matMul, scale, sub } from '../build.ts';
import { cholesky, triangularSolve } from '../build-linalg.ts';
import type { KernelsContext } from '../lowering.ts';
import type { OpRow } from '../row.ts';
import { choleskyDense, eachMatrix } from './dense.ts';
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
  setVector,
  vector,
} from './kernel.ts';
import { adjoint, block, blocks2x2, halve, triangle } from './parts.ts';
import { expectSquare, shiftedMatrix, squareSamples } from './rule.ts';

/** Larger matrices are halved. */
const BASE = 64;

/**
 * Right-looking, on the upper triangle of a padded copy of (A + A^T) / 2: row k of R, where A = R^T R, is row k over its
 * square root, and each later row loses its product with it. What stands below the diagonal is garbage that nothing reads.
 */
function emit({ inputs: [a], kernel, scratch, realType }: KernelsContext): void {
  const n = a.shape[a.shape.length - 1];
  const batch = batchOf(a.shape);
  kernel(
    '',
    (s) => {
      const { b } = s;
      const stride = padded(n, b.lanes);
      const [input, work, output] = [
        s.input(0),
        s.scratch(scratch(realType, batch * n * stride), 'write'),
        s.output(0),
      ];
      b.region('matrix', batch, (v) => {
        const from = { buf: input, base: variable(v, n * n), stride: n };
        const w = { buf: work, base: variable(v, n * stride), stride };
        const to = { buf: output, base: variable(v, n * n), stride: n };
        b.loop('i', 0, n, (row) => {
          const i = variable(row);
          eachRagged(b, n, (j, lanes) => {
            const x = b.load(input, element(from, i, j), 1, lanes);
            const y = b.load(input, element(from, j, i), n, lanes);
            setVector(b, w, i, j, b.fma(y, b.real(0.5), b.binary('mul', x, b.real(0.5))));
          });
        });
        eachOnGrid(b, 'k', n, (k, start) => {
          const pivot = scalar(b, w, k, k);
          const isPositive = b.compare('gt', pivot, b.real(0));
          const root = b.select(isPositive, b.unary('sqrt', pivot), b.real(Number.NaN));
          eachVector(b, start, stride, (at) => setVector(b, w, k, at, b.binary('div', vector(b, w, k, at), root)));
          b.loop(
            'ib',
            [start],
            [constant(stride)],
            (ib) => {
              const first = variable(ib);
              b.loop('i', [first, shift(k, 1)], [shift(first, b.lanes), constant(n)], (row) => {
                const i = variable(row);
                const factor = scalar(b, w, k, i);
                eachVector(b, first, stride, (at) => {
                  setVector(b, w, i, at, minusProduct(b, factor, vector(b, w, k, at), vector(b, w, i, at)));
                });
              });
            },
            { step: b.lanes },
          );
        });
        b.loop('i', 0, n, (row) => {
          const i = variable(row);
          eachRagged(b, n, (j, lanes) => {
            const x = b.load(work, element(w, j, i), stride, lanes);
            const isLower = b.compare('le', places(b, j), b.index(i));
            b.store(output, element(to, i, j), 1, lanes, b.select(isLower, x, b.real(0)));
          });
        });
      });
    },
    { total: (batch * n ** 3) / 3 },
  );
}

/** [L11 0; L21 L22]: L11 of the first half, L21 by a triangular solve, L22 of what is left of the second half. */
function expand([a]: readonly Value[]): readonly Value[] | null {
  const n = a.shape[a.shape.length - 1];
  if (n <= BASE) return null;
  const n1 = halve(n, BASE);
  const first = cholesky(block(a, 0, n1, 0, n1));
  const below = adjoint(block(a, n1, n, 0, n1));
  const mixed = scale(add(below, block(a, 0, n1, n1, n)), 0.5);
  const right = triangularSolve(first, mixed, { lower: true });
  const second = cholesky(sub(block(a, n1, n, n1, n), matMul(right, right, true, false)));
  return [blocks2x2(first, null, adjoint(right), second)];
}

export const choleskyRows = {
  cholesky: {
    name: 'cholesky',
    summary: 'lower L with L L^T = (A + A^T) / 2, of [..., n, n]; NaN where A is not positive definite',
    arity: 1,
    infer: ([a]) => {
      expectSquare('cholesky', a);
      return [{ dtype: a.dtype, shape: a.shape }];
    },
    // dA = L^-T sym(Phi(L^T dL)) L^-1, Phi: lower triangle with half of the diagonal (Murray 2016; Giles 2008).
    gradient({ outputs: [l] }, [dl]) {
      if (dl === null) return [null];
      const product = matMul(l, dl, true, false);
      const phi = sub(triangle(product, 'lower'), scale(triangle(product, 'diagonal'), 0.5));
      const symmetric = scale(add(phi, adjoint(phi)), 0.5);
      const left = triangularSolve(l, symmetric, { lower: true, transpose: true });
      return [adjoint(triangularSolve(l, adjoint(left), { lower: true, transpose: true }))];
    },
    batching: 'leading',
    evaluate([a], _attrs: Attrs, [type]) {
      const out = newArray(type.dtype, sizeOf(type.shape));
      const n = a.shape[a.shape.length - 1];
      eachMatrix(a, (matrix, at) => out.set(choleskyDense(matrix, n), at * n * n));
      return [out];
    },
    lowering: { tag: 'kernels', emit, expand },
    get samples() {
      return squareSamples([1, 2, 7, 8, 9, 17, 70], (shape) => shiftedMatrix(shape, 2 + shape[shape.length - 1]));
    },
    tolerance: { absolute: 1e-5, relative: 1e-5 },
  },
} satisfies Record<string, OpRow>;
