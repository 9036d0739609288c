/** Gradients of filters whose sums go over many small images: blocks of k hold the places of several of them, the last block fewer. */
import { describe, expect, it } from 'vitest';
import * as tf from '../../index.ts';

const noise = (size: number, seed: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.73 + seed));

interface Layer {
  readonly images: number;
  readonly side: number;
  readonly kernel: number;
  readonly stride: number;
  readonly pad: 'same' | 'valid';
  readonly from: number;
  readonly to: number;
}

/** Sum over images and places of x at the tap times dy, in double precision. */
function filterGradient({ images, side, kernel, stride, pad, from, to }: Layer, x: Float32Array, dy: Float32Array) {
  const out = Math.ceil(pad === 'same' ? side / stride : (side - kernel + 1) / stride);
  const before = pad === 'same' ? Math.max(0, (out - 1) * stride + kernel - side) >> 1 : 0;
  const sums = new Float64Array(kernel * kernel * from * to);
  for (let place = 0; place < images * out * out; place++) {
    const [n, oh, ow] = [Math.floor(place / (out * out)), Math.floor(place / out) % out, place % out];
    for (let tap = 0; tap < kernel * kernel; tap++) {
      const h = oh * stride + Math.floor(tap / kernel) - before;
      const w = ow * stride + (tap % kernel) - before;
      if (h < 0 || h >= side || w < 0 || w >= side) continue;
      for (let i = 0; i < from; i++) {
        const a = x[((n * side + h) * side + w) * from + i];
        for (let o = 0; o < to; o++) sums[(tap * from + i) * to + o] += a * dy[place * to + o];
      }
    }
  }
  return { sums, out };
}

const layers: Layer[] = [
  { images: 64, side: 14, kernel: 5, stride: 2, pad: 'same', from: 2, to: 16 },
  { images: 101, side: 14, kernel: 5, stride: 2, pad: 'same', from: 3, to: 20 },
  { images: 130, side: 7, kernel: 3, stride: 1, pad: 'valid', from: 2, to: 48 },
  { images: 70, side: 9, kernel: 3, stride: 1, pad: 'same', from: 1, to: 17 },
];

describe('the gradient of a filter over many small images', () => {
  for (const layer of layers) {
    const { images, side, kernel, stride, pad, from, to } = layer;
    it(`${images} x ${side}x${side}x${from} -> ${to}, ${kernel}x${kernel} / ${stride}, ${pad}`, () => {
      const x = noise(images * side * side * from, 1);
      const places = Math.ceil(pad === 'same' ? side / stride : (side - kernel + 1) / stride) ** 2;
      const dy = noise(images * places * to, 2);
      const { sums, out } = filterGradient(layer, x, dy);
      const image = tf.tensor4d(x, [images, side, side, from]);
      const upstream = tf.tensor4d(dy, [images, out, out, to]);
      const loss = (filter: tf.Tensor) =>
        tf.sum(tf.mul(tf.conv2d(image, filter as tf.Tensor4D, stride, pad), upstream));
      const gradient = tf.grad(loss)(tf.zeros([kernel, kernel, from, to]));
      gradient.dataSync().forEach((value, i) => {
        expect(Math.abs(value - sums[i])).toBeLessThan(2e-3);
      });
      tf.dispose([image, upstream, gradient]);
    });
  }
});
