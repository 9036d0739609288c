/**
 * The numbers behind the singular value decomposition of square matrices: reduction to an upper bidiagonal matrix by reflections
 * from both sides, and implicit QR on that (Golub & Reinsch 1970). Rotations are recorded; vectors are made elsewhere.
 */
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, variable } from '../../kernel/ir.ts';
import type { KernelsContext, KernelStage, ScratchMemory } from '../lowering.ts';
import type { Matrix } from './kernel.ts';
import {
  eachRagged,
  eachVector,
  element,
  groupOf,
  hypot,
  minusProduct,
  padded,
  scalar,
  scaleOf,
  setScalar,
  setVector,
  vector,
  withSign,
  halfUnit,
} from './kernel.ts';
import { makeReflector } from './reflector.ts';
import { newRecord, paddedRow, type Record, Recorder, rankRow } from './rotations.ts';

const ZERO = constant(0);

export interface Bidiagonal {
  readonly n: number;
  readonly batch: number;
  readonly stride: number;
  /** u_k begins at place k of row k, v_k at place k + 1 of row k; n - 1 of each. */
  readonly left: ScratchMemory;
  readonly right: ScratchMemory;
  readonly leftTaus: ScratchMemory;
  readonly rightTaus: ScratchMemory;
  /** The diagonal, and above[k + 1] = B[k, k + 1] (above[0] is 0); `row` apart. */
  readonly diagonal: ScratchMemory;
  readonly above: ScratchMemory;
  readonly row: number;
  /** The power of two that everything was divided by. */
  readonly scale: ScratchMemory;
}

// ---- the reduction -----------------------------------------------------------------------------------------------------

interface Places {
  readonly work: Matrix;
  /** Rows x (a column, then a row) and z (u^T A). */
  readonly temporary: Matrix;
  readonly left: Matrix;
  readonly right: Matrix;
  readonly leftTaus: Matrix;
  readonly rightTaus: Matrix;
  readonly diagonal: Matrix;
  readonly above: Matrix;
}

const X = constant(0);
const Z = constant(1);

export function reduceStage(context: KernelsContext, batch: number, n: number): Bidiagonal {
  const { lanes } = context;
  const stride = padded(n, lanes);
  const row = paddedRow(n, lanes);
  const scratch = (size: number) => context.scratch(context.realType, batch * size);
  const result: Bidiagonal = {
    n,
    batch,
    stride,
    left: scratch(n * stride),
    right: scratch(n * stride),
    leftTaus: scratch(n),
    rightTaus: scratch(n),
    diagonal: scratch(row),
    above: scratch(row),
    row,
    scale: scratch(1),
  };
  const [matrices, rows] = [scratch(stride * stride), scratch(2 * stride)];
  const write = (stage: KernelStage): void => {
    const { b } = stage;
    const input = stage.input(0);
    const use = (memory: ScratchMemory) => stage.scratch(memory, 'write');
    const [work, temporary, left, right] = [matrices, rows, result.left, result.right].map(use);
    const [leftTaus, rightTaus, diagonal, above] = [
      result.leftTaus,
      result.rightTaus,
      result.diagonal,
      result.above,
    ].map(use);
    const scales = use(result.scale);
    b.region('matrix', batch, (v) => {
      const at = (buf: number, count: number, apart: number): Matrix => {
        return { buf, base: variable(v, count * apart), stride: apart };
      };
      const from = at(input, n, n);
      const inverse = scaleOf(b, from, n, scales, variable(v));
      const w = at(work, stride, stride);
      copyScaled(b, from, w, n, inverse);
      bidiagonalise(b, n, {
        work: w,
        temporary: at(temporary, 2, stride),
        left: at(left, n, stride),
        right: at(right, n, stride),
        leftTaus: at(leftTaus, 1, n),
        rightTaus: at(rightTaus, 1, n),
        diagonal: at(diagonal, 1, row),
        above: at(above, 1, row),
      });
    });
  };
  context.kernel('bidiagonal', write, { total: (batch * 8 * n ** 3) / 3 });
  return result;
}

/** The matrix, scaled, with zeros around it. */
function copyScaled(b: KernelBuilder, from: Matrix, w: Matrix, n: number, inverse: Reg): void {
  b.loop('i', 0, n, (i) => {
    eachVector(b, ZERO, w.stride, (j) => setVector(b, w, variable(i), j, b.real(0)));
    eachRagged(b, n, (j, lanes) => {
      const x = b.load(from.buf, element(from, variable(i), j), 1, lanes);
      setVector(b, w, variable(i), j, b.binary('mul', x, inverse));
    });
  });
  b.loop('i', n, w.stride, (i) => eachVector(b, ZERO, w.stride, (j) => setVector(b, w, variable(i), j, b.real(0))));
}

/** Steps k = 0 .. n - 2. The last step of each vector's worth has its right reflector begin in the next vector. */
function bidiagonalise(b: KernelBuilder, n: number, m: Places): void {
  const nan = b.real(Number.NaN);
  eachVector(b, ZERO, m.diagonal.stride, (j) => {
    setVector(b, m.diagonal, ZERO, j, nan);
    setVector(b, m.above, ZERO, j, b.real(0));
  });
  const steps = n - 1;
  const whole = Math.floor(steps / b.lanes);
  const several = (start: Affine, count: number): void => {
    b.loop('k', [start], [shift(start, count)], (k) => step(b, m, variable(k), start, start));
  };
  if (whole > 0) {
    b.loop('kb', 0, whole, (block) => {
      const start = variable(block, b.lanes);
      several(start, b.lanes - 1);
      step(b, m, shift(start, b.lanes - 1), start, shift(start, b.lanes));
    });
  }
  const rest = steps - whole * b.lanes;
  if (rest > 0) several(constant(whole * b.lanes), rest);
  const last = constant(n - 1);
  setScalar(b, m.diagonal, ZERO, last, scalar(b, m.work, last, last));
}

/** Column k below the diagonal is removed from the left, then row k beyond its neighbour from the right. */
function step(b: KernelBuilder, m: Places, k: Affine, start: Affine, next: Affine): void {
  const { work, temporary, left, right } = m;
  const end = work.stride;
  const q = shift(k, 1);
  eachVector(b, start, end, (at) => {
    setVector(b, temporary, X, at, b.load(work.buf, element(work, at, k), work.stride, b.lanes));
  });
  const tau = makeReflector(b, { m: temporary, row: X }, { m: left, row: k }, k, start);
  setScalar(b, m.leftTaus, ZERO, k, tau);
  setScalar(b, m.diagonal, ZERO, k, scalar(b, temporary, X, k));
  rowProduct(b, m, k, start, next);
  // Row k as it will be: u_k is 1 there.
  eachVector(b, next, end, (at) => {
    setVector(b, temporary, X, at, minusProduct(b, tau, vector(b, temporary, Z, at), vector(b, work, k, at)));
  });
  const rightTau = makeReflector(b, { m: temporary, row: X }, { m: right, row: k }, q, next);
  setScalar(b, m.rightTaus, ZERO, k, rightTau);
  setScalar(b, m.above, ZERO, q, scalar(b, temporary, X, q));
  bothSides(b, m, k, { start, next }, tau, rightTau);
}

/** z = u^T A for the columns from `next` on. */
function rowProduct(b: KernelBuilder, { work, temporary, left }: Places, k: Affine, start: Affine, next: Affine): void {
  const end = work.stride;
  const size = groupOf(b.lanes);
  const group = Array.from({ length: size }, (_, i) => i);
  eachVector(b, next, end, (at) => setVector(b, temporary, Z, at, b.real(0)));
  b.loop(
    'i',
    [start],
    [constant(end)],
    (iv) => {
      const row = (g: number) => shift(variable(iv), g);
      const us = group.map((g) => scalar(b, left, k, row(g)));
      eachVector(b, next, end, (at) => {
        const sum = group.reduce((z, g) => b.fma(us[g], vector(b, work, row(g), at), z), vector(b, temporary, Z, at));
        setVector(b, temporary, Z, at, sum);
      });
    },
    { step: size },
  );
}

/** Rows from k's group on lose tau u z^T, and then what is along v. Rows up to k change as well, but nobody reads them again. */
function bothSides(
  b: KernelBuilder,
  { work, temporary, left, right }: Places,
  k: Affine,
  { start, next }: { start: Affine; next: Affine },
  tau: Reg,
  rightTau: Reg,
): void {
  const end = work.stride;
  const size = groupOf(b.lanes);
  const group = Array.from({ length: size }, (_, i) => i);
  const [fromLeft, fromRight] = [b.unary('neg', tau), b.unary('neg', rightTau)];
  b.loop(
    'i',
    [start],
    [constant(end)],
    (iv) => {
      const row = (g: number) => shift(variable(iv), g);
      const us = group.map((g) => b.binary('mul', scalar(b, left, k, row(g)), fromLeft));
      const sums = group.map(() => b.acc(b.real(0)));
      eachVector(b, next, end, (at) => {
        const [z, v] = [vector(b, temporary, Z, at), vector(b, right, k, at)];
        for (const g of group) {
          const x = b.fma(us[g], z, vector(b, work, row(g), at));
          setVector(b, work, row(g), at, x);
          b.fmaAcc(sums[g], x, v);
        }
      });
      const factors = sums.map((sum) => b.binary('mul', b.reduceLanes('add', sum, b.lanes), fromRight));
      eachVector(b, next, end, (at) => {
        const v = vector(b, right, k, at);
        for (const g of group) setVector(b, work, row(g), at, b.fma(factors[g], v, vector(b, work, row(g), at)));
      });
    },
    { step: size },
  );
}

// ---- the iteration -----------------------------------------------------------------------------------------------------

export interface Found {
  /** Place of each value in order, [batch, n]. */
  readonly ranks: ScratchMemory;
  /** The values with the signs that they came with, in the order in which they were found; `row` apart. */
  readonly values: ScratchMemory;
  readonly records: { readonly left: Record; readonly right: Record } | null;
}

/** Rows of the copy: the diagonal, what stands above it, and absolute values for the order. */
const D = constant(0);
const E = constant(1);
const A = constant(2);

/** Values in descending order into output `output`. */
export function iterateStage(context: KernelsContext, t: Bidiagonal, output: number, withVectors: boolean): Found {
  const { n, batch, row } = t;
  const ranks = context.scratch('i32', batch * n);
  const values = context.scratch(context.realType, batch * 3 * row);
  const records = withVectors ? { left: newRecord(context, batch, n), right: newRecord(context, batch, n) } : null;
  const write = (stage: KernelStage): void => {
    const { b } = stage;
    const [diagonal, above, scales] = [t.diagonal, t.above, t.scale].map((memory) => stage.scratch(memory, 'read'));
    const [work, order, sorted] = [stage.scratch(values, 'write'), stage.scratch(ranks, 'write'), stage.output(output)];
    const site = stage.site('a singular value', n);
    b.region('matrix', batch, (v) => {
      const m: Matrix = { buf: work, base: variable(v, 3 * row), stride: row };
      eachVector(b, ZERO, row, (at) => {
        setVector(b, m, D, at, b.load(diagonal, plus(variable(v, row), at), 1, b.lanes));
        setVector(b, m, E, at, b.load(above, plus(variable(v, row), at), 1, b.lanes));
      });
      const recorders = records
        ? {
            left: new Recorder(stage, records.left, variable(v)),
            right: new Recorder(stage, records.right, variable(v)),
          }
        : null;
      const failed = iterate(b, m, n, site, recorders);
      recorders?.left.end();
      recorders?.right.end();
      eachVector(b, ZERO, row, (at) => setVector(b, m, A, at, b.unary('abs', vector(b, m, D, at))));
      const scale = b.load(scales, variable(v), 0, 1);
      rankRow(b, { ...m, base: shift(m.base, 2 * row) }, n, failed, true, (i, rank, isBad) => {
        b.store(order, plus(variable(v, n), i), 1, 1, rank);
        const value = b.binary('mul', scalar(b, m, A, i), scale);
        const dyn = { index: b.guard(rank, n, site), scale: 1 };
        b.store(sorted, variable(v, n), 1, 1, b.select(isBad, b.real(Number.NaN), value), dyn);
      });
    });
  };
  context.kernel('values', write, { total: batch * 60 * n * n });
  return { ranks, values, records };
}

interface Recorders {
  readonly left: Recorder;
  readonly right: Recorder;
}

/**
 * From the last value up: if what stands above it is negligible, against the norm of the whole, it is found; otherwise a sweep chases
 * the bulge down its block. Gives whether it did not converge.
 */
function iterate(b: KernelBuilder, m: Matrix, n: number, site: number, recorders: Recorders | null): Reg {
  const bound = b.binary('mul', largestSum(b, m, n), b.real(halfUnit(b)));
  const k = b.acc(b.i32(n - 1));
  const failed = b.acc(b.i32(0));
  b.loop('step', 0, 32 * n + 32, () => {
    b.when(b.compare('ge', k, b.i32(0)), () => {
      const l = blockStart(b, m, k, n, bound);
      const length = b.binary('sub', k, l);
      const isFound = b.compare('eq', length, b.i32(0));
      const room = recorders ? recorders.left.hasRoom(length) : b.compare('eq', length, length);
      const givesUp = b.binary('and', b.unary('not', isFound), b.unary('not', room));
      b.set(failed, b.binary('or', failed, b.convert('maskToI32', givesUp)));
      const next = b.select(isFound, b.binary('sub', k, b.i32(1)), b.select(givesUp, b.i32(-1), k));
      b.when(b.binary('and', b.unary('not', isFound), room), () => {
        const isSingular = b.compare('le', smallest(b, m, l, k, n), bound);
        sweep(b, m, { l, k, length, n, site, isSingular }, recorders);
      });
      b.set(k, next);
    });
  });
  return b.binary('or', b.compare('ge', k, b.i32(0)), b.convert('i32ToMask', failed));
}

/** max of |d_i| + |e_i|. */
function largestSum(b: KernelBuilder, m: Matrix, n: number): Reg {
  const most = b.acc(b.real(0));
  eachVector(b, ZERO, padded(n, b.lanes), (at) => {
    const sum = b.binary('add', b.unary('abs', vector(b, m, D, at)), b.unary('abs', vector(b, m, E, at)));
    // The NaN of the padding, and any other, is passed over.
    b.set(most, b.select(b.compare('gt', sum, most), sum, most));
  });
  return b.reduceLanes('max', most, b.lanes);
}

/** The last place up to k above which nothing counts (place 0 at the latest). NaN counts as nothing. */
function blockStart(b: KernelBuilder, m: Matrix, k: Reg, n: number, bound: Reg): Reg {
  const best = b.acc(b.i32(0));
  eachVector(b, ZERO, padded(n, b.lanes), (at) => {
    const counts = b.compare('gt', b.unary('abs', vector(b, m, E, at)), bound);
    const place = b.index(at, 1);
    const isCandidate = b.binary('and', b.unary('not', counts), b.compare('le', place, k));
    b.set(best, b.binary('max', best, b.select(isCandidate, place, b.i32(0))));
  });
  return b.reduceLanes('max', best, b.lanes);
}

/** The least |d_i| of the block. */
function smallest(b: KernelBuilder, m: Matrix, l: Reg, k: Reg, n: number): Reg {
  const infinite = b.real(Number.POSITIVE_INFINITY);
  const least = b.acc(infinite);
  eachVector(b, ZERO, padded(n, b.lanes), (at) => {
    const place = b.index(at, 1);
    const isIn = b.binary('and', b.compare('ge', place, l), b.compare('le', place, k));
    b.set(least, b.binary('min', least, b.select(isIn, b.unary('abs', vector(b, m, D, at)), infinite)));
  });
  return b.reduceLanes('min', least, b.lanes);
}

interface Block {
  readonly l: Reg;
  readonly k: Reg;
  readonly length: Reg;
  readonly n: number;
  readonly site: number;
  /** A value of the block is negligible: a sweep without a shift brings it to the end. */
  readonly isSingular: Reg;
}

/** c and s with c x + s y = r, c y - s x = 0; the identity where both are 0. */
function rotation(b: KernelBuilder, x: Reg, y: Reg): { c: Reg; s: Reg; r: Reg } {
  const r = hypot(b, x, y);
  const isZero = b.compare('eq', r, b.real(0));
  const safe = b.select(isZero, b.real(1), r);
  const c = b.select(isZero, b.real(1), b.binary('div', x, safe));
  return { c, s: b.select(isZero, b.real(0), b.binary('div', y, safe)), r };
}

function sweep(b: KernelBuilder, m: Matrix, block: Block, recorders: Recorders | null): void {
  const { l, k, length, n, site } = block;
  const first = { index: b.guard(l, n, site), scale: 1 };
  const last = { index: b.guard(k, n, site), scale: 1 };
  const at = (row: Affine, by: number) => element(m, row, constant(by));
  const load = (row: Affine, by: number, dyn: typeof first) => b.load(m.buf, at(row, by), 0, 1, dyn);
  const mul = (p: Reg, q: Reg) => b.binary('mul', p, q);
  const x = b.acc(load(D, 0, first));
  const f = b.acc(b.select(block.isSingular, load(D, 0, first), shifted(b, m, block)));
  const [c, s] = [b.acc(b.real(1)), b.acc(b.real(1))];
  b.loop(
    't',
    0,
    n,
    (tv) => {
      const t = variable(tv);
      const j = { index: b.guard(b.binary('add', l, b.index(t)), n, site), scale: 1 };
      const above = load(E, 1, j);
      const below = load(D, 1, j);
      const right = rotation(b, f, mul(s, above));
      const g = mul(c, above);
      b.store(m.buf, at(E, 0), 1, 1, right.r, j);
      recorders?.right.rotation(t, right.c, right.s);
      const turnedX = b.fma(x, right.c, mul(g, right.s));
      const turnedG = minusProduct(b, x, right.s, mul(g, right.c));
      const left = rotation(b, turnedX, mul(below, right.s));
      const turnedD = mul(below, right.c);
      b.store(m.buf, at(D, 0), 1, 1, left.r, j);
      recorders?.left.rotation(t, left.c, left.s);
      b.set(f, b.fma(left.c, turnedG, mul(left.s, turnedD)));
      b.set(x, minusProduct(b, left.s, turnedG, mul(left.c, turnedD)));
      b.set(c, left.c);
      b.set(s, left.s);
    },
    { until: length },
  );
  b.store(m.buf, at(E, 0), 1, 1, b.real(0), first);
  b.store(m.buf, at(E, 0), 1, 1, f, last);
  b.store(m.buf, at(D, 0), 1, 1, x, last);
  recorders?.left.endSweep(l, length);
  recorders?.right.endSweep(l, length);
}

/** What the first rotation of a sweep removes against: (d_l^2 - mu) / d_l, mu being the eigenvalue of the last two by two of B^T B. */
function shifted(b: KernelBuilder, m: Matrix, { l, k, n, site }: Block): Reg {
  const load = (row: Affine, by: number, place: Reg) => {
    return b.load(m.buf, element(m, row, constant(by)), 0, 1, { index: b.guard(place, n, site), scale: 1 });
  };
  const mul = (p: Reg, q: Reg) => b.binary('mul', p, q);
  const squares = (p: Reg, q: Reg) => mul(b.binary('sub', p, q), b.binary('add', p, q));
  const before = b.binary('sub', k, b.i32(1));
  const [x, y, z] = [load(D, 0, l), load(D, 0, before), load(D, 0, k)];
  const [g, h] = [load(E, 0, before), load(E, 0, k)];
  const twice = mul(mul(h, y), b.real(2));
  const half = b.binary('div', b.binary('add', squares(y, z), squares(g, h)), twice);
  const root = withSign(b, hypot(b, half, b.real(1)), half);
  const rest = b.binary('sub', b.binary('div', y, b.binary('add', half, root)), h);
  return b.binary('div', b.fma(h, rest, squares(x, z)), x);
}
