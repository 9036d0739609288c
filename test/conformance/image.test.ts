/** Image ops, pixels and fused names against TensorFlow.js, or against closed forms and published values where it has none. */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Case,
  expectClose,
  expectSame,
  expectSameGradient,
  type Library,
  numbers,
  ours,
  prepare,
} from './beside-tfjs.ts';

beforeAll(prepare);

const tensor = (seed: number, ...shape: number[]) => {
  const data = numbers(
    seed,
    shape.reduce((n, extent) => n * extent, 1),
  );
  return (tf: Library) => tf.tensor(data, shape);
};
const unit = (seed: number, ...shape: number[]) => {
  const data = numbers(
    seed,
    shape.reduce((n, extent) => n * extent, 1),
    0,
    1,
  );
  return (tf: Library) => tf.tensor(data, shape);
};
const bytes = (seed: number, ...shape: number[]) => {
  const data = numbers(
    seed,
    shape.reduce((n, extent) => n * extent, 1),
    0,
    256,
  ).map(Math.floor);
  return (tf: Library) => tf.tensor(data, shape, 'int32');
};
const image = tensor(1, 2, 5, 7, 3);
const boxes = (tf: Library) =>
  tf.tensor2d([
    [0, 0, 1, 1],
    [0.21, 0.13, 0.83, 0.71],
    [0.9, 0.8, -0.2, 0.3],
    [0.5, 0.5, 1.5, 1.2],
  ]);
const owners = (tf: Library) => tf.tensor1d([0, 1, 1, 0], 'int32');
const rotation = (tf: Library) =>
  tf.tensor2d([
    [0.9, -0.3, 1.2, 0.3, 0.9, -0.7, 0.01, 0.02],
    [1.3, 0.2, -3.13, -0.11, 1.37, 2.23, 0, 0],
  ]);
const candidates = (tf: Library) =>
  tf.tensor2d([
    [0, 0, 1, 1],
    [0, 0.1, 1, 1.1],
    [0, -0.1, 1, 0.9],
    [0, 10, 1, 11],
    [1, 10.1, 0, 11.1],
    [0, 100, 1, 101],
  ]);
const scores = (tf: Library) => tf.tensor1d([0.9, 0.75, 0.6, 0.95, 0.5, 0.3]);

const cases: Record<string, Case> = {
  grayscaleToRGB: (tf) => tf.image.grayscaleToRGB(tensor(2, 3, 4, 1)(tf)),
  rgbToGrayscale: (tf) => tf.image.rgbToGrayscale(image(tf)),
  'rgbToGrayscale int32': (tf) => tf.image.rgbToGrayscale(bytes(3, 4, 5, 3)(tf)),
  flipLeftRight: (tf) => tf.image.flipLeftRight(image(tf)),
  rotate: (tf) => tf.image.rotateWithOffset(image(tf), 0.7, 0.25),
  'rotate about a corner': (tf) => tf.image.rotateWithOffset(image(tf), -2, [1, 2, 3], [0.1, 0.8]),
  crop: (tf) => tf.image.cropAndResize(image(tf), boxes(tf), owners(tf), [4, 3]),
  'crop nearest': (tf) => tf.image.cropAndResize(image(tf), boxes(tf), owners(tf), [3, 5], 'nearest', 9),
  'crop to one': (tf) => tf.image.cropAndResize(image(tf), boxes(tf), owners(tf), [1, 1], 'bilinear', -1),
  threshold: (tf) => tf.image.threshold(bytes(4, 6, 5, 3)(tf)),
  'threshold one channel': (tf) => tf.image.threshold(bytes(5, 6, 5, 1)(tf), 'binary', true, 0.3),
  'threshold otsu': (tf) => tf.image.threshold(bytes(6, 12, 11, 3)(tf), 'otsu'),
  'threshold otsu inverted': (tf) => tf.image.threshold(bytes(7, 12, 11, 1)(tf), 'otsu', true),
  nms: (tf) => tf.image.nonMaxSuppression(candidates(tf), scores(tf), 4),
  'nms few': (tf) => tf.image.nonMaxSuppression(candidates(tf), scores(tf), 2, 0.5, 0),
  'nms threshold': (tf) => tf.image.nonMaxSuppression(candidates(tf), scores(tf), 6, 0.9, 0.55),
  'nms scores': (tf) => Object.values(tf.image.nonMaxSuppressionWithScore(candidates(tf), scores(tf), 5, 1, 0.1, 0.4)),
  'nms hard scores': (tf) => Object.values(tf.image.nonMaxSuppressionWithScore(candidates(tf), scores(tf), 5)),
  'nms padded': (tf) => Object.values(tf.image.nonMaxSuppressionPadded(candidates(tf), scores(tf), 5, 0.5, 0.4, true)),
  'nms not padded': (tf) => Object.values(tf.image.nonMaxSuppressionPadded(candidates(tf), scores(tf), 5)),
  'fused conv2d': (tf) =>
    tf.fused.conv2d({
      x: image(tf),
      filter: tensor(8, 3, 3, 3, 4)(tf),
      strides: 1,
      pad: 'same',
      bias: tensor(9, 4)(tf),
      activation: 'relu',
    }),
  'fused depthwise': (tf) =>
    tf.fused.depthwiseConv2d({
      x: image(tf),
      filter: tensor(8, 3, 3, 3, 2)(tf),
      strides: 1,
      pad: 'valid',
      activation: 'relu6',
    }),
  'fused matMul': (tf) =>
    tf.fused.matMul({
      a: tensor(10, 3, 4)(tf),
      b: tensor(11, 5, 4)(tf),
      transposeB: true,
      bias: tensor(12, 5)(tf),
      activation: 'leakyrelu',
      leakyreluAlpha: 0.3,
    }),
  'fused prelu': (tf) =>
    tf.fused.matMul({
      a: tensor(10, 3, 4)(tf),
      b: tensor(11, 4, 5)(tf),
      activation: 'prelu',
      preluActivationWeights: tensor(12, 5)(tf),
    }),
};
for (const [name, size, ...flags] of [
  ['larger', [9, 12]],
  ['smaller', [3, 2]],
  ['aligned', [9, 4], true],
  ['centered', [8, 11], false, true],
  ['centered smaller', [2, 3], false, true],
  ['one', [1, 1], true],
] as const) {
  cases[`bilinear ${name}`] = (tf) => tf.image.resizeBilinear(image(tf), size, ...flags);
  cases[`nearest ${name}`] = (tf) => tf.image.resizeNearestNeighbor(image(tf), size, ...flags);
  cases[`nearest int32 ${name}`] = (tf) => tf.image.resizeNearestNeighbor(bytes(13, 5, 6, 2)(tf), size, ...flags);
}
cases['bilinear method'] = (tf) => tensor(14, 4, 5, 2)(tf).resizeBilinear([6, 6]);
cases['bilinear int32'] = (tf) => tf.image.resizeBilinear(bytes(15, 1, 4, 4, 1)(tf), [6, 7]);
// TensorFlow.js transforms the first image of a batch only.
const single = tensor(16, 1, 5, 7, 3);
for (const mode of ['constant', 'reflect', 'wrap', 'nearest']) {
  for (const method of ['nearest', 'bilinear']) {
    for (const which of [0, 1]) {
      cases[`transform ${method} ${mode} ${which}`] = (tf) =>
        tf.image.transform(single(tf), tf.slice(rotation(tf), [which, 0], [1, 8]), method, mode, 0.5);
    }
  }
}
cases['transform shape'] = (tf) =>
  tf.image.transform(single(tf), tf.slice(rotation(tf), [1, 0], [1, 8]), 'bilinear', 'constant', 2, [4, 9]);

const values = (x: Library) => Array.from((x.dataSync as unknown as () => ArrayLike<number>)());

describe('values', () => {
  it.each(Object.entries(cases))('%s', (_name, run) => expectSame(run, 1e-4));

  it('transforms each image of a batch by its own matrix', () => {
    const whole = ours.image.transform(image(ours), rotation(ours), 'bilinear', 'reflect');
    const parts = [0, 1].map((n) =>
      ours.image.transform(
        ours.slice(image(ours), [n, 0, 0, 0], [1, 5, 7, 3]),
        ours.slice(rotation(ours), [n, 0], [1, 8]),
        'bilinear',
        'reflect',
      ),
    );
    expectClose(whole, ours.concat(parts, 0));
  });

  it('without blocking', async () => {
    const later = (await ours.image.nonMaxSuppressionAsync(candidates(ours), scores(ours), 4)) as unknown as Library;
    expectClose(later, ours.image.nonMaxSuppression(candidates(ours), scores(ours), 4));
  });
});

describe('gradients', () => {
  // TensorFlow.js has wrong gradients of resizing for several images, and none for bilinear ones that are not square.
  const square = tensor(19, 1, 6, 6, 3);
  const gradients: Record<string, [Case, (tf: Library, x: Library) => Library]> = {
    bilinear: [square, (tf, x) => tf.image.resizeBilinear(x, [9, 4]).square()],
    'bilinear aligned': [square, (tf, x) => tf.image.resizeBilinear(x, [3, 9], true).square()],
    nearest: [square, (tf, x) => tf.image.resizeNearestNeighbor(x, [8, 3]).square()],
    'nearest aligned': [square, (tf, x) => tf.image.resizeNearestNeighbor(x, [3, 10], true).square()],
  };
  it.each(Object.entries(gradients))('%s', (_name, [x, f]) => expectSameGradient(x, f));

  /** Differences along one direction against the gradient. */
  const check = (f: (x: Library) => Library, x: Library, step = 1e-2) => {
    const direction = tensor(98, ...(x.shape as unknown as number[]))(ours);
    const at = (t: number) => values(ours.sum(f(ours.add(x, ours.mul(direction, t)))))[0];
    const numeric = (at(step) - at(-step)) / (2 * step);
    const [analytic] = values(ours.sum(ours.mul(ours.grad((v: Library) => ours.sum(f(v)))(x), direction)));
    expect(Math.abs(numeric - analytic)).toBeLessThan(2e-2 * (1 + Math.abs(numeric)));
  };

  it('crops have them for the image and for the boxes', () => {
    check((x) => ours.square(ours.image.cropAndResize(x, boxes(ours), owners(ours), [4, 3])), image(ours));
    // Away from edges, and from pixels that a difference would step over.
    const inner = ours.tensor2d([[0.13, 0.11, 0.86, 0.83]]);
    check((b) => ours.image.cropAndResize(image(ours), b, ours.tensor1d([1], 'int32'), [3, 4]), inner, 1e-3);
  });

  it('warps have them', () => {
    check((x) => ours.square(ours.image.transform(x, rotation(ours), 'bilinear')), image(ours));
    check((x) => ours.square(ours.image.rotateWithOffset(x, 0.4)), image(ours));
  });

  it('resizing in every way, colours and similarity have them', () => {
    for (const method of ['bilinear', 'bicubic', 'lanczos3', 'lanczos5', 'area'])
      check((x) => ours.square(ours.image.resize(x, [3, 9], method, true)), image(ours));
    const pixels = unit(20, 1, 3, 3, 3)(ours);
    check((x) => ours.square(ours.image.adjustHue(x, 0.1)), pixels, 1e-3);
    check((x) => ours.image.adjustContrast(x, 1.5).square(), pixels);
    const [a, b] = [unit(21, 1, 12, 12, 1)(ours), unit(22, 1, 12, 12, 1)(ours)];
    check((x) => ours.image.ssim(x, b, 1), a, 1e-3);
  });

  it('second order through resizing', () => {
    const f = (x: Library) => ours.sum(ours.pow(ours.image.resize(x, [4, 4], 'bicubic'), 3));
    check((x) => ours.square(ours.grad(f)(x)), unit(23, 1, 3, 5, 2)(ours), 1e-2);
  });
});

describe('resizing with kernels', () => {
  // Keys' cubic at a quarter and three quarters, renormalized at the border: what jax.image.resize gives for a ramp of four.
  it('bicubic of a line', () => {
    const line = ours.tensor([0, 1, 2, 3], [1, 4, 1, 1]);
    const out = values(ours.image.resize(line, [8, 1], 'bicubic'));
    // Inside, a cubic kernel keeps straight lines.
    expect(out[3]).toBeCloseTo(1.25, 5);
    expect(out[4]).toBeCloseTo(1.75, 5);
    const [w0, w1, w2, w3] = [1.25, 0.25, 0.75, 1.75].map((x) =>
      x >= 1 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : (1.5 * x - 2.5) * x * x + 1,
    );
    expect(out[1]).toBeCloseTo((w2 * 1 + w3 * 2) / (w1 + w2 + w3), 5);
    expect(out[2]).toBeCloseTo((w1 * 1 + 2 * w0 + 0 * w2) / (w0 + w1 + w2), 5);
  });

  it('every method keeps a constant, and antialiasing counts every pixel', () => {
    for (const method of ['nearest', 'bilinear', 'bicubic', 'lanczos3', 'lanczos5', 'area']) {
      const flat = ours.fill([1, 6, 5, 2], 3);
      for (const size of [
        [3, 4],
        [11, 13],
        [1, 1],
      ])
        for (const value of values(ours.image.resize(flat, size, method, true))) expect(value).toBeCloseTo(3, 5);
    }
    const spike = ours.reshape(ours.oneHot(ours.tensor1d([5], 'int32'), 8), [1, 8, 1, 1]);
    // Without antialiasing pixel 5 is read by the second output alone, as half of what it sees.
    expect(values(ours.image.resize(spike, [2, 1], 'bilinear'))).toEqual([0, 0.5]);
    // With it, at distances 3.5 and 0.5 of a triangle of half width 4; the border cuts 1/8 off a sum of 4.
    const [first, second] = values(ours.image.resize(spike, [2, 1], 'bilinear', true));
    expect(first).toBeCloseTo((1 - 3.5 / 4) / (4 - 0.5), 5);
    expect(second).toBeCloseTo((1 - 0.5 / 4) / (4 - 0.5), 5);
    expectClose(ours.image.resize(image(ours), [5, 7], 'area'), image(ours));
    const halves = ours.avgPool(unit(24, 1, 6, 8, 2)(ours), 2, 2, 'valid');
    expectClose(ours.image.resize(unit(24, 1, 6, 8, 2)(ours), [3, 4], 'area'), halves);
  });
});

describe('colours', () => {
  const pixels = unit(30, 2, 4, 5, 3);
  it('go there and back', () => {
    const x = pixels(ours);
    for (const [there, back] of [
      ['rgbToHsv', 'hsvToRgb'],
      ['rgbToYuv', 'yuvToRgb'],
      ['rgbToYiq', 'yiqToRgb'],
    ])
      expectClose(ours.image[back](ours.image[there](x)), x, 1e-5);
    expectClose(ours.image.adjustHue(x, 1), x, 1e-5);
    expectClose(ours.image.adjustSaturation(x, 1), x, 1e-5);
  });

  it('known pixels', () => {
    const hsv = values(
      ours.image.rgbToHsv([
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [0.5, 0.5, 0.5],
        [0, 0, 0],
        [1, 1, 0],
      ]),
    );
    const wanted = [0, 1, 1, 1 / 3, 1, 1, 2 / 3, 1, 1, 0, 0, 0.5, 0, 0, 0, 1 / 6, 1, 1];
    for (const [i, value] of hsv.entries()) expect(value).toBeCloseTo(wanted[i], 6);
    expect(values(ours.image.adjustBrightness([0.25], 0.5))[0]).toBe(0.75);
    expect(values(ours.image.adjustGamma([0.25], 0.5, 2))[0]).toBeCloseTo(1, 6);
    const contrast = values(ours.image.adjustContrast(ours.tensor([0, 1, 2, 3], [2, 2, 1]), 2));
    expect(contrast).toEqual([-1.5, 0.5, 2.5, 4.5]);
  });
});

describe('filters and measures', () => {
  it('edges of a ramp', () => {
    const ramp = ours.tile(ours.reshape(ours.range(0, 5), [1, 1, 5, 1]), [1, 4, 1, 1]);
    const [vertical, horizontal] = ours.unstack(ours.image.sobelEdges(ramp), 4) as unknown as Library[];
    expect(Math.max(...values(ours.abs(vertical)))).toBe(0);
    expect(values(ours.slice(horizontal, [0, 1, 1, 0], [1, 2, 3, 1]))).toEqual(new Array(6).fill(8));
  });

  it('blur keeps sums inside and constants everywhere', () => {
    const flat = values(ours.image.gaussianBlur(ours.ones([8, 9, 2]), 1.2, 5));
    for (const value of flat) expect(value).toBeCloseTo(1, 5);
    const spot = ours.pad(ours.ones([1, 1, 1]), [
      [6, 6],
      [6, 6],
      [0, 0],
    ]);
    const blurred = ours.image.gaussianBlur(spot, 1, 7);
    expect(values(ours.sum(blurred))[0]).toBeCloseTo(1, 5);
    const center = values(ours.slice(blurred, [6, 6, 0], [1, 1, 1]))[0];
    const line = [0, 1, 2, 3].map((d) => Math.exp((-d * d) / 2));
    expect(center).toBeCloseTo(1 / (line[0] + 2 * (line[1] + line[2] + line[3])) ** 2, 5);
  });

  it('patches in the order of their pixels', () => {
    const x = ours.reshape(ours.range(0, 2 * 4 * 5 * 2), [2, 4, 5, 2]);
    const patches = ours.image.extractPatches(x, [2, 3], 1, 1, 'valid');
    expect(patches.shape).toEqual([2, 3, 3, 12]);
    const one = ours.reshape(ours.slice(x, [1, 2, 1, 0], [1, 2, 3, 2]), [12]);
    expectClose(ours.reshape(ours.slice(patches, [1, 2, 1, 0], [1, 1, 1, 12]), [12]), one);
  });

  it('standardized images have mean 0 and deviation 1', () => {
    const { mean, variance } = ours.moments(ours.image.perImageStandardization(image(ours)), [1, 2, 3]);
    for (const value of values(mean)) expect(value).toBeCloseTo(0, 5);
    for (const value of values(variance)) expect(value).toBeCloseTo(1, 4);
    expect(values(ours.image.perImageStandardization(ours.ones([2, 2, 1])))).toEqual([0, 0, 0, 0]);
  });

  it('total variation, peak signal-to-noise ratio', () => {
    const x = ours.tensor([1, 2, 4, 8], [2, 2, 1]);
    expect(values(ours.image.totalVariation(x))[0]).toBe(3 + 6 + 1 + 4);
    const ratio = ours.image.psnr(ours.zeros([2, 3, 3, 1]), ours.fill([2, 3, 3, 1], 16), 255);
    for (const value of values(ratio)) expect(value).toBeCloseTo(20 * Math.log10(255 / 16), 4);
  });

  it('similarity: 1 with itself, the closed form for flat images', () => {
    const x = unit(40, 2, 16, 17, 3)(ours);
    for (const value of values(ours.image.ssim(x, x, 1))) expect(value).toBeCloseTo(1, 5);
    const flat = ours.image.ssim(ours.fill([16, 16, 1], 0.3), ours.fill([16, 16, 1], 0.7), 1);
    expect(values(flat)[0]).toBeCloseTo((2 * 0.21 + 1e-4) / (0.09 + 0.49 + 1e-4), 4);
    const large = unit(41, 1, 48, 48, 1)(ours);
    const options = { filterSize: 3 };
    expect(values(ours.image.ssimMultiscale(large, large, 1, undefined, options))[0]).toBeCloseTo(1, 5);
    const noisy = ours.add(large, ours.mul(unit(42, 1, 48, 48, 1)(ours), 0.5));
    const less = values(ours.image.ssimMultiscale(large, noisy, 1, undefined, options))[0];
    expect(less).toBeGreaterThan(0.2);
    expect(less).toBeLessThan(0.999);
  });

  it('flips and quarters', () => {
    const x = image(ours);
    expectClose(ours.image.flipUpDown(x), ours.reverse(x, [1]));
    expect(values(ours.image.rot90(ours.tensor([1, 2, 3, 4], [2, 2, 1])))).toEqual([2, 4, 1, 3]);
    expectClose(ours.image.rot90(ours.image.rot90(x, 3), -3), x);
    // A quarter about the middle of a square, as a transform.
    const square = unit(43, 1, 4, 4, 1)(ours);
    const row = ours.image.affineTransform({ radians: Math.PI / 2, center: [1.5, 1.5] });
    const turned = ours.image.transform(square, [row], 'bilinear', 'nearest');
    expectClose(turned, ours.image.rot90(square, 1), 1e-4);
  });
});

describe('pixels', () => {
  const data = Uint8ClampedArray.from({ length: 2 * 3 * 4 }, (_, i) => (i * 37) % 256);
  it('become tensors and come back', async () => {
    const x = ours.browser.fromPixels({ data, width: 3, height: 2 }, 4);
    expect([x.shape, x.dtype]).toEqual([[2, 3, 4], 'int32']);
    expect(values(x)).toEqual([...data]);
    expect(await ours.browser.toPixels(x)).toEqual(data);
    const grey = (await ours.browser.toPixels(
      ours.tensor2d([
        [0, 0.5],
        [1, 0.25],
      ]),
    )) as unknown as Uint8ClampedArray;
    expect([...grey]).toEqual([0, 0, 0, 255, 128, 128, 128, 255, 255, 255, 255, 255, 64, 64, 64, 255]);
    expectClose(
      (await ours.browser.fromPixelsAsync({ data, width: 3, height: 2 })) as unknown as Library,
      ours.slice(x, [0, 0, 0], [2, 3, 3]),
    );
  });

  it('are drawn where there is a canvas', () => {
    let drawn: unknown = null;
    function ImageData(this: object, bytes: Uint8ClampedArray, width: number, height: number) {
      Object.assign(this, { bytes, width, height });
    }
    const canvas = { width: 0, height: 0, getContext: () => ({ putImageData: (it: unknown) => (drawn = it) }) };
    Object.assign(globalThis, { ImageData });
    try {
      ours.browser.draw(ours.ones([2, 3]), canvas, { imageOptions: { alpha: 0.5 } });
    } finally {
      Reflect.deleteProperty(globalThis, 'ImageData');
    }
    expect([canvas.width, canvas.height]).toEqual([3, 2]);
    expect([...(drawn as unknown as { bytes: Uint8ClampedArray }).bytes.slice(0, 4)]).toEqual([255, 255, 255, 128]);
  });
});

describe('errors', () => {
  const x = () => ours.ones([1, 4, 4, 3]);
  const refused: [string, () => unknown, RegExp][] = [
    ['size', () => ours.image.resizeBilinear(x(), [0, 2]), /^\[resizeBilinear\] size must be \[height, width\]/],
    ['modes', () => ours.image.resizeBilinear(x(), [2, 2], true, true), /must not both be true/],
    ['rank', () => ours.image.resizeBilinear(ours.ones([4]), [2, 2]), /^\[resizeBilinear\] images must have rank 4/],
    ['method', () => ours.image.resize(x(), [2, 2], 'cubic'), /^\[resize\] method must be one of/],
    ['channels', () => ours.image.rgbToGrayscale(ours.ones([2, 2])), /the last axis must have 3 channels/],
    [
      'boxes',
      () => ours.image.cropAndResize(x(), ours.ones([2, 3]), [0, 0], [2, 2]),
      /^\[cropAndResize\] boxes must be/,
    ],
    [
      'box owner',
      () => values(ours.image.cropAndResize(x(), [[0, 0, 1, 1]], ours.tensor1d([3], 'int32'), [2, 2])),
      /index must be in/,
    ],
    ['transforms', () => ours.image.transform(x(), ours.ones([2, 8])), /^\[transform\] transforms must be/],
    ['fill mode', () => ours.image.transform(x(), ours.ones([1, 8]), 'nearest', 'zero'), /fillMode must be/],
    ['nms', () => ours.image.nonMaxSuppression(ours.ones([2, 4]), ours.ones([3]), 1), /one score for each box/],
    [
      'nms overlap',
      () => ours.image.nonMaxSuppression(ours.ones([2, 4]), ours.ones([2]), 1, 2),
      /iouThreshold must be in \[0, 1\]/,
    ],
    ['ssim', () => ours.image.ssim(x(), x(), 1), /images must be at least 11 x 11/],
    ['pixels', () => ours.browser.fromPixels({ data: new Uint8Array(3), width: 1, height: 1 }), /4 bytes for each/],
    ['image in Node', () => ours.browser.fromPixels({ width: 1, height: 1 }), /needs a canvas/],
    ['activation', () => ours.fused.matMul({ a: [[1]], b: [[1]], activation: 'tan' }), /activation must be/],
  ];
  it.each(refused)('%s', (_name, f, message) => expect(f).toThrow(message));

  it('values that cannot be shown', async () => {
    await expect(ours.browser.toPixels(ours.tensor2d([[2]]))).rejects.toThrow(/must be in \[0, 1\]; got 2/);
  });
});
