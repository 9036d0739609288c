/** Gradients of functions of tensors, in TensorFlow.js's forms, on top of the graph transformation in autodiff. Any order: they nest. */
import { gradients as graphGradients } from '../autodiff/gradients.ts';
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { withGradient } from '../ops/custom.ts';
import { constant, zerosLike } from '../ops/build.ts';
import { toPlanes } from '../ops/complex.ts';
import { sameShape, showShape } from '../types/shape.ts';
import { cellOf, dropEmptyCell, retainingGraph } from './cell.ts';
import { partsOf, refuseComplex } from './complex-tensor.ts';
import { toTensor } from './convert.ts';
import { tidy } from './scope.ts';
import { Tensor, wrap } from './tensor.ts';
import type { DataType, NamedTensorMap, Scalar, TensorLike } from './types.ts';
import { trackVariableReads } from './watch.ts';
import type { Variable } from './variable.ts';

function checkFunction(op: string, f: unknown): void {
  if (typeof f !== 'function') fail(op, 'a function must be given', `got ${typeof f}`);
}

function checkResult(op: string, y: unknown): asserts y is Tensor {
  if (y instanceof Promise) fail(op, 'the function must not be asynchronous', 'it returned a promise');
  if (!(y instanceof Tensor)) fail(op, 'the function must return a tensor', `it returned ${typeof y}`);
}

function checkDy(op: string, y: Tensor, dy: Tensor | undefined): void {
  if (!dy || sameShape(dy.shape, y.shape)) return;
  fail(
    op,
    'dy must have the shape of what the function returns',
    `got ${showShape(dy.shape)} for ${showShape(y.shape)}`,
  );
}

/** The seed of a gradient: dy for a complex result may be real. Without one it is 1, also for complex results. */
function seedOf(op: string, y: Tensor, dy: Tensor | undefined): Value[] | undefined {
  if (y.dtype !== 'complex64') {
    if (dy) refuseComplex(dy, 'dy', op);
    return dy && [dy.value];
  }
  const parts = dy ? partsOf(dy, 'dy', op) : { re: constant(1, 'float32', y.shape), im: null };
  return [toPlanes(parts)];
}

function differentiate(op: string, y: Tensor, xs: readonly Tensor[], dy?: Tensor): Tensor[] {
  checkDy(op, y, dy);
  const values = xs.map((x) => x.value);
  const dxs = graphGradients([y.value], values, seedOf(op, y, dy));
  return dxs.map((dx, i) => {
    if (dx) return wrap(dx, xs[i].dtype);
    const all = dxs.every((other) => other === null);
    fail(
      op,
      'the result must depend on every argument through differentiable ops',
      all ? 'it depends on none of them' : `it does not depend on argument ${i}`,
      'compute it from the argument itself, inside the function',
    );
  });
}

/** The function that gives df/dx; with dy, dy times the Jacobian. */
export function grad<T extends Tensor = Tensor>(
  f: (x: T) => Tensor,
): (x: T | TensorLike, dy?: Tensor | TensorLike) => T {
  checkFunction('grad', f);
  return (x, dy) => {
    const from = toTensor(x as Tensor, 'x', 'grad');
    const seed = dy === undefined ? undefined : toTensor(dy as Tensor, 'dy', 'grad');
    return tidy(() =>
      retainingGraph(() => {
        const y = f(from as T);
        checkResult('grad', y);
        return differentiate('grad', y, [from], seed)[0];
      }),
    ) as T;
  };
}

/** The function that gives the gradients of f for each of its arguments, which come as a list. */
export function grads(
  f: (...args: Tensor[]) => Tensor,
): (args: readonly (Tensor | TensorLike)[], dy?: Tensor | TensorLike) => Tensor[] {
  checkFunction('grads', f);
  return (args, dy) => valueAndGradsOf('grads', f, args, dy).grads;
}

/** As grad, with the value of f beside. */
export function valueAndGrad<I extends Tensor = Tensor, O extends Tensor = Tensor>(
  f: (x: I) => O,
): (x: I, dy?: O) => { value: O; grad: I } {
  checkFunction('valueAndGrad', f);
  return (x, dy) => {
    const { value, grads: found } = valueAndGradsOf('valueAndGrad', f as unknown as (x: Tensor) => Tensor, [x], dy);
    return { value: value as O, grad: found[0] as I };
  };
}

/** As grads, with the value of f beside. */
export function valueAndGrads<O extends Tensor = Tensor>(
  f: (...args: Tensor[]) => O,
): (args: readonly (Tensor | TensorLike)[], dy?: O) => { value: O; grads: Tensor[] } {
  checkFunction('valueAndGrads', f);
  return (args, dy) => valueAndGradsOf('valueAndGrads', f, args, dy) as { value: O; grads: Tensor[] };
}

function valueAndGradsOf(
  op: string,
  f: (...args: Tensor[]) => Tensor,
  args: readonly (Tensor | TensorLike)[],
  dy?: Tensor | TensorLike,
): { value: Tensor; grads: Tensor[] } {
  if (!Array.isArray(args)) fail(op, 'the arguments must come as one list', `got ${typeof args}`);
  const xs = args.map((x: Tensor, i) => toTensor(x, `args[${i}]`, op));
  const seed = dy === undefined ? undefined : toTensor(dy as Tensor, 'dy', op);
  return tidy(() =>
    retainingGraph(() => {
      const value = f(...xs);
      checkResult(op, value);
      return { value, grads: differentiate(op, value, xs, seed) };
    }),
  );
}

/**
 * The value of f() and its gradients for variables, by name: those given, or every trainable one that f reads. f must return
 * a scalar.
 */
export function variableGrads(
  f: () => Scalar,
  variables?: readonly Variable[],
): { value: Scalar; grads: NamedTensorMap } {
  const op = 'variableGrads';
  checkFunction(op, f);
  if (variables !== undefined && (!Array.isArray(variables) || variables.length === 0)) {
    fail(op, 'the variables must be a list that is not empty', `got ${variables?.length ?? typeof variables}`);
  }
  return tidy(() =>
    retainingGraph(() => {
      const { result: value, read } = trackVariableReads(f);
      checkResult(op, value);
      refuseComplex(value, 'the result', op);
      if (value.rank !== 0)
        fail(op, 'the function must return a scalar', `it returned shape ${showShape(value.shape)}`);
      const given = (variables ?? [...read.keys()]).filter((variable) => variable.trainable);
      if (given.length === 0) {
        fail(op, 'the function must read at least one trainable variable', `it read ${read.size} variables`);
      }
      const found = graphGradients(
        [value.value],
        given.map((variable) => read.get(variable) ?? variable.value),
      );
      if (found.every((dx) => dx === null)) {
        fail(op, 'the result must depend on a variable through differentiable ops', 'it depends on none of them');
      }
      const grads: NamedTensorMap = {};
      found.forEach((dx, i) => {
        if (dx) grads[given[i].name] = wrap(dx, given[i].dtype);
      });
      return { value: value as Scalar, grads };
    }),
  );
}

/** Saves tensors for the gradient function of customGrad. */
export type GradSaver = (tensors: Tensor[]) => void;

/**
 * A function with a gradient of its own: f(...inputs, save) returns { value, gradFunc }, and gradFunc(dy, saved) one gradient
 * for each input.
 */
export function customGrad<T extends Tensor>(
  f: (...args: (Tensor | GradSaver)[]) => { value: T; gradFunc: (dy: T, saved: Tensor[]) => Tensor | Tensor[] },
): (...args: Tensor[]) => T {
  checkFunction('customGrad', f);
  return (...args) => {
    const xs = args.map((x, i) => toTensor(x, `x${i}`, 'customGrad'));
    const saved: Tensor[] = [];
    return retainingGraph(() => {
      const made = f(...xs, (tensors) => saved.push(...tensors));
      if (!(made?.value instanceof Tensor) || typeof made.gradFunc !== 'function') {
        fail('customGrad', 'the function must return { value: Tensor, gradFunc: Function }', `got ${typeof made}`);
      }
      const kept = saved.map(({ value, dtype }) => ({ value, dtype }));
      const { dtype } = made.value;
      const types = xs.map((x) => x.dtype);
      const backward = (dy: Value) => callGradient(made.gradFunc as GradFunction, { value: dy, dtype }, kept, types);
      const inputs = xs.map((x) => x.value);
      return wrap(withGradient(made.value.value, inputs, backward), dtype) as Tensor as T;
    });
  };
}

type GradFunction = (dy: Tensor, saved: Tensor[]) => Tensor | Tensor[];
type Typed = Pick<Tensor, 'value' | 'dtype'>;

/** Calls the user's gradient function with handles of its own, which it may dispose. */
function callGradient(gradFunc: GradFunction, dy: Typed, saved: readonly Typed[], types: readonly DataType[]): Value[] {
  for (const { value } of [dy, ...saved]) cellOf(value).handles++;
  try {
    const result = gradFunc(
      wrap(dy.value, dy.dtype),
      saved.map(({ value, dtype }) => wrap(value, dtype)),
    );
    return (Array.isArray(result) ? result : [result]).map((dx, i) => {
      if (!(dx instanceof Tensor)) fail('customGrad', `gradient ${i} must be a tensor`, `got ${typeof dx}`);
      if (types[i] === 'complex64') return toPlanes(partsOf(dx, `gradient ${i}`, 'customGrad'));
      refuseComplex(dx, `gradient ${i}`, 'customGrad');
      return dx.value;
    });
  } finally {
    for (const { value } of [dy, ...saved]) {
      cellOf(value).handles--;
      dropEmptyCell(value);
    }
  }
}

/**
 * d(sum of ys) / dx for each x, in the graph that leads from xs to ys: in a Graph, or inside jit, or on eager values that are
 * not computed yet. Zeros where no y depends on an x.
 */
export function gradients(
  ys: Tensor | readonly Tensor[],
  xs: Tensor | readonly Tensor[],
  gradYs?: Tensor | readonly Tensor[],
): Tensor[] {
  const list = (x: Tensor | readonly Tensor[]) => (x instanceof Tensor ? [x] : [...x]);
  const [from, dys] = [list(xs), gradYs === undefined ? undefined : list(gradYs)];
  const values = from.map((x) => x.value);
  return graphGradients(
    list(ys).map((y) => y.value),
    values,
    list(ys).map((y, i) => seedOf('gradients', y, dys?.[i])?.[0] ?? null),
  ).map((dx, i) => wrap(dx ?? zerosLike(values[i]), from[i].dtype));
}
