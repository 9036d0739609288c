/** What an import of the built package must not do, and what must work right after it. Needs dist/, as npm test builds it. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
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
    expect([...files.values()].reduce((sum, size) => sum + size)).toBeLessThan(720_000);
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
