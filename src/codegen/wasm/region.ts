/**
 * One region as one function: blocks, loops, pointers, and the choice which values become locals and which stay nested
 * expressions. What each instruction becomes is in select.ts.
 */
import { InternalError } from '../../base/errors.ts';
import type { Affine, Dynamic, Instr, Kernel, Loop, LoopVar, Node, Reg, Region } from '../../kernel/ir.ts';
import { elemBytes, holdsWide } from '../../kernel/ir.ts';
import type { Analysis, Block } from './analysis.ts';
import { analyse, constantOf, regInfo } from './analysis.ts';
import type { FunctionWriter, ValueType } from './encoder.ts';
import type { Access, Pointer, PointerPlan } from './pointers.ts';
import { planPointers } from './pointers.ts';
import { emitInstr, emitLaneOf } from './select.ts';
import { constantTrips, partOf } from './unroll.ts';

/** Parameters of every region's function. The address of the arguments is never 0. */
const ARGS = 0;
const CHUNK = 1;
export const ERROR_RECORD = 2;
export const regionParams: readonly ValueType[] = ['i32', 'i32', 'i32'];

/** What the module offers to all its functions. */
export interface Environment {
  readonly relaxed: boolean;
  /** Index of the function (a, b) -> floor of a / b, and of the one for the rest; made when first asked for. */
  floorDivide(type: 'i32' | 'i64'): number;
  floorModulo(type: 'i32' | 'i64'): number;
}

/** Expressions deeper than this become locals, so that nothing recurses without end. */
const DEEPEST = 48;

/** Loads after which a long stretch of multiply-adds is cut: the operands of one step of a register tile. */
const LOADS_OF_STRETCH = 6;

/** A value whose code has not been emitted yet: it will be where its only use is. */
interface Pending {
  readonly instr: Instr;
  readonly depth: number;
  readonly readsMemory: boolean;
  readonly readsAccumulators: readonly Reg[];
}

export class RegionEmitter {
  readonly w: FunctionWriter;
  readonly env: Environment;
  readonly kernel: Kernel;
  readonly analysis: Analysis;
  /**
   * Whether some register has lanes of 64 bits: masks have them too then, and registers of 32-bit lanes use their lower half.
   */
  readonly wide: boolean;
  readonly #region: Region;
  readonly #plan: PointerPlan;
  readonly #pending = new Map<Reg, Pending>();
  readonly #values = new Map<Reg, number>();
  readonly #lanes = new Map<Reg, number>();
  readonly #variables = new Map<number, number>();
  readonly #constants = new Map<string, number>();
  readonly #free = new Map<ValueType, number[]>();
  /** Locals that are given back when the block ends. */
  #scope: { type: ValueType; local: number }[] = [];

  constructor(w: FunctionWriter, kernel: Kernel, region: Region, env: Environment) {
    this.w = w;
    this.env = env;
    this.kernel = kernel;
    this.wide = holdsWide(kernel);
    if (kernel.lanes > (this.wide ? 2 : 4))
      throw new InternalError(`internal: ${kernel.name} has ${kernel.lanes} lanes`);
    this.#region = region;
    this.analysis = analyse(region);
    this.#plan = planPointers(kernel, region, this.analysis);
  }

  emit(): void {
    this.#variables.set(this.#region.v.id, CHUNK);
    this.#hoistConstants();
    for (const pointer of this.#plan.byVariable.get(null) ?? []) this.#startPointer(pointer, () => {});
    const chunk = (): void => this.w.get(CHUNK);
    for (const pointer of this.#plan.byVariable.get(this.#region.v) ?? []) this.#startPointer(pointer, chunk);
    this.#block(this.analysis.root);
  }

  // ---- what instruction selection asks for --------------------------------------------------------------------------------

  /** Pushes a register's vector. */
  push(reg: Reg): void {
    const pending = this.#pending.get(reg);
    if (pending) {
      this.#pending.delete(reg);
      emitInstr(this, pending.instr);
      return;
    }
    const { instr } = regInfo(this.analysis.regs, reg);
    if (instr.op === 'const') {
      this.#pushConstant(instr);
      return;
    }
    this.w.get(this.#localOf(reg));
  }

  /** The local that holds a register's vector; a nested expression is computed into `temporary` first. */
  inLocal(reg: Reg, temporary: number): number {
    const known = this.#values.get(reg);
    if (known !== undefined) return known;
    this.push(reg);
    this.w.set(temporary);
    return temporary;
  }

  /** Pushes the integer in lane 0 of a register. */
  pushLane(reg: Reg): void {
    const lane = this.#lanes.get(reg);
    if (lane !== undefined) {
      this.w.get(lane);
      return;
    }
    const constant = constantOf(this.analysis.regs, reg);
    if (constant !== null) {
      this.w.i32(constant);
      return;
    }
    const pending = this.#pending.get(reg);
    if (pending && emitLaneOf(this, pending.instr)) {
      this.#pending.delete(reg);
      return;
    }
    this.push(reg);
    this.w.lane('i32x4.extract_lane', 0);
  }

  /** Pushes the address of an access and returns the bytes to add to it. */
  pushAddress(access: Access): number {
    const place = this.#plan.of.get(access);
    if (!place) throw new InternalError('internal: an access without a pointer');
    this.w.get(place.pointer.local);
    if (access.dyn) this.#addDynamic(access.dyn, access.buf);
    return place.offset;
  }

  /** Computes an access's address into `temporary` where it is needed more than once and is no plain local. */
  addressLocal(access: Access, temporary: () => number): { local: number; offset: number } {
    const place = this.#plan.of.get(access);
    if (!place) throw new InternalError('internal: an access without a pointer');
    if (!access.dyn) return { local: place.pointer.local, offset: place.offset };
    const offset = this.pushAddress(access);
    const local = temporary();
    this.w.set(local);
    return { local, offset };
  }

  /** Pushes offset + sum of coef * variable. */
  pushAffine(at: Affine): void {
    let pushed = false;
    for (const { v, coef } of at.terms) {
      this.w.get(this.#variable(v));
      if (coef !== 1) {
        this.w.i32(coef);
        this.w.op('i32.mul');
      }
      if (pushed) this.w.op('i32.add');
      pushed = true;
    }
    if (!pushed) {
      this.w.i32(at.offset);
      return;
    }
    if (at.offset !== 0) {
      this.w.i32(at.offset);
      this.w.op('i32.add');
    }
  }

  /** A local that lives to the end of the block. */
  local(type: ValueType): number {
    const local = this.#free.get(type)?.pop() ?? this.w.local(type);
    this.#scope.push({ type, local });
    return local;
  }

  setLane(reg: Reg, local: number): void {
    this.#lanes.set(reg, local);
  }

  setValue(reg: Reg, local: number): void {
    this.#values.set(reg, local);
  }

  // ---- blocks ---------------------------------------------------------------------------------------------------------

  #block(block: Block): void {
    const outer = this.#scope;
    this.#scope = [];
    this.#stretches(block.nodes);
    this.#flush(() => true);
    for (const { type, local } of this.#scope) {
      const free = this.#free.get(type);
      if (free) free.push(local);
      else this.#free.set(type, [local]);
    }
    this.#scope = outer;
  }

  /**
   * Emits nodes in order, and puts a condition that always holds around each further step of a long stretch of multiply-adds:
   * V8 would else move all its loads to the front and spill them. 9 steps of a 4 x 8 tile: 29 instead of 13 GFLOP/s.
   */
  #stretches(nodes: readonly Node[]): void {
    let loads = 0;
    let multiplied = false;
    let open = false;
    const close = (): void => {
      if (open) this.w.op('end');
      open = false;
      loads = 0;
      multiplied = false;
    };
    for (const node of nodes) {
      if (node.op === 'load') {
        if (loads >= LOADS_OF_STRETCH && multiplied) {
          close();
          this.w.get(ARGS);
          this.w.open('if');
          open = true;
        }
        loads++;
      } else if (node.op === 'fmaAcc') multiplied = true;
      else if (node.op !== 'const') close();
      this.#node(node);
    }
    close();
  }

  #node(node: Node): void {
    switch (node.op) {
      case 'loop':
        this.#flush(() => true);
        this.#loop(node);
        return;
      case 'const':
        return;
      case 'store':
        // The address and the value take what is pending for them; what else has been read must be kept before memory changes.
        emitInstr(this, node, () => this.#flush((p) => p.readsMemory));
        return;
      case 'guard':
        emitInstr(this, node);
        return;
      case 'set':
      case 'fmaAcc':
        emitInstr(this, node);
        this.#flush((p) => p.readsAccumulators.includes(node.acc));
        this.w.set(this.#localOf(node.acc));
        return;
      case 'acc': {
        this.push(node.init);
        const local = this.local('v128');
        this.w.set(local);
        this.#values.set(node.out, local);
        return;
      }
      default:
        this.#value(node);
        return;
    }
  }

  /** Keeps a value pending where its one use follows in this block; computes it into a local otherwise. */
  #value(instr: Exclude<Instr, { op: 'store' | 'set' | 'fmaAcc' | 'guard' | 'acc' | 'const' }>): void {
    const info = regInfo(this.analysis.regs, instr.out);
    const uses = info.vectorUses + info.laneUses;
    if (uses === 0) return;
    if (uses === 1 && info.local) {
      const pending = this.#pendingOf(instr);
      if (pending.depth <= DEEPEST) {
        this.#pending.set(instr.out, pending);
        return;
      }
    }
    this.#compute(instr.out, instr);
  }

  #compute(out: Reg, instr: Instr): void {
    const info = regInfo(this.analysis.regs, out);
    if (info.vectorUses === 0 && emitLaneOf(this, instr)) {
      const local = this.local('i32');
      this.w.set(local);
      this.#lanes.set(out, local);
      return;
    }
    emitInstr(this, instr);
    const local = this.local('v128');
    this.w.set(local);
    this.#values.set(out, local);
  }

  #pendingOf(instr: Instr): Pending {
    const accumulators: Reg[] = [];
    let depth = 1;
    for (const reg of operands(instr)) {
      const nested = this.#pending.get(reg);
      if (nested) depth = Math.max(depth, nested.depth + 1);
      if (regInfo(this.analysis.regs, reg).instr.op === 'acc') accumulators.push(reg);
    }
    return { instr, depth, readsMemory: instr.op === 'load', readsAccumulators: accumulators };
  }

  /** Computes pending values into locals where `hit` says so. */
  #flush(hit: (pending: Pending) => boolean): void {
    // From the last to the first, since later ones take along what they are made of.
    for (const [reg, pending] of [...this.#pending].reverse()) {
      if (!hit(pending) || !this.#pending.has(reg)) continue;
      this.#pending.delete(reg);
      this.#compute(reg, pending.instr);
    }
  }

  // ---- loops ----------------------------------------------------------------------------------------------------------

  #loop(loop: Loop): void {
    const { w } = this;
    const trips = constantTrips(loop);
    const part = partOf(loop);
    if (trips === 0 && part === null) return;
    const pointers = this.#plan.byVariable.get(loop.v) ?? [];
    const start = (): void => {
      for (const pointer of pointers) this.#startPointer(pointer, () => w.get(v));
    };
    // A tail goes on with the variable and the pointers of the main part.
    const v = part === 'tail' ? this.#variable(loop.v) : this.local('i32');
    if (part !== 'tail') {
      this.#variables.set(loop.v.id, v);
      this.#pushBound(loop.lo, 'i32.gt_s');
      w.set(v);
    }
    const hi = this.#loopEnd(loop);
    if (part === 'main') start();
    if (trips === null) {
      w.get(v);
      hi();
      w.op('i32.lt_s');
      w.open('if');
    }
    if (part === null) start();
    if (trips !== 0) this.#iterate(loop, v, hi, pointers, trips);
    if (trips === null) w.op('end');
  }

  /** At least one iteration. */
  #iterate(loop: Loop, v: number, hi: () => void, pointers: readonly Pointer[], trips: number | null): void {
    const { w } = this;
    const block = this.analysis.blockOf.get(loop.body)!;
    const once = trips === 1;
    if (!once) w.open('loop');
    this.#block(block);
    if (once && partOf(loop) !== 'main') return;
    for (const pointer of pointers) {
      const { coef } = pointer.terms[pointer.terms.length - 1];
      w.get(pointer.local);
      w.i32(coef * loop.step);
      w.op('i32.add');
      w.set(pointer.local);
    }
    w.get(v);
    w.i32(loop.step);
    w.op('i32.add');
    if (once) {
      w.set(v);
      return;
    }
    w.tee(v);
    hi();
    w.op('i32.lt_s');
    w.branchIf(0);
    w.op('end');
  }

  /** What pushes the loop's end: a constant, or a local that is computed here. */
  #loopEnd(loop: Loop): () => void {
    if (loop.until !== undefined) return this.#limitedEnd(loop, loop.until);
    if (loop.hi.length === 1 && loop.hi[0].terms.length === 0) {
      const end = loop.hi[0].offset;
      return () => this.w.i32(end);
    }
    const end = this.local('i32');
    this.#pushBound(loop.hi, 'i32.lt_s');
    this.w.set(end);
    return () => this.w.get(end);
  }

  /** The least of the bounds and of a number that comes from data. */
  #limitedEnd(loop: Loop, until: Reg): () => void {
    const { w } = this;
    const end = this.local('i32');
    const limit = this.local('i32');
    this.#pushBound(loop.hi, 'i32.lt_s');
    w.set(end);
    this.pushLane(until);
    w.set(limit);
    for (const op of [end, limit, end, limit]) w.get(op);
    w.op('i32.lt_s');
    w.op('select');
    w.set(end);
    return () => w.get(end);
  }

  /** Pushes the tightest bound: `keep` says when the first of two wins. */
  #pushBound(bounds: readonly Affine[], keep: 'i32.gt_s' | 'i32.lt_s'): void {
    const { w } = this;
    this.pushAffine(bounds[0]);
    if (bounds.length === 1) return;
    const best = this.local('i32');
    const other = this.local('i32');
    for (const bound of bounds.slice(1)) {
      w.set(best);
      this.pushAffine(bound);
      w.set(other);
      w.get(best);
      w.get(other);
      w.get(best);
      w.get(other);
      w.op(keep);
      w.op('select');
    }
  }

  #variable(v: LoopVar): number {
    const local = this.#variables.get(v.id);
    if (local === undefined) throw new InternalError(`internal: the loop variable ${v.name} is used outside its loop`);
    return local;
  }

  // ---- pointers and constants -----------------------------------------------------------------------------------------

  /** Derives a pointer from its parent, or from the buffer's address. `pushVariable` pushes the variable that it steps with. */
  #startPointer(pointer: Pointer, pushVariable: () => void): void {
    const { w } = this;
    pointer.local = this.local('i32');
    let offset = pointer.offset;
    if (pointer.parent) {
      const { coef } = pointer.terms[pointer.terms.length - 1];
      w.get(pointer.parent.local);
      pushVariable();
      w.i32(coef);
      w.op('i32.mul');
      w.op('i32.add');
      offset -= pointer.parent.offset;
    } else {
      w.get(ARGS);
      w.memory('i32.load', pointer.buf * 4);
    }
    if (offset !== 0) {
      w.i32(offset);
      w.op('i32.add');
    }
    w.set(pointer.local);
  }

  #addDynamic(dyn: Dynamic, buf: number): void {
    this.pushLane(dyn.index);
    const bytes = dyn.scale * elemBytes[this.kernel.params[buf].elem];
    if (bytes !== 1) {
      this.w.i32(bytes);
      this.w.op('i32.mul');
    }
    this.w.op('i32.add');
  }

  /** Constants that are used as vectors inside a loop are computed once, at the function's start; engines don't do that by themselves. */
  #hoistConstants(): void {
    const inLoop = new Set<Reg>();
    for (const block of this.analysis.blocks) {
      if (block.depth === 0) continue;
      for (const node of block.nodes) if (node.op !== 'loop') for (const reg of operands(node)) inLoop.add(reg);
    }
    for (const [reg, { instr, vectorUses }] of this.analysis.regs) {
      if (instr.op !== 'const' || vectorUses === 0 || !inLoop.has(reg)) continue;
      const [low, high] = bitsOf(instr);
      const key = `${low} ${high}`;
      // Zero is one short instruction.
      if ((low === 0 && high === 0) || this.#constants.has(key)) continue;
      const local = this.w.local('v128');
      this.w.lanes([low, high, low, high]);
      this.w.set(local);
      this.#constants.set(key, local);
    }
  }

  #pushConstant(instr: Constant): void {
    const [low, high] = bitsOf(instr);
    const hoisted = this.#constants.get(`${low} ${high}`);
    if (hoisted === undefined) this.w.lanes([low, high, low, high]);
    else this.w.get(hoisted);
  }

  #localOf(reg: Reg): number {
    const local = this.#values.get(reg);
    if (local === undefined)
      throw new InternalError(`internal: register ${reg} of ${this.kernel.name} has no value yet`);
    return local;
  }
}

/** Registers that an instruction reads. */
function operands(instr: Instr): Reg[] {
  switch (instr.op) {
    case 'const':
    case 'index':
      return [];
    case 'load':
      return instr.dyn ? [instr.dyn.index] : [];
    case 'store':
      return instr.dyn ? [instr.dyn.index, instr.value] : [instr.value];
    case 'unary':
    case 'convert':
    case 'reduce':
      return [instr.a];
    case 'binary':
    case 'compare':
    case 'exchange':
      return [instr.a, instr.b];
    case 'select':
      return [instr.mask, instr.a, instr.b];
    case 'fma':
      return [instr.a, instr.b, instr.c];
    case 'acc':
      return [instr.init];
    case 'set':
      return [instr.value];
    case 'fmaAcc':
      return [instr.a, instr.b];
    case 'guard':
      return [instr.index];
  }
}

type Constant = Extract<Instr, { op: 'const' }>;

const scratch = new DataView(new ArrayBuffer(8));

/** Two words, which are equal where lanes have 32 bits. */
function bitsOf(instr: Constant): [low: number, high: number] {
  switch (instr.type) {
    case 'i32':
      return [instr.value | 0, instr.value | 0];
    case 'f32':
      scratch.setFloat32(0, instr.value);
      return [scratch.getInt32(0), scratch.getInt32(0)];
    case 'f64':
      scratch.setFloat64(0, instr.value);
      break;
    case 'i64':
      scratch.setBigInt64(0, instr.value);
  }
  return [scratch.getInt32(4), scratch.getInt32(0)];
}
