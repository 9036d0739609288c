/**
 * Runs loaded programs one after another, in the order in which they were asked for: on the calling thread, shared with
 * workers, or on workers alone while the event loop goes on. See control.ts for what happens inside a run.
 */
import { failIndex, InternalError } from '../../base/errors.ts';
import { walkProgram } from '../../kernel/loop-walk.ts';
import type { StepTime } from '../device.ts';
import type { Home, Storage } from '../storage.ts';
import { control, drive, nextStage, openStage } from './control.ts';
import type { LinearMemory } from './memory.ts';
import type { LoadedProgram } from './program.ts';
import type { Spawn } from './workers.ts';
import { WorkerPool } from './workers.ts';

/** Programs that take less than this many seconds on one thread stay on the calling thread: waking others takes longer. */
const WORTH_SHARING = 30e-6;

interface Job {
  readonly loaded: LoadedProgram;
  readonly inputs: readonly Storage[];
  readonly outputs: readonly Storage[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** The generation in which workers do it; 0 before. */
  generation: number;
}

export class Runner {
  readonly #home: Home;
  readonly #memory: LinearMemory;
  readonly #threads: number;
  readonly #pool: WorkerPool | null;
  /** Address of the control block. */
  readonly #control: number;
  /** Whether this thread may block; a browser's main thread may not. */
  readonly #mayWait: boolean;
  /** Memory for what lives only during a run; all programs share it. */
  #scratch = { at: -1, bytes: 0 };
  /** Runs that were asked for asynchronously; the first has begun. */
  readonly #jobs: Job[] = [];

  /** Storages whose home is `home` lie in `memory` and are not copied. */
  constructor(home: Home, memory: LinearMemory, threads: number, spawn: Spawn | null) {
    this.#home = home;
    this.#memory = memory;
    this.#threads = threads;
    this.#control = memory.allocate(control.words * 4, 'wasm');
    memory.bytes.fill(0, this.#control, this.#control + control.words * 4);
    const host = globalThis as { document?: unknown; process?: { versions?: { node?: string } } };
    this.#mayWait = host.process?.versions?.node !== undefined || host.document === undefined;
    const lost = (): void => this.drain();
    this.#pool =
      spawn && new WorkerPool(spawn, memory.memory, this.#at, (generation) => this.#announced(generation), lost);
  }

  run(loaded: LoadedProgram, inputs: readonly Storage[], outputs: readonly Storage[]): void {
    this.drain();
    this.#prepare(loaded, inputs, outputs);
    if (this.#isWorthSharing(loaded)) {
      this.#pool?.ensure(this.#threads - 1);
      this.#open(loaded, loaded.entryTable, loaded.entries.length, this.#threads - 1, false);
      this.#help(loaded);
      this.#close();
    } else this.#runInline(loaded);
    this.#finish(loaded, outputs);
  }

  runAsync(loaded: LoadedProgram, inputs: readonly Storage[], outputs: readonly Storage[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ loaded, inputs, outputs, resolve, reject, generation: 0 });
      if (this.#jobs.length === 1) this.#advance();
    });
  }

  /** Runs step after step, each shared among all threads, and times them. */
  profile(loaded: LoadedProgram, inputs: readonly Storage[], outputs: readonly Storage[]): StepTime[] {
    this.drain();
    this.#prepare(loaded, inputs, outputs);
    if (this.#isShared) this.#pool?.ensure(this.#threads - 1);
    const seconds = new Float64Array(loaded.program.steps.length);
    const stageOf = new Map(loaded.stepStages.map(({ step }, i) => [step, i]));
    const once = (step: number): void => {
      const i = stageOf.get(step);
      if (i === undefined) return;
      const start = performance.now();
      if (this.#isShared) {
        this.#open(loaded, loaded.stepStageTable + i * 64, 1, this.#threads - 1, false);
        this.#help(loaded);
        this.#close();
      } else loaded.runRecords(this.#errorRecord, loaded.stepStages[i]);
      seconds[step] += (performance.now() - start) / 1000;
    };
    walkProgram(loaded.program, {
      run(first, end, iterations) {
        for (let step = first; step < end; step++) {
          loaded.bindStep(step, iterations);
          once(step);
        }
      },
      isSet: (flag, iterations) => loaded.isSet(flag, iterations),
    });
    loaded.bindStep(null);
    this.#finish(loaded, outputs);
    return Array.from(seconds, (time, step) => ({ step, seconds: time }));
  }

  /** Ends all that was asked for asynchronously, with this thread's help. */
  drain(): void {
    while (this.#jobs.length > 0) {
      const job = this.#jobs[0];
      if (job.generation > 0) this.#help(job.loaded);
      this.#end(job);
    }
  }

  dispose(): void {
    this.drain();
    const { words } = this.#memory;
    if (this.#memory.shared) {
      Atomics.store(words, this.#at + control.exit, 1);
      Atomics.add(words, this.#at + control.generation, 1);
      Atomics.notify(words, this.#at + control.generation);
    }
    this.#pool?.terminate();
  }

  get #at(): number {
    return this.#control / 4;
  }

  get #errorRecord(): number {
    return this.#control + control.error * 4;
  }

  get #isShared(): boolean {
    return this.#threads > 1 && this.#pool?.usable === true;
  }

  #isWorthSharing(loaded: LoadedProgram): boolean {
    return this.#isShared && loaded.isDivisible && loaded.estimate > WORTH_SHARING;
  }

  // ---- asynchronous runs ------------------------------------------------------------------------------------------------

  /** Starts the next job; those that are small, or that no worker can do, end at once. */
  #advance(): void {
    while (this.#jobs.length > 0 && this.#jobs[0].generation === 0) {
      const job = this.#jobs[0];
      const { loaded } = job;
      if (!this.#pool?.usable || loaded.estimate < WORTH_SHARING || !loaded.hasWork) {
        this.#end(job);
        continue;
      }
      try {
        this.#prepare(loaded, job.inputs, job.outputs);
      } catch (error) {
        this.#settle(job, error);
        continue;
      }
      this.#pool.ensure(this.#threads);
      this.#pool.hold(true);
      job.generation = this.#open(loaded, loaded.entryTable, loaded.entries.length, this.#threads, true);
    }
  }

  /** A worker has finished the run of this generation, or (negative) cannot take part in it. */
  #announced(generation: number): void {
    const job = this.#jobs[0];
    // Otherwise a synchronous run has ended it meanwhile.
    if (!job || job.generation !== Math.abs(generation)) return;
    if (generation < 0) this.#help(job.loaded);
    this.#end(job);
    this.#advance();
  }

  /** The first job's end: it is done by now, or is done here if it has not begun. */
  #end(job: Job): void {
    let problem: unknown = null;
    try {
      if (job.generation > 0) {
        this.#pool?.hold(false);
        this.#close();
      } else {
        this.#prepare(job.loaded, job.inputs, job.outputs);
        this.#runInline(job.loaded);
      }
      this.#finish(job.loaded, job.outputs);
    } catch (error) {
      problem = error;
    }
    this.#settle(job, problem);
  }

  #settle(job: Job, problem: unknown): void {
    this.#jobs.shift();
    if (problem === null) job.resolve();
    else job.reject(problem);
  }

  // ---- one run ----------------------------------------------------------------------------------------------------------

  #prepare(loaded: LoadedProgram, inputs: readonly Storage[], outputs: readonly Storage[]): void {
    if (loaded.isFreed) throw new InternalError(`internal: program ${loaded.program.name} was run after its disposal`);
    const needed = loaded.place(this.#home, inputs, outputs);
    if (needed > this.#scratch.bytes) {
      if (this.#scratch.at >= 0) this.#memory.release(this.#scratch.at);
      this.#scratch = { at: -1, bytes: 0 };
      this.#scratch.at = this.#memory.allocate(needed, loaded.program.name);
      this.#scratch.bytes = needed;
    }
    loaded.bind(this.#scratch.at);
    loaded.copyIn(inputs);
    const { words } = this.#memory;
    words.fill(0, this.#at + control.error, this.#at + control.error + 2);
    words[this.#at + control.failed] = 0;
  }

  #runInline(loaded: LoadedProgram): void {
    try {
      loaded.runAlone(this.#errorRecord);
    } catch (error) {
      throw new InternalError(`internal: emitted code of program ${loaded.program.name} trapped`, { cause: error });
    }
  }

  /** Lets workers 0 to limit - 1 join. */
  #open(loaded: LoadedProgram, stageTable: number, stages: number, limit: number, announce: boolean): number {
    const { words } = this.#memory;
    const at = this.#at;
    words[at + control.stages] = stages;
    words[at + control.stageTable] = stageTable;
    words[at + control.records] = loaded.recordTable;
    words[at + control.limit] = limit;
    words[at + control.announce] = announce ? 1 : 0;
    words[at + control.moduleSlot] = loaded.slot;
    words[at + control.moduleVersion] = loaded.version;
    words[at + control.moduleAddress] = loaded.moduleAddress;
    words[at + control.moduleBytes] = loaded.moduleBytes;
    words[at + control.visible] = loaded.end;
    openStage(words, at, nextStage(words, stageTable / 4, 0, stages));
    // Generations are positive and differ from the last one; they may start again after 2^31 runs.
    const generation = (words[at + control.generation] & 0x7fffffff) + 1;
    const next = generation > 0x7fffffff ? 1 : generation;
    Atomics.store(words, at + control.open, next);
    Atomics.store(words, at + control.generation, next);
    Atomics.notify(words, at + control.generation);
    return next;
  }

  #help(loaded: LoadedProgram): void {
    drive(this.#memory.words, this.#at, loaded.functions, this.#mayWait, () => {}, nextStage, openStage);
  }

  /** Lets nobody else join, and waits for those inside, who have nothing left to do. */
  #close(): void {
    const { words } = this.#memory;
    const active = this.#at + control.active;
    Atomics.store(words, this.#at + control.open, 0);
    for (let spins = 0; ; spins++) {
      const count = Atomics.load(words, active);
      if (count === 0) return;
      if (this.#mayWait && spins > 2000) Atomics.wait(words, active, count, 10);
    }
  }

  /** Copies the results out, unless a guard failed: then outputs that live elsewhere are left as they were. */
  #finish(loaded: LoadedProgram, outputs: readonly Storage[]): void {
    const { words } = this.#memory;
    const { program } = loaded;
    if (words[this.#at + control.failed] !== 0)
      throw new InternalError(`internal: emitted code of program ${program.name} trapped`);
    const site = words[this.#at + control.error];
    if (site !== 0) {
      const index = words[this.#at + control.error + 1];
      const { op, what, bound } = program.sites[site - 1];
      failIndex(op, what, bound, index);
    }
    loaded.copyOut(outputs);
  }
}
