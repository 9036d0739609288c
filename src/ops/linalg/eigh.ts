/**
 * The row of the symmetric eigenvalue problem: reduction to a tridiagonal matrix by reflections, implicit QL on that (Golub & Van Loan
 * 2013, 8.3), vectors afterwards. One chunk iterates on numbers alone; rows of vectors are shared among threads.
 */
import type { Value } from '../../graph/graph.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../../kernel/ir.ts';
import { newArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import { add, equal, matMul, mul, onesLike, reciprocal, scale, select, sub, zerosLike } from '../build.ts';
import { eigh } from '../build-linalg.ts';
import type { KernelsContext, KernelStage, ScratchMemory } from '../lowering.ts';
import type { OpRow } from '../row.ts';
import { boolAttr, f32 } from '../rule.ts';
import { eachMatrix, jacobiEigenDense } from './dense.ts';
import type { Matrix } from './kernel.ts';
import {
  batchOf,
  eachBlock,
  eachRagged,
  eachVector,
  groupOf,
  element,
  hypot,
  minusProduct,
  padded,
  scalar,
  scaleOf,
  setScalar,
  setVector,
  sumOver,
  vector,
  withSign,
  halfUnit,
} from './kernel.ts';
import { adjoint, asColumn, asRow, diagonalMatrix } from './parts.ts';
import { makeReflector } from './reflector.ts';
import { newRecord, paddedRow, rankRow, type Record, Recorder, signOfRow, writeVectors } from './rotations.ts';
import { expectSquare } from './rule.ts';

const ZERO = constant(0);

// ---- to a tridiagonal matrix -------------------------------------------------------------------------------------------

interface Tridiagonal {
  /** v_k is row k + 1 of [n + 1, stride]. */
  readonly reflectors: ScratchMemory;
  readonly stride: number;
  readonly taus: ScratchMemory;
  /** Diagonal, and the elements below it; `row` apart. */
  readonly diagonal: ScratchMemory;
  readonly below: ScratchMemory;
  readonly row: number;
  /** The power of two that everything was divided by. */
  readonly scale: ScratchMemory;
}

/**
 * Step k removes what stands beyond the neighbour of the diagonal in row k. The update A - v w^T - w v^T of one step and the
 * product A v' of the next are one pass over the matrix: row k + 1, which v' is made of, is updated first, aside.
 */
function reduceStage(context: KernelsContext, batch: number, n: number): Tridiagonal {
  const { lanes } = context;
  const stride = padded(n, lanes);
  const row = paddedRow(n, lanes);
  const rows = padded(n, lanes);
  const scratch = (size: number) => context.scratch(context.realType, batch * size);
  const result: Tridiagonal = {
    reflectors: scratch((n + 1) * stride),
    stride,
    taus: scratch(n),
    diagonal: scratch(row),
    below: scratch(row),
    row,
    scale: scratch(1),
  };
  // x, w and p are three rows.
  const [matrices, rowsOfThree] = [scratch(rows * stride), scratch(3 * stride)];
  const write = (stage: KernelStage): void => {
    const { b } = stage;
    const input = stage.input(0);
    const use = (memory: ScratchMemory) => stage.scratch(memory, 'write');
    const [work, temporary, reflectors, taus] = [matrices, rowsOfThree, result.reflectors, result.taus].map(use);
    const [diagonal, below, scales] = [result.diagonal, result.below, result.scale].map(use);
    b.region('matrix', batch, (v) => {
      const at = (buf: number, count: number, apart: number): Matrix => {
        return { buf, base: variable(v, count * apart), stride: apart };
      };
      const from = at(input, n, n);
      const inverse = scaleOf(b, from, n, scales, variable(v));
      const w = at(work, rows, stride);
      copySymmetric(b, from, w, n, rows, inverse);
      tridiagonalise(b, n, {
        work: w,
        rows,
        temporary: at(temporary, 3, stride),
        reflectors: at(reflectors, n + 1, stride),
        taus: at(taus, 1, n),
        diagonal: at(diagonal, 1, row),
        below: at(below, 1, row),
      });
    });
  };
  context.kernel('tridiagonal', write, { total: (batch * 8 * n ** 3) / 3 });
  return result;
}

/** (A + A^T) / 2, scaled, with zeros around it. */
function copySymmetric(b: KernelBuilder, from: Matrix, w: Matrix, n: number, rows: number, inverse: Reg): void {
  const half = b.binary('mul', inverse, b.real(0.5));
  b.loop('i', 0, n, (i) => {
    eachRagged(b, n, (j, lanes) => {
      const x = b.load(from.buf, element(from, variable(i), j), 1, lanes);
      const y = b.load(from.buf, element(from, j, variable(i)), n, lanes);
      setVector(b, w, variable(i), j, b.fma(y, half, b.binary('mul', x, half)));
    });
  });
  b.loop('i', n, rows, (i) => eachVector(b, ZERO, w.stride, (j) => setVector(b, w, variable(i), j, b.real(0))));
}

interface Places {
  readonly work: Matrix;
  readonly rows: number;
  readonly temporary: Matrix;
  readonly reflectors: Matrix;
  readonly taus: Matrix;
  readonly diagonal: Matrix;
  readonly below: Matrix;
}

const X = constant(0);
const W = constant(1);
const P = constant(2);

function tridiagonalise(b: KernelBuilder, n: number, m: Places): void {
  const { work, temporary, reflectors, taus, diagonal, below } = m;
  const nan = b.real(Number.NaN);
  const zero = b.real(0);
  eachVector(b, ZERO, diagonal.stride, (j) => {
    setVector(b, diagonal, ZERO, j, nan);
    setVector(b, below, ZERO, j, zero);
  });
  eachVector(b, ZERO, work.stride, (j) => {
    setVector(b, reflectors, ZERO, j, zero);
    setVector(b, temporary, W, j, zero);
  });
  // q = k + 1, where v_k begins; `start` is the vector that holds it.
  b.loop('qb', 0, Math.ceil(n / b.lanes), (block) => {
    const start = variable(block, b.lanes);
    b.loop('q', [start, constant(1)], [shift(start, b.lanes), constant(n - 1)], (qv) => {
      const q = variable(qv);
      const k = shift(q, -1);
      writeDiagonal(b, m, k);
      updatedRow(b, m, k, start);
      const tau = makeReflector(b, { m: temporary, row: X }, { m: reflectors, row: q }, q, start);
      setScalar(b, taus, ZERO, k, tau);
      setScalar(b, below, ZERO, k, scalar(b, temporary, X, q));
      passOver(b, m, q, start);
      const sum = sumOver(b, start, work.stride, (acc, at) =>
        b.fmaAcc(acc, vector(b, temporary, P, at), vector(b, reflectors, q, at)),
      );
      // w = tau p - (tau^2 / 2) (p . v) v
      const factor = b.binary('mul', b.binary('mul', tau, tau), b.binary('mul', sum, b.real(0.5)));
      eachVector(b, start, work.stride, (at) => {
        const p = b.binary('mul', tau, vector(b, temporary, P, at));
        setVector(b, temporary, W, at, minusProduct(b, factor, vector(b, reflectors, q, at), p));
      });
    });
  });
  // What is left is a block of two; no reflector was made since row n - 2 of them.
  const pending = constant(Math.max(0, n - 2));
  for (let k = Math.max(0, n - 2); k < n; k++) {
    writeDiagonal(b, m, constant(k), pending);
    if (k === n - 2)
      setScalar(b, below, ZERO, constant(k), updatedElement(b, m, pending, constant(k), constant(k + 1)));
  }
}

/** Element (i, j) of A - v w^T - w v^T, with the v (a row of the reflectors) and w that are still to be applied. */
function updatedElement(b: KernelBuilder, m: Places, row: Affine, i: Affine, j: Affine): Reg {
  const { work, temporary, reflectors } = m;
  const [vi, wi] = [scalar(b, reflectors, row, i), scalar(b, temporary, W, i)];
  const [vj, wj] = [scalar(b, reflectors, row, j), scalar(b, temporary, W, j)];
  return minusProduct(b, wi, vj, minusProduct(b, vi, wj, scalar(b, work, i, j)));
}

function writeDiagonal(b: KernelBuilder, m: Places, k: Affine, row = k): void {
  setScalar(b, m.diagonal, ZERO, k, updatedElement(b, m, row, k, k));
}

/** Row k as it is after the pending update, from `start` on, into x. */
function updatedRow(b: KernelBuilder, { work, temporary, reflectors }: Places, k: Affine, start: Affine): void {
  const [vk, wk] = [scalar(b, reflectors, k, k), scalar(b, temporary, W, k)];
  eachVector(b, start, work.stride, (at) => {
    const once = minusProduct(b, vk, vector(b, temporary, W, at), vector(b, work, k, at));
    setVector(b, temporary, X, at, minusProduct(b, wk, vector(b, reflectors, k, at), once));
  });
}

/** The pending update of all rows from q's group on, and p_i = (row i) . v for the new v; 0 for rows before q. */
function passOver(b: KernelBuilder, { work, rows, temporary, reflectors }: Places, q: Affine, start: Affine): void {
  const k = shift(q, -1);
  const size = groupOf(b.lanes);
  const group = Array.from({ length: size }, (_, i) => i);
  b.loop(
    'i',
    [start],
    [constant(rows)],
    (iv) => {
      const row = (g: number) => shift(variable(iv), g);
      const vs = group.map((g) => b.unary('neg', scalar(b, reflectors, k, row(g))));
      const ws = group.map((g) => b.unary('neg', scalar(b, temporary, W, row(g))));
      const sums = group.map(() => b.acc(b.real(0)));
      eachVector(b, start, work.stride, (at) => {
        const [v, w, next] = [vector(b, reflectors, k, at), vector(b, temporary, W, at), vector(b, reflectors, q, at)];
        for (const g of group) {
          const x = b.fma(ws[g], v, b.fma(vs[g], w, vector(b, work, row(g), at)));
          setVector(b, work, row(g), at, x);
          b.fmaAcc(sums[g], x, next);
        }
      });
      for (const g of group) {
        const isIn = b.compare('ge', b.index(row(g)), b.index(q));
        setScalar(b, temporary, P, row(g), b.select(isIn, b.reduceLanes('add', sums[g], b.lanes), b.real(0)));
      }
    },
    { step: size },
  );
}

// ---- the eigenvalues ---------------------------------------------------------------------------------------------------

interface Found {
  /** Place of each eigenvalue in order, [batch, n]. */
  readonly ranks: ScratchMemory;
  readonly record: Record | null;
}

/** Implicit QL with Wilkinson's shift; eigenvalues in order into output 0. */
function iterateStage(context: KernelsContext, batch: number, n: number, t: Tridiagonal, withVectors: boolean): Found {
  const ranks = context.scratch('i32', batch * n);
  const record = withVectors ? newRecord(context, batch, n) : null;
  const copies = context.scratch(context.realType, batch * 2 * t.row);
  const write = (stage: KernelStage): void => {
    const { b } = stage;
    const [diagonal, below, scales] = [t.diagonal, t.below, t.scale].map((memory) => stage.scratch(memory, 'read'));
    const [work, order, output] = [stage.scratch(copies, 'write'), stage.scratch(ranks, 'write'), stage.output(0)];
    const site = stage.site('an eigenvalue', n);
    b.region('matrix', batch, (v) => {
      const m: Matrix = { buf: work, base: variable(v, 2 * t.row), stride: t.row };
      eachVector(b, ZERO, t.row, (at) => {
        setVector(b, m, D, at, b.load(diagonal, plus(variable(v, t.row), at), 1, b.lanes));
        setVector(b, m, E, at, b.load(below, plus(variable(v, t.row), at), 1, b.lanes));
      });
      const recorder = record ? new Recorder(stage, record, variable(v)) : null;
      const failed = iterate(b, m, n, site, recorder);
      recorder?.end();
      const scale = b.load(scales, variable(v), 0, 1);
      rankRow(b, { ...m, stride: t.row }, n, failed, false, (i, rank, isBad) => {
        const place = plus(variable(v, n), i);
        b.store(order, place, 1, 1, rank);
        const value = b.binary('mul', scalar(b, m, D, i), scale);
        const dyn = { index: b.guard(rank, n, site), scale: 1 };
        b.store(output, variable(v, n), 1, 1, b.select(isBad, b.real(Number.NaN), value), dyn);
      });
    });
  };
  context.kernel('eigenvalues', write, { total: batch * 30 * n * n });
  return { ranks, record };
}

/** Rows of the copy: the diagonal, and what stands below it. */
const D = constant(0);
const E = constant(1);

/** Steps in all: sweeps that find room in a record, and one for each eigenvalue that is found. */
function mostSteps(n: number): number {
  return 32 * n + 32;
}

/**
 * From the first eigenvalue on: if its off-diagonal element is negligible it is found; otherwise a sweep chases the bulge up from the
 * end of its block. Gives whether it did not converge.
 */
function iterate(b: KernelBuilder, m: Matrix, n: number, site: number, recorder: Recorder | null): Reg {
  const l = b.acc(b.i32(0));
  const failed = b.acc(b.i32(0));
  b.loop('step', 0, mostSteps(n), () => {
    b.when(b.compare('lt', l, b.i32(n)), () => {
      const end = blockEnd(b, m, l, n);
      const length = b.binary('sub', end, l);
      const isFound = b.compare('eq', length, b.i32(0));
      const room = recorder ? recorder.hasRoom(length) : b.compare('eq', length, length);
      const goesOn = b.binary('and', b.unary('not', isFound), room);
      // Found, or given up: then all others count as found too.
      const givesUp = b.binary('and', b.unary('not', isFound), b.unary('not', room));
      b.set(failed, b.binary('or', failed, b.convert('maskToI32', givesUp)));
      const next = b.select(isFound, b.binary('add', l, b.i32(1)), b.select(givesUp, b.i32(n), l));
      b.when(goesOn, () => sweep(b, m, { l, end, length, n, site }, recorder));
      b.set(l, next);
    });
  });
  return b.binary('or', b.compare('lt', l, b.i32(n)), b.convert('i32ToMask', failed));
}

/** The first place from l on whose off-diagonal element is negligible (the last one's is 0). NaN counts as negligible. */
function blockEnd(b: KernelBuilder, m: Matrix, l: Reg, n: number): Reg {
  const best = b.acc(b.i32(n - 1));
  b.loop(
    'v',
    0,
    padded(n, b.lanes),
    (v) => {
      const at = variable(v);
      const size = b.binary('add', b.unary('abs', vector(b, m, D, at)), b.unary('abs', vector(b, m, D, shift(at, 1))));
      const off = b.unary('abs', vector(b, m, E, at));
      const counts = b.compare('gt', off, b.binary('mul', size, b.real(halfUnit(b))));
      const place = b.index(at, 1);
      const isCandidate = b.binary('and', b.unary('not', counts), b.compare('ge', place, l));
      b.set(best, b.binary('min', best, b.select(isCandidate, place, b.i32(n - 1))));
    },
    { step: b.lanes },
  );
  return b.reduceLanes('min', best, b.lanes);
}

interface Block {
  readonly l: Reg;
  readonly end: Reg;
  readonly length: Reg;
  readonly n: number;
  readonly site: number;
}

function sweep(b: KernelBuilder, m: Matrix, { l, end, length, n, site }: Block, recorder: Recorder | null): void {
  const first = { index: b.guard(l, n, site), scale: 1 };
  const last = { index: b.guard(end, n, site), scale: 1 };
  const at = (row: Affine, by: number) => element(m, row, constant(by));
  const load = (row: Affine, by: number, dyn: typeof first) => b.load(m.buf, at(row, by), 0, 1, dyn);
  const one = b.real(1);
  const zero = b.real(0);
  const el = load(E, 0, first);
  const dl = load(D, 0, first);
  const slope = b.binary('div', b.binary('sub', load(D, 1, first), dl), b.binary('mul', el, b.real(2)));
  const root = hypot(b, slope, one);
  const shifted = b.binary('sub', load(D, 0, last), dl);
  const g = b.acc(b.binary('add', shifted, b.binary('div', el, b.binary('add', slope, withSign(b, root, slope)))));
  const [s, c, p] = [b.acc(one), b.acc(one), b.acc(zero)];
  b.loop(
    't',
    0,
    n,
    (t) => {
      const place = b.binary('sub', b.binary('sub', end, b.i32(1)), b.index(variable(t)));
      const i = { index: b.guard(place, n, site), scale: 1 };
      const e = load(E, 0, i);
      const f = b.binary('mul', s, e);
      const off = b.binary('mul', c, e);
      const r = hypot(b, f, g);
      b.store(m.buf, at(E, 1), 1, 1, r, i);
      const isZero = b.compare('eq', r, zero);
      const safe = b.select(isZero, one, r);
      b.set(s, b.select(isZero, zero, b.binary('div', f, safe)));
      b.set(c, b.select(isZero, one, b.binary('div', g, safe)));
      const above = b.binary('sub', load(D, 1, i), p);
      const difference = b.binary('mul', b.binary('sub', load(D, 0, i), above), s);
      const turned = b.fma(b.binary('mul', c, b.real(2)), off, difference);
      b.set(p, b.binary('mul', s, turned));
      b.store(m.buf, at(D, 1), 1, 1, b.binary('add', above, p), i);
      b.set(g, b.binary('sub', b.binary('mul', c, turned), off));
      recorder?.rotation(variable(t), c, s);
    },
    { until: length },
  );
  b.store(m.buf, at(D, 0), 1, 1, b.binary('sub', load(D, 0, first), p), first);
  b.store(m.buf, at(E, 0), 1, 1, g, first);
  b.store(m.buf, at(E, 0), 1, 1, zero, last);
  recorder?.endSweep(end, length);
}

// ---- all of it ---------------------------------------------------------------------------------------------------------

function emit(context: KernelsContext): void {
  const [a] = context.inputs;
  const n = a.shape[a.shape.length - 1];
  const batch = batchOf(a.shape);
  if (n === 0 || batch === 0) return;
  const withVectors = context.outputs.length > 1;
  const t = reduceStage(context, batch, n);
  const { ranks, record } = iterateStage(context, batch, n, t, withVectors);
  if (!record) return;
  const found = writeVectors(context, 'vectors', {
    n,
    batch,
    reflectors: t.reflectors,
    stride: t.stride,
    rowOf: (k) => shift(k, 1),
    rows: n + 1,
    taus: t.taus,
    count: Math.max(0, n - 2),
    shift: 1,
    record,
    direction: -1,
  });
  context.kernel(
    'order',
    (stage) => {
      const { b } = stage;
      const [vectors, order] = [stage.scratch(found.vectors, 'read'), stage.scratch(ranks, 'read')];
      const [values, output] = [stage.output(0, 'read'), stage.output(1)];
      const site = stage.site('an eigenvector', n);
      eachBlock(b, batch, n, ROWS, (matrix, from, width) => {
        b.loop('i', [from], [shift(from, width)], (iv) => {
          const i = variable(iv);
          const m: Matrix = { buf: vectors, base: times(matrix, n * found.stride), stride: found.stride };
          const rank = b.guard(b.load(order, plus(times(matrix, n), i), 0, 1), n, site);
          const value = b.load(values, times(matrix, n), 0, 1, { index: rank, scale: 1 });
          const isBad = b.compare('ne', value, value);
          const sign = b.select(isBad, b.real(Number.NaN), signOfRow(b, m, i, n, site));
          const column = { index: rank, scale: 1 };
          eachRagged(b, n, (at, lanes) => {
            const x = b.binary('mul', b.load(vectors, element(m, i, at), 1, lanes), sign);
            b.store(output, plus(times(matrix, n * n), times(at, n)), n, lanes, x, column);
          });
        });
      });
    },
    { total: batch * 4 * n * n },
  );
}

/** Vectors that a chunk puts in order. */
const ROWS = 8;

/**
 * dA = V (diag(dw) + F * (V^T dV)) V^T, symmetric, with F_ij = 1 / (w_j - w_i) where they differ (Giles 2008; Walter & Lehmann 2010).
 */
function gradient(values: Value, vectors: Value, dw: Value | null, dv: Value | null): Value {
  let inner = dw === null ? zerosLike(vectors) : diagonalMatrix(dw);
  if (dv !== null) {
    const gaps = sub(asRow(values), asColumn(values));
    const isSame = equal(gaps, zerosLike(gaps));
    const factors = select(isSame, zerosLike(gaps), reciprocal(select(isSame, onesLike(gaps), gaps)));
    inner = add(inner, mul(factors, matMul(vectors, dv, true, false)));
  }
  const symmetric = scale(add(inner, adjoint(inner)), 0.5);
  return matMul(matMul(vectors, symmetric), vectors, false, true);
}

const small = [
  [1, 1],
  [2, 2],
  [3, 3],
  [4, 4],
  [0, 0],
  [3, 0, 0],
  [0, 4, 4],
  [2, 3, 3, 3],
];

export const eighRows = {
  eigh: {
    name: 'eigh',
    summary: 'eigenvalues, ascending, and orthonormal eigenvectors (columns) of (A + A^T) / 2, [..., n, n]',
    arity: 1,
    infer([a], attrs) {
      expectSquare('eigh', a);
      const values = { dtype: a.dtype, shape: a.shape.slice(0, -1) };
      return boolAttr(attrs, 'vectors') ? [values, { dtype: a.dtype, shape: a.shape }] : [values];
    },
    gradient({ inputs: [a], outputs, attrs }, [dw, dv]) {
      const [values, vectors] = boolAttr(attrs, 'vectors') ? outputs : eigh(a);
      return [gradient(values, vectors, dw, dv ?? null)];
    },
    batching: 'leading',
    evaluate([a], _attrs, types) {
      const outs = types.map((type) => newArray(type.dtype, sizeOf(type.shape)));
      const n = a.shape[a.shape.length - 1];
      eachMatrix(a, (matrix, at) => {
        const { values, vectors } = jacobiEigenDense(matrix, n);
        outs[0].set(values, at * n);
        if (outs.length > 1) outs[1].set(vectors, at * n * n);
      });
      return outs;
    },
    lowering: { tag: 'kernels', emit },
    // Differences check the gradient of the small ones; the others are too large for that, since neighbouring values come close.
    get samples() {
      return [true, false].flatMap((vectors) =>
        [...small, [130, 4, 4], [42, 7, 7], [33, 8, 8], [27, 9, 9], [2, 33, 33]].map((shape) => ({
          // Large numbers, so that a difference's step is small against the gaps between values.
          inputs: [f32(shape, -4, 4)],
          attrs: { vectors },
        })),
      );
    },
    tolerance: { absolute: 3e-4, relative: 1e-4 },
  },
} satisfies { readonly [name: string]: OpRow };
