/**
 * What the session keeps with a graph value: its data once computed, how many handles users hold of it, and where a plan left
 * it uncomputed. Decides when a value is dead. Knows nothing of programs.
 */
import type { Operation, Value } from '../graph/graph.ts';
import type { TensorData } from './memory.ts';

/** A plan computed the value on its way and kept nothing; `learn` tells it to keep it next time. */
export interface Dropped {
  learn(): void;
}

/** A parameter that gets its value only when its program runs. */
export interface Unfed {
  readonly op: string;
  readonly must: string;
  readonly came: string;
  readonly hint: string;
}

export class Cell {
  data: TensorData | null = null;
  /** Tensors and pins that refer to the value. */
  handles = 0;
  dropped: Dropped | null = null;
  /** For a parameter that has no value of its own: whose it is, as an error says it. */
  unfed: Unfed | null = null;
}

export function cellOf(value: Value): Cell {
  return (value.payload ??= new Cell()) as Cell;
}

/** Forgets a cell that says nothing, so that a value which only a rule wrote looks so. */
export function dropEmptyCell(value: Value): void {
  const cell = value.payload as Cell | null;
  if (cell && !cell.data && cell.handles === 0 && !cell.dropped && !cell.unfed) value.payload = null;
}

export function dataOf(value: Value): TensorData | null {
  return value.payload === null ? null : (value.payload as Cell).data;
}

export function hasData(value: Value): boolean {
  return value.payload !== null && (value.payload as Cell).data !== null;
}

/** While it is above 0 no operation forgets its inputs: something (a trace, a gradient) still walks them. */
let retaining = 0;
/** Computed or given up while retaining: to be looked at afterwards. */
let retained: Value[] = [];

/** Whether something walks the graph that is being written: a gradient, another transformation, a trace. */
export function isRetaining(): boolean {
  return retaining > 0;
}

/** Runs `f` with every operation keeping its inputs. */
export function retainingGraph<T>(f: () => T): T {
  retaining++;
  try {
    return f();
  } finally {
    if (--retaining === 0) {
      const values = retained;
      retained = [];
      for (const value of values) {
        if (!isDead(value) || !freeData(value)) severIfDone(value.op);
      }
    }
  }
}

/** Graph-mode operations stay whole: they are run again and again. */
const permanent = new WeakSet<Operation>();

export function makePermanent(operation: Operation): void {
  permanent.add(operation);
}

export function isPermanent(operation: Operation): boolean {
  return permanent.has(operation);
}

function isDead(value: Value): boolean {
  return value.uses === 0 && (value.payload === null || (value.payload as Cell).handles === 0);
}

/** Lets the operation forget its inputs where each output is computed or dead, and frees what nothing needs any more. */
export function severIfDone(operation: Operation): void {
  const stack = [operation];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const op = next;
    if (op.inputs.length === 0) continue;
    if (!op.outputs.every((value) => hasData(value) || isDead(value))) continue;
    if (permanent.has(op)) continue;
    if (retaining > 0) {
      op.depth = 0;
      retained.push(op.outputs[0]);
      continue;
    }
    const inputs = op.inputs;
    op.sever();
    for (const input of inputs) if (isDead(input) && !freeData(input)) stack.push(input.op);
  }
}

/** Releases the data of a dead value; false where it has none. */
function freeData(value: Value): boolean {
  const cell = value.payload as Cell | null;
  if (cell === null || cell.data === null) return false;
  const data = cell.data;
  cell.data = null;
  data.release();
  return true;
}

/** One handle less. The value's bytes go once no handle and no pending operation needs them. */
export function dropHandle(value: Value): void {
  const cell = cellOf(value);
  cell.handles--;
  if (!isDead(value)) return;
  // While something walks the graph a value may be held without a handle.
  if (retaining > 0) {
    retained.push(value);
    return;
  }
  if (!freeData(value)) severIfDone(value.op);
}
