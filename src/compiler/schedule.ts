/**
 * Puts kernels into stages: a kernel stands one stage behind the last one that it depends on, and kernels of one stage run
 * side by side without a barrier. Decides which outputs may overwrite inputs.
 */
import type { Value } from '../graph/graph.ts';
import type { Affine, Kernel, Node } from '../kernel/ir.ts';
import type { BufferKey, LoweredKernel } from './emitter.ts';

export interface Staged {
  readonly lowered: LoweredKernel;
  readonly stage: number;
}

export interface Schedule {
  readonly steps: readonly Staged[];
  /** Output value -> input value whose storage it takes over. */
  readonly aliases: ReadonlyMap<Value, Value>;
}

interface Touch {
  readonly reads: Set<BufferKey>;
  readonly writes: Set<BufferKey>;
}

function touches({ kernel, args }: LoweredKernel): Touch {
  const reads = new Set<BufferKey>();
  const writes = new Set<BufferKey>();
  kernel.params.forEach((param, i) => {
    if (param.access !== 'write') reads.add(args[i]);
    if (param.access !== 'read') writes.add(args[i]);
  });
  return { reads, writes };
}

/** `donations` are wishes: output value -> input value. Those that cannot be are left out of `aliases`. */
export function schedule(kernels: readonly LoweredKernel[], donations: ReadonlyMap<Value, Value>): Schedule {
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
  kernels: readonly LoweredKernel[],
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
function inStep({ kernel, args }: LoweredKernel, output: Value, input: Value): boolean {
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
