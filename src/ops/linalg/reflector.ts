/** Householder reflectors in kernels. Knows no factorisation. */
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { shift, variable } from '../../kernel/ir.ts';
import type { Matrix } from './kernel.ts';
import { eachVector, places, powerOfTwo, scalar, setScalar, setVector, vector } from './kernel.ts';

/** A row of a padded matrix. */
export interface Row {
  readonly m: Matrix;
  readonly row: Affine;
}

/**
 * I - tau v v^T turns x into beta e_pivot: v goes to `to` (zeros before the pivot, 1 there), beta to the pivot of `from`, and tau is
 * given in every lane. `start` is the vector on the grid that holds the pivot; places before the pivot are not part of x. beta has
 * the sign opposite to x_pivot, so nothing cancels; the norm is of x over a power of two, so nothing overflows.
 */
export function makeReflector(b: KernelBuilder, from: Row, to: Row, pivot: Affine, start: Affine): Reg {
  const x = (at: Affine) => vector(b, from.m, from.row, at);
  const end = from.m.stride;
  const isIn = b.compare('ge', places(b, start), b.index(pivot));
  const isPivot = b.compare('eq', places(b, start), b.index(pivot));
  const zero = b.real(0);
  const next = shift(start, b.lanes);
  const first = b.select(isIn, x(start), zero);
  const most = b.acc(b.unary('abs', first));
  eachVector(b, next, end, (at) => b.set(most, b.binary('max', most, b.unary('abs', x(at)))));
  const scale = powerOfTwo(b, b.reduceLanes('max', most, b.lanes));
  const inverse = b.binary('div', b.real(1), scale);
  const scaled = b.binary('mul', first, inverse);
  const squares = b.acc(b.binary('mul', scaled, scaled));
  eachVector(b, next, end, (at) => {
    const part = b.binary('mul', x(at), inverse);
    b.fmaAcc(squares, part, part);
  });
  const norm = b.binary('mul', b.unary('sqrt', b.reduceLanes('add', squares, b.lanes)), scale);
  const alpha = scalar(b, from.m, from.row, pivot);
  const beta = b.select(b.compare('gt', alpha, zero), b.unary('neg', norm), norm);
  const isZero = b.compare('eq', norm, zero);
  const one = b.real(1);
  const difference = b.select(isZero, one, b.binary('sub', alpha, beta));
  b.loop('v', 0, [start], (at) => setVector(b, to.m, to.row, variable(at), zero), { step: b.lanes });
  setVector(b, to.m, to.row, start, b.select(isPivot, one, b.binary('div', first, difference)));
  eachVector(b, next, end, (at) => setVector(b, to.m, to.row, at, b.binary('div', x(at), difference)));
  setScalar(b, from.m, from.row, pivot, beta);
  return b.select(isZero, zero, b.unary('neg', b.binary('div', difference, beta)));
}
