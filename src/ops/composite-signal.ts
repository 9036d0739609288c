/** Framing, overlap-add and cosine transforms on graph values. Differentiable to any order: all of it is linear. */
import type { DType } from '../types/dtype.ts';
import type { Value } from '../graph/graph.ts';
import { apply1 } from './apply.ts';
import * as build from './build.ts';
import { fromPlanes, mul, toPlanes } from './complex.ts';
import { fft, irfft, rfft } from './composite-fft.ts';

/** Along the last axis: `size` elements from `begin`, every `stride`-th. */
function along(x: Value, begin: number, size: number, stride = 1): Value {
  const last = x.shape.length - 1;
  const zeros = x.shape.map(() => 0);
  return build.slice(x, zeros.with(last, begin), x.shape.with(last, size), zeros.fill(1).with(last, stride));
}

function padLast(x: Value, before: number, after: number, value = 0): Value {
  const last = x.shape.length - 1;
  return build.pad(
    x,
    x.shape.map((_, axis) => (axis === last ? ([before, after] as const) : ([0, 0] as const))),
    value,
  );
}

/** Blocks above which frames are gathered element by element instead of joined from strips. */
const MOST_STRIPS = 64;

/**
 * frames[..., i, j] = x[..., i step + j], for `count` frames of `length`. Strips of `step` columns are contiguous: block c of every
 * frame is x from c step on, cut into rows.
 */
export function frame(x: Value, length: number, step: number, count: number): Value {
  const lead = x.shape.slice(0, -1);
  if (count === 0 || length === 0) return build.constant(0, x.dtype, [...lead, count, length]);
  const strips = Math.ceil(length / step);
  if (strips > MOST_STRIPS) {
    const places = build.add(build.scale(build.iota([count, length], 0), step), build.iota([count, length], 1));
    return build.gather(x, places, lead.length);
  }
  const whole = (count + strips - 1) * step;
  const given = x.shape[lead.length];
  const padded = whole > given ? padLast(x, 0, whole - given) : x;
  const columns = Array.from({ length: strips }, (_, c) => {
    const rows = build.reshape(along(padded, c * step, count * step), [...lead, count, step]);
    return along(rows, 0, Math.min(step, length - c * step));
  });
  return build.concat(columns, lead.length + 1);
}

/**
 * The transpose of frame: [..., count, length] summed where frames overlap. Rows of blocks are brought into step by padding each and
 * reading them at one block less: block c of frame i lands at c + i.
 */
export function overlapAndAdd(frames: Value, step: number): Value {
  const lead = frames.shape.slice(0, -2);
  const [count, length] = frames.shape.slice(-2);
  const total = count === 0 ? 0 : (count - 1) * step + length;
  if (total === 0 || length === 0) return build.constant(0, frames.dtype, [...lead, total]);
  const blocks = Math.ceil(length / step);
  const rank = lead.length;
  const apart = build.reshape(padLast(frames, 0, blocks * step - length), [...lead, count, blocks, step]);
  const order = [...lead.keys(), rank + 1, rank, rank + 2];
  const byBlock = build.transpose(apart, order);
  const padded = build.pad(
    byBlock,
    byBlock.shape.map((_, axis) => (axis === rank + 1 ? ([0, blocks] as const) : ([0, 0] as const))),
  );
  const flat = build.reshape(padded, [...lead, blocks * (count + blocks) * step]);
  const skewed = build.reshape(along(flat, 0, blocks * (count + blocks - 1) * step), [
    ...lead,
    blocks,
    (count + blocks - 1) * step,
  ]);
  return along(build.sum(skewed, [rank]), 0, total);
}

// ---- cosine transforms -----------------------------------------------------------------------------------------------------

/** e^(-2 pi i (first + stride k) / order) for k < count. */
function roots(dtype: DType, order: number, count: number, first = 0, stride = 1): { re: Value; im: Value } {
  const columns = first + stride * (count - 1) + 1;
  const table = apply1('fourierTable', [], { kind: 'roots', order, shape: [2, 2, columns], dtype });
  const row = build.slice(table, [0, 1, first], [2, 1, count], [1, 1, stride]);
  return fromPlanes(build.reshape(row, [2, count]));
}

function realOf(x: Value): { re: Value; im: null } {
  return { re: x, im: null };
}

/** The whole spectrum along the last axis from its first half. */
function spectrumOf(x: Value): { re: Value; im: Value } {
  const n = x.shape[x.shape.length - 1];
  const last = x.shape.length - 1;
  const half = fromPlanes(rfft(x, [last]));
  const count = n - (Math.floor(n / 2) + 1);
  const mirrored = (part: Value) => build.reverse(along(part, 1, count), [last]);
  if (count === 0) return half;
  return {
    re: build.concat([half.re, mirrored(half.re)], last),
    im: build.concat([half.im, build.neg(mirrored(half.im))], last),
  };
}

/** x_0, x_2, ..., x_3, x_1. */
function evenThenOdd(x: Value): Value {
  const last = x.shape.length - 1;
  const n = x.shape[last];
  if (n === 1) return x;
  const odd = along(x, 1, Math.floor(n / 2), 2);
  return build.concat([along(x, 0, Math.ceil(n / 2), 2), build.reverse(odd, [last])], last);
}

/** The inverse of evenThenOdd. */
function interleaved(x: Value): Value {
  const last = x.shape.length - 1;
  const n = x.shape[last];
  const half = Math.ceil(n / 2);
  const even = along(x, 0, half);
  const odd = build.reverse(along(x, half, n - half), [last]);
  const pairs = [even, padLast(odd, 0, 2 * half - n)].map((part) => build.reshape(part, [...part.shape, 1]));
  return along(build.reshape(build.concat(pairs, last + 1), x.shape.with(last, 2 * half)), 0, n);
}

/** Type 2: y_k = 2 sum x_j cos(pi k (2 j + 1) / 2 n). */
function dct2(x: Value): Value {
  const n = x.shape[x.shape.length - 1];
  return build.scale(mul(spectrumOf(evenThenOdd(x)), roots(x.dtype, 4 * n, n)).re, 2);
}

/** Type 3: y_k = x_0 + 2 sum over j > 0 of x_j cos(pi (2 k + 1) j / 2 n): 2 n times the inverse of type 2. */
function dct3(x: Value): Value {
  const last = x.shape.length - 1;
  const n = x.shape[last];
  if (n === 1) return x;
  const half = Math.floor(n / 2) + 1;
  const { re, im } = roots(x.dtype, 4 * n, half);
  // x_n counts as 0.
  const mirrored = build.concat(
    [build.zerosLike(along(x, 0, 1)), build.reverse(along(x, n - half + 1, half - 1), [last])],
    last,
  );
  const spectrum = mul({ re: along(x, 0, half), im: build.neg(mirrored) }, { re, im: build.neg(im) });
  return interleaved(build.scale(irfft(toPlanes(spectrum), [last], n), n));
}

/** Type 1: y_k = x_0 + (-1)^k x_(n-1) + 2 sum of the others x_j cos(pi k j / (n - 1)). */
function dct1(x: Value): Value {
  const last = x.shape.length - 1;
  const n = x.shape[last];
  const mirrored = build.reverse(along(x, 1, n - 2), [last]);
  const even = n === 2 ? x : build.concat([x, mirrored], last);
  return fromPlanes(rfft(even, [last])).re;
}

/** Type 4: y_k = 2 sum x_j cos(pi (2 k + 1) (2 j + 1) / 4 n). */
function dct4(x: Value): Value {
  const n = x.shape[x.shape.length - 1];
  const turned = mul(realOf(x), roots(x.dtype, 4 * n, n));
  const spectrum = fft(padLast(toPlanes(turned), 0, n), [x.shape.length - 1], false);
  return build.scale(mul(fromPlanes(along(spectrum, 0, n)), roots(x.dtype, 8 * n, n, 1, 2)).re, 2);
}

export type DctType = 1 | 2 | 3 | 4;

/** Along the last axis, not scaled. */
export function dct(x: Value, type: DctType): Value {
  return { 1: dct1, 2: dct2, 3: dct3, 4: dct4 }[type](x);
}
