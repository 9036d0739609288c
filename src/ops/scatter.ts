/** Rows that write at places that come from data: the builders reshape to [batch, outer, n, inner] with indices [batch, k]. */
import { fail } from '../base/errors.ts';
import type { Attrs, Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { isFloat, newArray } from '../types/dtype.ts';
import type { TensorType } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';
import { foldedFirst } from './batching.ts';
import {
  add,
  broadcastTo,
  cast,
  constant,
  constantLike,
  div,
  equal,
  gatherAt,
  iota,
  mul,
  onesLike,
  reshape,
  scatter,
  scatterAdd,
  select,
  zerosLike,
} from './build.ts';
import { checkIndices, forEachMove, labelOf } from './places.ts';
import type { OpRow, Sample } from './row.ts';
import { expectDType, expectRank, expectSameDType, f32, i32, intAttr, numbers, show } from './rule.ts';
import { emitScatter, type ScatterMode } from './scatter-kernels.ts';

function checkUpdates(op: string, indices: TensorType, updates: TensorType): void {
  expectRank(op, updates, 4, 'the updates [batch, outer, k, inner]');
  checkIndices(op, indices, updates.shape[0]);
  if (indices.shape[1] === updates.shape[2]) return;
  fail(op, 'there must be one index for each row of updates', `got ${show(indices)}, ${show(updates)}`);
}

function modeOf(attrs: Attrs): Exclude<ScatterMode, 'add'> {
  return attrs.mode as Exclude<ScatterMode, 'add'>;
}

const combineOf: { readonly [M in Exclude<ScatterMode, 'add'>]: (old: number, x: number) => number } = {
  update: (_old, x) => x,
  max: (old, x) => (Number.isNaN(old) || old > x ? old : x),
  min: (old, x) => (Number.isNaN(old) || old < x ? old : x),
  mul: (old, x) => old * x,
};

/** The definition adds floats up in double precision; integers wrap at every step. */
function totalsOf(dtype: DType): DType {
  return isFloat(dtype) ? 'float64' : dtype;
}

/** Whether each update is the last one at its place: what `update` keeps. [batch, outer, k, inner] of bool. */
function isLast(base: Value, indices: Value, updates: Value): Value {
  const [batch, , n] = base.shape;
  const k = indices.shape[1];
  const order = broadcastTo(reshape(iota([k]), [1, 1, k, 1]), [batch, 1, k, 1]);
  const last = scatter(constant(-1, 'int32', [batch, 1, n, 1]), indices, order, 'update');
  return broadcastTo(equal(gatherAt(last, indices), order), updates.shape);
}

/** The extremum's gradient is shared evenly by all that are equal to it, the base's element included. */
function extremumGradient(base: Value, indices: Value, updates: Value, y: Value, dy: Value): [Value, Value] {
  const ownBase = equal(base, y);
  const own = equal(updates, gatherAt(y, indices));
  const count = add(cast(ownBase, y.dtype), scatterAdd(indices, cast(own, y.dtype), y.shape[2]));
  const share = div(dy, count);
  return [select(ownBase, share, zerosLike(base)), select(own, gatherAt(share, indices), zerosLike(updates))];
}

/** The product of all other factors at each factor: without dividing by a zero. */
function productGradient(base: Value, indices: Value, updates: Value, dy: Value): [Value, Value] {
  const n = base.shape[2];
  const isZero = (x: Value) => equal(x, zerosLike(x));
  const filled = (x: Value) => select(isZero(x), onesLike(x), x);
  const zeros = add(cast(isZero(base), base.dtype), scatterAdd(indices, cast(isZero(updates), base.dtype), n));
  const rest = scatter(filled(base), indices, filled(updates), 'mul');
  const none = zerosLike(rest);
  const ifZero = mul(dy, select(equal(zeros, constantLike(zeros, 1)), rest, none));
  const ifNot = mul(dy, select(equal(zeros, none), rest, none));
  const at = (x: Value, zero: Value, other: Value) => select(isZero(x), zero, div(other, filled(x)));
  return [at(base, ifZero, ifNot), at(updates, gatherAt(ifZero, indices), gatherAt(ifNot, indices))];
}

function scatterSamples(): Sample[] {
  const samples: Sample[] = [];
  for (const mode of ['update', 'max', 'min', 'mul']) {
    const low = mode === 'mul' ? 0.5 : -2;
    samples.push(
      { inputs: [f32([1, 1, 3, 1], low), i32([1, 9], 0, 3), f32([1, 1, 9, 1], low)], attrs: { mode } },
      { inputs: [f32([1, 2, 5, 40], low), i32([1, 7], 0, 5), f32([1, 2, 7, 40], low)], attrs: { mode } },
      { inputs: [f32([3, 2, 4, 9], low), i32([3, 5], 0, 4), f32([3, 2, 5, 9], low)], attrs: { mode } },
      { inputs: [f32([1, 2, 4, 3], low), i32([1, 0], 0, 4), f32([1, 2, 0, 3], low)], attrs: { mode } },
      { inputs: [i32([1, 1, 5, 8]), i32([1, 6], 0, 5), i32([1, 1, 6, 8])], attrs: { mode } },
    );
  }
  for (const mode of ['max', 'min', 'mul']) {
    const range = mode === 'mul' ? ([0.999, 1.001] as const) : ([-2, 2] as const);
    samples.push({
      inputs: [f32([1, 1, 3, 3], ...range), i32([1, 17000], 0, 3), f32([1, 1, 17000, 3], ...range)],
      attrs: { mode },
    });
  }
  return samples;
}

export const scatterRows = {
  scatterAdd: {
    name: 'scatterAdd',
    summary: 'adds updates [batch, outer, k, inner] into zeros [batch, outer, n, inner] at indices [batch, k]',
    arity: 2,
    infer([indices, updates], attrs) {
      expectDType('scatterAdd', updates, numbers, 'the updates');
      checkUpdates('scatterAdd', indices, updates);
      return [{ dtype: updates.dtype, shape: updates.shape.with(2, intAttr(attrs, 'rows')) }];
    },
    gradient: ({ inputs: [indices] }, [dx]) => [null, dx && gatherAt(dx, indices)],
    small: { inputs: [1] },
    batching: foldedFirst(),
    evaluate([indices, updates], attrs, [type]) {
      const totals = newArray(totalsOf(type.dtype), sizeOf(type.shape));
      forEachMove(labelOf(attrs, 'scatterAdd'), indices, type.shape, (from, to) => {
        totals[to] += updates.data[from];
      });
      return [newArray(type.dtype, totals.length).map((_, i) => totals[i])];
    },
    lowering: {
      tag: 'kernels',
      emit: (context) => emitScatter(context, { mode: 'add', base: null, indices: 0, updates: 1 }),
    },
    get samples() {
      return [
        { inputs: [i32([1, 1], 0, 1), f32([1, 1, 1, 1])], attrs: { rows: 1 } },
        { inputs: [i32([1, 9], 0, 3), f32([1, 1, 9, 1])], attrs: { rows: 3 } },
        { inputs: [i32([1, 7], 0, 5), f32([1, 1, 7, 17])], attrs: { rows: 5 } },
        { inputs: [i32([1, 9], 0, 5), f32([1, 2, 9, 150])], attrs: { rows: 5 } },
        { inputs: [i32([2, 5], 0, 4), f32([2, 3, 5, 9])], attrs: { rows: 4 } },
        { inputs: [i32([1, 0], 0, 4), f32([1, 2, 0, 3])], attrs: { rows: 4 } },
        { inputs: [i32([1, 6], 0, 5), i32([1, 2, 6, 8])], attrs: { rows: 5 } },
        { inputs: [i32([1, 16400], 0, 9), i32([1, 1, 16400, 1])], attrs: { rows: 9 } },
        { inputs: [i32([1, 16390], 0, 5), f32([1, 2, 16390, 3], -0.1, 0.1)], attrs: { rows: 5 } },
      ];
    },
    tolerance: { absolute: 1e-4, relative: 1e-5 },
  },
  scatter: {
    name: 'scatter',
    summary:
      'combines updates [batch, outer, k, inner] into a copy of [batch, outer, n, inner] at indices [batch, k], in order: update, max, min, mul',
    arity: 3,
    infer([base, indices, updates], attrs) {
      const anyDType = modeOf(attrs) === 'update';
      expectDType('scatter', base, anyDType ? [...numbers, 'bool'] : numbers);
      expectRank('scatter', base, 4, 'the input [batch, outer, n, inner]');
      expectSameDType('scatter', [base, updates]);
      checkUpdates('scatter', indices, updates);
      if ([0, 1, 3].some((axis) => base.shape[axis] !== updates.shape[axis])) {
        fail('scatter', 'input and updates must agree but for axis 2', `got ${show(base)} and ${show(updates)}`);
      }
      return [{ dtype: base.dtype, shape: base.shape }];
    },
    gradient({ inputs: [base, indices, updates], outputs: [y], attrs }, [dy]) {
      if (dy === null || !isFloat(base.dtype)) return [null, null, null];
      const mode = modeOf(attrs);
      if (mode === 'update') {
        const gone = scatter(dy, indices, zerosLike(updates), 'update');
        const own = select(isLast(base, indices, updates), gatherAt(dy, indices), zerosLike(updates));
        return [gone, null, own];
      }
      const [dBase, dUpdates] =
        mode === 'mul' ? productGradient(base, indices, updates, dy) : extremumGradient(base, indices, updates, y, dy);
      return [dBase, null, dUpdates];
    },
    small: { inputs: [0, 2] },
    batching: foldedFirst(),
    evaluate([base, indices, updates], attrs, [type]) {
      const combine = combineOf[modeOf(attrs)];
      const wrap = type.dtype === 'int32' && modeOf(attrs) === 'mul' ? Math.imul : combine;
      const totals = newArray(totalsOf(type.dtype), base.data.length);
      totals.set(base.data);
      forEachMove(labelOf(attrs, 'scatter'), indices, type.shape, (from, to) => {
        totals[to] = wrap(totals[to], updates.data[from]);
      });
      return [newArray(type.dtype, totals.length).map((_, i) => totals[i])];
    },
    lowering: {
      tag: 'kernels',
      emit: (context) => emitScatter(context, { mode: modeOf(context.attrs), base: 0, indices: 1, updates: 2 }),
    },
    get samples() {
      return scatterSamples();
    },
    tolerance: { absolute: 1e-5, relative: 1e-4 },
  },
} satisfies Record<string, OpRow>;
