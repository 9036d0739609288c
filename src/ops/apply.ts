/** Makes operations: the one place where a row's shape rule meets the graph. */
import { invariant } from '../base/errors.ts';
import type { Attrs, Value } from '../graph/graph.ts';
import { Operation } from '../graph/graph.ts';
import { checkCount } from '../types/shape.ts';
import { openBody } from './body.ts';
import { rowOf } from './table.ts';

/** Checks the inputs with the row's rule and makes an operation; its outputs. */
export function apply(kind: string, inputs: readonly Value[], attrs: Attrs = {}): readonly Value[] {
  const row = rowOf(kind);
  invariant(row.arity === 'variadic' || row.arity === inputs.length, `${kind} takes ${row.arity} inputs`);
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

/** apply for ops of one output. */
export function apply1(kind: string, inputs: readonly Value[], attrs: Attrs = {}): Value {
  return apply(kind, inputs, attrs)[0];
}
