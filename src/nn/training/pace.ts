/** When fit runs a step off the main thread, and when it hands control to the event loop. */
import { fail } from '../../base/errors.ts';

/** 'auto', 'batch', 'epoch', 'never', or every so many milliseconds. */
export type YieldEvery = 'auto' | 'batch' | 'epoch' | 'never' | number;

/** As in TensorFlow.js. */
const autoEvery = 125;
/** Steps shorter than this run on the main thread: handing them over would cost more than they do. */
const shortStep = 1;
/** The event loop is not held longer than this by short steps. */
const longestHold = 10;

const setImmediateOrTimeout: (callback: () => void) => unknown =
  (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate ??
  ((callback) => setTimeout(callback, 0));

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediateOrTimeout(resolve));
}

export class Pace {
  readonly every: YieldEvery;
  #lastYield = performance.now();
  #lastTurn = performance.now();
  /** Milliseconds of a step, smoothed; the first ones are taken for long. */
  #stepTime = Number.POSITIVE_INFINITY;

  constructor(op: string, every: YieldEvery = 'auto') {
    const named = ['auto', 'batch', 'epoch', 'never'].includes(every as string);
    if (!named && !(typeof every === 'number' && every >= 0)) {
      fail(op, "yieldEvery must be 'auto', 'batch', 'epoch', 'never' or milliseconds", `got ${every}`);
    }
    this.every = every;
  }

  /** Whether the next step runs off the main thread. */
  get async(): boolean {
    return this.every !== 'never' && this.#stepTime > shortStep;
  }

  stepTook(milliseconds: number): void {
    const before = this.#stepTime;
    this.#stepTime = Number.isFinite(before) ? before * 0.8 + milliseconds * 0.2 : milliseconds;
  }

  /** After a batch: lets the event loop turn where it is time. True where onYield should be called. */
  async afterBatch(wasAsync: boolean): Promise<boolean> {
    if (this.every === 'never') return false;
    const now = performance.now();
    if (wasAsync) this.#lastTurn = now;
    const interval = this.every === 'auto' ? autoEvery : this.every;
    const due = this.every === 'batch' || (typeof interval === 'number' && now - this.#lastYield >= interval);
    if (due || now - this.#lastTurn >= longestHold) {
      if (due) this.#lastYield = now;
      if (!wasAsync || due) await nextTurn();
      this.#lastTurn = performance.now();
    }
    return due;
  }

  async afterEpoch(): Promise<boolean> {
    if (this.every === 'never') return false;
    await nextTurn();
    return this.every === 'epoch';
  }
}
