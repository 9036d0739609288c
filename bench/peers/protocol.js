/**
 * What every peer is: a child process that answers one JSON line with another, so that its runs can be interleaved with
 * those of the others and each keeps its own threads, heap and warmed-up code.
 *
 *   -> {"task":"gemm","n":512,"reps":5,"warmup":2}
 *   <- {"seconds":[0.0026, ...]}       or {"value":{...}} for what is no time, or {"error":"..."}
 *
 * The first line a peer writes is {"ready":{...versions}} or {"error":"why it cannot run"}. The same protocol is spoken
 * by pytorch.py.
 */
import { createInterface } from 'node:readline';

/** The network of the main job, for peers that build it from numbers. Shapes are NHWC. */
export const cnn = { batch: 64, side: 28, classes: 10, parameters: 93_322 };

/** GEMM operands and images are the same uniform noise in -1..1 for every peer: no zeros or denormals to be quick on. */
export function noise(count, seed = 1) {
  const values = new Float32Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return values;
}

/** What an operand of an op holds: noise, or whole numbers below `below`, of every residue and in no order. */
export function operand({ shape, below }, seed) {
  const count = shape.reduce((a, b) => a * b, 1);
  if (!below) return noise(count, seed);
  return Int32Array.from(noise(count, seed), (v) => Math.min(below - 1, Math.floor(((v + 1) / 2) * below)));
}

/** One-hot labels for `count` images, and the class numbers themselves. */
export function labels(count) {
  const numbers = Int32Array.from({ length: count }, (_, i) => (i * 7) % cnn.classes);
  const oneHot = new Float32Array(count * cnn.classes);
  numbers.forEach((label, i) => {
    oneHot[i * cnn.classes + label] = 1;
  });
  return { numbers, oneHot };
}

/** A result that nobody reads might not have been computed. */
export function consume(value) {
  if (!Number.isFinite(value)) throw new Error(`the result must be finite; it is ${value}`);
}

/**
 * Serves `tasks`: each is `async (request) => run`, called once for each kind of request, where `run()` does the
 * work once and is timed, or returns `{ value }` or `{ seconds }` when it measured by itself.
 */
export async function serve(load) {
  // Answers go through the real stdout; a library that prints must not break the protocol.
  const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  console.log = console.info = (...args) => console.error(...args);
  let peer;
  try {
    peer = await load();
  } catch (error) {
    answer({ error: reasonOf(error) });
    process.exit(0);
  }
  answer({ ready: { versions: peer.versions, tasks: Object.keys(peer.tasks) } });

  const prepared = new Map();
  for await (const line of createInterface({ input: process.stdin })) {
    const { reps = 1, warmup = 1, ...request } = JSON.parse(line);
    try {
      answer(await perform(peer, prepared, request, reps, warmup));
    } catch (error) {
      answer({ error: reasonOf(error) });
    }
  }
  process.exit(0);
}

async function perform(peer, prepared, request, reps, warmup) {
  const task = peer.tasks[request.task];
  if (!task) return { error: `it has no task '${request.task}'` };
  const key = JSON.stringify(request);
  const isNew = !prepared.has(key);
  if (isNew) prepared.set(key, await task(request));
  const run = prepared.get(key);
  for (let i = 0; i < (isNew ? warmup : Math.min(1, warmup)); i++) await run();
  const seconds = [];
  for (let i = 0; i < reps; i++) {
    const started = performance.now();
    const result = await run();
    const elapsed = (performance.now() - started) / 1000;
    if (result?.value !== undefined) return { value: result.value };
    seconds.push(result?.seconds ?? elapsed);
  }
  return { seconds };
}

function reasonOf(error) {
  return error instanceof Error ? error.message.split('\n')[0] : String(error);
}
