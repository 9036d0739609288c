/** jit: a function of tensors as one compiled program for each signature. */
import { fail } from '../base/errors.ts';
import { Operation } from '../graph/graph.ts';
import type { Value } from '../graph/graph.ts';
import { cellOf, isRetaining, retainingGraph } from './cell.ts';
import { recorder, withRecorder } from './context.ts';
import type { Recorder } from './context.ts';
import { fillPlaces, mapTensors, Place } from './places.ts';
import { parameter } from './plan.ts';
import { isPlainObject, tidy } from './scope.ts';
import { showType } from './structure.ts';
import { Tensor, wrap } from './tensor.ts';
import { TracedProgram } from './traced.ts';
import type { TensorContainer } from './types.ts';
import { Variable } from './variable.ts';

/** What a traced function may be given: tensors, lists and plain objects of them; plain values are part of the signature. */
export type JitArgument = TensorContainer;

export interface Jitted<A extends readonly unknown[], T> {
  (...args: A): T;
  /** The same while the event loop stays free. Calls take effect in their order. */
  async(...args: A): Promise<T>;
  /** How often the function was traced: once for each signature. */
  readonly traces: number;
  /** Forgets the compiled programs. */
  dispose(): void;
}

/** Variables as a traced function sees them: read through parameters, assigned without anything happening yet. */
class Trace implements Recorder {
  readonly kind = 'jit';
  readonly uses = new Map<Variable, { readonly param: Value; next: Value }>();

  #use(variable: Variable): { readonly param: Value; next: Value } {
    let use = this.uses.get(variable);
    if (!use) {
      const param = parameter(variable.current, variable.name);
      cellOf(param).unfed = unfed(`variable '${variable.name}'`);
      use = { param, next: param };
      this.uses.set(variable, use);
    }
    return use;
  }

  readVariable(variable: Variable): Value {
    return this.#use(variable).next;
  }

  assignVariable(variable: Variable, value: Value): void {
    this.#use(variable).next = value;
  }

  advanceVariable(variable: Variable, value: Value): void {
    this.assignVariable(variable, value);
  }

  record(): void {}
}

function unfed(what: string) {
  return {
    op: 'jit',
    must: 'a value that depends on an argument or a variable is not known while a function is traced',
    came: `it depends on ${what}`,
    hint: 'return it from the function and read it outside',
  };
}

let functionIds = 0;
const functionId = new WeakMap<object, number>();

function idOf(f: object): number {
  let id = functionId.get(f);
  if (id === undefined) functionId.set(f, (id = functionIds++));
  return id;
}

/** Lists the tensors of the arguments and writes down everything else about them. */
function signature(item: unknown, leaves: Tensor[]): string {
  if (item instanceof Variable) {
    item.throwIfDisposed('jit');
    return `V${item.id}`;
  }
  if (item instanceof Tensor) {
    item.throwIfDisposed('jit');
    leaves.push(item);
    return showType(item);
  }
  if (Array.isArray(item)) {
    let text = '(';
    for (const part of item) text += `${signature(part, leaves)},`;
    return `${text})`;
  }
  if (typeof item === 'function') return `F${idOf(item)}`;
  if (typeof item !== 'object' || item === null)
    return typeof item === 'string'
      ? JSON.stringify(item)
      : `${typeof item}:${Object.is(item, -0) ? '-0' : String(item)}`;
  if (isPlainObject(item)) {
    let text = '{';
    for (const name in item) text += `${JSON.stringify(name)}:${signature(item[name], leaves)},`;
    return `${text}}`;
  }
  fail(
    'jit',
    'arguments must be tensors, lists and plain objects of them, or plain values',
    `got ${item.constructor?.name ?? 'an object'}`,
    'make a tensor of it with tf.tensor, or capture it in the function',
  );
}

interface Traced {
  readonly program: TracedProgram;
  /** Puts results into the places where the function returned tensors. */
  rebuild(results: readonly Value[]): unknown;
}

/** Runs the function once on parameters and keeps the graph it writes. */
function trace(f: (...args: never[]) => unknown, args: readonly unknown[], name: string): Traced {
  // Everything with a smaller id was there before.
  const first = new Operation('constant', [], { value: 0, dtype: 'float32' }, [{ dtype: 'float32', shape: [] }]).id;
  const params: Value[] = [];
  const recording = new Trace();
  return retainingGraph(() => {
    let template: unknown;
    const results: Value[] = [];
    withRecorder(recording, () =>
      tidy(() => {
        const inner = mapTensors(args, (tensor) => {
          const param = parameter(tensor.value, `argument ${params.length}`);
          cellOf(param).unfed = unfed(`argument ${params.length}`);
          params.push(param);
          return wrap(param, tensor.dtype);
        });
        const returned = f(...(inner as never[]));
        if (returned instanceof Promise) {
          returned.catch(() => undefined);
          fail(
            'jit',
            'the function must not be asynchronous',
            'it returned a promise',
            'await what it needs before the call',
          );
        }
        // A variable that is returned is returned by its value.
        const toPlace = (tensor: Tensor) => {
          results.push(tensor.value);
          return new Place(results.length - 1, tensor.dtype);
        };
        template = mapTensors(returned, toPlace, toPlace);
      }),
    );
    const variables = [...recording.uses].map(([variable, { param, next }]) => ({ variable, param, next }));
    const isOutside = (value: Value) => value.op.id < first;
    const program = new TracedProgram({ name, args: params, variables, results, isOutside });
    return { program, rebuild: (values) => fillPlaces(template, values) };
  });
}

/**
 * Compiles `f` for each signature (shapes and dtypes of the tensors among its arguments; everything else in them by value)
 * the first time it is called so. Variables that f reads and assigns become the program's own: they are updated in place. Other
 * tensors that f refers to are captured as they are at that time. f must not read values (dataSync and the like).
 */
export function jit<A extends readonly unknown[], T>(f: (...args: A) => T, name?: string): Jitted<A, T> {
  if (typeof f !== 'function') fail('jit', 'jit must be given a function', `got ${typeof f}`);
  const programs = new Map<string, Traced>();
  const label = name ?? (f.name || 'jit');
  const prepare = (args: A) => {
    const leaves: Tensor[] = [];
    const key = signature(args, leaves);
    let traced = programs.get(key);
    if (!traced) {
      traced = trace(f as (...args: never[]) => unknown, args, label);
      programs.set(key, traced);
    }
    return { traced, values: leaves.map((leaf) => leaf.value) };
  };
  const jitted = ((...args: A) => {
    // Inside another trace, a Graph, or a function that is differentiated or mapped, it is part of that.
    if (recorder() || isRetaining()) return f(...args);
    const { traced, values } = prepare(args);
    return traced.rebuild(traced.program.call(values)) as T;
  }) as Jitted<A, T>;
  const inBackground = async (...args: A) => {
    if (recorder()) fail('jit', 'an asynchronous call must stand outside of traced functions', 'it is inside one');
    const { traced, values } = prepare(args);
    const { results, finished } = traced.program.callAsync(values);
    const result = traced.rebuild(results);
    await finished;
    return result as T;
  };
  return Object.defineProperties(jitted, {
    async: { value: inBackground },
    traces: { get: () => programs.size },
    dispose: {
      value: () => {
        for (const { program } of programs.values()) program.dispose();
        programs.clear();
      },
    },
  });
}
