/**
 * The gradient of scan: a scan in the other direction. What the body's gradient needs of the body's own values is saved by the
 * forward scan, which is written anew with further ys; the compiler makes one loop of the two. Sums over time that are a
 * matrix product or a sum each step are one matrix product, or one sum, after the loop.
 */
import { invariant } from '../base/errors.ts';
import type { Operation, Value } from '../graph/graph.ts';
import { Operation as MakeOperation, topologicalOrder } from '../graph/graph.ts';
import { SubGraph } from '../graph/subgraph.ts';
import { apply } from './apply.ts';
import { Body, inBody } from './body.ts';
import { add, broadcastTo, parameter, zerosLike } from './build.ts';
import type { GradientContext } from './row.ts';
import type { ScanParts } from './scan.ts';
import { scanParts } from './scan.ts';
import { overTime } from './over-time.ts';
import { rowOf } from './table.ts';
import { isFloat } from '../types/dtype.ts';

/** The gradient of a body: values that read the body's own, and what they are given. */
interface Backward {
  readonly body: Body;
  /** For each result of the forward body, the parameter of its gradient; null where none flows. */
  readonly dys: readonly (Value | null)[];
  /** For each parameter of the forward body. */
  readonly dxs: readonly (Value | null)[];
}

function differentiateBody(context: GradientContext, parts: ScanParts, dys: readonly (Value | null)[]): Backward {
  const { body: graph, carries } = parts;
  const body = Body.of(graph);
  const flows = (result: Value, i: number) => isFloat(result.dtype) && (i < carries || dys[i] !== null);
  const given = graph.results.map((result, i) => (flows(result, i) ? body.param(result) : null));
  const dxs = inBody(body, () => {
    const ys = graph.results.filter((_, i) => given[i] !== null);
    const found = context.differentiate(
      ys,
      graph.params,
      given.filter((dy) => dy !== null),
    );
    return found.map((dx, i) => {
      const param = graph.params[i];
      return i < carries && isFloat(param.dtype) ? (dx ?? zerosLike(param)) : dx;
    });
  });
  return { body, dys: given, dxs };
}

/** Whether a value of the forward body is made again rather than saved: it costs nothing, or next to nothing. */
function isMadeAgain(op: Operation): boolean {
  const { tag } = rowOf(op.kind).lowering;
  return tag === 'view' || tag === 'reshape' || op.inputs.length === 0;
}

/** The parameters of a backward scan as they are found to be needed, and what is given for them. */
class Inputs {
  readonly carries: { readonly param: Value; readonly given: Value }[] = [];
  readonly xs: { readonly param: Value; readonly given: Value }[] = [];
  readonly invariants: { readonly param: Value; readonly given: Value }[] = [];
}

export function scanGradient(context: GradientContext, dys: readonly (Value | null)[]): (Value | null)[] {
  const parts = scanParts(context.attrs);
  const { body: graph, carries, xs, length, reverse } = parts;
  const backward = differentiateBody(context, parts, dys);
  const wanted = backward.dxs.filter((dx) => dx !== null);
  if (wanted.length === 0) return context.inputs.map(() => null);

  // Where the backward graph reads the forward one, it is cut.
  const params = new Map(graph.params.map((param, i) => [param, i]));
  const forward = new Set(graph.operations());
  const residuals: Value[] = [];
  const inputs = new Inputs();
  const inside = new Map<Value, Value>();
  const ask = (list: keyof Inputs, value: Value, given: () => Value): void => {
    if (inside.has(value)) return;
    const param = parameterOf(value);
    inside.set(value, param);
    inputs[list].push({ param, given: given() });
  };
  const outer = new Map([...backward.body.captured].map(([value, param]) => [param, value]));
  const dyOf = new Map(backward.dys.flatMap((dy, i) => (dy ? [[dy, i] as const] : [])));
  const saved = new Map<Value, number>();
  const isLeaf = (value: Value): boolean =>
    params.has(value) || dyOf.has(value) || outer.has(value) || (forward.has(value.op) && !isMadeAgain(value.op));

  // Gradients of carries come first, in the order of the carries.
  for (const [dy, i] of dyOf) {
    if (i < carries) ask('carries', dy, () => dys[i] ?? zerosLike(context.outputs[i]));
  }
  const leaves = new Set<Value>();
  const order = topologicalOrder(wanted, (value) => {
    if (isLeaf(value)) leaves.add(value);
    return isLeaf(value);
  });
  for (const leaf of leaves) {
    const place = params.get(leaf);
    const isInvariant = place !== undefined && place >= carries + xs;
    if (isInvariant || outer.has(leaf) || dyOf.has(leaf) || (place !== undefined && place >= carries)) continue;
    saved.set(leaf, graph.results.length + residuals.length);
    residuals.push(leaf);
  }
  const again =
    residuals.length === 0
      ? context.outputs
      : apply('scan', context.inputs, { ...context.attrs, body: graph.withResults([...graph.results, ...residuals]) });
  for (const leaf of leaves) {
    const place = params.get(leaf);
    const dy = dyOf.get(leaf);
    const slot = saved.get(leaf);
    if (slot !== undefined) ask('xs', leaf, () => again[slot]);
    else if (dy !== undefined) ask('xs', leaf, () => dys[dy] as Value);
    else if (place === undefined) ask('invariants', leaf, () => outer.get(leaf) as Value);
    else ask(place < carries + xs ? 'xs' : 'invariants', leaf, () => context.inputs[place]);
  }
  copyInto(inside, order);

  // What the loop gives: gradients of carries, those of xs, and what is summed over time.
  const results: Value[] = [];
  const dx = (i: number): Value | null => {
    const value = backward.dxs[i];
    return value === null ? null : (inside.get(value) as Value);
  };
  graph.params.forEach((_, i) => {
    if (i < carries && backward.dys[i]) results.push(dx(i) as Value);
  });
  const stackOf = new Map(inputs.xs.map(({ param, given }) => [param, given]));
  const invariantOf = new Map(inputs.invariants.map(({ param, given }) => [param, given]));
  const carryCount = results.length;
  const ys: Value[] = [];
  const sums: { readonly place: number; readonly finish: (stacks: (value: Value) => Value) => Value }[] = [];
  const accumulators: { readonly place: number; readonly param: Value }[] = [];
  const yOf = (value: Value): void => {
    if (!stackOf.has(value) && !invariantOf.has(value) && !ys.includes(value)) ys.push(value);
  };
  const dxPlaces: number[] = [];
  graph.params.forEach((param, i) => {
    const value = dx(i);
    if (value === null || i < carries) return;
    if (i < carries + xs) {
      yOf(value);
      dxPlaces.push(i);
      return;
    }
    const { hoisted, rest } = inBody(null, () => overTime(value));
    for (const term of hoisted) {
      term.reads.forEach(yOf);
      sums.push({ place: i, finish: term.finish });
    }
    if (rest === null) return;
    const sum = parameterOf(param);
    accumulators.push({ place: i, param: sum });
    inputs.carries.push({ param: sum, given: zerosLike(context.inputs[i]) });
    results.push(inBody(null, () => add(sum, rest)));
  });
  const made = new SubGraph(
    [...inputs.carries, ...inputs.xs, ...inputs.invariants].map(({ param }) => param),
    [...results, ...ys],
  );
  const outputs = apply(
    'scan',
    [...inputs.carries, ...inputs.xs, ...inputs.invariants].map(({ given }) => given),
    { body: made, length, reverse: !reverse, carries: inputs.carries.length, xs: inputs.xs.length },
  );
  const stacked = (value: Value): Value => {
    const invariantValue = invariantOf.get(value);
    if (invariantValue) return broadcastTo(invariantValue, [length, ...invariantValue.shape]);
    return stackOf.get(value) ?? outputs[results.length + ys.indexOf(value)];
  };

  const gradients: (Value | null)[] = graph.params.map(() => null);
  let next = 0;
  graph.params.forEach((_, i) => {
    if (i < carries && backward.dys[i]) gradients[i] = outputs[next++];
  });
  invariant(next === carryCount, 'every carry has its gradient');
  for (const i of dxPlaces) gradients[i] = stacked(dx(i) as Value);
  for (const { place } of accumulators) gradients[place] = outputs[next++];
  for (const { place, finish } of sums) {
    const term = finish(stacked);
    const known = gradients[place];
    gradients[place] = known ? add(known, term) : term;
  }
  return gradients;
}

function parameterOf({ dtype, shape }: Value): Value {
  return inBody(null, () => parameter(dtype, shape));
}

/** Copies operations, with what `inside` has for what they read. */
function copyInto(inside: Map<Value, Value>, order: readonly Operation[]): void {
  for (const op of order) {
    const copy = new MakeOperation(
      op.kind,
      op.inputs.map((input) => inside.get(input) as Value),
      op.attrs,
      op.outputs,
    );
    op.outputs.forEach((output, i) => {
      if (!inside.has(output)) inside.set(output, copy.outputs[i]);
    });
  }
}
