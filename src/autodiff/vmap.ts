/**
 * Vectorisation as a graph transformation: from a graph for one element to a graph for a stack of them, new axis in front. How
 * an op does that stands in its row (`batching`); what does not depend on the stacked values stays as it is. Knows no op by name
 * and no tensor.
 */
import { fail, invariant } from '../base/errors.ts';
import type { Operation, Value } from '../graph/graph.ts';
import { stackedApply } from '../ops/batching.ts';
import type { BatchingContext } from '../ops/batching.ts';
import { broadcastTo, constant, parameter, scale, sum } from '../ops/build.ts';
import { customGradientOf, withGradient } from '../ops/custom.ts';
import type { CustomGradient } from '../ops/custom.ts';
import { rowOf } from '../ops/table.ts';
import { sameShape } from '../types/shape.ts';

/** Operations behind `values` in order, those behind the inputs of custom gradients too; nothing beyond `known`. */
function orderOf(values: readonly Value[], known: ReadonlyMap<Value, unknown>): Operation[] {
  const order: Operation[] = [];
  const seen = new Set<Operation>();
  const stack: { op: Operation; from: readonly Value[]; next: number }[] = [];
  const enter = (value: Value) => {
    if (known.has(value) || seen.has(value.op)) return;
    seen.add(value.op);
    const custom = customGradientOf(value.op);
    stack.push({ op: value.op, from: custom ? [...value.op.inputs, ...custom.inputs] : value.op.inputs, next: 0 });
  };
  for (const value of values) {
    enter(value);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.from.length) enter(top.from[top.next++]);
      else {
        order.push(top.op);
        stack.pop();
      }
    }
  }
  return order;
}

/** The values of one graph, and what they are for a stack. Grows as it is asked. */
export class Stack {
  readonly size: number;
  /** Stacked values; null where a value is the same for every element. */
  readonly #values = new Map<Value, Value | null>();

  constructor(size: number) {
    this.size = size;
  }

  /** Says that `value` is `stacked` ([size, ...its shape]) for the stack. */
  give(value: Value, stacked: Value): void {
    invariant(
      sameShape(stacked.shape, [this.size, ...value.shape]) && stacked.dtype === value.dtype,
      `the stack of a value of shape [${value.shape}] has shape [${stacked.shape}]`,
    );
    this.#values.set(value, stacked);
  }

  /** The stacks of the values; null for one that does not depend on what was given. */
  of(values: readonly Value[]): (Value | null)[] {
    for (const op of orderOf(values, this.#values)) this.#operation(op);
    return values.map((value) => this.#values.get(value) ?? null);
  }

  #operation(op: Operation): void {
    const custom = customGradientOf(op);
    const inputs = op.inputs.map((input) => this.#values.get(input) ?? null);
    if (custom) {
      const depends = [...op.inputs, ...custom.inputs].some((input) => (this.#values.get(input) ?? null) !== null);
      this.#values.set(op.outputs[0], depends ? this.#custom(op, custom) : null);
      return;
    }
    const results = inputs.every((input) => input === null) ? op.outputs.map(() => null) : this.#apply(op, inputs);
    for (const [i, output] of op.outputs.entries()) this.#values.set(output, results[i]);
  }

  #apply(op: Operation, inputs: readonly (Value | null)[]): readonly Value[] {
    const { size } = this;
    if (size === 0) return op.outputs.map(({ dtype, shape }) => constant(0, dtype, [0, ...shape]));
    const context: BatchingContext = {
      kind: op.kind,
      attrs: op.attrs,
      inputs: op.inputs.map((input, i) => inputs[i] ?? input),
      batched: inputs.map((input) => input !== null),
      size,
      outputs: op.outputs,
      stackGraph: (values, given) => stackGraph(values, given, size),
    };
    const results = batch(context);
    for (const [i, { dtype, shape }] of op.outputs.entries()) {
      invariant(
        results[i]?.dtype === dtype && sameShape(results[i].shape, [size, ...shape]),
        `the batching rule of ${op.kind} gave ${results[i]?.dtype}[${results[i]?.shape}] for output ${i}, not ${dtype}[${[size, ...shape]}]`,
      );
    }
    return results;
  }

  /** A gradient of one's own for the stack is the stack of the gradients. */
  #custom(op: Operation, custom: CustomGradient): Value {
    const { size } = this;
    const [value] = op.inputs;
    const stackOf = (v: Value) => this.#values.get(v) ?? null;
    const spread = (v: Value, stacked: Value | null) => stacked ?? broadcastTo(v, [size, ...v.shape]);
    const backward = (dy: Value): (Value | null)[] => {
      const one = parameter(value.dtype, value.shape);
      this.give(one, dy);
      const dxs = custom.backward(one);
      const stacks = this.of(dxs.filter((dx) => dx !== null));
      return dxs.map((dx, i) => {
        if (dx === null) return null;
        const stacked = stacks.shift() ?? null;
        // An input that all elements share gets the gradients of all.
        if (stackOf(custom.inputs[i]) === null) return stacked === null ? scale(dx, size) : sum(stacked, [0]);
        return spread(dx, stacked);
      });
    };
    const inputs = custom.inputs.map((input) => stackOf(input) ?? input);
    return withGradient(spread(value, stackOf(value)), inputs, backward);
  }
}

/** The op on the stack, by its row's rule. */
function batch(context: BatchingContext): readonly Value[] {
  const { batching } = rowOf(context.kind);
  if (typeof batching === 'function') return batching(context);
  if (batching === 'none') {
    fail('vmap', 'an op without inputs cannot be stacked', `got ${context.kind}`);
  }
  return stackedApply(context);
}

/** `values` for a stack of `size`, given those of the keys of `given`; null for one that depends on none of them. */
export function stackGraph(values: readonly Value[], given: ReadonlyMap<Value, Value>, size: number): (Value | null)[] {
  const stack = new Stack(size);
  for (const [value, stacked] of given) stack.give(value, stacked);
  return stack.of(values);
}
