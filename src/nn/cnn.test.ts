/** The CNN of the main job learns real digits: a fifth of the bundled ones are enough for a fair accuracy. */
import { expect, test } from 'vitest';
import '../../test/values.ts';
import { datasets } from '../data/index.ts';
import { memory, setSeed, type Tensor, tensor } from '../tensor/index.ts';
import { toCategorical } from './labels.ts';
import { layers } from './layers/index.ts';
import { sequential } from './models/sequential.ts';

test('3,000 digits, four epochs: at least 93 % of 1,000 others are right', async () => {
  setSeed(1);
  const { train, test: held } = await datasets.mnist.loadArrays({ source: 'bundled' });
  const count = 3000;
  const x = tensor(train.images.subarray(0, count * 784), [count, 28, 28, 1]);
  const y = toCategorical(train.labels.subarray(0, count), 10);
  const model = sequential({
    layers: [
      layers.conv2d({ filters: 32, kernelSize: 3, activation: 'relu', inputShape: [28, 28, 1] }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
      layers.flatten(),
      layers.dense({ units: 64, activation: 'relu' }),
      layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  expect(model.countParams()).toBe(93322);
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  await model.fit(x, y, { batchSize: 32, epochs: 1, verbose: 0 });
  const { compilations, numTensors } = memory();
  const { history } = await model.fit(x, y, { batchSize: 32, epochs: 3, verbose: 0 });
  expect(memory().compilations).toBe(compilations);
  expect(memory().numTensors).toBeLessThanOrEqual(numTensors);
  expect(history.loss[2]).toBeLessThan(history.loss[0]);

  const heldX = tensor(held.images, held.shape);
  const [loss, accuracy] = model.evaluate(heldX, toCategorical(held.labels, 10), { batchSize: 100 }) as Tensor[];
  expect(accuracy.dataSync()[0]).toBeGreaterThan(0.93);
  expect(loss.dataSync()[0]).toBeLessThan(0.3);

  // What evaluate counts is what predict says.
  const said = model.predict(heldX, { batchSize: 64 }).argMax(-1).dataSync();
  const right = said.filter((digit, i) => digit === held.labels[i]).length;
  expect(right / held.labels.length).toBeCloseTo(accuracy.dataSync()[0], 6);
}, 300_000);
