/** A batch of tensors, and data sets on the host from which batches are cut. */
import type { Tensor } from '../../tensor/index.ts';
import type { Samples } from './samples.ts';

/** Inputs, labels and weights of samples of one step; weights[i] is null where all samples of output i count the same. */
export interface Batch {
  readonly x: readonly Tensor[];
  readonly y: readonly Tensor[];
  readonly w: readonly (Tensor | null)[];
}

export function disposeBatch({ x, y, w }: Batch): void {
  for (const tensor of [...x, ...y, ...w]) tensor?.dispose();
}

/** Inputs, labels and weights on the host, checked. */
export interface LabelledSamples {
  readonly count: number;
  readonly x: readonly Samples[];
  readonly y: readonly Samples[];
  readonly w: readonly (Samples | null)[];
}

/** Samples start to end, sharing memory. */
export function sliceSamples({ x, y, w }: LabelledSamples, start: number, end: number): LabelledSamples {
  const cut = (samples: Samples) => samples.slice(start, end);
  return { count: end - start, x: x.map(cut), y: y.map(cut), w: w.map((one) => one && cut(one)) };
}

/** Samples start to end, of the given order of them. */
export function batchOf(
  { x, y, w }: LabelledSamples,
  start: number,
  end: number,
  order: Int32Array | null = null,
): Batch {
  const cut = (samples: Samples) => samples.batch(start, end, order);
  return { x: x.map(cut), y: y.map(cut), w: w.map((one) => one && cut(one)) };
}
