import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { datasets } from './index.ts';

const { mnist, fashionMnist } = datasets;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tensorloom-test-'));
  vi.stubEnv('TENSORLOOM_CACHE', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function idx(shape: number[], fill: (i: number) => number): Buffer {
  const header = Buffer.from([0, 0, 8, shape.length, ...shape.flatMap((size) => [0, 0, size >> 8, size & 255])]);
  const body = Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => fill(i));
  return Buffer.concat([header, body]);
}

/** A small official-looking set: image i is filled with i, its label is i % 10. */
function writeSet(dir: string, counts: { train: number; t10k: number }, raw = false): void {
  for (const [prefix, count] of Object.entries(counts)) {
    const images = idx([count, 28, 28], (i) => Math.floor(i / 784));
    const labels = idx([count], (i) => i % 10);
    for (const [name, bytes] of [
      [`${prefix}-images-idx3-ubyte`, images],
      [`${prefix}-labels-idx1-ubyte`, labels],
    ] as const) {
      writeFileSync(path.join(dir, raw ? name : `${name}.gz`), raw ? bytes : gzipSync(bytes));
    }
  }
}

describe('datasets.mnist', () => {
  it('brings 10,000 digits along, 1,000 of them held out', async () => {
    const { train, test, source } = await mnist.loadArrays();
    expect(source).toBe('bundled');
    expect(train.shape).toEqual([9000, 28, 28, 1]);
    expect(test.shape).toEqual([1000, 28, 28, 1]);
    expect(train.images.length).toBe(9000 * 784);
    let low = 1;
    let high = 0;
    for (const value of train.images) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    expect([low, high]).toEqual([0, 1]);
    const counts = new Int32Array(10);
    for (const label of test.labels) counts[label]++;
    // A tenth of each class, give or take: the file is shuffled.
    expect(Math.min(...counts)).toBeGreaterThan(70);
    expect(Math.max(...counts)).toBeLessThan(140);
  });

  it('splits as asked, and the same way for the same seed', async () => {
    const a = await mnist.loadArrays({ testFraction: 0.25, seed: 7 });
    const b = await mnist.loadArrays({ testFraction: 0.25, seed: 7 });
    const c = await mnist.loadArrays({ testFraction: 0.25, seed: 8 });
    expect(a.test.labels.length).toBe(2500);
    expect(a.test.labels).toEqual(b.test.labels);
    expect(a.test.labels).not.toEqual(c.test.labels);
    const sum = (labels: Int32Array) => labels.reduce((total, label) => total + label, 0);
    expect(sum(a.train.labels) + sum(a.test.labels)).toBe(sum(c.train.labels) + sum(c.test.labels));
  });

  it.each([true, false])('reads the official files from a folder (raw: %s)', async (raw) => {
    writeSet(folder, { train: 30, t10k: 12 }, raw);
    const { train, test, source } = await mnist.loadArrays({ dir: folder });
    expect(source).toBe(folder);
    expect(train.shape).toEqual([30, 28, 28, 1]);
    expect(test.shape).toEqual([12, 28, 28, 1]);
    expect([...train.labels.subarray(8, 12)]).toEqual([8, 9, 0, 1]);
    expect(train.images[29 * 784]).toBeCloseTo(29 / 255, 6);
  });

  it('keeps image and label together when it shuffles', async () => {
    writeSet(folder, { train: 30, t10k: 12 });
    const { train } = await mnist.loadArrays({ dir: folder, seed: 3 });
    for (let i = 0; i < 30; i++) expect(Math.round(train.images[i * 784] * 255) % 10).toBe(train.labels[i]);
    expect([...train.labels.subarray(0, 10)]).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('takes the cache when it is full, and the bundled digits when it is not or when asked', async () => {
    const cache = path.join(folder, 'mnist');
    const { mkdirSync } = await import('node:fs');
    mkdirSync(cache);
    writeSet(cache, { train: 30, t10k: 12 });
    expect((await mnist.loadArrays()).source).toBe(cache);
    expect((await mnist.loadArrays({ source: 'bundled' })).source).toBe('bundled');
    rmSync(path.join(cache, 't10k-labels-idx1-ubyte.gz'));
    expect((await mnist.loadArrays()).source).toBe('bundled');
  });

  it('says what is wrong with a folder', async () => {
    await expect(mnist.loadArrays({ dir: path.join(folder, 'none') })).rejects.toThrow(
      /^\[mnist\] dir must hold .*lacks train-images-idx3-ubyte, .*tensorloom download mnist --to/,
    );
    writeSet(folder, { train: 30, t10k: 12 });
    const labels = path.join(folder, 'train-labels-idx1-ubyte.gz');
    writeFileSync(labels, gzipSync(idx([29], () => 1)));
    await expect(mnist.loadArrays({ dir: folder })).rejects.toThrow(
      /one label for each image; .* 30 images .* 29 labels/,
    );
    writeFileSync(labels, gzipSync(idx([30], (i) => (i === 4 ? 17 : 1))));
    await expect(mnist.loadArrays({ dir: folder })).rejects.toThrow(/labels must be 0 to 9; .* has 17 at index 4/);
    writeFileSync(labels, gzipSync(idx([30, 28, 28], () => 0)));
    await expect(mnist.loadArrays({ dir: folder })).rejects.toThrow(/must have rank 1; its header says rank 3/);
    const images = path.join(folder, 'train-images-idx3-ubyte.gz');
    writeSet(folder, { train: 30, t10k: 12 });
    writeFileSync(images, gzipSync(idx([30, 32, 32], () => 0)));
    await expect(mnist.loadArrays({ dir: folder })).rejects.toThrow(/shape \[n,28,28\].*has \[30,32,32\]/);
    writeFileSync(images, gzipSync(idx([0, 28, 28], () => 0)));
    await expect(mnist.loadArrays({ dir: folder })).rejects.toThrow(/n of at least 1/);
  });

  it.each([
    [{ testFraction: 0 }, /testFraction must lie between 0 and 1; it is 0/],
    [{ testFraction: Number.NaN }, /it is NaN/],
    [{ seed: 1.5 }, /seed must be an integer; it is 1.5/],
    [{ source: 'bundled', dir: 'x' } as const, /exclude each other; dir is 'x'/],
  ])('refuses %o', async (options, message) => {
    await expect(mnist.loadArrays(options)).rejects.toThrow(message);
  });
});

describe('datasets.fashionMnist', () => {
  it('says how to get it where it is not', async () => {
    if (existsSync('/usr/share/datasets/fashion-mnist')) return;
    await expect(fashionMnist.loadArrays()).rejects.toThrow(/must be at hand.*tensorloom download fashion-mnist/);
  });

  it('reads a folder', async () => {
    writeSet(folder, { train: 3, t10k: 2 });
    expect((await fashionMnist.loadArrays({ dir: folder })).train.shape).toEqual([3, 28, 28, 1]);
    expect(fashionMnist.classNames[9]).toBe('Ankle boot');
  });

  it('has no bundled copy', async () => {
    await expect(fashionMnist.loadArrays({ source: 'bundled' })).rejects.toThrow(/no data of it come with the package/);
  });
});
