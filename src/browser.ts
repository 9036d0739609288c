/**
 * The browser entry of tensorloom: the same names as in Node. A page must `await tf.ready()` before it reads values, as
 * with TensorFlow.js.
 */
import { ready, registerBackend } from './tensor/index.ts';

registerBackend('wasm', async () => (await import('./tensor/wasm-backend.ts')).wasmBackend());
registerBackend('reference', async () => (await import('./tensor/reference-backend.ts')).referenceBackend());

// Begun at once; a failure is told to those who await ready() themselves.
ready().catch(() => undefined);

export * from './exports.ts';
export * from './nn/index.ts';
export * from './data/index.ts';
export * from './io/index.ts';
