/**
 * A kernel's structure as a string, for caches of generated code: equal if and only if two kernels differ in nothing but names,
 * register numbers, loop variable ids and the work they report. It is the whole structure and no hash: code has no bounds
 * checks, so two kernels must never be taken for one another. It says nothing about whether a kernel is right.
 */
import type { Affine, Instr, Kernel, Loop, Node, Reg, Term } from './ir.ts';

/** Each word that a kernel can contain; its place here is what stands for it in a key. */
const words = [
  ...['const', 'index', 'load', 'store', 'unary', 'binary', 'compare', 'select', 'fma', 'convert', 'reduce', 'acc'],
  ...['set', 'fmaAcc', 'guard', 'loop', 'end', 'f32', 'i32', 'mask', 'u8', 'read', 'write', 'readwrite'],
  ...['neg', 'abs', 'not', 'floor', 'ceil', 'round', 'sqrt', 'exp', 'log', 'sin', 'cos', 'tanh', 'erf'],
  ...['add', 'sub', 'mul', 'div', 'mod', 'min', 'max', 'pow', 'and', 'or', 'xor', 'shl', 'shr', 'sar'],
  ...['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'exchange'],
  ...['i8', 'u16', 'f16', 'bf16', 'toF16', 'toBf16'],
  ...['f32ToI32', 'i32ToF32', 'maskToI32', 'i32ToMask', 'bitsToF32', 'bitsToI32'],
  ...['f64', 'i64', 'f32ToF64', 'f64ToF32', 'i32ToF64', 'f64ToI32', 'i64ToF64', 'f64ToI64', 'i32ToI64', 'i64ToI32'],
  ...['bitsToF64', 'bitsToI64'],
] as const;
type Word = (typeof words)[number];
const codes = Object.fromEntries(words.map((word, i) => [word, i])) as { readonly [W in Word]: number };

export function kernelKey(kernel: Kernel): string {
  const key = new KeyWriter();
  key.number(kernel.lanes);
  key.number(kernel.params.length);
  for (const param of kernel.params) {
    key.word(param.elem);
    key.word(param.access);
    key.number(param.size);
  }
  for (const region of kernel.regions) {
    key.defineVar(region.v.id);
    key.number(region.extent);
    writeBlock(key, region.body);
  }
  return key.finish();
}

function writeBlock(key: KeyWriter, nodes: readonly Node[]): void {
  for (const node of nodes) {
    key.word(node.op);
    if (node.op === 'loop') writeLoop(key, node);
    else writeInstr(key, node);
  }
  key.word('end');
}

function writeLoop(key: KeyWriter, loop: Loop): void {
  for (const bounds of [loop.lo, loop.hi]) {
    key.number(bounds.length);
    for (const bound of bounds) key.affine(bound);
  }
  key.number(loop.step);
  key.number(loop.until === undefined ? 0 : 1);
  if (loop.until !== undefined) key.use(loop.until);
  key.defineVar(loop.v.id);
  writeBlock(key, loop.body);
}

function writeInstr(key: KeyWriter, instr: Instr): void {
  switch (instr.op) {
    case 'const':
      key.word(instr.type);
      if (instr.type === 'i64') key.bigint(instr.value);
      else key.number(instr.value);
      break;
    case 'index':
      key.affine(instr.at);
      key.number(instr.laneStep);
      break;
    case 'load':
    case 'store':
      key.number(instr.buf);
      key.affine(instr.at);
      key.number(instr.stride);
      key.number(instr.lanes);
      key.number(instr.dyn ? 1 : 0);
      if (instr.dyn) {
        key.use(instr.dyn.index);
        key.number(instr.dyn.scale);
      }
      if (instr.op === 'store') key.use(instr.value);
      else key.word(instr.type);
      break;
    case 'unary':
    case 'convert':
      key.word(instr.fn);
      key.word(instr.type);
      key.use(instr.a);
      break;
    case 'binary':
      key.word(instr.fn);
      key.word(instr.type);
      key.use(instr.a);
      key.use(instr.b);
      break;
    case 'compare':
      key.word(instr.fn);
      key.word(instr.of);
      key.use(instr.a);
      key.use(instr.b);
      break;
    case 'select':
      key.word(instr.type);
      key.use(instr.mask);
      key.use(instr.a);
      key.use(instr.b);
      break;
    case 'fma':
      key.word(instr.type);
      key.use(instr.a);
      key.use(instr.b);
      key.use(instr.c);
      break;
    case 'reduce':
      key.word(instr.fn);
      key.word(instr.type);
      key.use(instr.a);
      key.number(instr.lanes);
      break;
    case 'exchange':
      key.word(instr.type);
      key.use(instr.a);
      key.use(instr.b);
      key.number(instr.size);
      key.number(instr.odd ? 1 : 0);
      break;
    case 'acc':
      key.word(instr.type);
      key.use(instr.init);
      break;
    case 'set':
      key.use(instr.acc);
      key.use(instr.value);
      break;
    case 'fmaAcc':
      key.use(instr.acc);
      key.use(instr.a);
      key.use(instr.b);
      break;
    case 'guard':
      key.use(instr.index);
      key.number(instr.bound);
      key.number(instr.site);
      break;
  }
  if ('out' in instr) key.define(instr.out);
}

/** Numbers as 16-bit units: small integers in one, all others as a mark and the four of their double. */
class KeyWriter {
  #units = new Uint16Array(1024);
  #length = 0;
  /** By register or variable: its place in the order of definition. */
  readonly #registers: number[] = [];
  #registerCount = 0;
  readonly #vars: number[] = [];
  #varCount = 0;
  readonly #double = new Float64Array(1);
  readonly #doubleUnits = new Uint16Array(this.#double.buffer);

  word(word: Word): void {
    this.#unit(codes[word]);
  }

  number(value: number): void {
    if (Number.isInteger(value) && value >= -0x4000 && value < 0x4000 && !Object.is(value, -0)) {
      this.#unit(value + 0x4000);
      return;
    }
    this.#double[0] = value;
    this.#unit(0xffff);
    for (const unit of this.#doubleUnits) this.#unit(unit);
  }

  bigint(value: bigint): void {
    for (let shift = 0n; shift < 64n; shift += 16n) this.#unit(Number((value >> shift) & 0xffffn));
  }

  /** Terms in the order in which their variables are declared, so that the order of writing does not count. */
  affine(at: Affine): void {
    this.number(at.offset);
    this.number(at.terms.length);
    const terms = at.terms.length > 1 ? at.terms.toSorted((a, b) => this.#place(a) - this.#place(b)) : at.terms;
    for (const term of terms) {
      this.number(this.#place(term));
      this.number(term.coef);
    }
  }

  define(reg: Reg): void {
    this.#registers[reg] = this.#registerCount++;
  }

  defineVar(id: number): void {
    this.#vars[id] = this.#varCount++;
  }

  use(reg: Reg): void {
    this.number(this.#registers[reg] ?? -1 - reg);
  }

  #place({ v }: Term): number {
    return this.#vars[v.id] ?? -1 - v.id;
  }

  finish(): string {
    let text = '';
    for (let at = 0; at < this.#length; at += 8192) {
      text += String.fromCharCode(...this.#units.subarray(at, Math.min(at + 8192, this.#length)));
    }
    return text;
  }

  #unit(unit: number): void {
    if (this.#length === this.#units.length) {
      const larger = new Uint16Array(this.#length * 2);
      larger.set(this.#units);
      this.#units = larger;
    }
    this.#units[this.#length++] = unit;
  }
}
