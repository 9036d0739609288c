/** Arguments of transformed functions: nested lists and plain objects in which tensors, or what counts as one, stand. */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { toTensor } from './convert.ts';
import { mapTensors } from './places.ts';
import { isPlainObject } from './scope.ts';
import { Tensor } from './tensor.ts';
import type { TensorLike } from './types.ts';

/** A typed array, or nested lists of numbers or booleans: what tf.tensor would take, and no list of tensors. */
export function isNumericArray(item: unknown): item is TensorLike {
  if (ArrayBuffer.isView(item)) return !(item instanceof DataView);
  let first: unknown = item;
  while (Array.isArray(first) && first.length > 0) first = first[0];
  return Array.isArray(item) && (typeof first === 'number' || typeof first === 'boolean' || ArrayBuffer.isView(first));
}

/** The same structure with tensors in the places of numeric arrays, and of single numbers if asked for. */
export function withTensors(item: unknown, op: string, name: string, numbersToo: boolean): unknown {
  if (item instanceof Tensor) {
    item.throwIfDisposed(op);
    return item;
  }
  if (isNumericArray(item) || (numbersToo && typeof item === 'number')) return toTensor(item, name, op);
  if (Array.isArray(item)) return item.map((part, i) => withTensors(part, op, `${name}[${i}]`, numbersToo));
  if (!isPlainObject(item)) return item;
  return Object.fromEntries(
    Object.entries(item).map(([key, part]) => [key, withTensors(part, op, `${name}.${key}`, numbersToo)]),
  );
}

/** All tensors of a structure in order, one that stands in several places several times. */
export function tensorsOf(item: unknown): Tensor[] {
  const found: Tensor[] = [];
  const note = (tensor: Tensor) => found.push(tensor);
  mapTensors(item, note, note);
  return found;
}

/** Goes through `item` along the structure of `template`: one tensor for each of its tensors, null where null stands. */
export function tensorsLike(template: unknown, item: unknown, op: string, name: string): (Tensor | null)[] {
  const refuse = (must: string): never => fail(op, must, `got ${describe(item)}`, 'null stands for zeros');
  if (template instanceof Tensor) {
    return [item === null || item === undefined ? null : toTensor(item as Tensor, name, op)];
  }
  if (item === null || item === undefined) return tensorsOf(template).map(() => null);
  if (Array.isArray(template)) {
    if (!Array.isArray(item) || item.length !== template.length) {
      return refuse(`${name} must be a list of ${template.length}`);
    }
    return template.flatMap((part, i) => tensorsLike(part, item[i], op, `${name}[${i}]`));
  }
  if (!isPlainObject(template)) return [];
  if (!isPlainObject(item)) return refuse(`${name} must be an object with ${Object.keys(template).join(', ')}`);
  return Object.entries(template).flatMap(([key, part]) => tensorsLike(part, item[key], op, `${name}.${key}`));
}

function describe(item: unknown): string {
  if (item instanceof Tensor) return `a tensor of shape [${item.shape}]`;
  if (Array.isArray(item)) return `a list of ${item.length}`;
  return typeof item;
}

export function valuesOf(item: unknown): Value[] {
  return tensorsOf(item).map((tensor) => tensor.value);
}

/** The structure with something else in the place of each tensor, variables too. */
export function replaceTensors(item: unknown, by: (tensor: Tensor, index: number) => unknown): unknown {
  let index = 0;
  const next = (tensor: Tensor) => by(tensor, index++);
  return mapTensors(item, next, next);
}

export function checkFunction(op: string, f: unknown): void {
  if (typeof f !== 'function') fail(op, 'a function must be given', `got ${typeof f}`);
}

/** Refuses what no transformed function may return. */
export function checkReturned(op: string, returned: unknown): void {
  if (returned instanceof Promise) {
    returned.catch(() => undefined);
    fail(op, 'the function must not be asynchronous', 'it returned a promise', 'await what it needs before the call');
  }
  if (tensorsOf(returned).length === 0) {
    const came = returned === null ? 'null' : Array.isArray(returned) ? 'a list without tensors' : typeof returned;
    fail(op, 'the function must return a tensor, or a list or object of tensors', `it returned ${came}`);
  }
}
