/** The compiler on one page: ordered passes from a graph to a program. DEBUG=3 prints what stands between them. */
import { debug } from '../base/debug.ts';
import type { Value } from '../graph/graph.ts';
import { topologicalOrder } from '../graph/graph.ts';
import type { Kernel } from '../kernel/ir.ts';
import { kernelKey } from '../kernel/key.ts';
import { printKernel } from '../kernel/printer.ts';
import type { GuardSite, Loop, Program, Step } from '../kernel/program.ts';
import { verifyProgram } from '../kernel/verifier.ts';
import { expand } from './expand.ts';
import { lowerGraph } from './lower-graph.ts';
import { type MemoryPlan, planMemory } from './memory.ts';
import { baseOf } from './plan.ts';
import { withPrologue } from './prologue.ts';
import type { CompileRequest } from './request.ts';
import { flatten, type FlatStep, type LoweredLoop, schedule } from './schedule.ts';
import { simplify } from './simplify.ts';

/** Turns a graph into a program for a target. Deterministic: the same request gives the same program. */
export function compile(request: CompileRequest): Program {
  const { inputs, capabilities: caps } = request;
  dump('graph', request.outputs, inputs);
  // 0. expand: operations that are made of others
  // 1. simplify: dead code, common subexpressions, constants, algebra
  const outputs = simplify(expand(request.outputs, inputs), inputs);
  dump('simplified', outputs, inputs);
  // 2. fuse, 3. lower (layout is native: contractions fold views into their address maps, and tile by a cost model)
  const sites: GuardSite[] = [];
  const expected = caps.keepsArena ? request.steady : undefined;
  const { plan, items, donations } = lowerGraph({ ...request, steady: expected, outputs, sites });
  // 4. schedule
  const { steps: staged, aliases } = schedule(items, donations);
  const finals = plan.outputs.map(baseOf);
  const steady = inputs.filter((_, i) => expected?.has(i));
  const { steps: flat, count, lasting } = withPrologue(flatten(staged), expected ? steady : null, finals);
  // 5. memory
  const loops = [...new Set(flat.flatMap((step) => step.loops))];
  const memory = planMemory(flat, loops, inputs, finals, aliases, lasting);
  const distinct = new Map<string, number>();
  const list: Kernel[] = [];
  const steps = flat.map(({ lowered, stage }): Step => {
    const key = kernelKey(lowered.kernel);
    let kernel = distinct.get(key);
    if (kernel === undefined) {
      kernel = list.length;
      distinct.set(key, kernel);
      list.push(lowered.kernel);
    }
    return { kernel, args: lowered.args.map((arg) => memory.numberOf.get(arg) as number), stage };
  });
  const number = (value: Value) => memory.numberOf.get(value) as number;
  const program: Program = {
    name: request.name,
    kernels: list,
    buffers: memory.buffers,
    inputs: inputs.map(number),
    outputs: finals.map(number),
    steps,
    ...(loops.length > 0 && { loops: loops.map((loop) => loopOf(loop, flat, memory)) }),
    ...(count > 0 && { prologue: { steps: count, inputs: steady.map(number) } }),
    arenaBytes: memory.arenaBytes,
    sites,
  };
  debug(
    3,
    () => `${request.name} on ${caps.target}: ${flat.map(({ lowered }, i) => `${i}:${lowered.kernel.name}`).join(' ')}`,
  );
  debug(4, () => list.map(printKernel).join('\n'));
  debug(5, () =>
    memory.buffers
      .map((buffer, i) => `buffer ${i}: ${buffer.kind} ${buffer.elem} x ${buffer.size} at ${buffer.offset}`)
      .join('\n'),
  );
  verifyProgram(program);
  return program;
}

/** The range of a loop's steps. */
function loopOf(loop: LoweredLoop, flat: readonly FlatStep[], { numberOf }: MemoryPlan): Loop {
  const inside = flat.flatMap((step, i) => (step.loops.includes(loop) ? [i] : []));
  const flag = loop.flag && (numberOf.get(loop.flag) as number);
  return {
    first: inside[0],
    end: inside[inside.length - 1] + 1,
    count: loop.count,
    ...(flag !== undefined && { flag }),
  };
}

function dump(title: string, outputs: readonly Value[], inputs: readonly Value[]): void {
  debug(3, () => {
    const given = new Set(inputs);
    const lines = topologicalOrder(outputs, (value) => given.has(value)).map((op) => {
      const args = op.inputs.map((input) => `%${input.op.id}${input.index ? `.${input.index}` : ''}`).join(' ');
      return `  %${op.id} = ${op.kind} ${args} ${JSON.stringify(op.attrs)} : ${op.outputs.map((y) => `${y.dtype}[${y.shape}]`).join(', ')}`;
    });
    return `--- ${title}: ${lines.length} operations\n${lines.join('\n')}`;
  });
}
