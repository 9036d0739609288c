/** Instruction selection for what looks across lanes or out of the vector unit: index, reduce, guard. */
import { InternalError } from '../../base/errors.ts';
import type { Instr, NumberType, ReduceFn } from '../../kernel/ir.ts';
import { isWide } from '../../kernel/ir.ts';
import { multiplyLong } from './arithmetic.ts';
import type { Mnemonic } from './encodings.ts';
import { isAddressScale } from './memory-access.ts';
import type { Register } from './operands.ts';
import { imm, masked, ptr, resized } from './operands.ts';
import type { Values } from './values.ts';

type Of<Op extends Instr['op']> = Extract<Instr, { op: Op }>;

export function index(values: Values, i: Of<'index'>): void {
  const { lir } = values;
  const { offset, terms } = i.at;
  const steps = (l: number): number => offset + l * i.laneStep;
  if (terms.length === 0) {
    lir.op('vmovups', values.destination(i.out), lir.constant(steps));
    return;
  }
  const scalar = values.pointers.value({ offset: 0, terms });
  const low = values.vec(128);
  lir.op('vmovd', low, resized(scalar, 32));
  if (offset === 0 && i.laneStep === 0) {
    lir.op('vpbroadcastd', values.destination(i.out), low);
    return;
  }
  const all = values.vec();
  lir.op('vpbroadcastd', all, low);
  lir.op('vpaddd', values.destination(i.out), all, lir.constant(steps));
}

const combine: { readonly [T in NumberType]: { readonly [K in ReduceFn]: Mnemonic } } = {
  f32: { add: 'vaddps', mul: 'vmulps', min: 'vminps', max: 'vmaxps' },
  i32: { add: 'vpaddd', mul: 'vpmulld', min: 'vpminsd', max: 'vpmaxsd' },
  f64: { add: 'vaddpd', mul: 'vmulpd', min: 'vminpd', max: 'vmaxpd' },
  i64: { add: 'vpaddq', mul: 'vpmullq', min: 'vpminsq', max: 'vpmaxsq' },
};

/**
 * The tree of the interpreter: the upper half onto the lower one until one lane is left, which then goes everywhere. Lanes of 64
 * bits move as two words.
 */
export function reduce(values: Values, i: Of<'reduce'>): void {
  const { lir } = values;
  const mnemonic = combine[i.type][i.fn];
  const words = isWide(i.type) ? 2 : 1;
  let rest = values.register(i.a);
  for (let n = i.lanes; n > 1; ) {
    const half = (n + 1) >> 1;
    const upper = shiftDown(values, rest, half * words);
    // Only lanes below `half` matter from here on.
    if (half * words <= 4) rest = resized(rest, 128);
    else if (half * words <= 8) rest = resized(rest, 256);
    const combined = values.vec(rest.bits as 128 | 256 | 512);
    const other = resized(upper, rest.bits);
    if (mnemonic === 'vpmullq' && !values.wide) multiplyLong(values, () => combined, rest, other);
    else lir.op(mnemonic, combined, rest, other);
    rest = n % 2 === 1 ? keepLane(values, combined, rest, half - 1, words) : combined;
    n = half;
  }
  broadcast(values, isWide(i.type), values.destination(i.out), rest);
}

/** Lane 0 in every lane. */
function broadcast(values: Values, wide: boolean, out: Register, from: Register): void {
  const mnemonic = !wide ? 'vbroadcastss' : values.bits === 128 ? 'vmovddup' : 'vbroadcastsd';
  values.lir.op(mnemonic, out, resized(from, 128));
}

/** Blocks of four, two and one words of 32 bits: each is one shuffle, and for single words a blend. */
export function exchange(values: Values, i: Of<'exchange'>): void {
  const { lir } = values;
  const { odd } = i;
  const size = i.size * (isWide(i.type) || (i.type === 'mask' && values.laneBits === 64) ? 2 : 1);
  const [a, b] = [values.register(i.a), values.register(i.b)];
  if (values.wide) {
    exchangeWide(values, i, size, a, b);
  } else if (size === 4) {
    lir.op('vperm2f128', values.destination(i.out), a, b, imm(odd ? 0x31 : 0x20));
  } else if (size === 2) {
    lir.op('vshufps', values.destination(i.out), a, b, imm(odd ? 0xee : 0x44));
  } else if (size === 1) {
    // What is not in its place yet is moved there, then even and odd lanes are put together.
    const moved = values.vec();
    lir.op('vpermilps', moved, odd ? a : b, imm(odd ? 0xf5 : 0xa0));
    const [even, other] = odd ? [moved, b] : [a, moved];
    lir.op('vblendps', values.destination(i.out), even, other, imm(0xaa));
  } else {
    throw new InternalError(`internal: exchange of blocks of ${size} words; this is a bug in tensorloom`);
  }
}

/** Within quarters by a shuffle; larger blocks by a permutation of two vectors. */
function exchangeWide(values: Values, i: Of<'exchange'>, size: number, a: Register, b: Register): void {
  const { lir } = values;
  const { odd } = i;
  if (size === 2) {
    lir.op('vshufps', values.destination(i.out), a, b, imm(odd ? 0xee : 0x44));
    return;
  }
  if (size === 1) {
    const moved = values.vec();
    lir.op('vpermilps', moved, odd ? a : b, imm(odd ? 0xf5 : 0xa0));
    const [even, other] = odd ? [moved, b] : [a, moved];
    lir.op('vblendmps', masked(values.destination(i.out), values.masks.constant(0xaaaa), false), even, other);
    return;
  }
  const result = values.vec();
  const shift = odd ? size : 0;
  lir.op(
    'vmovups',
    result,
    // Lanes 16 to 31 are those of b.
    lir.constant((l) => ((l / size) & 1 ? 16 + l - size + shift : l + shift)),
  );
  lir.op('vpermi2ps', result, a, b);
  lir.op('vmovups', values.destination(i.out), result);
}

/** `combined`, with one lane of `rest` as it was. */
function keepLane(values: Values, combined: Register, rest: Register, lane: number, words: number): Register {
  const { lir } = values;
  const bits = (2 ** words - 1) << (lane * words);
  if (!values.wide) {
    lir.op('vblendps', combined, combined, rest, imm(bits));
    return combined;
  }
  const out = values.vec(combined.bits as 128 | 256 | 512);
  lir.op('vblendmps', masked(out, values.masks.constant(bits), false), combined, rest);
  return out;
}

/** Word l + by in word l. */
function shiftDown(values: Values, r: Register, by: number): Register {
  const { lir } = values;
  if (values.wide && by > 2) return permuteDown(values, r, by);
  const out = values.vec(128);
  if (by === 4) {
    lir.op('vextractf128', out, resized(r, 256), imm(1));
  } else if (by === 3) {
    const wide = values.vec(256);
    const order = values.vec(256);
    lir.op(
      'vmovups',
      order,
      lir.constant((l) => (l + 3) % 8),
    );
    lir.op('vpermps', wide, order, resized(r, 256));
    return wide;
  } else if (by === 2 || by === 1) {
    lir.op('vpermilps', out, resized(r, 128), imm(by === 2 ? 0b1110 : 0b0001));
  } else {
    throw new InternalError(`internal: reduce cannot shift by ${by} words; this is a bug in tensorloom`);
  }
  return out;
}

function permuteDown(values: Values, r: Register, by: number): Register {
  const { lir } = values;
  const half = values.vec(256);
  if (by === 8) {
    lir.op('vextractf64x4', half, resized(r, 512), imm(1));
    return half;
  }
  const [wide, order] = [values.vec(), values.vec()];
  lir.op(
    'vmovups',
    order,
    lir.constant((l) => (l + by) % 16),
  );
  lir.op('vpermps', wide, order, resized(r, 512));
  return wide;
}

export function guard(values: Values, i: Of<'guard'>): void {
  const { lir, facts } = values;
  const register = lir.gpr();
  const low = resized(register, 32);
  const holds = lir.assembler.label();
  lir.op('vmovd', low, resized(values.register(i.index), 128));
  lir.op('cmp', low, imm(i.bound));
  // Unsigned: a negative index is above every bound.
  lir.op('jb', holds);
  lir.op('mov', ptr(values.errors, { bits: 32 }), imm(i.site + 1));
  lir.op('mov', ptr(values.errors, { disp: 4 }), low);
  lir.op('mov', low, imm(0));
  lir.label(holds);
  values.defineIndex(i.out, 1, register);
  for (const scale of facts.dynamicScales(i.out)) {
    if (isAddressScale(scale)) continue;
    const scaled = lir.gpr();
    lir.op('imul', scaled, register, imm(scale));
    values.defineIndex(i.out, scale, scaled);
  }
  if (facts.valueUses(i.out) === 0) return;
  const lane = values.vec(128);
  lir.op('vmovd', lane, low);
  lir.op('vpbroadcastd', values.destination(i.out), lane);
}
