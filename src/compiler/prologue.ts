/**
 * Finds what a program need not do again while its steady inputs stay the same, packing weights above all, and puts it first, in
 * stages of its own. Knows buffers and who touches them, never what is computed.
 */
import type { Value } from '../graph/graph.ts';
import type { Kernel, Node } from '../kernel/ir.ts';
import { type BufferKey, Constant, Window } from './emitter.ts';
import { type FlatStep, rootOf } from './schedule.ts';

export interface WithPrologue {
  readonly steps: readonly FlatStep[];
  /** How many of them are the prologue. */
  readonly count: number;
  /** What the prologue writes. */
  readonly lasting: ReadonlySet<BufferKey>;
}

/** `steady`: the inputs that are expected to stay the same; null where nothing outlives a run. */
export function withPrologue(
  flat: readonly FlatStep[],
  steady: readonly Value[] | null,
  outputs: readonly Value[],
): WithPrologue {
  const lasting = new Set<BufferKey>();
  if (steady === null) return { steps: flat, count: 0, lasting };
  const finals = new Set<BufferKey>(outputs);
  const writers = countWriters(flat);
  const there = new Set<BufferKey>(steady);
  const isThere = (key: BufferKey) => key instanceof Constant || there.has(key);
  /** A place of its own in the arena. */
  const canLast = (key: BufferKey) => !finals.has(key) && writers.get(key) === 1;
  const belongs = ({ lowered: { kernel, args, waits }, loops }: FlatStep) =>
    loops.length === 0 &&
    waits === undefined &&
    !args.some((key) => key instanceof Window) &&
    kernel.params.every(({ access }, i) =>
      access === 'read' ? isThere(args[i]) : access === 'write' && canLast(args[i]),
    ) &&
    !canFail(kernel);
  const [first, rest]: [FlatStep[], FlatStep[]] = [[], []];
  for (const step of flat) {
    if (!belongs(step)) {
      rest.push(step);
      continue;
    }
    first.push(step);
    step.lowered.kernel.params.forEach(({ access }, i) => {
      if (access === 'read') return;
      there.add(step.lowered.args[i]);
      lasting.add(step.lowered.args[i]);
    });
  }
  const [before, after] = [dense(first, 0), dense(rest, stagesOf(first))];
  return { steps: [...before, ...after], count: first.length, lasting };
}

/** How many steps write each buffer, or a part of it. */
function countWriters(flat: readonly FlatStep[]): Map<BufferKey, number> {
  const writers = new Map<BufferKey, number>();
  for (const { lowered } of flat) {
    lowered.kernel.params.forEach(({ access }, i) => {
      const key = rootOf(lowered.args[i]);
      if (access !== 'read') writers.set(key, (writers.get(key) ?? 0) + 1);
    });
  }
  return writers;
}

/** A guard that fails has to fail in every run. */
function canFail(kernel: Kernel): boolean {
  const some = (nodes: readonly Node[]): boolean =>
    nodes.some((node) => node.op === 'guard' || (node.op === 'loop' && some(node.body)));
  return kernel.regions.some((region) => some(region.body));
}

function stagesOf(steps: readonly FlatStep[]): number {
  return new Set(steps.map(({ stage }) => stage)).size;
}

/** The same steps in the same order, in stages numbered from `from` without a gap. */
function dense(steps: readonly FlatStep[], from: number): FlatStep[] {
  const numbers = new Map<number, number>();
  return steps.map((step) => {
    let stage = numbers.get(step.stage);
    if (stage === undefined) numbers.set(step.stage, (stage = from + numbers.size));
    return { ...step, stage };
  });
}
