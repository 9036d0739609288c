/** Loads and stores of elements of one and two bytes, which registers hold in 32 bits: no byte outside the named elements is touched. */
import type { Elem, Instr } from '../../kernel/ir.ts';
import type { Mnemonic } from './encodings.ts';
import type { Memory, Register } from './operands.ts';
import { imm, masked, resized } from './operands.ts';
import type { Load, Values } from './values.ts';

type Store = Extract<Instr, { op: 'store' }>;
export type Narrow = Extract<Elem, 'u8' | 'i8' | 'u16' | 'f16'>;
/** The address of a lane. */
type At = (lane: number) => Memory;

interface Widening {
  readonly bytes: 1 | 2;
  readonly broadcast: Mnemonic;
  readonly insert: Mnemonic;
  /** Packed elements to lanes of 32 bits. */
  readonly extend: Mnemonic;
}

const bytes = { bytes: 1, broadcast: 'vpbroadcastb', insert: 'vpinsrb' } as const;
const words = { bytes: 2, broadcast: 'vpbroadcastw', insert: 'vpinsrw' } as const;
const widenings: { readonly [K in Narrow]: Widening } = {
  u8: { ...bytes, extend: 'vpmovzxbd' },
  i8: { ...bytes, extend: 'vpmovsxbd' },
  u16: { ...words, extend: 'vpmovzxwd' },
  f16: { ...words, extend: 'vcvtph2ps' },
};

export function isNarrow(elem: Elem): elem is Narrow {
  return Object.hasOwn(widenings, elem);
}

/** Bits of a register that all lanes fill, or half or a quarter of them. */
function bitsFor(lanes: number): 128 | 256 | 512 {
  return lanes > 8 ? 512 : lanes > 4 ? 256 : 128;
}

export function loadNarrow(values: Values, load: Load, elem: Narrow, at: At, into: Register): void {
  const { lir } = values;
  const { stride, lanes } = load;
  const { bytes, broadcast, extend } = widenings[elem];
  if (stride === 0) {
    const packed = values.vec(into.bits === 512 && bytes === 2 ? 256 : 128);
    lir.op(broadcast, packed, at(0));
    lir.op(extend, into, packed);
  } else if (stride === 1 && (lanes === 16 || lanes === 8 || lanes === 4)) {
    lir.op(extend, resized(into, bitsFor(lanes)), at(0));
  } else if (stride === 1 && values.wide && lanes > 1) {
    lir.op(extend, masked(into, values.masks.lanes(lanes), true), at(0));
  } else {
    lir.op(extend, into, gather(values, widenings[elem], lanes, at, into.bits === 512 && bytes === 2));
  }
}

/** Elements put side by side, from lane 0 on. `pair`: there are more than one xmm register holds. */
function gather(values: Values, { bytes, insert }: Widening, lanes: number, at: At, pair: boolean): Register {
  const { lir } = values;
  const room = 16 / bytes;
  const some = (first: number): Register => {
    const packed = values.vec(128);
    lir.op('vxorps', packed, packed, packed);
    for (let l = first; l < Math.min(lanes, first + room); l++) lir.op(insert, packed, packed, at(l), imm(l - first));
    return packed;
  };
  const low = some(0);
  if (!pair) return low;
  const both = values.vec(512);
  lir.op('vinsertf32x4', both, resized(low, 512), some(room), imm(1));
  return resized(both, 256);
}

/** The low 16 bits of each lane, or the lane as a float16. */
export function storeWords(values: Values, store: Store, elem: 'u16' | 'f16', at: At, value: Register): void {
  if (elem === 'f16') storeHalves(values, store, at, value);
  else storeLowWords(values, store, at, value);
}

function storeHalves(values: Values, { stride, lanes }: Store, at: At, value: Register): void {
  const { lir } = values;
  if (stride === 1 && (lanes === 16 || lanes === 8 || lanes === 4)) {
    lir.op('vcvtps2ph', at(0), resized(value, bitsFor(lanes)), imm(0));
    return;
  }
  if (stride === 1 && values.wide) {
    lir.op('vcvtps2ph', masked(at(0), values.masks.lanes(lanes)), value, imm(0));
    return;
  }
  const packed = values.vec(value.bits === 512 ? 256 : 128);
  lir.op('vcvtps2ph', packed, value, imm(0));
  let eight = resized(packed, 128);
  for (let l = 0; l < lanes; l++) {
    if (l === 8) {
      eight = values.vec(128);
      lir.op('vextractf32x4', eight, resized(packed, 512), imm(1));
    }
    lir.op('vpextrw', at(l), eight, imm(l % 8));
  }
}

function storeLowWords(values: Values, { stride, lanes }: Store, at: At, value: Register): void {
  const { lir } = values;
  if (stride === 1 && values.wide) {
    lir.op('vpmovdw', lanes === 16 ? at(0) : masked(at(0), values.masks.lanes(lanes)), value);
    return;
  }
  if (stride === 1 && (lanes === 8 || lanes === 4)) {
    const packed = values.vec(bitsFor(lanes));
    // Words 0, 2, 4, 6 of each half go to its first eight bytes.
    const order = lir.constant((l) => [0x05040100, 0x0d0c0908, -1, -1][l % 4]);
    lir.op('vpshufb', packed, resized(value, packed.bits), order);
    if (lanes === 4) {
      lir.op('vmovsd', at(0), packed);
      return;
    }
    const joined = values.vec(256);
    lir.op('vpermq', joined, packed, imm(0b1000));
    lir.op('vmovups', at(0), resized(joined, 128));
    return;
  }
  let four = resized(value, 128);
  for (let l = 0; l < lanes; l++) {
    if (l > 0 && l % 4 === 0) {
      four = values.vec(128);
      lir.op(values.wide ? 'vextractf32x4' : 'vextractf128', four, value, imm(l / 4));
    }
    lir.op('vpextrw', at(l), four, imm(2 * (l % 4)));
  }
}

/** To the nearest float16, and back. */
export function roundToHalf(values: Values, i: Extract<Instr, { op: 'unary' }>): void {
  const a = values.register(i.a);
  const half = values.vec(a.bits === 512 ? 256 : 128);
  values.lir.op('vcvtps2ph', half, a, imm(0));
  values.lir.op('vcvtph2ps', values.destination(i.out), half);
}
