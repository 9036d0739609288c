/**
 * Unrolls small innermost loops: engines check for interrupts and step every pointer once per iteration. Copies differ only by
 * constants in their addresses, which become offsets of the instructions. What is left over is a second loop that goes on where
 * the first one ended.
 */
import type { Affine, Instr, Loop, Node, Reg, Region } from '../../kernel/ir.ts';
import { shift } from '../../kernel/ir.ts';

const MOST_COPIES = 4;
const MOST_INSTRUCTIONS = 96;
/**
 * Registers that loads and accumulators of a body may fill. V8 moves all loads of a block to its front; those beyond its 15
 * registers (one is left for what is computed) go to the stack and back, which costs more than the loop does.
 */
const REGISTERS = 14;

/**
 * A loop that was cut in two. Both parts share the variable. The tail starts with the value that the main part left; its own
 * lower bound only says how often it runs where that is known.
 */
export interface LoopPart extends Loop {
  readonly part: 'main' | 'tail';
}

export function partOf(loop: Loop): LoopPart['part'] | null {
  return 'part' in loop ? (loop as LoopPart).part : null;
}

const asPart = (part: LoopPart): Loop => part;

export function unrollRegion(region: Region): Region {
  let highest = highestRegister(region.body);
  const fresh = (): Reg => ++highest;
  return { ...region, body: region.body.flatMap((node) => unrollNode(node, fresh)) };
}

/** How often a loop runs, or null where that depends on other loops. */
export function constantTrips(loop: Loop): number | null {
  return loop.lo.length === 1 && loop.hi.length === 1 && loop.until === undefined ? mostTrips(loop) : null;
}

function unrollNode(node: Node, fresh: () => Reg): Node[] {
  if (node.op !== 'loop') return [node];
  if (node.body.some((inner) => inner.op === 'loop'))
    return [{ ...node, body: node.body.flatMap((inner) => unrollNode(inner, fresh)) }];
  if (node.until !== undefined) return [node];
  const trips = constantTrips(node);
  const most = mostTrips(node);
  if (most === null || most < 2) return [node];
  const copies = chooseCopies(most, trips !== null, node.body as Instr[]);
  if (copies < 2) return [node];
  const bodies: Node[] = [];
  for (let i = 0; i < copies; i++) bodies.push(...copyBody(node, i * node.step, fresh));
  const main = { ...node, step: node.step * copies, body: bodies };
  if (trips === null) {
    const whole = node.hi.map((bound) => shift(bound, -(copies - 1) * node.step));
    return [
      asPart({ ...main, hi: whole, part: 'main' }),
      asPart({ ...node, body: copyBody(node, 0, fresh), part: 'tail' }),
    ];
  }
  const rest = trips % copies;
  const split = shift(node.lo[0], (trips - rest) * node.step);
  if (rest === 0) return [{ ...main, hi: [split] }];
  return [
    asPart({ ...main, hi: [split], part: 'main' }),
    asPart({ ...node, lo: [split], body: copyBody(node, 0, fresh), part: 'tail' }),
  ];
}

function chooseCopies(trips: number, exact: boolean, body: readonly Instr[]): number {
  const loads = body.filter((instr) => instr.op === 'load').length;
  const accumulators = new Set(body.flatMap((instr) => ('acc' in instr ? [instr.acc] : []))).size;
  const fitting = Math.floor((REGISTERS - accumulators) / Math.max(1, loads));
  const short = Math.floor(MOST_INSTRUCTIONS / Math.max(1, body.length));
  const most = Math.min(MOST_COPIES, trips, short, fitting);
  if (!exact) return trips >= 4 * most ? most : 1;
  // A divisor of the trip count leaves no tail.
  for (let copies = most; copies > most / 2; copies--) if (trips % copies === 0) return copies;
  return most;
}

/** A bound on how often a loop runs, from those of its bounds that differ by a constant; null where there are none. */
function mostTrips(loop: Loop): number | null {
  let most: number | null = null;
  for (const hi of loop.hi) {
    for (const lo of loop.lo) {
      const same =
        hi.terms.length === lo.terms.length &&
        hi.terms.every((t) => lo.terms.some((u) => u.v.id === t.v.id && u.coef === t.coef));
      if (!same) continue;
      const trips = Math.max(0, Math.ceil((hi.offset - lo.offset) / loop.step));
      most = most === null ? trips : Math.min(most, trips);
    }
  }
  return most;
}

function highestRegister(nodes: readonly Node[]): Reg {
  let highest = -1;
  for (const node of nodes) {
    if (node.op === 'loop') highest = Math.max(highest, highestRegister(node.body));
    else if ('out' in node) highest = Math.max(highest, node.out);
  }
  return highest;
}

/** The body with v + by for v, and registers of its own. Uses of registers from outside stay. */
function copyBody(loop: Loop, by: number, fresh: () => Reg): Instr[] {
  const renamed = new Map<Reg, Reg>();
  const use = (reg: Reg): Reg => renamed.get(reg) ?? reg;
  const at = (affine: Affine): Affine => {
    const term = affine.terms.find((t) => t.v.id === loop.v.id);
    return term ? shift(affine, term.coef * by) : affine;
  };
  return (loop.body as Instr[]).map((instr): Instr => {
    const copy = rename(instr, use, at);
    if (!('out' in copy)) return copy;
    const out = fresh();
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
    case 'exchange':
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
