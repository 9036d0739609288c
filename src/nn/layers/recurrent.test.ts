/** Recurrent layers: masks, states, directions, cells of the user's own. Numbers beside TensorFlow.js are in layers.test.ts. */
import * as tfc from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { values } from '../../../test/values.ts';
import { add, matMul, mul, type Tensor, tensor, zeros } from '../../tensor/index.ts';
import { input, model } from '../models/functional.ts';
import { sequential } from '../models/sequential.ts';
import { layers } from './index.ts';
import type { CallOptions } from './layer.ts';
import { RNNCell } from './rnn_cell.ts';
import type { SymbolicTensor } from './symbolic.ts';

beforeAll(async () => {
  await tfc.setBackend('cpu');
});

/** TensorFlow.js's orthogonal matrices need its chained methods; the numbers are replaced all the same. */
const plain = { recurrentInitializer: 'glorotNormal' } as const;

const sequence = (batch = 2, steps = 6, features = 3) =>
  tensor(values(batch * steps * features, 4), [batch, steps, features]);
const close = (got: ArrayLike<number>, want: ArrayLike<number>, digits = 5) => {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) expect(got[i]).toBeCloseTo(want[i], digits);
};

describe('states', () => {
  test('returnState gives the last ones, and initialState takes them up', () => {
    const lstm = layers.lstm({ units: 4, returnSequences: true, returnState: true });
    const x = sequence();
    const [all, h, c] = lstm.apply<Tensor[]>(x);
    const [first, h1, c1] = lstm.apply<Tensor[]>(x.slice([0, 0, 0], [2, 2, 3]));
    const [rest, h2, c2] = lstm.apply<Tensor[]>(x.slice([0, 2, 0], [2, 4, 3]), { initialState: [h1, c1] });
    close(h2.dataSync(), h.dataSync());
    close(c2.dataSync(), c.dataSync());
    close(first.concat(rest, 1).dataSync(), all.dataSync());
    expect(() => lstm.apply(x, { initialState: [h1] })).toThrow(/initialState must have 2 tensors; got 1/);
  });

  test('an encoder and a decoder in one graph', () => {
    const source = input({ shape: [5, 3] });
    const target = input({ shape: [4, 3] });
    const [, h, c] = layers.lstm({ units: 4, returnState: true }).apply<SymbolicTensor[]>(source);
    const decoded = layers.lstm({ units: 4, returnSequences: true }).apply(target, { initialState: [h, c] });
    const whole = model({ inputs: [source, target], outputs: decoded });
    expect(whole.predict([sequence(2, 5), sequence(2, 4)]).shape).toEqual([2, 4, 4]);
  });

  test('a stateful layer goes on where the batch before ended, also when compiled', () => {
    const make = (stateful: boolean) =>
      sequential({ layers: [layers.gru({ units: 4, stateful, batchInputShape: [2, 3, 3], name: `g${stateful}` })] });
    const [kept, plain] = [make(true), sequential({ layers: [layers.gru({ units: 4, inputShape: [null, 3] })] })];
    plain.setWeights(kept.getWeights());
    const x = sequence();
    const part = (from: number) => x.slice([0, from, 0], [2, 3, 3]);
    const want = plain.predict(x).dataSync();
    kept.predict(part(0));
    close(kept.predict(part(3)).dataSync(), want);
    kept.resetStates();
    kept.predict(part(0));
    close(kept.predict(part(3)).dataSync(), want);
    expect(() => make(true).layers[0].apply(sequence(3, 3))).not.toThrow(/InternalError/);
    expect(() => layers.gru({ units: 2, stateful: true }).apply(x)).toThrow(
      /a stateful layer needs a fixed batch size/,
    );
  });
});

describe('kept states', () => {
  const stateful = () => layers.lstm({ units: 4, stateful: true, batchInputShape: [2, 3, 3] });
  const part = (from: number) => sequence().slice([0, from, 0], [2, 3, 3]);

  test('are read and set, before the first batch too', () => {
    const layer = stateful();
    expect(layer.getStates()).toEqual([null, null]);
    layer.apply<Tensor>(part(0)).dataSync();
    const states = layer.getStates() as Tensor[];
    expect(states.map(({ shape }) => shape)).toEqual([
      [2, 4],
      [2, 4],
    ]);
    const want = [...layer.apply<Tensor>(part(3)).dataSync()];
    const other = stateful();
    other.build([2, 3, 3]);
    other.setWeights(layer.getWeights());
    other.setStates(states);
    expect([...other.apply<Tensor>(part(3)).dataSync()]).toEqual(want);
    layer.resetStates(states);
    expect([...layer.apply<Tensor>(part(3)).dataSync()]).toEqual(want);
  });

  test('what does not fit is refused', () => {
    expect(() => layers.gru({ units: 2 }).setStates([])).toThrow(/setStates needs a stateful layer/);
    expect(() => layers.gru({ units: 2 }).resetStates(zeros([1, 2]))).toThrow(/resetStates needs a stateful layer/);
    expect(() => stateful().setStates([zeros([2, 4])])).toThrow(/there must be 2 states; got 1/);
    const layer = stateful();
    layer.setStates([zeros([3, 4]), zeros([3, 4])]);
    expect(() => layer.apply(part(0))).toThrow(/size of the kept states, 3; got 2.*newShape/);
  });
});

describe('masks', () => {
  test('steps that are left out keep the state: as if they were not there', () => {
    const lstm = layers.lstm({ units: 4 });
    const x = sequence(1, 4);
    const padded = x.pad([
      [0, 0],
      [0, 3],
      [0, 0],
    ]);
    const mask = tensor([1, 1, 1, 1, 0, 0, 0], [1, 7], 'bool');
    close(lstm.apply(padded, { mask }).dataSync(), lstm.apply(x).dataSync());
    expect(() => lstm.apply(padded, { mask: tensor([1, 0], [1, 2], 'bool') })).toThrow(
      /a mask must have the leading extents of its input, as \[1,7\]; got \[1,2\]/,
    );
  });

  test('come from an embedding or a masking layer, pass through, and count in the loss', async () => {
    const build = (room: { sequential: typeof tfl.sequential; layers: typeof tfl.layers }) =>
      room.sequential({
        layers: [
          room.layers.masking({ inputShape: [5, 3] }),
          room.layers.lstm({ units: 4, returnSequences: true, ...plain }),
          room.layers.gru({ units: 2, ...plain }),
        ],
      });
    const theirs = build(tfl);
    const ours = build({ sequential, layers } as never) as unknown as ReturnType<typeof sequential>;
    const shapes = theirs.getWeights().map(({ shape }) => shape);
    expect(ours.getWeights().map(({ shape }) => shape)).toEqual(shapes);
    const numbers = shapes.map((shape, i) =>
      values(
        shape.reduce((a, b) => a * b, 1),
        i + 1,
      ),
    );
    theirs.setWeights(numbers.map((data, i) => tfc.tensor(data, shapes[i])));
    ours.setWeights(numbers.map((data, i) => tensor(data, shapes[i])));
    const data = values(2 * 5 * 3, 8);
    data.fill(0, 9, 15);
    data.fill(0, 18, 21);
    const want = (theirs.predict(tfc.tensor(data, [2, 5, 3])) as tfc.Tensor).dataSync();
    close(ours.predict(tensor(data, [2, 5, 3])).dataSync(), want);

    const words = sequential({
      layers: [
        layers.embedding({ inputDim: 4, outputDim: 1, maskZero: true, embeddingsInitializer: 'ones' }),
        layers.timeDistributed({ layer: layers.dense({ units: 1, kernelInitializer: 'ones' }) }),
      ],
    });
    words.compile({ optimizer: 'sgd', loss: 'mse', metrics: ['mae'] });
    // Output 1 everywhere; of the targets 3, 0, 0 only the first two steps count.
    const [loss, mae] = (await words.testOnBatch(tensor([[1, 2, 0]]), tensor([[[3], [0], [0]]]))) as number[];
    expect(loss).toBeCloseTo((4 + 1) / 2, 5);
    expect(mae).toBeCloseTo((2 + 1) / 2, 5);
  });

  test('in both directions', () => {
    const both = layers.bidirectional({ layer: layers.lstm({ units: 3, returnSequences: true }) });
    const x = sequence(1, 4);
    const padded = x.pad([
      [0, 0],
      [0, 2],
      [0, 0],
    ]);
    const mask = tensor([1, 1, 1, 1, 0, 0], [1, 6], 'bool');
    const want = both.apply(x).dataSync();
    close(both.apply(padded, { mask }).slice([0, 0, 0], [1, 4, 6]).dataSync(), want);
  });
});

test('bidirectional gives what TensorFlow.js gives, in every mode', () => {
  for (const mergeMode of ['concat', 'sum', 'mul', 'ave'] as const) {
    const build = (room: { sequential: typeof tfl.sequential; layers: typeof tfl.layers }) =>
      room.sequential({
        layers: [
          room.layers.bidirectional({
            layer: room.layers.gru({ units: 2, returnSequences: true, ...plain }) as never,
            mergeMode,
            inputShape: [4, 3],
          }),
        ],
      });
    const theirs = build(tfl);
    const ours = build({ sequential, layers } as never) as unknown as ReturnType<typeof sequential>;
    const shapes = theirs.getWeights().map(({ shape }) => shape);
    const numbers = shapes.map((shape, i) =>
      values(
        shape.reduce((a, b) => a * b, 1),
        i + 1,
      ),
    );
    theirs.setWeights(numbers.map((data, i) => tfc.tensor(data, shapes[i])));
    ours.setWeights(numbers.map((data, i) => tensor(data, shapes[i])));
    const data = values(2 * 4 * 3, 8);
    close(
      ours.predict(tensor(data, [2, 4, 3])).dataSync(),
      (theirs.predict(tfc.tensor(data, [2, 4, 3])) as tfc.Tensor).dataSync(),
    );
  }
});

test('GRU with the reset gate after the product: one step by hand', () => {
  const cell = layers.gruCell({ units: 1, resetAfter: true, recurrentActivation: 'sigmoid' });
  const [x, h] = [tensor([[0.5]]), tensor([[0.25]])];
  cell.apply<Tensor[]>([x, h]);
  const [k, u, b] = [
    [1, 2, 3],
    [0.5, -1, 2],
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
  ];
  cell.setWeights([tensor(k, [1, 3]), tensor(u, [1, 3]), tensor(b, [2, 3])]);
  const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
  const z = sigmoid(0.5 * k[0] + b[0] + 0.25 * u[0] + b[3]);
  const r = sigmoid(0.5 * k[1] + b[1] + 0.25 * u[1] + b[4]);
  const n = Math.tanh(0.5 * k[2] + b[2] + r * (0.25 * u[2] + b[5]));
  const [output] = cell.apply<Tensor[]>([x, h]);
  expect(output.dataSync()[0]).toBeCloseTo(z * 0.25 + (1 - z) * n, 6);
});

test('a cell of the user: minimal RNN', () => {
  const kernel = tensor([1, 0, 0, 1, 1, 1], [3, 2]);
  class Minimal extends RNNCell {
    static override readonly className = 'Minimal';
    readonly stateSize = 2;
    override call(inputs: Tensor[], _options: CallOptions): Tensor[] {
      const [x, h] = inputs;
      const next = add(mul(h, 0.5), matMul(x, kernel));
      return [mul(next, 2), next];
    }
  }
  const rnn = layers.rnn({ cell: new Minimal({}), returnState: true });
  const x = tensor([
    [
      [1, 0, 0],
      [0, 1, 0],
    ],
  ]);
  const [output, state] = rnn.apply<Tensor[]>(x);
  expect([...state.dataSync()]).toEqual([0.5, 1]);
  expect([...output.dataSync()]).toEqual([1, 2]);
});

test('dropout in the cells drops the same features in each step, and only in training', () => {
  const rnn = layers.simpleRNN({ units: 3, dropout: 0.5, recurrentDropout: 0.5, returnSequences: true });
  const x = sequence();
  const quiet = [...rnn.apply(x).dataSync()];
  expect([...rnn.apply(x).dataSync()]).toEqual(quiet);
  expect([...rnn.apply(x, { training: true }).dataSync()]).not.toEqual(quiet);
});

test('a long sequence trains in one program', async () => {
  const made = sequential({
    layers: [layers.lstm({ units: 8, inputShape: [200, 1] }), layers.dense({ units: 1 })],
  });
  made.compile({ optimizer: 'adam', loss: 'mse' });
  const x = tensor(values(4 * 200), [4, 200, 1]);
  const losses: number[] = [];
  for (let i = 0; i < 5; i++) losses.push((await made.trainOnBatch(x, tensor([[1], [1], [1], [1]]))) as number);
  expect(losses[4]).toBeLessThan(losses[0]);
});
