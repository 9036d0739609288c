/**
 * Unrolls innermost loops of few instructions and known trips: several iterations follow each other in exactly the order
 * they had, and pay for loop control and pointers once. Kernel IR in, kernel IR out; knows no machine.
 */
import type { Affine, Instr, Kernel, Loop, Node, Reg, Region, Term } from '../../kernel/ir.ts';

/** Most instructions of a loop that is unrolled, and of the unrolled body. */
const SMALL = 24;
const LARGE = 48;
const MOST_COPIES = 4;

export function unroll(kernel: Kernel): Kernel {
  const fresh = { next: 1 + highestRegister(kernel) };
  const regions = kernel.regions.map((region): Region => ({ ...region, body: unrollBlock(region.body, fresh) }));
  return { ...kernel, regions };
}

interface Fresh {
  next: Reg;
}

function highestRegister(kernel: Kernel): Reg {
  let highest = 0;
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      if (node.op === 'loop') visit(node.body);
      else if ('out' in node) highest = Math.max(highest, node.out);
    }
  };
  for (const region of kernel.regions) visit(region.body);
  return highest;
}

function unrollBlock(nodes: readonly Node[], fresh: Fresh): readonly Node[] {
  const out: Node[] = [];
  for (const node of nodes) {
    if (node.op !== 'loop') out.push(node);
    else if (node.body.every((n): n is Instr => n.op !== 'loop')) out.push(...unrollInnermost(node, node.body, fresh));
    else out.push({ ...node, body: unrollBlock(node.body, fresh) });
  }
  return out;
}

function unrollInnermost(loop: Loop, body: readonly Instr[], fresh: Fresh): Node[] {
  const lo = single(loop.lo);
  const hi = single(loop.hi);
  const size = body.reduce((n, i) => n + (i.op === 'const' ? 0 : 1), 0);
  if (lo === null || hi === null || loop.until !== undefined || size === 0 || size > SMALL) return [loop];
  const trips = Math.ceil((hi - lo) / loop.step);
  const copies = Math.min(MOST_COPIES, Math.floor(LARGE / size), trips);
  if (copies < 2) return [loop];
  const rounds = Math.floor(trips / copies);
  const end = lo + rounds * copies * loop.step;
  const unrolled: Node[] = [];
  for (let c = 0; c < copies; c++) {
    const by = c * loop.step;
    unrolled.push(...copyBody(body, (a) => moved(a, loop, by), fresh));
  }
  const out: Node[] = [{ ...loop, hi: [{ offset: end, terms: [] }], step: copies * loop.step, body: unrolled }];
  // What is left over, one after the other.
  for (let v = end; v < hi; v += loop.step) out.push(...copyBody(body, (a) => fixed(a, loop, v), fresh));
  return out;
}

function single(bounds: readonly Affine[]): number | null {
  return bounds.length === 1 && bounds[0].terms.length === 0 ? bounds[0].offset : null;
}

function termOf(a: Affine, loop: Loop): Term | undefined {
  return a.terms.find((t) => t.v.id === loop.v.id);
}

/** v + by instead of v. */
function moved(a: Affine, loop: Loop, by: number): Affine {
  const term = termOf(a, loop);
  return term && by !== 0 ? { offset: a.offset + term.coef * by, terms: a.terms } : a;
}

/** The number v instead of the variable. */
function fixed(a: Affine, loop: Loop, v: number): Affine {
  const term = termOf(a, loop);
  return term ? { offset: a.offset + term.coef * v, terms: a.terms.filter((t) => t !== term) } : a;
}

/** The same instructions with registers of their own; those that come from outside the loop stay. */
function copyBody(body: readonly Instr[], address: (a: Affine) => Affine, fresh: Fresh): Instr[] {
  const names = new Map<Reg, Reg>();
  const use = (reg: Reg): Reg => names.get(reg) ?? reg;
  return body.map((i) => {
    const copy = copyInstr(i, use, address);
    if (!('out' in copy)) return copy;
    const out = fresh.next++;
    names.set(copy.out, out);
    return { ...copy, out };
  });
}

function copyInstr(i: Instr, use: (reg: Reg) => Reg, address: (a: Affine) => Affine): Instr {
  switch (i.op) {
    case 'const':
      return i;
    case 'index':
      return { ...i, at: address(i.at) };
    case 'load':
      return { ...i, at: address(i.at), ...(i.dyn && { dyn: { ...i.dyn, index: use(i.dyn.index) } }) };
    case 'store': {
      const dyn = i.dyn && { dyn: { ...i.dyn, index: use(i.dyn.index) } };
      return { ...i, at: address(i.at), value: use(i.value), ...dyn };
    }
    case 'unary':
    case 'convert':
    case 'reduce':
      return { ...i, a: use(i.a) };
    case 'binary':
    case 'compare':
    case 'exchange':
      return { ...i, a: use(i.a), b: use(i.b) };
    case 'select':
      return { ...i, mask: use(i.mask), a: use(i.a), b: use(i.b) };
    case 'fma':
      return { ...i, a: use(i.a), b: use(i.b), c: use(i.c) };
    case 'acc':
      return { ...i, init: use(i.init) };
    case 'set':
      return { ...i, acc: use(i.acc), value: use(i.value) };
    case 'fmaAcc':
      return { ...i, acc: use(i.acc), a: use(i.a), b: use(i.b) };
    case 'guard':
      return { ...i, index: use(i.index) };
  }
}
