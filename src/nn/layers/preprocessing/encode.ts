/** Categories as rows of numbers: one-hot, multi-hot, counts, TF-IDF. Knows no layer. */
import { fail } from '../../../base/errors.ts';
import { cast, max, mul, oneHot, reshape, squeeze, sum, type Tensor } from '../../../tensor/index.ts';
import { failUnknownName, toCamelCase } from '../../naming.ts';
import type { KerasShape } from '../shapes.ts';

export type OutputMode = 'int' | 'oneHot' | 'multiHot' | 'count' | 'tfIdf';

/** The mode of a name in camel or snake case; Keras's old 'binary' is multiHot. */
export function outputModeOf(
  label: string,
  value: unknown,
  known: readonly OutputMode[],
  fallback: OutputMode,
): OutputMode {
  if (value === undefined || value === null) return fallback;
  const plain = typeof value === 'string' ? toCamelCase(value.replace('-', '_')) : value;
  const mode = plain === 'binary' ? 'multiHot' : plain;
  if (known.includes(mode as OutputMode)) return mode as OutputMode;
  return failUnknownName(label, 'outputMode', value, known);
}

/** The shape of what `encoded` gives. */
export function encodedShape(shape: KerasShape, mode: OutputMode, depth: number): KerasShape {
  if (mode === 'int') return shape;
  if (shape.length === 0) return [depth];
  return mode === 'oneHot' && shape[shape.length - 1] !== 1 ? [...shape, depth] : [...shape.slice(0, -1), depth];
}

/**
 * Category numbers as they are (int), or as float32 rows of `depth`: oneHot in a new last axis (which takes the place of one of
 * extent 1); multiHot, count and tfIdf over the last axis, the latter two times `weights`. Numbers outside of [0, depth) count as
 * nothing.
 */
export function encoded(
  label: string,
  categories: Tensor,
  mode: OutputMode,
  depth: number,
  weights: Tensor | null = null,
): Tensor {
  const numbers = cast(categories, 'int32');
  if (mode === 'int') return numbers;
  const rows = numbers.rank === 0 ? reshape(numbers, [1]) : numbers;
  const each = cast(oneHot(rows, depth), 'float32');
  if (mode === 'oneHot') {
    return rows.shape[rows.rank - 1] === 1 ? squeeze(each, [each.rank - 2]) : each;
  }
  if (mode === 'multiHot') return max(each, each.rank - 2);
  if (mode === 'tfIdf') {
    if (!weights) fail(label, 'tfIdf needs weights', 'there are none', 'call adapt, or pass idfWeights');
    return mul(sum(each, each.rank - 2), weights);
  }
  if (!weights) return sum(each, each.rank - 2);
  if (weights.shape.join() !== categories.shape.join()) {
    fail(label, 'countWeights must have the shape of the inputs', `got [${weights.shape}] for [${categories.shape}]`);
  }
  return sum(mul(each, reshape(cast(weights, 'float32'), [...rows.shape, 1])), each.rank - 2);
}
