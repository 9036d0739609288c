/** Crops of images, each resized: the boxes are tensors, so rows and columns are gathered. */
import type { Value } from '../graph/graph.ts';
import { gatherAt } from './build-indexing.ts';
import {
  add,
  asReal,
  cast,
  ceil,
  constant,
  constantLike,
  floor,
  greaterEqual,
  iota,
  lessEqual,
  logicalAnd,
  mul,
  offset,
  scale,
  select,
  sub,
} from './build-elementwise.ts';
import { broadcastTo, reshape, slice, stopGradient } from './build-movement.ts';
import { clamp, type PixelSampling } from './composite-sampling.ts';

interface Places {
  /** [boxes, size], in pixels. */
  readonly at: Value;
  readonly inside: Value;
}

/** Where `size` samples between the edges `from` and `to` (in units of the image, [boxes]) stand along an axis. */
function placesOf(from: Value, to: Value, extent: number, size: number): Places {
  const boxes = from.shape[0];
  const spread = (v: Value) => broadcastTo(reshape(v, [boxes, 1]), [boxes, size]);
  const step = iota([boxes, size], 1, from.dtype);
  const at =
    size > 1
      ? add(spread(scale(from, extent - 1)), mul(step, spread(scale(sub(to, from), (extent - 1) / (size - 1)))))
      : spread(scale(add(from, to), 0.5 * (extent - 1)));
  const inside = logicalAnd(greaterEqual(at, constantLike(at, 0)), lessEqual(at, constantLike(at, extent - 1)));
  return { at, inside };
}

/** Blends what `read` gives at the pixels around each place, or takes the nearest. */
function alongAxis(
  { at }: Places,
  extent: number,
  method: PixelSampling,
  read: (index: Value) => Value,
  spread: (weight: Value) => Value,
): Value {
  const index = (v: Value) => cast(clamp(v, 0, extent - 1), 'int32');
  if (method === 'nearest') return read(index(floor(offset(at, 0.5))));
  const low = stopGradient(floor(at));
  const [a, b] = [read(index(low)), read(index(ceil(at)))];
  return add(a, mul(sub(b, a), spread(sub(at, low))));
}

/**
 * Boxes [y1, x1, y2, x2] (in units of the image) of images [batch, height, width, channels], resized to [height, width]. Samples
 * outside of the image are `fill`. Gradients flow to the images and, with 'bilinear', to the boxes.
 */
export function cropAndResize(
  images: Value,
  boxes: Value,
  owners: Value,
  [cropHeight, cropWidth]: readonly [number, number],
  method: PixelSampling,
  fill: number,
): Value {
  const [batch, height, width, channels] = images.shape;
  const count = boxes.shape[0];
  const edge = (i: number) => reshape(slice(asReal(boxes), [0, i], [count, 1]), [count]);
  const rows = placesOf(edge(0), edge(2), height, cropHeight);
  const columns = placesOf(edge(1), edge(3), width, cropWidth);
  // All rows of all images are one axis to gather from: only those that a crop needs are read.
  const lines = reshape(images, [1, 1, batch * height, width * channels]);
  const first = broadcastTo(reshape(mul(cast(owners, 'int32'), constant(height, 'int32', owners.shape)), [count, 1]), [
    count,
    cropHeight,
  ]);
  const readRows = (row: Value) =>
    reshape(gatherAt(lines, reshape(add(first, row), [1, count * cropHeight])), [count, cropHeight, width, channels]);
  const bands = alongAxis(rows, height, method, readRows, (weight) =>
    broadcastTo(reshape(weight, [count, cropHeight, 1, 1]), [count, cropHeight, width, channels]),
  );
  const shape = [count, cropHeight, cropWidth, channels];
  const crops = alongAxis(
    columns,
    width,
    method,
    (column) => gatherAt(bands, column),
    (weight) => broadcastTo(reshape(weight, [count, 1, cropWidth, 1]), shape),
  );
  const inside = logicalAnd(
    broadcastTo(reshape(rows.inside, [count, cropHeight, 1, 1]), shape),
    broadcastTo(reshape(columns.inside, [count, 1, cropWidth, 1]), shape),
  );
  return select(inside, crops, constant(fill, 'float32', shape));
}
