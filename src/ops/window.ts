/** The arithmetic of windows that slide over the spatial axes of [batch, ...spatial, channels]: output sizes, residues, checks. */
import { fail } from '../base/errors.ts';
import type { Attrs } from '../graph/graph.ts';
import type { TensorType } from '../types/shape.ts';
import { expectDType, expectRank, floats, intsAttr, show } from './rule.ts';

/** One spatial axis of a window: its size, stride, dilation and the padding before and after. */
export interface WindowAxis {
  readonly filter: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
  readonly input: number;
  readonly output: number;
}

export function outputExtent(input: number, filter: number, stride: number, dilation: number, padding: number): number {
  return Math.floor((input + padding - (filter - 1) * dilation - 1) / stride) + 1;
}

/** The spatial axes from attrs {strides, dilations?, pads: [before, after, before, after, ...]}: as many as there are strides. */
export function windowAxes(attrs: Attrs, input: readonly number[], filter: readonly number[]): readonly WindowAxis[] {
  const dilations = attrs.dilations === undefined ? null : intsAttr(attrs, 'dilations');
  const pads = intsAttr(attrs, 'pads');
  return intsAttr(attrs, 'strides').map((stride, i) => {
    const [before, after] = [pads[2 * i], pads[2 * i + 1]];
    const dilation = dilations === null ? 1 : dilations[i];
    const output = outputExtent(input[i + 1], filter[i], stride, dilation, before + after);
    return { filter: filter[i], stride, dilation, before, after, input: input[i + 1], output };
  });
}

/** Refuses windows that do not fit, and attributes that make no sense. */
export function checkWindow(op: string, x: TensorType, axes: readonly WindowAxis[]): void {
  for (const { filter, stride, dilation, before, after, input } of axes) {
    for (const [what, n] of [
      ['filter', filter],
      ['stride', stride],
      ['dilation', dilation],
    ] as const) {
      if (!Number.isInteger(n) || n < 1) fail(op, `${what} must be a positive integer`, `got ${n}`);
    }
    if (![before, after].every((n) => Number.isInteger(n) && n >= 0)) {
      fail(op, 'padding must be non-negative integers', `got ${before} and ${after}`);
    }
    const span = (filter - 1) * dilation + 1;
    if (span > input + before + after) {
      fail(
        op,
        'the window must fit into the padded input',
        `a window of ${span} over ${input} + ${before + after} of padding in ${show(x)}`,
        "use pad 'same', a smaller window or a larger input",
      );
    }
  }
}

const spatialNames = ['', 'width', 'height, width', 'depth, height, width'];

/** A float of rank 2 + the spatial rank: 1, 2 or 3 axes between batch and channels. */
export function expectImage(op: string, x: TensorType, spatial: number, what = 'the input'): void {
  expectDType(op, x, floats, what);
  expectRank(op, x, spatial + 2, `${what} [batch, ${spatialNames[spatial]}, channels]`, 'expandDims or reshape');
}

/**
 * Inputs of one residue modulo the stride: those h = first + stride * i, i < count, that see only the taps
 * tap = firstTap + tapStep * t, t < taps, and then the output o = i + firstOutput - outputStep * t.
 */
export interface Residue {
  readonly first: number;
  readonly count: number;
  readonly firstTap: number;
  readonly tapStep: number;
  readonly taps: number;
  readonly firstOutput: number;
  readonly outputStep: number;
}

/** How the places of an axis depend on the outputs, for gradients: h + before = stride * o + dilation * tap. */
export function residues(axis: WindowAxis): Residue[] {
  const { filter, stride, dilation, before, input } = axis;
  const common = gcd(stride, dilation);
  const tapStep = stride / common;
  const out: Residue[] = [];
  for (let first = 0; first < Math.min(stride, input); first++) {
    const count = Math.ceil((input - first) / stride);
    const residue = (first + before) % stride;
    let firstTap = 0;
    while (firstTap < tapStep && (firstTap * dilation - residue) % stride !== 0) firstTap++;
    const reachable = firstTap < tapStep && firstTap < filter;
    out.push({
      first,
      count,
      firstTap,
      tapStep,
      taps: reachable ? Math.ceil((filter - firstTap) / tapStep) : 0,
      firstOutput: reachable ? (first + before - firstTap * dilation) / stride : 0,
      outputStep: dilation / common,
    });
  }
  return out;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
