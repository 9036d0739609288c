/**
 * How an op runs on a stack of inputs, which is what vmap asks a row: the words that most rows use, and makers of the rules that
 * differ only in which attributes speak of axes. Rules give values with the new axis in front. Knows no op by name.
 */
import { invariant } from '../base/errors.ts';
import type { Attr, Attrs, Value } from '../graph/graph.ts';
import type { TensorType } from '../types/shape.ts';
import { apply } from './apply.ts';
import { broadcastTo, reshape } from './build-movement.ts';

/** What a batching rule is given. `size` is at least 1: an empty stack never reaches a rule. */
export interface BatchingContext {
  readonly kind: string;
  readonly attrs: Attrs;
  /** The op's inputs; those that are batched have the new axis, of extent `size`, in front. At least one is. */
  readonly inputs: readonly Value[];
  readonly batched: readonly boolean[];
  readonly size: number;
  /** The outputs that the op has for one element of the stack. */
  readonly outputs: readonly TensorType[];
  /**
   * For ops that carry graphs (loops, branches): `values` of such a graph for the stack, where each key of `given` is a value in
   * it and its entry what that is for the stack, [size, ...]. null for a value that depends on none of them.
   */
  stackGraph(values: readonly Value[], given: ReadonlyMap<Value, Value>): (Value | null)[];
}

/** The outputs for the whole stack, each with the new axis in front. */
export type BatchingRule = (context: BatchingContext) => readonly Value[];

/**
 * - 'elementwise': inputs and outputs have one shape and no attribute speaks of axes. Inputs that are not batched are repeated.
 * - 'leading': inputs and outputs may have any number of further axes in front (all inputs the same), and no attribute
 *   speaks of those or counts axes from the front: [..., m, k] x [..., k, n]. Inputs that are not batched are repeated.
 * - 'none': the op has no inputs, so there is nothing to be batched.
 * - a rule, for all else. See shiftedAxes, withLeadingEntry, foldedFirst, oneByOne.
 */
export type Batching = 'elementwise' | 'leading' | 'none' | BatchingRule;

/** Input i with the new axis in front: repeated (a view, which costs nothing) if it is not batched. */
export function stacked({ inputs, batched, size }: BatchingContext, i: number): Value {
  return batched[i] ? inputs[i] : broadcastTo(inputs[i], [size, ...inputs[i].shape]);
}

/** The op on stacked inputs, with other attributes. */
export function stackedApply(context: BatchingContext, attrs: Attrs = context.attrs): readonly Value[] {
  return apply(
    context.kind,
    context.inputs.map((_, i) => stacked(context, i)),
    attrs,
  );
}

function changed(attrs: Attrs, names: readonly string[], change: (value: Attr) => Attr): Attrs {
  return { ...attrs, ...Object.fromEntries(names.map((name) => [name, change(attrs[name])])) };
}

/** The op takes tensors of any rank; the named attributes hold an axis, or a list of axes, counted from the front. */
export function shiftedAxes(...names: readonly string[]): BatchingRule {
  const shift = (value: Attr): Attr => {
    if (typeof value === 'number') return value + 1;
    invariant(Array.isArray(value), `an attribute with axes must be a number or a list, got ${JSON.stringify(value)}`);
    return value.map(shift);
  };
  return (context) => stackedApply(context, changed(context.attrs, names, shift));
}

/** The op takes tensors of any rank; the named attributes have one entry for each axis, and get `entry` for the new one. */
export function withLeadingEntry(entries: { readonly [name: string]: (size: number) => Attr }): BatchingRule {
  return (context) => {
    const attrs = { ...context.attrs };
    for (const [name, entry] of Object.entries(entries)) {
      const list = attrs[name];
      invariant(Array.isArray(list), `attribute ${name} must be a list, got ${JSON.stringify(list)}`);
      attrs[name] = [entry(context.size), ...(list as readonly Attr[])];
    }
    return stackedApply(context, attrs);
  };
}

/** [size, n, ...] as [size * n, ...]. */
export function foldFirst(x: Value): Value {
  const [size, n, ...rest] = x.shape;
  return reshape(x, [size * n, ...rest]);
}

/**
 * The first axis of all inputs and outputs is a batch axis of the op, whose elements do not see each other: the new axis is
 * merged into it. The named attributes are shapes that begin with it.
 */
export function foldedFirst(...shapes: readonly string[]): BatchingRule {
  return (context) => {
    const { size, kind, inputs, outputs } = context;
    const grow = (value: Attr): Attr => {
      invariant(Array.isArray(value), `an attribute with a shape must be a list, got ${JSON.stringify(value)}`);
      return [(value[0] as number) * size, ...(value.slice(1) as readonly Attr[])];
    };
    const merged = inputs.map((_, i) => foldFirst(stacked(context, i)));
    const results = apply(kind, merged, changed(context.attrs, shapes, grow));
    return results.map((y, i) => reshape(y, [size, ...outputs[i].shape]));
  };
}

/**
 * One element after the other, for ops that have nothing better: right for every op, at the price of `size` operations.
 */
export function oneByOne({ kind, attrs, inputs, batched, size, outputs }: BatchingContext): readonly Value[] {
  const element = (x: Value, i: number): Value => {
    const rank = x.shape.length;
    const begin = new Array<number>(rank).fill(0).with(0, i);
    const row = apply('slice', [x], { begin, size: x.shape.with(0, 1), strides: new Array<number>(rank).fill(1) })[0];
    return reshape(row, x.shape.slice(1));
  };
  const runs = Array.from({ length: size }, (_, i) =>
    apply(
      kind,
      inputs.map((x, k) => (batched[k] ? element(x, i) : x)),
      attrs,
    ),
  );
  return outputs.map(
    ({ shape }, k) =>
      apply(
        'concat',
        runs.map((ys) => reshape(ys[k], [1, ...shape])),
        { axis: 0 },
      )[0],
  );
}
