/** Fusion and lowering of one graph: the whole program's, or the body of a loop in it. */
import { invariant } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Capabilities } from '../kernel/capabilities.ts';
import type { GuardSite } from '../kernel/program.ts';
import { resolveAfter } from './after.ts';
import { NeedsStore } from './emitter.ts';
import { fuse } from './fuse.ts';
import { lowerGroup } from './lower.ts';
import { baseOf, type Plan, tagOf } from './plan.ts';
import type { LoweredItem } from './schedule.ts';
import { LoopLowerer } from './lower-loops.ts';
import { prepareLoops } from './prepare-loops.ts';

export interface GraphRequest {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** outputs[i] may overwrite the storage of inputs[j]: donations.get(i) === j. */
  readonly donations: ReadonlyMap<number, number>;
  /** Indices of inputs that are expected to be the same from run to run. */
  readonly steady?: ReadonlySet<number> | undefined;
  readonly capabilities: Capabilities;
  /** Grows by the guards of this graph. */
  readonly sites: GuardSite[];
}

export interface LoweredGraph {
  readonly plan: Plan;
  readonly items: readonly LoweredItem[];
  /** Wishes by value: output -> input. */
  readonly donations: Map<Value, Value>;
}

/** Plans and lowers; where lowering finds a value that it cannot compute in place, the plan is made anew with it stored. */
export function lowerGraph(request: GraphRequest): LoweredGraph {
  const { inputs, sites } = request;
  const known = sites.length;
  const outputs = prepareLoops(request.outputs, inputs);
  const forced = new Set<Value>();
  for (;;) {
    sites.length = known;
    const plan = fuse(outputs, inputs, forced);
    const donations = new Map<Value, Value>();
    for (const [output, input] of request.donations) donations.set(baseOf(plan.outputs[output]), inputs[input]);
    const steady = new Set(inputs.filter((_, i) => request.steady?.has(i)));
    const context = { caps: request.capabilities, stored: plan.stored, sites, steady };
    try {
      const inPlace = new Set(donations.keys());
      const loops = new LoopLowerer(context, lowerGraph);
      const items = plan.groups.flatMap((group): LoweredItem[] =>
        group.anchor && tagOf(group.anchor) === 'loops'
          ? loops.lower(group.anchor)
          : lowerGroup(context, group, inPlace),
      );
      return { plan, items: resolveAfter(plan, loops.rename(items)), donations };
    } catch (error) {
      if (!(error instanceof NeedsStore)) throw error;
      invariant(!forced.has(error.value), 'a stored value needs to be stored');
      forced.add(error.value);
    }
  }
}
