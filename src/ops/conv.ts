/** Rows of two-dimensional convolution (NHWC input, HWIO filter) and its gradients for the input and for the filter. */
import { fail } from '../base/errors.ts';
import type { Attrs } from '../graph/graph.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import { sameShape } from '../types/shape.ts';
import { fill, reader } from './array.ts';
import { conv2d, conv2dBackpropFilter, conv2dBackpropInput } from './build.ts';
import { batchConv2d, batchConv2dBackpropFilter, batchConv2dBackpropInput } from './conv-batching.ts';
import type { ContractionAxis, ContractionSpec } from './lowering.ts';
import { along } from './matmul.ts';
import type { OpRow, Sample } from './row.ts';
import { expectDType, expectRank, f32, intAttr, intsAttr, show } from './rule.ts';
import type { Residue, WindowAxis } from './window.ts';
import { checkWindow, expectImage, residues, windowAxes } from './window.ts';

/** Attributes of all three: strides, dilations, pads [top, bottom, left, right], groups. */
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

/** The output's type; x and filter may be shapes of gradients that are yet to be computed. */
function inferConv(op: string, x: TensorType, filter: TensorType, attrs: Attrs): TensorType {
  expectImage(op, x);
  expectDType(op, filter, ['float32'], 'the filter');
  expectRank(op, filter, 4, 'the filter [height, width, input channels, output channels]');
  const groups = intAttr(attrs, 'groups');
  const [, , inChannels, outChannels] = filter.shape;
  if (x.shape[3] !== inChannels * groups) {
    fail(
      op,
      groups === 1
        ? "the filter's input channels must be the input's channels"
        : `the filter must have 1/${groups} of the input's channels`,
      `${show(x)} has ${x.shape[3]} and the filter ${show(filter)} has ${inChannels}`,
      'check the channel order (NHWC, HWIO) or the layer before',
    );
  }
  if (outChannels % groups !== 0)
    fail(op, 'groups must divide the output channels', `got ${groups} and ${outChannels}`);
  const axes = windowAxes(attrs, x.shape, filter.shape);
  checkWindow(op, x, axes);
  return { dtype: 'float32', shape: [x.shape[0], axes[0].output, axes[1].output, outChannels] };
}

/** The input's coordinate that output `o` and tap `tap` meet: o * stride + tap * dilation - before. */
function slide(axis: WindowAxis, o: number, tap: number): ContractionAxis {
  const padded =
    axis.before > 0 || (axis.output - 1) * axis.stride + (axis.filter - 1) * axis.dilation - axis.before >= axis.input;
  return {
    offset: -axis.before,
    terms: [
      { dim: o, coef: axis.stride },
      { dim: tap, coef: axis.dilation },
    ],
    ...(padded && { padded }),
  };
}

/** A channel axis: group * perGroup + channel, or just the channel where there is one group. */
function channels(group: number, channel: number, perGroup: number, groups: number): ContractionAxis {
  if (groups === 1) return along(channel);
  return {
    offset: 0,
    terms: [
      { dim: group, coef: perGroup },
      { dim: channel, coef: 1 },
    ],
  };
}

/** Dims of forward and filter gradient: n, oh, ow, kh, kw, ic, oc and, if grouped, g. */
function forwardParts(attrs: Attrs, x: Shape, filter: Shape) {
  const groups = intAttr(attrs, 'groups');
  const [height, width] = windowAxes(attrs, x, filter);
  const perGroup = filter[3] / groups;
  const dims = [
    { name: 'n', extent: x[0] },
    { name: 'oh', extent: height.output },
    { name: 'ow', extent: width.output },
    { name: 'kh', extent: filter[0] },
    { name: 'kw', extent: filter[1] },
    { name: 'ic', extent: filter[2] },
    { name: 'oc', extent: perGroup },
    ...(groups > 1 ? [{ name: 'g', extent: groups }] : []),
  ];
  return {
    dims,
    input: [along(0), slide(height, 1, 3), slide(width, 2, 4), channels(7, 5, filter[2], groups)],
    filter: [along(3), along(4), along(5), channels(7, 6, perGroup, groups)],
    output: [along(0), along(1), along(2), channels(7, 6, perGroup, groups)],
  };
}

function forwardSpecs(attrs: Attrs, [x, f]: readonly Shape[]): ContractionSpec[] {
  const { dims, input, filter, output } = forwardParts(attrs, x, f);
  return [{ dims, a: input, b: filter, out: output }];
}

function filterSpecs(attrs: Attrs, [x]: readonly Shape[], out: Shape): ContractionSpec[] {
  const { dims, input, filter, output } = forwardParts(attrs, x, out);
  return [{ dims, a: input, b: output, out: filter }];
}

/** dy's coordinate for the inputs of one residue: i + firstOutput - outputStep * t. */
function seenBy(residue: Residue, axis: WindowAxis, i: number, t: number): ContractionAxis {
  const lowest = residue.firstOutput - residue.outputStep * (residue.taps - 1);
  const highest = residue.firstOutput + residue.count - 1;
  const padded = lowest < 0 || highest >= axis.output;
  return {
    offset: residue.firstOutput,
    terms: [
      { dim: i, coef: 1 },
      { dim: t, coef: -residue.outputStep },
    ],
    ...(padded && { padded }),
  };
}

/** One spec for each pair of residues, so that all maps are affine; one without taps writes zeros. */
function inputSpecs(attrs: Attrs, [, filter]: readonly Shape[], x: Shape): ContractionSpec[] {
  const groups = intAttr(attrs, 'groups');
  const perGroup = filter[3] / groups;
  const [height, width] = windowAxes(attrs, x, filter);
  const specs: ContractionSpec[] = [];
  for (const row of residues(height)) {
    for (const column of residues(width)) {
      const place = (residue: Residue, dim: number, stride: number) => ({
        offset: residue.first,
        terms: [{ dim, coef: stride }],
      });
      const tap = (residue: Residue, dim: number) => ({
        offset: residue.taps > 0 ? residue.firstTap : 0,
        terms: [{ dim, coef: residue.tapStep }],
      });
      specs.push({
        dims: [
          { name: 'n', extent: x[0] },
          { name: 'h', extent: row.count },
          { name: 'w', extent: column.count },
          { name: 'kh', extent: row.taps },
          { name: 'kw', extent: column.taps },
          { name: 'oc', extent: perGroup },
          { name: 'ic', extent: filter[2] },
          ...(groups > 1 ? [{ name: 'g', extent: groups }] : []),
        ],
        a: [along(0), seenBy(row, height, 1, 3), seenBy(column, width, 2, 4), channels(7, 5, perGroup, groups)],
        b: [tap(row, 3), tap(column, 4), along(6), channels(7, 5, perGroup, groups)],
        out: [
          along(0),
          place(row, 1, height.stride),
          place(column, 2, width.stride),
          channels(7, 6, filter[2], groups),
        ],
      });
    }
  }
  return specs;
}

/** Calls visit for each product of the convolution, by coordinates of x, filter and y. */
function forEachProduct(
  attrs: Attrs,
  x: Shape,
  filter: Shape,
  visit: (x: readonly number[], f: readonly number[], y: readonly number[]) => void,
): void {
  const groups = intAttr(attrs, 'groups');
  const [height, width] = windowAxes(attrs, x, filter);
  const outs = filter[3] / groups;
  fill({ dtype: 'float32', shape: [x[0], height.output, width.output, filter[3]] }, ([n, oh, ow, oc]) => {
    const group = Math.floor(oc / outs);
    for (let kh = 0; kh < filter[0]; kh++) {
      const h = oh * height.stride + kh * height.dilation - height.before;
      if (h < 0 || h >= x[1]) continue;
      for (let kw = 0; kw < filter[1]; kw++) {
        const w = ow * width.stride + kw * width.dilation - width.before;
        if (w < 0 || w >= x[2]) continue;
        for (let ic = 0; ic < filter[2]; ic++)
          visit([n, h, w, group * filter[2] + ic], [kh, kw, ic, oc], [n, oh, ow, oc]);
      }
    }
    return 0;
  });
}

/** Adds up products into an array of `out`'s shape, in double precision. */
function accumulate(out: TensorType, run: (add: (at: readonly number[], product: number) => void) => void) {
  const strides = out.shape.map((_, axis) => out.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const totals = new Float64Array(out.shape.reduce((a, b) => a * b, 1));
  run((at, product) => {
    totals[at.reduce((flat, i, axis) => flat + i * strides[axis], 0)] += product;
  });
  return [Float32Array.from(totals)];
}

const plain = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };

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
];

function samplesOf(make: (x: Shape, filter: Shape, y: Shape, attrs: ConvAttrs) => Sample): Sample[] {
  return cases.map(([x, filter, attrs]) => {
    const [height, width] = windowAxes(attrs, x, filter);
    return make(x, filter, [x[0], height.output, width.output, filter[3]], attrs);
  });
}

/** A sum of 576 products of up to 4 in float32 wanders by about sqrt(576) * 2^-24 * sqrt(576) * 1.3 = 2e-5 (one sigma). */
const tolerance = { absolute: 1e-4, relative: 1e-5 };

function expectOutput(op: string, dy: TensorType, expected: TensorType): void {
  if (sameShape(dy.shape, expected.shape)) return;
  fail(op, `the gradient must have the shape of the convolution's output ${show(expected)}`, `got ${show(dy)}`);
}

export const convRows = {
  conv2d: {
    name: 'conv2d',
    summary: 'two-dimensional convolution of NHWC input with an HWIO filter',
    arity: 2,
    infer: ([x, filter], attrs) => [inferConv('conv2d', x, filter, attrs)],
    gradient({ inputs: [x, filter], attrs }, [dy]) {
      if (dy === null) return [null, null];
      const conv = convAttrs(attrs);
      return [conv2dBackpropInput(dy, filter, x.shape, conv), conv2dBackpropFilter(x, dy, filter.shape, conv)];
    },
    evaluate([x, filter], attrs, [type]) {
      const [atX, atF] = [reader(x), reader(filter)];
      return accumulate(type, (add) => {
        forEachProduct(attrs, x.shape, filter.shape, (i, f, o) => add(o, atX(...i) * atF(...f)));
      });
    },
    batching: batchConv2d,
    lowering: { tag: 'contraction', specs: forwardSpecs },
    samples: samplesOf((x, filter, _y, attrs) => ({ inputs: [f32(x), f32(filter)], attrs })),
    tolerance,
  },
  conv2dBackpropInput: {
    name: 'conv2dBackpropInput',
    summary: 'gradient of conv2d for its input; also transposed convolution',
    arity: 2,
    infer([dy, filter], attrs) {
      const x: TensorType = { dtype: 'float32', shape: intsAttr(attrs, 'inputShape') };
      expectImage('conv2dBackpropInput', dy, 'the gradient');
      expectOutput('conv2dBackpropInput', dy, inferConv('conv2dBackpropInput', x, filter, attrs));
      return [x];
    },
    gradient({ inputs: [dy, filter], attrs }, [dx]) {
      if (dx === null) return [null, null];
      const conv = convAttrs(attrs);
      return [conv2d(dx, filter, conv), conv2dBackpropFilter(dx, dy, filter.shape, conv)];
    },
    evaluate([dy, filter], attrs, [type]) {
      const [atY, atF] = [reader(dy), reader(filter)];
      return accumulate(type, (add) => {
        forEachProduct(attrs, type.shape, filter.shape, (i, f, o) => add(i, atY(...o) * atF(...f)));
      });
    },
    batching: batchConv2dBackpropInput,
    lowering: { tag: 'contraction', specs: inputSpecs },
    samples: samplesOf((x, filter, y, attrs) => ({
      inputs: [f32(y), f32(filter)],
      attrs: { ...attrs, inputShape: x },
    })),
    tolerance,
  },
  conv2dBackpropFilter: {
    name: 'conv2dBackpropFilter',
    summary: 'gradient of conv2d for its filter',
    arity: 2,
    infer([x, dy], attrs) {
      const filter: TensorType = { dtype: 'float32', shape: intsAttr(attrs, 'filterShape') };
      expectImage('conv2dBackpropFilter', dy, 'the gradient');
      expectOutput('conv2dBackpropFilter', dy, inferConv('conv2dBackpropFilter', x, filter, attrs));
      return [filter];
    },
    gradient({ inputs: [x, dy], attrs }, [df]) {
      if (df === null) return [null, null];
      const conv = convAttrs(attrs);
      return [conv2dBackpropInput(dy, df, x.shape, conv), conv2d(x, df, conv)];
    },
    evaluate([x, dy], attrs, [type]) {
      const [atX, atY] = [reader(x), reader(dy)];
      return accumulate(type, (add) => {
        forEachProduct(attrs, x.shape, type.shape, (i, f, o) => add(f, atX(...i) * atY(...o)));
      });
    },
    batching: batchConv2dBackpropFilter,
    lowering: { tag: 'contraction', specs: filterSpecs },
    samples: samplesOf((x, filter, y, attrs) => ({
      inputs: [f32(x), f32(y)],
      attrs: { ...attrs, filterShape: filter },
    })),
    tolerance,
  },
} satisfies Record<string, OpRow>;
