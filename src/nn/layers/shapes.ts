/** Shapes with open extents, and the checks of layer arguments that concern shapes. Knows no layer. */
import { fail } from '../../base/errors.ts';
import { failUnknownName } from '../naming.ts';

/** A shape in which null is an extent that is not known yet, as the batch's is. */
export type KerasShape = readonly (number | null)[];

/** The shape of one tensor, or those of several. */
export type ShapeOrShapes = KerasShape | readonly KerasShape[];

export function isShapeList(shape: ShapeOrShapes): shape is readonly KerasShape[] {
  return Array.isArray(shape[0]);
}

export function shapesOf(shape: ShapeOrShapes): readonly KerasShape[] {
  return isShapeList(shape) ? shape : [shape];
}

/** The shape of the only input of a layer that takes one. */
export function oneShape(op: string, shape: ShapeOrShapes): KerasShape {
  if (!isShapeList(shape)) return shape;
  if (shape.length === 1) return shape[0];
  fail(op, 'the layer takes one input', `got ${shape.length}`, 'merge them first, as with tf.layers.concatenate()');
}

/** [null,28,28,1], or several in brackets */
export function showShapes(shape: ShapeOrShapes): string {
  return isShapeList(shape) ? `[${shape.map(showKerasShape).join(',')}]` : showKerasShape(shape);
}

/** [null,28,28,1] */
export function showKerasShape(shape: KerasShape): string {
  return `[${shape.map((extent) => extent ?? 'null').join(',')}]`;
}

const shapeKeys = new Set(['name', 'weights', 'trainable', 'dtype', 'inputDType']);

/** The arguments that a user gave, as they stand in an error: ` {"filters":32,"kernelSize":3}`. */
export function describeArgs(args: object): string {
  const shown: string[] = [];
  for (const [key, value] of Object.entries(args)) {
    if (shapeKeys.has(key) || value === undefined || value === null) continue;
    if (typeof value === 'object' && !Array.isArray(value)) continue;
    if (typeof value === 'function') continue;
    shown.push(`${key}: ${JSON.stringify(value)}`);
  }
  return shown.length > 0 ? ` {${shown.join(', ')}}` : '';
}

export function checkPositiveInteger(op: string, name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  fail(op, `${name} must be a positive integer`, `got ${JSON.stringify(value) ?? String(value)}`);
}

/** A number, or one for each of `rank` axes. */
export function checkWindow(op: string, name: string, value: unknown, rank: number): number[] {
  const list = Array.isArray(value) ? value : new Array(rank).fill(value);
  if (list.length !== rank) {
    fail(op, `${name} must be a positive integer or ${rank} of them`, `got ${JSON.stringify(value)}`);
  }
  return list.map((item) => checkPositiveInteger(op, name, item));
}

export type PaddingMode = 'valid' | 'same';
export type DataFormat = 'channelsFirst' | 'channelsLast';

export function checkPadding(op: string, value: unknown): PaddingMode {
  if (value === undefined || value === null) return 'valid';
  if (value === 'valid' || value === 'same') return value;
  failUnknownName(op, 'padding', value, ['valid', 'same']);
}

export function checkDataFormat(op: string, value: unknown): DataFormat {
  if (value === undefined || value === null) return 'channelsLast';
  if (value === 'channelsLast' || value === 'channelsFirst') return value;
  failUnknownName(op, 'dataFormat', value, ['channelsLast', 'channelsFirst']);
}

/** How far a window goes along one axis: floor((n - d(k - 1) - 1) / s) + 1, or ceil(n / s) with padding 'same'. */
export function windowOutputLength(
  length: number | null,
  window: number,
  padding: PaddingMode,
  stride: number,
  dilation = 1,
): number | null {
  if (length === null) return null;
  if (padding === 'same') return Math.ceil(length / stride);
  return Math.floor((length - dilation * (window - 1) - 1) / stride) + 1;
}

export interface Windows {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly padding: PaddingMode;
  readonly dataFormat: DataFormat;
  readonly dilations?: readonly number[];
}

/** The shape after sliding windows over the space axes; `channels` replaces the channels where given. */
export function windowOutputShape(op: string, input: KerasShape, windows: Windows, channels?: number): KerasShape {
  const first = windows.dataFormat === 'channelsFirst' ? 2 : 1;
  const out = [...input];
  windows.sizes.forEach((size, i) => {
    const length = windowOutputLength(
      input[first + i],
      size,
      windows.padding,
      windows.strides[i],
      windows.dilations?.[i] ?? 1,
    );
    if (length !== null && length <= 0) {
      fail(
        op,
        `the window ${size} must fit into the input along axis ${first + i}`,
        `got ${showKerasShape(input)}`,
        "use padding 'same', a smaller window, or fewer layers that shrink the image",
      );
    }
    out[first + i] = length;
  });
  if (channels !== undefined) out[windows.dataFormat === 'channelsFirst' ? 1 : out.length - 1] = channels;
  return out;
}
