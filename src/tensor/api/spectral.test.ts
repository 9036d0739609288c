/** Fourier transforms against the sum in double precision and TensorFlow.js, and their gradients against differences. */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import { uniform } from '../../../test/conformance/samples.ts';
import { transformDouble } from '../../ops/fft-plan.ts';
import * as tf from '../../index.ts';
import type { Tensor } from '../../index.ts';

function noise(count: number, seed: number): Float32Array {
  const random = uniform(seed);
  return Float32Array.from({ length: count }, () => random() * 2 - 1);
}

/** The sum itself. */
function naive(re: ArrayLike<number>, im: ArrayLike<number>): [Float64Array, Float64Array] {
  const n = re.length;
  const out: [Float64Array, Float64Array] = [new Float64Array(n), new Float64Array(n)];
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < n; j++) {
      const angle = (-2 * Math.PI * ((j * k) % n)) / n;
      out[0][k] += re[j] * Math.cos(angle) - im[j] * Math.sin(angle);
      out[1][k] += re[j] * Math.sin(angle) + im[j] * Math.cos(angle);
    }
  }
  return out;
}

function interleaved([re, im]: readonly [ArrayLike<number>, ArrayLike<number>]): number[] {
  return Array.from(re).flatMap((x, k) => [x, im[k]]);
}

/** Root mean square of the error over that of the result. */
function errorOf(got: ArrayLike<number>, wanted: readonly number[]): number {
  expect(got.length).toBe(wanted.length);
  let [off, size] = [0, 0];
  for (let k = 0; k < wanted.length; k++) {
    off += (got[k] - wanted[k]) ** 2;
    size += wanted[k] ** 2;
  }
  return Math.sqrt(off / Math.max(size, 1e-30));
}

describe('fft', () => {
  it('agrees with the sum for small lengths, and with the double transform for large ones', () => {
    for (const n of [...Array.from({ length: 18 }, (_, k) => k + 1), 22, 27, 34, 49, 62, 64]) {
      const [re, im] = [noise(n, n), noise(n, n + 1000)];
      expect(errorOf(tf.fft(tf.complex(re, im)).dataSync(), interleaved(naive(re, im))), `n = ${n}`).toBeLessThan(4e-7);
    }
    // Powers of two, mixed factors, primes, products with large primes.
    for (const n of [256, 1000, 1009, 2310, 4093, 16384]) {
      const [re, im] = [noise(n, n), noise(n, n + 1000)];
      const wanted = interleaved(transformDouble(Float64Array.from(re), Float64Array.from(im)));
      expect(errorOf(tf.fft(tf.complex(re, im)).dataSync(), wanted), `n = ${n}`).toBeLessThan(5e-7);
    }
  });

  it('the double transform, which tables come from, agrees with the sum', () => {
    for (const n of [1, 2, 17, 60, 97]) {
      const [re, im] = [Float64Array.from(noise(n, 1)), Float64Array.from(noise(n, 2))];
      expect(errorOf(interleaved(transformDouble(re, im)), interleaved(naive(re, im)))).toBeLessThan(1e-14);
    }
  });

  it('is that of TensorFlow.js, and so are the others', () => {
    for (const shape of [[1], [8], [3, 5], [2, 3, 6], [2, 2, 2, 7]]) {
      const size = shape.reduce((a, b) => a * b, 1);
      const [re, im] = [noise(size, 1), noise(size, 2)];
      const ours = tf.complex(tf.tensor(re, shape), tf.tensor(im, shape));
      const theirs = tfjs.complex(tfjs.tensor(re, shape), tfjs.tensor(im, shape));
      for (const name of ['fft', 'ifft', 'irfft'] as const) {
        const [a, b] = [tf.spectral[name](ours), tfjs.spectral[name](theirs)];
        if (name !== 'irfft' || shape.length <= 3) expect(a.size).toBe(b.size);
        expect(errorOf(a.dataSync(), [...b.dataSync()])).toBeLessThan(1e-6);
      }
      for (const length of [undefined, 4, 9]) {
        const [a, b] = [tf.rfft(tf.tensor(re, shape), length), tfjs.rfft(tfjs.tensor(re, shape), length)];
        expect(a.shape).toEqual(b.shape);
        expect(errorOf(a.dataSync(), [...b.dataSync()])).toBeLessThan(1e-6);
      }
    }
  });

  it('inverts, for odd and even lengths, along every axis, in two and three dimensions', () => {
    const x = tf.complex(tf.tensor(noise(210, 1), [5, 6, 7]), tf.tensor(noise(210, 2), [5, 6, 7]));
    const real = tf.real(x);
    const same = (y: Tensor, wanted: Tensor) =>
      expect(errorOf(y.dataSync(), [...wanted.dataSync()])).toBeLessThan(1e-6);
    for (const axis of [0, 1, 2, -1]) {
      same(tf.ifft(tf.fft(x, undefined, axis), undefined, axis), x);
      same(tf.irfft(tf.rfft(real, undefined, axis), real.shape.at(axis), axis), real);
    }
    for (const norm of ['ortho', 'forward'] as const) {
      same(tf.ifft(tf.fft(x, undefined, 1, norm), undefined, 1, norm), x);
      same(tf.irfft(tf.rfft(real, undefined, -1, norm), 7, -1, norm), real);
    }
    const { fft2d, ifft2d, fft3d, ifft3d, rfft2d, irfft2d, rfft3d, irfft3d, fftn, ifftn, hfft, ihfft } = tf.spectral;
    same(ifft2d(fft2d(x)), x);
    same(ifft3d(fft3d(x)), x);
    same(irfft2d(rfft2d(real), [6, 7]), real);
    same(irfft3d(rfft3d(real), [5, 6, 7]), real);
    same(ifftn(fftn(x, undefined, [2, 0]), undefined, [2, 0]), x);
    same(fft2d(x), tf.fft(tf.fft(x, undefined, 1), undefined, 2));
    same(rfft3d(real), tf.slice(fft3d(real), [0, 0, 0], [5, 6, 4]));
    same(hfft(ihfft(real), 7), real);
  });

  it('takes n = 1, empty batches and many rows, cuts and pads', () => {
    expect([...tf.fft(tf.complex([3], [4])).dataSync()]).toEqual([3, 4]);
    expect([...tf.irfft(tf.complex([3], [4])).dataSync()]).toEqual([3]);
    expect(tf.fft(tf.zeros([0, 5], 'complex64')).shape).toEqual([0, 5]);
    expect(tf.fft(tf.zeros([0, 5])).dataSync().length).toBe(0);
    expect(tf.rfft(tf.zeros([2, 0, 6])).shape).toEqual([2, 0, 4]);
    for (const [rows, n] of [
      [37, 12],
      [100, 3],
      [1000, 8],
      [9, 300],
    ]) {
      const re = noise(rows * n, 3);
      const y = tf.fft(tf.tensor(re, [rows, n])).dataSync();
      const wanted: number[] = [];
      for (let r = 0; r < rows; r++) {
        const row = Float64Array.from(re.subarray(r * n, (r + 1) * n));
        wanted.push(...interleaved(transformDouble(row, new Float64Array(n))));
      }
      expect(errorOf(y, wanted)).toBeLessThan(4e-7);
    }
    const x = tf.tensor([1, 2, 3, 4, 5]);
    expect(tf.fft(x, 3).dataSync()).toEqual(tf.fft([1, 2, 3]).dataSync());
    expect(tf.fft(x, 7).dataSync()).toEqual(tf.fft([1, 2, 3, 4, 5, 0, 0]).dataSync());
  });

  it('shifts and frequencies are those of NumPy', () => {
    const { fftShift, ifftShift, fftFreq, rfftFreq } = tf.spectral;
    expect([...fftShift([0, 1, 2, 3, 4]).dataSync()]).toEqual([3, 4, 0, 1, 2]);
    expect([...ifftShift([3, 4, 0, 1, 2]).dataSync()]).toEqual([0, 1, 2, 3, 4]);
    expect([
      ...fftShift(
        [
          [0, 1],
          [2, 3],
        ],
        0,
      ).dataSync(),
    ]).toEqual([2, 3, 0, 1]);
    expect([...fftShift([0]).dataSync(), ...ifftShift([0]).dataSync()]).toEqual([0, 0]);
    expect([...fftFreq(5).dataSync()].map((f) => Math.round(f * 5))).toEqual([0, 1, 2, -2, -1]);
    expect([...fftFreq(4, 0.5).dataSync()]).toEqual([0, 0.5, -1, -0.5]);
    expect([...rfftFreq(5, 2).dataSync()].map((f) => Math.round(f * 10))).toEqual([0, 1, 2]);
    expect(fftShift(tf.complex([1, 2], [3, 4])).dtype).toBe('complex64');
  });

  it('says what is wrong', () => {
    expect(() => tf.fft(1)).toThrow('[fft]');
    expect(() => tf.fft(tf.zeros([2, 0]))).toThrow('[fft] transforms must have a length of 1 or more; got 0');
    expect(() => tf.rfft(tf.complex([1], [1]))).toThrow('[rfft] input must hold real numbers');
    expect(() => tf.fft([1, 2], undefined, 3)).toThrow('[fft] axis must be an integer in [-1, 0]');
    expect(() => tf.fft([1, 2], undefined, 0, 'big' as 'ortho')).toThrow(
      "norm must be 'backward', 'ortho' or 'forward'",
    );
  });
});

describe('gradients of fft', () => {
  /** A weighted sum of f's parts, so that every element of the Jacobian counts; and its gradient by differences. */
  function check(f: (x: Tensor) => Tensor, x: Float32Array, shape: number[]): void {
    const parts = (y: Tensor) => (y.dtype === 'complex64' ? tf.stack([tf.real(y), tf.imag(y)]) : y);
    const weights = tf.tensor(
      noise(
        tf.tidy(() => parts(f(tf.tensor(x, shape))).size),
        9,
      ),
    );
    const loss = (v: Tensor) => parts(f(v)).flatten().mul(weights).square().sum();
    const dx = tf.grad(loss)(tf.tensor(x, shape)).dataSync();
    const h = 2e-2;
    for (const k of [0, 1, x.length >> 1, x.length - 1]) {
      const at = (step: number) => {
        const moved = x.slice();
        moved[k] += step;
        return loss(tf.tensor(moved, shape)).dataSync()[0];
      };
      const wanted = (at(h) - at(-h)) / (2 * h);
      expect(Math.abs(dx[k] - wanted)).toBeLessThan(5e-3 * (1 + Math.abs(wanted)));
    }
  }

  it.each([6, 7, 34])('rfft and irfft, n = %i', (n) => {
    check((x) => tf.rfft(x), noise(2 * n, n), [2, n]);
    check((x) => tf.irfft(tf.complex(x, x.mul(0.5)), n), noise(n, n), [n]);
    check((x) => tf.irfft(tf.rfft(x).mul(tf.complex(0.3, 0.7)), n), noise(n, n), [n]);
    check((x) => tf.fft(tf.complex(x, x.square())), noise(n, n), [n]);
    check((x) => tf.spectral.fft2d(x), noise(3 * n, n), [3, n]);
  });

  it('second order: of |fft(x)|^4 it is that of the sums', () => {
    // With Parseval, L = sum |X|^2 = n sum x^2, so the gradient of sum (dL/dx)^2 is 8 n^2 x.
    const x = tf.tensor(noise(10, 1));
    const first = tf.grad((v: Tensor) => tf.abs(tf.fft(v)).square().sum());
    const second = tf.grad((v: Tensor) => first(v).square().sum())(x);
    expect(
      errorOf(
        second.dataSync(),
        [...x.dataSync()].map((v) => 800 * v),
      ),
    ).toBeLessThan(1e-5);
  });

  it('of complex inputs it is the conjugate transform', () => {
    const [z, dy] = [1, 3].map((seed) => tf.complex(noise(12, seed), noise(12, seed + 1)));
    const dz = tf.grad((x: Tensor) => tf.fft(x))(z, dy);
    expect(errorOf(dz.dataSync(), [...tf.ifft(dy).mul(12).dataSync()])).toBeLessThan(1e-6);
  });
});
