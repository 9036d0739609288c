/**
 * Sorts long rows by their keys' bytes, the lowest first: counts, places where each byte begins, then everything moved there in
 * order: four times, or eight. A very long row is cut into parts (by its length alone) that count and move side by side.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import { dtypes } from '../types/dtype.ts';
import { elemOf, rangeOf } from './elements.ts';
import type { KernelsContext, KernelStage, ScratchMemory } from './lowering.ts';
import { keyOf, sortKey } from './sort-keys.ts';

const DIGITS = 256;
/** Rows from this length on are cut into so many parts. */
const LONG_ROW = 65536;
const PARTS = 16;

/** Rough cost of a row of n elements, in compare-exchanges of a network that does one row a lane. */
export function radixCost(n: number): number {
  return 5 * n + 1000;
}

interface Radix {
  readonly context: KernelsContext;
  readonly rows: number;
  readonly n: number;
  readonly parts: number;
  readonly partLength: number;
  /** What the keys are, and their bytes. */
  readonly key: 'int32' | 'int64';
  readonly bytes: number;
}

/** Keys and where they came from. */
interface Pairs {
  readonly keys: ScratchMemory;
  /** null: each is at its own place. */
  readonly places: ScratchMemory | null;
}

export function emitRadix(context: KernelsContext, descending: boolean): void {
  const [rows, n] = context.outputs[0].shape;
  const parts = n >= LONG_ROW ? PARTS : 1;
  const key = keyOf(context.inputs[0].dtype);
  const { bytes } = dtypes[key];
  const radix: Radix = { context, rows, n, parts, partLength: Math.ceil(n / parts), key, bytes };
  let from: Pairs = { keys: context.scratch(elemOf(key), rows * n), places: null };
  context.kernel('keys', (stage) => writeKeys(radix, stage, from.keys, descending));
  for (let byte = 0; byte < bytes; byte++) {
    const counts = context.scratch('i32', rows * parts * DIGITS);
    const starts = context.scratch('i32', rows * parts * DIGITS);
    const source = from;
    const last = byte === bytes - 1;
    const to: Pairs | null = last
      ? null
      : { keys: context.scratch(elemOf(key), rows * n), places: context.scratch('i32', rows * n) };
    context.kernel(`count${byte}`, (stage) => count(radix, stage, source.keys, byte, counts), 4);
    context.kernel(`starts${byte}`, (stage) => findStarts(radix, stage, counts, starts));
    const cursors = context.scratch('i32', rows * parts * DIGITS);
    context.kernel(last ? '' : `move${byte}`, (stage) => move(radix, stage, { source, to, starts, cursors, byte }), 16);
    if (to) from = to;
  }
}

function writeKeys(
  { rows, n, key: keyType }: Radix,
  stage: KernelStage,
  keys: ScratchMemory,
  descending: boolean,
): void {
  const { b } = stage;
  const [from, to] = [stage.input(0), stage.scratch(keys, 'write')];
  const size = rows * n;
  const vector = (at: Affine, lanes: number) => {
    // The sign bit is turned over, so that the keys ascend as numbers without a sign.
    const key = sortKey(b, b.load(from, at, 1, lanes), descending);
    b.store(to, at, 1, lanes, b.binary('xor', key, b.like(key, rangeOf(keyType)[0])));
  };
  const block = 8192;
  const blocks = Math.floor(size / block);
  b.region('block', blocks, (c) => {
    b.loop('v', 0, block, (v) => vector(plus(variable(c, block), variable(v)), b.lanes), { step: b.lanes });
  });
  const rest = size - blocks * block;
  if (rest === 0) return;
  const whole = rest - (rest % b.lanes);
  b.region('rest', 1, () => {
    if (whole > 0) b.loop('v', 0, whole, (v) => vector(shift(variable(v), blocks * block), b.lanes), { step: b.lanes });
    if (whole < rest) vector(constant(blocks * block + whole), rest - whole);
  });
}

/** Visits each part of each row as a chunk: the number of the part among all, its row, and bounds of its elements. */
function eachPart(
  { rows, n, parts, partLength }: Radix,
  b: KernelBuilder,
  visit: (part: Affine, row: Affine, lo: Affine, hi: readonly Affine[]) => void,
): void {
  if (parts === 1) {
    b.region('row', rows, (row) => visit(variable(row), variable(row), constant(0), [constant(n)]));
    return;
  }
  b.region('part', parts, (part) =>
    b.each('row', rows, (row) => {
      const lo = variable(part, partLength);
      visit(plus(times(row, parts), variable(part)), row, lo, [shift(lo, partLength), constant(n)]);
    }),
  );
}

function digitOf({ bytes, key: type }: Radix, b: KernelBuilder, key: Reg, byte: number, site: number): Reg {
  const shifted = byte === 0 ? key : b.binary('shr', key, b.like(key, 8 * byte));
  const low = type === 'int64' ? b.convert('i64ToI32', shifted) : shifted;
  const digit = byte === bytes - 1 ? low : b.binary('and', low, b.i32(DIGITS - 1));
  return b.guard(digit, DIGITS, site);
}

function count(radix: Radix, stage: KernelStage, keys: ScratchMemory, byte: number, counts: ScratchMemory): void {
  const { b } = stage;
  const [from, to] = [stage.scratch(keys, 'read'), stage.scratch(counts, 'write')];
  const site = stage.site('digit', DIGITS);
  eachPart(radix, b, (part, row, lo, hi) => {
    const table = times(part, DIGITS);
    b.loop('d', 0, DIGITS, (d) => b.store(to, plus(table, variable(d)), 1, b.lanes, b.i32(0)), { step: b.lanes });
    b.loop('i', [lo], hi, (v) => {
      const key = b.load(from, plus(times(row, radix.n), variable(v)), 1, 1);
      const dyn = { index: digitOf(radix, b, key, byte, site), scale: 1 };
      b.store(to, table, 1, 1, b.binary('add', b.load(to, table, 1, 1, dyn), b.i32(1)), dyn);
    });
  });
}

/** Where the elements of each digit begin, and among those of one digit the elements of each part. */
function findStarts({ rows, parts }: Radix, stage: KernelStage, counts: ScratchMemory, starts: ScratchMemory): void {
  const { b } = stage;
  const [from, to] = [stage.scratch(counts, 'read'), stage.scratch(starts, 'write')];
  b.region('row', rows, (row) => {
    const total = b.acc(b.i32(0));
    b.loop('d', 0, DIGITS, (d) =>
      b.each('part', parts, (part) => {
        const at = plus(plus(variable(row, parts * DIGITS), times(part, DIGITS)), variable(d));
        const number = b.load(from, at, 1, 1);
        b.store(to, at, 1, 1, total);
        b.set(total, b.binary('add', total, number));
      }),
    );
  });
}

interface Move {
  readonly source: Pairs;
  /** null: the last move, which gives the result. */
  readonly to: Pairs | null;
  readonly starts: ScratchMemory;
  readonly cursors: ScratchMemory;
  readonly byte: number;
}

function move(radix: Radix, stage: KernelStage, { source, to, starts, cursors, byte }: Move): void {
  const { b } = stage;
  const { n } = radix;
  const keys = stage.scratch(source.keys, 'read');
  const places = source.places && stage.scratch(source.places, 'read');
  const begin = stage.scratch(starts, 'read');
  const cursor = stage.scratch(cursors, 'write');
  const toKeys = to && stage.scratch(to.keys, 'write');
  const toPlaces = to?.places ? stage.scratch(to.places, 'write') : stage.output(0);
  const digits = stage.site('digit', DIGITS);
  const target = stage.site('place', n);
  eachPart(radix, b, (part, row, lo, hi) => {
    const table = times(part, DIGITS);
    b.loop(
      'd',
      0,
      DIGITS,
      (d) => {
        const at = plus(table, variable(d));
        b.store(cursor, at, 1, b.lanes, b.load(begin, at, 1, b.lanes));
      },
      { step: b.lanes },
    );
    b.loop('i', [lo], hi, (v) => {
      const at = plus(times(row, n), variable(v));
      const key = b.load(keys, at, 1, 1);
      const place = places === null ? b.index(variable(v)) : b.load(places, at, 1, 1);
      const digit = { index: digitOf(radix, b, key, byte, digits), scale: 1 };
      const next = b.load(cursor, table, 1, 1, digit);
      const there = { index: b.guard(next, n, target), scale: 1 };
      if (toKeys !== null) b.store(toKeys, times(row, n), 1, 1, key, there);
      b.store(toPlaces, times(row, n), 1, 1, place, there);
      b.store(cursor, table, 1, 1, b.binary('add', next, b.i32(1)), digit);
    });
  });
}
