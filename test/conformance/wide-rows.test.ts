/**
 * Generated from the op table: every row's samples with float64 in the place of float32, on every target against the row's own
 * evaluation. What a target may be off by is what it may be off by in float32, in units of the last place.
 */
import { describe, expect, it } from 'vitest';
import { apply, parameter } from '../../src/ops/build.ts';
import type { NDArray, OpRow, Sample } from '../../src/ops/row.ts';
import { table } from '../../src/ops/table.ts';
import { sizeOf } from '../../src/types/shape.ts';
import { sampleArrays } from './samples.ts';
import { counted } from './count.ts';
import { difference, reference } from './targets.ts';

/** A unit in the last place of float64 in one of float32, and four for the evaluation, which rounds here too. */
const UNITS = 4 * 2 ** -29;
const usual = { absolute: 1e-6, relative: 1e-6 };
/** Rows that refuse float64, with the reason. */
const refusing: { readonly [row: string]: string } = {
  gammaSample: 'what is accepted is decided by bounds that are written for float32',
  poissonSample: 'as gammaSample',
  gammaSampleGradient: 'its series have float32 accuracy',
};

/** Loops carry graphs of their own dtypes. */
const rows = Object.values<OpRow>(table).filter(
  ({ samples, lowering }) =>
    lowering.tag !== 'loops' && samples.some(({ inputs }) => inputs.some(({ dtype }) => dtype === 'float32')),
);
const count = counted('float64', rows.length);

/** The sample with float64 for float32; null where that is no other sample, or the result is to be float32. */
function widened(sample: Sample): Sample | null {
  if (sample.attrs?.dtype === 'float32') return null;
  const inputs = sample.inputs.map((input) =>
    input.dtype === 'float32' ? { ...input, dtype: 'float64' as const } : input,
  );
  return inputs.some(({ dtype }) => dtype === 'float64') ? { ...sample, inputs } : null;
}

/** Elements read and written, with a factor for contractions: what interpreting costs. */
function work(row: OpRow, sample: Sample): number {
  const all = sample.inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 1);
  return row.lowering.tag === 'contraction' || 'expand' in row.lowering ? all * 30 : all;
}

function compare(row: OpRow, sample: Sample, index: number, arrays: readonly NDArray[]): string[] {
  const shapes = sample.inputs.map((input) => `${input.dtype}[${input.shape}]`).join(' ');
  const where = `sample ${index}: ${row.name} ${shapes} ${JSON.stringify(sample.attrs ?? {})}`;
  const inputs = sample.inputs.map((input) => parameter(input.dtype, input.shape));
  const outputs = apply(row.name, inputs, sample.attrs);
  const narrow = outputs.filter(({ dtype }) => dtype === 'float32');
  if (narrow.length > 0) return [`${where}: gives float32`];
  const feeds = new Map(inputs.map((input, i) => [input, arrays[i]]));
  const wanted = reference.run(outputs, feeds);
  const { absolute, relative } = row.tolerance ?? usual;
  const tolerance = { absolute: absolute * UNITS, relative: relative * UNITS };
  return count.targets.flatMap((target) => {
    // The interpreter is slow: the others run all samples, it runs the small ones.
    if (work(row, sample) > target.limit / 10) return [];
    try {
      return target.run(outputs, feeds).flatMap((result, i) => {
        count.comparisons++;
        const problem = difference(result, wanted[i], tolerance);
        return problem ? [`${target.name}, ${where}: output ${i}: ${problem}`] : [];
      });
    } catch (error) {
      return [`${target.name}, ${where}: ${error instanceof Error ? error.message : String(error)}`];
    }
  });
}

describe.each(rows.map((row) => [row.name, row] as const))('%s', (name, row) => {
  it('agrees with the reference', () => {
    const samples = row.samples.flatMap((sample) => widened(sample) ?? []);
    if (name in refusing) {
      const inputs = samples[0].inputs.map((input) => parameter(input.dtype, input.shape));
      expect(() => apply(name, inputs, samples[0].attrs)).toThrow('float64');
      return;
    }
    const problems = samples.flatMap((sample, i) => compare(row, sample, i, sampleArrays(sample, i + 1)));
    expect(problems).toEqual([]);
  });
});
