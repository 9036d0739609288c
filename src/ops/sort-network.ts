/**
 * Sorts many short lists at once, one in each lane, by Batcher's merge exchange for any length (Knuth, The Art of Computer
 * Programming 3, 5.2.2, algorithm M). Key and place are compared together, so equal keys keep their order.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import { elemOf } from './elements.ts';
import type { KernelsContext, KernelStage } from './lowering.ts';
import { keyOf, sortKey } from './sort-keys.ts';

/** Compare-exchanges of a network for n elements. */
export function networkSize(n: number): number {
  let size = 0;
  eachPhase(n, (pairs) => {
    size += pairs;
  });
  return size;
}

interface Phase {
  readonly p: number;
  readonly r: number;
  readonly d: number;
}

/** The phases in order, with their number of pairs (i, i + d): those i below n - d whose bit p is that of r. */
function eachPhase(n: number, visit: (pairs: number, phase: Phase) => void): void {
  if (n < 2) return;
  const top = 2 ** (Math.ceil(Math.log2(n)) - 1);
  for (let p = top; p >= 1; p /= 2) {
    for (let q = top, r = 0, d = p; ; q /= 2) {
      const reach = n - d - r;
      const full = Math.floor(reach / (2 * p));
      if (reach > 0) visit(full * p + Math.min(p, reach - full * 2 * p), { p, r, d });
      if (q === p) break;
      d = q - p;
      r = p;
    }
  }
}

interface Lists {
  readonly n: number;
  /** Lists stand side by side in memory (inner > 1), or one behind the other. */
  readonly sideBySide: boolean;
  readonly outer: number;
  readonly width: number;
}

export function emitNetwork(context: KernelsContext, descending: boolean): void {
  const [outers, n, inner] = context.outputs[0].shape;
  const sideBySide = inner > 1;
  const lists: Lists = { n, sideBySide, outer: sideBySide ? outers : 1, width: sideBySide ? inner : outers };
  const groups = Math.ceil(lists.width / context.lanes);
  const size = lists.outer * groups * n * context.lanes;
  const keys = context.scratch(elemOf(keyOf(context.inputs[0].dtype)), size);
  const places = context.scratch('i32', size);
  context.kernel(
    '',
    (stage) => {
      const { b } = stage;
      const memory = { keys: stage.scratch(keys, 'write'), places: stage.scratch(places, 'write') };
      const sort = (o: Affine, g: Affine) => {
        const base = times(plus(times(o, groups), g), n * b.lanes);
        const list: Group = { ...memory, o, g, base };
        read(stage, lists, list, descending);
        network(b, n, list);
        write(stage, lists, list);
      };
      if (groups >= lists.outer)
        b.region('group', groups, (g) => b.each('o', lists.outer, (o) => sort(o, variable(g))));
      else b.region('o', lists.outer, (o) => b.each('group', groups, (g) => sort(variable(o), g)));
    },
    (3 * networkSize(n)) / n,
  );
}

/** `lanes` lists: element i of all of them stands at base + i * lanes in the work space. */
interface Group {
  readonly keys: number;
  readonly places: number;
  readonly o: Affine;
  readonly g: Affine;
  readonly base: Affine;
}

/** Runs `full` for a group of lists in every lane, and `partial` for the last one where lists are missing. */
function byFill(
  b: KernelBuilder,
  { width }: Lists,
  g: Affine,
  full: () => void,
  partial: (lanes: number) => void,
): void {
  const whole = Math.floor(width / b.lanes);
  const rest = width % b.lanes;
  if (rest === 0) return full();
  if (whole === 0) return partial(rest);
  const left = shift(times(g, -1), whole);
  b.loop('full', 0, [constant(1), left], full);
  b.loop('partial', [constant(0), left], 1, () => partial(rest));
}

function read(stage: KernelStage, lists: Lists, group: Group, descending: boolean): void {
  const { b } = stage;
  const { n, sideBySide, width } = lists;
  const { o, g, base, keys, places } = group;
  const x = stage.input(0);
  const put = (i: Affine, reg: number) => {
    const at = plus(base, times(i, b.lanes));
    b.store(keys, at, 1, b.lanes, sortKey(b, reg, descending));
    b.store(places, at, 1, b.lanes, b.index(i));
  };
  const first = sideBySide ? plus(times(o, n * width), times(g, b.lanes)) : times(g, b.lanes * n);
  const single = (lanes: number, from: number) =>
    b.loop('i', from, n, (v) => {
      const i = variable(v);
      put(i, b.load(x, plus(first, sideBySide ? times(i, width) : i), sideBySide ? 1 : n, lanes));
    });
  const square = sideBySide ? 0 : n - (n % b.lanes);
  byFill(
    b,
    lists,
    g,
    () => {
      if (square > 0) {
        b.loop(
          'square',
          0,
          square,
          (v) => {
            const rows = Array.from({ length: b.lanes }, (_, r) =>
              b.load(x, plus(shift(first, r * n), variable(v)), 1, b.lanes),
            );
            b.transpose(rows).forEach((reg, i) => {
              put(shift(variable(v), i), reg);
            });
          },
          { step: b.lanes },
        );
      }
      if (square < n) single(b.lanes, square);
    },
    (lanes) => single(lanes, 0),
  );
}

function network(b: KernelBuilder, n: number, { keys, places, base }: Group): void {
  eachPhase(n, (_pairs, { p, r, d }) => {
    const exchange = (i: Affine) => {
      const low = plus(base, times(i, b.lanes));
      const high = shift(low, d * b.lanes);
      const load = (buf: number, at: Affine) => b.load(buf, at, 1, b.lanes);
      const [keyA, keyB] = [load(keys, low), load(keys, high)];
      const [placeA, placeB] = [load(places, low), load(places, high)];
      const tie = b.binary('and', b.compare('eq', keyA, keyB), b.compare('gt', placeA, placeB));
      const swaps = b.binary('or', b.compare('gt', keyA, keyB), tie);
      b.store(keys, low, 1, b.lanes, b.binary('min', keyA, keyB));
      b.store(keys, high, 1, b.lanes, b.binary('max', keyA, keyB));
      b.store(places, low, 1, b.lanes, b.select(swaps, placeB, placeA));
      b.store(places, high, 1, b.lanes, b.select(swaps, placeA, placeB));
    };
    const reach = n - d - r;
    const full = Math.floor(reach / (2 * p));
    b.each('block', full, (block) => b.each('i', p, (i) => exchange(shift(plus(times(block, 2 * p), i), r))));
    b.each('i', Math.min(p, reach - full * 2 * p), (i) => exchange(shift(i, full * 2 * p + r)));
  });
}

function write(stage: KernelStage, lists: Lists, { o, g, base, places }: Group): void {
  const { b } = stage;
  const { n, sideBySide, width } = lists;
  const out = stage.output(0);
  const first = sideBySide ? plus(times(o, n * width), times(g, b.lanes)) : times(g, b.lanes * n);
  const take = (i: Affine) => b.load(places, plus(base, times(i, b.lanes)), 1, b.lanes);
  const single = (lanes: number, from: number) =>
    b.loop('i', from, n, (v) => {
      const i = variable(v);
      b.store(out, plus(first, sideBySide ? times(i, width) : i), sideBySide ? 1 : n, lanes, take(i));
    });
  const square = sideBySide ? 0 : n - (n % b.lanes);
  byFill(
    b,
    lists,
    g,
    () => {
      if (square > 0) {
        b.loop(
          'square',
          0,
          square,
          (v) => {
            const columns = Array.from({ length: b.lanes }, (_, i) => take(shift(variable(v), i)));
            b.transpose(columns).forEach((reg, r) => {
              b.store(out, plus(shift(first, r * n), variable(v)), 1, b.lanes, reg);
            });
          },
          { step: b.lanes },
        );
      }
      if (square < n) single(b.lanes, square);
    },
    (lanes) => single(lanes, 0),
  );
}
