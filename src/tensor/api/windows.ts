/** What convolutions and pools share: data formats, optional batches, windows. Knows no op. */
import { fail } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as build from '../../ops/build.ts';
import type { Shape } from '../../types/shape.ts';
import { showShape } from '../../types/shape.ts';
import { type Input, valueOf } from './lift.ts';
import type { Padding, PerAxis, Rounding, Spatial } from './padding.ts';
import { padsOf, perAxis } from './padding.ts';

/** Where the channels stand: last (native), or after the batch (transposed, which the compiler folds into addresses). */
export type DataFormat = 'NHWC' | 'NCHW';
export type DataFormat1D = 'NWC' | 'NCW';
export type DataFormat3D = 'NDHWC' | 'NCDHW';

const formats = [[], ['NWC', 'NCW'], ['NHWC', 'NCHW'], ['NDHWC', 'NCDHW']] as const;
const axisNames = ['', 'width', 'height, width', 'depth, height, width'];

export function isChannelsFirst(op: string, format: string, spatial: number): boolean {
  const [last, first] = formats[spatial];
  if (format !== last && format !== first)
    fail(op, `dataFormat must be '${last}' or '${first}'`, `got ${JSON.stringify(format)}`);
  return format === first;
}

/** [batch, channels, ...spatial] <-> [batch, ...spatial, channels]. */
export function toLast(value: Value, channelsFirst: boolean): Value {
  const rank = value.shape.length;
  if (!channelsFirst) return value;
  return build.transpose(value, [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1]);
}

export function fromLast(value: Value, channelsFirst: boolean): Value {
  const rank = value.shape.length;
  if (!channelsFirst) return value;
  return build.transpose(value, [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)]);
}

/** Runs `f` on a float32 batch with the channels last, and gives back the layout and the rank that came. */
export function onImages(
  op: string,
  x: Input,
  spatial: number,
  channelsFirst: boolean,
  f: (x: Value) => Value,
  what = 'the input',
): Value {
  const value = build.asReal(valueOf(x, 'x', op));
  const rank = value.shape.length;
  if (rank !== spatial + 1 && rank !== spatial + 2) {
    const axes = axisNames[spatial];
    fail(
      op,
      `${what} must have rank ${spatial + 2} [batch, ${axes}, channels], or ${spatial + 1} without the batch`,
      `got ${showShape(value.shape)}`,
    );
  }
  const batched = rank === spatial + 2;
  const batch = batched ? value : build.reshape(value, [1, ...value.shape]);
  const result = fromLast(f(toLast(batch, channelsFirst)), channelsFirst);
  return batched ? result : build.reshape(result, result.shape.slice(1));
}

export function filterOf(op: string, filter: Input, spatial: number): Value {
  const value = build.asReal(valueOf(filter, 'filter', op));
  if (value.shape.length !== spatial + 2) {
    fail(
      op,
      `the filter must have rank ${spatial + 2} [${axisNames[spatial]}, input channels, output channels]`,
      `got ${showShape(value.shape)}`,
    );
  }
  return value;
}

export interface WindowArgs {
  readonly filter: readonly number[];
  readonly strides: PerAxis;
  readonly pad: Padding;
  readonly dilations?: PerAxis;
  readonly rounding?: Rounding;
  readonly channelsFirst?: boolean;
}

/** Attributes of a window over an input of `shape` (channels last). */
export function windowOf(op: string, shape: Shape, args: WindowArgs): Omit<Spatial, 'input'> & { pads: number[] } {
  const { filter } = args;
  const spatial: Spatial = {
    input: shape.slice(1, -1),
    filter,
    strides: perAxis(op, 'strides', args.strides, filter.length),
    dilations: perAxis(op, 'dilations', args.dilations ?? 1, filter.length),
  };
  const pads = padsOf(op, args.pad, spatial, args.rounding, args.channelsFirst);
  return { filter, strides: spatial.strides, dilations: spatial.dilations, pads };
}

/** The shape that a gradient is for or a transposed convolution makes, as [batch, ...spatial, channels]; the batch may be missing. */
export function wholeShape(op: string, what: string, shape: readonly number[], spatial: number): number[] {
  const whole = shape.length === spatial + 1 ? [1, ...shape] : [...shape];
  if (whole.length !== spatial + 2 || whole.some((n) => !Number.isInteger(n) || n < 0)) {
    fail(
      op,
      `${what} must have ${spatial + 2} extents, or ${spatial + 1} without the batch`,
      `got ${showShape(shape)}`,
    );
  }
  return whole;
}
