/**
 * From one graph to another, operation by operation and as far as it is asked for: what vmap and checkpoint have in common.
 * Values that do not depend on what was replaced stay as they are. Knows no op by name.
 */
import type { Operation, Value } from '../graph/graph.ts';
import { customGradientOf } from '../ops/custom.ts';
import type { CustomGradient } from '../ops/custom.ts';

/** What an operation is made of; with a gradient of its own also what that is for, and the values that share it. */
export function sourcesOf(op: Operation): readonly Value[] {
  const custom = customGradientOf(op);
  return custom ? [...custom.outputs.flatMap((output) => output.op.inputs), ...custom.inputs] : op.inputs;
}

/** Operations behind `values` (also by way of custom gradients), sources before users; nothing beyond `known`. */
export function orderOf(values: readonly Value[], known: { has(value: Value): boolean }): Operation[] {
  const order: Operation[] = [];
  const seen = new Set<Operation>();
  const stack: { op: Operation; from: readonly Value[]; next: number }[] = [];
  const enter = (value: Value) => {
    if (known.has(value) || seen.has(value.op)) return;
    seen.add(value.op);
    stack.push({ op: value.op, from: sourcesOf(value.op), next: 0 });
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

export abstract class GraphMap {
  /** null: stays as it is. */
  readonly #values = new Map<Value, Value | null>();

  /** The outputs of an operation some of whose inputs were replaced (null: not this one). */
  protected abstract apply(op: Operation, inputs: readonly (Value | null)[]): readonly Value[];
  /** The outputs that share a custom gradient which depends on something that was replaced. */
  protected abstract applyCustom(custom: CustomGradient): readonly Value[];

  protected set(value: Value, replacement: Value | null): void {
    this.#values.set(value, replacement);
  }

  /** What stands for a value; null where it stays, or was not come by yet. */
  protected get(value: Value): Value | null {
    return this.#values.get(value) ?? null;
  }

  /** What stands for each value; null for those that do not depend on anything replaced. */
  of(values: readonly Value[]): (Value | null)[] {
    for (const op of orderOf(values, this.#values)) {
      if (op.outputs.every((output) => this.#values.has(output))) continue;
      const custom = customGradientOf(op);
      const outputs = custom?.outputs ?? op.outputs;
      const changes = sourcesOf(op).some((source) => this.get(source) !== null);
      const results = !changes
        ? null
        : custom
          ? this.applyCustom(custom)
          : this.apply(
              op,
              op.inputs.map((input) => this.get(input)),
            );
      for (const [i, output] of outputs.entries())
        if (!this.#values.has(output)) this.set(output, results?.[i] ?? null);
    }
    return values.map((value) => this.get(value));
  }
}
