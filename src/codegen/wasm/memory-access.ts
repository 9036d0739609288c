/** Loads and stores: of elements that fill a lane here, of smaller ones in narrow.ts. No byte outside the named elements is touched. */
import type { Instr } from '../../kernel/ir.ts';
import { elemBytes } from '../../kernel/ir.ts';
import { laneBytes } from './encoder.ts';
import { emitNarrowLoad, emitNarrowStore, isNarrow } from './narrow.ts';
import type { RegionEmitter } from './region.ts';

type Of<Op extends Instr['op']> = Extract<Instr, { op: Op }>;

export function emitLoad(e: RegionEmitter, instr: Of<'load'>): void {
  const { elem } = e.kernel.params[instr.buf];
  if (isNarrow(elem)) emitNarrowLoad(e, instr, elem);
  else emitWholeLoad(e, instr);
}

export function emitStore(e: RegionEmitter, instr: Of<'store'>, beforeStore: () => void): void {
  const { elem } = e.kernel.params[instr.buf];
  if (isNarrow(elem)) emitNarrowStore(e, instr, elem, beforeStore);
  else emitWholeStore(e, instr, beforeStore);
}

function emitWholeLoad(e: RegionEmitter, instr: Of<'load'>): void {
  const { w } = e;
  const { lanes } = instr;
  const bytes = elemBytes[e.kernel.params[instr.buf].elem];
  const double = bytes === 8;
  if (instr.stride === 0) {
    w.memory(double ? 'v128.load64_splat' : 'v128.load32_splat', e.pushAddress(instr), 2);
    return;
  }
  if (lanes === 1) {
    w.memory(double ? 'v128.load64_zero' : 'v128.load32_zero', e.pushAddress(instr), 2);
    return;
  }
  const together = instr.stride === 1 ? lanes * bytes : 0;
  if (together === 16 || together === 8) {
    w.memory(together === 16 ? 'v128.load' : 'v128.load64_zero', e.pushAddress(instr), 2);
    return;
  }
  if (instr.stride === -1 && lanes * bytes === 16) {
    const offset = e.pushAddress(instr);
    const vector = e.local('v128');
    w.memory('v128.load', offset - (lanes - 1) * bytes, 2);
    w.tee(vector);
    w.get(vector);
    w.shuffle(laneBytes(double ? [1, 0] : [3, 2, 1, 0], bytes));
    return;
  }
  const { local, offset } = e.addressLocal(instr, () => e.local('i32'));
  // A lane's load takes the address below the vector, so the addresses are pushed before the first load.
  const first = instr.stride === 1 ? 2 : 1;
  for (let lane = first; lane <= lanes; lane++) w.get(local);
  if (first === 2 || double) w.memory('v128.load64_zero', offset, 2);
  else w.memory('v128.load32_zero', offset);
  const step = instr.stride * bytes;
  const next = double ? 'v128.load64_lane' : 'v128.load32_lane';
  for (let lane = first; lane < lanes; lane++) w.memoryLane(next, offset + lane * step, lane);
}

function emitWholeStore(e: RegionEmitter, instr: Of<'store'>, beforeStore: () => void): void {
  const { w } = e;
  const { lanes } = instr;
  const bytes = elemBytes[e.kernel.params[instr.buf].elem];
  const double = bytes === 8;
  const together = lanes === 1 || instr.stride === 1 ? lanes * bytes : 0;
  if (together === 4 || together === 8 || together === 16) {
    const offset = e.pushAddress(instr);
    e.push(instr.value);
    beforeStore();
    if (together === 16) {
      w.memory('v128.store', offset, 2);
      return;
    }
    w.memoryLane(together === 8 ? 'v128.store64_lane' : 'v128.store32_lane', offset, 0);
    return;
  }
  const { local, offset } = e.addressLocal(instr, () => e.local('i32'));
  const value = e.inLocal(instr.value, e.local('v128'));
  beforeStore();
  const packed = instr.stride === 1;
  if (packed) {
    w.get(local);
    w.get(value);
    w.memoryLane('v128.store64_lane', offset, 0);
  }
  for (let lane = packed ? 2 : 0; lane < lanes; lane++) {
    w.get(local);
    w.get(value);
    const at = offset + lane * instr.stride * bytes;
    w.memoryLane(double ? 'v128.store64_lane' : 'v128.store32_lane', at, lane);
  }
}
