/**
 * Loops: the body is planned and lowered like a program of its own, then its parameters are given their places outside. A carry
 * has one buffer, which holds the first value before the loop and the last one after it; new values are written in place where
 * no kernel still reads the old one, else copied at the end of the iteration. Slices of xs and ys are windows.
 */
import { elemOf } from '../ops/elements.ts';
import { invariant } from '../base/errors.ts';
import type { Operation as Op, Value } from '../graph/graph.ts';
import { apply1 } from '../ops/apply.ts';
import { parameter } from '../ops/build.ts';
import type { LoopLowering } from '../ops/lowering.ts';
import { sizeOf } from '../types/shape.ts';
import { type BufferKey, type LoweredKernel, Window } from './emitter.ts';
import { type LowerContext, lowerPointwise } from './lower-elementwise.ts';
import type { GraphRequest, LoweredGraph } from './lower-graph.ts';
import { baseOf } from './plan.ts';
import { copyGraph, loopsOf } from './prepare-loops.ts';
import { type LoweredItem, type LoweredLoop, schedule, type Staged, touches, withKeys } from './schedule.ts';
import { expand } from './expand.ts';
import { simplify } from './simplify.ts';

type Places = ReadonlyMap<BufferKey, BufferKey>;

export class LoopLowerer {
  readonly #context: LowerContext;
  readonly #lowerGraph: (request: GraphRequest) => LoweredGraph;
  /** First values of carries -> the loop's output, whose buffer they share. */
  readonly #first = new Map<BufferKey, BufferKey>();

  constructor(context: LowerContext, lowerGraph: (request: GraphRequest) => LoweredGraph) {
    this.#context = context;
    this.#lowerGraph = lowerGraph;
  }

  /** The items of a loop operation: what its body does the same in every iteration, then the loop. */
  lower(op: Op): LoweredItem[] {
    return (loopsOf(op) ?? []).flatMap((loop) => this.#loop(op, loop));
  }

  /** Items with first values of carries in the place of the carries. */
  rename(items: readonly LoweredItem[]): LoweredItem[] {
    return items.map((item) => replace(item, this.#first));
  }

  #loop(op: Op, loop: LoopLowering): LoweredItem[] {
    const { params, results } = copyBody(loop);
    const { carries, xs, count, flag } = loop;
    const given = (i: number) => baseOf(op.inputs[loop.inputs?.[i] ?? i]);
    for (let i = 0; i < carries; i++) this.#first.set(given(i), op.outputs[i]);
    // A carry that stays what it is needs no kernel.
    const moving = results.flatMap((result, i) => (i < carries && result === params[i] ? [] : [i]));
    const donations = new Map(moving.flatMap((i, at) => (i < carries ? [[at, i] as const] : [])));
    const graph = this.#lowerGraph({
      inputs: params,
      outputs: moving.map((i) => results[i]),
      donations,
      capabilities: this.#context.caps,
      sites: this.#context.sites,
    });
    const { steps, places: carried } = this.#scheduleBody(graph);
    const places = new Map<BufferKey, BufferKey>(carried);
    const made: LoweredLoop = { count, body: [] };
    params.forEach((param, i) => {
      const isX = i >= carries && i < carries + xs;
      const outside = i < carries ? op.outputs[i] : given(i);
      places.set(param, isX ? windowOf(outside, param, made, loop) : outside);
    });
    moving.forEach((i, at) => {
      if (i < carries) return;
      const y = baseOf(graph.plan.outputs[at]);
      places.set(y, windowOf(op.outputs[i], y, made, loop));
    });
    const varying = new Set<BufferKey>([...params.slice(0, carries + xs), ...places.keys()]);
    for (const param of params.slice(carries + xs)) varying.delete(param);
    // A branch that may not be taken keeps all to itself.
    const { before, inside } = flag === undefined ? splitInvariant(steps, varying) : { before: [], inside: steps };
    const resolved = resolver(places);
    made.body = inside.map(({ lowered, stage }) => ({ lowered: replace(lowered, resolved), stage }));
    if (flag !== undefined) made.flag = flag < carries ? op.outputs[flag] : baseOf(op.inputs[flag]);
    const hoisted = before.map((item) => replace(item, resolved));
    return made.body.length > 0 ? [...hoisted, made] : hoisted;
  }

  /** Stages of the body. What cannot be written over its carry at once is copied there when all is done. */
  #scheduleBody(graph: LoweredGraph): { steps: readonly Staged[]; places: Map<BufferKey, BufferKey> } {
    const places = new Map<BufferKey, BufferKey>();
    const first = schedule(graph.items, graph.donations);
    const wishes = new Map<Value, Value>();
    const copies: LoweredKernel[] = [];
    for (const [result, carry] of graph.donations) {
      if (first.aliases.has(result)) {
        wishes.set(result, carry);
        places.set(result, carry);
        continue;
      }
      const [copy] = [apply1('cast', [result], { dtype: result.dtype })];
      const stored = new Set([...graph.plan.stored, result]);
      copies.push(...lowerPointwise({ ...this.#context, stored }, { anchor: null, roots: [copy] }, 'carry'));
      wishes.set(copy, carry);
      places.set(copy, carry);
    }
    if (copies.length === 0) return { steps: first.steps, places };
    const last = schedule([...graph.items, ...copies], wishes);
    invariant(
      [...wishes.keys()].every((result) => last.aliases.has(result) || sizeOf(result.shape) === 0),
      'a carry finds its place',
    );
    return { steps: last.steps, places };
  }
}

/** A copy of the body, simplified: the values of two loops are never the same. */
function copyBody({ body }: LoopLowering): { params: Value[]; results: Value[] } {
  const copies = new Map<Value, Value>();
  const params = body.params.map((param) => {
    const copy = parameter(param.dtype, param.shape);
    copies.set(param, copy);
    return copy;
  });
  return { params, results: simplify(expand(copyGraph(body, copies), params), params) };
}

/** The slices of `outside`, one for each iteration. */
function windowOf(outside: Value, slice: Value, loop: LoweredLoop, { count, reverse }: LoopLowering): Window {
  const size = sizeOf(slice.shape);
  return new Window(outside, {
    elem: elemOf(slice.dtype),
    size,
    offset: reverse ? (count - 1) * size : 0,
    strides: [{ loop, elements: reverse ? -size : size }],
  });
}

/** Kernels that do the same in every iteration, in order, and the rest. `varying`: what changes from one to the next. */
function splitInvariant(
  steps: readonly Staged[],
  varying: ReadonlySet<BufferKey>,
): { before: LoweredItem[]; inside: Staged[] } {
  const before: LoweredItem[] = [];
  const inside: Staged[] = [];
  const changed = new Set(varying);
  // Whoever shares a buffer with a kernel that stays, stays: so several passes.
  const stays = new Set<Staged>();
  for (let size = -1; size !== stays.size; ) {
    size = stays.size;
    for (const step of steps) {
      const { reads, writes } = touches(step.lowered);
      if (![...reads, ...writes, ...(step.lowered.waits ?? [])].some((key) => changed.has(key))) continue;
      stays.add(step);
      for (const key of writes) changed.add(key);
    }
  }
  for (const step of steps) {
    if (stays.has(step)) inside.push(step);
    else before.push(step.lowered);
  }
  return { before, inside };
}

/** Places, followed to their end. */
function resolver(places: Places): Places {
  const resolve = (key: BufferKey): BufferKey => {
    const next = places.get(key);
    return next === undefined ? key : resolve(next);
  };
  return new Map([...places.keys()].map((key) => [key, resolve(key)]));
}

/** An item with other buffers. Windows of what is replaced become windows of the replacement. */
function replace(item: LoweredItem, places: Places): LoweredItem {
  const windows = new Map<Window, Window>();
  return withKeys(item, (key) => {
    if (!(key instanceof Window)) return places.get(key) ?? key;
    const of = places.get(key.of);
    if (of === undefined) return key;
    let moved = windows.get(key);
    if (!moved) windows.set(key, (moved = new Window(of, key)));
    return moved;
  });
}
