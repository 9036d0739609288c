/**
 * Values with a gradient of their own: identity ops whose rule is kept beside the graph, so that two traces of one function
 * still have the same structure.
 */
import type { Operation, Value } from '../graph/graph.ts';
import { apply1 } from './apply.ts';
import { admit } from './body.ts';

export interface CustomGradient {
  /** What the gradients are for; the outputs were computed from them. */
  readonly inputs: readonly Value[];
  /** All values that have this gradient in common, each the output of an op of its own. */
  readonly outputs: readonly Value[];
  /** Gradients for the inputs, given those of the outputs (null: none flows there; one at least is not null). */
  readonly backward: (dys: readonly (Value | null)[]) => readonly (Value | null)[];
}

/** By the operation's list of inputs: it goes when the operation is severed, and the rule with all that it refers to goes too. */
const customGradients = new WeakMap<readonly Value[], CustomGradient>();

/** `values`, whose gradients for `inputs` are backward(dys) together; none flows into the values themselves. */
export function withGradients(
  values: readonly Value[],
  inputs: readonly Value[],
  backward: CustomGradient['backward'],
): readonly Value[] {
  const outputs = values.map((value) => apply1('identityWithGradient', [value]));
  const custom = { inputs: inputs.map(admit), outputs, backward };
  for (const { op } of outputs) customGradients.set(op.inputs, custom);
  return outputs;
}

/** withGradients for one value. */
export function withGradient(
  value: Value,
  inputs: readonly Value[],
  backward: (dy: Value) => readonly (Value | null)[],
): Value {
  return withGradients([value], inputs, ([dy]) => (dy === null ? inputs.map(() => null) : backward(dy)))[0];
}

export function customGradientOf(op: Operation): CustomGradient | undefined {
  return customGradients.get(op.inputs);
}
