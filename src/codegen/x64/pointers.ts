/**
 * Addresses, strength-reduced. Accesses to one buffer whose affine terms agree share one pointer and differ in the
 * displacement only. A pointer belongs to the innermost loop that it depends on: it is derived from the pointer of the
 * loops outside at that loop's entry and moved on at the end of each iteration; no multiplication runs in an inner loop.
 * Knows loops and buffers, not what is computed.
 */
import { invariant } from '../../base/errors.ts';
import type { Affine, Loop, LoopVar, Node, Param, Term } from '../../kernel/ir.ts';
import { elemBytes } from '../../kernel/ir.ts';
import type { Lir } from './lir.ts';
import type { Memory, Register } from './operands.ts';
import { imm, ptr } from './operands.ts';

/** Displacements are cut here, so that what is left always fits 32 bits. */
const PAGE = 2 ** 30;

interface Pointer {
  readonly key: string;
  readonly buf: number;
  /** Outermost loop first. */
  readonly terms: readonly Term[];
  /** Bytes beyond what a displacement can hold. */
  readonly far: number;
  readonly register: Register;
}

interface Access {
  readonly buf: number;
  readonly terms: readonly Term[];
  readonly far: number;
}

export class Pointers {
  readonly #lir: Lir;
  readonly #params: readonly Param[];
  readonly #args: Register;
  /** Loop variables from the region's down, with the register that holds the value where there is one. */
  readonly #nest: { v: LoopVar; register: Register | null }[] = [];
  readonly #live = new Map<string, Pointer>();
  readonly #needs = new Map<Node, readonly Access[]>();

  constructor(lir: Lir, params: readonly Param[], args: Register, chunk: { v: LoopVar; register: Register }) {
    this.#lir = lir;
    this.#params = params;
    this.#args = args;
    this.#nest.push(chunk);
  }

  /** [pointer + displacement] of an element whose terms are already prepared. */
  memory(buf: number, at: Affine, extraBytes = 0): Memory {
    const bytes = elemBytes[this.#params[buf].elem];
    const { near, far } = split(at.offset * bytes + extraBytes);
    const pointer = this.#live.get(keyOf({ buf, terms: this.#ordered(at.terms), far }));
    invariant(pointer, `no pointer was prepared for ${this.#params[buf].name}`);
    return ptr(pointer.register, { disp: near });
  }

  /** Makes the pointers that depend on no loop but the region's, before `node` of the region's own block. */
  enterTop(node: Node): void {
    for (const need of this.#needsOf(node)) {
      if (this.#depth(need) === 0 && !this.#live.has(keyOf(need)) && this.#mustLive(need, node)) this.#derive(need);
    }
  }

  /** Makes the pointers of a loop that is about to start at `lo`. Returns what must run at the end of each iteration. */
  enterLoop(loop: Loop, lo: number | Register, register: Register | null): { advance(): void; leave(): void } {
    this.#nest.push({ v: loop.v, register });
    const depth = this.#nest.length - 1;
    const own = this.#needsOf(loop).filter((need) => this.#depth(need) === depth);
    const pointers = own.map((need) => this.#derive(need, lo));
    return {
      advance: () => {
        for (const p of pointers) {
          const coef = p.terms[p.terms.length - 1].coef;
          this.addImmediate(p.register, coef * loop.step * elemBytes[this.#params[p.buf].elem]);
        }
      },
      leave: () => {
        for (const p of pointers) this.#live.delete(p.key);
        this.#nest.pop();
      },
    };
  }

  /** The value of an affine form in a fresh register. */
  value(at: Affine): Register {
    const out = this.#lir.gpr();
    let first = true;
    for (const term of this.#ordered(at.terms)) {
      const v = this.#nest.find((n) => n.v.id === term.v.id)?.register;
      invariant(v, `loop variable ${term.v.name} is in no register`);
      if (first) {
        if (term.coef === 1) this.#lir.op('mov', out, v);
        else this.#scaled(out, v, term.coef);
        first = false;
      } else if (term.coef === 1) {
        this.#lir.op('add', out, v);
      } else {
        const product = this.#lir.gpr();
        this.#scaled(product, v, term.coef);
        this.#lir.op('add', out, product);
      }
    }
    if (first) this.#lir.op('mov', out, imm(at.offset));
    else this.addImmediate(out, at.offset);
    return out;
  }

  addImmediate(r: Register, value: number): void {
    if (value === 0) return;
    if (Math.abs(value) < 2 ** 31) {
      this.#lir.op('add', r, imm(value));
    } else {
      const wide = this.#lir.gpr();
      this.#lir.op('mov', wide, imm(value));
      this.#lir.op('add', r, wide);
    }
  }

  // ---- derivation --------------------------------------------------------------------------------------------------

  /** A pointer from the one of the outer loops, or from the argument table where there is none. */
  #derive(need: Access, lo: number | Register = 0): Pointer {
    const key = keyOf(need);
    const register = this.#lir.gpr();
    const pointer: Pointer = { key, ...need, register };
    let known = need.terms.length;
    let parent: Pointer | undefined;
    while (known > 0 && !parent) {
      known--;
      parent = this.#live.get(keyOf({ ...need, terms: need.terms.slice(0, known) }));
    }
    const bytes = elemBytes[this.#params[need.buf].elem];
    if (parent) this.#lir.op('mov', register, parent.register);
    else this.#lir.op('mov', register, ptr(this.#args, { disp: 8 * need.buf }));
    if (!parent) this.addImmediate(register, need.far);
    for (const term of need.terms.slice(known)) {
      const scale = term.coef * bytes;
      const own = term.v.id === this.#nest[this.#nest.length - 1].v.id && this.#nest.length > 1;
      if (own && typeof lo === 'number') {
        this.addImmediate(register, scale * lo);
        continue;
      }
      const v = own ? (lo as Register) : this.#nest.find((n) => n.v.id === term.v.id)?.register;
      invariant(v, `loop variable ${term.v.name} is in no register`);
      const product = this.#lir.gpr();
      this.#scaled(product, v, scale);
      this.#lir.op('add', register, product);
    }
    this.#live.set(key, pointer);
    return pointer;
  }

  #scaled(out: Register, v: Register, factor: number): void {
    if (Math.abs(factor) < 2 ** 31) {
      this.#lir.op('imul', out, v, imm(factor));
    } else {
      this.#lir.op('mov', out, imm(factor));
      this.#lir.op('imul', out, v);
    }
  }

  // ---- what is needed ----------------------------------------------------------------------------------------------

  /** Accesses inside a node, with the pointers they are derived from, outermost first. */
  #needsOf(node: Node): readonly Access[] {
    const known = this.#needs.get(node);
    if (known) return known;
    const found = new Map<string, Access>();
    this.#collect(
      node,
      found,
      this.#nest.map((n) => n.v.id),
    );
    const needs = [...found.values()].sort((a, b) => a.terms.length - b.terms.length);
    this.#needs.set(node, needs);
    return needs;
  }

  #collect(node: Node, found: Map<string, Access>, nest: readonly number[]): void {
    if (node.op === 'loop') {
      const inner = nest.includes(node.v.id) ? nest : [...nest, node.v.id];
      for (const child of node.body) this.#collect(child, found, inner);
      return;
    }
    if (node.op !== 'load' && node.op !== 'store') return;
    const bytes = elemBytes[this.#params[node.buf].elem];
    const terms = order(node.at.terms, nest);
    const last = node.lanes > 1 ? (node.lanes - 1) * node.stride * bytes : 0;
    const first = split(node.at.offset * bytes).far;
    for (const far of new Set([first, split(node.at.offset * bytes + last).far])) {
      for (let known = terms.length; known >= 0; known--) {
        const access = { buf: node.buf, terms: terms.slice(0, known), far };
        const key = keyOf(access);
        if (!found.has(key)) found.set(key, access);
        // What depends on the region's variable alone is derived in place, unless something deeper starts from it.
        const depth = nest.findIndex((id) => id === access.terms[access.terms.length - 1]?.v.id);
        if (depth <= 1) break;
      }
    }
  }

  /** A pointer of the region's block is kept where `node` uses it itself or a loop inside starts from it again and again. */
  #mustLive(need: Access, node: Node): boolean {
    return need.terms.length > 0 || node.op !== 'loop' || this.#usedDirectly(need, node);
  }

  #usedDirectly(need: Access, node: Node): boolean {
    if (node.op === 'loop') return node.body.some((child) => this.#usedDirectly(need, child));
    return (node.op === 'load' || node.op === 'store') && node.buf === need.buf && node.at.terms.length === 0;
  }

  #ordered(terms: readonly Term[]): readonly Term[] {
    return order(
      terms,
      this.#nest.map((n) => n.v.id),
    );
  }

  /** Place in the nest of the innermost loop that a pointer depends on: 0 is the region, infinity a loop not entered yet. */
  #depth(need: Access): number {
    const last = need.terms[need.terms.length - 1];
    if (last === undefined) return 0;
    const at = this.#nest.findIndex((n) => n.v.id === last.v.id);
    return at < 0 ? Number.POSITIVE_INFINITY : at;
  }
}

function order(terms: readonly Term[], nest: readonly number[]): readonly Term[] {
  if (terms.length < 2) return terms;
  return terms.slice().sort((a, b) => nest.indexOf(a.v.id) - nest.indexOf(b.v.id));
}

function split(bytes: number): { near: number; far: number } {
  const far = Math.floor((bytes + PAGE / 2) / PAGE) * PAGE;
  return { near: bytes - far, far };
}

function keyOf(access: Access): string {
  let key = `${access.buf}/${access.far}`;
  for (const t of access.terms) key += `/${t.v.id}*${t.coef}`;
  return key;
}
