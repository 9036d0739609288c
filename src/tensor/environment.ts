/**
 * tf.env(): named flags with defaults, which may come from the address of a page (?tfjsflags=DEBUG:true). Most of TensorFlow.js's
 * flags steer backends that do not exist here; those that mean something are registered below. Knows no tensors.
 */
import { fail } from '../base/errors.ts';

export type FlagValue = number | boolean | string;
type Evaluation = () => FlagValue | Promise<FlagValue>;

/** What a host offers; only `now`, `fetch`, `encode` and `decode` are ever asked for by users. */
export interface Platform {
  fetch(path: string, init?: RequestInit): Promise<Response>;
  now(): number;
  encode(text: string, encoding: string): Uint8Array;
  decode(bytes: Uint8Array, encoding: string): string;
  [name: string]: unknown;
}

interface Host {
  readonly location?: { readonly search?: string };
  readonly process?: { readonly versions?: { readonly node?: string } };
  readonly navigator?: { readonly userAgent?: string; readonly vendor?: string };
}

const host = globalThis as Host;

function hostPlatform(): Platform {
  return {
    fetch: (path, init) => globalThis.fetch(path, init),
    now: () => performance.now(),
    encode: (text) => new TextEncoder().encode(text),
    decode: (bytes) => new TextDecoder().decode(bytes),
  };
}

export class Environment {
  readonly #values = new Map<string, FlagValue>();
  readonly #registry = new Map<string, { evaluate: Evaluation; onSet?: (value: FlagValue) => void }>();
  platform: Platform = hostPlatform();
  platformName = host.process?.versions?.node ? 'node' : 'browser';

  /** Takes another implementation of what a host offers. */
  setPlatform(name: string, platform: Platform): void {
    this.platformName = name;
    this.platform = platform;
  }

  /** Makes a flag known: its value until it is set, and what is to happen when it is. */
  registerFlag(name: string, evaluate: Evaluation, onSet?: (value: FlagValue) => void): void {
    this.#registry.set(name, { evaluate, onSet });
    const wanted = fromAddress(host.location?.search ?? '').get(name);
    if (wanted !== undefined) this.set(name, wanted);
  }

  #evaluate(name: string): FlagValue | Promise<FlagValue> {
    const flag = this.#registry.get(name);
    if (!flag)
      fail('env', 'the flag must be registered', `'${name}' is not`, `known: ${[...this.#registry.keys()].join(', ')}`);
    return flag.evaluate();
  }

  get(name: string): FlagValue {
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    const value = this.#evaluate(name);
    if (value instanceof Promise)
      fail('env', 'the flag must be known at once', `'${name}' is a promise`, 'use getAsync');
    this.#values.set(name, value);
    return value;
  }

  async getAsync(name: string): Promise<FlagValue> {
    const value = this.#values.get(name) ?? (await this.#evaluate(name));
    this.#values.set(name, value);
    return value;
  }

  getNumber(name: string): number {
    return this.get(name) as number;
  }
  getBool(name: string): boolean {
    return this.get(name) as boolean;
  }
  getString(name: string): string {
    return this.get(name) as string;
  }

  /** The flags that were set or asked for. */
  getFlags(): Record<string, FlagValue> {
    return Object.fromEntries(this.#values);
  }
  get features(): Record<string, FlagValue> {
    return this.getFlags();
  }

  set(name: string, value: FlagValue): void {
    const flag = this.#registry.get(name);
    if (!flag) fail('env', 'only a registered flag can be set', `'${name}' is not`, 'registerFlag it');
    this.#values.set(name, value);
    flag.onSet?.(value);
  }

  setFlags(flags: Record<string, FlagValue>): void {
    this.#values.clear();
    for (const [name, value] of Object.entries(flags)) this.set(name, value);
  }

  /** Forgets what was set; flags have their defaults again. */
  reset(): void {
    for (const name of [...this.#values.keys()]) {
      this.#values.delete(name);
      const flag = this.#registry.get(name);
      const value = flag?.evaluate();
      if (flag?.onSet && !(value instanceof Promise)) flag.onSet(value!);
    }
  }
}

function fromAddress(search: string): Map<string, FlagValue> {
  const text = new URLSearchParams(search).get('tfjsflags') ?? '';
  return new Map(
    text.split(',').map((pair): [string, FlagValue] => {
      const [name, value = ''] = pair.split(':');
      if (value === 'true' || value === 'false') return [name, value === 'true'];
      return [name, value !== '' && Number.isFinite(Number(value)) ? Number(value) : value];
    }),
  );
}

export const ENV = new Environment();

/** The flags. */
export function env(): Environment {
  return ENV;
}

/** Runs where there is a window or a worker of a page. */
export function isBrowser(): boolean {
  const { document, WorkerGlobalScope } = globalThis as { document?: unknown; WorkerGlobalScope?: unknown };
  return document !== undefined || (WorkerGlobalScope !== undefined && !host.process?.versions?.node);
}

/** Set by debug mode: results are computed at once and looked through. */
let checking = false;

export function isChecking(): boolean {
  return checking;
}

ENV.registerFlag(
  'DEBUG',
  () => false,
  (value) => {
    checking = value === true;
  },
);
ENV.registerFlag('PROD', () => false);
ENV.registerFlag('IS_TEST', () => false);
ENV.registerFlag('IS_BROWSER', isBrowser);
ENV.registerFlag('IS_NODE', () => host.process?.versions?.node !== undefined);
ENV.registerFlag(
  'IS_CHROME',
  () => /Chrome/.test(host.navigator?.userAgent ?? '') && /Google/.test(host.navigator?.vendor ?? ''),
);
ENV.registerFlag(
  'IS_SAFARI',
  () => /Safari/.test(host.navigator?.userAgent ?? '') && /Apple/.test(host.navigator?.vendor ?? ''),
);
ENV.registerFlag('DEPRECATION_WARNINGS_ENABLED', () => true);
ENV.registerFlag('CHECK_COMPUTATION_FOR_ERRORS', () => ENV.getBool('DEBUG'));
