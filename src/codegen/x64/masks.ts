/**
 * The mask registers of AVX-512. Kernel IR's masks are vectors of ones and zeros; a comparison leaves its result in a mask
 * register as well, and a select that follows takes it from there. k1 to k3 hold results in turn, k4 to k6 the constants
 * that partial vectors need (set once, at the region's entry), k7 further constants. Knows no kernel IR.
 */
import type { Mnemonic } from './encodings.ts';
import type { Item, Lir } from './lir.ts';
import { operation } from './lir.ts';
import { mentions } from './mentions.ts';
import type { Register } from './operands.ts';
import { imm, k, resized } from './operands.ts';

const RESULTS = [k[1], k[2], k[3]];
const CONSTANTS = [k[4], k[5], k[6]];
const PASSING = k[7];

export class Masks {
  readonly #lir: Lir;
  readonly #held = new Map<number, Register>();
  readonly #constants = new Map<number, Register>();
  readonly #laneBits: 32 | 64;
  #turn = 0;

  /** `laneBits`: of masks that are vectors. */
  constructor(lir: Lir, laneBits: 32 | 64) {
    this.#lir = lir;
    this.#laneBits = laneBits;
  }

  /** A mask register to write a result into; what it held before is forgotten. */
  fresh(): Register {
    const register = RESULTS[this.#turn++ % RESULTS.length];
    for (const [vector, held] of this.#held) if (held === register) this.#held.delete(vector);
    return register;
  }

  /** Says that a vector, which is never changed, holds the same as a mask register. */
  hold(vector: Register, mask: Register): void {
    this.#held.set(vector.id, mask);
  }

  /** A mask register that holds the same as the vector. */
  of(vector: Register): Register {
    const held = this.#held.get(vector.id);
    if (held) return held;
    const register = this.fromVector(vector);
    this.hold(vector, register);
    return register;
  }

  /** The same, of a vector that may change. */
  fromVector(vector: Register): Register {
    const register = this.fresh();
    this.#lir.op(this.#laneBits === 64 ? 'vpmovq2m' : 'vpmovd2m', register, vector);
    return register;
  }

  toVector(vector: Register, mask: Register): void {
    this.#lir.op(this.#laneBits === 64 ? 'vpmovm2q' : 'vpmovm2d', vector, mask);
  }

  /** At every place that code can be reached from elsewhere. */
  forget(): void {
    this.#held.clear();
  }

  /** The first `count` lanes of 32 bits. */
  lanes(count: number): Register {
    return this.constant(2 ** count - 1);
  }

  /** A mask register with these bits, to be used by the next instruction. */
  constant(bits: number): Register {
    let register = this.#constants.get(bits);
    if (register) return register;
    if (this.#constants.size < CONSTANTS.length) {
      register = CONSTANTS[this.#constants.size];
      this.#constants.set(bits, register);
      return register;
    }
    this.#lir.items.push(...load(this.#lir, bits, PASSING));
    return PASSING;
  }

  /** Sets the constants, right behind the region's entry. */
  atEntry(): void {
    const setting = [...this.#constants].flatMap(([bits, register]) => load(this.#lir, bits, register));
    const entry = this.#lir.items.findIndex((item) => item.kind === 'entry');
    this.#lir.items.splice(entry + 1, 0, ...setting);
  }
}

function load(lir: Lir, bits: number, into: Register): Item[] {
  const low = resized(lir.gpr(), 32);
  return [operation('mov', [low, imm(bits)]), operation('kmovw', [into, low])];
}

/** Vectors that were made of a mask register and that nobody read. */
export function withoutUnreadMasks(items: readonly Item[]): readonly Item[] {
  const read = new Set<number>();
  let made = false;
  for (const item of items) {
    made ||= item.kind === 'op' && isVectorOfMask(item.mnemonic);
    mentions(item, (r, role) => {
      if (role !== 'w') read.add(r.id);
    });
  }
  if (!made) return items;
  return items.filter((item) => {
    if (item.kind !== 'op' || !isVectorOfMask(item.mnemonic)) return true;
    const [out] = item.operands;
    return out.kind === 'reg' && read.has(out.id);
  });
}

function isVectorOfMask(mnemonic: Mnemonic): boolean {
  return mnemonic === 'vpmovm2d' || mnemonic === 'vpmovm2q';
}
