/**
 * Elements of datasets: tensors, numbers, strings, lists of them, in nested plain objects. What is a leaf, how leaves of several
 * elements become one batch. Knows no streams.
 */
import { fail, UserError } from '../../base/errors.ts';
import { dispose, stack, Tensor, type TensorContainer, tensor, tensorsIn, untracked } from '../../tensor/index.ts';
import { sameShape, showShape } from '../../types/shape.ts';

/** What is neither a tensor nor a value: an object whose entries are elements. */
function isBranch(item: unknown): item is { readonly [key: string]: unknown } {
  if (typeof item !== 'object' || item === null) return false;
  const prototype = Object.getPrototypeOf(item) as unknown;
  return prototype === Object.prototype || prototype === null;
}

/** Tensors cloned, so that whoever gets the element may dispose it; all else as it is. */
export function cloned<T>(element: T): T {
  if (element instanceof Tensor) return untracked(() => element.clone()) as T;
  if (Array.isArray(element)) {
    return (element.some((item) => typeof item === 'object' && item !== null) ? element.map(cloned) : element) as T;
  }
  if (!isBranch(element)) return element;
  return Object.fromEntries(Object.entries(element).map(([key, item]) => [key, cloned(item)])) as T;
}

/** Frees the tensors of an element, but for those that `kept` holds too. */
export function release(element: unknown, kept?: unknown): void {
  const spared = new Set(kept === undefined ? [] : tensorsIn(kept));
  for (const item of tensorsIn(element)) if (!spared.has(item) && !item.isDisposed) item.dispose();
}

/** Several elements of one structure as one: each leaf is a tensor with an axis in front. The elements are freed. */
export function batched(elements: readonly unknown[]): TensorContainer {
  try {
    return untracked(() => together(elements, ''));
  } finally {
    for (const element of elements) release(element);
  }
}

function together(items: readonly unknown[], path: string): TensorContainer {
  const [first] = items;
  if (!isBranch(first)) return leaf(items, path);
  const keys = Object.keys(first);
  const at = (key: string) => (path === '' ? key : `${path}.${key}`);
  items.forEach((item, i) => {
    const own = isBranch(item) ? Object.keys(item) : null;
    if (own && own.length === keys.length && own.every((key) => key in first)) return;
    const came = own ? `{${own.join(', ')}}` : describe(item);
    const must = `elements of a batch must have one structure, {${keys.join(', ')}}`;
    fail('data.batch', must, `element ${i}${path === '' ? '' : ` at ${path}`} is ${came}`);
  });
  const made: { [key: string]: TensorContainer } = {};
  try {
    for (const key of keys) {
      made[key] = together(
        items.map((item) => (item as typeof first)[key]),
        at(key),
      );
    }
  } catch (error) {
    dispose(made);
    throw error;
  }
  return made;
}

function describe(item: unknown): string {
  if (item instanceof Tensor) return `a tensor ${showShape(item.shape)} ${item.dtype}`;
  if (Array.isArray(item) || ArrayBuffer.isView(item)) return `a list of ${(item as unknown as unknown[]).length}`;
  return item === null ? 'null' : typeof item === 'object' ? 'an object' : typeof item;
}

function leaf(items: readonly unknown[], path: string): Tensor {
  const where = path === '' ? '' : ` at ${path}`;
  const [first] = items;
  if (first instanceof Tensor) {
    items.forEach((item, i) => {
      if (item instanceof Tensor && item.dtype === first.dtype && sameShape(item.shape, first.shape)) return;
      const must = `tensors of a batch must have one shape and dtype, ${showShape(first.shape)} ${first.dtype}`;
      fail('data.batch', must, `element ${i}${where} is ${describe(item)}`, 'pad or crop them in map()');
    });
    return stack(items as Tensor[]);
  }
  try {
    return tensor(items.map(plain) as never);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const odd = items.findIndex((item) => describe(item) !== describe(first));
    const came =
      odd < 0 ? describe(first) : `element 0${where} is ${describe(first)}, element ${odd} ${describe(items[odd])}`;
    const hint = 'give numbers, strings, tensors or lists of one length, in plain objects';
    return fail('data.batch', `elements of a batch must make a tensor together${where}`, came, hint);
  }
}

/** What is missing is NaN among numbers. */
function plain(item: unknown): unknown {
  if (item === undefined || item === null) return Number.NaN;
  if (Array.isArray(item)) return item.map((part) => (part instanceof Tensor ? part.arraySync() : plain(part)));
  return ArrayBuffer.isView(item) ? Array.from(item as unknown as ArrayLike<number>) : item;
}
