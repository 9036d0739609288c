/** Images mixed with others of the batch, or with parts taken out, in training. Labels may come along: apply([images, labels]). */
import { fail } from '../../../base/errors.ts';
import {
  add,
  cast,
  gather,
  logicalAnd,
  mul,
  range,
  reshape,
  sqrt,
  sub,
  type Tensor,
  tensor,
  where,
  div,
} from '../../../tensor/index.ts';
import type { Config } from '../../keras_config.ts';
import type { CallOptions } from '../layer.ts';
import { isShapeList, type ShapeOrShapes, showShapes } from '../shapes.ts';
import {
  checkFactor,
  type Draws,
  type Factor,
  type RandomImageArgs,
  RandomImageLayer,
  type Range,
  type RangedImageArgs,
  RangedImageLayer,
} from './image_layer.ts';

/** What becomes of the images of one call, and of their labels: share own + (1 - share) partner's. */
interface Mix {
  readonly images: Tensor;
  readonly order: Tensor;
  /** [batch] */
  readonly share: Tensor;
}

/** A layer that mixes images, and rows of labels [batch, ...] with them. */
abstract class Mixing extends RandomImageLayer {
  protected abstract mix(images: Tensor, draws: Draws): Mix;

  override augment(images: Tensor, draws: Draws): Tensor {
    return this.mix(images, draws).images;
  }
  override build(inputShape: ShapeOrShapes): void {
    if (!isShapeList(inputShape)) return;
    const fits = inputShape.length <= 2 && (inputShape[1]?.length ?? 2) >= 1;
    if (!fits) fail(this.label, 'the layer takes images, or [images, labels]', `got ${showShapes(inputShape)}`);
  }
  override computeOutputShape(inputShape: ShapeOrShapes): never {
    return inputShape as never;
  }
  override ensureBuilt(inputShape: ShapeOrShapes): ShapeOrShapes {
    // Labels have any rank.
    if (isShapeList(inputShape)) this.inputSpec = [{ minRank: 3 }, ...inputShape.slice(1).map(() => ({ minRank: 1 }))];
    return super.ensureBuilt(inputShape);
  }
  override call(inputs: Tensor | Tensor[], options: CallOptions = {}): never {
    if (!Array.isArray(inputs)) return super.call(inputs, options) as never;
    if (!options.training) return inputs as never;
    const [images, labels] = inputs;
    let mixed: Mix | null = null;
    const out = this.onImages(images, (batch) => {
      mixed = this.mix(batch, this.draws());
      return mixed.images;
    });
    if (!labels) return [out] as never;
    const { order, share } = mixed as unknown as Mix;
    const own = cast(labels, 'float32');
    const each = reshape(share, [labels.shape[0]!, ...labels.shape.slice(1).map(() => 1)]);
    return [out, add(mul(own, each), mul(gather(own, order), sub(1, each)))] as never;
  }
}

export interface MixUpArgs extends RandomImageArgs {
  /** Shares are drawn from the beta distribution (alpha, alpha); default 0.2. */
  alpha?: number;
}

/** share x + (1 - share) another image (Zhang et al. 2018). Source: keras.layers.MixUp. */
export class MixUp extends Mixing {
  static override readonly className = 'MixUp';
  readonly alpha: number;
  constructor(args: MixUpArgs = {}) {
    super(args);
    this.alpha = args.alpha ?? 0.2;
    if (!(this.alpha > 0)) fail(this.label, 'alpha must be positive', `got ${args.alpha}`);
  }
  protected override mix(images: Tensor, draws: Draws): Mix {
    const batch = images.shape[0];
    const order = draws.permutation(batch);
    const share = draws.beta([batch], this.alpha);
    const each = reshape(share, [batch, 1, 1, 1]);
    return { images: add(mul(images, each), mul(gather(images, order), sub(1, each))), order, share };
  }
  override getConfig(): Config {
    return { alpha: this.alpha, ...super.getConfig() };
  }
}

interface Boxes {
  readonly inside: Tensor;
  /** Share of the image that the box takes, [batch]. */
  readonly area: Tensor;
}

/** A box in each image, of those shares of height and width, [batch], at a random place: where it is, [batch, height, width, 1]. */
function randomBoxes(images: Tensor, tall: Tensor, wide: Tensor, draws: Draws): Boxes {
  const [batch, height, width] = images.shape as [number, number, number];
  const side = (extent: number, share: Tensor) => {
    const length = mul(share, extent);
    const start = mul(draws.uniform([batch]), sub(extent, length));
    return { start, end: add(start, length), length };
  };
  const columns = side(width, wide);
  const rows = side(height, tall);
  const within = (extent: number, shape: number[], { start, end }: { start: Tensor; end: Tensor }) => {
    const at = reshape(range(0, extent), shape);
    const each = (x: Tensor) => reshape(x, [batch, 1, 1, 1]);
    return logicalAnd(at.greaterEqual(each(start)), at.less(each(end)));
  };
  const inside = logicalAnd(within(height, [1, height, 1, 1], rows), within(width, [1, 1, width, 1], columns));
  return { inside, area: div(mul(rows.length, columns.length), height * width) };
}

export interface CutMixArgs extends RandomImageArgs {
  /** The beta distribution's parameter: drawn from [0, f], or from two numbers in [0, 1]; default 1. */
  factor?: Factor;
}

/** A box of another image in each (Yun et al. 2019). Source: keras.layers.CutMix. */
export class CutMix extends Mixing {
  static override readonly className = 'CutMix';
  readonly factor: Factor;
  readonly #factor: Range;
  constructor(args: CutMixArgs = {}) {
    super(args);
    this.factor = args.factor ?? 1;
    this.#factor = checkFactor(this.label, 'factor', this.factor, [0, 1]);
  }
  protected override mix(images: Tensor, draws: Draws): Mix {
    const batch = images.shape[0];
    // Below a hundredth the beta distribution is 0 or 1 in float32 already.
    const alpha = draws.uniform([1], [Math.max(this.#factor[0], 0.01), Math.max(this.#factor[1], 0.01)]);
    const side = sqrt(sub(1, draws.beta([batch], alpha)));
    const { inside, area } = randomBoxes(images, side, side, draws);
    const order = draws.permutation(batch);
    return { images: where(inside, gather(images, order), images), order, share: sub(1, area) };
  }
  override getConfig(): Config {
    return { factor: this.factor, ...super.getConfig() };
  }
}

export interface RandomErasingArgs extends RangedImageArgs {
  /** The share of images that change: drawn from [0, f], or from two numbers; default 1. */
  factor?: Factor;
  /** Sides are the square roots of two numbers from this; default [0.02, 0.33]. */
  scale?: Factor;
  /** A number, or one for each channel; default: normal numbers times the largest value, clipped. */
  fillValue?: number | readonly number[] | null;
}

/** A box of each image filled (Zhong et al. 2020). Source: keras.layers.RandomErasing. */
export class RandomErasing extends RangedImageLayer {
  static override readonly className = 'RandomErasing';
  readonly factor: Factor;
  readonly scale: Factor;
  readonly fillValue: number | readonly number[] | null;
  readonly #factor: Range;
  readonly #scale: Range;
  constructor(args: RandomErasingArgs = {}) {
    super(args);
    this.factor = args.factor ?? 1;
    this.scale = args.scale ?? [0.02, 0.33];
    this.fillValue = args.fillValue ?? null;
    this.#factor = checkFactor(this.label, 'factor', this.factor, [0, 1]);
    this.#scale = checkFactor(this.label, 'scale', this.scale, [0, 1]);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    const batch = images.shape[0];
    const [tall, wide] = [0, 1].map(() => sqrt(draws.uniform([batch], this.#scale)));
    const { inside } = randomBoxes(images, tall, wide, draws);
    const erased = logicalAnd(inside, draws.happens(batch, this.#factor));
    return where(erased, this.#fill(images, draws), images);
  }
  #fill(images: Tensor, draws: Draws): Tensor {
    if (this.fillValue === null) return this.clipped(mul(draws.normal(images.shape), this.valueRange[1]));
    const list = [this.fillValue].flat();
    const channels = images.shape[3]!;
    if (list.length !== 1 && list.length !== channels) {
      fail(this.label, `fillValue must be a number, or ${channels} of them`, `got ${list.length}`);
    }
    return this.clipped(add(mul(images, 0), tensor(list)));
  }
  override getConfig(): Config {
    return { factor: this.factor, scale: this.scale, fillValue: this.fillValue, ...super.getConfig() };
  }
}
