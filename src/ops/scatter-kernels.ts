/**
 * Kernels that combine rows of updates into a tensor at places from data, in the order of the indices. A chunk owns batches, or
 * columns of the only one, or (where there are few places and many updates) a copy of its own that is combined at the end. What a
 * chunk owns depends on shapes alone, so sums do not depend on threads.
 */
import { constantOf, elemOf, identityOf, isFloatRegister } from './elements.ts';
import type { DType } from '../types/dtype.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import type { KernelsContext, KernelStage } from './lowering.ts';

export type ScatterMode = 'add' | 'update' | 'max' | 'min' | 'mul';

/** Columns that a chunk owns at least: a line of the cache. */
const LEAST_COLUMNS = 16;
/** Blocks of columns that there should be. */
const COLUMN_BLOCKS = 8;
/** Copies of a small target, and updates from which they pay. */
const COPIES = 16;
const MANY_UPDATES = 16384;
/** Elements of a chunk of small batches. */
const CHUNK = 16384;

export interface ScatterPlan {
  readonly mode: ScatterMode;
  /** Numbers of the inputs; without a base the target begins as the mode's identity. */
  readonly base: number | null;
  readonly indices: number;
  readonly updates: number;
}

interface Scatter extends ScatterPlan {
  readonly context: KernelsContext;
  readonly batches: number;
  readonly outers: number;
  readonly n: number;
  readonly inners: number;
  readonly count: number;
  readonly dtype: DType;
}

export function emitScatter(context: KernelsContext, plan: ScatterPlan): void {
  const [batches, outers, n, inners] = context.outputs[0].shape;
  const count = context.inputs[plan.indices].shape[1];
  const { dtype } = context.outputs[0];
  const s: Scatter = { ...plan, context, batches, outers, n, inners, count, dtype };
  const narrow = inners < 2 * LEAST_COLUMNS;
  if (batches === 1 && narrow && plan.mode !== 'update' && count >= MANY_UPDATES && n * COPIES <= count) inCopies(s);
  else if (batches === 1 && !narrow) context.kernel('', (stage) => inColumns(s, stage));
  else context.kernel('', (stage) => inBatches(s, stage));
}

function inBatches(s: Scatter, stage: KernelStage): void {
  const { b } = stage;
  const { batches, outers, n, inners, count } = s;
  const block = Math.max(1, Math.ceil(CHUNK / (outers * inners * (n + count))));
  const write = columnsWriter(s, stage, stage.output(0));
  b.region('batches', Math.ceil(batches / block), (c) => {
    b.loop('batch', [variable(c, block)], [shift(variable(c, block), block), constant(batches)], (v) => {
      const batch = variable(v);
      write.fill(times(batch, outers * n * inners), times(batch, outers * n * inners), constant(0), inners);
      write.combine(times(batch, outers * n * inners), batch, constant(0), constant(0), count, inners);
    });
  });
}

function inColumns(s: Scatter, stage: KernelStage): void {
  const { b } = stage;
  const { inners, count } = s;
  const width = Math.max(LEAST_COLUMNS, Math.ceil(inners / COLUMN_BLOCKS / LEAST_COLUMNS) * LEAST_COLUMNS);
  const write = columnsWriter(s, stage, stage.output(0));
  const block = (column: Affine, columns: number) => {
    write.fill(constant(0), constant(0), column, columns);
    write.combine(constant(0), constant(0), column, constant(0), count, columns);
  };
  const full = Math.floor(inners / width);
  b.region('block', full, (v) => block(variable(v, width), width));
  const rest = inners - full * width;
  if (rest > 0) b.region('rest', 1, () => block(constant(full * width), rest));
}

/** Each chunk combines its part of the updates into a copy; then the copies are combined, and with the base. */
function inCopies(s: Scatter): void {
  const { context, outers, n, inners, count, dtype, mode } = s;
  const size = outers * n * inners;
  const part = Math.ceil(count / COPIES);
  const copies = context.scratch(elemOf(dtype), COPIES * size);
  context.kernel('copies', (stage) => {
    const { b } = stage;
    const write = columnsWriter({ ...s, base: null }, stage, stage.scratch(copies, 'write'));
    const copy = (at: Affine, updates: number) => {
      write.fill(times(at, size), null, constant(0), inners);
      if (updates > 0) write.combine(times(at, size), constant(0), constant(0), times(at, part), updates, inners);
    };
    const full = Math.floor(count / part);
    b.region('copy', full, (v) => copy(variable(v), part));
    for (let at = full; at < COPIES; at++)
      b.region('rest', 1, () => copy(constant(at), Math.max(0, count - at * part)));
  });
  context.kernel('', (stage) => {
    const { b } = stage;
    const from = stage.scratch(copies, 'read');
    const vector = (at: Affine, lanes: number) => {
      const start = s.base === null ? identity(s, b) : b.load(stage.input(s.base), at, 1, lanes);
      const total = b.acc(start);
      b.loop('copy', 0, COPIES, (v) =>
        b.set(total, combined(b, mode, total, b.load(from, plus(at, variable(v, size)), 1, lanes))),
      );
      b.store(stage.output(0), at, 1, lanes, total);
    };
    const full = Math.floor(size / b.lanes);
    b.region('v', full, (v) => vector(variable(v, b.lanes), b.lanes));
    if (size % b.lanes > 0) b.region('rest', 1, () => vector(constant(full * b.lanes), size % b.lanes));
  });
}

/** What a target that nobody has written yet holds. */
function identity({ mode, dtype }: Scatter, b: KernelBuilder): Reg {
  return constantOf(b, dtype, identityOf(mode === 'update' ? 'add' : mode, dtype));
}

function combined(b: KernelBuilder, mode: ScatterMode, old: Reg, x: Reg): Reg {
  if (mode === 'update') return x;
  const result = b.binary(mode, old, x);
  // A NaN stays.
  if ((mode !== 'max' && mode !== 'min') || !isFloatRegister(b.typeOf(x))) return result;
  return b.select(b.compare('ne', old, old), old, result);
}

/** Writes columns [column, column + width) of a target that begins at `to`. */
function columnsWriter(s: Scatter, stage: KernelStage, out: number) {
  const { b } = stage;
  const { outers, n, inners, count, mode } = s;
  const base = s.base === null ? null : stage.input(s.base);
  const indices = stage.input(s.indices);
  const updates = stage.input(s.updates);
  const where = count > 0 ? stage.site('index', n) : 0;
  const vectors = (width: number, at: (offset: Affine, lanes: number) => void) => {
    const full = width - (width % b.lanes);
    if (full > 0) b.loop('i', 0, full, (v) => at(variable(v), b.lanes), { step: b.lanes });
    if (full < width) at(constant(full), width - full);
  };
  /** The rows of a target whose columns are all its own are one run of elements. */
  const runs = (width: number) =>
    width === inners ? { rows: 1, length: outers * n * inners } : { rows: outers * n, length: width };
  return {
    fill(to: Affine, from: Affine | null, column: Affine, width: number): void {
      const { rows, length } = runs(width);
      b.each('row', rows, (row) => {
        vectors(length, (offset, lanes) => {
          const at = plus(plus(column, times(row, inners)), offset);
          const first = base === null || from === null ? identity(s, b) : b.load(base, plus(from, at), 1, lanes);
          b.store(out, plus(to, at), 1, lanes, first);
        });
      });
    },
    /** Updates [first, first + number) of a batch. */
    combine(to: Affine, batch: Affine, column: Affine, first: Affine, number: number, width: number): void {
      const from = plus(plus(times(batch, outers * count * inners), column), times(first, inners));
      b.each('outer', outers, (outer) => {
        b.each('k', number, (k) => {
          const index = b.guard(b.load(indices, plus(plus(times(batch, count), first), k), 0, 1), n, where);
          const dyn = { index, scale: inners };
          const source = plus(from, plus(times(outer, count * inners), times(k, inners)));
          const target = plus(plus(to, column), times(outer, n * inners));
          vectors(width, (offset, lanes) => {
            const x = b.load(updates, plus(source, offset), 1, lanes);
            const old = mode === 'update' ? x : b.load(out, plus(target, offset), 1, lanes, dyn);
            b.store(out, plus(target, offset), 1, lanes, combined(b, mode, old, x), dyn);
          });
        });
      });
    },
  };
}
