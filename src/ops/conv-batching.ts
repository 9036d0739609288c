/**
 * Convolutions of a stack. Where only the images are stacked, the stack is part of the batch; where only the filters are, it is
 * part of their output (or input) channels; where both are, each element is a group of its own. So one convolution does it all.
 */
import type { Value } from '../graph/graph.ts';
import type { Shape } from '../types/shape.ts';
import type { BatchingContext } from './batching.ts';
import { foldFirst } from './batching.ts';
import { conv2d, conv2dBackpropFilter, conv2dBackpropInput, reshape, transpose } from './build.ts';
import type { ConvAttrs } from './conv.ts';
import { convAttrs } from './conv.ts';
import { intsAttr } from './rule.ts';

/** Where the stack goes among the channels: before the groups (so that it multiplies them) or inside each. */
type Place = 'groups' | 'channels';

/** [size, a, b, c, g * n] as [a, b, c, size * g * n] or [a, b, c, g * size * n]. */
function intoLast(x: Value, groups: number, place: Place): Value {
  const [size, a, b, c, n] = x.shape;
  const split = reshape(x, [size, a, b, c, groups, n / groups]);
  const moved = transpose(split, place === 'groups' ? [1, 2, 3, 0, 4, 5] : [1, 2, 3, 4, 0, 5]);
  return reshape(moved, [a, b, c, size * n]);
}

/** The inverse of intoLast. */
function outOfLast(x: Value, size: number, groups: number, place: Place): Value {
  const [a, b, c, all] = x.shape;
  const n = all / size;
  const split = reshape(
    x,
    place === 'groups' ? [a, b, c, size, groups, n / groups] : [a, b, c, groups, size, n / groups],
  );
  return reshape(transpose(split, place === 'groups' ? [3, 0, 1, 2, 4, 5] : [4, 0, 1, 2, 3, 5]), [size, a, b, c, n]);
}

/** [size, kh, kw, ic, oc] as [kh, kw, size * ic, oc]. */
function intoInputs(filter: Value): Value {
  const [size, kh, kw, ic, oc] = filter.shape;
  return reshape(transpose(filter, [1, 2, 0, 3, 4]), [kh, kw, size * ic, oc]);
}

function grouped(conv: ConvAttrs, size: number): ConvAttrs {
  return { ...conv, groups: conv.groups * size };
}

function lastTimes(shape: Shape, size: number): Shape {
  return shape.with(3, shape[3] * size);
}

export function batchConv2d({ inputs: [x, filter], batched, size, attrs, outputs: [y] }: BatchingContext): Value[] {
  const conv = convAttrs(attrs);
  if (!batched[1]) return [reshape(conv2d(foldFirst(x), filter, conv), [size, ...y.shape])];
  const place = batched[0] ? 'groups' : 'channels';
  const [image, attributes] = batched[0] ? [intoLast(x, conv.groups, place), grouped(conv, size)] : [x, conv];
  return [outOfLast(conv2d(image, intoLast(filter, conv.groups, place), attributes), size, conv.groups, place)];
}

export function batchConv2dBackpropInput({ inputs: [dy, filter], batched, size, attrs }: BatchingContext): Value[] {
  const conv = convAttrs(attrs);
  const shape = intsAttr(attrs, 'inputShape');
  if (!batched[1]) {
    const dx = conv2dBackpropInput(foldFirst(dy), filter, [shape[0] * size, ...shape.slice(1)], conv);
    return [reshape(dx, [size, ...shape])];
  }
  if (!batched[0]) {
    const dx = conv2dBackpropInput(dy, intoInputs(filter), lastTimes(shape, size), conv);
    return [outOfLast(dx, size, conv.groups, 'channels')];
  }
  const [dys, filters] = [dy, filter].map((v) => intoLast(v, conv.groups, 'groups'));
  const dx = conv2dBackpropInput(dys, filters, lastTimes(shape, size), grouped(conv, size));
  return [outOfLast(dx, size, conv.groups, 'groups')];
}

export function batchConv2dBackpropFilter({ inputs: [x, dy], batched, size, attrs }: BatchingContext): Value[] {
  const conv = convAttrs(attrs);
  const shape = intsAttr(attrs, 'filterShape');
  if (!batched[1]) {
    const [kh, kw, ic, oc] = shape;
    const df = conv2dBackpropFilter(intoLast(x, conv.groups, 'channels'), dy, [kh, kw, size * ic, oc], conv);
    return [transpose(reshape(df, [kh, kw, size, ic, oc]), [2, 0, 1, 3, 4])];
  }
  const place = batched[0] ? 'groups' : 'channels';
  const [image, attributes] = batched[0] ? [intoLast(x, conv.groups, place), grouped(conv, size)] : [x, conv];
  const df = conv2dBackpropFilter(image, intoLast(dy, conv.groups, place), lastTimes(shape, size), attributes);
  return [outOfLast(df, size, conv.groups, place)];
}
