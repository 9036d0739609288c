/** The encoder: golden bytes, and every row of the table in many operand shapes against objdump. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Assembler } from './assembler.ts';
import type { Encoding, Mnemonic, VexRow } from './encodings.ts';
import { encodings } from './encodings.ts';
import type { Memory, Operand } from './operands.ts';
import {
  gpr32,
  gpr64,
  imm,
  k,
  masked,
  printOperand,
  ptr,
  r12,
  r13,
  rax,
  rcx,
  ripRelative,
  rsp,
  xmm,
  ymm,
  zmm,
} from './operands.ts';

function bytesOf(write: (a: Assembler) => void): string {
  const a = new Assembler();
  write(a);
  return [...a.finish().code].map((b) => b.toString(16).padStart(2, '0')).join(' ');
}

describe('golden bytes', () => {
  const golden: [string, string, (a: Assembler) => void][] = [
    ['vaddps ymm0, ymm1, ymm2', 'c5 f4 58 c2', (a) => a.emit('vaddps', ymm[0], ymm[1], ymm[2])],
    [
      'vfmadd231ps ymm12, ymm3, [rax+rcx*4+0x10]',
      'c4 62 65 b8 64 88 10',
      (a) => a.emit('vfmadd231ps', ymm[12], ymm[3], ptr(rax, { index: rcx, scale: 4, disp: 16 })),
    ],
    ['vmovups [r13], ymm8', 'c4 41 7c 11 45 00', (a) => a.emit('vmovups', ptr(r13), ymm[8])],
    ['vbroadcastss ymm1, [r12]', 'c4 c2 7d 18 0c 24', (a) => a.emit('vbroadcastss', ymm[1], ptr(r12))],
    ['mov rax, [rsp+8]', '48 8b 44 24 08', (a) => a.emit('mov', rax, ptr(rsp, { disp: 8 }))],
    ['add rax, 0x1000', '48 81 c0 00 10 00 00', (a) => a.emit('add', rax, imm(4096))],
    ['vaddps zmm1, zmm2, zmm3', '62 f1 6c 48 58 cb', (a) => a.emit('vaddps', zmm[1], zmm[2], zmm[3])],
    [
      'vfmadd231ps zmm30, zmm17, [rax+0x80]: the displacement counts vectors',
      '62 62 75 40 b8 70 02',
      (a) => a.emit('vfmadd231ps', zmm[30], zmm[17], ptr(rax, { disp: 128 })),
    ],
    ['vmovups zmm1{k3}{z}, [rcx]', '62 f1 7c cb 10 09', (a) => a.emit('vmovups', masked(zmm[1], k[3], true), ptr(rcx))],
    ['vzeroupper', 'c5 f8 77', (a) => a.emit('vzeroupper')],
    [
      'L: dec rax; jne L',
      '48 ff c8 75 fb',
      (a) => {
        const top = a.label();
        a.bind(top);
        a.emit('dec', rax);
        a.emit('jne', top);
      },
    ],
  ];
  it.each(golden)('%s', (_, expected, write) => expect(bytesOf(write)).toBe(expected));

  it('puts shared constants behind the code, aligned, reached by rip', () => {
    const a = new Assembler();
    const ones = new Uint8Array(32).fill(1);
    const label = a.constant(ones);
    expect(a.constant(ones.slice())).toBe(label);
    a.emit('vaddps', ymm[0], ymm[0], ripRelative(label));
    const { code } = a.finish();
    expect(code.length).toBe(64);
    expect(new DataView(code.buffer).getInt32(4, true)).toBe(32 - 8);
  });
});

/** Deterministic choice of operands: every register and address form comes up. */
function generator(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % n;
  };
}

/** A row as AVX-512 encodes it: registers above 15, 512 bits, masks. */
function evexShapes(
  row: VexRow,
  round: number,
  next: (n: number) => number,
  memory: (bits?: 32 | 64) => Memory,
): Operand[][] {
  const { evex } = row;
  if (!evex) return [];
  const kinds = evex.operands.split(' ');
  const memoryAt = row.form.indexOf('m');
  const useMemory =
    round % 3 !== 0 && kinds[memoryAt] !== 'k' && row.form !== 'vmi' && kinds[0] !== 'h' && !kinds.includes('k');
  const list = kinds.map((kind, i): Operand => {
    if (i === memoryAt && (useMemory || kind === 'm')) return memory();
    if (kind === 'i') return imm(kinds[0] === 'k' ? 32 + next(90) : next(4));
    if (kind === 'd') return gpr32[next(16)];
    if (kind === 'k') return k[1 + next(7)];
    if (kind === 'x') return xmm[16 + next(16)];
    return kind === 'y' || kind === 'h' ? ymm[16 + next(16)] : zmm[next(32)];
  });
  if (!list.some((o) => o.kind === 'reg' && (o.bits === 512 || (o.cls === 'vec' && o.id >= 16)))) return [];
  const cases = [list];
  const [first] = list;
  const takesMask = first.kind === 'reg' && first.cls === 'vec' && row.length !== 128 && first.bits === 512;
  if (takesMask) cases.push([masked(first, k[1 + next(7)], next(2) === 0), ...list.slice(1)]);
  if (row.store && first.kind === 'reg') {
    cases.push([memory(), first]);
    if (takesMask) cases.push([masked(memory(), k[1 + next(7)]), first]);
  }
  return cases;
}

function shapes(mnemonic: Mnemonic, row: Encoding, next: (n: number) => number): Operand[][] {
  const memory = (bits?: 32 | 64) => {
    const base = gpr64[next(16)];
    const index = next(2) === 0 ? undefined : gpr64[[0, 1, 2, 3, 5, 6, 7, 8, 9, 12, 13, 15][next(12)]];
    const disp = [0, 8, -128, 127, 128, -4096, 0x123456][next(7)];
    return ptr(base, { index, scale: ([1, 2, 4, 8] as const)[next(4)], disp, bits });
  };
  const cases: Operand[][] = [];
  for (let round = 0; round < 24; round++) {
    const wide = round % 2 === 0;
    if (row.enc === 'vex' && row.evex) cases.push(...evexShapes(row, round, next, memory));
    if (row.enc === 'vex') {
      if (row.onlyEvex) continue;
      // From memory, nothing would tell how wide a narrowing conversion reads: it is only used on registers.
      const useMemory = round % 3 !== 0 && !/^[kh]/.test(row.operands);
      const kinds = row.operands === '' ? [] : row.operands.split(' ');
      const memoryAt = row.form === 'none' ? -1 : row.form.indexOf('m');
      const list = kinds.map((kind, i): Operand => {
        if (i === memoryAt && row.form !== 'vmi' && (useMemory || kind === 'm')) return memory();
        if (kind === 'i') return imm(mnemonic.startsWith('vcmpp') ? 32 + next(100) : next(row.form === 'vmi' ? 32 : 8));
        if (kind === 'd') return gpr32[next(16)];
        if (kind === 'k') return k[next(8)];
        if (kind === 'x' || kind === 'h' || (kind === 'v' && !wide)) return xmm[next(16)];
        return ymm[next(16)];
      });
      cases.push(list);
      if (row.store) {
        const stored = row.store.form === 'mvr' ? [memory(), list[1], list[0]] : [memory(), list[0]];
        cases.push(stored);
      }
      continue;
    }
    const bank = wide ? gpr64 : gpr32;
    const bits = wide ? 64 : 32;
    const r = () => bank[next(16)];
    const number = imm([1, -1, 127, 128, -129, 0x12345678][next(6)]);
    switch (row.shape) {
      case 'alu':
        cases.push([r(), r()], [r(), memory()], [memory(), r()], [r(), number], [memory(bits), number]);
        break;
      case 'mov':
        cases.push([r(), r()], [r(), memory()], [memory(), r()], [memory(bits), imm(7)], [gpr32[next(16)], imm(99)]);
        cases.push([gpr64[next(16)], imm(-5)], [gpr64[next(16)], imm(2 ** 40 + 12345)]);
        break;
      case 'lea':
        cases.push([gpr64[next(16)], memory()]);
        break;
      case 'imul':
        cases.push([r(), r()], [r(), memory()], [r(), r(), number], [r(), memory(), number]);
        break;
      case 'shift':
        cases.push([r(), imm(1 + next(20) + 1)], [memory(bits), imm(3)]);
        break;
      case 'unary':
        cases.push([r()], [memory(bits)]);
        break;
      case 'rm':
        if (mnemonic === 'movsxd') cases.push([gpr64[next(16)], gpr32[next(16)]]);
        else cases.push([r(), r()], [r(), memory()]);
        break;
      case 'stack':
        cases.push([gpr64[next(16)]]);
        break;
      case 'call':
        cases.push([gpr64[next(16)]], [memory()]);
        break;
      case 'locked':
        cases.push([memory(), r()]);
        break;
      case 'test':
        cases.push([r(), r()], [memory(), r()]);
        break;
      case 'bytes':
        if (round === 0) cases.push([]);
        break;
      case 'jump':
        break;
    }
  }
  return cases;
}

/** objdump's text without the size of memory operands, spaces, and its several names for one thing. */
function normal(text: string): string {
  return text
    .replace(/\b(ZMMWORD|YMMWORD|XMMWORD|QWORD|DWORD|WORD|BYTE) PTR /g, '')
    .replace(/\s+/g, '')
    .replace(/^movabs/, 'mov')
    .replace(/\*1\b/g, '')
    .replace(/^lockxadd/, 'xadd')
    .replace(/^lockadd/, 'lockadd')
    .replace(/^lockcmpxchg/, 'cmpxchg')
    .replace(/0x([0-9a-f]+)/g, (_, hex: string) => `0x${BigInt.asUintN(64, BigInt(`0x${hex}`)).toString(16)}`)
    .replace(/,-0x([0-9a-f]+)$/, (_, hex: string) => `,0x${BigInt.asUintN(64, -BigInt(`0x${hex}`)).toString(16)}`)
    .replace(/,0xffffffff([0-9a-f]{8})$/, ',0x$1')
    .replace(/\+0x0\]/, ']');
}

const objdump = spawnSync('objdump', ['--version']).status === 0;

// Skipped where binutils is not installed: there is nothing independent to compare with.
describe.skipIf(!objdump)('against objdump', () => {
  it('disassembles every row of the table to what was asked for', () => {
    const next = generator(20261);
    const a = new Assembler();
    const expected: string[] = [];
    for (const [name, row] of Object.entries(encodings)) {
      const mnemonic = name as Mnemonic;
      for (const operands of shapes(mnemonic, row, next)) {
        a.emit(mnemonic, ...operands);
        expected.push(normal(`${name} ${operands.map(printOperand).join(',')}`));
      }
    }
    const folder = mkdtempSync(join(tmpdir(), 'tensorloom-asm-'));
    try {
      const file = join(folder, 'code.bin');
      writeFileSync(file, a.finish().code);
      const text = execFileSync(
        'objdump',
        ['-D', '-b', 'binary', '-m', 'i386:x86-64', '-M', 'intel', '--no-show-raw-insn', file],
        { encoding: 'utf8', maxBuffer: 1 << 26 },
      );
      const lines = text.split('\n').filter((line) => /^\s*[0-9a-f]+:/.test(line));
      const actual = lines.map((line) => normal(line.replace(/^\s*[0-9a-f]+:\s*/, '').replace(/\s*#.*$/, '')));
      for (let i = 0; i < expected.length; i++) expect(actual[i], `line ${i}`).toBe(expected[i]);
      expect(actual.length).toBe(expected.length);
      expect(expected.length).toBeGreaterThan(1500);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
