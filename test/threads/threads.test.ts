/** The same seed gives the same bits for any number of threads: a CNN is trained in processes that differ in nothing else. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const entry = new URL('../../dist/index.js', import.meta.url).href;

/** Trains a few steps, a ragged last batch among them, and prints a hash of every weight's bits and the losses. */
const program = `
  import { createHash } from 'node:crypto';
  const tf = await import('${entry}');
  await tf.setBackend(process.argv[1]);
  tf.setSeed(7);
  const { layers } = tf;
  const model = tf.sequential({ layers: [
    layers.conv2d({ inputShape: [28, 28, 1], filters: 32, kernelSize: 3, activation: 'relu', kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }) }),
    layers.maxPooling2d({ poolSize: 2 }),
    layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu', kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) }),
    layers.maxPooling2d({ poolSize: 2 }),
    layers.flatten(),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: 10, activation: 'softmax', kernelInitializer: tf.initializers.glorotUniform({ seed: 3 }) }),
  ] });
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  const x = tf.randomNormal([150, 28, 28, 1], 0, 1, 'float32', 5);
  const y = tf.oneHot(tf.range(0, 150, 1, 'int32').mod(10), 10).toFloat();
  const { history } = await model.fit(x, y, { batchSize: 64, epochs: 2, shuffle: false, verbose: 0 });
  const hash = createHash('sha256').update(JSON.stringify(history.loss));
  for (const weight of model.getWeights()) hash.update(new Uint8Array(weight.dataSync().slice().buffer));
  console.log(hash.digest('hex'));
`;

function bits(backend: string, threads: number): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program, backend], {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    env: { ...process.env, TENSORLOOM_THREADS: String(threads) },
  });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}

test.each(['x64', 'wasm'])('training on %s has the same bits for 1, 2 and 5 threads', (backend) => {
  const one = bits(backend, 1);
  expect(one).toMatch(/^[0-9a-f]{64}$/);
  expect(bits(backend, 2)).toBe(one);
  expect(bits(backend, 5)).toBe(one);
});
