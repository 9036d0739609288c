/** What 'same', 'valid', a number or explicit pairs mean for windows over height and width. */
import { fail } from '../../base/errors.ts';

/** Padding of convolutions and pools; explicit pairs have one entry for each axis of NHWC (or NCHW). */
export type Padding = 'same' | 'valid' | number | readonly (readonly [number, number])[];
/** How an output extent that is no integer is rounded, for padding given as numbers: 'floor' by default. */
export type Rounding = 'floor' | 'round' | 'ceil';

/** [height, width] of a number or a pair. */
export function pairOf(op: string, what: string, x: number | readonly number[]): [number, number] {
  const pair = typeof x === 'number' ? [x, x] : x;
  if (!Array.isArray(pair) || pair.length < 1 || pair.length > 2 || pair.some((n) => !Number.isInteger(n) || n < 1)) {
    fail(op, `${what} must be a positive integer or a pair of them`, `got ${JSON.stringify(x)}`);
  }
  return [pair[0], pair[pair.length - 1]];
}

interface Spatial {
  readonly input: readonly [number, number];
  readonly filter: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
}

/** Padding before and after that gives `output` windows; of an odd amount the larger half comes after. */
function around(output: number, input: number, span: number, stride: number): [number, number] {
  const total = Math.max(0, (output - 1) * stride + span - input);
  const before = Math.floor(total / 2);
  return [before, total - before];
}

/** [top, bottom, left, right]. */
export function padsOf(
  op: string,
  padding: Padding,
  { input, filter, strides, dilations }: Spatial,
  rounding?: Rounding,
  channelsFirst = false,
): number[] {
  const axes = [0, 1] as const;
  if (padding === 'valid') return [0, 0, 0, 0];
  if (padding === 'same') {
    return axes.flatMap((i) =>
      around(Math.ceil(input[i] / strides[i]), input[i], (filter[i] - 1) * dilations[i] + 1, strides[i]),
    );
  }
  if (rounding !== undefined && !['floor', 'round', 'ceil'].includes(rounding)) {
    fail(op, "dimRoundingMode must be 'floor', 'round' or 'ceil'", `got ${JSON.stringify(rounding)}`);
  }
  if (typeof padding === 'number') {
    if (!Number.isInteger(padding) || padding < 0) fail(op, 'pad must be a non-negative integer', `got ${padding}`);
    return axes.flatMap((i) => rounded([padding, padding], i));
  }
  if (!Array.isArray(padding) || padding.length !== 4) {
    fail(op, "pad must be 'same', 'valid', a number or a pair for each of four axes", `got ${JSON.stringify(padding)}`);
  }
  const [rows, columns] = channelsFirst ? [padding[2], padding[3]] : [padding[1], padding[2]];
  return axes.flatMap((i) => rounded(i === 0 ? rows : columns, i));

  /** Rounding up adds the padding after that the last window needs. */
  function rounded([before, after]: readonly [number, number], i: 0 | 1): [number, number] {
    const span = (filter[i] - 1) * dilations[i] + 1;
    const steps = (input[i] + before + after - span) / strides[i];
    const last = rounding === 'ceil' ? Math.ceil(steps) : rounding === 'round' ? Math.round(steps) : Math.floor(steps);
    return [before, Math.max(after, last * strides[i] + span - input[i] - before)];
  }
}
