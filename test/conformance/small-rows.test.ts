/**
 * Generated from the op table: every row's samples with small dtypes in the place of those that they are computed in, on every target
 * against the reference. What is a float may be off by one unit of its last place, since a sum on the other side of a tie rounds the
 * other way; integers and everything that only moves elements are exact.
 */
import { describe, expect, it } from 'vitest';
import { apply, parameter } from '../../src/ops/build.ts';
import type { OpRow, Sample } from '../../src/ops/row.ts';
import { table } from '../../src/ops/table.ts';
import { type DType, dtypes } from '../../src/types/dtype.ts';
import { sizeOf } from '../../src/types/shape.ts';
import { sampleArrays } from './samples.ts';
import { counted } from './count.ts';
import { difference, reference } from './targets.ts';

const smalls = ['float16', 'bfloat16', 'int8', 'uint8'] as const;
type Small = (typeof smalls)[number];
/** One unit in the last place, relative, and the smallest denormal. */
const units: { readonly [K in Small]: { readonly absolute: number; readonly relative: number } } = {
  float16: { absolute: 2 ** -24, relative: 2 ** -10 },
  bfloat16: { absolute: 0, relative: 2 ** -7 },
  int8: { absolute: 0, relative: 0 },
  uint8: { absolute: 0, relative: 0 },
};
const usual = { absolute: 1e-6, relative: 1e-6 };

/** Loops carry graphs of their own dtypes, and bits of a small dtype are not those of a register. */
const rows = Object.values<OpRow>(table).filter(
  ({ lowering, name }) => lowering.tag !== 'source' && lowering.tag !== 'loops' && name !== 'bitcast',
);
const count = counted('small dtypes', rows.length, ({ name }) => name === 'x64' || name === 'wasm');

/** The sample with `small` where it has what that is computed in; null where it has none. Indices of rows that take small dtypes as they are stay. */
function withSmall(row: OpRow, sample: Sample, small: DType): Sample | null {
  const { compute } = dtypes[small];
  const indices = row.small === 'asIs' && row.lowering.tag !== 'map' ? sample.inputs.length - 1 : -1;
  const inputs = sample.inputs.map((input, i) => {
    if (input.dtype !== compute || i === indices) return input;
    if (small !== 'uint8') return { ...input, dtype: small };
    const low = Math.max(0, input.low ?? 0);
    return { ...input, dtype: small, low, high: Math.max(low + 1, input.high ?? 2) };
  });
  return inputs.some(({ dtype }) => dtype === small) ? { ...sample, inputs } : null;
}

/** The smallest samples and the ragged ones: enough of each row, since the op itself is that of the wide dtype. */
function chosen(row: OpRow, small: DType): Sample[] {
  const all = row.samples.flatMap((sample) => withSmall(row, sample, small) ?? []);
  const light = all.filter(({ inputs }) => inputs.every(({ shape }) => sizeOf(shape) <= 1100));
  return light.filter((_, i) => i === 0 || i === 3 || i === light.length - 1);
}

function compare(row: OpRow, sample: Sample, index: number, small: Small): string[] {
  const arrays = sampleArrays(sample, index + 1);
  const inputs = sample.inputs.map((input) => parameter(input.dtype, input.shape));
  const outputs = apply(row.name, inputs, sample.attrs);
  const feeds = new Map(inputs.map((input, i) => [input, arrays[i]]));
  const wanted = reference.run(outputs, feeds);
  const { absolute, relative } = row.tolerance ?? usual;
  const unit = units[small];
  const tolerance = { absolute: absolute + unit.absolute, relative: relative + unit.relative };
  return count.targets.flatMap((target) => {
    const shapes = sample.inputs.map((input) => `${input.dtype}[${input.shape}]`).join(' ');
    return target.run(outputs, feeds).flatMap((result, i) => {
      count.comparisons++;
      const problem = difference(result, wanted[i], tolerance);
      return problem
        ? [`${target.name}: ${row.name} ${shapes} ${JSON.stringify(sample.attrs ?? {})}: output ${i}: ${problem}`]
        : [];
    });
  });
}

describe.each(rows.map((row) => [row.name, row] as const))('%s', (_name, row) => {
  it('agrees with the reference', () => {
    const problems = smalls.flatMap((small) =>
      chosen(row, small).flatMap((sample, i) => compare(row, sample, i, small)),
    );
    expect(problems).toEqual([]);
  });
});
