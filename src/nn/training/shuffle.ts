/** Random orders of samples, from a seed: Fisher-Yates over mulberry32. */
import { nextRandomKey } from '../../tensor/index.ts';

export class Shuffler {
  #state: number;

  /** Without a seed, one is drawn from the global random state. */
  constructor(seed?: number) {
    this.#state = seed ?? drawSeed();
  }

  /** Puts `order` into a new random order. */
  shuffle(order: Int32Array): void {
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(this.#next() * (i + 1));
      const kept = order[i];
      order[i] = order[j];
      order[j] = kept;
    }
  }

  /** In [0, 1). */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}

function drawSeed(): number {
  const key = nextRandomKey();
  const [a, b] = key.dataSync();
  key.dispose();
  return Math.imul(a, 0x9e3779b1) ^ b;
}
