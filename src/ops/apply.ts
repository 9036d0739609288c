/** Makes operations: the one place where a row's shape rule meets the graph. */
import { invariant } from '../base/errors.ts';
import type { Attrs, Value } from '../graph/graph.ts';
import { Operation } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { dtypes } from '../types/dtype.ts';
import { checkCount } from '../types/shape.ts';
import { openBody } from './body.ts';
import type { OpRow } from './row.ts';
import { rowOf } from './table.ts';
import { narrowed, needsWidening } from './widen.ts';

/** Checks the inputs with the row's rule and makes an operation; its outputs. */
export function apply(kind: string, inputs: readonly Value[], attrs: Attrs = {}): readonly Value[] {
  const row = rowOf(kind);
  invariant(row.arity === 'variadic' || row.arity === inputs.length, `${kind} takes ${row.arity} inputs`);
  if (needsWidening(row, inputs)) return applyWidened(kind, row, inputs, attrs);
  const types = row.infer(inputs, attrs);
  for (const { shape } of types) checkCount(kind, shape);
  const body = openBody();
  if (body === null) return new Operation(kind, inputs, attrs, types).outputs;
  const op = new Operation(
    kind,
    inputs.map((input) => body.admit(input)),
    attrs,
    types,
  );
  body.own(op);
  return op.outputs;
}

/** Computes in registers' dtypes what is smaller in memory. */
function applyWidened(kind: string, row: OpRow, inputs: readonly Value[], attrs: Attrs): readonly Value[] {
  const cast = (x: Value, dtype: DType) => (x.dtype === dtype ? x : apply1('cast', [x], { dtype }));
  const wide = inputs.map((x) => cast(x, dtypes[x.dtype].compute));
  const outputs = apply(kind, wide, attrs);
  const into = narrowed(row, inputs, outputs);
  return outputs.map((output, i) => cast(output, into[i]));
}

/** apply for ops of one output. */
export function apply1(kind: string, inputs: readonly Value[], attrs: Attrs = {}): Value {
  return apply(kind, inputs, attrs)[0];
}
