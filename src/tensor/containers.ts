/** Nested lists and plain objects of tensors taken apart into leaves, and put together again with others in their places. */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { showShape } from '../types/shape.ts';
import { toTensor } from './convert.ts';
import { isPlainObject } from './scope.ts';
import { Tensor, wrap } from './tensor.ts';

/** What may hold tensors: a tensor, null, and lists and plain objects of them. */
export type Tree = Tensor | null | readonly Tree[] | { readonly [name: string]: Tree };

export interface Leaf {
  /** Where it stands: `h`, `[1]`, `state.c`; '' where the tree is the leaf. */
  readonly path: string;
  readonly value: Value;
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
      leaves.push({ path, value: toTensor(item as Tensor, `${what}${path && ` ${path}`}`, op).value });
      return { text: '*', build: (values) => wrap(values[at]) };
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

export function showLeaf({ path, value }: Leaf): string {
  return `${path === '' ? 'it' : path} is ${value.dtype}${showShape(value.shape)}`;
}
