/** What an import of the built package must not do, and what must work right after it. Needs dist/, as npm test builds it. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const entry = new URL('../dist/index.js', import.meta.url);

/** What a fresh process prints that imports the package as `tf` and counts the files of koffi that are loaded. */
function inFreshProcess(body: string): unknown {
  const script = `
    import { createRequire } from 'node:module';
    import * as tf from ${JSON.stringify(entry.href)};
    const koffi = () => Object.keys(createRequire(${JSON.stringify(entry.href)}).cache).filter((file) => file.includes('koffi')).length;
    ${body}`;
  const { TENSORLOOM_BACKEND: _, DEBUG: __, ...env } = process.env;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' }));
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
