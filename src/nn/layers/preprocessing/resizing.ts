/** Images of another size: resized, cropped, stretched at random. */
import { fail } from '../../../base/errors.ts';
import { image, pad, slice, type Tensor, dynamicSlice, concat, cast } from '../../../tensor/index.ts';
import type { Config } from '../../keras_config.ts';
import type { CallOptions } from '../layer.ts';
import { checkPositiveInteger, type KerasShape } from '../shapes.ts';
import {
  checkFactor,
  checkName,
  type Draws,
  ImageLayer,
  type ImageLayerArgs,
  type Interpolation,
  interpolations,
  RandomImageLayer,
  type RandomImageArgs,
  type Range,
} from './image_layer.ts';

export interface SizeArgs extends ImageLayerArgs {
  height: number;
  width: number;
}

/** Rows and columns from (top, left) on. */
function window(images: Tensor, top: number, left: number, height: number, width: number): Tensor {
  return slice(images, [0, top, left, 0], [images.shape[0], height, width, images.shape[3]!]);
}

/** The largest window in the middle that has the aspect of height : width. */
function middleOfAspect(images: Tensor, height: number, width: number): Tensor {
  const [, h, w] = images.shape as [number, number, number];
  const cropHeight = Math.max(1, Math.min(h, Math.trunc((w * height) / width)));
  const cropWidth = Math.max(1, Math.min(w, Math.trunc((h * width) / height)));
  const [top, left] = [Math.trunc((h - cropHeight) / 2), Math.trunc((w - cropWidth) / 2)];
  return window(images, top, left, cropHeight, cropWidth);
}

const methods = ['bilinear', 'nearest', 'bicubic', 'lanczos3', 'lanczos5', 'area'] as const;

export interface ResizingArgs extends SizeArgs {
  /** 'bilinear' (the default), 'nearest', 'bicubic', 'lanczos3', 'lanczos5' or 'area'. */
  interpolation?: (typeof methods)[number];
  /** Cuts off what does not have the new aspect, in place of stretching; default false. */
  cropToAspectRatio?: boolean;
  /** Adds borders to get the new aspect; default false. */
  padToAspectRatio?: boolean;
  /** The value of borders; default 0. */
  fillValue?: number;
  /** Every pixel counts where images shrink; default false. */
  antialias?: boolean;
}

/**
 * Images of height x width. Plain bilinear and nearest keep the centers of the corner pixels where they are, as TensorFlow.js does;
 * every other way (another method, antialias, cropping or padding to the aspect) has half-pixel centers, as Keras. Sources:
 * tf.layers.resizing, keras.layers.Resizing.
 */
export class Resizing extends ImageLayer {
  static override readonly className = 'Resizing';
  readonly height: number;
  readonly width: number;
  readonly interpolation: (typeof methods)[number];
  readonly cropToAspectRatio: boolean;
  readonly padToAspectRatio: boolean;
  readonly fillValue: number;
  readonly antialias: boolean;

  constructor(args: ResizingArgs) {
    super(args);
    this.height = checkPositiveInteger(this.label, 'height', args.height);
    this.width = checkPositiveInteger(this.label, 'width', args.width);
    this.interpolation = checkName(this.label, 'interpolation', args.interpolation, methods, 'bilinear');
    this.cropToAspectRatio = args.cropToAspectRatio ?? false;
    this.padToAspectRatio = args.padToAspectRatio ?? false;
    this.fillValue = args.fillValue ?? 0;
    this.antialias = args.antialias ?? false;
    if (this.cropToAspectRatio && this.padToAspectRatio) {
      fail(this.label, 'only one of cropToAspectRatio and padToAspectRatio may be true', 'got both');
    }
  }
  protected override transform(images: Tensor): Tensor {
    const size: [number, number] = [this.height, this.width];
    const { interpolation, antialias } = this;
    const plain = !antialias && !this.cropToAspectRatio && !this.padToAspectRatio;
    if (plain && interpolation === 'bilinear') return image.resizeBilinear(images, size, true);
    if (plain && interpolation === 'nearest') return image.resizeNearestNeighbor(images, size, true);
    const whole = this.cropToAspectRatio
      ? middleOfAspect(images, this.height, this.width)
      : this.padToAspectRatio
        ? this.#padded(images)
        : images;
    return image.resize(whole, size, interpolation, antialias);
  }
  #padded(images: Tensor): Tensor {
    const [, h, w] = images.shape as [number, number, number];
    const rows = Math.max(h, Math.trunc((w * this.height) / this.width));
    const columns = Math.max(w, Math.trunc((h * this.width) / this.height));
    const [top, left] = [Math.trunc((rows - h) / 2), Math.trunc((columns - w) / 2)];
    const margins: [number, number][] = [
      [0, 0],
      [top, rows - h - top],
      [left, columns - w - left],
      [0, 0],
    ];
    return pad(images, margins, this.fillValue);
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.resizedShape(inputShape, this.height, this.width);
  }
  override getConfig(): Config {
    const { height, width, interpolation, cropToAspectRatio, padToAspectRatio, fillValue, antialias } = this;
    const own = { height, width, interpolation, cropToAspectRatio, padToAspectRatio, fillValue, antialias };
    return { ...own, ...super.getConfig() };
  }
}

/**
 * The window in the middle of images; smaller images are cut to the aspect and enlarged. Sources: tf.layers.centerCrop,
 * keras.layers.CenterCrop, whose numbers these are (TensorFlow.js's window is off by one where one pixel is to be cut off).
 */
export class CenterCrop extends ImageLayer {
  static override readonly className = 'CenterCrop';
  readonly height: number;
  readonly width: number;

  constructor(args: SizeArgs) {
    super(args);
    this.height = checkPositiveInteger(this.label, 'height', args.height);
    this.width = checkPositiveInteger(this.label, 'width', args.width);
  }
  protected override transform(images: Tensor): Tensor {
    const [, h, w] = images.shape as [number, number, number];
    const { height, width } = this;
    if (h >= height && w >= width) {
      return window(images, Math.floor((h - height) / 2), Math.floor((w - width) / 2), height, width);
    }
    return image.resize(middleOfAspect(images, height, width), [height, width]);
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.resizedShape(inputShape, this.height, this.width);
  }
  override getConfig(): Config {
    return { height: this.height, width: this.width, ...super.getConfig() };
  }
}

export interface RandomCropArgs extends RandomImageArgs {
  height: number;
  width: number;
}

/**
 * A window at a random place, the same for all images of a batch. Outside of training, and of images that are not larger, the largest
 * window in the middle that has the aspect, resized. Source: keras.layers.RandomCrop.
 */
export class RandomCrop extends RandomImageLayer {
  static override readonly className = 'RandomCrop';
  readonly height: number;
  readonly width: number;

  constructor(args: RandomCropArgs) {
    super(args);
    this.height = checkPositiveInteger(this.label, 'height', args.height);
    this.width = checkPositiveInteger(this.label, 'width', args.width);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const [batch, h, w, channels] = images.shape as [number, number, number, number];
    const { height, width } = this;
    if (h < height || w < width) return this.resting(images);
    const zero = draws.integers([1], 0, 1);
    const begin = concat(
      [zero, draws.integers([1], 0, h - height + 1), draws.integers([1], 0, w - width + 1), zero],
      0,
    );
    return dynamicSlice(images, cast(begin, 'int32'), [batch, height, width, channels]);
  }
  protected override resting(images: Tensor): Tensor {
    const { height, width } = this;
    const middle = middleOfAspect(images, height, width);
    if (middle.shape[1] === height && middle.shape[2] === width) return middle;
    return image.resize(middle, [height, width]);
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.resizedShape(inputShape, this.height, this.width);
  }
  override getConfig(): Config {
    return { height: this.height, width: this.width, ...super.getConfig() };
  }
}

export interface RandomStretchArgs extends RandomImageArgs {
  /** How much longer the side may become, as a share: f for [-f, f], or two numbers above -1. */
  factor: number | readonly [number, number];
  /** 'bilinear' (the default) or 'nearest'. */
  interpolation?: Interpolation;
}

/**
 * Images stretched along one side by a factor that is drawn anew in each call, in training or not, as TensorFlow.js does. The new
 * size is read: not for compiled steps.
 */
abstract class RandomStretch extends RandomImageLayer {
  readonly factor: number | readonly [number, number];
  readonly interpolation: Interpolation;
  readonly #range: Range;
  protected abstract readonly side: 1 | 2;

  constructor(args: RandomStretchArgs) {
    super(args);
    const value = args.factor;
    const valid = Array.isArray(value) ? value.length === 2 && value[0] <= value[1] : (value as number) > 0;
    if (!valid) fail(this.label, 'factor must be positive, or two rising numbers', `got ${JSON.stringify(value)}`);
    this.factor = value;
    this.#range = checkFactor(this.label, 'factor', value, [-1, Number.MAX_VALUE]);
    this.interpolation = checkName(this.label, 'interpolation', args.interpolation, interpolations, 'bilinear');
  }
  override call(inputs: Tensor, _options?: CallOptions): Tensor {
    return this.onImages(inputs, (images) => this.augment(images, this.draws()));
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const size: [number, number] = [images.shape[1]!, images.shape[2]!];
    const [factor] = draws.uniform([1], [1 + this.#range[0], 1 + this.#range[1]]).dataSync() as Float32Array;
    size[this.side - 1] = Math.max(1, Math.round(size[this.side - 1] * factor));
    if (this.interpolation === 'nearest') return image.resizeNearestNeighbor(images, size);
    return image.resizeBilinear(images, size);
  }
  override getConfig(): Config {
    return { factor: this.factor, interpolation: this.interpolation, ...super.getConfig() };
  }
}

/** Images stretched in width. Source: tf.layers.randomWidth. */
export class RandomWidth extends RandomStretch {
  static override readonly className = 'RandomWidth';
  protected override readonly side = 2;
  override computeOutputShape(shape: KerasShape): KerasShape {
    return this.resizedShape(shape, shape.at(this.dataFormat === 'channelsFirst' ? -2 : -3) ?? null, null);
  }
}

/** Images stretched in height. Source: RandomHeight of TensorFlow.js. */
export class RandomHeight extends RandomStretch {
  static override readonly className = 'RandomHeight';
  protected override readonly side = 1;
  override computeOutputShape(shape: KerasShape): KerasShape {
    return this.resizedShape(shape, null, shape.at(this.dataFormat === 'channelsFirst' ? -1 : -2) ?? null);
  }
}
