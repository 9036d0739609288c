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
import { withGradients } from '../ops/custom.ts';
import type { CustomGradient } from '../ops/custom.ts';
import { rowOf } from '../ops/table.ts';
import { sameShape } from '../types/shape.ts';
import { GraphMap } from './graph-map.ts';
import { newestId, severUnread } from './unread.ts';

/** The values of one graph, and what they are for a stack: of(values) gives null where all elements have the same. */
export class Stack extends GraphMap {
  readonly size: number;

  constructor(size: number) {
    super();
    this.size = size;
  }

  /** Says that `value` is `stacked` ([size, ...its shape]) for the stack. */
  give(value: Value, stacked: Value): void {
    invariant(
      sameShape(stacked.shape, [this.size, ...value.shape]) && stacked.dtype === value.dtype,
      `the stack of a value of shape [${value.shape}] has shape [${stacked.shape}]`,
    );
    this.set(value, stacked);
  }

  /** The stacks of the values; those that all elements share are repeated (a view, which costs nothing). */
  all(values: readonly Value[]): Value[] {
    return this.of(values).map((stacked, i) => stacked ?? broadcastTo(values[i], [this.size, ...values[i].shape]));
  }

  protected apply(op: Operation, inputs: readonly (Value | null)[]): readonly Value[] {
    const { size } = this;
    if (size === 0) return op.outputs.map(({ dtype, shape }) => constant(0, dtype, [0, ...shape]));
    const results = batch({
      kind: op.kind,
      attrs: op.attrs,
      inputs: op.inputs.map((input, i) => inputs[i] ?? input),
      batched: inputs.map((input) => input !== null),
      size,
      outputs: op.outputs,
      stackGraph: (values, given) => stackGraph(values, given, size),
    });
    for (const [i, { dtype, shape }] of op.outputs.entries()) {
      invariant(
        results[i]?.dtype === dtype && sameShape(results[i].shape, [size, ...shape]),
        `the batching rule of ${op.kind} gave ${results[i]?.dtype}[${results[i]?.shape}] for output ${i}, not ${dtype}[${[size, ...shape]}]`,
      );
    }
    return results;
  }

  /** A gradient of one's own for the stack is the stack of the gradients. */
  protected applyCustom(custom: CustomGradient): readonly Value[] {
    const values = this.all(custom.outputs.map((output) => output.op.inputs[0]));
    const shared = custom.inputs.map((input) => this.get(input) === null);
    const inputs = custom.inputs.map((input) => this.get(input) ?? input);
    return withGradients(values, inputs, (dys) => {
      const newest = newestId();
      const ones = dys.map((dy, i) => {
        if (dy === null) return null;
        const { dtype, shape } = custom.outputs[i];
        const one = parameter(dtype, shape);
        this.give(one, dy);
        return one;
      });
      const dxs = custom.backward(ones);
      const stacks = this.of(dxs.filter((dx) => dx !== null));
      const results = dxs.map((dx, i) => {
        if (dx === null) return null;
        const stacked = stacks.shift() ?? null;
        // An input that all elements share gets the gradients of all.
        if (shared[i]) return stacked === null ? scale(dx, this.size) : sum(stacked, [0]);
        return stacked ?? broadcastTo(dx, [this.size, ...dx.shape]);
      });
      severUnread(
        dxs.filter((dx) => dx !== null),
        new Set(),
        newest,
      );
      return results;
    });
  }
}

/** The op on the stack, by its row's rule. */
function batch(context: BatchingContext): readonly Value[] {
  const { batching } = rowOf(context.kind);
  if (typeof batching === 'function') return batching(context);
  if (batching === 'none') fail('vmap', 'an op without inputs cannot be stacked', `got ${context.kind}`);
  return stackedApply(context);
}

/** `values` for a stack of `size`, given those of the keys of `given`; null for one that depends on none of them. */
export function stackGraph(values: readonly Value[], given: ReadonlyMap<Value, Value>, size: number): (Value | null)[] {
  const stack = new Stack(size);
  for (const [value, stacked] of given) stack.give(value, stacked);
  return stack.of(values);
}
