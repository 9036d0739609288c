/**
 * Rows of convolution over one to three spatial axes ([batch, ...spatial, channels] with a filter [...taps, input channels,
 * output channels]) and its gradients for the input and for the filter. Each is linear in both inputs, and the gradients of
 * each are the other two.
 */
import { fail } from '../base/errors.ts';
import type { Attrs } from '../graph/graph.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import { sameShape, sizeOf, stridesOf } from '../types/shape.ts';
import { flatIndex, forEachIndex, reader } from './array.ts';
import { conv, convBackpropFilter, convBackpropInput } from './build.ts';
import { batchConv, batchConvBackpropFilter, batchConvBackpropInput } from './conv-batching.ts';
import { filterSpecs, forwardSpecs, inputSpecs } from './conv-specs.ts';
import type { OpRow, Sample } from './row.ts';
import { expectDType, expectRank, expectSameDType, f32, floats, intAttr, intsAttr, show } from './rule.ts';
import { checkWindow, expectImage, windowAxes } from './window.ts';

/** Attributes of all three: strides and dilations by spatial axis, pads [before, after] for each in one list, groups. */
export interface ConvAttrs {
  readonly [name: string]: readonly number[] | number;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly groups: number;
}

export function convAttrs(attrs: Attrs): ConvAttrs {
  return {
    strides: intsAttr(attrs, 'strides'),
    dilations: intsAttr(attrs, 'dilations'),
    pads: intsAttr(attrs, 'pads'),
    groups: intAttr(attrs, 'groups'),
  };
}

/** What users call it: conv2d, conv3dBackpropInput. */
function nameOf(attrs: Attrs, what = ''): string {
  return `conv${intsAttr(attrs, 'strides').length}d${what}`;
}

/** The output's type; x and filter may be shapes of gradients that are yet to be computed. */
function inferConv(op: string, x: TensorType, filter: TensorType, attrs: Attrs): TensorType {
  const spatial = intsAttr(attrs, 'strides').length;
  expectImage(op, x, spatial);
  expectDType(op, filter, floats, 'the filter');
  expectSameDType(op, [x, filter]);
  expectRank(op, filter, spatial + 2, 'the filter [...taps, input channels, output channels]');
  const groups = intAttr(attrs, 'groups');
  const [inChannels, outChannels] = filter.shape.slice(-2);
  const given = x.shape[spatial + 1];
  if (given !== inChannels * groups) {
    fail(
      op,
      groups === 1
        ? "the filter's input channels must be the input's channels"
        : `the filter must have 1/${groups} of the input's channels`,
      `${show(x)} has ${given} and the filter ${show(filter)} has ${inChannels}`,
      'check the channel order (channels last, filter [...taps, in, out]) or the layer before',
    );
  }
  if (outChannels % groups !== 0)
    fail(op, 'groups must divide the output channels', `got ${groups} and ${outChannels}`);
  const axes = windowAxes(attrs, x.shape, filter.shape);
  checkWindow(op, x, axes);
  return { dtype: x.dtype, shape: [x.shape[0], ...axes.map((axis) => axis.output), outChannels] };
}

/** Calls visit for each product of the convolution, by coordinates of x, filter and y. The arrays are reused. */
function forEachProduct(
  attrs: Attrs,
  x: Shape,
  filter: Shape,
  visit: (x: readonly number[], f: readonly number[], y: readonly number[]) => void,
): void {
  const axes = windowAxes(attrs, x, filter);
  const rank = axes.length;
  const [inner, outer] = filter.slice(-2);
  const perGroup = outer / intAttr(attrs, 'groups');
  forEachIndex([x[0], ...axes.map((axis) => axis.output), outer], (y) => {
    const group = Math.floor(y[rank + 1] / perGroup);
    const from = x.map(() => 0);
    from[0] = y[0];
    forEachIndex(filter.with(-1, 1), (tap) => {
      for (let i = 0; i < rank; i++) {
        from[i + 1] = y[i + 1] * axes[i].stride + tap[i] * axes[i].dilation - axes[i].before;
        if (from[i + 1] < 0 || from[i + 1] >= axes[i].input) return;
      }
      from[rank + 1] = group * inner + tap[rank];
      visit(from, tap.with(-1, y[rank + 1]), y);
    });
  });
}

/** Adds up products into an array of `out`'s shape, in double precision. */
function accumulate(out: TensorType, run: (add: (at: readonly number[], product: number) => void) => void) {
  const strides = stridesOf(out.shape);
  const totals = new Float64Array(sizeOf(out.shape));
  run((at, product) => {
    totals[flatIndex(at, strides)] += product;
  });
  return [out.dtype === 'float64' ? totals : Float32Array.from(totals)];
}

const plain = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
const line = { strides: [1], dilations: [1], pads: [0, 0], groups: 1 };
const volume = { strides: [1, 1, 1], dilations: [1, 1, 1], pads: [0, 0, 0, 0, 0, 0], groups: 1 };

/** [input, filter, attributes]: what all three rows are tested with. */
const cases: readonly (readonly [Shape, Shape, ConvAttrs])[] = [
  [[1, 1, 1, 1], [1, 1, 1, 1], plain],
  [[2, 6, 5, 1], [3, 3, 1, 4], plain],
  [[2, 5, 6, 3], [3, 3, 3, 9], { ...plain, pads: [1, 1, 1, 1] }],
  [[1, 7, 7, 2], [2, 3, 2, 3], { ...plain, strides: [2, 2] }],
  [[1, 8, 7, 2], [3, 3, 2, 8], { ...plain, strides: [2, 3], pads: [0, 1, 1, 1] }],
  [[1, 9, 9, 2], [3, 2, 2, 5], { ...plain, dilations: [2, 3], pads: [2, 1, 0, 3] }],
  [[1, 9, 9, 1], [2, 2, 1, 2], { ...plain, strides: [2, 3], dilations: [2, 2], pads: [1, 0, 0, 1] }],
  [[1, 5, 5, 2], [1, 1, 2, 3], { ...plain, strides: [2, 2] }],
  [[0, 5, 5, 2], [3, 3, 2, 3], plain],
  [[2, 5, 5, 4], [3, 3, 2, 6], { ...plain, groups: 2, pads: [1, 1, 1, 1] }],
  [[1, 13, 13, 32], [3, 3, 32, 64], plain],
  // depthwise: ragged widths around the tiles, strides, dilation, a multiplier
  [[2, 6, 11, 9], [3, 3, 1, 9], { ...plain, groups: 9, pads: [1, 1, 1, 1] }],
  [[1, 7, 9, 16], [3, 3, 1, 16], { ...plain, groups: 16, strides: [2, 2], pads: [0, 1, 1, 1] }],
  [[1, 9, 14, 24], [3, 3, 1, 24], { ...plain, groups: 24, dilations: [2, 3], pads: [2, 2, 3, 3] }],
  [[1, 6, 7, 8], [5, 5, 1, 8], { ...plain, groups: 8, pads: [2, 2, 2, 2] }],
  [[1, 5, 6, 5], [3, 3, 1, 15], { ...plain, groups: 5, pads: [1, 1, 1, 1] }],
  [[1, 4, 1, 12], [3, 1, 1, 12], { ...plain, groups: 12 }],
  // one and three axes
  [[2, 11, 3], [4, 3, 9], { ...line, strides: [2], pads: [1, 2] }],
  [[1, 23, 8], [3, 8, 16], { ...line, dilations: [4], pads: [8, 0] }],
  [[2, 9, 16], [3, 1, 16], { ...line, groups: 16, pads: [1, 1] }],
  [[1, 4, 5, 6, 2], [2, 3, 3, 2, 5], { ...volume, strides: [1, 2, 2], pads: [1, 0, 1, 1, 0, 1] }],
  [[1, 5, 4, 4, 3], [3, 2, 1, 3, 8], { ...volume, dilations: [2, 1, 1] }],
  [[1, 3, 4, 5, 8], [2, 2, 2, 1, 8], { ...volume, groups: 8, pads: [0, 1, 1, 0, 1, 1] }],
];

function samplesOf(make: (x: Shape, filter: Shape, y: Shape, attrs: ConvAttrs) => Sample): Sample[] {
  return cases.map(([x, filter, attrs]) => {
    const outputs = windowAxes(attrs, x, filter).map((axis) => axis.output);
    return make(x, filter, [x[0], ...outputs, filter[filter.length - 1]], attrs);
  });
}

/** A sum of 576 products of up to 4 in float32 wanders by about sqrt(576) * 2^-24 * sqrt(576) * 1.3 = 2e-5 (one sigma). */
const tolerance = { absolute: 1e-4, relative: 1e-5 };

function expectOutput(op: string, dy: TensorType, expected: TensorType): void {
  if (sameShape(dy.shape, expected.shape)) return;
  fail(op, `the gradient must have the shape of the convolution's output ${show(expected)}`, `got ${show(dy)}`);
}

export const convRows = {
  conv: {
    name: 'conv',
    summary: 'convolution over one to three axes, channels last, filter [...taps, in, out]; groups, dilation',
    arity: 2,
    infer: ([x, filter], attrs) => [inferConv(nameOf(attrs), x, filter, attrs)],
    gradient({ inputs: [x, filter], attrs }, [dy]) {
      if (dy === null) return [null, null];
      const window = convAttrs(attrs);
      return [convBackpropInput(dy, filter, x.shape, window), convBackpropFilter(x, dy, filter.shape, window)];
    },
    evaluate([x, filter], attrs, [type]) {
      const [atX, atF] = [reader(x), reader(filter)];
      return accumulate(type, (add) => {
        forEachProduct(attrs, x.shape, filter.shape, (i, f, o) => add(o, atX(...i) * atF(...f)));
      });
    },
    batching: batchConv,
    lowering: { tag: 'contraction', specs: forwardSpecs },
    get samples() {
      return samplesOf((x, filter, _y, attrs) => ({ inputs: [f32(x), f32(filter)], attrs }));
    },
    tolerance,
  },
  convBackpropInput: {
    name: 'convBackpropInput',
    summary: 'gradient of conv for its input; also transposed convolution',
    arity: 2,
    infer([dy, filter], attrs) {
      const x: TensorType = { dtype: dy.dtype, shape: intsAttr(attrs, 'inputShape') };
      const op = nameOf(attrs, 'BackpropInput');
      expectImage(op, dy, intsAttr(attrs, 'strides').length, 'the gradient');
      expectOutput(op, dy, inferConv(op, x, filter, attrs));
      return [x];
    },
    gradient({ inputs: [dy, filter], attrs }, [dx]) {
      if (dx === null) return [null, null];
      const window = convAttrs(attrs);
      return [conv(dx, filter, window), convBackpropFilter(dx, dy, filter.shape, window)];
    },
    evaluate([dy, filter], attrs, [type]) {
      const [atY, atF] = [reader(dy), reader(filter)];
      return accumulate(type, (add) => {
        forEachProduct(attrs, type.shape, filter.shape, (i, f, o) => add(i, atY(...o) * atF(...f)));
      });
    },
    batching: batchConvBackpropInput,
    lowering: { tag: 'contraction', specs: inputSpecs },
    get samples() {
      return samplesOf((x, filter, y, attrs) => ({
        inputs: [f32(y), f32(filter)],
        attrs: { ...attrs, inputShape: x },
      }));
    },
    tolerance,
  },
  convBackpropFilter: {
    name: 'convBackpropFilter',
    summary: 'gradient of conv for its filter',
    arity: 2,
    infer([x, dy], attrs) {
      const filter: TensorType = { dtype: x.dtype, shape: intsAttr(attrs, 'filterShape') };
      const op = nameOf(attrs, 'BackpropFilter');
      expectImage(op, dy, intsAttr(attrs, 'strides').length, 'the gradient');
      expectSameDType(op, [x, dy]);
      expectOutput(op, dy, inferConv(op, x, filter, attrs));
      return [filter];
    },
    gradient({ inputs: [x, dy], attrs }, [df]) {
      if (df === null) return [null, null];
      const window = convAttrs(attrs);
      return [convBackpropInput(dy, df, x.shape, window), conv(x, df, window)];
    },
    evaluate([x, dy], attrs, [type]) {
      const [atX, atY] = [reader(x), reader(dy)];
      return accumulate(type, (add) => {
        forEachProduct(attrs, x.shape, type.shape, (i, f, o) => add(f, atX(...i) * atY(...o)));
      });
    },
    batching: batchConvBackpropFilter,
    lowering: { tag: 'contraction', specs: filterSpecs },
    get samples() {
      return samplesOf((x, filter, y, attrs) => ({
        inputs: [f32(x), f32(y)],
        attrs: { ...attrs, filterShape: filter },
      }));
    },
    tolerance,
  },
} satisfies Record<string, OpRow>;
