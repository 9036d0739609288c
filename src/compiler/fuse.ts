/**
 * Fusion: decides which values are stored and which are computed where they are used, and puts operations into groups. A group
 * becomes one kernel: elementwise chains; producers into reductions; bias, activation, residual and cast behind a contraction.
 */
import type { Operation, Value } from '../graph/graph.ts';
import { topologicalOrder } from '../graph/graph.ts';
import { apply1 } from '../ops/apply.ts';
import { rowOf } from '../ops/table.ts';
import { sizeOf } from '../types/shape.ts';
import { sameShape } from '../types/shape.ts';
import { peel } from './contraction/problem.ts';
import { canTileWindow } from './contraction/window.ts';
import { joinRows } from './fuse-rows.ts';
import { mergeAxes } from './index-space.ts';
import { baseOf, type Group, isConstant, isInlineable, packedOf, type Plan, tagOf, unpacks } from './plan.ts';
import { dependsThroughOthers, Readers, ReadsTable } from './reads.ts';

/** A value may be computed again for each of its users when it takes at most this many operations ... */
const CHEAP_OPS = 4;
/** ... and reads at most this many tensors of its own size. */
const CHEAP_LOADS = 1;

export function fuse(outputs: readonly Value[], inputs: readonly Value[], forced: ReadonlySet<Value>): Plan {
  const finals = ownBuffers(outputs, inputs);
  const given = new Set(inputs);
  const order = topologicalOrder(finals, (value) => given.has(value));
  const users = usersOf(order);
  const stored = new Set<Value>(inputs);
  for (const value of [...finals, ...forced]) stored.add(baseOf(value));
  for (const op of order) storeOperands(op, users, stored);
  storeShared(order, users, stored);
  const groups = merge(initialGroups(order, stored, given), {
    order,
    users,
    stored,
    finals: new Set(finals.map(baseOf)),
  });
  return { groups, stored, inputs, outputs: finals };
}

/** Outputs that share a buffer with an input, a constant or another output are copied. */
function ownBuffers(outputs: readonly Value[], inputs: readonly Value[]): Value[] {
  const taken = new Set<Value>(inputs);
  return outputs.map((output) => {
    const base = baseOf(output);
    const shared = taken.has(base) || isConstant(base.op) || tagOf(base.op) === 'after';
    const own = shared ? apply1('cast', [output], { dtype: output.dtype }) : output;
    taken.add(baseOf(own));
    return own;
  });
}

function usersOf(order: readonly Operation[]): Map<Value, Operation[]> {
  const users = new Map<Value, Operation[]>();
  for (const op of order) {
    for (const input of op.inputs) {
      const list = users.get(input);
      if (list) list.push(op);
      else users.set(input, [op]);
    }
  }
  return users;
}

/** What an operation with loops of its own needs in memory: its results, and operands that it reads more than once. */
function storeOperands(op: Operation, users: ReadonlyMap<Value, unknown>, stored: Set<Value>): void {
  if (isInlineable(op) || tagOf(op) === 'source') return;
  const { lowering } = rowOf(op.kind);
  for (const output of op.outputs) if (users.has(output)) stored.add(output);
  if (lowering.tag === 'contraction') {
    for (const input of op.inputs) {
      const axes = input.shape.map(() => ({ offset: 0, terms: [] }));
      stored.add(baseOf(peel(input, axes).base));
    }
  } else if (lowering.tag === 'after') {
    stored.add(baseOf(op.inputs[0]));
  } else if (
    lowering.tag === 'kernel' ||
    lowering.tag === 'kernels' ||
    lowering.tag === 'point' ||
    lowering.tag === 'loops'
  ) {
    for (const input of op.inputs) stored.add(packedOf(input));
  }
}

/** Values with users in several groups are stored, unless computing them again is cheaper than reading them. */
function storeShared(
  order: readonly Operation[],
  users: ReadonlyMap<Value, readonly Operation[]>,
  stored: Set<Value>,
): void {
  const places = new Map<Operation, Set<Operation>>();
  const costs = new Map<Value, { ops: number; loads: number }>();
  for (let i = order.length - 1; i >= 0; i--) {
    const op = order[i];
    if (!isInlineable(op)) continue;
    const mine = new Set<Operation>();
    for (const output of op.outputs) {
      for (const user of users.get(output) ?? []) {
        if (!isInlineable(user) || user.outputs.some((y) => stored.has(y))) mine.add(user);
        else for (const place of places.get(user) ?? []) mine.add(place);
      }
    }
    places.set(op, mine);
    const [value] = op.outputs;
    const shares = tagOf(op) === 'reshape' && stored.has(baseOf(value));
    if (stored.has(value) || shares || mine.size <= 1 || unpacks(op)) continue;
    const cost = costOf(value, stored, costs);
    if (cost.ops > CHEAP_OPS || cost.loads > CHEAP_LOADS) {
      stored.add(baseOf(value));
      costs.clear();
    }
  }
}

function costOf(
  value: Value,
  stored: ReadonlySet<Value>,
  known: Map<Value, { ops: number; loads: number }>,
): { ops: number; loads: number } {
  const cached = known.get(value);
  if (cached) return cached;
  const base = baseOf(value);
  let cost: { ops: number; loads: number };
  if (stored.has(base)) cost = { ops: 0, loads: 1 };
  else if (isConstant(base.op)) cost = { ops: 0, loads: 0 };
  else if (tagOf(base.op) === 'view') {
    const inner = costOf(base.op.inputs[0], stored, known);
    const small = sizeOf(base.op.inputs[0].shape) * 8 <= sizeOf(base.shape);
    cost = { ops: inner.ops, loads: small ? 0 : inner.loads };
  } else {
    cost = { ops: weightOf(base.op), loads: 0 };
    // A point operation reads single elements of what is stored.
    if (tagOf(base.op) !== 'point')
      for (const input of new Set(base.op.inputs)) {
        const inner = costOf(input, stored, known);
        cost = { ops: cost.ops + inner.ops, loads: cost.loads + inner.loads };
      }
  }
  known.set(value, cost);
  return cost;
}

/** Instructions of an elementwise op, roughly: what has a tolerance in its row is a polynomial. */
export function weightOf(op: Operation): number {
  if (tagOf(op) === 'point') return op.attrs.dtype === undefined ? 100 : 2;
  return rowOf(op.kind).tolerance ? 20 : 1;
}

function initialGroups(order: readonly Operation[], stored: ReadonlySet<Value>, given: ReadonlySet<Value>): Group[] {
  const groups: Group[] = [];
  for (const op of order) {
    const roots = op.outputs.filter((output) => stored.has(output) && !given.has(output));
    if (roots.length > 0) groups.push({ anchor: isInlineable(op) ? null : op, roots });
  }
  return groups;
}

interface World {
  readonly order: readonly Operation[];
  readonly users: ReadonlyMap<Value, readonly Operation[]>;
  readonly stored: Set<Value>;
  readonly finals: ReadonlySet<Value>;
}

/** Elementwise groups join the group whose result they take element by element. */
function merge(groups: Group[], world: World): Group[] {
  const { stored, finals } = world;
  const table = new ReadsTable(stored);
  const groupOf = new Map<Value, Group>();
  for (const group of groups) for (const root of group.roots) groupOf.set(root, group);
  const list = groups.slice();
  for (const group of groups) {
    if (group.anchor !== null || !list.includes(group)) continue;
    const reads = table.of(group);
    const candidates = [...reads.aligned].flatMap(([value, isAligned]) => {
      const producer = groupOf.get(value);
      return isAligned && producer && canHost(producer, group, value, reads.needsCoords) ? [producer] : [];
    });
    candidates.sort((a, b) => rank(b) - rank(a) || list.indexOf(b) - list.indexOf(a));
    for (const host of candidates) {
      if ([...reads.aligned].some(([value, isAligned]) => !isAligned && groupOf.get(value) === host)) continue;
      if (dependsThroughOthers(group, host, groupOf, table)) continue;
      host.roots.push(...group.roots);
      table.forget(host);
      for (const root of group.roots) groupOf.set(root, host);
      list.splice(list.indexOf(group), 1);
      break;
    }
  }
  dropUnread(list, table, stored, finals);
  return joinRows(joinWindows(list, table, stored, finals), table, stored, finals);
}

/** Window reductions (pooling) of a contraction's result join its kernel where nobody else reads what they reduce. */
function joinWindows(
  groups: readonly Group[],
  reads: ReadsTable,
  stored: Set<Value>,
  finals: ReadonlySet<Value>,
): Group[] {
  const list = groups.slice();
  for (const group of groups) {
    const { anchor } = group;
    if (anchor?.inputs.length !== 1) continue;
    const { lowering } = rowOf(anchor.kind);
    const [input] = anchor.inputs;
    if (lowering.tag !== 'point' || !lowering.window?.(anchor.attrs, input.shape) || finals.has(input)) continue;
    const host = list.find((other) => other.roots.length === 1 && other.roots[0] === input);
    if (!host?.anchor || tagOf(host.anchor) !== 'contraction' || host.window) continue;
    if (!sameShape(host.anchor.outputs[0].shape, input.shape)) continue;
    if (list.some((other) => other !== group && other !== host && reads.of(other).aligned.has(input))) continue;
    if (!canTileWindow(host.anchor)) continue;
    stored.delete(input);
    host.window = anchor;
    host.roots = group.roots;
    reads.forget(host);
    list.splice(list.indexOf(group), 1);
  }
  return list;
}

/** Contractions gain most from an epilogue, then other anchors. */
function rank(group: Group): number {
  if (!group.anchor) return 0;
  return tagOf(group.anchor) === 'contraction' ? 2 : 1;
}

function canHost(host: Group, guest: Group, value: Value, needsCoords: boolean): boolean {
  const space = host.anchor ? host.anchor.outputs[0].shape : host.roots[0].shape;
  if (host.anchor) {
    const tag = tagOf(host.anchor);
    if (tag !== 'contraction' && tag !== 'reduce' && tag !== 'point') return false;
    if (tag === 'point' && host.anchor.inputs.length === 0) return false;
  }
  return guest.roots.every((root) => {
    if (sizeOf(root.shape) !== sizeOf(space) || sizeOf(value.shape) !== sizeOf(space)) return false;
    if (sameShape(root.shape, space)) return true;
    if (host.anchor === null) return false;
    return !needsCoords || mergeAxes(space, root.shape) !== null;
  });
}

/** Values that only their own group reads need no memory. */
function dropUnread(list: readonly Group[], reads: ReadsTable, stored: Set<Value>, finals: ReadonlySet<Value>): void {
  const readers = new Readers(list, reads);
  for (const group of list) {
    if (group.roots.length < 2) continue;
    const kept = group.roots.filter((root) => finals.has(root) || readers.has(root));
    if (kept.length === group.roots.length) continue;
    readers.change(group, () => {
      for (const root of group.roots) if (!kept.includes(root)) stored.delete(root);
      group.roots = kept;
    });
  }
}
