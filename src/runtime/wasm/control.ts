/**
 * How threads share a run: where its state lies in the linear memory, and the loop that every thread goes through. The two
 * functions here are also sent to workers as text, so they refer to nothing outside themselves. They know chunks and stages,
 * not programs.
 *
 * A run is a list of stages, a stage a list of records (a function, its arguments, its chunks). Threads claim chunks with an
 * atomic add. A stage has passed when all its chunks are done, whoever did them: no thread is waited for unless it holds a
 * chunk, so a worker that starts late, or never, delays nobody.
 */

/** Words of the control block, counted from its start. What threads write at the same time lies 64 bytes apart. */
export const control = {
  /** Counts runs; sleeping workers wait for it to change. */
  generation: 0,
  /** The generation that may be joined, 0 where there is none. */
  open: 16,
  /** Workers inside a run. */
  active: 32,
  /** The stage that is being worked on. */
  stage: 48,
  stages: 64,
  stageTable: 65,
  records: 66,
  /** Workers with a smaller number join. */
  limit: 67,
  /** 1: who finishes the last stage tells the main thread. */
  announce: 68,
  /** 1 after a trap. */
  failed: 69,
  exit: 70,
  moduleSlot: 71,
  moduleVersion: 72,
  moduleAddress: 73,
  moduleBytes: 74,
  /** The end of all that workers read of the run itself. */
  visible: 75,
  /** { site + 1, index } of a guard that did not hold. */
  error: 80,
  words: 96,
} as const;

/** Words of a stage, and of a record; both are 16 words apart. */
export const stageWords = { first: 0, end: 1, chunks: 2, done: 3 } as const;
export const recordWords = { fn: 0, args: 1, extent: 2, next: 3 } as const;
export const ENTRY_BYTES = 64;

export type RegionFunction = (args: number, chunk: number, errors: number) => void;

/** Works on the open run until its last stage has passed. `at` is the word where the control block starts. */
export function drive(
  words: Int32Array,
  at: number,
  functions: readonly RegionFunction[],
  mayWait: boolean,
  announce: () => void,
): void {
  const stages = words[at + 64];
  const stageTable = words[at + 65] >>> 2;
  const records = words[at + 66] >>> 2;
  const errors = (at + 80) << 2;
  let stage = Atomics.load(words, at + 48);
  while (stage < stages) {
    const entry = stageTable + stage * 16;
    const end = words[entry + 1];
    let mine = 0;
    for (let r = words[entry]; r < end; r++) {
      const record = records + r * 16;
      const fn = functions[words[record]];
      const args = words[record + 1];
      const extent = words[record + 2];
      for (;;) {
        const chunk = Atomics.add(words, record + 3, 1);
        if (chunk >= extent) break;
        mine++;
        try {
          fn(args, chunk, errors);
        } catch {
          Atomics.store(words, at + 69, 1);
        }
      }
    }
    if (mine > 0 && Atomics.add(words, entry + 3, mine) + mine === words[entry + 2]) {
      const last = stage + 1 === stages;
      const tell = last && words[at + 68] === 1;
      Atomics.store(words, at + 48, stage + 1);
      Atomics.notify(words, at + 48);
      if (tell) announce();
    }
    let now = stage;
    for (let spins = 0; ; spins++) {
      now = Atomics.load(words, at + 48);
      if (now !== stage) break;
      if (mayWait && spins > 4000) Atomics.wait(words, at + 48, stage);
    }
    stage = now;
  }
}

/** A worker's whole life: sleep, join a run, sleep. It never returns to its event loop; all it needs to know is in memory. */
export function serve(
  memory: WebAssembly.Memory,
  at: number,
  index: number,
  post: (generation: number) => void,
  driveRun: typeof drive,
): void {
  let words = new Int32Array(memory.buffer);
  const cache: { version: number; functions: RegionFunction[] }[] = [];
  let seen = 0;
  while (Atomics.load(words, at + 70) === 0) {
    for (let spins = 0; Atomics.load(words, at) === seen; spins++) {
      if (spins > 20000) Atomics.wait(words, at, seen);
    }
    const generation = Atomics.load(words, at);
    seen = generation;
    Atomics.add(words, at + 32, 1);
    if (Atomics.load(words, at + 16) === generation && index < words[at + 67]) {
      try {
        if (words[at + 75] >>> 0 > words.byteLength) {
          // Another thread has grown the memory; growing it by nothing makes this thread see that.
          memory.grow(0);
          words = new Int32Array(memory.buffer);
        }
        const slot = words[at + 71];
        const version = words[at + 72];
        if (cache[slot]?.version !== version) {
          const code = new Uint8Array(memory.buffer, words[at + 73] >>> 0, words[at + 74]);
          const copy = new Uint8Array(code.length);
          copy.set(code);
          const instance = new WebAssembly.Instance(new WebAssembly.Module(copy), { env: { memory } });
          cache[slot] = { version, functions: Object.values(instance.exports) as unknown as RegionFunction[] };
        }
        driveRun(words, at, cache[slot].functions, true, () => post(generation));
      } catch {
        // This worker cannot help (no memory for the code, say); the main thread must, if nobody else does.
        post(-generation);
      }
    }
    if (Atomics.sub(words, at + 32, 1) === 1) Atomics.notify(words, at + 32);
  }
}

/** The text of a worker for Node (CommonJS) and for browsers (a classic script). Both get one message: what to serve. */
export function workerSource(): string {
  return `'use strict';
const drive = ${drive.toString()};
const serve = ${serve.toString()};
const port = typeof require === 'function' ? require('node:worker_threads').parentPort : null;
const post = (value) => (port ?? self).postMessage(value);
const start = ({ memory, at, index }) => serve(memory, at, index, post, drive);
if (port) port.once('message', start);
else self.onmessage = (event) => start(event.data);
`;
}
