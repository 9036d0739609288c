/**
 * Unrolls small innermost loops with constant bounds: engines check for interrupts and step every pointer once per iteration.
 * Copies differ only by constants in their addresses, which become offsets of the instructions. Kernel IR in, kernel IR out.
 */
import type { Affine, Instr, Loop, LoopVar, Node, Reg, Region } from '../../kernel/ir.ts';
import { constant, shift } from '../../kernel/ir.ts';

export interface UnrollOptions {
  /** Most copies of a body, and most instructions that an unrolled body may have. */
  readonly copies: number;
  readonly instructions: number;
}

/** Hands out registers and loop variables that the region does not have. */
interface Fresh {
  reg(): Reg;
  variable(like: LoopVar): LoopVar;
}

export function unrollRegion(region: Region, options: UnrollOptions): Region {
  const highest = { reg: -1, variable: region.v.id };
  findHighest(region.body, highest);
  const fresh: Fresh = {
    reg: () => ++highest.reg,
    variable: (like) => ({ id: ++highest.variable, name: like.name }),
  };
  return { ...region, body: region.body.flatMap((node) => unrollNode(node, options, fresh)) };
}

function unrollNode(node: Node, options: UnrollOptions, fresh: Fresh): Node[] {
  if (node.op !== 'loop') return [node];
  if (node.body.some((inner) => inner.op === 'loop'))
    return [{ ...node, body: node.body.flatMap((inner) => unrollNode(inner, options, fresh)) }];
  const trips = constantTrips(node);
  if (trips === null || trips < 2) return [node];
  const copies = chooseCopies(trips, node.body.length, options);
  if (copies < 2) return [node];
  const lo = node.lo[0].offset;
  const rest = trips % copies;
  const split = lo + (trips - rest) * node.step;
  const bodies: Node[] = [];
  for (let i = 0; i < copies; i++)
    bodies.push(...copyBody(node.body as Instr[], { from: node.v, to: node.v, by: i * node.step }, fresh));
  const main: Loop = { ...node, hi: [constant(split)], step: node.step * copies, body: bodies };
  if (rest === 0) return [main];
  const v = fresh.variable(node.v);
  const tail: Loop = {
    ...node,
    v,
    lo: [constant(split)],
    hi: [constant(lo + trips * node.step)],
    body: copyBody(node.body as Instr[], { from: node.v, to: v, by: 0 }, fresh),
  };
  return [main, tail];
}

function chooseCopies(trips: number, size: number, options: UnrollOptions): number {
  const most = Math.min(options.copies, trips, Math.floor(options.instructions / Math.max(1, size)));
  // A divisor of the trip count leaves no tail.
  for (let copies = most; copies > most / 2; copies--) if (trips % copies === 0) return copies;
  return most;
}

function constantTrips(loop: Loop): number | null {
  if ([...loop.lo, ...loop.hi].some((bound) => bound.terms.length > 0)) return null;
  if (loop.lo.length !== 1 || loop.hi.length !== 1) return null;
  return Math.max(0, Math.ceil((loop.hi[0].offset - loop.lo[0].offset) / loop.step));
}

function findHighest(nodes: readonly Node[], highest: { reg: Reg; variable: number }): void {
  for (const node of nodes) {
    if (node.op === 'loop') {
      highest.variable = Math.max(highest.variable, node.v.id);
      findHighest(node.body, highest);
    } else if ('out' in node) highest.reg = Math.max(highest.reg, node.out);
  }
}

/** `from` is replaced by `to + by`. */
interface Substitution {
  readonly from: LoopVar;
  readonly to: LoopVar;
  readonly by: number;
}

/** The instructions after a substitution, with registers of their own. Uses of registers from outside stay. */
function copyBody(body: readonly Instr[], { from, to, by }: Substitution, fresh: Fresh): Instr[] {
  const renamed = new Map<Reg, Reg>();
  const use = (reg: Reg): Reg => renamed.get(reg) ?? reg;
  const at = (affine: Affine): Affine => {
    const term = affine.terms.find((t) => t.v.id === from.id);
    if (!term) return affine;
    if (to.id === from.id) return shift(affine, term.coef * by);
    const terms = affine.terms.map((t) => (t === term ? { v: to, coef: t.coef } : t));
    return { offset: affine.offset + term.coef * by, terms };
  };
  return body.map((instr): Instr => {
    const copy = rename(instr, use, at);
    if (!('out' in copy)) return copy;
    const out = fresh.reg();
    renamed.set(copy.out, out);
    return { ...copy, out };
  });
}

function rename(instr: Instr, use: (reg: Reg) => Reg, at: (affine: Affine) => Affine): Instr {
  switch (instr.op) {
    case 'const':
      return instr;
    case 'index':
      return { ...instr, at: at(instr.at) };
    case 'load':
      return {
        ...instr,
        at: at(instr.at),
        ...(instr.dyn && { dyn: { ...instr.dyn, index: use(instr.dyn.index) } }),
      };
    case 'store':
      return {
        ...instr,
        at: at(instr.at),
        value: use(instr.value),
        ...(instr.dyn && { dyn: { ...instr.dyn, index: use(instr.dyn.index) } }),
      };
    case 'unary':
    case 'convert':
    case 'reduce':
      return { ...instr, a: use(instr.a) };
    case 'binary':
    case 'compare':
      return { ...instr, a: use(instr.a), b: use(instr.b) };
    case 'select':
      return { ...instr, mask: use(instr.mask), a: use(instr.a), b: use(instr.b) };
    case 'fma':
      return { ...instr, a: use(instr.a), b: use(instr.b), c: use(instr.c) };
    case 'acc':
      return { ...instr, init: use(instr.init) };
    case 'set':
      return { ...instr, acc: use(instr.acc), value: use(instr.value) };
    case 'fmaAcc':
      return { ...instr, acc: use(instr.acc), a: use(instr.a), b: use(instr.b) };
    case 'guard':
      return { ...instr, index: use(instr.index) };
  }
}
