/** The row that sorts: the places of the elements in order. Sorted values are those at these places, so their gradient is a gather's. */
import { newArray } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { foldedFirst } from './batching.ts';
import type { KernelsContext } from './lowering.ts';
import type { OpRow } from './row.ts';
import { boolAttr, expectDType, expectRank, f32, i32 } from './rule.ts';
import { standsBefore } from './sort-keys.ts';
import { emitNetwork, networkSize } from './sort-network.ts';
import { emitRadix, radixCost } from './sort-radix.ts';

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

export const sortRows = {
  argsort: {
    name: 'argsort',
    summary: 'places along the middle axis of [outer, n, inner] in the order of the elements: stable, NaN last',
    arity: 1,
    infer([x]) {
      expectDType('argsort', x, ['float32', 'int32']);
      expectRank('argsort', x, 3);
      return [{ dtype: 'int32', shape: x.shape }];
    },
    gradient: 'constant',
    batching: foldedFirst(),
    evaluate([x], attrs, [type]) {
      const [outer, n, inner] = x.shape;
      const descending = boolAttr(attrs, 'descending');
      const out = newArray('int32', sizeOf(type.shape));
      for (let o = 0; o < outer; o++) {
        for (let c = 0; c < inner; c++) {
          const at = (i: number) => (o * n + i) * inner + c;
          const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => {
            const [a, b] = [x.data[at(i)], x.data[at(j)]];
            if (standsBefore(a, b, descending)) return -1;
            return standsBefore(b, a, descending) ? 1 : i - j;
          });
          order.forEach((place, i) => {
            out[at(i)] = place;
          });
        }
      }
      return [out];
    },
    lowering: { tag: 'kernels', emit: emitArgsort },
    samples: [
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
    ],
  },
} satisfies Record<string, OpRow>;
