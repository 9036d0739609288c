/** Lets go of operations that a transformation wrote on its way and nothing reads. Knows structure only. */
import { Operation } from '../graph/graph.ts';
import type { Value } from '../graph/graph.ts';

/** The id of an operation newer than all others: what has a larger one was made after this call. */
export function newestId(): number {
  return new Operation('identity', [], {}, []).id;
}

/**
 * Severs what is newer than `newest`, among `candidates` and behind them, and is neither read nor held nor a result, so that
 * it does not count as a user of what it reads.
 */
export function severUnread(candidates: Iterable<Value>, results: ReadonlySet<Value>, newest: number): void {
  const stack = [...candidates];
  for (let value = stack.pop(); value; value = stack.pop()) {
    const { op } = value;
    if (op.id <= newest || op.inputs.length === 0) continue;
    if (op.outputs.some((output) => output.uses > 0 || output.payload !== null || results.has(output))) continue;
    const inputs = op.inputs;
    op.sever();
    stack.push(...inputs);
  }
}
