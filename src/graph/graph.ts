/**
 * Operations and the values between them. A graph knows structure only: what an op means stands in its row in ops/.
 */
import type { DType } from '../types/dtype.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import type { SubGraph } from './subgraph.ts';

/** Plain data: numbers, strings, booleans and lists of them; and the graphs inside of operations. */
export type Attr = number | string | boolean | null | SubGraph | readonly Attr[];
export type Attrs = { readonly [name: string]: Attr };

let nextId = 1;

/** One output of an operation: what users hold as a Tensor. */
export class Value {
  readonly op: Operation;
  readonly index: number;
  readonly dtype: DType;
  readonly shape: Shape;
  /** What the session keeps with a value (its bytes, once computed). */
  payload: object | null = null;
  /** Input places of operations that read it, severed ones not counted. */
  uses = 0;

  constructor(op: Operation, index: number, type: TensorType) {
    this.op = op;
    this.index = index;
    this.dtype = type.dtype;
    this.shape = type.shape;
  }
}

export class Operation {
  readonly id = nextId++;
  /** Name of a row in the op table. */
  readonly kind: string;
  readonly attrs: Attrs;
  readonly outputs: readonly Value[];
  /** A user's name for it (Graph mode), or ''. */
  name = '';
  /** Length of the longest chain of operations behind it that are not yet computed. */
  depth = 0;
  #inputs: readonly Value[];

  constructor(kind: string, inputs: readonly Value[], attrs: Attrs, types: readonly TensorType[]) {
    this.kind = kind;
    this.#inputs = inputs;
    this.attrs = attrs;
    this.outputs = types.map((type, index) => new Value(this, index, type));
    for (const input of inputs) {
      input.uses++;
      if (input.op.depth >= this.depth) this.depth = input.op.depth + 1;
    }
  }

  get inputs(): readonly Value[] {
    return this.#inputs;
  }

  /** Forgets the inputs, once every output is computed, so that they can be freed. */
  sever(): void {
    for (const input of this.#inputs) input.uses--;
    this.#inputs = [];
    this.depth = 0;
  }
}

/** All operations that `values` depend on, inputs before users. `stop` values count as given: nothing behind them is visited. */
export function topologicalOrder(values: readonly Value[], stop: (value: Value) => boolean = () => false): Operation[] {
  const order: Operation[] = [];
  const seen = new Set<Operation>();
  const stack: { op: Operation; next: number }[] = [];
  const enter = (value: Value) => {
    if (stop(value) || seen.has(value.op)) return;
    seen.add(value.op);
    stack.push({ op: value.op, next: 0 });
  };
  for (const value of values) {
    enter(value);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.op.inputs.length) enter(top.op.inputs[top.next++]);
      else {
        order.push(top.op);
        stack.pop();
      }
    }
  }
  return order;
}
