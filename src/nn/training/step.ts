/** A jitted function of a batch as training uses it: run now or off the main thread, and dropped when no longer needed. */
import { fail } from '../../base/errors.ts';
import { cast, concat, jit, reshape, type Tensor } from '../../tensor/index.ts';
import type { StepLogs, TrainStepData } from '../models/layers_model.ts';
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
  const rows = values.map((value) => reshape(value.dtype === 'float64' ? value : cast(value, 'float32'), [1]));
  return rows.length === 1 ? rows[0] : concat(rows, 0);
}

/** A step that somebody wrote by hand, as one program. Its names are found when it is traced. */
export function customStep(body: (data: TrainStepData) => StepLogs, name: string, reset: () => void): Step {
  let layout: LogLayout = [];
  const jitted = jit((...[x, y, w]: Arguments): Tensor => {
    const single = <T>(list: readonly T[]): T | T[] => (list.length === 1 ? list[0] : [...list]);
    const weights = w.every((item) => item === null) ? null : single(w);
    const entries = Object.entries(body({ x: single(x), y: single(y), sampleWeight: weights }));
    if (entries.length === 0) fail('trainStep', 'the step must return scalars by name', 'got none', 'as {loss}');
    layout = entries.map(([entry]) => ({ name: entry, kind: 'mean' }));
    return packed(entries.map(([, value]) => value));
  }, name);
  return stepOf(jitted, () => layout, reset);
}
