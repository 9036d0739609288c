/**
 * vmap of loops and branches that depend on data. Where the elements of a stack would go different ways, both branches are
 * computed and one is chosen for each; a loop goes on as long as one element wants to, and the others stand still.
 */
import type { Value } from '../graph/graph.ts';
import { SubGraph } from '../graph/subgraph.ts';
import { apply } from './apply.ts';
import type { BatchingContext } from './batching.ts';
import { stacked } from './batching.ts';
import { inBody } from './body.ts';
import { applyCond, condParts, FLAGS, whileParts } from './branches.ts';
import { broadcastTo, cast, greater, max, parameter, reshape, select, zerosLike } from './build.ts';

/** The results of a graph for a stack of its params where `isStacked`, else for the params themselves. */
function stackResults(context: BatchingContext, graph: SubGraph, isStacked: readonly boolean[]): SubGraph {
  const { size } = context;
  return inBody(null, () => {
    const given = new Map<Value, Value>();
    const params = graph.params.map((param, i) => {
      if (!isStacked[i]) return param;
      const many = parameter(param.dtype, [size, ...param.shape]);
      given.set(param, many);
      return many;
    });
    const results = context
      .stackGraph(graph.results, given)
      .map((result, i) => result ?? broadcastTo(graph.results[i], [size, ...graph.results[i].shape]));
    return new SubGraph(params, results);
  });
}

/** Per element of the stack: a where the flag is not 0. */
function choose(flags: Value, a: Value, b: Value): Value {
  const chosen = greater(flags, zerosLike(flags));
  const [size] = flags.shape;
  const wide = reshape(chosen, [size, ...a.shape.slice(1).map(() => 1)]);
  return select(broadcastTo(wide, a.shape), a, b);
}

export function batchCond(context: BatchingContext): readonly Value[] {
  const { attrs, inputs, batched } = context;
  const { whenTrue, whenFalse } = condParts(attrs);
  const split = FLAGS + whenTrue.params.length;
  const a = { graph: stackResults(context, whenTrue, batched.slice(FLAGS, split)), inputs: inputs.slice(FLAGS, split) };
  const b = { graph: stackResults(context, whenFalse, batched.slice(split)), inputs: inputs.slice(split) };
  if (!batched[0]) return applyCond(inputs[0], a, b);
  const both = [a, b].map(({ graph, inputs: given }) => inline(graph, given));
  return both[0].map((x, i) => choose(inputs[0], x, both[1][i]));
}

/** The results of a graph, computed where we are: as a loop of one step, which costs nothing but its stages. */
function inline(body: SubGraph, inputs: readonly Value[]): Value[] {
  const outputs = apply('scan', inputs, { body, length: 1, reverse: false, carries: 0, xs: 0 });
  return outputs.map((y, i) => reshape(y, body.results[i].shape));
}

export function batchWhile(context: BatchingContext): readonly Value[] {
  const { attrs, inputs, size } = context;
  const { body, carries, limit } = whileParts(attrs);
  // All carries are stacked; those that started alike may part ways.
  const isStacked = body.params.map((_, i) => i < carries || context.batched[i]);
  const many = stackResults(context, body, isStacked);
  const any = (flags: Value) => cast(max(flags), 'int32');
  const graph = inBody(null, () => {
    const flag = parameter('int32', []);
    const results = many.results.map((result, i) => choose(many.params[0], result, many.params[i]));
    return new SubGraph([flag, ...many.params], [any(results[0]), ...results]);
  });
  const first = inputs.map((input, i) => (isStacked[i] ? stacked(context, i) : input));
  const flags = broadcastTo(first[0], [size]);
  const outputs = apply('whileLoop', [any(flags), ...first], { body: graph, carries: carries + 1, limit });
  return outputs.slice(1);
}
