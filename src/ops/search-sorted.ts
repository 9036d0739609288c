/** The row that finds places in sorted lists, by halving. */
import { fail } from '../base/errors.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import { newArray } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { foldedFirst } from './batching.ts';
import { isFloatRegister } from './elements.ts';
import type { KernelsContext } from './lowering.ts';
import type { OpRow } from './row.ts';
import { boolAttr, expectDType, expectRank, expectSameDType, f32, i32, numbers, show } from './rule.ts';
import { standsBefore } from './sort-keys.ts';

/** Searches that are under way at once: each waits for memory at every step. */
const SIDE_BY_SIDE = 4;
const CHUNK = 1024;

/** Whether element x stands before the place of v: x < v, or x <= v from the right. NaN counts as the largest. */
function isBefore(b: KernelBuilder, x: Reg, v: Reg, right: boolean): Reg {
  if (!isFloatRegister(b.typeOf(x))) return b.compare(right ? 'le' : 'lt', x, v);
  const isNaN = (reg: Reg) => b.compare('ne', reg, reg);
  if (right) return b.binary('or', b.compare('le', x, v), isNaN(v));
  return b.binary('or', b.compare('lt', x, v), b.binary('and', isNaN(v), b.compare('eq', x, x)));
}

function emitSearch(context: KernelsContext): void {
  const [[batch, n], [, k]] = [context.inputs[0].shape, context.inputs[1].shape];
  const right = boolAttr(context.attrs, 'right');
  const top = n === 0 ? 0 : 2 ** Math.floor(Math.log2(n));
  context.kernel(
    '',
    (stage) => {
      const { b } = stage;
      const [list, values, out] = [stage.input(0), stage.input(1), stage.output(0)];
      const site = stage.site('place', Math.max(1, n));
      const search = (row: Affine, at: Affine, count: number) => {
        const wanted = Array.from({ length: count }, (_, i) => b.load(values, shift(at, i), 1, 1));
        let found = wanted.map(() => b.i32(0));
        for (let step = top; step >= 1; step /= 2) {
          found = found.map((place, i) => {
            const next = b.binary('add', place, b.i32(step));
            const last = b.binary('min', next, b.i32(n));
            const dyn = { index: b.guard(b.binary('sub', last, b.i32(1)), n, site), scale: 1 };
            const x = b.load(list, times(row, n), 1, 1, dyn);
            const moves = b.binary('and', isBefore(b, x, wanted[i], right), b.compare('le', next, b.i32(n)));
            return b.select(moves, next, place);
          });
        }
        found.forEach((place, i) => {
          b.store(out, shift(at, i), 1, 1, place);
        });
      };
      const chunks = Math.ceil(k / CHUNK);
      const walk = (row: Affine, chunk: Affine) => {
        const first = times(row, k);
        const lo = times(chunk, CHUNK);
        const whole = k - (k % SIDE_BY_SIDE);
        if (whole > 0) {
          const hi = [shift(lo, CHUNK), constant(whole)];
          b.loop('i', [lo], hi, (v) => search(row, plus(first, variable(v)), SIDE_BY_SIDE), { step: SIDE_BY_SIDE });
        }
        if (whole === k) return;
        // The last chunk does what is left.
        b.loop('last', [constant(0), shift(times(chunk, -1), chunks - 1)], 1, () =>
          search(row, shift(first, whole), k - whole),
        );
      };
      if (chunks >= batch) b.region('chunk', chunks, (c) => b.each('row', batch, (row) => walk(row, variable(c))));
      else b.region('row', batch, (row) => b.each('chunk', chunks, (c) => walk(variable(row), c)));
    },
    10 * Math.ceil(Math.log2(n + 1)) + 1,
  );
}

export const searchSortedRows = {
  searchSorted: {
    name: 'searchSorted',
    summary:
      'where values [batch, k] would be put into sorted rows [batch, n]: before equals, or with attrs.right behind them',
    arity: 2,
    infer([list, values]) {
      expectDType('searchSorted', list, numbers, 'the sorted sequence');
      expectSameDType('searchSorted', [list, values]);
      expectRank('searchSorted', list, 2, 'the sorted sequence');
      expectRank('searchSorted', values, 2, 'the values');
      if (list.shape[0] !== values.shape[0]) {
        fail('searchSorted', 'both must have the same leading axes', `got ${show(list)} and ${show(values)}`);
      }
      return [{ dtype: 'int32', shape: values.shape }];
    },
    gradient: 'constant',
    small: { outputs: [] },
    batching: foldedFirst(),
    evaluate([list, values], attrs, [type]) {
      const [n, k] = [list.shape[1], values.shape[1]];
      const right = boolAttr(attrs, 'right');
      const out = newArray('int32', sizeOf(type.shape));
      for (let i = 0; i < out.length; i++) {
        const row = Math.floor(i / k) * n;
        const v = values.data[i];
        // A sorted list has all that stand before in front: halving finds how many.
        let [lo, hi] = [0, n];
        while (lo < hi) {
          const middle = (lo + hi) >> 1;
          const x = list.data[row + middle];
          const before = right ? !standsBefore(v, x, false) : standsBefore(x, v, false);
          if (before) lo = middle + 1;
          else hi = middle;
        }
        out[i] = lo;
      }
      return [out];
    },
    lowering: { tag: 'kernels', emit: emitSearch },
    // Constant lists are sorted whatever is drawn; real ones are in the tests of the function.
    get samples() {
      return [
        { inputs: [f32([1, 0]), f32([1, 5])], attrs: { right: false } },
        { inputs: [f32([1, 1]), f32([1, 9])], attrs: { right: false } },
        { inputs: [f32([2, 7], 1, 1), f32([2, 5], 0, 2)], attrs: { right: true } },
        { inputs: [f32([3, 6], 0, 0), f32([3, 0])], attrs: { right: true } },
        { inputs: [i32([1, 12], 3, 4), i32([1, 2050], 0, 7)], attrs: { right: true } },
        { inputs: [i32([1, 12], 3, 4), i32([1, 11], 0, 7)], attrs: { right: false } },
      ];
    },
  },
} satisfies Record<string, OpRow>;
