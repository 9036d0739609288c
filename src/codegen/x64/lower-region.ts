/** From one region of a kernel to the linear list: walks the loop nest, keeps the loops' control, hands values to selection. */
import type { Affine, Instr, Kernel, Loop, Node, Reg, Region } from '../../kernel/ir.ts';
import * as arithmetic from './arithmetic.ts';
import { compare, select } from './comparisons.ts';
import { convert } from './conversions.ts';
import type { Assembler } from './assembler.ts';
import { collectFacts, operandsOf } from './facts.ts';
import * as lanes from './lanes.ts';
import { Lir } from './lir.ts';
import { emitLoad, emitStore } from './memory-access.ts';
import type { Register } from './operands.ts';
import { imm, rdi, rdx, resized, rsi } from './operands.ts';
import { Pointers } from './pointers.ts';
import { Values, type Width } from './values.ts';

/** Where an entry's arguments arrive: System V. Another convention needs another line here, or an adapter in the driver. */
export const entryArguments = { args: rdi, chunk: rsi, errors: rdx } as const;

/** `streams`: stores that go past the caches; their buffers lie at multiples of 64. */
export function lowerRegion(
  assembler: Assembler,
  kernel: Kernel,
  width: Width,
  region: Region,
  streams: ReadonlySet<Instr> = new Set(),
): Lir {
  const lir = new Lir(assembler, width.bits === 512 ? 16 : 8);
  const [args, chunk, errors] = [lir.gpr(), lir.gpr(), lir.gpr()];
  lir.items.push({
    kind: 'entry',
    args: [
      { virtual: args, fixed: entryArguments.args },
      { virtual: chunk, fixed: entryArguments.chunk },
      { virtual: errors, fixed: entryArguments.errors },
    ],
  });
  const facts = collectFacts(region, kernel.params);
  const pointers = new Pointers(lir, kernel.params, args, { v: region.v, register: chunk });
  const values = new Values(lir, kernel, width, facts, pointers, errors);
  values.emitLoad = (load, into) => emitLoad(values, load, into);
  values.streams = streams;
  new Walk(lir, values, pointers).top(region.body);
  // Whoever hears that the chunk is done must see what it wrote.
  if (streams.size > 0) lir.op('sfence');
  values.masks.atEntry();
  return lir;
}

class Walk {
  readonly #lir: Lir;
  readonly #values: Values;
  readonly #pointers: Pointers;
  readonly #loopFacts = new Map<Loop, { readonly uses: ReadonlySet<Reg>; readonly stores: boolean }>();

  constructor(lir: Lir, values: Values, pointers: Pointers) {
    this.#lir = lir;
    this.#values = values;
    this.#pointers = pointers;
  }

  top(body: readonly Node[]): void {
    this.#block(body, (node) => this.#pointers.enterTop(node));
  }

  #block(nodes: readonly Node[], before?: (node: Node) => void): void {
    const outer = this.#values.block;
    for (const node of nodes) {
      this.#values.block = nodes;
      before?.(node);
      if (node.op === 'loop') this.#loop(node);
      else this.#instr(node);
    }
    this.#values.endBlock(nodes);
    this.#values.block = outer;
  }

  #instr(i: Instr): void {
    const values = this.#values;
    switch (i.op) {
      case 'const':
        values.defineConstant(i);
        return;
      case 'index':
        lanes.index(values, i);
        return;
      case 'load':
        // Where an accumulator of this block may be the index's register, the address must be taken now.
        values.defer(i);
        return;
      case 'store':
        // What waits may lie where this store goes: buffers can share memory.
        values.register(i.value);
        values.flush();
        emitStore(values, i);
        return;
      case 'unary':
        arithmetic.unary(values, i);
        return;
      case 'binary':
        arithmetic.binary(values, i);
        return;
      case 'compare':
        compare(values, i);
        return;
      case 'select':
        select(values, i);
        return;
      case 'fma':
        arithmetic.fma(values, i);
        return;
      case 'convert':
        convert(values, i);
        return;
      case 'reduce':
        lanes.reduce(values, i);
        return;
      case 'exchange':
        lanes.exchange(values, i);
        return;
      case 'guard':
        lanes.guard(values, i);
        return;
      case 'acc':
        this.#declare(i);
        return;
      case 'set':
        // Where the value was computed in place there is nothing left to do.
        if (values.facts.target(i.value) !== i.acc || values.isDeferred(i.value)) {
          values.into(i.value, values.accumulator(i.acc));
        }
        return;
      case 'fmaAcc':
        arithmetic.fmaAcc(values, i);
        return;
    }
  }

  #declare(i: Extract<Instr, { op: 'acc' }>): void {
    const values = this.#values;
    const taken = values.facts.target(i.out) === undefined && !values.isDeferred(i.init) && values.dying(i.init, i);
    if (taken) values.define(i.out, taken);
    else values.into(i.init, values.destination(i.out));
  }

  // ---- loops -------------------------------------------------------------------------------------------------------

  #loop(loop: Loop): void {
    const { uses, stores } = this.#factsOf(loop);
    if (stores) this.#values.flush();
    else this.#values.flush(uses);
    const lo = constantBound(loop.lo, Math.max);
    const hi = loop.until === undefined ? constantBound(loop.hi, Math.min) : null;
    if (lo !== null && hi !== null) this.#counted(loop, lo, Math.ceil((hi - lo) / loop.step));
    else this.#bounded(loop, lo, hi);
  }

  /** A loop whose trips are known. */
  #counted(loop: Loop, lo: number, trips: number): void {
    if (trips <= 0) return;
    const lir = this.#lir;
    const v = this.#values.facts.readsVariable(loop) ? lir.gpr() : null;
    if (v) lir.op('mov', v, imm(lo));
    const pointers = this.#pointers.enterLoop(loop, lo, v);
    if (trips === 1) {
      this.#block(loop.body);
      pointers.leave();
      return;
    }
    const count = v ?? lir.gpr();
    if (!v) lir.op('mov', count, imm(trips));
    const head = lir.assembler.label();
    this.#values.masks.forget();
    lir.loop(head, isInnermost(loop));
    this.#block(loop.body);
    pointers.advance();
    if (v) {
      lir.op('add', v, imm(loop.step));
      lir.op('cmp', v, imm(lo + trips * loop.step));
    } else {
      lir.op('dec', count);
    }
    lir.op('jne', head);
    lir.end();
    this.#values.masks.forget();
    pointers.leave();
  }

  /** A loop with a bound that is computed; it may run zero times. */
  #bounded(loop: Loop, lo: number | null, hi: number | null): void {
    const lir = this.#lir;
    const from = lo ?? this.#tightest(loop.lo, 'cmovl');
    const to = hi ?? this.#end(loop);
    const fromOperand = typeof from === 'number' ? imm(from) : from;
    const exit = lir.assembler.label();
    const head = lir.assembler.label();
    const counter = lir.gpr();
    const counts = this.#values.facts.readsVariable(loop);
    const toOperand = typeof to === 'number' ? imm(to) : to;
    if (counts) {
      lir.op('mov', counter, fromOperand);
      lir.op('cmp', counter, toOperand);
      lir.op('jge', exit);
    } else {
      lir.op('mov', counter, toOperand);
      lir.op('sub', counter, fromOperand);
      lir.op('cmp', counter, imm(0));
      lir.op('jle', exit);
    }
    const pointers = this.#pointers.enterLoop(loop, from, counts ? counter : null);
    this.#values.masks.forget();
    lir.loop(head, isInnermost(loop));
    this.#block(loop.body);
    pointers.advance();
    if (counts) {
      lir.op('add', counter, imm(loop.step));
      lir.op('cmp', counter, toOperand);
      lir.op('jl', head);
    } else {
      lir.op('sub', counter, imm(loop.step));
      lir.op('jg', head);
    }
    lir.end();
    this.#values.masks.forget();
    lir.label(exit);
    pointers.leave();
  }

  /** The least of a loop's upper bounds. */
  #end(loop: Loop): Register {
    const best = this.#tightest(loop.hi, 'cmovg');
    if (loop.until === undefined) return best;
    const until = this.#lir.gpr();
    const low = resized(until, 32);
    this.#lir.op('vmovd', low, resized(this.#values.register(loop.until), 128));
    this.#lir.op('movsxd', until, low);
    this.#lir.op('cmp', best, until);
    this.#lir.op('cmovg', best, until);
    return best;
  }

  /** The greatest (cmovl) or least (cmovg) of several bounds. */
  #tightest(bounds: readonly Affine[], keep: 'cmovl' | 'cmovg'): Register {
    const [first, ...others] = bounds;
    const best = this.#pointers.value(first);
    for (const other of others) {
      const candidate = this.#pointers.value(other);
      this.#lir.op('cmp', best, candidate);
      this.#lir.op(keep, best, candidate);
    }
    return best;
  }

  #factsOf(loop: Loop): { readonly uses: ReadonlySet<Reg>; readonly stores: boolean } {
    let known = this.#loopFacts.get(loop);
    if (!known) {
      const uses = new Set<Reg>();
      let stores = false;
      const visit = (nodes: readonly Node[]): void => {
        for (const node of nodes) {
          if (node.op === 'loop') {
            if (node.until !== undefined) uses.add(node.until);
            visit(node.body);
            continue;
          }
          stores ||= node.op === 'store';
          for (const reg of operandsOf(node)) uses.add(reg);
        }
      };
      visit(loop.body);
      known = { uses, stores };
      this.#loopFacts.set(loop, known);
    }
    return known;
  }
}

function isInnermost(loop: Loop): boolean {
  return loop.body.every((node) => node.op !== 'loop');
}

function constantBound(bounds: readonly Affine[], tightest: (...values: number[]) => number): number | null {
  if (bounds.some((b) => b.terms.length > 0)) return null;
  return tightest(...bounds.map((b) => b.offset));
}
