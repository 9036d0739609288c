/** The small namespaces of helpers: tensor_util, broadcast_util, device_util, test_util. */
import { fail, UserError } from '../../base/errors.ts';
import { broadcastShapes } from '../../types/shape.ts';
import type { Shape } from '../../types/shape.ts';
import { isBrowser } from '../environment.ts';
import { tensorsIn } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import { upcastType } from './globals.ts';
import { cast } from './transformations.ts';

/** tf.tensor_util. */
export const tensor_util = {
  /** Both with the smallest dtype that holds either. */
  makeTypesMatch<T extends Tensor>(a: T, b: T): [T, T] {
    const dtype = upcastType(a.dtype, b.dtype);
    return [a, b].map((x) => (x.dtype === dtype ? x : cast<T>(x, dtype))) as [T, T];
  },
  assertTypesMatch(a: Tensor, b: Tensor): void {
    if (a.dtype !== b.dtype) fail('tensor_util', 'dtypes must be equal', `got ${a.dtype} and ${b.dtype}`);
  },
  isTensorInList: (tensor: Tensor, list: readonly Tensor[]): boolean => list.some((x) => x.id === tensor.id),
  /** The tensors in nested lists and plain objects, each once. */
  getTensorsInContainer: (container: unknown): Tensor[] => tensorsIn(container),
} as const;

/** tf.broadcast_util. */
export const broadcast_util = {
  /** The shape that both broadcast to. */
  assertAndGetBroadcastShape: (a: Shape, b: Shape): number[] => broadcastShapes('broadcast', a, b),
  /** The axes along which a value of shape `input` is repeated to have shape `output`. */
  getBroadcastDims(input: Shape, output: Shape): number[] {
    const lead = output.length - input.length;
    return input.flatMap((extent, axis) => (extent === 1 && (output[axis + lead] ?? 1) > 1 ? [axis] : []));
  },
  /** The axes of `output` to sum over for the gradient of `input`. */
  getReductionAxes(input: Shape, output: Shape): number[] {
    const lead = output.length - input.length;
    return output.flatMap((extent, axis) => (axis < lead || (input[axis - lead] === 1 && extent > 1) ? [axis] : []));
  },
} as const;

let mobile: boolean | undefined;

/** tf.device_util. */
export const device_util = {
  isBrowser,
  /** Does the page's browser say that it is on a phone or a tablet? */
  isMobile(nav?: { userAgent?: string }): boolean {
    if (mobile !== undefined) return mobile;
    const known = nav ?? (globalThis as { navigator?: { userAgent?: string } }).navigator;
    return /android|iphone|ipad|ipod|blackberry|opera mini|windows phone|mobile/i.test(known?.userAgent ?? '');
  },
  mockIsMobile(value: boolean | undefined): void {
    mobile = value;
  },
} as const;

type Values = ArrayLike<number | boolean | string> | number | boolean | string | readonly unknown[];

function listOf(values: Values): unknown[] {
  if (values instanceof Tensor) fail('test_util', 'values must be lists', 'got a tensor', 'pass await x.data()');
  if (typeof values !== 'object') return [values];
  return Array.from(values as ArrayLike<unknown>).flatMap((x) =>
    Array.isArray(x) || ArrayBuffer.isView(x) ? listOf(x as never) : [x],
  );
}

function compare(actual: Values, expected: Values, same: (a: unknown, b: unknown) => boolean): void {
  const [a, b] = [listOf(actual), listOf(expected)];
  if (a.length !== b.length)
    throw new UserError(`Arrays have different lengths actual: ${a.length} vs expected: ${b.length}.`);
  const at = a.findIndex((x, i) => !same(x, b[i]));
  if (at >= 0)
    throw new UserError(`Arrays differ: actual[${at}] = ${String(a[at])}, expected[${at}] = ${String(b[at])}.`);
}

const EPSILON = 1e-3;

function near(a: unknown, b: unknown, epsilon: number): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return Number(a) === Number(b) || a === b;
  return Object.is(a, b) || a === b || Math.abs(a - b) <= epsilon;
}

/** tf.test_util: comparisons that throw. */
export const test_util = {
  TEST_EPSILON_FLOAT16: 1e-1,
  testEpsilon: (): number => EPSILON,
  expectArraysClose: (actual: Values, expected: Values, epsilon = EPSILON): void =>
    compare(actual, expected, (a, b) => near(a, b, epsilon)),
  expectArraysEqual: (actual: Values, expected: Values): void => compare(actual, expected, (a, b) => near(a, b, 0)),
  expectNumbersClose(a: number, e: number, epsilon = EPSILON): void {
    if (!near(a, e, epsilon)) throw new UserError(`Numbers differ: actual === ${a}, expected === ${e}`);
  },
  expectValuesInRange(actual: Values, low: number, high: number): void {
    const outside = listOf(actual).find((x) => !((x as number) >= low && (x as number) <= high));
    if (outside !== undefined) throw new UserError(`Value out of range:${String(outside)} low: ${low}, high: ${high}`);
  },
  expectArrayBuffersEqual: (actual: ArrayBuffer, expected: ArrayBuffer): void =>
    compare(new Uint8Array(actual), new Uint8Array(expected), (a, b) => a === b),
  expectPromiseToFail: (f: () => Promise<unknown>, done: (() => void) & { fail?: () => void }): Promise<void> =>
    f().then(
      () => (done.fail ?? done)(),
      () => done(),
    ),
  /** Strings in nested lists as bytes. */
  encodeStrings(list: unknown[]): unknown[] {
    return list.map((x) => (Array.isArray(x) ? test_util.encodeStrings(x) : new TextEncoder().encode(String(x))));
  },
} as const;
