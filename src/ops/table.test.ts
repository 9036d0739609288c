/** What must hold of every row: it names itself, its samples pass its own rule, and evaluation gives what infer promised. */
import { describe, expect, it } from 'vitest';
import { sampleArrays } from '../../test/conformance/samples.ts';
import { dtypes } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import type { OpRow } from './row.ts';
import { rowOf, table } from './table.ts';

describe.each(Object.entries<OpRow>(table))('row %s', (name, row) => {
  it('is named by its key and has samples', () => {
    expect(row.name).toBe(name);
    if (row.lowering.tag !== 'source') expect(row.samples.length).toBeGreaterThan(2);
  });

  it('evaluates its samples to the promised types', () => {
    for (const [i, sample] of row.samples.entries()) {
      const inputs = sampleArrays(sample, i);
      const types = row.infer(inputs, sample.attrs ?? {});
      const outputs = row.evaluate(inputs, sample.attrs ?? {}, types);
      expect(outputs.length).toBe(types.length);
      for (const [k, type] of types.entries()) {
        expect(outputs[k].length).toBe(sizeOf(type.shape));
        expect(outputs[k].constructor).toBe(dtypes[type.dtype].array);
      }
    }
  });
});

it('refuses unknown ops as our own bug', () => {
  expect(() => rowOf('nonsense')).toThrow(/internal/);
});
