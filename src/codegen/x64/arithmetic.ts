/**
 * Instruction selection for values: each function of kernel IR as AVX2. An instruction that computes in several steps writes
 * its result in the last one, since the result's register may be that of an operand.
 */
import { InternalError, invariant } from '../../base/errors.ts';
import type { BinaryFn, CompareFn, Instr, Reg } from '../../kernel/ir.ts';
import type { Mnemonic } from './encodings.ts';
import { floatBits } from './lir.ts';
import type { Memory, Register } from './operands.ts';
import { imm, resized } from './operands.ts';
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
      lir.op('vroundps', ...anywhere(), imm(roundings[i.fn]));
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
  const low = quotientOfFour(values, resized(a, 128), resized(b, 128));
  let quotient: Register = resized(low, values.bits);
  if (values.bits === 256) {
    const [a1, b1] = [values.vec(128), values.vec(128)];
    lir.op('vextractf128', a1, a, imm(1));
    lir.op('vextractf128', b1, b, imm(1));
    const high = quotientOfFour(values, a1, b1);
    quotient = values.vec();
    lir.op('vinsertf128', quotient, resized(low, 256), high, imm(1));
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

function quotientOfFour(values: Values, a: Register, b: Register): Register {
  const { lir } = values;
  const [x, y, q] = [values.vec(256), values.vec(256), values.vec(128)];
  lir.op('vcvtdq2pd', x, a);
  lir.op('vcvtdq2pd', y, b);
  lir.op('vdivpd', x, x, y);
  lir.op('vroundpd', x, x, imm(9));
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

export function compare(values: Values, i: Of<'compare'>): void {
  const { lir } = values;
  if (i.of === 'f32') {
    const swap = values.inMemory(i.a) && !values.inMemory(i.b);
    const a = values.register(swap ? i.b : i.a);
    const b = i.a === i.b ? a : values.operand(swap ? i.a : i.b);
    lir.op('vcmpps', values.destination(i.out), a, b, imm(predicates[swap ? mirrored[i.fn] : i.fn]));
    return;
  }
  const [mnemonic, swapped, inverted] = integerCompares[i.fn];
  const [a, b] = swapped ? [i.b, i.a] : [i.a, i.b];
  const result = inverted ? values.vec() : null;
  const op: Simple = { mnemonic, commutes: mnemonic === 'vpcmpeqd' };
  twoSources(values, op, a, b, () => result ?? values.destination(i.out));
  if (result) lir.op('vxorps', values.destination(i.out), result, lir.splat(-1));
}

export function select(values: Values, i: Of<'select'>): void {
  const { lir } = values;
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
