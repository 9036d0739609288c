/** Builders of image ops. */
import type { Value } from '../graph/graph.ts';
import { apply1 } from './apply.ts';
import type { ResampleAttrs } from './resample.ts';
import { resampleTaps } from './resample.ts';

/** Taps of both axes up to which they are done in one pass. */
const ONE_PASS = 20;

/** Resizes [batch, height, width, channels], in one pass or one for each axis, the one that leaves less first. */
export function resample(x: Value, attrs: ResampleAttrs): Value {
  if (resampleTaps(attrs) <= ONE_PASS) return apply1('resample', [x], attrs);
  const { inputSize, outputSize, adjoint } = attrs;
  const [from, to] = adjoint ? [outputSize, inputSize] : [inputSize, outputSize];
  const rowsFirst = to[0] * from[1] <= from[0] * to[1];
  const between = rowsFirst ? [to[0], from[1]] : [from[0], to[1]];
  const step = (v: Value, a: readonly number[], b: readonly number[]) => {
    if (a[0] === b[0] && a[1] === b[1]) return v;
    return apply1('resample', [v], { ...attrs, inputSize: adjoint ? b : a, outputSize: adjoint ? a : b });
  };
  return step(step(x, from, between), between, to);
}
