/** Preprocessing of numbers: scaled, normalized by what was seen, in bins, as categories. */
import { fail } from '../../../base/errors.ts';
import {
  add,
  cast,
  div,
  maximum,
  mul,
  reshape,
  scalar,
  searchSorted,
  sqrt,
  sub,
  type Tensor,
  tensor,
  untracked,
} from '../../../tensor/index.ts';
import type { DType } from '../../../types/dtype.ts';
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

export interface DiscretizationArgs extends LayerArgs {
  /** Where bins end, in rising order; bin i has the values in [b(i-1), b(i)). */
  binBoundaries?: readonly number[] | null;
  /** Number of bins of about equal counts, which adapt() finds. */
  numBins?: number | null;
  /** How exact adapt() is; default 0.01. */
  epsilon?: number;
  /** 'int' (the default), 'oneHot', 'multiHot' or 'count'. */
  outputMode?: OutputMode | (string & {});
}

/** Some values of the data and how many each stands for: what adapt keeps of a stream. */
type Summary = readonly { readonly value: number; readonly weight: number }[];

function summarize(values: Float32Array, precision: number): Summary {
  const sorted = values.slice().sort();
  const step = Math.max(1, sorted.length * precision);
  const summary: { value: number; weight: number }[] = [];
  for (let i = Math.floor(step - 1); i < sorted.length; i += Math.floor(step)) {
    summary.push({ value: sorted[i], weight: step });
  }
  return summary;
}

/** Piecewise linear through (xs, ys), constant outside. */
function interpolate(x: number, xs: readonly number[], ys: readonly number[]): number {
  if (x <= xs[0]) return ys[0];
  const at = xs.findIndex((value) => value >= x);
  if (at < 0) return ys[ys.length - 1];
  const span = xs[at] - xs[at - 1];
  return span === 0 ? ys[at] : ys[at - 1] + ((ys[at] - ys[at - 1]) * (x - xs[at - 1])) / span;
}

/** A summary of about 1 / precision values. */
function compress(summary: Summary, precision: number): Summary {
  if (summary.length * precision < 1) return summary;
  let total = 0;
  const upTo = summary.map(({ weight }) => (total += weight));
  const shares = upTo.map((weight) => weight / total);
  const values = summary.map(({ value }) => value);
  let before = 0;
  return Array.from({ length: Math.ceil(1 / precision - 1e-9) }, (_, i) => {
    const share = precision * (i + 1);
    const reached = interpolate(share, shares, upTo);
    const made = { value: Math.fround(interpolate(share, shares, values)), weight: reached - before };
    before = reached;
    return made;
  });
}

/** The number of the bin that each value lies in. Source: keras.layers.Discretization. */
export class Discretization extends Layer {
  static override readonly className = 'Discretization';
  // Data come in a wider range than activations.
  protected override readonly computesWide = true;
  readonly numBins: number | null;
  readonly epsilon: number;
  readonly outputMode: OutputMode;
  #boundaries: readonly number[] | null;

  constructor(args: DiscretizationArgs) {
    super(args);
    const { binBoundaries = null, numBins = null } = args;
    this.outputMode = outputModeOf(this.label, args.outputMode, ['int', 'oneHot', 'multiHot', 'count'], 'int');
    this.epsilon = args.epsilon ?? 0.01;
    if (!(this.epsilon > 0 && this.epsilon < 1)) fail(this.label, 'epsilon must be in (0, 1)', `got ${args.epsilon}`);
    // A file has both, where the boundaries were found.
    if (binBoundaries === null && numBins === null) {
      fail(this.label, 'binBoundaries or numBins must be given', 'got neither');
    }
    if (numBins !== null) checkPositiveInteger(this.label, 'numBins', numBins);
    const rising = binBoundaries?.every((b, i) => Number.isFinite(b) && (i === 0 || b >= binBoundaries[i - 1]));
    if (rising === false) fail(this.label, 'binBoundaries must rise', `got ${JSON.stringify(binBoundaries)}`);
    this.numBins = numBins;
    this.#boundaries = binBoundaries;
  }

  get binBoundaries(): readonly number[] | null {
    return this.#boundaries;
  }

  /** Finds boundaries between bins of about equal counts. */
  async adapt(data: AdaptData, steps?: number): Promise<void> {
    if (this.numBins === null) fail(this.label, 'adapt needs numBins', 'the layer was given binBoundaries');
    let summary: Summary = [];
    const update = (batch: Tensor) => {
      const merged = [...summarize(Float32Array.from(batch.dataSync() as ArrayLike<number>), this.epsilon), ...summary];
      summary = compress(
        merged.sort((a, b) => a.value - b.value),
        this.epsilon,
      );
    };
    const finish = () => {
      if (summary.length > 0) {
        this.#boundaries = compress(summary, 1 / this.numBins!)
          .slice(0, -1)
          .map(({ value }) => value);
      }
    };
    await eachBatch(this.label, data, update, finish, steps);
  }

  get #depth(): number {
    if (this.#boundaries) return this.#boundaries.length + 1;
    return this.numBins!;
  }
  protected override outputDType(): DType {
    return this.outputMode === 'int' ? 'int32' : 'float32';
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return encodedShape(inputShape, this.outputMode, this.#depth);
  }
  override call(inputs: Tensor): Tensor {
    if (!this.#boundaries)
      fail(this.label, 'the layer must know its bins', 'it does not', 'pass binBoundaries, or call adapt(data)');
    const x = cast(inputs, 'float32');
    const flat = reshape(x, [x.size]);
    const bins =
      this.#boundaries.length === 0
        ? mul(cast(flat, 'int32'), scalar(0, 'int32'))
        : searchSorted(tensor([...this.#boundaries], [this.#boundaries.length], 'float32'), flat, 'right');
    return encoded(this.label, reshape(bins, [...x.shape]), this.outputMode, this.#depth);
  }
  override getConfig(): Config {
    const { numBins, epsilon, outputMode } = this;
    return { binBoundaries: this.#boundaries, numBins, epsilon, outputMode, ...super.getConfig() };
  }
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
