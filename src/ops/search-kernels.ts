/**
 * Kernels that find where the best element of an axis stands. Along the lanes' own axis each lane keeps the best of its elements, and
 * they are compared at the end; across it lanes run along what lies behind. How a long axis is cut depends on the shape alone.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import { type DType, isFloat } from '../types/dtype.ts';
import { constantOf, elemOf, rangeOf } from './elements.ts';
import type { KernelsContext, KernelStage } from './lowering.ts';

/** The place of a lane that has found nothing better than the start. */
const NOWHERE = 2147483647;
/** Lists of lanes that are kept side by side, to hide the latency of one comparison behind the next. */
const SIDE_BY_SIDE = 4;
/** Few rows of this length or more are cut into so many parts. */
const LONG_ROW = 65536;
const PARTS = 16;
const MANY_ROWS = 16;
/** Columns that are looked through together, and rows that one chunk does of short ones. */
const COLUMNS = 8;
const CHUNK = 16384;

export type Better = 'gt' | 'lt';

interface Search {
  readonly context: KernelsContext;
  readonly better: Better;
  readonly outer: number;
  readonly n: number;
  readonly inner: number;
  readonly dtype: DType;
}

/** The shape of the input is [outer, n, inner] around the axis. */
export function emitSearch(context: KernelsContext, better: Better, [outer, n, inner]: readonly number[]): void {
  const search: Search = { context, better, outer, n, inner, dtype: context.inputs[0].dtype };
  if (inner > 1) context.kernel('', (stage) => inColumns(search, stage), 3 * n);
  else if (n >= LONG_ROW && outer < MANY_ROWS) inParts(search);
  else context.kernel('', (stage) => inRows(search, stage), 3 * n);
}

/** What every element is better than, or equal to. */
function worst({ dtype, better }: Search, b: KernelBuilder): Reg {
  const [least, greatest] = rangeOf(dtype);
  return constantOf(b, dtype, better === 'gt' ? least : greatest);
}

interface Best {
  readonly value: Reg;
  readonly place: Reg;
}

function start(search: Search, b: KernelBuilder): Best {
  return { value: b.acc(worst(search, b)), place: b.acc(b.i32(NOWHERE)) };
}

/** Strictly better wins, so the first of equals stays; nothing is better than NaN, nor is NaN better than anything. */
function look({ better }: Search, b: KernelBuilder, best: Best, x: Reg, place: Reg): void {
  const wins = b.compare(better, x, best.value);
  b.set(best.value, b.select(wins, x, best.value));
  b.set(best.place, b.select(wins, place, best.place));
}

/** The best of a stretch of a row that begins at `from`, in every lane: its value and its place in the row. */
function stretch(search: Search, stage: KernelStage, row: Affine, from: Affine, length: number): Best {
  const { b } = stage;
  const x = stage.input(0);
  const base = plus(times(row, search.n), from);
  const lists = Math.min(SIDE_BY_SIDE, Math.max(1, Math.floor(length / b.lanes)));
  const bests = Array.from({ length: lists }, () => start(search, b));
  const step = lists * b.lanes;
  const whole = length - (length % step);
  if (whole > 0) {
    b.loop(
      'i',
      0,
      whole,
      (v) => {
        bests.forEach((best, l) => {
          const at = shift(variable(v), l * b.lanes);
          look(search, b, best, b.load(x, plus(base, at), 1, b.lanes), b.index(plus(from, at), 1));
        });
      },
      { step },
    );
  }
  for (let at = whole; at < length; at += b.lanes) {
    const lanes = Math.min(b.lanes, length - at);
    const loaded = b.load(x, shift(base, at), 1, lanes);
    const active = b.compare('lt', b.index(constant(0), 1), b.i32(lanes));
    const value = lanes === b.lanes ? loaded : b.select(active, loaded, worst(search, b));
    look(search, b, bests[((at - whole) / b.lanes) % lists], value, b.index(shift(from, at), 1));
  }
  return bests.map((best) => acrossLanes(search, b, best)).reduce((a, c) => nearer(search, b, a, c));
}

function acrossLanes({ better }: Search, b: KernelBuilder, { value, place }: Best): Best {
  const best = b.reduceLanes(better === 'gt' ? 'max' : 'min', value, b.lanes);
  const own = b.select(b.compare('eq', value, best), place, b.i32(NOWHERE));
  return { value: best, place: b.reduceLanes('min', own, b.lanes) };
}

/** The better of two; of equals the one in front. */
function nearer({ better }: Search, b: KernelBuilder, a: Best, c: Best): Best {
  const first = b.binary(
    'or',
    b.compare(better, c.value, a.value),
    b.binary('and', b.compare('eq', c.value, a.value), b.compare('lt', c.place, a.place)),
  );
  return { value: b.select(first, c.value, a.value), place: b.select(first, c.place, a.place) };
}

/** A NaN in front is never beaten; where nothing was better than the start, the first place is as good as any. */
function finish({ dtype }: Search, b: KernelBuilder, first: Reg, place: Reg): Reg {
  const found = b.select(b.compare('eq', place, b.i32(NOWHERE)), b.i32(0), place);
  return isFloat(dtype) ? b.select(b.compare('ne', first, first), b.i32(0), found) : found;
}

function inRows(search: Search, stage: KernelStage): void {
  const { b } = stage;
  const { outer, n } = search;
  const block = Math.max(1, Math.floor(CHUNK / n));
  b.region('rows', Math.ceil(outer / block), (c) => {
    b.loop('row', [variable(c, block)], [shift(variable(c, block), block), constant(outer)], (v) => {
      const row = variable(v);
      const { place } = stretch(search, stage, row, constant(0), n);
      const first = b.load(stage.input(0), times(row, n), 0, 1);
      b.store(stage.output(0), row, 1, 1, finish(search, b, first, place));
    });
  });
}

function inParts(search: Search): void {
  const { context, outer, n, dtype } = search;
  const length = Math.ceil(n / PARTS);
  const values = context.scratch(elemOf(dtype), outer * PARTS);
  const places = context.scratch('i32', outer * PARTS);
  context.kernel(
    'parts',
    (stage) => {
      const { b } = stage;
      const memory = [stage.scratch(values, 'write'), stage.scratch(places, 'write')];
      const part = (p: Affine, from: Affine, size: number) =>
        b.each('row', outer, (row) => {
          const best = stretch(search, stage, row, from, size);
          const at = plus(times(row, PARTS), p);
          b.store(memory[0], at, 1, 1, best.value);
          b.store(memory[1], at, 1, 1, best.place);
        });
      const full = Math.floor(n / length);
      b.region('part', full, (p) => part(variable(p), variable(p, length), length));
      for (let p = full; p < PARTS; p++)
        b.region('rest', 1, () => part(constant(p), constant(p * length), Math.max(0, n - p * length)));
    },
    3 * n,
  );
  context.kernel('', (stage) => {
    const { b } = stage;
    const memory = [stage.scratch(values, 'read'), stage.scratch(places, 'read')];
    b.region('row', outer, (row) => {
      const at = (p: number) => shift(variable(row, PARTS), p);
      const bests = Array.from({ length: PARTS }, (_, p) => ({
        value: b.load(memory[0], at(p), 0, 1),
        place: b.load(memory[1], at(p), 0, 1),
      }));
      const { place } = bests.reduce((a, c) => nearer(search, b, a, c));
      const first = b.load(stage.input(0), variable(row, n), 0, 1);
      b.store(stage.output(0), variable(row), 1, 1, finish(search, b, first, place));
    });
  });
}

/** Lanes run along inner; several vectors of columns walk down the axis together. */
function inColumns(search: Search, stage: KernelStage): void {
  const { b } = stage;
  const { outer, n, inner } = search;
  const x = stage.input(0);
  const wide = Math.min(COLUMNS, Math.ceil(inner / b.lanes)) * b.lanes;
  const columns = (row: Affine, from: Affine, width: number) => {
    const vectors: number[] = [];
    for (let at = 0; at < width; at += b.lanes) vectors.push(Math.min(b.lanes, width - at));
    const bests = vectors.map(() => start(search, b));
    const at = (i: Affine, v: number) => plus(plus(times(row, n * inner), times(i, inner)), shift(from, v * b.lanes));
    b.loop('i', 0, n, (i) => {
      const place = b.index(variable(i));
      vectors.forEach((lanes, v) => look(search, b, bests[v], b.load(x, at(variable(i), v), 1, lanes), place));
    });
    vectors.forEach((lanes, v) => {
      const first = b.load(x, at(constant(0), v), 1, lanes);
      const to = plus(times(row, inner), shift(from, v * b.lanes));
      b.store(stage.output(0), to, 1, lanes, finish(search, b, first, bests[v].place));
    });
  };
  const full = Math.floor(inner / wide);
  const rest = inner - full * wide;
  if (full > 0) {
    if (outer >= full)
      b.region('outer', outer, (o) => b.each('c', full, (c) => columns(variable(o), times(c, wide), wide)));
    else b.region('c', full, (c) => b.each('outer', outer, (o) => columns(o, variable(c, wide), wide)));
  }
  if (rest > 0) b.region('rest', outer, (o) => columns(variable(o), constant(full * wide), rest));
}
