/** The Node entry of tensorloom: everything that users import. */
import { ready, registerBackend } from './tensor/index.ts';

// In the order of preference.
registerBackend('x64', async () => (await import('./tensor/x64-backend.ts')).x64Backend());
registerBackend('wasm', async () => (await import('./tensor/wasm-backend.ts')).wasmBackend());
registerBackend('reference', async () => (await import('./tensor/reference-backend.ts')).referenceBackend());

// Chosen before the first line of a user's program, so that values can be read synchronously from the start.
await ready();

export * from './exports.ts';
export * from './nn/index.ts';
export * from './data/index.ts';
export * from './io/index.ts';
