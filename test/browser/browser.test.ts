/**
 * The built package in a real browser: `npm run test:browser` (Chromium, or the one that TENSORLOOM_BROWSER names). Without a
 * browser these tests are skipped, unless TENSORLOOM_BROWSER asks for them.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type * as tensorloom from '../../src/browser.ts';

const named = process.env.TENSORLOOM_BROWSER;
const usual = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executable = named && named !== 'auto' ? named : usual.find((file) => existsSync(file));
const dist = fileURLToPath(new URL('../../dist/', import.meta.url));

/** Headers of the pages that the server has, by path. */
const pages: Record<string, Record<string, string>> = {
  '/plain': {},
  '/isolated': { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  '/strict': {
    'Content-Security-Policy':
      "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; img-src data:",
  },
};
const types: Record<string, string> = { '.js': 'text/javascript', '.wasm': 'application/wasm' };

declare global {
  var tf: typeof tensorloom;
}

/** Runs in the page, and in Node: everything it needs is inside. */
async function trainDigits(tf: typeof tensorloom) {
  const noise = (length: number, seed: number) =>
    Float32Array.from({ length }, (_, i) => ((Math.imul(i + seed, 2654435761) >>> 8) % 2000) / 1000 - 1);
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [12, 12, 1], filters: 8, kernelSize: 3, activation: 'relu' }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  model.setWeights(model.getWeights().map((w, i) => tf.tensor(noise(w.size, i), w.shape).mul(0.1)));
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  const x = tf.tensor(noise(100 * 144, 7), [100, 12, 12, 1]);
  const y = tf.oneHot(tf.range(0, 100, 1, 'int32').mod(10), 10);
  const { history } = await model.fit(x, y, { epochs: 3, batchSize: 32, shuffle: false, verbose: 0 });
  return {
    loss: history.loss as number[],
    output: (await (model.predict(x) as tensorloom.Tensor).array()) as number[][],
  };
}

/** What apps import: all names, and only those that they use. */
const names = 'layers, loadLayersModel, ones, sequential';
const apps: Record<string, string> = {
  '/whole.js': "import * as tf from 'tensorloom'; globalThis.tf = tf;",
  '/part.js': `import { ${names} } from 'tensorloom'; globalThis.tf = { ${names} };`,
};

async function bundled(app: string): Promise<string> {
  const { outputFiles, warnings } = await build({
    stdin: { contents: apps[app], resolveDir: dist },
    alias: { tensorloom: path.join(dist, 'browser.js') },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    minify: true,
    logLevel: 'silent',
  });
  expect(warnings).toEqual([]);
  return outputFiles[0].text;
}

test.each(Object.keys(apps))('a bundler for browsers takes the package without a word: %s', async (app) => {
  expect(/(from|import)\s*\(?\s*["']node:/.test(await bundled(app))).toBe(false);
});

const skip = !executable;
if (named && skip) throw new Error('no browser found: install chromium, or set TENSORLOOM_BROWSER to its path');

describe.skipIf(skip)('in a browser', () => {
  let server: Server;
  let browser: Browser;
  let base = '';
  const bundles = new Map<string, string>();

  beforeAll(async () => {
    for (const name of Object.keys(apps)) bundles.set(name, await bundled(name));
    server = createServer(async (request, response) => {
      const { pathname } = new URL(request.url!, 'http://host');
      const headers = { 'Cross-Origin-Resource-Policy': 'same-origin' };
      if (pathname in pages) {
        const html = '<!doctype html><link rel="icon" href="data:,"><canvas id="canvas"></canvas>';
        response.writeHead(200, { ...headers, ...pages[pathname], 'content-type': 'text/html' }).end(html);
        return;
      }
      const text = bundles.get(pathname) ?? (await readFile(path.join(dist, pathname)).catch(() => null));
      const type = types[path.extname(pathname)] ?? 'application/octet-stream';
      response.writeHead(text === null ? 404 : 200, { ...headers, 'content-type': type }).end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    base = `http://localhost:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function open(where: string, within: Browser | BrowserContext = browser, script = '/browser.js') {
    const page: Page = await within.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(base + where);
    // As text: vitest rewrites an import in a function.
    await page.evaluate(`import('${script}').then((all) => { globalThis.tf ??= all; })`);
    return { page, complaints };
  }

  test.each(Object.keys(pages))('trains as Node does: %s', async (where) => {
    const { page, complaints } = await open(where);
    const isolated = await page.evaluate(() => crossOriginIsolated);
    expect(isolated).toBe(where === '/isolated');
    // Values can be read as soon as the import is done.
    expect(await page.evaluate(() => tf.tensor([1, 2]).add(3).arraySync())).toEqual([4, 5]);
    expect(await page.evaluate(() => tf.getBackend())).toBe('wasm');
    const theirs = (await page.evaluate(`(${trainDigits})(tf)`)) as Awaited<ReturnType<typeof trainDigits>>;
    const ours = await trainDigits(await import('../../src/index.ts'));
    theirs.loss.forEach((loss, i) => void expect(loss).toBeCloseTo(ours.loss[i], 4));
    theirs.output.flat().forEach((value, i) => void expect(value).toBeCloseTo(ours.output.flat()[i], 4));
    expect(theirs.loss[2]).toBeLessThan(theirs.loss[0]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('models stay in the browser from one page to the next', async () => {
    const context = await browser.newContext();
    const [first, second] = await Promise.all([open('/plain', context), open('/plain', context)]);
    const output = await first.page.evaluate(async () => {
      const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
      for (const place of ['indexeddb://m', 'localstorage://m']) await model.save(place);
      return model.predict(tf.ones([1, 3])).array();
    });
    const found = await second.page.evaluate(async () => {
      const places = Object.keys(await tf.io.listModels()).sort();
      const models = await Promise.all(places.map((place) => tf.loadLayersModel(place)));
      return { places, outputs: await Promise.all(models.map((model) => model.predict(tf.ones([1, 3])).array())) };
    });
    expect(found).toEqual({ places: ['indexeddb://m', 'localstorage://m'], outputs: [output, output] });
    await context.close();
  });

  test('pixels from and to a canvas', async () => {
    const { page } = await open('/plain');
    const pixels = await page.evaluate(async () => {
      const canvas = document.querySelector('canvas')!;
      const image = tf.tensor3d([1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1], [2, 2, 3]);
      await tf.browser.toPixels(image, canvas);
      return { shape: tf.browser.fromPixels(canvas).shape, values: await tf.browser.fromPixels(canvas).array() };
    });
    expect(pixels).toEqual({
      shape: [2, 2, 3],
      values: [
        [
          [255, 0, 0],
          [0, 255, 0],
        ],
        [
          [0, 0, 255],
          [255, 255, 255],
        ],
      ],
    });
    await page.close();
  });

  test.each(['/whole.js', '/part.js'])('an app that a bundler has put into one file: %s', async (script) => {
    const { page, complaints } = await open('/isolated', browser, script);
    const [saved, loaded] = await page.evaluate(async () => {
      const model = tf.sequential({ layers: [tf.layers.lstm({ units: 2, inputShape: [3, 2] })] });
      await model.save('indexeddb://app');
      const again = await tf.loadLayersModel('indexeddb://app');
      return Promise.all([model, again].map((each) => each.predict(tf.ones([1, 3, 2])).array()));
    });
    expect(saved).toEqual(loaded);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('a wrong call says what is wrong, in the page too', async () => {
    const { page } = await open('/plain');
    await expect(page.evaluate(() => tf.matMul(tf.ones([2, 3]), tf.ones([2, 3])))).rejects.toThrow(
      /\[matMul\] inner dimensions/,
    );
    await page.close();
  });
});
