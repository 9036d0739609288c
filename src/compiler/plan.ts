/** What fusion decides: which values are stored, and which group (one kernel or a few) computes them. Knows no loops. */
import type { Operation, Value } from '../graph/graph.ts';
import { rowOf } from '../ops/table.ts';

export interface Group {
  /** The operation whose loops the kernel has (reduce, contraction, point, pieces, kernel), or null: elementwise. */
  readonly anchor: Operation | null;
  /** Values to store, inputs before users. */
  roots: Value[];
  /** A window reduction that the anchor's kernel does behind its own result; the roots are then made of its outputs. */
  window?: Operation;
  /** Groups that one kernel does row by row, in this order; anchor is null then, and roots are those of all of them. */
  readonly members?: readonly Group[];
}

export interface Plan {
  readonly groups: Group[];
  /** Values that stand in a buffer: inputs of the program and roots of groups. Only bases (see baseOf). */
  readonly stored: ReadonlySet<Value>;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

export function tagOf(op: Operation) {
  return rowOf(op.kind).lowering.tag;
}

/** The value whose buffer `value` shares: reshapes of what is stored cost nothing. */
export function baseOf(value: Value): Value {
  let base = value;
  while (tagOf(base.op) === 'reshape') base = base.op.inputs[0];
  return base;
}

/** Says in a register's dtype what memory holds smaller: loading does that anyway. */
export function unpacks(op: Operation): boolean {
  const { lowering } = rowOf(op.kind);
  return lowering.tag === 'map' && (lowering.unpacks?.(op.inputs[0].dtype, op.outputs[0].dtype) ?? false);
}

/** The value whose elements, once loaded, are those of `value`: small in memory where that was cast to what registers hold. */
export function packedOf(value: Value): Value {
  let base = baseOf(value);
  while (unpacks(base.op)) base = baseOf(base.op.inputs[0]);
  return base;
}

/** May be computed wherever it is used: has no loops of its own. */
export function isInlineable(op: Operation): boolean {
  const tag = tagOf(op);
  return (
    tag === 'map' ||
    tag === 'view' ||
    tag === 'reshape' ||
    (tag === 'point' && op.inputs.length === 0) ||
    isConstant(op)
  );
}

export function isConstant(op: Operation): boolean {
  return tagOf(op) === 'source' && op.attrs.value !== undefined;
}
