/**
 * Values that are another value, but only from some point on (tag 'after'): kernels read the other value's buffer, and wait for
 * what the op waits for. So recomputation stands where it is needed, and not where its operands are ready.
 */
import { Value } from '../graph/graph.ts';
import { type BufferKey, Window } from './emitter.ts';
import { readsOf } from './reads.ts';
import { baseOf, type Plan, tagOf } from './plan.ts';
import { isLoop, keysOf, type LoweredItem, rootOf, withKeys } from './schedule.ts';

/** The kernels and loops with real buffers in the places of such values. */
export function resolveAfter(plan: Plan, items: readonly LoweredItem[]): LoweredItem[] {
  const waits = new Map<Value, readonly Value[]>();
  for (const group of plan.groups) {
    if (group.anchor && tagOf(group.anchor) === 'after') {
      waits.set(group.anchor.outputs[0], [...readsOf(group, plan.stored).aligned.keys()]);
    }
  }
  if (waits.size === 0) return items.slice();
  const sourceOf = (key: BufferKey): BufferKey => {
    if (key instanceof Window) return waits.has(key.of as Value) ? new Window(sourceOf(key.of), key) : key;
    let at = key;
    while (at instanceof Value && waits.has(at)) at = baseOf(at.op.inputs[0]);
    return at;
  };
  /** All that has to be there before `key` may be read. */
  const collect = (key: BufferKey, into: Set<BufferKey>): void => {
    if (!(key instanceof Value)) return;
    for (const value of waits.get(key) ?? []) {
      into.add(sourceOf(value));
      collect(value, into);
    }
  };
  return items.map((item) => {
    const needed = new Set<BufferKey>();
    for (const key of keysOf(item)) collect(rootOf(key), needed);
    const resolved = withKeys(item, sourceOf);
    if (needed.size === 0) return resolved;
    if (!isLoop(resolved)) return { ...resolved, waits: needed };
    resolved.waits = needed;
    return resolved;
  });
}
