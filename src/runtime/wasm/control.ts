/**
 * How threads share a run: where its state lies in the linear memory, and the loop that every thread goes through. The
 * functions here are also sent to workers as text, so they refer to nothing outside themselves. They know chunks, stages and
 * loops, not programs.
 *
 * A run is a table of stages and of places where loops begin and end; a stage is a list of records (a function, its arguments, its
 * chunks). Threads claim chunks by counting up. A stage has passed when all its chunks are done; whoever did the last one
 * opens the next stage, while nobody else has anything to do. No thread is waited for unless it holds a chunk, so a worker that
 * starts late, or never, delays nobody.
 */

/** Words of the control block, counted from its start. What threads write at the same time lies 64 bytes apart. */
export const control = {
  /** Counts runs; sleeping workers wait for it to change. */
  generation: 0,
  /** The generation that may be joined, 0 where there is none. */
  open: 16,
  /** Workers inside a run. */
  active: 32,
  /** Grows with each stage that is opened, and with the end of each run. */
  phase: 48,
  /** The entry of the table that is being worked on; the table's length when the run is over. */
  position: 49,
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

/** Words of an entry of the table that is a stage, and of a record; all are 16 words apart. */
export const stageWords = { first: 0, end: 1, chunks: 2, done: 3, phase: 4, kind: 5 } as const;
/**
 * Words of an entry where a loop begins (kind 1) and where it ends (kind 2). `flag` is the address of the cell with the flag's
 * address, 0 where there is none; `moves` is the address of pairs { address of a cell, bytes }.
 */
export const loopWords = {
  flag: 0,
  exit: 1,
  iteration: 2,
  begin: 0,
  moves: 1,
  moveCount: 2,
  count: 3,
  kind: 5,
} as const;
/** `next` and `limit` only ever grow (modulo 2^32): chunks up to `limit` may be claimed. */
export const recordWords = { fn: 0, args: 1, extent: 2, next: 3, limit: 4 } as const;
export const ENTRY_BYTES = 64;

export type RegionFunction = (args: number, chunk: number, errors: number) => void;

/** From entry `at` of the table on, through loops, to the next stage: its place, or `end` where there is none. `table` is a word. */
export function nextStage(words: Int32Array, table: number, at: number, end: number): number {
  while (at < end) {
    const entry = table + at * 16;
    const kind = words[entry + 5];
    if (kind === 0) return at;
    const begin = kind === 1 ? entry : table + words[entry] * 16;
    let over = false;
    if (kind === 1) words[entry + 2] = 0;
    else {
      const iteration = ++words[begin + 2];
      const moves = words[entry + 1] >>> 2;
      const count = words[entry + 2];
      for (let m = 0; m < count; m++) words[words[moves + 2 * m] >>> 2] += words[moves + 2 * m + 1];
      over = iteration >= words[entry + 3];
    }
    const flag = words[begin] >>> 2;
    if (flag !== 0 && words[words[flag] >>> 2] === 0) over = true;
    if (kind === 1) at = over ? words[entry + 1] : at + 1;
    else if (!over) at = words[entry] + 1;
    else {
      // Back to where the cells stood before the loop.
      const moves = words[entry + 1] >>> 2;
      const count = words[entry + 2];
      for (let m = 0; m < count; m++) {
        words[words[moves + 2 * m] >>> 2] -= Math.imul(words[moves + 2 * m + 1], words[begin + 2]);
      }
      at++;
    }
  }
  return end;
}

/** Opens the stage at `position` of the table: its chunks may be claimed from here on. */
export function openStage(words: Int32Array, at: number, position: number): void {
  const phase = (words[at + 48] + 1) | 0;
  if (position < words[at + 64]) {
    const entry = (words[at + 65] >>> 2) + position * 16;
    const records = words[at + 66] >>> 2;
    Atomics.store(words, entry + 3, 0);
    Atomics.store(words, entry + 4, phase);
    for (let r = words[entry]; r < words[entry + 1]; r++) {
      const record = records + r * 16;
      Atomics.store(words, record + 4, (words[record + 4] + words[record + 2]) | 0);
    }
  }
  Atomics.store(words, at + 49, position);
  Atomics.store(words, at + 48, phase);
  Atomics.notify(words, at + 48);
}

/** Works on the open run until its last stage has passed. `at` is the word where the control block starts. */
export function drive(
  words: Int32Array,
  at: number,
  functions: readonly RegionFunction[],
  mayWait: boolean,
  announce: () => void,
  next: typeof nextStage,
  open: typeof openStage,
): void {
  const stages = words[at + 64];
  const table = words[at + 65] >>> 2;
  const records = words[at + 66] >>> 2;
  const errors = (at + 80) << 2;
  for (;;) {
    // The phase first: a position that is newer than it does no harm.
    const phase = Atomics.load(words, at + 48);
    const position = Atomics.load(words, at + 49);
    if (position >= stages) return;
    const entry = table + position * 16;
    const end = words[entry + 1];
    let mine = 0;
    for (let r = words[entry]; r < end; r++) {
      const record = records + r * 16;
      const fn = functions[words[record]];
      const args = words[record + 1];
      const extent = words[record + 2];
      for (;;) {
        const ticket = Atomics.load(words, record + 3);
        const limit = Atomics.load(words, record + 4);
        if (((limit - ticket) | 0) <= 0) break;
        // Never beyond the limit: what is claimed there would be a chunk of a loop's next iteration.
        if (Atomics.compareExchange(words, record + 3, ticket, (ticket + 1) | 0) !== ticket) continue;
        mine++;
        try {
          fn(args, (ticket - limit + extent) | 0, errors);
        } catch {
          Atomics.store(words, at + 69, 1);
        }
      }
    }
    if (mine > 0 && Atomics.add(words, entry + 3, mine) + mine === words[entry + 2]) {
      // Whoever opened this stage may not have said so yet: what comes next is told after that.
      while (Atomics.load(words, at + 48) !== Atomics.load(words, entry + 4));
      const following = next(words, table, position + 1, stages);
      const tell = following >= stages && words[at + 68] === 1;
      open(words, at, following);
      if (tell) announce();
      continue;
    }
    for (let spins = 0; Atomics.load(words, at + 48) === phase; spins++) {
      if (mayWait && spins > 4000) Atomics.wait(words, at + 48, phase);
    }
  }
}

/** A worker's whole life: sleep, join a run, sleep. It never returns to its event loop; all it needs to know is in memory. */
export function serve(
  memory: WebAssembly.Memory,
  at: number,
  index: number,
  post: (generation: number) => void,
  driveRun: typeof drive,
  next: typeof nextStage,
  open: typeof openStage,
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
        driveRun(words, at, cache[slot].functions, true, () => post(generation), next, open);
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
const nextStage = ${nextStage.toString()};
const openStage = ${openStage.toString()};
const drive = ${drive.toString()};
const serve = ${serve.toString()};
const port = typeof require === 'function' ? require('node:worker_threads').parentPort : null;
const post = (value) => (port ?? self).postMessage(value);
const start = ({ memory, at, index }) => serve(memory, at, index, post, drive, nextStage, openStage);
if (port) port.once('message', start);
else self.onmessage = (event) => start(event.data);
`;
}
