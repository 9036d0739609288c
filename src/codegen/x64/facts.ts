/** What instruction selection asks about a region: who uses a value, where last, and which loop variables are read. */
import type { Affine, Instr, Loop, Node, Reg, Region, RegType } from '../../kernel/ir.ts';
import { elemBytes } from '../../kernel/ir.ts';
import type { Param } from '../../kernel/ir.ts';

export interface Facts {
  readonly numberOf: ReadonlyMap<Instr, number>;
  useCount(reg: Reg): number;
  /** Whether nothing reads `reg` after this instruction of this block. */
  dies(reg: Reg, at: Instr, block: readonly Node[]): boolean;
  /** The accumulator that `reg` may be computed into directly, because a set hands it over unchanged. */
  target(reg: Reg): Reg | undefined;
  /** Byte scales by which a guarded index is used in addresses. */
  dynamicScales(reg: Reg): ReadonlySet<number>;
  /** Uses of reg other than as a dynamic index. */
  valueUses(reg: Reg): number;
  readsVariable(loop: Loop): boolean;
  isAccumulator(reg: Reg): boolean;
  accumulatorType(reg: Reg): RegType | undefined;
}

interface RegFacts {
  defBlock: readonly Node[] | null;
  def: number;
  lastUse: number;
  lastBlock: readonly Node[] | null;
  uses: number;
  valueUses: number;
  mentions: number[];
}

/** Registers that an instruction reads. */
export function operandsOf(i: Instr): Reg[] {
  switch (i.op) {
    case 'const':
    case 'index':
      return [];
    case 'load':
      return i.dyn ? [i.dyn.index] : [];
    case 'store':
      return i.dyn ? [i.value, i.dyn.index] : [i.value];
    case 'unary':
    case 'convert':
    case 'reduce':
      return [i.a];
    case 'binary':
    case 'compare':
    case 'exchange':
      return [i.a, i.b];
    case 'select':
      return [i.mask, i.a, i.b];
    case 'fma':
      return [i.a, i.b, i.c];
    case 'acc':
      return [i.init];
    case 'set':
      return [i.acc, i.value];
    case 'fmaAcc':
      return [i.acc, i.a, i.b];
    case 'guard':
      return [i.index];
  }
}

export function collectFacts(region: Region, params: readonly Param[]): Facts {
  const regs = new Map<Reg, RegFacts>();
  const numberOf = new Map<Instr, number>();
  const constants = new Set<Reg>();
  const scales = new Map<Reg, Set<number>>();
  const accumulators = new Map<Reg, RegType>();
  const sets: { acc: Reg; value: Reg; at: number; block: readonly Node[] }[] = [];
  const factsOf = (reg: Reg): RegFacts => {
    let f = regs.get(reg);
    if (!f) {
      f = { defBlock: null, def: -1, lastUse: -1, lastBlock: null, uses: 0, valueUses: 0, mentions: [] };
      regs.set(reg, f);
    }
    return f;
  };
  let n = 0;
  const read = (reg: Reg, at: number, block: readonly Node[]): void => {
    const f = factsOf(reg);
    f.uses++;
    f.valueUses++;
    f.lastUse = at;
    f.lastBlock = block;
    f.mentions.push(at);
  };
  const walk = (block: readonly Node[]): void => {
    for (const node of block) {
      if (node.op === 'loop') {
        if (node.until !== undefined) read(node.until, n++, block);
        walk(node.body);
        continue;
      }
      const at = n++;
      numberOf.set(node, at);
      for (const reg of operandsOf(node)) read(reg, at, block);
      if ((node.op === 'load' || node.op === 'store') && node.dyn) {
        factsOf(node.dyn.index).valueUses--;
        const set = scales.get(node.dyn.index) ?? new Set();
        scales.set(node.dyn.index, set.add(node.dyn.scale * elemBytes[params[node.buf].elem]));
      }
      if (node.op === 'acc') accumulators.set(node.out, node.type);
      if (node.op === 'const') constants.add(node.out);
      if (node.op === 'set') sets.push({ acc: node.acc, value: node.value, at, block });
      if ('out' in node) {
        const f = factsOf(node.out);
        f.defBlock = block;
        f.def = at;
      }
    }
  };
  walk(region.body);

  const targets = new Map<Reg, Reg>();
  for (const { acc, value, at, block } of sets) {
    const f = factsOf(value);
    if (acc === value || f.uses !== 1 || f.defBlock !== block || constants.has(value)) continue;
    if (factsOf(acc).mentions.some((m) => m > f.def && m < at)) continue;
    targets.set(value, acc);
  }
  const empty: ReadonlySet<number> = new Set();
  return {
    numberOf,
    useCount: (reg) => regs.get(reg)?.uses ?? 0,
    valueUses: (reg) => regs.get(reg)?.valueUses ?? 0,
    dies: (reg, at, block) => {
      const f = regs.get(reg);
      return f !== undefined && f.lastUse === numberOf.get(at) && f.defBlock === block;
    },
    target: (reg) => targets.get(reg),
    dynamicScales: (reg) => scales.get(reg) ?? empty,
    readsVariable,
    isAccumulator: (reg) => accumulators.has(reg),
    accumulatorType: (reg) => accumulators.get(reg),
  };
}

/** Whether the value of the loop's variable is needed, other than in addresses. */
function readsVariable(loop: Loop): boolean {
  const id = loop.v.id;
  const mentionsIt = (a: Affine): boolean => a.terms.some((t) => t.v.id === id);
  const inside = (block: readonly Node[]): boolean =>
    block.some((node) =>
      node.op === 'loop'
        ? node.lo.some(mentionsIt) || node.hi.some(mentionsIt) || inside(node.body)
        : node.op === 'index' && mentionsIt(node.at),
    );
  return inside(loop.body);
}
