/** What all image functions share: optional batches, and checks of ranks and channels. Knows no op. */
import { fail } from '../../../base/errors.ts';
import type { Value } from '../../../graph/graph.ts';
import * as build from '../../../ops/build.ts';
import { showShape } from '../../../types/shape.ts';
import { type Input, valueOf } from '../lift.ts';

/** Runs `f` on [batch, height, width, channels]; without a batch one of 1 is added and taken away again. */
export function onBatch(op: string, images: Input, f: (images: Value) => Value, argument = 'images'): Value {
  const value = valueOf(images, argument, op);
  const rank = value.shape.length;
  if (rank !== 3 && rank !== 4) {
    fail(
      op,
      `${argument} must have rank 4 [batch, height, width, channels], or 3 without the batch`,
      `got ${showShape(value.shape)}`,
    );
  }
  if (rank === 4) return f(value);
  const result = f(build.reshape(value, [1, ...value.shape]));
  return build.reshape(result, result.shape.slice(1));
}

/** A batch of images of exactly rank 4. */
export function batchOf(op: string, image: Input, argument = 'image'): Value {
  const value = valueOf(image, argument, op);
  if (value.shape.length !== 4)
    fail(
      op,
      `${argument} must have rank 4 [batch, height, width, channels]`,
      `got ${showShape(value.shape)}`,
      'expandDims',
    );
  return value;
}

/** A tensor whose last axis has `channels` channels; rank at least `least`. */
export function withChannels(op: string, image: Input, channels: number, least = 2): Value {
  const value = valueOf(image, 'image', op);
  const { shape } = value;
  if (shape.length < least) fail(op, `images must have rank ${least} or more`, `got ${showShape(shape)}`);
  if (shape[shape.length - 1] !== channels)
    fail(op, `the last axis must have ${channels} channel${channels === 1 ? '' : 's'}`, `got ${showShape(shape)}`);
  return value;
}

/** [height, width] of positive integers. */
export function sizeOfImages(op: string, size: readonly number[], what = 'size'): [number, number] {
  if (!Array.isArray(size) || size.length !== 2 || size.some((n) => !Number.isInteger(n) || n < 1))
    fail(op, `${what} must be [height, width], positive integers`, `got ${JSON.stringify(size)}`);
  return [size[0], size[1]];
}
