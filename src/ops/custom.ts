/**
 * Values with a gradient of their own: an identity op whose rule is kept beside the graph, so that two traces of one function
 * still have the same structure.
 */
import type { Operation, Value } from '../graph/graph.ts';
import { apply1 } from './apply.ts';

export interface CustomGradient {
  /** What the gradients are for; `value` was computed from them. */
  readonly inputs: readonly Value[];
  readonly backward: (dy: Value) => readonly (Value | null)[];
}

/** By the operation's list of inputs: it goes when the operation is severed, and the rule with all that it refers to goes too. */
const customGradients = new WeakMap<readonly Value[], CustomGradient>();

/** `value`, whose gradients for `inputs` are backward(dy); none flows into value itself. */
export function withGradient(
  value: Value,
  inputs: readonly Value[],
  backward: (dy: Value) => readonly (Value | null)[],
): Value {
  const result = apply1('identityWithGradient', [value]);
  customGradients.set(result.op.inputs, { inputs, backward });
  return result;
}

export function customGradientOf(op: Operation): CustomGradient | undefined {
  return customGradients.get(op.inputs);
}
