/** Preprocessing of numbers: scaled, normalized by what was seen, as categories. */
import { fail } from '../../../base/errors.ts';
import {
  add,
  cast,
  div,
  maximum,
  mul,
  reshape,
  scalar,
  sqrt,
  sub,
  type Tensor,
  tensor,
  untracked,
} from '../../../tensor/index.ts';
import { sizeOf } from '../../../types/shape.ts';
import type { Config } from '../../keras_config.ts';
import { type CallOptions, Layer, type LayerArgs } from '../layer.ts';
import type { LayerVariable } from '../layer_variable.ts';
import { ShapePreserving } from '../shape_preserving.ts';
import { checkPositiveInteger, type KerasShape, showKerasShape } from '../shapes.ts';
import { type AdaptData, eachBatch } from './adapt.ts';
import { encoded, encodedShape, type OutputMode, outputModeOf } from './encode.ts';

/** As in Keras's backend: the least deviation that is divided by. */
const epsilon = 1e-7;

export interface RescalingArgs extends LayerArgs {
  /** A number, or one for each of the last extents. */
  scale: number | readonly number[];
  /** Default 0. */
  offset?: number | readonly number[];
}

/** x scale + offset, in float32. Source: tf.layers.rescaling. */
export class Rescaling extends ShapePreserving {
  static override readonly className = 'Rescaling';
  // Data come in a wider range than activations.
  protected override readonly computesWide = true;
  readonly scale: number | readonly number[];
  readonly offset: number | readonly number[];

  constructor(args: RescalingArgs) {
    super(args);
    this.scale = args.scale;
    this.offset = args.offset ?? 0;
    for (const [name, value] of Object.entries({ scale: this.scale, offset: this.offset })) {
      const wrong = [value].flat().some((n) => typeof n !== 'number' || !Number.isFinite(n));
      if (wrong) fail(this.label, `${name} must be a number, or a list of them`, `got ${JSON.stringify(value)}`);
    }
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const last = inputShape.at(-1) ?? null;
    const count = Math.max(...[this.scale, this.offset].map((value) => (typeof value === 'number' ? 1 : value.length)));
    if (count === 1 || last === null || last === count) return inputShape;
    if (last === 1 && inputShape.length > 1) return [...inputShape.slice(0, -1), count];
    const came = `got ${showKerasShape(inputShape)} for ${count} of them`;
    return fail(this.label, 'there must be a scale and an offset for all, or one for each of the last extents', came);
  }
  override call(inputs: Tensor): Tensor {
    const factor = (value: number | readonly number[]) => (typeof value === 'number' ? value : tensor([...value]));
    return add(mul(cast(inputs, 'float32'), factor(this.scale)), factor(this.offset));
  }
  override getConfig(): Config {
    return { scale: this.scale, offset: this.offset, ...super.getConfig() };
  }
}

export interface NormalizationArgs extends LayerArgs {
  /** Axes that have a mean and a variance for each place; default -1. null: one of each for everything. */
  axis?: number | readonly number[] | null;
  /** Both or none: without them adapt() finds them. */
  mean?: number | readonly number[] | null;
  variance?: number | readonly number[] | null;
  /** Gives inputs back from normalized ones; default false. */
  invert?: boolean;
}

/** Mean and variance of each place, added up over batches (Chan et al. 1983), in double precision. */
class Moments {
  count = 0;
  readonly mean: Float64Array;
  readonly #squares: Float64Array;
  constructor(size: number) {
    this.mean = new Float64Array(size);
    this.#squares = new Float64Array(size);
  }
  /** Values with the number of the place that each is of. */
  update(values: ArrayLike<number>, placeOf: (i: number) => number): void {
    const size = this.mean.length;
    if (values.length === 0) return;
    const count = values.length / size;
    const [mean, squares] = [new Float64Array(size), new Float64Array(size)];
    for (let i = 0; i < values.length; i++) mean[placeOf(i)] += values[i] / count;
    for (let i = 0; i < values.length; i++) squares[placeOf(i)] += (values[i] - mean[placeOf(i)]) ** 2;
    const total = this.count + count;
    for (let k = 0; k < size; k++) {
      const apart = mean[k] - this.mean[k];
      this.#squares[k] += squares[k] + (apart * apart * this.count * count) / total;
      this.mean[k] += (apart * count) / total;
    }
    this.count = total;
  }
  get variance(): Float64Array {
    return this.#squares.map((x) => x / Math.max(1, this.count));
  }
}

/**
 * (x - mean) / max(sqrt(variance), 1e-7), with mean and variance of the data that adapt() saw, or given. Source:
 * keras.layers.Normalization.
 */
export class Normalization extends ShapePreserving {
  static override readonly className = 'Normalization';
  // Data come in a wider range than activations.
  protected override readonly computesWide = true;
  readonly axis: readonly number[];
  readonly invert: boolean;
  readonly #mean: readonly number[] | number | null;
  readonly #variance: readonly number[] | number | null;
  #kept: number[] = [];
  /** The found ones; null where they were given. */
  adaptedMean: LayerVariable | null = null;
  adaptedVariance: LayerVariable | null = null;
  #count: LayerVariable | null = null;

  constructor(args: NormalizationArgs = {}) {
    super(args);
    this.axis = args.axis === null ? [] : [args.axis ?? -1].flat();
    this.invert = args.invert ?? false;
    this.#mean = args.mean ?? null;
    this.#variance = args.variance ?? null;
    if ((this.#mean === null) !== (this.#variance === null)) {
      fail(
        this.label,
        'mean and variance must be given both, or none',
        `got only ${this.#mean === null ? 'variance' : 'mean'}`,
      );
    }
  }

  override build(inputShape: KerasShape): void {
    const rank = inputShape.length;
    const wrong = this.axis.find((axis) => !Number.isInteger(axis) || axis < -rank || axis >= rank);
    if (wrong !== undefined) fail(this.label, `axis must be in [${-rank}, ${rank - 1}]`, `got ${wrong}`);
    this.#kept = this.axis.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
    const open = this.#kept.find((axis) => inputShape[axis] === null);
    if (open !== undefined)
      fail(this.label, `axis ${open} of the input must be known`, `got ${showKerasShape(inputShape)}`);
    const shape = this.#kept.map((axis) => inputShape[axis]!);
    this.inputSpec = { rank, axes: Object.fromEntries(this.#kept.map((axis) => [axis, inputShape[axis]!])) };
    if (this.#mean !== null) {
      for (const [name, value] of Object.entries({ mean: this.#mean, variance: this.#variance! })) {
        const count = typeof value === 'number' ? 1 : value.length;
        if (count === 1 || count === sizeOf(shape)) continue;
        fail(this.label, `${name} must be a number or ${sizeOf(shape)} of them`, `got ${count}`);
      }
      return;
    }
    const still = { trainable: false };
    this.adaptedMean = this.addWeight('mean', shape, { ...still, initializer: this.initializer(undefined, 'zeros') });
    this.adaptedVariance = this.addWeight('variance', shape, {
      ...still,
      initializer: this.initializer(undefined, 'ones'),
    });
    this.#count = this.addWeight('count', [], {
      ...still,
      dtype: 'int32',
      initializer: this.initializer(undefined, 'zeros'),
    });
  }

  /** Finds mean and variance of the data: a tensor, plain lists, or a dataset of batches (awaited). */
  async adapt(data: AdaptData, steps?: number): Promise<void> {
    if (this.#mean !== null) fail(this.label, 'adapt is for layers without a mean', 'it was given one');
    let moments: Moments | null = null;
    const update = (batch: Tensor) => {
      this.ensureBuilt([null, ...batch.shape.slice(1)]);
      moments ??= new Moments(sizeOf(this.adaptedMean!.shape));
      moments.update(batch.dataSync() as ArrayLike<number>, placesOf(batch.shape, this.#kept));
    };
    await eachBatch(this.label, data, update, () => this.#finish(moments!), steps);
  }

  #finish({ mean, variance, count }: Moments): void {
    const write = (weight: LayerVariable, make: () => Tensor) => {
      untracked(() => {
        const value = make();
        weight.val.assign(value);
        value.dispose();
      });
    };
    write(this.adaptedMean!, () => tensor(Float32Array.from(mean), [...this.adaptedMean!.shape]));
    write(this.adaptedVariance!, () => tensor(Float32Array.from(variance), [...this.adaptedMean!.shape]));
    write(this.#count!, () => scalar(Math.min(count, 2 ** 31 - 1), 'int32'));
  }

  override call(inputs: Tensor): Tensor {
    const spread = inputs.shape.map((n, i) => (this.#kept.includes(i) ? n : 1));
    const placed = (given: readonly number[] | number | null, found: LayerVariable | null) => {
      if (found) return reshape(found.read(), spread);
      const list = [given!].flat();
      return list.length === 1 ? scalar(list[0]) : reshape(tensor(list), spread);
    };
    const mean = placed(this.#mean, this.adaptedMean);
    const deviation = maximum(sqrt(placed(this.#variance, this.adaptedVariance)), epsilon);
    const x = cast(inputs, 'float32');
    return this.invert ? add(mul(x, deviation), mean) : div(sub(x, mean), deviation);
  }

  override getConfig(): Config {
    return { axis: this.axis, invert: this.invert, mean: this.#mean, variance: this.#variance, ...super.getConfig() };
  }
}

/** The number of the place among those of the kept axes, of each element. */
function placesOf(shape: readonly number[], kept: readonly number[]): (i: number) => number {
  const extents = shape.map((n, axis) => ({ n, kept: kept.includes(axis) })).reverse();
  return (i) => {
    let [rest, place, stride] = [i, 0, 1];
    for (const { n, kept: counts } of extents) {
      if (counts) {
        place += (rest % n) * stride;
        stride *= n;
      }
      rest = Math.floor(rest / n);
    }
    return place;
  };
}

export interface CategoryEncodingArgs extends LayerArgs {
  /** Number of categories. */
  numTokens: number;
  /** 'multiHot' (the default), 'oneHot' or 'count'. */
  outputMode?: OutputMode | (string & {});
}

/**
 * Category numbers as rows of numTokens. In count mode the option `countWeights` of apply says how much each counts. Source:
 * tf.layers.categoryEncoding.
 */
export class CategoryEncoding extends Layer {
  static override readonly className = 'CategoryEncoding';
  // Category numbers have no place in a small dtype.
  protected override readonly computesWide = true;
  readonly numTokens: number;
  readonly outputMode: OutputMode;

  constructor(args: CategoryEncodingArgs) {
    super(args);
    this.numTokens = checkPositiveInteger(this.label, 'numTokens', args.numTokens);
    this.outputMode = outputModeOf(this.label, args.outputMode, ['multiHot', 'oneHot', 'count'], 'multiHot');
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return encodedShape(inputShape, this.outputMode, this.numTokens);
  }
  override call(inputs: Tensor, options: CallOptions = {}): Tensor {
    const weights = (options['countWeights'] as Tensor | undefined) ?? null;
    if (weights && this.outputMode !== 'count') {
      fail(this.label, "countWeights is for outputMode 'count'", `the layer has '${this.outputMode}'`);
    }
    return encoded(this.label, inputs, this.outputMode, this.numTokens, weights);
  }
  override getConfig(): Config {
    return { numTokens: this.numTokens, outputMode: this.outputMode, ...super.getConfig() };
  }
}
