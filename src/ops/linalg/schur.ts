/**
 * Real Schur form of a general matrix, A = Z T Z^T with T upper triangular but for blocks of two rows where eigenvalues are a complex
 * pair: reduction to Hessenberg form by reflections, then Francis' implicit double shifts (Golub & Van Loan 2013, 7.4.2 and 7.5).
 * One chunk works on one matrix. Knows nothing of eigenvectors.
 */
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../../kernel/ir.ts';
import type { KernelsContext, ScratchMemory } from '../lowering.ts';
import type { Matrix } from './kernel.ts';
import {
  eachOnGrid,
  eachRagged,
  eachVector,
  element,
  hypot,
  minusProduct,
  padded,
  places,
  scalar,
  scaleOf,
  setScalar,
  setVector,
  sumOver,
  vector,
  withSign,
  halfUnit,
} from './kernel.ts';
import { makeReflector } from './reflector.ts';

const ZERO = constant(0);
/** What is negligible beside a largest element of 1 or more, whatever its neighbours are: quotients by it could overflow. */
function nothing(b: KernelBuilder): Reg {
  return b.real(b.realType === 'f64' ? 2 ** -700 : 2 ** -90);
}

/** Where the form of each matrix lies. Around T and Z^T there are zeros, a row before T and places behind, that steps at the edges read. */
export interface Schur {
  readonly t: ScratchMemory;
  /** Z^T, row k being the k-th Schur vector; null where it is not wanted. */
  readonly zt: ScratchMemory | null;
  readonly stride: number;
  /** Elements before T's first. */
  readonly lead: number;
  /** Elements that one T takes, and one Z^T. */
  readonly sizes: { readonly t: number; readonly zt: number };
  /** The power of two that everything was divided by, and 1 where the iteration failed or a number was not finite. */
  readonly scale: ScratchMemory;
  readonly failed: ScratchMemory;
}

/** T of one matrix. */
export function formOf(s: Schur, buf: number, matrix: Affine): Matrix {
  return { buf, base: plus(times(matrix, s.sizes.t), constant(s.lead)), stride: s.stride };
}

export function basisOf(s: Schur, buf: number, matrix: Affine): Matrix {
  return { buf, base: times(matrix, s.sizes.zt), stride: s.stride };
}

export function schurStage(context: KernelsContext, batch: number, n: number, withBasis: boolean): Schur {
  const { lanes } = context;
  const stride = padded(n + 1, lanes);
  const rows = padded(n, lanes) + lanes;
  const lead = stride + padded(2, lanes);
  const sizes = { t: lead + rows * stride, zt: (n + 1) * stride };
  const form: Schur = {
    t: context.scratch(context.realType, batch * sizes.t),
    zt: withBasis ? context.scratch(context.realType, batch * sizes.zt) : null,
    stride,
    lead,
    sizes,
    scale: context.scratch(context.realType, batch),
    failed: context.scratch('i32', batch),
  };
  // A column as a row, its reflector, a product.
  const three = context.scratch(context.realType, batch * 3 * stride);
  context.kernel(
    'schur',
    (stage) => {
      const { b } = stage;
      const input = stage.input(0);
      const [t, scales, failures, temporary] = [form.t, form.scale, form.failed, three].map((memory) =>
        stage.scratch(memory, 'write'),
      );
      const zt = form.zt ? stage.scratch(form.zt, 'write') : null;
      const site = stage.site('an eigenvalue', n);
      b.region('matrix', batch, (v) => {
        const from: Matrix = { buf: input, base: variable(v, n * n), stride: n };
        const inverse = scaleOf(b, from, n, scales, variable(v));
        const work: Work = {
          n,
          h: formOf(form, t, variable(v)),
          zt: zt === null ? null : basisOf(form, zt, variable(v)),
          temporary: { buf: temporary, base: variable(v, 3 * stride), stride },
          site,
        };
        const bad = copy(b, from, work, rows, inverse);
        reduce(b, work);
        const failed = b.binary('or', iterate(b, work), b.convert('i32ToMask', bad));
        b.store(failures, variable(v), 1, 1, b.convert('maskToI32', failed));
      });
    },
    { total: batch * (withBasis ? 25 : 10) * n ** 3 },
  );
  return form;
}

interface Work {
  readonly n: number;
  readonly h: Matrix;
  readonly zt: Matrix | null;
  readonly temporary: Matrix;
  readonly site: number;
}

/** The scaled matrix with zeros around it, and the identity for Z^T; whether a number is not finite. */
function copy(b: KernelBuilder, from: Matrix, { n, h, zt, temporary }: Work, rows: number, inverse: Reg): Reg {
  const zero = b.real(0);
  const clear = (m: Matrix, row: Affine) => eachVector(b, ZERO, h.stride, (at) => setVector(b, m, row, at, zero));
  clear(h, constant(-1));
  b.loop('i', 0, rows, (i) => clear(h, variable(i)));
  for (let i = 0; i < 3; i++) clear(temporary, constant(i));
  if (zt) clear(zt, constant(n));
  const bad = b.acc(b.i32(0));
  b.loop('i', 0, n, (i) => {
    eachRagged(b, n, (j, lanes) => {
      const x = b.binary('mul', b.load(from.buf, element(from, variable(i), j), 1, lanes), inverse);
      const difference = b.binary('sub', x, x);
      b.set(bad, b.binary('or', bad, b.convert('maskToI32', b.compare('ne', difference, difference))));
      b.store(h.buf, element(h, variable(i), j), 1, lanes, x);
    });
    if (!zt) return;
    clear(zt, variable(i));
    setScalar(b, zt, variable(i), variable(i), b.real(1));
  });
  return b.reduceLanes('max', bad, b.lanes);
}

// ---- to Hessenberg form ------------------------------------------------------------------------------------------------

const X = constant(0);
const V = constant(1);
const P = constant(2);

/** Step k makes column k zero below its element k + 1: H <- (I - tau v v^T) H (I - tau v v^T), Z^T <- (I - tau v v^T) Z^T. */
function reduce(b: KernelBuilder, { n, h, zt, temporary }: Work): void {
  if (n < 3) return;
  b.loop('qb', 0, Math.ceil((n - 1) / b.lanes), (block) => {
    const start = variable(block, b.lanes);
    b.loop('q', [start, constant(1)], [shift(start, b.lanes), constant(n - 1)], (qv) => {
      const q = variable(qv);
      const k = shift(q, -1);
      eachVector(b, start, h.stride, (at) => {
        const column = b.load(h.buf, element(h, at, k), h.stride, b.lanes);
        setVector(b, temporary, X, at, column);
      });
      const tau = makeReflector(b, { m: temporary, row: X }, { m: temporary, row: V }, q, start);
      reflectRows(b, h, n, q, tau, temporary);
      if (zt) reflectRows(b, zt, n, q, tau, temporary);
      b.loop('i', 0, n, (iv) => {
        const i = variable(iv);
        const dot = sumOver(b, start, h.stride, (acc, at) =>
          b.fmaAcc(acc, vector(b, h, i, at), vector(b, temporary, V, at)),
        );
        const factor = b.binary('mul', tau, dot);
        eachVector(b, start, h.stride, (at) => {
          setVector(b, h, i, at, minusProduct(b, factor, vector(b, temporary, V, at), vector(b, h, i, at)));
        });
      });
      setScalar(b, h, q, k, scalar(b, temporary, X, q));
      b.loop('i', [shift(q, 1)], [constant(n)], (i) => setScalar(b, h, variable(i), k, b.real(0)));
    });
  });
}

/** M <- M - tau v (v^T M), v being zero before its place q. */
function reflectRows(b: KernelBuilder, m: Matrix, n: number, q: Affine, tau: Reg, temporary: Matrix): void {
  eachVector(b, ZERO, m.stride, (at) => {
    const sum = b.acc(b.real(0));
    b.loop('i', [q], [constant(n)], (i) => {
      b.fmaAcc(sum, scalar(b, temporary, V, variable(i)), vector(b, m, variable(i), at));
    });
    setVector(b, temporary, P, at, b.binary('mul', sum, tau));
  });
  b.loop('i', [q], [constant(n)], (iv) => {
    const i = variable(iv);
    const factor = scalar(b, temporary, V, i);
    eachVector(b, ZERO, m.stride, (at) => {
      setVector(b, m, i, at, minusProduct(b, factor, vector(b, temporary, P, at), vector(b, m, i, at)));
    });
  });
}

// ---- to Schur form -----------------------------------------------------------------------------------------------------

/** Steps in all: LAPACK allows 30 for each eigenvalue; here also the one that finds it. */
function mostSteps(n: number): number {
  return 32 * Math.max(10, n);
}

/** From the last row up: blocks of one or two rows that stand alone are done, larger ones get a double step. Gives whether it failed. */
function iterate(b: KernelBuilder, work: Work): Reg {
  const { n, h, site } = work;
  const hi = b.acc(b.i32(n - 1));
  const tries = b.acc(b.i32(0));
  b.loop('step', 0, mostSteps(n), () => {
    b.when(b.compare('ge', hi, b.i32(0)), () => {
      const last = b.guard(hi, n, site);
      const lo = blockStart(b, h, last, n);
      const first = { index: b.guard(lo, n, site), scale: h.stride + 1 };
      b.store(h.buf, element(h, ZERO, constant(-1)), 1, 1, b.real(0), first);
      const size = b.binary('sub', last, lo);
      const isPair = b.compare('eq', size, b.i32(1));
      const isLarge = b.compare('gt', size, b.i32(1));
      if (n > 1) b.when(isPair, () => splitPair(b, work, last));
      b.when(isLarge, () => doubleStep(b, work, lo, last, tries));
      b.set(tries, b.select(isLarge, b.binary('add', tries, b.i32(1)), b.i32(0)));
      const found = b.select(isLarge, b.i32(0), b.select(isPair, b.i32(2), b.i32(1)));
      b.set(hi, b.binary('sub', hi, found));
    });
  });
  return b.compare('ge', hi, b.i32(0));
}

/** The last row up to `hi` whose element before the diagonal is negligible beside its neighbours on the diagonal; 0 if none is. */
function blockStart(b: KernelBuilder, h: Matrix, hi: Reg, n: number): Reg {
  const best = b.acc(b.i32(0));
  const diagonal = (at: Affine, row: number, column: number) =>
    b.unary('abs', b.load(h.buf, element(h, shift(at, row), shift(at, column)), h.stride + 1, b.lanes));
  eachVector(b, ZERO, padded(n, b.lanes), (at) => {
    const beside = b.binary('add', diagonal(at, -1, -1), diagonal(at, 0, 0));
    // Of two zeros the whole matrix is the measure: its largest element is between 1 and 2.
    const measure = b.select(b.compare('eq', beside, b.real(0)), b.real(1), beside);
    const bound = b.binary('max', b.binary('mul', measure, b.real(2 * halfUnit(b))), nothing(b));
    const counts = b.compare('gt', diagonal(at, 0, -1), bound);
    const place = places(b, at);
    const isHere = b.binary('and', b.unary('not', counts), b.compare('le', place, hi));
    b.set(best, b.binary('max', best, b.select(isHere, place, b.i32(0))));
  });
  return b.reduceLanes('max', best, b.lanes);
}

/** A block of two: one rotation makes it triangular where its eigenvalues are real. */
function splitPair(b: KernelBuilder, { n, h, zt, site }: Work, hi: Reg): void {
  const upper = b.guard(b.binary('sub', hi, b.i32(1)), n - 1, site);
  const corner = { index: upper, scale: h.stride + 1 };
  const at = (row: number, column: number) => b.load(h.buf, element(h, constant(row), constant(column)), 0, 1, corner);
  const [a, right, lower, d] = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
  const half = b.binary('mul', b.binary('sub', a, d), b.real(0.5));
  const square = b.fma(half, half, b.binary('mul', right, lower));
  b.when(b.compare('ge', square, b.real(0)), () => {
    const root = withSign(b, b.unary('sqrt', square), half);
    const z = b.binary('add', half, root);
    const length = hypot(b, lower, z);
    const isZero = b.compare('eq', length, b.real(0));
    const safe = b.select(isZero, b.real(1), length);
    const s = b.select(isZero, b.real(0), b.binary('div', lower, safe));
    const c = b.select(isZero, b.real(1), b.binary('div', z, safe));
    const turn = (load: (by: number) => Reg, store: (by: number, x: Reg) => void) => {
      const [x, y] = [load(0), load(1)];
      store(0, b.fma(c, x, b.binary('mul', s, y)));
      store(1, minusProduct(b, s, x, b.binary('mul', c, y)));
    };
    const dyn = { index: upper, scale: h.stride };
    const rowsOf = (m: Matrix) =>
      eachVector(b, ZERO, m.stride, (v) => {
        const place = (by: number) => element(m, constant(by), v);
        turn(
          (by) => b.load(m.buf, place(by), 1, b.lanes, dyn),
          (by, x) => b.store(m.buf, place(by), 1, b.lanes, x, dyn),
        );
      });
    rowsOf(h);
    if (zt) rowsOf(zt);
    const column = { index: upper, scale: 1 };
    eachVector(b, ZERO, padded(n, b.lanes), (v) => {
      const place = (by: number) => element(h, v, constant(by));
      turn(
        (by) => b.load(h.buf, place(by), h.stride, b.lanes, column),
        (by, x) => b.store(h.buf, place(by), h.stride, b.lanes, x, column),
      );
    });
    b.store(h.buf, element(h, constant(1), ZERO), 1, 1, b.real(0), corner);
  });
}

/** Sum and product of the two shifts: those of the last two rows, or, every tenth try, something else (Wilkinson's ad hoc shifts). */
function shiftsOf(b: KernelBuilder, h: Matrix, hi: Reg, tries: Reg): { x: Reg; y: Reg; w: Reg } {
  const corner = { index: hi, scale: h.stride + 1 };
  const at = (row: number, column: number) => b.load(h.buf, element(h, constant(row), constant(column)), 0, 1, corner);
  const isStuck = b.binary(
    'and',
    b.compare('eq', b.binary('mod', tries, b.i32(10)), b.i32(0)),
    b.compare('gt', tries, b.i32(0)),
  );
  const size = b.binary('add', b.unary('abs', at(0, -1)), b.unary('abs', at(-1, -2)));
  const other = b.fma(size, b.real(0.75), at(0, 0));
  return {
    x: b.select(isStuck, other, at(0, 0)),
    y: b.select(isStuck, other, at(-1, -1)),
    w: b.select(
      isStuck,
      b.binary('mul', b.binary('mul', size, size), b.real(-0.4375)),
      b.binary('mul', at(0, -1), at(-1, 0)),
    ),
  };
}

/** A reflection I - (x, y, z)^T (1, q, r) of three rows and columns. */
interface Three {
  readonly x: Reg;
  readonly y: Reg;
  readonly z: Reg;
  readonly q: Reg;
  readonly r: Reg;
}

/** Chases the bulge that both shifts make from row lo to row hi, three rows and columns at a time. */
function doubleStep(b: KernelBuilder, { n, h, zt }: Work, lo: Reg, hi: Reg, tries: Reg): void {
  const { x, y, w } = shiftsOf(b, h, hi, tries);
  const zero = b.real(0);
  eachOnGrid(b, 'k', n - 1, (k, start) => {
    const place = b.index(k);
    b.when(b.binary('and', b.compare('ge', place, lo), b.compare('lt', place, hi)), () => {
      const at = (row: number, column: number) => scalar(b, h, shift(k, row), shift(k, column));
      const isFirst = b.compare('eq', place, lo);
      const z = at(0, 0);
      const [r, s] = [b.binary('sub', x, z), b.binary('sub', y, z)];
      const below = b.select(isFirst, at(1, 0), b.real(1));
      const product = b.binary('sub', b.binary('mul', r, s), w);
      const first = [
        b.binary('add', b.binary('div', product, below), at(0, 1)),
        b.binary('sub', b.binary('sub', b.binary('sub', at(1, 1), z), r), s),
        at(2, 1),
      ];
      const bulge = [at(0, -1), at(1, -1), at(2, -1)];
      const vectorOf = first.map((value, i) => b.select(isFirst, value, bulge[i]));
      const { three, length } = reflectionOf(b, vectorOf);
      rowsOfThree(b, h, k, start, three);
      if (zt) rowsOfThree(b, zt, k, ZERO, three);
      columnsOfThree(b, h, k, [shift(start, b.lanes + padded(3, b.lanes)), constant(padded(n, b.lanes))], three);
      b.when(b.unary('not', isFirst), () => {
        setScalar(b, h, k, shift(k, -1), b.unary('neg', length));
        setScalar(b, h, shift(k, 1), shift(k, -1), zero);
        setScalar(b, h, shift(k, 2), shift(k, -1), zero);
      });
    });
  });
}

/** The reflection that turns a vector of three into (-length, 0, 0), length having the sign of its first element. */
function reflectionOf(b: KernelBuilder, v: readonly Reg[]): { three: Three; length: Reg } {
  const size = v.map((e) => b.unary('abs', e)).reduce((sum, e) => b.binary('add', sum, e));
  const isZero = b.compare('eq', size, b.real(0));
  const safe = b.select(isZero, b.real(1), size);
  const [p, q, r] = v.map((e) => b.binary('div', e, safe));
  const norm = b.unary('sqrt', b.fma(r, r, b.fma(q, q, b.binary('mul', p, p))));
  const s = withSign(b, norm, p);
  const pivot = b.binary('add', p, s);
  const over = (a: Reg, c: Reg) => b.select(isZero, b.real(0), b.binary('div', a, b.select(isZero, b.real(1), c)));
  const three = { x: over(pivot, s), y: over(q, s), z: over(r, s), q: over(q, pivot), r: over(r, pivot) };
  return { three, length: b.binary('mul', s, safe) };
}

/** Rows k .. k+2 from `start` on. */
function rowsOfThree(b: KernelBuilder, m: Matrix, k: Affine, start: Affine, f: Three): void {
  eachVector(b, start, m.stride, (at) => {
    const rows = [0, 1, 2].map((by) => vector(b, m, shift(k, by), at));
    const t = b.fma(f.r, rows[2], b.fma(f.q, rows[1], rows[0]));
    [f.x, f.y, f.z].forEach((factor, by) => {
      setVector(b, m, shift(k, by), at, minusProduct(b, factor, t, rows[by]));
    });
  });
}

/** Columns k .. k+2, rows 0 to `end`. */
function columnsOfThree(b: KernelBuilder, m: Matrix, k: Affine, end: readonly Affine[], f: Three): void {
  b.loop(
    'i',
    [ZERO],
    end,
    (v) => {
      const place = (by: number) => element(m, variable(v), shift(k, by));
      const columns = [0, 1, 2].map((by) => b.load(m.buf, place(by), m.stride, b.lanes));
      const t = b.fma(f.z, columns[2], b.fma(f.y, columns[1], b.binary('mul', f.x, columns[0])));
      b.store(m.buf, place(0), m.stride, b.lanes, b.binary('sub', columns[0], t));
      b.store(m.buf, place(1), m.stride, b.lanes, minusProduct(b, f.q, t, columns[1]));
      b.store(m.buf, place(2), m.stride, b.lanes, minusProduct(b, f.r, t, columns[2]));
    },
    { step: b.lanes },
  );
}
