/**
 * Pixels to tensors and back. Objects { data, width, height } work everywhere, Node included; images, videos, canvases and
 * bitmaps where the environment has them. Asks for what a thing can do, never for its class, so a bundle needs no DOM.
 */
import { fail } from '../../base/errors.ts';
import { showShape } from '../../types/shape.ts';
import { makeTensor, toTensor } from '../convert.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensor3D, TensorLike } from '../types.ts';
import { cast } from './transformations.ts';

/** Four bytes for each pixel: red, green, blue, alpha. */
export interface PixelData {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

interface Context2D {
  drawImage(image: unknown, x: number, y: number, width: number, height: number): void;
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
  putImageData(image: unknown, x: number, y: number): void;
}

/** What draws: an HTMLCanvasElement or an OffscreenCanvas. */
export interface Canvas {
  width: number;
  height: number;
  getContext(kind: string, options?: unknown): unknown;
}

/** An image, a video or a bitmap. */
interface Drawable {
  readonly width: number;
  readonly height: number;
  readonly videoWidth?: number;
  readonly videoHeight?: number;
}

export type Pixels = PixelData | Canvas | Drawable;

interface Environment {
  readonly document?: { createElement(tag: string): Canvas };
  readonly OffscreenCanvas?: new (width: number, height: number) => Canvas;
  readonly ImageData?: new (data: Uint8ClampedArray, width: number, height: number) => unknown;
  readonly createImageBitmap?: (source: unknown, options: unknown) => Promise<Drawable>;
}

const environment = globalThis as unknown as Environment;

function isPixelData(x: Pixels): x is PixelData {
  return 'data' in x && (x.data instanceof Uint8Array || x.data instanceof Uint8ClampedArray);
}

function isCanvas(x: Pixels): x is Canvas {
  return 'getContext' in x && typeof x.getContext === 'function';
}

function contextOf(op: string, canvas: Canvas): Context2D {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context)
    fail(op, 'the canvas must have a 2d context', 'getContext gave null', 'use a canvas without another context');
  return context as Context2D;
}

/** A canvas of the given size that nobody sees. */
function hiddenCanvas(op: string, width: number, height: number): Canvas {
  const { document, OffscreenCanvas } = environment;
  if (OffscreenCanvas) return new OffscreenCanvas(width, height);
  if (!document)
    fail(
      op,
      'reading images needs a canvas, which there is none of here',
      'got an image',
      'pass { data, width, height }',
    );
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function bytesOf(op: string, pixels: Pixels): PixelData {
  if (isPixelData(pixels)) {
    const { width, height, data } = pixels;
    if (![width, height].every((n) => Number.isInteger(n) && n >= 0) || data.length !== width * height * 4) {
      fail(
        op,
        'pixels must have 4 bytes for each of width x height',
        `got ${data.length} bytes for ${width} x ${height}`,
      );
    }
    return pixels;
  }
  if (isCanvas(pixels)) {
    const { width, height } = pixels;
    return { width, height, data: contextOf(op, pixels).getImageData(0, 0, width, height).data };
  }
  const [width, height] = [pixels.videoWidth ?? pixels.width, pixels.videoHeight ?? pixels.height];
  if (!Number.isInteger(width) || !Number.isInteger(height))
    fail(op, 'pixels must be { data, width, height }, a canvas, an image, a video or a bitmap', `got ${typeof pixels}`);
  const context = contextOf(op, hiddenCanvas(op, width, height));
  context.drawImage(pixels, 0, 0, width, height);
  return { width, height, data: context.getImageData(0, 0, width, height).data };
}

/** int32 [height, width, numChannels] in [0, 255] from red, green, blue and alpha; numChannels of them (3). */
export function fromPixels(pixels: Pixels, numChannels = 3): Tensor3D {
  const op = 'fromPixels';
  if (pixels === null || typeof pixels !== 'object')
    fail(
      op,
      'pixels must be { data, width, height }, a canvas, an image, a video or a bitmap',
      `got ${String(pixels)}`,
    );
  if (!Number.isInteger(numChannels) || numChannels < 1 || numChannels > 4)
    fail(op, 'numChannels must be 1, 2, 3 or 4', `got ${numChannels}`);
  const { width, height, data } = bytesOf(op, pixels);
  const values = new Int32Array(width * height * numChannels);
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < numChannels; c++) values[i * numChannels + c] = data[4 * i + c];
  return makeTensor(values, [height, width, numChannels], 'int32', op) as Tensor3D;
}

/** fromPixels; images are decoded without blocking, and their colours are not multiplied by alpha. */
export async function fromPixelsAsync(pixels: Pixels, numChannels = 3): Promise<Tensor3D> {
  const { createImageBitmap } = environment;
  if (!createImageBitmap || pixels === null || typeof pixels !== 'object' || isPixelData(pixels))
    return fromPixels(pixels, numChannels);
  // An empty or broken image has no bitmap; fromPixels then says what is wrong with it.
  const bitmap = await createImageBitmap(pixels, { premultiplyAlpha: 'none' }).catch(() => null);
  const same = bitmap !== null && bitmap.width === pixels.width && bitmap.height === pixels.height;
  return fromPixels(same ? bitmap : pixels, numChannels);
}

/** [height, width, depth] of an image tensor that can be shown. */
function checkImage(op: string, image: Tensor): [number, number, number] {
  const { shape, dtype } = image;
  if (shape.length !== 2 && shape.length !== 3)
    fail(op, 'the image must be [height, width] or [height, width, channels]', `got ${showShape(shape)}`);
  const depth = shape.length === 2 ? 1 : shape[2];
  if (depth !== 1 && depth !== 3 && depth !== 4)
    fail(op, 'the image must have 1, 3 or 4 channels', `got ${showShape(shape)}`);
  if (dtype !== 'float32' && dtype !== 'int32') fail(op, 'the image must be float32 or int32', `got ${dtype}`, 'cast');
  return [shape[0], shape[1], depth];
}

/** A tensor, or values that count as int32. */
function imageOf(op: string, image: Tensor | TensorLike): Tensor {
  const tensor = toTensor(image as Tensor, 'img', op);
  return tensor === image ? tensor : cast(tensor, 'int32');
}

function toBytes(op: string, image: Tensor, data: ArrayLike<number>, alpha = 1): Uint8ClampedArray<ArrayBuffer> {
  const [height, width, depth] = checkImage(op, image);
  const most = image.dtype === 'float32' ? 1 : 255;
  const bytes = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 4; c++) {
      if (c === 3 && depth < 4) {
        bytes[4 * i + 3] = Math.round(255 * alpha);
        continue;
      }
      const value = data[i * depth + (depth === 1 ? 0 : c)];
      if (!(value >= 0 && value <= most)) fail(op, `${image.dtype} images must be in [0, ${most}]`, `got ${value}`);
      bytes[4 * i + c] = Math.round((value * 255) / most);
    }
  }
  return bytes;
}

function put(op: string, bytes: Uint8ClampedArray, width: number, height: number, canvas: Canvas): void {
  const { ImageData } = environment;
  if (!ImageData)
    fail(op, 'drawing needs ImageData, which there is none of here', 'got a canvas', 'leave the canvas out');
  canvas.width = width;
  canvas.height = height;
  contextOf(op, canvas).putImageData(new ImageData(bytes, width, height), 0, 0);
}

/**
 * Red, green, blue and alpha, a byte each, of an image [height, width] or [height, width, 1, 3 or 4]: float32 in [0, 1] or int32 in
 * [0, 255]. Draws them on the canvas, if there is one.
 */
export async function toPixels(
  img: Tensor | TensorLike,
  canvas?: Canvas | null,
): Promise<Uint8ClampedArray<ArrayBuffer>> {
  const image = imageOf('toPixels', img);
  const [height, width] = checkImage('toPixels', image);
  const bytes = toBytes('toPixels', image, (await image.data()) as ArrayLike<number>);
  if (canvas) put('toPixels', bytes, width, height, canvas);
  return bytes;
}

export interface DrawOptions {
  readonly imageOptions?: { readonly alpha?: number };
  readonly contextOptions?: { readonly contextType?: string };
}

/** Draws an image as toPixels does, at once; imageOptions.alpha in [0, 1] is that of images without their own. */
export function draw(image: Tensor | TensorLike, canvas: Canvas, options: DrawOptions = {}): void {
  const alpha = options.imageOptions?.alpha ?? 1;
  if (!(alpha >= 0 && alpha <= 1)) fail('draw', 'alpha must be in [0, 1]', `got ${alpha}`);
  const type = options.contextOptions?.contextType ?? '2d';
  if (type !== '2d') fail('draw', "contextType must be '2d'", `got ${JSON.stringify(type)}`);
  const tensor = imageOf('draw', image);
  const [height, width] = checkImage('draw', tensor);
  put('draw', toBytes('draw', tensor, tensor.dataSync() as ArrayLike<number>, alpha), width, height, canvas);
}
