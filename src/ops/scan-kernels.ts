/**
 * Kernels for running totals along the middle axis of [outer, n, inner], where each step makes a new carry of the old one and of
 * one element of each input. Knows how the axis is walked, not what a step computes.
 *
 * - inner > 1: lanes run along inner, and a strip of columns keeps its carry in the row of the output that was written last.
 * - inner = 1, many rows: a square of lanes is transposed, so that each lane walks a row of its own.
 * - inner = 1, few long rows: rows are cut into segments. What each does to a carry is found first, then the carries into
 *   segments, then the totals. How rows are cut depends on the shape alone, so the bits never depend on threads.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Elem, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import type { KernelsContext, KernelStage } from './lowering.ts';

/** What is walked: a carry, and how the next one is made of it and the inputs' elements. */
export interface ScanStep {
  readonly elem: Elem;
  readonly inputs: number;
  /** The carry before the first element. */
  start(b: KernelBuilder): Reg;
  next(b: KernelBuilder, carry: Reg, elements: readonly Reg[]): Reg;
  /** Before each element instead of behind it. */
  readonly exclusive: boolean;
  readonly reverse: boolean;
  /**
   * What a stretch of elements does to any carry, as registers that are themselves made step by step; and the carry behind
   * the stretch, of what it does and the carry before it.
   */
  readonly effect: {
    readonly size: number;
    start(b: KernelBuilder): Reg[];
    next(b: KernelBuilder, effect: readonly Reg[], elements: readonly Reg[]): Reg[];
    apply(b: KernelBuilder, effect: readonly Reg[], carry: Reg): Reg;
  };
}

/** Rows from this length on may be cut into segments ... */
const LONG_ROW = 8192;
/** ... where there are fewer rows than this. */
const MANY_ROWS = 32;
/** Elements that a chunk of short rows should have. */
const CHUNK = 16384;
/** Columns of a strip: their carry stays in the cache. How wide a strip is changes no sum. */
const WIDEST_STRIP = 2048;

interface Scan {
  readonly context: KernelsContext;
  readonly step: ScanStep;
  readonly outer: number;
  readonly n: number;
  readonly inner: number;
}

export function emitScan(context: KernelsContext, step: ScanStep): void {
  const [outer, n, inner] = context.outputs[0].shape;
  const scan: Scan = { context, step, outer, n, inner };
  if (inner > 1) context.kernel('', (stage) => strips(scan, stage));
  else if (n >= LONG_ROW && outer < MANY_ROWS) segments(scan);
  else context.kernel('', (stage) => wholeRows(scan, stage));
}

/** Place i of the walk counted along the axis. */
const placeOf = ({ step, n }: Scan, i: Affine): Affine => (step.reverse ? shift(times(i, -1), n - 1) : i);

// ---- lanes along inner -------------------------------------------------------------------------------------------------

function strips(scan: Scan, stage: KernelStage): void {
  const { outer, inner, context } = scan;
  const { b } = stage;
  // Enough strips for every thread, wide enough to be read in long pieces.
  const wanted = Math.ceil(inner / Math.max(1, Math.ceil((2 * context.threads) / outer)));
  const width = Math.min(WIDEST_STRIP, Math.max(8 * context.lanes, Math.ceil(wanted / context.lanes) * context.lanes));
  const full = Math.floor(inner / width);
  const rest = inner - full * width;
  const walk = (row: Affine, column: Affine, count: number): void => strip(scan, stage, row, column, count);
  if (full > 0) {
    if (outer >= full)
      b.region('outer', outer, (o) => b.each('strip', full, (s) => walk(variable(o), times(s, width), width)));
    else b.region('strip', full, (s) => b.each('outer', outer, (o) => walk(o, variable(s, width), width)));
  }
  if (rest > 0) b.region('rest', outer, (o) => walk(variable(o), constant(full * width), rest));
}

/** One strip of columns from the first to the last place of the axis. */
function strip(scan: Scan, stage: KernelStage, row: Affine, column: Affine, width: number): void {
  const { step, n, inner } = scan;
  const { b } = stage;
  const inputs = Array.from({ length: step.inputs }, (_, i) => stage.input(i));
  const out = stage.output(0);
  const base = plus(times(row, n * inner), column);
  const at = (i: Affine) => plus(base, times(placeOf(scan, i), inner));
  const vectors = (visit: (offset: Affine, lanes: number) => void) => {
    const whole = width - (width % b.lanes);
    if (whole > 0) b.loop('v', 0, whole, (v) => visit(variable(v), b.lanes), { step: b.lanes });
    if (whole < width) visit(constant(whole), width - whole);
  };
  const elements = (i: Affine, offset: Affine, lanes: number) =>
    inputs.map((input) => b.load(input, plus(at(i), offset), 1, lanes));
  vectors((offset, lanes) => {
    const start = step.start(b);
    const first = step.exclusive ? start : step.next(b, start, elements(constant(0), offset, lanes));
    b.store(out, plus(at(constant(0)), offset), 1, lanes, first);
  });
  b.loop('i', 1, n, (v) => {
    const i = variable(v);
    const before = shift(i, -1);
    vectors((offset, lanes) => {
      const carry = b.load(out, plus(at(before), offset), 1, lanes);
      const next = step.next(b, carry, elements(step.exclusive ? before : i, offset, lanes));
      b.store(out, plus(at(i), offset), 1, lanes, next);
    });
  });
}

// ---- a row in each lane ------------------------------------------------------------------------------------------------

/** Where `lanes` rows of `length` elements lie, and what happens at each place of the walk. */
interface Rows {
  /** Element 0 of the walk of the first row; rows are `stride` apart. */
  readonly base: Affine;
  readonly stride: number;
  readonly length: number;
  readonly lanes: number;
}

/**
 * Walks rows side by side, one in each lane. `visit` gets the elements of a place and gives what is stored there (null: nothing).
 * Full squares of lanes are transposed on their way; what is left is read lane by lane.
 */
function walkRows(scan: Scan, stage: KernelStage, rows: Rows, visit: (elements: Reg[]) => Reg | null): void {
  const { step } = scan;
  const { b } = stage;
  const { base, stride, length, lanes } = rows;
  const direction = step.reverse ? -1 : 1;
  const inputs = Array.from({ length: step.inputs }, (_, i) => stage.input(i));
  const side = b.lanes;
  const square = lanes === side ? length - (length % side) : 0;
  const single = (i: Affine) => {
    const at = plus(base, times(i, direction));
    const value = visit(inputs.map((input) => b.load(input, at, stride, lanes)));
    if (value !== null) b.store(stage.output(0), at, stride, lanes, value);
  };
  const block = (from: Affine) => {
    // The square's lowest address: a walk backwards ends there.
    const corner = plus(base, step.reverse ? shift(times(from, -1), 1 - side) : from);
    const place = (lane: number) => (step.reverse ? side - 1 - lane : lane);
    const columns = inputs.map((input) =>
      b.transpose(Array.from({ length: side }, (_, r) => b.load(input, shift(corner, r * stride), 1, side))),
    );
    const results: Reg[] = [];
    for (let i = 0; i < side; i++) {
      const value = visit(columns.map((column) => column[place(i)]));
      if (value !== null) results[place(i)] = value;
    }
    if (results.length === 0) return;
    b.transpose(results).forEach((value, r) => b.store(stage.output(0), shift(corner, r * stride), 1, side, value));
  };
  if (square > 0 && side > 1) b.loop('block', 0, square, (v) => block(variable(v)), { step: side });
  const left = side > 1 ? square : 0;
  if (left < length) b.loop('i', left, length, (v) => single(variable(v)));
}

/** Totals of rows that begin with `carry`. */
function totals(scan: Scan, stage: KernelStage, rows: Rows, carry: Reg): void {
  const { step } = scan;
  const { b } = stage;
  const acc = b.acc(carry);
  walkRows(scan, stage, rows, (elements) => {
    const next = step.next(b, acc, elements);
    // A copy: the accumulator changes before the square is stored.
    const value = step.exclusive ? b.acc(acc) : next;
    b.set(acc, next);
    return value;
  });
}

function wholeRows(scan: Scan, stage: KernelStage): void {
  const { outer, n, step } = scan;
  const { b } = stage;
  const full = Math.floor(outer / b.lanes);
  const first = step.reverse ? n - 1 : 0;
  const group = (at: Affine, lanes: number) =>
    totals(scan, stage, { base: shift(times(at, n), first), stride: n, length: n, lanes }, step.start(b));
  if (full > 0) {
    const block = Math.max(1, Math.min(Math.ceil(full / (4 * scan.context.threads)), Math.ceil(CHUNK / (n * b.lanes))));
    b.region('rows', Math.ceil(full / block), (c) => {
      const last = [shift(variable(c, block), block), constant(full)];
      b.loop('group', [variable(c, block)], last, (g) => group(variable(g, b.lanes), b.lanes));
    });
  }
  if (outer % b.lanes > 0) b.region('rest', 1, () => group(constant(full * b.lanes), outer % b.lanes));
}

// ---- segments ----------------------------------------------------------------------------------------------------------

function segments(scan: Scan): void {
  const { context, step, outer, n } = scan;
  const { lanes } = context;
  const count = n >= 2 ** 18 ? 256 : 64;
  const length = segmentLength(Math.floor(n / count));
  const groups = count / lanes;
  const direction = step.reverse ? -1 : 1;
  const start = step.reverse ? n - 1 : 0;
  const effects = Array.from({ length: step.effect.size }, () => context.scratch(step.elem, outer * count));
  const carries = context.scratch(step.elem, outer * (count + 1));
  const rowsOf = (row: Affine, group: Affine): Rows => ({
    base: shift(plus(times(row, n), times(group, direction * lanes * length)), start),
    stride: direction * length,
    length,
    lanes,
  });
  context.kernel('segments', (stage) => {
    const { b } = stage;
    const memory = effects.map((effect) => stage.scratch(effect, 'write'));
    b.region('group', groups, (group) => {
      b.each('row', outer, (row) => {
        const accs = step.effect.start(b).map((reg) => b.acc(reg));
        walkRows(scan, stage, rowsOf(row, variable(group)), (elements) => {
          step.effect.next(b, accs, elements).forEach((reg, i) => {
            b.set(accs[i], reg);
          });
          return null;
        });
        const at = plus(times(row, count), variable(group, lanes));
        accs.forEach((acc, i) => {
          b.store(memory[i], at, 1, lanes, acc);
        });
      });
    });
  });
  context.kernel('carries', (stage) => {
    const { b } = stage;
    const memory = effects.map((effect) => stage.scratch(effect, 'read'));
    const out = stage.scratch(carries, 'write');
    b.region('row', outer, (row) => {
      const carry = b.acc(step.start(b));
      const first = variable(row, count + 1);
      b.loop('s', 0, count, (s) => {
        b.store(out, plus(first, variable(s)), 1, 1, carry);
        const effect = memory.map((m) => b.load(m, plus(variable(row, count), variable(s)), 1, 1));
        b.set(carry, step.effect.apply(b, effect, carry));
      });
      b.store(out, shift(first, count), 1, 1, carry);
    });
  });
  context.kernel('', (stage) => {
    const { b } = stage;
    const from = stage.scratch(carries, 'read');
    b.region('group', groups, (group) => {
      b.each('row', outer, (row) => {
        const carry = b.load(from, plus(times(row, count + 1), variable(group, lanes)), 1, lanes);
        totals(scan, stage, rowsOf(row, variable(group)), carry);
      });
    });
    const covered = length * count;
    if (covered === n) return;
    b.region('tail', outer, (row) => {
      const carry = b.load(from, shift(variable(row, count + 1), count), 1, 1);
      const base = shift(variable(row, n), start + direction * covered);
      totals(scan, stage, { base, stride: n, length: n - covered, lanes: 1 }, carry);
    });
  });
}

/** Whole squares; and not a distance at which all of a square's rows fall into the same lines of a cache. */
function segmentLength(most: number): number {
  const length = most - (most % 16);
  return length > 512 && length % 256 === 0 ? length - 16 : length;
}
