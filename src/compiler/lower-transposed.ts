/**
 * Elementwise groups that read across: where the lanes would gather elements that lie apart, but along another axis they lie
 * together. Then squares of lanes are read along that axis and transposed in registers. Knows no op, and of expressions only
 * how they are asked for.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import type { Coord } from '../ops/lowering.ts';
import type { Emitter } from './emitter.ts';
import { coord } from './index-space.ts';
import { blockedRegion, chunkElements, type NestOptions } from './nest.ts';

/** How one access of an expression moves along each of the nest's axes, in elements. */
export interface AccessSteps {
  readonly op: 'load' | 'store';
  readonly steps: readonly number[];
}

/**
 * Elements along `across` and along the last axis of a block of squares. Each row that is read is walked for `across` elements: the
 * longer, the better the processor reads ahead, and the fewer pages are touched. Where the written rows lie far apart, several lines
 * of each are written before its page is left, though not so many that the rows that are read crowd the sets of the caches; where
 * they lie close together one square is enough.
 */
const FAR = { across: 1024, along: 64 };
const CLOSE = { across: 256, along: 16 };
/** Elements from one written row to the next, up to which they lie close together; and the least to walk before threads share more. */
const CLOSE_PITCH = 256;
const LEAST_ACROSS = 128;

/**
 * The axis along which everything that is read across lies together, or -1 where there is none or it would not pay. Lanes run
 * along the last axis.
 */
export function axisAcross(accesses: readonly AccessSteps[], extents: readonly number[], lanes: number): number {
  const last = extents.length - 1;
  if (lanes < 2 || last < 1 || extents[last] < lanes) return -1;
  const across = accesses.filter(({ op, steps }) => op === 'load' && steps[last] !== 0 && steps[last] !== 1);
  const kinds = new Set(across.map(({ steps }) => steps.join()));
  if (across.length === 0 || kinds.size > 2) return -1;
  return extents.findIndex(
    (extent, axis) => axis !== last && extent >= lanes && across.every(({ steps }) => steps[axis] === 1),
  );
}

type Leaf = (at: Coord[], lanes: number) => void;

/** Visits every element of the box once, most of them in squares of lanes along `across` and the last axis. */
export function writeTransposed(
  emitter: Emitter,
  extents: readonly number[],
  across: number,
  options: NestOptions,
  leaf: Leaf,
): void {
  const { b } = emitter;
  const last = extents.length - 1;
  const side = b.lanes;
  const [rows, columns] = [Math.floor(extents[across] / side), Math.floor(extents[last] / side)];
  const at: Coord[] = extents.map(() => coord(constant(0)));
  const others = extents.map((_, axis) => axis).filter((axis) => axis !== across && axis !== last);
  const pitch = extents.slice(across + 1).reduce((product, extent) => product * extent, 1);
  const shape = pitch > CLOSE_PITCH ? FAR : CLOSE;
  const width = Math.max(1, Math.floor(shape.along / side));
  const square = (row: Affine, column: Affine) => {
    emitter.inSquare(side, (r) => {
      at[across] = coord(shift(times(row, side), r));
      at[last] = coord(times(column, side), 1);
      leaf(at.slice(), side);
    });
  };
  /** Squares of `count` rows (or up to the bound `count`): strips of `width` columns, each from end to end before the next row. */
  const squares = (first: Affine, count: Affine | number) => {
    const strip = (column: Affine, columns: number) => {
      const across = (row: Affine) => b.each('column', columns, (c) => square(row, plus(column, c)));
      if (typeof count === 'number') b.each('row', count, (row) => across(plus(first, row)));
      else b.loop('row', [first], [count, constant(rows)], (row) => across(variable(row)));
    };
    const whole = Math.floor(columns / width);
    b.each('strip', whole, (v) => strip(times(v, width), width));
    if (columns > whole * width) strip(constant(whole * width), columns - whole * width);
  };
  const total = extents.reduce((product, extent) => product * extent, 1);
  const chunk = chunkElements(total, options);
  const shared = others.find((axis) => extents[axis] >= Math.min(Math.ceil(total / chunk), options.threads * 4));
  const fair = shared === undefined ? Math.max(LEAST_ACROSS, extents[across] / (options.threads * 4)) : shape.across;
  const block = Math.max(1, Math.floor(Math.min(shape.across, fair) / side));
  const blocks = Math.ceil(rows / block);
  shareAxis(
    b,
    extents,
    shared,
    others,
    at,
    chunk,
    total,
    () => {
      const whole = Math.floor(rows / block);
      b.each('block', whole, (v) => squares(times(v, block), block));
      if (whole < blocks) squares(constant(whole * block), rows - whole * block);
      edges(b, extents, across, side, at, leaf);
    },
    (nest) => {
      b.region('block', blocks, (v) => nest(() => squares(variable(v, block), shift(variable(v, block), block))));
      b.region('edges', 1, () => nest(() => edges(b, extents, across, side, at, leaf)));
    },
  );
}

/** What no square covers: the last columns of all rows, and the last rows. */
function edges(
  b: KernelBuilder,
  extents: readonly number[],
  across: number,
  side: number,
  at: Coord[],
  leaf: Leaf,
): void {
  const last = extents.length - 1;
  const columns = extents[last] - (extents[last] % side);
  const rows = extents[across] - (extents[across] % side);
  if (columns < extents[last]) {
    b.each('row', extents[across], (row) => {
      at[across] = coord(row);
      at[last] = coord(constant(columns), 1);
      leaf(at.slice(), extents[last] - columns);
    });
  }
  if (rows < extents[across]) {
    b.each('row', extents[across] - rows, (row) => {
      b.loop(
        'column',
        0,
        columns,
        (column) => {
          at[across] = coord(shift(row, rows));
          at[last] = coord(variable(column), 1);
          leaf(at.slice(), side);
        },
        { step: side },
      );
    });
  }
}

/** Threads share `shared` where there is such an axis, with all others inside of it; else the caller's own regions. */
function shareAxis(
  b: KernelBuilder,
  extents: readonly number[],
  shared: number | undefined,
  others: readonly number[],
  at: Coord[],
  chunk: number,
  total: number,
  whole: () => void,
  own: (nest: (body: () => void) => void) => void,
): void {
  const nest = (axes: readonly number[], body: () => void): void => {
    if (axes.length === 0) return body();
    b.each(`i${axes[0]}`, extents[axes[0]], (i) => {
      at[axes[0]] = coord(i);
      nest(axes.slice(1), body);
    });
  };
  if (shared === undefined) return own((body) => nest(others, body));
  const each = Math.max(1, Math.floor(chunk / (total / extents[shared])));
  blockedRegion(b, 'c', extents[shared], each, (i) => {
    at[shared] = coord(i);
    nest(
      others.filter((axis) => axis !== shared),
      whole,
    );
  });
}
