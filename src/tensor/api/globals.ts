/** TensorFlow.js's global functions that have no other place: modes, frames, warnings, dtypes of results. */
import { fail } from '../../base/errors.ts';
import type { DType } from '../../types/dtype.ts';
import { promote } from '../../types/dtype.ts';
import type { Platform } from '../environment.ts';
import { ENV } from '../environment.ts';
import { Tensor } from '../tensor.ts';
import type { DataType } from '../types.ts';
import { disposeAllVariables } from '../variable.ts';

/** Leaves out checks that only help while developing. There are none here that cost anything. */
export function enableProdMode(): void {
  ENV.set('PROD', true);
}

/**
 * Computes every result at once and throws where one is NaN or infinite: the error stands on the line of the op that made it. Slow.
 * tf.env().set('DEBUG', false) ends it.
 */
export function enableDebugMode(): void {
  ENV.set('DEBUG', true);
}

/** Silences deprecationWarn. */
export function disableDeprecationWarnings(): void {
  ENV.set('DEPRECATION_WARNINGS_ENABLED', false);
}

/** Warns of something that will go. */
export function deprecationWarn(message: string): void {
  if (!ENV.getBool('DEPRECATION_WARNINGS_ENABLED')) return;
  console.warn(`${message} You can disable deprecation warnings with tf.disableDeprecationWarnings().`);
}

/** Takes another implementation of what a host offers. */
export function setPlatform(name: string, platform: Platform): void {
  ENV.setPlatform(name, platform);
}

/** Disposes every variable. */
export function disposeVariables(): void {
  disposeAllVariables();
}

/** Resolves with the next animation frame of a page; elsewhere as soon as other work had its turn. */
export function nextFrame(): Promise<void> {
  const { requestAnimationFrame, setImmediate } = globalThis as {
    requestAnimationFrame?: (f: () => void) => void;
    setImmediate?: (f: () => void) => void;
  };
  return new Promise((resolve) => (requestAnimationFrame ?? setImmediate ?? setTimeout)(() => resolve()));
}

/** Writes a tensor to the console. */
export function print<T extends Tensor>(x: T, verbose = false): void {
  if (!(x instanceof Tensor)) fail('print', 'a tensor must be given', `got ${typeof x}`);
  console.log(x.toString(verbose));
}

/** The smallest dtype that holds both: bool < int32 < float32 < complex64; strings only go with strings. */
export function upcastType(a: DataType, b: DataType): DataType {
  if (a === 'string' || b === 'string') {
    if (a === b) return 'string';
    fail('upcastType', 'strings and numbers have no dtype in common', `got ${a} and ${b}`);
  }
  return a === 'complex64' || b === 'complex64' ? 'complex64' : promote(a as DType, b as DType);
}

/** The dtype of a sum: bool counts as int32. */
export function sumOutType(dtype: DataType): DataType {
  return upcastType(dtype, 'int32');
}

/**
 * A function of the object's only member, named without its trailing underscore. In TensorFlow.js it also opens a scope; here
 * nothing needs one.
 */
export function op<T extends (...args: never[]) => unknown>(f: { [name: string]: T }): T {
  const names = Object.keys(f);
  if (names.length !== 1) fail('op', 'the object must have one member, the function', `got ${names.length}`);
  const body = f[names[0]];
  const wrapped = ((...args: never[]) => body(...args)) as T;
  Object.defineProperty(wrapped, 'name', { value: names[0].replace(/_$/, ''), configurable: true });
  return wrapped;
}
