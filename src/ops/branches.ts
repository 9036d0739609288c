/**
 * The rows of what depends on data: whileLoop runs its body as long as a flag says so, cond runs one of two graphs. Flags are
 * int32 scalars, since that is what a loop in a program looks at.
 */
import { fail, invariant } from '../base/errors.ts';
import type { Attrs, Value } from '../graph/graph.ts';
import { SubGraph } from '../graph/subgraph.ts';
import type { TensorType } from '../types/shape.ts';
import { sameShape } from '../types/shape.ts';
import { apply } from './apply.ts';
import { Body, inBody } from './body.ts';
import { add, broadcastTo, cast, greater, identity, matMul, mul, select, sub, sum } from './build.ts';
import { constant, parameter, zerosLike } from './build.ts';
import { batchCond, batchWhile } from './branch-batching.ts';
import { evaluateGraph } from './evaluate.ts';
import type { GradientContext, NDArray, OpRow, Sample } from './row.ts';
import { f32, i32, intAttr, show } from './rule.ts';
import { graphAttr } from './scan.ts';
import { isFloat } from '../types/dtype.ts';

function isType(type: TensorType, wanted: TensorType): boolean {
  return type.dtype === wanted.dtype && sameShape(type.shape, wanted.shape);
}

function typesOf(values: readonly Value[]): TensorType[] {
  return values.map(({ dtype, shape }) => ({ dtype, shape }));
}

function runGraph(graph: SubGraph, inputs: readonly NDArray[]): NDArray[] {
  return evaluateGraph(graph.results, new Map(graph.params.map((param, i) => [param, inputs[i]])));
}

// ---- whileLoop ---------------------------------------------------------------------------------------------------------

/** attrs of whileLoop: the body, how many of its params are carries (the first is the flag), and the most steps (-1: any). */
export interface WhileParts {
  readonly body: SubGraph;
  readonly carries: number;
  readonly limit: number;
}

export function whileParts(attrs: Attrs): WhileParts {
  return { body: graphAttr(attrs, 'body'), carries: intAttr(attrs, 'carries'), limit: intAttr(attrs, 'limit') };
}

/**
 * The same loop as a scan of `limit` steps, in which a carry stays what it is once the flag is 0: what the gradient is taken of.
 */
function asScan(inputs: readonly Value[], { body, carries, limit }: WhileParts): readonly Value[] {
  const results = inBody(null, () => {
    const goesOn = greater(body.params[0], zerosLike(body.params[0]));
    return body.results.map((result, i) => select(broadcastTo(goesOn, result.shape), result, body.params[i]));
  });
  const masked = body.withResults(results);
  return apply('scan', inputs, { body: masked, length: limit, reverse: false, carries, xs: 0 });
}

function whileGradient(context: GradientContext, dys: readonly (Value | null)[]): (Value | null)[] {
  const parts = whileParts(context.attrs);
  if (parts.limit < 0) {
    fail(
      'whileLoop',
      'a gradient needs a bound on the number of steps',
      'the loop has none',
      'give { maxIterations }, or use forLoop or scan',
    );
  }
  // Inputs may depend on each other; here each stands for itself.
  const own = context.inputs.map(identity);
  const outputs = asScan(own, parts);
  const flowing = outputs.filter((_, i) => dys[i] !== null);
  context.forget(outputs);
  return context.differentiate(
    flowing,
    own,
    dys.filter((dy) => dy !== null),
  );
}

// ---- cond --------------------------------------------------------------------------------------------------------------

export interface CondParts {
  /** Params of each are some of the inputs, in order: first those of `whenTrue`, then those of `whenFalse`. */
  readonly whenTrue: SubGraph;
  readonly whenFalse: SubGraph;
}

/** cond takes whether, and whether not, as int32; then what `whenTrue` reads, and what `whenFalse` reads. */
export const FLAGS = 2;

export function condParts(attrs: Attrs): CondParts {
  return { whenTrue: graphAttr(attrs, 'whenTrue'), whenFalse: graphAttr(attrs, 'whenFalse') };
}

/** Both branches over one flag: int32, not 0 for `whenTrue`. */
export function applyCond(flag: Value, whenTrue: Branch, whenFalse: Branch): readonly Value[] {
  const zero = zerosLike(flag);
  const not = cast(apply('equal', [flag, zero])[0], 'int32');
  return apply('cond', [flag, not, ...whenTrue.inputs, ...whenFalse.inputs], {
    whenTrue: whenTrue.graph,
    whenFalse: whenFalse.graph,
  });
}

export interface Branch {
  readonly graph: SubGraph;
  readonly inputs: readonly Value[];
}

/** The gradient of a branch: a branch that computes what it needs of the forward one again. */
function gradientBranch(
  { graph, inputs }: Branch,
  context: GradientContext,
  dys: readonly (Value | null)[],
  wanted: readonly boolean[],
): { branch: Branch; results: (Value | null)[] } {
  const body = Body.of(graph);
  return inBody(body, () => {
    const given = graph.results.map((result, i) =>
      dys[i] !== null && isFloat(result.dtype) ? body.param(result) : null,
    );
    const cotangents = given.filter((dy) => dy !== null);
    const flowing = graph.results.filter((_, i) => given[i] !== null);
    const dxs = context.differentiate(flowing, graph.params, cotangents);
    const results = dxs.map((dx, i) => (wanted[i] ? (dx ?? zerosLike(graph.params[i])) : null));
    const params = [...graph.params, ...cotangents, ...body.captured.values()];
    const fed = [...inputs, ...dys.filter((_, i) => given[i] !== null), ...body.captured.keys()] as Value[];
    const made = new SubGraph(
      params,
      results.filter((x) => x !== null),
    );
    return { branch: { graph: made, inputs: fed }, results };
  });
}

function condGradient(context: GradientContext, dys: readonly (Value | null)[]): (Value | null)[] {
  const { whenTrue, whenFalse } = condParts(context.attrs);
  const split = FLAGS + whenTrue.params.length;
  const floats = context.inputs.map((input, i) => i >= FLAGS && isFloat(input.dtype));
  const make = (graph: SubGraph, from: number) =>
    gradientBranch(
      { graph, inputs: context.inputs.slice(from, from + graph.params.length) },
      context,
      dys,
      floats.slice(from, from + graph.params.length),
    );
  const [a, b] = [make(whenTrue, FLAGS), make(whenFalse, split)];
  // Each branch gives the gradients of its own inputs, and zeros for those of the other.
  const zeros = (values: readonly (Value | null)[]) =>
    inBody(null, () => values.filter((x) => x !== null).map(zerosLike));
  const whole = (own: readonly Value[], others: readonly (Value | null)[], first: boolean) =>
    first ? [...own, ...zeros(others)] : [...zeros(others), ...own];
  const outputs = applyCond(
    context.inputs[0],
    { ...a.branch, graph: a.branch.graph.withResults(whole(a.branch.graph.results, b.results, true)) },
    { ...b.branch, graph: b.branch.graph.withResults(whole(b.branch.graph.results, a.results, false)) },
  );
  let next = 0;
  return [null, null, ...[...a.results, ...b.results].map((x) => (x === null ? null : outputs[next++]))];
}

// ---- samples -----------------------------------------------------------------------------------------------------------

type Write = (params: readonly Value[]) => Value[];

function graphOf(types: readonly TensorType[], write: Write): SubGraph {
  return inBody(null, () => {
    const params = types.map(({ dtype, shape }) => parameter(dtype, shape));
    return new SubGraph(params, write(params));
  });
}

/** Doubles x and counts n down to 0; the number of steps is at most what n begins with. */
function countdown(n: number, shape: readonly number[], limit: number): Sample {
  const inputs = [i32([], 1, 2), i32([], n, n + 1), f32(shape), f32(shape)];
  const body = graphOf(inputs, ([, count, x, y]) => {
    const next = sub(count, constant(1, 'int32'));
    return [cast(greater(next, constant(0, 'int32')), 'int32'), next, add(mul(x, constant(0.5)), y)];
  });
  return { inputs, attrs: { body, carries: 3, limit } };
}

function choice(flag: number, shape: readonly number[]): Sample {
  const [rows, columns] = shape;
  const inputs = [i32([], flag, flag + 1), i32([], 1 - flag, 2 - flag), f32(shape), f32(shape), f32([columns, rows])];
  const whenTrue = graphOf(inputs.slice(2, 4), ([x, y]) => [add(mul(x, y), x), sum(y, [0])]);
  const whenFalse = graphOf(inputs.slice(4), ([z]) => {
    const product = matMul(z, z, true, false);
    const same = rows === columns ? product : broadcastTo(sum(z), shape);
    return [same, sum(z, [1])];
  });
  return { inputs, attrs: { whenTrue, whenFalse } };
}

let whiles: readonly Sample[] | null = null;
let conds: readonly Sample[] | null = null;

export const branchRows = {
  whileLoop: {
    name: 'whileLoop',
    summary: 'runs a graph on a carry as long as the first of its values, an int32, is not 0',
    arity: 'variadic',
    infer(inputs, attrs) {
      const { body, carries } = whileParts(attrs);
      const types = typesOf(body.params);
      invariant(
        inputs.length === types.length && inputs.every((input, i) => isType(input, types[i])),
        `whileLoop is given ${inputs.map(show).join()} for ${types.map(show).join()}`,
      );
      invariant(
        isType(inputs[0], { dtype: 'int32', shape: [] }) &&
          body.results.length === carries &&
          body.results.every((result, i) => isType(result, types[i])),
        `whileLoop: the body turns ${types.map(show).join()} into ${body.results.map(show).join()}`,
      );
      return types.slice(0, carries);
    },
    gradient: whileGradient,
    batching: batchWhile,
    evaluate(inputs, attrs) {
      const { body, carries, limit } = whileParts(attrs);
      let carry = inputs.slice(0, carries);
      for (let step = 0; carry[0].data[0] !== 0 && (limit < 0 || step < limit); step++) {
        carry = runGraph(body, [...carry, ...inputs.slice(carries)]);
      }
      return carry.map((array) => array.data.slice());
    },
    lowering: {
      tag: 'loops',
      loops(attrs) {
        const { body, carries, limit } = whileParts(attrs);
        const count = limit < 0 ? Number.MAX_SAFE_INTEGER : limit;
        return [{ body, count, flag: 0, reverse: false, carries, xs: 0 }];
      },
    },
    get samples() {
      whiles ??= [
        countdown(1, [], 20),
        countdown(5, [3], 20),
        countdown(9, [2, 17], 4),
        countdown(7, [0], 8),
        countdown(3, [9], 0),
      ];
      return whiles;
    },
    tolerance: { absolute: 1e-5, relative: 1e-5 },
  },
  cond: {
    name: 'cond',
    summary: 'runs one of two graphs, as an int32 says',
    arity: 'variadic',
    infer(inputs, attrs) {
      const { whenTrue, whenFalse } = condParts(attrs);
      const flag = { dtype: 'int32', shape: [] } as const;
      const types = [flag, flag, ...typesOf(whenTrue.params), ...typesOf(whenFalse.params)];
      invariant(
        inputs.length === types.length && inputs.every((input, i) => isType(input, types[i])),
        `cond is given ${inputs.map(show).join()} for ${types.map(show).join()}`,
      );
      const results = typesOf(whenTrue.results);
      invariant(
        results.length === whenFalse.results.length && results.every((type, i) => isType(type, whenFalse.results[i])),
        `cond: the branches give ${results.map(show).join()} and ${whenFalse.results.map(show).join()}`,
      );
      return results;
    },
    gradient: condGradient,
    batching: batchCond,
    evaluate(inputs, attrs) {
      const { whenTrue, whenFalse } = condParts(attrs);
      const split = FLAGS + whenTrue.params.length;
      const isSet = inputs[0].data[0] !== 0;
      const results = isSet ? runGraph(whenTrue, inputs.slice(FLAGS, split)) : runGraph(whenFalse, inputs.slice(split));
      return results.map((array) => array.data.slice());
    },
    lowering: {
      tag: 'loops',
      loops(attrs) {
        const { whenTrue, whenFalse } = condParts(attrs);
        const branch = (body: SubGraph, flag: number, from: number) => {
          const inputs = body.params.map((_, i) => from + i);
          return { body, inputs, count: 1, flag, reverse: false, carries: 0, xs: 0 };
        };
        return [branch(whenTrue, 0, FLAGS), branch(whenFalse, 1, FLAGS + whenTrue.params.length)];
      },
    },
    get samples() {
      conds ??= [choice(0, [3, 3]), choice(1, [3, 3]), choice(1, [2, 9]), choice(0, [2, 9]), choice(0, [0, 4])];
      return conds;
    },
    tolerance: { absolute: 1e-5, relative: 1e-5 },
  },
} satisfies Record<string, OpRow>;
