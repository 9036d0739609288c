/**
 * Derivatives of functions of tensors beyond gradients: jvp, vjp, linearize, Jacobians, Hessians, and recomputation, on top of the
 * graph transformations in autodiff. All nest, with each other, with grad, vmap and jit.
 */
import { checkpoint as checkpointGraph } from '../autodiff/checkpoint.ts';
import { Copy } from '../autodiff/copy.ts';
import * as forward from '../autodiff/forward.ts';
import { gradients } from '../autodiff/gradients.ts';
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { constant, zerosLike } from '../ops/build.ts';
import { sameShape, showShape } from '../types/shape.ts';
import { cellOf, dropHandle, retainingGraph } from './cell.ts';
import { toTensor } from './convert.ts';
import { parameter } from './plan.ts';
import { tidy } from './scope.ts';
import { type Tensor, wrap } from './tensor.ts';
import {
  checkFunction,
  checkReturned,
  replaceTensors,
  tensorsLike,
  tensorsOf,
  valuesOf,
  withTensors,
} from './trees.ts';
import type { TensorContainer, TensorLike } from './types.ts';
import { type DType, isFloat } from '../types/dtype.ts';

type AnyFunction = (...args: never[]) => unknown;

interface Run {
  readonly returned: unknown;
  readonly ys: readonly Value[];
}

function run(op: string, f: AnyFunction, args: readonly unknown[]): Run {
  const returned = f(...(args as never[]));
  checkReturned(op, returned);
  return { returned, ys: valuesOf(returned) };
}

/** Handles of one's own for what f returned, which may be its very arguments. */
function handles(returned: unknown): unknown {
  return replaceTensors(returned, (tensor) => wrap(tensor.value, tensor.dtype));
}

/** One tangent for each tensor of the primals, checked; null where nothing moves. */
function tangentsFor(op: string, primals: readonly unknown[], tangents: readonly unknown[]): (Value | null)[] {
  if (!Array.isArray(tangents) || tangents.length !== primals.length) {
    const came = Array.isArray(tangents) ? `${tangents.length} tangents` : typeof tangents;
    fail(op, 'there must be one tangent for each argument', `got ${came} for ${primals.length} arguments`);
  }
  return primals.flatMap((primal, i) => {
    const name = `tangents[${i}]`;
    const given = tensorsLike(primal, tangents[i], op, name);
    return tensorsOf(primal).map((tensor, k) => {
      const tangent = given[k];
      return tangent && checkTangent(op, tensor, tangent, name);
    });
  });
}

function checkTangent(op: string, tensor: Tensor, tangent: Tensor, name: string): Value {
  if (sameShape(tangent.shape, tensor.shape) && tangent.dtype === tensor.dtype) return tangent.value;
  fail(
    op,
    `${name} must have the shape and dtype of its argument`,
    `got ${tangent.dtype}${showShape(tangent.shape)} for ${tensor.dtype}${showShape(tensor.shape)}`,
    'null where an argument does not move',
  );
}

function primalTensors(op: string, primals: readonly unknown[]): unknown[] {
  if (!Array.isArray(primals)) fail(op, 'the arguments must come as one list', `got ${typeof primals}`);
  return primals.map((primal, i) => withTensors(primal, op, `primals[${i}]`, true));
}

/** What a function takes where a tensor of any rank, or what counts as one, may stand. */
export type Loose<A extends readonly unknown[]> = {
  readonly [K in keyof A]: A[K] extends Tensor ? A[K] | Tensor | TensorLike : A[K];
};

/**
 * Forward mode: [f(...primals), how it moves as the primals move along the tangents]. A tangent has the structure and shape of
 * its primal; null where a primal does not move. One pass whatever the number of outputs.
 */
export function jvp<A extends readonly unknown[], T>(
  f: (...args: A) => T,
  primals: Loose<A>,
  tangents: readonly unknown[],
): [value: T, tangent: T] {
  const op = 'jvp';
  checkFunction(op, f);
  return tidy(() =>
    retainingGraph(() => {
      const args = primalTensors(op, primals);
      const dxs = tangentsFor(op, args, tangents);
      const { returned, ys } = run(op, f as AnyFunction, args);
      const dys = forward.jvp(ys, valuesOf(args), dxs);
      const moved = replaceTensors(returned, ({ dtype }, i) => wrap(dys[i] ?? zerosLike(ys[i]), dtype));
      return [handles(returned), moved] as TensorContainer;
    }),
  ) as [T, T];
}

/** A linear map that was worked out beforehand, with what it needs of the forward pass. */
export interface LinearMap<A extends readonly unknown[], T> {
  (...args: A): T;
  /** Gives up what it keeps; it must not be called afterwards. Nobody has to. */
  dispose(): void;
}

/** `results`, which are linear in the stand-ins, as a function of what takes their places. */
function linearMap(op: string, standIns: readonly Value[], results: readonly Value[]) {
  // Held as long as the map is: reading what the forward pass computed must not sever them.
  for (const result of results) cellOf(result).handles++;
  let disposed = false;
  return {
    apply(values: readonly Value[]): Value[] {
      if (disposed) fail(op, 'a linear map must not be used after it was disposed', 'it was');
      return retainingGraph(() => {
        const copy = new Copy();
        for (const [i, standIn] of standIns.entries()) copy.replace(standIn, values[i]);
        return copy.all(results);
      });
    },
    dispose(): void {
      if (disposed) return;
      disposed = true;
      for (const result of results) dropHandle(result);
    },
  };
}

function standIn(op: string, type: Value): Value {
  const param = parameter(type);
  cellOf(param).unfed = {
    op,
    must: 'a value must not be read before it has an argument',
    came: 'it depends on the argument of a linear map',
    hint: 'call the map and read what it returns',
  };
  return param;
}

function expectFloats(op: string, ys: readonly Value[]): void {
  for (const y of ys) {
    if (isFloat(y.dtype)) continue;
    fail(
      op,
      'what is differentiated must be float32, or another float',
      `got ${y.dtype}${showShape(y.shape)}`,
      'cast it',
    );
  }
}

/**
 * Reverse mode: [f(...primals), pullback]. pullback(dy) gives dy times the Jacobian: a list with one entry for each argument, with
 * its structure; dy has the structure of what f returns. It can be called any number of times without running f again.
 */
export function vjp<A extends readonly unknown[], T>(
  f: (...args: A) => T,
  ...primals: Loose<A>
): [value: T, pullback: LinearMap<[dy: unknown], { [K in keyof A]: A[K] }>] {
  const op = 'vjp';
  checkFunction(op, f);
  const args = primalTensors(op, primals);
  const made = tidy(() =>
    retainingGraph(() => {
      const xs = valuesOf(args);
      const { returned, ys } = run(op, f as AnyFunction, args);
      expectFloats(op, ys);
      const dys = ys.map((y) => standIn(op, y));
      const dxs = gradients(ys, xs, dys).map((dx, i) => dx ?? zerosLike(xs[i]));
      const map = linearMap(op, dys, dxs);
      return { value: handles(returned), map, dys } as unknown as TensorContainer;
    }),
  ) as unknown as { value: T; map: ReturnType<typeof linearMap>; dys: Value[] };
  const pullback = (dy: unknown) =>
    tidy(() => {
      const given = tensorsLike(made.value, dy, op, 'dy');
      const ys = tensorsOf(made.value);
      const values = given.map((tensor, i) => (tensor ? checkCotangent(op, tensor, ys[i]) : zerosLike(made.dys[i])));
      const dxs = made.map.apply(values);
      return replaceTensors(args, ({ dtype }, i) => wrap(dxs[i], dtype)) as TensorContainer;
    }) as { [K in keyof A]: A[K] };
  return [made.value, Object.assign(pullback, { dispose: () => made.map.dispose() })];
}

function checkCotangent(op: string, dy: Tensor, y: Pick<Tensor, 'shape' | 'dtype'>): Value {
  if (sameShape(dy.shape, y.shape) && dy.dtype === y.dtype) return dy.value;
  fail(
    op,
    'dy must have the shape of what the function returns',
    `got ${dy.dtype}${showShape(dy.shape)} for ${y.dtype}${showShape(y.shape)}`,
  );
}

/**
 * [f(...primals), push]: push(...tangents) is what jvp gives as the tangent, without running f again. Numbers as in jvp.
 */
export function linearize<A extends readonly unknown[], T>(
  f: (...args: A) => T,
  ...primals: Loose<A>
): [value: T, push: LinearMap<readonly unknown[], T>] {
  const op = 'linearize';
  checkFunction(op, f);
  const args = primalTensors(op, primals);
  const made = tidy(
    () =>
      retainingGraph(() => {
        const xs = valuesOf(args);
        const { returned, ys } = run(op, f as AnyFunction, args);
        const vs = xs.map((x) => (isFloat(x.dtype) ? standIn(op, x) : null));
        const dys = forward.jvp(ys, xs, vs).map((dy, i) => dy ?? zerosLike(ys[i]));
        const map = linearMap(
          op,
          vs.filter((v) => v !== null),
          dys,
        );
        return { value: handles(returned), map, moving: vs.map((v) => v !== null), xs } as unknown;
      }) as TensorContainer,
  ) as unknown as { value: T; map: ReturnType<typeof linearMap>; moving: boolean[]; xs: Value[] };
  const push = (...tangents: readonly unknown[]) =>
    tidy(() => {
      const dxs = tangentsFor(op, args, tangents);
      const values = made.xs.map((x, i) => dxs[i] ?? zerosLike(x)).filter((_, i) => made.moving[i]);
      const dys = made.map.apply(values);
      return replaceTensors(made.value, ({ dtype }, i) => wrap(dys[i], dtype)) as TensorContainer;
    }) as T;
  return [made.value, Object.assign(push, { dispose: () => made.map.dispose() })];
}

/** The arguments with a tensor at argNum, which is what is differentiated for. */
function argumentsFor(op: string, given: readonly unknown[], argNum: number): { args: unknown[]; x: Value } {
  if (!Number.isInteger(argNum) || argNum < 0 || argNum >= given.length) {
    fail(op, `argNum must be an integer in [0, ${given.length - 1}]`, `got ${argNum}`);
  }
  const args = given.map((arg, i) => (i === argNum ? toTensor(arg as Tensor, `args[${i}]`, op) : arg));
  const x = args[argNum] as Tensor;
  if (x.dtype === 'complex64' || !isFloat(x.value.dtype)) {
    fail(
      op,
      'the argument to differentiate for must be float32, or another float',
      `got ${x.dtype}${showShape(x.shape)}`,
      'cast it',
    );
  }
  return { args, x: x.value };
}

type Jacobian = (op: string, ys: readonly Value[], x: Value) => (Value | null)[];

function jacobianBy(op: string, how: Jacobian, f: AnyFunction, argNum: number) {
  checkFunction(op, f);
  return (...given: readonly unknown[]) =>
    tidy(() =>
      retainingGraph(() => {
        const { args, x } = argumentsFor(op, given, argNum);
        const { returned, ys } = run(op, f, args);
        expectFloats(op, ys);
        const js = how(op, ys, x);
        return replaceTensors(returned, ({ dtype }, i) =>
          wrap(js[i] ?? constant(0, dtype as DType, [...ys[i].shape, ...x.shape]), js[i]?.dtype ?? dtype),
        ) as TensorContainer;
      }),
    );
}

/**
 * The function that gives df/dx for argument argNum, of shape [...f, ...x], for each tensor that f returns. Reverse mode: one
 * pullback for each element of the result, all at once (vmap); the better choice where f has fewer results than x elements.
 */
export function jacobian<A extends readonly unknown[], T>(
  f: (...args: A) => T,
  argNum = 0,
): (...args: Loose<A>) => T extends Tensor ? Tensor : T {
  return jacobianBy(
    'jacobian',
    (_, ys, x) => ys.map((y) => forward.jacobianReverse(y, [x])[0]),
    f as AnyFunction,
    argNum,
  ) as never;
}

/**
 * As jacobian, in forward mode: one pushforward for each element of x, all at once; the better choice where x has fewer elements
 * than what f returns.
 */
export function jacobianForward<A extends readonly unknown[], T>(
  f: (...args: A) => T,
  argNum = 0,
): (...args: Loose<A>) => T extends Tensor ? Tensor : T {
  return jacobianBy('jacobianForward', (_, ys, x) => forward.jacobianForward(ys, x), f as AnyFunction, argNum) as never;
}

function expectScalar(op: string, ys: readonly Value[]): void {
  expectFloats(op, ys);
  if (ys.length === 1 && ys[0].shape.length === 0) return;
  fail(op, 'the function must return one scalar', `it returned ${ys.map((y) => showShape(y.shape)).join(' and ')}`);
}

/** The function that gives the second derivatives of the scalar f for argument argNum: shape [...x, ...x]. */
export function hessian<A extends readonly unknown[]>(
  f: (...args: A) => Tensor,
  argNum = 0,
): (...args: Loose<A>) => Tensor {
  const op = 'hessian';
  checkFunction(op, f);
  return (...given) =>
    tidy(() =>
      retainingGraph(() => {
        const { args, x } = argumentsFor(op, given, argNum);
        const { ys } = run(op, f as AnyFunction, args);
        expectScalar(op, ys);
        return wrap(forward.hessian(ys[0], x) ?? constant(0, x.dtype, [...x.shape, ...x.shape]));
      }),
    );
}

/**
 * The second derivatives of the scalar f times vectors, without the matrix: one for each primal, with its structure. Costs
 * about two gradients.
 */
export function hvp<A extends readonly unknown[]>(
  f: (...args: A) => Tensor,
  primals: Loose<A>,
  tangents: readonly unknown[],
): { [K in keyof A]: A[K] } {
  const op = 'hvp';
  checkFunction(op, f);
  return tidy(() =>
    retainingGraph(() => {
      const args = primalTensors(op, primals);
      const vs = tangentsFor(op, args, tangents);
      const { ys } = run(op, f as AnyFunction, args);
      expectScalar(op, ys);
      const xs = valuesOf(args);
      const products = forward.hvp(
        ys[0],
        xs,
        xs.map((x, i) => vs[i] ?? zerosLike(x)),
      );
      return replaceTensors(args, ({ dtype }, i) => wrap(products[i] ?? zerosLike(xs[i]), dtype)) as TensorContainer;
    }),
  ) as { [K in keyof A]: A[K] };
}

/**
 * f, whose gradients do not keep what it computes on its way: the backward pass computes it once more, when it is needed. Trades
 * a second forward pass for the memory of the activations. Values and gradients are those of f, also for what f closes over.
 */
export function checkpoint<A extends readonly unknown[], T>(f: (...args: A) => T): (...args: A) => T {
  const op = 'checkpoint';
  checkFunction(op, f);
  return (...args) =>
    tidy(() =>
      retainingGraph(() => {
        const { returned, ys } = run(op, f as unknown as AnyFunction, args);
        const places = ys.flatMap((y, i) => (isFloat(y.dtype) ? [i] : []));
        const kept = checkpointGraph(
          places.map((i) => ys[i]),
          valuesOf(args),
        );
        const results = new Map(places.map((i, k) => [i, kept[k]]));
        return replaceTensors(returned, ({ value, dtype }, i) =>
          wrap(results.get(i) ?? value, dtype),
        ) as TensorContainer;
      }),
    ) as T;
}
