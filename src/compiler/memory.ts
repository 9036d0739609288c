/** The memory plan: one arena, every temporary at a fixed offset, shared by those whose stages do not meet. */
import type { Value } from '../graph/graph.ts';
import { elemBytes } from '../kernel/ir.ts';
import type { BufferSpec } from '../kernel/program.ts';
import { type BufferKey, bufferOf, Constant, Window } from './emitter.ts';
import type { FlatStep, LoweredLoop } from './schedule.ts';
import { rootOf } from './schedule.ts';

const ALIGNMENT = 64;

interface Life {
  readonly key: BufferKey;
  readonly bytes: number;
  first: number;
  last: number;
}

interface Placed {
  readonly offset: number;
  readonly life: Life;
}

export interface MemoryPlan {
  readonly buffers: readonly BufferSpec[];
  readonly numberOf: ReadonlyMap<BufferKey, number>;
  readonly arenaBytes: number;
}

export function planMemory(
  steps: readonly FlatStep[],
  loops: readonly LoweredLoop[],
  inputs: readonly Value[],
  outputs: readonly Value[],
  aliases: ReadonlyMap<Value, Value>,
  lasting: ReadonlySet<BufferKey>,
): MemoryPlan {
  const buffers: BufferSpec[] = [];
  const numberOf = new Map<BufferKey, number>();
  const add = (key: BufferKey, rest: Omit<BufferSpec, 'elem' | 'size'>) => {
    numberOf.set(key, buffers.length);
    const { elem, size } = bufferOf(key);
    buffers.push({ elem, size, ...rest });
  };
  const addWindow = (window: Window) =>
    add(window, {
      kind: 'window',
      offset: window.offset * elemBytes[window.elem],
      window: {
        of: numberOf.get(window.of) as number,
        strides: window.strides.map(({ loop, elements }) => ({
          loop: loops.indexOf(loop as LoweredLoop),
          bytes: elements * elemBytes[window.elem],
        })),
      },
    });
  for (const input of inputs) add(input, { kind: 'input', offset: 0 });
  for (const output of outputs) {
    const alias = aliases.get(output);
    add(output, { kind: 'output', offset: 0, ...(alias && { alias: numberOf.get(alias) }) });
  }
  const { placed, arenaBytes } = place(livesOf(steps, numberOf, lasting));
  for (const { life, offset } of placed) {
    const { key } = life;
    add(key, key instanceof Constant ? { kind: 'constant', offset, data: key.data } : { kind: 'temp', offset });
  }
  const used = [...steps.flatMap(({ lowered }) => lowered.args), ...loops.flatMap(({ flag }) => flag ?? [])];
  for (const key of used) if (key instanceof Window && !numberOf.has(key)) addWindow(key);
  return { buffers, numberOf, arenaBytes };
}

/** The loops around a use that its buffer does not belong to: a window comes from outside of those that move it. */
function loopsAround(key: BufferKey, loops: readonly LoweredLoop[]): readonly LoweredLoop[] {
  if (!(key instanceof Window)) return loops;
  const moving = new Set(key.strides.map(({ loop }) => loop));
  const first = loops.findIndex((loop) => moving.has(loop));
  return first < 0 ? loops : loops.slice(0, first);
}

/** The innermost loop that holds every use of a buffer (its depth, 0 for none): what is used elsewhere too outlives iterations. */
function homesOf(steps: readonly FlatStep[]): Map<BufferKey, readonly LoweredLoop[]> {
  const homes = new Map<BufferKey, readonly LoweredLoop[]>();
  for (const { lowered, loops } of steps) {
    // A flag is read before the loop and behind each iteration of it.
    const flags = loops.flatMap(({ flag }, i) => (flag ? [{ key: flag, loops: loops.slice(0, i) }] : []));
    for (const { key, loops: inside } of [...lowered.args.map((arg) => ({ key: arg, loops })), ...flags]) {
      const around = loopsAround(key, inside);
      const home = homes.get(rootOf(key));
      if (home === undefined) homes.set(rootOf(key), around);
      else {
        const differs = home.findIndex((loop, i) => around[i] !== loop);
        if (differs >= 0) homes.set(rootOf(key), home.slice(0, differs));
      }
    }
  }
  return homes;
}

/** `lasting`: what has to be there in the next run too. */
function livesOf(
  steps: readonly FlatStep[],
  known: ReadonlyMap<BufferKey, number>,
  lasting: ReadonlySet<BufferKey>,
): Life[] {
  const homes = homesOf(steps);
  const ranges = new Map<LoweredLoop, { first: number; last: number }>();
  for (const { stage, loops } of steps) {
    for (const loop of loops) {
      const range = ranges.get(loop);
      if (range) range.last = stage;
      else ranges.set(loop, { first: stage, last: stage });
    }
  }
  const lives = new Map<BufferKey, Life>();
  for (const { lowered, stage, loops } of steps) {
    for (const arg of [...lowered.args, ...loops.flatMap(({ flag }) => flag ?? [])]) {
      const key = rootOf(arg);
      if (known.has(key)) continue;
      // Used inside of a loop and outside of it: alive in all of its stages.
      const inner = loops[(homes.get(key) as readonly LoweredLoop[]).length];
      const { first, last } = (inner && ranges.get(inner)) ?? { first: stage, last: stage };
      const life = lives.get(key);
      if (life) {
        life.first = Math.min(life.first, first);
        life.last = Math.max(life.last, last);
      } else {
        const { elem, size } = bufferOf(key);
        const always = key instanceof Constant || lasting.has(key);
        lives.set(key, {
          key,
          bytes: Math.max(ALIGNMENT, Math.ceil((size * elemBytes[elem]) / ALIGNMENT) * ALIGNMENT),
          first: always ? 0 : first,
          last: always ? Infinity : last,
        });
      }
    }
  }
  return [...lives.values()];
}

/** Largest first, each at the lowest offset where it meets nothing alive at the same time. */
function place(lives: readonly Life[]): { placed: Placed[]; arenaBytes: number } {
  const placed: Placed[] = [];
  let arenaBytes = 0;
  for (const life of lives.slice().sort((a, b) => b.bytes - a.bytes)) {
    const rivals = placed
      .filter(({ life: other }) => other.first <= life.last && life.first <= other.last)
      .sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const rival of rivals) {
      if (offset + life.bytes <= rival.offset) break;
      offset = Math.max(offset, rival.offset + rival.life.bytes);
    }
    placed.push({ offset, life });
    arenaBytes = Math.max(arenaBytes, offset + life.bytes);
  }
  return { placed, arenaBytes };
}
