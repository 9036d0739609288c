/** What groups of operations read, and who reads what: the questions that fusion asks again and again, each answered once. */
import type { Value } from '../graph/graph.ts';
import { baseOf, type Group, isConstant, tagOf } from './plan.ts';

export interface Reads {
  /** Stored values, and whether each is read only at the element that is being computed. */
  readonly aligned: Map<Value, boolean>;
  readonly needsCoords: boolean;
}

/** What a group reads. */
export function readsOf(group: Group, stored: ReadonlySet<Value>): Reads {
  const aligned = new Map<Value, boolean>();
  const own = new Set([...group.roots, ...(group.members ?? []).flatMap((member) => member.roots)]);
  let needsCoords = false;
  const seen = new Set<string>();
  const visit = (value: Value, isAligned: boolean): void => {
    const base = baseOf(value);
    const key = `${value.op.id}.${value.index}.${isAligned}`;
    if (seen.has(key)) return;
    seen.add(key);
    if (stored.has(base) && !own.has(base)) {
      aligned.set(base, (aligned.get(base) ?? true) && isAligned);
      return;
    }
    enter(value, isAligned);
  };
  const enter = (value: Value, isAligned: boolean): void => {
    const { op } = value;
    if (isConstant(op)) return;
    const tag = tagOf(op);
    if (tag === 'view' || tag === 'point') needsCoords = true;
    for (const input of op.inputs) visit(input, isAligned && (tag === 'map' || tag === 'reshape'));
  };
  for (const { anchor, roots } of group.members ?? [group]) {
    if (anchor) for (const input of anchor.inputs) visit(input, false);
    for (const root of roots) if (root.op !== anchor) enter(root, true);
  }
  return { aligned, needsCoords };
}

/** What each group reads, found when it is first asked for. */
export class ReadsTable {
  readonly #stored: ReadonlySet<Value>;
  readonly #known = new Map<Group, Reads>();

  constructor(stored: ReadonlySet<Value>) {
    this.#stored = stored;
  }
  of(group: Group): Reads {
    let reads = this.#known.get(group);
    if (!reads) this.#known.set(group, (reads = readsOf(group, this.#stored)));
    return reads;
  }
  /** Must be told of every group whose roots, or whose stored values between them, have changed. */
  forget(group: Group): void {
    this.#known.delete(group);
  }
}

/** How many groups read each value. */
export class Readers {
  readonly #reads: ReadsTable;
  readonly #counts = new Map<Value, number>();

  constructor(groups: readonly Group[], reads: ReadsTable) {
    this.#reads = reads;
    for (const group of groups) this.#add(group, 1);
  }
  #add(group: Group, by: number): void {
    for (const value of this.#reads.of(group).aligned.keys()) {
      this.#counts.set(value, (this.#counts.get(value) ?? 0) + by);
    }
  }
  /** Whether a group other than its own reads the value. */
  has(value: Value): boolean {
    return (this.#counts.get(value) ?? 0) > 0;
  }
  /** `body` changes what `group` stores. */
  change(group: Group, body: () => void): void {
    this.#add(group, -1);
    body();
    this.#reads.forget(group);
    this.#add(group, 1);
  }
}

/** Whether something that `group` reads (other than the host's own results) is computed from the host's results. */
export function dependsThroughOthers(
  group: Group,
  host: Group,
  groupOf: ReadonlyMap<Value, Group>,
  table: ReadsTable,
): boolean {
  const seen = new Set<Group>();
  const reaches = (from: Group): boolean => {
    if (from === host) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    return [...table.of(from).aligned.keys()].some((value) => {
      const next = groupOf.get(value);
      return next !== undefined && reaches(next);
    });
  };
  return [...table.of(group).aligned.keys()].some((value) => {
    const producer = groupOf.get(value);
    return producer !== undefined && producer !== host && reaches(producer);
  });
}
