/** The reference: evaluates a graph node by node through the rows, in JavaScript. Small, slow, obviously right. */
import { InternalError } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { topologicalOrder } from '../graph/graph.ts';
import type { NDArray } from './row.ts';
import { rowOf } from './table.ts';

/** The outputs' arrays, given those of the fed values. */
export function evaluateGraph(outputs: readonly Value[], feeds: ReadonlyMap<Value, NDArray>): NDArray[] {
  const known = new Map<Value, NDArray>(feeds);
  for (const op of topologicalOrder(outputs, (value) => feeds.has(value))) {
    const inputs = op.inputs.map((input) => known.get(input)!);
    const arrays = rowOf(op.kind).evaluate(inputs, op.attrs, op.outputs);
    for (const [i, value] of op.outputs.entries()) {
      if (!known.has(value)) known.set(value, { dtype: value.dtype, shape: value.shape, data: arrays[i] });
    }
  }
  return outputs.map((value) => {
    const array = known.get(value);
    if (!array) throw new InternalError(`internal: ${value.op.kind} was not evaluated`);
    return array;
  });
}
