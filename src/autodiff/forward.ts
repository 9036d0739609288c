/**
 * Forward mode and what is built of it. A pullback u -> J^T u is linear in u, so its own pullback is v -> J v: the transpose of
 * the transpose. The dummy u falls out, since no gradient rule leaves a trace of it, and values of the forward graph are shared,
 * not computed again. So one rule for each op serves both modes, and all orders. Knows no op and no tensor.
 */
import type { Value } from '../graph/graph.ts';
import { cast, constant, equal, iota, reshape, transpose } from '../ops/build.ts';
import type { Shape } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';
import { gradients } from './gradients.ts';
import { newestId, severUnread } from './unread.ts';
import { Stack } from './vmap.ts';
import { type DType, isFloat } from '../types/dtype.ts';

/** J dx for each y: how ys move as xs move along dxs (null: not at all). null where y does not depend on what moves. */
export function jvp(ys: readonly Value[], xs: readonly Value[], dxs: readonly (Value | null)[]): (Value | null)[] {
  const newest = newestId();
  const places = ys.flatMap((y, i) => (isFloat(y.dtype) ? [i] : []));
  const moving = xs.flatMap((_, i) => (dxs[i] === null ? [] : [i]));
  const us = places.map((i) => constant(0, ys[i].dtype, ys[i].shape));
  const pulled = gradients(
    places.map((i) => ys[i]),
    moving.map((i) => xs[i]),
    us,
  );
  const there = moving.flatMap((i, k) => (pulled[k] === null ? [] : [{ dx: dxs[i], g: pulled[k] }]));
  const pushed = gradients(
    there.map(({ g }) => g),
    us,
    there.map(({ dx }) => dx),
  );
  const results: (Value | null)[] = ys.map(() => null);
  for (const [k, i] of places.entries()) results[i] = pushed[k];
  severUnread(
    there.map(({ g }) => g),
    new Set(results.filter((value) => value !== null)),
    newest,
  );
  return results;
}

/** [n, ...shape] for n = the size of shape: element i has a 1 at place i, and zeros else. */
export function basis(shape: Shape, dtype: DType): Value {
  const n = sizeOf(shape);
  const ones = equal(iota([n, n], 0), iota([n, n], 1));
  return reshape(cast(ones, dtype), [n, ...shape]);
}

/** dy/dx for each x, of shape [...y, ...x], row by row: one pullback for the whole stack of unit vectors. */
export function jacobianReverse(y: Value, xs: readonly Value[]): (Value | null)[] {
  const newest = newestId();
  const u = constant(0, y.dtype, y.shape);
  const stack = new Stack(sizeOf(y.shape));
  stack.give(u, basis(y.shape, y.dtype));
  const pulled = gradients([y], xs, [u]);
  const results = pulled.map((g, i) => g && reshape(stack.all([g])[0], [...y.shape, ...xs[i].shape]));
  finish(pulled, results, newest);
  return results;
}

/** dy/dx for each y, of shape [...y, ...x], column by column: one pushforward for the whole stack of unit vectors. */
export function jacobianForward(ys: readonly Value[], x: Value): (Value | null)[] {
  const newest = newestId();
  const v = constant(0, x.dtype, x.shape);
  const stack = new Stack(sizeOf(x.shape));
  stack.give(v, basis(x.shape, x.dtype));
  const pushed = jvp(ys, [x], [v]);
  const results = pushed.map((dy, i) => {
    if (dy === null) return null;
    const rank = ys[i].shape.length;
    const columns = stack.all([dy])[0];
    const perm = Array.from({ length: rank + 1 }, (_, axis) => (axis + 1) % (rank + 1));
    return reshape(transpose(columns, perm), [...ys[i].shape, ...x.shape]);
  });
  finish(pushed, results, newest);
  return results;
}

/**
 * H v for each x, H being the second derivatives of the scalar y: the gradient of <gradient, v>, which is the same as its
 * transpose, the derivative of the gradient along v, since H is symmetric.
 */
export function hvp(y: Value, xs: readonly Value[], vs: readonly Value[]): (Value | null)[] {
  const newest = newestId();
  const firsts = gradients([y], xs);
  const there = firsts.flatMap((g, i) => (g === null ? [] : [{ g, v: vs[i] }]));
  const results = gradients(
    there.map(({ g }) => g),
    xs,
    there.map(({ v }) => v),
  );
  finish(firsts, results, newest);
  return results;
}

/** Second derivatives of the scalar y: [...x, ...x]. null where the gradient does not depend on x. */
export function hessian(y: Value, x: Value): Value | null {
  const newest = newestId();
  const [g] = gradients([y], [x]);
  if (g === null) return null;
  const [h] = jacobianReverse(g, [x]);
  finish([g], [h], newest);
  return h;
}

function finish(candidates: readonly (Value | null)[], results: readonly (Value | null)[], newest: number): void {
  severUnread(
    candidates.filter((value) => value !== null),
    new Set(results.filter((value) => value !== null)),
    newest,
  );
}
