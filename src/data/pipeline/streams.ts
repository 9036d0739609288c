/**
 * Streams of elements, pulled one by one, and what makes one of another. Whoever takes an element out of a stream owns its tensors;
 * a stage that drops or replaces an element frees it. Knows no datasets.
 */
import { fail } from '../../base/errors.ts';
import type { Mulberry } from '../../base/mulberry.ts';
import { tidy, type TensorContainer, untracked } from '../../tensor/index.ts';
import { batched, release } from './elements.ts';

/** What every stage is: an async iterator that can be closed. */
export interface Stream<T> {
  next(): Promise<IteratorResult<T>>;
  return(): Promise<unknown>;
}

/** Closes a stage with those before it, however it is left. */
async function* closing<T, U>(source: Stream<T>, body: (source: Stream<T>) => AsyncGenerator<U>): AsyncGenerator<U> {
  try {
    yield* body(source);
  } finally {
    await source.return();
  }
}

/** An async generator as a stream; `return` before the first `next` closes what it would have closed. */
function streamOf<U>(generator: AsyncGenerator<U>, close: () => Promise<unknown>): Stream<U> {
  let begun = false;
  return {
    next: () => {
      begun = true;
      return generator.next();
    },
    return: () => (begun ? generator.return(undefined) : Promise.all([generator.return(undefined), close()])),
  };
}

function stage<T, U>(source: Stream<T>, body: (source: Stream<T>) => AsyncGenerator<U>): Stream<U> {
  return streamOf(closing(source, body), () => source.return());
}

async function* each<T>(source: Stream<T>): AsyncGenerator<T> {
  for (let item = await source.next(); !item.done; item = await source.next()) yield item.value;
}

/** From any iterator, whose end is the stream's. */
export function fromIterator<T>(iterator: Iterator<T> | AsyncIterator<T>): Stream<T> {
  if (typeof iterator?.next !== 'function') {
    fail(
      'data',
      'a generator must return an iterator, with next()',
      `got ${iterator === null ? 'null' : typeof iterator}`,
    );
  }
  let last: Promise<unknown> = Promise.resolve();
  let done = false;
  return {
    // Calls wait for those before them, whatever the iterator does.
    next: () => {
      const pull = async (): Promise<IteratorResult<T>> => {
        if (done) return { done: true, value: undefined };
        const item = await iterator.next();
        if (typeof item !== 'object' || item === null) {
          fail('data', 'an iterator must return {value, done}', `got ${item === null ? 'null' : typeof item}`);
        }
        done = item.done === true;
        return item;
      };
      const now = last.then(pull, pull);
      last = now.catch(() => undefined);
      return now;
    },
    return: async () => {
      const open = !done;
      done = true;
      return open ? iterator.return?.() : undefined;
    },
  };
}

export function mapped<T, U>(source: Stream<T>, transform: (value: T) => U): Stream<U> {
  return stage(source, async function* (stream) {
    for await (const value of each(stream)) {
      let result: U | undefined;
      try {
        result = untracked(() => tidy(() => transform(value) as TensorContainer)) as U;
      } finally {
        release(value, result);
      }
      yield result;
    }
  });
}

/** The transform of one element may begin before that of the last one ended, where somebody asks: prefetch does. */
export function mappedAsync<T, U>(source: Stream<T>, transform: (value: T) => Promise<U>): Stream<U> {
  return {
    next: async () => {
      const item = await source.next();
      if (item.done) return { done: true, value: undefined };
      let result: U | undefined;
      try {
        result = await transform(item.value);
      } finally {
        release(item.value, result);
      }
      return { done: false, value: result as U };
    },
    return: () => source.return(),
  };
}

export function filtered<T>(source: Stream<T>, predicate: (value: T) => boolean): Stream<T> {
  return stage(source, async function* (stream) {
    for await (const value of each(stream)) {
      let keeps = false;
      try {
        keeps = Boolean(untracked(() => tidy(() => predicate(value))));
      } finally {
        if (!keeps) release(value);
      }
      if (keeps) yield value;
    }
  });
}

export function taken<T>(source: Stream<T>, count: number): Stream<T> {
  return stage(source, async function* (stream) {
    for (let i = 0; i < count; i++) {
      const item = await stream.next();
      if (item.done) return;
      yield item.value;
    }
  });
}

export function skipped<T>(source: Stream<T>, count: number): Stream<T> {
  return stage(source, async function* (stream) {
    for (let i = 0; i < count; i++) {
      const item = await stream.next();
      if (item.done) return;
      release(item.value);
    }
    yield* each(stream);
  });
}

/** One stream after the other, each begun when the last one ends. */
export function concatenated<T>(begin: (i: number) => Promise<Stream<T> | null>, mayBeEmpty: boolean): Stream<T> {
  let current: Stream<T> | null = null;
  async function* run(): AsyncGenerator<T> {
    try {
      for (let i = 0; ; i++) {
        current = await begin(i);
        if (!current) return;
        let some = false;
        for await (const value of each(current)) {
          some = true;
          yield value;
        }
        // Repeating nothing for ever would never come back.
        if (!some && !mayBeEmpty) return;
      }
    } finally {
      await current?.return();
    }
  }
  return streamOf(run(), async () => undefined);
}

export function batches(source: Stream<unknown>, size: number, smallLast: boolean): Stream<TensorContainer> {
  return stage(source, async function* (stream) {
    let rows: unknown[] = [];
    try {
      for await (const value of each(stream)) {
        rows.push(value);
        if (rows.length < size) continue;
        const full = rows;
        rows = [];
        yield batched(full);
      }
      if (rows.length === 0 || !smallLast) return;
      const rest = rows;
      rows = [];
      yield batched(rest);
    } finally {
      release(rows);
    }
  });
}

/** Draws from a window of `size` elements, which is filled up again. */
export function shuffled<T>(source: Stream<T>, size: number, random: Mulberry): Stream<T> {
  return stage(source, async function* (stream) {
    const window: T[] = [];
    try {
      for await (const value of each(stream)) {
        window.push(value);
        if (window.length < size) continue;
        yield draw(window, random);
      }
      while (window.length > 0) yield draw(window, random);
    } finally {
      release(window);
    }
  });
}

function draw<T>(window: T[], random: Mulberry): T {
  const i = random.below(window.length);
  const value = window[i];
  window[i] = window[window.length - 1];
  window.pop();
  return value;
}

/** Asks for `size` elements ahead. */
export function prefetched<T>(source: Stream<T>, size: number): Stream<T> {
  const ahead: Promise<IteratorResult<T>>[] = [];
  let ended = false;
  const fill = () => {
    while (!ended && ahead.length < size) {
      const item = source.next();
      // It is awaited later; a failure before that is not unhandled.
      item.then(
        ({ done }) => {
          ended ||= done === true;
        },
        () => {
          ended = true;
        },
      );
      ahead.push(item);
    }
  };
  return {
    next: async () => {
      fill();
      const first = ahead.shift();
      if (!first) return { done: true, value: undefined };
      const item = await first;
      if (!item.done) fill();
      return item;
    },
    return: async () => {
      ended = true;
      for (const item of await Promise.allSettled(ahead.splice(0))) {
        if (item.status === 'fulfilled' && !item.value.done) release(item.value.value);
      }
      return source.return();
    },
  };
}

/** An element of each stream at once, put together by `join`; ends with the shortest. */
export function zipped<T>(sources: readonly Stream<unknown>[], join: (values: readonly unknown[]) => T): Stream<T> {
  const closeAll = () => Promise.all(sources.map((source) => source.return()));
  async function* run(): AsyncGenerator<T> {
    try {
      for (;;) {
        const items = await Promise.all(sources.map((source) => source.next()));
        if (items.some(({ done }) => done)) {
          for (const item of items) if (!item.done) release(item.value);
          return;
        }
        yield join(items.map(({ value }) => value as unknown));
      }
    } finally {
      await closeAll();
    }
  }
  return streamOf(run(), closeAll);
}
