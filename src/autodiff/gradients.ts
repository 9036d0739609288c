/**
 * Reverse-mode differentiation as a graph transformation: from the graph of ys to a graph of dys/dxs. Each op's rule stands in
 * its row and is written in ops, so gradients can be differentiated again. Knows no op by name and no tensor.
 */
import { fail, invariant } from '../base/errors.ts';
import type { Operation, Value } from '../graph/graph.ts';
import { admit } from '../ops/body.ts';
import { add, onesLike } from '../ops/build.ts';
import { customGradientOf } from '../ops/custom.ts';
import { rowOf } from '../ops/table.ts';
import { sameShape, showShape } from '../types/shape.ts';
import { severUnread } from './unread.ts';
import { isFloat } from '../types/dtype.ts';

/** Through what an op's gradient flows: its inputs, or what a custom gradient names instead. */
function sources(op: Operation): readonly Value[] {
  return customGradientOf(op)?.inputs ?? op.inputs;
}

/** Operations behind `values`, sources before users. */
function reachable(values: readonly Value[]): Operation[] {
  const order: Operation[] = [];
  const seen = new Set<Operation>();
  const stack: { op: Operation; next: number }[] = [];
  const enter = (op: Operation) => {
    if (seen.has(op)) return;
    seen.add(op);
    stack.push({ op, next: 0 });
  };
  for (const value of values) {
    enter(value.op);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const from = sources(top.op);
      if (top.next < from.length) enter(from[top.next++].op);
      else {
        order.push(top.op);
        stack.pop();
      }
    }
  }
  return order;
}

/** Values of `order` that depend on any of `xs`, and xs themselves. */
function dependents(order: readonly Operation[], xs: readonly Value[]): Set<Value> {
  const found = new Set<Value>(xs);
  for (const op of order) {
    if (sources(op).some((source) => found.has(source))) for (const output of op.outputs) found.add(output);
  }
  return found;
}

/** Gradients of an op's sources. What its rule wants to be let go of is added to `written`. */
function pullBack(op: Operation, dys: readonly (Value | null)[], written: Value[]): readonly (Value | null)[] {
  const custom = customGradientOf(op);
  if (custom) {
    const dxs = custom.backward(dys);
    if (dxs.length !== custom.inputs.length) {
      fail(
        'customGrad',
        'the gradient function must return one gradient for each input',
        `got ${dxs.length} for ${custom.inputs.length}`,
      );
    }
    return dxs;
  }
  const row = rowOf(op.kind);
  if (row.gradient === 'constant') return [];
  const forget = (values: readonly Value[]) => void written.push(...values);
  return row.gradient(
    { inputs: op.inputs, outputs: op.outputs, attrs: op.attrs, differentiate: gradients, forget },
    dys,
  );
}

function startWith(ys: readonly Value[], dys: readonly (Value | null)[] | undefined): Map<Value, Value> {
  const grads = new Map<Value, Value>();
  for (const [i, y] of ys.entries()) {
    if (!isFloat(y.dtype)) {
      fail(
        'gradients',
        'what is differentiated must be float32, or another float',
        `got ${y.dtype}${showShape(y.shape)}`,
        'use cast',
      );
    }
    const dy = dys?.[i] ?? onesLike(y);
    if (!sameShape(dy.shape, y.shape)) {
      fail(
        'gradients',
        'dy must have the shape of y',
        `got ${showShape(dy.shape)} for ${showShape(y.shape)}`,
        'broadcastTo or reshape it',
      );
    }
    const known = grads.get(y);
    grads.set(y, known ? add(known, dy) : dy);
  }
  return grads;
}

/**
 * d(sum of ys . dys) / dx for each x; null where no y depends on it, and for integers. dys are ones by default.
 */
export function gradients(
  outputs: readonly Value[],
  inputs: readonly Value[],
  dys?: readonly (Value | null)[],
): (Value | null)[] {
  // Inside of a body, what comes from outside is its parameters.
  const [ys, xs] = [outputs.map(admit), inputs.map(admit)];
  const order = reachable(ys);
  const wanted = dependents(order, xs);
  const newest = Math.max(0, ...[...ys, ...xs].map((value) => value.op.id), ...(dys ?? []).map((dy) => dy?.op.id ?? 0));
  const grads = startWith(ys, dys);
  const unused: Value[] = [];
  const ahead = new Set(order);
  for (const op of order.reverse()) {
    ahead.delete(op);
    const into = sources(op);
    if (!into.some((source) => wanted.has(source))) continue;
    const outputs = customGradientOf(op)?.outputs ?? op.outputs;
    // Outputs that share a custom gradient wait for the last of them.
    if (outputs.some((output) => ahead.has(output.op))) continue;
    const outs = outputs.map((output) => grads.get(output) ?? null);
    if (outs.every((dy) => dy === null)) continue;
    for (const [i, dx] of pullBack(op, outs, unused).entries()) {
      if (dx === null) continue;
      const source = into[i];
      if (!wanted.has(source) || !isFloat(source.dtype)) {
        unused.push(dx);
        continue;
      }
      invariant(
        sameShape(dx.shape, source.shape) && dx.dtype === source.dtype,
        `the gradient of ${op.kind} for input ${i} has type ${dx.dtype}${showShape(dx.shape)}, not that of the input, ${source.dtype}${showShape(source.shape)}`,
      );
      const known = grads.get(source);
      grads.set(source, known ? add(known, dx) : dx);
    }
  }
  const results = xs.map((x) => (isFloat(x.dtype) ? (grads.get(x) ?? null) : null));
  severUnread([...unused, ...grads.values()], new Set(results.filter((value) => value !== null)), newest);
  return results;
}
