/** tf.gan: losses by their formulas, steps that are one program each and move one network, and a game that is won. */
import { describe, expect, test } from 'vitest';
import '../../../test/values.ts';
import {
  add,
  mean,
  memory,
  mul,
  ones,
  type Scalar,
  setSeed,
  sub,
  type Tensor,
  tensor,
  tidy,
  variableGrads,
  zeros,
} from '../../tensor/index.ts';
import { io, loadLayersModel } from '../../io/index.ts';
import { layers } from '../layers/index.ts';
import { train } from '../optimizers/index.ts';
import { type GanLossName, getGanLoss } from '../training/gan_losses.ts';
import { input, model } from './functional.ts';
import { GAN, type GanCompileArgs, gan } from './gan.ts';
import { models } from './from_json.ts';
import type { LayersModel } from './layers_model.ts';
import { sequential } from './sequential.ts';

const generator = (): LayersModel =>
  sequential({
    layers: [
      layers.dense({ units: 8, inputShape: [3] }),
      layers.batchNormalization(),
      layers.leakyReLU({ alpha: 0.2 }),
      layers.dense({ units: 2 }),
    ],
  });
const discriminator = (activation: 'linear' | 'sigmoid' = 'linear', normalized = true): LayersModel =>
  sequential({
    layers: [
      layers.dense({ units: 8, inputShape: [2] }),
      ...(normalized ? [layers.batchNormalization()] : []),
      layers.leakyReLU({ alpha: 0.2 }),
      layers.dense({ units: 1, activation }),
    ],
  });
const compiled = (args: Partial<GanCompileArgs> = {}, d = discriminator(), g = generator()): GAN => {
  const made = gan({ generator: g, discriminator: d });
  made.compile({ generatorOptimizer: train.adam(0.01), discriminatorOptimizer: train.adam(0.01), ...args });
  return made;
};
const snapshot = (network: LayersModel): number[][] => network.getWeights().map((weight) => [...weight.dataSync()]);
/** Points around (3, -1). */
const points = (count: number): Tensor =>
  tensor(
    Array.from({ length: count }, (_, i) => [3 + 0.3 * Math.sin(i), -1 + 0.3 * Math.cos(2.3 * i)]),
    [count, 2],
  );

describe('losses', () => {
  const real = [0.5, -1, 2];
  const fake = [-0.25, 1.5, 0];
  const average = (list: number[], f: (z: number) => number) => list.reduce((sum, z) => sum + f(z), 0) / list.length;
  const logSigmoid = (z: number) => -Math.log1p(Math.exp(-z));
  // From the papers' formulas, on logits where they are of probabilities.
  const expected: { [name in GanLossName]: [number, number] } = {
    nonSaturating: [-average(real, logSigmoid) - average(fake, (z) => logSigmoid(-z)), -average(fake, logSigmoid)],
    minimax: [-average(real, logSigmoid) - average(fake, (z) => logSigmoid(-z)), average(fake, (z) => logSigmoid(-z))],
    leastSquares: [
      (average(real, (z) => (z - 1) ** 2) + average(fake, (z) => z * z)) / 2,
      average(fake, (z) => (z - 1) ** 2) / 2,
    ],
    wasserstein: [average(fake, (z) => z) - average(real, (z) => z), -average(fake, (z) => z)],
    hinge: [
      average(real, (z) => Math.max(0, 1 - z)) + average(fake, (z) => Math.max(0, 1 + z)),
      -average(fake, (z) => z),
    ],
  };
  test.each(Object.keys(expected) as GanLossName[])('%s', (name) => {
    const { discriminator: d, generator: g } = getGanLoss('test', name, 0);
    const column = (list: number[]) => tensor(list, [list.length, 1]);
    expect(d(column(real), column(fake)).dataSync()[0]).toBeCloseTo(expected[name][0], 5);
    expect(g(column(fake)).dataSync()[0]).toBeCloseTo(expected[name][1], 5);
  });
  test('smoothing asks less of the real samples', () => {
    const column = (list: number[]) => tensor(list, [list.length, 1]);
    const smooth = getGanLoss('test', 'nonSaturating', 0.1).discriminator(column(real), column(fake)).dataSync()[0];
    const target = average(real, (z) => 0.9 * logSigmoid(z) + 0.1 * logSigmoid(-z));
    expect(smooth).toBeCloseTo(-target - average(fake, (z) => logSigmoid(-z)), 5);
  });
});

test('a sigmoid at the end is looked behind: the same loss and the same update', async () => {
  const run = async (activation: 'linear' | 'sigmoid') => {
    const [g, d] = [generator(), discriminator(activation)];
    const start = (network: LayersModel) =>
      network.setWeights(
        network.getWeights().map((w, i) =>
          tensor(
            Array.from({ length: w.size }, (_, k) => Math.sin(k + i)),
            w.shape,
          ),
        ),
      );
    start(g);
    start(d);
    setSeed(7);
    const made = compiled({}, d, g);
    return { logs: await made.trainOnBatch(points(16)), weights: snapshot(d) };
  };
  const [linear, squeezed] = [await run('linear'), await run('sigmoid')];
  expect(squeezed).toEqual(linear);
});

describe('steps', () => {
  test('each is one program, which the second call uses again', async () => {
    const made = compiled();
    await made.trainOnBatch(points(16));
    const { compilations, numTensors } = memory();
    for (let i = 0; i < 3; i++) await made.trainOnBatch(points(16));
    expect(memory().compilations).toBe(compilations);
    expect(memory().numTensors - numTensors).toBeLessThanOrEqual(3);
    const history = await made.fit(points(64), null, { epochs: 3, batchSize: 16, verbose: 0 });
    expect(memory().compilations).toBe(compilations);
    expect(Object.keys(history.history)).toEqual(['discriminatorLoss', 'realScore', 'fakeScore', 'generatorLoss']);
    expect(history.history['generatorLoss']).toHaveLength(3);
  });

  test('are traced once for each shape of a batch', async () => {
    const traced = { discriminator: 0, generator: 0 };
    class Counting extends GAN {
      override discriminatorStep(data: Parameters<GAN['discriminatorStep']>[0]) {
        traced.discriminator++;
        return super.discriminatorStep(data);
      }
      override generatorStep(data: Parameters<GAN['generatorStep']>[0]) {
        traced.generator++;
        return super.generatorStep(data);
      }
    }
    const made = new Counting({ generator: generator(), discriminator: discriminator() });
    made.compile({ generatorOptimizer: 'adam', discriminatorOptimizer: 'adam' });
    await made.fit(points(64), null, { epochs: 4, batchSize: 16, verbose: 0 });
    expect(traced).toEqual({ discriminator: 1, generator: 1 });
    await made.fit(points(40), null, { epochs: 2, batchSize: 16, verbose: 0 });
    expect(traced).toEqual({ discriminator: 2, generator: 2 });
  });

  test.each(['nonSaturating', 'wasserstein'])('%s: one network moves, and nothing of the other', async (loss) => {
    let onlyGenerator = false;
    class Half extends GAN {
      override discriminatorStep(data: Parameters<GAN['discriminatorStep']>[0]) {
        return onlyGenerator ? { idle: mean(data.x) } : super.discriminatorStep(data);
      }
      override generatorStep(data: Parameters<GAN['generatorStep']>[0]) {
        return onlyGenerator ? super.generatorStep(data) : { idle: mean(data.x) };
      }
    }
    for (const half of [false, true]) {
      onlyGenerator = half;
      const made = new Half({ generator: generator(), discriminator: discriminator() });
      made.compile({ generatorOptimizer: 'adam', discriminatorOptimizer: 'adam', loss });
      const before = { generator: snapshot(made.generator), discriminator: snapshot(made.discriminator) };
      await made.trainOnBatch(points(16));
      await made.trainOnBatch(points(16));
      const [moved, still] = half
        ? (['generator', 'discriminator'] as const)
        : (['discriminator', 'generator'] as const);
      expect(snapshot(made[still]), still).toEqual(before[still]);
      // All of it moves: moving averages too. A bias in front of a batch normalization has no gradient.
      snapshot(made[moved]).forEach((values, i) => {
        const name = made[moved].weights[i].originalName;
        if (!/dense.*1?\/bias/.test(name)) expect(values, name).not.toEqual(before[moved][i]);
      });
    }
  });

  test('the generator waits its turns', async () => {
    const made = compiled({ discriminatorSteps: 3 });
    const moves: boolean[] = [];
    for (let i = 0; i < 7; i++) {
      const before = snapshot(made.generator);
      await made.trainOnBatch(points(8));
      moves.push(JSON.stringify(snapshot(made.generator)) !== JSON.stringify(before));
    }
    expect(moves).toEqual([true, false, false, true, false, false, true]);
    // The mean of an epoch is over the steps that there were.
    const seen: number[] = [];
    const { history } = await made.fit(points(40), null, {
      batchSize: 8,
      verbose: 0,
      callbacks: { onBatchEnd: (_, logs) => void seen.push(logs!['generatorLoss']) },
    });
    expect(seen).toHaveLength(5);
    expect(seen.every((value) => value > 0.1)).toBe(true);
    expect(history['generatorLoss'][0]).toBeGreaterThan(0.1);
  });
});

test('the gradient penalty is that of the formula: a linear critic is as steep as its kernel is long', async () => {
  const critic = sequential({ layers: [layers.dense({ units: 1, inputShape: [2], useBias: false })] });
  critic.setWeights([tensor([[3], [4]])]);
  const made = compiled({ loss: 'wasserstein', discriminatorOptimizer: train.sgd(0.001) }, critic);
  const logs = await made.fit(points(16), null, { batchSize: 16, verbose: 0 });
  expect(logs.history['gradientPenalty'][0]).toBeCloseTo(16, 3);
  const {
    discriminatorLoss: [total],
    realScore: [real],
    fakeScore: [fake],
  } = logs.history;
  expect(total).toBeCloseTo(fake - real + 160, 2);
  // The penalty's own gradient, 2 (|w| - 1) w / |w| times 10, beside that of the means, which is small.
  const moved = [...critic.getWeights()[0].dataSync()].map((value, i) => ([3, 4][i] - value) / 0.001);
  expect(Math.abs(moved[0] - 48)).toBeLessThan(6);
  expect(Math.abs(moved[1] - 64)).toBeLessThan(6);
});

test.each([
  ['nonSaturating', {}],
  ['leastSquares', {}],
  ['hinge', {}],
  // The slope of a critic is 1, wherever the points are: larger steps.
  ['wasserstein', { discriminatorSteps: 2, rate: 0.03 }],
] as [GanLossName, { rate?: number; discriminatorSteps?: number }][])(
  '%s: the generated points come to lie where the real ones do',
  async (loss, { rate = 0.01, ...args }) => {
    setSeed(3);
    const made = compiled(
      { loss, generatorOptimizer: train.adam(rate, 0.5), discriminatorOptimizer: train.adam(rate, 0.5), ...args },
      discriminator('linear', false),
    );
    const far = () => {
      const centre = mean(made.generate(256), 0).dataSync();
      return Math.hypot(centre[0] - 3, centre[1] + 1);
    };
    const before = far();
    await made.fit(points(512), null, { epochs: 60, batchSize: 64, seed: 1, verbose: 0 });
    expect(far()).toBeLessThan(before / 4);
  },
);

test('conditions reach both networks', async () => {
  const build = (size: number, units: number) => {
    const [main, condition] = [input({ shape: [size] }), input({ shape: [2] })];
    const joined = layers.concatenate().apply([main, condition]);
    const hidden = layers.dense({ units: 16, activation: 'relu' }).apply(joined);
    return model({ inputs: [main, condition], outputs: layers.dense({ units }).apply(hidden) });
  };
  setSeed(5);
  const made = compiled({ loss: 'leastSquares' }, build(1, 1), build(2, 1));
  const classes = Array.from({ length: 256 }, (_, i) => i % 2);
  const y = tensor(classes.map((c) => [1 - c, c]));
  const x = tensor(classes.map((c, i) => [(c === 0 ? -2 : 2) + 0.2 * Math.sin(i)]));
  await made.fit(x, y, { epochs: 150, batchSize: 64, verbose: 0, seed: 1 });
  const of = (c: number) => mean(made.generate(64, tensor(Array.from({ length: 64 }, () => [1 - c, c])))).dataSync()[0];
  expect(of(0)).toBeLessThan(-1);
  expect(of(1)).toBeGreaterThan(1);
});

test("a loss and steps of the user's own, evaluation, and a datasets batches", async () => {
  const own = {
    discriminator: (real: Tensor, fake: Tensor) => sub(mean(fake), mean(real)) as Scalar,
    generator: (fake: Tensor) => mul(mean(fake), -1) as Scalar,
  };
  const made = compiled({ loss: own });
  const losses = await made.trainOnBatch(points(16));
  expect(losses).toHaveLength(4);
  const [d, real, fake, g] = [await made.evaluate(points(32), null)].flat().map((value) => value.dataSync()[0]);
  expect(d).toBeCloseTo(fake - real, 5);
  expect(g).toBeCloseTo(-fake, 1);
  class Shift extends GAN {
    override generatorStep({ x }: { x: Tensor; y: Tensor | null }) {
      const { value, grads } = variableGrads(
        () => mean(add(this.generator.apply(this.latents(x.shape[0])), 1)) as Scalar,
        this.generator.trainableVariables,
      );
      this.generatorOptimizer.applyGradients(grads);
      return { shift: value };
    }
  }
  const shift = new Shift({ generator: generator(), discriminator: discriminator() });
  shift.compile({ generatorOptimizer: train.sgd(0.1), discriminatorOptimizer: train.sgd(0.1) });
  function* batches() {
    for (let i = 0; i < 4; i++) yield points(8);
  }
  const { history } = await shift.fitDataset({ [Symbol.iterator]: batches } as never, { epochs: 5, verbose: 0 });
  expect(history['shift'][4]).toBeLessThan(history['shift'][0]);
});

test('a frozen network stays out, a new freeze is seen, and configs come back', async () => {
  const made = compiled();
  await made.trainOnBatch(points(8));
  const again = (await models.modelFromJSON(made.toJSON(undefined, false))) as GAN;
  expect(again).toBeInstanceOf(GAN);
  expect(again.latentShape).toEqual([3]);
  again.setWeights(made.getWeights());
  const z = tidy(() => ones([4, 3]));
  expect([...again.generate(z).dataSync()]).toEqual([...made.generate(z).dataSync()]);
  made.generator.trainable = false;
  await expect(made.trainOnBatch(points(8))).rejects.toThrow(/the generator must have trainable weights/);
});

describe('mistakes', () => {
  const one = { generatorOptimizer: 'adam', discriminatorOptimizer: 'adam' };
  test.each([
    [() => gan({ generator: generator() } as never), /\[gan\] discriminator must be a model; got undefined/],
    [
      () => gan({ generator: generator(), discriminator: generator() }),
      /must take what the generator makes; .*makes \[2\].*takes \[3\]/,
    ],
    [
      () => gan({ generator: generator(), discriminator: discriminator(), latentShape: [5] }),
      /latentShape must be the generator's \[3\]; got \[5\]/,
    ],
    [() => compiled().compile({ optimizer: 'adam' }), /generatorOptimizer and discriminatorOptimizer; got optimizer/],
    [() => compiled({ loss: 'wasserstien' }), /unknown GAN loss.*wasserstein|GAN loss.*wasserstien/],
    [() => compiled({ loss: { discriminator: mean } as never }), /loss must be a name, or \{discriminator/],
    [() => compiled({ gradientPenalty: -1 }), /gradientPenalty must be 0 or more; got -1/],
    [() => compiled({ loss: 'hinge', labelSmoothing: 0.1 }), /labelSmoothing needs a loss with labels/],
    [() => compiled({ discriminatorSteps: 0 }), /discriminatorSteps must be an integer of at least 1; got 0/],
    [
      () => gan({ generator: generator(), discriminator: discriminator() }).generate(0),
      /count must be an integer of at least 1/,
    ],
  ] as [() => unknown, RegExp][])('%#', (body, message) => {
    expect(body).toThrow(message);
  });
  test('at the first step', async () => {
    const shared = train.adam(0.1);
    expect(() => compiled({ generatorOptimizer: shared, discriminatorOptimizer: shared })).toThrow(/an optimizer each/);
    await expect(compiled({ loss: 'wasserstein' }, discriminator('sigmoid')).trainOnBatch(points(4))).rejects.toThrow(
      /a critic must end without an activation/,
    );
    await expect(gan({ generator: generator(), discriminator: discriminator() }).fit(points(4), null)).rejects.toThrow(
      /\[fit\] the model must be compiled first/,
    );
    await expect(compiled(one).trainOnBatch(zeros([4, 5]))).rejects.toThrow(/\[4,5\]|5/);
  });
});

test('stopped, saved with both optimizers and loaded, it goes on with the same bits', async () => {
  const x = points(24);
  // 4 steps an epoch, 3 for a turn of the generator: the second epoch begins in the middle of one.
  const first = compiled({ discriminatorSteps: 3, gradientPenalty: 1, labelSmoothing: 0.1 });
  const epoch = async (one: GAN, seed: number) => {
    setSeed(seed);
    return (await one.fit(x, null, { epochs: 1, batchSize: 6, seed, verbose: 0 })).history;
  };
  await epoch(first, 1);
  let saved: Parameters<typeof io.fromMemory>[0] | undefined;
  await first.save({ save: async (artifacts: never) => (saved = artifacts) }, { includeOptimizer: true });
  const again = (await loadLayersModel(io.fromMemory(saved!))) as GAN;
  expect(snapshot(again)).toEqual(snapshot(first));
  expect(again.getTrainingConfig()).toEqual(first.getTrainingConfig());
  expect(again.getTrainingConfig().turn).toBe(1);
  const losses = await epoch(first, 2);
  expect(await epoch(again, 2)).toEqual(losses);
  expect(snapshot(again)).toEqual(snapshot(first));
  // Without the optimizers' state it would not.
  let bare: Parameters<typeof io.fromMemory>[0] | undefined;
  await first.save({ save: async (artifacts: never) => (bare = artifacts) });
  const anew = (await loadLayersModel(io.fromMemory(bare!))) as GAN;
  anew.compile({
    generatorOptimizer: train.adam(0.01),
    discriminatorOptimizer: train.adam(0.01),
    discriminatorSteps: 3,
  });
  await epoch(first, 3);
  await epoch(anew, 3);
  expect(snapshot(anew)).not.toEqual(snapshot(first));
  // A game of the user's own has no name that a file could hold.
  first.compile({
    generatorOptimizer: 'sgd',
    discriminatorOptimizer: 'sgd',
    loss: { ...getGanLoss('test', 'hinge', 0), name: undefined },
  });
  await expect(first.save({ save: async () => ({}) as never }, { includeOptimizer: true })).rejects.toThrow(
    /a GAN whose loss is functions is saved without its optimizers/,
  );
  for (const one of [first, again, anew]) one.dispose();
});
