/** Callbacks that every fit gets without being told: classes that were registered. Knows none of them. */
import { fail } from '../../base/errors.ts';
import { BaseCallback } from './callback.ts';

/** Makes a callback of nothing, anew for each fit. */
export type CallbackConstructor = new () => BaseCallback;

const levels = new Map<CallbackConstructor, number>();

/**
 * Has each fit and fitDataset from now on, whose `verbose` is at least `verbosityLevel`, make a callback of that class; it runs before
 * those of the call. Source: tf.registerCallbackConstructor.
 */
export function registerCallbackConstructor(verbosityLevel: number, callbackConstructor: CallbackConstructor): void {
  const op = 'registerCallbackConstructor';
  if (!Number.isSafeInteger(verbosityLevel) || verbosityLevel < 0) {
    fail(op, 'verbosityLevel must be an integer of at least 0', `got ${verbosityLevel}`);
  }
  if (typeof callbackConstructor !== 'function') {
    fail(op, 'callbackConstructor must be a class', `got ${typeof callbackConstructor}`, 'extend tf.Callback');
  }
  if (levels.has(callbackConstructor)) {
    const name = callbackConstructor.name || 'it';
    fail(op, 'a class must be registered once', `${name} was, at level ${levels.get(callbackConstructor)}`);
  }
  levels.set(callbackConstructor, verbosityLevel);
}

/** The callbacks for a fit: those of lower levels first, those of one level as they were registered. */
export function registeredCallbacks(verbose: number): BaseCallback[] {
  const due = [...levels].filter(([, level]) => verbose >= level).sort(([, a], [, b]) => a - b);
  return due.map(([make]) => {
    const made: unknown = new make();
    if (made instanceof BaseCallback) return made;
    return fail('fit', 'a registered callback must extend tf.Callback', `${make.name || 'one'} does not`);
  });
}
