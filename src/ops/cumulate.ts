/**
 * Rows that run along an axis: running totals, and the linear recurrence that their gradients are made of. All work on
 * [outer, n, inner] along n; the builders reshape to that.
 */
import type { Attrs, Value } from '../graph/graph.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { ReduceFn, Reg } from '../kernel/ir.ts';
import { isFloat, newArray } from '../types/dtype.ts';
import type { DType } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { foldedFirst } from './batching.ts';
import { concat, cumulate, linearScan, mul, runningPlaces, scatterAlong, slice, zerosLike } from './build.ts';
import { constantOf, elemOf, identityOf, isFloatRegister } from './elements.ts';
import type { NDArray, OpRow, Sample } from './row.ts';
import {
  boolAttr,
  expectDType,
  expectRank,
  expectSameDType,
  expectSameShape,
  f32,
  floats,
  i32,
  numbers,
} from './rule.ts';
import { emitScan, type ScanStep } from './scan-kernels.ts';

export type CumulateFn = ReduceFn;

const combineOf: { readonly [F in CumulateFn]: (total: number, x: number) => number } = {
  add: (total, x) => total + x,
  mul: (total, x) => total * x,
  max: (total, x) => (Number.isNaN(total) || total > x ? total : x),
  min: (total, x) => (Number.isNaN(total) || total < x ? total : x),
};

/** A NaN stays: max and min choose their second operand where they cannot order. */
function combine(b: KernelBuilder, fn: CumulateFn, carry: Reg, x: Reg): Reg {
  const result = b.binary(fn, carry, x);
  if ((fn !== 'max' && fn !== 'min') || !isFloatRegister(b.typeOf(x))) return result;
  return b.select(b.compare('ne', carry, carry), carry, result);
}

/** Visits each walk of the axis: flat places, first to last in the direction of the walk. */
function eachWalk({ shape }: NDArray, reverse: boolean, visit: (places: number[]) => void): void {
  const [outer, n, inner] = shape;
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < inner; c++) {
      const places = Array.from({ length: n }, (_, i) => (o * n + i) * inner + c);
      visit(reverse ? places.reverse() : places);
    }
  }
}

function fnOf(attrs: Attrs): CumulateFn {
  return attrs.fn as CumulateFn;
}

/** x one place later in the walk; what comes in is 0. */
function delayed(x: Value, reverse: boolean): Value {
  const [outer, n, inner] = x.shape;
  const edge = slice(zerosLike(x), [0, 0, 0], [outer, Math.min(1, n), inner]);
  const rest = slice(x, [0, reverse ? Math.min(1, n) : 0, 0], [outer, Math.max(0, n - 1), inner]);
  return concat(reverse ? [rest, edge] : [edge, rest], 1);
}

/**
 * With y_i = x_i y_(i-1), the adjoint of y is g_i = dy_i + x_(i+1) g_(i+1), a linear recurrence backwards, and dx_i = g_i y_(i-1):
 * nothing is divided by, so zeros do no harm. Exclusive: y_(i+1) = x_i y_i, so g_i = dy_i + x_i g_(i+1) and dx_i = y_i g_(i+1).
 */
function productGradient(x: Value, y: Value, dy: Value, exclusive: boolean, reverse: boolean): Value {
  if (exclusive) {
    const g = linearScan(x, dy, !reverse);
    return mul(y, delayed(g, !reverse));
  }
  const g = linearScan(delayed(x, !reverse), dy, !reverse);
  return mul(g, cumulate(x, 'mul', true, reverse));
}

function stepOf(attrs: Attrs, dtype: DType): ScanStep {
  const fn = fnOf(attrs);
  const start = (b: KernelBuilder) => constantOf(b, dtype, identityOf(fn, dtype));
  return {
    elem: elemOf(dtype),
    inputs: 1,
    start,
    next: (b, carry, [x]) => combine(b, fn, carry, x),
    exclusive: boolAttr(attrs, 'exclusive'),
    reverse: boolAttr(attrs, 'reverse'),
    effect: {
      size: 1,
      start: (b) => [start(b)],
      next: (b, [total], [x]) => [combine(b, fn, total, x)],
      apply: (b, [total], carry) => combine(b, fn, carry, total),
    },
  };
}

const shapes: readonly (readonly number[])[] = [
  [1, 1, 1],
  [1, 0, 1],
  [2, 3, 0],
  [1, 17, 1],
  [8, 8, 1],
  [9, 21, 1],
  [19, 16, 1],
  [3, 5, 7],
  [2, 6, 33],
  [1, 9000, 1],
  [2, 8195, 1],
];

function cumulateSamples(): Sample[] {
  const samples: Sample[] = [];
  for (const [i, shape] of shapes.entries()) {
    for (const [k, fn] of (['add', 'mul', 'max', 'min'] as const).entries()) {
      const flags = { exclusive: (i + k) % 2 === 1, reverse: (i + 2 * k) % 3 === 1 };
      const long = shape[1] > 1000;
      const [low, high] = fn === 'mul' ? (long ? [0.999, 1.001] : [0.6, 1.5]) : long ? [-0.1, 0.1] : [-2, 2];
      // An exclusive extremum begins with an infinity, of which no difference can be taken.
      const exclusive = flags.exclusive && (fn === 'add' || fn === 'mul');
      samples.push({ inputs: [f32(shape, low, high)], attrs: { fn, ...flags, exclusive } });
    }
  }
  for (const fn of ['add', 'mul', 'max', 'min']) {
    samples.push({ inputs: [i32([2, 9, 1], -4, 5)], attrs: { fn, exclusive: true, reverse: false } });
    samples.push({ inputs: [i32([1, 9, 11], -4, 5)], attrs: { fn, exclusive: true, reverse: true } });
  }
  return samples;
}

export const cumulateRows = {
  cumulate: {
    name: 'cumulate',
    summary: 'running sum, product, maximum or minimum along the middle axis of [outer, n, inner]; a NaN stays',
    arity: 1,
    infer([x]) {
      expectDType('cumulate', x, numbers);
      expectRank('cumulate', x, 3);
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    gradient({ inputs: [x], outputs: [y], attrs }, [dy]) {
      if (dy === null || !isFloat(x.dtype)) return [null];
      const fn = fnOf(attrs);
      const exclusive = boolAttr(attrs, 'exclusive');
      const reverse = boolAttr(attrs, 'reverse');
      if (fn === 'add') return [cumulate(dy, 'add', exclusive, !reverse)];
      if (fn === 'mul') return [productGradient(x, y, dy, exclusive, reverse)];
      // Exclusive: the value of place i is that of place i - 1.
      const own = exclusive ? delayed(dy, !reverse) : dy;
      return [scatterAlong(runningPlaces(x, fn, reverse), own, x.shape[1])];
    },
    batching: foldedFirst(),
    evaluate([x], attrs, [type]) {
      const fn = fnOf(attrs);
      const out = newArray(type.dtype, sizeOf(type.shape));
      const step = fn === 'mul' && x.dtype === 'int32' ? Math.imul : combineOf[fn];
      // Floats are combined in double precision; integers wrap at every step.
      const total = newArray(isFloat(x.dtype) ? 'float64' : x.dtype, 1);
      eachWalk(x, boolAttr(attrs, 'reverse'), (places) => {
        total[0] = identityOf(fn, x.dtype) as number;
        for (const at of places) {
          if (boolAttr(attrs, 'exclusive')) out[at] = total[0];
          total[0] = step(total[0], x.data[at]);
          if (!boolAttr(attrs, 'exclusive')) out[at] = total[0];
        }
      });
      return [out];
    },
    lowering: { tag: 'kernels', emit: (context) => emitScan(context, stepOf(context.attrs, context.inputs[0].dtype)) },
    get samples() {
      return cumulateSamples();
    },
    tolerance: { absolute: 2e-5, relative: 2e-5 },
  },
  linearScan: {
    name: 'linearScan',
    summary: 'h_i = a_i h_(i-1) + b_i along the middle axis of [outer, n, inner], from 0',
    arity: 2,
    infer([a, b]) {
      expectDType('linearScan', a, floats, 'the factors');
      expectRank('linearScan', a, 3, 'the factors');
      expectSameShape('linearScan', [a, b]);
      expectSameDType('linearScan', [a, b]);
      return [{ dtype: a.dtype, shape: a.shape }];
    },
    // g_i = dh_i + a_(i+1) g_(i+1) backwards; db = g, da_i = g_i h_(i-1).
    gradient({ inputs: [a], outputs: [h], attrs }, [dh]) {
      if (dh === null) return [null, null];
      const reverse = boolAttr(attrs, 'reverse');
      const g = linearScan(delayed(a, !reverse), dh, !reverse);
      return [mul(g, delayed(h, reverse)), g];
    },
    batching: foldedFirst(),
    evaluate([a, b], attrs, [type]) {
      const out = newArray(type.dtype, sizeOf(type.shape));
      eachWalk(a, boolAttr(attrs, 'reverse'), (places) => {
        let h = 0;
        for (const at of places) {
          h = a.data[at] * h + b.data[at];
          out[at] = h;
        }
      });
      return [out];
    },
    lowering: {
      tag: 'kernels',
      emit: (context) => {
        const { dtype } = context.inputs[0];
        emitScan(context, {
          elem: elemOf(dtype),
          inputs: 2,
          start: (b) => constantOf(b, dtype, 0),
          next: (b, h, [a, x]) => b.fma(a, h, x),
          exclusive: false,
          reverse: boolAttr(context.attrs, 'reverse'),
          effect: {
            size: 2,
            start: (b) => [constantOf(b, dtype, 1), constantOf(b, dtype, 0)],
            next: (b, [factor, h], [a, x]) => [b.binary('mul', factor, a), b.fma(a, h, x)],
            apply: (b, [factor, h], carry) => b.fma(factor, carry, h),
          },
        });
      },
    },
    get samples() {
      return shapes.map((shape, i) => ({
        inputs: [f32(shape, -1, 1), f32(shape)],
        attrs: { reverse: i % 2 === 1 },
      }));
    },
    tolerance: { absolute: 2e-5, relative: 2e-5 },
  },
} satisfies Record<string, OpRow>;
