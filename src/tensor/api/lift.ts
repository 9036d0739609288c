/** From functions on graph values to functions on tensors: arguments converted and checked, results wrapped. */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import type { DType } from '../../types/dtype.ts';
import * as build from '../../ops/build.ts';
import type { Complex } from '../../ops/complex.ts';
import { computed as computedBy } from '../../ops/widen.ts';
import { dtypes, isFloat, promote } from '../../types/dtype.ts';
import { eachPart, isComplex, joinParts, partsOf, refuseComplex } from '../complex-tensor.ts';
import { toStrings, toTensor } from '../convert.ts';
import { moveStrings } from '../string-tensor.ts';
import { Tensor, wrap } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { binaryRules, unaryRules } from './complex-rules.ts';

export type Input = Tensor | TensorLike;

/** The graph value of an argument of real numbers. */
export function valueOf(x: Input, argument: string, op: string, dtype?: DType): Value {
  const tensor = toTensor(x as Tensor, argument, op, dtype);
  refuseComplex(tensor, argument, op);
  return tensor.value;
}

/** Places among other elements, as int32: those of int64 that no tensor has stay outside of every one. */
export function placesOf(x: Input, argument: string, op: string): Value {
  const value = valueOf(x, argument, op, 'int32');
  if (value.dtype !== 'int32' && value.dtype !== 'int64') {
    fail(op, `${argument} must be int32 or int64`, `got ${value.dtype}`, "cast them to 'int32'");
  }
  return build.asPlaces(value);
}

/** A tensor for a value; the caller says its static type. */
export function lift<T extends Tensor = Tensor>(value: Value): T {
  return wrap(value) as Tensor as T;
}

export function unary<T extends Tensor>(op: string, x: Input, f: (x: Value) => Value): T {
  const rule = isComplex(x) ? unaryRules[op] : undefined;
  if (rule) return ofComplex<T>(rule(partsOf(x as Tensor, 'x', op)));
  return lift<T>(computed([valueOf(x, 'x', op)], f));
}

function ofComplex<T extends Tensor>(result: Complex | { readonly value: Value }): T {
  return 'value' in result ? lift<T>(result.value) : joinParts<T>(result);
}

export function binary<T extends Tensor>(op: string, a: Input, b: Input, f: (a: Value, b: Value) => Value): T {
  const rule = isComplex(a) || isComplex(b) ? binaryRules[op] : undefined;
  if (rule) return ofComplex<T>(rule(partsOf(a, 'a', op), partsOf(b, 'b', op)));
  return lift<T>(computed(operandsOf(op, a, b), f));
}

/** Both operands; a number beside a tensor of a small dtype is of that dtype where it can be. */
export function operandsOf(op: string, a: Input, b: Input): [Value, Value] {
  return [valueOf(a, 'a', op, dtypeBeside(op, a, b)), valueOf(b, 'b', op, dtypeBeside(op, b, a))];
}

/**
 * The dtype of a number beside a tensor: float32 as in TensorFlow.js, but what that would widen without need stays small. Beside int64
 * a float32 would lose what int64 is for, so there it is an integer or an error.
 */
function dtypeBeside(op: string, x: Input, other: Input): DType | undefined {
  if (typeof x !== 'number' || !(other instanceof Tensor)) return undefined;
  const { dtype } = other;
  if (dtype === 'complex64' || dtype === 'string' || !isNew(dtype)) return undefined;
  if (dtype === 'int64' && !Number.isSafeInteger(x)) {
    fail(
      op,
      'a number beside an int64 tensor must be an integer below 2^53',
      `got ${x}`,
      'use a bigint, or cast the tensor',
    );
  }
  return isFloat(dtype) || Number.isInteger(x) ? dtype : undefined;
}

/** Dtypes that TensorFlow.js does not have. */
function isNew(dtype: DType): boolean {
  return dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool';
}

/** f of the values in what they are computed in, its result in the smallest dtype that they all go into: rounded once. */
export function computed(values: readonly Value[], f: (...values: Value[]) => Value): Value {
  return computedBy(values, build.cast, f);
}

/** An argument as what it is computed in: small floats as float32, small integers as int32. */
export function wideOf(x: Input, argument: string, op: string, dtype?: DType): Value {
  const value = valueOf(x, argument, op, dtype);
  return build.cast(value, dtypes[value.dtype].compute);
}

/** A result in the smallest dtype that these arguments go into, where it has the one that they are computed in. */
export function narrowed(result: Value, ...like: readonly (Input | null | undefined)[]): Value {
  const given = like.flatMap((x) => (x === null || x === undefined ? [] : [dtypeOf(x)]));
  const dtype = given.reduce(promote);
  return dtypes[dtype].compute === result.dtype ? build.cast(result, dtype) : result;
}

/** What is no tensor counts as float32: it asks for nothing smaller. */
function dtypeOf(x: Input): DType {
  if (!(x instanceof Tensor)) return 'float32';
  return x.dtype === 'complex64' || x.dtype === 'string' ? 'float32' : x.dtype;
}

/** A list of tensors. */
export function valuesOf(xs: readonly Input[], argument: string, op: string): Value[] {
  if (!Array.isArray(xs) || xs.length === 0) {
    fail(
      op,
      `${argument} must be a list of at least one tensor`,
      `got ${Array.isArray(xs) ? 'an empty list' : typeof xs}`,
    );
  }
  return xs.map((x, i) => valueOf(x, `${argument}[${i}]`, op));
}

/** An axis counted from the front. */
export function axisOf(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    fail(op, `axis must be an integer in [${-rank}, ${rank - 1}] for a tensor of rank ${rank}`, `got ${axis}`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** For ops that only move elements: what `move` makes of strings or complex numbers, or null where the argument holds neither. */
export function movedStrings<T extends Tensor = Tensor>(
  op: string,
  x: unknown,
  move: (positions: Tensor) => Tensor,
): T | null {
  if (isComplex(x)) return eachPart<T>(op, [x as Tensor], ([part]) => [move(part)])[0];
  const strings = toStrings(x, op);
  return strings && (moveStrings([strings], ([positions]) => [move(positions)])[0] as Tensor as T);
}

/** movedStrings for several arguments, which must all hold strings, or any of them complex numbers, and several results. */
export function movedStringLists<T extends Tensor = Tensor>(
  op: string,
  xs: unknown,
  move: (positions: Tensor[]) => readonly Tensor[],
): T[] | null {
  if (!Array.isArray(xs) || xs.length === 0) return null;
  if (xs.some(isComplex)) return eachPart<T>(op, xs as Input[], move);
  const strings = xs.flatMap((x) => toStrings(x, op) ?? []);
  return strings.length < xs.length ? null : (moveStrings(strings, move) as Tensor[] as T[]);
}
