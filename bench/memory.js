/**
 * Resident memory over time: 10,000 training steps of the CNN and 100,000 eager operations without tidy. Prints a table and fails where
 * the size still grows after the warm-up. `node bench/memory.js [--steps N] [--ops N]`, after `npm run build`.
 */
import { parseArgs } from 'node:util';
import * as tf from '../dist/index.js';
import { smallCnn } from '../examples/lib/classify.js';

const { values } = parseArgs({
  options: { steps: { type: 'string', default: '10000' }, ops: { type: 'string', default: '100000' } },
});
/** How much the second half may lie above the end of the warm-up, a fifth of the run: what a garbage collector leaves lying about. */
const SLACK = 0.15;

const megabytes = () => process.memoryUsage.rss() / 2 ** 20;

/** Samples of the resident size, and the verdict: the median of the last fifth against the highest of the second fifth. */
function report(name, samples) {
  const fifth = Math.floor(samples.length / 5);
  const warm = Math.max(...samples.slice(fifth, 2 * fifth).map((s) => s.size));
  const last = samples.slice(-fifth).map((s) => s.size);
  const end = last.slice().sort((a, b) => a - b)[fifth >> 1];
  console.log(`\n${name}`);
  const each = Math.ceil(samples.length / 10);
  for (const [i, { at, size, tensors }] of samples.entries()) {
    if (i % each !== 0 && i !== samples.length - 1) continue;
    const bar = '#'.repeat(Math.round(size / 8));
    console.log(
      `${String(at).padStart(8)}  ${size.toFixed(0).padStart(5)} MB  ${String(tensors).padStart(7)} tensors  ${bar}`,
    );
  }
  const isFlat = end <= warm * (1 + SLACK);
  console.log(`after the warm-up ${warm.toFixed(0)} MB, at the end ${end.toFixed(0)} MB: ${isFlat ? 'flat' : 'GROWS'}`);
  return isFlat;
}

async function training(steps) {
  const model = smallCnn(tf);
  model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  const x = tf.randomUniform([64, 28, 28, 1]);
  const y = tf.tensor1d(Array.from({ length: 64 }, (_, i) => i % 10));
  const samples = [];
  for (let at = 0; at <= steps; at++) {
    await model.trainOnBatch(x, y);
    if (at % Math.ceil(steps / 100) === 0) samples.push({ at, size: megabytes(), tensors: tf.memory().numTensors });
  }
  return samples;
}

async function eager(ops) {
  let x = tf.randomUniform([100]);
  const samples = [];
  for (let at = 0; at <= ops; at++) {
    x = at % 2 === 0 ? tf.mul(x, 0.5) : tf.add(x, 0.25);
    if (at % 100 === 0) await x.data();
    if (at % Math.ceil(ops / 100) === 0) samples.push({ at, size: megabytes(), tensors: tf.memory().numTensors });
  }
  return samples;
}

const results = [
  report(`${values.steps} training steps of the CNN`, await training(Number(values.steps))),
  report(`${values.ops} eager operations without tidy`, await eager(Number(values.ops))),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
