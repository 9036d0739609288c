/**
 * Register tiles: rows of A are broadcast, columns of B fill the vectors, the products stay in accumulators for a whole walk
 * over k. Loop order inside a chunk: batch, blocks of k, panels, other rows, tiles, k.
 */
import type { Value } from '../../graph/graph.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../../kernel/ir.ts';
import { Scratch } from '../emitter.ts';
import { blockedRegion } from '../nest.ts';
import { outputIndex, type Task } from './lower.ts';
import { addressOf, copyStep, loops, scaleK } from './pack.ts';
import { dimsOf, extentOf, type Guard, loopedRows, type Problem, type Side, zeroOf } from './problem.ts';
import type { Shared } from './sharing.ts';
import { chooseKBlocks, type KBlocks, type PanelSegment, type RowSegment, type Tiling } from './tiling.ts';

/** k steps that are written out instead of looped over. */
const UNROLL = 16;
/** With no more rows the copy of a panel is dear enough to be worth a tile that does it on the way. */
const FEW_ROWS = 256;

interface Walk {
  readonly task: Task;
  readonly problem: Problem;
  readonly tiling: Tiling;
  readonly rowsPacked: boolean;
  /** Full vectors may be read behind the last column: panels are padded with zeros. */
  readonly panelsPadded: boolean;
  readonly blocks: KBlocks;
  readonly env: Affine[];
  /** Where partial sums are kept between blocks of k; null where k is one block. */
  readonly partial: number | null;
  readonly needsEpilogue: boolean;
  /** For each element of a window, its place along every dim; one element of zeros where there is no window. */
  readonly offsets: readonly (readonly number[])[];
  readonly outer: { readonly before: number[]; readonly rows: number[] };
  readonly copy: PanelCopy | null;
}

/** Where panels are copied to, for one block of k. */
interface PanelCopy {
  readonly buffer: number;
  /** Elements of one copy. */
  readonly size: number;
  /** Whether the first tile of rows copies what it reads, instead of a walk of its own. */
  readonly onTheWay: boolean;
  /** Where that of the panel at hand begins. */
  at: Affine;
  /** The block's first step. */
  from: Affine;
}

export function writeTiles(
  task: Task,
  problem: Problem,
  tiling: Tiling,
  shared: Shared,
  packed: { readonly rows: boolean; readonly panels: boolean },
): void {
  const blocks = chooseKBlocks(problem, task.context.caps);
  const blocked = blocks.outer.length > 0 || blocks.cut > 0;
  const plain = task.group.roots.length === 1 && task.group.roots[0] === task.output && !task.inPlace.has(task.output);
  const key: Value | Scratch = plain
    ? task.output
    : new Scratch(
        problem.elem,
        task.output.shape.reduce((p, e) => p * e, 1),
      );
  const partial = blocked ? task.emitter.buffer(key, 'write') : null;
  const batch = [...dimsOf(problem, 'batch'), ...dimsOf(problem, 'n').filter((d) => d !== tiling.vectorDim)];
  // Bounds of a guarded k dim depend on rows: where its loop stands outside of the tiles, theirs stand outside of it.
  const guards = problem.a.guards.filter((guard) => blocks.outer.some((d) => guard.coefs[d] !== 0));
  const early = dimsOf(problem, 'm').filter((d) => guards.some((guard) => guard.coefs[d] !== 0));
  const rows = loopedRows(problem, tiling.rowDim).filter((d) => !early.includes(d));
  const walk: Walk = {
    task,
    problem,
    tiling,
    rowsPacked: packed.rows,
    panelsPadded: packed.panels || shared.copies,
    blocks,
    partial,
    env: problem.dims.map(() => constant(0)),
    needsEpilogue: !plain,
    offsets: windowOffsets(problem),
    outer: { before: [...batch, ...early].filter((d) => d !== shared.dim), rows: rows.filter((d) => d !== shared.dim) },
    copy: shared.copies ? planCopy(task, problem, tiling, blocks) : null,
  };
  writeRegions(walk, shared);
}

function planCopy(task: Task, problem: Problem, tiling: Tiling, blocks: KBlocks): PanelCopy {
  const size = blocks.steps * tiling.width;
  const panels = tiling.panels.reduce((n, panel) => n + panel.count, 0);
  const buffer = task.emitter.buffer(new Scratch(problem.elem, size * panels), 'write');
  const rows = extentOf(problem, dimsOf(problem, 'm'));
  const wholeVectors = problem.b.coefs[tiling.vectorDim] === 1;
  const onTheWay =
    wholeVectors && tiling.rowDim !== null && rows === problem.dims[tiling.rowDim].extent && rows <= FEW_ROWS;
  return { buffer, size, onTheWay, at: constant(0), from: constant(0) };
}

/** The elements of a window in row-major order. */
function windowOffsets(problem: Problem): number[][] {
  let offsets = [problem.dims.map(() => 0)];
  for (const d of problem.window?.inside ?? []) {
    offsets = offsets.flatMap((at) => Array.from({ length: problem.dims[d].extent }, (_, w) => at.with(d, w)));
  }
  return offsets;
}

/** Calls for every tile of rows, from the given tile of the first segment on. */
type RowWalk = (each: (row: RowSegment, at: Affine) => void, from?: 0 | 1) => void;
type PanelWalk = (each: (panel: PanelSegment, at: Affine) => void) => void;

function writeRegions(walk: Walk, shared: Shared): void {
  const { tiling, env, task } = walk;
  const { b } = task.emitter;
  const allRows: RowWalk = (each, from = 0) => {
    tiling.rows.forEach((row, s) => {
      const skipped = s === 0 ? from : 0;
      b.each('t', row.count - skipped, (t) => each(row, shift(times(t, row.size), row.from + skipped * row.size)));
    });
  };
  const allPanels: PanelWalk = (each) => {
    for (const panel of tiling.panels)
      b.each('p', panel.count, (p) => each(panel, shift(times(p, tiling.width), panel.from)));
  };
  const rowWalk: RowWalk =
    tiling.rowDim === null ? (each) => each({ size: 1, count: 1, from: 0 }, constant(0)) : allRows;
  switch (shared.kind) {
    case 'none':
      return b.region('all', 1, () => chunk(walk, rowWalk, allPanels));
    case 'dim': {
      const dim = shared.dim as number;
      return blockedRegion(b, walk.problem.dims[dim].name, walk.problem.dims[dim].extent, shared.block, (at) => {
        env[dim] = at;
        chunk(walk, rowWalk, allPanels);
      });
    }
    case 'rows':
      for (const row of tiling.rows) {
        regionOfBlocks(walk, 'tile', row.count, shared.block, (range) => {
          chunk(walk, (each) => range((t) => each(row, shift(times(t, row.size), row.from))), allPanels);
        });
      }
      return;
    case 'panels': {
      let before = 0;
      for (const panel of tiling.panels) {
        const first = before;
        before += panel.count;
        regionOfBlocks(walk, 'panel', panel.count, shared.block, (range) => {
          chunk(walk, rowWalk, (each) =>
            range((p) => {
              if (walk.copy) walk.copy.at = times(shift(p, first), walk.copy.size);
              each(panel, shift(times(p, tiling.width), panel.from));
            }),
          );
        });
      }
    }
  }
}

/** A region over blocks whose inner walk may be made several times. */
function regionOfBlocks(
  walk: Walk,
  name: string,
  count: number,
  block: number,
  body: (range: (each: (at: Affine) => void) => void) => void,
): void {
  const { b } = walk.task.emitter;
  const chunks = Math.ceil(count / block);
  b.region(name, chunks, (c) =>
    body((each) => {
      if (chunks === 1) return b.each(`${name}i`, count, each);
      if (block === 1) return each(variable(c));
      const hi = [shift(variable(c, block), block)];
      if (count % block !== 0) hi.push(constant(count));
      b.loop(`${name}i`, [variable(c, block)], hi, (v) => each(variable(v)));
    }),
  );
}

/** Everything that one chunk does. */
function chunk(walk: Walk, rows: RowWalk, panels: PanelWalk): void {
  const { problem, env, task, blocks, outer } = walk;
  const { emitter } = task;
  const eachPanel = (each: (panel: PanelSegment) => void) =>
    panels((panel, column) => {
      env[walk.tiling.vectorDim] = column;
      each(panel);
    });
  const eachRow = (each: (row: RowSegment) => void, from?: 0 | 1) =>
    loops(emitter, problem, outer.rows, env, () =>
      rows((row, at) => {
        if (walk.tiling.rowDim !== null) env[walk.tiling.rowDim] = at;
        each(row);
      }, from),
    );
  const tiles = (each: (row: RowSegment, panel: PanelSegment) => void) =>
    eachPanel((panel) => eachRow((row) => each(row, panel)));
  const multiplied = (mode: Mode, bounds: Bounds) => {
    const { copy } = walk;
    if (!copy) return tiles((row, panel) => tile(walk, row, panel, mode, bounds));
    copy.from = bounds.length === 2 ? bounds[0][0] : constant(0);
    if (!copy.onTheWay) eachPanel((panel) => copyPanel(walk, panel, bounds));
    else {
      env[walk.tiling.rowDim as number] = constant(0);
      eachPanel((panel) => tile(walk, walk.tiling.rows[0], panel, mode, bounds, true));
    }
    // Rows outside: a strip of A stays in the first cache for all panels of the chunk.
    eachRow((row) => eachPanel((panel) => tile(walk, row, panel, mode, bounds)), copy.onTheWay ? 1 : 0);
  };
  loops(emitter, problem, outer.before, env, () => {
    if (walk.partial === null) return multiplied('whole', []);
    if (blocks.outer.length > 0) tiles((row, panel) => clear(walk, row, panel));
    kBlocks(walk, blocks.outer, (bounds, mode) => multiplied(mode, bounds));
    if (walk.needsEpilogue) tiles((row, panel) => epilogue(walk, row, panel));
  });
}

/** Whether a tile's sums are whole, the first part of them, or a later one. */
type Mode = 'whole' | 'first' | 'part';

/** Bounds of the innermost cut, or [] where it runs from 0 to its extent. */
type Bounds = readonly [] | readonly [readonly Affine[], readonly Affine[]];

function kBlocks(walk: Walk, dims: readonly number[], each: (bounds: Bounds, mode: 'first' | 'part') => void): void {
  const { b } = walk.task.emitter;
  const { blocks, problem, env } = walk;
  if (dims.length > 0) return kLoop(walk, dims[0], () => kBlocks(walk, dims.slice(1), each));
  if (blocks.cut === 0) return each([], 'part');
  const { extent } = problem.dims[blocks.inner[0]];
  const count = Math.ceil(extent / blocks.cut);
  const first = blocks.outer.length === 0 ? 1 : 0;
  if (first === 1) each([[constant(0)], [constant(blocks.cut)]], 'first');
  b.loop('kb', first, count, (kb) => {
    const hi = [shift(variable(kb, blocks.cut), blocks.cut)];
    if (extent % blocks.cut !== 0) hi.push(constant(extent));
    each([[variable(kb, blocks.cut)], hi], 'part');
  });
  env[blocks.inner[0]] = constant(0);
}

/** Copies one block of k of the panel at hand to where `multiply` reads it. */
function copyPanel(walk: Walk, panel: PanelSegment, bounds: Bounds): void {
  const { task, problem, tiling, blocks, env } = walk;
  const copy = walk.copy as PanelCopy;
  const from = task.emitter.buffer(problem.b.buffer, 'read');
  kSteps(walk, blocks.inner, bounds, () =>
    copyStep(task.emitter, problem, tiling, { lanes: panel.lanes, env, from, to: copy.buffer, at: copiedAt(walk) }),
  );
}

/** Where the copy keeps the step of k at hand. */
function copiedAt({ copy, blocks, env, tiling }: Walk): Affine {
  const { at, from } = copy as PanelCopy;
  return plus(at, times(plus(env[blocks.inner[0]], times(from, -1)), tiling.width));
}

/** A loop over one dim of k, shortened where A would be read outside of itself. */
function kLoop(walk: Walk, dim: number, body: () => void): void {
  const { problem, env, task } = walk;
  const { extent, name } = problem.dims[dim];
  const guards = problem.a.guards.filter((guard) => guard.coefs[dim] !== 0);
  if (guards.length === 0) {
    task.emitter.b.each(name, extent, (at) => {
      env[dim] = at;
      body();
    });
  } else {
    const [lo, hi] = guardBounds(guards, dim, extent, env);
    task.emitter.b.loop(name, lo, hi, (v) => {
      env[dim] = variable(v);
      body();
    });
  }
  env[dim] = constant(0);
}

/** Where 0 <= rest + coef * k < extent holds for a coefficient of 1 or -1. */
function guardBounds(
  guards: readonly Guard[],
  dim: number,
  extent: number,
  env: readonly Affine[],
): [Affine[], Affine[]] {
  const lo: Affine[] = [constant(0)];
  const hi: Affine[] = [constant(extent)];
  for (const guard of guards) {
    const rest = addressOf({ offset: guard.offset, coefs: guard.coefs.map((coef, d) => (d === dim ? 0 : coef)) }, env);
    if (guard.coefs[dim] > 0) {
      lo.push(times(rest, -1));
      hi.push(shift(times(rest, -1), guard.extent));
    } else {
      lo.push(shift(rest, 1 - guard.extent));
      hi.push(shift(rest, 1));
    }
  }
  return [lo, hi];
}

function outAt(walk: Walk, row: number, column: number): Affine {
  const { problem, tiling, env } = walk;
  const rowCoef = tiling.rowDim === null ? 0 : problem.out.coefs[tiling.rowDim];
  return shift(addressOf(problem.out, env), row * rowCoef + column * problem.out.coefs[tiling.vectorDim]);
}

function forTile(
  walk: Walk,
  row: RowSegment,
  panel: PanelSegment,
  each: (i: number, v: number, lanes: number) => void,
): void {
  walk.task.emitter.together(() => {
    for (let i = 0; i < row.size; i++)
      panel.lanes.forEach((lanes, v) => each(i, v * walk.task.context.caps.lanes, lanes));
  });
}

function clear(walk: Walk, row: RowSegment, panel: PanelSegment): void {
  const { b } = walk.task.emitter;
  const stride = walk.problem.out.coefs[walk.tiling.vectorDim];
  forTile(walk, row, panel, (i, j, lanes) =>
    b.store(walk.partial as number, outAt(walk, i, j), stride, lanes, zeroOf(b, walk.problem)),
  );
}

/** Where row i and column j of the tile at hand stand, at one element of their window. */
function placeOf(walk: Walk, i: number, j: number, offset: readonly number[]): Affine[] {
  const { tiling, env } = walk;
  const here = env.map((at, d) => shift(at, offset[d]));
  if (tiling.rowDim !== null) here[tiling.rowDim] = shift(here[tiling.rowDim], i);
  here[tiling.vectorDim] = shift(here[tiling.vectorDim], j);
  return here;
}

/** Stores what the group makes of the sums (one for each element of the window) of row i and column j. */
function finishOne(walk: Walk, i: number, j: number, lanes: number, sums: readonly Reg[]): void {
  const { task, problem, tiling, offsets } = walk;
  const { emitter, group, output } = task;
  const places = offsets.map((offset) => placeOf(walk, i, j, offset));
  const indices = places.map((place) => outputIndex(output, problem.outAxes, place, tiling.vectorDim, lanes));
  indices.forEach((index, o) => index.memo.set(output, sums[o]));
  if (!group.window || !task.window || !problem.window) return emitter.finish(group.roots, indices[0]);
  const { inputs, outputs } = group.window;
  const values = indices.map((index) => emitter.value(inputs[0], index));
  const wanted = outputs.map((value) => group.roots.some((root) => dependsOn(root, value)));
  const pooled = outputIndex(outputs[0], problem.window.pooled, places[0], tiling.vectorDim, lanes);
  task.window.combine(emitter.b, values, wanted).forEach((reg, o) => {
    if (reg !== null) pooled.memo.set(outputs[o], reg);
  });
  emitter.finish(group.roots, pooled);
}

function dependsOn(value: Value, on: Value): boolean {
  return value === on || value.op.inputs.some((input) => dependsOn(input, on));
}

function epilogue(walk: Walk, row: RowSegment, panel: PanelSegment): void {
  const { b } = walk.task.emitter;
  const stride = walk.problem.out.coefs[walk.tiling.vectorDim];
  forTile(walk, row, panel, (i, j, lanes) =>
    finishOne(walk, i, j, lanes, [b.load(walk.partial as number, outAt(walk, i, j), stride, lanes)]),
  );
}

/**
 * One register tile over the inner dims of k. Sums of earlier blocks are added at the end and not loaded at the start, so that
 * a miss of the cache is hidden behind the multiply-adds.
 */
function tile(walk: Walk, row: RowSegment, panel: PanelSegment, mode: Mode, bounds: Bounds, copying = false): void {
  const { task, problem, tiling, blocks } = walk;
  const { b } = task.emitter;
  const stride = problem.out.coefs[tiling.vectorDim];
  const accs: Reg[] = [];
  const vectors = panel.lanes.length;
  const { offsets } = walk;
  for (let n = row.size * offsets.length * vectors; n > 0; n--) accs.push(b.acc(zeroOf(b, problem)));
  const sideA = walk.rowsPacked ? scaleK(problem.a, dimsOf(problem, 'k'), row.size) : problem.a;
  const step = () => multiply(walk, row, panel, sideA, accs, copying);
  kSteps(walk, blocks.inner, bounds, step);
  let next = 0;
  forTile(walk, row, panel, (i, j, lanes) => {
    const [vector, first] = [next % vectors, i * offsets.length];
    next++;
    const sums = offsets.map((_, o) => accs[(first + o) * vectors + vector]);
    if (mode === 'whole') return finishOne(walk, i, j, lanes, sums);
    const [acc] = sums;
    const [to, at] = [walk.partial as number, outAt(walk, i, j)];
    b.store(to, at, stride, lanes, mode === 'first' ? acc : b.binary('add', acc, b.load(to, at, stride, lanes)));
  });
}

function kSteps(walk: Walk, dims: readonly number[], bounds: Bounds, step: () => void): void {
  const { b } = walk.task.emitter;
  const { env, problem } = walk;
  if (dims.length === 0) return step();
  if (bounds.length === 2) {
    b.loop(problem.dims[dims[0]].name, bounds[0], bounds[1], (v) => {
      env[dims[0]] = variable(v);
      kSteps(walk, dims.slice(1), [], step);
    });
    env[dims[0]] = constant(0);
    return;
  }
  if (extentOf(problem, dims) <= UNROLL && problem.a.guards.every((guard) => dims.every((d) => guard.coefs[d] === 0))) {
    b.each(
      'k',
      problem.dims[dims[0]].extent,
      (at) => {
        env[dims[0]] = at;
        kSteps(walk, dims.slice(1), [], step);
      },
      true,
    );
    env[dims[0]] = constant(0);
    return;
  }
  kLoop(walk, dims[0], () => kSteps(walk, dims.slice(1), [], step));
}

/** One step of k: the vectors of B once, each row of A broadcast against them. */
function multiply(
  walk: Walk,
  row: RowSegment,
  panel: PanelSegment,
  sideA: Side,
  accs: readonly Reg[],
  copying: boolean,
): void {
  const { task, tiling, env } = walk;
  const { b } = task.emitter;
  const bufferA = task.emitter.buffer(sideA.buffer, 'read');
  const vectors = panelVectors(walk, panel, copying);
  const atA = addressOf(sideA, env);
  const rowStep = walk.rowsPacked ? 1 : tiling.rowDim === null ? 0 : sideA.coefs[tiling.rowDim];
  const steps = walk.offsets.map((offset) => offset.reduce((sum, w, d) => sum + w * sideA.coefs[d], 0));
  for (let i = 0; i < row.size * steps.length; i++) {
    const step = Math.floor(i / steps.length) * rowStep + steps[i % steps.length];
    const a = b.load(bufferA, shift(atA, step), 0, task.context.caps.lanes);
    vectors.forEach((vector, v) => b.fmaAcc(accs[i * vectors.length + v], a, vector));
  }
}

/** The vectors of B at one step of k; `copying` reads them where they lie and keeps them in the copy. */
function panelVectors(walk: Walk, panel: PanelSegment, copying: boolean): Reg[] {
  const { task, problem, env, copy } = walk;
  const { b } = task.emitter;
  const { lanes: full } = task.context.caps;
  const copied = copy && !copying;
  const buffer = copied ? copy.buffer : task.emitter.buffer(problem.b.buffer, 'read');
  const at = copied ? copiedAt(walk) : addressOf(problem.b, env);
  const padded = walk.panelsPadded && !copying;
  const unit = padded ? 1 : problem.b.coefs[walk.tiling.vectorDim];
  const vectors = panel.lanes.map((lanes, v) =>
    b.load(buffer, shift(at, v * full * unit), unit, padded ? full : lanes),
  );
  if (copy && copying)
    vectors.forEach((vector, v) => b.store(copy.buffer, shift(copiedAt(walk), v * full), 1, full, vector));
  return vectors;
}
