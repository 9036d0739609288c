/** tf.engine(): TensorFlow.js's central object, as far as it means something here: scopes, variables, memory, the backend in use. */
import { currentBackend, getBackend, ready, setBackend } from '../backends.ts';
import type { Backend, BackendName } from '../backends.ts';
import { profile, time } from '../profile.ts';
import { dispose, endScope, keep, memory, startScope, tidy } from '../scope.ts';
import type { MemoryInfo } from '../scope.ts';
import type { TensorContainer } from '../types.ts';
import type { Variable } from '../variable.ts';
import { disposeAllVariables, liveVariables } from '../variable.ts';

class Engine {
  readonly tidy = tidy;
  readonly keep = keep;
  readonly dispose = dispose;
  readonly profile = profile;
  readonly time = time;
  readonly ready = ready;
  readonly setBackend = setBackend;

  /** Tensors made from here on are disposed by endScope. */
  startScope(name?: string): void {
    startScope(name);
  }

  /** Disposes what was made since startScope but for the tensors in `result`. */
  endScope(result?: TensorContainer): void {
    endScope(result);
  }

  memory(): MemoryInfo {
    return memory();
  }

  get backend(): Backend {
    return currentBackend();
  }

  get backendName(): BackendName {
    return getBackend();
  }

  /** Variables by name. */
  get registeredVariables(): Record<string, Variable> {
    return Object.fromEntries(liveVariables().map((variable) => [variable.name, variable]));
  }

  get state(): {
    numTensors: number;
    numDataBuffers: number;
    numBytes: number;
    registeredVariables: Record<string, Variable>;
  } {
    const { numTensors, numDataBuffers, numBytes } = memory();
    return { numTensors, numDataBuffers, numBytes, registeredVariables: this.registeredVariables };
  }

  disposeVariables(): void {
    disposeAllVariables();
  }
}

export type { Engine };
const shared = new Engine();

/** The one engine. */
export function engine(): Engine {
  return shared;
}
