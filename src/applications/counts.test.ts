/** Numbers of parameters against the published ones, or, where no count is published, against the paper's table in closed form. */
import { describe, expect, it } from 'vitest';
import * as tf from '../index.ts';

const { applications: zoo } = tf;
type Any = { countParams(): number; trainableWeights: { shape: readonly number[] }[]; dispose(): unknown };

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
const trained = (model: Any) => sum(model.trainableWeights.map(({ shape }) => shape.reduce((a, b) => a * b, 1)));

/** A convolution of `size` x `size` windows with a bias. */
const conv = (from: number, to: number, size: number) => (size * size * from + 1) * to;
const dense = (from: number, to: number) => (from + 1) * to;

describe('as many parameters as published', () => {
  const published: [string, () => Any, number][] = [
    ['LeNet5', () => zoo.LeNet5(), 61_706],
    // The grouped network: Krizhevsky's 60 million.
    ['AlexNet', () => zoo.AlexNet(), 60_965_224],
    // keras.applications
    ['VGG16', () => zoo.VGG16(), 138_357_544],
    ['VGG19', () => zoo.VGG19(), 143_667_240],
    ['InceptionV3', () => zoo.InceptionV3(), 23_851_784],
    ['ResNet50', () => zoo.ResNet50(), 25_636_712],
    ['ResNet101', () => zoo.ResNet101(), 44_707_176],
    ['ResNet50V2', () => zoo.ResNet50V2(), 25_613_800],
    ['ResNet101V2', () => zoo.ResNet101V2(), 44_675_560],
    ['DenseNet121', () => zoo.DenseNet121(), 8_062_504],
    ['MobileNet', () => zoo.MobileNet(), 4_253_864],
    ['MobileNetV2', () => zoo.MobileNetV2(), 3_538_984],
    ['EfficientNetB0', () => zoo.EfficientNetB0(), 5_330_571],
    // keras.applications without the top.
    ['VGG16 without top', () => zoo.VGG16({ includeTop: false }), 14_714_688],
    ['ResNet50 without top', () => zoo.ResNet50({ includeTop: false }), 23_587_712],
    ['InceptionV3 without top', () => zoo.InceptionV3({ includeTop: false }), 21_802_784],
    ['MobileNetV2 without top', () => zoo.MobileNetV2({ includeTop: false }), 2_257_984],
    ['MobileNet 0.25', () => zoo.MobileNet({ alpha: 0.25 }), 475_544],
    // The authors' Caffe models.
    ['GoogLeNet', () => zoo.GoogLeNet(), 6_998_552],
    ['GoogLeNet with auxiliary classifiers', () => zoo.GoogLeNet({ auxiliary: true }), 13_378_280],
    // tiny-yolo-voc.weights has 63,471,556 bytes: a header of 16 and these.
    ['TinyYOLO', () => zoo.TinyYOLO(), (63_471_556 - 16) / 4],
    // DeiT-Ti of Touvron et al.
    ['ViTTiny', () => zoo.ViTTiny(), 5_717_416],
  ];
  it.each(published)('%s', (_, build, count) => {
    const model = build();
    expect(model.countParams()).toBe(count);
    model.dispose();
  });

  it('ResNet-18 and SE-ResNet-50, whose moving averages their authors do not count', () => {
    expect(trained(zoo.ResNet18())).toBe(11_689_512);
    expect(trained(zoo.SEResNet50())).toBe(28_088_024);
  });
});

describe('as many parameters as the paper says, in closed form', () => {
  it('UNet: two convolutions on each level, a 2x2 one up, a 1x1 one at the end', () => {
    const levels = [64, 128, 256, 512];
    const down = levels.map((n, i) => conv(i === 0 ? 1 : levels[i - 1], n, 3) + conv(n, n, 3));
    const up = levels.map((n) => conv(2 * n, n, 2) + conv(2 * n, n, 3) + conv(n, n, 3));
    const bottom = conv(512, 1024, 3) + conv(1024, 1024, 3);
    const model = zoo.UNet();
    expect(model.countParams()).toBe(sum(down) + bottom + sum(up) + conv(64, 2, 1));
    expect(model.countParams()).toBe(31_030_658);
    expect(model.outputShape).toEqual([null, 388, 388, 2]);
  });

  it("FCN8s: VGG16's layers, three scores, three enlarging windows", () => {
    const scores = conv(4096, 21, 1) + conv(512, 21, 1) + conv(256, 21, 1);
    const windows = (16 + 16 + 256) * 21 * 21;
    const vgg = 14_714_688 + conv(512, 4096, 7) + dense(4096, 4096);
    const model = zoo.FCN8s();
    expect(model.countParams()).toBe(vgg + scores + windows);
    expect(model.outputShape).toEqual([null, 512, 512, 21]);
  });

  it('TextCNN: words, windows of 3, 4 and 5, a dense layer', () => {
    const windows = sum([3, 4, 5].map((size) => (size * 300 + 1) * 100));
    expect(zoo.TextCNN().countParams()).toBe(20_000 * 300 + windows + dense(300, 2));
  });

  it("Transformer: the base model of the paper's table 3", () => {
    const attention = 4 * 512 * 512;
    const network = dense(512, 2048) + dense(2048, 512);
    const encoder = attention + network + 2 * 1024;
    const decoder = 2 * attention + network + 3 * 1024;
    const model = zoo.Transformer();
    expect(model.countParams()).toBe(37_000 * 512 + 6 * (encoder + decoder));
    // "65" millions there, with biases and tables that it does not list.
    expect(Math.abs(model.countParams() / 65e6 - 1)).toBeLessThan(0.05);
  });

  it('DCGAN: four windows of 5x5 between 4x4x1024 and 64x64x3', () => {
    const widths = [1024, 512, 256, 128];
    const windows = sum(widths.slice(1).map((n, i) => 25 * widths[i] * n)) + conv(128, 3, 5);
    const generator = 100 * 4 * 4 * 1024 + windows + sum(widths.map((n) => 4 * n));
    expect(zoo.DCGANGenerator().countParams()).toBe(generator);
    const back = [64, 128, 256, 512];
    const judged = conv(3, 64, 5) + sum(back.slice(1).map((n, i) => 25 * back[i] * n + 4 * n)) + dense(4 * 4 * 512, 1);
    expect(zoo.DCGANDiscriminator().countParams()).toBe(judged);
    const small = { imageShape: [28, 28, 1], filters: [128, 64] };
    const generated = 100 * 6272 + 25 * 128 * 64 + conv(64, 1, 5) + 4 * (128 + 64);
    expect(zoo.DCGANGenerator(small).countParams()).toBe(generated);
  });

  it('VAE: one hidden layer on each side', () => {
    const encoder = dense(784, 500) + 2 * dense(500, 20);
    expect(zoo.VAE().countParams()).toBe(encoder + dense(20, 500) + dense(500, 784));
    const down = conv(1, 32, 3) + conv(32, 64, 3) + dense(7 * 7 * 64, 500) + 2 * dense(500, 20);
    const up = dense(20, 500) + dense(500, 7 * 7 * 64) + conv(64, 32, 3) + conv(32, 1, 3);
    expect(zoo.VAE({ kind: 'conv' }).countParams()).toBe(down + up);
  });

  it('ResNet18V2: two windows in each block, three projections, a normalization before each window', () => {
    const widths = [64, 64, 64, 128, 128, 256, 256, 512, 512];
    const blocks = widths.slice(1).map((n, i) => {
      const from = widths[i];
      return 9 * from * n + 9 * n * n + (from === n ? 0 : from * n) + 2 * from + 2 * n;
    });
    const ends = 49 * 3 * 64 + 2 * 512 + dense(512, 1000);
    expect(trained(zoo.ResNet18V2())).toBe(sum(blocks) + ends);
    expect(sum(blocks) + ends).toBe(11_687_720);
  });
});
