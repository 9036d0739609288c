/**
 * The targets that can run programs, and which one is in use. A backend is one entry of a table; its code generator and device
 * come by dynamic import, so that a browser never carries x64. Knows no tensors.
 */
import { debug } from '../base/debug.ts';
import { fail } from '../base/errors.ts';
import type { CompileRequest } from '../compiler/request.ts';
import type { Program } from '../kernel/program.ts';
import type { Executable, StepTime } from '../runtime/device.ts';
import type { Home, Storage } from '../runtime/storage.ts';

export type BackendName = 'x64' | 'wasm' | 'reference';

/** A program on its device. */
export interface Loaded {
  readonly executable: Executable;
  /** Null on a target that interprets the graph. */
  readonly program: Program | null;
  profile?(inputs: readonly Storage[], outputs: readonly Storage[], isPrepared?: boolean): StepTime[];
}

/** What this machine can do at most, measured. */
export interface Peak {
  readonly gflops: number;
  /** Bytes per second, read and written together. */
  readonly copyBandwidth: number;
}

export interface Backend {
  readonly name: BackendName;
  readonly threads: number;
  /** Memory that tensors should live in while this backend is in use. */
  readonly home?: Home;
  load(request: Omit<CompileRequest, 'capabilities'>): Loaded;
  measurePeak?(): Peak;
}

/** How a backend is made; throws (or rejects) or gives null where this machine cannot run it. */
export type BackendFactory = () => Backend | null | Promise<Backend | null>;

const factories = new Map<BackendName, BackendFactory>();
const made = new Map<BackendName, Backend | null | Promise<Backend | null>>();
let current: Backend | null = null;
/** Called before another backend takes over: programs of the old one are of no use to it. */
const onChange: (() => void)[] = [];

/** Adds a target to the table. The order of registration is the order of preference for 'cpu'. */
export function registerBackend(name: BackendName, factory: BackendFactory): void {
  factories.set(name, factory);
}

/** Takes a target off the table. */
export function removeBackend(name: string): void {
  if (current?.name === name) {
    fail('removeBackend', 'the backend must not be in use', `got '${name}'`, 'setBackend to another one first');
  }
  factories.delete(name as BackendName);
  made.delete(name as BackendName);
}

/** The backend of that name, if it has been made; null otherwise. */
export function findBackend(name: string): Backend | null {
  const known = made.get(name as BackendName);
  return known === undefined || known instanceof Promise ? (current?.name === name ? current : null) : known;
}

/** What makes the backend of that name. */
export function findBackendFactory(name: string): BackendFactory | undefined {
  return factories.get(name as BackendName);
}

export function whenBackendChanges(listener: () => void): void {
  onChange.push(listener);
}

/** Called with each backend that is taken into use. */
const onUse: ((backend: Backend) => void)[] = [];

export function whenBackendIsUsed(listener: (backend: Backend) => void): void {
  onUse.push(listener);
}

function make(name: BackendName): Backend | null | Promise<Backend | null> {
  const known = made.get(name);
  if (known !== undefined) return known;
  const unusable = (error: unknown) => {
    debug(1, () => `backend ${name} cannot be used: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  };
  let backend: Backend | null | Promise<Backend | null>;
  try {
    backend = factories.get(name)!();
    if (backend instanceof Promise) backend = backend.catch(unusable);
  } catch (error) {
    backend = unusable(error);
  }
  made.set(name, backend);
  return backend;
}

function use(backend: Backend): void {
  if (current !== backend) {
    if (current) for (const listener of onChange) listener();
    current = backend;
    for (const listener of onUse) listener(backend);
  }
  debug(1, () => `backend ${backend.name}, ${backend.threads} thread(s)`);
}

/**
 * Chooses where tensors are computed: 'x64' (machine code), 'wasm', 'reference' (interprets; slow, the definition of right) or
 * 'cpu' (the best of them that this machine runs). Resolves to false where it cannot run here; nothing changes then.
 */
export async function setBackend(name: string): Promise<boolean> {
  const names = name === 'cpu' ? [...factories.keys()] : [...factories.keys()].filter((known) => known === name);
  if (names.length === 0) {
    fail('setBackend', `the backend must be one of ${[...factories.keys(), 'cpu'].join(', ')}`, `got '${name}'`);
  }
  for (const candidate of names) {
    const backend = await make(candidate);
    if (!backend) continue;
    use(backend);
    return true;
  }
  return false;
}

/** Name of the backend in use. */
export function getBackend(): BackendName {
  return currentBackend().name;
}

export function currentBackend(): Backend {
  if (!current && isDeferred) chooseNow();
  if (current) return current;
  fail('backend', 'a backend must be ready before values are read', 'none is yet', 'await tf.ready() first');
}

export function hasBackend(): boolean {
  return current !== null;
}

let isDeferred = false;

/** Leaves the choice to the first who asks; for a table whose factories need not be waited for. */
export function deferChoice(): void {
  isDeferred = true;
}

/** setBackend('cpu') without waiting. */
function chooseNow(): void {
  for (const name of factories.keys()) {
    const backend = make(name);
    if (backend instanceof Promise || !backend) continue;
    use(backend);
    return;
  }
}

let choosing: Promise<void> | null = null;

/** Resolves once a backend is chosen: the one named by TENSORLOOM_BACKEND, else the best that this machine runs. */
export function ready(): Promise<void> {
  if (current) return Promise.resolve();
  choosing ??= chooseDefault();
  return choosing;
}

async function chooseDefault(): Promise<void> {
  const host = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process;
  const wanted = host?.env?.TENSORLOOM_BACKEND;
  if (wanted && !(await setBackend(wanted))) {
    fail('backend', `TENSORLOOM_BACKEND must name a backend that runs here`, `got '${wanted}'`, 'see DEBUG=1 for why');
  }
  if (!current) await setBackend('cpu');
}

/** The peak of this machine, measured now: multiply-adds in registers, and a copy that does not fit in the caches. */
export function measurePeak(): Peak {
  const backend = currentBackend();
  if (backend.measurePeak) return backend.measurePeak();
  fail('measurePeak', 'the backend must be able to measure itself', `${backend.name} cannot`, "setBackend('x64')");
}
