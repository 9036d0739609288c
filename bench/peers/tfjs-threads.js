/**
 * Lets TensorFlow.js's threaded wasm backend run in Node, where it is switched off (tfjs issue 3830), as it runs in a
 * cross-origin isolated page. Without this the peer would have one thread against our two. It touches only this process:
 * Node's Worker learns blob URLs, and the worker gets the few names that its script takes from the bundle around it.
 */
import { resolveObjectURL } from 'node:buffer';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

const bootstrap = `
  const { workerData, parentPort } = require('node:worker_threads');
  const fs = require('node:fs');
  const names = { require$$0: 'fs', require$$1: 'path', require$$3: 'perf_hooks', require$$4: 'os' };
  for (const [name, id] of Object.entries(names)) globalThis[name] = require(id);
  Object.assign(globalThis, { require, module, exports, __dirname: '/', __filename: '/worker.js', commonjsGlobal: globalThis });

  // The main script comes as a Blob; the worker wants to read it as a file.
  let mainScript = '';
  const readFileSync = fs.readFileSync;
  fs.readFileSync = (file, ...rest) => (file === 'main-script' ? mainScript : readFileSync(file, ...rest));
  const on = parentPort.on.bind(parentPort);
  parentPort.on = (name, listener) =>
    on(name, async (data) => {
      if (data?.urlOrBlob instanceof Blob) {
        mainScript = await data.urlOrBlob.text();
        data.urlOrBlob = 'main-script';
      }
      listener(data);
    });
  workerData.text().then((source) => (0, eval)(source));
`;

/** Call when the backend is imported and not yet set. */
export function lendThreads(tf, threads) {
  const workers = require('node:worker_threads');
  const { Worker } = workers;
  workers.Worker = class extends Worker {
    constructor(url, options) {
      if (String(url).startsWith('blob:')) super(bootstrap, { eval: true, workerData: resolveObjectURL(String(url)) });
      else super(url, options);
    }
  };
  // The backend uses half of the logical cores that it sees, whatever setThreadsCount says.
  require('node:os').cpus = () => new Array(2 * threads).fill({});
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', true);
}
