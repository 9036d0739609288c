/** Rows that combine or search along axes. Reduced axes are dropped; keepDims is the builders' reshape. */
import { fail } from '../base/errors.ts';
import { identityOf } from './elements.ts';
import type { Value } from '../graph/graph.ts';
import type { ReduceFn } from '../kernel/ir.ts';
import type { DType } from '../types/dtype.ts';
import { isFloat, newArray } from '../types/dtype.ts';
import type { TensorType } from '../types/shape.ts';
import { sizeOf, stridesOf } from '../types/shape.ts';
import { fill, forEachIndex, flatIndex } from './array.ts';
import { cast, constantLike, div, equal, maximum, mul, prod, select, spreadOver, sum, zerosLike } from './build.ts';
import { shiftedAxes } from './batching.ts';
import { around } from './build-cumulate.ts';
import type { GradientRule, NDArray, OpRow, Sample } from './row.ts';
import { emitSearch } from './search-kernels.ts';
import { bool, expectAxis, expectDType, f32, i32, intAttr, intsAttr, numbers, show } from './rule.ts';

type ReduceKind = 'sum' | 'prod' | 'max' | 'min';

/** Shape and dtype after attrs.axes were dropped. */
function inferReduce(name: string, dtypes: readonly DType[], x: TensorType, axes: readonly number[]): TensorType[] {
  expectDType(name, x, dtypes);
  for (const [i, axis] of axes.entries()) {
    expectAxis(name, axis, x.shape.length);
    if (i > 0 && axis <= axes[i - 1]) fail(name, 'axes must be sorted and distinct', `got ${JSON.stringify(axes)}`);
  }
  return [{ dtype: x.dtype, shape: x.shape.filter((_, axis) => !axes.includes(axis)) }];
}

/** Floats are combined in double precision and rounded once. */
function evaluateReduce(
  x: NDArray,
  axes: readonly number[],
  type: TensorType,
  start: number | bigint,
  combine: (total: number, x: number) => number,
) {
  // Integers wrap at every step.
  const totals = newArray(isFloat(type.dtype) ? 'float64' : type.dtype, sizeOf(type.shape)).fill(start as number);
  const outStrides = stridesOf(type.shape);
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  forEachIndex(x.shape, (at, flat) => {
    const to = flatIndex(
      kept.map((axis) => at[axis]),
      outStrides,
    );
    totals[to] = combine(totals[to], x.data[flat]);
  });
  const out = newArray(type.dtype, totals.length);
  for (let i = 0; i < out.length; i++) out[i] = totals[i];
  return [out];
}

/** dy goes to the places that hold the extremum, shared evenly among ties. */
const extremumGradient: GradientRule = ({ inputs: [x], outputs: [y], attrs }, [dy]) => {
  if (dy === null || !isFloat(x.dtype)) return [null];
  const axes = intsAttr(attrs, 'axes');
  const isBest = equal(x, spreadOver(y, axes, x.shape));
  const found = sum(cast(isBest, x.dtype), axes);
  // None is found where nothing is reduced, or a NaN won.
  const count = maximum(found, constantLike(found, 1));
  return [select(isBest, spreadOver(div(dy, count), axes, x.shape), zerosLike(x))];
};

/**
 * d prod / dx_i is the product of the others: prod / x_i without zeros; with one zero it is the product of the rest at that
 * place, else 0. The second derivative is exact where no factor is 0.
 */
const prodGradient: GradientRule = ({ inputs: [x], attrs }, [dy]) => {
  if (dy === null || !isFloat(x.dtype)) return [null];
  const axes = intsAttr(attrs, 'axes');
  const spread = (v: Value) => spreadOver(v, axes, x.shape);
  const isZero = equal(x, zerosLike(x));
  const filled = select(isZero, constantLike(x, 1), x);
  const rest = prod(filled, axes);
  const zeros = sum(cast(isZero, x.dtype), axes);
  const ifZero = select(equal(zeros, constantLike(zeros, 1)), rest, zerosLike(rest));
  const ifNot = select(equal(zeros, zerosLike(zeros)), rest, zerosLike(rest));
  return [mul(spread(dy), select(isZero, spread(ifZero), div(spread(ifNot), filled)))];
};

/** Of a thousand numbers: small ones, so that a sum's rounding stays below the tolerance, and a product in range. */
function large(low: number, high: number): [number, number] {
  return low > 0 ? [0.999, 1.001] : [low / 100, high / 100];
}

function reduceSamples(dtypes: readonly DType[], low: number, high: number): Sample[] {
  const samples: Sample[] = [
    { inputs: [f32([], low, high)], attrs: { axes: [] } },
    { inputs: [f32([1], low, high)], attrs: { axes: [0] } },
    { inputs: [f32([0], low, high)], attrs: { axes: [0] } },
    { inputs: [f32([2, 0, 3], low, high)], attrs: { axes: [1] } },
    { inputs: [f32([7], low, high)], attrs: { axes: [0] } },
    { inputs: [f32([9], low, high)], attrs: { axes: [0] } },
    { inputs: [f32([33, 17], low, high)], attrs: { axes: [0] } },
    { inputs: [f32([33, 17], low, high)], attrs: { axes: [1] } },
    { inputs: [f32([5, 16], low, high)], attrs: { axes: [0, 1] } },
    { inputs: [f32([2, 3, 4, 5], low, high)], attrs: { axes: [1, 3] } },
    { inputs: [f32([2, 3, 4, 9], low, high)], attrs: { axes: [0, 1, 2] } },
    { inputs: [f32([1100, 1030], ...large(low, high))], attrs: { axes: [0] } },
  ];
  if (dtypes.includes('int32')) {
    samples.push({ inputs: [i32([3, 9], -4, 5)], attrs: { axes: [1] } }, { inputs: [i32([7])], attrs: { axes: [0] } });
  }
  if (dtypes.includes('bool')) {
    samples.push({ inputs: [bool([3, 9])], attrs: { axes: [1] } }, { inputs: [bool([7, 2])], attrs: { axes: [0] } });
  }
  return samples;
}

/** What the reduction of nothing gives: of bool's extrema false or true. */
function startOf(fn: ReduceFn, dtype: DType): number | bigint {
  return dtype === 'bool' ? Number(fn === 'min') : identityOf(fn, dtype);
}

interface ReduceOptions {
  readonly summary: string;
  readonly dtypes: readonly DType[];
  readonly fn: ReduceFn;
  readonly combine: (total: number, x: number) => number;
  /** For int32, where it differs. */
  readonly intCombine?: (total: number, x: number) => number;
  readonly gradient: GradientRule;
  readonly range?: readonly [number, number];
}

function reduction(name: ReduceKind, options: ReduceOptions): OpRow {
  return {
    name,
    summary: options.summary,
    arity: 1,
    infer: ([x], attrs) => inferReduce(name, options.dtypes, x, intsAttr(attrs, 'axes')),
    gradient: options.gradient,
    evaluate: ([x], attrs, [type]) =>
      evaluateReduce(
        x,
        intsAttr(attrs, 'axes'),
        type,
        startOf(options.fn, x.dtype),
        x.dtype === 'int32' ? (options.intCombine ?? options.combine) : options.combine,
      ),
    batching: shiftedAxes('axes'),
    lowering: { tag: 'reduce', fn: options.fn },
    get samples() {
      return reduceSamples(options.dtypes, ...(options.range ?? [-2, 2]));
    },
    tolerance: { absolute: 2e-5, relative: 1e-5 },
  };
}

export const reduceRows = {
  sum: reduction('sum', {
    summary: 'sum over the axes',
    dtypes: numbers,
    fn: 'add',
    combine: (total, x) => total + x,
    gradient: ({ inputs: [x], attrs }, [dy]) => [dy && spreadOver(dy, intsAttr(attrs, 'axes'), x.shape)],
  }),
  prod: reduction('prod', {
    summary: 'product over the axes',
    dtypes: numbers,
    fn: 'mul',
    combine: (total, x) => total * x,
    intCombine: Math.imul,
    gradient: prodGradient,
    range: [0.7, 1.4],
  }),
  max: reduction('max', {
    summary: 'the largest over the axes (of bool: is any true?); NaN where there is one; of nothing the lowest value',
    dtypes: [...numbers, 'bool'],
    fn: 'max',
    combine: (total, x) => (x > total || Number.isNaN(x) ? x : total),
    gradient: extremumGradient,
  }),
  min: reduction('min', {
    summary:
      'the smallest over the axes (of bool: are all true?); NaN where there is one; of nothing the highest value',
    dtypes: [...numbers, 'bool'],
    fn: 'min',
    combine: (total, x) => (x < total || Number.isNaN(x) ? x : total),
    gradient: extremumGradient,
  }),
} satisfies Record<string, OpRow>;

/** Where the best element stands: strictly better wins, so the first of equals, and NaN only at place 0. */
function search(name: 'argMax' | 'argMin', compare: 'gt' | 'lt'): OpRow {
  const better = (a: number, b: number) => (compare === 'gt' ? a > b : a < b);
  return {
    name,
    summary: `index of the ${compare === 'gt' ? 'largest' : 'smallest'} element along an axis, the first of equals`,
    arity: 1,
    infer([x], attrs) {
      expectDType(name, x, numbers);
      const axis = intAttr(attrs, 'axis');
      expectAxis(name, axis, x.shape.length);
      if (x.shape[axis] === 0) fail(name, 'the axis must not be empty', `axis ${axis} of ${show(x)}`);
      return [{ dtype: 'int32', shape: x.shape.filter((_, i) => i !== axis) }];
    },
    gradient: 'constant',
    small: { outputs: [] },
    batching: shiftedAxes('axis'),
    evaluate([x], attrs, [type]) {
      const axis = intAttr(attrs, 'axis');
      const strides = stridesOf(x.shape);
      return [
        fill(type, (at) => {
          const base = flatIndex([...at.slice(0, axis), 0, ...at.slice(axis)], strides);
          let best = 0;
          for (let i = 1; i < x.shape[axis]; i++) {
            if (better(x.data[base + i * strides[axis]], x.data[base + best * strides[axis]])) best = i;
          }
          return best;
        }),
      ];
    },
    lowering: {
      tag: 'kernels',
      emit: (context) => emitSearch(context, compare, around(context.inputs[0].shape, intAttr(context.attrs, 'axis'))),
    },
    get samples() {
      return [
        { inputs: [f32([1])], attrs: { axis: 0 } },
        { inputs: [f32([9])], attrs: { axis: 0 } },
        { inputs: [f32([64, 10])], attrs: { axis: 1 } },
        { inputs: [f32([3, 17])], attrs: { axis: 0 } },
        { inputs: [f32([0, 4])], attrs: { axis: 1 } },
        { inputs: [i32([2, 3, 9], -2, 3)], attrs: { axis: 1 } },
        { inputs: [i32([3, 300], -2, 3)], attrs: { axis: 1 } },
        { inputs: [f32([2, 66000])], attrs: { axis: 1 } },
        { inputs: [i32([40, 150], -2, 3)], attrs: { axis: 0 } },
        { inputs: [f32([2, 5, 3])], attrs: { axis: 1 } },
      ];
    },
  };
}

export const searchRows = { argMax: search('argMax', 'gt'), argMin: search('argMin', 'lt') } satisfies Record<
  string,
  OpRow
>;
