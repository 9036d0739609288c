/**
 * Moves loads of constants out of innermost loops while registers are left for them. Works on the linear list, where it is
 * known which constants became memory operands and which need a register. Knows no kernel IR.
 */
import type { Interval } from './allocate.ts';
import { buildIntervals } from './allocate.ts';
import type { Item, Lir, Operation } from './lir.ts';
import { mentions } from './mentions.ts';
import type { Register } from './operands.ts';

interface LoopRange {
  readonly start: number;
  readonly end: number;
}

export function hoistConstants(lir: Lir, items: readonly Item[] = lir.items): readonly Item[] {
  const loops = innermostLoops(items).filter((loop) => items.slice(loop.start, loop.end).some(isConstantLoad));
  if (loops.length === 0) return items;
  const intervals = buildIntervals(items, new Set()).filter((i) => i.cls === 'vec');
  const constantOnly = readOnlyRegisters(items);
  const before = new Map<number, Item[]>();
  const renamed = new Map<number, Register>();
  const dropped = new Set<number>();
  for (const loop of loops) {
    let room = lir.vectorRegisters - pressure(intervals, loop);
    const byLabel = new Map<number, Register>();
    for (let i = loop.start; i < loop.end; i++) {
      const item = items[i];
      if (!isConstantLoad(item)) continue;
      const [register, memory] = item.operands as [Register, { label: { id: number } }];
      if (!constantOnly.has(register.id)) continue;
      const label = memory.label.id;
      let shared = byLabel.get(label);
      if (!shared) {
        if (room <= 0) continue;
        room--;
        shared = lir.virtual('vec', register.bits);
        byLabel.set(label, shared);
        const moved = before.get(loop.start) ?? [];
        moved.push({ ...item, operands: [shared, item.operands[1]] });
        before.set(loop.start, moved);
      }
      renamed.set(register.id, shared);
      dropped.add(i);
    }
  }
  return rebuild(items, before, renamed, dropped);
}

function rebuild(
  items: readonly Item[],
  before: ReadonlyMap<number, readonly Item[]>,
  renamed: ReadonlyMap<number, Register>,
  dropped: ReadonlySet<number>,
): Item[] {
  const out: Item[] = [];
  items.forEach((item, i) => {
    out.push(...(before.get(i) ?? []));
    if (dropped.has(i)) return;
    if (item.kind !== 'op') {
      out.push(item);
      return;
    }
    const operands = item.operands.map((o) => {
      const shared = o.kind === 'reg' ? renamed.get(o.id) : undefined;
      return shared && o.kind === 'reg' ? { ...shared, bits: o.bits } : o;
    });
    out.push({ ...item, operands });
  });
  return out;
}

function isConstantLoad(item: Item): item is Operation {
  if (item.kind !== 'op' || item.mnemonic !== 'vmovups') return false;
  const [to, from] = item.operands;
  return to.kind === 'reg' && to.mask === undefined && from.kind === 'mem' && from.label !== undefined;
}

function innermostLoops(items: readonly Item[]): LoopRange[] {
  const found: LoopRange[] = [];
  let start = -1;
  items.forEach((item, i) => {
    if (item.kind === 'loop') start = i;
    if (item.kind === 'end') {
      if (start >= 0) found.push({ start, end: i });
      start = -1;
    }
  });
  return found;
}

/** Registers that are written once and only read afterwards. */
function readOnlyRegisters(items: readonly Item[]): Set<number> {
  const writes = new Map<number, number>();
  for (const item of items) {
    mentions(item, (r, role) => {
      if (role !== 'r') writes.set(r.id, (writes.get(r.id) ?? 0) + 1);
    });
  }
  return new Set([...writes].filter(([, n]) => n === 1).map(([id]) => id));
}

/** Most vector registers that are alive at once in a loop. */
function pressure(intervals: readonly Interval[], loop: LoopRange): number {
  const from = 2 * loop.start;
  const to = 2 * loop.end + 1;
  const steps: [number, number][] = [];
  for (const i of intervals) {
    if (i.end < from || i.start > to) continue;
    steps.push([i.start, 1], [i.end + 1, -1]);
  }
  steps.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let now = 0;
  let most = 0;
  for (const [, by] of steps) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}
