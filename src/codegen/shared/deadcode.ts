/** Removes instructions whose results nothing uses, and loops that are left empty. Stores and guards are what a kernel is for. */
import type { Instr, Kernel, Node, Reg } from '../../kernel/ir.ts';

export function eliminateDeadCode(kernel: Kernel): Kernel {
  const live = liveRegisters(kernel);
  const keeps = (instr: Instr): boolean => {
    if ('out' in instr && instr.op !== 'guard') return live.has(instr.out);
    return instr.op === 'set' || instr.op === 'fmaAcc' ? live.has(instr.acc) : true;
  };
  const prune = (nodes: readonly Node[]): Node[] =>
    nodes.flatMap((node): Node[] => {
      if (node.op !== 'loop') return keeps(node) ? [node] : [];
      const body = prune(node.body);
      return body.length > 0 ? [{ ...node, body }] : [];
    });
  // Regions stay, even with nothing left to do: a program names them by their number.
  return { ...kernel, regions: kernel.regions.map((region) => ({ ...region, body: prune(region.body) })) };
}

/** The registers an instruction reads. */
export function operands(instr: Instr): Reg[] {
  switch (instr.op) {
    case 'const':
    case 'index':
      return [];
    case 'load':
      return instr.dyn ? [instr.dyn.index] : [];
    case 'store':
      return instr.dyn ? [instr.value, instr.dyn.index] : [instr.value];
    case 'unary':
    case 'convert':
    case 'reduce':
      return [instr.a];
    case 'binary':
    case 'compare':
    case 'exchange':
      return [instr.a, instr.b];
    case 'select':
      return [instr.mask, instr.a, instr.b];
    case 'fma':
      return [instr.a, instr.b, instr.c];
    case 'acc':
      return [instr.init];
    case 'set':
      return [instr.value];
    case 'fmaAcc':
      return [instr.a, instr.b];
    case 'guard':
      return [instr.index];
  }
}

/** What stores and guards read, and what that is made from. An accumulator is made from everything that is set to it. */
function liveRegisters(kernel: Kernel): Set<Reg> {
  const makers = new Map<Reg, Instr[]>();
  const work: Reg[] = [];
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      if (node.op === 'loop') {
        if (node.until !== undefined) work.push(node.until);
        visit(node.body);
      } else if (node.op === 'store' || node.op === 'guard') work.push(...operands(node));
      const made = node.op === 'set' || node.op === 'fmaAcc' ? node.acc : 'out' in node ? node.out : undefined;
      if (made === undefined || node.op === 'loop') continue;
      const list = makers.get(made);
      if (list) list.push(node);
      else makers.set(made, [node]);
    }
  };
  for (const region of kernel.regions) visit(region.body);
  const live = new Set<Reg>();
  for (let reg = work.pop(); reg !== undefined; reg = work.pop()) {
    if (live.has(reg)) continue;
    live.add(reg);
    for (const maker of makers.get(reg) ?? []) work.push(...operands(maker));
  }
  return live;
}
