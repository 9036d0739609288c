/** vmap of scan: the loop stays, its body runs on a stack. Carries that start alike but part ways are stacked from the start. */
import type { Value } from '../graph/graph.ts';
import { apply } from './apply.ts';
import type { BatchingContext } from './batching.ts';
import { stacked } from './batching.ts';
import { inBody } from './body.ts';
import { broadcastTo, parameter, transpose } from './build.ts';
import { SubGraph } from '../graph/subgraph.ts';
import { scanParts } from './scan.ts';

const swapFirst = (x: Value): Value => transpose(x, [1, 0, ...x.shape.slice(2).map((_, i) => i + 2)]);

export function batchScan(context: BatchingContext): readonly Value[] {
  const { attrs, batched, size, inputs } = context;
  const { body, carries, xs } = scanParts(attrs);
  const isStacked = [...batched];
  const stackedTypes = (value: Value) => parameter(value.dtype, [size, ...value.shape]);
  const write = () => {
    const params = body.params.map((param, i) =>
      isStacked[i] ? stackedTypes(param) : parameter(param.dtype, param.shape),
    );
    const given = new Map<Value, Value>();
    const same = new Map<Value, Value>();
    body.params.forEach((param, i) => (isStacked[i] ? given : same).set(param, params[i]));
    return { params, given, same };
  };
  // A carry is stacked where what it becomes is: until nothing changes.
  for (let changed = true; changed; ) {
    const { given } = write();
    const results = inBody(null, () => context.stackGraph(body.results.slice(0, carries), given));
    changed = false;
    results.forEach((result, i) => {
      if (result === null || isStacked[i]) return;
      isStacked[i] = true;
      changed = true;
    });
  }
  const { params, given } = write();
  // What is not stacked keeps its own parameter.
  const all = params.map((param, i) => (isStacked[i] ? param : body.params[i]));
  const results = inBody(null, () =>
    context.stackGraph(body.results, given).map((result, i) => {
      const spread = i >= carries || isStacked[i];
      return result ?? (spread ? broadcastTo(body.results[i], [size, ...body.results[i].shape]) : body.results[i]);
    }),
  );
  const fed = inputs.map((input, i) => {
    if (!isStacked[i]) return input;
    if (i >= carries && i < carries + xs) return swapFirst(input);
    return stacked(context, i);
  });
  const outputs = apply('scan', fed, { ...attrs, body: new SubGraph(all, results) });
  return outputs.map((output, i) => {
    if (i >= carries) return swapFirst(output);
    return isStacked[i] ? output : broadcastTo(output, [size, ...output.shape]);
  });
}
