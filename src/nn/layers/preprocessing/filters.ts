/** Images blurred or sharpened at random, each channel by itself. */
import { fail } from '../../../base/errors.ts';
import {
  add,
  broadcastTo,
  depthwiseConv2d,
  div,
  exp,
  mul,
  neg,
  reshape,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor4D,
  tensor,
  where,
} from '../../../tensor/index.ts';
import type { Config } from '../../keras_config.ts';
import {
  checkFactor,
  type Draws,
  type Factor,
  type Range,
  type RangedImageArgs,
  RangedImageLayer,
} from './image_layer.ts';

/** exp(-x^2 / (2 s^2)) at whole distances from the middle of `size`, of sum 1; s is a tensor of one number. */
export function gaussianTaps(size: number, deviation: Tensor): Tensor {
  const distance = tensor(Array.from({ length: size }, (_, i) => i - (size - 1) / 2));
  const weights = exp(neg(div(square(distance), mul(square(reshape(deviation, [1])), 2))));
  return div(weights, sum(weights));
}

/** Every channel filtered by `taps` [height, width], zeros around. */
function everyChannel(images: Tensor, taps: Tensor): Tensor {
  const [height, width] = taps.shape as [number, number];
  const channels = images.shape[3]!;
  const kernel = broadcastTo(reshape(taps, [height, width, 1, 1]), [height, width, channels, 1]);
  return depthwiseConv2d(images as Tensor4D, kernel as Tensor4D, 1, 'same');
}

export interface RandomGaussianBlurArgs extends RangedImageArgs {
  /** The share of images that change: drawn from [0, f], or from two numbers; default 1. */
  factor?: Factor;
  /** Odd; default 3. */
  kernelSize?: number | readonly [number, number];
  /** Deviation in pixels: drawn from [0, f], or from two numbers in [0, 1]; default 1. */
  sigma?: Factor;
}

/** Under a Gaussian, zeros around. Source: keras.layers.RandomGaussianBlur. */
export class RandomGaussianBlur extends RangedImageLayer {
  static override readonly className = 'RandomGaussianBlur';
  readonly factor: Factor;
  readonly kernelSize: readonly [number, number];
  readonly sigma: Factor;
  readonly #factor: Range;
  readonly #sigma: Range;

  constructor(args: RandomGaussianBlurArgs = {}) {
    super(args);
    this.factor = args.factor ?? 1;
    this.sigma = args.sigma ?? 1;
    const size = args.kernelSize ?? 3;
    this.kernelSize = typeof size === 'number' ? [size, size] : size;
    if (this.kernelSize.some((n) => !Number.isInteger(n) || n < 1 || n % 2 === 0)) {
      fail(this.label, 'kernelSize must be odd', `got ${JSON.stringify(args.kernelSize)}`);
    }
    this.#factor = checkFactor(this.label, 'factor', this.factor, [0, 1]);
    this.#sigma = checkFactor(this.label, 'sigma', this.sigma, [0, 1]);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const [low, high] = this.#sigma;
    const [rows, columns] = this.kernelSize.map((size) =>
      gaussianTaps(size, add(draws.uniform([1], [low, high]), 1e-6)),
    );
    const vertical = everyChannel(images, reshape(rows, [this.kernelSize[0], 1]));
    const blurred = everyChannel(vertical, reshape(columns, [1, this.kernelSize[1]]));
    return this.clipped(where(draws.happens(images.shape[0], this.#factor), blurred, images));
  }
  override getConfig(): Config {
    return { factor: this.factor, kernelSize: this.kernelSize, sigma: this.sigma, ...super.getConfig() };
  }
}

export interface RandomSharpnessArgs extends RangedImageArgs {
  /** 0 is blurred, 0.5 as it was, 1 sharpened: drawn from [0, f], or from two numbers in [0, 1]. */
  factor: Factor;
}

/** x + (1 - 2 factor) (smooth(x) - x), smooth by 3 x 3 with weights 1 and 5 in the middle. Source: keras.layers.RandomSharpness. */
export class RandomSharpness extends RangedImageLayer {
  static override readonly className = 'RandomSharpness';
  readonly factor: Factor;
  readonly #factor: Range;

  constructor(args: RandomSharpnessArgs) {
    super(args);
    this.factor = args.factor;
    this.#factor = checkFactor(this.label, 'factor', args.factor, [0, 1]);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const taps = tensor([1, 1, 1, 1, 5, 1, 1, 1, 1], [3, 3]).div(13);
    const strength = sub(1, mul(draws.uniform([images.shape[0], 1, 1, 1], this.#factor), 2));
    return this.clipped(add(images, mul(strength, sub(everyChannel(images, taps), images))));
  }
  override getConfig(): Config {
    return { factor: this.factor, ...super.getConfig() };
  }
}
