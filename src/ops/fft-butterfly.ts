/** Discrete Fourier transforms of a few points in registers. */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Reg } from '../kernel/ir.ts';
import { rootOfUnity } from './fft-plan.ts';

/** Real and imaginary part. */
export type Complex = readonly [Reg, Reg];

/** y_k = sum over j of x_j e^(-2 pi i j k / r), in order. */
export function dft(b: KernelBuilder, x: readonly Complex[]): Complex[] {
  switch (x.length) {
    case 1:
      return [x[0]];
    case 2:
      return [add(b, x[0], x[1]), sub(b, x[0], x[1])];
    case 4:
      return dft4(b, x);
    case 8:
      return dft8(b, x);
    default:
      return dftOdd(b, x);
  }
}

function add(b: KernelBuilder, x: Complex, y: Complex): Complex {
  return [b.binary('add', x[0], y[0]), b.binary('add', x[1], y[1])];
}

function sub(b: KernelBuilder, x: Complex, y: Complex): Complex {
  return [b.binary('sub', x[0], y[0]), b.binary('sub', x[1], y[1])];
}

/** x - i y and x + i y. */
function turned(b: KernelBuilder, x: Complex, y: Complex): [Complex, Complex] {
  return [
    [b.binary('add', x[0], y[1]), b.binary('sub', x[1], y[0])],
    [b.binary('sub', x[0], y[1]), b.binary('add', x[1], y[0])],
  ];
}

function dft4(b: KernelBuilder, [x0, x1, x2, x3]: readonly Complex[]): Complex[] {
  const [even, odd] = [add(b, x0, x2), add(b, x1, x3)];
  const [y1, y3] = turned(b, sub(b, x0, x2), sub(b, x1, x3));
  return [add(b, even, odd), y1, sub(b, even, odd), y3];
}

function dft8(b: KernelBuilder, x: readonly Complex[]): Complex[] {
  const even = dft4(b, [x[0], x[2], x[4], x[6]]);
  const odd = dft4(b, [x[1], x[3], x[5], x[7]]);
  const half = b.real(Math.SQRT1_2);
  const scaled = (re: Reg, im: Reg): Complex => [b.binary('mul', re, half), b.binary('mul', im, half)];
  // Times (1 - i) / sqrt 2 and (-1 - i) / sqrt 2.
  const odd1 = scaled(b.binary('add', odd[1][0], odd[1][1]), b.binary('sub', odd[1][1], odd[1][0]));
  const odd3 = scaled(b.binary('sub', odd[3][1], odd[3][0]), b.unary('neg', b.binary('add', odd[3][0], odd[3][1])));
  const [y2, y6] = turned(b, even[2], odd[2]);
  return [
    add(b, even[0], odd[0]),
    add(b, even[1], odd1),
    y2,
    add(b, even[3], odd3),
    sub(b, even[0], odd[0]),
    sub(b, even[1], odd1),
    y6,
    sub(b, even[3], odd3),
  ];
}

/** Pairs x_j, x_(r-j) share their cosines and, but for the sign, their sines. */
function dftOdd(b: KernelBuilder, x: readonly Complex[]): Complex[] {
  const r = x.length;
  const half = (r - 1) / 2;
  const sums = Array.from({ length: half }, (_, j) => add(b, x[j + 1], x[r - 1 - j]));
  const differences = Array.from({ length: half }, (_, j) => sub(b, x[j + 1], x[r - 1 - j]));
  const y = new Array<Complex>(r);
  y[0] = sums.reduce((total, sum) => add(b, total, sum), x[0]);
  for (let k = 1; k <= half; k++) {
    let [re, im] = x[0];
    let turnRe: Reg | null = null;
    let turnIm: Reg | null = null;
    for (let j = 1; j <= half; j++) {
      const [cos, minusSin] = rootOfUnity((j * k) % r, r);
      const [c, s] = [b.real(cos), b.real(-minusSin)];
      re = b.fma(sums[j - 1][0], c, re);
      im = b.fma(sums[j - 1][1], c, im);
      const [dRe, dIm] = differences[j - 1];
      turnRe = turnRe === null ? b.binary('mul', dRe, s) : b.fma(dRe, s, turnRe);
      turnIm = turnIm === null ? b.binary('mul', dIm, s) : b.fma(dIm, s, turnIm);
    }
    const [low, high] = turned(b, [re, im], [turnRe as Reg, turnIm as Reg]);
    y[k] = low;
    y[r - k] = high;
  }
  return y;
}
