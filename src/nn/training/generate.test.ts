/** Steps with a cache against whole passes; model.generateTokens. */
import { describe, expect, test } from 'vitest';
import { values } from '../../../test/values.ts';
import { getBackend, jit, setBackend, setSeed, type Tensor, tensor } from '../../tensor/index.ts';
import { KeyValueCache } from '../layers/key_value_cache.ts';
import { layers } from '../layers/index.ts';
import { input, model } from '../models/functional.ts';
import { LayersModel } from '../models/layers_model.ts';
import { sequential } from '../models/sequential.ts';
import type { SymbolicTensor } from '../layers/symbolic.ts';

const ids = (rows: readonly (readonly number[])[]) => tensor(rows as number[][], undefined, 'int32');
const tokens = [
  [3, 1, 4, 1, 5, 9, 2, 6, 5],
  [2, 7, 1, 8, 2, 8, 1, 8, 2],
];

type Attend = (x: SymbolicTensor) => SymbolicTensor;
const heads: { [name: string]: Attend } = {
  multiHeadAttention: (x) =>
    layers
      .multiHeadAttention({ numHeads: 2, keyDim: 4, valueDim: 3 })
      .apply([x, x], { useCausalMask: true }) as SymbolicTensor,
  groupQueryAttention: (x) =>
    layers
      .groupQueryAttention({ headDim: 4, numQueryHeads: 6, numKeyValueHeads: 2 })
      .apply([x, x], { useCausalMask: true }) as SymbolicTensor,
  lstm: (x) => layers.lstm({ units: 8, returnSequences: true }).apply(x) as SymbolicTensor,
  gru: (x) => layers.gru({ units: 8, returnSequences: true }).apply(x) as SymbolicTensor,
};

/** A small decoder over 10 tokens. */
function decoder(attend: Attend, { softmax = false, places = 16 } = {}) {
  setSeed(3);
  const inputs = input({ shape: [null], dtype: 'int32' });
  let x = layers.embedding({ inputDim: 10, outputDim: 8 }).apply(inputs) as SymbolicTensor;
  const position = layers.positionEmbedding({ sequenceLength: places, initializer: 'randomNormal' });
  x = layers.add().apply([x, position.apply(x) as SymbolicTensor]) as SymbolicTensor;
  for (let i = 0; i < 2; i++) {
    const mixed = attend(layers.layerNormalization().apply(x) as SymbolicTensor);
    x = layers.add().apply([x, mixed]) as SymbolicTensor;
    x = layers.dense({ units: 8, activation: 'gelu', kernelInitializer: 'randomNormal' }).apply(x) as SymbolicTensor;
  }
  const last = layers.dense({ units: 10, ...(softmax && { activation: 'softmax' as const }) });
  return model({ inputs, outputs: last.apply(x) as SymbolicTensor });
}

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>) {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < got.length; i++) expect(Math.abs(got[i] - want[i])).toBeLessThan(2e-5 * (1 + Math.abs(want[i])));
}

describe.each(Object.keys(heads))('%s', (name) => {
  test('step by step, and in blocks, the outputs are those of the whole; later steps compile nothing', () => {
    const net = decoder(heads[name]);
    const want = net.predict(ids(tokens));
    for (const sizes of [
      [1, 1, 1, 1, 1, 1, 1, 1, 1],
      [4, 1, 3, 1],
    ]) {
      const cache = new KeyValueCache({ maxLength: 12 });
      const step = jit((x: Tensor) => net.apply(x, { cache }));
      let at = 0;
      for (const size of sizes) {
        const part = step(ids(tokens.map((row) => row.slice(at, at + size))));
        expectClose(part.dataSync(), want.slice([0, at, 0], [2, size, 10]).dataSync());
        at += size;
      }
      expect(cache.length).toBe(9);
      expect(step.traces).toBe(new Set(sizes).size);
      // The same programs serve the next sequence.
      cache.reset();
      expectClose(
        step(ids(tokens.map((row) => row.slice(0, sizes[0])))).dataSync(),
        want.slice([0, 0, 0], [2, sizes[0], 10]).dataSync(),
      );
      expect(step.traces).toBe(new Set(sizes).size);
      cache.dispose();
    }
  });

  test('eagerly too; more steps than there is room for are refused and change nothing', () => {
    const net = decoder(heads[name]);
    const cache = new KeyValueCache({ maxLength: 4 });
    net.apply(ids([[1, 2, 3]]), { cache });
    expect(() => net.apply(ids([[1, 2]]), { cache })).toThrow(/room for all steps; it has 3 of 4 and got 2 more/);
    const last = net.apply(ids([[4]]), { cache });
    expectClose(
      last.dataSync(),
      net
        .predict(ids([[1, 2, 3, 4]]))
        .slice([0, 3, 0], [1, 1, 10])
        .dataSync(),
    );
    expect(() => net.apply(ids([[1]]), { cache }).dataSync()).toThrow(/room for all steps/);
    expect(cache.length).toBe(4);
  });

  test('generates what the whole context gives, a token at a time', async () => {
    const net = decoder(heads[name]);
    for (const args of [{ temperature: 0 }, { temperature: 0.7, topK: 5, seed: 8 }]) {
      const fast = await net.generateTokens(tokens, { maxLength: 16, ...args });
      const slow = await net.generateTokens(tokens, { maxLength: 16, ...args, useCache: false });
      expect(fast.shape).toEqual([2, 16]);
      expect(fast.arraySync()).toEqual(slow.arraySync());
      expect((fast.arraySync() as number[][]).map((row) => row.slice(0, 9))).toEqual(tokens);
    }
  });
});

test('the same tokens on every target', async () => {
  const home = getBackend();
  const drawn: unknown[] = [];
  for (const name of ['x64', 'wasm', 'reference']) {
    if (!(await setBackend(name))) continue;
    const net = decoder(heads['groupQueryAttention']);
    const args = { maxLength: 40, contextLength: 16, temperature: 0.7, topK: 5, seed: 8 };
    drawn.push((await net.generateTokens(tokens[0], args)).arraySync());
  }
  await setBackend(home);
  expect(drawn.length).toBeGreaterThan(1);
  for (const other of drawn) expect(other).toEqual(drawn[0]);
});

test('greedy tokens are the likeliest ones of a whole pass; probabilities are taken for what they are', async () => {
  for (const softmax of [false, true]) {
    const net = decoder(heads['multiHeadAttention'], { softmax });
    const got = [...(await net.generateTokens([3, 1], { maxLength: 9, temperature: 0 })).dataSync()];
    const whole = net.predict(ids([got]));
    const likeliest = whole.argMax(-1).dataSync();
    expect(got.slice(2)).toEqual([...likeliest.slice(1, 8)]);
  }
});

test('draws follow the distribution: temperature, topK', async () => {
  // A model whose next token depends on nothing: logits 0, 1, 2, 3.
  const net = sequential({
    layers: [
      layers.embedding({
        inputDim: 4,
        outputDim: 4,
        weights: [tensor([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3], [4, 4])],
      }),
    ],
  });
  const shares = async (args: object, count = 3000) => {
    const prompts = Array.from({ length: count }, () => [0]);
    const drawn = (await net.generateTokens(prompts, { maxLength: 3, seed: 4, ...args })).dataSync();
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < count * 3; i++) if (i % 3 > 0) counts[drawn[i]]++;
    return counts.map((n) => n / count / 2);
  };
  for (const [args, temperature, kept] of [
    [{}, 1, 4],
    [{ temperature: 2 }, 2, 4],
    [{ topK: 2 }, 1, 2],
    [{ topK: 9 }, 1, 4],
  ] as const) {
    const weights = [0, 1, 2, 3].map((logit) => (logit < 4 - kept ? 0 : Math.exp(logit / temperature)));
    const total = weights.reduce((a, b) => a + b);
    const got = await shares(args);
    // Four standard deviations of a share of 6,000 draws.
    got.forEach((share, i) => expect(Math.abs(share - weights[i] / total)).toBeLessThan(0.026));
    if (kept === 2) expect(got.slice(0, 2)).toEqual([0, 0]);
  }
});

test('the seed decides; end tokens, onToken and longer texts than the context', async () => {
  const net = decoder(heads['multiHeadAttention']);
  const draw = async (seed: number) => (await net.generateTokens([1], { maxLength: 12, seed })).arraySync();
  expect(await draw(5)).toEqual(await draw(5));
  expect(await draw(5)).not.toEqual(await draw(6));

  const long = await net.generateTokens([1, 2], { maxLength: 60, contextLength: 16, seed: 1 });
  const slow = await net.generateTokens([1, 2], { maxLength: 60, contextLength: 16, seed: 1, useCache: false });
  expect(long.shape).toEqual([60]);
  expect(long.arraySync()).toEqual(slow.arraySync());
  // A prompt that is longer than the context.
  const given = Array.from({ length: 40 }, (_, i) => i % 10);
  const more = await net.generateTokens(given, { maxLength: 44, contextLength: 16, temperature: 0 });
  const window = net.predict(ids([given.slice(-8)]));
  expect(more.dataSync()[40]).toBe(window.argMax(-1).dataSync()[7]);

  const all = (await net.generateTokens([[1], [2]], { maxLength: 16, seed: 5 })).arraySync() as number[][];
  const endToken = all[0][4];
  const ended = (await net.generateTokens([[1], [2]], { maxLength: 16, seed: 5, endToken })).arraySync() as number[][];
  all.forEach((row, i) => {
    const end = row.indexOf(endToken, 1);
    const kept = end < 0 ? row : row.slice(0, end + 1);
    const want = [...kept, ...new Array(16).fill(endToken)].slice(0, ended[i].length);
    expect(ended[i]).toEqual(want);
  });

  const seen: number[] = [];
  const stopped = await net.generateTokens([1], {
    maxLength: 16,
    seed: 5,
    onToken: ([token]) => {
      seen.push(token);
      return seen.length < 3;
    },
  });
  expect([...stopped.dataSync()]).toEqual([1, ...seen]);
  expect(seen.length).toBe(3);
  // Two at a time do not disturb each other.
  expect(await Promise.all([draw(5), draw(6)])).toEqual([await draw(5), await draw(6)]);
});

test('a cache for a layer alone; masks; a layer called twice; cross-attention', () => {
  setSeed(1);
  const attention = layers.multiHeadAttention({ numHeads: 2, keyDim: 3 });
  const x = tensor(values(40), [2, 5, 4]);
  const mask = tensor([1, 1, 0, 1, 1, 1, 0, 1, 1, 1], [2, 5], 'bool');
  const masks = [mask, mask, mask];
  const part = (t: Tensor, from: number, steps: number) => t.slice([0, from], [2, steps]);
  const whole = attention.apply([x, x], { useCausalMask: true, mask: masks });
  const cache = new KeyValueCache({ maxLength: 7 });
  for (const [from, steps] of [
    [0, 2],
    [2, 1],
    [3, 2],
  ]) {
    const own = part(mask, from, steps);
    const piece = part(x, from, steps);
    const got = attention.apply([piece, piece], { useCausalMask: true, cache, mask: [own, own, own] });
    // Queries that do not count are not compared: what a masked query gives is nobody's business.
    expectClose(
      got.mul(own.toFloat().expandDims(-1)).dataSync(),
      part(whole, from, steps).mul(own.toFloat().expandDims(-1)).dataSync(),
    );
  }
  const [, scores] = attention.apply<Tensor[]>(
    [part(x, 0, 1), part(x, 0, 1)].map((t) => t.clone()),
    {
      useCausalMask: true,
      returnAttentionScores: true,
      cache: new KeyValueCache({ maxLength: 3 }),
    },
  );
  expectClose(scores.dataSync(), [1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0]);

  class Twice extends LayersModel {
    self = layers.multiHeadAttention({ numHeads: 2, keyDim: 3 });
    memory = layers.multiHeadAttention({ numHeads: 1, keyDim: 3 });
    override call(inputs: Tensor | Tensor[]): Tensor {
      const once = this.self.apply([inputs as Tensor, inputs as Tensor], { useCausalMask: true });
      const twice = this.self.apply([once, once], { useCausalMask: true });
      return this.memory.apply([twice, x.slice([0, 0], [1, 3])]);
    }
  }
  const twice = new Twice();
  const want = twice.apply(x);
  const kept = new KeyValueCache({ maxLength: 5 });
  for (let i = 0; i < 5; i++)
    expectClose(twice.apply(part(x, i, 1), { cache: kept }).dataSync(), part(want, i, 1).dataSync());
  // A model that is built by its first pass with a cache.
  const late = new Twice();
  const first = late.apply(x, { cache: new KeyValueCache({ maxLength: 5 }) });
  expectClose(first.dataSync(), late.apply(x).dataSync());
});

describe('what cannot be', () => {
  test('generate', async () => {
    const net = decoder(heads['multiHeadAttention']);
    const wrong: [unknown, object, RegExp][] = [
      [[], { maxLength: 4 }, /prompt must be tokens \[steps\] or \[batch, steps\]/],
      [[1.5], { maxLength: 4 }, /integers from 0/],
      ['abc', { maxLength: 4 }, /got "abc"/],
      [[[1], [1, 2]], { maxLength: 4 }, /equal lengths; got 1 and 2/],
      [[1], {}, /maxLength must be an integer/],
      [[1, 2, 3], { maxLength: 3 }, /must be greater than its length; got 3 tokens and 3/],
      [[1], { maxLength: 4, temperature: -1 }, /temperature must be a number of at least 0; got -1/],
      [[1], { maxLength: 4, topK: 0 }, /topK must be an integer of at least 1/],
      [[1], { maxLength: 4, seed: 0.5 }, /seed must be an integer/],
      [[1], { maxLength: 40 }, /there are 16 places|start of axis 0/],
      [[77], { maxLength: 4 }, /in \[0, 10\); got 77/],
    ];
    for (const [prompt, args, message] of wrong) {
      await expect(net.generateTokens(prompt as number[], args as never), String(message)).rejects.toThrow(message);
    }
    // After a failure it works.
    expect((await net.generateTokens([1], { maxLength: 4 })).shape).toEqual([4]);
  });

  test('models that are no decoders', async () => {
    const mixing = sequential({
      layers: [
        layers.embedding({ inputDim: 10, outputDim: 4 }),
        layers.conv1d({ filters: 10, kernelSize: 3, padding: 'causal' }),
      ],
    });
    await expect(mixing.generateTokens([1, 2], { maxLength: 5 })).rejects.toThrow(
      /each step of the model must follow from it/,
    );
    const slow = await mixing.generateTokens([1, 2], { maxLength: 5, temperature: 0, useCache: false });
    expect(slow.shape).toEqual([5]);
    const vector = sequential({
      layers: [layers.embedding({ inputDim: 10, outputDim: 4 }), layers.reshape({ targetShape: [-1, 1, 4] })],
    });
    await expect(vector.generateTokens([1], { maxLength: 5 })).rejects.toThrow(
      /whose output is \[batch, steps, tokens\]/,
    );
    const both = sequential({
      layers: [
        layers.embedding({ inputDim: 4, outputDim: 4 }),
        layers.bidirectional({ layer: layers.lstm({ units: 2, returnSequences: true }) as never }),
      ],
    });
    await expect(both.generateTokens([1], { maxLength: 5 })).rejects.toThrow(
      /must not see later ones; got goBackwards: true/,
    );
  });

  test('caches', () => {
    const layer = layers.multiHeadAttention({ numHeads: 2, keyDim: 3 });
    const x = tensor(new Array(24).fill(0.5), [2, 3, 4]);
    const cache = new KeyValueCache({ maxLength: 8 });
    expect(() => layer.apply([x, x], { cache })).toThrow(/must not see later ones; got attention to all steps/);
    expect(() => layer.apply([x, x], { cache, useCausalMask: true, training: true })).toThrow(/for inference/);
    expect(() => layer.apply([x, x], { cache: 8 as never, useCausalMask: true })).toThrow(/must be a tf.KeyValueCache/);
    layer.apply([x, x], { cache, useCausalMask: true });
    const one = x.slice([0, 0, 0], [1, 1, 4]);
    expect(() => layer.apply([one, one], { cache, useCausalMask: true })).toThrow(/serves one batch size/);
    expect(() => new KeyValueCache({ maxLength: 0 })).toThrow(/maxLength must be a positive integer/);
    // Inside a program the place is data.
    const small = new KeyValueCache({ maxLength: 4 });
    const step = jit((t: Tensor) => layer.apply([t, t], { cache: small, useCausalMask: true }));
    step(x).dataSync();
    expect(() => step(x).dataSync()).toThrow(/start of axis 2 must be in \[0, 2\); got 3/);
  });
});
