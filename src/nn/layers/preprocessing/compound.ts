/** Layers made of other preprocessing layers: one after the other, chosen at random, or mixed. */
import { fail } from '../../../base/errors.ts';
import { add, cond, div, mul, pad, reshape, slice, sub, sum, type Tensor } from '../../../tensor/index.ts';
import { type Config, isSerializedObject, serialize } from '../../keras_config.ts';
import { type CallOptions, Layer, type LayerArgs } from '../layer.ts';
import { deserializeLayer } from '../registry.ts';
import { checkPositiveInteger, isShapeList, type KerasShape, type ShapeOrShapes, showShapes } from '../shapes.ts';
import {
  RandomBrightness,
  RandomColorDegeneration,
  RandomContrast,
  RandomPosterization,
  Solarization,
} from './colour.ts';
import { RandomSharpness } from './filters.ts';
import { AutoContrast, Equalization } from './histogram.ts';
import {
  checkFactor,
  checkName,
  Draws,
  type Factor,
  type ImageLayer,
  type Interpolation,
  interpolations,
  type RandomImageLayer,
  type Range,
  type RangedImageArgs,
  RangedImageLayer,
} from './image_layer.ts';
import { RandomRotation, RandomShear, RandomTranslation } from './warp.ts';

export interface PipelineArgs extends LayerArgs {
  /** Layers, or their configs. */
  layers: readonly (Layer | { className: string; config: Config })[];
}

/** One layer after the other. Source: keras.layers.Pipeline. */
export class Pipeline extends Layer {
  static override readonly className = 'Pipeline';
  readonly layers: readonly Layer[];
  constructor(args: PipelineArgs) {
    super(args);
    if (!Array.isArray(args.layers)) fail(this.label, 'layers must be a list of layers', `got ${typeof args.layers}`);
    this.layers = args.layers.map((layer: unknown) => {
      if (layer instanceof Layer) return layer;
      return isSerializedObject(layer)
        ? deserializeLayer(this.label, layer)
        : fail(this.label, 'layers must be a list of layers', `got a ${typeof layer}`);
    });
  }
  override build(inputShape: ShapeOrShapes): void {
    this.layers.reduce((shape, layer) => layer.ensureBuilt(shape), inputShape);
  }
  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    return this.layers.reduce((shape, layer) => layer.computeOutputShape(shape), inputShape);
  }
  override call(inputs: Tensor | Tensor[], options: CallOptions = {}): Tensor | Tensor[] {
    const { training } = options;
    return this.layers.reduce((x, layer): Tensor | Tensor[] => layer.apply(x as Tensor, { training }), inputs);
  }
  override getConfig(): Config {
    return { layers: this.layers.map((layer) => serialize(layer)), ...super.getConfig() };
  }
}

type Step = (images: Tensor, draws: Draws) => Tensor;

interface AugmentArgs extends RangedImageArgs {
  interpolation?: Interpolation;
}

/** The changes that RandAugment and AugMix choose from, those of shape and value first. */
function changes(range: Range, valueRange: Range, interpolation: Interpolation): Step[] {
  const factor: [number, number] = [range[0], range[1]];
  const of =
    (layer: RandomImageLayer): Step =>
    (images, draws) =>
      layer.augment(images, draws);
  const fixed =
    (layer: ImageLayer & { call(images: Tensor, options: CallOptions): Tensor }): Step =>
    (images) =>
      layer.call(images, { training: true });
  return [
    of(new RandomShear({ xFactor: factor, yFactor: factor, interpolation })),
    of(new RandomTranslation({ heightFactor: factor, widthFactor: factor, interpolation })),
    of(new RandomRotation({ factor, interpolation })),
    of(new RandomPosterization({ factor: Math.max(1, Math.trunc(8 * range[1])), valueRange })),
    of(new Solarization({ additionFactor: factor, thresholdFactor: factor, valueRange })),
    fixed(new AutoContrast({ valueRange })),
    fixed(new Equalization({ valueRange })),
    of(new RandomBrightness({ factor, valueRange })),
    of(new RandomColorDegeneration({ factor, valueRange })),
    of(new RandomContrast({ factor, valueRange })),
    of(new RandomSharpness({ factor, valueRange })),
  ];
}

/** The step of that number (a tensor of one int32), which alone is computed; beyond the last one nothing changes. */
function chosen(steps: readonly Step[], number: Tensor, images: Tensor, draws: Draws): Tensor {
  const key = draws.key();
  return steps.reduce(
    (x, step, i) =>
      cond(
        reshape(number.equal(i), []),
        (now: Tensor, own: Tensor) => step(now, new Draws(own)),
        (now: Tensor) => now,
        x,
        key,
      ),
    images,
  );
}

export interface RandAugmentArgs extends AugmentArgs {
  /** Changes one after the other; default 2. */
  numOps?: number;
  /** Their strength, drawn from [0, f], or from two numbers in [0, 1]; default 0.5. */
  factor?: Factor;
}

/** So many changes of eleven, drawn anew for each batch (Cubuk et al. 2020). Images need 3 channels. Source: keras.layers.RandAugment. */
export class RandAugment extends RangedImageLayer {
  static override readonly className = 'RandAugment';
  readonly numOps: number;
  readonly factor: Factor;
  readonly interpolation: Interpolation;
  readonly #steps: readonly Step[];

  constructor(args: RandAugmentArgs = {}) {
    super(args);
    this.numOps = checkPositiveInteger(this.label, 'numOps', args.numOps ?? 2);
    this.factor = args.factor ?? 0.5;
    this.interpolation = checkName(this.label, 'interpolation', args.interpolation, interpolations, 'bilinear');
    const range = checkFactor(this.label, 'factor', this.factor, [0, 1]);
    this.#steps = changes(range, this.valueRange, this.interpolation);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    let x = images;
    for (let i = 0; i < this.numOps; i++) {
      x = chosen(this.#steps, draws.integers([1], 0, this.#steps.length), x, draws);
    }
    return x;
  }
  override getConfig(): Config {
    const { numOps, factor, interpolation } = this;
    return { numOps, factor, interpolation, ...super.getConfig() };
  }
}

export interface AugMixArgs extends AugmentArgs {
  /** Chains that are mixed; default 3. */
  numChains?: number;
  /** Changes in a chain, some of which are none; default 3. */
  chainDepth?: number;
  /** Their strength, drawn from [0, f], or from two numbers in [0, 1]; default 0.3. */
  factor?: Factor;
  /** Parameter of the Dirichlet and beta distributions that shares are drawn from; default 1. */
  alpha?: number;
  /** Whether brightness, colour, contrast and sharpness are among the changes; default true. */
  allOps?: boolean;
}

/** share x + (1 - share) of a mean of chains of changes (Hendrycks et al. 2020), the same chains for a batch. Source: keras.layers.AugMix. */
export class AugMix extends RangedImageLayer {
  static override readonly className = 'AugMix';
  readonly numChains: number;
  readonly chainDepth: number;
  readonly factor: Factor;
  readonly alpha: number;
  readonly allOps: boolean;
  readonly interpolation: Interpolation;
  readonly #steps: readonly Step[];

  constructor(args: AugMixArgs = {}) {
    super(args);
    this.numChains = checkPositiveInteger(this.label, 'numChains', args.numChains ?? 3);
    this.chainDepth = checkPositiveInteger(this.label, 'chainDepth', args.chainDepth ?? 3);
    this.factor = args.factor ?? 0.3;
    this.alpha = args.alpha ?? 1;
    if (!(this.alpha > 0)) fail(this.label, 'alpha must be positive', `got ${args.alpha}`);
    this.allOps = args.allOps ?? true;
    this.interpolation = checkName(this.label, 'interpolation', args.interpolation, interpolations, 'bilinear');
    const range = checkFactor(this.label, 'factor', this.factor, [0, 1]);
    const all = changes(range, this.valueRange, this.interpolation);
    this.#steps = this.allOps ? all : all.slice(0, 7);
  }
  override augment(images: Tensor, draws: Draws): Tensor {
    // Gamma numbers by their sum are a draw from the Dirichlet distribution.
    const gammas = draws.gamma([this.numChains], this.alpha);
    const shares = div(gammas, sum(gammas));
    let mixed: Tensor = mul(images, 0);
    for (let chain = 0; chain < this.numChains; chain++) {
      let x = images;
      for (let depth = 0; depth < this.chainDepth; depth++) {
        x = chosen(this.#steps, draws.integers([1], 0, this.#steps.length + 1), x, draws);
      }
      mixed = add(mixed, mul(x, slice(shares, [chain], [1])));
    }
    const own = draws.beta([1], this.alpha);
    return this.clipped(add(mul(images, own), mul(mixed, sub(1, own))));
  }
  override getConfig(): Config {
    const { numChains, chainDepth, factor, alpha, allOps, interpolation } = this;
    return { numChains, chainDepth, factor, alpha, allOps, interpolation, ...super.getConfig() };
  }
}

export interface MaxNumBoundingBoxesArgs extends LayerArgs {
  /** Boxes of each image afterwards. */
  maxNumber: number;
  /** Of what is filled up; default -1. */
  fillValue?: number;
}

/** [boxes [batch, n, 4], labels [batch, n]] cut off or filled up to maxNumber. Source: keras.layers.MaxNumBoundingBoxes. */
export class MaxNumBoundingBoxes extends Layer {
  static override readonly className = 'MaxNumBoundingBoxes';
  readonly maxNumber: number;
  readonly fillValue: number;
  constructor(args: MaxNumBoundingBoxesArgs) {
    super(args);
    this.maxNumber = checkPositiveInteger(this.label, 'maxNumber', args.maxNumber);
    this.fillValue = args.fillValue ?? -1;
    if (!Number.isFinite(this.fillValue)) fail(this.label, 'fillValue must be a number', `got ${args.fillValue}`);
    this.inputSpec = [{ rank: 3, axes: { [-1]: 4 } }, { rank: 2 }];
  }
  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    if (!isShapeList(inputShape)) fail(this.label, 'the layer takes [boxes, labels]', `got ${showShapes(inputShape)}`);
    return inputShape.map((shape): KerasShape => [shape[0], this.maxNumber, ...shape.slice(2)]);
  }
  override call(inputs: Tensor[]): Tensor[] {
    return inputs.map((x) => {
      const kept = Math.min(x.shape[1]!, this.maxNumber);
      const rest = x.shape.slice(2);
      const cut = slice(x, [0, 0, ...rest.map(() => 0)], [x.shape[0], kept, ...rest]);
      const margins = x.shape.map((_, axis): [number, number] => [0, axis === 1 ? this.maxNumber - kept : 0]);
      return pad(cut, margins, this.fillValue);
    });
  }
  override getConfig(): Config {
    return { maxNumber: this.maxNumber, fillValue: this.fillValue, ...super.getConfig() };
  }
}
