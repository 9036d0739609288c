/** Two programs that take turns in one training step: the second runs with every so many of the first, and its numbers count only then. */
import { scalar, tidy, type Variable } from '../../tensor/index.ts';
import type { Batch } from './batch.ts';
import type { Step } from './step.ts';
import type { LogLayout } from './tally.ts';

export class AlternatingStep implements Step {
  readonly #first: Step;
  readonly #second: Step;
  readonly #every: number;
  /** Steps since the second had its turn, a variable so that it is saved with the rest of the state; null: always its turn. */
  readonly #waited: Variable | null;
  /** What the second reported last. */
  #latest: ArrayLike<number> = [];

  /** The second takes its turn where `waited` is 0, and then in each `every`th call. Both report means. */
  constructor(first: Step, second: Step, every: number, waited: Variable) {
    this.#first = first;
    this.#second = second;
    this.#every = every;
    this.#waited = every === 1 ? null : waited;
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
    if (!this.#waited) return true;
    const waited = this.#waited.dataSync()[0];
    tidy(() => this.#waited!.assign(scalar((waited + 1) % this.#every, 'int32')));
    return waited === 0;
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
