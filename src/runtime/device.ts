/** The contract between the session and what runs programs. A device knows memory and threads, never graphs or tensors' meaning. */
import type { Program } from '../kernel/program.ts';
import type { Storage } from './storage.ts';

export interface Executable {
  /**
   * Runs the program on the calling thread's time; returns when every output is written. Throws UserError where a guard failed.
   * `isPrepared`: the inputs of the program's prologue are as they were in the run before, which did not fail.
   */
  run(inputs: readonly Storage[], outputs: readonly Storage[], isPrepared?: boolean): void;
  /** The same while the event loop stays free. Runs, sync or async, take effect in the order in which they were called. */
  runAsync(inputs: readonly Storage[], outputs: readonly Storage[], isPrepared?: boolean): Promise<void>;
  /** Frees code and arena. */
  dispose(): void;
  /** Bytes of the arena and the code. */
  readonly bytes: number;
}

/** Time of one kernel of one run, for tf.profile and DEBUG=2. */
export interface StepTime {
  readonly step: number;
  readonly seconds: number;
}

export interface Device<Image> {
  readonly threads: number;
  /** `image` is what the code generator made of program.kernels, in that order. */
  load(
    program: Program,
    image: Image,
  ): Executable & {
    profile(inputs: readonly Storage[], outputs: readonly Storage[], isPrepared?: boolean): StepTime[];
  };
  dispose(): void;
}
