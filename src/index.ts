/** The Node entry of tensorloom: everything that users import. */
import { ready, registerBackend } from './tensor/index.ts';

registerBackend('reference', async () => (await import('./tensor/reference-backend.ts')).referenceBackend());

await ready();

export * from './tensor/index.ts';
