/**
 * What kernels of linear algebra share: matrices in buffers, loops whose vectors start on a grid, reductions over a row, scaling
 * that cannot overflow. Work is done on scratch copies whose rows are padded to whole vectors, so that only copies in and out
 * have ragged ends. Knows no algorithm.
 */
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../../kernel/ir.ts';
import type { Shape } from '../../types/shape.ts';
import { sizeOf } from '../../types/shape.ts';

/** Rows `stride` apart, from element `base` of a buffer on. */
export interface Matrix {
  readonly buf: number;
  readonly base: Affine;
  readonly stride: number;
}

export function element({ base, stride }: Matrix, row: Affine, column: Affine): Affine {
  return plus(base, plus(times(row, stride), column));
}

/** The matrices of a tensor [..., rows, columns]. */
export function batchOf(shape: Shape): number {
  return sizeOf(shape.slice(0, -2));
}

export function padded(extent: number, block: number): number {
  return Math.ceil(extent / block) * block;
}

/** Rows that are updated together, so that their sums do not wait for each other; a vector's start is the start of such a group. */
export function groupOf(lanes: number): number {
  return Math.min(4, lanes);
}

/** One element in every lane. */
export function scalar(b: KernelBuilder, m: Matrix, row: Affine, column: Affine): Reg {
  return b.load(m.buf, element(m, row, column), 0, 1);
}

export function setScalar(b: KernelBuilder, m: Matrix, row: Affine, column: Affine, value: Reg): void {
  b.store(m.buf, element(m, row, column), 1, 1, value);
}

/** A whole vector of a padded row. */
export function vector(b: KernelBuilder, m: Matrix, row: Affine, column: Affine): Reg {
  return b.load(m.buf, element(m, row, column), 1, b.lanes);
}

export function setVector(b: KernelBuilder, m: Matrix, row: Affine, column: Affine, value: Reg): void {
  b.store(m.buf, element(m, row, column), 1, b.lanes, value);
}

/** k = 0 .. n-1 in order; `start` is the first place of the vector on the grid that holds k. */
export function eachOnGrid(b: KernelBuilder, name: string, n: number, body: (k: Affine, start: Affine) => void): void {
  if (n <= 0) return;
  b.loop(`${name}b`, 0, Math.ceil(n / b.lanes), (block) => {
    const start = variable(block, b.lanes);
    b.loop(name, [start], [shift(start, b.lanes), constant(n)], (k) => body(variable(k), start));
  });
}

/** Whole vectors from `start` to the padded end. */
export function eachVector(b: KernelBuilder, start: Affine, end: number, body: (at: Affine) => void): void {
  b.loop('v', [start], [constant(end)], (v) => body(variable(v)), { step: b.lanes });
}

/** Vectors of a row of `extent` elements that is not padded: the last one has fewer lanes. */
export function eachRagged(b: KernelBuilder, extent: number, body: (at: Affine, lanes: number) => void): void {
  const whole = extent - (extent % b.lanes);
  if (whole > 0) b.loop('v', 0, whole, (v) => body(variable(v), b.lanes), { step: b.lanes });
  if (whole < extent) body(constant(whole), extent - whole);
}

/** The coordinates start, start + 1, ... as i32. */
export function places(b: KernelBuilder, start: Affine): Reg {
  return b.index(start, 1);
}

/** fma(-a, x, y). */
export function minusProduct(b: KernelBuilder, a: Reg, x: Reg, y: Reg): Reg {
  return b.fma(b.unary('neg', a), x, y);
}

/** Half a unit in the last place of 1. */
export function halfUnit(b: KernelBuilder): number {
  return b.realType === 'f64' ? 2 ** -53 : 2 ** -24;
}

/** Sum of all lanes of all vectors that `term` gives, from `start` to `end`, in every lane. */
export function sumOver(b: KernelBuilder, start: Affine, end: number, add: (acc: Reg, at: Affine) => void): Reg {
  const acc = b.acc(b.real(0));
  eachVector(b, start, end, (at) => add(acc, at));
  return b.reduceLanes('add', acc, b.lanes);
}

/** The power of two at or below |x| in every lane; 1 where x is 0 or denormal. Multiplying and dividing by it is exact. */
export function powerOfTwo(b: KernelBuilder, x: Reg): Reg {
  const wide = b.realType === 'f64';
  const all = b.convert(wide ? 'bitsToI64' : 'bitsToI32', x);
  const bits = b.binary('and', all, b.like(all, wide ? 0x7ff0000000000000n : 0x7f800000));
  const power = b.convert(wide ? 'bitsToF64' : 'bitsToF32', bits);
  return b.select(b.compare('eq', bits, b.like(bits, 0)), b.real(1), power);
}

/** sqrt(x^2 + y^2) without overflow: the larger one times sqrt(1 + ratio^2). */
export function hypot(b: KernelBuilder, x: Reg, y: Reg): Reg {
  const [a, c] = [b.unary('abs', x), b.unary('abs', y)];
  const large = b.binary('max', a, c);
  const small = b.binary('min', a, c);
  const isZero = b.compare('eq', large, b.real(0));
  const ratio = b.binary('div', small, b.select(isZero, b.real(1), large));
  return b.binary('mul', large, b.unary('sqrt', b.fma(ratio, ratio, b.real(1))));
}

/** |x| with the sign of y (a negative zero counts as positive). */
export function withSign(b: KernelBuilder, x: Reg, y: Reg): Reg {
  const size = b.unary('abs', x);
  return b.select(b.compare('lt', y, b.real(0)), b.unary('neg', size), size);
}

/** The work that batches share: how many columns of one matrix a chunk takes, and over what the region runs. */
export function eachBlock(
  b: KernelBuilder,
  batch: number,
  extent: number,
  block: number,
  body: (matrix: Affine, at: Affine, width: number) => void,
): void {
  const whole = Math.floor(extent / block);
  const rest = extent - whole * block;
  const overBatch = batch >= 16;
  if (whole > 0 && overBatch) {
    b.region('matrix', batch, (m) => b.loop('block', 0, whole, (c) => body(variable(m), variable(c, block), block)));
  } else if (whole > 0) {
    b.region('block', whole, (c) => b.loop('matrix', 0, batch, (m) => body(variable(m), variable(c, block), block)));
  }
  if (rest > 0) b.region('rest', batch, (m) => body(variable(m), constant(whole * block), rest));
}

/** The power of two next to the largest element is written down; gives one over it. */
export function scaleOf(b: KernelBuilder, from: Matrix, n: number, scales: number, matrix: Affine): Reg {
  const most = b.acc(b.real(0));
  b.loop('i', 0, n, (i) => {
    eachRagged(b, n, (j, lanes) => {
      const x = b.load(from.buf, element(from, variable(i), j), 1, lanes);
      b.set(most, b.binary('max', most, b.unary('abs', x)));
    });
  });
  const power = powerOfTwo(b, b.reduceLanes('max', most, b.lanes));
  b.store(scales, matrix, 1, 1, power);
  return b.binary('div', b.real(1), power);
}
