/**
 * The main job (`npm start`): trains a small convolutional network on handwritten digits, tests it on digits it has never
 * seen, saves it, loads it again, and shows what it says of ten digits.
 *
 *   node examples/mnist.js [--epochs 5] [--batch 64] [--seed 1] [--full DIR] [--save DIR] [--backend x64|wasm|reference]
 *
 * --full names a folder of MNIST's official files (60,000 + 10,000 digits); without it the digits that come with the
 * package are used, or those that `npx tensorloom download mnist` has fetched.
 */
import { parseArgs } from 'node:util';
import * as tf from 'tensorloom';

const started = performance.now();
const options = readOptions();
if (options.backend && !(await tf.setBackend(options.backend))) {
  throw new Error(`the backend '${options.backend}' cannot run on this machine`);
}
tf.setSeed(options.seed);

const data = await tf.datasets.mnist.loadData(options.full ? { dir: options.full } : {});
const { train, test } = data;
const { threads } = tf.backend();
console.log(`tensorloom on ${tf.getBackend()}, ${threads} thread${threads === 1 ? '' : 's'}, seed ${options.seed}`);
console.log(`digits: ${count(train.x.shape[0])} to learn from, ${count(test.x.shape[0])} held out (${data.source})\n`);

const model = tf.sequential({
  layers: [
    tf.layers.conv2d({ filters: 32, kernelSize: 3, activation: 'relu', inputShape: [28, 28, 1] }),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    tf.layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    tf.layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
    tf.layers.flatten(),
    tf.layers.dense({ units: 64, activation: 'relu' }),
    tf.layers.dense({ units: 10, activation: 'softmax' }),
  ],
});
model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

const history = await model.fit(train.x, tf.toCategorical(train.y, 10), {
  epochs: options.epochs,
  batchSize: options.batch,
});
if (model.stopTraining) console.log(`\nstopped in epoch ${history.epoch.length}; going on with what it has learned`);

const [loss, accuracy] = model.evaluate(test.x, tf.toCategorical(test.y, 10), { batchSize: options.batch });
const share = (await accuracy.data())[0];
const right = Math.round(share * test.x.shape[0]);
console.log(
  `\ntest accuracy ${(share * 100).toFixed(2)} % ` +
    `(${count(right)} of ${count(test.x.shape[0])}), loss ${(await loss.data())[0].toFixed(4)}`,
);

await model.save(`file://${options.save}`);
const loaded = await tf.loadLayersModel(`file://${options.save}/model.json`);
const before = await model.predict(test.x, { batchSize: options.batch }).data();
const after = await loaded.predict(test.x, { batchSize: options.batch }).data();
const different = before.filter((value, i) => value !== after[i]).length;
console.log(
  `saved to ${options.save} and loaded again: ` +
    (different === 0
      ? `all ${count(test.x.shape[0])} predictions are the same, bit for bit`
      : `${count(different)} of ${count(before.length)} outputs differ`),
);

console.log(`\nthe first held-out digit of each class, and what the loaded network says of it:\n`);
await show(after);
console.log(`\n${((performance.now() - started) / 1000).toFixed(1)} s in all`);

/** Draws the first digit of each class with the network's answer below it, as many beside each other as fit. */
async function show(predictions) {
  const pixels = await test.x.data();
  const labels = await test.y.data();
  const shown = [];
  for (let digit = 0; digit < 10; digit++) {
    const at = labels.indexOf(digit);
    if (at < 0) continue;
    const chances = predictions.subarray(at * 10, at * 10 + 10);
    const said = chances.indexOf(Math.max(...chances));
    const sure = `${(chances[said] * 100).toFixed(1)} %`;
    const caption = said === digit ? `✓ ${said}  ${sure}` : `✗ ${said}  ${sure}, is ${digit}`;
    shown.push([...draw(pixels.subarray(at * 784, at * 784 + 784)), caption]);
  }
  const perRow = Math.max(1, Math.floor((process.stdout.columns ?? 80) / 16));
  for (let start = 0; start < shown.length; start += perRow) {
    const row = shown.slice(start, start + perRow);
    for (let line = 0; line < row[0].length; line++) {
      console.log(
        row
          .map((drawing) => drawing[line].padEnd(16))
          .join('')
          .trimEnd(),
      );
    }
    console.log();
  }
}

/** 28 x 28 pixels as 7 lines of 14 characters: each has four quarters, and each quarter stands for two pixels. */
function draw(pixels) {
  const quarters = ' ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█';
  const ink = (row, column) => (pixels[row * 28 + column] + pixels[(row + 1) * 28 + column]) / 2 > 0.35;
  return Array.from({ length: 7 }, (_, y) =>
    Array.from({ length: 14 }, (_, x) => {
      const [top, left] = [y * 4, x * 2];
      const code = [ink(top, left), ink(top, left + 1), ink(top + 2, left), ink(top + 2, left + 1)];
      return quarters[code.reduce((bits, set, i) => bits + (set ? 2 ** i : 0), 0)];
    }).join(''),
  );
}

function readOptions() {
  const text = { type: /** @type {const} */ ('string') };
  const { values } = parseArgs({
    options: { epochs: text, batch: text, seed: text, full: text, save: text, backend: text },
  });
  const integer = (name, fallback) => {
    const value = Number(values[name] ?? fallback);
    if (Number.isInteger(value)) return value;
    throw new Error(`--${name} must be an integer; got '${values[name]}'`);
  };
  return {
    epochs: integer('epochs', 5),
    batch: integer('batch', 64),
    seed: integer('seed', 1),
    full: values.full,
    save: values.save ?? 'models/mnist',
    backend: values.backend,
  };
}

function count(n) {
  return n.toLocaleString('en-US');
}
