/**
 * Loops and branches inside of the graph: one operation, one native call, however often the body runs. Signatures follow JAX's
 * lax where TensorFlow.js has nothing.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import { SubGraph } from '../../graph/subgraph.ts';
import { apply } from '../../ops/apply.ts';
import { Body, inBody } from '../../ops/body.ts';
import { applyCond } from '../../ops/branches.ts';
import { add, cast, constant, iota, notEqual, parameter, zerosLike } from '../../ops/build.ts';
import { sameShape } from '../../types/shape.ts';
import { traceBody } from '../body.ts';
import { retainingGraph } from '../cell.ts';
import type { Flat, Tree } from '../containers.ts';
import { flatten, refuseComplexLeaves, showLeaf } from '../containers.ts';
import { tidy } from '../scope.ts';
import { Tensor, wrap } from '../tensor.ts';
import type { TensorContainer } from '../types.ts';

/** Runs `f`, with what it makes on its way held until it is done, and given up then. */
function writing<T extends TensorContainer>(f: () => T): T {
  return tidy(() => retainingGraph(f));
}

export interface ScanOptions {
  /** Number of steps; needed where xs holds no tensor. */
  readonly length?: number;
  /** From the last slice to the first. ys stand where their xs stood all the same. */
  readonly reverse?: boolean;
}

function checkFunction(op: string, what: string, f: unknown): void {
  if (typeof f !== 'function') fail(op, `${what} must be a function`, `got ${typeof f}`);
}

function checkNoPromise(op: string, returned: unknown): void {
  if (!(returned instanceof Promise)) return;
  returned.catch(() => undefined);
  fail(op, 'the function must not be asynchronous', 'it returned a promise');
}

/** What a carry became must fit where it came from. */
function checkCarry(op: string, before: Flat, after: Flat): void {
  if (after.structure !== before.structure) {
    fail(
      op,
      'the carry must keep its structure: what the body returns must have tensors where the first value has',
      `got ${after.structure} for ${before.structure}`,
      'return the carry in the same lists and objects in which it came',
    );
  }
  before.leaves.forEach((leaf, i) => {
    const next = after.leaves[i];
    const { dtype, shape } = leaf.value;
    if (next.value.dtype === dtype && sameShape(next.value.shape, shape)) return;
    fail(
      op,
      'the carry must keep its shapes and dtypes',
      `${showLeaf(leaf)} before the body and ${showLeaf(next)} after it`,
      next.value.dtype === dtype ? 'give the first value the shape that the body returns' : 'cast one of them',
    );
  });
}

function lengthOf(op: string, xs: Flat, given: number | undefined): number {
  if (given !== undefined && (!Number.isInteger(given) || given < 0)) {
    fail(op, 'length must be an integer from 0', `got ${given}`);
  }
  let length = given;
  for (const leaf of xs.leaves) {
    const { shape } = leaf.value;
    if (shape.length === 0) {
      fail(op, 'xs must have a first axis to go along', showLeaf(leaf), 'capture it in the function instead');
    }
    if (length !== undefined && shape[0] !== length) {
      fail(op, `the first axis of xs must be the number of steps, ${length}`, showLeaf(leaf), 'slice or pad it');
    }
    length = shape[0];
  }
  if (length === undefined) fail(op, 'the number of steps must be known', 'xs holds no tensor', 'give { length }');
  return length;
}

/**
 * Runs `f` for each slice of xs along the first axis, passing a carry on:
 *
 *     carry = init
 *     for t in 0 .. length - 1:  [carry, ys[t]] = f(carry, xs[t])
 *     return [carry, ys]
 *
 * init, xs and what f returns are tensors, or lists and plain objects of them, or null; the carry must keep its structure, shapes
 * and dtypes. ys are stacked along a new first axis. f is called once, to be traced; tensors and variables that it refers to
 * are read as they are before the loop, random numbers are drawn anew in each step. Differentiable to any order, for init,
 * xs and everything that f refers to. Memory for the gradient grows with the number of steps.
 *
 * After JAX's lax.scan.
 */
export function scan<C extends Tree, X extends Tree, Y extends Tree>(
  f: (carry: C, x: X) => readonly [Tree, Y],
  init: C,
  xs: X,
  options: ScanOptions = {},
): [C, Y] {
  return writing(() => scanAs('scan', f, init, xs, options));
}

function scanAs<C extends Tree, X extends Tree, Y extends Tree>(
  op: string,
  f: (carry: C, x: X) => readonly [Tree, Y],
  init: C,
  xs: X,
  { length: given, reverse = false }: ScanOptions,
): [C, Y] {
  checkFunction(op, 'f', f);
  const carry = flatten(op, 'init', init);
  const slices = flatten(op, 'xs', xs);
  refuseComplexLeaves(op, 'xs', slices);
  const length = lengthOf(op, slices, given);
  const carries = carry.leaves.length;
  const types = [
    ...carry.leaves.map(({ value }) => value),
    ...slices.leaves.map(({ value: { dtype, shape } }) => ({ dtype, shape: shape.slice(1) })),
  ];
  const body = traceBody(op, types, (params) => {
    const returned: unknown = f(carry.build(params.slice(0, carries)) as C, slices.build(params.slice(carries)) as X);
    checkNoPromise(op, returned);
    if (!Array.isArray(returned) || returned.length !== 2) {
      fail(op, 'f must return a list of two: the carry and y (null for none)', `got ${describe(returned)}`);
    }
    const after = flatten(op, 'the carry', returned[0]);
    checkCarry(op, carry, after);
    const y = flatten(op, 'y', returned[1]);
    refuseComplexLeaves(op, 'y', y);
    return { results: [...after.leaves, ...y.leaves].map(({ value }) => value), returned: y };
  });
  const stacked = slices.leaves.map(({ value }) => value);
  if (body.usesStep) stacked.push(reverse ? reversed(length) : iota([length]));
  const inputs = [...carry.leaves.map(({ value }) => value), ...stacked, ...body.captured];
  const outputs = apply('scan', inputs, { body: body.graph, length, reverse, carries, xs: stacked.length });
  return [carry.build(outputs.slice(0, carries)) as C, body.returned.build(outputs.slice(carries)) as Y];
}

/** The number of the step that reads each slice, where the last slice comes first. */
function reversed(length: number): Value {
  return apply('reverse', [iota([length])], { axes: [0] })[0];
}

function describe(x: unknown): string {
  if (Array.isArray(x)) return `a list of ${x.length}`;
  return x instanceof Tensor ? 'a tensor' : typeof x;
}

/**
 * Runs `body` for the integers from `lower` to `upper - 1`: carry = body(i, carry), where i is an int32 scalar. Returns the last
 * carry. Differentiable; for numbers of steps that depend on data see whileLoop.
 *
 * After JAX's lax.fori_loop.
 */
export function forLoop<C extends Tree>(
  lower: number,
  upper: number,
  body: (i: Tensor<'R0'>, carry: C) => Tree,
  init: C,
): C {
  const op = 'forLoop';
  for (const [name, bound] of [
    ['lower', lower],
    ['upper', upper],
  ] as const) {
    if (!Number.isInteger(bound)) {
      fail(op, `${name} must be an integer`, `got ${String(bound)}`, 'use whileLoop where the bound is a tensor');
    }
  }
  checkFunction(op, 'body', body);
  const length = Math.max(0, upper - lower);
  const from = wrap(apply('add', [iota([length]), constantOf(lower, length)])[0]);
  const step = (carry: C, i: Tensor): [Tree, null] => [body(i as Tensor<'R0'>, carry), null];
  return writing(() => scanAs<C, Tensor, null>(op, step, init, from, { length })[0]);
}

function constantOf(value: number, length: number): Value {
  return apply('broadcastTo', [apply('constant', [], { value, dtype: 'int32' })[0]], { shape: [length] })[0];
}

/**
 * `f` of each slice of xs along the first axis, stacked: ys[i] = f(xs[i]). One after the other, in one operation; vmap computes
 * them side by side. xs and what f returns are tensors, or lists and plain objects of them.
 *
 * After JAX's lax.map.
 */
export function map<X extends Tree, Y extends Tree>(f: (x: X) => Y, xs: X): Y {
  checkFunction('map', 'f', f);
  const step = (_: null, x: X): [null, Y] => [null, f(x)];
  return writing(() => scanAs<null, X, Y>('map', step, null, xs, {})[1]);
}

export interface WhileOptions {
  /** The loop ends after so many steps at the latest; a gradient needs it, and takes time for that many. */
  readonly maxIterations?: number;
}

/** A flag for the runtime: int32 of one element. */
function flagOf(op: string, what: string, returned: unknown): Value {
  checkNoPromise(op, returned);
  const { leaves } = flatten(op, what, returned);
  const [leaf] = leaves;
  if (leaves.length !== 1 || leaf.path !== '' || leaf.value.shape.length !== 0) {
    const came = leaves.length === 1 ? showLeaf(leaf) : describe(returned);
    fail(op, `${what} must be a scalar`, came, 'reduce it with all() or any()');
  }
  const { value } = leaf;
  const yes = value.dtype === 'bool' ? value : notEqual(value, zerosLike(value));
  return cast(yes, 'int32');
}

/**
 * Runs `body` as long as `cond` holds, which is asked before each step: while (cond(carry)) carry = body(carry). Both are traced
 * (cond twice); carry is a tensor, or lists and plain objects of tensors, and keeps its structure, shapes and dtypes. How many
 * steps there are may depend on data.
 *
 * Differentiable where { maxIterations } is given: the gradient runs that many steps (those after the end change nothing), and
 * the body must not overflow on a carry that is done. Without a bound, asking for a gradient is an error; see scan and forLoop.
 *
 * After JAX's lax.while_loop.
 */
export function whileLoop<C extends Tree>(
  cond: (carry: C) => Tensor,
  body: (carry: C) => Tree,
  init: C,
  { maxIterations }: WhileOptions = {},
): C {
  const op = 'whileLoop';
  checkFunction(op, 'cond', cond);
  checkFunction(op, 'body', body);
  if (maxIterations !== undefined && (!Number.isInteger(maxIterations) || maxIterations < 0)) {
    fail(op, 'maxIterations must be an integer from 0', `got ${String(maxIterations)}`);
  }
  return writing(() => writeWhile(cond, body, init, maxIterations ?? -1));
}

function writeWhile<C extends Tree>(cond: (carry: C) => Tensor, body: (carry: C) => Tree, init: C, limit: number): C {
  const op = 'whileLoop';
  const carry = flatten(op, 'init', init);
  const first = carry.leaves.map(({ value }) => value);
  const goesOn = (values: readonly Value[]) => flagOf(op, 'what cond returns', cond(carry.build(values) as C));
  const flag = goesOn(first);
  const traced = traceBody(op, first, (params) => {
    const returned = body(carry.build(params) as C);
    checkNoPromise(op, returned);
    const after = flatten(op, 'the carry', returned);
    checkCarry(op, carry, after);
    const values = after.leaves.map(({ value }) => value);
    return { results: [goesOn(values), ...values], returned: null };
  });
  const { params, results } = traced.graph;
  // The flag is a carry that the body itself does not read; the number of the iteration is one that counts.
  const inside = inBody(null, () => parameter('int32', []));
  const count = traced.usesStep ? [params[first.length]] : [];
  const graph = inBody(Body.of(traced.graph), () => {
    const counted = count.map((step) => add(step, constant(1, 'int32')));
    const rest = params.slice(first.length + count.length);
    return new SubGraph([inside, ...params.slice(0, first.length), ...count, ...rest], [...results, ...counted]);
  });
  const counters = count.map(() => constant(0, 'int32'));
  const outputs = apply('whileLoop', [flag, ...first, ...counters, ...traced.captured], {
    body: graph,
    carries: 1 + first.length + count.length,
    limit,
  });
  return carry.build(outputs.slice(1, 1 + first.length)) as C;
}

/**
 * whenTrue(...operands) or whenFalse(...operands), as `predicate` (a scalar; a number counts as true if it is not 0) says when
 * the program runs: only one of them is computed. Both are traced, and must return the same structure, shapes and dtypes.
 * Differentiable, for operands and all that the functions refer to. A plain boolean as the predicate decides at once.
 *
 * After JAX's lax.cond.
 */
export function cond<A extends readonly Tree[], R extends Tree>(
  predicate: Tensor | boolean,
  whenTrue: (...operands: A) => R,
  whenFalse: (...operands: A) => R,
  ...operands: A
): R {
  const op = 'cond';
  checkFunction(op, 'whenTrue', whenTrue);
  checkFunction(op, 'whenFalse', whenFalse);
  if (typeof predicate === 'boolean') return (predicate ? whenTrue : whenFalse)(...operands);
  return writing(() => writeCond(predicate, whenTrue, whenFalse, operands));
}

function writeCond<A extends readonly Tree[], R extends Tree>(
  predicate: Tensor,
  whenTrue: (...operands: A) => R,
  whenFalse: (...operands: A) => R,
  operands: A,
): R {
  const op = 'cond';
  const flag = flagOf(op, 'the predicate', predicate);
  const given = flatten(op, 'operands', [...operands]);
  const values = given.leaves.map(({ value }) => value);
  const [a, b] = [whenTrue, whenFalse].map((f) =>
    traceBody(
      op,
      values,
      (params) => {
        const returned = f(...(given.build(params) as unknown as A));
        checkNoPromise(op, returned);
        const flat = flatten(op, 'what a branch returns', returned);
        return { results: flat.leaves.map(({ value }) => value), returned: flat };
      },
      false,
    ),
  );
  checkBranches(op, a.returned, b.returned);
  const outputs = applyCond(
    flag,
    { graph: a.graph, inputs: [...values, ...a.captured] },
    { graph: b.graph, inputs: [...values, ...b.captured] },
  );
  return a.returned.build(outputs) as R;
}

function checkBranches(op: string, a: Flat, b: Flat): void {
  if (a.structure !== b.structure) {
    fail(op, 'both branches must return the same structure', `got ${a.structure} and ${b.structure}`);
  }
  a.leaves.forEach((leaf, i) => {
    const other = b.leaves[i];
    if (leaf.value.dtype === other.value.dtype && sameShape(leaf.value.shape, other.value.shape)) return;
    fail(
      op,
      'both branches must return the same shapes and dtypes',
      `${showLeaf(leaf)} in whenTrue and ${showLeaf(other)} in whenFalse`,
      'cast or broadcast one of them',
    );
  });
}
