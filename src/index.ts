/** The Node entry of tensorloom: everything that users import. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type DeferredGroup, setDeferredLoader } from './base/deferred.ts';
import { loadDeferred } from './deferred-groups.ts';
import { currentBackend, deferChoice } from './tensor/backends.ts';
import { ready, registerBackend } from './tensor/index.ts';
import { pool } from './tensor/memory.ts';

type X64 = typeof import('./tensor/x64-backend.ts');
type Wasm = typeof import('./tensor/wasm-backend.ts');
type Reference = typeof import('./tensor/reference-backend.ts');

/** Filled in by scripts/build.js: how the names of the bundles begin that are loaded when they are needed. */
declare const __TENSORLOOM_BUNDLES__: string;

/** A way to load a bundle without waiting, or null: before Node 20.19, from source, in a bundle of somebody else's. */
function findLoader(): ((name: string) => unknown) | null {
  if (typeof __TENSORLOOM_BUNDLES__ !== 'string' || !process.features.require_module) return null;
  const file = (name: string) => `${__TENSORLOOM_BUNDLES__}${name}.js`;
  if (!existsSync(new URL(file('x64-backend'), import.meta.url))) return null;
  const require = createRequire(import.meta.url);
  return (name) => require(file(name));
}

const load = findLoader();
if (load) setDeferredLoader((group) => load(`deferred-${group}`) as DeferredGroup);
else await loadDeferred();

// In the order of preference.
if (load) {
  registerBackend('x64', () => (process.arch === 'x64' ? (load('x64-backend') as X64).x64Backend() : null));
  registerBackend('wasm', () => {
    const node = { os: process.getBuiltinModule('node:os'), threads: process.getBuiltinModule('node:worker_threads') };
    return (load('wasm-backend') as Wasm).wasmBackendWith(node);
  });
  registerBackend('reference', () => (load('reference-backend') as Reference).referenceBackend());
} else {
  registerBackend('x64', async () =>
    process.arch === 'x64' ? (await import('./tensor/x64-backend.ts')).x64Backend() : null,
  );
  registerBackend('wasm', async () => (await import('./tensor/wasm-backend.ts')).wasmBackend());
  registerBackend('reference', async () => (await import('./tensor/reference-backend.ts')).referenceBackend());
}

// Values can be read synchronously from the first line of a user's program. The compiler and the device are half of the time that
// an import takes, so they come with the first bytes of a tensor; a wish is checked at once.
if (load && !process.env.TENSORLOOM_BACKEND) {
  deferChoice();
  pool.beforeFirst = () => void currentBackend();
} else await ready();

export * from './exports.ts';
export * from './nn/index.ts';
export * from './data/index.ts';
export * from './io/index.ts';
