/**
 * Dtypes that are smaller in memory than in registers: which rows take them as they are, and how the others compute with them. A row
 * says so itself; without a word of it, its inputs are cast to what they are computed in and its results are cast back. Knows no op.
 */
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { dtypes, isSmall, promote } from '../types/dtype.ts';
import type { TensorType } from '../types/shape.ts';
import type { OpRow } from './row.ts';

/** Rows that only move elements move small ones, too. */
const moving: ReadonlySet<string> = new Set(['source', 'view', 'reshape', 'after', 'pieces', 'loops']);

/** Whether inputs of this row have to be cast. */
export function needsWidening({ small, lowering }: OpRow, inputs: readonly TensorType[]): boolean {
  return small !== 'asIs' && !moving.has(lowering.tag) && inputs.some(({ dtype }) => isSmall(dtype));
}

/** What all of them go into; null where they have no dtype in common with `computed`. */
function joined(computed: DType, given: readonly DType[]): DType | null {
  const mine = given.filter((dtype) => dtypes[dtype].compute === computed);
  return mine.length === 0 ? null : mine.reduce(promote);
}

/** The dtype of each output that the row gave in what it computes in: small where all inputs of that kind that count are. */
export function narrowed({ small }: OpRow, inputs: readonly TensorType[], outputs: readonly TensorType[]): DType[] {
  const rule = typeof small === 'object' ? small : {};
  const given = inputs.map(({ dtype }) => dtype).filter((_, i) => rule.inputs?.includes(i) ?? true);
  return outputs.map(({ dtype }, i) => {
    if (rule.outputs && !rule.outputs.includes(i)) return dtype;
    return joined(dtype, given) ?? dtype;
  });
}

/** f of values in what they are computed in; its result, where it is of that dtype, in the smallest that all of them go into. */
export function computed(
  values: readonly Value[],
  cast: (x: Value, dtype: DType) => Value,
  f: (...values: Value[]) => Value,
): Value {
  if (!values.some(({ dtype }) => isSmall(dtype))) return f(...values);
  const result = f(...values.map((value) => cast(value, dtypes[value.dtype].compute)));
  return cast(
    result,
    joined(
      result.dtype,
      values.map(({ dtype }) => dtype),
    ) ?? result.dtype,
  );
}
