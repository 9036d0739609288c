/**
 * A recorded graph as a program to call: arguments in, results out, variables read and updated in place. What jit and Session
 * share. Knows values and variables, not how they were recorded.
 */
import { debug } from '../base/debug.ts';
import { topologicalOrder } from '../graph/graph.ts';
import type { Value } from '../graph/graph.ts';
import { rowOf } from '../ops/table.ts';
import { currentBackend } from './backends.ts';
import type { Backend } from './backends.ts';
import { cellOf, dataOf, hasData } from './cell.ts';
import { eagerly } from './context.ts';
import { evaluateValues, evaluateValuesAsync, finishRuns, startAsync } from './evaluate.ts';
import { allocateData, isFinished } from './memory.ts';
import type { TensorData } from './memory.ts';
import { makePlan, parameter } from './plan.ts';
import type { Plan } from './plan.ts';
import type { Variable } from './variable.ts';

export interface VariableUse {
  readonly variable: Variable;
  /** The parameter through which the graph reads it. */
  readonly param: Value;
  /** What it is assigned; param itself where it is only read. */
  readonly next: Value;
}

export interface Recording {
  readonly name: string;
  readonly args: readonly Value[];
  readonly variables: readonly VariableUse[];
  readonly results: readonly Value[];
  /** True for what was there before the recording: captured, passed by reference. */
  isOutside(value: Value): boolean;
}

/** Where something comes from when the program runs: an input (by its place), or an output of it. */
type Slot = { readonly input: number } | { readonly output: number };

export class TracedProgram {
  readonly #name: string;
  readonly #argCount: number;
  readonly #variables: readonly Variable[];
  readonly #captures: readonly Value[];
  /** Arguments, then variables, then captures. */
  readonly #inputs: readonly Value[];
  /** Places of the inputs that the graph truly depends on. */
  readonly #used: readonly number[];
  readonly #outputs: readonly Value[];
  readonly #results: readonly { readonly slot: Slot; readonly type: Value }[];
  readonly #updates: readonly { readonly variable: number; readonly slot: Slot; readonly type: Value }[];
  /** For an output that may update a variable in place: its place among the variables. */
  readonly #donated = new Map<number, number>();
  /** Those of them for which the compiler found that it can be done. */
  #inPlace: ReadonlyMap<number, number> = this.#donated;
  /** Places of the inputs that it reads and nobody but others changes: weights, captures. */
  readonly #steady: readonly number[];
  /** The stamps of their data in the last run that was begun; null where none was, or it failed. */
  #prepared: readonly number[] | null = null;
  #plan: Plan | null = null;
  #backend: Backend | null = null;

  constructor(recording: Recording) {
    const { args, variables, results } = recording;
    this.#name = recording.name;
    this.#argCount = args.length;
    const given = new Set([...args, ...variables.map((use) => use.param)]);
    const isGiven = (value: Value) => given.has(value) || hasData(value) || recording.isOutside(value);
    const changed = variables.flatMap((use, i) => (use.next === use.param ? [] : [{ variable: i, type: use.next }]));
    const bases = [...results, ...changed.map(({ type }) => type)].map((value) => baseOf(value, isGiven));
    const outputs = [...new Set(bases.filter((base) => !isGiven(base)))];
    const read = readValues(outputs, isGiven);
    const captures = [...new Set([...read, ...bases.filter(isGiven)])].filter((value) => !given.has(value));
    this.#variables = variables.map((use) => use.variable);
    this.#captures = captures;
    this.#inputs = [...args, ...variables.map((use) => use.param), ...captures];
    this.#used = this.#inputs.flatMap((value, i) => (read.has(value) ? [i] : []));
    this.#outputs = outputs;
    const slots = bases.map((base): Slot => {
      return isGiven(base) ? { input: this.#inputs.indexOf(base) } : { output: outputs.indexOf(base) };
    });
    this.#results = results.map((type, i) => ({ slot: slots[i], type }));
    this.#updates = changed.map((update, i) => ({ ...update, slot: slots[results.length + i] }));
    for (const { variable, slot } of this.#updates) {
      if ('output' in slot && read.has(variables[variable].param) && !this.#isResult(slot.output)) {
        if (!this.#donated.has(slot.output)) this.#donated.set(slot.output, variable);
      }
    }
    const updated = new Set(this.#updates.map(({ variable }) => this.#argCount + variable));
    this.#steady = this.#used.filter((i) => i >= this.#argCount && !updated.has(i));
    eagerly(() => evaluateValues(captures));
    // Held for as long as the program is, whatever becomes of the tensors that the function made.
    for (const value of [...captures, ...outputs]) cellOf(value).handles++;
  }

  #isResult(output: number): boolean {
    return this.#results.some(({ slot }) => 'output' in slot && slot.output === output);
  }

  /** The program on the backend in use; null where nothing is to be computed. */
  plan(): Plan | null {
    if (this.#outputs.length === 0) return null;
    const backend = currentBackend();
    if (this.#plan && this.#backend === backend) return this.#plan;
    this.#plan?.dispose();
    const started = performance.now();
    const used = this.#used;
    const donations = new Map<number, number>();
    for (const [output, variable] of this.#donated) donations.set(output, used.indexOf(this.#argCount + variable));
    this.#plan = makePlan({
      name: this.#name,
      inputs: used.map((i) => this.#inputs[i]),
      outputs: this.#outputs,
      donations,
      steady: new Set(this.#steady.map((i) => used.indexOf(i))),
    });
    this.#prepared = null;
    this.#backend = backend;
    const program = this.#plan.loaded.program;
    const isAlias = ([output]: [number, number]) => program?.buffers[program.outputs[output]].alias !== undefined;
    this.#inPlace = program ? new Map([...this.#donated].filter(isAlias)) : this.#donated;
    debug(1, () => `[compile] ${this.#name}: ${(performance.now() - started).toFixed(1)} ms`);
    return this.#plan;
  }

  /** Runs the program now. `args` are values of the types it was recorded with; so are the results. */
  call(args: readonly Value[]): Value[] {
    const plan = this.plan();
    this.#evaluate(args);
    const bound = this.#bind(args);
    try {
      plan?.run(
        bound.inputs.map((data) => data.storage),
        bound.outputs.map((data) => data.storage),
        this.#isPrepared(bound),
      );
    } catch (error) {
      this.#prepared = null;
      for (const data of bound.fresh) data.release();
      throw error;
    }
    return this.#finish(bound);
  }

  /** Runs the program while the event loop stays free. The results can be used at once; they are there when `finished` is. */
  callAsync(args: readonly Value[]): { results: Value[]; finished: Promise<void> } {
    const plan = this.plan();
    // In one thread of runs: whatever is pending goes first.
    for (const variable of this.#variables) variable.settle();
    const pending = [...args, ...this.#variables.map((variable) => variable.current)].filter(
      (value) => !hasData(value),
    );
    const before = eagerly(() => evaluateValuesAsync(pending));
    const bound = this.#bind(args);
    const finished = plan
      ? startAsync(plan, bound.inputs, bound.outputs, bound.fresh, this.#isPrepared(bound))
      : Promise.resolve();
    finished.catch(() => {
      this.#prepared = null;
    });
    return { results: this.#finish(bound), finished: Promise.all([before, finished]).then(() => undefined) };
  }

  dispose(): void {
    this.#plan?.dispose();
    this.#plan = null;
  }

  /**
   * Whether what the program makes of its steady inputs alone is still there from the run before. Runs take effect in the order in
   * which they are begun, so what the last one saw is what the next will find.
   */
  #isPrepared({ all }: Bound): boolean {
    const last = this.#prepared;
    const stamps = this.#steady.map((i) => all[i].stamp);
    this.#prepared = stamps;
    return last !== null && stamps.every((stamp, i) => stamp === last[i]);
  }

  #evaluate(args: readonly Value[]): void {
    let pending: Value[] | null = null;
    for (const value of args) if (!hasData(value)) (pending ??= []).push(value);
    for (const variable of this.#variables) {
      variable.settle();
      if (!hasData(variable.current)) (pending ??= []).push(variable.current);
    }
    if (pending) eagerly(() => evaluateValues(pending));
  }

  /** Data for every input and output. A variable that somebody else still shares is copied before it is overwritten. */
  #bind(args: readonly Value[]): Bound {
    const all = new Array<TensorData>(this.#inputs.length);
    for (let i = 0; i < args.length; i++) all[i] = dataOf(args[i])!;
    const first = this.#argCount;
    this.#variables.forEach((variable, i) => {
      all[first + i] = dataOf(variable.current)!;
    });
    this.#captures.forEach((value, i) => {
      all[first + this.#variables.length + i] = dataOf(value)!;
    });
    const fresh: TensorData[] = [];
    const outputs = this.#outputs.map((value, output) => {
      const variable = this.#inPlace.get(output);
      if (variable !== undefined) {
        const own = all[first + variable];
        if (isExclusive(this.#variables[variable], own)) {
          own.touch();
          return own;
        }
        const copy = copyData(own, value);
        all[first + variable] = copy;
        fresh.push(copy);
        return copy;
      }
      const made = allocateData(value);
      fresh.push(made);
      return made;
    });
    return { all, inputs: this.#used.map((i) => all[i]), outputs, fresh };
  }

  /** Hands the data to results and variables. */
  #finish(bound: Bound): Value[] {
    const taken = new Set<TensorData>();
    const give = (slot: Slot): TensorData => {
      const data = 'input' in slot ? bound.all[slot.input] : bound.outputs[slot.output];
      const isFresh = bound.fresh.includes(data) && !taken.has(data);
      taken.add(data);
      return isFresh ? data : data.share();
    };
    const results = this.#results.map(({ slot, type }) => withData(type, give(slot)));
    const updates = this.#updates.flatMap(({ variable, slot, type }) => {
      const target = this.#variables[variable];
      const data = 'input' in slot ? bound.all[slot.input] : bound.outputs[slot.output];
      return dataOf(target.current) === data ? [] : [{ target, next: withData(type, give(slot)) }];
    });
    for (const { target, next } of updates) target.replace(next);
    for (const data of bound.fresh) if (!taken.has(data)) data.release();
    return results;
  }
}

interface Bound {
  readonly all: readonly TensorData[];
  readonly inputs: readonly TensorData[];
  readonly outputs: readonly TensorData[];
  /** Data that nobody held before. */
  readonly fresh: readonly TensorData[];
}

function withData(type: Value, data: TensorData): Value {
  const value = parameter(type);
  cellOf(value).data = data;
  return value;
}

function isExclusive(variable: Variable, data: TensorData): boolean {
  const value = variable.current;
  return data.refs === 1 && value.uses === 0 && cellOf(value).handles === 1;
}

function copyData(data: TensorData, type: Value): TensorData {
  if (data.written && !isFinished(data.run)) finishRuns();
  const copy = allocateData(type);
  copy.storage.bytes.set(data.storage.bytes);
  return copy;
}

/** Follows reshapes back to the value whose elements they are. */
function baseOf(value: Value, isGiven: (value: Value) => boolean): Value {
  let base = value;
  while (!isGiven(base) && base.op.inputs.length > 0 && rowOf(base.op.kind).lowering.tag === 'reshape') {
    base = base.op.inputs[0];
  }
  return base;
}

/** The given values that the graph behind `outputs` reads. */
function readValues(outputs: readonly Value[], isGiven: (value: Value) => boolean): Set<Value> {
  const read = new Set<Value>();
  for (const operation of topologicalOrder(outputs, isGiven)) {
    for (const input of operation.inputs) if (isGiven(input)) read.add(input);
  }
  return read;
}
