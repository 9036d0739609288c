/**
 * Writing the graph inside of an operation. While a body is open, every operation that is made belongs to it, and what an
 * operation reads from outside becomes a parameter of the body: bodies are closed from the first, whatever the code that writes
 * them refers to. Bodies nest.
 */
import type { Operation, Value } from '../graph/graph.ts';
import { Operation as MakeOperation } from '../graph/graph.ts';
import type { SubGraph } from '../graph/subgraph.ts';
import type { TensorType } from '../types/shape.ts';

export class Body {
  /** Values from outside, and the parameters through which the body reads them. */
  readonly captured = new Map<Value, Value>();
  readonly #own = new WeakSet<Operation>();

  /** A value that is given anew each time the body runs. */
  param({ dtype, shape }: TensorType): Value {
    const op = new MakeOperation('parameter', [], { shape, dtype }, [{ dtype, shape }]);
    this.#own.add(op);
    return op.outputs[0];
  }

  own(op: Operation): void {
    this.#own.add(op);
  }

  /** Goes on with a body that was written before. */
  static of(graph: SubGraph): Body {
    const body = new Body();
    for (const param of graph.params) body.own(param.op);
    for (const op of graph.operations()) body.own(op);
    return body;
  }

  /** What stands for `value` inside. */
  admit(value: Value): Value {
    if (this.#own.has(value.op)) return value;
    let param = this.captured.get(value);
    if (param === undefined) {
      param = this.param(value);
      this.captured.set(value, param);
    }
    return param;
  }
}

let open: Body | null = null;

export function openBody(): Body | null {
  return open;
}

/** Runs `f` with its operations going into `body`; null: into no body. */
export function inBody<T>(body: Body | null, f: () => T): T {
  const outer = open;
  open = body;
  try {
    return f();
  } finally {
    open = outer;
  }
}

/** What stands for `value` where operations are being written now. */
export function admit(value: Value): Value {
  return open === null ? value : open.admit(value);
}
