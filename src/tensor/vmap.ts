/** vmap: a function of one element as a function of a stack of elements, over axes of choice; on top of autodiff/vmap.ts. */
import { Stack } from '../autodiff/vmap.ts';
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { transpose } from '../ops/build.ts';
import { showShape } from '../types/shape.ts';
import { cellOf, retainingGraph } from './cell.ts';
import { onStandIns } from './context.ts';
import { parameter } from './plan.ts';
import { isPlainObject, tidy } from './scope.ts';
import { Tensor, wrap } from './tensor.ts';
import { checkFunction, checkReturned, withTensors } from './trees.ts';
import type { TensorContainer, TensorLike } from './types.ts';

/** An axis (negative counts from the last), null for what all elements share, or one for each part of a list or an object. */
export type Axes = number | null | readonly Axes[] | { readonly [name: string]: Axes };

export interface VmapOptions {
  /** Which axis of each argument is the stack: one for all, or one for each argument. 0 by default. */
  readonly inAxes?: Axes;
  /** Where the stack stands in the results. 0 by default; null where a result is the same for all elements. */
  readonly outAxes?: Axes;
}

/** What a mapped function takes, or gives, in the place of T: tensors of another rank. */
export type Stacked<T> = [Extract<T, Tensor>] extends [never]
  ? T extends readonly unknown[] | { readonly [name: string]: unknown }
    ? { [K in keyof T]: Stacked<T[K]> }
    : T
  : Tensor | TensorLike;
export type StackedResult<T> = [Extract<T, Tensor>] extends [never]
  ? T extends readonly unknown[] | { readonly [name: string]: unknown }
    ? { [K in keyof T]: StackedResult<T[K]> }
    : T
  : Tensor;

const OP = 'vmap';

/** Calls visit for each tensor with the axis that `axes` has for it. */
function eachLeaf(
  item: unknown,
  axes: Axes,
  where: string,
  visit: (tensor: Tensor, axis: number | null, where: string) => unknown,
): unknown {
  if (item instanceof Tensor) {
    if (axes !== null && typeof axes !== 'number') {
      fail(OP, `the axis of ${where} must be a number or null`, `got ${JSON.stringify(axes)}`);
    }
    return visit(item, axes, where);
  }
  const parts = Array.isArray(item)
    ? item.map((part, i) => [i, part] as const)
    : isPlainObject(item)
      ? Object.entries(item)
      : null;
  if (parts === null) return item;
  const spread = axes === null || typeof axes === 'number';
  if (!spread && Array.isArray(axes) !== Array.isArray(item)) {
    fail(OP, `the axes of ${where} must have its structure`, `got ${JSON.stringify(axes)}`);
  }
  if (!spread && Array.isArray(axes) && axes.length !== parts.length) {
    fail(OP, `there must be one axis for each part of ${where}`, `got ${axes.length} axes for ${parts.length} parts`);
  }
  const results = parts.map(([key, part]) => {
    const own = spread ? axes : (axes as { readonly [key: string]: Axes | undefined })[key];
    if (own === undefined)
      fail(OP, `the axes of ${where} must have its structure`, `'${key}' is missing`, 'null shares it');
    return [key, eachLeaf(part, own, `${where}${typeof key === 'number' ? `[${key}]` : `.${key}`}`, visit)] as const;
  });
  return Array.isArray(item) ? results.map(([, result]) => result) : Object.fromEntries(results);
}

function normalAxis(axis: number, rank: number, where: string, shape: readonly number[]): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(axis) && normal >= 0 && normal < rank) return normal;
  fail(
    OP,
    `the axis of ${where} must be an integer in [${-rank}, ${rank - 1}]`,
    `got ${axis} for shape ${showShape(shape)}`,
    rank === 0 ? 'share a scalar among all elements with the axis null' : undefined,
  );
}

/** Axes of the value in front of those of the tensor: the planes of complex64. */
function leadOf(tensor: Tensor): number {
  return tensor.value.shape.length - tensor.rank;
}

/** x with axis `from` moved to place `to`. */
function moveAxis(x: Value, from: number, to: number): Value {
  const perm = x.shape.map((_, axis) => axis);
  perm.splice(to, 0, ...perm.splice(from, 1));
  return transpose(x, perm);
}

interface Element {
  readonly stack: Stack;
  /** The arguments for one element. */
  readonly args: unknown;
}

/** Parameters in the places of what is mapped. */
function oneElement(args: readonly unknown[], inAxes: Axes): Element {
  const mapped: { tensor: Tensor; axis: number; where: string }[] = [];
  const axes = Array.isArray(inAxes) || inAxes === null || typeof inAxes === 'number' ? inAxes : [inAxes];
  eachLeaf(args, axes, 'args', (tensor, axis, where) => {
    if (axis !== null) mapped.push({ tensor, axis: normalAxis(axis, tensor.rank, where, tensor.shape), where });
  });
  if (mapped.length === 0) {
    fail(
      OP,
      'at least one argument must be mapped',
      `got ${args.length} arguments, none with an axis`,
      'give inAxes a number',
    );
  }
  const [first] = mapped;
  const size = first.tensor.shape[first.axis];
  for (const { tensor, axis, where } of mapped) {
    if (tensor.shape[axis] === size) continue;
    fail(
      OP,
      'the mapped axes must have one extent',
      `axis ${first.axis} of ${first.where}, shape ${showShape(first.tensor.shape)}, has ${size} and axis ${axis} of ${where}, shape ${showShape(tensor.shape)}, has ${tensor.shape[axis]}`,
      'inAxes says which axis is mapped, null none',
    );
  }
  const stack = new Stack(size);
  const inner = eachLeaf(args, axes, 'args', (tensor, axis, where) => {
    if (axis === null) return tensor;
    const at = normalAxis(axis, tensor.rank, where, tensor.shape);
    const { value } = tensor;
    const place = at + leadOf(tensor);
    const shape = value.shape.toSpliced(place, 1);
    const param = parameter({ dtype: value.dtype, shape }, where);
    cellOf(param).unfed = {
      op: OP,
      must: 'a value that depends on a mapped argument is not known: the function runs once for all elements',
      came: `it depends on ${where}`,
      hint: 'return it from the function and read it outside',
    };
    stack.give(param, moveAxis(value, place, 0));
    return wrap(param, tensor.dtype);
  });
  return { stack, args: inner };
}

function stackResults(returned: unknown, stack: Stack, outAxes: Axes): unknown {
  return eachLeaf(returned, outAxes, 'the result', (tensor, axis, where) => {
    const { value } = tensor;
    if (axis === null) {
      const [stacked] = stack.of([value]);
      if (stacked === null) return wrap(value, tensor.dtype);
      fail(
        OP,
        `${where} has the axis null, so it must not depend on what is mapped`,
        'it does',
        'give outAxes a number',
      );
    }
    const [stacked] = stack.all([value]);
    const lead = leadOf(tensor);
    const at = normalAxis(axis, stacked.shape.length - lead, where, stacked.shape.slice(lead));
    return wrap(moveAxis(stacked, 0, at + lead), tensor.dtype);
  });
}

/**
 * Vectorises f: vmap(f)(xs)[i] = f(xs[i]), computed for all i at once by ops on the whole stack, not by a loop. Arguments may be
 * tensors, tensor-likes, and lists and plain objects of them; everything else, and what has the axis null, is the same for all
 * elements, as are the tensors that f closes over. It nests, and stands under and over grad, jvp, jit and checkpoint. f must
 * not read values, and not assign variables. Random ops in f draw once for all elements, unless they are given stacked keys.
 */
export function vmap<A extends readonly unknown[], T>(
  f: (...args: A) => T,
  options: VmapOptions = {},
): (...args: { [K in keyof A]: Stacked<A[K]> }) => StackedResult<T> {
  checkFunction(OP, f);
  const { inAxes = 0, outAxes = 0 } = options;
  return (...given) =>
    tidy(() =>
      retainingGraph(() => {
        const args = given.map((arg, i) => withTensors(arg, OP, `args[${i}]`, false));
        const { stack, args: inner } = oneElement(args, inAxes);
        const returned = onStandIns(OP, () => f(...(inner as unknown as A)));
        checkReturned(OP, returned);
        return stackResults(returned, stack, outAxes) as TensorContainer;
      }),
    ) as StackedResult<T>;
}
