import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layers, memory, sequential, setSeed, type Tensor, tensor, tensor1d, tensor2d } from '../../index.ts';
import { array, type Dataset, func, generator, zip } from './dataset.ts';
import * as data from './index.ts';

let before = 0;
beforeEach(() => {
  before = memory().numTensors;
});
afterEach(() => {
  expect(memory().numTensors).toBe(before);
});

/** The values of all elements, which are freed. */
async function valuesOf(dataset: Dataset<never>): Promise<unknown[]> {
  const out: unknown[] = [];
  await (dataset as unknown as Dataset<unknown>).forEachAsync((item) => {
    out.push(plain(item));
  });
  return out;
}
function plain(item: unknown): unknown {
  if (typeof item !== 'object' || item === null) return item;
  if ('arraySync' in item) return (item as Tensor).arraySync();
  if (Array.isArray(item)) return item.map(plain);
  return Object.fromEntries(Object.entries(item).map(([key, part]) => [key, plain(part)]));
}
const values = <T>(dataset: Dataset<T>) => valuesOf(dataset as Dataset<never>);
const count = (n: number) => Array.from({ length: n }, (_, i) => i);

describe('transformations', () => {
  test('map, filter, take, skip, concatenate, repeat and their sizes', async () => {
    const ten = array(count(10));
    const rows: [Dataset<number>, number[], number | null][] = [
      [ten.map((x) => x * x), count(10).map((x) => x * x), 10],
      [ten.filter((x) => x % 3 === 0), [0, 3, 6, 9], null],
      [ten.take(3), [0, 1, 2], 3],
      [ten.take(30), count(10), 10],
      [ten.take(-1), count(10), 10],
      [ten.take(0), [], 0],
      [ten.skip(7), [7, 8, 9], 3],
      [ten.skip(70), [], 0],
      [ten.skip(-1), [], 0],
      [ten.take(2).concatenate(ten.skip(9)), [0, 1, 9], 3],
      [ten.take(0).concatenate(ten.skip(9)).concatenate(ten.take(1)), [9, 0], 2],
      [ten.take(2).repeat(3), [0, 1, 0, 1, 0, 1], 6],
      [ten.repeat(0), [], 0],
      [ten.repeat().take(12), [...count(10), 0, 1], 12],
      [ten.take(0).repeat(), [], 0],
      [ten.mapAsync(async (x) => x + 1).prefetch(4), count(10).map((x) => x + 1), 10],
      [ten.prefetch(100).take(2), [0, 1], 2],
    ];
    for (const [dataset, want, size] of rows) {
      expect(dataset.size).toBe(size);
      expect(await values(dataset)).toEqual(want);
      // A dataset can be begun again.
      expect(await values(dataset)).toEqual(want);
    }
  });

  test('batch: numbers, lists, tensors, strings, objects; a ragged last batch or none', async () => {
    expect(await values(array(count(5)).batch(2))).toEqual([[0, 1], [2, 3], [4]]);
    expect(await values(array(count(5)).batch(2, false))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(array(count(5)).batch(2).size).toBe(3);
    expect(array(count(5)).batch(2, false).size).toBe(2);
    expect(
      await values(
        array([
          [1, 2],
          [3, 4],
          [5, 6],
        ]).batch(3),
      ),
    ).toEqual([
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ]);
    expect(await values(array(['a', 'b']).batch(9))).toEqual([['a', 'b']]);
    expect(await values(array([new Float32Array([1, 2]), new Float32Array([3, 4])]).batch(2))).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
    ]);
    const objects = count(3).map((i) => ({ xs: { a: i, b: [i, i] }, ys: 9 - i }));
    expect(await values(array(objects).batch(2))).toEqual([
      {
        xs: {
          a: [0, 1],
          b: [
            [0, 0],
            [1, 1],
          ],
        },
        ys: [9, 8],
      },
      { xs: { a: [2], b: [[2, 2]] }, ys: [7] },
    ]);
    const made = generator(function* () {
      for (let i = 0; i < 3; i++) yield { x: tensor2d([[i, i]]), y: tensor1d([i], 'int32') };
    });
    const [first, last] = await made.batch(2).toArray();
    const { x, y } = first as { x: Tensor; y: Tensor };
    expect([x.shape, x.dtype, y.shape, y.dtype]).toEqual([[2, 1, 2], 'float32', [2, 1], 'int32']);
    for (const item of [first, last]) for (const leaf of Object.values(item as { x: Tensor })) leaf.dispose();
    expect(
      Number.isNaN(((await values(array([{ a: 1 }, { a: undefined }]).batch(2))) as { a: number[] }[])[0].a[1]),
    ).toBe(true);
  });

  test('shuffle: every element once, by seed, anew in each pass', async () => {
    const twenty = array(count(20));
    const shuffled = twenty.shuffle(20, 'seed');
    const [first, second] = [await values(shuffled), await values(shuffled)];
    expect([...first].sort((a, b) => (a as number) - (b as number))).toEqual(count(20));
    expect(first).not.toEqual(count(20));
    expect(second).not.toEqual(first);
    const again = twenty.shuffle(20, 'seed');
    expect([await values(again), await values(again)]).toEqual([first, second]);
    expect(await values(twenty.shuffle(20, 'other'))).not.toEqual(first);
    const fixed = twenty.shuffle(5, 3, false);
    expect(await values(fixed)).toEqual(await values(fixed));
    // A window of 5: nothing comes more than four places early.
    ((await values(fixed)) as number[]).forEach((value, place) => expect(value - place).toBeLessThan(5));
    setSeed(7);
    const global = await values(twenty.shuffle(20));
    setSeed(7);
    expect(await values(twenty.shuffle(20))).toEqual(global);
    expect(await values(twenty.shuffle(1, 1))).toEqual(count(20));
  });

  test('the first element of a full window is uniform', async () => {
    const hits = new Array<number>(5).fill(0);
    const five = array(count(5)).shuffle(5, 11);
    for (let i = 0; i < 1000; i++) hits[(await values(five))[0] as number]++;
    // chi-squared, 4 degrees of freedom: 18.5 is passed once in a thousand
    expect(hits.reduce((sum, n) => sum + (n - 200) ** 2 / 200, 0)).toBeLessThan(18.5);
  });

  test('zip in any structure, to the shortest', async () => {
    const [a, b] = [array(count(4)), array(['x', 'y', 'z'])];
    expect(await values(zip([a, b]))).toEqual([
      [0, 'x'],
      [1, 'y'],
      [2, 'z'],
    ]);
    const both = zip({ xs: a, rest: [b, { deep: a }] } as never);
    expect(both.size).toBe(3);
    expect((await values(both))[1]).toEqual({ xs: 1, rest: ['y', { deep: 1 }] });
    expect(zip([a.repeat(), b]).size).toBe(3);
    const tensors = generator(function* () {
      for (;;) yield tensor1d([1]);
    });
    expect(await values(zip([tensors, array([1, 2])]))).toHaveLength(2);
  });

  test('generator and func, also asynchronous', async () => {
    async function* later() {
      yield 1;
      yield 2;
    }
    expect(await values(generator(later))).toEqual([1, 2]);
    expect(await values(generator(async () => [3, 4][Symbol.iterator]()))).toEqual([3, 4]);
    let i = 0;
    expect(
      await values(func(() => (i < 3 ? { value: i++, done: false } : { value: null as never, done: true }))),
    ).toEqual([0, 1, 2]);
    const seen: number[] = [];
    for await (const value of array([1, 2])) seen.push(value);
    expect(seen).toEqual([1, 2]);
  });
});

describe('memory', () => {
  test('map frees what it is given and what it makes in between', async () => {
    const source = tensor1d([1, 2]);
    const doubled = array([source, source]).map((x) => (x as Tensor).mul(2).add(1));
    expect(await values(doubled)).toEqual([
      [3, 5],
      [3, 5],
    ]);
    expect(await values(array([source]).map((x) => x))).toEqual([[1, 2]]);
    expect(await values(array([source, source, source]).filter(() => false))).toEqual([]);
    expect(await values(array([source, source, source]).skip(2))).toEqual([[1, 2]]);
    expect(source.isDisposed).toBe(false);
    source.dispose();
  });

  test('a pass that is left early closes what it began, and frees what was fetched ahead', async () => {
    let closed = 0;
    const endless = generator(function* () {
      try {
        for (;;) yield tensor1d([1]);
      } finally {
        closed++;
      }
    });
    const stages = endless
      .shuffle(10, 1)
      .prefetch(4)
      .map((x) => x.add(1))
      .batch(3)
      .prefetch(2);
    const iterator = await stages.iterator();
    const { value } = await iterator.next();
    (value as Tensor).dispose();
    await iterator.return();
    expect(closed).toBe(1);
    for await (const item of endless.take(5)) {
      item.dispose();
      break;
    }
    expect(closed).toBe(2);
    // Left before it was begun.
    await (await endless.prefetch(3).batch(2).iterator()).return();
  });

  test('a failure in the middle frees the rest', async () => {
    let i = 0;
    const failing = generator(function* () {
      for (;;) yield tensor1d([1]);
    }).map((x) => {
      if (i++ === 4) throw new Error('the fifth is bad');
      return x.add(1);
    });
    await expect(
      failing
        .shuffle(3, 1)
        .batch(2)
        .prefetch(2)
        .toArray()
        .then(() => null),
    ).rejects.toThrow('the fifth is bad');
  });

  test('mapAsync runs as many at once as prefetch asks for, in order', async () => {
    let [now, most] = [0, 0];
    const slow = array(count(9)).mapAsync(async (x) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, x % 3));
      now--;
      return x;
    });
    expect(await values(slow.prefetch(3))).toEqual(count(9));
    expect(most).toBeGreaterThan(1);
  });
});

describe('mistakes', () => {
  test.each([
    [() => array(5 as never), 'array needs a list'],
    [() => array([1]).batch(0), 'batchSize must be an integer of at least 1; got 0'],
    [() => array([1]).prefetch(undefined as never), 'bufferSize must be'],
    [() => array([1]).shuffle(undefined as never), 'bufferSize must be'],
    [() => array([1]).shuffle(2, {} as never), 'seed must be a number or a string'],
    [() => array([1]).map(3 as never), 'map needs a function'],
    [() => array([1]).take(1.5), 'count must be'],
    [() => array([1]).concatenate([2] as never), 'concatenate needs a dataset'],
    [() => zip([1] as never), 'zip needs datasets'],
    [() => zip([]), 'at least one'],
  ])('%s', (make, message) => {
    expect(make).toThrow(message);
  });
  test.each([
    [() => array([1]).repeat().toArray(), 'must end to become a list'],
    [
      () =>
        array([[1, 2], [3]])
          .batch(2)
          .toArray(),
      'element 0 is a list of 2, element 1 a list of 1',
    ],
    [
      () =>
        array([{ a: 1 }, { b: 1 }])
          .batch(2)
          .toArray(),
      'one structure, {a}; element 1 is {b}',
    ],
    [
      () =>
        array([{ a: { c: 1 } }, { a: 2 }] as never[])
          .batch(2)
          .toArray(),
      'element 1 at a is number',
    ],
    [() => generator(() => 3 as never).toArray(), 'must return an iterator'],
    [() => data.webcam(), 'not supported'],
    [() => data.microphone(), 'not supported'],
  ])('%s', async (run, message) => {
    await expect(run()).rejects.toThrow(message);
  });
  test('tensors of different shapes', async () => {
    const odd = generator(function* () {
      yield { x: tensor1d([1]) };
      yield { x: tensor1d([1, 2]) };
    });
    await expect(odd.batch(2).toArray()).rejects.toThrow('element 1 at x is a tensor [2] float32');
  });
});

test('fitDataset and evaluateDataset: a line is learned, from batches with a ragged last one', async () => {
  setSeed(3);
  const rows = count(50).map((i) => ({ xs: [i / 50], ys: [2 * (i / 50) - 1] }));
  const train = array(rows).shuffle(50, 1).batch(8).prefetch(2);
  const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [1] })] });
  model.compile({ optimizer: 'adam', loss: 'meanSquaredError', metrics: ['mae'] });
  (model.optimizer as unknown as { learningRate: number }).learningRate = 0.05;
  await model.fitDataset(train, { epochs: 1, verbose: 0 });
  const kept = memory().numTensors;
  const history = await model.fitDataset(train, { epochs: 40, verbose: 0, validationData: array(rows).batch(16) });
  expect(history.history['loss']).toHaveLength(40);
  expect(history.history['val_loss'].at(-1)).toBeLessThan(1e-3);
  // The samples of an epoch are all of them, whatever the last batch.
  const whole = model.evaluate(tensor(rows.map(({ xs }) => xs)), tensor(rows.map(({ ys }) => ys))) as Tensor[];
  const parts = (await model.evaluateDataset(array(rows).batch(7))) as Tensor[];
  parts.forEach((part, i) => expect(part.dataSync()[0]).toBeCloseTo(whole[i].dataSync()[0], 5));
  // An endless dataset needs an end.
  await expect(model.fitDataset(train.repeat(), { epochs: 1, verbose: 0 })).rejects.toThrow('batchesPerEpoch');
  const some = await model.fitDataset(train.repeat(), { epochs: 2, batchesPerEpoch: 3, verbose: 0 });
  expect(some.history['loss']).toHaveLength(2);
  for (const part of [...whole, ...parts]) part.dispose();
  expect(memory().numTensors).toBeLessThanOrEqual(kept + 8);
  model.dispose();
  before = memory().numTensors;
});
