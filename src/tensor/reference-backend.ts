/** The target that defines what is right: it interprets the graph, op by op, with the table's own evaluation. */
import type { Value } from '../graph/graph.ts';
import { evaluateGraph } from '../ops/evaluate.ts';
import type { NDArray } from '../ops/row.ts';
import type { Storage } from '../runtime/storage.ts';
import { pack, unpack } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import type { Backend, Loaded } from './backends.ts';

function load(inputs: readonly Value[], outputs: readonly Value[]): Loaded {
  const run = (sources: readonly Storage[], targets: readonly Storage[]) => {
    const feeds = new Map<Value, NDArray>();
    inputs.forEach((value, i) => {
      const { dtype, shape } = value;
      feeds.set(value, { dtype, shape, data: unpack(dtype, sources[i].view(dtype, sizeOf(shape))) });
    });
    const results = evaluateGraph(outputs, feeds);
    outputs.forEach((value, i) => {
      pack(value.dtype, results[i].data, targets[i].view(value.dtype, sizeOf(value.shape)));
    });
  };
  const runAsync = async (sources: readonly Storage[], targets: readonly Storage[]) => run(sources, targets);
  return { executable: { run, runAsync, dispose() {}, bytes: 0 }, program: null };
}

export function referenceBackend(): Backend {
  return { name: 'reference', threads: 1, load: ({ inputs, outputs }) => load(inputs, outputs) };
}
