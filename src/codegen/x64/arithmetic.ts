/**
 * Instruction selection for values: each function of kernel IR as AVX2. An instruction that computes in several steps writes
 * its result in the last one, since the result's register may be that of an operand.
 */
import { InternalError } from '../../base/errors.ts';
import type { BinaryFn, CompareFn, Instr, NumberType, Reg } from '../../kernel/ir.ts';
import { isWide } from '../../kernel/ir.ts';
import type { Mnemonic } from './encodings.ts';
import { floatBits } from './lir.ts';
import { roundToHalf } from './narrow-access.ts';
import type { Memory, Register } from './operands.ts';
import { imm, masked, resized } from './operands.ts';
import type { Values } from './values.ts';

type Of<Op extends Instr['op']> = Extract<Instr, { op: Op }>;

const SIGN = -(2 ** 31);

// ---- unary -------------------------------------------------------------------------------------------------------------

const roundings: { readonly [fn: string]: number } = { floor: 9, ceil: 10, round: 8 };

export function unary(values: Values, i: Of<'unary'>): void {
  const { lir } = values;
  const double = i.type === 'f64';
  const float = i.type === 'f32' || double;
  const inRegister = (): Register => values.register(i.a);
  const anywhere = (): [Register, Register | Memory] => {
    const a = values.operand(i.a);
    return [values.destination(i.out), a];
  };
  switch (i.fn) {
    case 'neg':
      if (float) lir.op('vxorps', ...dest(values, i, inRegister()), lir.splat(double ? 0 : SIGN, SIGN));
      else if (values.wide || i.type === 'i64') negate(values, i);
      else lir.op('vpsignd', ...dest(values, i, inRegister()), lir.splat(-1));
      return;
    case 'abs':
      if (float) lir.op('vandps', ...dest(values, i, inRegister()), lir.splat(double ? -1 : 0x7fffffff, 0x7fffffff));
      else lir.op(i.type === 'i64' ? 'vpabsq' : 'vpabsd', ...anywhere());
      return;
    case 'not':
      lir.op('vxorps', ...dest(values, i, inRegister()), lir.splat(-1));
      return;
    case 'floor':
    case 'ceil':
    case 'round':
      lir.op(roundingOf(values.wide, double), ...anywhere(), imm(roundings[i.fn]));
      return;
    case 'toF16':
      roundToHalf(values, i);
      return;
    case 'sqrt':
      lir.op(double ? 'vsqrtpd' : 'vsqrtps', ...anywhere());
      return;
    default:
      throw new InternalError(
        `internal: ${i.fn} must be gone before x64 code is selected; this is a bug in tensorloom`,
      );
  }
}

function roundingOf(wide: boolean, double: boolean): Mnemonic {
  if (wide) return double ? 'vrndscalepd' : 'vrndscaleps';
  return double ? 'vroundpd' : 'vroundps';
}

function negate(values: Values, i: Of<'unary'>): void {
  const zero = values.vec();
  values.lir.op('vxorps', zero, zero, zero);
  const a = values.operand(i.a);
  values.lir.op(i.type === 'i64' ? 'vpsubq' : 'vpsubd', values.destination(i.out), zero, a);
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

const bitwise: { readonly [K in BinaryFn]?: Simple } = {
  and: swaps('vandps'),
  or: swaps('vorps'),
  xor: swaps('vxorps'),
};

/** min and max of floats return the second source where the comparison fails, just as a < b ? a : b does. */
const simple: { readonly [T in NumberType | 'mask']: { readonly [K in BinaryFn]?: Simple } } = {
  f32: {
    add: swaps('vaddps'),
    sub: fixed('vsubps'),
    mul: swaps('vmulps'),
    div: fixed('vdivps'),
    min: fixed('vminps'),
    max: fixed('vmaxps'),
  },
  f64: {
    add: swaps('vaddpd'),
    sub: fixed('vsubpd'),
    mul: swaps('vmulpd'),
    div: fixed('vdivpd'),
    min: fixed('vminpd'),
    max: fixed('vmaxpd'),
  },
  i32: {
    ...bitwise,
    add: swaps('vpaddd'),
    sub: fixed('vpsubd'),
    mul: swaps('vpmulld'),
    min: swaps('vpminsd'),
    max: swaps('vpmaxsd'),
  },
  // Those that AVX2 lacks are gone before it is asked.
  i64: {
    ...bitwise,
    add: swaps('vpaddq'),
    sub: fixed('vpsubq'),
    mul: swaps('vpmullq'),
    min: swaps('vpminsq'),
    max: swaps('vpmaxsq'),
  },
  mask: bitwise,
};

const shifts: { readonly [T in 'i32' | 'i64']: { readonly [K in BinaryFn]?: Mnemonic } } = {
  i32: { shl: 'vpslld', shr: 'vpsrld', sar: 'vpsrad' },
  i64: { shl: 'vpsllq', shr: 'vpsrlq', sar: 'vpsraq' },
};

export function binary(values: Values, i: Of<'binary'>): void {
  if (i.type === 'i64' && i.fn === 'mul' && !values.wide) {
    const a = values.register(i.a);
    const b = i.a === i.b ? a : values.register(i.b);
    multiplyLong(values, () => values.destination(i.out), a, b);
    return;
  }
  const direct = simple[i.type][i.fn];
  if (direct) {
    twoSources(values, direct, i.a, i.b, () => values.destination(i.out));
    return;
  }
  const shift = i.type === 'i32' || i.type === 'i64' ? shifts[i.type][i.fn] : undefined;
  if (shift) {
    const count = values.shiftCount(i.b);
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

/** The low 64 bits of a product, of the three products of 32-bit halves that reach them. */
export function multiplyLong(values: Values, destination: () => Register, a: Register, b: Register): void {
  const { lir } = values;
  const bits = a.bits as 128 | 256;
  const [high, cross, other, low] = [values.vec(bits), values.vec(bits), values.vec(bits), values.vec(bits)];
  lir.op('vpsrlq', high, a, imm(32));
  lir.op('vpmuludq', cross, high, b);
  lir.op('vpsrlq', high, b, imm(32));
  lir.op('vpmuludq', other, high, a);
  lir.op('vpaddq', cross, cross, other);
  lir.op('vpsllq', cross, cross, imm(32));
  lir.op('vpmuludq', low, a, b);
  lir.op('vpaddq', destination(), low, cross);
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
  const [onAddend, onFactor] =
    i.type === 'f64' ? (['vfmadd231pd', 'vfmadd213pd'] as const) : (['vfmadd231ps', 'vfmadd213ps'] as const);
  const [a, b] = values.inMemory(i.a) && !values.inMemory(i.b) ? [i.b, i.a] : [i.a, i.b];
  const wanted = facts.target(i.out) === undefined ? null : values.accumulator(facts.target(i.out)!);
  // In place on the addend: 231.
  const c = values.inMemory(i.c) ? null : inPlace(values, i, i.c, wanted);
  if (c) {
    const x = values.register(a);
    lir.op(onAddend, c, x, a === b ? x : values.operand(b));
    values.define(i.out, c);
    return;
  }
  // In place on a factor: 213, the addend may be memory.
  for (const [kept, other] of [
    [i.a, i.b],
    [i.b, i.a],
  ]) {
    // A load may as well be loaded here, if the addend is a constant that then stays in memory.
    if (values.isConstant(kept) || (values.inMemory(kept) && !values.inMemory(i.c))) continue;
    const x = kept === i.b && i.a === i.b ? null : inPlace(values, i, kept, wanted);
    if (!x || kept === i.c) continue;
    const y = kept === other ? x : values.register(other);
    lir.op(onFactor, x, y, values.operand(i.c));
    values.define(i.out, x);
    return;
  }
  const x = values.register(a);
  const y = a === b ? x : values.operand(b);
  // An accumulator that is a factor as well must not be overwritten before it is read.
  const clash = wanted !== null && (wanted.id === x.id || (y.kind === 'reg' && y.id === wanted.id));
  const out = wanted && !clash ? wanted : values.vec();
  values.into(i.c, out);
  lir.op(onAddend, out, x, y);
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
  const mnemonic = values.facts.accumulatorType(i.acc) === 'f64' ? 'vfmadd231pd' : 'vfmadd231ps';
  values.lir.op(mnemonic, values.accumulator(i.acc), x, y);
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

/** AVX2 compares integers by = and > only: [> instead of =, operands swapped, result inverted]. */
const integerCompares: { readonly [K in CompareFn]: readonly [boolean, boolean, boolean] } = {
  eq: [false, false, false],
  ne: [false, false, true],
  gt: [true, false, false],
  lt: [true, true, false],
  ge: [true, true, true],
  le: [true, false, true],
};

/** The same as VPCMPD and VPCMPQ number them. */
const integerPredicates: { readonly [K in CompareFn]: number } = { eq: 0, lt: 1, le: 2, ne: 4, ge: 5, gt: 6 };

const maskCompares: { readonly [T in NumberType]: Mnemonic } = {
  f32: 'vcmpps',
  f64: 'vcmppd',
  i32: 'vpcmpd',
  i64: 'vpcmpq',
};

export function compare(values: Values, i: Of<'compare'>): void {
  const { lir } = values;
  const float = i.of === 'f32' || i.of === 'f64';
  if (float || values.wide) {
    const swap = values.inMemory(i.a) && !values.inMemory(i.b);
    const a = values.register(swap ? i.b : i.a);
    const b = i.a === i.b ? a : values.operand(swap ? i.a : i.b);
    const fn = swap ? mirrored[i.fn] : i.fn;
    const mnemonic = maskCompares[i.of];
    const predicate = imm((float ? predicates : integerPredicates)[fn]);
    if (values.wide) intoMask(values, i.out, (mask) => lir.op(mnemonic, mask, a, b, predicate));
    else intoVector(values, i.of, i.out, (to) => lir.op(mnemonic, to(), a, b, predicate));
    return;
  }
  const [greater, swapped, inverted] = integerCompares[i.fn];
  const [a, b] = swapped ? [i.b, i.a] : [i.a, i.b];
  const long = i.of === 'i64';
  const mnemonic = greater ? (long ? 'vpcmpgtq' : 'vpcmpgtd') : long ? 'vpcmpeqq' : 'vpcmpeqd';
  const op: Simple = { mnemonic, commutes: !greater };
  intoVector(values, i.of, i.out, (to) => {
    const result = inverted ? values.vec() : null;
    twoSources(values, op, a, b, () => result ?? to());
    if (result) lir.op('vxorps', to(), result, lir.splat(-1));
  });
}

/** A result that arrives in lanes as wide as those of `of`: a mask's may be wider. */
function intoVector(values: Values, of: NumberType, out: Reg, write: (to: () => Register) => void): void {
  const narrow = values.laneBits === 64 && !isWide(of) ? values.vec() : null;
  write(() => narrow ?? values.destination(out));
  if (narrow) values.lir.op('vpmovsxdq', values.destination(out), values.half(narrow));
}

/** The low half of each 64-bit lane, in the lower half of the result. */
function narrowed(values: Values, wide: Register): Register {
  const { lir } = values;
  const out = values.vec();
  if (values.wide) {
    lir.op('vpmovqd', values.half(out), wide);
  } else if (values.bits === 128) {
    lir.op('vpermilps', out, wide, imm(0b1000));
  } else {
    const order = values.vec();
    lir.op(
      'vmovups',
      order,
      lir.constant((l) => (2 * l) % 8),
    );
    lir.op('vpermps', out, order, wide);
  }
  return out;
}

/** A result that arrives in a mask register: as a vector too, which is dropped later if nobody reads it. */
function intoMask(values: Values, out: Reg, write: (mask: Register) => void): void {
  const mask = values.masks.fresh();
  write(mask);
  const vector = values.destination(out);
  values.masks.toVector(vector, mask);
  // An accumulator may change while the mask register stays.
  if (values.facts.target(out) === undefined) values.masks.hold(vector, mask);
}

/** select in AVX-512. */
function blend(values: Values, i: Of<'select'>): void {
  const { lir } = values;
  const wide = isWide(i.type) || (i.type === 'mask' && values.laneBits === 64);
  const onlyA = values.isZero(i.b);
  const b = onlyA ? null : values.register(i.b);
  const a = b && i.a === i.b ? b : values.operand(i.a);
  // An accumulator's mask register would outlive its value.
  const vector = values.register(i.mask);
  const mask = values.facts.isAccumulator(i.mask) ? values.masks.fromVector(vector) : values.masks.of(vector);
  const out = values.destination(i.out);
  if (b) lir.op(wide ? 'vblendmpd' : 'vblendmps', masked(out, mask, false), b, a);
  else lir.op(wide ? 'vmovupd' : 'vmovups', masked(out, mask, true), a);
}

export function select(values: Values, i: Of<'select'>): void {
  const { lir } = values;
  if (values.wide) {
    blend(values, i);
    return;
  }
  let mask = values.register(i.mask);
  if (values.laneBits === 64 && (i.type === 'f32' || i.type === 'i32')) mask = narrowed(values, mask);
  if (values.isZero(i.b)) {
    const a = values.operand(i.a);
    lir.op('vandps', values.destination(i.out), mask, a);
  } else if (values.isZero(i.a)) {
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
    case 'bitsToI32':
    case 'bitsToF64':
    case 'bitsToI64': {
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
      maskToInteger(values, i);
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
      intoVector(values, 'i32', i.out, (to) => lir.op('vxorps', to(), equal, lir.splat(-1)));
      return;
    }
    case 'f32ToI32':
      truncate(values, i, 'vcvttps2dq', lir.splat(floatBits(2 ** 31)), [0x7fffffff, 0x7fffffff]);
      return;
    case 'f64ToI64':
      // Only with AVX-512; without, it is gone before.
      truncate(values, i, 'vcvttpd2qq', lir.splatDouble(2 ** 63), [-1, 0x7fffffff]);
      return;
    case 'f64ToI32':
      doubleToInteger(values, i);
      return;
    case 'i64ToF64': {
      const a = values.operand(i.a);
      lir.op('vcvtqq2pd', values.destination(i.out), a);
      return;
    }
    case 'i64ToI32': {
      const narrow = narrowed(values, values.register(i.a));
      if (values.facts.target(i.out) === undefined) values.define(i.out, narrow);
      else lir.op('vmovups', values.destination(i.out), narrow);
      return;
    }
    default:
      resize(values, i, resizing[i.fn]);
  }
}

const resizing = {
  f32ToF64: 'vcvtps2pd',
  i32ToF64: 'vcvtdq2pd',
  i32ToI64: 'vpmovsxdq',
  f64ToF32: 'vcvtpd2ps',
} as const;

/** Lanes of 32 bits lie in the lower half. */
function resize(values: Values, i: Of<'convert'>, mnemonic: (typeof resizing)[keyof typeof resizing]): void {
  const a = values.register(i.a);
  const out = values.destination(i.out);
  if (i.fn === 'f64ToF32') values.lir.op(mnemonic, values.half(out), a);
  // This one has no form of 128 bits here.
  else if (mnemonic === 'vcvtdq2pd' && values.bits === 128) values.lir.op(mnemonic, resized(out, 256), a);
  else values.lir.op(mnemonic, out, values.half(a));
}

function maskToInteger(values: Values, i: Of<'convert'>): void {
  const { lir, laneBits } = values;
  const vector = values.register(i.a);
  if (laneBits === 32) {
    lir.op('vpsrld', ...dest(values, i, vector), imm(31));
  } else if (values.wide) {
    const mask = values.facts.isAccumulator(i.a) ? values.masks.fromVector(vector) : values.masks.of(vector);
    lir.op('vmovups', masked(values.destination(i.out), mask, true), lir.splat(1));
  } else {
    const narrow = narrowed(values, vector);
    lir.op('vpsrld', values.destination(i.out), narrow, imm(31));
  }
}

/**
 * The instruction gives the least integer for NaN and whatever does not fit: that becomes the greatest one from `end` on, and 0 for
 * NaN.
 */
function truncate(
  values: Values,
  i: Of<'convert'>,
  mnemonic: 'vcvttps2dq' | 'vcvttpd2qq',
  end: Memory,
  [low, high]: readonly [number, number],
): void {
  const { lir } = values;
  const long = mnemonic === 'vcvttpd2qq';
  const compareFloats = long ? 'vcmppd' : 'vcmpps';
  const a = values.register(i.a);
  if (values.wide) {
    const [cut, clamped] = [values.vec(), values.vec()];
    const [above, number] = [values.masks.fresh(), values.masks.fresh()];
    lir.op(mnemonic, cut, a);
    lir.op(compareFloats, above, a, end, imm(0x1d));
    lir.op(compareFloats, number, a, a, imm(7));
    lir.op(long ? 'vblendmpd' : 'vblendmps', masked(clamped, above, false), cut, lir.splat(low, high));
    lir.op(long ? 'vmovupd' : 'vmovups', masked(values.destination(i.out), number, true), clamped);
    return;
  }
  const [whole, above, number] = [values.vec(), values.vec(), values.vec()];
  lir.op(mnemonic, whole, a);
  lir.op(compareFloats, above, a, end, imm(0x1d));
  lir.op(compareFloats, number, a, a, imm(7));
  lir.op('vxorps', whole, whole, above);
  lir.op('vandps', values.destination(i.out), whole, number);
}

/** The limits are doubles, so the operand can be brought between them first; NaN becomes 0. */
function doubleToInteger(values: Values, i: Of<'convert'>): void {
  const { lir } = values;
  const a = values.register(i.a);
  const [low, clamped, number] = [values.vec(), values.vec(), values.vec()];
  lir.op('vminpd', low, a, lir.splatDouble(2 ** 31 - 1));
  lir.op('vmaxpd', clamped, low, lir.splatDouble(-(2 ** 31)));
  if (values.wide) {
    const ordered = values.masks.fresh();
    lir.op('vcmppd', ordered, a, a, imm(7));
    lir.op('vmovupd', masked(number, ordered, true), clamped);
  } else {
    const ordered = values.vec();
    lir.op('vcmppd', ordered, a, a, imm(7));
    lir.op('vandps', number, ordered, clamped);
  }
  // Without AVX-512 it takes a ymm, of which a narrower kernel uses the half that it knows.
  lir.op('vcvttpd2dq', values.half(values.destination(i.out)), resized(number, values.wide ? 512 : 256));
}
