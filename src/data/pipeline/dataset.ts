/**
 * tf.data.Dataset: a stream of elements that can be begun again and again, and the transformations of it. A dataset holds no
 * elements but those of tf.data.array; each pass makes them anew. Source: tf.data.Dataset of TensorFlow.js.
 */
import { fail } from '../../base/errors.ts';
import { fingerPrint64 } from '../../base/farmhash.ts';
import { Mulberry } from '../../base/mulberry.ts';
import { encodeText, randomSeed, type TensorContainer } from '../../tensor/index.ts';
import { cloned, release } from './elements.ts';
import {
  batches,
  concatenated,
  filtered,
  fromIterator,
  mapped,
  mappedAsync,
  prefetched,
  shuffled,
  skipped,
  type Stream,
  taken,
  zipped,
} from './streams.ts';

function checkCount(op: string, what: string, value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  return fail(
    `data.${op}`,
    `${what} must be an integer of at least ${least}`,
    `got ${JSON.stringify(value) ?? typeof value}`,
  );
}

function checkFunction(op: string, value: unknown): void {
  if (typeof value !== 'function') fail(`data.${op}`, `${op} needs a function of an element`, `got ${typeof value}`);
}

/** One pass over a dataset. Who takes an element disposes its tensors. */
export class DatasetIterator<T> implements AsyncIterableIterator<T> {
  readonly #stream: Stream<T>;
  constructor(stream: Stream<T>) {
    this.#stream = stream;
  }
  async next(): Promise<IteratorResult<T>> {
    try {
      return await this.#stream.next();
    } catch (error) {
      // Nobody closes what failed: `for await` does not.
      await this.#stream.return().catch(() => undefined);
      throw error;
    }
  }
  /** Ends the pass before its end: closes files, and frees elements that were fetched ahead. */
  async return(): Promise<IteratorResult<T>> {
    await this.#stream.return();
    return { done: true, value: undefined };
  }
  [Symbol.asyncIterator](): this {
    return this;
  }
  /** The elements that are left. */
  async toArray(): Promise<T[]> {
    const all: T[] = [];
    try {
      for await (const value of this) all.push(value);
      return all;
    } catch (error) {
      release(all);
      throw error;
    }
  }
  /** Calls f with each element that is left, and disposes it. */
  async forEachAsync(f: (value: T) => unknown): Promise<void> {
    for await (const value of this) {
      try {
        await f(value);
      } finally {
        release(value);
      }
    }
  }
  /** Runs through what is left, and disposes it. */
  async resolveFully(): Promise<void> {
    await this.forEachAsync(() => undefined);
  }
}

export abstract class Dataset<T = TensorContainer> {
  /** The largest window that shuffle takes. */
  static readonly MAX_BUFFER_SIZE = 10000;
  /** Number of elements; Infinity where it never ends, null where only a pass tells. */
  readonly size: number | null = null;

  /** Begins a pass. */
  abstract iterator(): Promise<DatasetIterator<T>>;

  /** `for await (const element of dataset)`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    yield* await this.iterator();
  }

  /** The stream of a new pass. */
  async #begin(): Promise<Stream<T>> {
    return this.iterator() as Promise<Stream<T>>;
  }

  /** What `stage` makes of this dataset. */
  #then<U>(size: number | null, stage: (source: Stream<T>) => Stream<U>): Dataset<U> {
    return new StreamDataset(async () => stage(await this.#begin()), size);
  }

  /**
   * Groups elements. Numbers become a tensor of rank 1; tensors, and lists that make tensors, get an axis in front; in plain objects
   * each entry is grouped by itself.
   *
   * @param smallLastBatch whether a last batch of fewer elements is given; default true
   */
  batch(batchSize: number, smallLastBatch = true): Dataset<TensorContainer> {
    checkCount('batch', 'batchSize', batchSize, 1);
    const round = smallLastBatch ? Math.ceil : Math.floor;
    return this.#then(this.size === null ? null : round(this.size / batchSize), (source) =>
      batches(source, batchSize, smallLastBatch),
    );
  }

  /** The elements of this dataset, then those of another. */
  concatenate(dataset: Dataset<T>): Dataset<T> {
    if (!(dataset instanceof Dataset)) fail('data.concatenate', 'concatenate needs a dataset', `got ${typeof dataset}`);
    const size = this.size === null || dataset.size === null ? null : this.size + dataset.size;
    const parts = [this, dataset];
    return new StreamDataset(
      async () =>
        concatenated(async (i) => (i < parts.length ? ((await parts[i].iterator()) as Stream<T>) : null), true),
      size,
    );
  }

  /** The elements that the predicate holds for. */
  filter(predicate: (value: T) => boolean): Dataset<T> {
    checkFunction('filter', predicate);
    return this.#then(this.size === Number.POSITIVE_INFINITY ? this.size : null, (source) =>
      filtered(source, predicate),
    );
  }

  /** Calls f with each element, and disposes it. f may be asynchronous. */
  async forEachAsync(f: (value: T) => unknown): Promise<void> {
    checkFunction('forEachAsync', f);
    return (await this.iterator()).forEachAsync(f);
  }

  /** f of each element. Tensors that f makes and does not return, and those of the element, are disposed. */
  map<U extends TensorContainer>(transform: (value: T) => U): Dataset<U> {
    checkFunction('map', transform);
    return this.#then(this.size, (source) => mapped(source, transform));
  }

  /** f of each element, awaited. f disposes what it makes and does not return; with prefetch(n) behind it n of them run at once. */
  mapAsync<U extends TensorContainer>(transform: (value: T) => Promise<U>): Dataset<U> {
    checkFunction('mapAsync', transform);
    return this.#then(this.size, (source) => mappedAsync(source, transform));
  }

  /** Makes so many elements ready before they are asked for. */
  prefetch(bufferSize: number): Dataset<T> {
    checkCount('prefetch', 'bufferSize', bufferSize, 1);
    return this.#then(this.size, (source) => prefetched(source, bufferSize));
  }

  /** So many passes; without a count, or with a negative one, it never ends. */
  repeat(count?: number): Dataset<T> {
    const endless = count === undefined || count < 0;
    const passes = endless ? Number.POSITIVE_INFINITY : checkCount('repeat', 'count', count, 0);
    const empty = this.size === 0 || passes === 0;
    const begin = async (i: number) => (i < passes ? this.#begin() : null);
    return new StreamDataset(
      async () => concatenated(begin, false),
      empty ? 0 : this.size === null ? null : this.size * passes,
    );
  }

  /** Without the first `count` elements; a negative count leaves none. */
  skip(count: number): Dataset<T> {
    const dropped = count === undefined || count < 0 ? Number.POSITIVE_INFINITY : checkCount('skip', 'count', count, 0);
    if (dropped === Number.POSITIVE_INFINITY) return this.take(0);
    return this.#then(this.size === null ? null : Math.max(0, this.size - dropped), (source) =>
      skipped(source, dropped),
    );
  }

  /** At most the first `count` elements; a negative count takes all. */
  take(count: number): Dataset<T> {
    const most = count === undefined || count < 0 ? Number.POSITIVE_INFINITY : checkCount('take', 'count', count, 0);
    const size = this.size === null ? (most === 0 ? 0 : null) : Math.min(this.size, most);
    return this.#then(size, (source) => taken(source, most));
  }

  /**
   * Elements in a random order: each is drawn from a window of the `bufferSize` next ones, so that a window of the whole dataset makes
   * every order equally likely.
   *
   * @param seed default: from the global random state (tf.setSeed); the same seed gives the same orders
   * @param reshuffleEachIteration whether each pass has an order of its own; default true
   */
  shuffle(bufferSize: number, seed?: string | number, reshuffleEachIteration = true): Dataset<T> {
    const most = Math.min(checkCount('shuffle', 'bufferSize', bufferSize, 1), this.size ?? Number.POSITIVE_INFINITY);
    const first = new Mulberry(seedOf(seed));
    const fixed = first.below(2 ** 32);
    return this.#then(this.size, (source) =>
      shuffled(source, Math.max(1, most), new Mulberry(reshuffleEachIteration ? first.below(2 ** 32) : fixed)),
    );
  }

  /** All elements; they are the caller's to dispose. */
  async toArray(): Promise<T[]> {
    if (this.size === Number.POSITIVE_INFINITY) {
      fail('data.toArray', 'a dataset must end to become a list', 'this one never does', 'take(n) some of it');
    }
    return (await this.iterator()).toArray();
  }
}

function seedOf(seed: string | number | undefined): number {
  if (seed === undefined || seed === null) return randomSeed();
  if (typeof seed === 'number' && Number.isFinite(seed)) return Math.floor(seed);
  if (typeof seed === 'string') return Number(BigInt.asIntN(32, fingerPrint64(encodeText(seed))));
  return fail('data.shuffle', 'the seed must be a number or a string', `got ${String(seed)}`);
}

class StreamDataset<T> extends Dataset<T> {
  override readonly size: number | null;
  readonly #begin: () => Promise<Stream<T>>;
  constructor(begin: () => Promise<Stream<T>>, size: number | null) {
    super();
    this.#begin = begin;
    this.size = size;
  }
  override async iterator(): Promise<DatasetIterator<T>> {
    return new DatasetIterator(await this.#begin());
  }
}

/** The elements of a list. Tensors among them are cloned in each pass, and stay the caller's. */
export function array<T extends TensorContainer>(items: readonly T[]): Dataset<T> {
  if (!Array.isArray(items) && !ArrayBuffer.isView(items)) {
    fail('data.array', 'array needs a list of elements', `got ${typeof items}`, 'unstack a tensor, or pass a list');
  }
  return new StreamDataset(
    async () =>
      fromIterator(
        (function* () {
          for (const item of items) yield cloned(item);
        })(),
      ),
    items.length,
  );
}

/** What an iterator gives, or a generator; called for each pass. */
export function generator<T extends TensorContainer>(
  make: () => Iterator<T> | AsyncIterator<T> | Promise<Iterator<T> | AsyncIterator<T>>,
): Dataset<T> {
  checkFunction('generator', make);
  return new StreamDataset(async () => fromIterator(await make()), null);
}

/** What a function gives, `{value, done}` or a promise of it, until done. */
export function func<T extends TensorContainer>(f: () => IteratorResult<T> | Promise<IteratorResult<T>>): Dataset<T> {
  checkFunction('func', f);
  return new StreamDataset(async () => fromIterator({ next: async () => f() }), null);
}

/** Datasets in lists and objects. */
export type DatasetContainer =
  | Dataset<never>
  | Dataset<TensorContainer>
  | readonly DatasetContainer[]
  | { readonly [key: string]: DatasetContainer };

/** Elements of several datasets together, in the structure in which these are given; ends with the shortest. */
export function zip<T extends TensorContainer>(datasets: DatasetContainer): Dataset<T> {
  const found: Dataset<TensorContainer>[] = [];
  // The structure, with the number of the dataset at each leaf.
  const numbered = (item: unknown): unknown => {
    if (item instanceof Dataset) return found.push(item as Dataset<TensorContainer>) - 1;
    if (Array.isArray(item)) return item.map(numbered);
    if (typeof item === 'object' && item !== null) {
      return Object.fromEntries(Object.entries(item).map(([key, part]) => [key, numbered(part)]));
    }
    return fail('data.zip', 'zip needs datasets in a list or an object', `got ${item === null ? 'null' : typeof item}`);
  };
  if (datasets instanceof Dataset) fail('data.zip', 'zip needs datasets in a list or an object', 'got one dataset');
  const structure = numbered(datasets);
  if (found.length === 0) fail('data.zip', 'zip needs at least one dataset', 'got none');
  const fill = (item: unknown, values: readonly unknown[]): unknown => {
    if (typeof item === 'number') return values[item];
    if (Array.isArray(item)) return item.map((part) => fill(part, values));
    return Object.fromEntries(Object.entries(item as object).map(([key, part]) => [key, fill(part, values)]));
  };
  const sizes = found.map(({ size }) => size);
  const known = sizes.filter((size) => size !== null);
  const size = known.length === sizes.length ? Math.min(...known) : null;
  return new StreamDataset(async () => {
    const streams: Stream<unknown>[] = [];
    for (const dataset of found) streams.push((await dataset.iterator()) as Stream<unknown>);
    return zipped(streams, (values) => fill(structure, values) as T);
  }, size);
}
