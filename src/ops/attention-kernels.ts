/**
 * Kernels of attention. A tile of rows (queries, or keys in the gradient for keys and values) meets all columns of the other
 * sequence, block by block; what stands between scores and results lies in memory that one chunk uses again for each of its tiles, so
 * it grows with the length of a sequence and not with its square. Knows nothing of graphs.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import type { KernelContext } from './lowering.ts';
import { boolAttr, intAttr } from './rule.ts';

/** Rows and vectors of columns of a register tile. */
function tileShape(lanes: number): { rows: number; vectors: number } {
  if (lanes >= 16) return { rows: 8, vectors: 3 };
  return lanes >= 8 ? { rows: 6, vectors: 2 } : { rows: 4, vectors: 2 };
}

/** Where there are fewer heads than this, blocks of rows are shared among threads instead. */
const MANY_HEADS = 16;
const MOST_BLOCKS = 32;
const LOWEST = -3.4e38;

/** Some neighbouring rows of one head; `base` is where the chunk's own memory begins. */
interface Tile {
  readonly head: Affine;
  readonly row: Affine;
  readonly rows: number;
  readonly base: Affine;
}

/** The columns that a tile meets, in blocks of `width`; blocks behind `end` (in order of the walk) are masked for all its rows. */
interface Columns {
  readonly total: number;
  readonly width: number;
  readonly lanes: number;
  readonly end: Affine | null;
  /** From the last column to the first. */
  readonly fromEnd: boolean;
}

/** Rows of A side by side, one after the other in memory. */
interface Matrix {
  readonly buffer: number;
  readonly at: Affine;
  readonly step: number;
}

interface Walk {
  readonly b: KernelBuilder;
  readonly memory: number;
  readonly padded: number;
  readonly rows: number;
}

/** Calls `write` for every tile of every head. A chunk's memory holds `slots` tables of a tile's rows, and a number for each row. */
function forTiles(
  context: KernelContext,
  heads: number,
  rows: number,
  columns: number,
  slots: number,
  write: (walk: Walk, tile: Tile) => void,
): void {
  const { b } = context;
  const shape = tileShape(b.lanes);
  const size = Math.min(shape.rows, rows);
  const width = shape.vectors * b.lanes;
  const padded = Math.ceil(columns / width) * width;
  const own = size * (slots * padded + 1);
  const tiles = Math.floor(rows / size);
  const rest = rows - tiles * size;
  const last = constant(tiles * size);
  if (heads >= MANY_HEADS || tiles < 4) {
    const walk = { b, memory: context.scratch(heads * own), padded, rows: size };
    b.region('head', heads, (h) => {
      const place = { head: variable(h), base: variable(h, own) };
      b.each('tile', tiles, (t) => write(walk, { ...place, row: times(t, size), rows: size }));
      if (rest > 0) write(walk, { ...place, row: last, rows: rest });
    });
    return;
  }
  const per = Math.ceil(tiles / MOST_BLOCKS);
  const blocks = Math.ceil(tiles / per);
  const walk = { b, memory: context.scratch((blocks + heads) * own), padded, rows: size };
  b.region('block', blocks, (c) => {
    b.each('head', heads, (head) => {
      b.loop('tile', [variable(c, per)], [shift(variable(c, per), per), constant(tiles)], (t) =>
        write(walk, { head, base: variable(c, own), row: variable(t, size), rows: size }),
      );
    });
  });
  if (rest === 0) return;
  b.region('rest', heads, (h) => {
    write(walk, { head: variable(h), base: shift(variable(h, own), blocks * own), row: last, rows: rest });
  });
}

/** Calls `body` with the first column of each block and the active lanes of its vectors. */
function forBlocks(b: KernelBuilder, c: Columns, body: (column: Affine, lanes: readonly number[]) => void): void {
  const whole = Math.floor(c.total / c.width) * c.width;
  const list = (count: number) =>
    Array.from({ length: Math.ceil(count / c.lanes) }, (_, v) => Math.min(c.lanes, count - v * c.lanes));
  if (whole > 0) {
    const hi = c.end ? [constant(whole), c.end] : [constant(whole)];
    b.loop(
      'block',
      [constant(0)],
      hi,
      (u) => body(c.fromEnd ? shift(variable(u, -1), c.total - c.width) : variable(u), list(c.width)),
      { step: c.width },
    );
  }
  const rest = c.total - whole;
  if (rest === 0) return;
  const column = constant(c.fromEnd ? 0 : whole);
  if (!c.end) return body(column, list(rest));
  b.loop('last', [constant(0)], [constant(1), shift(c.end, -whole)], () => body(column, list(rest)));
}

/** Register tile: for each row and vector the products of a row of `a` and columns of `bT`, summed over `depth`. */
function products(
  b: KernelBuilder,
  a: Matrix,
  bT: Matrix,
  size: { readonly rows: number; readonly depth: number },
  column: Affine,
  lanes: readonly number[],
): Reg[][] {
  const sums = Array.from({ length: size.rows }, () => lanes.map(() => b.acc(b.real(0))));
  b.each('d', size.depth, (d) => {
    const vectors = lanes.map((active, v) =>
      b.load(bT.buffer, plus(plus(bT.at, times(d, bT.step)), shift(column, v * b.lanes)), 1, active),
    );
    for (let r = 0; r < size.rows; r++) {
      const x = b.load(a.buffer, plus(shift(a.at, r * a.step), d), 0, b.lanes);
      vectors.forEach((vector, v) => {
        b.fmaAcc(sums[r][v], x, vector);
      });
    }
  });
  return sums;
}

/** out[row, e] = scale(row) * sum over columns of table[row, column] * values[column, e]. */
function combine(
  walk: Walk,
  tile: Tile,
  slot: number,
  range: { readonly lo: readonly Affine[]; readonly hi: readonly Affine[] },
  values: Matrix,
  out: Matrix,
  scaled: boolean,
): void {
  const { b } = walk;
  const wide = tileShape(b.lanes).vectors;
  const group = (from: Affine, lanes: readonly number[]) => {
    const sums = Array.from({ length: tile.rows }, () => lanes.map(() => b.acc(b.real(0))));
    b.loop('j', range.lo, range.hi, (j) => {
      const vectors = lanes.map((active, v) =>
        b.load(values.buffer, plus(plus(values.at, variable(j, values.step)), shift(from, v * b.lanes)), 1, active),
      );
      for (let r = 0; r < tile.rows; r++) {
        const x = b.load(walk.memory, plus(tableAt(walk, tile, slot, r), variable(j)), 0, b.lanes);
        vectors.forEach((vector, v) => {
          b.fmaAcc(sums[r][v], x, vector);
        });
      }
    });
    sums.forEach((row, r) => {
      const factor = scaled ? b.load(walk.memory, factorAt(walk, tile, constant(r)), 0, b.lanes) : null;
      row.forEach((sum, v) => {
        const at = plus(shift(out.at, r * out.step), shift(from, v * b.lanes));
        b.store(out.buffer, at, 1, lanes[v], factor === null ? sum : b.binary('mul', sum, factor));
      });
    });
  };
  const span = wide * b.lanes;
  const full = Math.floor(out.step / span);
  const list = (count: number) =>
    Array.from({ length: Math.ceil(count / b.lanes) }, (_, v) => Math.min(b.lanes, count - v * b.lanes));
  b.each('e', full, (e) => group(times(e, span), list(span)));
  if (out.step > full * span) group(constant(full * span), list(out.step - full * span));
}

function tableAt(walk: Walk, tile: Tile, slot: number, row: number): Affine {
  return shift(tile.base, (slot * walk.rows + row) * walk.padded);
}

/** Behind the tables: a number for each row. One table only where it is used. */
function factorAt(walk: Walk, tile: Tile, row: Affine): Affine {
  return plus(shift(tile.base, walk.rows * walk.padded), row);
}

interface Bias {
  readonly buffer: number;
  readonly at: Affine;
  /** Between rows and between columns; 0 where one value serves all. */
  readonly row: number;
  readonly column: number;
}

/** The bias of one head: input `i` of shape [heads or 1, rows or 1, columns], or the same with the last two exchanged. */
function biasOf(context: KernelContext, i: number, tile: Tile): Bias | null {
  const type = context.inputs[i];
  if (!type) return null;
  const [heads, rows, columns] = type.shape;
  const at = heads === 1 ? constant(0) : times(tile.head, rows * columns);
  const row = rows === 1 ? 0 : columns;
  const column = columns === 1 ? 0 : 1;
  return { buffer: context.inputBuffers[i], at: plus(at, times(tile.row, row)), row, column };
}

/** Scores with the bias added, and -inf where column and row must not see each other. */
function masked(
  b: KernelBuilder,
  scores: readonly (readonly Reg[])[],
  where: { readonly column: Affine; readonly lanes: readonly number[]; readonly bias: Bias | null },
  hidden: ((r: number, column: Affine) => Reg) | null,
): Reg[][] {
  const { column, lanes, bias } = where;
  return scores.map((row, r) =>
    row.map((score, v) => {
      const place = shift(column, v * b.lanes);
      let value = score;
      if (bias) {
        const at = plus(shift(bias.at, r * bias.row), times(place, bias.column));
        value = b.binary('add', value, b.load(bias.buffer, at, bias.column, bias.column === 0 ? b.lanes : lanes[v]));
      }
      return hidden ? b.select(hidden(r, place), b.real(Number.NEGATIVE_INFINITY), value) : value;
    }),
  );
}

const matrix = (buffer: number, head: Affine, size: number, step: number, row: Affine = constant(0)): Matrix => ({
  buffer,
  at: plus(times(head, size * step), times(row, step)),
  step,
});

/** Inputs q [n, t, d], kT [n, d, s], v [n, s, e], bias; outputs o [n, t, e], logSumExp [n, t]. */
export function emitAttention(context: KernelContext): void {
  const { b, attrs, inputs } = context;
  const [q, kT, v] = context.inputBuffers;
  const [o, lse] = context.outputBuffers;
  const [n, t, d] = inputs[0].shape;
  const [, s, e] = inputs[2].shape;
  const offset = intAttr(attrs, 'offset');
  const causal = boolAttr(attrs, 'causal');
  forTiles(context, n, t, s, 1, (walk, tile) => {
    const end = causal ? shift(tile.row, tile.rows + offset) : null;
    const width = tileShape(b.lanes).vectors * b.lanes;
    const columns: Columns = { total: s, width, lanes: b.lanes, end, fromEnd: false };
    const bias = biasOf(context, 3, tile);
    const hidden = causal
      ? (r: number, column: Affine) => b.compare('gt', b.index(column, 1), b.index(shift(tile.row, r + offset)))
      : null;
    forBlocks(b, columns, (column, lanes) => {
      const size = { rows: tile.rows, depth: d };
      const raw = products(b, matrix(q, tile.head, t, d, tile.row), matrix(kT, tile.head, d, s), size, column, lanes);
      masked(b, raw, { column, lanes, bias }, hidden).forEach((row, r) => {
        row.forEach((score, i) => {
          b.store(walk.memory, plus(tableAt(walk, tile, 0, r), shift(column, i * b.lanes)), 1, lanes[i], score);
        });
      });
    });
    softmaxRows(walk, tile, columns, (r) => plus(times(tile.head, t), plus(tile.row, r)), lse);
    const hi = end ? [constant(s), end] : [constant(s)];
    const out = matrix(o, tile.head, t, e, tile.row);
    combine(walk, tile, 0, { lo: [constant(0)], hi }, matrix(v, tile.head, s, e), out, true);
  });
}

/** Rows of the table become exponentials; the reciprocal of their sum is the row's factor. */
function softmaxRows(walk: Walk, tile: Tile, columns: Columns, at: (r: Affine) => Affine, lse: number): void {
  const { b, memory } = walk;
  b.each('row', tile.rows, (r) => {
    const row = plus(tile.base, times(r, walk.padded));
    const place = (column: Affine, v: number) => plus(row, shift(column, v * b.lanes));
    const most = b.acc(b.real(LOWEST));
    forBlocks(b, columns, (column, lanes) => {
      lanes.forEach((active, v) => {
        const score = b.load(memory, place(column, v), 1, active);
        b.set(most, b.binary('max', within(b, score, active, LOWEST), most));
      });
    });
    const top = b.reduceLanes('max', most, b.lanes);
    const total = b.acc(b.real(0));
    forBlocks(b, columns, (column, lanes) => {
      lanes.forEach((active, v) => {
        const at = place(column, v);
        const p = b.unary('exp', b.binary('sub', b.load(memory, at, 1, active), top));
        b.store(memory, at, 1, active, p);
        b.set(total, b.binary('add', total, within(b, p, active, 0)));
      });
    });
    const sum = b.reduceLanes('add', total, b.lanes);
    const nothing = b.compare('eq', sum, b.real(0));
    const factor = b.select(nothing, b.real(0), b.binary('div', b.real(1), sum));
    b.store(memory, factorAt(walk, tile, r), 1, 1, factor);
    b.store(lse, at(r), 1, 1, b.select(nothing, b.real(0), b.binary('add', top, b.unary('log', sum))));
  });
}

/** The value in the first lanes, something else in the others. */
function within(b: KernelBuilder, value: Reg, active: number, other: number): Reg {
  if (active === b.lanes) return value;
  return b.select(b.compare('lt', b.index(constant(0), 1), b.i32(active)), value, b.real(other));
}

/** Inputs q, kT, k [n, s, d], vT [n, e, s], dO [n, t, e], logSumExp, delta [n, t], bias; output dq [n, t, d]. */
export function emitAttentionBackpropQuery(context: KernelContext): void {
  const { b, attrs, inputs } = context;
  const [q, kT, k, vT, dO, lse, delta] = context.inputBuffers;
  const [n, t, d] = inputs[0].shape;
  const [, e, s] = inputs[3].shape;
  const offset = intAttr(attrs, 'offset');
  const causal = boolAttr(attrs, 'causal');
  forTiles(context, n, t, s, 1, (walk, tile) => {
    const end = causal ? shift(tile.row, tile.rows + offset) : null;
    const width = tileShape(b.lanes).vectors * b.lanes;
    const bias = biasOf(context, 7, tile);
    const hidden = causal
      ? (r: number, column: Affine) => b.compare('gt', b.index(column, 1), b.index(shift(tile.row, r + offset)))
      : null;
    const ofRow = (buffer: number, r: number) =>
      b.load(buffer, plus(times(tile.head, t), shift(tile.row, r)), 0, b.lanes);
    forBlocks(b, { total: s, width, lanes: b.lanes, end, fromEnd: false }, (column, lanes) => {
      const raw = products(
        b,
        matrix(q, tile.head, t, d, tile.row),
        matrix(kT, tile.head, d, s),
        { rows: tile.rows, depth: d },
        column,
        lanes,
      );
      const place = (r: number, v: number) => plus(tableAt(walk, tile, 0, r), shift(column, v * b.lanes));
      masked(b, raw, { column, lanes, bias }, hidden).forEach((row, r) => {
        row.forEach((score, v) => {
          b.store(walk.memory, place(r, v), 1, lanes[v], b.unary('exp', b.binary('sub', score, ofRow(lse, r))));
        });
      });
      const dp = products(
        b,
        matrix(dO, tile.head, t, e, tile.row),
        matrix(vT, tile.head, e, s),
        { rows: tile.rows, depth: e },
        column,
        lanes,
      );
      dp.forEach((row, r) => {
        row.forEach((x, v) => {
          const p = b.load(walk.memory, place(r, v), 1, lanes[v]);
          b.store(walk.memory, place(r, v), 1, lanes[v], b.binary('mul', p, b.binary('sub', x, ofRow(delta, r))));
        });
      });
    });
    const hi = end ? [constant(s), end] : [constant(s)];
    const out = matrix(context.outputBuffers[0], tile.head, t, d, tile.row);
    combine(walk, tile, 0, { lo: [constant(0)], hi }, matrix(k, tile.head, s, d), out, false);
  });
}

/**
 * Rows are keys here, columns queries. Inputs k [n, s, d], qT [n, d, t], q [n, t, d], v [n, s, e], dOT [n, e, t], dO [n, t, e],
 * logSumExp, delta [n, t], biasT [n or 1, s, t or 1]; outputs dk [n, s, d], dv [n, s, e].
 */
export function emitAttentionBackpropKeyValue(context: KernelContext): void {
  const { b, attrs, inputs } = context;
  const [k, qT, q, v, dOT, dO, lse, delta] = context.inputBuffers;
  const [dk, dv] = context.outputBuffers;
  const [n, s, d] = inputs[0].shape;
  const [, t, e] = inputs[5].shape;
  const offset = intAttr(attrs, 'offset');
  const causal = boolAttr(attrs, 'causal');
  forTiles(context, n, s, t, 2, (walk, tile) => {
    // Queries before row - offset see none of these keys: the walk goes from the last query down to there.
    const end = causal ? shift(times(tile.row, -1), t + offset) : null;
    const width = tileShape(b.lanes).vectors * b.lanes;
    const bias = biasOf(context, 8, tile);
    const hidden = causal
      ? (r: number, column: Affine) => b.compare('lt', b.index(shift(column, offset), 1), b.index(shift(tile.row, r)))
      : null;
    forBlocks(b, { total: t, width, lanes: b.lanes, end, fromEnd: true }, (column, lanes) => {
      const along = (buffer: number, i: number) =>
        b.load(buffer, plus(times(tile.head, t), shift(column, i * b.lanes)), 1, lanes[i]);
      const place = (slot: number, r: number, i: number) =>
        plus(tableAt(walk, tile, slot, r), shift(column, i * b.lanes));
      const raw = products(
        b,
        matrix(k, tile.head, s, d, tile.row),
        matrix(qT, tile.head, d, t),
        { rows: tile.rows, depth: d },
        column,
        lanes,
      );
      masked(b, raw, { column, lanes, bias }, hidden).forEach((row, r) => {
        row.forEach((score, i) => {
          b.store(walk.memory, place(0, r, i), 1, lanes[i], b.unary('exp', b.binary('sub', score, along(lse, i))));
        });
      });
      const dp = products(
        b,
        matrix(v, tile.head, s, e, tile.row),
        matrix(dOT, tile.head, e, t),
        { rows: tile.rows, depth: e },
        column,
        lanes,
      );
      dp.forEach((row, r) => {
        row.forEach((x, i) => {
          const p = b.load(walk.memory, place(0, r, i), 1, lanes[i]);
          b.store(walk.memory, place(1, r, i), 1, lanes[i], b.binary('mul', p, b.binary('sub', x, along(delta, i))));
        });
      });
    });
    const lo = causal ? [constant(0), shift(tile.row, -offset)] : [constant(0)];
    const range = { lo, hi: [constant(t)] };
    combine(walk, tile, 0, range, matrix(dO, tile.head, t, e), matrix(dv, tile.head, s, e, tile.row), false);
    combine(walk, tile, 1, range, matrix(q, tile.head, t, d), matrix(dk, tile.head, s, d, tile.row), false);
  });
}
