/**
 * Rows of pooling over one to three spatial axes of [batch, ...spatial, channels]. Position means the place of a tap in its
 * window, in row-major order. Every gradient is linear, and its own gradient is another of these rows.
 */
import { fail } from '../base/errors.ts';
import type { Attrs } from '../graph/graph.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Reg } from '../kernel/ir.ts';
import type { TypedArray } from '../types/dtype.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import { sameShape, sizeOf, stridesOf } from '../types/shape.ts';
import { fill, flatIndex, forEachIndex, reader } from './array.ts';
import { foldedFirst } from './batching.ts';
import { maxPoolBackprop, maxPoolGather, windowSum, windowSumBackprop } from './build.ts';
import { constantOf } from './elements.ts';
import type { Lowering, WindowLowering } from './lowering.ts';
import type { CoverEmit, WindowEmit } from './pool-parts.ts';
import { coverParts, windowParts } from './pool-parts.ts';
import type { OpRow, Sample } from './row.ts';
import { expectDType, f32, i32, intsAttr, show } from './rule.ts';
import type { WindowAxis } from './window.ts';
import { checkWindow, expectImage, windowAxes } from './window.ts';

/** Attributes of all pooling rows: by spatial axis; pads [before, after] for each in one list. */
export interface PoolAttrs {
  readonly [name: string]: readonly number[];
  readonly filter: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
}

export function poolAttrs(attrs: Attrs): PoolAttrs {
  return { filter: intsAttr(attrs, 'filter'), strides: intsAttr(attrs, 'strides'), pads: intsAttr(attrs, 'pads') };
}

function axesOf(attrs: Attrs, input: Shape): readonly WindowAxis[] {
  return windowAxes(attrs, input, intsAttr(attrs, 'filter'));
}

function inferPool(op: string, x: TensorType, attrs: Attrs): TensorType {
  const axes = axesOf(attrs, x.shape);
  expectImage(op, x, axes.length);
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
  return { dtype: x.dtype, shape: [x.shape[0], ...axes.map((axis) => axis.output), x.shape[axes.length + 1]] };
}

// ---- evaluation --------------------------------------------------------------------------------------------------------

/** Calls visit for each element inside of each window: coordinates in the input, of the window, its position, flat index of y. */
function forEachTap(
  attrs: Attrs,
  input: Shape,
  visit: (x: readonly number[], y: readonly number[], position: number, flat: number) => void,
): void {
  const axes = axesOf(attrs, input);
  const rank = axes.length;
  const x = new Array<number>(rank + 2).fill(0);
  forEachIndex([input[0], ...axes.map((axis) => axis.output), input[rank + 1]], (y, flat) => {
    x[0] = y[0];
    x[rank + 1] = y[rank + 1];
    forEachIndex(
      axes.map((axis) => axis.filter),
      (tap, position) => {
        for (let i = 0; i < rank; i++) {
          x[i + 1] = y[i + 1] * axes[i].stride + tap[i] - axes[i].before;
          if (x[i + 1] < 0 || x[i + 1] >= axes[i].input) return;
        }
        visit(x, y, position, flat);
      },
    );
  });
}

/** Adds up what `share` gives for each tap into the input. */
function evaluateBackprop(
  attrs: Attrs,
  type: TensorType,
  share: (y: readonly number[], position: number) => number,
): TypedArray[] {
  const strides = stridesOf(type.shape);
  const totals = new Float64Array(sizeOf(type.shape));
  forEachTap(attrs, type.shape, (x, y, position) => {
    totals[flatIndex(x, strides)] += share(y, position);
  });
  return [rounded(type, totals)];
}

/** Sums in double precision as elements of the output. */
function rounded({ dtype }: TensorType, totals: Float64Array): TypedArray {
  return dtype === 'float64' ? totals : Float32Array.from(totals);
}

// ---- lowering ----------------------------------------------------------------------------------------------------------

function overWindows(emit: WindowEmit): Extract<Lowering, { tag: 'point'; emit?: undefined }> {
  return {
    tag: 'point',
    parts: (attrs, [x]) => windowParts(axesOf(attrs, x), x[0], x[x.length - 1], emit),
  };
}

function overCovers(emit: CoverEmit): Lowering {
  return {
    tag: 'point',
    parts: (attrs, _inputs, x) => coverParts(axesOf(attrs, x), x[0], x[x.length - 1], emit),
  };
}

/** Pooling whose windows stand side by side and touch no padding: their elements, and nothing else, make an output. */
function sideBySide(attrs: Attrs, combine: WindowLowering['combine']): WindowLowering | null {
  const { filter, strides, pads } = poolAttrs(attrs);
  const apart = filter.every((size, i) => size === strides[i]) && pads.every((n) => n === 0);
  return apart ? { sizes: [1, ...filter, 1], combine } : null;
}

function combineMax(b: KernelBuilder, values: readonly Reg[], wanted: readonly boolean[]): (Reg | null)[] {
  let best = b.like(values[0], -Infinity);
  let position = wanted[1] ? b.i32(0) : null;
  values.forEach((x, tap) => {
    if (position !== null) position = b.select(b.compare('gt', x, best), b.i32(tap), position);
    best = b.binary('max', x, best);
  });
  return [best, position];
}

const emitMax: WindowEmit = (context, _at, eachTap) => {
  const { b } = context;
  const best = b.acc(constantOf(b, context.inputs[0].dtype, -Infinity));
  const position = b.acc(b.i32(0));
  eachTap((tap, at) => {
    const x = context.load(0, at);
    b.set(position, b.select(b.compare('gt', x, best), b.index(tap), position));
    b.set(best, b.binary('max', x, best));
  });
  return [best, position];
};

const emitGather: WindowEmit = (context, at, eachTap) => {
  const { b } = context;
  const position = context.load(1, at);
  const found = b.acc(constantOf(b, context.inputs[0].dtype, 0));
  eachTap((tap, place) =>
    b.set(found, b.select(b.compare('eq', position, b.index(tap)), context.load(0, place), found)),
  );
  return [found];
};

const emitSum: WindowEmit = (context, _at, eachTap) => {
  const total = context.b.acc(constantOf(context.b, context.inputs[0].dtype, 0));
  eachTap((_tap, at) => context.b.set(total, context.b.binary('add', total, context.load(0, at))));
  return [total];
};

const emitSumBackprop: CoverEmit = (context, _at, eachCover) => {
  const total = context.b.acc(constantOf(context.b, context.inputs[0].dtype, 0));
  eachCover((y) => context.b.set(total, context.b.binary('add', total, context.load(0, y))));
  return [total];
};

const emitMaxBackprop: CoverEmit = (context, _at, eachCover) => {
  const { b } = context;
  const zero = constantOf(b, context.inputs[0].dtype, 0);
  const total = b.acc(zero);
  eachCover((y, tap) => {
    const here = b.compare('eq', context.load(1, y), b.index(tap));
    b.set(total, b.binary('add', total, b.select(here, context.load(0, y), zero)));
  });
  return [total];
};

// ---- rows --------------------------------------------------------------------------------------------------------------

const apart = { filter: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] };

const cases: readonly (readonly [Shape, PoolAttrs])[] = [
  [[1, 1, 1, 1], { filter: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0] }],
  [[2, 6, 4, 3], apart],
  [[1, 7, 5, 9], apart],
  [[1, 7, 7, 8], { filter: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  [[1, 6, 7, 2], { filter: [3, 2], strides: [1, 1], pads: [1, 1, 0, 1] }],
  [[2, 8, 8, 1], { filter: [2, 3], strides: [3, 2], pads: [0, 0, 1, 0] }],
  [[1, 9, 8, 4], { filter: [4, 3], strides: [3, 1], pads: [2, 1, 1, 1] }],
  [[0, 4, 4, 2], apart],
  [[2, 26, 26, 32], apart],
  // strides that are looped over, also beyond the window; windows that are mostly padding; rows that no window covers
  [[1, 13, 11, 9], { filter: [5, 6], strides: [4, 5], pads: [1, 2, 3, 0] }],
  [[1, 11, 10, 5], { filter: [2, 1], strides: [4, 3], pads: [0, 0, 0, 0] }],
  [[1, 3, 2, 8], { filter: [5, 7], strides: [1, 1], pads: [4, 4, 6, 6] }],
  [[1, 14, 15, 3], { filter: [7, 7], strides: [7, 7], pads: [0, 0, 0, 0] }],
  // one and three axes
  [[2, 9, 5], { filter: [3], strides: [2], pads: [1, 1] }],
  [[1, 12, 8], { filter: [5], strides: [1], pads: [2, 2] }],
  [[1, 4, 6, 5, 3], { filter: [2, 2, 2], strides: [2, 2, 2], pads: [0, 0, 0, 0, 0, 0] }],
  [[1, 5, 4, 6, 8], { filter: [3, 3, 3], strides: [1, 2, 2], pads: [1, 1, 1, 1, 1, 0] }],
];

function samplesOf(make: (x: Shape, y: Shape, attrs: PoolAttrs) => Sample): Sample[] {
  return cases.map(([x, attrs]) => make(x, inferPool('samples', { dtype: 'float32', shape: x }, attrs).shape, attrs));
}

function checkBackprop(op: string, dy: TensorType, attrs: Attrs): TensorType[] {
  const inputShape = intsAttr(attrs, 'inputShape');
  const expected = inferPool(op, { dtype: dy.dtype, shape: inputShape }, attrs);
  if (!sameShape(dy.shape, expected.shape))
    fail(op, `the gradient must have the pool's shape ${show(expected)}`, `got ${show(dy)}`);
  return [{ dtype: dy.dtype, shape: inputShape }];
}

const positions = (window: readonly number[]) => (shape: Shape) =>
  i32(
    shape,
    0,
    window.reduce((a, b) => a * b, 1),
  );

/** Sums of a few dozen terms up to 2, in another order than the reference's. */
const sums = { absolute: 4e-6, relative: 2e-6 };

export const poolRows = {
  maxPool: {
    name: 'maxPool',
    summary: 'the largest of each window, and its position in the window (row-major); padding never wins',
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
    lowering: { ...overWindows(emitMax), window: (attrs) => sideBySide(attrs, combineMax) },
    get samples() {
      return samplesOf((x, _y, attrs) => ({ inputs: [f32(x)], attrs }));
    },
  },
  maxPoolBackprop: {
    name: 'maxPoolBackprop',
    summary: 'gradient of maxPool: each gradient goes to its position',
    arity: 2,
    infer([dy, position], attrs) {
      expectDType('maxPoolBackprop', position, ['int32'], 'the positions');
      return checkBackprop('maxPoolBackprop', dy, attrs);
    },
    gradient({ inputs: [, position], attrs }, [dx]) {
      return [dx && maxPoolGather(dx, position, poolAttrs(attrs)), null];
    },
    evaluate([dy, position], attrs, [type]) {
      const [atY, atPosition] = [reader(dy), reader(position)];
      return evaluateBackprop(attrs, type, (y, tap) => (atPosition(...y) === tap ? atY(...y) : 0));
    },
    batching: foldedFirst('inputShape'),
    lowering: overCovers(emitMaxBackprop),
    get samples() {
      return samplesOf((x, y, attrs) => ({
        inputs: [f32(y), positions(attrs.filter)(y)],
        attrs: { ...attrs, inputShape: x },
      }));
    },
    tolerance: sums,
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
    lowering: overWindows(emitGather),
    get samples() {
      return samplesOf((x, y, attrs) => ({ inputs: [f32(x), positions(attrs.filter)(y)], attrs }));
    },
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
      return [rounded(type, totals)];
    },
    batching: foldedFirst(),
    lowering: overWindows(emitSum),
    get samples() {
      return samplesOf((x, _y, attrs) => ({ inputs: [f32(x)], attrs }));
    },
    tolerance: sums,
  },
  windowSumBackprop: {
    name: 'windowSumBackprop',
    summary: 'gradient of windowSum',
    arity: 1,
    infer: ([dy], attrs) => checkBackprop('windowSumBackprop', dy, attrs),
    gradient: ({ attrs }, [dx]) => [dx && windowSum(dx, poolAttrs(attrs))],
    evaluate([dy], attrs, [type]) {
      const at = reader(dy);
      return evaluateBackprop(attrs, type, (y) => at(...y));
    },
    batching: foldedFirst('inputShape'),
    lowering: overCovers(emitSumBackprop),
    get samples() {
      return samplesOf((x, y, attrs) => ({ inputs: [f32(y)], attrs: { ...attrs, inputShape: x } }));
    },
    tolerance: sums,
  },
} satisfies Record<string, OpRow>;
