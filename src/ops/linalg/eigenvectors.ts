/**
 * Eigenvectors of a general matrix whose Schur form and eigenvalues are known: those of the triangle by substitution, all columns side
 * by side, and from them those of the matrix. Knows neither how the form was found nor the op.
 */
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../../kernel/ir.ts';
import type { KernelsContext, ScratchMemory } from '../lowering.ts';
import { DECISIVE } from './dense.ts';
import type { Matrix } from './kernel.ts';
import {
  eachBlock,
  eachRagged,
  eachVector,
  element,
  minusProduct,
  padded,
  places,
  scalar,
  setVector,
  sumOver,
  vector,
  halfUnit,
} from './kernel.ts';
import type { Schur } from './schur.ts';
import { basisOf, formOf } from './schur.ts';

const ZERO = constant(0);

// ---- eigenvalues, as the vectors read them ------------------------------------------------------------------------------

/** Real and imaginary parts as they stand on T's diagonal, two rows for each matrix, and the place of each in order. */
export interface Values {
  readonly parts: ScratchMemory;
  readonly row: number;
  readonly ranks: ScratchMemory;
}

export function valuesOf(matrix: Affine, buf: number, row: number): Matrix {
  return { buf, base: times(matrix, 2 * row), stride: row };
}
export const RE = constant(0);
export const IM = constant(1);

// ---- eigenvectors of the triangle --------------------------------------------------------------------------------------

/** A complex number in each lane. */
interface Complex {
  readonly re: Reg;
  readonly im: Reg;
}

/** Arithmetic on pairs of registers. */
function complexOf(b: KernelBuilder) {
  const each = (x: Complex, y: Complex, of: (x: Reg, y: Reg) => Reg): Complex => ({
    re: of(x.re, y.re),
    im: of(x.im, y.im),
  });
  const times = (x: Complex, y: Complex): Complex => ({
    re: minusProduct(b, x.im, y.im, b.binary('mul', x.re, y.re)),
    im: b.fma(x.im, y.re, b.binary('mul', x.re, y.im)),
  });
  return {
    sub: (x: Complex, y: Complex) => each(x, y, (p, q) => b.binary('sub', p, q)),
    select: (mask: Reg, x: Complex, y: Complex) => each(x, y, (p, q) => b.select(mask, p, q)),
    by: (x: Complex, factor: Reg) => each(x, x, (p) => b.binary('mul', p, factor)),
    neg: (x: Complex) => each(x, x, (p) => b.unary('neg', p)),
    times,
    /** x / y, with `least` in y's place where y is smaller: what a perturbation by rounding would have made of it. */
    over(x: Complex, y: Complex, least: Reg): Complex {
      const size = b.fma(y.re, y.re, b.binary('mul', y.im, y.im));
      const isSmall = b.compare('lt', size, b.binary('mul', least, least));
      const d = { re: b.select(isSmall, least, y.re), im: b.select(isSmall, b.real(0), b.unary('neg', y.im)) };
      const inverse = b.binary('div', b.real(1), b.select(isSmall, b.binary('mul', least, least), size));
      return each(times(x, d), d, (p) => b.binary('mul', p, inverse));
    },
  };
}

/** Where a component is beyond this, its column so far is divided by it. */
const LARGE = 2 ** 30;

/** Two matrices [rows, stride] of real and imaginary parts: column k is the eigenvector of T for its k-th eigenvalue. */
interface Columns {
  readonly x: ScratchMemory;
  readonly stride: number;
  readonly size: number;
}

function partsAt({ stride, size }: Columns, buf: number, matrix: Affine): [Matrix, Matrix] {
  const base = times(matrix, 2 * size);
  return [
    { buf, base, stride },
    { buf, base: plus(base, constant(size)), stride },
  ];
}

/** (T - w I) x = 0 from the last row up, with x_k = 1 and zeros below; a vector's lanes are neighbouring eigenvalues. */
export function substitutionStage(
  context: KernelsContext,
  batch: number,
  n: number,
  schur: Schur,
  values: Values,
): Columns {
  const stride = padded(n, context.lanes);
  // A row more than there are components, which the last row's step does not reach but names.
  const size = (n + 1) * stride;
  const columns: Columns = { x: context.scratch(context.realType, batch * 2 * size), stride, size };
  context.kernel(
    'substitution',
    (stage) => {
      const { b } = stage;
      const [form, parts] = [schur.t, values.parts].map((m) => stage.scratch(m, 'read'));
      const x = stage.scratch(columns.x, 'write');
      eachBlock(b, batch, stride, b.lanes, (matrix, at) => {
        const w = valuesOf(matrix, parts, values.row);
        const known = (part: Affine) => {
          const value = vector(b, w, part, at);
          // Behind the last eigenvalue there is none.
          return b.select(b.compare('eq', value, value), value, b.real(0));
        };
        const t = formOf(schur, form, matrix);
        substitute(b, n, t, partsAt(columns, x, matrix), at, { re: known(RE), im: known(IM) });
      });
    },
    { total: batch * 4 * n ** 3 },
  );
  return columns;
}

function substitute(b: KernelBuilder, n: number, t: Matrix, parts: [Matrix, Matrix], at: Affine, w: Complex): void {
  const c = complexOf(b);
  const zero = b.real(0);
  const [none, one] = [
    { re: zero, im: zero },
    { re: b.real(1), im: zero },
  ];
  const least = b.real(2 * halfUnit(b));
  const column = places(b, at);
  const set = (row: Affine, value: Complex) => {
    setVector(b, parts[0], row, at, value.re);
    setVector(b, parts[1], row, at, value.im);
  };
  const get = (row: Affine): Complex => ({ re: vector(b, parts[0], row, at), im: vector(b, parts[1], row, at) });
  const element = (row: Affine, by: number): Complex => ({ re: scalar(b, t, row, shift(row, by)), im: zero });
  const isBefore = (row: Affine) => b.compare('lt', b.index(row), column);
  const isAt = (row: Affine) => b.compare('eq', b.index(row), column);
  // The lower row of a block of two waits for the upper one.
  const [waitingRe, waitingIm] = [b.acc(zero), b.acc(zero)];
  b.loop('step', 0, n, (step) => {
    const i = plus(constant(n - 1), variable(step, -1));
    const [re, im] = [b.acc(zero), b.acc(zero)];
    b.loop('j', [shift(i, 1)], [constant(n)], (jv) => {
      const factor = scalar(b, t, i, variable(jv));
      b.fmaAcc(re, factor, vector(b, parts[0], variable(jv), at));
      b.fmaAcc(im, factor, vector(b, parts[1], variable(jv), at));
    });
    const rest = { re, im };
    const isUpper = b.compare('ne', scalar(b, t, shift(i, 1), i), zero);
    const isLower = b.compare('ne', scalar(b, t, i, shift(i, -1)), zero);
    const diagonal = c.sub(element(i, 0), w);
    const alone = c.over(c.neg(rest), diagonal, least);
    set(i, c.select(isLower, none, c.select(isAt(i), one, c.select(isBefore(i), alone, none))));
    b.when(isUpper, () => {
      const q = shift(i, 1);
      const below = { re: scalar(b, t, q, i), im: zero };
      const [beside, corner] = [element(i, 1), c.sub({ re: scalar(b, t, q, q), im: zero }, w)];
      const lower = { re: waitingRe, im: waitingIm };
      const determinant = c.sub(c.times(diagonal, corner), c.times(beside, below));
      const solved = (numerator: Complex) => c.over(numerator, determinant, least);
      const upperValue = solved(c.sub(c.times(beside, lower), c.times(rest, corner)));
      const lowerValue = solved(c.sub(c.times(below, rest), c.times(diagonal, lower)));
      // Of the block's own two eigenvalues: x_q = 1, and the lower row gives x_i.
      const isOwn = b.binary('or', isAt(i), isAt(q));
      const own = c.by(c.neg(corner), b.binary('div', b.real(1), below.re));
      const isAbove = isBefore(q);
      set(i, c.select(isOwn, own, c.select(isAbove, upperValue, none)));
      set(q, c.select(isOwn, one, c.select(isAbove, lowerValue, none)));
    });
    b.set(waitingRe, re);
    b.set(waitingIm, im);
    keepSmall(b, n, parts, at, i, get);
  });
}

/** Divides columns whose newest components, row i and the one after it, are large. */
function keepSmall(
  b: KernelBuilder,
  n: number,
  parts: readonly Matrix[],
  at: Affine,
  i: Affine,
  get: (row: Affine) => Complex,
): void {
  const { re, im } = get(i);
  const size = b.binary('max', b.unary('abs', re), b.unary('abs', im));
  const isLarge = b.compare('gt', size, b.real(LARGE));
  b.when(b.compare('gt', b.reduceLanes('max', size, b.lanes), b.real(LARGE)), () => {
    const factor = b.binary('div', b.real(1), b.select(isLarge, size, b.real(1)));
    b.loop('j', [i], [constant(n)], (j) => {
      for (const part of parts) {
        setVector(b, part, variable(j), at, b.binary('mul', vector(b, part, variable(j), at), factor));
      }
    });
  });
}

// ---- eigenvectors of the matrix ----------------------------------------------------------------------------------------

/** Eigenvectors that one pass over Z^T makes. */
const GROUP = 4;

/** V = Z X, each column of length 1 and its first (nearly) largest component real and positive, written to its place in order. */
export function vectorsStage(
  context: KernelsContext,
  batch: number,
  n: number,
  s: Schur,
  values: Values,
  x: Columns,
): void {
  const stride = padded(n + 1, context.lanes);
  const size = padded(n, GROUP) * stride;
  const rows: Columns = { x: context.scratch(context.realType, batch * 2 * size), stride, size };
  context.kernel(
    'vectors',
    (stage) => {
      const { b } = stage;
      const [basis, order, failures] = [s.zt as ScratchMemory, values.ranks, s.failed].map((m) =>
        stage.scratch(m, 'read'),
      );
      const [from, to] = [stage.scratch(x.x, 'read'), stage.scratch(rows.x, 'write')];
      const outputs = [stage.output(2), stage.output(3)];
      const site = stage.site('an eigenvector', n);
      eachBlock(b, batch, n, GROUP, (matrix, first, width) => {
        const [source, target] = [partsAt(x, from, matrix), partsAt(rows, to, matrix)];
        combine(b, n, basisOf(s, basis, matrix), source, target, first, width);
        const isBad = b.convert('i32ToMask', b.load(failures, matrix, 0, 1));
        b.loop('k', [first], [shift(first, width)], (kv) => {
          const k = variable(kv);
          const factor = normalizer(b, n, target, k, site);
          const rank = { index: b.guard(b.load(order, plus(times(matrix, n), k), 0, 1), n, site), scale: 1 };
          eachRagged(b, n, (at, lanes) => {
            const [re, im] = target.map((part) => b.load(part.buf, element(part, k, at), 1, lanes));
            const value = complexOf(b).times({ re, im }, factor.turn);
            const isPivot = b.compare('eq', places(b, at), factor.pivot);
            [value.re, b.select(isPivot, b.real(0), value.im)].forEach((part, o) => {
              const result = b.select(isBad, b.real(Number.NaN), part);
              b.store(outputs[o], plus(times(matrix, n * n), times(at, n)), n, lanes, result, rank);
            });
          });
        });
      });
    },
    { total: batch * 4 * n ** 3 },
  );
}

/** Rows k .. k + width - 1 of the transposed product: sums of Schur vectors. X is zero below the place after its diagonal. */
function combine(
  b: KernelBuilder,
  n: number,
  basis: Matrix,
  source: readonly Matrix[],
  target: readonly Matrix[],
  first: Affine,
  width: number,
): void {
  eachVector(b, ZERO, target[0].stride, (at) => {
    const sums = Array.from({ length: width }, () => source.map(() => b.acc(b.real(0))));
    b.loop('j', [ZERO], [shift(first, width + 1), constant(n)], (jv) => {
      const schur = vector(b, basis, variable(jv), at);
      sums.forEach((parts, g) => {
        parts.forEach((acc, p) => b.fmaAcc(acc, scalar(b, source[p], variable(jv), shift(first, g)), schur));
      });
    });
    sums.forEach((parts, g) => parts.forEach((acc, p) => setVector(b, target[p], shift(first, g), at, acc)));
  });
}

/** What row k is to be multiplied by, and the place of its component that becomes real. */
function normalizer(
  b: KernelBuilder,
  n: number,
  target: readonly Matrix[],
  k: Affine,
  site: number,
): { turn: Complex; pivot: Reg } {
  const end = target[0].stride;
  const most = b.acc(b.real(0));
  for (const part of target) {
    eachVector(b, ZERO, end, (at) => b.set(most, b.binary('max', most, b.unary('abs', vector(b, part, k, at)))));
  }
  const largest = b.reduceLanes('max', most, b.lanes);
  const inverse = b.binary('div', b.real(1), b.select(b.compare('gt', largest, b.real(0)), largest, b.real(1)));
  const squareAt = (at: Affine): Reg => {
    const [re, im] = target.map((part) => b.binary('mul', vector(b, part, k, at), inverse));
    return b.fma(re, re, b.binary('mul', im, im));
  };
  const length = b.unary(
    'sqrt',
    sumOver(b, ZERO, end, (acc, at) => b.set(acc, b.binary('add', acc, squareAt(at)))),
  );
  const top = b.acc(b.real(0));
  eachVector(b, ZERO, end, (at) => b.set(top, b.binary('max', top, squareAt(at))));
  const bound = b.binary('mul', b.reduceLanes('max', top, b.lanes), b.real(DECISIVE * DECISIVE));
  const first = b.acc(b.i32(n - 1));
  eachVector(b, ZERO, end, (at) => {
    const isLarge = b.compare('ge', squareAt(at), bound);
    b.set(first, b.binary('min', first, b.select(isLarge, places(b, at), b.i32(n - 1))));
  });
  const pivot = b.reduceLanes('min', first, b.lanes);
  const place = { index: b.guard(pivot, n, site), scale: 1 };
  const [re, im] = target.map((part) =>
    b.binary('mul', b.load(part.buf, element(part, k, ZERO), 0, 1, place), inverse),
  );
  const size = b.unary('sqrt', b.fma(re, re, b.binary('mul', im, im)));
  const factor = b.binary('div', inverse, b.binary('mul', size, length));
  return { turn: { re: b.binary('mul', re, factor), im: b.unary('neg', b.binary('mul', im, factor)) }, pivot };
}
