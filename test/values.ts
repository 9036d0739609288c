/**
 * What unit tests of nn and io share: the package with its backends, and numbers that are the same on every run.
 * TENSORLOOM_BACKEND=reference runs such tests on another target.
 */
import { setBackend } from '../src/index.ts';

const backend = process.env['TENSORLOOM_BACKEND'];
if (backend && !(await setBackend(backend))) throw new Error(`the backend ${backend} cannot run here`);

/** Values in [-1, 1). */
export function values(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}
