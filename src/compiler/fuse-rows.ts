/**
 * Row fusion: reductions along the last axis and what reads their results row by row become one kernel - softmax, cross
 * entropy, layer norm. Each member walks the row in its turn; results of reductions stay in registers.
 */
import type { Value } from '../graph/graph.ts';
import { type Affine, variable } from '../kernel/ir.ts';
import { rowOf } from '../ops/table.ts';
import type { Shape } from '../types/shape.ts';
import { sameShape, sizeOf } from '../types/shape.ts';
import { coord, Index } from './index-space.ts';
import { baseOf, type Group, isConstant, tagOf } from './plan.ts';
import { dependsThroughOthers, Readers, type ReadsTable } from './reads.ts';

/** Rows longer than this fall out of the second cache between two walks. */
const LONGEST_ROW = 32768;
/** With fewer rows than this, long ones had better be shared among threads by themselves. */
const FEWEST_ROWS = 8;

/** The shape whose rows a group walks: that of a reduction's input along its last axis, or of elementwise roots. */
function rowSpace(group: Group): Shape | null {
  if (group.window) return null;
  if (group.members) return rowSpace(group.members[0]);
  if (!group.anchor) return group.roots[0].shape.length > 0 ? group.roots[0].shape : null;
  if (tagOf(group.anchor) !== 'reduce') return null;
  const axes = group.anchor.attrs.axes as readonly number[];
  const { shape } = group.anchor.inputs[0];
  return axes.length === 1 && axes[0] === shape.length - 1 && shape.length > 0 ? shape : null;
}

export function joinRows(
  groups: readonly Group[],
  reads: ReadsTable,
  stored: Set<Value>,
  finals: ReadonlySet<Value>,
): Group[] {
  let list = groups.slice();
  const groupOf = new Map<Value, Group>();
  for (const group of list) for (const root of group.roots) groupOf.set(root, group);
  for (const group of groups) {
    const space = list.includes(group) ? rowSpace(group) : null;
    if (!space || !worthRows(space)) continue;
    const hosts = [...new Set([...reads.of(group).aligned.keys()].map((value) => groupOf.get(value)))];
    for (const host of hosts) {
      if (!host || host === group || !canJoin(host, group, space, stored, groupOf, reads)) continue;
      const members = [...(host.members ?? [host]), ...(group.members ?? [group])];
      const joined: Group = { anchor: null, roots: members.flatMap((member) => member.roots), members };
      for (const root of joined.roots) groupOf.set(root, joined);
      list = list.flatMap((other) => (other === host ? [] : other === group ? [joined] : [other]));
      break;
    }
  }
  if (list.length < groups.length) {
    const readers = new Readers(list, reads);
    for (const group of list) if (group.members) dropRowValues(group, readers, stored, finals);
  }
  return list;
}

function worthRows(space: Shape): boolean {
  const length = space[space.length - 1];
  const rows = sizeOf(space) / Math.max(1, length);
  return length > 1 && length <= LONGEST_ROW && (rows >= FEWEST_ROWS || sizeOf(space) <= LONGEST_ROW);
}

function canJoin(
  host: Group,
  guest: Group,
  space: Shape,
  stored: ReadonlySet<Value>,
  groupOf: ReadonlyMap<Value, Group>,
  reads: ReadsTable,
): boolean {
  const reduces = (group: Group) => (group.members ?? [group]).some((member) => member.anchor !== null);
  const hostSpace = rowSpace(host);
  if (!hostSpace || !reduces(host) || !sameShape(hostSpace, space)) return false;
  if (!guest.anchor && !guest.roots.every((root) => sameShape(root.shape, space))) return false;
  const own = new Set((host.members ?? [host]).flatMap((member) => member.roots));
  return readsInRow(guest, space, own, stored) && !dependsThroughOthers(guest, host, groupOf, reads);
}

/** Whether a group reads the results `own` only in the row that it is writing: at the element, or at the row's one value. */
function readsInRow(group: Group, space: Shape, own: ReadonlySet<Value>, stored: ReadonlySet<Value>): boolean {
  const dims = space.map((extent, axis) =>
    coord(extent === 1 ? { offset: 0, terms: [] } : variable({ id: axis, name: `i${axis}` })),
  );
  const same = (a: Affine, b: Affine) =>
    a.offset === b.offset &&
    a.terms.length === b.terms.length &&
    a.terms.every((t) => b.terms.some((u) => u.v.id === t.v.id && u.coef === t.coef));
  const here = Index.at(space, dims, 1);
  const rowShape = space.slice(0, -1);
  const row = Index.at(rowShape, dims.slice(0, -1), 1);
  const seen = new Map<Index, Set<Value>>();
  const visit = (value: Value, index: Index): boolean => {
    const values = seen.get(index) ?? new Set();
    // The first refusal is the answer, so what was visited before has passed.
    if (values.has(value)) return true;
    seen.set(index, values.add(value));
    const base = baseOf(value);
    if (own.has(base)) {
      const at = index.flat?.at;
      const place = sizeOf(base.shape) === sizeOf(space) ? here : sizeOf(base.shape) === sizeOf(rowShape) ? row : null;
      return at !== undefined && place?.flat !== null && place !== null && same(at, place.flat.at);
    }
    if (stored.has(base) || isConstant(value.op)) return true;
    const { op } = value;
    const { lowering } = rowOf(op.kind);
    if (lowering.tag === 'reshape') return visit(op.inputs[0], index.reshape(op.inputs[0].shape));
    if (lowering.tag === 'view') {
      const inner = index.view(op, () => lowering.axes(op.attrs, op.inputs[0].shape, value.shape));
      return inner !== null && visit(op.inputs[0], inner);
    }
    return op.inputs.every((input) => visit(input, index));
  };
  const roots = group.roots.filter((root) => root.op !== group.anchor);
  if (!group.anchor) return roots.every((root) => root.op.inputs.every((input) => visitRoot(root, input)));
  const { anchor } = group;
  // The epilogue of a reduction stands at the row.
  const behind = (value: Value): boolean =>
    value.op === anchor || (own.has(baseOf(value)) ? sizeOf(value.shape) === sizeOf(rowShape) : visitRow(value));
  const passed = new Set<Value>();
  const visitRow = (value: Value): boolean => {
    if (passed.has(value)) return true;
    passed.add(value);
    if (stored.has(baseOf(value)) || isConstant(value.op)) return true;
    if (tagOf(value.op) !== 'map' && tagOf(value.op) !== 'reshape') return !touches(value, own, stored);
    return value.op.inputs.every(behind);
  };
  return visit(anchor.inputs[0], here) && roots.every((root) => root.op.inputs.every(behind));

  function visitRoot(root: Value, input: Value): boolean {
    const { lowering } = rowOf(root.op.kind);
    if (lowering.tag === 'map') return visit(input, here);
    return !touches(root, own, stored, true);
  }
}

/** Whether a value is computed from one of `own` without anything stored between. */
function touches(value: Value, own: ReadonlySet<Value>, stored: ReadonlySet<Value>, enter = false): boolean {
  const seen = new Set<Value>();
  const visit = (from: Value, enters: boolean): boolean => {
    const base = baseOf(from);
    if (own.has(base)) return true;
    if (seen.has(from) || (stored.has(base) && !enters)) return false;
    seen.add(from);
    return from.op.inputs.some((input) => visit(input, false));
  };
  return visit(value, enter);
}

/** Values that are read only within their row group need no memory. */
function dropRowValues(group: Group, readers: Readers, stored: Set<Value>, finals: ReadonlySet<Value>): void {
  // An elementwise value is stored for its users in the row as well, unless it is cheap: it would be computed in each walk.
  const needed = (root: Value) => finals.has(root) || readers.has(root);
  readers.change(group, () => {
    for (const member of group.members ?? []) {
      const kept = member.roots.filter(needed);
      for (const root of member.roots) if (!kept.includes(root)) stored.delete(root);
      member.roots = member.anchor || kept.length > 0 ? kept : [];
    }
    group.roots = group.roots.filter(needed);
  });
}
