/** Colours of images changed at random. Images are [batch, height, width, channels] with values in valueRange. */
import { fail } from '../../../base/errors.ts';
import {
  add,
  concat,
  div,
  floor,
  image,
  mean,
  mul,
  onesLike,
  pow,
  slice,
  sub,
  type Tensor,
  where,
} from '../../../tensor/index.ts';
import type { Config } from '../../keras_config.ts';
import type { KerasShape } from '../shapes.ts';
import {
  checkFactor,
  type Draws,
  type Factor,
  type RandomImageArgs,
  RandomImageLayer,
  type RangedImageArgs,
  RangedImageLayer,
  type Range,
  rescaled,
} from './image_layer.ts';

export interface FactorArgs extends RangedImageArgs {
  factor: Factor;
}

/** One that draws a factor for each image. */
abstract class Factored extends RangedImageLayer {
  readonly factor: Factor;
  protected readonly range: Range;
  constructor(args: FactorArgs, bounds: Range) {
    super(args);
    this.factor = args.factor;
    this.range = checkFactor(this.label, 'factor', args.factor, bounds);
  }
  protected drawn(images: Tensor, draws: Draws, range = this.range): Tensor {
    return draws.uniform([images.shape[0], 1, 1, 1], range);
  }
  override getConfig(): Config {
    return { factor: this.factor, ...super.getConfig() };
  }
}

/** x + factor times the width of the range, clipped. factor: f for [-f, f], or two numbers in [-1, 1]. Source: keras.layers.RandomBrightness. */
export class RandomBrightness extends Factored {
  static override readonly className = 'RandomBrightness';
  constructor(args: FactorArgs) {
    super(args, [-1, 1]);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const width = this.valueRange[1] - this.valueRange[0];
    return this.clipped(add(images, mul(this.drawn(images, draws), width)));
  }
}

/**
 * (x - mean) c + mean of each channel, clipped, c drawn from [1 - low, 1 + high]. factor: f for both, or [low, high] in [0, 1]. Source:
 * keras.layers.RandomContrast.
 */
export class RandomContrast extends Factored {
  static override readonly className = 'RandomContrast';
  constructor(args: FactorArgs) {
    super(args, [0, 1]);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const [low, high] = typeof this.factor === 'number' ? [this.factor, this.factor] : this.range;
    const middle = mean(images, [1, 2], true);
    const factor = this.drawn(images, draws, [1 - low, 1 + high]);
    return this.clipped(add(mul(sub(images, middle), factor), middle));
  }
}

/** Hue, saturation and value of images in the range, changed and turned back. */
abstract class Hued extends Factored {
  override build(inputShape: KerasShape): void {
    this.checkRGB(inputShape);
  }
  protected throughHsv(images: Tensor, change: (hue: Tensor, saturation: Tensor) => [Tensor, Tensor]): Tensor {
    const hsv = image.rgbToHsv(rescaled(images, this.valueRange, [0, 1]));
    const channel = (i: number) => slice(hsv, [0, 0, 0, i], [...hsv.shape.slice(0, 3), 1]);
    const changed = concat([...change(channel(0), channel(1)), channel(2)], 3);
    return rescaled(image.hsvToRgb(changed).clipByValue(0, 1), [0, 1], this.valueRange);
  }
}

/** Turns the hue by up to half of `factor` of a circle, to either side: f for [0, f], or two numbers in [0, 1]. Source: keras.layers.RandomHue. */
export class RandomHue extends Hued {
  static override readonly className = 'RandomHue';
  constructor(args: FactorArgs) {
    super(args, [0, 1]);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const sign = draws.signs(images.shape[0], 4);
    const turn = mul(mul(this.drawn(images, draws), sign), 0.5);
    return this.throughHsv(images, (hue, saturation) => {
      const turned = add(hue, turn);
      return [sub(turned, floor(turned)), saturation];
    });
  }
}

/**
 * Saturation times f / (1 - f): 0 is grey, 0.5 as it was, 1 full. factor: f for [0, f], or two numbers in [0, 1]. Source:
 * keras.layers.RandomSaturation.
 */
export class RandomSaturation extends Hued {
  static override readonly className = 'RandomSaturation';
  constructor(args: FactorArgs) {
    super(args, [0, 1]);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const factor = this.drawn(images, draws);
    const times = div(factor, add(sub(1, factor), 1e-7));
    return this.throughHsv(images, (hue, saturation) => [hue, mul(saturation, times).clipByValue(0, 1)]);
  }
}

/** x + factor (grey - x), clipped. factor: f for [0, f], or two numbers in [0, 1]. Source: keras.layers.RandomColorDegeneration. */
export class RandomColorDegeneration extends Factored {
  static override readonly className = 'RandomColorDegeneration';
  constructor(args: FactorArgs) {
    super(args, [0, 1]);
  }
  override build(inputShape: KerasShape): void {
    this.checkRGB(inputShape);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const grey = image.rgbToGrayscale(images);
    return this.clipped(add(images, mul(this.drawn(images, draws), sub(grey, images))));
  }
}

export interface RandomColorJitterArgs extends RangedImageArgs {
  brightnessFactor?: Factor | null;
  contrastFactor?: Factor | null;
  saturationFactor?: Factor | null;
  hueFactor?: Factor | null;
}

/** Random brightness, contrast, saturation and hue, those whose factor is given, in this order. Source: keras.layers.RandomColorJitter. */
export class RandomColorJitter extends RangedImageLayer {
  static override readonly className = 'RandomColorJitter';
  readonly #args: RandomColorJitterArgs;
  readonly #steps: readonly RandomImageLayer[];

  constructor(args: RandomColorJitterArgs = {}) {
    super(args);
    const { brightnessFactor = null, contrastFactor = null, saturationFactor = null, hueFactor = null } = args;
    this.#args = { brightnessFactor, contrastFactor, saturationFactor, hueFactor };
    const { valueRange } = this;
    const step = (make: new (args: FactorArgs) => RandomImageLayer, factor: Factor | null) =>
      factor === null ? [] : [new make({ factor, valueRange })];
    this.#steps = [
      ...step(RandomBrightness, brightnessFactor),
      ...step(RandomContrast, contrastFactor),
      ...step(RandomSaturation, saturationFactor),
      ...step(RandomHue, hueFactor),
    ];
  }
  override build(inputShape: KerasShape): void {
    const colours = (this.#args.saturationFactor ?? this.#args.hueFactor) !== null;
    if (colours) this.checkRGB(inputShape);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    return this.#steps.reduce((x, step) => step.augment(x, draws), images);
  }
  override getConfig(): Config {
    return { ...this.#args, ...super.getConfig() };
  }
}

export interface RandomGrayscaleArgs extends RandomImageArgs {
  /** The share of images that lose their colours; default 0.5. */
  factor?: number;
}

/** Source: keras.layers.RandomGrayscale. */
export class RandomGrayscale extends RandomImageLayer {
  static override readonly className = 'RandomGrayscale';
  readonly factor: number;
  constructor(args: RandomGrayscaleArgs = {}) {
    super(args);
    this.factor = args.factor ?? 0.5;
    checkFactor(this.label, 'factor', this.factor, [0, 1]);
  }
  override build(inputShape: KerasShape): void {
    this.checkRGB(inputShape);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const changes = draws.uniform([images.shape[0], 1, 1, 1]).less(this.factor);
    return where(changes, mul(onesLike(images), image.rgbToGrayscale(images)), images);
  }
  override getConfig(): Config {
    return { factor: this.factor, ...super.getConfig() };
  }
}

export interface RandomInvertArgs extends RangedImageArgs {
  /** The share of images that change: drawn from [0, f], or from two numbers; default 1. */
  factor?: Factor;
}

/** The largest value minus x. Source: keras.layers.RandomInvert. */
export class RandomInvert extends Factored {
  static override readonly className = 'RandomInvert';
  constructor(args: RandomInvertArgs = {}) {
    super({ ...args, factor: args.factor ?? 1 }, [0, 1]);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    return where(draws.happens(images.shape[0], this.range), sub(this.valueRange[1], images), images);
  }
}

/** Keeps so many of 8 bits: `factor`, or an integer of the two given and those between. Source: keras.layers.RandomPosterization. */
export class RandomPosterization extends RangedImageLayer {
  static override readonly className = 'RandomPosterization';
  readonly factor: Factor;
  readonly #bits: Range;
  constructor(args: FactorArgs) {
    super(args);
    this.factor = args.factor;
    const [low, high] = checkFactor(this.label, 'factor', args.factor, [1, 8]);
    this.#bits = typeof args.factor === 'number' ? [high, high] : [low, high];
    if (!this.#bits.every(Number.isInteger)) fail(this.label, 'factor must be a number of bits', `got ${args.factor}`);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const bits = draws.integers([images.shape[0], 1, 1, 1], this.#bits[0], this.#bits[1] + 1);
    const step = pow(2, sub(8, bits.toFloat()));
    const whole = floor(rescaled(images, this.valueRange, [0, 255]).clipByValue(0, 255));
    return rescaled(mul(floor(div(whole, step)), step), [0, 255], this.valueRange);
  }
  override getConfig(): Config {
    return { factor: this.factor, ...super.getConfig() };
  }
}

export interface SolarizationArgs extends RangedImageArgs {
  /** Added first, as a share of the range: drawn from [0, f], or from two numbers in [0, 1]; default 0. */
  additionFactor?: Factor;
  /** Values from there on are inverted, as a share of the range: drawn as the addition; default 0, which inverts all. */
  thresholdFactor?: Factor;
}

/** Inverts what is brighter than a threshold. Source: keras.layers.Solarization. */
export class Solarization extends RangedImageLayer {
  static override readonly className = 'Solarization';
  readonly additionFactor: Factor;
  readonly thresholdFactor: Factor;
  readonly #ranges: readonly [Range, Range];
  constructor(args: SolarizationArgs = {}) {
    super(args);
    this.additionFactor = args.additionFactor ?? 0;
    this.thresholdFactor = args.thresholdFactor ?? 0;
    const range = (name: 'additionFactor' | 'thresholdFactor') => checkFactor(this.label, name, this[name], [0, 1]);
    this.#ranges = [range('additionFactor'), range('thresholdFactor')];
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const [more, level] = this.#ranges.map(([low, high]) =>
      draws.uniform([images.shape[0], 1, 1, 1], [255 * low, 255 * high]),
    );
    const x = add(rescaled(images, this.valueRange, [0, 255]), more).clipByValue(0, 255);
    return rescaled(where(x.less(level), x, sub(255, x)), [0, 255], this.valueRange);
  }
  override getConfig(): Config {
    return { additionFactor: this.additionFactor, thresholdFactor: this.thresholdFactor, ...super.getConfig() };
  }
}
