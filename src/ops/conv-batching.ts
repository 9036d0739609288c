/**
 * Convolutions of a stack. Where only the images are stacked, the stack is part of the batch; where only the filters are, it is
 * part of their output (or input) channels; where both are, each element is a group of its own. So one convolution does it all.
 */
import type { Value } from '../graph/graph.ts';
import type { Shape } from '../types/shape.ts';
import type { BatchingContext } from './batching.ts';
import { foldFirst } from './batching.ts';
import { conv as convolve, convBackpropFilter, convBackpropInput, reshape, transpose } from './build.ts';
import type { ConvAttrs } from './conv.ts';
import { convAttrs } from './conv.ts';
import { intsAttr } from './rule.ts';

/** Where the stack goes among the channels: before the groups (so that it multiplies them) or inside each. */
type Place = 'groups' | 'channels';

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

/** [size, ...rest, g * n] as [...rest, size * g * n] or [...rest, g * size * n]. */
function intoLast(x: Value, groups: number, place: Place): Value {
  const size = x.shape[0];
  const rest = x.shape.slice(1, -1);
  const n = x.shape[x.shape.length - 1];
  const split = reshape(x, [size, ...rest, groups, n / groups]);
  const kept = rest.map((_, i) => i + 1);
  const last = rest.length + 1;
  const moved = transpose(split, place === 'groups' ? [...kept, 0, last, last + 1] : [...kept, last, 0, last + 1]);
  return reshape(moved, [...rest, size * n]);
}

/** The inverse of intoLast. */
function outOfLast(x: Value, size: number, groups: number, place: Place): Value {
  const rest = x.shape.slice(0, -1);
  const n = x.shape[rest.length] / size;
  const split = reshape(x, [...rest, ...(place === 'groups' ? [size, groups] : [groups, size]), n / groups]);
  const r = rest.length;
  const [at, group] = place === 'groups' ? [r, r + 1] : [r + 1, r];
  return reshape(transpose(split, [at, ...upTo(r), group, r + 2]), [size, ...rest, n]);
}

/** [size, ...taps, ic, oc] as [...taps, size * ic, oc]. */
function intoInputs(filter: Value): Value {
  const rank = filter.shape.length;
  const [ic, oc] = filter.shape.slice(-2);
  const taps = filter.shape.slice(1, -2);
  const moved = transpose(filter, [...taps.map((_, i) => i + 1), 0, rank - 2, rank - 1]);
  return reshape(moved, [...taps, filter.shape[0] * ic, oc]);
}

function grouped(conv: ConvAttrs, size: number): ConvAttrs {
  return { ...conv, groups: conv.groups * size };
}

function lastTimes(shape: Shape, size: number): Shape {
  return shape.with(-1, shape[shape.length - 1] * size);
}

export function batchConv({ inputs: [x, filter], batched, size, attrs, outputs: [y] }: BatchingContext): Value[] {
  const conv = convAttrs(attrs);
  if (!batched[1]) return [reshape(convolve(foldFirst(x), filter, conv), [size, ...y.shape])];
  const place = batched[0] ? 'groups' : 'channels';
  const [image, attributes] = batched[0] ? [intoLast(x, conv.groups, place), grouped(conv, size)] : [x, conv];
  return [outOfLast(convolve(image, intoLast(filter, conv.groups, place), attributes), size, conv.groups, place)];
}

export function batchConvBackpropInput({ inputs: [dy, filter], batched, size, attrs }: BatchingContext): Value[] {
  const conv = convAttrs(attrs);
  const shape = intsAttr(attrs, 'inputShape');
  if (!batched[1]) {
    const dx = convBackpropInput(foldFirst(dy), filter, [shape[0] * size, ...shape.slice(1)], conv);
    return [reshape(dx, [size, ...shape])];
  }
  if (!batched[0]) {
    const dx = convBackpropInput(dy, intoInputs(filter), lastTimes(shape, size), conv);
    return [outOfLast(dx, size, conv.groups, 'channels')];
  }
  const [dys, filters] = [dy, filter].map((v) => intoLast(v, conv.groups, 'groups'));
  const dx = convBackpropInput(dys, filters, lastTimes(shape, size), grouped(conv, size));
  return [outOfLast(dx, size, conv.groups, 'groups')];
}

export function batchConvBackpropFilter({ inputs: [x, dy], batched, size, attrs }: BatchingContext): Value[] {
  const conv = convAttrs(attrs);
  const shape = intsAttr(attrs, 'filterShape');
  if (!batched[1]) {
    const taps = shape.slice(0, -2);
    const [ic, oc] = shape.slice(-2);
    const df = convBackpropFilter(intoLast(x, conv.groups, 'channels'), dy, [...taps, size * ic, oc], conv);
    const r = taps.length;
    return [transpose(reshape(df, [...taps, size, ic, oc]), [r, ...upTo(r), r + 1, r + 2])];
  }
  const place = batched[0] ? 'groups' : 'channels';
  const [image, attributes] = batched[0] ? [intoLast(x, conv.groups, place), grouped(conv, size)] : [x, conv];
  const df = convBackpropFilter(image, intoLast(dy, conv.groups, place), lastTimes(shape, size), attributes);
  return [outOfLast(df, size, conv.groups, place)];
}
