/** Numbers as the numbers of bins, whose ends are given or found in data. */
import { fail } from '../../../base/errors.ts';
import { cast, mul, reshape, scalar, searchSorted, type Tensor, tensor } from '../../../tensor/index.ts';
import type { DType } from '../../../types/dtype.ts';
import type { Config } from '../../keras_config.ts';
import { Layer, type LayerArgs } from '../layer.ts';
import { checkPositiveInteger, type KerasShape } from '../shapes.ts';
import { type AdaptData, eachBatch } from './adapt.ts';
import { encoded, encodedShape, type OutputMode, outputModeOf } from './encode.ts';

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
