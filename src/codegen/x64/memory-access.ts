/** Loads and stores of any stride and lane count: no byte outside the named elements is ever touched. */
import type { Instr } from '../../kernel/ir.ts';
import { elemBytes } from '../../kernel/ir.ts';
import { isNarrow, loadNarrow, storeWords } from './narrow-access.ts';
import type { Memory, Register } from './operands.ts';
import { imm, masked, ptr, resized } from './operands.ts';
import type { Load, Values } from './values.ts';

type Store = Extract<Instr, { op: 'store' }>;

/** Scales that an address can apply by itself. */
export function isAddressScale(scale: number): scale is 1 | 2 | 4 | 8 {
  return scale === 1 || scale === 2 || scale === 4 || scale === 8;
}

function at(values: Values, access: Load | Store, lane: number): Memory {
  const bytes = elemBytes[values.kernel.params[access.buf].elem];
  const memory = values.pointers.memory(access.buf, access.at, lane * access.stride * bytes);
  if (!access.dyn) return memory;
  const scale = access.dyn.scale * bytes;
  const folds = isAddressScale(scale);
  const index = values.index(access.dyn.index, folds ? 1 : scale);
  return ptr(memory.base, { disp: memory.disp, index, scale: folds ? scale : 1 });
}

export function emitLoad(values: Values, load: Load, into: Register): void {
  const { elem } = values.kernel.params[load.buf];
  if (isNarrow(elem)) loadNarrow(values, load, elem, (lane) => at(values, load, lane), into);
  else if (elemBytes[elem] === 8) loadDoubles(values, load, into);
  else loadWords(values, load, into);
}

function loadDoubles(values: Values, load: Load, into: Register): void {
  const { lir } = values;
  if (load.stride === 0) {
    lir.op(values.bits === 128 ? 'vmovddup' : 'vbroadcastsd', into, at(values, load, 0));
    return;
  }
  if (load.stride === 1) {
    loadContiguous(values, load, 2 * load.lanes, into);
    return;
  }
  let sofar = gatherTwo(values, load, 0, load.lanes > 2 ? values.vec(128) : resized(into, 128));
  for (let lane = 2; lane < load.lanes; lane += 2) {
    const two = gatherTwo(values, load, lane, values.vec(128));
    const next = lane + 2 >= load.lanes ? into : values.vec();
    lir.op(values.wide ? 'vinsertf32x4' : 'vinsertf128', next, resized(sofar, values.bits), two, imm(lane / 2));
    sofar = next;
  }
}

/** Lanes first and first + 1, where it is active, of a strided load of 64-bit lanes. */
function gatherTwo(values: Values, load: Load, first: number, into: Register): Register {
  const { lir } = values;
  lir.op('vmovsd', into, at(values, load, first));
  if (first + 1 < load.lanes) lir.op('vmovhpd', into, into, at(values, load, first + 1));
  return into;
}

function loadWords(values: Values, load: Load, into: Register): void {
  const { lir } = values;
  if (load.stride === 0) {
    lir.op('vbroadcastss', into, at(values, load, 0));
    return;
  }
  if (load.stride === 1) {
    loadContiguous(values, load, load.lanes, into);
    return;
  }
  if (load.stride === -1 && load.lanes === values.kernel.lanes && load.lanes >= 4) {
    loadBackwards(values, load, into);
    return;
  }
  let sofar = gatherFour(values, load, 0, load.lanes > 4 ? values.vec(128) : resized(into, 128));
  for (let lane = 4; lane < load.lanes; lane += 4) {
    const four = gatherFour(values, load, lane, values.vec(128));
    const next = lane + 4 >= load.lanes ? into : values.vec();
    lir.op(values.wide ? 'vinsertf32x4' : 'vinsertf128', next, resized(sofar, values.bits), four, imm(lane / 4));
    sofar = next;
  }
}

/** `words` of 32 bits that lie together. */
function loadContiguous(values: Values, load: Load, words: number, into: Register): void {
  const { lir } = values;
  const memory = at(values, load, 0);
  switch (words) {
    case 16:
      lir.op('vmovups', into, memory);
      return;
    case 8:
      lir.op('vmovups', resized(into, 256), memory);
      return;
    case 4:
      lir.op('vmovups', resized(into, 128), memory);
      return;
    case 2:
      lir.op('vmovsd', resized(into, 128), memory);
      return;
    case 1:
      lir.op('vmovss', resized(into, 128), memory);
      return;
    default: {
      if (values.wide) {
        lir.op('vmovups', masked(into, values.masks.lanes(words), true), memory);
        return;
      }
      const mask = values.vec();
      lir.op(
        'vmovups',
        mask,
        lir.constant((l) => (l < words ? -1 : 0)),
      );
      lir.op('vmaskmovps', into, mask, memory);
    }
  }
}

/** A whole vector, its last lane at the lowest address. */
function loadBackwards(values: Values, load: Load, into: Register): void {
  const { lir } = values;
  const memory = at(values, load, load.lanes - 1);
  const bits = load.lanes === 4 ? 128 : load.lanes === 8 ? 256 : 512;
  const vector = resized(into, bits);
  if (bits === 128) {
    lir.op('vmovups', vector, memory);
    lir.op('vpermilps', vector, vector, imm(0b00_01_10_11));
    return;
  }
  const [forwards, order] = [values.vec(bits), values.vec(bits)];
  lir.op('vmovups', forwards, memory);
  lir.op(
    'vmovups',
    order,
    lir.constant((l) => load.lanes - 1 - l),
  );
  lir.op('vpermps', vector, order, forwards);
}

/** Lanes first..first+3 (those that are active) of a strided load in an xmm register; the others are 0. */
function gatherFour(values: Values, load: Load, first: number, into: Register): Register {
  const { lir } = values;
  const count = Math.min(4, load.lanes - first);
  lir.op('vmovss', into, at(values, load, first));
  for (let l = 1; l < count; l++) {
    lir.op('vinsertps', into, into, at(values, load, first + l), imm(l << 4));
  }
  return into;
}

export function emitStore(values: Values, store: Store): void {
  const value = values.register(store.value);
  const { elem } = values.kernel.params[store.buf];
  const bytes = elemBytes[elem];
  const together = store.lanes === 1 || store.stride === 1;
  if (elem === 'u8' || elem === 'i8') storeBytes(values, store, value);
  else if (isNarrow(elem)) storeWords(values, store, elem, (lane) => at(values, store, lane), value);
  else if (together) storeContiguous(values, store, value, (store.lanes * bytes) / 4);
  else if (bytes === 8) storeDoublesStrided(values, store, value);
  else storeStrided(values, store, value);
}

/** `words` of 32 bits. With AVX2 in pieces of 4, 2 and 1: its masked stores are slow on several processors. */
function storeContiguous(values: Values, store: Store, value: Register, words: number): void {
  const { lir } = values;
  const memory = at(values, store, 0);
  const from = (word: number): Memory => ({ ...memory, disp: memory.disp + 4 * word });
  if (words === 16 || words === 8) {
    lir.op(values.streams.has(store) ? 'vmovntps' : 'vmovups', memory, resized(value, words === 16 ? 512 : 256));
    return;
  }
  if (values.wide && ![4, 2, 1].includes(words)) {
    lir.op('vmovups', masked(memory, values.masks.lanes(words)), value);
    return;
  }
  let half = resized(value, 128);
  let word = 0;
  if (words >= 4) {
    lir.op('vmovups', memory, half);
    if (words === 4) return;
    half = upperHalf(values, value);
    word = 4;
  }
  const left = words - word;
  if (left >= 2) lir.op('vmovsd', from(word), half);
  if (left === 1) lir.op('vmovss', from(word), half);
  if (left === 3) lir.op('vextractps', from(word + 2), half, imm(2));
}

function storeDoublesStrided(values: Values, store: Store, value: Register): void {
  let two = resized(value, 128);
  for (let l = 0; l < store.lanes; l++) {
    if (l > 0 && l % 2 === 0) two = quarter(values, value, l / 2);
    values.lir.op(l % 2 === 0 ? 'vmovsd' : 'vmovhpd', at(values, store, l), two);
  }
}

function storeStrided(values: Values, store: Store, value: Register): void {
  const { lir } = values;
  let half = resized(value, 128);
  for (let l = 0; l < store.lanes; l++) {
    if (l > 0 && l % 4 === 0) half = quarter(values, value, l / 4);
    if (l % 4 === 0) lir.op('vmovss', at(values, store, l), half);
    else lir.op('vextractps', at(values, store, l), half, imm(l % 4));
  }
}

function upperHalf(values: Values, value: Register): Register {
  return quarter(values, value, 1);
}

/** Four lanes from lane 4 * q on. */
function quarter(values: Values, value: Register, q: number): Register {
  const four = values.vec(128);
  values.lir.op(values.wide ? 'vextractf32x4' : 'vextractf128', four, value, imm(q));
  return four;
}

/** The low byte of each lane. */
function storeBytes(values: Values, store: Store, value: Register): void {
  const { lir } = values;
  if (values.wide && store.stride === 1) {
    const memory = at(values, store, 0);
    lir.op('vpmovdb', store.lanes === 16 ? memory : masked(memory, values.masks.lanes(store.lanes)), value);
    return;
  }
  if (store.stride !== 1 || (store.lanes !== 8 && store.lanes !== 4)) {
    let half = resized(value, 128);
    for (let l = 0; l < store.lanes; l++) {
      if (l > 0 && l % 4 === 0) half = quarter(values, value, l / 4);
      lir.op('vpextrb', at(values, store, l), half, imm(4 * (l % 4)));
    }
    return;
  }
  // Bytes 0, 4, 8, 12 of each half go to its first four bytes.
  const packed = values.vec();
  lir.op(
    'vpshufb',
    packed,
    value,
    lir.constant((l) => (l % 4 === 0 ? 0x0c080400 : -1)),
  );
  if (store.lanes === 4) {
    lir.op('vmovss', at(values, store, 0), resized(packed, 128));
    return;
  }
  const both = values.vec(128);
  lir.op('vpunpckldq', both, resized(packed, 128), upperHalf(values, packed));
  lir.op('vmovsd', at(values, store, 0), both);
}
