/** A run that is killed goes on where it was and ends with the same bits; what a backup must be. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callbacks, gan, layers, sequential, setSeed, tensor, train } from '../index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tensorloom-backup-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** Trains with dropout, augmentation, a moving average, Adam and shuffling; tells of each epoch; writes its weights at the end. */
const program = `
const [backupDir, out, slow] = process.argv.slice(2);
tf.setSeed(5);
const model = tf.sequential({ layers: [
  tf.layers.randomBrightness({ factor: 0.1, valueRange: [0, 1], seed: 3, inputShape: [4, 4, 1] }),
  tf.layers.flatten(),
  tf.layers.dense({ units: 8, activation: 'relu' }),
  tf.layers.batchNormalization(),
  tf.layers.dropout({ rate: 0.3 }),
  tf.layers.dense({ units: 1 }),
] });
model.compile({ optimizer: tf.train.adam({ learningRate: tf.train.schedules.exponentialDecay({ initialLearningRate: 0.01, decaySteps: 10, decayRate: 0.9 }) }), loss: 'meanSquaredError' });
const x = tf.tensor(Float32Array.from({ length: 320 }, (_, i) => Math.abs(Math.sin(i))), [20, 4, 4, 1]);
const y = tf.tensor(Float32Array.from({ length: 20 }, (_, i) => Math.cos(i)), [20, 1]);
const told = { onEpochEnd: async (epoch) => { console.log('epoch ' + epoch); if (slow) await new Promise((r) => setTimeout(r, 400)); } };
const own = backupDir === 'none' ? [] : [tf.callbacks.backupAndRestore({ backupDir })];
await model.fit(x, y, { epochs: 6, batchSize: 7, verbose: 0, callbacks: [...own, told] });
const { writeFileSync } = await import('node:fs');
writeFileSync(out, JSON.stringify(model.getWeights().map((w) => [...w.dataSync()])));
process.exit(0);
`;

test('killed at any moment, the run ends as if nothing had happened', async () => {
  const bundle = path.join(folder, 'tf.mjs');
  await build({
    entryPoints: [path.join(root, 'src/index.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['koffi', 'commander', 'webgpu'],
    outfile: bundle,
    logLevel: 'error',
    define: { __TENSORLOOM_VERSION__: '"test"', __TENSORLOOM_ASSETS__: '"../assets/"' },
  });
  const script = path.join(folder, 'run.mjs');
  await writeFile(script, `import * as tf from ${JSON.stringify(pathToFileURL(bundle).href)};\n${program}`);
  /** Runs the program; with `kill`, until so many epochs were told. */
  const run = (args: string[], kill = Number.POSITIVE_INFINITY) =>
    new Promise<{ epochs: string[]; code: number | null }>((resolve) => {
      const env = { ...process.env, NODE_PATH: path.join(root, 'node_modules'), TENSORLOOM_BACKEND: 'wasm' };
      const child = spawn(process.execPath, [script, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (part: Buffer) => {
        text += part.toString();
        if (text.split('epoch ').length - 1 >= kill) child.kill('SIGKILL');
      });
      child.on('close', (code) => resolve({ epochs: [...text.matchAll(/epoch (\d)/g)].map(([, n]) => n), code }));
    });
  const backup = path.join(folder, 'backup');
  const [whole, resumed] = ['whole.json', 'resumed.json'].map((name) => path.join(folder, name));
  expect((await run(['none', whole])).epochs).toEqual(['0', '1', '2', '3', '4', '5']);
  expect((await run([backup, resumed, 'slow'], 2)).epochs).toEqual(['0', '1']);
  expect(await readdir(backup)).toContain('backup.bin');
  expect((await run([backup, resumed, 'slow'], 2)).epochs).toEqual(['2', '3']);
  expect((await run([backup, resumed])).epochs).toEqual(['4', '5']);
  expect(await readFile(resumed, 'utf8')).toBe(await readFile(whole, 'utf8'));
  // A run that ended needs no backup.
  expect(await readdir(folder)).not.toContain('backup');
}, 60_000);

test('what a backup must be', async () => {
  setSeed(1);
  const dir = path.join(folder, 'bad');
  const make = (units: number) => {
    const model = sequential({ layers: [layers.dense({ units, inputShape: [2] }), layers.dense({ units: 1 })] });
    model.compile({ optimizer: train.sgd(0.1), loss: 'meanSquaredError' });
    return model;
  };
  const [x, y] = [
    tensor([
      [1, 2],
      [3, 4],
    ]),
    tensor([[1], [0]]),
  ];
  const keeps = () => callbacks.backupAndRestore({ backupDir: dir, deleteCheckpoint: false });
  await make(3).fit(x, y, { epochs: 2, verbose: 0, callbacks: keeps() });
  await expect(make(4).fit(x, y, { epochs: 4, verbose: 0, callbacks: keeps() })).rejects.toThrow(
    'a backup of this model',
  );
  const { epoch } = await make(3).fit(x, y, { epochs: 3, verbose: 0, callbacks: keeps() });
  expect(epoch).toEqual([2]);
  const file = path.join(dir, 'backup.bin');
  const bytes = await readFile(file);
  await writeFile(file, bytes.subarray(0, bytes.length - 3));
  await expect(make(3).fit(x, y, { epochs: 4, verbose: 0, callbacks: keeps() })).rejects.toThrow('truncated');
  await writeFile(file, 'x');
  await expect(make(3).fit(x, y, { epochs: 4, verbose: 0, callbacks: keeps() })).rejects.toThrow(
    'remove it to begin anew',
  );
  expect(() => callbacks.backupAndRestore({ backupDir: '' })).toThrow('the path of a folder');
});

test('a GAN that was stopped ends with the same bits', async () => {
  const dense = (units: number, inputs: number) =>
    sequential({
      layers: [layers.dense({ units: 6, activation: 'relu', inputShape: [inputs] }), layers.dense({ units })],
    });
  const x = tensor(
    Array.from({ length: 40 }, (_, i) => Math.sin(i)),
    [20, 2],
  );
  const start = () => {
    setSeed(5);
    const made = gan({ generator: dense(2, 3), discriminator: dense(1, 2) });
    const optimizers = { generatorOptimizer: train.adam(0.01), discriminatorOptimizer: train.rmsprop(0.02) };
    made.compile({ ...optimizers, discriminatorSteps: 2 });
    return made;
  };
  const bits = (made: ReturnType<typeof start>) => made.getWeights().map((weight) => [...weight.dataSync()]);
  // 5 steps an epoch: whose turn it is must be in the backup.
  const plan = { epochs: 4, batchSize: 4, verbose: 0, seed: 3 } as const;
  const backupDir = path.join(folder, 'gan');
  const [whole, stopped, resumed] = [start(), start(), start()];
  setSeed(6);
  const { history } = await whole.fit(x, null, plan);
  setSeed(6);
  const stop = { onEpochEnd: async (epoch: number) => void (stopped.stopTraining = epoch === 1) };
  await stopped.fit(x, null, { ...plan, callbacks: [callbacks.backupAndRestore({ backupDir }), stop] });
  setSeed(7);
  const rest = await resumed.fit(x, null, { ...plan, callbacks: callbacks.backupAndRestore({ backupDir }) });
  expect(rest.history['generatorLoss']).toEqual((history['generatorLoss'] as number[]).slice(2));
  expect(bits(resumed)).toEqual(bits(whole));
  expect(bits(stopped)).not.toEqual(bits(whole));
});
