/**
 * Register allocation: linear scan over the structured list. A virtual register lives from its first to its last mention,
 * and through every loop that it enters from outside. Where registers run out, the value with the least use, weighted by
 * ten for each loop around a use, goes to the stack, its uses become memory operands or short-lived registers, and the
 * scan starts again. Knows the roles of operands from the encoding table, and no kernel IR.
 */
import { invariant } from '../../base/errors.ts';
import { encodingOf } from './encodings.ts';
import type { Item, Lir, Operation } from './lir.ts';
import { operation } from './lir.ts';
import { mentions } from './mentions.ts';
import type { Memory, Operand, Register, RegisterClass } from './operands.ts';
import { FIRST_VIRTUAL, gpr64, imm, ptr, rsp } from './operands.ts';

export interface Allocation {
  readonly items: readonly Item[];
  /** Stack bytes for spilled values. */
  readonly frameBytes: number;
  /** Machine registers in use, by id. */
  readonly usedGprs: ReadonlySet<number>;
  readonly spills: number;
}

export interface Interval {
  readonly id: number;
  readonly cls: RegisterClass;
  bits: Register['bits'];
  start: number;
  end: number;
  weight: number;
  /** Virtual register on the other side of a move, or a machine register. */
  hint: { readonly virtual: number } | { readonly machine: number } | null;
  assigned: number;
}

/** Order in which registers are tried: those that a callee may destroy first. rsp (4) is the stack. */
const gprOrder = [0, 1, 2, 6, 7, 8, 9, 10, 11, 3, 5, 12, 13, 14, 15];
const vecOrder = Array.from({ length: 32 }, (_, id) => id);

export function allocate(lir: Lir, from: readonly Item[] = lir.items): Allocation {
  let items = from;
  let frameBytes = 0;
  let spills = 0;
  const pinned = new Set<number>();
  for (let round = 0; ; round++) {
    invariant(round < 64, 'register allocation does not come to an end');
    const intervals = buildIntervals(items, pinned);
    const spilled = scan(intervals, lir.vectorRegisters);
    if (spilled.length === 0) return { ...assign(items, intervals), frameBytes, spills };
    const slots = new Map<number, Memory>();
    for (const interval of spilled) {
      const size = interval.cls === 'gpr' ? 8 : interval.bits / 8;
      frameBytes = Math.ceil(frameBytes / size) * size;
      slots.set(interval.id, ptr(rsp, { disp: frameBytes, bits: 64 }));
      frameBytes += size;
    }
    spills += spilled.length;
    items = rewrite(items, slots, new Map(spilled.map((s) => [s.id, s])), lir, pinned);
  }
}

// ---- intervals ---------------------------------------------------------------------------------------------------------

export function buildIntervals(items: readonly Item[], pinned: ReadonlySet<number>): Interval[] {
  const byId = new Map<number, Interval>();
  const loops: { start: number; end: number; depth: number }[] = [];
  const open: { start: number; end: number; depth: number }[] = [];
  const innermost: ((typeof loops)[number] | null)[] = [];
  items.forEach((item, i) => {
    if (item.kind === 'loop') {
      const loop = { start: 2 * i, end: -1, depth: open.length + 1 };
      loops.push(loop);
      open.push(loop);
    }
    innermost.push(open[open.length - 1] ?? null);
    if (item.kind === 'end') open.pop()!.end = 2 * i + 1;
    const weight = 10 ** Math.min(open.length, 8);
    mentions(item, (r, role) => {
      if (r.id < FIRST_VIRTUAL) return;
      const at = role === 'w' ? 2 * i + 1 : 2 * i;
      let interval = byId.get(r.id);
      if (!interval) {
        interval = { id: r.id, cls: r.cls, bits: r.bits, start: at, end: at, weight: 0, hint: null, assigned: -1 };
        byId.set(r.id, interval);
      }
      interval.end = Math.max(interval.end, role === 'r' ? 2 * i : 2 * i + 1);
      interval.weight += pinned.has(r.id) ? Number.POSITIVE_INFINITY : weight;
      if (r.bits > interval.bits) interval.bits = r.bits;
    });
    addHints(item, byId);
  });
  extendThroughLoops(items, byId, innermost, loops);
  return [...byId.values()].sort((a, b) => a.start - b.start || a.id - b.id);
}

function extendThroughLoops(
  items: readonly Item[],
  byId: ReadonlyMap<number, Interval>,
  innermost: readonly ({ start: number; end: number; depth: number } | null)[],
  loops: readonly { start: number; end: number }[],
): void {
  items.forEach((item, i) => {
    const inner = innermost[i];
    if (!inner) return;
    mentions(item, (r) => {
      const interval = byId.get(r.id);
      if (!interval || interval.start >= inner.start) return;
      // The outermost loop that began after the definition and holds this mention.
      for (const loop of loops) {
        if (loop.start > interval.start && loop.start <= 2 * i && loop.end >= 2 * i) {
          interval.end = Math.max(interval.end, loop.end);
          break;
        }
      }
    });
  });
}

function addHints(item: Item, byId: ReadonlyMap<number, Interval>): void {
  if (item.kind === 'entry') {
    for (const arg of item.args) byId.get(arg.virtual.id)!.hint = { machine: arg.fixed.id };
  }
  if (!isMove(item)) return;
  const [to, from] = item.operands as readonly Register[];
  const target = byId.get(to.id);
  if (target && !target.hint) target.hint = { virtual: from.id };
}

function isMove(item: Item): item is Operation {
  if (item.kind !== 'op' || item.operands.length !== 2) return false;
  if (item.mnemonic !== 'vmovups' && item.mnemonic !== 'mov') return false;
  const [a, b] = item.operands;
  return a.kind === 'reg' && b.kind === 'reg' && a.bits === b.bits && a.mask === undefined;
}

// ---- the scan ----------------------------------------------------------------------------------------------------------

/** Gives each interval a register; returns those that got none. */
function scan(intervals: readonly Interval[], vectorRegisters: number): Interval[] {
  const spilled: Interval[] = [];
  const byId = new Map(intervals.map((i) => [i.id, i]));
  for (const cls of ['gpr', 'vec'] as const) {
    const order = cls === 'gpr' ? gprOrder : vecOrder.slice(0, vectorRegisters);
    const free = new Set(order);
    let active: Interval[] = [];
    for (const current of intervals) {
      if (current.cls !== cls) continue;
      const still: Interval[] = [];
      for (const interval of active) {
        if (interval.end < current.start) free.add(interval.assigned);
        else still.push(interval);
      }
      active = still;
      if (free.size === 0) {
        const victim = [...active, current].reduce((least, i) => (cheaper(i, least) ? i : least));
        invariant(victim.weight !== Number.POSITIVE_INFINITY, 'more short-lived values than registers');
        spilled.push(victim);
        if (victim === current) continue;
        active.splice(active.indexOf(victim), 1);
        free.add(victim.assigned);
        victim.assigned = -1;
      }
      current.assigned = choose(current, order, free, byId);
      free.delete(current.assigned);
      active.push(current);
    }
  }
  return spilled;
}

/** Less use first; among equals, the one that occupies a register for longer. */
function cheaper(a: Interval, b: Interval): boolean {
  return a.weight !== b.weight ? a.weight < b.weight : a.end - a.start > b.end - b.start;
}

function choose(
  interval: Interval,
  order: readonly number[],
  free: ReadonlySet<number>,
  byId: ReadonlyMap<number, Interval>,
): number {
  const hint = interval.hint;
  const wanted = hint === null ? -1 : 'machine' in hint ? hint.machine : (byId.get(hint.virtual)?.assigned ?? -1);
  if (free.has(wanted)) return wanted;
  return order.find((id) => free.has(id))!;
}

// ---- the result --------------------------------------------------------------------------------------------------------

function assign(items: readonly Item[], intervals: readonly Interval[]): Pick<Allocation, 'items' | 'usedGprs'> {
  const assigned = new Map(intervals.map((i) => [i.id, i.assigned]));
  const usedGprs = new Set<number>();
  for (const i of intervals) if (i.cls === 'gpr') usedGprs.add(i.assigned);
  const machine = (r: Register): Register => (r.id < FIRST_VIRTUAL ? r : { ...r, id: assigned.get(r.id)! });
  const out: Item[] = [];
  for (const item of items) {
    if (item.kind !== 'op') {
      out.push(item);
      continue;
    }
    const mapped: Item = { ...item, operands: item.operands.map((o) => mapRegisters(o, machine)) };
    if (isMove(mapped) && (mapped.operands[0] as Register).id === (mapped.operands[1] as Register).id) continue;
    out.push(mapped);
  }
  return { items: out, usedGprs };
}

function mapRegisters(o: Operand, map: (r: Register) => Register): Operand {
  if (o.kind === 'reg') return map(o);
  if (o.kind !== 'mem' || (!o.base && !o.index)) return o;
  return { ...o, ...(o.base && { base: map(o.base) }), ...(o.index && { index: map(o.index) }) };
}

// ---- spills ------------------------------------------------------------------------------------------------------------

/** Replaces spilled registers by their slots where the instruction can, else by registers that live for one instruction. */
function rewrite(
  items: readonly Item[],
  slots: ReadonlyMap<number, Memory>,
  spilled: ReadonlyMap<number, Interval>,
  lir: Lir,
  pinned: Set<number>,
): Item[] {
  const out: Item[] = [];
  for (const item of items) {
    if (item.kind === 'entry') {
      const stores: Item[] = [];
      const args = item.args.map((arg) => {
        const slot = slots.get(arg.virtual.id);
        if (!slot) return arg;
        stores.push(operation('mov', [slot, arg.fixed]));
        return null;
      });
      // A spilled argument is stored straight from its machine register, before anything can take that register.
      out.push(...stores, { kind: 'entry', args: args.filter((a) => a !== null) });
      continue;
    }
    if (item.kind !== 'op') {
      out.push(item);
      continue;
    }
    let touched: Map<number, string> | null = null;
    mentions(item, (r, role) => {
      if (!slots.has(r.id)) return;
      touched ??= new Map();
      touched.set(r.id, (touched.get(r.id) ?? '') + role);
    });
    if (touched === null) out.push(item);
    else rewriteOne(item, touched, slots, spilled, lir, pinned, out);
  }
  return out;
}

function rewriteOne(
  item: Operation,
  touched: ReadonlyMap<number, string>,
  slots: ReadonlyMap<number, Memory>,
  spilled: ReadonlyMap<number, Interval>,
  lir: Lir,
  pinned: Set<number>,
  out: Item[],
): void {
  let operands = item.operands;
  const before: Item[] = [];
  const after: Item[] = [];
  for (const [id, roles] of touched) {
    const slot = slots.get(id)!;
    const at = roles.length === 1 ? operands.findIndex((o) => o.kind === 'reg' && o.id === id) : -1;
    if (at >= 0 && canBeMemory({ ...item, operands }, at, spilled.get(id)!)) {
      operands = operands.map((o, i) => (i === at ? { ...slot, bits: slotBits(o as Register) } : o));
      continue;
    }
    const { cls, bits } = spilled.get(id)!;
    const temporary = lir.virtual(cls, bits);
    pinned.add(temporary.id);
    const mnemonic = cls === 'vec' ? 'vmovups' : 'mov';
    if (/[rx]/.test(roles)) before.push(operation(mnemonic, [temporary, slot]));
    if (/[wx]/.test(roles)) after.push(operation(mnemonic, [slot, temporary]));
    operands = operands.map((o) => mapRegisters(o, (r) => (r.id === id ? { ...r, id: temporary.id } : r)));
  }
  out.push(...before, { ...item, operands }, ...after);
}

function slotBits(r: Register): 32 | 64 {
  return r.bits === 32 ? 32 : 64;
}

/** Whether operand `at`, a register, may be its stack slot instead. */
function canBeMemory(item: Operation, at: number, interval: Interval): boolean {
  const { operands } = item;
  if (operands.some((o) => o.kind === 'mem')) return false;
  const row = encodingOf(item.mnemonic);
  const role = item.roles[at];
  const register = operands[at] as Register;
  // Writing a part of a slot would leave the rest of it stale.
  if (role !== 'r' && register.bits !== interval.bits) return false;
  if (row.enc === 'vex') {
    if (role === 'r') return row.foldable && row.form[at] === 'm';
    return item.mnemonic === 'vmovups' && role === 'w' && register.mask === undefined;
  }
  switch (row.shape) {
    case 'alu':
      return at === 0 || operands[1].kind === 'reg';
    case 'mov':
      return !(at === 0 && operands[1].kind === 'imm' && Math.abs(operands[1].value) >= 2 ** 31);
    case 'imul':
    case 'rm':
      return at === 1;
    case 'shift':
    case 'unary':
      return true;
    case 'test':
      return at === 0;
    default:
      return false;
  }
}

// ---- frame -------------------------------------------------------------------------------------------------------------

const calleeSaved = [3, 5, 12, 13, 14, 15];

/** Writes an allocated region: saves, frame, body, restore. The caller keeps rsp + 8 at a multiple of 64 at the entry. */
export function emitFrame(lir: Lir, allocation: Allocation): void {
  const a = lir.assembler;
  const saved = calleeSaved.filter((id) => allocation.usedGprs.has(id));
  for (const id of saved) a.emit('push', gpr64[id]);
  // Return address and saves, filled up so that slots lie at multiples of 64.
  const above = 8 + 8 * saved.length;
  const frame = allocation.frameBytes === 0 ? 0 : Math.ceil((above + allocation.frameBytes) / 64) * 64 - above;
  if (frame > 0) a.emit('sub', rsp, imm(frame));
  let usesVectors = false;
  for (const item of allocation.items) {
    if (item.kind === 'label') a.bind(item.label);
    else if (item.kind === 'loop') {
      if (item.align) a.align(32);
      a.bind(item.label);
    } else if (item.kind === 'op') {
      usesVectors ||= item.operands.some((o) => o.kind === 'reg' && o.cls === 'vec');
      a.emit(item.mnemonic, ...item.operands);
    }
  }
  if (frame > 0) a.emit('add', rsp, imm(frame));
  for (const id of saved.reverse()) a.emit('pop', gpr64[id]);
  if (usesVectors) a.emit('vzeroupper');
  a.emit('ret');
}
