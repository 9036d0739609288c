/** The row that sorts: the places of the elements in order. Sorted values are those at these places, so their gradient is a gather's. */
import { fail } from '../base/errors.ts';
import type { TypedArray } from '../types/dtype.ts';
import { newArray } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { foldedFirst } from './batching.ts';
import type { KernelsContext } from './lowering.ts';
import type { OpRow } from './row.ts';
import { boolAttr, expectDType, expectRank, f32, i32, intAttr, numbers } from './rule.ts';
import { standsBefore } from './sort-keys.ts';
import { emitNetwork, networkSize } from './sort-network.ts';
import { emitRadix, radixCost } from './sort-radix.ts';
import { emitTopk } from './topk-kernels.ts';

/** Lists of this length are kept in the second cache while they are sorted in lanes; builders bring longer ones together. */
export const LONGEST_IN_LANES = 4096;

function emitArgsort(context: KernelsContext): void {
  const [outer, n, inner] = context.outputs[0].shape;
  const descending = boolAttr(context.attrs, 'descending');
  // A radix sort takes one list after the other; eight lanes do eight, filled or not. The choice must not depend on the target.
  const groups = inner > 1 ? outer * Math.ceil(inner / 8) : Math.ceil(outer / 8);
  const inLanes = inner > 1 || (n <= LONGEST_IN_LANES && networkSize(n) * groups <= radixCost(n) * outer);
  if (inLanes) emitNetwork(context, descending);
  else emitRadix(context, descending);
}

/** Places of n elements from `first` on, `stride` apart, in order. */
function orderOf(data: TypedArray, first: number, n: number, stride: number, descending: boolean): number[] {
  return Array.from({ length: n }, (_, i) => i).sort((i, j) => {
    const [a, b] = [data[first + i * stride], data[first + j * stride]];
    if (standsBefore(a, b, descending)) return -1;
    return standsBefore(b, a, descending) ? 1 : i - j;
  });
}

export const sortRows = {
  argsort: {
    name: 'argsort',
    summary: 'places along the middle axis of [outer, n, inner] in the order of the elements: stable, NaN last',
    arity: 1,
    infer([x]) {
      expectDType('argsort', x, numbers);
      expectRank('argsort', x, 3);
      return [{ dtype: 'int32', shape: x.shape }];
    },
    gradient: 'constant',
    small: { outputs: [] },
    batching: foldedFirst(),
    evaluate([x], attrs, [type]) {
      const [outer, n, inner] = x.shape;
      const descending = boolAttr(attrs, 'descending');
      const out = newArray('int32', sizeOf(type.shape));
      for (let o = 0; o < outer; o++) {
        for (let c = 0; c < inner; c++) {
          const first = o * n * inner + c;
          orderOf(x.data, first, n, inner, descending).forEach((place, i) => {
            out[first + i * inner] = place;
          });
        }
      }
      return [out];
    },
    lowering: { tag: 'kernels', emit: emitArgsort },
    get samples() {
      return [
        ...[
          [1, 1, 1],
          [1, 0, 1],
          [2, 3, 0],
          [1, 2, 1],
          [8, 8, 1],
          [9, 13, 1],
          [20, 31, 1],
          [3, 5, 7],
          [2, 17, 19],
          [3, 100, 1],
        ].flatMap((shape, i) => [
          { inputs: [f32(shape)], attrs: { descending: i % 2 === 0 } },
          { inputs: [i32(shape, -3, 4)], attrs: { descending: i % 2 === 1 } },
        ]),
        { inputs: [f32([1, 1500, 1])], attrs: { descending: false } },
        { inputs: [i32([2, 5000, 1], -(2 ** 31), 2 ** 31)], attrs: { descending: false } },
        { inputs: [f32([1, 66000, 1])], attrs: { descending: true } },
      ];
    },
  },
  topkPlaces: {
    name: 'topkPlaces',
    summary: 'places of the attrs.k first of each row [rows, n] in order, for a small k: stable, NaN last',
    arity: 1,
    infer([x], attrs) {
      expectDType('topkPlaces', x, numbers);
      expectRank('topkPlaces', x, 2);
      const k = intAttr(attrs, 'k');
      if (k < 1 || k > x.shape[1]) fail('topkPlaces', `k must be in [1, ${x.shape[1]}]`, `got ${k}`);
      return [{ dtype: 'int32', shape: [x.shape[0], k] }];
    },
    gradient: 'constant',
    small: { outputs: [] },
    batching: foldedFirst(),
    evaluate([x], attrs) {
      const [rows, n] = x.shape;
      const k = intAttr(attrs, 'k');
      const out = newArray('int32', rows * k);
      for (let row = 0; row < rows; row++) {
        const order = orderOf(x.data, row * n, n, 1, boolAttr(attrs, 'descending'));
        out.set(order.slice(0, k), row * k);
      }
      return [out];
    },
    lowering: {
      tag: 'kernels',
      emit: (context) => emitTopk(context, intAttr(context.attrs, 'k'), boolAttr(context.attrs, 'descending')),
    },
    get samples() {
      return [
        { inputs: [f32([1, 1])], attrs: { k: 1, descending: true } },
        { inputs: [f32([0, 3])], attrs: { k: 2, descending: true } },
        { inputs: [f32([5, 33])], attrs: { k: 3, descending: true } },
        { inputs: [i32([3, 130], -3, 4)], attrs: { k: 7, descending: true } },
        { inputs: [i32([3, 70], -3, 4)], attrs: { k: 16, descending: false } },
        { inputs: [i32([2, 9], 2147483647, 2147483648)], attrs: { k: 5, descending: false } },
        { inputs: [f32([2, 20], 0, 0)], attrs: { k: 9, descending: true } },
        { inputs: [f32([1, 66001])], attrs: { k: 4, descending: true } },
      ];
    },
  },
} satisfies Record<string, OpRow>;
