/** Means of losses and metrics over an epoch, each batch weighted by its size. */
export class Averages {
  readonly #names: readonly string[];
  readonly #totals: number[];
  #seen = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#totals = names.map(() => 0);
  }

  add(values: readonly number[], size: number): void {
    values.forEach((value, i) => {
      this.#totals[i] += value * size;
    });
    this.#seen += size;
  }

  get values(): number[] {
    return this.#totals.map((total) => total / Math.max(1, this.#seen));
  }

  /** By name; `prefix` is 'val_' for validation. */
  logs(prefix = ''): { [name: string]: number } {
    return Object.fromEntries(this.values.map((value, i) => [prefix + this.#names[i], value]));
  }
}
