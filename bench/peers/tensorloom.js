/**
 * tensorloom itself as a peer: `node tensorloom.js x64` and `node tensorloom.js wasm`. Imports the package by its name
 * and uses only what TensorFlow.js's users know, besides `tf.jit`, `tf.measurePeak` and, to time it alone, the step of fit.
 *
 * `node tensorloom.js <backend> first-step` and `... import` are the fresh processes that the tasks below start.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { imageTasks } from './images.js';
import { opTask } from './ops-tf.js';
import { cnn, consume, labels, noise, serve } from './protocol.js';
import { sequenceTasks } from './sequences.js';

const [, , backend = 'x64', fresh] = process.argv;
// Read by the runtime when it makes its threads.
process.env.TENSORLOOM_THREADS ??= process.env.BENCH_THREADS;

function network(tf) {
  const { layers } = tf;
  const model = tf.sequential({
    layers: [
      layers.conv2d({ inputShape: [cnn.side, cnn.side, 1], filters: 32, kernelSize: 3, activation: 'relu' }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
      layers.flatten(),
      layers.dense({ units: 64, activation: 'relu' }),
      layers.dense({ units: cnn.classes, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

function trainingData(tf, count) {
  return {
    x: tf.tensor4d(noise(count * cnn.side * cnn.side), [count, cnn.side, cnn.side, 1]),
    y: tf.tensor2d(labels(count).oneHot, [count, cnn.classes]),
  };
}

const secondsSince = (started) => (performance.now() - started) / 1000;

/** Runs this file again in a new process and returns the seconds that it prints. */
function inFreshProcess(mode) {
  const args = [fileURLToPath(import.meta.url), backend, mode];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr.trim().split('\n').at(-1));
  return Number(stdout.trim().split('\n').at(-1));
}

if (fresh === 'import') {
  const started = performance.now();
  await import('tensorloom');
  console.log(secondsSince(started));
} else if (fresh === 'first-step') {
  // What the first batch costs beyond a later one is tracing, compiling, generating code and starting threads.
  const tf = await import('tensorloom');
  await tf.setBackend(backend);
  const { x, y } = trainingData(tf, cnn.batch);
  await x.ready();
  const model = network(tf);
  const times = [];
  for (let step = 0; step < 3; step++) {
    const started = performance.now();
    await model.fit(x, y, { batchSize: cnn.batch, epochs: 1, verbose: 0 });
    times.push(secondsSince(started));
  }
  console.log(times[0] - times[2]);
} else {
  await serve(load);
}

async function load() {
  const tf = await import('tensorloom');
  await tf.setBackend(backend);
  await tf.ready();
  if (tf.getBackend() !== backend) throw new Error(`backend ${backend} cannot run here; it chose ${tf.getBackend()}`);
  const tasks = {
    gemm: async ({ n }) => {
      const a = tf.tensor2d(noise(n * n, 1), [n, n]);
      const b = tf.tensor2d(noise(n * n, 2), [n, n]);
      const multiply = tf.jit((x, y) => tf.matMul(x, y));
      const once = multiply(a, b);
      consume((await once.data())[0]);
      once.dispose();
      return async () => {
        const c = multiply(a, b);
        await c.ready();
        c.dispose();
      };
    },
    'cnn-train': async ({ batch = cnn.batch, steps = 1 }) => {
      const model = network(tf);
      const { x, y } = trainingData(tf, batch * steps);
      return async () => {
        const history = await model.fit(x, y, { batchSize: batch, epochs: 1, verbose: 0 });
        consume(history.history.loss[0]);
      };
    },
    // Both over the same batches, in turns; the time of fit over that of its bare steps, less 1.
    'fit-overhead': async ({ batch = cnn.batch, steps = 32 }) => {
      const model = network(tf);
      const { x, y } = trainingData(tf, batch * steps);
      const batches = Array.from({ length: steps }, (_, i) => ({
        x: [tf.slice(x, [i * batch], [batch])],
        y: [tf.slice(y, [i * batch], [batch])],
        w: [null],
      }));
      const fit = () => model.fit(x, y, { batchSize: batch, epochs: 1, verbose: 0 });
      const bare = () => {
        const step = model.compiled('bench').trainStep('bench');
        for (const one of batches) consume(step.run(one)[0]);
      };
      return async () => {
        const times = { fit: [], bare: [] };
        for (let turn = 0; turn < 4; turn++) {
          for (const [name, work] of Object.entries({ fit, bare })) {
            const started = performance.now();
            await work();
            times[name].push(secondsSince(started));
          }
        }
        return { seconds: Math.min(...times.fit) / Math.min(...times.bare) - 1 };
      };
    },
    'cnn-infer': async ({ batch = cnn.batch }) => {
      const model = network(tf);
      const { x } = trainingData(tf, batch);
      return async () => {
        const y = model.predict(x, { batchSize: batch });
        consume((await y.data())[0]);
        y.dispose();
      };
    },
    chain: async ({ n }) => {
      const x = tf.tensor1d(noise(n));
      const step = tf.jit((v) => tf.relu(tf.add(tf.mul(v, 2), 1)));
      const once = step(x);
      consume((await once.data())[0]);
      once.dispose();
      return async () => {
        const y = step(x);
        await y.ready();
        y.dispose();
      };
    },
    ...sequenceTasks(tf),
    ...imageTasks(tf),
    op: opTask(tf, {
      jit: tf.jit,
      finish: async (results) => {
        await results[0].ready();
        tf.dispose(results);
      },
    }),
    'import-time': async () => async () => ({ seconds: inFreshProcess('import') }),
    'compile-time': async () => async () => ({ seconds: inFreshProcess('first-step') }),
    // { gflops, copyBandwidth }: GFLOP/s and GB/s (read plus written) over all threads.
    peak: async () => async () => {
      const { gflops, copyBandwidth } = await tf.measurePeak();
      return { value: { gflops, copyBandwidth: copyBandwidth / 1e9 } };
    },
  };
  return { versions: `tensorloom ${backend}`, tasks };
}
