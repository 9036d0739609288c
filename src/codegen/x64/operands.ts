/**
 * Operands of x64 instructions: registers, memory, immediates, labels. Registers with an id of 32 and more are virtual:
 * instruction selection uses them and the allocator replaces them. Knows nothing of encodings.
 */

export type RegisterClass = 'gpr' | 'vec' | 'mask';

export interface Register {
  readonly kind: 'reg';
  readonly cls: RegisterClass;
  /** Below 32 the machine's registers (16 gpr, 32 vec of which AVX2 knows 16, 8 mask); from 32 on, virtual ones. */
  readonly id: number;
  /** gpr: 8 (low byte), 32 or 64; vec: 128 (xmm), 256 (ymm) or 512 (zmm); mask: 64. */
  readonly bits: 8 | 32 | 64 | 128 | 256 | 512;
  /** AVX-512, as a destination: only lanes whose bit of this mask register is set are written. */
  readonly mask?: number;
  /** The other lanes become 0 instead of staying. */
  readonly zeroing?: true;
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
  /** AVX-512: only lanes whose bit of this mask register is set are written. */
  readonly mask?: number;
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

export const FIRST_VIRTUAL = 32;

function bank(cls: RegisterClass, bits: Register['bits'], length: number): Register[] {
  return Array.from({ length }, (_, id) => ({ kind: 'reg', cls, id, bits }));
}

export const gpr64 = bank('gpr', 64, 16);
export const gpr32 = bank('gpr', 32, 16);
export const xmm = bank('vec', 128, 32);
export const ymm = bank('vec', 256, 32);
export const zmm = bank('vec', 512, 32);
export const k = bank('mask', 64, 8);

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

/** A destination of which only the lanes of mask register `by` are written; `zeroing` clears the others. */
export function masked(o: Register, by: Register, zeroing: boolean): Register;
export function masked(o: Memory, by: Register): Memory;
export function masked(o: Register | Memory, by: Register, zeroing = false): Register | Memory {
  return { ...o, mask: by.id, ...(zeroing && { zeroing: true as const }) };
}

/** The same register seen with another width. */
export function resized(r: Register, bits: Register['bits']): Register {
  return r.bits === bits ? r : { kind: 'reg', cls: r.cls, id: r.id, bits };
}

const names64 = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');
const names32 = 'eax ecx edx ebx esp ebp esi edi r8d r9d r10d r11d r12d r13d r14d r15d'.split(' ');
const names8 = 'al cl dl bl spl bpl sil dil r8b r9b r10b r11b r12b r13b r14b r15b'.split(' ');

function printRegister(r: Register): string {
  const mask = printMask(r);
  if (r.id >= FIRST_VIRTUAL) return `${r.cls === 'vec' ? 'v' : 'g'}${r.id}${mask}`;
  if (r.cls === 'vec') return `${r.bits === 512 ? 'z' : r.bits === 256 ? 'y' : 'x'}mm${r.id}${mask}`;
  if (r.cls === 'mask') return `k${r.id}`;
  return (r.bits === 64 ? names64 : r.bits === 32 ? names32 : names8)[r.id];
}

function printMask(o: Register | Memory): string {
  if (o.mask === undefined) return '';
  return `{k${o.mask}}${o.kind === 'reg' && o.zeroing ? '{z}' : ''}`;
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
  return `[${text}]${printMask(o)}`;
}
