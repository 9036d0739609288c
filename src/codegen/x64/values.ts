/**
 * Where the values of IR registers are while a region is lowered: in a virtual register, a constant that is not loaded yet,
 * or a load that waits for its first use (so that it can become a memory operand and occupies no register before). Knows
 * no arithmetic.
 */
import { invariant } from '../../base/errors.ts';
import type { Instr, Kernel, Node, Reg } from '../../kernel/ir.ts';
import { elemBytes, holdsWide } from '../../kernel/ir.ts';
import type { Facts } from './facts.ts';
import type { Lir } from './lir.ts';
import { doubleBits, floatBits, longBits } from './lir.ts';
import { Masks } from './masks.ts';
import type { Memory, Register } from './operands.ts';
import { imm, resized } from './operands.ts';
import type { Pointers } from './pointers.ts';

export type Load = Extract<Instr, { op: 'load' }>;

type Value =
  | { readonly kind: 'register'; readonly register: Register }
  /** A splat: the low and the high half of 64 bits, which are equal for lanes of 32. */
  | { readonly kind: 'constant'; readonly low: number; readonly high: number }
  | { readonly kind: 'load'; readonly load: Load; readonly block: readonly Node[] };

/** How wide the lanes of a kernel are, and the vectors that it is written with. */
export interface Width {
  readonly laneBits: 32 | 64;
  readonly bits: 128 | 256 | 512;
}

export function widthOf(kernel: Kernel): Width {
  const laneBits = holdsWide(kernel) ? 64 : 32;
  const bits = kernel.lanes * laneBits;
  invariant(bits <= 512, `${kernel.name} has ${kernel.lanes} lanes, more than a vector can hold`);
  return { laneBits, bits: bits > 256 ? 512 : bits > 128 ? 256 : 128 };
}

export class Values {
  readonly lir: Lir;
  readonly kernel: Kernel;
  readonly facts: Facts;
  readonly pointers: Pointers;
  /** Width of every vector register of this kernel. */
  readonly bits: 128 | 256 | 512;
  /** Whether this kernel is written in AVX-512: 512 bits, 32 registers, masks. */
  readonly wide: boolean;
  /**
   * 64 where some register of the kernel has lanes of 64 bits: masks have them too then, and registers of 32-bit lanes use their
   * lower half.
   */
  readonly laneBits: 32 | 64;
  readonly masks: Masks;
  /** The error record's address. */
  readonly errors: Register;
  /** The block that is being lowered. */
  block: readonly Node[] = [];
  /** Set by the lowering of memory accesses: writes a load into a register. */
  emitLoad: (load: Load, into: Register) => void = () => invariant(false, 'no load emitter');
  /** Stores that go past the caches. */
  streams: ReadonlySet<Instr> = new Set();
  readonly #values = new Map<Reg, Value>();
  /** General registers with lane 0 of a guarded index, by IR register and byte scale (1: unscaled). */
  readonly #indices = new Map<string, Register>();
  #pending: Reg[] = [];

  constructor(lir: Lir, kernel: Kernel, width: Width, facts: Facts, pointers: Pointers, errors: Register) {
    this.lir = lir;
    this.kernel = kernel;
    this.facts = facts;
    this.pointers = pointers;
    this.errors = errors;
    this.bits = width.bits;
    this.wide = this.bits === 512;
    this.laneBits = width.laneBits;
    this.masks = new Masks(lir, this.laneBits);
  }

  vec(bits: 128 | 256 | 512 = this.bits): Register {
    return this.lir.virtual('vec', bits);
  }

  define(reg: Reg, register: Register): void {
    this.#values.set(reg, { kind: 'register', register });
  }

  /** The lower half of a vector register: where 32-bit lanes are in a kernel of 64-bit ones. */
  half(r: Register): Register {
    return resized(r, this.bits === 512 ? 256 : 128);
  }

  defineConstant(i: Extract<Instr, { op: 'const' }>): void {
    let words: [number, number];
    if (i.type === 'i64') words = longBits(i.value);
    else if (i.type === 'f64') words = doubleBits(i.value);
    else {
      const bits = i.type === 'f32' ? floatBits(i.value) : i.value | 0;
      words = [bits, bits];
    }
    this.#values.set(i.out, { kind: 'constant', low: words[0], high: words[1] });
  }

  defer(load: Load): void {
    this.#values.set(load.out, { kind: 'load', load, block: this.block });
    this.#pending.push(load.out);
  }

  /** The register that an instruction computes `out` into: its accumulator's where a set hands it on, else a new one. */
  destination(out: Reg): Register {
    const target = this.facts.target(out);
    const register = target === undefined ? this.vec() : this.accumulator(target);
    this.define(out, register);
    return register;
  }

  accumulator(acc: Reg): Register {
    const value = this.#values.get(acc);
    invariant(value?.kind === 'register', `accumulator r${acc} is not declared`);
    return value.register;
  }

  /** A register that holds the value; it must not be changed. */
  register(reg: Reg): Register {
    const value = this.#get(reg);
    if (value.kind === 'register') return value.register;
    const into = this.vec();
    // A constant is loaded again at each use: it would otherwise occupy a register over the whole kernel.
    if (value.kind === 'constant') {
      this.#constantInto(value, into);
    } else {
      this.#consume(reg);
      this.emitLoad(value.load, into);
      this.define(reg, into);
    }
    return into;
  }

  /** Writes the value into a register. */
  into(reg: Reg, to: Register): void {
    const value = this.#get(reg);
    if (value.kind === 'constant') {
      this.#constantInto(value, to);
    } else if (value.kind === 'load' && this.facts.useCount(reg) === 1) {
      this.#consume(reg);
      this.emitLoad(value.load, to);
    } else {
      this.lir.op('vmovups', to, this.register(reg));
    }
  }

  #constantInto({ low, high }: { readonly low: number; readonly high: number }, to: Register): void {
    const both = low === high ? low : null;
    if (both === 0) this.lir.op('vxorps', to, to, to);
    else if (both === -1 && this.wide) this.lir.op('vpternlogd', to, to, to, imm(255));
    else if (both === -1) this.lir.op('vpcmpeqd', to, to, to);
    else this.lir.op('vmovups', to, this.lir.splat(low, high));
  }

  /** A register, or memory where an instruction's last source may be memory. */
  operand(reg: Reg): Register | Memory {
    const value = this.#get(reg);
    if (value.kind === 'constant') return this.lir.splat(value.low, value.high);
    if (value.kind === 'load' && this.#foldable(value.load)) {
      this.#consume(reg);
      return this.pointers.memory(value.load.buf, value.load.at);
    }
    return this.register(reg);
  }

  /** Whether operand would be memory: such a value should be the last source. */
  inMemory(reg: Reg): boolean {
    const value = this.#get(reg);
    return value.kind === 'constant' || (value.kind === 'load' && this.#foldable(value.load));
  }

  isConstant(reg: Reg): boolean {
    return this.#get(reg).kind === 'constant';
  }

  /** Whether it is the constant of which no bit is set. */
  isZero(reg: Reg): boolean {
    const value = this.#get(reg);
    return value.kind === 'constant' && value.low === 0 && value.high === 0;
  }

  shiftCount(reg: Reg): number {
    const value = this.#get(reg);
    invariant(value.kind === 'constant', 'a shift needs a constant count');
    return value.low;
  }

  /** The register of a value that nobody reads after this instruction, which may therefore be overwritten. */
  dying(reg: Reg, at: Instr): Register | null {
    const value = this.#get(reg);
    if (value.kind !== 'register' || !this.facts.dies(reg, at, this.block)) return null;
    return value.register;
  }

  /** Executes waiting loads before something that might change what they read; all of them, or those that `uses` names. */
  flush(uses?: ReadonlySet<Reg>): void {
    const left: Reg[] = [];
    for (const reg of this.#pending.slice()) {
      const value = this.#values.get(reg);
      if (value?.kind !== 'load' || this.facts.useCount(reg) === 0) continue;
      if (uses && !uses.has(reg)) left.push(reg);
      else this.register(reg);
    }
    this.#pending = left;
  }

  /** Forgets loads of a finished block that nobody asked for. */
  endBlock(block: readonly Node[]): void {
    this.#pending = this.#pending.filter((reg) => {
      const value = this.#values.get(reg);
      return value?.kind === 'load' && value.block !== block;
    });
  }

  defineIndex(reg: Reg, scale: number, register: Register): void {
    this.#indices.set(`${reg}*${scale}`, register);
  }

  index(reg: Reg, scale: number): Register {
    const register = this.#indices.get(`${reg}*${scale}`);
    invariant(register, `dynamic index r${reg} does not come from a guard`);
    return register;
  }

  isDeferred(reg: Reg): boolean {
    return this.#get(reg).kind !== 'register';
  }

  #consume(reg: Reg): void {
    this.#pending = this.#pending.filter((other) => other !== reg);
  }

  #get(reg: Reg): Value {
    const value = this.#values.get(reg);
    invariant(value, `r${reg} is used before it is defined`);
    return value;
  }

  #foldable(load: Load): boolean {
    const { lanes } = this.kernel;
    const bits = 8 * elemBytes[this.kernel.params[load.buf].elem];
    // The whole register, no less: an instruction reads all of its memory operand.
    return (
      bits === this.laneBits &&
      lanes * bits >= 128 &&
      load.lanes === lanes &&
      load.stride === 1 &&
      load.dyn === undefined &&
      this.facts.useCount(load.out) === 1
    );
  }
}
