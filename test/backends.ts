/** What the tests of whole backends run on. */
import { wasmBackend } from '../src/tensor/wasm-backend.ts';
import { x64Backend } from '../src/tensor/x64-backend.ts';

const there = { reference: true, wasm: (await wasmBackend()) !== null, x64: x64Backend() !== null };

/** The backends that this machine has, by name: x64 needs such a processor and the library that calls emitted code. */
export const backends: readonly string[] = Object.entries(there).flatMap(([name, has]) => (has ? [name] : []));
