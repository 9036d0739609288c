/** The row of matrix multiplication, in all its transposes and with equal leading batch axes. */
import { fail } from '../base/errors.ts';
import type { Attrs } from '../graph/graph.ts';
import type { Shape } from '../types/shape.ts';
import { sameShape, showShape } from '../types/shape.ts';
import { fill, reader } from './array.ts';
import type { BatchingContext } from './batching.ts';
import { stacked } from './batching.ts';
import { matMul, reshape } from './build.ts';
import type { ContractionAxis, ContractionSpec } from './lowering.ts';
import type { OpRow, Sample } from './row.ts';
import { boolAttr, expectDType, expectSameDType, f32, floats, show } from './rule.ts';

/** A tensor axis that is one dim of a contraction. */
export function along(dim: number): ContractionAxis {
  return { offset: 0, terms: [{ dim, coef: 1 }] };
}

function specs(attrs: Attrs, [a, b]: readonly Shape[]): ContractionSpec[] {
  const rank = a.length;
  const [transposeA, transposeB] = [boolAttr(attrs, 'transposeA'), boolAttr(attrs, 'transposeB')];
  const batch = a.slice(0, -2).map((extent, i) => ({ name: `b${i}`, extent }));
  const [m, n, k] = [rank - 2, rank - 1, rank];
  const dims = [
    ...batch,
    { name: 'm', extent: a[transposeA ? rank - 1 : rank - 2] },
    { name: 'n', extent: b[transposeB ? rank - 2 : rank - 1] },
    { name: 'k', extent: a[transposeA ? rank - 2 : rank - 1] },
  ];
  const lead = batch.map((_, i) => along(i));
  return [
    {
      dims,
      a: [...lead, ...(transposeA ? [along(k), along(m)] : [along(m), along(k)])],
      b: [...lead, ...(transposeB ? [along(n), along(k)] : [along(k), along(n)])],
      out: [...lead, along(m), along(n)],
    },
  ];
}

const sizes: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [3, 4, 5],
  [7, 9, 8],
  [0, 3, 2],
  [3, 2, 0],
  [17, 33, 31],
  [1, 20, 16],
  [16, 1, 7],
];

function drawSamples(): Sample[] {
  const samples: Sample[] = [];
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      const attrs = { transposeA, transposeB };
      for (const [m, n, k] of sizes) {
        samples.push({ inputs: [f32(transposeA ? [k, m] : [m, k]), f32(transposeB ? [n, k] : [k, n])], attrs });
      }
      samples.push({
        inputs: [f32(transposeA ? [2, 3, 5, 4] : [2, 3, 4, 5]), f32(transposeB ? [2, 3, 9, 5] : [2, 3, 5, 9])],
        attrs,
      });
    }
  }
  return samples;
}

/** One matrix for the whole stack is not repeated where the stack's rows can be the rows of one product. */
function batchMatMul(context: BatchingContext) {
  const { attrs, inputs, batched, size, outputs } = context;
  const [transposeA, transposeB] = [boolAttr(attrs, 'transposeA'), boolAttr(attrs, 'transposeB')];
  const [a, b] = [0, 1].map((i) => stacked(context, i));
  if (batched[1] || transposeA || inputs[1].shape.length > 2) return [matMul(a, b, transposeA, transposeB)];
  const [m, k] = a.shape.slice(1);
  const rows = matMul(reshape(a, [size * m, k]), inputs[1], false, transposeB);
  return [reshape(rows, [size, ...outputs[0].shape])];
}

export const matMulRows = {
  matMul: {
    name: 'matMul',
    summary: 'matrix product of the last two axes; leading axes are batches',
    arity: 2,
    infer([a, b], attrs) {
      for (const input of [a, b]) {
        expectDType('matMul', input, floats, 'inputs');
        if (input.shape.length < 2)
          fail('matMul', 'inputs must have rank 2 or more', `got ${show(a)} and ${show(b)}`, 'expandDims or reshape');
      }
      expectSameDType('matMul', [a, b]);
      const [rank, sa, sb] = [a.shape.length, a.shape, b.shape];
      if (!sameShape(sa.slice(0, -2), sb.slice(0, -2))) {
        fail(
          'matMul',
          'leading axes must be equal',
          `got ${showShape(sa)} and ${showShape(sb)}`,
          'broadcastTo one side',
        );
      }
      const [transposeA, transposeB] = [boolAttr(attrs, 'transposeA'), boolAttr(attrs, 'transposeB')];
      const ka = sa[transposeA ? rank - 2 : rank - 1];
      const kb = sb[transposeB ? rank - 1 : rank - 2];
      if (ka !== kb) {
        const product = `${showShape(sa)}${transposeA ? ' transposed' : ''} x ${showShape(sb)}${transposeB ? ' transposed' : ''}`;
        fail(
          'matMul',
          `inner dimensions must match: ${product} has ${ka} and ${kb}`,
          undefined,
          'transpose one side or check the layer before',
        );
      }
      const shape = [...sa.slice(0, -2), sa[transposeA ? rank - 1 : rank - 2], sb[transposeB ? rank - 2 : rank - 1]];
      return [{ dtype: a.dtype, shape }];
    },
    gradient({ inputs: [a, b], attrs }, [dy]) {
      if (dy === null) return [null, null];
      const [ta, tb] = [boolAttr(attrs, 'transposeA'), boolAttr(attrs, 'transposeB')];
      return [
        ta ? matMul(b, dy, tb, true) : matMul(dy, b, false, !tb),
        tb ? matMul(dy, a, true, ta) : matMul(a, dy, !ta, false),
      ];
    },
    evaluate([a, b], attrs, [type]) {
      const rank = a.shape.length;
      const [ta, tb] = [boolAttr(attrs, 'transposeA'), boolAttr(attrs, 'transposeB')];
      const [atA, atB] = [reader(a), reader(b)];
      const extent = a.shape[ta ? rank - 2 : rank - 1];
      return [
        fill(type, (at) => {
          const lead = at.slice(0, -2);
          const [m, n] = [at[rank - 2], at[rank - 1]];
          let total = 0;
          for (let k = 0; k < extent; k++) {
            total += (ta ? atA(...lead, k, m) : atA(...lead, m, k)) * (tb ? atB(...lead, n, k) : atB(...lead, k, n));
          }
          return total;
        }),
      ];
    },
    batching: batchMatMul,
    lowering: { tag: 'contraction', specs },
    get samples() {
      return drawSamples();
    },
    tolerance: { absolute: 1e-5, relative: 1e-5 },
  },
} satisfies Record<string, OpRow>;
