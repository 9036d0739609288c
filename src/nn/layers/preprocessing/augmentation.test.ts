/** What augmentation does in training: closed forms where the factor is fixed, properties where it is drawn, equal numbers on every target. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  getBackend,
  image,
  jit,
  layers,
  random,
  setBackend,
  setSeed,
  type Tensor,
  tensor,
  valueAndGrad,
  sum,
  mul,
} from '../../../index.ts';
import { values } from '../../../../test/values.ts';
import type { Layer } from '../layer.ts';
import { Draws, type RandomImageLayer } from './image_layer.ts';

const home = getBackend();
beforeAll(() => setSeed(11));
afterAll(async () => {
  await setBackend(home);
});

const [count, side] = [3, 8];
const pixels = Array.from(values(count * side * side * 3, 5), (x) => Math.round((x + 1) * 127));
const photos = () => tensor(pixels, [count, side, side, 3]);
const numbers = (x: Tensor): number[] => Array.from(x.dataSync() as Float32Array);
const trained = (layer: Layer, x = photos()) => numbers(layer.apply(x, { training: true }));
const closeTo = (got: readonly number[], want: readonly number[], tolerance = 1e-2) => {
  expect(got.length).toBe(want.length);
  const worst = got.reduce((most, value, i) => Math.max(most, Math.abs(value - want[i])), 0);
  expect(worst).toBeLessThan(tolerance);
};
/** f of each pixel's value and place. */
const mapped = (f: (value: number, place: { n: number; y: number; x: number; c: number }) => number) =>
  pixels.map((value, i) =>
    f(value, {
      n: Math.floor(i / (3 * side * side)),
      y: Math.floor(i / (3 * side)) % side,
      x: Math.floor(i / 3) % side,
      c: i % 3,
    }),
  );
const at = (n: number, y: number, x: number, c: number) => pixels[((n * side + y) * side + x) * 3 + c];
const clip = (x: number) => Math.min(255, Math.max(0, x));

describe('with a fixed factor', () => {
  test('translation, rotation, zoom, shear', () => {
    const fixed = { fillMode: 'constant' as const, interpolation: 'nearest' as const };
    closeTo(
      trained(layers.randomTranslation({ heightFactor: [0.25, 0.25], widthFactor: [-0.125, -0.125], ...fixed })),
      mapped((_, { n, y, x, c }) => (y >= 2 && x < side - 1 ? at(n, y - 2, x + 1, c) : 0)),
    );
    const quarter = numbers(image.rot90(photos(), 1) as Tensor);
    closeTo(trained(layers.randomRotation({ factor: [0.25, 0.25] })), quarter);
    closeTo(trained(layers.randomZoom({ heightFactor: [0, 0] })), pixels);
    // Half of the image over the whole: the first pixel lies at 1.75, 1.75.
    const zoomed = layers.randomZoom({ heightFactor: [-0.5, -0.5] }).apply(photos(), { training: true });
    const first = [0, 1, 2].flatMap((n) =>
      [0, 1, 2].map((c) => {
        const mix = (y: number) => at(n, y, 1, c) * 0.25 + at(n, y, 2, c) * 0.75;
        return mix(1) * 0.25 + mix(2) * 0.75;
      }),
    );
    closeTo(numbers(zoomed.slice([0, 0, 0, 0], [count, 1, 1, 3])), first);
    closeTo(trained(layers.randomShear({ xFactor: [0, 0], yFactor: 0 })), pixels);
  });

  test('perspective: nothing moves at scale 0, and a moved corner shows the corner', () => {
    closeTo(trained(layers.randomPerspective({ scale: 0 })), pixels);
    closeTo(trained(layers.randomPerspective({ factor: 0 })), pixels);
    const layer = layers.randomPerspective({ scale: 0.4 });
    const key = random.key(3);
    const seen = layer.augment(photos(), new Draws(key));
    // The corner at the origin never moves.
    closeTo(
      numbers(seen.slice([0, 0, 0, 0], [count, 1, 1, 3])),
      [0, 1, 2].flatMap((n) => [0, 1, 2].map((c) => at(n, 0, 0, c))),
      0.1,
    );
  });

  test('flips: each image is as it was, or mirrored', () => {
    for (const [mode, turn] of [
      ['horizontal', (y: number, x: number) => [y, side - 1 - x]],
      ['vertical', (y: number, x: number) => [side - 1 - y, x]],
      ['horizontal_and_vertical', (y: number, x: number) => [side - 1 - y, side - 1 - x]],
    ] as const) {
      const out = trained(layers.randomFlip({ mode, seed: 4 }));
      const mirrored = mapped((_, { n, y, x, c }) => at(n, turn(y, x)[0], turn(y, x)[1], c));
      const size = side * side * 3;
      for (let n = 0; n < count; n++) {
        const own = out.slice(n * size, (n + 1) * size);
        const same = [pixels, mirrored].some((want) => own.every((value, i) => value === want[n * size + i]));
        expect(same).toBe(true);
      }
    }
  });

  test('colours', () => {
    const grey = (n: number, y: number, x: number) =>
      0.2989 * at(n, y, x, 0) + 0.587 * at(n, y, x, 1) + 0.114 * at(n, y, x, 2);
    closeTo(
      trained(layers.randomBrightness({ factor: [0.1, 0.1] })),
      mapped((v) => clip(v + 25.5)),
    );
    closeTo(
      trained(layers.randomColorDegeneration({ factor: [1, 1] })),
      mapped((_, { n, y, x }) => grey(n, y, x)),
      0.05,
    );
    closeTo(
      trained(layers.randomGrayscale({ factor: 1 })),
      mapped((_, { n, y, x }) => grey(n, y, x)),
      0.05,
    );
    closeTo(trained(layers.randomGrayscale({ factor: 0 })), pixels);
    closeTo(trained(layers.randomSaturation({ factor: [0.5, 0.5] })), pixels, 0.1);
    closeTo(trained(layers.randomHue({ factor: [0, 0] })), pixels, 0.1);
    closeTo(
      trained(layers.randomHue({ factor: [1, 1] })),
      numbers(image.adjustHue(photos().div(255), 0.5).mul(255)),
      0.1,
    );
    const faded = trained(layers.randomSaturation({ factor: [0, 0] }));
    closeTo(
      faded,
      mapped((_, { n, y, x }) => Math.max(at(n, y, x, 0), at(n, y, x, 1), at(n, y, x, 2))),
      0.1,
    );
    closeTo(
      trained(layers.randomInvert({ factor: [1, 1] })),
      mapped((v) => 255 - v),
    );
    closeTo(
      trained(layers.randomPosterization({ factor: 3 })),
      mapped((v) => Math.floor(v / 32) * 32),
    );
    closeTo(
      trained(layers.solarization({ thresholdFactor: [0.5, 0.5] })),
      mapped((v) => (v < 127.5 ? v : 255 - v)),
    );
    closeTo(
      trained(
        layers.solarization({ valueRange: [0, 1], additionFactor: [0.2, 0.2], thresholdFactor: [0.4, 0.4] }),
        photos().div(255),
      ),
      mapped((v) => (clip(v + 51) < 102 ? clip(v + 51) : 255 - clip(v + 51)) / 255),
    );
    const jitter = layers.randomColorJitter({ brightnessFactor: [0.2, 0.2], contrastFactor: [0, 0] });
    closeTo(
      trained(jitter),
      mapped((v) => clip(v + 51)),
    );
  });

  test('sharpness and blur', () => {
    closeTo(trained(layers.randomSharpness({ factor: [0.5, 0.5] })), pixels);
    const smooth = mapped((v, { n, y, x, c }) => {
      let total = 4 * v;
      for (const dy of [-1, 0, 1])
        for (const dx of [-1, 0, 1]) {
          if (y + dy >= 0 && y + dy < side && x + dx >= 0 && x + dx < side) total += at(n, y + dy, x + dx, c);
        }
      return total / 13;
    });
    closeTo(trained(layers.randomSharpness({ factor: [0, 0] })), smooth);
    closeTo(trained(layers.randomGaussianBlur({ sigma: [0, 0] })), pixels);
    const e = Math.exp(-0.5);
    const taps = [e / (1 + 2 * e), 1 / (1 + 2 * e), e / (1 + 2 * e)];
    const blurred = mapped((_, { n, y, x, c }) => {
      let total = 0;
      for (const dy of [-1, 0, 1])
        for (const dx of [-1, 0, 1]) {
          if (y + dy >= 0 && y + dy < side && x + dx >= 0 && x + dx < side)
            total += at(n, y + dy, x + dx, c) * taps[dy + 1] * taps[dx + 1];
        }
      return total;
    });
    closeTo(trained(layers.randomGaussianBlur({ factor: [1, 1], sigma: [1, 1] })), blurred);
  });
});

describe('histograms', () => {
  const channel = (n: number, c: number) =>
    pixels.filter((_, i) => i % 3 === c && Math.floor(i / (3 * side * side)) === n);
  test('autoContrast', () => {
    closeTo(
      numbers(layers.autoContrast().apply(photos())),
      mapped((v, { n, c }) => {
        const [low, high] = [Math.min(...channel(n, c)), Math.max(...channel(n, c))];
        return ((v - low) * 255) / (high - low);
      }),
    );
    const flat = tensor(new Float32Array(48).fill(7), [1, 4, 4, 3]);
    expect(numbers(layers.autoContrast().apply(flat))).toEqual(numbers(flat));
  });
  test('equalization', () => {
    const want = mapped((v, { n, c }) => {
      const all = channel(n, c);
      const upTo = (level: number) => all.filter((x) => x <= level).length;
      const first = upTo(Math.min(...all));
      return Math.round(((upTo(v) - first) * 255) / (all.length - first));
    });
    // Halves are rounded to even there.
    closeTo(trained(layers.equalization()), want, 1.01);
    const flat = tensor(new Float32Array(48).fill(7), [1, 4, 4, 3]);
    expect(trained(layers.equalization(), flat)).toEqual(numbers(flat));
  });
  test('contrast limited, by tiles', () => {
    const [down, across, limit] = [2, 3, 2];
    const [tall, wide] = [4, 3];
    const mirror = (i: number) => (i < side ? i : 2 * side - 1 - i);
    const table = (n: number, row: number, column: number, c: number) => {
      const counts = new Array<number>(256).fill(0);
      for (let y = 0; y < tall; y++)
        for (let x = 0; x < wide; x++) counts[at(n, mirror(row * tall + y), mirror(column * wide + x), c)]++;
      const most = (limit * tall * wide) / 256;
      const excess = counts.reduce((sum, k) => sum + Math.max(0, k - most), 0) / 256;
      let total = 0;
      const upTo = counts.map((k) => (total += Math.min(k, most) + excess));
      return upTo.map((k) => Math.min(255, Math.max(0, ((k - upTo[0]) * 255) / (tall * wide - upTo[0]))));
    };
    const tables = new Map<string, number[]>();
    const look = (n: number, row: number, column: number, c: number, level: number) => {
      const [r, k] = [Math.min(down - 1, Math.max(0, row)), Math.min(across - 1, Math.max(0, column))];
      const key = [n, r, k, c].join();
      if (!tables.has(key)) tables.set(key, table(n, r, k, c));
      return tables.get(key)![level];
    };
    const want = mapped((v, { n, y, x, c }) => {
      const [gy, gx] = [(y - tall / 2) / tall, (x - wide / 2) / wide];
      const [r, k] = [Math.floor(gy), Math.floor(gx)];
      const across = (row: number) => look(n, row, k, c, v) * (1 - gx + k) + look(n, row, k + 1, c, v) * (gx - k);
      return across(r) * (1 - gy + r) + across(r + 1) * (gy - r);
    });
    const layer = layers.contrastLimitedAdaptiveHistogramEqualization({
      tileGridSize: [down, across],
      clipLimit: limit,
    });
    closeTo(numbers(layer.apply(photos())), want);
  });
});

describe('mixing', () => {
  const plain = tensor(
    [0, 100, 200].flatMap((v) => new Array<number>(side * side).fill(v)),
    [3, side, side, 1],
  );
  const labels = tensor([
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]);
  test.each([
    ['mixUp', layers.mixUp({ alpha: 0.8, seed: 3 }), 1e-4],
    // A box has whole pixels, its share has not.
    ['cutMix', layers.cutMix({ seed: 3 }), 0.3],
  ])('%s: labels are mixed as the images are', (_, layer, tolerance) => {
    for (let step = 0; step < 5; step++) {
      const [x, y] = layer.apply<Tensor[]>([plain, labels], { training: true });
      const rows = y.arraySync() as number[][];
      const means = x.mean([1, 2, 3]).dataSync();
      rows.forEach((row, n) => {
        expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
        expect(Math.abs(row[1] * 100 + row[2] * 200 - means[n])).toBeLessThan(tolerance * 200);
      });
    }
    expect(layer.apply<Tensor[]>([plain, labels])[0].dataSync()).toEqual(plain.dataSync());
  });
  test('randomErasing fills a box of the asked size', () => {
    const layer = layers.randomErasing({ factor: [1, 1], scale: [0.25, 0.25], fillValue: 255 });
    const ones = tensor(new Float32Array(4 * 400).fill(1), [4, 20, 20, 1]);
    const out = layer.apply(ones, { training: true });
    const shares = out.equal(255).toFloat().mean([1, 2, 3]).dataSync();
    for (const share of shares) expect(Math.abs(share - 0.25)).toBeLessThan(0.03);
  });
  test('randomCrop: a window that is there', () => {
    const numbered = tensor(
      Float32Array.from({ length: 64 }, (_, i) => i),
      [1, 8, 8, 1],
    );
    const seen = new Set<number>();
    const layer = layers.randomCrop({ height: 3, width: 4, seed: 1 });
    for (let i = 0; i < 20; i++) {
      const [out] = layer.apply(numbered, { training: true }).arraySync() as number[][][][];
      const first = out[0][0][0];
      seen.add(first);
      out.forEach((row, y) => row.forEach(([v], x) => expect(v).toBe(first + 8 * y + x)));
    }
    expect(seen.size).toBeGreaterThan(5);
  });
});

const sampled = new Set(['randomFlip', 'randomRotation', 'randomHue', 'cutMix', 'randomErasing']);
const augmenters: readonly [string, () => RandomImageLayer][] = [
  ['randomFlip', () => layers.randomFlip()],
  ['randomTranslation', () => layers.randomTranslation({ heightFactor: 0.2, widthFactor: 0.3, fillMode: 'wrap' })],
  ['randomRotation', () => layers.randomRotation({ factor: 0.3, fillMode: 'nearest' })],
  ['randomZoom', () => layers.randomZoom({ heightFactor: 0.3, widthFactor: 0.2 })],
  ['randomShear', () => layers.randomShear({ xFactor: 0.3, yFactor: 0.2 })],
  ['randomPerspective', () => layers.randomPerspective({ scale: 0.5 })],
  ['randomElasticTransform', () => layers.randomElasticTransform()],
  ['randomBrightness', () => layers.randomBrightness({ factor: 0.4 })],
  ['randomContrast', () => layers.randomContrast({ factor: 0.4 })],
  ['randomHue', () => layers.randomHue({ factor: 0.4 })],
  ['randomSaturation', () => layers.randomSaturation({ factor: 0.8 })],
  ['randomColorDegeneration', () => layers.randomColorDegeneration({ factor: 0.4 })],
  ['randomColorJitter', () => layers.randomColorJitter({ brightnessFactor: 0.2, contrastFactor: 0.2, hueFactor: 0.1 })],
  ['randomInvert', () => layers.randomInvert({ factor: 0.6 })],
  ['randomPosterization', () => layers.randomPosterization({ factor: [2, 5] })],
  ['solarization', () => layers.solarization({ additionFactor: 0.2, thresholdFactor: 0.8 })],
  ['randomSharpness', () => layers.randomSharpness({ factor: 0.9 })],
  ['randomGaussianBlur', () => layers.randomGaussianBlur()],
  ['randomErasing', () => layers.randomErasing()],
  ['mixUp', () => layers.mixUp()],
  ['cutMix', () => layers.cutMix()],
  ['randAugment', () => layers.randAugment({ numOps: 1 })],
  ['augMix', () => layers.augMix({ numChains: 1, chainDepth: 1 })],
];

describe('every augmentation', () => {
  const key = () => random.key(17);
  test.each(augmenters)('%s: in range, on every target, compiled once, with a gradient', async (name, make) => {
    const layer = make();
    const run = () => numbers(layer.augment(photos(), new Draws(key())));
    const want = run();
    expect(want.every((v) => v >= -0.01 && v <= 255.01)).toBe(true);
    for (const target of ['wasm', 'reference'] as const) {
      // The compiled targets agree on the rest where they agree on these.
      if (target === 'reference' && !sampled.has(name)) continue;
      if (name === 'augMix') continue;
      await setBackend(target);
      const got = run();
      await setBackend(home);
      // A place on the edge between two pixels may fall to either.
      const off = got.filter((v, i) => Math.abs(v - want[i]) > 0.05).length;
      expect(off / got.length).toBeLessThan(0.01);
    }
    const step = jit((x: Tensor) => layer.apply(x, { training: true }));
    const draws = Array.from({ length: 5 }, () => numbers(step(photos())).join());
    expect(new Set(draws).size).toBeGreaterThan(1);
    // Its steps are flat.
    if (name === 'randomPosterization') return;
    const weights = tensor(values(pixels.length, 8), [count, side, side, 3]);
    const { grad } = valueAndGrad((x: Tensor) => sum(mul(layer.augment(x, new Draws(key())), weights)) as never)(
      photos(),
    );
    expect(numbers(grad).every(Number.isFinite)).toBe(true);
    layer.dispose();
  });

  test('one image, and channels first', () => {
    const layer = layers.randomBrightness({ factor: [0.1, 0.1], dataFormat: 'channelsFirst' });
    closeTo(
      trained(layer, photos().transpose([0, 3, 1, 2])),
      numbers(photos().transpose([0, 3, 1, 2]).add(25.5).clipByValue(0, 255)),
    );
    const one = photos().slice([0, 0, 0, 0], [1, side, side, 3]).reshape([side, side, 3]);
    expect(layers.randomRotation({ factor: 0.2 }).apply(one, { training: true }).shape).toEqual([side, side, 3]);
  });
});

test('mistakes', () => {
  expect(() => layers.randomRotation({ factor: 2 })).toThrow('factor must be a number, or two, in [-1, 1]; got 2');
  expect(() => layers.randomFlip({ mode: 'horizontl' })).toThrow('did you mean horizontal');
  expect(() => layers.randomHue({ factor: 0.1 }).apply(tensor([1, 2, 3, 4], [1, 2, 2, 1]))).toThrow('3 channels');
  expect(() => layers.randomBrightness({ factor: 0.1, valueRange: [1, 1] })).toThrow('two different numbers');
  expect(() => layers.randomZoom({ heightFactor: -1 })).toThrow('above -1');
  expect(() => layers.randomBrightness({ factor: 0.1 }).apply(tensor([1, 2]))).toThrow('of rank 3 to 4');
  expect(() => layers.resizing({ height: 2, width: 2, interpolation: 'cubic' as never })).toThrow(
    'did you mean bicubic',
  );
  expect(() => layers.centerCrop({ height: 0, width: 2 })).toThrow('height must be a positive integer');
});
