/**
 * Variable: a tensor whose value can be replaced. Operations read a snapshot of it; inside jit and in a Graph the recorder
 * stands between, so that a program reads and updates the variable itself.
 */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { sameShape, showShape } from '../types/shape.ts';
import { makeTensor } from './convert.ts';
import { hasData } from './cell.ts';
import { eagerly, onStandInsOf, recorder } from './context.ts';
import { liftConstant } from './structure.ts';
import { evaluateValues, DEPTH_LIMIT } from './evaluate.ts';
import { Tensor } from './tensor.ts';
import type { DataType, Rank, TensorLike } from './types.ts';
import { isWatched, noteRead } from './watch.ts';

/** Live variables by name; weakly, so that one that nobody holds can be collected. */
const named = new Map<string, WeakRef<Variable>>();
let nextName = 0;
/** The framework's own, which programs hold and no user made. */
const lasting = new WeakSet<Tensor>();

export class Variable<R extends Rank = Rank> extends Tensor<R> {
  readonly name: string;
  /** Optimizers change it. */
  trainable: boolean;

  /** An initial value that was not computed yet. */
  #deferred: Value | null;

  /** @internal Users make variables with tf.variable. A deferred one computes its initial value when it is first needed. */
  constructor(initial: Value, trainable: boolean, name: string, dtype: DataType = initial.dtype, deferred = false) {
    super(deferred ? initial : concrete(initial), dtype);
    this.trainable = trainable;
    this.name = name;
    this.kept = true;
    this.#deferred = deferred && !hasData(initial) ? initial : null;
    named.set(name, new WeakRef<Variable>(this as Tensor as Variable));
  }

  /** What an operation reads: the current value, or the variable's place in the program being recorded. */
  override get value(): Value {
    const current = super.value;
    const value = recorder()?.readVariable(this) ?? current;
    if (isWatched()) noteRead(this, value);
    return value;
  }

  /** The value outside of any recording. */
  get current(): Value {
    return super.value;
  }

  /** @internal Computes a deferred initial value, by itself: variables of one shape then share a program. */
  settle(): void {
    const deferred = this.#deferred;
    this.#deferred = null;
    if (deferred && deferred === this.current) concrete(deferred);
  }

  /** Takes another value of the same shape and dtype. */
  assign(next: Tensor<R>): void {
    this.throwIfDisposed('assign');
    next.throwIfDisposed('assign');
    if (next.dtype !== this.dtype || !sameShape(next.shape, this.shape)) {
      fail(
        'assign',
        `variable '${this.name}' holds ${this.dtype}${showShape(this.shape)}, and so must what it is assigned`,
        `got ${next.dtype}${showShape(next.shape)}`,
      );
    }
    const inside = onStandInsOf();
    if (inside !== null) {
      fail(
        inside,
        'a variable must not be assigned inside the function: it runs once for all elements',
        `'${this.name}' was assigned`,
        'return the value and assign it outside',
      );
    }
    const active = recorder();
    if (active) active.assignVariable(this, next.value);
    else this.replace(next.value);
  }

  /** @internal Puts a value in place, whatever is being recorded. */
  replace(next: Value): void {
    this.#deferred = null;
    if (next.op.kind === 'constant') liftConstant(next, true);
    else if (next.op.depth > DEPTH_LIMIT) evaluateValues([next]);
    this.replaceValue(next);
  }

  override dispose(): void {
    if (variableNamed(this.name) === (this as Tensor)) named.delete(this.name);
    super.dispose();
  }
}

/** The live variable of that name: what optimizers look up for gradients that come by name. */
export function variableNamed(name: string): Variable | undefined {
  return named.get(name)?.deref();
}

/** All live variables. */
export function liveVariables(): Variable[] {
  return [...named.values()].flatMap((reference) => reference.deref() ?? []);
}

/** @internal disposeVariables leaves it alone: compiled programs go on reading it. */
export function outlast<R extends Rank>(variable: Variable<R>): Variable<R> {
  lasting.add(variable as Tensor);
  return variable;
}

/** Disposes what users and models made; the framework's own state stays. */
export function disposeAllVariables(): void {
  for (const variable of liveVariables()) if (!lasting.has(variable)) variable.dispose();
}

/** A variable holds data from the start: also one that is made while a function is traced. */
function concrete(value: Value): Value {
  eagerly(() => evaluateValues([value]));
  return value;
}

/**
 * A variable with the given initial value. `name` must be new; without one it gets one.
 */
export function variable<R extends Rank = Rank>(
  initial: Tensor<R> | TensorLike,
  trainable = true,
  name?: string,
  dtype?: DataType,
): Variable<R> {
  if (name !== undefined && variableNamed(name)) {
    fail('variable', 'the name of a variable must be new', `'${name}' is taken`, 'dispose the other one first');
  }
  const unique = name ?? freshName();
  return eagerly(() => {
    if (!(initial instanceof Tensor)) {
      const source = makeTensor<R>(initial, undefined, dtype, 'variable');
      const made = new Variable<R>(source.value, trainable, unique, source.dtype);
      source.dispose();
      return made;
    }
    initial.throwIfDisposed('variable');
    if (dtype !== undefined && dtype !== initial.dtype) {
      fail('variable', `the initial value must have the dtype ${dtype}`, `got ${initial.dtype}`, 'cast it first');
    }
    return new Variable<R>(initial.value, trainable, unique, initial.dtype);
  });
}

/**
 * @internal A variable that computes its initial value when it is first read: a big model can be looked at, or get its weights
 * from a file, without drawing the numbers it begins with. `initial` was made eagerly, so what it draws is settled.
 */
export function deferredVariable(initial: Tensor, trainable: boolean, name: string): Variable {
  // A constant is no work.
  const deferred = initial.value.op.kind !== 'constant';
  return eagerly(() => new Variable(initial.value, trainable, name, initial.dtype, deferred));
}

function freshName(): string {
  let name = `Variable_${nextName++}`;
  while (variableNamed(name)) name = `Variable_${nextName++}`;
  return name;
}
