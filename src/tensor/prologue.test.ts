/** What a traced program makes of its variables alone, it makes once: and again whenever one of them has another value. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../index.ts';

/** Enough rows, columns and steps for the weights to be packed. */
const [rows, inner, columns] = [24, 160, 256];
const count = inner * columns;

function numbers(size: number, seed: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.37 + seed));
}

const weights = (seed: number) => tf.tensor2d(numbers(count, seed), [inner, columns]);
const x = tf.keep(tf.tensor2d(numbers(rows * inner, 5), [rows, inner]));

/** x w in double precision. */
function expected(seed: number): number[] {
  const [a, w] = [numbers(rows * inner, 5), numbers(count, seed)];
  return Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a[row * inner + k] * w[k * columns + column];
    return sum;
  });
}

function expectProduct(y: tf.Tensor, seed: number): void {
  const wanted = expected(seed);
  y.dataSync().forEach((value, i) => {
    expect(Math.abs(value - wanted[i])).toBeLessThan(1e-4);
  });
}

async function kernelsOf(f: () => tf.Tensor): Promise<readonly string[]> {
  return (await tf.profile(f)).kernelNames;
}

const packs = (names: readonly string[]) => names.some((name) => name.endsWith('.packB'));

const backend = tf.getBackend();

describe.skipIf(backend !== 'x64')('weights that a program only reads', () => {
  let w: tf.Variable<tf.Rank.R2>;
  const multiply = tf.jit((a: tf.Tensor) => tf.matMul(a as tf.Tensor2D, w));
  beforeAll(() => {
    w = tf.variable(weights(1)) as typeof w;
  });
  afterAll(() => {
    multiply.dispose();
    w.dispose();
  });

  it('are packed in the first run and not in the next, with the same bits', async () => {
    expect(packs(await kernelsOf(() => multiply(x)))).toBe(true);
    expect(packs(await kernelsOf(() => multiply(x)))).toBe(false);
    const first = multiply(x).dataSync();
    expectProduct(multiply(x), 1);
    const anew = tf.jit((a: tf.Tensor) => tf.matMul(a as tf.Tensor2D, w));
    expect(anew(x).dataSync()).toEqual(first);
    anew.dispose();
  });

  it('are packed anew after assign, also when an old tensor comes back', () => {
    const [one, two] = [weights(2), weights(3)];
    for (const [value, seed] of [
      [one, 2],
      [two, 3],
      [one, 2],
      [one, 2],
      [two, 3],
    ] as const) {
      w.assign(value);
      expectProduct(multiply(x), seed);
    }
    // The storage of what was disposed is handed out again: another value at the same address.
    for (const seed of [4, 5, 6]) {
      const next = weights(seed);
      w.assign(next);
      next.dispose();
      expectProduct(multiply(x), seed);
    }
  });

  it('are packed anew after another program has updated them in place', () => {
    const scale = tf.jit((by: tf.Tensor) => {
      w.assign(w.mul(by));
      return by;
    });
    w.assign(weights(7));
    expectProduct(multiply(x), 7);
    scale(tf.scalar(-1));
    const negative = tf.jit((a: tf.Tensor) => tf.matMul(a as tf.Tensor2D, w).neg());
    expectProduct(multiply(x).neg(), 7);
    expectProduct(negative(x), 7);
    scale(tf.scalar(-1));
    scale(tf.scalar(1));
    expectProduct(multiply(x), 7);
    expectProduct(negative(x).neg(), 7);
    scale.dispose();
    negative.dispose();
    expectProduct(multiply(x), 7);
  });

  it('are those of the call where calls are under way together', async () => {
    const results: Promise<tf.Tensor>[] = [];
    const seeds = [8, 8, 9, 9, 8, 10, 10];
    for (const seed of seeds) {
      w.assign(weights(seed));
      results.push(multiply.async(x), multiply.async(x));
    }
    const ys = await Promise.all(results);
    ys.forEach((y, i) => {
      expectProduct(y, seeds[i >> 1]);
    });
    expectProduct(multiply(x), 10);
  });

  it('count as bytes of programs, which dispose gives back', () => {
    const before = tf.memory().programBytes;
    const other = tf.jit((a: tf.Tensor) => tf.matMul(a as tf.Tensor2D, w));
    other(x).dispose();
    expect(tf.memory().programBytes - before).toBeGreaterThanOrEqual(4 * count);
    other.dispose();
    expect(tf.memory().programBytes).toBe(before);
  });

  it('of a program that updates them are packed in each run', () => {
    const step = tf.jit((a: tf.Tensor) => {
      const y = tf.matMul(a as tf.Tensor2D, w);
      w.assign(w.mul(-1));
      return y;
    });
    w.assign(weights(11));
    expectProduct(step(x), 11);
    expectProduct(step(x).neg(), 11);
    expectProduct(step(x), 11);
    step.dispose();
  });

  it('are packed again after a run that failed', () => {
    w.assign(weights(12));
    const pick = tf.jit((a: tf.Tensor, at: tf.Tensor) => tf.gather(tf.matMul(a as tf.Tensor2D, w), at as tf.Tensor1D));
    const all = tf.range(0, rows, 1, 'int32');
    expectProduct(pick(x, all), 12);
    w.assign(weights(13));
    expect(() => pick(x, tf.tensor1d([rows], 'int32').concat(tf.zeros([rows - 1], 'int32'))).dataSync()).toThrow(
      /gather/,
    );
    expectProduct(pick(x, all), 13);
    pick.dispose();
  });
});

describe('a model', () => {
  it('predicts with its present weights between steps of training, setWeights and loading', () => {
    const model = tf.sequential({
      layers: [
        tf.layers.conv2d({ inputShape: [6, 6, 32], filters: 64, kernelSize: 3, activation: 'relu' }),
        tf.layers.batchNormalization(),
        tf.layers.flatten(),
        tf.layers.dense({ units: 4 }),
      ],
    });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const images = tf.tensor4d(numbers(16 * 36 * 32, 1), [16, 6, 6, 32]);
    const truth = () => tf.tidy(() => (model.apply(images, { training: false }) as tf.Tensor).dataSync());
    const check = () => {
      const wanted = truth();
      for (let i = 0; i < 3; i++) {
        (model.predict(images) as tf.Tensor).dataSync().forEach((value, at) => {
          expect(Math.abs(value - wanted[at])).toBeLessThan(1e-4 * (1 + Math.abs(wanted[at])));
        });
      }
      return wanted;
    };
    const first = check();
    const kept = model.getWeights().map((weight) => weight.clone());
    for (let i = 0; i < 2; i++) {
      model.trainOnBatch(images, tf.ones([16, 4]));
      expect(check()).not.toEqual(first);
    }
    model.setWeights(kept);
    expect(check()).toEqual(first);
    model.dispose();
  });
});

describe('a session', () => {
  it('sees what a training run between two predictions has done', () => {
    const graph = new tf.Graph();
    const [y, flip] = graph.as(() => {
      const a = tf.placeholder<'R2'>('float32', [rows, inner], 'a');
      const v = tf.variable(weights(20)) as tf.Variable<tf.Rank.R2>;
      return [tf.matMul(a, v), graph.operation('flip', () => v.assign(v.neg()))] as const;
    });
    const session = new tf.Session(graph);
    expectProduct(session.run(y, { a: x }), 20);
    expectProduct(session.run(y, { a: x }), 20);
    session.run(flip);
    expectProduct(session.run(y, { a: x }).neg(), 20);
    session.run(flip);
    expectProduct(session.run(y, { a: x }), 20);
    session.close();
  });
});
