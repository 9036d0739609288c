/** What each instruction of the kernel IR becomes. Every function leaves the value on the stack; order and locals are region.ts's business. */
import { InternalError } from '../../base/errors.ts';
import type { BinaryFn, CompareFn, ConvertFn, Instr, NumberType, Reg, RegType, UnaryFn } from '../../kernel/ir.ts';
import { isWide } from '../../kernel/ir.ts';
import { constantOf, isSimpleDivisor, regInfo } from './analysis.ts';
import { type LaneOp, laneBytes, type PlainOp, type VectorOp } from './encoder.ts';
import { emitLoad, emitStore } from './memory-access.ts';
import type { RegionEmitter } from './region.ts';
import { isNarrow, narrow } from './narrow.ts';
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
      emitLoad(e, instr);
      return;
    case 'store':
      emitStore(e, instr, beforeStore);
      return;
    case 'unary':
      e.push(instr.a);
      e.w.vector(vectorOp(instr.fn, instr.type));
      return;
    case 'binary':
      emitBinary(e, instr);
      return;
    case 'compare':
      e.push(instr.a);
      e.push(instr.b);
      e.w.vector(compareOps[instr.of][instr.fn]);
      if (!isWide(instr.of)) widenMask(e);
      return;
    case 'select':
      e.push(instr.a);
      e.push(instr.b);
      e.push(instr.mask);
      if (instr.type === 'f32' || instr.type === 'i32') narrowMask(e);
      e.w.vector(e.env.relaxed ? 'i32x4.relaxed_laneselect' : 'v128.bitselect');
      return;
    case 'fma':
      emitFma(e, instr.type, instr.a, instr.b, instr.c);
      return;
    case 'fmaAcc':
      emitFma(e, typeOf(e, instr.acc), instr.a, instr.b, instr.acc);
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
    case 'exchange':
      emitExchange(e, instr);
      return;
    case 'guard':
      emitGuard(e, instr);
      return;
  }
}

/** Masks have lanes of 64 bits where any register of the kernel has: a mask just made of lanes of 32. */
function widenMask(e: RegionEmitter): void {
  if (e.wide) e.w.vector('i64x2.extend_low_i32x4_s');
}

/** And such a mask for lanes of 32 bits, in the lower half. */
function narrowMask(e: RegionEmitter): void {
  if (e.wide) packLow(e);
}

/** The low word of each 64-bit lane, in the lower half. */
function packLow(e: RegionEmitter): void {
  const local = e.local('v128');
  e.w.tee(local);
  e.w.get(local);
  e.w.shuffle(laneBytes([0, 2, 0, 2], 4));
}

function typeOf(e: RegionEmitter, reg: Reg): RegType {
  const { instr } = regInfo(e.analysis.regs, reg);
  return 'type' in instr ? instr.type : 'f32';
}

function emitExchange(e: RegionEmitter, { type, a, b, size, odd }: Of<'exchange'>): void {
  e.push(a);
  e.push(b);
  const bytes = isWide(type) || (type === 'mask' && e.wide) ? 8 : 4;
  // Lanes from `count` on are b's.
  const count = 16 / bytes;
  const source = (l: number) => (Math.floor(l / size) % 2 === 0 ? (odd ? l + size : l) : count + (odd ? l : l - size));
  e.w.shuffle(
    laneBytes(
      Array.from({ length: count }, (_, l) => source(l)),
      bytes,
    ),
  );
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
      const { elem } = e.kernel.params[instr.buf];
      e.w.memory(isNarrow(elem) ? narrow[elem].load : 'i32.load', offset);
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

const floats: { readonly [K in UnaryFn | BinaryFn]?: Float } = {
  neg: 'neg',
  abs: 'abs',
  floor: 'floor',
  ceil: 'ceil',
  round: 'nearest',
  sqrt: 'sqrt',
  add: 'add',
  sub: 'sub',
  mul: 'mul',
  div: 'div',
  min: 'pmin',
  max: 'pmax',
};
type Float = 'neg' | 'abs' | 'floor' | 'ceil' | 'nearest' | 'sqrt' | 'add' | 'sub' | 'mul' | 'div' | 'pmin' | 'pmax';

const bitwise: { readonly [K in UnaryFn | BinaryFn]?: VectorOp } = {
  not: 'v128.not',
  and: 'v128.and',
  or: 'v128.or',
  xor: 'v128.xor',
};
/** What is not here is gone before. */
const integers: { readonly [T in RegType]?: { readonly [K in UnaryFn | BinaryFn]?: VectorOp } } = {
  i32: {
    ...bitwise,
    neg: 'i32x4.neg',
    abs: 'i32x4.abs',
    add: 'i32x4.add',
    sub: 'i32x4.sub',
    mul: 'i32x4.mul',
    min: 'i32x4.min_s',
    max: 'i32x4.max_s',
    shl: 'i32x4.shl',
    shr: 'i32x4.shr_u',
    sar: 'i32x4.shr_s',
  },
  i64: {
    ...bitwise,
    neg: 'i64x2.neg',
    abs: 'i64x2.abs',
    add: 'i64x2.add',
    sub: 'i64x2.sub',
    mul: 'i64x2.mul',
    shl: 'i64x2.shl',
    shr: 'i64x2.shr_u',
    sar: 'i64x2.shr_s',
  },
  mask: bitwise,
};
const compareOps: { readonly [T in NumberType]: { readonly [K in CompareFn]: VectorOp } } = {
  f32: { eq: 'f32x4.eq', ne: 'f32x4.ne', lt: 'f32x4.lt', le: 'f32x4.le', gt: 'f32x4.gt', ge: 'f32x4.ge' },
  i32: { eq: 'i32x4.eq', ne: 'i32x4.ne', lt: 'i32x4.lt_s', le: 'i32x4.le_s', gt: 'i32x4.gt_s', ge: 'i32x4.ge_s' },
  f64: { eq: 'f64x2.eq', ne: 'f64x2.ne', lt: 'f64x2.lt', le: 'f64x2.le', gt: 'f64x2.gt', ge: 'f64x2.ge' },
  i64: { eq: 'i64x2.eq', ne: 'i64x2.ne', lt: 'i64x2.lt_s', le: 'i64x2.le_s', gt: 'i64x2.gt_s', ge: 'i64x2.ge_s' },
};

function isFloat(type: RegType): type is 'f32' | 'f64' {
  return type === 'f32' || type === 'f64';
}

function vectorOp(fn: UnaryFn | BinaryFn, type: RegType): VectorOp {
  const float = floats[fn];
  const op = isFloat(type)
    ? float && (`${type === 'f32' ? 'f32x4' : 'f64x2'}.${float}` as const)
    : integers[type]?.[fn];
  if (!op) throw new InternalError(`internal: wasm has no ${type} ${fn}; legalisation should have expanded it`);
  return op;
}

function emitBinary(e: RegionEmitter, { fn, type, a, b }: Of<'binary'>): void {
  if ((type === 'i32' || type === 'i64') && (fn === 'div' || fn === 'mod')) {
    emitDivision(e, fn, type, a, b);
    return;
  }
  const op = vectorOp(fn, type);
  if (fn === 'shl' || fn === 'shr' || fn === 'sar') {
    const count = constantOf(e.analysis.regs, b);
    if (count === null) throw new InternalError('internal: a shift count must be a constant');
    e.push(a);
    e.w.i32(count);
  } else if (isFloat(type) && (fn === 'min' || fn === 'max')) {
    // pmin(x, y) is y < x ? y : x, so a < b ? a : b is pmin(b, a).
    e.push(b);
    e.push(a);
  } else {
    e.push(a);
    e.push(b);
  }
  e.w.vector(op);
}

function emitFma(e: RegionEmitter, type: RegType, a: Reg, b: Reg, c: Reg): void {
  const double = type === 'f64';
  e.push(a);
  e.push(b);
  if (e.env.relaxed) {
    e.push(c);
    e.w.vector(double ? 'f64x2.relaxed_madd' : 'f32x4.relaxed_madd');
  } else {
    e.w.vector(double ? 'f64x2.mul' : 'f32x4.mul');
    e.push(c);
    e.w.vector(double ? 'f64x2.add' : 'f32x4.add');
  }
}

/** Conversions that are one instruction. */
const directConversions: { readonly [F in ConvertFn]?: VectorOp } = {
  f32ToI32: 'i32x4.trunc_sat_f32x4_s',
  i32ToF32: 'f32x4.convert_i32x4_s',
  f32ToF64: 'f64x2.promote_low_f32x4',
  f64ToF32: 'f32x4.demote_f64x2_zero',
  i32ToF64: 'f64x2.convert_low_i32x4_s',
  f64ToI32: 'i32x4.trunc_sat_f64x2_s_zero',
  i32ToI64: 'i64x2.extend_low_i32x4_s',
};

function emitConvert(e: RegionEmitter, { fn, a }: Of<'convert'>): void {
  const { w } = e;
  e.push(a);
  const direct = directConversions[fn];
  if (direct) {
    w.vector(direct);
    return;
  }
  switch (fn) {
    case 'maskToI32':
      narrowMask(e);
      w.vector('i32x4.neg');
      return;
    case 'i32ToMask':
      w.splat(0);
      w.vector('i32x4.ne');
      widenMask(e);
      return;
    case 'i64ToI32':
      packLow(e);
      return;
    case 'i64ToF64':
      laneByLane(e, 'i64x2.extract_lane', 'f64.convert_i64_s', 'f64x2.splat', 'f64x2.replace_lane');
      return;
    case 'f64ToI64':
      laneByLane(e, 'f64x2.extract_lane', 'i64.trunc_sat_f64_s', 'i64x2.splat', 'i64x2.replace_lane');
      return;
    default: // the same bits
      return;
  }
}

function laneByLane(e: RegionEmitter, extract: LaneOp, op: PlainOp, splat: VectorOp, replace: LaneOp): void {
  const { w } = e;
  const local = e.local('v128');
  w.tee(local);
  w.lane(extract, 0);
  w.op(op);
  w.vector(splat);
  if (e.kernel.lanes === 1) return;
  w.get(local);
  w.lane(extract, 1);
  w.op(op);
  w.lane(replace, 1);
}

/** Floor division: shifts and masks for powers of two in i32, else lane by lane, where nothing may trap. */
function emitDivision(e: RegionEmitter, fn: 'div' | 'mod', type: 'i32' | 'i64', a: Reg, b: Reg): void {
  const { w } = e;
  const divisor = type === 'i32' ? constantOf(e.analysis.regs, b) : null;
  const lanes = type === 'i32' ? 'i32x4' : 'i64x2';
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
      w.lane(`${lanes}.extract_lane`, lane);
    };
  }
  const helper = fn === 'div' ? e.env.floorDivide(type) : e.env.floorModulo(type);
  for (let lane = 0; lane < e.kernel.lanes; lane++) {
    w.get(left);
    w.lane(`${lanes}.extract_lane`, lane);
    pushDivisor(lane);
    w.call(helper);
    if (lane === 0) w.vector(`${lanes}.splat`);
    else w.lane(`${lanes}.replace_lane`, lane);
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

// ---- across lanes ------------------------------------------------------------------------------------------------------

/** The upper half of the lanes onto the lower half until one is left, as the interpreter does, so that sums and NaN come out as there. */
function emitReduce(e: RegionEmitter, { fn, type, a, lanes }: Of<'reduce'>): void {
  const { w } = e;
  const op = vectorOp(fn, type);
  // pmin and pmax take their operands the other way round.
  const swapped = isFloat(type) && (fn === 'min' || fn === 'max');
  const bytes = isWide(type) ? 8 : 4;
  const value = e.inLocal(a, e.local('v128'));
  const pushShuffled = (from: number, order: readonly number[]): void => {
    w.get(from);
    w.get(from);
    w.shuffle(laneBytes(order.slice(0, 16 / bytes), bytes));
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
