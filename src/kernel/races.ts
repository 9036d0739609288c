/** Finds two chunks of a kernel that are not independent: one touches an element that the other writes. Only tests use it. */
import { InternalError } from '../base/errors.ts';
import type { Param } from './ir.ts';

/** Who has touched an element: nobody, one chunk (its number, from 1), or several. */
const nobody = 0;
const several = -1;

export class RaceCheck {
  readonly #params: readonly Param[];
  readonly #readers: Int32Array[];
  readonly #writers: Int32Array[];
  #chunk = nobody;

  constructor(params: readonly Param[]) {
    this.#params = params;
    this.#readers = params.map((param) => new Int32Array(param.size));
    this.#writers = params.map((param) => new Int32Array(param.size));
  }

  nextChunk(): void {
    this.#chunk++;
  }

  load(buf: number, element: number): void {
    this.#exclude(this.#writers[buf][element], 'reads', 'writes', buf, element);
    const readers = this.#readers[buf];
    readers[element] = readers[element] === nobody || readers[element] === this.#chunk ? this.#chunk : several;
  }

  store(buf: number, element: number): void {
    this.#exclude(this.#writers[buf][element], 'writes', 'writes too', buf, element);
    this.#exclude(this.#readers[buf][element], 'writes', 'reads', buf, element);
    this.#writers[buf][element] = this.#chunk;
  }

  #exclude(other: number, does: string, otherDoes: string, buf: number, element: number): void {
    if (other === nobody || other === this.#chunk) return;
    throw new InternalError(
      `internal: chunks are not independent: one ${does} ${this.#params[buf].name}[${element}], another ${otherDoes}`,
    );
  }
}
