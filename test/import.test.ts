/** What an import of the built package must not do, and what must work right after it. Needs dist/, as npm test builds it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const entry = new URL('../dist/index.js', import.meta.url);

/** What a fresh process prints that imports the package as `tf` and counts the files of koffi that are loaded. */
function inFreshProcess(body: string, flags: readonly string[] = []): unknown {
  const script = `
    import { createRequire } from 'node:module';
    import * as tf from ${JSON.stringify(entry.href)};
    const koffi = () => Object.keys(createRequire(${JSON.stringify(entry.href)}).cache).filter((file) => file.includes('koffi')).length;
    ${body}`;
  const { TENSORLOOM_BACKEND: _, DEBUG: __, ...env } = process.env;
  return JSON.parse(
    execFileSync(process.execPath, [...flags, '--input-type=module', '-e', script], { env, encoding: 'utf8' }),
  );
}

const isDeferred = existsSync(fileURLToPath(entry)) && process.features.require_module === true;

it.runIf(isDeferred)('importing loads no native code; the first read, at once, gets it by itself', () => {
  const [before, value, backend] = inFreshProcess(
    'const before = koffi(); console.log(JSON.stringify([before, tf.add(1, 2).dataSync()[0], tf.getBackend()]));',
  ) as [number, number, string];
  expect(before).toBe(0);
  expect(value).toBe(3);
  expect(['x64', 'wasm', 'reference']).toContain(backend);
});

it.runIf(isDeferred)('a backend that is set first leaves the others unloaded', () => {
  const body = `await tf.setBackend('wasm'); console.log(JSON.stringify([tf.ones([3]).sum().dataSync()[0], tf.getBackend(), koffi()]));`;
  expect(inFreshProcess(body)).toEqual([3, 'wasm', 0]);
});

/** Files that an import of the package reads, with their sizes. */
function filesOfImport(): Map<string, number> {
  const found = new Map<string, number>();
  const visit = (url: URL) => {
    if (found.has(url.href)) return;
    const source = readFileSync(url, 'utf8');
    found.set(url.href, source.length);
    for (const [, name] of source.matchAll(/(?:from|import)"(\.\/[^"]+)"/g)) visit(new URL(name, url));
  };
  visit(entry);
  return found;
}

it.runIf(existsSync(fileURLToPath(entry)))(
  'an import reads few files and few bytes: what is called later comes later',
  () => {
    const files = filesOfImport();
    expect(files.size).toBeLessThan(5);
    expect([...files.values()].reduce((sum, size) => sum + size)).toBeLessThan(510_000);
    expect([...files.keys()].filter((file) => /deferred-|backend/.test(file))).toEqual([]);
  },
);

const families = `
  const x = tf.tensor2d([[4, 1], [1, 3]]);
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const { history } = await model.fit(x, tf.ones([2, 1]), { epochs: 1, verbose: 0 });
  const values = [tf.linalg.det(x).dataSync()[0], tf.signal.hannWindow(4).size, tf.sort(x.reshape([4])).dataSync()[0], history.loss.length];
  console.log(JSON.stringify(values.map(Math.round)));`;

it.runIf(isDeferred)('what is loaded at its first call works in Node with and without require(esm)', () => {
  expect(inFreshProcess(families)).toEqual([11, 4, 1, 1]);
  expect(inFreshProcess(families, ['--no-experimental-require-module'])).toEqual([11, 4, 1, 1]);
});

it.runIf(existsSync(fileURLToPath(entry)))('no half of a module names something that only its other half has', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tensorloom-names-'));
  try {
    const dist = fileURLToPath(new URL('.', entry));
    const bundles = readdirSync(dist).filter((file) => /^(index|node-.*)\.js$/.test(file));
    for (const file of bundles) copyFileSync(path.join(dist, file), path.join(folder, file));
    const rules = { recommended: false, correctness: { noUndeclaredVariables: 'error' } };
    const config = { root: true, files: { maxSize: 1e7 }, formatter: { enabled: false }, linter: { rules } };
    writeFileSync(path.join(folder, 'biome.json'), JSON.stringify(config));
    const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
    const { stdout } = spawnSync(process.execPath, [biome, 'lint', '--reporter=json', '.'], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 1e8,
    });
    const { summary, diagnostics } = JSON.parse(stdout) as { summary: { unchanged: number }; diagnostics: object[] };
    expect(summary.unchanged).toBeGreaterThanOrEqual(bundles.length);
    expect(JSON.stringify(diagnostics).match(/The \w+ variable is undeclared/g) ?? []).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it.runIf(isDeferred)('a class of a user with the name of one of the package comes before it in files', () => {
  const body = `
    class Dense extends tf.layers.Layer { static className = 'Dense'; call(x) { return tf.mul(Array.isArray(x) ? x[0] : x, 3); } }
    tf.serialization.registerClass(Dense);
    const model = await tf.models.modelFromJSON({ class_name: 'Sequential', config: { name: 'm', layers: [{ class_name: 'Dense', config: { name: 'mine', batch_input_shape: [null, 2] } }] } });
    console.log(JSON.stringify([...model.predict(tf.ones([1, 2])).dataSync(), model.layers[0] instanceof Dense]));`;
  expect(inFreshProcess(body)).toEqual([3, 3, true]);
});
