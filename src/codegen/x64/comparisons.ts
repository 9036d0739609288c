/**
 * Instruction selection for comparisons and choices. AVX2 has masks as vectors, AVX-512 in registers of their own; where the kernel
 * holds lanes of 64 bits, masks are as wide and what is compared or chosen may be narrower.
 */
import type { CompareFn, Instr, NumberType, Reg } from '../../kernel/ir.ts';
import { isWide } from '../../kernel/ir.ts';
import { type Simple, twoSources } from './arithmetic.ts';
import type { Mnemonic } from './encodings.ts';
import type { Register } from './operands.ts';
import { imm, masked } from './operands.ts';
import type { Values } from './values.ts';

type Of<Op extends Instr['op']> = Extract<Instr, { op: Op }>;

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
export function intoVector(values: Values, of: NumberType, out: Reg, write: (to: () => Register) => void): void {
  const narrow = values.laneBits === 64 && !isWide(of) ? values.vec() : null;
  write(() => narrow ?? values.destination(out));
  if (narrow) values.lir.op('vpmovsxdq', values.destination(out), values.half(narrow));
}

/** The low half of each 64-bit lane, in the lower half of the result. */
export function narrowed(values: Values, wide: Register): Register {
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
export function intoMask(values: Values, out: Reg, write: (mask: Register) => void): void {
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
