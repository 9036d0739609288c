/** Graphs as plain data: how a finding is kept, and read again whatever the generator does by then. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Attrs, Value } from '../../src/graph/graph.ts';
import { topologicalOrder } from '../../src/graph/graph.ts';
import { apply } from '../../src/ops/build.ts';
import type { NDArray } from '../../src/ops/row.ts';
import { newArray } from '../../src/types/dtype.ts';

const folder = fileURLToPath(new URL('./fixtures/', import.meta.url));

interface Saved {
  readonly found: string;
  readonly ops: readonly {
    kind: string;
    attrs: Attrs;
    inputs: readonly (readonly [number, number])[];
    data?: number[];
  }[];
  readonly outputs: readonly (readonly [number, number])[];
}

/** Infinities are no JSON. */
const toJson = (x: number) => (Number.isFinite(x) ? x : (String(x) as unknown as number));

export function save(
  name: string,
  found: string,
  outputs: readonly Value[],
  feeds: ReadonlyMap<Value, NDArray>,
): string {
  const order = topologicalOrder(outputs);
  const place = new Map(order.map((op, i) => [op, i]));
  const at = (value: Value) => [place.get(value.op)!, value.index] as const;
  const saved: Saved = {
    found,
    ops: order.map((op) => {
      const fed = feeds.get(op.outputs[0]);
      return {
        kind: op.kind,
        attrs: op.attrs,
        inputs: op.inputs.map(at),
        ...(fed && { data: Array.from(fed.data, toJson) }),
      };
    }),
    outputs: outputs.map(at),
  };
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(saved, null, 1)}\n`);
  return path.basename(file);
}

export interface Loaded {
  readonly name: string;
  readonly outputs: readonly Value[];
  readonly feeds: Map<Value, NDArray>;
}

export function loadAll(): Loaded[] {
  let names: string[] = [];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    // No finding yet.
  }
  return names.map((name) => {
    const saved = JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as Saved;
    const made: (readonly Value[])[] = [];
    const feeds = new Map<Value, NDArray>();
    for (const { kind, attrs, inputs, data } of saved.ops) {
      const outputs = apply(
        kind,
        inputs.map(([op, index]) => made[op][index]),
        attrs,
      );
      made.push(outputs);
      const [{ dtype, shape }] = outputs;
      if (data)
        feeds.set(outputs[0], { dtype, shape, data: newArray(dtype, data.length).map((_, i) => Number(data[i])) });
    }
    return { name, outputs: saved.outputs.map(([op, index]) => made[op][index]), feeds };
  });
}
