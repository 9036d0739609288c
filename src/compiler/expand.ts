/**
 * Operations that say of themselves what they are made of are replaced by that, again and again, before anything else is decided:
 * a factorisation of a large matrix becomes small ones and matrix products. Knows no op.
 */
import type { Value } from '../graph/graph.ts';
import { Operation, topologicalOrder } from '../graph/graph.ts';
import { rowOf } from '../ops/table.ts';

function partsOf(op: Operation): readonly Value[] | null {
  const { lowering } = rowOf(op.kind);
  return 'expand' in lowering && lowering.expand ? lowering.expand(op.inputs, op.attrs) : null;
}

/** The outputs, expanded; inputs (parameters) stay as they are. */
export function expand(outputs: readonly Value[], inputs: readonly Value[]): Value[] {
  const mapped = new Map<Value, Value>(inputs.map((input) => [input, input]));
  /** The value without expandable operations behind it. What it is made of may hold further ones, so this goes on until none is left. */
  const settle = (value: Value): Value => {
    for (const op of topologicalOrder([value], (v) => mapped.has(v))) {
      const operands = op.inputs.map((x) => mapped.get(x) ?? x);
      const changed = operands.some((x, i) => x !== op.inputs[i]);
      const now = changed ? new Operation(op.kind, operands, op.attrs, op.outputs) : op;
      if (changed) now.name = op.name;
      const parts = partsOf(now);
      op.outputs.forEach((output, i) => {
        if (!parts) mapped.set(now.outputs[i], now.outputs[i]);
        mapped.set(output, parts ? settle(parts[i]) : now.outputs[i]);
      });
    }
    return mapped.get(value) ?? value;
  };
  return outputs.map(settle);
}
