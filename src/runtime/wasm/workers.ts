/**
 * Starts worker threads, in Node and in browsers, and hears when they finish a run. They are started from text, so no file has to be
 * found; `workerUrl` names a file instead. What they do is control.ts's business.
 */
import { workerSource } from './control.ts';

/** What this room needs of Node's Worker and of the browsers'. */
interface Thread {
  post(message: unknown): void;
  terminate(): void;
  /** Whether the thread keeps the process alive. */
  hold(on: boolean): void;
}

export type Spawn = (onMessage: (value: number) => void, onError: (error: unknown) => void) => Thread;

export interface WorkerOptions {
  readonly workerUrl?: string | URL;
}

/** What is used of Node's own modules. */
export interface NodeModules {
  readonly os: Pick<typeof import('node:os'), 'availableParallelism'>;
  readonly threads: Pick<typeof import('node:worker_threads'), 'Worker'>;
}

/** Node's modules; null in a browser. */
export async function loadNodeModules(): Promise<NodeModules | null> {
  const host = globalThis as { process?: { versions?: { node?: string } } };
  if (host.process?.versions?.node === undefined) return null;
  const [os, threads] = await Promise.all([import('node:os'), import('node:worker_threads')]);
  return { os, threads };
}

/** A way to start workers here, or null where there is none. */
export function findSpawn(options: WorkerOptions, node: NodeModules | null): Spawn | null {
  const host = globalThis as { Worker?: typeof Worker };
  if (node) {
    return (onMessage, onError) => {
      const worker = new node.threads.Worker(workerSource(), { eval: true, execArgv: [], stdin: false });
      worker.unref();
      worker.on('message', onMessage);
      worker.on('error', onError);
      // A listener makes the worker count again.
      worker.unref();
      return {
        post: (message) => worker.postMessage(message),
        terminate: () => void worker.terminate(),
        hold: (on) => (on ? worker.ref() : worker.unref()),
      };
    };
  }
  if (typeof host.Worker !== 'function') return null;
  return (onMessage, onError) => {
    const blob = options.workerUrl
      ? null
      : URL.createObjectURL(new Blob([workerSource()], { type: 'text/javascript' }));
    const worker = new Worker(options.workerUrl ?? blob!, options.workerUrl ? { type: 'module' } : {});
    worker.onmessage = (event: MessageEvent<number>) => onMessage(event.data);
    worker.onerror = onError;
    return {
      post: (message) => worker.postMessage(message),
      terminate: () => {
        worker.terminate();
        if (blob) URL.revokeObjectURL(blob);
      },
      hold: () => {},
    };
  };
}

export class WorkerPool {
  readonly #spawn: Spawn;
  readonly #memory: WebAssembly.Memory;
  readonly #control: number;
  readonly #onDone: (generation: number) => void;
  readonly #onLost: () => void;
  readonly #threads: Thread[] = [];
  #lost = false;

  /** `onDone` hears the generation of a run that asked for it; `onLost` hears once that workers cannot be started. */
  constructor(
    spawn: Spawn,
    memory: WebAssembly.Memory,
    control: number,
    onDone: (generation: number) => void,
    onLost: () => void,
  ) {
    this.#spawn = spawn;
    this.#memory = memory;
    this.#control = control;
    this.#onDone = onDone;
    this.#onLost = onLost;
  }

  /** Whether workers can still be hoped for. */
  get usable(): boolean {
    return !this.#lost;
  }

  /** Starts workers until there are `count`. They need not be up when this returns. */
  ensure(count: number): void {
    while (!this.#lost && this.#threads.length < count) {
      try {
        const thread = this.#spawn(this.#onDone, () => this.#lose());
        this.#threads.push(thread);
        thread.post({ memory: this.#memory, at: this.#control, index: this.#threads.length - 1 });
      } catch {
        this.#lose();
      }
    }
  }

  /** While on, the process stays alive for the workers. */
  hold(on: boolean): void {
    this.#threads[0]?.hold(on);
  }

  terminate(): void {
    for (const thread of this.#threads) thread.terminate();
    this.#threads.length = 0;
    this.#lost = true;
  }

  #lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#onLost();
  }
}
