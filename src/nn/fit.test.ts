/** Training: the same steps as TensorFlow.js, and every argument and mistake of fit. */
import * as tfc from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { values } from '../../test/values.ts';
import { memory, setSeed, type Tensor, tensor } from '../tensor/index.ts';
import { CustomCallback, type Logs } from './callbacks/callback.ts';
import { callbacks } from './callbacks/early_stopping.ts';
import { ProgbarLogger } from './callbacks/progbar.ts';
import { toCategorical } from './labels.ts';
import { layers } from './layers/index.ts';
import { type Sequential, sequential } from './models/sequential.ts';
import { train } from './optimizers/index.ts';

beforeAll(async () => {
  await tfc.setBackend('cpu');
});

const count = 22;
const xValues = values(count * 36, 5);
const labels = Int32Array.from({ length: count }, (_, i) => (i * 7) % 3);

const x = () => tensor(xValues, [count, 6, 6, 1]);
const y = () => toCategorical(labels, 3);
const quiet = { verbose: 0 as const, shuffle: false, batchSize: 8 };

type Room = { layers: Record<string, (args?: object) => never>; sequential: (args: object) => never };

function network<T>(room: Room, extra: object = {}): T {
  const model = room.sequential({
    layers: [
      room.layers.conv2d({ filters: 2, kernelSize: 3, activation: 'relu', inputShape: [6, 6, 1], ...extra }),
      room.layers.maxPooling2d({ poolSize: 2 }),
      room.layers.flatten(),
      room.layers.dense({ units: 3, activation: 'softmax', ...extra }),
    ],
  }) as unknown as { getWeights(): { shape: number[] }[]; setWeights(w: unknown[]): void };
  const isTheirs = (room.sequential as unknown) === tfl.sequential;
  const make = (isTheirs ? tfc.tensor : tensor) as (values: Float32Array, shape: number[]) => unknown;
  model.setWeights(
    model.getWeights().map(({ shape }, i) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return make(
        values(size, i + 1).map((v) => v / 2),
        shape,
      );
    }),
  );
  return model as T;
}

const ours = (extra?: object) => network<Sequential>({ layers, sequential } as unknown as Room, extra);
const theirs = (extra?: object) => network<tfl.Sequential>(tfl as unknown as Room, extra);

function dense(): Sequential {
  const model = sequential({ layers: [layers.dense({ units: 3, activation: 'softmax', inputShape: [4] })] });
  model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}
const x4 = (n = 6) => tensor(values(n * 4), [n, 4]);
const y3 = (n = 6) =>
  toCategorical(
    Int32Array.from({ length: n }, (_, i) => i % 3),
    3,
  );

describe('fit against TensorFlow.js', () => {
  test.each([
    ['sgd', {}],
    ['adam', {}],
    ['rmsprop', {}],
    ['sgd', { kernelRegularizer: 'l1l2' }],
  ])('%s %o: the same losses, accuracies and weights', async (optimizer, extra) => {
    const args = { optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] };
    const [a, b] = [ours(extra), theirs(extra)];
    a.compile(args);
    b.compile(args);
    const options = { ...quiet, epochs: 3, validationSplit: 0.25 };
    const got = await a.fit(x(), y(), options);
    const labelsOneHot = tfc.tensor(y().dataSync(), [count, 3]);
    const expected = await b.fit(tfc.tensor(xValues, [count, 6, 6, 1]), labelsOneHot, options);
    expect(got.epoch).toEqual(expected.epoch);
    expect(Object.keys(got.history).sort()).toEqual(Object.keys(expected.history).sort());
    for (const [key, list] of Object.entries(expected.history)) {
      (list as number[]).forEach((value, i) => {
        expect(got.history[key][i], `${key} of epoch ${i}`).toBeCloseTo(value, 3);
      });
    }
    const want = b.getWeights().map((weight) => weight.dataSync());
    a.getWeights().forEach((weight, i) => {
      weight.dataSync().forEach((value, k) => {
        expect(value).toBeCloseTo(want[i][k], 3);
      });
    });
  });

  test('sparse labels give what one-hot labels give', async () => {
    const [a, b] = [ours(), ours()];
    a.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['acc'] });
    b.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['acc'] });
    const first = await a.fit(x(), y(), { ...quiet, epochs: 2 });
    const second = await b.fit(x(), tensor(labels, [count], 'int32'), { ...quiet, epochs: 2 });
    for (const key of ['loss', 'acc']) {
      second.history[key].forEach((value, i) => {
        expect(value).toBeCloseTo(first.history[key][i], 5);
      });
    }
  });
});

describe('fit', () => {
  test('ragged last batch, callbacks in order, plain numbers in logs', async () => {
    const model = dense();
    const seen: string[] = [];
    const sizes: number[] = [];
    const note = (name: string) => (at?: unknown) => {
      seen.push(`${name}${typeof at === 'number' ? at : ''}`);
    };
    await model.fit(x4(5), y3(5), {
      batchSize: 2,
      epochs: 2,
      verbose: 0,
      callbacks: {
        onTrainBegin: note('train'),
        onTrainEnd: note('end'),
        onEpochBegin: note('epoch'),
        onEpochEnd: note('epochEnd'),
        onBatchBegin: note('b'),
        onBatchEnd: (_batch: number, logs?: Logs) => {
          sizes.push(logs!.size);
          expect(typeof logs!.loss).toBe('number');
          expect(typeof logs!.acc).toBe('number');
        },
      },
    });
    expect(seen).toEqual([
      'train',
      'epoch0',
      'b0',
      'b1',
      'b2',
      'epochEnd0',
      'epoch1',
      'b0',
      'b1',
      'b2',
      'epochEnd1',
      'end',
    ]);
    expect(sizes).toEqual([2, 2, 1, 2, 2, 1]);
  });

  test('shuffling follows the seed, and setSeed', async () => {
    const run = async (seed?: number) => {
      const model = dense();
      model.setWeights([tensor(values(12), [4, 3]), tensor([0, 0, 0])]);
      await model.fit(x4(), y3(), { batchSize: 2, epochs: 3, verbose: 0, seed });
      return [...model.getWeights()[0].dataSync()];
    };
    expect(await run(7)).toEqual(await run(7));
    expect(await run(7)).not.toEqual(await run(8));
    setSeed(3);
    const first = await run();
    setSeed(3);
    expect(await run()).toEqual(first);
  });

  test('initialEpoch, stepsPerEpoch, stopTraining, a callback object', async () => {
    const model = dense();
    const history = await model.fit(x4(), y3(), { ...quiet, epochs: 5, initialEpoch: 3 });
    expect(history.epoch).toEqual([3, 4]);
    let batches = 0;
    const counting = new CustomCallback({ onBatchEnd: () => void batches++ });
    await model.fit(x4(), y3(), { ...quiet, batchSize: 1, stepsPerEpoch: 4, callbacks: [counting] });
    expect(batches).toBe(4);
    const stopped = await model.fit(x4(), y3(), {
      ...quiet,
      epochs: 9,
      callbacks: {
        onEpochEnd: (epoch) => {
          if (epoch === 1) model.stopTraining = true;
        },
      },
    });
    expect(stopped.epoch).toEqual([0, 1]);
  });

  test('earlyStopping waits its patience and brings back the best weights', async () => {
    const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [1], useBias: false })] });
    model.setWeights([tensor([[1]])]);
    model.compile({ optimizer: train.sgd(3), loss: 'meanSquaredError' });
    // w <- w - 6 w: the loss grows with every step.
    const history = await model.fit(tensor([[1]]), tensor([[0]]), {
      epochs: 20,
      verbose: 0,
      validationData: [tensor([[1]]), tensor([[0]])],
      callbacks: callbacks.earlyStopping({ patience: 2, restoreBestWeights: true }),
    });
    expect(history.epoch).toEqual([0, 1, 2]);
    expect(model.getWeights()[0].dataSync()[0]).toBeCloseTo(-5, 5);
  });

  test('SIGINT stops at the end of the step, the model goes on, the handler is gone', async () => {
    const model = dense();
    const before = process.listenerCount('SIGINT');
    let batches = 0;
    const history = await model.fit(x4(), y3(), {
      batchSize: 1,
      epochs: 50,
      verbose: 0,
      callbacks: {
        onBatchEnd: () => {
          if (++batches === 3) process.emit('SIGINT');
        },
      },
    });
    expect(batches).toBe(3);
    expect(history.epoch).toEqual([0]);
    expect(process.listenerCount('SIGINT')).toBe(before);
    await model.fit(x4(), y3(), { ...quiet, epochs: 1 });
    expect(model.predict(x4()).shape).toEqual([6, 3]);
  });

  test('a constraint holds after each step', async () => {
    const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [2], kernelConstraint: 'nonNeg' })] });
    model.compile({ optimizer: train.sgd(0.5), loss: 'mse' });
    await model.fit(tensor([[1, 1]]), tensor([[-9]]), { epochs: 3, verbose: 0 });
    for (const w of model.getWeights()[0].dataSync()) expect(w).toBeGreaterThanOrEqual(0);
  });

  test('weights under a constraint come back bit for bit, but from setWeights as TensorFlow.js has them', async () => {
    const make = <T>(room: Room) => {
      const args = { units: 4, inputShape: [3], kernelConstraint: 'maxNorm', name: 'bounded' };
      return room.sequential({ layers: [room.layers.dense(args)] }) as T;
    };
    const [model, again] = [0, 1].map(() => make<Sequential>({ layers, sequential } as never));
    const bounds = values(12, 3).map((w) => 0.01 * w);
    again.loadWeights({ 'bounded/kernel': tensor(bounds, [3, 4]), 'bounded/bias': tensor([0, 0, 0, 0]) });
    expect(again.getWeights()[0].dataSync()).toEqual(bounds);
    model.setWeights(again.getWeights());
    const start = model.getWeights()[0].dataSync().slice();
    const theirs = make<tfl.LayersModel>(tfl as never);
    theirs.setWeights([tfc.tensor2d(bounds, [3, 4]), tfc.zeros([4])]);
    const expected = theirs.getWeights()[0].dataSync();
    start.forEach((w, i) => {
      expect(Math.abs(w - expected[i])).toBeLessThanOrEqual(1e-6 * Math.abs(expected[i]));
    });
    expect(start).not.toEqual(bounds);
    // The best epoch is the first: the next ones go far away.
    const stop = callbacks.earlyStopping({ monitor: 'loss', patience: 1, restoreBestWeights: true });
    let best: number[] = [];
    model.compile({ optimizer: train.sgd(1e3), loss: 'meanSquaredError' });
    const keep = new CustomCallback({
      onEpochEnd: async (epoch) => {
        if (epoch === 0) best = [...model.getWeights()[0].dataSync()];
      },
    });
    const [inputs, targets] = [tensor(values(6, 2), [2, 3]), tensor([0, 0, 0, 0, 0, 0, 0, 0], [2, 4])];
    await model.fit(inputs, targets, { epochs: 5, verbose: 0, callbacks: [keep, stop] });
    expect([...model.getWeights()[0].dataSync()]).toEqual(best);
  });

  test('frozen layers stay as they are', async () => {
    const model = ours();
    model.layers[0].trainable = false;
    model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
    const before = model.getWeights().map((w) => [...w.dataSync()]);
    await model.fit(x(), y(), { ...quiet });
    const after = model.getWeights().map((w) => [...w.dataSync()]);
    expect(after[0]).toEqual(before[0]);
    expect(after[2]).not.toEqual(before[2]);
  });

  test('compile decides what is frozen: the discriminator of a GAN trains by itself and not inside of the joint model', async () => {
    const image = () => tensor(values(8 * 5), [8, 5]);
    const discriminator = sequential({
      layers: [
        layers.dense({ units: 4, inputShape: [5] }),
        layers.batchNormalization(),
        layers.dense({ units: 1, activation: 'sigmoid' }),
      ],
    });
    discriminator.compile({ optimizer: 'adam', loss: 'binaryCrossentropy' });
    discriminator.trainable = false;
    const generator = sequential({ layers: [layers.dense({ units: 5, inputShape: [3] })] });
    const joint = sequential({ layers: [generator, discriminator] });
    joint.compile({ optimizer: 'adam', loss: 'binaryCrossentropy' });
    const read = (model: ReturnType<typeof sequential>) => model.getWeights().map((w) => [...w.dataSync()]);
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => {});
    for (let step = 0; step < 2; step++) {
      const [ownBefore, made] = [read(discriminator), read(generator)];
      await discriminator.trainOnBatch(image(), tensor([1, 0, 1, 0, 1, 0, 1, 0], [8, 1]));
      const own = read(discriminator);
      // Kernels and biases, and the moving statistics too: it trains as if it had never been frozen.
      own.forEach((weight, i) => void expect(weight).not.toEqual(ownBefore[i]));
      await joint.trainOnBatch(tensor(values(24, step), [8, 3]), tensor(new Float32Array(8).fill(1), [8, 1]));
      expect(read(discriminator)).toEqual(own);
      expect(read(generator)[0]).not.toEqual(made[0]);
    }
    expect(discriminator.trainable).toBe(false);
    expect(warned.mock.calls).toEqual([[expect.stringMatching(/trains 6 weights.*0 are trainable now: call compile/)]]);
    warned.mockRestore();
  });

  test('training drops, prediction does not', async () => {
    const model = sequential({
      layers: [
        layers.dropout({ rate: 0.5, inputShape: [64] }),
        layers.dense({ units: 1, useBias: false, kernelInitializer: 'ones' }),
      ],
    });
    model.compile({ optimizer: train.sgd(0), loss: 'mse' });
    const ones = tensor(new Float32Array(64).fill(1), [1, 64]);
    const target = tensor([[64]]);
    expect(model.predict(ones).dataSync()[0]).toBe(64);
    const losses = [];
    for (let i = 0; i < 4; i++) losses.push(await model.trainOnBatch(ones, target));
    // Each step draws another mask.
    expect(new Set(losses).size).toBeGreaterThan(1);
    expect(await model.testOnBatch(ones, target)).toBe(0);
  });

  test('no tensor is left behind, and later epochs compile nothing', async () => {
    const model = ours();
    model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const [inputs, targets] = [x(), y()];
    const args = { ...quiet, shuffle: true, validationSplit: 0.25 };
    await model.fit(inputs, targets, args);
    model.predict(inputs).dispose();
    const { numTensors, compilations } = memory();
    await model.fit(inputs, targets, { ...args, epochs: 3 });
    model.predict(inputs).dispose();
    for (const value of model.evaluate(inputs, targets, { batchSize: 8 }) as Tensor[]) value.dispose();
    expect(memory().numTensors).toBeLessThanOrEqual(numTensors);
    expect(memory().compilations - compilations).toBeLessThanOrEqual(2);
  });
});

describe('mistakes in fit', () => {
  const rejects = (message: RegExp, run: () => Promise<unknown>) => expect(run()).rejects.toThrow(message);

  test.each<[string, RegExp, () => Promise<unknown>]>([
    [
      'batch size 0',
      /\[fit\] batchSize must be an integer of at least 1; got 0/,
      () => dense().fit(x4(), y3(), { batchSize: 0 }),
    ],
    ['epochs', /\[fit\] epochs must be an integer/, () => dense().fit(x4(), y3(), { epochs: 1.5 })],
    [
      'counts',
      /\[fit\] x and y must have the same number of samples; x has 6, y has 5/,
      () => dense().fit(x4(), y3(5)),
    ],
    [
      'shape of x',
      /\[fit\] x, for input layer \w+ of model \w+, must be \[null,4\], as the model was built; got \[6,5\]/,
      () => dense().fit(tensor(values(30), [6, 5]), y3()),
    ],
    [
      'shape of y',
      /labels must have the shape of the model's output; labels are \[6,2\]/,
      () => dense().fit(x4(), tensor(values(12), [6, 2])),
    ],
    ['class numbers', /use loss 'sparseCategoricalCrossentropy'/, () => dense().fit(x4(), tensor([0, 1, 2, 0, 1, 2]))],
    ['empty', /\[fit\] x must not be empty; got \[0,4\]/, () => dense().fit(tensor([], [0, 4]), tensor([], [0, 3]))],
    [
      'NaN in y',
      /\[fit\] y must not hold NaN; sample 1 has one/,
      () => dense().fit(x4(2), tensor([0, 1, 0, Number.NaN, 0, 0], [2, 3])),
    ],
    [
      'NaN in x',
      /\[fit\] x must not hold NaN; sample 0 has one/,
      () => dense().fit(tensor([Number.NaN, 1, 2, 3], [1, 4]), y3(1)),
    ],
    [
      'zero row',
      /one-hot labels must name a class; the row of sample 0 is all zeros/,
      () => dense().fit(x4(1), tensor([0, 0, 0], [1, 3])),
    ],
    [
      'label 2',
      /one-hot labels must lie in \[0, 1\]; sample 0 has 2 for class 1/,
      () => dense().fit(x4(1), tensor([0, 2, 0], [1, 3])),
    ],
    ['not a tensor', /\[fit\] x must be a tensor; got object/, () => dense().fit({} as Tensor, y3())],
    [
      'split',
      /\[fit\] validationSplit must be in \[0, 1\); got 1/,
      () => dense().fit(x4(), y3(), { validationSplit: 1 }),
    ],
    ['yieldEvery', /\[fit\] yieldEvery/, () => dense().fit(x4(), y3(), { yieldEvery: 'sometimes' as never })],
    [
      'classWeight',
      /\[fit\] classWeight must have a weight for every class; class 0 of sample 0 has none/,
      () => dense().fit(x4(), y3(), { classWeight: {} } as never),
    ],
  ])('%s', (_, message, run) => rejects(message, run));

  test('labels outside the classes', async () => {
    const model = sequential({ layers: [layers.dense({ units: 3, activation: 'softmax', inputShape: [4] })] });
    model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
    const message =
      /\[fit\] labels must be integers in \[0, 2\]; the label of sample 1 is 3; do the labels count from 1\?/;
    await rejects(message, () => model.fit(x4(3), tensor([1, 3, 2], [3], 'int32')));
  });

  test('fit before compile, two fits at a time, and a model that is usable after a mistake', async () => {
    const plain = sequential({ layers: [layers.dense({ units: 3, inputShape: [4] })] });
    expect(() => plain.evaluate(x4(), y3())).toThrow(
      /\[evaluate\] the model must be compiled first; call model.compile/,
    );
    await rejects(/\[fit\] the model must be compiled first/, () => plain.fit(x4(), y3()));
    const model = dense();
    const running = model.fit(x4(), y3(), { ...quiet, epochs: 2 });
    await rejects(/\[fit\] a model can be trained by one fit at a time/, () => model.fit(x4(), y3()));
    await running;
    await rejects(/batchSize/, () => model.fit(x4(), y3(), { batchSize: -1 }));
    expect((await model.fit(x4(), y3(), quiet)).epoch).toEqual([0]);
  });

  test('compile', () => {
    const model = sequential({ layers: [layers.dense({ units: 3, inputShape: [4] })] });
    expect(() => model.compile({ optimizer: 'adma', loss: 'mse' })).toThrow(
      /\[compile\] optimizer .* did you mean adam/,
    );
    expect(() => model.compile({ optimizer: 'adam', loss: 'mse', metrics: ['acuracy'] })).toThrow(
      /did you mean accuracy/,
    );
    expect(() => model.compile({ optimizer: 'adam' } as never)).toThrow(/\[compile\] a loss is needed/);
  });
});

describe('the progress bar', () => {
  const run = (isTTY: boolean, verbose = 1) => {
    let out = '';
    let now = 0;
    const bar = new ProgbarLogger(verbose, { isTTY, columns: 200, write: (text: string) => (out += text) }, () => now);
    bar.setParams({
      epochs: 2,
      initialEpoch: 0,
      samples: 200,
      steps: 4,
      batchSize: 50,
      verbose,
      doValidation: false,
      metrics: ['loss'],
      unit: 'images',
    });
    bar.onEpochBegin(0);
    for (let batch = 0; batch < 4; batch++) {
      now += 60;
      bar.onBatchEnd(batch, { batch, size: 50, loss: 4 - batch });
    }
    bar.onEpochEnd(0, { loss: 2.5 });
    return out;
  };

  test('on a terminal: one line, redrawn at most ten times a second', () => {
    const lines = run(true).split('\r');
    expect(lines[0]).toBe('Epoch 1/2\n');
    expect(lines).toHaveLength(5);
    expect(lines[1]).toContain('························ 0/4');
    // The second batch, 120 ms in: one step of 60 ms counts, two are left.
    expect(lines[2]).toContain('━━━━━━━━━━━━············ 2/4 120ms left · 833 images/s · loss 3.5000');
    expect(lines[4]).toContain('━━━━━━━━━━━━━━━━━━━━━━━━ 4/4 240ms · 833 images/s · loss 2.5000');
    expect(lines[4].endsWith('\n')).toBe(true);
  });

  test('elsewhere: one plain line for each epoch', () => {
    expect(run(false)).toBe('Epoch 1/2: 4/4 240ms · 833 images/s · loss 2.5000\n');
    expect(run(true, 2)).toBe('Epoch 1/2: 4/4 240ms · 833 images/s · loss 2.5000\n');
  });

  test('fit prints through it by default', async () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      await dense().fit(x4(), y3(), { epochs: 1 });
      expect(write.mock.calls.map(([text]) => String(text)).join('')).toContain('Epoch 1/1');
    } finally {
      write.mockRestore();
    }
  });
});
