/** Images whose values are spread over the range: by their extremes, their histogram, or those of tiles. Each image and channel by itself. */
import { fail } from '../../../base/errors.ts';
import {
  add,
  cast,
  clipByValue,
  cumsum,
  denseBincount,
  div,
  floor,
  gather,
  max,
  maximum,
  min,
  mirrorPad,
  mul,
  range,
  reshape,
  round,
  scalar,
  slice,
  sub,
  sum,
  takeAlongAxis,
  type Tensor,
  transpose,
  where,
} from '../../../tensor/index.ts';
import type { Config } from '../../keras_config.ts';
import { checkPositiveInteger } from '../shapes.ts';
import { checkRange, ImageLayer, type ImageLayerArgs, type Range, rescaled } from './image_layer.ts';

export interface ValueRangeArgs extends ImageLayerArgs {
  /** The least and the largest value; default [0, 255]. */
  valueRange?: readonly [number, number];
}

abstract class Spread extends ImageLayer {
  readonly valueRange: Range;
  constructor(args: ValueRangeArgs) {
    super(args);
    this.valueRange = checkRange(this.label, 'valueRange', args.valueRange ?? [0, 255]);
  }
  override getConfig(): Config {
    return { valueRange: this.valueRange, ...super.getConfig() };
  }
}

/** (x - min) / (max - min) of each channel, over the whole range; a channel of one value stays as it is. Source: keras.layers.AutoContrast. */
export class AutoContrast extends Spread {
  static override readonly className = 'AutoContrast';
  constructor(args: ValueRangeArgs = {}) {
    super(args);
  }
  protected override transform(images: Tensor): Tensor {
    const low = min(images, [1, 2], true);
    const span = sub(max(images, [1, 2], true), low);
    const flat = span.equal(0);
    const shares = div(sub(images, low), where(flat, add(span, 1), span));
    return where(flat, images, rescaled(clipByValue(shares, 0, 1), [0, 1], this.valueRange));
  }
}

/** [batch, height, width, channels] as rows of pixels, one for each image and channel. */
function channelRows(images: Tensor): Tensor {
  const [batch, height, width, channels] = images.shape as [number, number, number, number];
  return reshape(transpose(images, [0, 3, 1, 2]), [batch * channels, height * width]);
}
function fromChannelRows(rows: Tensor, shape: readonly number[]): Tensor {
  const [batch, height, width, channels] = shape;
  return transpose(reshape(rows, [batch, channels, height, width]), [0, 2, 3, 1]);
}

/** Whole numbers in [0, bins) as counts, for each row: [rows, bins]. */
const histograms = (rows: Tensor, bins: number): Tensor => cast(denseBincount(rows as never, [], bins), 'float32');

export interface EqualizationArgs extends ValueRangeArgs {
  /** Number of levels; default 256. */
  bins?: number;
}

/**
 * In training each value becomes the share of the values of its image and channel that are not larger; outside of training nothing
 * changes. Source: keras.layers.Equalization (which takes the histogram over the whole batch).
 */
export class Equalization extends Spread {
  static override readonly className = 'Equalization';
  readonly bins: number;
  constructor(args: EqualizationArgs = {}) {
    super(args);
    this.bins = args.bins ?? 256;
    if (checkPositiveInteger(this.label, 'bins', this.bins) < 2) fail(this.label, 'bins must be 2 or more', 'got 1');
  }
  protected override transform(images: Tensor, training: boolean): Tensor {
    return training ? this.augment(images) : images;
  }
  augment(images: Tensor): Tensor {
    const { bins } = this;
    const rows = rescaled(channelRows(images), this.valueRange, [0, 255]);
    const levels = cast(clipByValue(floor(mul(rows, (bins - 1) / 255)), 0, bins - 1), 'int32');
    const upTo = cumsum(histograms(levels, bins), 1);
    // What lies below the first level that occurs counts as nothing.
    const none = upTo.equal(0);
    const first = min(where(none, add(mul(upTo, 0), levels.shape[1]! + 1), upTo), 1, true);
    const total = levels.shape[1]!;
    const rest = sub(total, first);
    const table = clipByValue(round(div(mul(sub(upTo, first), 255), maximum(rest, 1))), 0, 255);
    const equal = takeAlongAxis(table, levels, 1);
    const spread = where(rest.equal(0), rows, equal);
    return fromChannelRows(rescaled(spread, [0, 255], this.valueRange), images.shape);
  }
  override getConfig(): Config {
    return { bins: this.bins, ...super.getConfig() };
  }
}

export interface CLAHEArgs extends ValueRangeArgs {
  /** Counts above this times their mean are spread evenly, so that noise does not grow; 0: no limit. Default 4. */
  clipLimit?: number;
  /** Tiles along height and width; default [8, 8]. */
  tileGridSize?: readonly [number, number];
}

/**
 * Equalization by the histogram of the tiles around, with limited contrast: the four nearest tiles' tables, interpolated (Zuiderveld
 * 1994). Source: keras.layers.ContrastLimitedAdaptiveHistogramEqualization.
 */
export class ContrastLimitedAdaptiveHistogramEqualization extends Spread {
  static override readonly className = 'ContrastLimitedAdaptiveHistogramEqualization';
  readonly clipLimit: number;
  readonly tileGridSize: readonly [number, number];
  constructor(args: CLAHEArgs = {}) {
    super(args);
    this.clipLimit = args.clipLimit ?? 4;
    this.tileGridSize = args.tileGridSize ?? [8, 8];
    if (!(this.clipLimit >= 0)) fail(this.label, 'clipLimit must be a number of at least 0', `got ${args.clipLimit}`);
    if (this.tileGridSize.length !== 2)
      fail(this.label, 'tileGridSize must be two integers', `got ${this.tileGridSize}`);
    for (const n of this.tileGridSize) checkPositiveInteger(this.label, 'tileGridSize', n);
  }

  protected override transform(images: Tensor): Tensor {
    const [batch, height, width, channels] = images.shape as [number, number, number, number];
    const [down, across] = this.tileGridSize;
    const [tall, wide] = [Math.ceil(height / down), Math.ceil(width / across)];
    const margins = [tall * down - height, wide * across - width];
    if (margins[0] > height || margins[1] > width) {
      fail(this.label, `images must have a pixel for each of ${down} x ${across} tiles`, `got ${height} x ${width}`);
    }
    const values = rescaled(images, this.valueRange, [0, 255]);
    const padded = mirrorPad(
      values,
      [
        [0, 0],
        [0, margins[0]],
        [0, margins[1]],
        [0, 0],
      ],
      'symmetric',
    );
    const levels = cast(clipByValue(padded, 0, 255), 'int32');
    const tables = this.#tables(levels, tall, wide);
    const mapped = interpolated(tables, levels, { down, across, tall, wide });
    const whole = slice(mapped, [0, 0, 0, 0], [batch, height, width, channels]);
    return rescaled(whole, [0, 255], this.valueRange);
  }

  override getConfig(): Config {
    return { clipLimit: this.clipLimit, tileGridSize: this.tileGridSize, ...super.getConfig() };
  }

  /** The table of each tile, [batch, down, across, channels, 256]. */
  #tables(levels: Tensor, tall: number, wide: number): Tensor {
    const [down, across] = this.tileGridSize;
    const [batch, , , channels] = levels.shape as [number, number, number, number];
    const tiles = transpose(reshape(levels, [batch, down, tall, across, wide, channels]), [0, 1, 3, 5, 2, 4]);
    const size = tall * wide;
    let counts = histograms(reshape(tiles, [batch * down * across * channels, size]), 256);
    if (this.clipLimit > 0) {
      const kept = clipByValue(counts, 0, (this.clipLimit * size) / 256);
      counts = add(kept, div(sum(sub(counts, kept), 1, true), 256));
    }
    const upTo = cumsum(counts, 1);
    const least = min(upTo, 1, true);
    const rest = sub(size, least);
    const shares = div(mul(sub(upTo, least), 255), where(rest.equal(0), add(rest, 1), rest));
    return reshape(clipByValue(shares, 0, 255), [batch, down, across, channels, 256]);
  }
}

interface Grid {
  readonly down: number;
  readonly across: number;
  readonly tall: number;
  readonly wide: number;
}

/** Each pixel's level looked up in the tables of the four tiles whose centers are nearest. */
function interpolated(tables: Tensor, levels: Tensor, { down, across, tall, wide }: Grid): Tensor {
  const [batch, height, width, channels] = levels.shape as [number, number, number, number];
  const shape = [batch, height, width, channels];
  const flat = reshape(tables, [tables.size]);
  const sides = (extent: number, size: number, count: number, axis: number) => {
    const at = div(sub(range(0, extent), size / 2), size);
    const low = floor(at);
    const place = axis === 1 ? [1, extent, 1, 1] : [1, 1, extent, 1];
    const index = (x: Tensor) => reshape(cast(clipByValue(x, 0, count - 1), 'int32'), place);
    return { low: index(low), high: index(add(low, 1)), share: reshape(sub(at, low), place) };
  };
  const rows = sides(height, tall, down, 1);
  const columns = sides(width, wide, across, 2);
  const first = reshape(mul(range(0, batch, 1, 'int32'), scalar(down * across * channels * 256, 'int32')), [
    batch,
    1,
    1,
    1,
  ]);
  const channel = reshape(mul(range(0, channels, 1, 'int32'), scalar(256, 'int32')), [1, 1, 1, channels]);
  const base = add(add(first, channel), levels);
  const look = (row: Tensor, column: Tensor) => {
    const tile = add(mul(row, scalar(across * channels * 256, 'int32')), mul(column, scalar(channels * 256, 'int32')));
    return reshape(gather(flat, reshape(add(base, tile), [levels.size])), shape);
  };
  const mixed = (a: Tensor, b: Tensor, share: Tensor) => add(mul(a, sub(1, share)), mul(b, share));
  const top = mixed(look(rows.low, columns.low), look(rows.low, columns.high), columns.share);
  const bottom = mixed(look(rows.high, columns.low), look(rows.high, columns.high), columns.share);
  return mixed(top, bottom, rows.share);
}
