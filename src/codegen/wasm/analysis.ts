/** What the emitter must know of a region before it starts: its blocks, and for each register where it is made and how often it is used. */
import { InternalError } from '../../base/errors.ts';
import type { Instr, Loop, Node, Reg, Region } from '../../kernel/ir.ts';

export interface Block {
  readonly parent: Block | null;
  /** The loop whose body this is; null for the region's own body. */
  readonly loop: Loop | null;
  readonly depth: number;
  readonly nodes: readonly Node[];
}

export interface RegInfo {
  readonly instr: Instr;
  readonly block: Block;
  /** Uses as a vector, and as the integer in lane 0. A shift count or a constant divisor is an immediate, not a use. */
  vectorUses: number;
  laneUses: number;
  /** Whether all uses are in the block that makes it. */
  local: boolean;
}

export interface Analysis {
  readonly root: Block;
  readonly blocks: readonly Block[];
  readonly blockOf: ReadonlyMap<readonly Node[], Block>;
  readonly regs: ReadonlyMap<Reg, RegInfo>;
}

type Use = (reg: Reg, as: 'vector' | 'lane' | 'immediate') => void;

export function analyse(region: Region): Analysis {
  const blocks: Block[] = [];
  const blockOf = new Map<readonly Node[], Block>();
  const regs = new Map<Reg, RegInfo>();
  const visit = (nodes: readonly Node[], parent: Block | null, loop: Loop | null): Block => {
    const block: Block = { parent, loop, depth: parent ? parent.depth + 1 : 0, nodes };
    blocks.push(block);
    blockOf.set(nodes, block);
    for (const node of nodes) {
      if (node.op === 'loop') {
        visit(node.body, block, node);
        continue;
      }
      if ('out' in node) regs.set(node.out, { instr: node, block, vectorUses: 0, laneUses: 0, local: true });
    }
    return block;
  };
  const root = visit(region.body, null, null);
  for (const block of blocks) {
    const use: Use = (reg, as) => {
      const info = regInfo(regs, reg);
      if (as === 'immediate') return;
      if (as === 'vector') info.vectorUses++;
      else info.laneUses++;
      if (info.block !== block) info.local = false;
    };
    for (const node of block.nodes) {
      if (node.op !== 'loop') eachUse(node, regs, use);
      else if (node.until !== undefined) use(node.until, 'lane');
    }
  }
  return { root, blocks, blockOf, regs };
}

export function regInfo(regs: ReadonlyMap<Reg, RegInfo>, reg: Reg): RegInfo {
  const info = regs.get(reg);
  if (!info) throw new InternalError(`internal: register ${reg} is used but never made`);
  return info;
}

/** The constant that a register holds, or null. */
export function constantOf(regs: ReadonlyMap<Reg, RegInfo>, reg: Reg): number | null {
  const { instr } = regInfo(regs, reg);
  return instr.op === 'const' ? Number(instr.value) : null;
}

/** Whether the divisor is a constant that division is specialised for. */
export function isSimpleDivisor(divisor: number | null): divisor is number {
  return divisor !== null && divisor > 0;
}

function eachUse(instr: Instr, regs: ReadonlyMap<Reg, RegInfo>, use: Use): void {
  switch (instr.op) {
    case 'const':
    case 'index':
      return;
    case 'load':
      if (instr.dyn) use(instr.dyn.index, 'lane');
      return;
    case 'store':
      if (instr.dyn) use(instr.dyn.index, 'lane');
      use(instr.value, 'vector');
      return;
    case 'unary':
    case 'convert':
    case 'reduce':
      use(instr.a, 'vector');
      return;
    case 'binary': {
      use(instr.a, 'vector');
      const shift = instr.fn === 'shl' || instr.fn === 'shr' || instr.fn === 'sar';
      const divided = instr.type === 'i32' && (instr.fn === 'div' || instr.fn === 'mod');
      const immediate = shift || (divided && isSimpleDivisor(constantOf(regs, instr.b)));
      use(instr.b, immediate ? 'immediate' : 'vector');
      return;
    }
    case 'compare':
    case 'exchange':
      use(instr.a, 'vector');
      use(instr.b, 'vector');
      return;
    case 'select':
      use(instr.mask, 'vector');
      use(instr.a, 'vector');
      use(instr.b, 'vector');
      return;
    case 'fma':
      use(instr.a, 'vector');
      use(instr.b, 'vector');
      use(instr.c, 'vector');
      return;
    case 'acc':
      use(instr.init, 'vector');
      return;
    case 'set':
      use(instr.acc, 'vector');
      use(instr.value, 'vector');
      return;
    case 'fmaAcc':
      use(instr.acc, 'vector');
      use(instr.a, 'vector');
      use(instr.b, 'vector');
      return;
    case 'guard':
      use(instr.index, 'lane');
      return;
  }
}
