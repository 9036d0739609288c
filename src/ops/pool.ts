/**
 * Rows of pooling over the height and width of NHWC tensors. Gradients are written by residue modulo the stride: an input at
 * h = stride * q + r (counted in the padded input) is covered by the windows q - t, t < taps, at tap r + stride * t. So their
 * output is [batch, Q, stride, P, stride, channels], which the builders reshape and crop, and every map stays affine.
 */
import { fail } from '../base/errors.ts';
import type { Attrs, Value } from '../graph/graph.ts';
import type { Affine } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import type { Reg } from '../kernel/ir.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import { sameShape, sizeOf } from '../types/shape.ts';
import { fill, forEachIndex, reader } from './array.ts';
import { foldedFirst } from './batching.ts';
import { maxPoolBackprop, maxPoolGather, pad, reshape, slice, windowSum, windowSumBackprop } from './build.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Coord, PointContext, WindowLowering } from './lowering.ts';
import type { OpRow, Sample } from './row.ts';
import { expectDType, f32, i32, intsAttr, show } from './rule.ts';
import type { WindowAxis } from './window.ts';
import { checkWindow, expectImage, windowAxes } from './window.ts';

/** Attributes of all pooling rows. */
export interface PoolAttrs {
  readonly [name: string]: readonly number[];
  readonly filter: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
}

export function poolAttrs(attrs: Attrs): PoolAttrs {
  return { filter: intsAttr(attrs, 'filter'), strides: intsAttr(attrs, 'strides'), pads: intsAttr(attrs, 'pads') };
}

function axesOf(attrs: Attrs, input: Shape): readonly [WindowAxis, WindowAxis] {
  const [height, width] = windowAxes(attrs, input, intsAttr(attrs, 'filter'));
  return [height, width];
}

function inferPool(op: string, x: TensorType, attrs: Attrs): TensorType {
  expectImage(op, x, 2);
  const axes = axesOf(attrs, x.shape);
  checkWindow(op, x, axes);
  for (const { before, after, filter } of axes) {
    if (before >= filter || after >= filter) {
      fail(
        op,
        'padding must be smaller than the window',
        `got padding ${before} and ${after} with a window of ${filter}`,
      );
    }
  }
  return { dtype: 'float32', shape: [x.shape[0], axes[0].output, axes[1].output, x.shape[3]] };
}

/** [batch, Q, stride, P, stride, channels] that holds the padded input. */
export function residueShape(attrs: Attrs, input: Shape): number[] {
  const [height, width] = axesOf(attrs, input);
  const blocks = (axis: WindowAxis) => Math.ceil((axis.before + axis.input) / axis.stride);
  return [input[0], blocks(height), height.stride, blocks(width), width.stride, input[3]];
}

// ---- evaluation --------------------------------------------------------------------------------------------------------

/** Calls visit for each element inside of each window. */
function forEachTap(
  attrs: Attrs,
  input: Shape,
  visit: (x: readonly [number, number, number, number], y: readonly number[], position: number, flat: number) => void,
): void {
  const [height, width] = axesOf(attrs, input);
  forEachIndex([input[0], height.output, width.output, input[3]], (at, flat) => {
    for (let i = 0; i < height.filter; i++) {
      const h = at[1] * height.stride + i - height.before;
      if (h < 0 || h >= height.input) continue;
      for (let j = 0; j < width.filter; j++) {
        const w = at[2] * width.stride + j - width.before;
        if (w >= 0 && w < width.input) visit([at[0], h, w, at[3]], at, i * width.filter + j, flat);
      }
    }
  });
}

/** Adds up what `share` gives for each tap, also those in the padding, into the residue layout. */
function evaluateBackprop(
  attrs: Attrs,
  type: TensorType,
  share: (y: readonly number[], position: number) => number,
): Float32Array[] {
  const [height, width] = axesOf(attrs, intsAttr(attrs, 'inputShape'));
  const [batch, q, sh, p, sw, channels] = type.shape;
  const totals = new Float64Array(sizeOf(type.shape));
  forEachIndex([batch, height.output, width.output, channels], (y) => {
    for (let i = 0; i < height.filter; i++) {
      for (let j = 0; j < width.filter; j++) {
        const row = y[1] * sh + i;
        const column = y[2] * sw + j;
        // [n, row / sh, row % sh, column / sw, column % sw, c] has the place of [n, row, column, c].
        if (row >= q * sh || column >= p * sw) continue;
        totals[((y[0] * q * sh + row) * p * sw + column) * channels + y[3]] += share(y, i * width.filter + j);
      }
    }
  });
  return [Float32Array.from(totals)];
}

/** A residue layout as an image that the same windows cover without padding. */
function asImage(dx: Value, attrs: Attrs): readonly [Value, PoolAttrs] {
  const { filter, strides } = poolAttrs(attrs);
  const [height, width] = axesOf(attrs, intsAttr(attrs, 'inputShape'));
  const [batch, q, sh, p, sw, channels] = dx.shape;
  const covered = (axis: WindowAxis) => (axis.output - 1) * axis.stride + axis.filter;
  const [rows, columns] = [covered(height), covered(width)];
  const image = reshape(dx, [batch, q * sh, p * sw, channels]);
  const cropped = slice(image, [0, 0, 0, 0], [batch, Math.min(rows, q * sh), Math.min(columns, p * sw), channels]);
  const after = (axis: 1 | 2, extent: number) => [0, extent - cropped.shape[axis]] as const;
  return [pad(cropped, [[0, 0], after(1, rows), after(2, columns), [0, 0]]), { filter, strides, pads: [0, 0, 0, 0] }];
}

// ---- lowering ----------------------------------------------------------------------------------------------------------

const still = (at: Affine): Coord => ({ at, laneStep: 0 });

/** Visits the taps of the window at output row or column `o` that lie inside of the input. */
function eachTap(
  context: PointContext,
  axis: WindowAxis,
  o: Affine,
  name: string,
  visit: (tap: Affine, at: Affine) => void,
): void {
  const start = shift(times(o, axis.stride), -axis.before);
  const padded = axis.before > 0 || (axis.output - 1) * axis.stride - axis.before + axis.filter > axis.input;
  if (!padded) {
    context.b.each(name, axis.filter, (tap) => visit(tap, plus(start, tap)), axis.filter <= 3);
    return;
  }
  const lo = [constant(0), times(start, -1)];
  const hi = [constant(axis.filter), shift(times(start, -1), axis.input)];
  context.b.loop(name, lo, hi, (v) => visit(variable(v), plus(start, variable(v))));
}

/** Visits the windows that cover the place stride * q + r of the padded input: tap r + stride * t of window q - t. */
function eachCover(
  context: PointContext,
  axis: WindowAxis,
  q: Affine,
  r: Affine,
  name: string,
  visit: (o: Affine, tap: Affine) => void,
): void {
  const taps = Math.ceil(axis.filter / axis.stride);
  const blocks = Math.ceil((axis.before + axis.input) / axis.stride);
  if (taps === 1 && blocks <= axis.output) {
    visit(q, r);
    return;
  }
  const lo = [constant(0), shift(q, 1 - axis.output)];
  const hi = [constant(taps), shift(q, 1)];
  context.b.loop(name, lo, hi, (v) => {
    const t = variable(v);
    visit(plus(q, times(t, -1)), plus(r, times(t, axis.stride)));
  });
}

function emitMaxPool(context: PointContext, at: readonly Coord[]): Reg[] {
  const { b, attrs, inputs } = context;
  const [height, width] = axesOf(attrs, inputs[0].shape);
  const best = b.acc(b.f32(-Infinity));
  const position = b.acc(b.i32(0));
  eachTap(context, height, at[1].at, 'fh', (i, h) => {
    eachTap(context, width, at[2].at, 'fw', (j, w) => {
      const x = context.load(0, [at[0], still(h), still(w), at[3]]);
      const wins = b.compare('gt', x, best);
      b.set(best, b.select(wins, x, best));
      b.set(position, b.select(wins, b.index(plus(times(i, width.filter), j)), position));
    });
  });
  return [best, position];
}

/** Pooling whose windows stand side by side and touch no padding: their elements, and nothing else, make an output. */
function sideBySide(attrs: Attrs, combine: WindowLowering['combine']): WindowLowering | null {
  const { filter, strides, pads } = poolAttrs(attrs);
  const apart = filter.every((size, i) => size === strides[i]) && pads.every((n) => n === 0);
  return apart ? { sizes: [1, filter[0], filter[1], 1], combine } : null;
}

function combineMax(b: KernelBuilder, values: readonly Reg[], wanted: readonly boolean[]): (Reg | null)[] {
  let best = b.f32(-Infinity);
  let position = wanted[1] ? b.i32(0) : null;
  values.forEach((x, tap) => {
    if (position !== null) position = b.select(b.compare('gt', x, best), b.i32(tap), position);
    best = b.binary('max', x, best);
  });
  return [best, position];
}

/** Sums the taps of a window for which `term` gives a register. */
function emitWindowSum(
  context: PointContext,
  at: readonly Coord[],
  term: (x: Reg, position: Affine) => Reg,
  input: Shape,
): Reg[] {
  const { b, attrs } = context;
  const [height, width] = axesOf(attrs, input);
  const total = b.acc(b.f32(0));
  eachTap(context, height, at[1].at, 'fh', (i, h) => {
    eachTap(context, width, at[2].at, 'fw', (j, w) => {
      const x = context.load(0, [at[0], still(h), still(w), at[3]]);
      b.set(total, b.binary('add', total, term(x, plus(times(i, width.filter), j))));
    });
  });
  return [total];
}

/** Sums over the windows that cover a place; `term` gets the window's coordinates and the tap. */
function emitBackprop(
  context: PointContext,
  at: readonly Coord[],
  term: (y: readonly Coord[], position: Reg, inside: Reg | null) => Reg,
): Reg[] {
  const { b, attrs } = context;
  const [height, width] = axesOf(attrs, intsAttr(attrs, 'inputShape'));
  const total = b.acc(b.f32(0));
  const [n, q, r, p, s, c] = at;
  eachCover(context, height, q.at, r.at, 'th', (oh, i) => {
    eachCover(context, width, p.at, s.at, 'tw', (ow, j) => {
      // A tap beyond the window (the stride does not divide it, or exceeds it) takes no part.
      const checks: Reg[] = [];
      for (const [axis, tap] of [
        [height, i],
        [width, j],
      ] as const) {
        if (axis.filter % axis.stride !== 0) checks.push(b.compare('lt', b.index(tap), b.i32(axis.filter)));
      }
      const inside = checks.length === 0 ? null : checks.reduce((x, y) => b.binary('and', x, y));
      const position = b.index(plus(times(i, width.filter), j));
      b.set(total, b.binary('add', total, term([n, still(oh), still(ow), c], position, inside)));
    });
  });
  return [total];
}

// ---- rows --------------------------------------------------------------------------------------------------------------

const cases: readonly (readonly [Shape, PoolAttrs])[] = [
  [[1, 1, 1, 1], { filter: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0] }],
  [[2, 6, 4, 3], { filter: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }],
  [[1, 7, 5, 9], { filter: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }],
  [[1, 7, 7, 8], { filter: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  [[1, 6, 7, 2], { filter: [3, 2], strides: [1, 1], pads: [1, 1, 0, 1] }],
  [[2, 8, 8, 1], { filter: [2, 3], strides: [3, 2], pads: [0, 0, 1, 0] }],
  [[1, 9, 8, 4], { filter: [4, 3], strides: [3, 1], pads: [2, 1, 1, 1] }],
  [[0, 4, 4, 2], { filter: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }],
  [[2, 26, 26, 32], { filter: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }],
];

function samplesOf(make: (x: Shape, y: Shape, attrs: PoolAttrs) => Sample): Sample[] {
  return cases.map(([x, attrs]) => make(x, inferPool('samples', { dtype: 'float32', shape: x }, attrs).shape, attrs));
}

function checkBackprop(op: string, dy: TensorType, attrs: Attrs): TensorType[] {
  const inputShape = intsAttr(attrs, 'inputShape');
  const expected = inferPool(op, { dtype: 'float32', shape: inputShape }, attrs);
  if (!sameShape(dy.shape, expected.shape))
    fail(op, `the gradient must have the pool's shape ${show(expected)}`, `got ${show(dy)}`);
  return [{ dtype: 'float32', shape: residueShape(attrs, inputShape) }];
}

const positions = (window: readonly number[]) => (shape: Shape) => i32(shape, 0, window[0] * window[1]);

export const poolRows = {
  maxPool: {
    name: 'maxPool',
    summary: 'the largest of each window, and its position in the window (row * width + column); padding never wins',
    arity: 1,
    infer([x], attrs) {
      const type = inferPool('maxPool', x, attrs);
      return [type, { dtype: 'int32', shape: type.shape }];
    },
    gradient({ inputs: [x], outputs: [, position], attrs }, [dy]) {
      return [dy && maxPoolBackprop(dy, position, x.shape, poolAttrs(attrs))];
    },
    evaluate([x], attrs, [type]) {
      const at = reader(x);
      const best = fill(type, () => -Infinity);
      const position = fill({ dtype: 'int32', shape: type.shape }, () => 0);
      forEachTap(attrs, x.shape, (from, _y, tap, flat) => {
        const value = at(...from);
        if (!(value > best[flat])) return;
        best[flat] = value;
        position[flat] = tap;
      });
      return [best, position];
    },
    batching: foldedFirst(),
    lowering: { tag: 'point', emit: emitMaxPool, window: (attrs) => sideBySide(attrs, combineMax) },
    samples: samplesOf((x, _y, attrs) => ({ inputs: [f32(x)], attrs })),
  },
  maxPoolBackprop: {
    name: 'maxPoolBackprop',
    summary: 'gradient of maxPool: each gradient goes to its position; output in residue layout',
    arity: 2,
    infer([dy, position], attrs) {
      expectDType('maxPoolBackprop', position, ['int32'], 'the positions');
      return checkBackprop('maxPoolBackprop', dy, attrs);
    },
    gradient({ inputs: [, position], attrs }, [dx]) {
      if (dx === null) return [null, null];
      const [image, window] = asImage(dx, attrs);
      return [maxPoolGather(image, position, window), null];
    },
    evaluate([dy, position], attrs, [type]) {
      const [atY, atPosition] = [reader(dy), reader(position)];
      return evaluateBackprop(attrs, type, (y, tap) => (atPosition(...y) === tap ? atY(...y) : 0));
    },
    batching: foldedFirst('inputShape'),
    lowering: {
      tag: 'point',
      emit: (context, at) =>
        emitBackprop(context, at, (y, position, inside) => {
          const { b } = context;
          const here = b.compare('eq', context.load(1, y), position);
          return b.select(inside === null ? here : b.binary('and', here, inside), context.load(0, y), b.f32(0));
        }),
    },
    samples: samplesOf((x, y, attrs) => ({
      inputs: [f32(y), positions(attrs.filter)(y)],
      attrs: { ...attrs, inputShape: x },
    })),
    tolerance: { absolute: 1e-6, relative: 1e-6 },
  },
  maxPoolGather: {
    name: 'maxPoolGather',
    summary: 'reads each window at a given position: the gradient of maxPoolBackprop',
    arity: 2,
    infer([x, position], attrs) {
      expectDType('maxPoolGather', position, ['int32'], 'the positions');
      return [inferPool('maxPoolGather', x, attrs)];
    },
    gradient({ inputs: [x, position], attrs }, [dy]) {
      return [dy && maxPoolBackprop(dy, position, x.shape, poolAttrs(attrs)), null];
    },
    evaluate([x, position], attrs, [type]) {
      const at = reader(x);
      const out = fill(type, () => 0);
      forEachTap(attrs, x.shape, (from, _y, tap, flat) => {
        if (position.data[flat] === tap) out[flat] = at(...from);
      });
      return [out];
    },
    batching: foldedFirst(),
    lowering: {
      tag: 'point',
      emit(context, at) {
        const { b } = context;
        const position = context.load(1, at);
        const pick = (x: Reg, tap: Affine) => b.select(b.compare('eq', position, b.index(tap)), x, b.f32(0));
        return emitWindowSum(context, at, pick, context.inputs[0].shape);
      },
    },
    samples: samplesOf((x, y, attrs) => ({ inputs: [f32(x), positions(attrs.filter)(y)], attrs })),
  },
  windowSum: {
    name: 'windowSum',
    summary: 'the sum of each window; padding counts as 0',
    arity: 1,
    infer: ([x], attrs) => [inferPool('windowSum', x, attrs)],
    gradient: ({ inputs: [x], attrs }, [dy]) => [dy && windowSumBackprop(dy, x.shape, poolAttrs(attrs))],
    evaluate([x], attrs, [type]) {
      const at = reader(x);
      const totals = new Float64Array(sizeOf(type.shape));
      forEachTap(attrs, x.shape, (from, _y, _tap, flat) => {
        totals[flat] += at(...from);
      });
      return [Float32Array.from(totals)];
    },
    batching: foldedFirst(),
    lowering: { tag: 'point', emit: (context, at) => emitWindowSum(context, at, (x) => x, context.inputs[0].shape) },
    samples: samplesOf((x, _y, attrs) => ({ inputs: [f32(x)], attrs })),
    tolerance: { absolute: 2e-6, relative: 2e-6 },
  },
  windowSumBackprop: {
    name: 'windowSumBackprop',
    summary: 'gradient of windowSum; output in residue layout',
    arity: 1,
    infer: ([dy], attrs) => checkBackprop('windowSumBackprop', dy, attrs),
    gradient: ({ attrs }, [dx]) => [dx && windowSum(...asImage(dx, attrs))],
    evaluate([dy], attrs, [type]) {
      const at = reader(dy);
      return evaluateBackprop(attrs, type, (y) => at(...y));
    },
    batching: foldedFirst('inputShape'),
    lowering: {
      tag: 'point',
      emit: (context, at) =>
        emitBackprop(context, at, (y, _position, inside) => {
          const dy = context.load(0, y);
          return inside === null ? dy : context.b.select(inside, dy, context.b.f32(0));
        }),
    },
    samples: samplesOf((x, y, attrs) => ({ inputs: [f32(y)], attrs: { ...attrs, inputShape: x } })),
    tolerance: { absolute: 2e-6, relative: 2e-6 },
  },
} satisfies Record<string, OpRow>;
