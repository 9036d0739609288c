/** Signal functions against TensorFlow.js, plain loops and closed forms; gradients against differences. */
import * as tfjs from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import { uniform } from '../../../test/conformance/samples.ts';
import * as tf from '../../index.ts';
import type { Tensor } from '../../index.ts';

function noise(count: number, seed: number): Float32Array {
  const random = uniform(seed);
  return Float32Array.from({ length: count }, () => random() * 2 - 1);
}

function close(got: Tensor, wanted: ArrayLike<number>, tolerance = 1e-5): void {
  const data = got.dataSync();
  expect(data.length).toBe(wanted.length);
  for (let k = 0; k < wanted.length; k++) {
    const off = Math.abs(data[k] - wanted[k]);
    if (!(off <= tolerance * (1 + Math.abs(wanted[k])))) expect.fail(`element ${k} is ${data[k]}, not ${wanted[k]}`);
  }
}

const { signal } = tf;

describe('windows', () => {
  it('are those of TensorFlow.js, and NumPy where it has none', () => {
    for (const n of [2, 3, 8, 9, 100]) {
      close(signal.hannWindow(n), tfjs.signal.hannWindow(n).dataSync(), 1e-6);
      close(signal.hammingWindow(n), tfjs.signal.hammingWindow(n).dataSync(), 1e-6);
    }
    close(signal.hannWindow(1), [1]);
    close(signal.hannWindow(4, false), [0, 0.75, 0.75, 0]);
    close(signal.bartlettWindow(5), [0, 0.5, 1, 0.5, 0]);
    close(signal.blackmanWindow(5), [0, 0.34, 1, 0.34, 0]);
    close(signal.kaiserWindow(5, 14), [7.72686684e-6, 0.164932188, 1, 0.164932188, 7.72686684e-6], 1e-7);
    const vorbis = signal.vorbisWindow(8).square();
    close(vorbis.slice(0, 4).add(vorbis.slice(4, 4)), [1, 1, 1, 1], 1e-6);
    expect(tf.cosineWindow(6, 0.5, 0.5).dataSync()).toEqual(signal.hannWindow(6).dataSync());
    expect(signal.hannWindow(0).shape).toEqual([0]);
    expect(tf.enclosingPowerOfTwo(1000)).toBe(1024);
    expect(tf.enclosingPowerOfTwo(1024)).toBe(1024);
    expect(() => signal.hannWindow(1.5)).toThrow('[hannWindow] the length of a window must be an integer');
  });
});

describe('frames', () => {
  it('are those of TensorFlow.js, also of batches', () => {
    for (const [n, length, step] of [
      [10, 4, 2],
      [10, 4, 3],
      [10, 3, 5],
      [7, 7, 1],
      [5, 8, 2],
      [100, 70, 1],
      [9, 2, 2],
    ]) {
      for (const padEnd of [false, true]) {
        const x = noise(2 * n, n);
        const rows = [x.subarray(0, n), x.subarray(n)];
        const theirs = rows.map((row) => tfjs.signal.frame(tfjs.tensor1d(row), length, step, padEnd, 0.5));
        const ours = signal.frame(tf.tensor(x, [2, n]), length, step, padEnd, 0.5);
        expect(ours.shape).toEqual([2, ...theirs[0].shape]);
        close(ours, [...theirs[0].dataSync(), ...theirs[1].dataSync()], 0);
      }
    }
  });

  it('add up where they overlap', () => {
    for (const [count, length, step] of [
      [5, 4, 2],
      [3, 5, 2],
      [4, 3, 7],
      [1, 4, 1],
      [6, 90, 1],
      [3, 4, 4],
    ]) {
      const x = noise(2 * count * length, length);
      const total = (count - 1) * step + length;
      const wanted = new Float32Array(2 * total);
      for (let k = 0; k < x.length; k++) {
        const [b, i, j] = [Math.floor(k / (count * length)), Math.floor(k / length) % count, k % length];
        wanted[b * total + i * step + j] += x[k];
      }
      close(signal.overlapAndAdd(tf.tensor(x, [2, count, length]), step), wanted);
    }
  });

  it('stft is that of TensorFlow.js', () => {
    const x = noise(60, 1);
    for (const [length, step, fftLength] of [
      [16, 8, undefined],
      [10, 3, 20],
      [12, 5, 7],
    ] as const) {
      const theirs = tfjs.signal.stft(tfjs.tensor1d(x), length, step, fftLength);
      const ours = signal.stft(x, length, step, fftLength);
      expect(ours.shape).toEqual(theirs.shape);
      close(ours, theirs.dataSync());
    }
  });

  it('inverseStft gives back the signal, in both ways', () => {
    const x = tf.tensor(noise(2 * 64, 3), [2, 64]);
    for (const [length, step, fftLength] of [
      [16, 4, 16],
      [16, 6, 32],
      [10, 5, 11],
    ]) {
      const spectrum = signal.stft(x, length, step, fftLength);
      const y = signal.inverseStft(spectrum, length, step, fftLength);
      const inner = (y.shape.at(-1) as number) - 2 * length;
      close(y.slice([0, length], [2, inner]), x.slice([0, length], [2, inner]).dataSync(), 1e-5);
      const window = signal.inverseStftWindowFn(step);
      const z = signal.inverseStft(spectrum, length, step, fftLength, window, false);
      close(z.slice([0, length], [2, inner]), x.slice([0, length], [2, inner]).dataSync(), 1e-5);
    }
  });
});

describe('gradients through rfft and stft', () => {
  function check(f: (x: Tensor) => Tensor, n: number): void {
    const x = noise(n, n);
    const loss = (v: Tensor) => f(v).square().sum();
    const dx = tf.grad(loss)(tf.tensor(x)).dataSync();
    for (const k of [0, 1, n >> 1, n - 1]) {
      const at = (step: number) => loss(tf.tensor(x.with(k, x[k] + step))).dataSync()[0];
      const wanted = (at(1e-2) - at(-1e-2)) / 2e-2;
      expect(Math.abs(dx[k] - wanted)).toBeLessThan(3e-3 * (1 + Math.abs(wanted)));
    }
  }

  it('rfft: log magnitudes', () => check((x) => tf.abs(tf.rfft(x)).add(1).log(), 24));
  it('stft: power, and log power', () => {
    check((x) => tf.abs(signal.stft(x, 8, 3)).square(), 30);
    check(
      (x) =>
        tf
          .abs(signal.stft(x, 8, 4, 16, signal.hammingWindow, true))
          .add(0.1)
          .log(),
      30,
    );
  });
  it('inverseStft and the mel spectrogram', () => {
    check((x) => signal.inverseStft(signal.stft(x, 8, 4).mul(tf.complex(0.5, 0.5)), 8, 4), 32);
    check((x) => signal.melSpectrogram(x, 16, 8, 8000, 6).add(1).log(), 40);
  });
  it('second order through stft: power is quadratic, so its Hessian does not depend on the signal', () => {
    const power = (v: Tensor) =>
      tf
        .abs(signal.stft(v, 8, 4))
        .square()
        .sum();
    const second = (x: Float32Array) =>
      tf.grad((v: Tensor) => tf.grad(power)(v).mul(tf.range(0, 24)).sum())(tf.tensor(x));
    close(second(noise(24, 1)), second(noise(24, 2)).dataSync(), 1e-4);
  });
});

describe('mel and cosine transforms', () => {
  it('triangles of the mel matrix add up to one between the first and the last peak', () => {
    const [bands, bins, rate, low, high] = [20, 257, 16000, 80, 7600];
    const matrix = signal.linearToMelWeightMatrix(bands, bins, rate, low, high);
    expect(matrix.shape).toEqual([bins, bands]);
    const mel = (f: number) => 2595 * Math.log10(1 + f / 700);
    const peak = (i: number) => mel(low) + ((mel(high) - mel(low)) * i) / (bands + 1);
    const sums = matrix.sum(1).dataSync();
    sums.forEach((sum, bin) => {
      const at = mel(((rate / 2) * bin) / (bins - 1));
      if (at >= peak(1) && at <= peak(bands)) expect(Math.abs(sum - 1)).toBeLessThan(2e-3);
      if (at <= peak(0) || at >= peak(bands + 1)) expect(sum).toBe(0);
    });
    expect(matrix.min().dataSync()[0]).toBe(0);
    expect(signal.melFilterbank()).toBeInstanceOf(tf.Tensor);
    expect(() => signal.linearToMelWeightMatrix(20, 129, 8000, 125, 5000)).toThrow('[linearToMelWeightMatrix]');
  });

  const sums: Record<number, (x: readonly number[], k: number) => number> = {
    1: (x, k) => {
      const n = x.length;
      const inner = x.slice(1, -1).reduce((s, v, j) => s + v * Math.cos((Math.PI * k * (j + 1)) / (n - 1)), 0);
      return x[0] + (k % 2 === 0 ? 1 : -1) * x[n - 1] + 2 * inner;
    },
    2: (x, k) => 2 * x.reduce((s, v, j) => s + v * Math.cos((Math.PI * k * (2 * j + 1)) / (2 * x.length)), 0),
    3: (x, k) =>
      x[0] +
      2 * x.slice(1).reduce((s, v, j) => s + v * Math.cos((Math.PI * (2 * k + 1) * (j + 1)) / (2 * x.length)), 0),
    4: (x, k) => 2 * x.reduce((s, v, j) => s + v * Math.cos((Math.PI * (2 * k + 1) * (2 * j + 1)) / (4 * x.length)), 0),
  };

  it.each([1, 2, 3, 4] as const)('dct of type %i is the sum, its inverse inverts', (type) => {
    for (const n of [1, 2, 3, 4, 7, 8, 17]) {
      if (type === 1 && n === 1) continue;
      const x = noise(3 * n, n);
      const rows = tf.tensor(x, [3, n]);
      const wanted = [0, 1, 2].flatMap((r) => {
        const row = Array.from(x.subarray(r * n, (r + 1) * n));
        return row.map((_, k) => sums[type](row, k));
      });
      const y = signal.dct(rows, type);
      close(y, wanted, 3e-6);
      close(signal.idct(y, type), x, 3e-6);
      close(signal.dct(rows.transpose(), type, null, 0).transpose(), wanted, 3e-6);
      if (type === 1) continue;
      const orthogonal = signal.dct(rows, type, null, -1, 'ortho');
      close(orthogonal.square().sum(1), rows.square().sum(1).dataSync(), 1e-5);
      close(signal.idct(orthogonal, type, null, -1, 'ortho'), x, 3e-6);
    }
    const [short, long] = [tf.tensor(noise(5, 1)), tf.tensor(noise(9, 2))];
    close(signal.dct(short, type, 8), signal.dct(short.pad([[0, 3]]), type).dataSync(), 1e-6);
    close(signal.dct(long, type, 4), signal.dct(long.slice(0, 4), type).dataSync(), 1e-6);
  });

  it('cepstral coefficients are scaled cosine transforms', () => {
    const x = noise(2 * 20, 1);
    const wanted = [0, 1].flatMap((r) => {
      const row = Array.from(x.subarray(20 * r, 20 * (r + 1)));
      return row.map((_, k) => sums[2](row, k) / Math.sqrt(40));
    });
    close(signal.mfccsFromLogMelSpectrograms(tf.tensor(x, [2, 20])), wanted);
    expect(() => signal.dct([1, 2], 5 as 2)).toThrow('[dct] type must be 1, 2, 3 or 4');
    expect(() => signal.dct([1], 1)).toThrow('[dct] the length must be an integer of 2 or more');
  });
});

describe('fftConvolve', () => {
  const convolve = (a: readonly number[], b: readonly number[]): number[] => {
    const out = new Array<number>(a.length + b.length - 1).fill(0);
    a.forEach((x, i) => b.forEach((y, j) => (out[i + j] += x * y)));
    return out;
  };

  it('is the sum of products, in every mode', () => {
    for (const [n, m] of [
      [1, 1],
      [7, 3],
      [3, 7],
      [16, 16],
      [40, 9],
      [9, 8],
    ]) {
      const [a, b] = [Array.from(noise(n, 1)), Array.from(noise(m, 2))];
      const full = convolve(a, b);
      close(signal.fftConvolve(a, b), full);
      const middle = (size: number) => full.slice(Math.floor((full.length - size) / 2)).slice(0, size);
      close(signal.fftConvolve(a, b, 'same'), middle(n));
      close(signal.fftConvolve(a, b, 'valid'), middle(Math.max(n, m) - Math.min(n, m) + 1));
    }
  });

  it('takes several axes, batches and complex numbers', () => {
    const [image, kernel] = [tf.tensor(noise(6 * 7, 1), [6, 7]), tf.tensor(noise(6, 2), [3, 2])];
    const wanted = tf.conv2d(image.reshape([1, 6, 7, 1]), kernel.reverse().reshape([3, 2, 1, 1]), 1, 'valid');
    close(signal.fftConvolve(image, kernel, 'valid'), wanted.dataSync());
    const rows = signal.fftConvolve(image, tf.tensor([[1, -1]]), 'full', -1);
    expect(rows.shape).toEqual([6, 8]);
    close(rows.slice([2], [1]), convolve(Array.from(image.slice([2], [1]).dataSync()), [1, -1]));
    const z = tf.complex([1, 2], [0, 1]);
    close(signal.fftConvolve(z, z), [1, 0, 4, 2, 3, 4]);
    expect(() => signal.fftConvolve([1, 2], [[1]])).toThrow('[fftConvolve] both must have one rank');
    const product = tf.grad((x: Tensor) => signal.fftConvolve(x, [1, 2, 3]))([1, 1, 1, 1]);
    close(product, [6, 6, 6, 6]);
  });
});
