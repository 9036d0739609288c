/**
 * Tracing a user's function into the graph inside of an operation: the body of a loop, a branch. Inside, tensors from outside
 * are read through parameters, variables have the value they have before the operation, and random numbers depend on the
 * iteration. Knows no op.
 */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { SubGraph } from '../graph/subgraph.ts';
import { Body, inBody, openBody } from '../ops/body.ts';
import type { TensorType } from '../types/shape.ts';
import { cellOf, retainingGraph } from './cell.ts';
import { recorder, withRecorder } from './context.ts';
import type { Recorder } from './context.ts';
import { tidy } from './scope.ts';
import type { Variable } from './variable.ts';

class BodyRecorder implements Recorder {
  readonly kind: Recorder['kind'];
  readonly #op: string;
  readonly #outer = { recorder: recorder(), body: openBody() };
  #step: Value | null = null;

  constructor(op: string, body: Body, loops: boolean) {
    this.#op = op;
    this.kind = this.#outer.recorder?.kind ?? 'body';
    this.iteration = loops ? () => (this.#step ??= unread(op, body.param({ dtype: 'int32', shape: [] }))) : undefined;
  }

  /** The number of the iteration, if anything asked for it. */
  get step(): Value | null {
    return this.#step;
  }

  readVariable(variable: Variable): Value {
    return this.#outer.recorder?.readVariable(variable) ?? variable.current;
  }

  assignVariable(variable: Variable): void {
    fail(
      this.#op,
      'a variable must not be assigned inside of a loop or a branch',
      `'${variable.name}' is`,
      'carry its value through the loop, and assign it afterwards',
    );
  }

  advanceVariable(variable: Variable): void {
    this.assignVariable(variable);
  }

  record(): void {}

  /** Undefined in a branch: it runs once. */
  readonly iteration: (() => Value) | undefined;

  outside<T>(f: () => T): T {
    return inBody(this.#outer.body, () => withRecorder(this.#outer.recorder, f));
  }
}

/** Reading such a value is an error that says why. */
function unread(op: string, param: Value): Value {
  cellOf(param).unfed = {
    op,
    must: 'a value inside of a loop or a branch is not known while the function is traced',
    came: 'it was read',
    hint: 'return it, and read it outside',
  };
  return param;
}

export interface TracedBody<T> {
  readonly graph: SubGraph;
  /** What the body reads from outside, in the order of its last parameters. */
  readonly captured: readonly Value[];
  /** Whether the number of the iteration is among the parameters. */
  readonly usesStep: boolean;
  readonly returned: T;
}

/**
 * Runs `f` on parameters of the given types. It gives its results as values, and whatever else the caller wants to know. The
 * parameters of the graph are those, then the number of the iteration (int32) if the body needs it, then what is captured. `loops`:
 * whether it may run more than once.
 */
export function traceBody<T>(
  op: string,
  types: readonly TensorType[],
  f: (params: readonly Value[]) => { readonly results: readonly Value[]; readonly returned: T },
  loops = true,
): TracedBody<T> {
  const body = new Body();
  const active = new BodyRecorder(op, body, loops);
  return retainingGraph(() => {
    const params = types.map((type) => unread(op, body.param(type)));
    const { results, returned } = inBody(body, () =>
      withRecorder(active, () => {
        let made: ReturnType<typeof f> | null = null;
        tidy(() => {
          made = f(params);
        });
        return made as unknown as ReturnType<typeof f>;
      }),
    );
    const inside = results.map((result) => body.admit(result));
    // Held for as long as the graph is: a handle that nobody drops.
    for (const value of inside) cellOf(value).handles++;
    const { step } = active;
    const all = [...params, ...(step ? [step] : []), ...body.captured.values()];
    const graph = new SubGraph(all, inside);
    return { graph, captured: [...body.captured.keys()], usesStep: step !== null, returned };
  });
}
