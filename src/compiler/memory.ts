/** The memory plan: one arena, every temporary at a fixed offset, shared by those whose stages do not meet. */
import type { Value } from '../graph/graph.ts';
import { elemBytes } from '../kernel/ir.ts';
import type { BufferSpec } from '../kernel/program.ts';
import { type BufferKey, bufferOf, Constant } from './emitter.ts';
import type { Staged } from './schedule.ts';

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
  steps: readonly Staged[],
  inputs: readonly Value[],
  outputs: readonly Value[],
  aliases: ReadonlyMap<Value, Value>,
): MemoryPlan {
  const buffers: BufferSpec[] = [];
  const numberOf = new Map<BufferKey, number>();
  const add = (key: BufferKey, rest: Pick<BufferSpec, 'kind' | 'offset' | 'alias' | 'data'>) => {
    numberOf.set(key, buffers.length);
    const { elem, size } = bufferOf(key);
    buffers.push({ elem, size, ...rest });
  };
  for (const input of inputs) add(input, { kind: 'input', offset: 0 });
  for (const output of outputs) {
    const alias = aliases.get(output);
    add(output, { kind: 'output', offset: 0, ...(alias && { alias: numberOf.get(alias) }) });
  }
  const { placed, arenaBytes } = place(livesOf(steps, numberOf));
  for (const { life, offset } of placed) {
    const { key } = life;
    add(key, key instanceof Constant ? { kind: 'constant', offset, data: key.data } : { kind: 'temp', offset });
  }
  return { buffers, numberOf, arenaBytes };
}

function livesOf(steps: readonly Staged[], known: ReadonlyMap<BufferKey, number>): Life[] {
  const lives = new Map<BufferKey, Life>();
  for (const { lowered, stage } of steps) {
    for (const key of lowered.args) {
      if (known.has(key)) continue;
      const life = lives.get(key);
      if (life) {
        life.first = Math.min(life.first, stage);
        life.last = Math.max(life.last, stage);
      } else {
        const { elem, size } = bufferOf(key);
        const always = key instanceof Constant;
        lives.set(key, {
          key,
          bytes: Math.max(ALIGNMENT, Math.ceil((size * elemBytes[elem]) / ALIGNMENT) * ALIGNMENT),
          first: always ? 0 : stage,
          last: always ? Infinity : stage,
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
