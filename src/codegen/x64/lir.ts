/**
 * The linear list between instruction selection and register allocation: real x64 instructions on virtual registers, with
 * labels and the bounds of loops. Knows no kernel IR.
 */
import type { Assembler } from './assembler.ts';
import type { Mnemonic } from './encodings.ts';
import { encodingOf } from './encodings.ts';
import type { Label, Memory, Operand, Register, RegisterClass } from './operands.ts';
import { FIRST_VIRTUAL, printOperand, ripRelative } from './operands.ts';

export interface Operation {
  readonly kind: 'op';
  readonly mnemonic: Mnemonic;
  readonly operands: readonly Operand[];
  /** What each operand is to the instruction: r, w, x or i. */
  readonly roles: string;
}

export type Item =
  | Operation
  | { readonly kind: 'label'; readonly label: Label }
  /** The head of a loop: everything until the matching end may run again. */
  | { readonly kind: 'loop'; readonly label: Label; readonly align: boolean }
  | { readonly kind: 'end' }
  /** Defines virtual registers that arrive in fixed machine registers. */
  | { readonly kind: 'entry'; readonly args: readonly { readonly virtual: Register; readonly fixed: Register }[] };

export function operation(mnemonic: Mnemonic, operands: readonly Operand[]): Operation {
  const row = encodingOf(mnemonic);
  // imul with three operands only writes its first.
  let roles = row.enc === 'gpr' && row.shape === 'imul' && operands.length === 3 ? 'wri' : row.roles;
  const [first] = operands;
  const merges = first?.kind === 'reg' && first.mask !== undefined && !first.zeroing;
  // Lanes that a mask leaves alone are read, but where the mask chooses between the sources.
  if (merges && row.enc === 'vex' && !row.blends) roles = `x${roles.slice(1)}`;
  return { kind: 'op', mnemonic, operands, roles };
}

export class Lir {
  readonly items: Item[] = [];
  readonly assembler: Assembler;
  /** 32-bit lanes of a constant. */
  readonly lanes: 8 | 16;
  readonly #splats = new Map<string, Memory>();
  #next = FIRST_VIRTUAL;

  constructor(assembler: Assembler, lanes: 8 | 16) {
    this.assembler = assembler;
    this.lanes = lanes;
  }

  /** Vector registers that all instructions of this list can name: those of AVX2, or of AVX-512. */
  get vectorRegisters(): number {
    return this.lanes === 16 ? 32 : 16;
  }

  virtual(cls: RegisterClass, bits: Register['bits']): Register {
    return { kind: 'reg', cls, id: this.#next++, bits };
  }

  gpr(): Register {
    return this.virtual('gpr', 64);
  }

  op(mnemonic: Mnemonic, ...operands: Operand[]): void {
    this.items.push(operation(mnemonic, operands));
  }

  label(label: Label): void {
    this.items.push({ kind: 'label', label });
  }

  loop(label: Label, align: boolean): void {
    this.items.push({ kind: 'loop', label, align });
  }

  end(): void {
    this.items.push({ kind: 'end' });
  }

  /** 32-bit lanes as a memory operand. */
  constant(lane: (l: number) => number): Memory {
    const words = new Int32Array(this.lanes);
    for (let l = 0; l < this.lanes; l++) words[l] = lane(l);
    return ripRelative(this.assembler.constant(new Uint8Array(words.buffer)));
  }

  /** The same 32 bits in each lane, or the same 64: the low half and the high one. */
  splat(low: number, high = low): Memory {
    const key = `${low} ${high}`;
    let known = this.#splats.get(key);
    if (!known) {
      known = this.constant((l) => (l % 2 === 0 ? low : high));
      this.#splats.set(key, known);
    }
    return known;
  }

  /** The same double in each lane of 64 bits. */
  splatDouble(value: number): Memory {
    const [low, high] = doubleBits(value);
    return this.splat(low, high);
  }
}

const word = new DataView(new ArrayBuffer(8));

export function floatBits(value: number): number {
  word.setFloat32(0, value);
  return word.getInt32(0);
}

/** The low and the high half of a double. */
export function doubleBits(value: number): [low: number, high: number] {
  word.setFloat64(0, value);
  return [word.getInt32(4), word.getInt32(0)];
}

/** The low and the high half of a 64-bit integer. */
export function longBits(value: bigint): [low: number, high: number] {
  word.setBigInt64(0, value);
  return [word.getInt32(4), word.getInt32(0)];
}

export function printItem(item: Item): string {
  switch (item.kind) {
    case 'op':
      return `    ${item.mnemonic} ${item.operands.map(printOperand).join(', ')}`.trimEnd();
    case 'label':
      return `L${item.label.id}:`;
    case 'loop':
      return `L${item.label.id}: ; loop`;
    case 'end':
      return '    ; end of loop';
    case 'entry':
      return `    ; entry ${item.args.map((a) => `${printOperand(a.virtual)}=${printOperand(a.fixed)}`).join(' ')}`;
  }
}
