/**
 * Bytes of x64 instructions, written as assembly: `a.emit('vaddps', ymm[0], ymm[1], ptr(rax, { disp: 16 }))`. Labels,
 * alignment and a pool of constants addressed relative to rip, so the code runs wherever it is put. Knows only machine
 * registers: virtual ones must be gone.
 */
import { invariant } from '../../base/errors.ts';
import type { GprRow, Mnemonic, VexRow } from './encodings.ts';
import { encodingOf } from './encodings.ts';
import type { Immediate, Label, Memory, Operand, Register } from './operands.ts';
import { FIRST_VIRTUAL, printOperand } from './operands.ts';

interface Fixup {
  /** Where the 32-bit displacement lies and where its instruction ends. */
  readonly at: number;
  readonly end: number;
  readonly label: number;
}

interface EvexFields {
  readonly opcode: number;
  readonly reg: number;
  readonly vvvv: number;
  readonly rm: Register | Memory | null;
  /** The byte behind the address, or -1. */
  readonly trailing: number;
  readonly widest: number;
  /** The operand that names a mask. */
  readonly mask: Register | Memory | null;
}

const fits8 = (value: number): boolean => value >= -128 && value <= 127;
const fits32 = (value: number): boolean => value >= -(2 ** 31) && value < 2 ** 31;

/** Recommended multi-byte no-ops, by length. */
const nops: readonly (readonly number[])[] = [
  [],
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

export class Assembler {
  #bytes: Uint8Array = new Uint8Array(4096);
  #size = 0;
  #labels: number[] = [];
  #fixups: Fixup[] = [];
  #pool = new Map<string, { label: Label; bytes: Uint8Array }>();
  readonly #lines: string[] | null;

  constructor(options: { listing?: boolean } = {}) {
    this.#lines = options.listing ? [] : null;
  }

  /** Bytes so far. */
  get position(): number {
    return this.#size;
  }

  label(): Label {
    this.#labels.push(-1);
    return { kind: 'label', id: this.#labels.length - 1 };
  }

  /** Puts a label here. */
  bind(label: Label): void {
    invariant(this.#labels[label.id] === -1, `label L${label.id} is bound twice`);
    this.#labels[label.id] = this.#size;
    this.#lines?.push(`L${label.id}:`);
  }

  comment(text: string): void {
    this.#lines?.push(`; ${text}`);
  }

  align(to: number): void {
    let missing = (to - (this.#size % to)) % to;
    while (missing > 0) {
      const nop = nops[Math.min(missing, 8)];
      this.#put(...nop);
      missing -= nop.length;
    }
  }

  /** Label of constant bytes, put behind the code by finish; equal ones are shared. Aligned to their size. */
  constant(bytes: Uint8Array): Label {
    const key = bytes.join();
    const known = this.#pool.get(key);
    if (known) return known.label;
    const label = this.label();
    this.#pool.set(key, { label, bytes });
    return label;
  }

  emit(mnemonic: Mnemonic, ...operands: Operand[]): void {
    this.#lines?.push(`    ${mnemonic} ${operands.map(printOperand).join(', ')}`.trimEnd());
    const row = encodingOf(mnemonic);
    if (row.enc === 'vex') this.#vex(mnemonic, row, operands);
    else this.#gpr(mnemonic, row, operands);
  }

  /** Lays the pool behind the code and resolves every label. */
  finish(): { code: Uint8Array; listing: string } {
    // Largest first, so that each is aligned to its own size without gaps.
    const entries = [...this.#pool.values()].sort((a, b) => b.bytes.length - a.bytes.length);
    if (entries.length > 0) this.align(Math.max(32, entries[0].bytes.length));
    for (const { label, bytes } of entries) {
      this.bind(label);
      this.#lines?.push(`    db ${[...bytes].map((b) => b.toString(16).padStart(2, '0')).join(' ')}`);
      this.#put(...bytes);
    }
    const code = this.#bytes.slice(0, this.#size);
    const view = new DataView(code.buffer);
    for (const { at, end, label } of this.#fixups) {
      const target = this.#labels[label];
      invariant(target >= 0, `label L${label} was never bound`);
      view.setInt32(at, target - end, true);
    }
    return { code, listing: this.#lines?.join('\n') ?? '' };
  }

  offsetOf(label: Label): number {
    return this.#labels[label.id];
  }

  // ---- VEX ---------------------------------------------------------------------------------------------------------

  #vex(mnemonic: string, row: VexRow, operands: readonly Operand[]): void {
    let { form, opcode }: { form: string; opcode: number } = row;
    if (operands[0]?.kind === 'mem' && row.store) ({ form, opcode } = row.store);
    // vmovd to a general register is the store form as well.
    else if (row.store?.form === 'mr' && operands[0]?.kind === 'reg' && operands[0].cls === 'gpr') {
      ({ form, opcode } = row.store);
    }
    invariant(operands.length === (form === 'none' ? 0 : form.length), `${mnemonic} takes ${form}`);
    let reg = row.digit;
    let vvvv = 0;
    let rm: Register | Memory | null = null;
    let trailing = -1;
    let widest = 128;
    let high = row.onlyEvex;
    let mask: Register | Memory | null = null;
    for (let i = 0; i < operands.length; i++) {
      const o = operands[i];
      if (o.kind === 'reg' && o.cls === 'vec') {
        widest = Math.max(widest, o.bits);
        high ||= o.id >= 16;
      }
      if ((o.kind === 'reg' || o.kind === 'mem') && o.mask !== undefined) mask = o;
      high ||= row.evex !== null && o.kind === 'reg' && o.cls === 'mask';
      if (form[i] === 'r') reg = machine(mnemonic, o);
      else if (form[i] === 'v') vvvv = machine(mnemonic, o);
      else if (form[i] === 's') trailing = machine(mnemonic, o) << 4;
      else if (form[i] === 'i') trailing = (o as Immediate).value & 255;
      else if (o.kind === 'reg' || o.kind === 'mem') rm = o;
    }
    if (high || mask || widest === 512) {
      this.#evex(mnemonic, row, { opcode, reg, vvvv, rm, trailing, widest, mask });
      return;
    }
    const length = row.length === 'widest' ? (widest === 256 ? 1 : 0) : row.length === 256 ? 1 : 0;
    const r = reg >> 3;
    const x = rm?.kind === 'mem' && rm.index ? machine(mnemonic, rm.index) >> 3 : 0;
    const b =
      rm?.kind === 'mem' ? (rm.base ? machine(mnemonic, rm.base) >> 3 : 0) : rm ? machine(mnemonic, rm) >> 3 : 0;
    const tail = ((~vvvv & 15) << 3) | (length << 2) | row.prefix;
    if (row.map === 1 && row.w === 0 && x === 0 && b === 0) {
      this.#put(0xc5, ((r ^ 1) << 7) | tail);
    } else {
      this.#put(0xc4, ((r ^ 1) << 7) | ((x ^ 1) << 6) | ((b ^ 1) << 5) | row.map, (row.w << 7) | tail);
    }
    this.#put(opcode);
    if (rm) this.#modrm(reg, rm, trailing < 0 ? 0 : 1);
    if (trailing >= 0) this.#put(trailing);
  }

  #evex(mnemonic: string, row: VexRow, f: EvexFields): void {
    const { evex } = row;
    invariant(evex, `${mnemonic} has no AVX-512 form`);
    const { reg, vvvv, rm, mask } = f;
    invariant(rm !== null && f.trailing < 256, `${mnemonic} has no AVX-512 form of this shape`);
    const bits = row.length === 128 ? 128 : evex.length === 'widest' ? f.widest : evex.length;
    const vectorBytes = bits / 8;
    const length = Math.log2(bits / 128);
    const isMemory = rm.kind === 'mem';
    const base = isMemory ? (rm.base ? machine(mnemonic, rm.base) : 0) : machine(mnemonic, rm);
    // For a register, x is the fourth bit of its number.
    const x = isMemory ? (rm.index ? machine(mnemonic, rm.index) >> 3 : 0) : (base >> 4) & 1;
    const bit = (value: number, n: number): number => ((value >> n) & 1) ^ 1;
    const bytes = { full: vectorBytes, half: vectorBytes / 2, quarter: vectorBytes / 4 };
    this.#put(
      0x62,
      (bit(reg, 3) << 7) | ((x ^ 1) << 6) | (bit(base, 3) << 5) | (bit(reg, 4) << 4) | row.map,
      (evex.w << 7) | ((~vvvv & 15) << 3) | 4 | row.prefix,
      ((mask?.kind === 'reg' && mask.zeroing ? 1 : 0) << 7) | (length << 5) | (bit(vvvv, 4) << 3) | (mask?.mask ?? 0),
      f.opcode,
    );
    const unit = typeof evex.bytes === 'number' ? evex.bytes : bytes[evex.bytes];
    this.#modrm(reg, rm, f.trailing < 0 ? 0 : 1, unit);
    if (f.trailing >= 0) this.#put(f.trailing);
  }

  // ---- integers ----------------------------------------------------------------------------------------------------

  #gpr(mnemonic: string, row: GprRow, operands: readonly Operand[]): void {
    const [a, b] = operands;
    switch (row.shape) {
      case 'bytes':
        this.#put(...row.bytes);
        return;
      case 'stack': {
        const id = machine(mnemonic, a);
        if (id >= 8) this.#put(0x41);
        this.#put(row.opcode + (id & 7));
        return;
      }
      case 'jump':
        this.#jump(row, a as Label);
        return;
      case 'call':
        this.#legacy([0xff], row.digit, a as Register | Memory, 0, false);
        return;
      case 'unary':
        this.#legacy([row.opcode], row.digit, a as Register | Memory, 0, is64(a));
        return;
      case 'shift':
        this.#legacy([row.opcode], row.digit, a as Register | Memory, 1, is64(a));
        this.#put((b as Immediate).value & 255);
        return;
      case 'lea':
        this.#legacy([row.opcode], machine(mnemonic, a), b as Memory, 0, is64(a));
        return;
      case 'test':
        this.#legacy([row.opcode], machine(mnemonic, b), a as Register | Memory, 0, is64(b));
        return;
      case 'rm': {
        const bytes = row.opcode === 0x63 ? [0x63] : [0x0f, row.opcode];
        this.#legacy(bytes, machine(mnemonic, a), b as Register | Memory, 0, is64(a));
        return;
      }
      case 'locked': {
        if (row.opcode !== 0x87) this.#put(0xf0);
        const bytes = row.opcode === 0xc1 || row.opcode === 0xb1 ? [0x0f, row.opcode] : [row.opcode];
        this.#legacy(bytes, machine(mnemonic, b), a as Memory, 0, is64(b));
        return;
      }
      case 'mov':
        this.#mov(mnemonic, a, b);
        return;
      case 'alu':
        this.#alu(mnemonic, row, a, b);
        return;
      case 'imul':
        this.#imul(mnemonic, operands);
        return;
    }
  }

  #jump(row: GprRow, target: Label): void {
    const bound = this.#labels[target.id];
    if (bound >= 0 && fits8(bound - (this.#size + 2))) {
      this.#put(row.opcode < 0 ? 0xeb : 0x70 | row.opcode, (bound - (this.#size + 2)) & 255);
      return;
    }
    if (row.opcode < 0) this.#put(0xe9);
    else this.#put(0x0f, 0x80 | row.opcode);
    this.#fixups.push({ at: this.#size, end: this.#size + 4, label: target.id });
    this.#int32(0);
  }

  #mov(mnemonic: string, a: Operand, b: Operand): void {
    if (b.kind === 'imm') {
      if (a.kind === 'reg' && b.value >= 0 && b.value < 2 ** 32) {
        // The 32-bit form clears the upper half: shorter, and all we ever need.
        if (a.id >= 8) this.#put(0x41);
        this.#put(0xb8 + (machine(mnemonic, a) & 7));
        this.#int32(b.value | 0);
        return;
      }
      if (a.kind === 'reg' && !fits32(b.value)) {
        this.#put(0x48 | (a.id >> 3), 0xb8 + (machine(mnemonic, a) & 7));
        this.#int32((b.value % 2 ** 32) | 0);
        this.#int32(Math.floor(b.value / 2 ** 32) | 0);
        return;
      }
      this.#legacy([0xc7], 0, a as Register | Memory, 4, is64(a));
      this.#int32(b.value);
      return;
    }
    if (a.kind === 'mem') {
      this.#legacy([0x89], machine(mnemonic, b), a, 0, is64(b));
      return;
    }
    this.#legacy([0x8b], machine(mnemonic, a), b as Register | Memory, 0, is64(a));
    return;
  }

  #alu(mnemonic: string, row: GprRow, a: Operand, b: Operand): void {
    if (b.kind === 'imm') {
      invariant(fits32(b.value), `${mnemonic} immediate ${b.value} must fit 32 bits`);
      const short = fits8(b.value);
      this.#legacy([short ? 0x83 : 0x81], row.digit, a as Register | Memory, short ? 1 : 4, is64(a));
      if (short) this.#put(b.value & 255);
      else this.#int32(b.value);
    } else if (a.kind === 'mem') {
      this.#legacy([row.opcode], machine(mnemonic, b), a, 0, is64(b));
    } else {
      this.#legacy([row.opcode + 2], machine(mnemonic, a), b as Register | Memory, 0, is64(a));
    }
  }

  #imul(mnemonic: string, [a, b, c]: readonly Operand[]): void {
    if (c === undefined) {
      this.#legacy([0x0f, 0xaf], machine(mnemonic, a), b as Register | Memory, 0, is64(a));
      return;
    }
    const value = (c as Immediate).value;
    invariant(fits32(value), `imul immediate ${value} must fit 32 bits`);
    const short = fits8(value);
    this.#legacy([short ? 0x6b : 0x69], machine(mnemonic, a), b as Register | Memory, short ? 1 : 4, is64(a));
    if (short) this.#put(value & 255);
    else this.#int32(value);
  }

  #legacy(opcode: readonly number[], reg: number, rm: Register | Memory, immBytes: number, wide: boolean): void {
    const x = rm.kind === 'mem' && rm.index ? rm.index.id >> 3 : 0;
    const b = rm.kind === 'mem' ? (rm.base ? rm.base.id >> 3 : 0) : rm.id >> 3;
    const rex = (wide ? 8 : 0) | ((reg >> 3) << 2) | (x << 1) | b;
    if (rex !== 0) this.#put(0x40 | rex);
    this.#put(...opcode);
    this.#modrm(reg, rm, immBytes);
  }

  // ---- shared ------------------------------------------------------------------------------------------------------

  /** `unit`: what an 8-bit displacement counts. */
  #modrm(reg: number, rm: Register | Memory, immBytes: number, unit = 1): void {
    const field = (reg & 7) << 3;
    if (rm.kind === 'reg') {
      invariant(rm.id < FIRST_VIRTUAL, 'a virtual register reached the assembler');
      this.#put(0xc0 | field | (rm.id & 7));
      return;
    }
    if (rm.label) {
      this.#put(field | 5);
      this.#fixups.push({ at: this.#size, end: this.#size + 4 + immBytes, label: rm.label.id });
      this.#int32(0);
      return;
    }
    invariant(fits32(rm.disp), `displacement ${rm.disp} must fit 32 bits`);
    const { base, index, disp } = rm;
    const scale = Math.log2(rm.scale) << 6;
    if (!base) {
      // No base: the SIB form with a 32-bit displacement.
      this.#put(field | 4, scale | ((index ? index.id & 7 : 4) << 3) | 5);
      this.#int32(disp);
      return;
    }
    invariant(
      base.id < FIRST_VIRTUAL && (!index || index.id < FIRST_VIRTUAL),
      'a virtual register reached the assembler',
    );
    invariant(index?.id !== 4, 'rsp cannot be an index');
    // rbp and r13 have no form without displacement; rsp and r12 need a SIB byte.
    const short = disp % unit === 0 && fits8(disp / unit);
    const mod = disp === 0 && (base.id & 7) !== 5 ? 0 : short ? 0x40 : 0x80;
    if (index || (base.id & 7) === 4) {
      this.#put(mod | field | 4, (index ? scale | ((index.id & 7) << 3) : 0x20) | (base.id & 7));
    } else {
      this.#put(mod | field | (base.id & 7));
    }
    if (mod === 0x40) this.#put((disp / unit) & 255);
    else if (mod === 0x80) this.#int32(disp);
  }

  #int32(value: number): void {
    this.#put(value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255);
  }

  #put(...bytes: readonly number[]): void {
    if (this.#size + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2 + bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    for (const byte of bytes) this.#bytes[this.#size++] = byte;
  }
}

function machine(mnemonic: string, o: Operand): number {
  invariant(o.kind === 'reg' && o.id < FIRST_VIRTUAL, `${mnemonic} needs a machine register, got ${printOperand(o)}`);
  return o.id;
}

function is64(o: Operand): boolean {
  return o.kind === 'reg' ? o.bits === 64 : o.kind === 'mem' ? o.bits !== 32 : false;
}
