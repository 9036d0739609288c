/**
 * The structure of a pending graph as a string: kinds, attributes, types and topology, with the operations numbered in
 * order. Two graphs of one structure run the same program. Numbers that vary from call to call are lifted out: they become
 * inputs, so that a learning rate that decays does not compile a program for each of its values.
 */
import type { Operation, Value } from '../graph/graph.ts';
import { showAttrs } from '../graph/subgraph.ts';
import { elementOf, newArray } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { cellOf, hasData } from './cell.ts';
import { uploadData } from './memory.ts';

export interface Structure {
  readonly key: string;
  /** Operations without the lifted constants, inputs before users. */
  readonly operations: readonly Operation[];
  readonly ordinals: ReadonlyMap<Operation, number>;
  /** Values with data that the operations read, in order of first use. */
  readonly inputs: readonly Value[];
  /** How often the operations themselves read each computed value. */
  readonly inner: ReadonlyMap<Value, number>;
}

/** Constants that the compiler should know: they simplify away, or say what is meant (1 - x, 0.5 * x, x ** 2). */
function isBaked(value: number): boolean {
  return value === 0 || value === 1 || value === -1 || value === 2 || value === 0.5 || !Number.isFinite(value);
}

export function showType(value: { readonly dtype: string; readonly shape: Shape }): string {
  return `${value.dtype}[${value.shape.join()}]`;
}

/** Gives a constant its own data, as if it had been uploaded. */
export function liftConstant(value: Value, counted = false): void {
  const cell = cellOf(value);
  if (cell.data) return;
  const number = value.op.attrs.value as number;
  const element = newArray(value.dtype, 1);
  element[0] = elementOf(value.dtype, number);
  cell.data = uploadData(value.dtype, element, counted);
}

/** Numbers the operations of `order` and writes their structure down. */
export function structureOf(order: readonly Operation[]): Structure {
  const operations: Operation[] = [];
  const ordinals = new Map<Operation, number>();
  const inputs = new Map<Value, number>();
  const inner = new Map<Value, number>();
  let key = '';
  for (const operation of order) {
    if (operation.kind === 'constant' && !isBaked(operation.attrs.value as number)) {
      liftConstant(operation.outputs[0]);
      continue;
    }
    key += `${operation.kind}(`;
    for (const input of operation.inputs) {
      const ordinal = hasData(input) ? undefined : ordinals.get(input.op);
      if (ordinal !== undefined) {
        key += input.index === 0 ? `${ordinal},` : `${ordinal}.${input.index},`;
        inner.set(input, (inner.get(input) ?? 0) + 1);
        continue;
      }
      const known = inputs.get(input);
      if (known === undefined) {
        key += `#${showType(input)},`;
        inputs.set(input, inputs.size);
      } else key += `#${known},`;
    }
    key += `)${showAttrs(operation.attrs)}\n`;
    ordinals.set(operation, operations.length);
    operations.push(operation);
  }
  return { key, operations, ordinals, inputs: [...inputs.keys()], inner };
}
