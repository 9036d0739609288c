/** Nested lists and plain objects of tensors taken apart into leaves, and put together again with others in their places. */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { showShape } from '../types/shape.ts';
import { toTensor } from './convert.ts';
import { isPlainObject } from './scope.ts';
import { Tensor, wrap } from './tensor.ts';
import type { DataType } from './types.ts';

/** What may hold tensors: a tensor, null, and lists and plain objects of them. */
export type Tree = Tensor | null | readonly Tree[] | { readonly [name: string]: Tree };

export interface Leaf {
  /** Where it stands: `h`, `[1]`, `state.c`; '' where the tree is the leaf. */
  readonly path: string;
  readonly value: Value;
  readonly dtype: DataType;
}

export interface Flat {
  readonly leaves: readonly Leaf[];
  /** Equal for trees of one structure. */
  readonly structure: string;
  build(values: readonly Value[]): unknown;
}

/** Takes a tree apart. */
export function flatten(op: string, what: string, tree: unknown): Flat {
  const leaves: Leaf[] = [];
  const visit = (item: unknown, path: string): { text: string; build(values: readonly Value[]): unknown } => {
    if (item === null || item === undefined) return { text: '-', build: () => null };
    if (item instanceof Tensor || typeof item === 'number' || typeof item === 'boolean' || ArrayBuffer.isView(item)) {
      const at = leaves.length;
      const { value, dtype } = toTensor(item as Tensor, `${what}${path && ` ${path}`}`, op);
      leaves.push({ path, value, dtype });
      return { text: dtype === 'complex64' ? 'z' : '*', build: (values) => wrap(values[at], dtype) };
    }
    if (Array.isArray(item)) {
      const parts = item.map((part, i) => visit(part, `${path}[${i}]`));
      const text = `[${parts.map((part) => part.text).join()}]`;
      return { text, build: (values) => parts.map((part) => part.build(values)) };
    }
    if (isPlainObject(item)) {
      const names = Object.keys(item).sort();
      const parts = names.map((name) => visit(item[name], path === '' ? name : `${path}.${name}`));
      const text = `{${names.map((name, i) => `${name}:${parts[i].text}`).join()}}`;
      return { text, build: (values) => Object.fromEntries(names.map((name, i) => [name, parts[i].build(values)])) };
    }
    return fail(
      op,
      `${what} must be a tensor, or lists and plain objects of tensors`,
      `got ${typeof item === 'object' ? item.constructor?.name : typeof item}${path && ` at ${path}`}`,
    );
  };
  const { text, build } = visit(tree, '');
  return { leaves, structure: text, build };
}

export function showLeaf({ path, value, dtype }: Leaf): string {
  const shape = dtype === 'complex64' ? value.shape.slice(1) : value.shape;
  return `${path === '' ? 'it' : path} is ${dtype}${showShape(shape)}`;
}

/** Refuses complex64 where a first axis is cut or made: of its value that is the axis of the two planes. */
export function refuseComplexLeaves(op: string, what: string, { leaves }: Flat): void {
  const found = leaves.find(({ dtype }) => dtype === 'complex64');
  if (found) fail(op, `${what} must hold real numbers`, showLeaf(found), 'split it into tf.real and tf.imag');
}
