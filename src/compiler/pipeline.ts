/** The compiler on one page: ordered passes from a graph to a program. DEBUG=3 prints what stands between them. */
import { debug } from '../base/debug.ts';
import { invariant } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { topologicalOrder } from '../graph/graph.ts';
import type { Kernel } from '../kernel/ir.ts';
import { kernelKey } from '../kernel/key.ts';
import { printKernel } from '../kernel/printer.ts';
import type { GuardSite, Program, Step } from '../kernel/program.ts';
import { verifyProgram } from '../kernel/verifier.ts';
import { type LoweredKernel, NeedsStore } from './emitter.ts';
import { fuse } from './fuse.ts';
import { lowerGroup } from './lower.ts';
import { planMemory } from './memory.ts';
import { baseOf, type Plan } from './plan.ts';
import type { CompileRequest } from './request.ts';
import { resolveAfter } from './after.ts';
import { schedule } from './schedule.ts';
import { simplify } from './simplify.ts';

/** Turns a graph into a program for a target. Deterministic: the same request gives the same program. */
export function compile(request: CompileRequest): Program {
  const { inputs, capabilities: caps } = request;
  dump('graph', request.outputs, inputs);
  // 1. simplify: dead code, common subexpressions, constants, algebra
  const outputs = simplify(request.outputs, inputs);
  dump('simplified', outputs, inputs);
  // 2. fuse, 3. lower (layout is native: contractions fold views into their address maps, and tile by a cost model)
  const { plan, kernels: lowered, sites, donations } = lowerAll(request, outputs);
  const kernels = resolveAfter(plan, lowered);
  // 4. schedule
  const { steps, aliases } = schedule(kernels, donations);
  // 5. memory
  const finals = plan.outputs.map(baseOf);
  const memory = planMemory(steps, inputs, finals, aliases);
  const distinct = new Map<string, number>();
  const list: Kernel[] = [];
  const programSteps = steps.map(({ lowered, stage }): Step => {
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
    steps: programSteps,
    arenaBytes: memory.arenaBytes,
    sites,
  };
  debug(
    3,
    () => `${request.name} on ${caps.target}: ${kernels.map(({ kernel }, i) => `${i}:${kernel.name}`).join(' ')}`,
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

interface Lowered {
  readonly plan: Plan;
  readonly kernels: LoweredKernel[];
  readonly sites: GuardSite[];
  readonly donations: Map<Value, Value>;
}

/** Plans and lowers; where lowering finds a value that it cannot compute in place, the plan is made anew with it stored. */
function lowerAll(request: CompileRequest, outputs: readonly Value[]): Lowered {
  const forced = new Set<Value>();
  for (;;) {
    const plan = fuse(outputs, request.inputs, forced);
    const donations = new Map<Value, Value>();
    for (const [output, input] of request.donations) donations.set(baseOf(plan.outputs[output]), request.inputs[input]);
    const sites: GuardSite[] = [];
    const context = { caps: request.capabilities, stored: plan.stored, sites };
    try {
      const inPlace = new Set(donations.keys());
      return { plan, kernels: plan.groups.flatMap((group) => lowerGroup(context, group, inPlace)), sites, donations };
    } catch (error) {
      if (!(error instanceof NeedsStore)) throw error;
      invariant(!forced.has(error.value), 'a stored value needs to be stored');
      forced.add(error.value);
    }
  }
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
