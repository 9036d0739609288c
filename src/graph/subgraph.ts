/**
 * A graph inside of an operation: the body of a loop, a branch. It is closed: what its results depend on are its parameters and
 * constants, so it can be copied, compared by its text and run anywhere. Knows no op's meaning.
 */
import type { Attr, Attrs, Operation, Value } from './graph.ts';
import { topologicalOrder } from './graph.ts';

export class SubGraph {
  /** What is given from outside, in order. Two graphs over the same list of parameters can be merged into one. */
  readonly params: readonly Value[];
  readonly results: readonly Value[];
  #key: string | null = null;

  constructor(params: readonly Value[], results: readonly Value[]) {
    this.params = params;
    this.results = results;
  }

  /** Its operations, inputs before users, without the parameters. */
  operations(): Operation[] {
    const given = new Set(this.params);
    return topologicalOrder(this.results, (value) => given.has(value));
  }

  /** The same parameters, other results. */
  withResults(results: readonly Value[]): SubGraph {
    return new SubGraph(this.params, results);
  }

  /** Its structure as a string: equal for graphs that compute the same in the same way. */
  get key(): string {
    this.#key ??= describe(this);
    return this.#key;
  }

  toJSON(): string {
    return this.key;
  }
}

function describe({ params, results }: SubGraph): string {
  const names = new Map<Value, string>();
  const given = new Set(params);
  let key = '';
  params.forEach((param, i) => {
    names.set(param, `p${i}`);
    key += `${param.dtype}[${param.shape.join()}] `;
  });
  topologicalOrder(results, (value) => given.has(value)).forEach((op, i) => {
    op.outputs.forEach((output, o) => {
      if (!given.has(output)) names.set(output, o === 0 ? `${i}` : `${i}.${o}`);
    });
    key += `\n${op.kind}(${op.inputs.map((input) => names.get(input)).join()})${showAttrs(op.attrs)}`;
  });
  return `{${key}\n>${results.map((result) => names.get(result)).join()}}`;
}

export function showAttr(attr: Attr): string {
  switch (typeof attr) {
    case 'number':
      return Object.is(attr, -0) ? '-0' : String(attr);
    case 'string':
      return JSON.stringify(attr);
    case 'object':
      if (attr === null) return '~';
      return attr instanceof SubGraph ? attr.key : `[${(attr as readonly Attr[]).map(showAttr).join()}]`;
    default:
      return attr ? 't' : 'f';
  }
}

/** Attributes as a string, the same for the same attributes. */
export function showAttrs(attrs: Attrs): string {
  let text = '';
  for (const name in attrs) text += `${name}=${showAttr(attrs[name])};`;
  return text;
}
