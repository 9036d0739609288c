/** Categories by their hash: no vocabulary is needed, and two may fall together. Run on the host, as strings do. */
import { fail } from '../../../base/errors.ts';
import { fingerPrint64 } from '../../../base/farmhash.ts';
import { sipHash } from '../../../base/siphash.ts';
import { encodeText, type Tensor, tensor } from '../../../tensor/index.ts';
import type { DType } from '../../../types/dtype.ts';
import type { Config } from '../../keras_config.ts';
import { Layer, type LayerArgs } from '../layer.ts';
import { checkPositiveInteger, type KerasShape, type ShapeOrShapes, shapesOf, showShapes } from '../shapes.ts';
import { encoded, encodedShape, type OutputMode, outputModeOf } from './encode.ts';

/** One number, or two, that make the hash another function. */
export type Salt = number | readonly [number, number];

export function saltOf(label: string, value: unknown): readonly [number, number] | null {
  if (value === undefined || value === null) return null;
  const pair: unknown[] = Array.isArray(value) ? value : [value, value];
  const valid = pair.length === 2 && pair.every((n) => Number.isSafeInteger(n));
  if (!valid) fail(label, 'salt must be an integer, or two', `got ${JSON.stringify(value)}`);
  return [pair[0] as number, pair[1] as number];
}

/** The bucket of a text: FarmHash's Fingerprint64 modulo the buckets, with a salt SipHash. As TensorFlow's to_hash_bucket. */
export function bucketOf(text: string, buckets: number, salt: readonly [number, number] | null): number {
  const bytes = encodeText(text);
  const hash = salt ? sipHash(bytes, BigInt(salt[0]), BigInt(salt[1])) : fingerPrint64(bytes);
  return Number(BigInt.asUintN(64, hash) % BigInt(buckets));
}

/** The elements of a tensor, read to the host, as text: numbers in decimal. */
export function textsOf(x: Tensor): string[] {
  const values = x.dataSync() as unknown as ArrayLike<string | number>;
  return Array.from(values, (value) => (typeof value === 'string' ? value : String(Math.trunc(value))));
}

export interface HashingArgs extends LayerArgs {
  /** Number of bins. */
  numBins: number;
  /** Inputs equal to this get bin 0, which no other gets; default none. */
  maskValue?: string | number | null;
  /** Default none. */
  salt?: Salt | null;
  /** 'int' (the default), 'oneHot', 'multiHot' or 'count'. */
  outputMode?: OutputMode | (string & {});
}

/**
 * The bin of each string or integer by its hash, the same everywhere and for ever. Runs on the host: apply it to data before training,
 * as in dataset.map. Source: keras.layers.Hashing.
 */
export class Hashing extends Layer {
  static override readonly className = 'Hashing';
  readonly numBins: number;
  readonly maskValue: string | number | null;
  readonly salt: readonly [number, number] | null;
  readonly outputMode: OutputMode;

  constructor(args: HashingArgs) {
    super(args);
    this.numBins = checkPositiveInteger(this.label, 'numBins', args.numBins);
    this.maskValue = args.maskValue ?? null;
    this.salt = saltOf(this.label, args.salt);
    this.outputMode = outputModeOf(this.label, args.outputMode, ['int', 'oneHot', 'multiHot', 'count'], 'int');
  }
  protected override outputDType(): DType {
    return this.outputMode === 'int' ? 'int32' : 'float32';
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return encodedShape(inputShape, this.outputMode, this.numBins);
  }
  override call(inputs: Tensor): Tensor {
    const masks = this.maskValue !== null && this.numBins > 1;
    const masked = masks ? String(this.maskValue) : null;
    const bins = textsOf(inputs).map((text) => {
      if (text === masked) return 0;
      return bucketOf(text, masks ? this.numBins - 1 : this.numBins, this.salt) + (masks ? 1 : 0);
    });
    return encoded(
      this.label,
      tensor(Int32Array.from(bins), [...inputs.shape], 'int32'),
      this.outputMode,
      this.numBins,
    );
  }
  override getConfig(): Config {
    const { numBins, maskValue, salt, outputMode } = this;
    return { numBins, maskValue, salt, outputMode, ...super.getConfig() };
  }
}

const MASK = (1n << 64n) - 1n;
const crossFactor = 0xc6a4a7935bd1e995n;
/** TensorFlow's default key of crossed hashes. */
const crossKey = 0xdecafcaffen;

/** Two fingerprints as one, as in TensorFlow's sparse cross. */
function combined(a: bigint, b: bigint): bigint {
  const mixed = (x: bigint) => x ^ (x >> 47n);
  const product = (x: bigint) => (x * crossFactor) & MASK;
  return mixed(product(mixed(product(a ^ crossFactor ^ product(mixed(product(b)))))));
}

export interface HashedCrossingArgs extends LayerArgs {
  numBins: number;
  /** 'int' (the default) or 'oneHot'. */
  outputMode?: OutputMode | (string & {});
}

/** The bin of each combination of several features, [batch] or [batch, 1] each. Runs on the host. Source: keras.layers.HashedCrossing. */
export class HashedCrossing extends Layer {
  static override readonly className = 'HashedCrossing';
  readonly numBins: number;
  readonly outputMode: OutputMode;

  constructor(args: HashedCrossingArgs) {
    super(args);
    this.numBins = checkPositiveInteger(this.label, 'numBins', args.numBins);
    this.outputMode = outputModeOf(this.label, args.outputMode, ['int', 'oneHot'], 'int');
  }
  protected override outputDType(): DType {
    return this.outputMode === 'int' ? 'int32' : 'float32';
  }
  override build(inputShape: ShapeOrShapes): void {
    const shapes = shapesOf(inputShape);
    if (shapes.length < 2) fail(this.label, 'a crossing needs two features or more, in a list', `got ${shapes.length}`);
    const [first] = shapes;
    const fits = first.length <= 1 || (first.length === 2 && first[1] === 1);
    if (!fits || shapes.some((shape) => shape.join() !== first.join())) {
      fail(this.label, 'features must all be [batch], or all [batch, 1]', `got ${showShapes(inputShape)}`);
    }
  }
  override computeOutputShape(inputShape: ShapeOrShapes): KerasShape {
    return encodedShape(shapesOf(inputShape)[0], this.outputMode, this.numBins);
  }
  override call(inputs: Tensor[]): Tensor {
    const features = inputs.map((feature) => Array.from(feature.dataSync() as unknown as ArrayLike<string | number>));
    const fingerprint = (value: string | number) =>
      typeof value === 'string' ? fingerPrint64(encodeText(value)) : BigInt.asUintN(64, BigInt(Math.trunc(value)));
    const bins = features[0].map((_, row) => {
      const hash = features.reduce((hash, feature) => combined(hash, fingerprint(feature[row])), crossKey);
      return Number(hash % BigInt(this.numBins));
    });
    const numbers = tensor(Int32Array.from(bins), [...inputs[0].shape], 'int32');
    return encoded(this.label, numbers, this.outputMode, this.numBins);
  }
  override getConfig(): Config {
    return { numBins: this.numBins, outputMode: this.outputMode, ...super.getConfig() };
  }
}
