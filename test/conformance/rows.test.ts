/** Generated from the op table: every row's samples on every target against the row's own evaluation. */
import { describe, expect, it } from 'vitest';
import { apply, parameter } from '../../src/ops/build.ts';
import type { NDArray, OpRow, Sample } from '../../src/ops/row.ts';
import { table } from '../../src/ops/table.ts';
import { sizeOf } from '../../src/types/shape.ts';
import { sampleArrays } from './samples.ts';
import { counted } from './count.ts';
import { difference, reference } from './targets.ts';

/** Where a row says nothing: one rounding and what a fused multiply-add may change. */
const usual = { absolute: 1e-6, relative: 1e-6 };
const rows = Object.values<OpRow>(table).filter((row) => row.lowering.tag !== 'source');
const count = counted('conformance', rows.length);

/** Elements read and written, with a factor for contractions: what interpreting costs. */
function work(row: OpRow, sample: Sample): number {
  const sizes = sample.inputs.map((input) => sizeOf(input.shape));
  const all = sizes.reduce((sum, size) => sum + size, 1);
  const { lowering } = row;
  const isCubic = lowering.tag === 'contraction' || 'expand' in lowering;
  return isCubic ? all * 30 : all;
}

function compare(row: OpRow, sample: Sample, index: number, arrays: readonly NDArray[]): string[] {
  const inputs = sample.inputs.map((input) => parameter(input.dtype, input.shape));
  const outputs = apply(row.name, inputs, sample.attrs);
  const feeds = new Map(inputs.map((input, i) => [input, arrays[i]]));
  const wanted = reference.run(outputs, feeds);
  const problems: string[] = [];
  const shapes = sample.inputs.map((input) => `${input.dtype}[${input.shape}]`).join(' ');
  for (const target of count.targets) {
    if (work(row, sample) > target.limit) continue;
    const where = `${target.name}, sample ${index}: ${row.name} ${shapes} ${JSON.stringify(sample.attrs ?? {})}`;
    try {
      const results = target.run(outputs, feeds);
      for (const [i, result] of results.entries()) {
        count.comparisons++;
        const problem = difference(result, wanted[i], row.tolerance ?? usual);
        if (problem) problems.push(`${where}: output ${i}: ${problem}`);
      }
    } catch (error) {
      problems.push(`${where}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return problems;
}

describe.each(rows.map((row) => [row.name, row] as const))('%s', (_name, row) => {
  it('agrees with the reference', () => {
    const problems = row.samples.flatMap((sample, i) => compare(row, sample, i, sampleArrays(sample, i + 1)));
    expect(problems).toEqual([]);
  });
});
