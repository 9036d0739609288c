/** Random orders of samples, from a seed. */
import { Mulberry } from '../../base/mulberry.ts';
import { randomSeed } from '../../tensor/index.ts';

export class Shuffler {
  readonly #random: Mulberry;

  /** Without a seed, one is drawn from the global random state. */
  constructor(seed?: number) {
    this.#random = new Mulberry(seed ?? randomSeed());
  }

  /** Puts `order` into a new random order. */
  shuffle(order: Int32Array): void {
    this.#random.shuffle(order);
  }
}
