/**
 * What the vectors that steps give mean: each entry of a log is a mean over samples, a total over a count, or a value that the
 * program itself keeps over the epoch. Sums are kept in double precision.
 */

export interface LogEntry {
  readonly name: string;
  /**
   * 'mean': a batch's mean, weighted by its size; 'ratio': a total and a count; 'running': the value so far; 'turns': the last
   * mean there was, and 1 where it is this batch's, else 0.
   */
  readonly kind: 'mean' | 'ratio' | 'running' | 'turns';
}

export type LogLayout = readonly LogEntry[];

/** How many numbers of a vector an entry takes. */
export const widthOf = ({ kind }: LogEntry): number => (kind === 'ratio' || kind === 'turns' ? 2 : 1);

export class Tally {
  #layout: LogLayout = [];
  readonly #totals: number[] = [];
  readonly #counts: number[] = [];
  /** What stands for a mean of nothing. */
  readonly #last: number[] = [];

  constructor(layout: LogLayout = []) {
    this.grow(layout);
  }

  /** Takes entries in that are new at the end: a step that alternates knows its second part's when that has run once. */
  grow(layout: LogLayout): void {
    this.#layout = layout;
    while (this.#totals.length < layout.length)
      for (const list of [this.#totals, this.#counts, this.#last]) list.push(0);
  }

  /** Takes a step's vector; gives the values of this batch (of the epoch so far, where the program keeps them). */
  add(vector: ArrayLike<number>, size: number): number[] {
    let at = 0;
    return this.#layout.map(({ kind }, i) => {
      const value = vector[at++];
      if (kind === 'ratio') {
        const count = vector[at++];
        this.#totals[i] += value;
        this.#counts[i] += count;
        return count === 0 ? 0 : value / count;
      }
      if (kind === 'turns' && vector[at++] === 0) {
        if (this.#counts[i] === 0) this.#last[i] = value;
        return value;
      }
      if (kind === 'mean' || kind === 'turns') {
        this.#totals[i] += value * size;
        this.#counts[i] += size;
      } else {
        this.#totals[i] = value;
        this.#counts[i] = 1;
      }
      return value;
    });
  }

  get values(): number[] {
    return this.#layout.map((_, i) => (this.#counts[i] === 0 ? this.#last[i] : this.#totals[i] / this.#counts[i]));
  }

  /** By name; `prefix` is 'val_' for validation. */
  logs(prefix = ''): { [name: string]: number } {
    return Object.fromEntries(this.values.map((value, i) => [prefix + this.#layout[i].name, value]));
  }
}
