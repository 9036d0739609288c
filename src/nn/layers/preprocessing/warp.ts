/** Images moved at random: mirrored, shifted, turned, zoomed, sheared, seen from elsewhere, bent. */
import { fail } from '../../../base/errors.ts';
import {
  add,
  concat,
  cos,
  depthwiseConv2d,
  image,
  linalg,
  maximum,
  mul,
  neg,
  range,
  reshape,
  reverse,
  sin,
  sub,
  type Tensor,
  type Tensor4D,
  tensor,
  where,
  zeros,
} from '../../../tensor/index.ts';
import type { Config } from '../../keras_config.ts';
import {
  checkFactor,
  checkName,
  type Draws,
  type Factor,
  type FillMode,
  fillModes,
  type Interpolation,
  interpolations,
  type RandomImageArgs,
  RandomImageLayer,
  type Range,
  type RangedImageArgs,
  RangedImageLayer,
} from './image_layer.ts';
import { gaussianTaps } from './filters.ts';

const flipModes = ['horizontalAndVertical', 'horizontal', 'vertical'] as const;

export interface RandomFlipArgs extends RandomImageArgs {
  /** 'horizontalAndVertical' (the default), 'horizontal' or 'vertical'. */
  mode?: (typeof flipModes)[number] | (string & {});
}

/** Mirrors half of the images; along both axes at once in the default mode. Source: keras.layers.RandomFlip. */
export class RandomFlip extends RandomImageLayer {
  static override readonly className = 'RandomFlip';
  readonly mode: (typeof flipModes)[number];
  constructor(args: RandomFlipArgs = {}) {
    super(args);
    this.mode = checkName(this.label, 'mode', args.mode, flipModes, 'horizontalAndVertical');
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const axes = { horizontal: [2], vertical: [1], horizontalAndVertical: [1, 2] }[this.mode];
    const flips = draws.uniform([images.shape[0], 1, 1, 1]).lessEqual(0.5);
    return where(flips, reverse(images, axes), images);
  }
  override getConfig(): Config {
    return { mode: this.mode, ...super.getConfig() };
  }
}

export interface WarpArgs extends RandomImageArgs {
  /** What lies outside: 'reflect' (dcba|abcd|dcba, the default), 'wrap', 'nearest' or 'constant'. */
  fillMode?: FillMode;
  /** Default 'bilinear'. */
  interpolation?: Interpolation;
  /** With fillMode 'constant'; default 0. */
  fillValue?: number;
}

/** A layer that reads each image through a projective transform of its own. */
abstract class Warp extends RandomImageLayer {
  readonly fillMode: FillMode;
  readonly interpolation: Interpolation;
  readonly fillValue: number;

  constructor(args: WarpArgs, mode: FillMode = 'reflect') {
    super(args);
    this.fillMode = checkName(this.label, 'fillMode', args.fillMode, fillModes, mode);
    this.interpolation = checkName(this.label, 'interpolation', args.interpolation, interpolations, 'bilinear');
    this.fillValue = args.fillValue ?? 0;
  }
  /** Coefficients of tf.image.transform, each [batch, 1] or a number for all images. */
  protected abstract coefficients(
    batch: number,
    height: number,
    width: number,
    draws: Draws,
  ): readonly (Tensor | number)[];

  override augment(images: Tensor, draws: Draws): Tensor {
    const [batch, height, width] = images.shape as [number, number, number];
    const given = this.coefficients(batch, height, width, draws);
    const columns = given.map((c) => (typeof c === 'number' ? add(zeros([batch, 1]), c) : c));
    return image.transform(images, concat(columns, 1), this.interpolation, this.fillMode, this.fillValue);
  }
  override getConfig(): Config {
    const { fillMode, interpolation, fillValue } = this;
    return { fillMode, interpolation, fillValue, ...super.getConfig() };
  }
}

export interface RandomTranslationArgs extends WarpArgs {
  /** Shift down, as a share of the height: f for [-f, f], or two numbers in [-1, 1]. */
  heightFactor: Factor;
  /** Shift to the right, as a share of the width. */
  widthFactor: Factor;
}

/** Source: keras.layers.RandomTranslation. */
export class RandomTranslation extends Warp {
  static override readonly className = 'RandomTranslation';
  readonly heightFactor: Factor;
  readonly widthFactor: Factor;
  readonly #ranges: readonly [Range, Range];

  constructor(args: RandomTranslationArgs) {
    super(args);
    this.heightFactor = args.heightFactor;
    this.widthFactor = args.widthFactor;
    const range = (name: 'heightFactor' | 'widthFactor') => checkFactor(this.label, name, args[name], [-1, 1]);
    this.#ranges = [range('heightFactor'), range('widthFactor')];
  }
  protected override coefficients(batch: number, height: number, width: number, draws: Draws) {
    const [down, right] = this.#ranges.map((range) => draws.uniform([batch, 1], range));
    return [1, 0, mul(right, -width), 0, 1, mul(down, -height), 0, 0];
  }
  override getConfig(): Config {
    return { heightFactor: this.heightFactor, widthFactor: this.widthFactor, ...super.getConfig() };
  }
}

export interface RandomRotationArgs extends WarpArgs {
  /** Turns, counter-clockwise: f for [-f, f], or two numbers in [-1, 1]; 1 is once around. */
  factor: Factor;
}

/** Turned about the middle. Source: keras.layers.RandomRotation. */
export class RandomRotation extends Warp {
  static override readonly className = 'RandomRotation';
  readonly factor: Factor;
  readonly #range: Range;

  constructor(args: RandomRotationArgs) {
    super(args);
    this.factor = args.factor;
    this.#range = checkFactor(this.label, 'factor', args.factor, [-1, 1]);
  }
  protected override coefficients(batch: number, height: number, width: number, draws: Draws) {
    const angle = mul(draws.uniform([batch, 1], this.#range), 2 * Math.PI);
    const [c, s] = [cos(angle), sin(angle)];
    const [cx, cy] = [(width - 1) / 2, (height - 1) / 2];
    const shiftX = add(sub(cx, mul(c, cx)), mul(s, cy));
    const shiftY = sub(sub(cy, mul(s, cx)), mul(c, cy));
    return [c, neg(s), shiftX, s, c, shiftY, 0, 0];
  }
  override getConfig(): Config {
    return { factor: this.factor, ...super.getConfig() };
  }
}

export interface RandomZoomArgs extends WarpArgs {
  /** How much more of the height is seen: f for [-f, f], or two numbers in (-1, 1]; negative numbers enlarge. */
  heightFactor: Factor;
  /** The same for the width; default: as the height, which keeps the aspect. */
  widthFactor?: Factor | null;
}

/** Source: keras.layers.RandomZoom. */
export class RandomZoom extends Warp {
  static override readonly className = 'RandomZoom';
  readonly heightFactor: Factor;
  readonly widthFactor: Factor | null;
  readonly #height: Range;
  readonly #width: Range | null;

  constructor(args: RandomZoomArgs) {
    super(args);
    this.heightFactor = args.heightFactor;
    this.widthFactor = args.widthFactor ?? null;
    this.#height = checkFactor(this.label, 'heightFactor', args.heightFactor, [-1, 1]);
    this.#width = this.widthFactor === null ? null : checkFactor(this.label, 'widthFactor', this.widthFactor, [-1, 1]);
    if ([this.#height, this.#width].some((range) => range?.[0] === -1)) {
      fail(this.label, 'factors must be above -1', 'at -1 nothing is seen');
    }
  }
  protected override coefficients(batch: number, height: number, width: number, draws: Draws) {
    const zoom = ([low, high]: Range) => draws.uniform([batch, 1], [1 + low, 1 + high]);
    const vertical = zoom(this.#height);
    const horizontal = this.#width ? zoom(this.#width) : vertical;
    const offset = (extent: number, factor: Tensor) => mul(sub(1, factor), (extent - 1) / 2);
    return [horizontal, 0, offset(width, horizontal), 0, vertical, offset(height, vertical), 0, 0];
  }
  override getConfig(): Config {
    return { heightFactor: this.heightFactor, widthFactor: this.widthFactor, ...super.getConfig() };
  }
}

export interface RandomShearArgs extends WarpArgs {
  /** How far rows slide for each row further down: a number f for [-f, f], or two in [0, 1]; default 0. */
  xFactor?: Factor;
  /** The same for columns. */
  yFactor?: Factor;
}

/** Slanted, to either side. Source: keras.layers.RandomShear. */
export class RandomShear extends Warp {
  static override readonly className = 'RandomShear';
  readonly xFactor: Factor;
  readonly yFactor: Factor;
  readonly #ranges: readonly [Range, Range];

  constructor(args: RandomShearArgs = {}) {
    super(args);
    this.xFactor = args.xFactor ?? 0;
    this.yFactor = args.yFactor ?? 0;
    const range = (name: 'xFactor' | 'yFactor') => checkFactor(this.label, name, this[name], [0, 1]);
    this.#ranges = [range('xFactor'), range('yFactor')];
  }
  protected override coefficients(batch: number, _height: number, _width: number, draws: Draws) {
    const sign = draws.signs(batch, 2);
    const [x, y] = this.#ranges.map((range) => mul(draws.uniform([batch, 1], range), sign));
    return [1, x, 0, y, 1, 0, 0, 0];
  }
  override getConfig(): Config {
    return { xFactor: this.xFactor, yFactor: this.yFactor, ...super.getConfig() };
  }
}

export interface RandomPerspectiveArgs extends Omit<WarpArgs, 'fillMode'> {
  /** The share of images that change: drawn from [0, f], or from two numbers; default 1. */
  factor?: Factor;
  /** How far corners move, in [0, 1]; default 1. */
  scale?: number;
}

/** As seen from elsewhere: the corners but the first move along the sides. Source: keras.layers.RandomPerspective. */
export class RandomPerspective extends Warp {
  static override readonly className = 'RandomPerspective';
  readonly factor: Factor;
  readonly scale: number;
  readonly #range: Range;

  constructor(args: RandomPerspectiveArgs = {}) {
    super(args, 'constant');
    this.factor = args.factor ?? 1;
    this.scale = args.scale ?? 1;
    this.#range = checkFactor(this.label, 'factor', this.factor, [0, 1]);
    checkFactor(this.label, 'scale', this.scale, [0, 1]);
  }
  protected override coefficients(batch: number, height: number, width: number, draws: Draws) {
    const [right, bottom] = [width - 1, height - 1];
    const corners = [0, 0, right, 0, 0, bottom, right, bottom];
    const start = tensor(corners, [1, 8]);
    const half = this.scale / 2;
    const end = add(start, mul(start, draws.uniform([batch, 8], [-half, half])));
    const at = (i: number) => end.slice([0, i], [batch, 1]);
    const [zero, one] = [zeros([batch, 1]), add(zeros([batch, 1]), 1)];
    // What is shown at a moved corner is read at the corner: eight equations for the eight coefficients.
    const rows = [0, 1, 2, 3].flatMap((k) => {
      const [x, y, u, v] = [at(2 * k), at(2 * k + 1), corners[2 * k], corners[2 * k + 1]];
      return [
        [x, y, one, zero, zero, zero, mul(x, -u), mul(y, -u)],
        [zero, zero, zero, x, y, one, mul(x, -v), mul(y, -v)],
      ];
    });
    const matrix = reshape(concat(rows.flat(), 1), [batch, 8, 8]);
    const goal = add(zeros([batch, 8, 1]), tensor(corners, [1, 8, 1]));
    const found = reshape(linalg.solve(matrix, goal), [batch, 8]);
    return Array.from({ length: 8 }, (_, i) => found.slice([0, i], [batch, 1]));
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const [batch, height, width] = images.shape as [number, number, number];
    // A side of one pixel has no corners to tell apart.
    if (height < 2 || width < 2 || this.scale === 0) return images;
    const changes = draws.happens(batch, this.#range);
    return where(changes, super.augment(images, draws), images);
  }
  override getConfig(): Config {
    const { fillMode: _, ...config } = super.getConfig();
    return { factor: this.factor, scale: this.scale, ...config };
  }
}

export interface RandomElasticTransformArgs extends WarpArgs, RangedImageArgs {
  /** The share of images that change: drawn from [0, f], or from two numbers; default 1. */
  factor?: Factor;
  /** Strength: drawn from [0, f], or from two numbers in [0, 1]; default 1. */
  scale?: Factor;
}

/**
 * Bent by smooth random shifts (Simard et al. 2003): normal numbers times 0.1 scale max(height, width), under a Gaussian of deviation
 * 0.05 scale min(height, width). Source: keras.layers.RandomElasticTransform.
 */
export class RandomElasticTransform extends RangedImageLayer {
  static override readonly className = 'RandomElasticTransform';
  readonly factor: Factor;
  readonly scale: Factor;
  readonly fillMode: FillMode;
  readonly interpolation: Interpolation;
  readonly fillValue: number;
  readonly #factor: Range;
  readonly #scale: Range;

  constructor(args: RandomElasticTransformArgs = {}) {
    super(args);
    this.factor = args.factor ?? 1;
    this.scale = args.scale ?? 1;
    this.#factor = checkFactor(this.label, 'factor', this.factor, [0, 1]);
    this.#scale = checkFactor(this.label, 'scale', this.scale, [0, 1]);
    this.fillMode = checkName(this.label, 'fillMode', args.fillMode, fillModes, 'reflect');
    this.interpolation = checkName(this.label, 'interpolation', args.interpolation, interpolations, 'bilinear');
    this.fillValue = args.fillValue ?? 0;
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const [batch, height, width] = images.shape as [number, number, number];
    if (this.#scale[1] === 0 || this.#factor[1] === 0) return images;
    const strength = draws.uniform([1], this.#scale);
    const size = 2 * Math.max(1, Math.ceil(3 * 0.05 * this.#scale[1] * Math.min(height, width))) + 1;
    const deviation = maximum(mul(strength, 0.05 * Math.min(height, width)), 1e-3);
    const taps = gaussianTaps(size, deviation);
    const blurred = (field: Tensor) => {
      const rows = depthwiseConv2d(field as Tensor4D, reshape(taps, [size, 1, 1, 1]) as Tensor4D, 1, 'same');
      return depthwiseConv2d(rows, reshape(taps, [1, size, 1, 1]) as Tensor4D, 1, 'same');
    };
    const shifts = [0, 1].map(() => {
      const field = mul(draws.normal([batch, height, width, 1]), mul(strength, 0.1 * Math.max(height, width)));
      return reshape(blurred(field), [batch, height, width]);
    });
    const y = add(reshape(range(0, height), [1, height, 1]), shifts[0]);
    const x = add(reshape(range(0, width), [1, 1, width]), shifts[1]);
    const bent = image.sampleAt(images, y, x, this.interpolation, this.fillMode, this.fillValue);
    return this.clipped(where(draws.happens(batch, this.#factor), bent, images));
  }
  override getConfig(): Config {
    const { factor, scale, fillMode, interpolation, fillValue } = this;
    return { factor, scale, fillMode, interpolation, fillValue, ...super.getConfig() };
  }
}
