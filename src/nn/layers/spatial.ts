/** Layers that cut, pad and enlarge the axes of space. */
import { fail } from '../../base/errors.ts';
import { image, pad, reshape, slice, type Tensor, tile, transpose } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { failUnknownName } from '../naming.ts';
import { Layer, type LayerArgs } from './layer.ts';
import { checkDataFormat, checkWindow, type DataFormat, type KerasShape, showKerasShape } from './shapes.ts';

/** A number for both ends of all axes, one for each axis, or [before, after] for each. */
export type Margins = number | readonly number[] | readonly (readonly [number, number])[];

function marginsOf(label: string, name: string, value: unknown, rank: number): [number, number][] {
  const isCount = (n: unknown): n is number => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0;
  const wrong = (): never => {
    const must = `${name} must be an integer, ${rank > 1 ? `${rank} of them, or ` : ''}pairs [before, after]`;
    return fail(label, must, `got ${JSON.stringify(value)}`);
  };
  if (isCount(value)) return Array.from({ length: rank }, () => [value, value]);
  if (!Array.isArray(value)) return wrong();
  // Over one axis [before, after] needs no brackets around it.
  if (rank === 1 && value.length === 2 && value.every(isCount)) return [[value[0], value[1]]];
  if (value.length !== rank) return wrong();
  return value.map((item: unknown): [number, number] => {
    if (isCount(item)) return [item, item];
    return Array.isArray(item) && item.length === 2 && item.every(isCount) ? [item[0], item[1]] : wrong();
  });
}

/** The config of margins as Keras writes it. */
const marginsConfig = (margins: readonly (readonly [number, number])[]): unknown =>
  margins.length === 1 ? margins[0] : margins;

/** A layer over [batch, ...space, channels], or channels first. */
abstract class Spatial extends Layer {
  readonly rank: number;
  readonly dataFormat: DataFormat;

  constructor(rank: number, args: LayerArgs & { dataFormat?: DataFormat }) {
    super(args);
    this.rank = rank;
    this.dataFormat = checkDataFormat(this.label, args.dataFormat);
    this.inputSpec = { rank: rank + 2 };
  }
  /** The first axis of space. */
  protected get first(): number {
    return this.dataFormat === 'channelsFirst' ? 2 : 1;
  }
  /** The shape with each extent of space changed. */
  protected changed(shape: KerasShape, change: (n: number, i: number) => number): KerasShape {
    return shape.map((n, axis) => {
      const i = axis - this.first;
      return i < 0 || i >= this.rank || n === null ? n : change(n, i);
    });
  }
  protected formatConfig(): Config {
    return this.rank > 1 ? { dataFormat: this.dataFormat } : {};
  }
}

export interface CroppingArgs extends LayerArgs {
  /** What to cut off; default 0 over two axes, 1 over one or three. */
  cropping?: Margins;
  dataFormat?: DataFormat;
}

abstract class Cropping extends Spatial {
  readonly cropping: readonly (readonly [number, number])[];

  constructor(rank: number, args: CroppingArgs, fallback: number) {
    super(rank, args);
    this.cropping = marginsOf(this.label, 'cropping', args.cropping ?? fallback, rank);
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.changed(inputShape, (n, i) => {
      const left = n - this.cropping[i][0] - this.cropping[i][1];
      if (left > 0) return left;
      return fail(this.label, 'cropping must leave something', `got ${showKerasShape(inputShape)}`);
    });
  }
  override call(inputs: Tensor): Tensor {
    const begin = inputs.shape.map((_, axis) => this.cropping[axis - this.first]?.[0] ?? 0);
    return slice(inputs, begin, this.computeOutputShape(inputs.shape) as number[]);
  }
  override getConfig(): Config {
    return { cropping: marginsConfig(this.cropping), ...this.formatConfig(), ...super.getConfig() };
  }
}

/** Cuts steps off [batch, steps, features]. Source: keras.layers.Cropping1D. */
export class Cropping1D extends Cropping {
  static override readonly className = 'Cropping1D';
  constructor(args: CroppingArgs = {}) {
    super(1, args, 1);
  }
}
/** Cuts rows and columns off [batch, height, width, channels]. Source: tf.layers.cropping2D. */
export class Cropping2D extends Cropping {
  static override readonly className = 'Cropping2D';
  constructor(args: CroppingArgs = {}) {
    super(2, args, 0);
  }
}
/** Cuts slabs off [batch, depth, height, width, channels]. Source: keras.layers.Cropping3D. */
export class Cropping3D extends Cropping {
  static override readonly className = 'Cropping3D';
  constructor(args: CroppingArgs = {}) {
    super(3, args, 1);
  }
}

export interface ZeroPaddingArgs extends LayerArgs {
  /** How much to add; default 1. */
  padding?: Margins;
  dataFormat?: DataFormat;
}

abstract class ZeroPadding extends Spatial {
  readonly padding: readonly (readonly [number, number])[];

  constructor(rank: number, args: ZeroPaddingArgs) {
    super(rank, args);
    this.padding = marginsOf(this.label, 'padding', args.padding ?? 1, rank);
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.changed(inputShape, (n, i) => n + this.padding[i][0] + this.padding[i][1]);
  }
  override call(inputs: Tensor): Tensor {
    const margins = inputs.shape.map((_, axis): [number, number] => {
      const margin = this.padding[axis - this.first];
      return margin ? [margin[0], margin[1]] : [0, 0];
    });
    return pad(inputs, margins);
  }
  override getConfig(): Config {
    return { padding: marginsConfig(this.padding), ...this.formatConfig(), ...super.getConfig() };
  }
}

/** Zeros around [batch, steps, features]. Source: keras.layers.ZeroPadding1D. */
export class ZeroPadding1D extends ZeroPadding {
  static override readonly className = 'ZeroPadding1D';
  constructor(args: ZeroPaddingArgs = {}) {
    super(1, args);
  }
}
/** Zeros around [batch, height, width, channels]. Source: tf.layers.zeroPadding2d. */
export class ZeroPadding2D extends ZeroPadding {
  static override readonly className = 'ZeroPadding2D';
  constructor(args: ZeroPaddingArgs = {}) {
    super(2, args);
  }
}
/** Zeros around [batch, depth, height, width, channels]. Source: keras.layers.ZeroPadding3D. */
export class ZeroPadding3D extends ZeroPadding {
  static override readonly className = 'ZeroPadding3D';
  constructor(args: ZeroPaddingArgs = {}) {
    super(3, args);
  }
}

/** Every element `times` times along an axis. */
function repeated(x: Tensor, axis: number, times: number): Tensor {
  if (times === 1) return x;
  const { shape } = x;
  const open = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
  const reps = open.map((_, i) => (i === axis + 1 ? times : 1));
  return reshape(tile(reshape(x, open), reps), [
    ...shape.slice(0, axis),
    shape[axis] * times,
    ...shape.slice(axis + 1),
  ]);
}

export interface UpSamplingArgs extends LayerArgs {
  /** How many times larger each axis of space becomes; default 2. */
  size?: number | readonly number[];
  dataFormat?: DataFormat;
}

abstract class UpSampling extends Spatial {
  readonly size: readonly number[];

  constructor(rank: number, args: UpSamplingArgs) {
    super(rank, args);
    this.size = checkWindow(this.label, 'size', args.size ?? 2, rank);
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.changed(inputShape, (n, i) => n * this.size[i]);
  }
  override call(inputs: Tensor): Tensor {
    return this.size.reduce((x, times, i) => repeated(x, this.first + i, times), inputs);
  }
  override getConfig(): Config {
    const size = this.rank === 1 ? this.size[0] : this.size;
    return { size, ...this.formatConfig(), ...super.getConfig() };
  }
}

/** Each step of [batch, steps, features] `size` times. Source: keras.layers.UpSampling1D. */
export class UpSampling1D extends UpSampling {
  static override readonly className = 'UpSampling1D';
  constructor(args: UpSamplingArgs = {}) {
    super(1, args);
  }
}
/** Each element of [batch, depth, height, width, channels] `size` times along each axis. Source: keras.layers.UpSampling3D. */
export class UpSampling3D extends UpSampling {
  static override readonly className = 'UpSampling3D';
  constructor(args: UpSamplingArgs = {}) {
    super(3, args);
  }
}

const upSamplingMethods = ['nearest', 'bilinear', 'bicubic', 'lanczos3', 'lanczos5'] as const;

export interface UpSampling2DArgs extends UpSamplingArgs {
  /** 'nearest' (the default) repeats pixels; 'bilinear', 'bicubic', 'lanczos3' and 'lanczos5' interpolate, with half-pixel centers. */
  interpolation?: (typeof upSamplingMethods)[number];
}

/** Larger images of [batch, height, width, channels]. Sources: tf.layers.upSampling2d, keras.layers.UpSampling2D. */
export class UpSampling2D extends UpSampling {
  static override readonly className = 'UpSampling2D';
  readonly interpolation: (typeof upSamplingMethods)[number];

  constructor(args: UpSampling2DArgs = {}) {
    super(2, args);
    this.interpolation = args.interpolation ?? 'nearest';
    if (!upSamplingMethods.includes(this.interpolation)) {
      failUnknownName(this.label, 'interpolation', args.interpolation, upSamplingMethods);
    }
  }
  override call(inputs: Tensor): Tensor {
    if (this.interpolation === 'nearest') return super.call(inputs);
    const first = this.dataFormat === 'channelsFirst';
    const last = first ? transpose(inputs, [0, 2, 3, 1]) : inputs;
    const size: [number, number] = [last.shape[1]! * this.size[0], last.shape[2]! * this.size[1]];
    const larger = image.resize(last, size, this.interpolation);
    return first ? transpose(larger, [0, 3, 1, 2]) : larger;
  }
  override getConfig(): Config {
    return { interpolation: this.interpolation, ...super.getConfig() };
  }
}
