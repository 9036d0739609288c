/** Instruction selection for conversions between types. Lanes of 32 bits lie in the lower half of a register where others have 64. */
import type { Instr } from '../../kernel/ir.ts';
import { dest } from './arithmetic.ts';
import { intoMask, intoVector, narrowed } from './comparisons.ts';
import { floatBits } from './lir.ts';
import type { Memory } from './operands.ts';
import { imm, masked, resized } from './operands.ts';
import type { Values } from './values.ts';

type Of<Op extends Instr['op']> = Extract<Instr, { op: Op }>;

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
