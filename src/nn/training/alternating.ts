/** Two programs that take turns in one training step: the second runs with every so many of the first, and its numbers count only then. */
import type { Batch } from './batch.ts';
import type { Step } from './step.ts';
import type { LogLayout } from './tally.ts';

export class AlternatingStep implements Step {
  readonly #first: Step;
  readonly #second: Step;
  readonly #every: number;
  #calls = 0;
  /** What the second reported last. */
  #latest: ArrayLike<number> = [];

  /** The second takes its turn in the first call, and then in each `every`th. Both report means. */
  constructor(first: Step, second: Step, every: number) {
    this.#first = first;
    this.#second = second;
    this.#every = every;
  }

  get layout(): LogLayout {
    const second = this.#second.layout.map(({ name }) => ({ name, kind: 'turns' as const }));
    return [...this.#first.layout, ...second];
  }

  run(batch: Batch): ArrayLike<number> {
    const first = this.#first.run(batch);
    const due = this.#secondIsDue();
    if (due) this.#latest = this.#second.run(batch);
    return this.#joined(first, due);
  }

  async runAsync(batch: Batch): Promise<ArrayLike<number>> {
    const first = await this.#first.runAsync(batch);
    const due = this.#secondIsDue();
    if (due) this.#latest = await this.#second.runAsync(batch);
    return this.#joined(first, due);
  }

  #secondIsDue(): boolean {
    return this.#calls++ % this.#every === 0;
  }

  #joined(first: ArrayLike<number>, due: boolean): ArrayLike<number> {
    const turns = Array.from(this.#latest, (value) => [value, due ? 1 : 0]);
    return [...Array.from(first), ...turns.flat()];
  }

  reset(): void {
    this.#first.reset();
    this.#second.reset();
  }

  dispose(): void {
    this.#first.dispose();
    this.#second.dispose();
  }
}
