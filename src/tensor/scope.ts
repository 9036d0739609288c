/** Lifetimes by scope: tidy, keep, dispose; and what tf.memory() tells. Nobody needs them, since the garbage collector frees too: they free sooner. */
import { fail } from '../base/errors.ts';
import { counts, pool } from './memory.ts';
import { Tensor } from './tensor.ts';
import type { TensorContainer } from './types.ts';

const scopes: Set<Tensor>[] = [];

/** Enters a new tensor into the innermost scope. */
export function trackTensor(tensor: Tensor): void {
  if (scopes.length > 0) scopes[scopes.length - 1].add(tensor);
}

/** The tensors in nested lists and plain objects, each once. */
export function tensorsIn(container: unknown): Tensor[] {
  const found = new Set<Tensor>();
  const seen = new Set<object>();
  const visit = (item: unknown) => {
    if (item instanceof Tensor) found.add(item);
    else if (Array.isArray(item) || isPlainObject(item)) {
      if (seen.has(item)) return;
      seen.add(item);
      for (const part of Object.values(item)) visit(part);
    }
  };
  visit(container);
  return [...found];
}

export function isPlainObject(item: unknown): item is Record<string, unknown> {
  if (typeof item !== 'object' || item === null) return false;
  const prototype = Object.getPrototypeOf(item) as unknown;
  return prototype === Object.prototype || prototype === null;
}

/**
 * Runs `f` and disposes every tensor made in it, except those it returns (in lists and plain objects too), those given to
 * keep(), and variables. `f` must not be asynchronous.
 */
export function tidy<T extends TensorContainer>(f: () => T): T;
export function tidy<T extends TensorContainer>(name: string, f: () => T): T;
export function tidy<T extends TensorContainer>(nameOrF: string | (() => T), f?: () => T): T {
  const body = typeof nameOrF === 'function' ? nameOrF : f;
  if (typeof body !== 'function') fail('tidy', 'tidy must be given a function', `got ${typeof body}`);
  const scope = new Set<Tensor>();
  scopes.push(scope);
  let result: T | undefined;
  try {
    result = body();
    if (result instanceof Promise) {
      // Left alone it would be an unhandled rejection beside our own error.
      result.catch(() => undefined);
      fail(
        'tidy',
        'the function must not be asynchronous',
        'it returned a promise',
        'dispose() or using in async code',
      );
    }
    return result;
  } finally {
    scopes.pop();
    const survivors = tensorsIn(result);
    for (const tensor of survivors) {
      if (scope.delete(tensor)) trackTensor(tensor);
    }
    for (const tensor of scope) if (!tensor.kept) tensor.dispose();
  }
}

/** Enters a scope by hand: for code that tidy cannot enclose. */
export function startScope(_name?: string): void {
  scopes.push(new Set());
}

/** Leaves it, and disposes what was made in it but for the tensors in `result`, those given to keep(), and variables. */
export function endScope(result?: TensorContainer): void {
  const scope = scopes.pop();
  if (!scope) fail('endScope', 'startScope must have been called before', 'no scope is open');
  for (const tensor of tensorsIn(result)) {
    if (scope.delete(tensor)) trackTensor(tensor);
  }
  for (const tensor of scope) if (!tensor.kept) tensor.dispose();
}

/** Runs `f` outside of every scope: what it makes is nobody's to dispose but its own. */
export function untracked<T>(f: () => T): T {
  const outer = scopes.splice(0);
  try {
    return f();
  } finally {
    scopes.push(...outer);
  }
}

/** Spares a tensor from the tidy that it was made in. */
export function keep<T extends Tensor>(tensor: T): T {
  tensor.throwIfDisposed('keep');
  tensor.kept = true;
  return tensor;
}

/** Disposes every tensor in nested lists and plain objects. */
export function dispose(container: TensorContainer): void {
  for (const tensor of tensorsIn(container)) tensor.dispose();
}

export interface MemoryInfo {
  /** Tensors and variables that are neither disposed nor collected. */
  numTensors: number;
  /** Buffers behind them; a pending tensor has none, a reshape shares its input's. */
  numDataBuffers: number;
  numBytes: number;
  /** Compiled programs, and the bytes of their code and arenas. */
  programs: number;
  programBytes: number;
  /** Programs compiled since the start. */
  compilations: number;
  /** Released bytes that are kept for reuse. */
  pooledBytes: number;
  unreliable: boolean;
}

/** What tensors and programs take up now. */
export function memory(): MemoryInfo {
  return {
    numTensors: counts.tensors,
    numDataBuffers: counts.buffers,
    numBytes: counts.bytes,
    programs: counts.programs,
    programBytes: counts.programBytes,
    compilations: counts.compilations,
    pooledBytes: pool.pooledBytes,
    unreliable: false,
  };
}
