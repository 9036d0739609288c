/** Rows that move elements without changing them: views, reshapes, pieces. */
import { fail } from '../base/errors.ts';
import type { Attrs } from '../graph/graph.ts';
import { elementOf, isFloat, newArray } from '../types/dtype.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import { checkShape, sameShape, showShape, sizeOf, stridesOf } from '../types/shape.ts';
import { fill, flatIndex } from './array.ts';
import { shiftedAxes, stackedApply, withLeadingEntry } from './batching.ts';
import { after, broadcastTo, dilate, pad, reshape, reverse, slice, sumTo, transpose } from './build.ts';
import type { AxisMap, Piece } from './lowering.ts';
import type { NDArray, OpRow } from './row.ts';
import { bool, expectAxis, expectSameDType, f32, i32, intAttr, intsAttr, pairsAttr, show } from './rule.ts';

/** Evaluates a view from its lowering's maps, which are its definition. */
function evaluateView(input: NDArray, maps: readonly AxisMap[], type: TensorType) {
  const strides = stridesOf(input.shape);
  const source = (at: readonly number[]) =>
    maps.map(({ axis, scale, offset }) => offset + (axis < 0 ? 0 : scale * at[axis]));
  return [fill(type, (at) => input.data[flatIndex(source(at), strides)])];
}

// ---- views -------------------------------------------------------------------------------------------------------------

function transposeAxes(attrs: Attrs): AxisMap[] {
  const perm = intsAttr(attrs, 'perm');
  return perm.map((_, axis) => ({ axis: perm.indexOf(axis), scale: 1, offset: 0 }));
}

function broadcastAxes(_attrs: Attrs, input: Shape, output: Shape): AxisMap[] {
  const lead = output.length - input.length;
  return input.map((extent, axis) =>
    extent === 1 ? { axis: -1, scale: 0, offset: 0 } : { axis: axis + lead, scale: 1, offset: 0 },
  );
}

function sliceAxes(attrs: Attrs): AxisMap[] {
  const strides = intsAttr(attrs, 'strides');
  return intsAttr(attrs, 'begin').map((offset, axis) => ({ axis, scale: strides[axis], offset }));
}

function reverseAxes(attrs: Attrs, input: Shape): AxisMap[] {
  const axes = intsAttr(attrs, 'axes');
  return input.map((extent, axis) =>
    axes.includes(axis) ? { axis, scale: -1, offset: extent - 1 } : { axis, scale: 1, offset: 0 },
  );
}

export const viewRows = {
  transpose: {
    name: 'transpose',
    summary: 'axes in another order: axis i of the output is axis perm[i] of the input',
    arity: 1,
    infer([x], attrs) {
      const perm = intsAttr(attrs, 'perm');
      if (perm.length !== x.shape.length || x.shape.some((_, axis) => !perm.includes(axis))) {
        fail('transpose', `perm must hold each axis of the input once`, `got ${showShape(perm)} for ${show(x)}`);
      }
      return [{ dtype: x.dtype, shape: perm.map((axis) => x.shape[axis]) }];
    },
    gradient({ attrs }, [dy]) {
      const perm = intsAttr(attrs, 'perm');
      const inverse = perm.map((_, axis) => perm.indexOf(axis));
      return [dy && transpose(dy, inverse)];
    },
    evaluate: ([x], attrs, [type]) => evaluateView(x, transposeAxes(attrs), type),
    batching: (context) =>
      stackedApply(context, { perm: [0, ...intsAttr(context.attrs, 'perm').map((axis) => axis + 1)] }),
    lowering: { tag: 'view', axes: transposeAxes },
    get samples() {
      return [
        { inputs: [f32([])], attrs: { perm: [] } },
        { inputs: [f32([5])], attrs: { perm: [0] } },
        { inputs: [f32([0, 3])], attrs: { perm: [1, 0] } },
        { inputs: [f32([3, 5])], attrs: { perm: [1, 0] } },
        { inputs: [f32([33, 17])], attrs: { perm: [1, 0] } },
        { inputs: [f32([300, 37])], attrs: { perm: [1, 0] } },
        { inputs: [bool([2, 33, 18])], attrs: { perm: [0, 2, 1] } },
        { inputs: [i32([17, 3, 40])], attrs: { perm: [2, 1, 0] } },
        { inputs: [i32([2, 3, 4])], attrs: { perm: [2, 0, 1] } },
        { inputs: [bool([2, 3, 4])], attrs: { perm: [1, 0, 2] } },
        { inputs: [f32([2, 3, 4, 9])], attrs: { perm: [0, 2, 1, 3] } },
      ];
    },
  },
  broadcastTo: {
    name: 'broadcastTo',
    summary: 'repeats along axes of extent 1 and along new leading axes',
    arity: 1,
    infer([x], attrs) {
      const shape = intsAttr(attrs, 'shape');
      checkShape('broadcastTo', shape);
      const lead = shape.length - x.shape.length;
      if (lead < 0 || x.shape.some((extent, axis) => extent !== 1 && extent !== shape[axis + lead])) {
        fail(
          'broadcastTo',
          'every axis of the input must be 1 or equal to the target axis, counted from the last',
          `got ${show(x)} to ${showShape(shape)}`,
          'reshape or expandDims first',
        );
      }
      return [{ dtype: x.dtype, shape }];
    },
    gradient: ({ inputs: [x] }, [dy]) => [dy && sumTo(dy, x.shape)],
    evaluate: ([x], attrs, [type]) => evaluateView(x, broadcastAxes(attrs, x.shape, type.shape), type),
    batching: ({ inputs: [x], attrs, size, outputs: [{ shape }] }) => {
      const ones = new Array<number>(shape.length - x.shape.length + 1).fill(1);
      const aligned = reshape(x, [size, ...ones, ...x.shape.slice(1)]);
      return [broadcastTo(aligned, [size, ...intsAttr(attrs, 'shape')])];
    },
    lowering: { tag: 'view', axes: broadcastAxes },
    get samples() {
      return [
        { inputs: [f32([])], attrs: { shape: [] } },
        { inputs: [f32([])], attrs: { shape: [7] } },
        { inputs: [f32([1])], attrs: { shape: [2, 0] } },
        { inputs: [f32([9])], attrs: { shape: [3, 9] } },
        { inputs: [f32([3, 1])], attrs: { shape: [3, 9] } },
        { inputs: [i32([2, 1, 4])], attrs: { shape: [3, 2, 5, 4] } },
        { inputs: [bool([1, 4])], attrs: { shape: [5, 4] } },
        { inputs: [f32([1, 17])], attrs: { shape: [33, 17] } },
      ];
    },
  },
  slice: {
    name: 'slice',
    summary: 'the elements begin + i * stride, i below size, of each axis',
    arity: 1,
    infer([x], attrs) {
      const [begin, size, strides] = [intsAttr(attrs, 'begin'), intsAttr(attrs, 'size'), intsAttr(attrs, 'strides')];
      const rank = x.shape.length;
      if (begin.length !== rank || size.length !== rank || strides.length !== rank) {
        fail('slice', `begin, size and strides must have one entry for each axis`, `got ${show(x)}`);
      }
      x.shape.forEach((extent, axis) => {
        const last = begin[axis] + Math.max(0, size[axis] - 1) * strides[axis];
        const inside = begin[axis] >= 0 && size[axis] >= 0 && strides[axis] >= 1;
        if (!inside || (size[axis] > 0 ? last >= extent : begin[axis] > extent)) {
          fail(
            'slice',
            'the slice must lie inside the input',
            `axis ${axis} of ${show(x)} with begin ${begin[axis]}, size ${size[axis]}, stride ${strides[axis]}`,
          );
        }
      });
      return [{ dtype: x.dtype, shape: size }];
    },
    gradient({ inputs: [x], attrs }, [dy]) {
      if (dy === null) return [null];
      const strides = intsAttr(attrs, 'strides');
      const begin = intsAttr(attrs, 'begin');
      const spread = dilate(dy, strides);
      return [
        pad(
          spread,
          x.shape.map((extent, axis) => [begin[axis], extent - begin[axis] - spread.shape[axis]] as const),
        ),
      ];
    },
    evaluate: ([x], attrs, [type]) => evaluateView(x, sliceAxes(attrs), type),
    batching: withLeadingEntry({ begin: () => 0, size: (size) => size, strides: () => 1 }),
    lowering: { tag: 'view', axes: sliceAxes },
    get samples() {
      return [
        { inputs: [f32([])], attrs: { begin: [], size: [], strides: [] } },
        { inputs: [f32([9])], attrs: { begin: [2], size: [5], strides: [1] } },
        { inputs: [f32([9])], attrs: { begin: [1], size: [3], strides: [3] } },
        { inputs: [f32([9])], attrs: { begin: [9], size: [0], strides: [1] } },
        { inputs: [f32([33, 17])], attrs: { begin: [3, 0], size: [20, 17], strides: [1, 1] } },
        { inputs: [f32([8, 9])], attrs: { begin: [1, 1], size: [3, 4], strides: [2, 2] } },
        { inputs: [i32([4, 5, 6])], attrs: { begin: [0, 1, 2], size: [4, 3, 2], strides: [1, 1, 2] } },
        { inputs: [bool([4, 5])], attrs: { begin: [1, 1], size: [3, 4], strides: [1, 1] } },
      ];
    },
  },
  reverse: {
    name: 'reverse',
    summary: 'backwards along some axes',
    arity: 1,
    infer([x], attrs) {
      for (const axis of intsAttr(attrs, 'axes')) expectAxis('reverse', axis, x.shape.length);
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    gradient: ({ attrs }, [dy]) => [dy && reverse(dy, intsAttr(attrs, 'axes'))],
    evaluate: ([x], attrs, [type]) => evaluateView(x, reverseAxes(attrs, x.shape), type),
    batching: shiftedAxes('axes'),
    lowering: { tag: 'view', axes: reverseAxes },
    get samples() {
      return [
        { inputs: [f32([])], attrs: { axes: [] } },
        { inputs: [f32([0])], attrs: { axes: [0] } },
        { inputs: [f32([9])], attrs: { axes: [0] } },
        { inputs: [f32([3, 17])], attrs: { axes: [1] } },
        { inputs: [i32([2, 3, 4])], attrs: { axes: [0, 2] } },
        { inputs: [bool([3, 4])], attrs: { axes: [0] } },
      ];
    },
  },
} satisfies Record<string, OpRow>;

// ---- the same elements in the same order --------------------------------------------------------------------------------

function renaming(name: string, summary: string, passes: boolean): OpRow {
  return {
    name,
    summary,
    arity: 1,
    infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
    gradient: passes ? (_context, [dy]) => [dy] : 'constant',
    evaluate: ([x]) => [x.data.slice()],
    batching: 'elementwise',
    lowering: { tag: 'reshape' },
    get samples() {
      return [{ inputs: [f32([])] }, { inputs: [f32([0])] }, { inputs: [f32([3, 5])] }, { inputs: [i32([9])] }];
    },
  };
}

export const reshapeRows = {
  reshape: {
    name: 'reshape',
    summary: 'the same elements in the same order, in another shape',
    arity: 1,
    infer([x], attrs) {
      const shape = intsAttr(attrs, 'shape');
      checkShape('reshape', shape);
      if (sizeOf(shape) !== sizeOf(x.shape)) {
        fail(
          'reshape',
          'the number of elements must stay',
          `${show(x)} has ${sizeOf(x.shape)} and ${showShape(shape)} has ${sizeOf(shape)}`,
        );
      }
      return [{ dtype: x.dtype, shape }];
    },
    gradient: ({ inputs: [x] }, [dy]) => [dy && reshape(dy, x.shape)],
    evaluate: ([x]) => [x.data.slice()],
    batching: withLeadingEntry({ shape: (size) => size }),
    lowering: { tag: 'reshape' },
    get samples() {
      return [
        { inputs: [f32([])], attrs: { shape: [1, 1] } },
        { inputs: [f32([2, 0])], attrs: { shape: [0, 5] } },
        { inputs: [f32([3, 4])], attrs: { shape: [2, 6] } },
        { inputs: [i32([24])], attrs: { shape: [2, 3, 4] } },
        { inputs: [bool([2, 3])], attrs: { shape: [6] } },
      ];
    },
  },
  identity: renaming('identity', 'the input itself', true),
  stopGradient: renaming('stopGradient', 'the input itself, through which no gradient flows', false),
  after: {
    name: 'after',
    summary: 'the first input itself, read only once the others are computed: what is recomputed from it stays apart',
    arity: 'variadic',
    infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
    gradient: ({ inputs }, [dy]) => [dy, ...inputs.slice(1).map(() => null)],
    batching: ({ inputs, size, batched: [first] }) => {
      const [x, ...others] = inputs;
      return [after(first ? x : broadcastTo(x, [size, ...x.shape]), others)];
    },
    evaluate: ([x]) => [x.data.slice()],
    lowering: { tag: 'after' },
    get samples() {
      return [
        { inputs: [f32([]), f32([3])] },
        { inputs: [f32([0]), f32([])] },
        { inputs: [f32([3, 5]), f32([2]), i32([7])] },
        { inputs: [i32([9])] },
      ];
    },
  },
  identityWithGradient: renaming('identityWithGradient', 'the input itself, with a gradient from customGradient', true),
} satisfies Record<string, OpRow>;

// ---- pieces ------------------------------------------------------------------------------------------------------------

/** The input's box, and around it boxes of the fill value: for each axis before and after, inside of the axes already cut. */
function padPieces(attrs: Attrs, [input]: readonly Shape[], output: Shape): Piece[] {
  const paddings = pairsAttr(attrs, 'paddings');
  const value = intAttr(attrs, 'value');
  const pieces: Piece[] = [];
  const start = output.map(() => 0);
  const size = output.slice();
  for (let axis = 0; axis < output.length; axis++) {
    const [before, after] = paddings[axis];
    const fillBox = (from: number, extent: number) => {
      if (extent === 0) return;
      pieces.push({ start: start.with(axis, from), size: size.with(axis, extent), source: { fill: value } });
    };
    fillBox(0, before);
    fillBox(output[axis] - after, after);
    start[axis] = before;
    size[axis] = input[axis];
  }
  pieces.push({ start, size, source: { input: 0, from: input.map(() => 0) } });
  return pieces.filter((piece) => sizeOf(piece.size) > 0);
}

function concatPieces(attrs: Attrs, inputs: readonly Shape[], output: Shape): Piece[] {
  const axis = intAttr(attrs, 'axis');
  const zeros = output.map(() => 0);
  let at = 0;
  const pieces = inputs.map((size, input): Piece => {
    const start = zeros.with(axis, at);
    at += size[axis];
    return { start, size, source: { input, from: zeros } };
  });
  return pieces.filter((piece) => sizeOf(piece.size) > 0);
}

/** Evaluates by pieces, which are the definition. */
function evaluatePieces(inputs: readonly NDArray[], pieces: readonly Piece[], type: TensorType) {
  const out = newArray(type.dtype, sizeOf(type.shape));
  if (isFloat(type.dtype)) out.fill(Number.NaN);
  const strides = stridesOf(type.shape);
  for (const { start, size, source } of pieces) {
    const from = 'input' in source ? inputs[source.input] : null;
    const fromStrides = from ? stridesOf(from.shape) : [];
    fill({ dtype: type.dtype, shape: size }, (at) => {
      const to = flatIndex(
        at.map((x, axis) => x + start[axis]),
        strides,
      );
      if ('fill' in source) out[to] = elementOf(type.dtype, source.fill);
      else if (from) {
        out[to] =
          from.data[
            flatIndex(
              at.map((x, axis) => x + source.from[axis]),
              fromStrides,
            )
          ];
      }
      return 0;
    });
  }
  return [out];
}

export const pieceRows = {
  pad: {
    name: 'pad',
    summary: 'a constant border: paddings[axis] = [before, after]',
    arity: 1,
    infer([x], attrs) {
      const paddings = pairsAttr(attrs, 'paddings');
      if (paddings.length !== x.shape.length) {
        fail('pad', 'paddings must have one pair for each axis', `got ${paddings.length} for ${show(x)}`);
      }
      if (paddings.flat().some((n) => !Number.isInteger(n) || n < 0)) {
        fail('pad', 'paddings must be non-negative integers', `got ${JSON.stringify(paddings)}`);
      }
      return [{ dtype: x.dtype, shape: x.shape.map((n, axis) => n + paddings[axis][0] + paddings[axis][1]) }];
    },
    gradient: ({ inputs: [x], attrs }, [dy]) => [
      dy &&
        slice(
          dy,
          pairsAttr(attrs, 'paddings').map(([before]) => before),
          x.shape,
        ),
    ],
    evaluate: ([x], attrs, [type]) => evaluatePieces([x], padPieces(attrs, [x.shape], type.shape), type),
    batching: withLeadingEntry({ paddings: () => [0, 0] }),
    lowering: { tag: 'pieces', pieces: padPieces },
    get samples() {
      return [
        { inputs: [f32([])], attrs: { paddings: [], value: 0 } },
        { inputs: [f32([0])], attrs: { paddings: [[1, 2]], value: 3 } },
        { inputs: [f32([7])], attrs: { paddings: [[1, 2]], value: 0.5 } },
        { inputs: [f32([3, 9])], attrs: { paddings: [[0, 1], [2, 0]], value: 0 } }, // biome-ignore format: pairs read best so
        { inputs: [i32([2, 3, 4])], attrs: { paddings: [[1, 1], [0, 0], [2, 3]], value: -1 } }, // biome-ignore format: pairs
        { inputs: [bool([3])], attrs: { paddings: [[1, 1]], value: 1 } },
      ];
    },
  },
  concat: {
    name: 'concat',
    summary: 'one after the other along an axis',
    arity: 'variadic',
    infer(inputs, attrs) {
      if (inputs.length === 0) fail('concat', 'at least one tensor must be given', 'got none');
      const axis = intAttr(attrs, 'axis');
      const [first] = inputs;
      expectSameDType('concat', inputs);
      expectAxis('concat', axis, first.shape.length);
      for (const input of inputs) {
        if (
          input.shape.length === first.shape.length &&
          sameShape(input.shape.with(axis, 0), first.shape.with(axis, 0))
        )
          continue;
        fail('concat', `shapes must agree in every axis but ${axis}`, `got ${inputs.map(show).join(', ')}`);
      }
      const extent = inputs.reduce((sum, input) => sum + input.shape[axis], 0);
      return [{ dtype: first.dtype, shape: first.shape.with(axis, extent) }];
    },
    gradient({ inputs, attrs }, [dy]) {
      const axis = intAttr(attrs, 'axis');
      let at = 0;
      return inputs.map((input) => {
        const begin = input.shape.map(() => 0).with(axis, at);
        at += input.shape[axis];
        return dy && slice(dy, begin, input.shape);
      });
    },
    evaluate: (inputs, attrs, [type]) =>
      evaluatePieces(
        inputs,
        concatPieces(
          attrs,
          inputs.map((x) => x.shape),
          type.shape,
        ),
        type,
      ),
    batching: shiftedAxes('axis'),
    lowering: { tag: 'pieces', pieces: concatPieces },
    get samples() {
      return [
        { inputs: [f32([7])], attrs: { axis: 0 } },
        { inputs: [f32([7]), f32([2])], attrs: { axis: 0 } },
        { inputs: [f32([3, 0]), f32([3, 5]), f32([3, 9])], attrs: { axis: 1 } },
        { inputs: [i32([2, 1, 3]), i32([2, 4, 3])], attrs: { axis: 1 } },
        { inputs: [bool([2, 3]), bool([1, 3])], attrs: { axis: 0 } },
      ];
    },
  },
} satisfies Record<string, OpRow>;
