/** A jitted function of a batch as training uses it: run now or off the main thread, and dropped when no longer needed. */
import { cast, concat, reshape, type Tensor } from '../../tensor/index.ts';
import type { Batch } from './batch.ts';
import type { LogLayout } from './tally.ts';

export interface Step {
  /** What the numbers mean; known when the step ran once. */
  readonly layout: LogLayout;
  run(batch: Batch): ArrayLike<number>;
  runAsync(batch: Batch): Promise<ArrayLike<number>>;
  /** Called before an epoch, or an evaluation: metrics start over. */
  reset(): void;
  dispose(): void;
}

type Arguments = readonly [readonly Tensor[], readonly Tensor[], readonly (Tensor | null)[]];

interface Jitted {
  (x: readonly Tensor[], y: readonly Tensor[], w: readonly (Tensor | null)[]): Tensor;
  async(...args: Arguments): Promise<Tensor>;
  dispose?(): void;
}

function read(value: Tensor): ArrayLike<number> {
  const numbers = value.dataSync();
  value.dispose();
  return numbers as ArrayLike<number>;
}

export function stepOf(jitted: Jitted, layout: () => LogLayout, reset: () => void): Step {
  return {
    get layout() {
      return layout();
    },
    run: ({ x, y, w }) => read(jitted(x, y, w)),
    runAsync: async ({ x, y, w }) => read(await jitted.async(x, y, w)),
    reset,
    dispose: () => jitted.dispose?.(),
  };
}

/** Scalars as one vector, so that a step is read at once. */
export function packed(values: readonly Tensor[]): Tensor {
  const rows = values.map((value) => reshape(cast(value, 'float32'), [1]));
  return rows.length === 1 ? rows[0] : concat(rows, 0);
}
