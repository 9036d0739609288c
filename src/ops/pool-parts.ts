/**
 * How pooling walks its windows: parts of the output in which the taps are the same everywhere, so that nothing is checked
 * inside (the borders, where padding cuts windows short, are parts of their own), and for gradients the residues modulo the
 * stride. Knows no particular pooling.
 */
import type { Affine } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import type { Reg } from '../kernel/ir.ts';
import type { ContractionAxis, Coord, PointContext, PointPart } from './lowering.ts';
import type { WindowAxis } from './window.ts';

/** Taps [lo, hi). null: they differ within the part. */
type Range = readonly [number, number] | null;

/** Strides up to this are written out: all residues of a place in one pass over what they read. */
const UNROLLED_STRIDE = 3;
/** More parts than this are not worth their code; borders are then walked with bounds that are computed. */
const MOST_PARTS = 30;
/** Loops over this many taps are written out. */
const UNROLLED_TAPS = 5;

export const still = (at: Affine): Coord => ({ at, laneStep: 0 });

function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}

interface Run<T> {
  readonly from: number;
  readonly count: number;
  readonly value: T;
}

/** Neighbours with equal values as one. */
function runsOf<T>(from: number, to: number, value: (i: number) => T): Run<T>[] {
  const runs: Run<T>[] = [];
  for (let i = from; i < to; i++) {
    const v = value(i);
    const last = runs[runs.length - 1];
    if (last && JSON.stringify(last.value) === JSON.stringify(v))
      runs[runs.length - 1] = { ...last, count: last.count + 1 };
    else runs.push({ from: i, count: 1, value: v });
  }
  return runs;
}

/** The longest run, and what is before and after it as one run each with `mixed` for a value. */
function coarse<T>(runs: readonly Run<T>[], mixed: (run: readonly Run<T>[]) => T): Run<T>[] {
  if (runs.length <= 3) return [...runs];
  const best = runs.reduce((a, b, i) => (b.count > runs[a].count ? i : a), 0);
  const join = (list: readonly Run<T>[]): Run<T>[] =>
    list.length < 2
      ? [...list]
      : [{ from: list[0].from, count: list.reduce((n, run) => n + run.count, 0), value: mixed(list) }];
  return [...join(runs.slice(0, best)), runs[best], ...join(runs.slice(best + 1))];
}

/** Every way to take one item from each list. */
function tuples<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((all, list) => all.flatMap((tuple) => list.map((item) => [...tuple, item])), [[]]);
}

function count(lists: readonly (readonly unknown[])[]): number {
  return lists.reduce((n, list) => n * list.length, 1);
}

const one = (dim: number, coef = 1): ContractionAxis => ({ offset: 0, terms: [{ dim, coef }] });

// ---- windows of an output ----------------------------------------------------------------------------------------------

/** What a window's tap is: its place in the window (row-major) and the input's coordinates. */
export type TapVisitor = (tap: Affine, at: readonly Coord[]) => void;
export type WindowEmit = (context: PointContext, at: readonly Coord[], eachTap: (visit: TapVisitor) => void) => Reg[];

/** Taps of output place o that lie inside of the input. */
function tapsAt(axis: WindowAxis, o: number): Range {
  const start = o * axis.stride - axis.before;
  const [lo, hi] = [Math.max(0, -start), Math.min(axis.filter, axis.input - start)];
  return [lo, Math.max(lo, hi)];
}

/** Parts of [batch, ...outputs, channels], each walking its windows. */
export function windowParts(
  axes: readonly WindowAxis[],
  batch: number,
  channels: number,
  emit: WindowEmit,
): PointPart[] {
  let runs = axes.map((axis) => runsOf<Range>(0, axis.output, (o) => tapsAt(axis, o)));
  if (count(runs) > MOST_PARTS) runs = runs.map((list) => coarse<Range>(list, () => null));
  return tuples(runs).map((tuple) => ({
    dims: [{ extent: batch }, ...tuple.map((run) => ({ extent: run.count })), { extent: channels }],
    axes: [one(0), ...tuple.map((run, i) => ({ ...one(i + 1), offset: run.from })), one(axes.length + 1)],
    emit: (context, at) => emit(context, at, (visit) => walkWindow(context, axes, tuple, at, visit)),
  }));
}

function walkWindow(
  context: PointContext,
  axes: readonly WindowAxis[],
  runs: readonly Run<Range>[],
  at: readonly Coord[],
  visit: TapVisitor,
): void {
  const rank = axes.length;
  const nest = (i: number, tap: Affine, places: readonly Coord[]): void => {
    if (i === rank) return visit(tap, [at[0], ...places, at[rank + 1]]);
    const axis = axes[i];
    const start = shift(times(at[i + 1].at, axis.stride), -axis.before);
    const range = runs[i].value;
    const inner = (t: Affine) => nest(i + 1, plus(times(tap, axis.filter), t), [...places, still(plus(start, t))]);
    const bounds = [
      [constant(0), times(start, -1)],
      [constant(axis.filter), shift(times(start, -1), axis.input)],
    ];
    walk(context, range, bounds as [Affine[], Affine[]], `f${i}`, inner);
  };
  nest(0, constant(0), []);
}

/** Visits [lo, hi): copies for a few, a loop for many, computed bounds where they are not known. */
function walk(
  { b }: PointContext,
  range: Range,
  bounds: readonly [Affine[], Affine[]],
  name: string,
  visit: (at: Affine) => void,
): void {
  if (range === null) return b.loop(name, bounds[0], bounds[1], (v) => visit(variable(v)));
  const [lo, hi] = range;
  b.each(name, hi - lo, (i) => visit(shift(i, lo)), hi - lo <= UNROLLED_TAPS);
}

// ---- windows that cover an input ---------------------------------------------------------------------------------------

/** What covers an input: the window's coordinates in the output and the tap's place in it. */
export type CoverVisitor = (y: readonly Coord[], tap: Affine) => void;
export type CoverEmit = (
  context: PointContext,
  at: readonly Coord[],
  eachCover: (visit: CoverVisitor) => void,
) => Reg[];

/** Places stride * q + r of the padded input for q in a run and r in [residues): steps back t that reach a window, by r. */
interface Cover {
  readonly residues: readonly [number, number];
  /** For each residue: windows q - t for t in [lo, hi), at tap r + stride * t. */
  readonly steps: readonly Range[];
}

function stepsBack(axis: WindowAxis, r: number): number {
  return r >= axis.filter ? 0 : ceilDiv(axis.filter - r, axis.stride);
}

function coversOf(axis: WindowAxis): Run<Cover>[][] {
  const { stride, before, input, output } = axis;
  const [first, end] = [Math.floor(before / stride), Math.floor((before + input - 1) / stride) + 1];
  // Residues that are walked together: all, or (where there are many) those with equally many windows.
  const groups =
    stride <= UNROLLED_STRIDE ? [{ from: 0, count: stride }] : runsOf(0, stride, (r) => stepsBack(axis, r));
  return groups.map((group) =>
    runsOf<Cover>(first, end, (q) => {
      const lo = Math.max(group.from, before - stride * q);
      const hi = Math.max(lo, Math.min(group.from + group.count, before + input - stride * q));
      const steps = Array.from({ length: hi - lo }, (_, i): Range => {
        const t = Math.max(0, q - output + 1);
        return [t, Math.max(t, Math.min(stepsBack(axis, lo + i), q + 1))];
      });
      return { residues: [lo, hi], steps };
    }).filter((run) => run.value.residues[1] > run.value.residues[0]),
  );
}

/** Runs whose residues are the same may be walked as one, if the number of steps is computed. */
function coarseCovers(runs: readonly Run<Cover>[]): Run<Cover>[] {
  const same = (a: Cover, b: Cover) => JSON.stringify(a.residues) === JSON.stringify(b.residues);
  const stretches: Run<Cover>[][] = [];
  for (const run of runs) {
    const last = stretches[stretches.length - 1];
    if (last && same(last[0].value, run.value)) last.push(run);
    else stretches.push([run]);
  }
  return stretches.flatMap((list) =>
    coarse(list, ([run]) => ({ ...run.value, steps: run.value.steps.map(() => null) })),
  );
}

/** Parts of the input [batch, ...inputs, channels], each walking the windows that cover it. */
export function coverParts(axes: readonly WindowAxis[], batch: number, channels: number, emit: CoverEmit): PointPart[] {
  const all = axes.map(coversOf);
  const many = count(all.map((groups) => groups.flat())) > MOST_PARTS;
  const runs = all.map((groups) => groups.flatMap((list) => (many ? coarseCovers(list) : list)));
  return tuples(runs).map((tuple): PointPart => {
    const last = 1 + 2 * axes.length;
    return {
      dims: [
        { extent: batch },
        ...tuple.flatMap(({ count, value: { residues } }, i) => [
          { extent: count },
          { extent: residues[1] - residues[0], unroll: axes[i].stride <= UNROLLED_STRIDE },
        ]),
        { extent: channels },
      ],
      axes: [
        one(0),
        ...tuple.map(({ from, value: { residues } }, i) => ({
          offset: axes[i].stride * from + residues[0] - axes[i].before,
          terms: [
            { dim: 1 + 2 * i, coef: axes[i].stride },
            { dim: 2 + 2 * i, coef: 1 },
          ],
        })),
        one(last),
      ],
      emit: (context, at, dims) => emit(context, at, (visit) => walkCovers(context, axes, tuple, dims, visit)),
    };
  });
}

function walkCovers(
  context: PointContext,
  axes: readonly WindowAxis[],
  runs: readonly Run<Cover>[],
  dims: readonly Coord[],
  visit: CoverVisitor,
): void {
  const rank = axes.length;
  const nest = (i: number, tap: Affine, places: readonly Coord[]): void => {
    if (i === rank) return visit([dims[0], ...places, dims[1 + 2 * rank]], tap);
    const axis = axes[i];
    const { from, value } = runs[i];
    const q = shift(dims[1 + 2 * i].at, from);
    const r = shift(dims[2 + 2 * i].at, value.residues[0]);
    // Unrolled residues are constants; where they are looped over, all have the same steps.
    const residue = r.terms.length === 0 ? r.offset : value.residues[0];
    const range = value.steps[residue - value.residues[0]];
    const inner = (t: Affine) =>
      nest(i + 1, plus(times(tap, axis.filter), plus(r, times(t, axis.stride))), [
        ...places,
        still(plus(q, times(t, -1))),
      ]);
    const bounds: [Affine[], Affine[]] = [
      [constant(0), shift(q, 1 - axis.output)],
      [constant(stepsBack(axis, residue)), shift(q, 1)],
    ];
    walk(context, range, bounds, `t${i}`, inner);
  };
  nest(0, constant(0), []);
}
