/** Small parts that rows are written with: attribute readers, type checks and sample makers. Knows no op. */
import { fail, invariant } from '../base/errors.ts';
import type { Attrs } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import { sameShape, showShape } from '../types/shape.ts';
import type { Sample } from './row.ts';

/** What registers hold of each kind, for rows that compute with all of them. */
export const floats: readonly DType[] = ['float32', 'float64'];
export const integers: readonly DType[] = ['int32', 'int64'];
export const numbers: readonly DType[] = [...floats, ...integers];

/**
 * A function of int64, whose arrays hold bigints that are numbers in name only, as one of what such arrays are said to hold. What it
 * gives wraps when it is stored.
 */
export function ofLongs<A extends bigint[]>(f: (...args: A) => bigint): (...args: number[]) => number {
  return f as unknown as (...args: number[]) => number;
}

export function intAttr(attrs: Attrs, name: string): number {
  const value = attrs[name];
  invariant(typeof value === 'number', `attribute ${name} must be a number, got ${JSON.stringify(value)}`);
  return value;
}

export function intsAttr(attrs: Attrs, name: string): readonly number[] {
  const value = attrs[name];
  invariant(Array.isArray(value), `attribute ${name} must be a list of numbers, got ${JSON.stringify(value)}`);
  return value as readonly number[];
}

export function pairsAttr(attrs: Attrs, name: string): readonly (readonly [number, number])[] {
  const value = attrs[name];
  invariant(Array.isArray(value), `attribute ${name} must be a list of pairs, got ${JSON.stringify(value)}`);
  return value as unknown as readonly (readonly [number, number])[];
}

export function boolAttr(attrs: Attrs, name: string): boolean {
  return attrs[name] === true;
}

export function show(type: TensorType): string {
  return `${type.dtype}${showShape(type.shape)}`;
}

export function expectDType(op: string, type: TensorType, allowed: readonly DType[], what = 'the input'): void {
  if (allowed.includes(type.dtype)) return;
  fail(op, `${what} must have dtype ${allowed.join(' or ')}`, `got ${show(type)}`, 'use cast');
}

export function expectSameShape(op: string, inputs: readonly TensorType[]): void {
  for (const input of inputs) {
    if (sameShape(input.shape, inputs[0].shape)) continue;
    fail(op, 'inputs must have one shape', `got ${inputs.map(show).join(' and ')}`, 'broadcastTo one of them');
  }
}

export function expectSameDType(op: string, inputs: readonly TensorType[]): void {
  for (const input of inputs) {
    if (input.dtype === inputs[0].dtype) continue;
    fail(op, 'inputs must have one dtype', `got ${inputs.map(show).join(' and ')}`, 'use cast');
  }
}

export function expectRank(op: string, type: TensorType, rank: number, what = 'the input', hint?: string): void {
  if (type.shape.length === rank) return;
  fail(op, `${what} must have rank ${rank}`, `got ${show(type)} of rank ${type.shape.length}`, hint);
}

export function expectAxis(op: string, axis: number, rank: number): void {
  if (Number.isInteger(axis) && axis >= 0 && axis < rank) return;
  fail(op, `axis must be an integer in [0, ${rank - 1}]`, `got ${axis}`);
}

// ---- samples -----------------------------------------------------------------------------------------------------------

export type SampleInput = Sample['inputs'][number];

export function f32(shape: Shape, low = -2, high = 2): SampleInput {
  return { dtype: 'float32', shape, low, high };
}

export function i32(shape: Shape, low = -9, high = 10): SampleInput {
  return { dtype: 'int32', shape, low, high };
}

export function bool(shape: Shape): SampleInput {
  return { dtype: 'bool', shape, low: 0, high: 2 };
}

/** Scalar, empty, one, a lane more or less, several ranks, a larger one. */
export const commonShapes: readonly Shape[] = [[], [0], [2, 0, 3], [1], [7], [8], [9], [3, 5], [2, 3, 4, 5], [1023]];

/** One sample for each common shape, every input being `input(shape)`. */
export function everyShape(...inputs: readonly ((shape: Shape) => SampleInput)[]): Sample[] {
  return commonShapes.map((shape) => ({ inputs: inputs.map((input) => input(shape)) }));
}

/** A short list, for further dtypes. */
export function fewShapes(...inputs: readonly ((shape: Shape) => SampleInput)[]): Sample[] {
  return [[], [0], [9], [3, 5]].map((shape) => ({ inputs: inputs.map((input) => input(shape)) }));
}
