/** Batches from outside: tf.data datasets and any iterable, as fitDataset and evaluateDataset take them. */
import { fail } from '../../base/errors.ts';
import { Tensor } from '../../tensor/index.ts';
import type { LayersModel } from '../models/layers_model.ts';
import type { Batch } from './batch.ts';
import { checkInputs, checkTargets } from './checks.ts';
import { batchShape, tensorsOf, type TensorsOf, type WeightsOf } from './samples.ts';

/** What a data set gives for a batch. */
export type BatchItem =
  | { readonly xs: TensorsOf; readonly ys?: TensorsOf; readonly sampleWeight?: WeightsOf }
  | readonly [TensorsOf, TensorsOf]
  | readonly [TensorsOf, TensorsOf, WeightsOf];

interface BatchIterator {
  next(): Promise<IteratorResult<unknown>> | IteratorResult<unknown>;
  return?(): unknown;
}

/** A tf.data Dataset (it has `iterator`), or an iterable, or an async iterable, which is begun anew for each epoch. */
export type BatchDataset =
  | { iterator(): Promise<BatchIterator> | BatchIterator; readonly size?: number | null }
  | Iterable<BatchItem>
  | AsyncIterable<BatchItem>;

/** Begins a pass over the data. */
export async function iteratorOf(op: string, dataset: BatchDataset): Promise<BatchIterator> {
  const source = dataset as {
    iterator?: () => Promise<BatchIterator> | BatchIterator;
    [Symbol.asyncIterator]?: () => BatchIterator;
    [Symbol.iterator]?: () => BatchIterator;
  };
  if (typeof source?.iterator === 'function') return source.iterator();
  if (typeof source?.[Symbol.asyncIterator] === 'function') return source[Symbol.asyncIterator]!();
  if (typeof source?.[Symbol.iterator] === 'function') return source[Symbol.iterator]!();
  fail(op, 'a dataset must be a tf.data Dataset or an iterable of batches', `got ${typeof dataset}`);
}

/** A batch as steps take it, checked. */
export function batchFrom(op: string, model: LayersModel, item: unknown): { batch: Batch; size: number } {
  const { xs, ys, sampleWeight } = partsOf(op, item);
  const x = tensorsOf(op, 'xs', xs, model.inputs.length > 0 ? model.inputNames : null);
  checkInputs(op, model, x);
  const size = batchShape(op, 'xs', x[0])[0];
  if (size === 0) fail(op, 'a batch must not be empty', 'got one of 0 samples');
  const compiled = model.compiled(op);
  const custom = model.hasOwnStep;
  const names = custom ? null : compiled.outputs.map(({ name }) => name);
  const y = custom && (ys === undefined || ys === null) ? [] : tensorsOf(op, 'ys', ys, names);
  if (!custom) checkTargets(op, model, compiled.losses, size, y);
  const given =
    sampleWeight === undefined || sampleWeight === null ? null : tensorsOf(op, 'sampleWeight', sampleWeight, names);
  return { batch: { x: x.map(column), y: y.map(column), w: given ?? y.map(() => null) }, size };
}

/** A tensor of rank 1 holds samples of one value each. */
function column(tensor: Tensor): Tensor {
  return tensor.rank === 1 ? tensor.reshape([tensor.shape[0], 1]) : tensor;
}

function partsOf(op: string, item: unknown): { xs: unknown; ys: unknown; sampleWeight?: unknown } {
  if (item instanceof Tensor) return { xs: item, ys: undefined };
  if (Array.isArray(item) && item.length >= 1 && item.length <= 3) {
    return { xs: item[0], ys: item[1], sampleWeight: item[2] as unknown };
  }
  if (typeof item === 'object' && item !== null && 'xs' in item) {
    return item as { xs: unknown; ys: unknown; sampleWeight?: unknown };
  }
  fail(
    op,
    'a dataset must give {xs, ys} or [xs, ys] or [xs, ys, sampleWeight]',
    `got ${item === null ? 'null' : typeof item}`,
  );
}
