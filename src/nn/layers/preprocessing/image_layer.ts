/**
 * What layers over images share: [batch, height, width, channels] or one image, channels first if asked; a range of values; numbers
 * drawn anew in each step, of the layer's seed or of the global one.
 */
import { fail } from '../../../base/errors.ts';
import {
  add,
  cast,
  eagerly,
  expandDims,
  mul,
  neg,
  nextRandomKey,
  onesLike,
  random,
  scalar,
  squeeze,
  sub,
  type Tensor,
  transpose,
  untracked,
  type Variable,
  variable,
  where,
} from '../../../tensor/index.ts';
import type { Config } from '../../keras_config.ts';
import { failUnknownName, toCamelCase, uniqueVariableName } from '../../naming.ts';
import { type CallOptions, Layer, type LayerArgs } from '../layer.ts';
import { checkDataFormat, type DataFormat, type KerasShape, showKerasShape } from '../shapes.ts';

export interface ImageLayerArgs extends LayerArgs {
  /** Default 'channelsLast'. */
  dataFormat?: DataFormat;
}

/** A layer that gives images for images. */
export abstract class ImageLayer extends Layer {
  // Pixels up to 255 and their places need more than 8 bits.
  protected override readonly computesWide = true;
  readonly dataFormat: DataFormat;

  constructor(args: ImageLayerArgs = {}) {
    super(args);
    this.dataFormat = checkDataFormat(this.label, args.dataFormat);
    this.inputSpec = {
      minRank: 3,
      maxRank: 4,
      hint: 'images are [batch, height, width, channels], or one without the batch',
    };
  }

  /** The images [batch, height, width, channels], float32, as the layer gives them. */
  protected abstract transform(images: Tensor, training: boolean): Tensor;

  override call(inputs: Tensor, options: CallOptions = {}): Tensor {
    return this.onImages(inputs, (images) => this.transform(images, options.training ?? false));
  }

  /** `f` on images with the batch in front and the channels last. */
  protected onImages(inputs: Tensor, f: (images: Tensor) => Tensor): Tensor {
    const single = inputs.rank === 3;
    const first = this.dataFormat === 'channelsFirst';
    const batch = cast(single ? expandDims(inputs, 0) : inputs, 'float32');
    const last = f(first ? transpose(batch, [0, 2, 3, 1]) : batch);
    const back = first ? transpose(last, [0, 3, 1, 2]) : last;
    return single ? squeeze(back, [0]) : back;
  }

  /** For layers that know colours. */
  protected checkRGB(shape: KerasShape): void {
    const channels = shape.at(this.dataFormat === 'channelsFirst' ? -3 : -1);
    if (channels !== null && channels !== 3)
      fail(this.label, 'images must have 3 channels, red, green, blue', `got ${showKerasShape(shape)}`);
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }
  /** The shape with another height and width. */
  protected resizedShape(shape: KerasShape, height: number | null, width: number | null): KerasShape {
    const at = this.dataFormat === 'channelsFirst' ? shape.length - 2 : shape.length - 3;
    return shape.map((n, axis) => (axis === at ? height : axis === at + 1 ? width : n));
  }

  override getConfig(): Config {
    return { dataFormat: this.dataFormat, ...super.getConfig() };
  }
}

export type Range = readonly [number, number];
/** A number f for [-f, f] (or [0, f]), or two. */
export type Factor = number | readonly [number, number];

/** [low, high] of a range that users give, checked. */
export function checkRange(label: string, name: string, value: unknown): Range {
  const isPair = Array.isArray(value) && value.length === 2 && value.every((n) => Number.isFinite(n));
  if (!isPair || value[0] === value[1]) {
    fail(label, `${name} must be two different numbers`, `got ${JSON.stringify(value) ?? typeof value}`);
  }
  const [a, b] = value as unknown as Range;
  return [Math.min(a, b), Math.max(a, b)];
}

/**
 * What a factor is drawn from: `[low, high]`, or a number f for [-f, f], or [0, f] where factors cannot be negative.
 *
 * @param bounds what the numbers must lie in
 */
export function checkFactor(label: string, name: string, value: unknown, bounds: Range): Range {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const inside = list.every((n) => typeof n === 'number' && n >= bounds[0] && n <= bounds[1]);
  if (!inside || list.length === 0 || list.length > 2) {
    const came = `got ${JSON.stringify(value) ?? typeof value}`;
    fail(label, `${name} must be a number, or two, in [${bounds[0]}, ${bounds[1]}]`, came);
  }
  const [a, b] = list as [number, number | undefined];
  if (b !== undefined) return [Math.min(a, b), Math.max(a, b)];
  return [bounds[0] < 0 ? Math.max(-Math.abs(a), bounds[0]) : 0, Math.abs(a)];
}

/** Values of one range brought to another, linearly. */
export function rescaled(x: Tensor, [fromLow, fromHigh]: Range, [toLow, toHigh]: Range): Tensor {
  if (fromLow === toLow && fromHigh === toHigh) return x;
  const factor = (toHigh - toLow) / (fromHigh - fromLow);
  const scaled = mul(fromLow === 0 ? x : sub(x, fromLow), factor);
  return toLow === 0 ? scaled : add(scaled, toLow);
}

export const interpolations = ['bilinear', 'nearest'] as const;
export type Interpolation = (typeof interpolations)[number];
export const fillModes = ['reflect', 'wrap', 'constant', 'nearest'] as const;
export type FillMode = (typeof fillModes)[number];

/** One of the known names, in camel or snake case. */
export function checkName<N extends string>(
  label: string,
  what: string,
  value: unknown,
  known: readonly N[],
  fallback: N,
): N {
  if (value === undefined || value === null) return fallback;
  const name = typeof value === 'string' ? toCamelCase(value) : value;
  return known.includes(name as N) ? (name as N) : failUnknownName(label, what, value, known);
}

export interface RandomImageArgs extends ImageLayerArgs {
  /** The same seed gives the same sequence of draws; default: of the global random state. */
  seed?: number | null;
}

/** The numbers that one call draws. */
export class Draws {
  readonly #key: Tensor;
  #count = 0;
  constructor(key: Tensor) {
    this.#key = key;
  }
  /** A key that no other draw has. */
  key(): Tensor {
    return random.foldIn(this.#key, this.#count++);
  }
  uniform(shape: readonly number[], [low, high]: Range = [0, 1]): Tensor {
    return random.uniform(this.key(), shape, low, high);
  }
  normal(shape: readonly number[]): Tensor {
    return random.normal(this.key(), shape);
  }
  beta(shape: readonly number[], alpha: number | Tensor): Tensor {
    return random.beta(this.key(), shape, alpha, alpha);
  }
  gamma(shape: readonly number[], alpha: number): Tensor {
    return random.gamma(this.key(), shape, alpha);
  }
  /** Integers in [low, high). */
  integers(shape: readonly number[], low: number, high: number): Tensor {
    return random.randint(this.key(), shape, low, high);
  }
  /** 1 or -1 for each image, [count, 1, ...] of that rank. */
  signs(count: number, rank: number): Tensor {
    const toss = this.uniform([count, ...new Array<number>(rank - 1).fill(1)]);
    return where(toss.greater(0.5), neg(onesLike(toss)), onesLike(toss));
  }
  permutation(count: number): Tensor {
    return random.permutation(this.key(), count);
  }
  /** For each of `count` images whether it happens, with a probability that is drawn from the range: [count, 1, 1, 1] bool. */
  happens(count: number, probability: Range): Tensor {
    const shape = [count, 1, 1, 1];
    return this.uniform(shape).less(this.uniform(shape, probability));
  }
}

/** A layer that changes images at random in training, and leaves them alone otherwise. */
export abstract class RandomImageLayer extends ImageLayer {
  readonly seed: number | null;
  /** Counts calls, where the layer has a seed of its own. */
  #calls: Variable | null = null;

  constructor(args: RandomImageArgs = {}) {
    super(args);
    this.seed = args.seed ?? null;
    if (this.seed !== null && !Number.isSafeInteger(this.seed))
      fail(this.label, 'seed must be an integer', `got ${args.seed}`);
  }

  /** The images [batch, height, width, channels] as training sees them. */
  abstract augment(images: Tensor, draws: Draws): Tensor;

  #counter(): Variable {
    this.#calls ??= untracked(() =>
      eagerly(() => variable(scalar(0, 'int32'), false, uniqueVariableName(`${this.name}/calls`))),
    );
    return this.#calls;
  }
  override hiddenState(): Variable[] {
    return this.seed === null ? [] : [this.#counter()];
  }

  /** Fresh numbers for one call. */
  protected draws(): Draws {
    if (this.seed === null) return new Draws(nextRandomKey());
    const calls = this.#counter();
    const key = random.foldIn(random.key(this.seed), calls);
    calls.assign(add(calls, scalar(1, 'int32')) as never);
    return new Draws(key);
  }

  protected override transform(images: Tensor, training: boolean): Tensor {
    return training ? this.augment(images, this.draws()) : this.resting(images);
  }
  /** What the layer gives outside of training. */
  protected resting(images: Tensor): Tensor {
    return images;
  }

  override dispose(): unknown {
    this.#calls?.dispose();
    this.#calls = null;
    return super.dispose();
  }
  override getConfig(): Config {
    return { seed: this.seed, ...super.getConfig() };
  }
}

export interface RangedImageArgs extends RandomImageArgs {
  /** The least and the largest value; default [0, 255]. */
  valueRange?: readonly [number, number];
}

/** One whose images have values in a range. */
export abstract class RangedImageLayer extends RandomImageLayer {
  readonly valueRange: Range;
  constructor(args: RangedImageArgs) {
    super(args);
    this.valueRange = checkRange(this.label, 'valueRange', args.valueRange ?? [0, 255]);
  }
  protected clipped(images: Tensor): Tensor {
    return images.clipByValue(this.valueRange[0], this.valueRange[1]);
  }
  override getConfig(): Config {
    return { valueRange: this.valueRange, ...super.getConfig() };
  }
}
