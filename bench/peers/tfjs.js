/**
 * The TensorFlow.js peers: `node tfjs.js cpu`, `node tfjs.js wasm` (one thread: what it is in Node) and `node tfjs.js
 * wasm-threads` (what it is in a cross-origin isolated page). The wasm backend has no gradient kernels, so it
 * only infers; the cpu backend is so slow that its callers ask for few images.
 */
import { opTask } from './ops-tf.js';
import { cnn, consume, labels, noise, serve } from './protocol.js';
import { lendThreads } from './tfjs-threads.js';

const [, , kind = 'cpu'] = process.argv;
const backend = kind === 'cpu' ? 'cpu' : 'wasm';
const threads = Number(process.env.BENCH_THREADS ?? 2);

await serve(async () => {
  // Its advice to install tfjs-node is not for a bench.
  console.warn = () => {};
  const tf = (await import('@tensorflow/tfjs')).default;
  let how = '';
  if (backend === 'wasm') {
    const wasm = (await import('@tensorflow/tfjs-backend-wasm')).default;
    if (kind === 'wasm-threads') lendThreads(tf, threads);
    wasm.setThreadsCount(threads);
    if (!(await tf.setBackend('wasm'))) throw new Error('its wasm backend did not start');
    how = `, threads ${wasm.getThreadsCount()}`;
  } else {
    await tf.setBackend('cpu');
  }
  await tf.ready();

  function network() {
    const { layers } = tf;
    const model = tf.sequential({
      layers: [
        layers.conv2d({ inputShape: [28, 28, 1], filters: 32, kernelSize: 3, activation: 'relu' }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
        layers.flatten(),
        layers.dense({ units: 64, activation: 'relu' }),
        layers.dense({ units: 10, activation: 'softmax' }),
      ],
    });
    model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    return model;
  }
  const images = (batch) => tf.tensor4d(noise(batch * 784), [batch, 28, 28, 1]);

  const tasks = {
    gemm: async ({ n }) => {
      const a = tf.tensor2d(noise(n * n, 1), [n, n]);
      const b = tf.tensor2d(noise(n * n, 2), [n, n]);
      return async () => {
        const first = tf.tidy(() => tf.matMul(a, b).slice([0, 0], [1, 1]));
        consume((await first.data())[0]);
        first.dispose();
      };
    },
    'cnn-infer': async ({ batch = cnn.batch }) => {
      const model = network();
      const x = images(batch);
      return async () => {
        const y = model.predict(x, { batchSize: batch });
        consume((await y.data())[0]);
        y.dispose();
      };
    },
    chain: async ({ n }) => {
      const x = tf.tensor1d(noise(n));
      return async () => {
        // One element is read: copying 64 MB out is not what is measured.
        const first = tf.tidy(() => x.mul(2).add(1).relu().slice([0], [1]));
        consume((await first.data())[0]);
        first.dispose();
      };
    },
    // Its kernels run when they are called.
    op: opTask(tf, { finish: async (results) => tf.dispose(results) }),
  };
  if (backend === 'cpu') {
    tasks['cnn-train'] = async ({ batch = cnn.batch, steps = 1 }) => {
      const model = network();
      const x = images(batch * steps);
      const y = tf.tensor2d(labels(batch * steps).oneHot, [batch * steps, cnn.classes]);
      return async () => {
        const history = await model.fit(x, y, { batchSize: batch, epochs: 1, verbose: 0 });
        consume(history.history.loss[0]);
      };
    };
  }
  return { versions: `TensorFlow.js ${tf.version.tfjs} ${backend}${how}`, tasks };
});
