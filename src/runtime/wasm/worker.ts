/**
 * The worker as a file of its own (dist/wasm-worker.js), for pages whose content security policy does not allow workers from
 * blob: URLs: hand its address to the device as `workerUrl`. Otherwise the same code is started from text.
 */
import { drive, nextStage, openStage, serve } from './control.ts';

interface Start {
  readonly memory: WebAssembly.Memory;
  readonly at: number;
  readonly index: number;
}

interface WorkerScope {
  onmessage: ((event: { data: Start }) => void) | null;
  postMessage(value: unknown): void;
}

const scope = globalThis as unknown as WorkerScope;
scope.onmessage = ({ data }) => {
  serve(data.memory, data.at, data.index, (generation) => scope.postMessage(generation), drive, nextStage, openStage);
};
