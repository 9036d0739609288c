/**
 * Contractions whose lanes go with each other (depthwise convolution and its gradient for the input): the lanes run along a
 * channel that both sides have, a tile is a few neighbouring places of one row, and an input that several of them see is
 * loaded once. Places whose taps padding cuts off are nests of their own, so that nothing is checked inside and no copy is made.
 */
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, times } from '../../kernel/ir.ts';
import { writeNest } from '../nest.ts';
import { outputIndex, type Task } from './lower.ts';
import { addressOf } from './pack.ts';
import { dimsOf, extentOf, type Guard, type Problem, zeroOf } from './problem.ts';
import { type RowSegment, rowSegments } from './tiling.ts';

/** Steps of k up to which they are written out. */
const MOST_STEPS = 50;
/** Places of a tile: enough to hide the latency of a multiply-add, few enough to leave registers for weights. */
const PLACES = 4;

/** Which taps of dim `tap` are inside of A for each place of dim `place`. */
interface Window {
  readonly place: number;
  readonly tap: number;
  readonly guard: Guard;
}

/** Neighbouring places that see the taps [lo, hi) of their window. */
interface Run {
  readonly from: number;
  readonly count: number;
  readonly lo: number;
  readonly hi: number;
}

interface Plan {
  readonly lane: number;
  /** The dim whose neighbours make a tile; null where there is a single place. */
  readonly row: number | null;
  readonly windows: readonly Window[];
}

/** How a problem is walked by channels, or null where it is of another kind. */
export function planChannels(problem: Problem, lanes: number): Plan | null {
  const { dims, a, b, out } = problem;
  if (problem.window || dimsOf(problem, 'n').length > 0) return null;
  const k = dimsOf(problem, 'k');
  if (k.length === 0 || extentOf(problem, k) > MOST_STEPS) return null;
  const unit = (d: number) => a.coefs[d] === 1 && b.coefs[d] === 1 && out.coefs[d] === 1;
  const lane = dimsOf(problem, 'batch').find((d) => unit(d) && dims[d].extent * 2 >= lanes);
  if (lane === undefined) return null;
  const windows: Window[] = [];
  for (const guard of a.guards) {
    const walked = guard.coefs.flatMap((coef, d) => (coef === 0 ? [] : [d]));
    const place = walked.find((d) => dims[d].role === 'm');
    const tap = walked.find((d) => dims[d].role === 'k');
    // A place or a tap of extent 1 is gone from the guard; then it stands for the only one.
    if (walked.some((d) => d !== place && d !== tap)) return null;
    if (tap === undefined || place === undefined) return null;
    if (windows.some((window) => window.place === place || window.tap === tap)) return null;
    windows.push({ place, tap, guard });
  }
  // The last dim of rows is the one whose neighbours stand closest together.
  const rows = dimsOf(problem, 'm');
  return { lane, row: rows.length === 0 ? null : rows[rows.length - 1], windows };
}

/** Taps inside of A at one place: they follow each other. */
function tapsAt({ place, tap, guard }: Window, at: number, taps: number): readonly [number, number] {
  const inside = (t: number) => {
    const position = guard.offset + guard.coefs[place] * at + guard.coefs[tap] * t;
    return position >= 0 && position < guard.extent;
  };
  let lo = 0;
  while (lo < taps && !inside(lo)) lo++;
  let hi = lo;
  while (hi < taps && inside(hi)) hi++;
  return [lo, hi];
}

/** All places of a dim, cut where the taps that they see change. */
function runsOf(problem: Problem, plan: Plan, dim: number): Run[] {
  const { extent } = problem.dims[dim];
  const window = plan.windows.find(({ place }) => place === dim);
  if (window === undefined) return [{ from: 0, count: extent, lo: 0, hi: 0 }];
  const runs: Run[] = [];
  for (let at = 0; at < extent; at++) {
    const [lo, hi] = tapsAt(window, at, problem.dims[window.tap].extent);
    const last = runs[runs.length - 1];
    if (last && last.lo === lo && last.hi === hi) runs[runs.length - 1] = { ...last, count: last.count + 1 };
    else runs.push({ from: at, count: 1, lo, hi });
  }
  return runs;
}

export function writeChannels(task: Task, problem: Problem, plan: Plan): void {
  const outer = problem.dims
    .map((_, d) => d)
    .filter((d) => d !== plan.lane && d !== plan.row && problem.dims[d].role !== 'k');
  const cut = plan.windows.map((window) => window.place).filter((d) => d !== plan.row);
  const visit = (rest: readonly number[], chosen: ReadonlyMap<number, Run>): void => {
    if (rest.length > 0) {
      for (const run of runsOf(problem, plan, rest[0])) visit(rest.slice(1), new Map(chosen).set(rest[0], run));
      return;
    }
    if (plan.row === null) return writePart(task, problem, plan, outer, chosen, { size: 1, count: 1, from: 0 });
    for (const run of runsOf(problem, plan, plan.row)) {
      const withRow = new Map(chosen).set(plan.row, run);
      for (const segment of rowSegments(run.count, PLACES))
        writePart(task, problem, plan, outer, withRow, { ...segment, from: segment.from + run.from });
    }
  };
  visit(cut, new Map());
}

/** One nest: outer dims, tiles of the row, channels. */
function writePart(
  task: Task,
  problem: Problem,
  plan: Plan,
  outer: readonly number[],
  runs: ReadonlyMap<number, Run>,
  tiles: RowSegment,
): void {
  const { b } = task.emitter;
  const { dims } = problem;
  const extents = [...outer.map((d) => runs.get(d)?.count ?? dims[d].extent), tiles.count, dims[plan.lane].extent];
  const steps = stepsOf(problem, plan, runs);
  const options = { threads: task.context.caps.threads, work: 2 * steps.length * tiles.size };
  writeNest(b, extents, options, (at, lanes) => {
    const env: Affine[] = dims.map(() => constant(0));
    outer.forEach((d, i) => {
      env[d] = shift(at[i].at, runs.get(d)?.from ?? 0);
    });
    if (plan.row !== null) env[plan.row] = shift(times(at[outer.length].at, tiles.size), tiles.from);
    env[plan.lane] = at[outer.length + 1].at;
    const sums = multiply(task, problem, plan, env, steps, tiles.size, lanes);
    sums.forEach((sum, i) => {
      const here = env.slice();
      if (plan.row !== null) here[plan.row] = shift(env[plan.row], i);
      const index = outputIndex(task.output, problem.outAxes, here, plan.lane, lanes);
      index.memo.set(task.output, sum);
      task.emitter.finish(task.group.roots, index);
    });
  });
}

/** The taps that the places of a part see, as values of the dims of k. */
function stepsOf(problem: Problem, plan: Plan, runs: ReadonlyMap<number, Run>): number[][] {
  let steps = [problem.dims.map(() => 0)];
  for (const d of dimsOf(problem, 'k')) {
    const window = plan.windows.find(({ tap }) => tap === d);
    const run = window && runs.get(window.place);
    const [lo, hi] = run ? [run.lo, run.hi] : [0, problem.dims[d].extent];
    steps = steps.flatMap((at) => Array.from({ length: hi - lo }, (_, i) => at.with(d, lo + i)));
  }
  return steps;
}

/** The sums of `places` neighbours; what two of them see is loaded once while it is at hand. */
function multiply(
  task: Task,
  problem: Problem,
  plan: Plan,
  env: readonly Affine[],
  steps: readonly (readonly number[])[],
  places: number,
  lanes: number,
): Reg[] {
  const { b } = task.emitter;
  const [bufferA, bufferB] = [problem.a, problem.b].map((side) => task.emitter.buffer(side.buffer, 'read'));
  const [startA, startB] = [addressOf(problem.a, env), addressOf(problem.b, env)];
  const rowStep = plan.row === null ? 0 : problem.a.coefs[plan.row];
  const offset = (coefs: readonly number[], at: readonly number[]) => at.reduce((sum, n, d) => sum + n * coefs[d], 0);
  const sums = Array.from({ length: places }, () => b.acc(zeroOf(b, problem)));
  const inner = dimsOf(problem, 'k').at(-1) as number;
  // Steps that differ in the innermost tap alone share inputs.
  const groups = new Map<string, number[][]>();
  for (const step of steps) {
    const key = step.with(inner, 0).join();
    groups.set(key, [...(groups.get(key) ?? []), step.slice()]);
  }
  for (const group of groups.values()) {
    const weights = group.map((step) => b.load(bufferB, shift(startB, offset(problem.b.coefs, step)), 1, lanes));
    const seen = new Map<number, [place: number, step: number][]>();
    group.forEach((step, s) => {
      for (let i = 0; i < places; i++) {
        const at = offset(problem.a.coefs, step) + i * rowStep;
        seen.set(at, [...(seen.get(at) ?? []), [i, s]]);
      }
    });
    for (const [at, uses] of seen) {
      const x = b.load(bufferA, plus(startA, constant(at)), 1, lanes);
      for (const [i, s] of uses) b.fmaAcc(sums[i], x, weights[s]);
    }
  }
  return sums;
}
