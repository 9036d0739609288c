/** What 'same', 'valid', a number or explicit pairs mean for windows over one to three spatial axes. */
import { fail } from '../../base/errors.ts';

/** Padding of convolutions and pools; explicit pairs have one entry for each axis of the tensor, batch and channels included. */
export type Padding = 'same' | 'valid' | number | readonly (readonly [number, number])[];
/** How an output extent that is no integer is rounded, for padding given as numbers: 'floor' by default. */
export type Rounding = 'floor' | 'round' | 'ceil';
/** A number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[];

const words = ['', 'a list of one', 'a pair of them', 'a list of three'];

/** One positive integer for each spatial axis, from a number or a list; a list of one holds for all of them. */
export function perAxis(op: string, what: string, x: PerAxis, spatial: number): number[] {
  const list: readonly number[] = typeof x === 'number' ? [x] : x;
  const fits = Array.isArray(list) && (list.length === 1 || list.length === spatial);
  if (!fits || list.some((n) => !Number.isInteger(n) || n < 1)) {
    fail(op, `${what} must be a positive integer or ${words[spatial]}`, `got ${JSON.stringify(x)}`);
  }
  return Array.from({ length: spatial }, (_, i) => list[list.length === 1 ? 0 : i]);
}

/** A window by its spatial axes; `input` are the extents that it slides over. */
export interface Spatial {
  readonly input: readonly number[];
  readonly filter: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** Padding before and after that gives `output` windows; of an odd amount the larger half comes after. */
function around(output: number, input: number, span: number, stride: number): [number, number] {
  const total = Math.max(0, (output - 1) * stride + span - input);
  const before = Math.floor(total / 2);
  return [before, total - before];
}

/** [before, after, before, after, ...] by spatial axis. */
export function padsOf(
  op: string,
  padding: Padding,
  { input, filter, strides, dilations }: Spatial,
  rounding?: Rounding,
  channelsFirst = false,
): number[] {
  if (padding === 'valid') return input.flatMap(() => [0, 0]);
  const span = (i: number) => (filter[i] - 1) * dilations[i] + 1;
  if (padding === 'same')
    return input.flatMap((extent, i) => around(Math.ceil(extent / strides[i]), extent, span(i), strides[i]));
  if (rounding !== undefined && !['floor', 'round', 'ceil'].includes(rounding)) {
    fail(op, "dimRoundingMode must be 'floor', 'round' or 'ceil'", `got ${JSON.stringify(rounding)}`);
  }
  if (typeof padding === 'number') {
    if (!Number.isInteger(padding) || padding < 0) fail(op, 'pad must be a non-negative integer', `got ${padding}`);
    return input.flatMap((_, i) => rounded([padding, padding], i));
  }
  const rank = input.length + 2;
  if (!Array.isArray(padding) || padding.length !== rank || padding.some((p) => !Array.isArray(p) || p.length !== 2)) {
    const number = ['', '', '', 'three', 'four', 'five'][rank];
    fail(
      op,
      `pad must be 'same', 'valid', a number or a pair for each of ${number} axes`,
      `got ${JSON.stringify(padding)}`,
    );
  }
  return input.flatMap((_, i) => rounded(padding[channelsFirst ? i + 2 : i + 1], i));

  /** Rounding up adds the padding after that the last window needs. */
  function rounded([before, after]: readonly [number, number], i: number): [number, number] {
    const steps = (input[i] + before + after - span(i)) / strides[i];
    const last = rounding === 'ceil' ? Math.ceil(steps) : rounding === 'round' ? Math.round(steps) : Math.floor(steps);
    return [before, Math.max(after, last * strides[i] + span(i) - input[i] - before)];
  }
}
