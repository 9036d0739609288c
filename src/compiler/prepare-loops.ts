/**
 * Loops before they are planned: two scans over the same inputs become one (a gradient asks the forward loop for more than it
 * gave), what nobody reads is not computed, and each carry gets a first value of its own, since the loop will overwrite it.
 */
import type { Operation as Op, Value } from '../graph/graph.ts';
import { Operation, topologicalOrder } from '../graph/graph.ts';
import { SubGraph } from '../graph/subgraph.ts';
import { apply1 } from '../ops/apply.ts';
import { constant, parameter } from '../ops/build.ts';
import type { LoopLowering } from '../ops/lowering.ts';
import { rowOf } from '../ops/table.ts';
import { scalarOf } from './simplify.ts';

export function loopsOf(op: Op): readonly LoopLowering[] | null {
  const { lowering } = rowOf(op.kind);
  return lowering.tag === 'loops' ? lowering.loops(op.attrs) : null;
}

/** The outputs with every loop in the form in which it is lowered. */
export function prepareLoops(outputs: readonly Value[], inputs: readonly Value[]): readonly Value[] {
  const given = new Set(inputs);
  const order = (values: readonly Value[]) => topologicalOrder(values, (value) => given.has(value));
  if (!order(outputs).some((op) => loopsOf(op))) return outputs;
  let now = rewrite(outputs, given, mergeScans(order(outputs)));
  // What one loop no longer asks for, another one need not give.
  for (let changed = true; changed; ) {
    changed = false;
    const read = new Set(now);
    for (const op of order(now)) for (const input of op.inputs) read.add(input);
    now = rewrite(now, given, (op, operands) => {
      const better = inlineConstants(op, operands) ?? prune(op, operands, read);
      changed ||= better !== null;
      return better;
    });
  }
  return rewrite(now, given, ownCarries);
}

type Rewrite = (op: Op, operands: readonly Value[]) => readonly Value[] | null;

/** A copy of the graph in which `rule` has its way; null leaves an operation as it is. */
function rewrite(outputs: readonly Value[], given: ReadonlySet<Value>, rule: Rewrite): Value[] {
  const mapped = new Map<Value, Value>();
  const of = (value: Value) => mapped.get(value) ?? value;
  for (const op of topologicalOrder(outputs, (value) => given.has(value))) {
    const operands = op.inputs.map(of);
    let results = rule(op, operands);
    if (results === null && operands.some((x, i) => x !== op.inputs[i])) {
      const copy = new Operation(op.kind, operands, op.attrs, op.outputs);
      copy.name = op.name;
      results = copy.outputs;
    }
    results?.forEach((result, i) => mapped.set(op.outputs[i], result));
  }
  return outputs.map(of);
}

/** Scans over the same inputs, whose bodies have the same parameters, as one. */
function mergeScans(order: readonly Op[]): Rewrite {
  const groups = new Map<string, Op[]>();
  const params = new Map<readonly Value[], number>();
  for (const op of order) {
    const { body } = op.attrs;
    if (!loopsOf(op) || !(body instanceof SubGraph) || op.attrs.length === undefined) continue;
    if (!params.has(body.params)) params.set(body.params, params.size);
    const { length, reverse } = op.attrs;
    const key = `${params.get(body.params)}|${length}|${reverse}|${op.inputs.map((x) => `${x.op.id}.${x.index}`)}`;
    groups.set(key, [...(groups.get(key) ?? []), op]);
  }
  const groupOf = new Map<Op, Op[]>();
  for (const group of groups.values()) if (group.length > 1) for (const op of group) groupOf.set(op, group);
  const made = new Map<Op[], { op: Op; places: Map<Value, number> }>();
  return (op, operands) => {
    const group = groupOf.get(op);
    if (!group) return null;
    let known = made.get(group);
    if (!known) {
      const carries = op.attrs.carries as number;
      const places = new Map<Value, number>();
      const results: Value[] = [];
      const types: Value[] = [];
      for (const member of group) {
        const own = (member.attrs.body as SubGraph).results;
        own.forEach((result, i) => {
          if (i < carries ? member !== group[0] : places.has(result)) return;
          if (i >= carries) places.set(result, results.length);
          results.push(result);
          types.push(member.outputs[i]);
        });
      }
      const body = (op.attrs.body as SubGraph).withResults(results);
      known = { op: new Operation(op.kind, operands, { ...op.attrs, body }, types), places };
      made.set(group, known);
    }
    const { op: one, places } = known;
    const carries = op.attrs.carries as number;
    return (op.attrs.body as SubGraph).results.map(
      (result, i) => one.outputs[i < carries ? i : (places.get(result) as number)],
    );
  };
}

/** Leaves out ys that nobody reads, carries that only serve themselves, and inputs that are left without use. */
function prune(op: Op, operands: readonly Value[], read: ReadonlySet<Value>): readonly Value[] | null {
  const [loop] = loopsOf(op) ?? [];
  const { body } = op.attrs;
  if (!loop || !(body instanceof SubGraph)) return null;
  const { carries, xs, count } = loop;
  if (count === 0) {
    return op.outputs.map((output, i) => (i < carries ? operands[i] : constant(0, output.dtype, output.shape)));
  }
  const wanted = new Set(op.outputs.flatMap((output, i) => (read.has(output) ? [i] : [])));
  if (loop.flag !== undefined) wanted.add(loop.flag);
  let needed = new Set<Value>();
  for (let before = -1; before !== wanted.size; ) {
    before = wanted.size;
    needed = new Set(
      body
        .withResults(body.results.filter((_, i) => wanted.has(i)))
        .operations()
        .flatMap((o) => o.inputs),
    );
    for (const i of wanted) needed.add(body.results[i]);
    body.params.slice(0, carries).forEach((param, i) => needed.has(param) && wanted.add(i));
  }
  const kept = body.params.map((param, i) => (i < carries ? wanted.has(i) : needed.has(param)));
  if (kept.every(Boolean) && wanted.size === op.outputs.length) return null;
  const counted = (from: number, to: number) => kept.slice(from, to).filter(Boolean).length;
  const results = [...wanted].sort((a, b) => a - b);
  const attrs = {
    ...op.attrs,
    body: new SubGraph(
      body.params.filter((_, i) => kept[i]),
      results.map((i) => body.results[i]),
    ),
    carries: counted(0, carries),
    xs: counted(carries, carries + xs),
  };
  const made = new Operation(
    op.kind,
    operands.filter((_, i) => kept[i]),
    attrs,
    results.map((i) => op.outputs[i]),
  );
  return op.outputs.map((output, i) => (wanted.has(i) ? made.outputs[results.indexOf(i)] : output));
}

/** Invariants that are one number everywhere become part of the body, where the compiler sees what they are. */
function inlineConstants(op: Op, operands: readonly Value[]): readonly Value[] | null {
  const [loop] = loopsOf(op) ?? [];
  const { body } = op.attrs;
  if (!loop || !(body instanceof SubGraph)) return null;
  const first = loop.carries + loop.xs;
  const known = operands.map((x, i) => (i < first ? null : scalarOf(x)));
  if (known.every((number) => number === null)) return null;
  const copies = new Map<Value, Value>();
  body.params.forEach((param, i) => {
    const number = known[i];
    copies.set(
      param,
      number === null ? parameter(param.dtype, param.shape) : constant(number, param.dtype, param.shape),
    );
  });
  const results = copyGraph(body, copies);
  const kept = body.params.flatMap((_, i) => (known[i] === null ? [i] : []));
  const made = new SubGraph(
    kept.map((i) => copies.get(body.params[i]) as Value),
    results,
  );
  const fed = kept.map((i) => operands[i]);
  return new Operation(op.kind, fed, { ...op.attrs, body: made }, op.outputs).outputs;
}

/** The results of a graph, with what `copies` has for its params. */
export function copyGraph(body: SubGraph, copies: Map<Value, Value>): Value[] {
  for (const op of body.operations()) {
    const inputs = op.inputs.map((input) => copies.get(input) as Value);
    const copy = new Operation(op.kind, inputs, op.attrs, op.outputs);
    copy.name = op.name;
    op.outputs.forEach((output, i) => copies.has(output) || copies.set(output, copy.outputs[i]));
  }
  return body.results.map((result) => copies.get(result) as Value);
}

/** The first value of each carry as a copy: where it is computed just for the loop, it is computed into its place. */
function ownCarries(op: Op, operands: readonly Value[]): readonly Value[] | null {
  const [loop] = loopsOf(op) ?? [];
  if (!loop) return null;
  const own = operands.map((x, i) => (i < loop.carries ? apply1('cast', [x], { dtype: x.dtype }) : x));
  return new Operation(op.kind, own, op.attrs, op.outputs).outputs;
}
