/** Arrays for the samples of the op table: seeded, in the range that the sample asks for. */
import type { NDArray, Sample } from '../../src/ops/row.ts';
import { elementOf, isFloat, newArray } from '../../src/types/dtype.ts';
import { sizeOf } from '../../src/types/shape.ts';

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One array for each input of the sample. Integer ranges leave out `high`. */
export function sampleArrays(sample: Sample, seed: number): NDArray[] {
  const random = uniform(seed * 7919 + 1);
  return sample.inputs.map(({ dtype, shape, low = -2, high = 2, diagonal = 0 }) => {
    const data = newArray(dtype, sizeOf(shape));
    for (let i = 0; i < data.length; i++) {
      const x = low + (high - low) * random();
      data[i] = elementOf(dtype, isFloat(dtype) ? x : Math.floor(x));
    }
    const [rows, columns] = shape.slice(-2);
    for (let i = 0; diagonal !== 0 && i < data.length; i++) {
      if (Math.floor(i / columns) % rows === i % columns) data[i] = elementOf(dtype, data[i] + diagonal);
    }
    return { dtype, shape, data };
  });
}
