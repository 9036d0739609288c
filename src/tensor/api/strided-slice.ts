/** stridedSlice with all of TensorFlow's masks: what x[begin:end:stride, ..., None, i] is in Python. */
import { fail } from '../../base/errors.ts';
import * as build from '../../ops/build.ts';
import type { StridedAxis } from '../../ops/composite.ts';
import * as composite from '../../ops/composite.ts';
import { showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { lift, movedStrings, valueOf } from './lift.ts';

/** One entry of the lists: what it says of an axis, or that it is a new one. */
interface Entry {
  readonly kind: 'slice' | 'shrink' | 'new' | 'rest';
  readonly begin: number | null;
  readonly end: number | null;
  readonly stride: number;
}

const whole: Entry = { kind: 'slice', begin: null, end: null, stride: 1 };

interface Masks {
  readonly begin: number;
  readonly end: number;
  readonly ellipsis: number;
  readonly newAxis: number;
  readonly shrink: number;
}

/** The entries with the ellipsis written out: exactly one for each axis, and the new axes. */
function entriesOf(
  rank: number,
  begin: readonly number[],
  end: readonly number[],
  strides: readonly number[] | undefined,
  masks: Masks,
): Entry[] {
  const op = 'stridedSlice';
  if ((masks.ellipsis & (masks.ellipsis - 1)) !== 0) {
    fail(op, 'there may be only one ellipsis', `ellipsisMask is ${masks.ellipsis.toString(2)} in binary`);
  }
  const entries = begin.map((from, i): Entry => {
    const has = (mask: number) => ((mask >> i) & 1) === 1;
    const stride = strides?.[i] ?? 1;
    if (has(masks.ellipsis)) return { ...whole, kind: 'rest' };
    if (has(masks.newAxis)) return { ...whole, kind: 'new' };
    if (!Number.isInteger(stride) || stride === 0) fail(op, 'strides must be integers other than 0', `got ${stride}`);
    if (has(masks.shrink)) {
      if (stride < 0) fail(op, 'where an axis is dropped its stride must be positive', `got ${stride}`);
      return { kind: 'shrink', begin: from, end: null, stride: 1 };
    }
    return {
      kind: 'slice',
      begin: has(masks.begin) ? null : from,
      end: has(masks.end) ? null : (end[i] ?? null),
      stride,
    };
  });
  const named = entries.filter(({ kind }) => kind === 'slice' || kind === 'shrink').length;
  if (named > rank) fail(op, `begin must name at most the ${rank} axes of the input`, `it names ${named}`);
  const rest = new Array<Entry>(rank - named).fill(whole);
  const place = entries.findIndex(({ kind }) => kind === 'rest');
  return place < 0 ? [...entries, ...rest] : entries.toSpliced(place, 1, ...rest);
}

/** What an entry takes of an axis. */
function takenBy({ kind, begin, end, stride }: Entry, extent: number, axis: number): StridedAxis {
  if (kind === 'shrink') {
    const at = begin! < 0 ? begin! + extent : begin!;
    if (!(at >= 0 && at < extent)) {
      fail('stridedSlice', `begin must be in [${-extent}, ${extent - 1}] on axis ${axis}`, `got ${begin}`);
    }
    return { from: at, count: 1, stride: 1 };
  }
  const [first, last] = stride > 0 ? [0, extent] : [extent - 1, -1];
  const place = (at: number | null, otherwise: number) => {
    if (at === null) return otherwise;
    const counted = at < 0 ? at + extent : at;
    return Math.min(Math.max(counted, Math.min(first, last)), Math.max(first, last));
  };
  const from = place(begin, first);
  return { from, count: Math.max(0, Math.ceil((place(end, last) - from) / stride)), stride };
}

/**
 * begin, begin + stride, ... before end, on each axis; negative begin and end count from the end, negative strides go backwards. What
 * lies outside is cut off. Axes that the lists do not reach are taken whole. Bit i of a mask says of entry i: beginMask and endMask
 * that it goes from, or to, the very end; ellipsisMask that it stands for all axes that no other entry names; newAxisMask that it
 * is a new axis of extent 1; shrinkAxisMask that only begin is taken and the axis dropped.
 */
export function stridedSlice(
  x: Tensor | TensorLike,
  begin: readonly number[],
  end: readonly number[],
  strides?: readonly number[],
  beginMask = 0,
  endMask = 0,
  ellipsisMask = 0,
  newAxisMask = 0,
  shrinkAxisMask = 0,
): Tensor {
  const strings = movedStrings('stridedSlice', x, (positions) =>
    stridedSlice(positions, begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask),
  );
  if (strings) return strings;
  const value = valueOf(x, 'x', 'stridedSlice');
  for (const [name, list] of Object.entries({ begin, end, strides: strides ?? [] })) {
    if (!Array.isArray(list)) fail('stridedSlice', `${name} must be a list of integers`, `got ${typeof list}`);
    if (list.some((n) => !Number.isInteger(n)))
      fail('stridedSlice', `${name} must hold integers`, `got ${showShape(list)}`);
  }
  const masks = {
    begin: beginMask,
    end: endMask,
    ellipsis: ellipsisMask,
    newAxis: newAxisMask,
    shrink: shrinkAxisMask,
  };
  const entries = entriesOf(value.shape.length, begin, end, strides, masks);
  const named = entries.filter(({ kind }) => kind !== 'new');
  const sliced = composite.strided(
    value,
    named.map((entry, axis) => takenBy(entry, value.shape[axis], axis)),
  );
  let axis = 0;
  const shape = entries.flatMap(({ kind }) => {
    if (kind === 'new') return [1];
    const extent = sliced.shape[axis++];
    return kind === 'shrink' ? [] : [extent];
  });
  return lift(build.reshape(sliced, shape));
}
