/** The browser entry of tensorloom: the same names as in Node, and as there values can be read once it is imported. */
import { ready, registerBackend } from './tensor/index.ts';

registerBackend('wasm', async () => (await import('./tensor/wasm-backend.ts')).wasmBackend());
registerBackend('reference', async () => (await import('./tensor/reference-backend.ts')).referenceBackend());

// A failure is told to those who await ready() themselves, or who read a value.
await ready().catch(() => undefined);

export * from './exports.ts';
export * from './nn/index.ts';
export * from './data/index.ts';
export * from './io/index.ts';
