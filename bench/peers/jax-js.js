/**
 * The jax-js peer, on its wasm device. It is made for browsers: `navigator` and `Worker` are lent to it here, so that it
 * runs on all cores as it does there.
 */
import { resolveObjectURL } from 'node:buffer';
import { Worker as NodeWorker } from 'node:worker_threads';
import { consume, noise, serve } from './protocol.js';

const threads = Number(process.env.BENCH_THREADS ?? 2);

/** A browser's Worker over a blob URL, on a Node thread. */
class BlobWorker {
  onmessage = null;
  onerror = null;
  #worker;
  #waiting = [];

  constructor(url) {
    this.#start(url);
  }

  async #start(url) {
    const source = await resolveObjectURL(url).text();
    const prelude = `
      const { parentPort } = require('node:worker_threads');
      const self = globalThis;
      const postMessage = (message) => parentPort.postMessage(message);
      parentPort.on('message', (data) => self.onmessage?.({ data }));
    `;
    this.#worker = new NodeWorker(prelude + source, { eval: true });
    this.#worker.on('message', (data) => this.onmessage?.({ data }));
    this.#worker.on('error', (error) => this.onerror?.(error));
    for (const message of this.#waiting) this.#worker.postMessage(message);
  }

  postMessage(message) {
    if (this.#worker) this.#worker.postMessage(message);
    else this.#waiting.push(message);
  }
}

await serve(async () => {
  if (!globalThis.navigator) {
    Object.defineProperty(globalThis, 'navigator', { value: { hardwareConcurrency: threads }, configurable: true });
  }
  globalThis.Worker ??= BlobWorker;
  const { init, defaultDevice, jit, nn, numpy: np } = await import('@jax-js/jax');
  await init('wasm');
  defaultDevice('wasm');
  const { readFile } = await import('node:fs/promises');
  const manifest = await readFile(new URL('../node_modules/@jax-js/jax/package.json', import.meta.url), 'utf8');
  const matrix = (n, seed) => np.array(noise(n * n, seed)).reshape([n, n]);
  return {
    versions: `jax-js ${JSON.parse(manifest).version} wasm`,
    tasks: {
      gemm: async ({ n }) => {
        const [a, b] = [matrix(n, 1), matrix(n, 2)];
        const multiply = jit((x, y) => np.matmul(x, y));
        consume((await multiply(a.ref, b.ref).data())[0]);
        return async () => (await multiply(a.ref, b.ref).blockUntilReady()).dispose();
      },
      chain: async ({ n }) => {
        const x = np.array(noise(n));
        const step = jit((v) => nn.relu(v.mul(2).add(1)));
        consume((await step(x.ref).data())[0]);
        return async () => (await step(x.ref).blockUntilReady()).dispose();
      },
    },
  };
});
