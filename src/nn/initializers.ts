/**
 * Initial values of weights. Each is a pure function of shape and seed; without a seed it draws from the global random
 * state. Source of the variance-scaling family: Glorot and Bengio 2010, He et al. 2015, LeCun 1998.
 */
import { fail } from '../base/errors.ts';
import {
  fill,
  ones,
  randomNormal,
  randomUniform,
  type Tensor,
  tensor,
  truncatedNormal,
  zeros,
} from '../tensor/index.ts';
import { type DType, newArray } from '../types/dtype.ts';
import { type Config, isSerializedObject } from './keras_config.ts';
import { failUnknownName, toCamelCase } from './naming.ts';

export abstract class Initializer {
  abstract getClassName(): string;
  /** A tensor of `shape` with initial values. */
  abstract apply(shape: readonly number[], dtype?: DType): Tensor;
  getConfig(): Config {
    return {};
  }
}

export interface SeedArgs {
  /** The same seed gives the same values. */
  seed?: number | null;
}

/** What values for weights of this dtype are drawn in. */
function drawnAs(dtype: DType | undefined): 'float32' | 'float64' {
  return dtype === 'float64' ? dtype : 'float32';
}

class Zeros extends Initializer {
  override getClassName(): string {
    return 'Zeros';
  }
  override apply(shape: readonly number[], dtype: DType = 'float32'): Tensor {
    return zeros([...shape], dtype);
  }
}

class Ones extends Initializer {
  override getClassName(): string {
    return 'Ones';
  }
  override apply(shape: readonly number[], dtype: DType = 'float32'): Tensor {
    return ones([...shape], dtype);
  }
}

export interface ConstantArgs {
  value: number;
}

class Constant extends Initializer {
  readonly value: number;
  constructor(args: ConstantArgs) {
    super();
    if (typeof args?.value !== 'number') {
      fail('initializers.constant', 'value must be a number', `got ${JSON.stringify(args)}`, 'pass {value: 0.1}');
    }
    this.value = args.value;
  }
  override getClassName(): string {
    return 'Constant';
  }
  override apply(shape: readonly number[], dtype: DType = 'float32'): Tensor {
    return fill([...shape], this.value, dtype);
  }
  override getConfig(): Config {
    return { value: this.value };
  }
}

export interface RandomUniformArgs extends SeedArgs {
  /** Default -0.05. */
  minval?: number;
  /** Default 0.05. */
  maxval?: number;
}

class RandomUniform extends Initializer {
  readonly minval: number;
  readonly maxval: number;
  readonly seed: number | null;
  constructor(args: RandomUniformArgs = {}) {
    super();
    this.minval = args.minval ?? -0.05;
    this.maxval = args.maxval ?? 0.05;
    this.seed = args.seed ?? null;
  }
  override getClassName(): string {
    return 'RandomUniform';
  }
  override apply(shape: readonly number[], dtype: DType = 'float32'): Tensor {
    return randomUniform([...shape], this.minval, this.maxval, dtype, this.seed ?? undefined);
  }
  override getConfig(): Config {
    return { minval: this.minval, maxval: this.maxval, seed: this.seed };
  }
}

export interface NormalArgs extends SeedArgs {
  /** Default 0. */
  mean?: number;
  /** Default 0.05. */
  stddev?: number;
}

class Normal extends Initializer {
  readonly mean: number;
  readonly stddev: number;
  readonly seed: number | null;
  readonly #truncated: boolean;
  /** `truncated`: values beyond two standard deviations are drawn again. */
  constructor(args: NormalArgs = {}, truncated = false) {
    super();
    this.mean = args.mean ?? 0;
    this.stddev = args.stddev ?? 0.05;
    this.seed = args.seed ?? null;
    this.#truncated = truncated;
  }
  override getClassName(): string {
    return this.#truncated ? 'TruncatedNormal' : 'RandomNormal';
  }
  override apply(shape: readonly number[], dtype?: DType): Tensor {
    const draw = this.#truncated ? truncatedNormal : randomNormal;
    return draw([...shape], this.mean, this.stddev, drawnAs(dtype), this.seed ?? undefined);
  }
  override getConfig(): Config {
    return { mean: this.mean, stddev: this.stddev, seed: this.seed };
  }
}

const fanModes = ['fanIn', 'fanOut', 'fanAvg'] as const;
const distributions = ['normal', 'uniform', 'truncatedNormal', 'untruncatedNormal'] as const;
export type FanMode = (typeof fanModes)[number];
export type Distribution = (typeof distributions)[number];

export interface VarianceScalingArgs extends SeedArgs {
  /** Default 1. */
  scale?: number;
  /** Default 'fanIn'. */
  mode?: FanMode;
  /** 'normal' (the default) is truncated at two standard deviations. */
  distribution?: Distribution;
}

/**
 * Values of variance scale / n, where n is the number of inputs (fanIn), of outputs (fanOut) or their mean (fanAvg):
 * normal with that deviation before truncation, or uniform in +-sqrt(3 scale / n).
 */
export class VarianceScaling extends Initializer {
  readonly scale: number;
  readonly mode: FanMode;
  readonly distribution: Distribution;
  readonly seed: number | null;

  constructor(args: VarianceScalingArgs = {}) {
    super();
    const op = 'initializers.varianceScaling';
    this.scale = args.scale ?? 1;
    this.mode = args.mode ?? 'fanIn';
    this.distribution = args.distribution ?? 'normal';
    this.seed = args.seed ?? null;
    if (!(this.scale > 0)) fail(op, 'scale must be a positive number', `got ${this.scale}`);
    if (!fanModes.includes(this.mode)) failUnknownName(op, 'mode', this.mode, fanModes);
    if (!distributions.includes(this.distribution)) {
      failUnknownName(op, 'distribution', this.distribution, distributions);
    }
  }
  override getClassName(): string {
    return 'VarianceScaling';
  }
  override apply(shape: readonly number[], dtype?: DType): Tensor {
    const [fanIn, fanOut] = fans(shape);
    const n = { fanIn, fanOut, fanAvg: (fanIn + fanOut) / 2 }[this.mode];
    const scale = this.scale / Math.max(1, n);
    const seed = this.seed ?? undefined;
    if (this.distribution === 'uniform') {
      const limit = Math.sqrt(3 * scale);
      return randomUniform([...shape], -limit, limit, drawnAs(dtype), seed);
    }
    const draw = this.distribution === 'untruncatedNormal' ? randomNormal : truncatedNormal;
    return draw([...shape], 0, Math.sqrt(scale), drawnAs(dtype), seed);
  }
  override getConfig(): Config {
    return { scale: this.scale, mode: this.mode, distribution: this.distribution, seed: this.seed };
  }
}

/** Inputs and outputs of one unit of a dense kernel [in, out] or of a convolution's [...space, in, out]. */
function fans(shape: readonly number[]): [number, number] {
  if (shape.length < 2) {
    const size = shape.reduce((a, b) => a * b, 1);
    return [Math.sqrt(size), Math.sqrt(size)];
  }
  const space = shape.slice(0, -2).reduce((a, b) => a * b, 1);
  return [shape[shape.length - 2] * space, shape[shape.length - 1] * space];
}

export interface OrthogonalArgs extends SeedArgs {
  /** A factor for all values; default 1. */
  gain?: number;
}

/**
 * A matrix with orthonormal rows or columns, whichever are fewer; of higher ranks the last axis is the columns
 * (Saxe et al. 2014).
 */
class Orthogonal extends Initializer {
  readonly gain: number;
  readonly seed: number | null;
  constructor(args: OrthogonalArgs = {}) {
    super();
    this.gain = args.gain ?? 1;
    this.seed = args.seed ?? null;
  }
  override getClassName(): string {
    return 'Orthogonal';
  }
  override apply(shape: readonly number[], dtype?: DType): Tensor {
    if (shape.length < 2) fail('initializers.orthogonal', 'the shape must have two axes or more', `got [${shape}]`);
    const columns = shape[shape.length - 1];
    const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
    const [long, short] = [Math.max(rows, columns), Math.min(rows, columns)];
    const drawn = randomNormal([short, long], 0, 1, drawnAs(dtype), this.seed ?? undefined);
    const vectors = orthonormal(Float64Array.from(drawn.dataSync()), short, long);
    drawn.dispose();
    const out = newArray(drawnAs(dtype), rows * columns);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        out[i * columns + j] = this.gain * (rows >= columns ? vectors[j * long + i] : vectors[i * long + j]);
      }
    }
    return tensor(out, [...shape], drawnAs(dtype));
  }
  override getConfig(): Config {
    return { gain: this.gain, seed: this.seed };
  }
}

/** Gram-Schmidt, twice over each vector, so that rounding does not add up. */
function orthonormal(vectors: Float64Array, count: number, length: number): Float64Array {
  for (let i = 0; i < count; i++) {
    const own = vectors.subarray(i * length, (i + 1) * length);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = vectors.subarray(j * length, (j + 1) * length);
        let product = 0;
        for (let k = 0; k < length; k++) product += own[k] * other[k];
        for (let k = 0; k < length; k++) own[k] -= product * other[k];
      }
    }
    let square = 0;
    for (let k = 0; k < length; k++) square += own[k] ** 2;
    const scale = 1 / Math.sqrt(square);
    for (let k = 0; k < length; k++) own[k] *= scale;
  }
  return vectors;
}

export interface IdentityArgs {
  /** Default 1. */
  gain?: number;
}

/** gain on the diagonal of a square matrix, zeros elsewhere. */
class Identity extends Initializer {
  readonly gain: number;
  constructor(args: IdentityArgs = {}) {
    super();
    this.gain = args.gain ?? 1;
  }
  override getClassName(): string {
    return 'Identity';
  }
  override apply(shape: readonly number[], dtype?: DType): Tensor {
    if (shape.length !== 2 || shape[0] !== shape[1]) {
      fail('initializers.identity', 'the shape must be that of a square matrix', `got [${shape}]`);
    }
    const out = newArray(drawnAs(dtype), shape[0] ** 2);
    for (let i = 0; i < shape[0]; i++) out[i * shape[0] + i] = this.gain;
    return tensor(out, [...shape], drawnAs(dtype));
  }
  override getConfig(): Config {
    return { gain: this.gain };
  }
}

const scaled = (scale: number, mode: FanMode, distribution: Distribution) => (args?: SeedArgs) =>
  new VarianceScaling({ scale, mode, distribution, seed: args?.seed });

/** tf.initializers: a factory for each. */
export const initializers = {
  zeros: (): Initializer => new Zeros(),
  ones: (): Initializer => new Ones(),
  constant: (args: ConstantArgs): Initializer => new Constant(args),
  randomUniform: (args?: RandomUniformArgs): Initializer => new RandomUniform(args),
  randomNormal: (args?: NormalArgs): Initializer => new Normal(args),
  truncatedNormal: (args?: NormalArgs): Initializer => new Normal(args, true),
  varianceScaling: (args?: VarianceScalingArgs): Initializer => new VarianceScaling(args),
  glorotUniform: scaled(1, 'fanAvg', 'uniform') as (args?: SeedArgs) => Initializer,
  glorotNormal: scaled(1, 'fanAvg', 'normal') as (args?: SeedArgs) => Initializer,
  heUniform: scaled(2, 'fanIn', 'uniform') as (args?: SeedArgs) => Initializer,
  heNormal: scaled(2, 'fanIn', 'normal') as (args?: SeedArgs) => Initializer,
  leCunUniform: scaled(1, 'fanIn', 'uniform') as (args?: SeedArgs) => Initializer,
  leCunNormal: scaled(1, 'fanIn', 'normal') as (args?: SeedArgs) => Initializer,
  orthogonal: (args?: OrthogonalArgs): Initializer => new Orthogonal(args),
  identity: (args?: IdentityArgs): Initializer => new Identity(args),
};

export type InitializerIdentifier = Exclude<keyof typeof initializers, 'constant'>;

const byName = new Map<string, (args?: Config) => Initializer>(
  Object.entries(initializers).map(([name, make]) => [name.toLowerCase(), make as (args?: Config) => Initializer]),
);

/** An initializer from a name (`glorotUniform`, `GlorotUniform`, `glorot_uniform`), its config, or itself. */
export function getInitializer(op: string, identifier: unknown): Initializer {
  if (identifier instanceof Initializer) return identifier;
  const { className, config } = isSerializedObject(identifier) ? identifier : { className: identifier, config: {} };
  if (typeof className === 'string') {
    const make = byName.get(toCamelCase(className).toLowerCase());
    if (make) return make(config);
  }
  failUnknownName(op, 'initializer', className, Object.keys(initializers));
}
