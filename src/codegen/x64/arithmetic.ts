/**
 * Instruction selection for arithmetic: each function of numbers as AVX2 or AVX-512. An instruction that computes in several steps writes
 * its result in the last one, since the result's register may be that of an operand.
 */
import { InternalError } from '../../base/errors.ts';
import type { BinaryFn, Instr, NumberType, Reg } from '../../kernel/ir.ts';
import type { Mnemonic } from './encodings.ts';
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
export function dest(values: Values, i: { readonly out: Reg }, a: Register): [Register, Register] {
  return [values.destination(i.out), a];
}

// ---- binary ------------------------------------------------------------------------------------------------------------

export interface Simple {
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
export function twoSources(values: Values, op: Simple, a: Reg, b: Reg, destination: () => Register): void {
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
