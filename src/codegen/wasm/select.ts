/** What each instruction of the kernel IR becomes. Every function leaves the value on the stack; order and locals are region.ts's business. */
import { InternalError } from '../../base/errors.ts';
import type { BinaryFn, CompareFn, Instr, Reg, UnaryFn } from '../../kernel/ir.ts';
import { constantOf, isSimpleDivisor, regInfo } from './analysis.ts';
import type { VectorOp } from './encoder.ts';
import type { RegionEmitter } from './region.ts';
import { ERROR_RECORD } from './region.ts';

type Of<Op extends Instr['op']> = Extract<Instr, { op: Op }>;

/** `beforeStore` is called when address and value of a store are on the stack or in locals. */
export function emitInstr(e: RegionEmitter, instr: Instr, beforeStore: () => void = () => {}): void {
  switch (instr.op) {
    case 'const':
    case 'acc':
      throw new InternalError(`internal: ${instr.op} is no expression`);
    case 'index':
      emitIndex(e, instr);
      return;
    case 'load':
      e.kernel.params[instr.buf].elem === 'u8' ? emitByteLoad(e, instr) : emitLoad(e, instr);
      return;
    case 'store':
      e.kernel.params[instr.buf].elem === 'u8'
        ? emitByteStore(e, instr, beforeStore)
        : emitStore(e, instr, beforeStore);
      return;
    case 'unary':
      e.push(instr.a);
      e.w.vector(unaryOp(instr.fn, instr.type));
      return;
    case 'binary':
      emitBinary(e, instr);
      return;
    case 'compare':
      e.push(instr.a);
      e.push(instr.b);
      e.w.vector(compareOps[instr.of][instr.fn]);
      return;
    case 'select':
      e.push(instr.a);
      e.push(instr.b);
      e.push(instr.mask);
      e.w.vector(e.env.relaxed ? 'i32x4.relaxed_laneselect' : 'v128.bitselect');
      return;
    case 'fma':
      emitFma(e, instr.a, instr.b, instr.c);
      return;
    case 'fmaAcc':
      emitFma(e, instr.a, instr.b, instr.acc);
      return;
    case 'set':
      e.push(instr.value);
      return;
    case 'convert':
      emitConvert(e, instr);
      return;
    case 'reduce':
      emitReduce(e, instr);
      return;
    case 'exchange': {
      const { size, odd } = instr;
      e.push(instr.a);
      e.push(instr.b);
      // Lanes 4 to 7 are b's.
      const source = (l: number) => (Math.floor(l / size) % 2 === 0 ? (odd ? l + size : l) : 4 + (odd ? l : l - size));
      e.w.shuffle(laneBytes([0, 1, 2, 3].map(source)));
      return;
    }
    case 'guard':
      emitGuard(e, instr);
      return;
  }
}

/** Pushes lane 0 of an i32 instruction as an integer, where that is shorter than making the vector. Emits nothing otherwise. */
export function emitLaneOf(e: RegionEmitter, instr: Instr): boolean {
  switch (instr.op) {
    case 'index':
      e.pushAffine(instr.at);
      return true;
    case 'load': {
      if (instr.type !== 'i32') return false;
      const offset = e.pushAddress(instr);
      e.w.memory(e.kernel.params[instr.buf].elem === 'u8' ? 'i32.load8_u' : 'i32.load', offset);
      return true;
    }
    case 'binary': {
      if (instr.type !== 'i32') return false;
      const op = laneOps[instr.fn];
      if (!op) return false;
      e.pushLane(instr.a);
      e.pushLane(instr.b);
      e.w.op(op);
      return true;
    }
    default:
      return false;
  }
}

const laneOps: { readonly [K in BinaryFn]?: 'i32.add' | 'i32.sub' | 'i32.mul' | 'i32.and' | 'i32.or' | 'i32.xor' } = {
  add: 'i32.add',
  sub: 'i32.sub',
  mul: 'i32.mul',
  and: 'i32.and',
  or: 'i32.or',
  xor: 'i32.xor',
};

// ---- functions of lanes ------------------------------------------------------------------------------------------------

const floatUnary: { readonly [K in UnaryFn]?: VectorOp } = {
  neg: 'f32x4.neg',
  abs: 'f32x4.abs',
  floor: 'f32x4.floor',
  ceil: 'f32x4.ceil',
  round: 'f32x4.nearest',
  sqrt: 'f32x4.sqrt',
};
const integerUnary: { readonly [K in UnaryFn]?: VectorOp } = {
  neg: 'i32x4.neg',
  abs: 'i32x4.abs',
  not: 'v128.not',
};
const floatBinary: { readonly [K in BinaryFn]?: VectorOp } = {
  add: 'f32x4.add',
  sub: 'f32x4.sub',
  mul: 'f32x4.mul',
  div: 'f32x4.div',
  min: 'f32x4.pmin',
  max: 'f32x4.pmax',
};
const integerBinary: { readonly [K in BinaryFn]?: VectorOp } = {
  add: 'i32x4.add',
  sub: 'i32x4.sub',
  mul: 'i32x4.mul',
  min: 'i32x4.min_s',
  max: 'i32x4.max_s',
  and: 'v128.and',
  or: 'v128.or',
  xor: 'v128.xor',
  shl: 'i32x4.shl',
  shr: 'i32x4.shr_u',
  sar: 'i32x4.shr_s',
};
const compareOps: { readonly [T in 'f32' | 'i32']: { readonly [K in CompareFn]: VectorOp } } = {
  f32: { eq: 'f32x4.eq', ne: 'f32x4.ne', lt: 'f32x4.lt', le: 'f32x4.le', gt: 'f32x4.gt', ge: 'f32x4.ge' },
  i32: { eq: 'i32x4.eq', ne: 'i32x4.ne', lt: 'i32x4.lt_s', le: 'i32x4.le_s', gt: 'i32x4.gt_s', ge: 'i32x4.ge_s' },
};

function unaryOp(fn: UnaryFn, type: string): VectorOp {
  const op = (type === 'f32' ? floatUnary : integerUnary)[fn];
  if (!op) throw new InternalError(`internal: wasm has no ${type} ${fn}; legalisation should have expanded it`);
  return op;
}

function emitBinary(e: RegionEmitter, { fn, type, a, b }: Of<'binary'>): void {
  if (type === 'i32' && (fn === 'div' || fn === 'mod')) {
    emitDivision(e, fn, a, b);
    return;
  }
  const op = (type === 'f32' ? floatBinary : integerBinary)[fn];
  if (!op) throw new InternalError(`internal: wasm has no ${type} ${fn}; legalisation should have expanded it`);
  if (fn === 'shl' || fn === 'shr' || fn === 'sar') {
    const count = constantOf(e.analysis.regs, b);
    if (count === null) throw new InternalError('internal: a shift count must be a constant');
    e.push(a);
    e.w.i32(count);
  } else if (type === 'f32' && (fn === 'min' || fn === 'max')) {
    // pmin(x, y) is y < x ? y : x, so a < b ? a : b is pmin(b, a).
    e.push(b);
    e.push(a);
  } else {
    e.push(a);
    e.push(b);
  }
  e.w.vector(op);
}

function emitFma(e: RegionEmitter, a: Reg, b: Reg, c: Reg): void {
  e.push(a);
  e.push(b);
  if (e.env.relaxed) {
    e.push(c);
    e.w.vector('f32x4.relaxed_madd');
  } else {
    e.w.vector('f32x4.mul');
    e.push(c);
    e.w.vector('f32x4.add');
  }
}

function emitConvert(e: RegionEmitter, { fn, a }: Of<'convert'>): void {
  e.push(a);
  switch (fn) {
    case 'f32ToI32':
      e.w.vector('i32x4.trunc_sat_f32x4_s');
      return;
    case 'i32ToF32':
      e.w.vector('f32x4.convert_i32x4_s');
      return;
    case 'maskToI32':
      e.w.vector('i32x4.neg');
      return;
    case 'i32ToMask':
      e.w.splat(0);
      e.w.vector('i32x4.ne');
      return;
    case 'bitsToF32':
    case 'bitsToI32':
      return;
  }
}

/** i32 floor division: shifts and masks for powers of two, else lane by lane, where nothing may trap. */
function emitDivision(e: RegionEmitter, fn: 'div' | 'mod', a: Reg, b: Reg): void {
  const { w } = e;
  const divisor = constantOf(e.analysis.regs, b);
  e.push(a);
  if (isSimpleDivisor(divisor) && (divisor & (divisor - 1)) === 0) {
    if (fn === 'mod') {
      w.splat(divisor - 1);
      w.vector('v128.and');
      return;
    }
    w.i32(31 - Math.clz32(divisor));
    w.vector('i32x4.shr_s');
    return;
  }
  const left = e.local('v128');
  w.set(left);
  let pushDivisor: (lane: number) => void;
  if (isSimpleDivisor(divisor)) pushDivisor = () => w.i32(divisor);
  else {
    const right = e.inLocal(b, e.local('v128'));
    pushDivisor = (lane) => {
      w.get(right);
      w.lane('i32x4.extract_lane', lane);
    };
  }
  const helper = fn === 'div' ? e.env.floorDivide() : e.env.floorModulo();
  for (let lane = 0; lane < e.kernel.lanes; lane++) {
    w.get(left);
    w.lane('i32x4.extract_lane', lane);
    pushDivisor(lane);
    w.call(helper);
    if (lane === 0) w.vector('i32x4.splat');
    else w.lane('i32x4.replace_lane', lane);
  }
}

function emitIndex(e: RegionEmitter, { at, laneStep }: Of<'index'>): void {
  const { w } = e;
  e.pushAffine(at);
  w.vector('i32x4.splat');
  if (laneStep === 0) return;
  w.lanes([0, laneStep, 2 * laneStep, 3 * laneStep]);
  w.vector('i32x4.add');
}

// ---- memory ------------------------------------------------------------------------------------------------------------

function emitLoad(e: RegionEmitter, instr: Of<'load'>): void {
  const { w } = e;
  const { lanes } = instr;
  const step = instr.stride * 4;
  if (instr.stride === 0) {
    w.memory('v128.load32_splat', e.pushAddress(instr));
    return;
  }
  if (lanes === 1) {
    w.memory('v128.load32_zero', e.pushAddress(instr));
    return;
  }
  if (instr.stride === 1 && lanes === 4) {
    w.memory('v128.load', e.pushAddress(instr), 2);
    return;
  }
  if (instr.stride === 1 && lanes === 2) {
    w.memory('v128.load64_zero', e.pushAddress(instr), 2);
    return;
  }
  const { local, offset } = e.addressLocal(instr, () => e.local('i32'));
  // A lane's load takes the address below the vector, so the addresses are pushed before the first load.
  const first = instr.stride === 1 ? 2 : 1;
  for (let lane = first; lane <= lanes; lane++) w.get(local);
  if (first === 2) w.memory('v128.load64_zero', offset, 2);
  else w.memory('v128.load32_zero', offset);
  for (let lane = first; lane < lanes; lane++) w.memoryLane('v128.load32_lane', offset + lane * step, lane);
}

function emitStore(e: RegionEmitter, instr: Of<'store'>, beforeStore: () => void): void {
  const { w } = e;
  const { lanes } = instr;
  if (lanes === 1 || (instr.stride === 1 && lanes !== 3)) {
    const offset = e.pushAddress(instr);
    e.push(instr.value);
    beforeStore();
    if (lanes === 4) {
      w.memory('v128.store', offset, 2);
      return;
    }
    w.memoryLane(lanes === 2 ? 'v128.store64_lane' : 'v128.store32_lane', offset, 0);
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
    w.memoryLane('v128.store32_lane', offset + lane * instr.stride * 4, lane);
  }
}

function emitByteLoad(e: RegionEmitter, instr: Of<'load'>): void {
  const { w } = e;
  const { lanes, stride } = instr;
  if (stride === 0) {
    w.memory('i32.load8_u', e.pushAddress(instr));
    w.vector('i32x4.splat');
    return;
  }
  if (stride === 1 && lanes === 4) {
    w.memory('v128.load32_zero', e.pushAddress(instr), 0);
    w.vector('i16x8.extend_low_i8x16_u');
    w.vector('i32x4.extend_low_i16x8_u');
    return;
  }
  const { local, offset } = e.addressLocal(instr, () => e.local('i32'));
  for (let lane = 0; lane < lanes; lane++) w.get(local);
  w.splat(0);
  for (let lane = 0; lane < lanes; lane++) w.memoryLane('v128.load8_lane', offset + lane * stride, lane * 4);
}

function emitByteStore(e: RegionEmitter, instr: Of<'store'>, beforeStore: () => void): void {
  const { w } = e;
  const { lanes, stride } = instr;
  if (lanes === 4 && stride === 1) {
    const offset = e.pushAddress(instr);
    const value = e.inLocal(instr.value, e.local('v128'));
    w.get(value);
    w.get(value);
    w.shuffle([0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12]);
    beforeStore();
    w.memoryLane('v128.store32_lane', offset, 0);
    return;
  }
  const { local, offset } = e.addressLocal(instr, () => e.local('i32'));
  const value = e.inLocal(instr.value, e.local('v128'));
  beforeStore();
  for (let lane = 0; lane < lanes; lane++) {
    w.get(local);
    w.get(value);
    w.memoryLane('v128.store8_lane', offset + lane * stride, lane * 4);
  }
}

// ---- across lanes ------------------------------------------------------------------------------------------------------

const laneBytes = (lanes: readonly number[]): number[] =>
  lanes.flatMap((l) => [4 * l, 4 * l + 1, 4 * l + 2, 4 * l + 3]);

/** The upper half of the lanes onto the lower half until one is left, as the interpreter does, so that sums and NaN come out as there. */
function emitReduce(e: RegionEmitter, { fn, type, a, lanes }: Of<'reduce'>): void {
  const { w } = e;
  const op = (type === 'f32' ? floatBinary : integerBinary)[fn];
  if (!op) throw new InternalError(`internal: reduce ${fn} of ${type}`);
  // pmin and pmax take their operands the other way round.
  const swapped = type === 'f32' && (fn === 'min' || fn === 'max');
  const value = e.inLocal(a, e.local('v128'));
  const pushShuffled = (from: number, order: readonly number[]): void => {
    w.get(from);
    w.get(from);
    w.shuffle(laneBytes(order));
  };
  let total = value;
  /** Lane 0 (and for four lanes lane 1) of `total` with a lane of `from`. */
  const combine = (from: number, order: readonly number[]): void => {
    if (!swapped) w.get(total);
    pushShuffled(from, order);
    if (swapped) w.get(total);
    w.vector(op);
    total = e.local('v128');
    w.set(total);
  };
  if (lanes === 4) {
    combine(value, [2, 3, 2, 3]);
    combine(total, [1, 1, 1, 1]);
  } else {
    if (lanes === 3) combine(value, [2, 2, 2, 2]);
    if (lanes >= 2) combine(value, [1, 1, 1, 1]);
  }
  pushShuffled(total, [0, 0, 0, 0]);
}

/** Sets the register's locals itself and leaves nothing on the stack. */
function emitGuard(e: RegionEmitter, { out, index, bound, site }: Of<'guard'>): void {
  const { w } = e;
  const lane = e.local('i32');
  e.pushLane(index);
  w.tee(lane);
  w.i32(bound);
  w.op('i32.lt_u');
  w.op('i32.eqz');
  w.open('if');
  // Site and index in one store, so that two threads do not mix theirs.
  w.get(ERROR_RECORD);
  w.i64(site + 1);
  w.get(lane);
  w.op('i64.extend_i32_u');
  w.i64(32);
  w.op('i64.shl');
  w.op('i64.or');
  w.memory('i64.store', 0, 2);
  w.i32(0);
  w.set(lane);
  w.op('end');
  e.setLane(out, lane);
  if (regInfo(e.analysis.regs, out).vectorUses === 0) return;
  const vector = e.local('v128');
  w.get(lane);
  w.vector('i32x4.splat');
  w.set(vector);
  e.setValue(out, vector);
}
