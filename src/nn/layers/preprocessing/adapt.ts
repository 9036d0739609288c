/** What adapt() of the preprocessing layers goes through: a tensor, a list of plain values, or batches from outside. */
import { fail } from '../../../base/errors.ts';
import { dispose, Tensor, tensor, type TensorLike } from '../../../tensor/index.ts';

interface Batches {
  next(): Promise<IteratorResult<unknown>> | IteratorResult<unknown>;
}

/** A tensor, nested lists of values, or a tf.data dataset or iterable of batches, of which labels do not count. */
export type AdaptData =
  | Tensor
  | TensorLike
  | { iterator(): Promise<Batches> | Batches }
  | AsyncIterable<unknown>
  | Iterable<unknown>;

/**
 * Calls `update` with each batch, then `finish`; batches of a dataset are disposed. Nothing is awaited for tensors and plain lists:
 * there all is done when the call returns, also for callers that do not wait.
 *
 * @param steps at most so many batches
 */
export async function eachBatch(
  label: string,
  data: AdaptData,
  update: (batch: Tensor) => void,
  finish: () => void,
  steps = Number.POSITIVE_INFINITY,
): Promise<void> {
  if (data instanceof Tensor) {
    update(data);
    return finish();
  }
  if (ArrayBuffer.isView(data) || (Array.isArray(data) && !data.some((item) => item instanceof Tensor))) {
    const made = tensor(data as TensorLike);
    update(made);
    made.dispose();
    return finish();
  }
  const iterator = await iteratorOf(label, data);
  let count = 0;
  for (; count < steps; count++) {
    const item = await iterator.next();
    if (item.done) break;
    update(featuresOf(label, item.value));
    if (!Array.isArray(data)) dispose(item.value as Tensor);
  }
  if (count === 0) fail(label, 'adapt needs at least one batch', 'the data have none');
  finish();
}

async function iteratorOf(label: string, data: unknown): Promise<Batches> {
  const source = data as {
    iterator?: () => Promise<Batches> | Batches;
    [Symbol.asyncIterator]?: () => Batches;
    [Symbol.iterator]?: () => Batches;
  };
  if (typeof source?.iterator === 'function') return source.iterator();
  const begin = source?.[Symbol.asyncIterator] ?? source?.[Symbol.iterator];
  if (typeof begin === 'function' && typeof data !== 'string') return begin.call(source);
  const came = `got ${data === null ? 'null' : typeof data}`;
  return fail(label, 'adapt needs a tensor, a list of values, or a dataset of batches', came);
}

function featuresOf(label: string, item: unknown): Tensor {
  const xs = Array.isArray(item) ? item[0] : item instanceof Tensor ? item : (item as { xs?: unknown } | null)?.xs;
  if (xs instanceof Tensor) return xs;
  return fail(
    label,
    'adapt needs batches that are tensors, or {xs, ys} of them',
    `got ${typeof item}`,
    'map the dataset',
  );
}
