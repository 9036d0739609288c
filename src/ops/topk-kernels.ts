/**
 * The few first of many in one pass: every lane keeps a short list of its own, in order, and a vector is only looked at closely
 * where one of its elements beats the last of a list. The lists of a row are put together at the end, one candidate after the other.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import { constantOf, elemOf, rangeOf } from './elements.ts';
import type { KernelsContext, KernelStage } from './lowering.ts';
import { keyOf, sortKey } from './sort-keys.ts';

/** What an empty place of a list holds: behind every element, since no element has such a place. */
const EMPTY = 2147483647;
/** Vectors that one look decides on. */
const VECTORS = 4;
/** Rows from this length on are cut into so many parts where there are few of them. */
const LONG_ROW = 65536;
const PARTS = 8;
const MANY_ROWS = 8;

type KeyType = ReturnType<typeof keyOf>;

/** The key of an empty place. */
function emptyKey(b: KernelBuilder, type: KeyType): Reg {
  return constantOf(b, type, rangeOf(type)[1]);
}

/** Keys and places in order: accumulators. */
interface List {
  readonly keys: readonly Reg[];
  readonly places: readonly Reg[];
}

function emptyList(b: KernelBuilder, k: number, type: KeyType): List {
  const accs = (start: Reg) => Array.from({ length: k }, () => b.acc(start));
  return { keys: accs(emptyKey(b, type)), places: accs(b.i32(EMPTY)) };
}

/** Whether (key, place) stands before another pair. */
function before(b: KernelBuilder, key: Reg, place: Reg, otherKey: Reg, otherPlace: Reg): Reg {
  const tie = b.binary('and', b.compare('eq', key, otherKey), b.compare('lt', place, otherPlace));
  return b.binary('or', b.compare('lt', key, otherKey), tie);
}

/** Puts a pair into its place; what falls out at the end is forgotten. */
function insert(b: KernelBuilder, list: List, key: Reg, place: Reg): void {
  let [k, p] = [key, place];
  list.keys.forEach((own, j) => {
    const ownPlace = list.places[j];
    const wins = before(b, k, p, own, ownPlace);
    const [nextKey, nextPlace] = [b.select(wins, own, k), b.select(wins, ownPlace, p)];
    b.set(own, b.select(wins, k, own));
    b.set(ownPlace, b.select(wins, p, ownPlace));
    [k, p] = [nextKey, nextPlace];
  });
}

/** Runs the body where the mask holds in any lane. */
function whenAny(b: KernelBuilder, mask: Reg, body: () => void): void {
  const any = b.reduceLanes('max', b.convert('maskToI32', mask), b.lanes);
  b.when(b.convert('i32ToMask', any), body);
}

export function emitTopk(context: KernelsContext, k: number, descending: boolean): void {
  const [rows, n] = context.inputs[0].shape;
  const parts = n >= LONG_ROW && rows < MANY_ROWS ? PARTS : 1;
  const length = Math.ceil(n / parts);
  const { lanes } = context;
  const count = parts * k * lanes;
  const type = keyOf(context.inputs[0].dtype);
  const keys = context.scratch(elemOf(type), rows * count);
  const places = context.scratch('i32', rows * count);
  context.kernel(
    'lists',
    (stage) => {
      const { b } = stage;
      const memory = [stage.scratch(keys, 'write'), stage.scratch(places, 'write')];
      const part = (row: Affine, p: Affine, from: Affine, size: number) => {
        const list = oneList(stage, { row, n, k, from, size, descending, type });
        const at = plus(times(row, count), times(p, k * lanes));
        list.keys.forEach((key, j) => {
          b.store(memory[0], shift(at, j * lanes), 1, lanes, key);
          b.store(memory[1], shift(at, j * lanes), 1, lanes, list.places[j]);
        });
      };
      const full = Math.floor(n / length);
      const rest = n - full * length;
      if (full === 1 && rest === 0) b.region('row', rows, (row) => part(variable(row), constant(0), constant(0), n));
      else {
        b.region('part', full, (p) =>
          b.each('row', rows, (row) => part(row, variable(p), variable(p, length), length)),
        );
        // Parts that are empty get lists that are, too.
        for (let p = full; p < parts; p++) {
          const size = Math.max(0, n - p * length);
          b.region('rest', 1, () => b.each('row', rows, (row) => part(row, constant(p), constant(p * length), size)));
        }
      }
    },
    (3 * n) / k,
  );
  context.kernel(
    '',
    (stage) => merge(stage, stage.scratch(keys, 'read'), stage.scratch(places, 'read'), { rows, k, count, type }),
    8 * lanes * parts,
  );
}

interface Part {
  readonly row: Affine;
  readonly n: number;
  readonly k: number;
  readonly from: Affine;
  readonly size: number;
  readonly descending: boolean;
  readonly type: KeyType;
}

function isActive(b: KernelBuilder, lanes: number): Reg {
  return b.compare('lt', b.index(constant(0), 1), b.i32(lanes));
}

/** The first k of each lane's elements of a part. */
function oneList(stage: KernelStage, { row, n, k, from, size, descending, type }: Part): List {
  const { b } = stage;
  const x = stage.input(0);
  const list = emptyList(b, k, type);
  const empty = emptyKey(b, type);
  // Of all lanes together k elements have keys up to this one: what is not below it comes later and cannot be among the first k.
  const bound = b.acc(empty);
  const filled = Math.ceil(k / b.lanes) - 1;
  const base = plus(times(row, n), from);
  const fits = (key: Reg) =>
    b.binary(
      'or',
      b.compare('lt', key, bound),
      b.binary('and', b.compare('eq', key, empty), b.compare('eq', bound, empty)),
    );
  const consider = (at: Affine, lanes: readonly number[]) => {
    const loaded = lanes.map((active, v) => {
      const place = shift(at, v * b.lanes);
      const key = sortKey(b, b.load(x, plus(base, place), 1, active), descending);
      return { key: active === b.lanes ? key : b.select(isActive(b, active), key, empty), place, active };
    });
    const least = loaded.map(({ key }) => key).reduce((a, c) => b.binary('min', a, c));
    whenAny(b, fits(least), () => {
      for (const { key, place, active } of loaded) {
        whenAny(b, fits(key), () => {
          const index = b.index(plus(from, place), 1);
          insert(b, list, key, active === b.lanes ? index : b.select(isActive(b, active), index, b.i32(EMPTY)));
        });
      }
      const ofAll = b.reduceLanes('max', list.keys[filled], b.lanes);
      b.set(bound, b.binary('min', ofAll, b.reduceLanes('min', list.keys[k - 1], b.lanes)));
    });
  };
  const step = VECTORS * b.lanes;
  const whole = size - (size % step);
  if (whole > 0)
    b.loop('i', 0, whole, (v) => consider(variable(v), new Array<number>(VECTORS).fill(b.lanes)), { step });
  for (let at = whole; at < size; at += b.lanes) consider(constant(at), [Math.min(b.lanes, size - at)]);
  return list;
}

/** All candidates of a row, one after the other. */
function merge(
  stage: KernelStage,
  keys: number,
  places: number,
  {
    rows,
    k,
    count,
    type,
  }: { readonly rows: number; readonly k: number; readonly count: number; readonly type: KeyType },
): void {
  const { b } = stage;
  const out = stage.output(0);
  b.region('row', rows, (row) => {
    const list = emptyList(b, k, type);
    const [lastKey, lastPlace] = [list.keys[k - 1], list.places[k - 1]];
    b.loop('c', 0, count, (c) => {
      const at = plus(variable(row, count), variable(c));
      const [key, place] = [b.load(keys, at, 0, 1), b.load(places, at, 0, 1)];
      b.when(before(b, key, place, lastKey, lastPlace), () => insert(b, list, key, place));
    });
    list.places.forEach((place, j) => {
      b.store(out, shift(variable(row, k), j), 1, 1, place);
    });
  });
}
