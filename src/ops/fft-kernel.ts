/**
 * The kernel of the fft row: Stockham's self-sorting passes in mixed radix. Each chunk does whole transforms of a few rows, or of
 * a block of columns, so that its data stays in the cache between passes. Lanes run along whatever is contiguous; only the first
 * pass of a row writes with a stride. Twiddles are constants of the program. Knows nothing of graphs.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import type { Shape } from '../types/shape.ts';
import type { KernelContext } from './lowering.ts';
import { type Complex, dft } from './fft-butterfly.ts';
import { passesOf, twiddlesOf, type Pass } from './fft-plan.ts';

/** Where the points of one transform stand: element `point * j + column * c` of either plane; a plane that is not there is 0. */
interface Place {
  readonly buf: number;
  readonly re: Affine | null;
  readonly im: Affine | null;
  readonly point: number;
  readonly column: number;
}

/** Rows of at most this many points are transformed side by side, one in each lane. */
const SHORT = 64;
/** Complex numbers that a chunk should have at least, and that should fit into the first cache. */
const CHUNK_POINTS = 8192;
const CACHE_POINTS = 1536;

/** Writes transforms along axis 2 of [parts, outer, n, inner]; `inverse` only exchanges the planes. */
export function emitFft(context: KernelContext): void {
  const [, outer, n, inner] = context.outputs[0].shape;
  const { b } = context;
  if (outer * n * inner === 0) return;
  if (inner === 1 && n <= SHORT && outer >= b.lanes) return emitSideBySide(context, outer, n);
  if (inner === 1) return emitRows(context, outer, n);
  emitColumns(context, outer, n, inner);
}

/** The input and the output at an element of their planes. */
function ends(context: KernelContext, at: Affine, point: number, column: number): { from: Place; to: Place } {
  const place = (buf: number, [parts, outer, n, inner]: Shape): Place => {
    const second = parts === 2 ? shift(at, outer * n * inner) : null;
    const [re, im] = context.attrs.inverse === true ? [second, at] : [at, second];
    return { buf, re, im, point, column };
  };
  return {
    from: place(context.inputBuffers[0], context.inputs[0].shape),
    to: place(context.outputBuffers[0], context.outputs[0].shape),
  };
}

/** Data of one chunk between passes. */
function chunkPlace(buf: number, base: Affine, points: number, width: number, half = 0): Place {
  const start = shift(base, half * 2 * points * width);
  return { buf, re: start, im: shift(start, points * width), point: width, column: 1 };
}

interface Work {
  readonly passes: readonly Pass[];
  readonly twiddles: number;
  readonly width: number;
}

function workOf(context: KernelContext, n: number, width: number): Work {
  const passes = passesOf(n);
  return { passes, twiddles: context.constant(twiddlesOf(n, context.b.realType === 'f64')), width };
}

/** All passes, from `from` to `to`; `between` are the two places that take turns in holding what stands between them. */
function transform(b: KernelBuilder, work: Work, from: Place, to: Place, between: readonly [Place, Place]): void {
  const { passes } = work;
  let source = from;
  passes.forEach((pass, i) => {
    const left = passes.length - 1 - i;
    const target = left === 0 ? to : between[left % 2];
    emitPass(b, pass, work, source, target);
    source = target;
  });
}

/** inner = 1, long rows: results of every other pass stand in the output's own row. */
function emitRows(context: KernelContext, outer: number, n: number): void {
  const { b } = context;
  const rows = Math.max(1, Math.min(Math.ceil(CHUNK_POINTS / n), Math.ceil(outer / 16)));
  const chunks = Math.ceil(outer / rows);
  const work = workOf(context, n, 1);
  const scratch = context.scratch(chunks * 4 * n);
  const row = (chunk: Affine, at: Affine) => {
    const { from, to } = ends(context, times(at, n), 1, 1);
    const base = times(chunk, 4 * n);
    const own = to.re && to.im ? to : chunkPlace(scratch, base, n, 1, 1);
    transform(b, work, from, to, [own, chunkPlace(scratch, base, n, 1)]);
  };
  b.region('rows', chunks, (v) => {
    const chunk = variable(v);
    if (rows === 1) return row(chunk, chunk);
    const first = times(chunk, rows);
    b.loop('row', [first], [shift(first, rows), constant(outer)], (at) => row(chunk, variable(at)));
  });
}

/** inner = 1, short rows: as many rows as there are lanes at once; rows that are left over go one by one. */
function emitSideBySide(context: KernelContext, outer: number, n: number): void {
  const { b } = context;
  const { lanes } = b;
  const groups = Math.floor(outer / lanes);
  const per = Math.max(1, Math.min(Math.ceil(CHUNK_POINTS / (n * lanes)), Math.ceil(groups / 16)));
  const chunks = Math.ceil(groups / per);
  const rest = outer - groups * lanes;
  const wide = workOf(context, n, lanes);
  const scratch = context.scratch((chunks + 1) * 4 * n * lanes);
  const rowsAt = (chunk: Affine, row: Affine, width: number) => {
    const { from, to } = ends(context, times(row, n), 1, n);
    const base = times(chunk, 4 * n * lanes);
    const between = [chunkPlace(scratch, base, n, width), chunkPlace(scratch, base, n, width, 1)] as const;
    const work = { ...wide, width };
    transform(b, work, from, to, between);
  };
  b.region('groups', chunks, (v) => {
    const first = variable(v, per);
    if (per === 1) return rowsAt(variable(v), times(first, lanes), lanes);
    b.loop('group', [first], [shift(first, per), constant(groups)], (at) =>
      rowsAt(variable(v), variable(at, lanes), lanes),
    );
  });
  if (rest > 0) b.region('rest', 1, () => rowsAt(constant(chunks), constant(groups * lanes), rest));
}

/** inner > 1: blocks of columns, whose elements stand side by side. */
function emitColumns(context: KernelContext, outer: number, n: number, inner: number): void {
  const { b } = context;
  const fitting = Math.max(1, Math.floor(CACHE_POINTS / n / b.lanes)) * b.lanes;
  const width = inner <= fitting ? inner : fitting;
  const blocks = Math.floor(inner / width);
  const rest = inner - blocks * width;
  const work = workOf(context, n, width);
  const scratch = context.scratch(outer * (blocks + (rest > 0 ? 1 : 0)) * 4 * n * width);
  const block = (slot: Affine, start: Affine, columns: number) => {
    const { from, to } = ends(context, start, inner, 1);
    const base = times(slot, 4 * n * width);
    const between = [chunkPlace(scratch, base, n, columns), chunkPlace(scratch, base, n, columns, 1)] as const;
    const own = { ...work, width: columns };
    transform(b, own, from, to, between);
  };
  if (outer === 1 && blocks > 1) {
    b.region('block', blocks, (v) => block(variable(v), variable(v, width), width));
  } else {
    grouped(b, outer, n * inner, (v) =>
      b.each('block', blocks, (at) =>
        block(plus(times(v, blocks), at), plus(times(v, n * inner), times(at, width)), width),
      ),
    );
  }
  if (rest === 0) return;
  b.region('rest', outer, (v) =>
    block(shift(variable(v), outer * blocks), shift(variable(v, n * inner), blocks * width), rest),
  );
}

/** Chunks of so many indices that each has enough points. */
function grouped(b: KernelBuilder, extent: number, points: number, body: (at: Affine) => void): void {
  const per = Math.max(1, Math.min(Math.ceil(CHUNK_POINTS / points), Math.ceil(extent / 16)));
  b.region('outer', Math.ceil(extent / per), (v) => {
    if (per === 1) return body(variable(v));
    const first = variable(v, per);
    b.loop('i', [first], [shift(first, per), constant(extent)], (at) => body(variable(at)));
  });
}

// ---- one pass ------------------------------------------------------------------------------------------------------------

/**
 * target[q + s (r p + k)] = w^(p k) DFT_r(source[q + s (p + m j)], j)_k for p < m, q < s, and each column: w is the root of unity of
 * order r m.
 */
function emitPass(b: KernelBuilder, pass: Pass, work: Work, source: Place, target: Place): void {
  const { m } = pass;
  const { width } = work;
  const isRun = (place: Place) => place.column === 1 && place.point === width;
  if (isRun(source) && isRun(target)) {
    // q and the columns are one contiguous run: as if the columns were so many more interleaved transforms.
    const run = pass.s * width;
    const [from, to] = [source, target].map((place) => ({ ...place, point: 1 }));
    if (run === 1 && m > 1) {
      // Lanes run along p: loads are contiguous, stores stand `radix` apart.
      return vectors(b, 'p', m, (p, lanes) => {
        const roots = loadRoots(b, work, pass, p, 1, lanes);
        butterfly(
          b,
          pass,
          1,
          from,
          to,
          { p, q: constant(0), column: constant(0) },
          { load: 1, store: pass.radix, lanes },
          roots,
        );
      });
    }
    return b.each('p', m, (p) => {
      const roots = loadRoots(b, work, pass, p, 0, b.lanes);
      vectors(b, 'q', run, (q, lanes) => {
        butterfly(b, pass, run, from, to, { p, q, column: constant(0) }, { load: 1, store: 1, lanes }, roots);
      });
    });
  }
  b.each('p', m, (p) => {
    const roots = loadRoots(b, work, pass, p, 0, b.lanes);
    b.each('q', pass.s, (q) => {
      vectors(b, 'c', width, (column, lanes) => {
        const strides = { load: source.column, store: target.column, lanes };
        butterfly(b, pass, pass.s, source, target, { p, q, column }, strides, roots);
      });
    });
  });
}

interface At {
  readonly p: Affine;
  readonly q: Affine;
  readonly column: Affine;
}

interface Strides {
  readonly load: number;
  readonly store: number;
  readonly lanes: number;
}

function butterfly(
  b: KernelBuilder,
  { radix, m }: Pass,
  s: number,
  source: Place,
  target: Place,
  at: At,
  { load, store, lanes }: Strides,
  roots: readonly Complex[],
): void {
  const place = (of: Place, plane: Affine, step: number, first: number) => {
    const point = plus(times(at.p, s * step), shift(at.q, s * first));
    return plus(plus(plane, times(point, of.point)), times(at.column, of.column));
  };
  const read = (plane: Affine | null, j: number) =>
    plane === null ? b.real(0) : b.load(source.buf, place(source, plane, 1, m * j), load, lanes);
  const write = (plane: Affine | null, k: number, value: Reg) => {
    if (plane !== null) b.store(target.buf, place(target, plane, radix, k), store, lanes, value);
  };
  const inputs = Array.from({ length: radix }, (_, j): Complex => [read(source.re, j), read(source.im, j)]);
  dft(b, inputs).forEach((value, k) => {
    const [re, im] = k === 0 || roots.length === 0 ? value : multiply(b, value, roots[k - 1]);
    write(target.re, k, re);
    write(target.im, k, im);
  });
}

/** Walks [0, extent) in vectors; what is left over is a shorter one. */
function vectors(b: KernelBuilder, name: string, extent: number, body: (at: Affine, lanes: number) => void): void {
  const full = extent - (extent % b.lanes);
  if (full === b.lanes) body(constant(0), b.lanes);
  else if (full > 0) b.loop(name, 0, full, (v) => body(variable(v), b.lanes), { step: b.lanes });
  if (full < extent) body(constant(full), extent - full);
}

/** Roots k = 1..r-1 of index p: in every lane (stride 0), or one for each lane. None where they are all 1. */
function loadRoots(b: KernelBuilder, work: Work, pass: Pass, p: Affine, stride: 0 | 1, lanes: number): Complex[] {
  if (pass.m === 1) return [];
  return Array.from({ length: pass.radix - 1 }, (_, k): Complex => {
    const re = shift(p, pass.table + 2 * k * pass.m);
    return [b.load(work.twiddles, re, stride, lanes), b.load(work.twiddles, shift(re, pass.m), stride, lanes)];
  });
}

function multiply(b: KernelBuilder, [re, im]: Complex, [wr, wi]: Complex): Complex {
  const cross: Reg = b.binary('mul', im, wi);
  return [b.fma(re, wr, b.unary('neg', cross)), b.fma(re, wi, b.binary('mul', im, wr))];
}
