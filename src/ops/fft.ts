/**
 * Rows of the Fourier family. Complex numbers are pairs of planes: axis 0 holds the real and the imaginary parts. What lengths
 * the passes cannot do, and transforms of real numbers, are composites (composite-fft.ts).
 */
import { fail } from '../base/errors.ts';
import { constant, plus, times } from '../kernel/ir.ts';
import type { Attrs } from '../graph/graph.ts';
import { newArray } from '../types/dtype.ts';
import type { TensorType } from '../types/shape.ts';
import { sizeOf, stridesOf } from '../types/shape.ts';
import { apply1 } from './apply.ts';
import { reshape, transpose } from './build-movement.ts';
import { emitFft } from './fft-kernel.ts';
import { cachedTable, largestPrime, LARGEST_RADIX, rootOfUnity } from './fft-plan.ts';
import type { NDArray, OpRow, Sample } from './row.ts';
import { expectDType, expectRank, f32, intsAttr, show } from './rule.ts';

/** The sum itself, in double precision. */
function evaluateFft(x: NDArray, inverse: boolean): Float32Array {
  const [, outer, n, inner] = x.shape;
  const total = outer * n * inner;
  const out = newArray('float32', 2 * total) as Float32Array;
  const roots = Array.from({ length: n }, (_, k) => rootOfUnity(k, n));
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (j: number) => (o * n + j) * inner + i;
      for (let k = 0; k < n; k++) {
        let [re, im] = [0, 0];
        for (let j = 0; j < n; j++) {
          const [c, minusSin] = roots[(j * k) % n];
          const s = inverse ? -minusSin : minusSin;
          const [a, b] = [x.data[at(j)], x.data[total + at(j)]];
          re += a * c - b * s;
          im += a * s + b * c;
        }
        out[at(k)] = re;
        out[total + at(k)] = im;
      }
    }
  }
  return out;
}

function sample(outer: number, n: number, inner: number, inverse = false): Sample {
  return { inputs: [f32([2, outer, n, inner], -1, 1)], attrs: { inverse } };
}

const lengths = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 20, 24, 26, 27, 32, 49, 64, 66, 100, 128];

const samples: Sample[] = [
  ...lengths.map((n, i) => sample(1, n, 1, i % 2 === 1)),
  ...[1, 2, 5, 8, 12, 30].flatMap((n, i) => [
    sample(3, n, 1, i % 2 === 0),
    sample(19, n, 1),
    sample(2, n, 3, i % 2 === 0),
  ]),
  sample(0, 4, 2),
  sample(2, 8, 0),
  sample(2, 6, 17, true),
  sample(1, 30, 70),
  sample(2, 128, 19),
  sample(5, 96, 1, true),
  sample(1, 256, 1),
];

const fft: OpRow = {
  name: 'fft',
  summary:
    'discrete Fourier transforms along axis 2 of [re and im, outer, n, inner]; no prime factor of n above 13; not scaled',
  arity: 1,
  infer([x]) {
    expectDType('fft', x, ['float32']);
    expectRank('fft', x, 4, 'the input [2, outer, n, inner]');
    const n = x.shape[2];
    if (x.shape[0] !== 2 || n < 1 || largestPrime(n) > LARGEST_RADIX) {
      fail(
        'fft',
        `the input must be [2, outer, n, inner] with prime factors of n up to ${LARGEST_RADIX}`,
        `got ${show(x)}`,
      );
    }
    return [x];
  },
  // As a matrix over the reals the transform's transpose is the conjugate transform.
  gradient: ({ attrs }, [dy]) => [dy && apply1('fft', [dy], { inverse: attrs.inverse !== true })],
  batching({ attrs, inputs: [x], size, outputs: [y] }) {
    const [, outer, n, inner] = y.shape;
    const planesFirst = transpose(x, [1, 0, 2, 3, 4]);
    const all = apply1('fft', [reshape(planesFirst, [2, size * outer, n, inner])], attrs);
    return [transpose(reshape(all, [2, size, outer, n, inner]), [1, 0, 2, 3, 4])];
  },
  evaluate: ([x], attrs) => [evaluateFft(x, attrs.inverse === true)],
  lowering: {
    tag: 'kernel',
    emit: emitFft,
    flops: (_attrs, [x]) => Math.max(1, 2.5 * Math.log2(x[2])),
  },
  samples,
  tolerance: { absolute: 2e-5, relative: 1e-5 },
};

/** Which root of unity stands at a place, and of which order. */
interface Roots {
  readonly order: number;
  exponent(at: readonly number[]): number;
}

function rootsOf(attrs: Attrs): Roots {
  const order = attrs.order as number;
  if (attrs.kind === 'product') return { order, exponent: ([r, c]) => (r * c) % order };
  // BigInt only where the square is no safe integer any more.
  const square = (j: number) => (j < 2 ** 26 ? (j * j) % order : Number((BigInt(j) * BigInt(j)) % BigInt(order)));
  return { order, exponent: ([j]) => square(j) };
}

/** Real parts, then imaginary parts. */
function rootTable(attrs: Attrs): Float32Array {
  const shape = intsAttr(attrs, 'shape').slice(1);
  const key = `roots ${String(attrs.kind)} ${String(attrs.order)} ${shape.join()}`;
  return cachedTable(key, () => {
    const { order, exponent } = rootsOf(attrs);
    const size = sizeOf(shape);
    const table = new Float32Array(2 * size);
    const strides = stridesOf(shape);
    for (let flat = 0; flat < size; flat++) {
      const at = strides.map((stride, axis) => Math.floor(flat / stride) % shape[axis]);
      [table[flat], table[flat + size]] = rootOfUnity(exponent(at), order);
    }
    return table;
  });
}

const rootsOfUnity: OpRow = {
  name: 'rootsOfUnity',
  summary: "e^(-2 pi i k / order) as planes, with k = r c at [r, c] (kind 'product') or k = j^2 at [j] (kind 'square')",
  arity: 0,
  infer(_inputs, attrs): TensorType[] {
    return [{ dtype: 'float32', shape: intsAttr(attrs, 'shape') }];
  },
  gradient: 'constant',
  batching: 'none',
  evaluate: (_inputs, attrs) => [rootTable(attrs).slice()],
  lowering: {
    tag: 'point',
    emit({ attrs, outputs, constant: load }, at) {
      const strides = stridesOf(outputs[0].shape);
      const place = at.reduce((sum, c, axis) => plus(sum, times(c.at, strides[axis])), constant(0));
      const laneStep = at.reduce((sum, c, axis) => sum + c.laneStep * strides[axis], 0);
      return [load(rootTable(attrs), { at: place, laneStep })];
    },
  },
  samples: [
    { inputs: [], attrs: { kind: 'product', order: 12, shape: [2, 3, 4] } },
    { inputs: [], attrs: { kind: 'product', order: 64, shape: [2, 8, 8] } },
    { inputs: [], attrs: { kind: 'square', order: 34, shape: [2, 17] } },
    { inputs: [], attrs: { kind: 'square', order: 2, shape: [2, 1] } },
  ],
  tolerance: { absolute: 0, relative: 0 },
};

export const fftRows = { fft, rootsOfUnity } satisfies Record<string, OpRow>;
