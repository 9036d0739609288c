/**
 * Loops and branches inside of the graph: one operation, one native call, however often the body runs. Signatures follow JAX's
 * lax where TensorFlow.js has nothing.
 */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import { apply } from '../../ops/apply.ts';
import { iota } from '../../ops/build.ts';
import { traceBody } from '../body.ts';
import type { Flat, Tree } from '../containers.ts';
import { flatten, showLeaf } from '../containers.ts';
import { Tensor, wrap } from '../tensor.ts';

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
    if (next.value.dtype === dtype && String(next.value.shape) === String(shape)) return;
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
  f: (carry: C, x: X) => readonly [C, Y],
  init: C,
  xs: X,
  options: ScanOptions = {},
): [C, Y] {
  return scanAs('scan', f, init, xs, options);
}

function scanAs<C extends Tree, X extends Tree, Y extends Tree>(
  op: string,
  f: (carry: C, x: X) => readonly [C, Y],
  init: C,
  xs: X,
  { length: given, reverse = false }: ScanOptions,
): [C, Y] {
  checkFunction(op, 'f', f);
  const carry = flatten(op, 'init', init);
  const slices = flatten(op, 'xs', xs);
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
  body: (i: Tensor<'R0'>, carry: C) => C,
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
  const step = (carry: C, i: Tensor): [C, null] => [body(i as Tensor<'R0'>, carry), null];
  return scanAs<C, Tensor, null>(op, step, init, from, { length })[0];
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
  return scanAs<null, X, Y>('map', step, null, xs, {})[1];
}
