/**
 * Operands of x64 instructions: registers, memory, immediates, labels. Registers with an id of 16 and more are virtual:
 * instruction selection uses them and the allocator replaces them. Knows nothing of encodings.
 */

export type RegisterClass = 'gpr' | 'vec';

export interface Register {
  readonly kind: 'reg';
  readonly cls: RegisterClass;
  /** 0..15 are the machine's registers; from 16 on, virtual ones. */
  readonly id: number;
  /** gpr: 8 (low byte), 32 or 64; vec: 128 (xmm) or 256 (ymm). */
  readonly bits: 8 | 32 | 64 | 128 | 256;
}

export interface Memory {
  readonly kind: 'mem';
  readonly base?: Register;
  readonly index?: Register;
  readonly scale: 1 | 2 | 4 | 8;
  readonly disp: number;
  /** rip-relative address of a label (constants, tables). Excludes base and index. */
  readonly label?: Label;
  /** Only where no register operand says it: 32 or 64. */
  readonly bits?: 32 | 64;
}

export interface Immediate {
  readonly kind: 'imm';
  readonly value: number;
}

export interface Label {
  readonly kind: 'label';
  readonly id: number;
}

export type Operand = Register | Memory | Immediate | Label;

export const FIRST_VIRTUAL = 16;

function bank(cls: RegisterClass, bits: Register['bits']): Register[] {
  return Array.from({ length: 16 }, (_, id) => ({ kind: 'reg', cls, id, bits }));
}

export const gpr64 = bank('gpr', 64);
export const gpr32 = bank('gpr', 32);
export const xmm = bank('vec', 128);
export const ymm = bank('vec', 256);

export const [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = gpr64;
export const [eax, ecx, edx, ebx, esp, ebp, esi, edi] = gpr32;

export function imm(value: number): Immediate {
  return { kind: 'imm', value };
}

/** `ptr(rax, { index: rcx, scale: 4, disp: 8 })` is [rax + rcx*4 + 8]. */
export function ptr(
  base: Register | undefined,
  at: { index?: Register; scale?: 1 | 2 | 4 | 8; disp?: number; bits?: 32 | 64 } = {},
): Memory {
  return {
    kind: 'mem',
    ...(base && { base }),
    ...(at.index && { index: at.index }),
    scale: at.scale ?? 1,
    disp: at.disp ?? 0,
    ...(at.bits && { bits: at.bits }),
  };
}

export function ripRelative(label: Label): Memory {
  return { kind: 'mem', scale: 1, disp: 0, label };
}

/** The same register seen with another width. */
export function resized(r: Register, bits: Register['bits']): Register {
  return r.bits === bits ? r : { kind: 'reg', cls: r.cls, id: r.id, bits };
}

const names64 = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');
const names32 = 'eax ecx edx ebx esp ebp esi edi r8d r9d r10d r11d r12d r13d r14d r15d'.split(' ');
const names8 = 'al cl dl bl spl bpl sil dil r8b r9b r10b r11b r12b r13b r14b r15b'.split(' ');

function printRegister(r: Register): string {
  if (r.id >= FIRST_VIRTUAL) return `${r.cls === 'vec' ? 'v' : 'g'}${r.id}`;
  if (r.cls === 'vec') return `${r.bits === 256 ? 'ymm' : 'xmm'}${r.id}`;
  return (r.bits === 64 ? names64 : r.bits === 32 ? names32 : names8)[r.id];
}

function printHex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Intel syntax as objdump writes it, without the size of memory operands. */
export function printOperand(o: Operand): string {
  if (o.kind === 'reg') return printRegister(o);
  if (o.kind === 'imm') return o.value < 0 ? `-${printHex(-o.value)}` : printHex(o.value);
  if (o.kind === 'label') return `L${o.id}`;
  if (o.label) return `[rip+L${o.label.id}]`;
  const parts: string[] = [];
  if (o.base) parts.push(printRegister(o.base));
  if (o.index) parts.push(`${printRegister(o.index)}*${o.scale}`);
  let text = parts.join('+');
  if (o.disp !== 0 || !o.base) text += o.disp < 0 ? `-${printHex(-o.disp)}` : `+${printHex(o.disp)}`;
  return `[${text}]`;
}
