/**
 * Losses follow PyTorch's: the same weights, batches and optimizer give the same losses for 50 steps. losses.json is what losses.py
 * printed with PyTorch; with TENSORLOOM_PYTORCH=python3 (`npm run test:pytorch`) the script is run anew and must agree too.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import * as tf from '../../src/index.ts';

const STEPS = 50;
const BATCHES = 4;
const RATE = 3e-3;
/** What issue 4 asks for. */
const TOLERANCE = 1e-4;

type Name = 'cnn' | 'lstm' | 'gru' | 'gpt';
interface Report {
  readonly torch: string;
  readonly losses: { readonly [name in Name]: readonly number[] };
}

const committed = JSON.parse(readFileSync(new URL('./losses.json', import.meta.url), 'utf8')) as Report;

function live(python: string): Report {
  const script = fileURLToPath(new URL('./losses.py', import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, [script], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${python} ${script}: ${stderr}`);
  return JSON.parse(stdout) as Report;
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** A 32-bit mixing of (seed, i), uniform in -1..1: the same in losses.py. */
function noise(seed: number, ...shape: number[]): Float32Array {
  return Float32Array.from({ length: size(shape) }, (_, i) => {
    let x = (i + seed * 1_000_003) >>> 0;
    for (const factor of [0x7feb352d, 0x846ca68b]) x = Math.imul(x ^ (x >>> 16), factor) >>> 0;
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
  });
}

/** Integers in 0..n-1. */
function below(seed: number, n: number, ...shape: number[]): Int32Array {
  return Int32Array.from(noise(seed, ...shape), (value) => Math.min(n - 1, Math.trunc(((value + 1) / 2) * n)));
}

function weight(seed: number, ...shape: number[]): tf.Tensor {
  const scale = Math.fround(1 / Math.sqrt(size(shape.slice(0, -1))));
  return tf.tensor(
    noise(seed, ...shape).map((value) => value * scale),
    shape,
  );
}

interface Batch {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
}

async function train(
  model: tf.Sequential,
  weights: tf.Tensor[],
  batchOf: (number: number) => Batch,
): Promise<number[]> {
  model.setWeights(weights);
  model.compile({ optimizer: tf.train.adam(RATE, 0.9, 0.999, 1e-7), loss: 'sparseCategoricalCrossentropy' });
  const batches = Array.from({ length: BATCHES }, (_, i) => batchOf(i));
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { x, y } = batches[step % BATCHES];
    losses.push((await model.trainOnBatch(x, y)) as number);
  }
  return losses;
}

function cnn(): Promise<number[]> {
  const { layers } = tf;
  const model = tf.sequential({
    layers: [
      layers.conv2d({ filters: 8, kernelSize: 3, activation: 'relu', inputShape: [28, 28, 1] }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 16, kernelSize: 3, activation: 'relu' }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 32, activation: 'relu' }),
      layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  const kernels = [weight(1, 3, 3, 1, 8), weight(2, 3, 3, 8, 16), weight(3, 400, 32), weight(4, 32, 10)];
  const weights = kernels.flatMap((kernel) => [kernel, tf.zeros([kernel.shape[kernel.rank - 1]])]);
  return train(model, weights, (i) => ({
    x: tf.tensor(noise(100 + i, 16, 28, 28, 1), [16, 28, 28, 1]),
    y: tf.tensor1d(below(300 + i, 10, 16), 'int32'),
  }));
}

function recurrent(kind: 'lstm' | 'gru'): Promise<number[]> {
  const [batch, steps, inputs, units, classes] = [8, 12, 10, 24, 7];
  const shared = { units, returnSequences: true, recurrentActivation: 'sigmoid', inputShape: [steps, inputs] } as const;
  const layer = kind === 'lstm' ? tf.layers.lstm(shared) : tf.layers.gru({ ...shared, resetAfter: true });
  const model = tf.sequential({ layers: [layer, tf.layers.dense({ units: classes, activation: 'softmax' })] });
  const gates = kind === 'lstm' ? 4 : 3;
  const biases = kind === 'lstm' ? [4 * units] : [2, 3 * units];
  const weights = [
    weight(1, inputs, gates * units),
    weight(2, units, gates * units),
    tf.zeros(biases),
    weight(3, units, classes),
    tf.zeros([classes]),
  ];
  return train(model, weights, (i) => ({
    x: tf.tensor(noise(100 + i, batch, steps, inputs), [batch, steps, inputs]),
    y: tf.tensor2d(below(300 + i, classes, batch, steps), [batch, steps], 'int32'),
  }));
}

/** Decoder-only, with normalization first: what bench/peers/sequences.js is, smaller. */
function gpt(): number[] {
  const [batch, block, width, heads, depth, vocabulary] = [4, 16, 32, 4, 2, 20];
  const rows = batch * block;
  const dense = (seed: number, from: number, to: number) => {
    const [kernel, bias] = [tf.variable(weight(seed, from, to)), tf.variable(tf.zeros([to]))];
    return (x: tf.Tensor) => tf.add(tf.matMul(x, kernel), bias);
  };
  const norm = () => {
    const [gain, shift] = [tf.variable(tf.ones([width])), tf.variable(tf.zeros([width]))];
    return (x: tf.Tensor) => tf.layerNorm(x, gain, shift, 1e-5);
  };
  const table = (seed: number, count: number) =>
    tf.variable(
      tf.tensor(
        noise(seed, count, width).map((value) => value * Math.fround(0.1)),
        [count, width],
      ),
    );
  const [tokens, places] = [table(1, vocabulary), table(2, block)];
  const blocks = Array.from({ length: depth }, (_, i) => {
    const seed = 10 * (i + 1);
    return {
      before: norm(),
      qkv: dense(seed, width, 3 * width),
      out: dense(seed + 1, width, width),
      between: norm(),
      up: dense(seed + 2, width, 4 * width),
      down: dense(seed + 3, 4 * width, width),
    };
  });
  const last = norm();
  const head = tf.variable(weight(3, width, vocabulary));
  const gelu = (x: tf.Tensor) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  const forward = (ids: tf.Tensor): tf.Tensor => {
    let x = tf.reshape(tf.add(tf.gather(tokens, ids as tf.Tensor2D), places), [rows, width]);
    for (const { before, qkv, out, between, up, down } of blocks) {
      const split = tf.reshape(qkv(before(x)), [batch, block, 3, heads, width / heads]);
      const [q, k, v] = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]));
      const seen = tf.scaledDotProductAttention(q, k, v, { isCausal: true });
      x = tf.add(x, out(tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), [rows, width])));
      x = tf.add(x, down(gelu(up(between(x)))));
    }
    return tf.matMul(last(x), head);
  };
  const optimizer = tf.train.adamw({ learningRate: RATE, epsilon: 1e-7, weightDecay: 0.01 });
  const step = tf.jit((ids: tf.Tensor, targets: tf.Tensor) =>
    optimizer.minimize(() => {
      const hits = tf.mul(tf.oneHot(targets as tf.Tensor1D, vocabulary), tf.logSoftmax(forward(ids)));
      return tf.div(tf.neg(tf.sum(hits)), rows) as tf.Scalar;
    }, true),
  );
  const batches = Array.from({ length: BATCHES }, (_, i) => {
    const ids = below(100 + i, vocabulary, batch, block + 1);
    const part = (from: number) => Array.from({ length: rows }, (_, at) => ids[at + Math.floor(at / block) + from]);
    return [tf.tensor2d(part(0), [batch, block], 'int32'), tf.tensor1d(part(1), 'int32')];
  });
  return Array.from({ length: STEPS }, (_, i) => {
    const [ids, targets] = batches[i % BATCHES];
    return step(ids, targets)!.dataSync()[0];
  });
}

const networks: { readonly [name in Name]: () => number[] | Promise<number[]> } = {
  cnn,
  lstm: () => recurrent('lstm'),
  gru: () => recurrent('gru'),
  gpt,
};

/** The largest difference between two runs. */
const apart = (a: readonly number[], b: readonly number[]) => Math.max(...a.map((loss, i) => Math.abs(loss - b[i])));

describe("losses follow PyTorch's", () => {
  afterEach(() => tf.disposeVariables());
  const python = process.env['TENSORLOOM_PYTORCH'];
  const truths = [committed, ...(python ? [live(python)] : [])];
  it.each(Object.keys(networks) as Name[])('%s', async (name) => {
    const ours = await networks[name]();
    for (const { torch, losses } of truths) {
      expect(losses[name].length).toBe(STEPS);
      // There is something to learn, and it is learnt.
      expect(losses[name][STEPS - 1]).toBeLessThan(0.97 * losses[name][0]);
      expect(apart(ours, losses[name]), `PyTorch ${torch}`).toBeLessThan(TOLERANCE);
    }
  });
});
