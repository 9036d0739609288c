/**
 * Sums over the steps of a loop, taken out of it: sum over t of f(u_t) as g(stack of u), where that is one large operation
 * instead of many small ones. Rules are data; the comment beside each states the algebra.
 */
import type { Operation, Value } from '../graph/graph.ts';
import { apply1 } from './apply.ts';
import { foldFirst } from './batching.ts';
import { reshape } from './build-movement.ts';

/** Gives for a value of the loop's body the stack of what it was in each step. */
export type Stacks = (value: Value) => Value;

export interface Term {
  /** What has to be stacked. */
  readonly reads: readonly Value[];
  finish(stacks: Stacks): Value;
}

interface Rule {
  /** The sum over time of the operation's output, or null. */
  total(op: Operation): Term | null;
}

/** The first axis of both inputs is summed over by the op already: time is merged into it. */
const folded: Rule = {
  total: ({ kind, inputs, attrs }) => ({
    reads: inputs,
    finish: (stacks) =>
      apply1(
        kind,
        inputs.map((input) => foldFirst(stacks(input))),
        attrs,
      ),
  }),
};

const rules: { readonly [kind: string]: Rule } = {
  // sum_t A_t^T B_t = [A_0; A_1; ...]^T [B_0; B_1; ...]
  matMul: {
    total: (op) =>
      op.attrs.transposeA === true && op.attrs.transposeB !== true && op.inputs[0].shape.length === 2
        ? folded.total(op)
        : null,
  },
  // The batch is summed over, and so is time.
  conv2dBackpropFilter: folded,
  // sum_t sum over axes = sum over time and axes
  sum: {
    total: ({ kind, inputs: [x], attrs }) => ({
      reads: [x],
      finish: (stacks) =>
        apply1(kind, [stacks(x)], { ...attrs, axes: [0, ...(attrs.axes as number[]).map((axis) => axis + 1)] }),
    }),
  },
  // Linear in their input, element by element.
  reshape: { total: (op) => around(op, (x) => reshape(x, op.outputs[0].shape)) },
  neg: { total: (op) => around(op, (x) => apply1(op.kind, [x], op.attrs)) },
};

function around(op: Operation, f: (x: Value) => Value): Term | null {
  const inner = totalOf(op.inputs[0]);
  return inner && { reads: inner.reads, finish: (stacks) => f(inner.finish(stacks)) };
}

function totalOf(value: Value): Term | null {
  return rules[value.op.kind]?.total(value.op) ?? null;
}

/** The terms of a sum: those whose total is taken after the loop, and what is left to be added up in it (null: nothing). */
export function overTime(value: Value): { readonly hoisted: readonly Term[]; readonly rest: Value | null } {
  const { op } = value;
  if (op.kind === 'add') {
    const [a, b] = op.inputs.map(overTime);
    if (a.hoisted.length + b.hoisted.length > 0) {
      const hoisted = [...a.hoisted, ...b.hoisted];
      if (a.rest === null) return { hoisted, rest: b.rest };
      return { hoisted, rest: b.rest === null ? a.rest : apply1('add', [a.rest, b.rest]) };
    }
    return { hoisted: [], rest: value };
  }
  const term = totalOf(value);
  return term ? { hoisted: [term], rest: null } : { hoisted: [], rest: value };
}
