/**
 * Rows of the Fourier family. Complex numbers are pairs of planes: axis 0 holds the real and the imaginary parts. Lengths that
 * the passes cannot do, axes of choice and spectra of real numbers are composites (composite-fft.ts).
 */
import { fail } from '../base/errors.ts';
import { constant, plus, times } from '../kernel/ir.ts';
import type { Attrs } from '../graph/graph.ts';
import { newArray, type TypedArray } from '../types/dtype.ts';
import type { TensorType } from '../types/shape.ts';
import { sizeOf, stridesOf } from '../types/shape.ts';
import { apply1 } from './apply.ts';
import { reshape, transpose } from './build-movement.ts';
import { emitFft } from './fft-kernel.ts';
import { cachedTable, chirpExponent, chirpSpectrum, largestPrime, LARGEST_RADIX, rootOfUnity } from './fft-plan.ts';
import type { NDArray, OpRow, Sample } from './row.ts';
import { expectDType, expectRank, f32, floats, intAttr, intsAttr, show } from './rule.ts';

/** The sum itself, in double precision. */
function evaluateFft(x: NDArray, inverse: boolean, parts: number): TypedArray {
  const [given, outer, n, inner] = x.shape;
  const total = outer * n * inner;
  const out = newArray(x.dtype, 2 * total);
  const roots = Array.from({ length: n }, (_, k) => rootOfUnity(k, n));
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (j: number) => (o * n + j) * inner + i;
      for (let k = 0; k < n; k++) {
        let [re, im] = [0, 0];
        for (let j = 0; j < n; j++) {
          const [c, minusSin] = roots[(j * k) % n];
          const s = inverse ? -minusSin : minusSin;
          const [a, b] = [x.data[at(j)], given === 2 ? x.data[total + at(j)] : 0];
          re += a * c - b * s;
          im += a * s + b * c;
        }
        out[at(k)] = re;
        out[total + at(k)] = im;
      }
    }
  }
  return out.slice(0, parts * total);
}

function sample(outer: number, n: number, inner: number, inverse = false, given = 2, parts = 2): Sample {
  return { inputs: [f32([given, outer, n, inner], -1, 1)], attrs: { inverse, parts } };
}

const lengths = [1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 16, 24, 30, 64, 100, 128];

const drawSamples = (): Sample[] => [
  ...lengths.map((n, i) => sample(1, n, 1, i % 2 === 1)),
  ...[1, 2, 12, 30].flatMap((n, i) => [sample(19, n, 1), sample(2, n, 3, i % 2 === 0)]),
  sample(0, 4, 2),
  sample(2, 8, 0),
  sample(2, 6, 17, true),
  sample(1, 30, 70),
  sample(2, 128, 19),
  sample(5, 96, 1, true),
  sample(1, 256, 1),
  ...[1, 6, 80].flatMap((n) => [sample(2, n, 1, false, 1), sample(2, n, 1, true, 2, 1)]),
  ...[1, 12].flatMap((n) => [sample(9, n, 1, true, 1), sample(9, n, 1, false, 2, 1)]),
  sample(2, 12, 5, false, 1, 1),
  sample(2, 20, 90, true, 1, 1),
];

const fft: OpRow = {
  name: 'fft',
  summary:
    'discrete Fourier transforms along axis 2 of [parts, outer, n, inner], the parts being re and im, or re alone; not scaled; no prime factor of n above 13',
  arity: 1,
  infer([x], attrs) {
    expectDType('fft', x, floats);
    expectRank('fft', x, 4, 'the input [parts, outer, n, inner]');
    const [parts, , n] = x.shape;
    if (parts < 1 || parts > 2 || n < 1 || largestPrime(n) > LARGEST_RADIX) {
      fail(
        'fft',
        `the input must be [1 or 2, outer, n, inner] with prime factors of n up to ${LARGEST_RADIX}`,
        `got ${show(x)}`,
      );
    }
    return [{ dtype: x.dtype, shape: x.shape.with(0, intAttr(attrs, 'parts')) }];
  },
  // As a matrix over the reals the transform's transpose is the conjugate transform.
  gradient: ({ inputs: [x], attrs }, [dy]) => [
    dy && apply1('fft', [dy], { inverse: attrs.inverse !== true, parts: x.shape[0] }),
  ],
  batching({ attrs, inputs: [x], size, outputs: [y] }) {
    const [, outer, n, inner] = y.shape;
    const partsFirst = transpose(x, [1, 0, 2, 3, 4]);
    const all = apply1('fft', [reshape(partsFirst, [x.shape[1], size * outer, n, inner])], attrs);
    return [transpose(reshape(all, [y.shape[0], size, outer, n, inner]), [1, 0, 2, 3, 4])];
  },
  evaluate: ([x], attrs) => [evaluateFft(x, attrs.inverse === true, intAttr(attrs, 'parts'))],
  lowering: {
    tag: 'kernel',
    emit: emitFft,
    flops: (_attrs, [x]) => Math.max(1, 2.5 * Math.log2(x[2])),
  },
  get samples() {
    return drawSamples();
  },
  tolerance: { absolute: 2e-5, relative: 1e-5 },
};

/** Real parts, then imaginary parts, of what stands at each place of a table. */
function tableOf(attrs: Attrs) {
  const kind = String(attrs.kind);
  const order = intAttr(attrs, 'order');
  const shape = intsAttr(attrs, 'shape').slice(1);
  return cachedTable(`${kind} ${order} ${shape.join()}`, attrs.dtype === 'float64', () => {
    const size = sizeOf(shape);
    const table = new Float64Array(2 * size);
    if (kind === 'chirpSpectrum') {
      const [re, im] = chirpSpectrum(order, size);
      table.set(re);
      table.set(im, size);
      return table;
    }
    const columns = shape[shape.length - 1];
    for (let flat = 0; flat < size; flat++) {
      const exponent =
        kind === 'chirp' ? chirpExponent(flat, order) : (Math.floor(flat / columns) * (flat % columns)) % order;
      [table[flat], table[flat + size]] = rootOfUnity(exponent, order);
    }
    return table;
  });
}

const fourierTable: OpRow = {
  name: 'fourierTable',
  summary:
    "constants as planes: e^(-2 pi i r c / order) at [r, c] ('roots'), e^(-2 pi i j^2 / order) at [j] ('chirp'), the transform of that one's conjugate, mirrored, over a period ('chirpSpectrum')",
  arity: 0,
  infer(_inputs, attrs): TensorType[] {
    return [{ dtype: attrs.dtype === 'float64' ? 'float64' : 'float32', shape: intsAttr(attrs, 'shape') }];
  },
  gradient: 'constant',
  batching: 'none',
  evaluate: (_inputs, attrs) => [tableOf(attrs).slice()],
  lowering: {
    tag: 'point',
    emit({ attrs, outputs, constant: load }, at) {
      const strides = stridesOf(outputs[0].shape);
      const place = at.reduce((sum, c, axis) => plus(sum, times(c.at, strides[axis])), constant(0));
      const laneStep = at.reduce((sum, c, axis) => sum + c.laneStep * strides[axis], 0);
      return [load(tableOf(attrs), { at: place, laneStep })];
    },
  },
  get samples(): Sample[] {
    return [
      { inputs: [], attrs: { kind: 'roots', order: 12, shape: [2, 3, 4] } },
      { inputs: [], attrs: { kind: 'roots', order: 64, shape: [2, 8, 8] } },
      { inputs: [], attrs: { kind: 'chirp', order: 34, shape: [2, 17] } },
      { inputs: [], attrs: { kind: 'chirp', order: 2, shape: [2, 1] } },
      { inputs: [], attrs: { kind: 'chirpSpectrum', order: 34, shape: [2, 36] } },
      { inputs: [], attrs: { kind: 'chirp', order: 34, shape: [2, 17], dtype: 'float64' } },
    ];
  },
  tolerance: { absolute: 0, relative: 0 },
};

export const fftRows = { fft, fourierTable } satisfies Record<string, OpRow>;
