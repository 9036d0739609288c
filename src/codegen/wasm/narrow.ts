/** Loads and stores of integers of one and two bytes, which registers hold in 32 bits. Floats of 16 bits are such by now. */
import type { Elem, Instr } from '../../kernel/ir.ts';
import type { MemoryLaneOp, MemoryOp, VectorOp } from './encoder.ts';
import type { RegionEmitter } from './region.ts';

type Of<Op extends Instr['op']> = Extract<Instr, { op: Op }>;
export type Narrow = Extract<Elem, 'u8' | 'i8' | 'u16'>;

interface Access {
  readonly bytes: 1 | 2;
  /** One element as an integer. */
  readonly load: MemoryOp;
  /** Four elements, and what makes four lanes of them. */
  readonly loadFour: MemoryOp;
  readonly extend: readonly VectorOp[];
  readonly loadLane: MemoryLaneOp;
  readonly storeLane: MemoryLaneOp;
  readonly storeFour: MemoryLaneOp;
  /** Bits to shift up and down again, so that the sign fills the lane. */
  readonly sign: number;
}

const byte = {
  bytes: 1,
  loadFour: 'v128.load32_zero',
  loadLane: 'v128.load8_lane',
  storeLane: 'v128.store8_lane',
  storeFour: 'v128.store32_lane',
} as const;

export const narrow: { readonly [K in Narrow]: Access } = {
  u8: { ...byte, load: 'i32.load8_u', extend: ['i16x8.extend_low_i8x16_u', 'i32x4.extend_low_i16x8_u'], sign: 0 },
  i8: { ...byte, load: 'i32.load8_s', extend: ['i16x8.extend_low_i8x16_s', 'i32x4.extend_low_i16x8_s'], sign: 24 },
  u16: {
    bytes: 2,
    load: 'i32.load16_u',
    loadFour: 'v128.load64_zero',
    extend: ['i32x4.extend_low_i16x8_u'],
    loadLane: 'v128.load16_lane',
    storeLane: 'v128.store16_lane',
    storeFour: 'v128.store64_lane',
    sign: 0,
  },
};

export function isNarrow(elem: Elem): elem is Narrow {
  return Object.hasOwn(narrow, elem);
}

export function emitNarrowLoad(e: RegionEmitter, instr: Of<'load'>, elem: Narrow): void {
  const { w } = e;
  const { lanes, stride } = instr;
  const { bytes, load, loadFour, extend, loadLane, sign } = narrow[elem];
  if (stride === 0) {
    w.memory(load, e.pushAddress(instr), 0);
    w.vector('i32x4.splat');
    return;
  }
  if (stride === 1 && lanes === 4) {
    w.memory(loadFour, e.pushAddress(instr), 0);
    for (const op of extend) w.vector(op);
    return;
  }
  const { local, offset } = e.addressLocal(instr, () => e.local('i32'));
  for (let lane = 0; lane < lanes; lane++) w.get(local);
  w.splat(0);
  for (let lane = 0; lane < lanes; lane++) {
    w.memoryLane(loadLane, offset + lane * stride * bytes, (lane * 4) / bytes);
  }
  if (sign === 0) return;
  w.i32(sign);
  w.vector('i32x4.shl');
  w.i32(sign);
  w.vector('i32x4.shr_s');
}

export function emitNarrowStore(e: RegionEmitter, instr: Of<'store'>, elem: Narrow, beforeStore: () => void): void {
  const { w } = e;
  const { lanes, stride } = instr;
  const { bytes, storeLane, storeFour } = narrow[elem];
  if (lanes === 4 && stride === 1) {
    const offset = e.pushAddress(instr);
    const value = e.inLocal(instr.value, e.local('v128'));
    w.get(value);
    w.get(value);
    // The low bytes of each lane, side by side.
    w.shuffle(Array.from({ length: 16 }, (_, i) => 4 * (Math.floor(i / bytes) % 4) + (i % bytes)));
    beforeStore();
    w.memoryLane(storeFour, offset, 0);
    return;
  }
  const { local, offset } = e.addressLocal(instr, () => e.local('i32'));
  const value = e.inLocal(instr.value, e.local('v128'));
  beforeStore();
  for (let lane = 0; lane < lanes; lane++) {
    w.get(local);
    w.get(value);
    w.memoryLane(storeLane, offset + lane * stride * bytes, (lane * 4) / bytes);
  }
}
