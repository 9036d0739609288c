/** Functional models: graphs of layers, beside TensorFlow.js. */
import * as tfc from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { values } from '../../../test/values.ts';
import { io, loadLayersModel } from '../../io/index.ts';
import { add, mean, mul, type Scalar, square, sub, type Tensor, tensor, variableGrads } from '../../tensor/index.ts';
import { layers } from '../layers/index.ts';
import { Layer } from '../layers/layer.ts';
import { train } from '../optimizers/index.ts';
import { models } from './from_json.ts';
import { input, model } from './functional.ts';
import { LayersModel, type TrainStepData } from './layers_model.ts';
import { plotModel } from './plot.ts';
import { sequential } from './sequential.ts';

beforeAll(async () => {
  await tfc.setBackend('cpu');
});

type Symbolic = tfl.SymbolicTensor;
interface Room {
  input: typeof tfl.input;
  layers: typeof tfl.layers;
  model: typeof tfl.model;
  sequential: typeof tfl.sequential;
}
const our = { input, layers, model, sequential } as unknown as Room;

/** Two inputs, a shared layer, a nested model, two outputs. */
function build(room: Room): tfl.LayersModel {
  const a = room.input({ shape: [4], name: 'a' });
  const b = room.input({ shape: [4], name: 'b' });
  const shared = room.layers.dense({ units: 3, activation: 'tanh', name: 'shared' });
  const inner = room.sequential({
    name: 'inner',
    layers: [room.layers.dense({ units: 5, activation: 'relu', inputShape: [6], name: 'one' })],
  });
  const joined = room.layers.concatenate({ name: 'joined' }).apply([shared.apply(a), shared.apply(b)] as Symbolic[]);
  const hidden = inner.apply(joined) as Symbolic;
  const x = room.layers.dense({ units: 3, activation: 'softmax', name: 'x' }).apply(hidden) as Symbolic;
  const skip = room.layers.add({ name: 'skip' }).apply([hidden, hidden]) as Symbolic;
  const y = room.layers.dense({ units: 1, name: 'y' }).apply(skip) as Symbolic;
  return room.model({ inputs: [a, b], outputs: [x, y], name: 'net' });
}

/** Both models with the same weights. */
function both() {
  const [ours, theirs] = [build(our) as unknown as LayersModel, build(tfl)];
  const numbers = theirs.getWeights().map(({ shape }, i) => ({
    shape,
    data: values(
      shape.reduce((n, m) => n * m, 1),
      i + 1,
    ),
  }));
  expect(ours.getWeights().map(({ shape }) => shape)).toEqual(numbers.map(({ shape }) => shape));
  theirs.setWeights(numbers.map(({ data, shape }) => tfc.tensor(data, shape)));
  ours.setWeights(numbers.map(({ data, shape }) => tensor(data, shape)));
  return { ours, theirs };
}

const n = 12;
const xs = [values(n * 4, 3), values(n * 4, 4)];
const classes = Float32Array.from({ length: n * 3 }, (_, i) => Number(i % 3 === ((i / 3) % 3) >> 0));
const numbers = values(n, 5);
const inputsOf = () => xs.map((x) => tensor(x, [n, 4]));

function close(got: ArrayLike<number>, want: ArrayLike<number>, digits = 4) {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) expect(got[i]).toBeCloseTo(want[i], digits);
}

describe('two inputs, two outputs', () => {
  test('predicts what TensorFlow.js predicts', () => {
    const { ours, theirs } = both();
    const got = ours.predict<Tensor[]>(inputsOf(), { batchSize: 5 });
    const want = theirs.predict(xs.map((x) => tfc.tensor(x, [n, 4]))) as tfc.Tensor[];
    got.forEach((output, i) => {
      expect(output.shape).toEqual(want[i].shape);
      close(output.dataSync(), want[i].dataSync());
    });
  });

  test('prints itself as TensorFlow.js does', () => {
    const branches = (room: Room) => {
      const a = room.input({ shape: [4], name: 'a' });
      const shared = room.layers.dense({ units: 4, name: 'shared' });
      const sum = room.layers
        .add({ name: 'sum' })
        .apply([shared.apply(a), shared.apply(shared.apply(a))] as Symbolic[]);
      return room.model({ inputs: a, outputs: sum as Symbolic, name: 'net' });
    };
    const lines = (one: { summary(a?: number, b?: number[], print?: (line: string) => void): void }) => {
      const printed: string[] = [];
      one.summary(undefined, undefined, (line) => printed.push(line));
      return printed;
    };
    expect(lines(branches(our))).toEqual(lines(branches(tfl)));
  });

  test('describes itself as TensorFlow.js does', () => {
    const { ours, theirs } = both();
    expect(ours.toJSON(undefined, false)).toEqual(JSON.parse(JSON.stringify(theirs.toJSON(null, false))));
  });

  test.each([[{}], [{ lossWeights: { x: 0.25, y: 2 } }]])('trains as TensorFlow.js does %o', async (extra) => {
    const { ours, theirs } = both();
    const args = { loss: ['categoricalCrossentropy', 'meanSquaredError'], metrics: { x: ['accuracy'], y: ['mae'] } };
    ours.compile({ optimizer: 'sgd', ...args, ...extra });
    theirs.compile({ optimizer: 'sgd', ...args } as never);
    const options = { epochs: 3, batchSize: 5, shuffle: false, verbose: 0 as const };
    const got = await ours.fit(inputsOf(), { x: tensor(classes, [n, 3]), y: tensor(numbers, [n, 1]) }, options);
    if (Object.keys(extra).length > 0) {
      const last = got.history.loss[2];
      expect(last).toBeCloseTo(0.25 * got.history.x_loss[2] + 2 * got.history.y_loss[2], 5);
      return;
    }
    const labels = [tfc.tensor(classes, [n, 3]), tfc.tensor(numbers, [n, 1])];
    const want = await theirs.fit(
      xs.map((x) => tfc.tensor(x, [n, 4])),
      labels,
      options,
    );
    expect(Object.keys(got.history)).toEqual(Object.keys(want.history));
    for (const key of Object.keys(want.history)) close(got.history[key], want.history[key] as number[]);
    ours.getWeights().forEach((weight, i) => {
      close(weight.dataSync(), theirs.getWeights()[i].dataSync());
    });
  });

  test('inputs by name, evaluate, one batch', async () => {
    const { ours } = both();
    ours.compile({ optimizer: 'sgd', loss: { x: 'categoricalCrossentropy', y: 'mse' } });
    const [a, b] = inputsOf();
    const labels = [tensor(classes, [n, 3]), tensor(numbers, [n, 1])];
    const [total, first, second] = (ours.evaluate({ b, a }, labels) as Tensor[]).map((value) => value.dataSync()[0]);
    expect(total).toBeCloseTo(first + second, 5);
    expect(await ours.testOnBatch([a, b], labels)).toEqual([total, first, second].map((v) => expect.closeTo(v, 5)));
    expect(ours.metricsNames).toEqual(['loss', 'x_loss', 'y_loss']);
  });

  test('comes back from JSON, from TensorFlow.js, and from a file', async () => {
    const { ours, theirs } = both();
    const again = await models.modelFromJSON(theirs.toJSON(null, false));
    expect(again.toJSON()).toBe(ours.toJSON());
    let saved: Parameters<typeof io.fromMemory>[0] | undefined;
    await ours.save({ save: async (artifacts: never) => (saved = artifacts) });
    const loaded = await loadLayersModel(io.fromMemory(saved!));
    const outputs = (one: LayersModel) => one.predict<Tensor[]>(inputsOf()).map((y) => [...y.dataSync()]);
    expect(outputs(loaded)).toEqual(outputs(ours));
  });
});

test('two models inside one with equal names of layers keep their weights apart in a file', async () => {
  const part = (name: string) =>
    sequential({ name, layers: [layers.dense({ units: 2, inputShape: [2], name: 'same' })] });
  const x = input({ shape: [2] });
  const whole = model({ inputs: x, outputs: part('second').apply(part('first').apply(x)) });
  let saved: Parameters<typeof io.fromMemory>[0] | undefined;
  await whole.save({ save: async (artifacts: never) => (saved = artifacts) });
  const loaded = await loadLayersModel(io.fromMemory(saved!));
  const of = (one: LayersModel) => [...one.predict(tensor([[1, 2]])).dataSync()];
  expect(of(loaded)).toEqual(of(whole));
});

test('plotModel draws a box for each layer and an arrow for each tensor', () => {
  const svg = plotModel(build(our) as unknown as LayersModel);
  expect(svg.match(/<rect/g)).toHaveLength(8);
  // shared twice, joined twice, inner, x, skip twice, y
  expect(svg.match(/class="edge"/g)).toHaveLength(9);
  expect(svg).toContain('joined (Concatenate)');
  expect(svg).toContain('[null,6]');
  expect(svg.startsWith('<svg ')).toBe(true);
});

test('Keras 3 configs are read', async () => {
  const place = (name: string) => ({
    class_name: '__keras_tensor__',
    config: { shape: [null, 2], dtype: 'float32', keras_history: [name, 0, 0] },
  });
  const dtype = { module: 'keras', class_name: 'DTypePolicy', config: { name: 'float32' } };
  const entry = (name: string) => ({
    class_name: 'InputLayer',
    name,
    config: { batch_shape: [null, 2], dtype: 'float32', sparse: false, name },
    inbound_nodes: [],
  });
  const config = {
    class_name: 'Functional',
    config: {
      name: 'functional_1',
      trainable: true,
      layers: [
        entry('in_a'),
        entry('in_b'),
        {
          class_name: 'Add',
          name: 'add_1',
          config: { name: 'add_1', trainable: true, dtype },
          inbound_nodes: [{ args: [[place('in_a'), place('in_b')]], kwargs: {} }],
        },
        {
          class_name: 'Dense',
          name: 'dense_1',
          config: { name: 'dense_1', units: 1, activation: 'linear', dtype, kernel_initializer: 'ones' },
          inbound_nodes: [{ args: [place('add_1')], kwargs: {} }],
        },
      ],
      input_layers: [
        ['in_a', 0, 0],
        ['in_b', 0, 0],
      ],
      output_layers: ['dense_1', 0, 0],
    },
  };
  const made = await models.modelFromJSON(config);
  const y = made.predict([tensor([[1, 2]]), tensor([[3, 4]])]);
  expect([...y.dataSync()]).toEqual([10]);
});

describe('graphs that cannot be right', () => {
  const dense = (name: string) => layers.dense({ units: 2, name });
  test('an output that does not follow from the inputs', () => {
    const [a, b] = [input({ shape: [2], name: 'left' }), input({ shape: [2], name: 'right' })];
    const y = layers.add({ name: 'sum' }).apply([dense('d').apply(a), b]);
    expect(() => model({ inputs: a, outputs: y })).toThrow(
      /\[model\] every output of model .* must follow from its inputs; layer sum needs input right \[null,2\].*add right to inputs/,
    );
  });
  test('an input that leads nowhere', () => {
    const [a, b] = [input({ shape: [2], name: 'left' }), input({ shape: [2], name: 'right' })];
    expect(() => model({ inputs: [a, b], outputs: dense('d').apply(a) })).toThrow(
      /every input of model .* must lead to an output; input 1 \(layer right\) leads to none/,
    );
  });
  test('a cycle in a file', async () => {
    const x = input({ shape: [2], name: 'x' });
    const made = model({ inputs: x, outputs: dense('q').apply(dense('p').apply(x)) });
    const json = JSON.parse(made.toJSON());
    const nodes = json.config.layers.find((layer: { name: string }) => layer.name === 'p').inbound_nodes;
    nodes[0][0][0] = 'q';
    await expect(models.modelFromJSON(json)).rejects.toThrow(
      /must have no cycle; these layers wait for each other: p \(for q\), q \(for p\)/,
    );
  });
  test('two layers of one name, things that are no tensors, ranks that do not fit', () => {
    const x = input({ shape: [2], name: 'x' });
    expect(() => model({ inputs: x, outputs: dense('p').apply(dense('p').apply(x)) })).toThrow(
      /must have its own name; got p twice/,
    );
    expect(() => model({ inputs: x, outputs: 3 as never })).toThrow(/outputs must be symbolic tensors; got number/);
    expect(() => layers.conv2d({ filters: 1, kernelSize: 3, name: 'c' }).apply(x)).toThrow(
      /\[c: Conv2D.*\] the input must be of rank 4, the batch included; got \[null,2\]/,
    );
    expect(() => layers.add({ name: 's' }).apply(x)).toThrow(/\[s: Add\] the layer needs a list of 2 or more inputs/);
    expect(() => dense('m').apply([x, tensor([1])] as never)).toThrow(/apply needs tensors, or symbolic tensors/);
  });
  test('a mistake inside names the layer and its place', () => {
    class Picky extends Layer {
      static override readonly className = 'Picky';
      override computeOutputShape(shape: readonly (number | null)[]) {
        return shape;
      }
      override call(x: Tensor) {
        return x.matMul(tensor([[1, 2, 3]]));
      }
    }
    const x = input({ shape: [2], name: 'x' });
    const made = model({
      inputs: x,
      outputs: new Picky({ name: 'picky' }).apply(dense('before').apply(x)),
      name: 'net',
    });
    expect(() => made.predict(tensor([[1, 2]]))).toThrow(
      /\[picky: Picky\].*inner dimensions.*; it is layer 3 of 3 of model net, after before/,
    );
  });
});

describe('models that are classes', () => {
  class Residual extends LayersModel {
    readonly first = layers.dense({ units: 4, activation: 'relu' });
    readonly rest = [layers.dense({ units: 4 }), layers.dropout({ rate: 0.5 }), layers.dense({ units: 1 })];
    override call(x: Tensor): Tensor {
      const h = this.first.apply(x);
      const [a, b, c] = this.rest;
      return c.apply(b.apply(add(h, a.apply(h))));
    }
  }

  test('are trained, evaluated and used inside of others', async () => {
    const made = new Residual();
    made.compile({ optimizer: train.adam(0.05), loss: 'mse', metrics: ['mae'] });
    const x = tensor(values(64, 2), [16, 4]);
    const y = mean(x, 1, true);
    const history = await made.fit(x, y, { epochs: 30, verbose: 0, batchSize: 8, seed: 1 });
    expect(history.history.loss[29]).toBeLessThan(history.history.loss[0] / 2);
    expect(made.layers).toHaveLength(4);
    expect(made.weights).toHaveLength(6);
    expect(made.predict(x).shape).toEqual([16, 1]);
    const outer = input({ shape: [4] });
    const wrapped = model({ inputs: outer, outputs: made.apply(outer) });
    expect([...wrapped.predict(x).dataSync()]).toEqual([...made.predict(x).dataSync()]);
    expect(wrapped.outputShape).toEqual([null, 1]);
  });

  test('training is told to the layers inside', () => {
    const made = new Residual();
    const x = tensor(values(40, 2), [10, 4]);
    made.apply(x);
    expect([...made.apply(x).dataSync()]).toEqual([...made.apply(x).dataSync()]);
    const drops = () => [...made.apply(x, { training: true }).dataSync()];
    expect(drops()).not.toEqual(drops());
  });

  test('a training step of their own is one program', async () => {
    let traced = 0;
    class Own extends LayersModel {
      readonly dense = layers.dense({ units: 1, useBias: false, kernelInitializer: 'zeros' });
      override call(x: Tensor): Tensor {
        return this.dense.apply(x);
      }
      override trainStep({ x, y }: TrainStepData) {
        traced++;
        const { value, grads } = variableGrads(
          () => mean(square(sub(this.apply(x as Tensor, { training: true }), y as Tensor))) as Scalar,
          this.trainableVariables,
        );
        this.optimizer.applyGradients(grads);
        return { loss: value, double: mul(value, 2) };
      }
    }
    const made = new Own();
    made.compile({ optimizer: train.sgd(0.1) });
    const { history } = await made.fit(tensor([[1], [2]]), tensor([[2], [4]]), { epochs: 20, verbose: 0 });
    expect(traced).toBe(1);
    expect(history.loss[0]).toBe(10);
    expect(history.double[0]).toBe(20);
    expect(made.getWeights()[0].dataSync()[0]).toBeCloseTo(2, 3);
  });
});

test('addLoss and activity regularizers count in training', async () => {
  class Penalty extends Layer {
    static override readonly className = 'Penalty';
    override call(x: Tensor): Tensor {
      this.addLoss(mean(x));
      return x;
    }
  }
  const x = input({ shape: [2] });
  const dense = layers.dense({ units: 2, kernelInitializer: 'ones', activityRegularizer: 'l1' });
  const made = model({ inputs: x, outputs: new Penalty({}).apply(dense.apply(x)) });
  made.compile({ optimizer: train.sgd(0), loss: 'mse' });
  // Output 3, 3: mse 9, mean 3, l1 0.01 * 6.
  expect(await made.trainOnBatch(tensor([[1, 2]]), tensor([[0, 0]]))).toBeCloseTo(9 + 3 + 0.06, 5);
});

test('weights of samples and classes', async () => {
  const make = () => {
    const made = sequential({
      layers: [layers.dense({ units: 2, activation: 'softmax', inputShape: [1], kernelInitializer: 'ones' })],
    });
    made.compile({
      optimizer: train.sgd(0),
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['acc'],
      weightedMetrics: ['acc'],
    });
    return made;
  };
  const x = tensor([[1], [2], [3]]);
  const y = tensor([0, 1, 1], [3], 'int32');
  const ln2 = Math.LN2;
  const byClass = await make().fit(x, y, { verbose: 0, classWeight: { 0: 3, 1: 0.5 } });
  expect(byClass.history.loss[0]).toBeCloseTo((ln2 * (3 + 0.5 + 0.5)) / 3, 5);
  const bySample = await make().fit(x, y, { verbose: 0, sampleWeight: tensor([1, 0, 2]) });
  expect(bySample.history.loss[0]).toBeCloseTo(ln2, 5);
  await expect(make().fit(x, y, { verbose: 0, sampleWeight: tensor([1, 0]) })).rejects.toThrow(
    /sampleWeight must have a weight for each of 3 samples; got \[2\]/,
  );
});

test('fitDataset and evaluateDataset take iterables, and a validation set', async () => {
  const made = sequential({ layers: [layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'zeros' })] });
  made.compile({ optimizer: train.sgd(0.1), loss: 'mse' });
  function* batches() {
    for (let i = 0; i < 3; i++) yield { xs: tensor([[1, i]]), ys: tensor([[2]]) };
  }
  const dataset = { [Symbol.iterator]: batches };
  const history = await made.fitDataset(dataset, { epochs: 2, verbose: 0, validationData: dataset });
  expect(history.epoch).toEqual([0, 1]);
  expect(history.history.val_loss[1]).toBeLessThan(history.history.loss[0]);
  const [loss] = [await made.evaluateDataset(dataset)].flat();
  expect(loss.dataSync()[0]).toBeCloseTo(history.history.val_loss[1], 5);
  async function* forever() {
    for (;;) yield [tensor([[1, 1]]), tensor([[2]])] as [Tensor, Tensor];
  }
  const limited = await made.fitDataset(
    { [Symbol.asyncIterator]: forever },
    { batchesPerEpoch: 4, epochs: 2, verbose: 0 },
  );
  expect(limited.history.loss).toHaveLength(2);
});
