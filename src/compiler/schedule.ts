/**
 * Puts kernels into stages: a kernel stands one stage behind the last one that it depends on, and kernels of one stage run
 * side by side without a barrier. Decides which outputs may overwrite inputs.
 */
import type { Value } from '../graph/graph.ts';
import type { Affine, Kernel, Node } from '../kernel/ir.ts';
import type { BufferKey, LoweredKernel } from './emitter.ts';
import { Window } from './emitter.ts';

/** Kernels that run again and again, in stages of their own. */
export interface LoweredLoop {
  readonly count: number;
  /** An int32: an iteration begins only while it is not 0. */
  flag?: BufferKey;
  body: readonly Staged[];
  /** What has to be there before the loop begins, though nothing in it reads it. */
  waits?: ReadonlySet<BufferKey>;
}

export type LoweredItem = LoweredKernel | LoweredLoop;

export interface Staged {
  readonly lowered: LoweredItem;
  readonly stage: number;
}

export interface Schedule {
  readonly steps: readonly Staged[];
  /** Output value -> input value whose storage it takes over. */
  readonly aliases: ReadonlyMap<Value, Value>;
}

export function isLoop(item: LoweredItem): item is LoweredLoop {
  return 'body' in item;
}

/** The buffer that a window is a part of. */
export function rootOf(key: BufferKey): Exclude<BufferKey, Window> {
  return key instanceof Window ? key.of : key;
}

interface Touch {
  readonly reads: Set<BufferKey>;
  readonly writes: Set<BufferKey>;
}

/** The kernel, or each kernel of the loop, with other buffers. Loops are changed in place: windows name the loop that moves them. */
export function withKeys(item: LoweredItem, place: (key: BufferKey) => BufferKey): LoweredItem {
  if (!isLoop(item)) {
    const waits = item.waits && new Set([...item.waits].map(place));
    return { kernel: item.kernel, args: item.args.map(place), ...(waits && { waits }) };
  }
  item.body = item.body.map(({ lowered, stage }) => ({ lowered: withKeys(lowered, place), stage }));
  if (item.flag) item.flag = place(item.flag);
  if (item.waits) item.waits = new Set([...item.waits].map(place));
  return item;
}

/** All buffers that an item is given. */
export function keysOf(item: LoweredItem): BufferKey[] {
  if (!isLoop(item)) return [...item.args];
  return [...(item.flag ? [item.flag] : []), ...item.body.flatMap(({ lowered }) => keysOf(lowered))];
}

/** What an item reads and writes, windows as the whole that they are part of. */
export function touches(item: LoweredItem): Touch {
  const reads = new Set<BufferKey>();
  const writes = new Set<BufferKey>();
  if (isLoop(item)) {
    for (const { lowered } of item.body) {
      const inner = touches(lowered);
      for (const key of inner.reads) reads.add(key);
      for (const key of inner.writes) writes.add(key);
    }
    if (item.flag) reads.add(rootOf(item.flag));
    return { reads, writes };
  }
  item.kernel.params.forEach((param, i) => {
    const key = rootOf(item.args[i]);
    if (param.access !== 'write') reads.add(key);
    if (param.access !== 'read') writes.add(key);
  });
  return { reads, writes };
}

/** `donations` are wishes: output value -> input value. Those that cannot be are left out of `aliases`. */
export function schedule(kernels: readonly LoweredItem[], donations: ReadonlyMap<Value, Value>): Schedule {
  const touched = kernels.map(touches);
  const edges: Set<number>[] = kernels.map(() => new Set<number>());
  const writers = new Map<BufferKey, number[]>();
  touched.forEach((touch, i) => {
    for (const key of touch.writes) writers.set(key, [...(writers.get(key) ?? []), i]);
  });
  touched.forEach((touch, i) => {
    const needed = [...touch.reads, ...(kernels[i].waits ?? [])];
    for (const key of needed) for (const w of writers.get(key) ?? []) if (w !== i) edges[i].add(w);
  });
  const aliases = new Map<Value, Value>();
  for (const [output, input] of donations) {
    const wanted = overwriteEdges(kernels, touched, writers, output, input);
    if (wanted === null) continue;
    const trial = edges.map((set) => new Set(set));
    for (const [from, to] of wanted) trial[from].add(to);
    if (levels(trial) === null) continue;
    for (const [from, to] of wanted) edges[from].add(to);
    aliases.set(output, input);
  }
  const stages = levels(edges);
  if (stages === null) throw new Error('kernels depend on each other in a circle');
  const steps = kernels.map((lowered, i) => ({ lowered, stage: stages[i] }));
  return { steps: steps.sort((a, b) => a.stage - b.stage), aliases };
}

/** Edges that make every reader of the input run before the output overwrites it; null where one kernel does both out of step. */
function overwriteEdges(
  kernels: readonly LoweredItem[],
  touched: readonly Touch[],
  writers: ReadonlyMap<BufferKey, number[]>,
  output: Value,
  input: Value,
): [number, number][] | null {
  const wanted: [number, number][] = [];
  const by = writers.get(output);
  if (by?.length !== 1) return null;
  const [writer] = by;
  for (let i = 0; i < kernels.length; i++) {
    if (!touched[i].reads.has(input)) continue;
    if (i !== writer) wanted.push([writer, i]);
    else if (!inStep(kernels[i], output, input)) return null;
  }
  return wanted;
}

/** Whether a kernel reads of `input` only what it is about to overwrite in `output`: same addresses, load before store. */
function inStep(item: LoweredItem, output: Value, input: Value): boolean {
  if (isLoop(item)) return false;
  const { kernel, args } = item;
  const [to, from] = [args.indexOf(output), args.indexOf(input)];
  if (kernel.params[to].access === 'readwrite' || args.lastIndexOf(input) !== from) return false;
  const show = (at: Affine, stride: number, lanes: number) =>
    `${at.offset}|${at.terms
      .map((t) => `${t.v.id}*${t.coef}`)
      .sort()
      .join('+')}|${lanes === 1 ? 1 : stride}|${lanes}`;
  const check = (nodes: readonly Node[]): boolean => {
    const stores = new Map<string, number>();
    nodes.forEach((node, i) => {
      if (node.op === 'store' && node.buf === to) stores.set(show(node.at, node.stride, node.lanes), i);
    });
    return nodes.every((node, i) => {
      if (node.op === 'loop') return check(node.body);
      if (node.op !== 'load' || node.buf !== from) return true;
      const written = stores.get(show(node.at, node.stride, node.lanes));
      return node.dyn === undefined && written !== undefined && written > i;
    });
  };
  return (kernel as Kernel).regions.every((region) => check(region.body));
}

/** The longest way to each node, or null where there is a circle. */
function levels(edges: readonly ReadonlySet<number>[]): number[] | null {
  const level = new Array<number>(edges.length).fill(-1);
  const open = new Set<number>();
  const visit = (i: number): boolean => {
    if (level[i] >= 0) return true;
    if (open.has(i)) return false;
    open.add(i);
    let own = 0;
    for (const j of edges[i]) {
      if (!visit(j)) return false;
      own = Math.max(own, level[j] + 1);
    }
    open.delete(i);
    level[i] = own;
    return true;
  };
  return edges.every((_, i) => visit(i)) ? level : null;
}

/** A kernel in its place among all stages of the program, with the loops around it, outermost first. */
export interface FlatStep {
  readonly lowered: LoweredKernel;
  readonly stage: number;
  readonly loops: readonly LoweredLoop[];
}

/** All kernels in one list of stages. A loop has its stages to itself: kernels that could run beside it come before. */
export function flatten(steps: readonly Staged[]): FlatStep[] {
  const flat: FlatStep[] = [];
  let stage = 0;
  const walk = (list: readonly Staged[], loops: readonly LoweredLoop[]): void => {
    for (let at = 0; at < list.length; ) {
      let end = at;
      while (end < list.length && list[end].stage === list[at].stage) end++;
      const group = list.slice(at, end).map(({ lowered }) => lowered);
      const plain = group.filter((item): item is LoweredKernel => !isLoop(item));
      for (const lowered of plain) flat.push({ lowered, stage, loops });
      if (plain.length > 0) stage++;
      for (const loop of group.filter(isLoop)) walk(loop.body, [...loops, loop]);
      at = end;
    }
  };
  walk(steps, []);
  return flat;
}
