/** Graphs as plain data: how a finding is kept, and read again whatever the generator does by then. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Attrs, Value } from '../../src/graph/graph.ts';
import { topologicalOrder } from '../../src/graph/graph.ts';
import { apply } from '../../src/ops/build.ts';
import type { NDArray } from '../../src/ops/row.ts';
import type { DType } from '../../src/types/dtype.ts';
import { elementOf, newArray } from '../../src/types/dtype.ts';

const folder = fileURLToPath(new URL('./fixtures/', import.meta.url));

/** A graph as plain data. What is fed stands as a parameter with its elements. */
export interface Saved {
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
const toJson = (x: number) => (Number.isFinite(x) && !Object.is(x, -0) ? x : (String(x) as unknown as number));
/** Nor are bigints, which int64 arrays hold. */
const fromJson = (x: number, dtype: DType) =>
  dtype === 'int64' ? elementOf(dtype, BigInt(x) as unknown as number) : Number(x);

/** The part of the graph between what is fed and the outputs. */
export function write(found: string, outputs: readonly Value[], feeds: ReadonlyMap<Value, NDArray>): Saved {
  const ops: Saved['ops'][number][] = [];
  const places = new Map<Value, readonly [number, number]>();
  const enter = (value: Value) => {
    const array = feeds.get(value);
    if (!array || places.has(value)) return;
    const attrs = { dtype: value.dtype, shape: value.shape };
    places.set(value, [
      ops.push({ kind: 'parameter', attrs, inputs: [], data: Array.from(array.data, toJson) }) - 1,
      0,
    ]);
  };
  for (const op of topologicalOrder(outputs, (value) => feeds.has(value))) {
    op.inputs.forEach(enter);
    const inputs = op.inputs.map((input) => places.get(input)!);
    const at = ops.push({ kind: op.kind, attrs: op.attrs, inputs }) - 1;
    for (const value of op.outputs) if (!feeds.has(value)) places.set(value, [at, value.index]);
  }
  return { found, ops, outputs: outputs.map((value) => places.get(value)!) };
}

export function keep(name: string, saved: Saved): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, `${name}.json`), `${JSON.stringify(saved)}\n`);
  return `${name}.json`;
}

export interface Graph {
  readonly outputs: readonly Value[];
  readonly feeds: Map<Value, NDArray>;
}

export function read(saved: Saved): Graph {
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
      feeds.set(outputs[0], {
        dtype,
        shape,
        data: newArray(dtype, data.length).map((_, i) => fromJson(data[i], dtype)),
      });
  }
  return { outputs: saved.outputs.map(([op, index]) => made[op][index]), feeds };
}

export function loadAll(): { name: string; saved: Saved }[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.map((name) => ({ name, saved: JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as Saved }));
}
