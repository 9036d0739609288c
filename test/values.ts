/** What unit tests of nn and io share: the package with its backends, and numbers that are the same on every run. */
import '../src/index.ts';

/** Values in [-1, 1). */
export function values(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}
