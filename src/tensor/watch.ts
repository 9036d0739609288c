/** Which variables a function reads: variableGrads differentiates for those where it is told none. */
import type { Value } from '../graph/graph.ts';
import type { Variable } from './variable.ts';

const watchers: Map<Variable, Value>[] = [];

/** Tells whoever watches that a variable was read, and as which value. */
export function noteRead(variable: Variable, value: Value): void {
  for (const seen of watchers) if (!seen.has(variable)) seen.set(variable, value);
}

export function isWatched(): boolean {
  return watchers.length > 0;
}

/** Runs `f` and lists the variables it reads, with the value that was read first. */
export function trackVariableReads<T>(f: () => T): { result: T; read: Map<Variable, Value> } {
  const read = new Map<Variable, Value>();
  watchers.push(read);
  try {
    return { result: f(), read };
  } finally {
    watchers.splice(watchers.indexOf(read), 1);
  }
}
