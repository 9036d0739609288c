/** Training images in a new order in each epoch, each moved and mirrored at random. Knows nothing of models. */
import * as tf from 'tensorloom';
import { mulberry32, shuffle } from './random.js';

const side = 28;
const size = side * side;

/**
 * What fitDataset takes: full batches of {xs, ys}, without end.
 * @param {import('./images.js').Images} set
 * @param {{ batch: number, shift: number, seed: number }} how shift: at most so many pixels along each axis
 */
export function augmentedBatches({ images, labels, count }, { batch, shift, seed }) {
  const random = mulberry32(seed);
  const below = (/** @type {number} */ n) => Math.floor(random() * n);
  const order = Int32Array.from({ length: count }, (_, i) => i);
  function* batches() {
    for (;;) {
      shuffle(order, random);
      for (let start = 0; start + batch <= count; start += batch) {
        const xs = new Float32Array(batch * size);
        const ys = new Float32Array(batch * 10);
        for (let i = 0; i < batch; i++) {
          const from = order[start + i];
          const [down, right] = [below(2 * shift + 1) - shift, below(2 * shift + 1) - shift];
          const image = images.subarray(from * size, (from + 1) * size);
          moved(image, xs.subarray(i * size, (i + 1) * size), down, right, random() < 0.5);
          ys[i * 10 + labels[from]] = 1;
        }
        yield { xs: tf.tensor4d(xs, [batch, side, side, 1]), ys: tf.tensor2d(ys, [batch, 10]) };
      }
    }
  }
  return { [Symbol.iterator]: batches };
}

/** Copies an image, moved and perhaps mirrored; what comes in from outside is black. */
function moved(from, to, down, right, mirrored) {
  for (let y = Math.max(0, down); y < Math.min(side, side + down); y++) {
    for (let x = Math.max(0, right); x < Math.min(side, side + right); x++) {
      const column = x - right;
      to[y * side + x] = from[(y - down) * side + (mirrored ? side - 1 - column : column)];
    }
  }
}
