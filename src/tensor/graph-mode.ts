/**
 * Graph mode, as in TensorFlow 1: a Graph holds operations that are written once and run many times by a Session. Inside
 * graph.as(f) the same functions that compute eagerly elsewhere only add to the graph. Knows nothing of running.
 */
import { fail } from '../base/errors.ts';
import { Operation } from '../graph/graph.ts';
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { checkDType } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { checkShape } from '../types/shape.ts';
import { cellOf, makePermanent, retainingGraph } from './cell.ts';
import { recorder, withRecorder } from './context.ts';
import type { Recorder } from './context.ts';
import { parameter } from './plan.ts';
import type { Tensor } from './tensor.ts';
import { wrap } from './tensor.ts';
import type { DataType, Rank } from './types.ts';
import type { Variable } from './variable.ts';

/** Something to run for what it does: the assignments that were written in graph.operation(name, f). */
export class GraphOperation {
  readonly name: string;
  /** What it assigns to each variable. */
  readonly assignments: ReadonlyMap<Variable, Value>;

  constructor(name: string, assignments: ReadonlyMap<Variable, Value>) {
    this.name = name;
    this.assignments = assignments;
  }
}

function marker(): number {
  return new Operation('constant', [], { value: 0, dtype: 'float32' }, [{ dtype: 'float32', shape: [] }]).id;
}

export class Graph implements Recorder {
  readonly kind = 'graph';
  readonly #byName = new Map<string, Value | GraphOperation>();
  readonly #nameOf = new Map<Value, string>();
  readonly #complex = new WeakSet<Value>();
  readonly #params = new Map<Variable, Value>();
  /** State that moves on by itself with each run that reads it: that of random numbers. */
  readonly #ambient = new Map<Variable, Value>();
  /** Ids of the operations that were made inside of as(). */
  readonly #ranges: { first: number; last: number }[] = [];
  #assignments: Map<Variable, Value> | null = null;

  /** Runs `f`; the operations that it makes become part of this graph. */
  as<T>(f: () => T): T {
    if (recorder()?.kind === 'jit')
      fail('Graph.as', 'a Graph must not be written inside jit', 'a function is traced now');
    const range = { first: marker(), last: Number.POSITIVE_INFINITY };
    this.#ranges.push(range);
    try {
      return withRecorder(this, () => retainingGraph(f));
    } finally {
      range.last = marker();
    }
  }

  /** The assignments in `f`, as one operation that a Session runs; nothing is assigned now. */
  operation(name: string, f: () => unknown): GraphOperation {
    if (this.#byName.has(name)) fail('Graph.operation', 'a name in a graph must be new', `'${name}' is taken`);
    if (this.#assignments) fail('Graph.operation', 'operations must not be written inside each other', `got '${name}'`);
    const assignments = new Map<Variable, Value>();
    this.#assignments = assignments;
    try {
      this.as(f);
    } finally {
      this.#assignments = null;
    }
    if (assignments.size === 0) {
      fail('Graph.operation', 'the function must assign at least one variable', `'${name}' assigns none`);
    }
    const operation = new GraphOperation(name, assignments);
    this.#byName.set(name, operation);
    return operation;
  }

  /** Gives a tensor a name to fetch or feed it by. */
  setName<T extends Tensor>(name: string, tensor: T): T {
    if (this.#byName.has(name)) fail('Graph.setName', 'a name in a graph must be new', `'${name}' is taken`);
    this.#byName.set(name, tensor.value);
    this.#nameOf.set(tensor.value, name);
    return tensor;
  }

  /** What goes by the name: 'x', or 'x:0' for output 0 of operation x. */
  find(name: string): Value | GraphOperation | undefined {
    return this.#byName.get(name) ?? (name.endsWith(':0') ? this.#byName.get(name.slice(0, -2)) : undefined);
  }

  /** Names of everything that can be fetched, in the order in which it was made. */
  get names(): string[] {
    return [...this.#byName.keys()];
  }

  nameOf(value: Value): string {
    return this.#nameOf.get(value) ?? value.op.kind;
  }

  /** Whether the operation was made in this graph. */
  owns(value: Value): boolean {
    return this.#ranges.some(({ first, last }) => value.op.id > first && value.op.id < last);
  }

  /** Variables with the parameters by which the graph reads them. */
  get variables(): ReadonlyMap<Variable, Value> {
    return this.#params;
  }

  get ambient(): ReadonlyMap<Variable, Value> {
    return this.#ambient;
  }

  // ---- as a recorder ---------------------------------------------------------------------------------------------------

  readVariable(variable: Variable): Value {
    const next = this.#assignments?.get(variable) ?? this.#ambient.get(variable);
    if (next) return next;
    let param = this.#params.get(variable);
    if (!param) {
      param = parameter(variable.current, variable.name);
      cellOf(param).unfed = unread('the variable', variable.name);
      cellOf(param).handles++;
      this.#params.set(variable, param);
    }
    return param;
  }

  assignVariable(variable: Variable, value: Value): void {
    if (!this.#assignments) {
      fail(
        'assign',
        'in a Graph, assignments must stand in an operation that a Session can run',
        `variable '${variable.name}' is assigned outside of one`,
        'graph.operation(name, () => variable.assign(...))',
      );
    }
    this.#assignments.set(variable, value);
    cellOf(value).handles++;
  }

  advanceVariable(variable: Variable, value: Value): void {
    this.#ambient.set(variable, value);
    cellOf(value).handles++;
  }

  /** Whether a value was recorded as the planes of a complex64 tensor. */
  isComplex(value: Value): boolean {
    return this.#complex.has(value);
  }

  record(value: Value, dtype: DataType): void {
    if (dtype === 'complex64') this.#complex.add(value);
    if (this.#nameOf.has(value)) return;
    // The graph holds what it is made of, whatever becomes of the handles.
    cellOf(value).handles++;
    makePermanent(value.op);
    this.setUniqueName(value.op.name || value.op.kind, value);
  }

  private setUniqueName(wanted: string, value: Value): void {
    let name = wanted;
    for (let n = 1; this.#byName.has(name); n++) name = `${wanted}_${n}`;
    this.#byName.set(name, value);
    this.#nameOf.set(value, name);
  }
}

function unread(what: string, name: string) {
  return {
    op: 'read',
    must: 'what depends on placeholders or variables of a Graph is known only when it is run',
    came: `it depends on ${what} '${name}'`,
    hint: 'fetch it with session.run',
  };
}

let placeholders = 0;

/**
 * A tensor whose value is fed in each session.run. All extents must be known: a program has static shapes. For several
 * batch sizes make a Graph for each, or use tf.jit, which compiles for each shape by itself.
 */
export function placeholder<R extends Rank = Rank>(dtype: DType | 'complex64', shape: Shape, name?: string): Tensor<R> {
  if (dtype !== 'complex64') checkDType('placeholder', dtype);
  if (!Array.isArray(shape) || shape.some((extent) => typeof extent !== 'number' || extent < 0)) {
    fail(
      'placeholder',
      'every extent of the shape must be known',
      `got ${JSON.stringify(shape ?? null)}`,
      'make a Graph for each batch size, or use tf.jit, which compiles for each shape',
    );
  }
  checkShape('placeholder', shape);
  const label = name ?? `placeholder_${placeholders++}`;
  const active = recorder();
  if (active?.kind === 'jit') fail('placeholder', 'a placeholder must be made outside of jit', `got '${label}'`);
  if (active instanceof Graph && active.find(label)) {
    fail('placeholder', 'a name in a graph must be new', `'${label}' is taken`);
  }
  const type =
    dtype === 'complex64' ? { dtype: 'float32' as const, shape: [2, ...shape] } : { dtype, shape: [...shape] };
  const value = parameter(type, label);
  cellOf(value).unfed = unread('the placeholder', label);
  return wrap<R>(value, dtype);
}
