/**
 * Instruction selection for values: each function of kernel IR as AVX2. An instruction that computes in several steps writes
 * its result in the last one, since the result's register may be that of an operand.
 */
import { InternalError, invariant } from '../../base/errors.ts';
import type { BinaryFn, CompareFn, Instr, Reg } from '../../kernel/ir.ts';
import type { Mnemonic } from './encodings.ts';
import { floatBits } from './lir.ts';
import type { Memory, Register } from './operands.ts';
import { imm, masked, resized } from './operands.ts';
import type { Values } from './values.ts';

type Of<Op extends Instr['op']> = Extract<Instr, { op: Op }>;

const SIGN = -(2 ** 31);

// ---- unary -------------------------------------------------------------------------------------------------------------

const roundings: { readonly [fn: string]: number } = { floor: 9, ceil: 10, round: 8 };

export function unary(values: Values, i: Of<'unary'>): void {
  const { lir } = values;
  const float = i.type === 'f32';
  const inRegister = (): Register => values.register(i.a);
  const anywhere = (): [Register, Register | Memory] => {
    const a = values.operand(i.a);
    return [values.destination(i.out), a];
  };
  switch (i.fn) {
    case 'neg':
      if (float) lir.op('vxorps', ...dest(values, i, inRegister()), lir.splat(SIGN));
      else if (values.wide) negate(values, i);
      else lir.op('vpsignd', ...dest(values, i, inRegister()), lir.splat(-1));
      return;
    case 'abs':
      if (float) lir.op('vandps', ...dest(values, i, inRegister()), lir.splat(0x7fffffff));
      else lir.op('vpabsd', ...anywhere());
      return;
    case 'not':
      lir.op('vxorps', ...dest(values, i, inRegister()), lir.splat(-1));
      return;
    case 'floor':
    case 'ceil':
    case 'round':
      lir.op(values.wide ? 'vrndscaleps' : 'vroundps', ...anywhere(), imm(roundings[i.fn]));
      return;
    case 'sqrt':
      lir.op('vsqrtps', ...anywhere());
      return;
    default:
      throw new InternalError(
        `internal: ${i.fn} must be gone before x64 code is selected; this is a bug in tensorloom`,
      );
  }
}

function negate(values: Values, i: Of<'unary'>): void {
  const zero = values.vec();
  values.lir.op('vxorps', zero, zero, zero);
  const a = values.operand(i.a);
  values.lir.op('vpsubd', values.destination(i.out), zero, a);
}

/** [destination, source], the source read before the destination is named. */
function dest(values: Values, i: { readonly out: Reg }, a: Register): [Register, Register] {
  return [values.destination(i.out), a];
}

// ---- binary ------------------------------------------------------------------------------------------------------------

interface Simple {
  readonly mnemonic: Mnemonic;
  readonly commutes: boolean;
}
const swaps = (mnemonic: Mnemonic): Simple => ({ mnemonic, commutes: true });
const fixed = (mnemonic: Mnemonic): Simple => ({ mnemonic, commutes: false });

/** min and max return the second source where the comparison fails, just as a < b ? a : b does. */
const floats: { readonly [K in BinaryFn]?: Simple } = {
  add: swaps('vaddps'),
  sub: fixed('vsubps'),
  mul: swaps('vmulps'),
  div: fixed('vdivps'),
  min: fixed('vminps'),
  max: fixed('vmaxps'),
};

const integers: { readonly [K in BinaryFn]?: Simple } = {
  add: swaps('vpaddd'),
  sub: fixed('vpsubd'),
  mul: swaps('vpmulld'),
  min: swaps('vpminsd'),
  max: swaps('vpmaxsd'),
  and: swaps('vandps'),
  or: swaps('vorps'),
  xor: swaps('vxorps'),
};

const shifts: { readonly [K in BinaryFn]?: Mnemonic } = { shl: 'vpslld', shr: 'vpsrld', sar: 'vpsrad' };

export function binary(values: Values, i: Of<'binary'>): void {
  const simple = (i.type === 'f32' ? floats : integers)[i.fn];
  if (simple) {
    twoSources(values, simple, i.a, i.b, () => values.destination(i.out));
    return;
  }
  const shift = shifts[i.fn];
  if (shift) {
    const count = values.constantBits(i.b);
    invariant(count !== undefined, `${i.fn} needs a constant count`);
    values.lir.op(shift, ...dest(values, i, values.register(i.a)), imm(count));
    return;
  }
  if (i.type === 'i32' && (i.fn === 'div' || i.fn === 'mod')) {
    divide(values, i);
    return;
  }
  throw new InternalError(
    `internal: ${i.fn} of ${i.type} must be gone before x64 code is selected; this is a bug in tensorloom`,
  );
}

/** out = a op b with b in memory where possible; the destination is asked for once both sources are there. */
function twoSources(values: Values, op: Simple, a: Reg, b: Reg, destination: () => Register): void {
  const swap = op.commutes && values.inMemory(a) && !values.inMemory(b);
  const first = values.register(swap ? b : a);
  // Named twice, a value is in its register by now.
  const second = a === b ? first : values.operand(swap ? a : b);
  values.lir.op(op.mnemonic, destination(), first, second);
}

/**
 * Floor division of integers by doubles: the quotient of two 32-bit integers is never nearer to an integer that it does not
 * reach than a double can tell. Where the divisor is 0 the result is masked to 0.
 */
function divide(values: Values, i: Of<'binary'>): void {
  const { lir } = values;
  const a = values.register(i.a);
  const b = i.a === i.b ? a : values.register(i.b);
  const quotient = quotientOf(values, a, b);
  if (values.wide) {
    finishWide(values, i, a, b, quotient);
    return;
  }
  const zero = values.vec();
  const isZero = values.vec();
  lir.op('vxorps', zero, zero, zero);
  lir.op('vpcmpeqd', isZero, b, zero);
  if (i.fn === 'div') {
    lir.op('vandnps', values.destination(i.out), isZero, quotient);
    return;
  }
  const product = values.vec();
  const rest = values.vec();
  lir.op('vpmulld', product, quotient, b);
  lir.op('vpsubd', rest, a, product);
  lir.op('vandnps', values.destination(i.out), isZero, rest);
}

/** The same with the zeros made by a mask register. */
function finishWide(values: Values, i: Of<'binary'>, a: Register, b: Register, quotient: Register): void {
  const { lir } = values;
  let result = quotient;
  if (i.fn === 'mod') {
    const product = values.vec();
    result = values.vec();
    lir.op('vpmulld', product, quotient, b);
    lir.op('vpsubd', result, a, product);
  }
  const defined = values.masks.fresh();
  lir.op('vpcmpd', defined, b, lir.splat(0), imm(4));
  lir.op('vmovups', masked(values.destination(i.out), defined, true), result);
}

/** Floors of a / b, half a vector at a time; anything where b is 0. */
function quotientOf(values: Values, a: Register, b: Register): Register {
  const { lir, bits } = values;
  if (bits === 128) return quotientOfHalf(values, a, b);
  const half = bits === 512 ? 256 : 128;
  const low = quotientOfHalf(values, resized(a, half), resized(b, half));
  const [a1, b1] = [values.vec(half), values.vec(half)];
  const [extract, insert] = values.wide
    ? (['vextractf64x4', 'vinsertf64x4'] as const)
    : (['vextractf128', 'vinsertf128'] as const);
  lir.op(extract, a1, a, imm(1));
  lir.op(extract, b1, b, imm(1));
  const high = quotientOfHalf(values, a1, b1);
  const quotient = values.vec();
  lir.op(insert, quotient, resized(low, bits), high, imm(1));
  return quotient;
}

function quotientOfHalf(values: Values, a: Register, b: Register): Register {
  const { lir } = values;
  const full = values.wide ? 512 : 256;
  const [x, y, q] = [values.vec(full), values.vec(full), values.vec(values.wide ? 256 : 128)];
  lir.op('vcvtdq2pd', x, a);
  lir.op('vcvtdq2pd', y, b);
  lir.op('vdivpd', x, x, y);
  lir.op(values.wide ? 'vrndscalepd' : 'vroundpd', x, x, imm(9));
  lir.op('vcvttpd2dq', q, x);
  return q;
}

// ---- fused multiply-add ------------------------------------------------------------------------------------------------

export function fma(values: Values, i: Of<'fma'>): void {
  const { lir, facts } = values;
  const [a, b] = values.inMemory(i.a) && !values.inMemory(i.b) ? [i.b, i.a] : [i.a, i.b];
  const wanted = facts.target(i.out) === undefined ? null : values.accumulator(facts.target(i.out)!);
  // In place on the addend: 231.
  const c = values.inMemory(i.c) ? null : inPlace(values, i, i.c, wanted);
  if (c) {
    const x = values.register(a);
    lir.op('vfmadd231ps', c, x, a === b ? x : values.operand(b));
    values.define(i.out, c);
    return;
  }
  // In place on a factor: 213, the addend may be memory.
  for (const [kept, other] of [
    [i.a, i.b],
    [i.b, i.a],
  ]) {
    // A load may as well be loaded here, if the addend is a constant that then stays in memory.
    if (values.constantBits(kept) !== undefined || (values.inMemory(kept) && !values.inMemory(i.c))) continue;
    const x = kept === i.b && i.a === i.b ? null : inPlace(values, i, kept, wanted);
    if (!x || kept === i.c) continue;
    const y = kept === other ? x : values.register(other);
    lir.op('vfmadd213ps', x, y, values.operand(i.c));
    values.define(i.out, x);
    return;
  }
  const x = values.register(a);
  const y = a === b ? x : values.operand(b);
  // An accumulator that is a factor as well must not be overwritten before it is read.
  const clash = wanted !== null && (wanted.id === x.id || (y.kind === 'reg' && y.id === wanted.id));
  const out = wanted && !clash ? wanted : values.vec();
  values.into(i.c, out);
  lir.op('vfmadd231ps', out, x, y);
  if (wanted && out !== wanted) lir.op('vmovups', wanted, out);
  values.define(i.out, wanted ?? out);
}

/** The register of `reg` if the result may replace it there. */
function inPlace(values: Values, i: Instr, reg: Reg, wanted: Register | null): Register | null {
  if (!wanted) {
    values.register(reg);
    return values.dying(reg, i);
  }
  return values.register(reg).id === wanted.id ? wanted : null;
}

export function fmaAcc(values: Values, i: Of<'fmaAcc'>): void {
  const [a, b] = values.inMemory(i.a) && !values.inMemory(i.b) ? [i.b, i.a] : [i.a, i.b];
  const x = values.register(a);
  const y = a === b ? x : values.operand(b);
  values.lir.op('vfmadd231ps', values.accumulator(i.acc), x, y);
}

// ---- compare, select, convert ------------------------------------------------------------------------------------------

/** Ordered and quiet, but ne, which holds for NaN. */
const predicates: { readonly [K in CompareFn]: number } = { eq: 0, ne: 4, lt: 0x11, le: 0x12, gt: 0x1e, ge: 0x1d };

/** The comparison with its operands swapped. */
const mirrored: { readonly [K in CompareFn]: CompareFn } = {
  eq: 'eq',
  ne: 'ne',
  lt: 'gt',
  le: 'ge',
  gt: 'lt',
  ge: 'le',
};

/** AVX2 compares integers by = and > only: [mnemonic, operands swapped, result inverted]. */
const integerCompares: { readonly [K in CompareFn]: readonly [Mnemonic, boolean, boolean] } = {
  eq: ['vpcmpeqd', false, false],
  ne: ['vpcmpeqd', false, true],
  gt: ['vpcmpgtd', false, false],
  lt: ['vpcmpgtd', true, false],
  ge: ['vpcmpgtd', true, true],
  le: ['vpcmpgtd', false, true],
};

/** The same as VPCMPD numbers them. */
const integerPredicates: { readonly [K in CompareFn]: number } = { eq: 0, lt: 1, le: 2, ne: 4, ge: 5, gt: 6 };

export function compare(values: Values, i: Of<'compare'>): void {
  const { lir } = values;
  if (i.of === 'f32' || values.wide) {
    const swap = values.inMemory(i.a) && !values.inMemory(i.b);
    const a = values.register(swap ? i.b : i.a);
    const b = i.a === i.b ? a : values.operand(swap ? i.a : i.b);
    const fn = swap ? mirrored[i.fn] : i.fn;
    const mnemonic = i.of === 'f32' ? 'vcmpps' : 'vpcmpd';
    const predicate = imm((i.of === 'f32' ? predicates : integerPredicates)[fn]);
    if (values.wide) intoMask(values, i.out, (mask) => lir.op(mnemonic, mask, a, b, predicate));
    else lir.op(mnemonic, values.destination(i.out), a, b, predicate);
    return;
  }
  const [mnemonic, swapped, inverted] = integerCompares[i.fn];
  const [a, b] = swapped ? [i.b, i.a] : [i.a, i.b];
  const result = inverted ? values.vec() : null;
  const op: Simple = { mnemonic, commutes: mnemonic === 'vpcmpeqd' };
  twoSources(values, op, a, b, () => result ?? values.destination(i.out));
  if (result) lir.op('vxorps', values.destination(i.out), result, lir.splat(-1));
}

/** A result that arrives in a mask register: as a vector too, which is dropped later if nobody reads it. */
function intoMask(values: Values, out: Reg, write: (mask: Register) => void): void {
  const mask = values.masks.fresh();
  write(mask);
  const vector = values.destination(out);
  values.lir.op('vpmovm2d', vector, mask);
  // An accumulator may change while the mask register stays.
  if (values.facts.target(out) === undefined) values.masks.hold(vector, mask);
}

/** select in AVX-512. */
function blend(values: Values, i: Of<'select'>): void {
  const { lir } = values;
  const onlyA = values.constantBits(i.b) === 0;
  const b = onlyA ? null : values.register(i.b);
  const a = b && i.a === i.b ? b : values.operand(i.a);
  // An accumulator's mask register would outlive its value.
  const vector = values.register(i.mask);
  const mask = values.facts.isAccumulator(i.mask) ? freshMask(values, vector) : values.masks.of(vector);
  const out = values.destination(i.out);
  if (b) lir.op('vblendmps', masked(out, mask, false), b, a);
  else lir.op('vmovups', masked(out, mask, true), a);
}

function freshMask(values: Values, vector: Register): Register {
  const mask = values.masks.fresh();
  values.lir.op('vpmovd2m', mask, vector);
  return mask;
}

export function select(values: Values, i: Of<'select'>): void {
  const { lir } = values;
  if (values.wide) {
    blend(values, i);
    return;
  }
  const mask = values.register(i.mask);
  if (values.constantBits(i.b) === 0) {
    const a = values.operand(i.a);
    lir.op('vandps', values.destination(i.out), mask, a);
  } else if (values.constantBits(i.a) === 0) {
    const b = values.operand(i.b);
    lir.op('vandnps', values.destination(i.out), mask, b);
  } else {
    const b = values.register(i.b);
    const a = i.a === i.b ? b : values.operand(i.a);
    lir.op('vblendvps', values.destination(i.out), b, a, mask);
  }
}

export function convert(values: Values, i: Of<'convert'>): void {
  const { lir } = values;
  switch (i.fn) {
    case 'bitsToF32':
    case 'bitsToI32': {
      // The same bits: no instruction unless somebody waits for them in a certain register.
      const a = values.register(i.a);
      const free = values.facts.target(i.out) === undefined && values.dying(i.a, i) !== null;
      if (free) values.define(i.out, a);
      else lir.op('vmovups', values.destination(i.out), a);
      return;
    }
    case 'i32ToF32': {
      const a = values.operand(i.a);
      lir.op('vcvtdq2ps', values.destination(i.out), a);
      return;
    }
    case 'maskToI32':
      lir.op('vpsrld', ...dest(values, i, values.register(i.a)), imm(31));
      return;
    case 'i32ToMask': {
      if (values.wide) {
        const vector = values.register(i.a);
        intoMask(values, i.out, (mask) => lir.op('vpcmpd', mask, vector, lir.splat(0), imm(4)));
        return;
      }
      const [zero, equal] = [values.vec(), values.vec()];
      const a = values.operand(i.a);
      lir.op('vxorps', zero, zero, zero);
      lir.op('vpcmpeqd', equal, zero, a);
      lir.op('vxorps', values.destination(i.out), equal, lir.splat(-1));
      return;
    }
    case 'f32ToI32': {
      // The instruction gives 0x80000000 for NaN and whatever does not fit: turn that into 0x7fffffff above, 0 for NaN.
      const a = values.register(i.a);
      if (values.wide) {
        const [cut, clamped] = [values.vec(), values.vec()];
        const [above, number] = [values.masks.fresh(), values.masks.fresh()];
        lir.op('vcvttps2dq', cut, a);
        lir.op('vcmpps', above, a, lir.splat(floatBits(2 ** 31)), imm(0x1d));
        lir.op('vcmpps', number, a, a, imm(7));
        lir.op('vblendmps', masked(clamped, above, false), cut, lir.splat(0x7fffffff));
        lir.op('vmovups', masked(values.destination(i.out), number, true), clamped);
        return;
      }
      const [whole, above, number] = [values.vec(), values.vec(), values.vec()];
      lir.op('vcvttps2dq', whole, a);
      lir.op('vcmpps', above, a, lir.splat(floatBits(2 ** 31)), imm(0x1d));
      lir.op('vcmpps', number, a, a, imm(7));
      lir.op('vxorps', whole, whole, above);
      lir.op('vandps', values.destination(i.out), whole, number);
      return;
    }
  }
}
