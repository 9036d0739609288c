/**
 * What new operations are part of: by default the implicit graph of eager code; inside jit a trace; inside a Graph, that graph.
 * A recorder stands between variables and their values there. Knows no tensors.
 */
import type { Value } from '../graph/graph.ts';
import { inBody } from '../ops/body.ts';
import type { DataType } from './types.ts';
import type { Variable } from './variable.ts';

export interface Recorder {
  readonly kind: 'jit' | 'graph' | 'body';
  /** The variable's value as an operation of this graph sees it. */
  readVariable(variable: Variable): Value;
  assignVariable(variable: Variable, value: Value): void;
  /** The variable moves on by itself with each run that reads it. */
  advanceVariable(variable: Variable, value: Value): void;
  /** Inside of a loop: the number of the iteration. */
  iteration?(): Value;
  /** Inside of a loop or a branch: runs `f` as if it stood before the operation. */
  outside?<T>(f: () => T): T;
  /** Told of every value that becomes a tensor. */
  record(value: Value, dtype: DataType): void;
}

let active: Recorder | null = null;

export function recorder(): Recorder | null {
  return active;
}

/** Whether operations are being recorded into a program (jit, a Graph, a loop's body): no value can be read then. */
export function isTracing(): boolean {
  return active !== null;
}

/** Runs `f` with another recorder; null is eager code. */
export function withRecorder<T>(next: Recorder | null, f: () => T): T {
  const previous = active;
  active = next;
  try {
    return f();
  } finally {
    active = previous;
  }
}

let standingIn: string | null = null;

/** The transformation whose function runs on stand-ins of its arguments (vmap), if one does: nothing can be computed then. */
export function onStandInsOf(): string | null {
  return standingIn;
}

export function onStandIns<T>(transformation: string, f: () => T): T {
  const outer = standingIn;
  standingIn = transformation;
  try {
    return f();
  } finally {
    standingIn = outer;
  }
}

/** Runs `f` eagerly even inside jit or a Graph: for initial values and other things that are computed once. */
export function eagerly<T>(f: () => T): T {
  return withRecorder(null, () => inBody(null, f));
}
