/** Session: compiles the part of a graph that is asked for and runs it. Programs are kept for each combination of fetches and feeds. */
import { fail } from '../base/errors.ts';
import { topologicalOrder } from '../graph/graph.ts';
import type { Value } from '../graph/graph.ts';
import { sameShape, showShape } from '../types/shape.ts';
import { hasData } from './cell.ts';
import { eagerly, recorder } from './context.ts';
import { toTensor } from './convert.ts';
import type { Graph } from './graph-mode.ts';
import { GraphOperation } from './graph-mode.ts';
import { fillPlaces, Place } from './places.ts';
import { isPlainObject } from './scope.ts';
import { Tensor } from './tensor.ts';
import { TracedProgram } from './traced.ts';
import type { DataType, TensorLike } from './types.ts';
import { Variable } from './variable.ts';

/** What session.run can be asked for: tensors, operations, their names, and lists and objects of them. */
export type Fetch = Tensor | GraphOperation | string;
export type Fetches = Fetch | readonly Fetches[] | { readonly [name: string]: Fetches };

/** Results in the places of what was asked for: a tensor for a tensor, null for an operation. */
export type Fetched<F> = F extends Tensor
  ? F
  : F extends GraphOperation
    ? null
    : F extends string
      ? Tensor
      : { -readonly [K in keyof F]: Fetched<F[K]> };

type Fed = Tensor | TensorLike;
/** Values for placeholders: a Map, a list of pairs, or an object by name. */
export type Feeds =
  | ReadonlyMap<Tensor | string, Fed>
  | readonly (readonly [Tensor | string, Fed])[]
  | { readonly [name: string]: Fed };

interface Prepared {
  readonly program: TracedProgram;
  readonly args: readonly Value[];
  rebuild(results: readonly Value[]): unknown;
}

const OP = 'session.run';

export class Session {
  /** The graph it runs; null for operations that were made outside of every Graph. */
  readonly graph: Graph | null;
  readonly #programs = new Map<string, TracedProgram>();
  #closed = false;

  constructor(graph: Graph | null = null) {
    this.graph = graph;
  }

  /** Computes the fetches, given the feeds, and what they assign. */
  run<const F extends Fetches>(fetches: F, feeds: Feeds = []): Fetched<F> {
    return eagerly(() => {
      const { program, args, rebuild } = this.#prepare(fetches, feeds);
      return rebuild(program.call(args)) as Fetched<F>;
    });
  }

  /** The same while the event loop stays free. Runs take effect in the order of their calls. */
  runAsync<const F extends Fetches>(fetches: F, feeds: Feeds = []): Promise<Fetched<F>> {
    return this.#runAsync(fetches, feeds) as Promise<Fetched<F>>;
  }

  async #runAsync(fetches: unknown, feeds: Feeds): Promise<unknown> {
    const { program, args, rebuild } = eagerly(() => this.#prepare(fetches, feeds));
    const { results, finished } = program.callAsync(args);
    const result = rebuild(results);
    await finished;
    return result;
  }

  /** Frees the programs. The graph and its variables live on. */
  close(): void {
    this.#closed = true;
    for (const program of this.#programs.values()) program.dispose();
    this.#programs.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(fetches: unknown, feeds: Feeds): Prepared {
    if (this.#closed) fail(OP, 'the session must be open', 'it was closed', 'make a new Session');
    if (recorder()) fail(OP, 'a session must be run outside of jit and graphs', 'one is being written now');
    const values: Value[] = [];
    const operations: GraphOperation[] = [];
    const template = this.#resolve(fetches, values, operations);
    const fed = this.#feed(feeds);
    const key = `${values.map(idOf)};${operations.map(({ name }) => name)};${[...fed.keys()].map(idOf)}`;
    let program = this.#programs.get(key);
    if (!program) {
      program = this.#record(values, operations, [...fed.keys()]);
      this.#programs.set(key, program);
    }
    const rebuild = (results: readonly Value[]) => fillPlaces(template, results);
    return { program, args: [...fed.values()], rebuild };
  }

  /** Lists what is to be fetched; returns its structure with places instead. */
  #resolve(fetch: unknown, values: Value[], operations: GraphOperation[]): unknown {
    if (typeof fetch === 'string') {
      const found = this.graph?.find(fetch);
      if (!found) {
        const known = this.graph?.names.slice(-12).join(', ') || 'nothing has a name';
        fail(
          OP,
          'a fetch by name must name a tensor or an operation of the graph',
          `got '${fetch}'`,
          `there are: ${known}`,
        );
      }
      return found instanceof GraphOperation
        ? this.#resolve(found, values, operations)
        : new Place(values.push(found) - 1, this.#dtypeOf(found));
    }
    if (fetch instanceof GraphOperation) {
      operations.push(fetch);
      return null;
    }
    if (fetch instanceof Variable) {
      const param = this.graph?.variables.get(fetch);
      return new Place(values.push(param ?? fetch.value) - 1, fetch.dtype);
    }
    if (fetch instanceof Tensor) return new Place(values.push(fetch.value) - 1, fetch.dtype);
    if (Array.isArray(fetch)) return fetch.map((part) => this.#resolve(part, values, operations));
    if (isPlainObject(fetch)) {
      const entries = Object.entries(fetch).map(([name, part]) => [name, this.#resolve(part, values, operations)]);
      return Object.fromEntries(entries);
    }
    return fail(OP, 'fetches must be tensors, operations, names, or lists and objects of them', `got ${typeof fetch}`);
  }

  #feed(feeds: Feeds): Map<Value, Value> {
    const pairs = feeds instanceof Map ? [...feeds] : Array.isArray(feeds) ? feeds : Object.entries(feeds);
    const fed = new Map<Value, Value>();
    for (const [key, given] of pairs as [Tensor | string, Fed][]) {
      const target = typeof key === 'string' ? this.graph?.find(key) : key.value;
      if (!target || target instanceof GraphOperation) {
        fail(OP, 'a feed must name a placeholder of the graph', `got '${String(key)}'`);
      }
      const name = this.#nameOf(target);
      const dtype = typeof key === 'string' ? this.#dtypeOf(target) : key.dtype;
      const shape = dtype === 'complex64' ? target.shape.slice(1) : target.shape;
      const value = toTensor(given as Tensor, `the feed for '${name}'`, OP, target.dtype);
      if (value.dtype !== dtype || !sameShape(value.shape, shape)) {
        fail(
          OP,
          `the feed for '${name}' must be ${dtype}${showShape(shape)}`,
          `got ${value.dtype}${showShape(value.shape)}`,
        );
      }
      fed.set(target, value.value);
    }
    return fed;
  }

  #dtypeOf(value: Value): DataType {
    return this.graph?.isComplex(value) ? 'complex64' : value.dtype;
  }

  #nameOf(value: Value): string {
    return value.op.name || this.graph?.nameOf(value) || value.op.kind;
  }

  #record(values: readonly Value[], operations: readonly GraphOperation[], fed: readonly Value[]): TracedProgram {
    const assigned = new Map<Variable, Value>();
    for (const operation of operations) {
      for (const [variable, value] of operation.assignments) assigned.set(variable, value);
    }
    const given = new Set(fed);
    const stop = (value: Value) => given.has(value) || hasData(value);
    const reached = new Set(topologicalOrder([...values, ...assigned.values()], stop).map((op) => op.outputs[0]));
    const { graph } = this;
    const variables = [...(graph?.variables ?? [])].flatMap(([variable, param]) => {
      // Random state moves on where something that is fetched draws from it.
      const moved = reached.has(param) ? graph!.ambient.get(variable) : undefined;
      const next = assigned.get(variable) ?? moved ?? param;
      return next !== param || reached.has(param) ? [{ variable, param, next }] : [];
    });
    for (const [variable, next] of assigned) {
      if (graph?.variables.has(variable)) continue;
      variables.push({ variable, param: graph!.readVariable(variable), next });
    }
    const params = new Set(variables.map(({ param }) => param));
    for (const value of reached) {
      if (value.op.kind !== 'parameter' || params.has(value)) continue;
      const feeds = fed.map((other) => `'${this.#nameOf(other)}'`).join(', ') || 'nothing was fed';
      fail(
        OP,
        `placeholder '${this.#nameOf(value)}' must be fed: what is fetched depends on it`,
        feeds,
        'add it to the feeds',
      );
    }
    const isOutside = (value: Value) => graph !== null && !graph.owns(value);
    return new TracedProgram({ name: OP, args: fed, variables, results: values, isOutside });
  }
}

function idOf(value: Value): string {
  return `${value.op.id}.${value.index}`;
}
