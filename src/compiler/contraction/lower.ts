/**
 * The one contraction generator: matmul in all its transposes, convolution and both its gradients. Chooses orientation,
 * padding, packing and tiles, then writes the kernels. C[batch, m, n] = sum over k of A[batch, m, k] * B[batch, k, n].
 */
import { invariant } from '../../base/errors.ts';
import type { Operation, Value } from '../../graph/graph.ts';
import type { Capabilities } from '../../kernel/capabilities.ts';
import type { Affine, Node } from '../../kernel/ir.ts';
import { variable } from '../../kernel/ir.ts';
import { apply } from '../../ops/build.ts';
import type { ContractionSpec, WindowLowering } from '../../ops/lowering.ts';
import { rowOf } from '../../ops/table.ts';
import { dtypes, isFloat } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import type { Emitter, LoweredKernel } from '../emitter.ts';
import { coord, Index } from '../index-space.ts';
import { type LowerContext, lowerPieces, newEmitter } from '../lower-elementwise.ts';
import { writeNest } from '../nest.ts';
import type { Group } from '../plan.ts';
import { planChannels, writeChannels } from './channels.ts';
import { planChannelSums, writeChannelSums } from './channel-sums.ts';
import { writeDots } from './dots.ts';
import { packA, packB } from './pack.ts';
import { bytesOf, dimsOf, exchange, extentOf, type Problem, problemOf } from './problem.ts';
import { chooseShared } from './sharing.ts';
import { writeTiles } from './tiles.ts';
import { chooseKBlocks, chooseTiling, type Tiling } from './tiling.ts';
import { splitWindows, type WindowedSpec, windowOf } from './window.ts';

export interface Task {
  readonly context: LowerContext;
  readonly group: Group;
  readonly output: Value;
  readonly emitter: Emitter;
  readonly name: string;
  /** Values whose buffer must not be written before the last read of what it shares memory with. */
  readonly inPlace: ReadonlySet<Value>;
  /** The reduction of windows that the group does behind the contraction. */
  readonly window: WindowLowering | null;
}

export function lowerContraction(
  context: LowerContext,
  group: Group,
  name: string,
  inPlace: ReadonlySet<Value>,
): LoweredKernel[] {
  const op = group.anchor as Operation;
  const { lowering } = rowOf(op.kind);
  const output = op.outputs[0];
  if (lowering.tag !== 'contraction' || sizeOf(output.shape) === 0) return [];
  const before: LoweredKernel[] = [];
  const window = group.window ? windowOf(group.window) : null;
  const inner = group.window ? [...group.window.inputs, ...group.window.outputs] : [];
  const emitter = newEmitter(context, [...group.roots, ...inner, output]);
  const task: Task = { context, group, output, emitter, name, inPlace, window };
  let flops = 0;
  let padded: { value: Value; spec: ContractionSpec } | null = null;
  const copies = new Set<Operation>();
  for (const original of lowering.specs(
    op.attrs,
    op.inputs.map((input) => input.shape),
    output.shape,
  )) {
    if (
      original.dims.some(
        (dim, d) => dim.extent === 0 && original.out.some((axis) => axis.terms.some((t) => t.dim === d)),
      )
    )
      continue;
    if (original.dims.some((dim) => dim.extent === 0)) {
      writeZeros(task, original);
      continue;
    }
    const split = window ? splitWindows(original, window.sizes) : null;
    const spec = split?.spec ?? original;
    const walks = epilogueWalks(task, spec, split);
    let problem = problemOf(spec, op.inputs[0], op.inputs[1], output, walks, split);
    const channels = isFloat(output.dtype) ? planChannels(problem, context.caps.lanes) : null;
    if (channels !== null) {
      flops += workOf(problem);
      writeChannels(task, problem, channels);
      continue;
    }
    if (needsPadding(problem)) {
      padded = makePadding(spec, op.inputs[0], padded?.value ?? null);
      copies.add(padded.value.op);
      problem = problemOf(padded.spec, padded.value, op.inputs[1], output, walks, split);
    }
    const sums = isFloat(output.dtype) ? planChannelSums(problem, context.caps) : null;
    if (sums !== null) {
      before.push(writeChannelSums(task, sums, `${name}${before.length || ''}`));
      continue;
    }
    flops += workOf(problem);
    before.push(...writeProblem(task, problem, `${name}${before.length || ''}`));
  }
  for (const copy of copies) before.unshift(...lowerPieces(context, copy, `${name}.pad`));
  const elements = sizeOf(op.inputs[0].shape) + sizeOf(op.inputs[1].shape) + sizeOf(output.shape);
  const bytes = dtypes[output.dtype].bytes * elements;
  return [...before, emitter.build(name, { flops, bytes })];
}

/** Floating-point operations of a problem. */
function workOf(problem: Problem): number {
  return 2 * extentOf(problem, [...problem.dims.keys()]);
}

/** A sum over nothing: zeros, sent through the epilogue. */
function writeZeros({ context, group, output, emitter }: Task, spec: ContractionSpec): void {
  const places = spec.dims.flatMap((_, d) => (spec.out.some((axis) => axis.terms.some((t) => t.dim === d)) ? [d] : []));
  const extents = places.map((d) => spec.dims[d].extent);
  writeNest(emitter.b, extents, { threads: context.caps.threads, work: 1 }, (at, lanes) => {
    const env: Affine[] = spec.dims.map(() => ({ offset: 0, terms: [] }));
    places.forEach((d, i) => {
      env[d] = at[i].at;
    });
    const index = outputIndex(output, spec.out, env, places[places.length - 1] ?? -1, lanes);
    index.memo.set(output, emitter.fill(output.dtype, 0));
    emitter.finish(group.roots, index);
  });
}

/** Coefficients, for each dim of the spec, of every address in the epilogue: what dims may be walked as one depends on them. */
function epilogueWalks(task: Task, spec: ContractionSpec, split: WindowedSpec | null): number[][] {
  const { group, output } = task;
  const inner = group.window ? [...group.window.inputs, ...group.window.outputs] : [];
  const trial = newEmitter({ ...task.context, sites: [] }, [...group.roots, ...inner, output], 1);
  const ids: number[] = [];
  trial.b.region('trial', 1, () => {
    const nest = (d: number, env: Affine[]): void => {
      if (d < spec.dims.length) {
        trial.b.loop(spec.dims[d].name, 0, Math.max(1, spec.dims[d].extent), (v) => {
          ids.push(v.id);
          nest(d + 1, [...env, variable(v)]);
        });
        return;
      }
      const index = outputIndex(output, spec.out, env, -1, 1);
      index.memo.set(output, trial.fill(output.dtype, 0));
      if (!group.window || !split) return trial.finish(group.roots, index);
      trial.value(group.window.inputs[0], index);
      const pooled = outputIndex(group.window.outputs[0], split.pooled, env, -1, 1);
      for (const value of group.window.outputs) pooled.memo.set(value, trial.fill(value.dtype, 0));
      trial.finish(group.roots, pooled);
    };
    nest(0, []);
  });
  const walks: number[][] = [];
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      if (node.op === 'loop') visit(node.body);
      else if (node.op === 'load' || node.op === 'store' || node.op === 'index')
        walks.push(ids.map((id) => node.at.terms.find((t) => t.v.id === id)?.coef ?? 0));
    }
  };
  for (const region of trial.build('trial', { flops: 0, bytes: 0 }).kernel.regions) visit(region.body);
  return walks;
}

/** The output's place for given dims; lanes run along `vectorDim`. */
export function outputIndex(
  output: Value,
  axes: ContractionSpec['out'],
  env: readonly Affine[],
  vectorDim: number,
  lanes: number,
): Index {
  const dims = axes.map((axis) => {
    let at: Affine = { offset: axis.offset, terms: [] };
    let laneStep = 0;
    for (const { dim, coef } of axis.terms) {
      at = addScaled(at, env[dim], coef);
      if (dim === vectorDim) laneStep += coef;
    }
    return coord(at, laneStep);
  });
  return Index.at(output.shape, dims, lanes);
}

function addScaled(a: Affine, b: Affine, by: number): Affine {
  const terms = a.terms.slice();
  for (const t of b.terms) {
    const i = terms.findIndex((u) => u.v.id === t.v.id);
    if (i < 0) terms.push({ v: t.v, coef: t.coef * by });
    else terms[i] = { v: t.v, coef: terms[i].coef + t.coef * by };
  }
  return { offset: a.offset + b.offset * by, terms: terms.filter((t) => t.coef !== 0) };
}

/**
 * Guards cost nothing where they only shorten a loop over k: coefficient 1 or -1, one k dim, and rows along another dim.
 * Where that cannot be, the padding is made real.
 */
function needsPadding(problem: Problem): boolean {
  const { guards } = problem.a;
  if (guards.length === 0) return false;
  if (problem.window?.inside.some((d) => guards.some((guard) => guard.coefs[d] !== 0))) return true;
  const k = new Set(dimsOf(problem, 'k'));
  for (const guard of guards) {
    const walked = guard.coefs.flatMap((coef, d) => (coef !== 0 && k.has(d) ? [coef] : []));
    if (walked.length !== 1 || Math.abs(walked[0]) !== 1) return true;
  }
  const sharedK = new Set(guards.map((guard) => guard.coefs.findIndex((coef, d) => coef !== 0 && k.has(d))));
  if (sharedK.size !== guards.length) return true;
  const rows = dimsOf(problem, 'm').filter((d) => guards.every((guard) => guard.coefs[d] === 0));
  return !rows.some((d) => problem.dims[d].extent >= 4);
}

function makePadding(
  spec: ContractionSpec,
  value: Value,
  known: Value | null,
): { value: Value; spec: ContractionSpec } {
  const paddings = spec.a.map((axis, i) => {
    let low = axis.offset;
    let high = axis.offset;
    for (const { dim, coef } of axis.terms) {
      const reach = coef * (spec.dims[dim].extent - 1);
      if (reach < 0) low += reach;
      else high += reach;
    }
    return [Math.max(0, -low), Math.max(0, high - value.shape[i] + 1)];
  });
  const there = known ? (known.op.attrs.paddings as number[][]) : null;
  if (known && there && paddings.every(([before, after], i) => there[i][0] >= before && there[i][1] >= after)) {
    return {
      value: known,
      spec: { ...spec, a: spec.a.map((axis, i) => ({ ...axis, offset: axis.offset + there[i][0], padded: false })) },
    };
  }
  const [padded] = apply('pad', [value], { paddings, value: 0 });
  return {
    value: padded,
    spec: { ...spec, a: spec.a.map((axis, i) => ({ ...axis, offset: axis.offset + paddings[i][0], padded: false })) },
  };
}

/** The dim that fills the lanes: one that the output walks with stride 1. */
function vectorDimOf(problem: Problem): number | null {
  const n = dimsOf(problem, 'n');
  return n.find((d) => problem.out.coefs[d] === 1) ?? null;
}

function writeProblem(task: Task, original: Problem, name: string): LoweredKernel[] {
  const lanes = task.context.caps.lanes;
  let problem = original;
  const vectorWidth = (p: Problem) => {
    const v = vectorDimOf(p);
    return v === null ? 0 : p.dims[v].extent;
  };
  if (!isFloat(task.output.dtype)) return writeDots(task, problem);
  if (!problem.window && vectorWidth(problem) < Math.min(4, lanes) && problem.a.guards.length === 0) {
    const other = exchange(problem);
    if (vectorWidth(other) > vectorWidth(problem) && other.b.coefs[vectorDimOf(other) as number] === 1) problem = other;
  }
  const vectorDim = vectorDimOf(problem);
  if (vectorDim === null || problem.dims[vectorDim].extent < 2) {
    invariant(!problem.window, 'a window needs a vector dim');
    return writeDots(task, original);
  }
  const rows = extentOf(problem, dimsOf(problem, 'm'));
  const direct = problem.b.coefs[vectorDim] === 1;
  if (!direct && rows < 4 && !problem.window) return writeDots(task, original);
  const tiling = chooseTiling(problem, vectorDim, task.context.caps);
  const kernels: LoweredKernel[] = [];
  let rowsPacked = false;
  const isSteady = task.context.steady?.has(problem.b.buffer as Value) ?? false;
  const ahead = isSteady && (!direct || wantsPackedB(problem, tiling, rows, true));
  const shared = { ...chooseShared(task, problem, tiling), ...(ahead && { copies: false }) };
  if (shared.copies) {
    // Chunks do it themselves.
  } else if (ahead || !direct || wantsPackedB(problem, tiling, rows, false)) {
    const packed = packB(task.context, problem, tiling, name);
    kernels.push(packed.kernel);
    problem = { ...problem, b: packed.side };
  }
  if (!problem.window && !shared.copies && wantsPackedA(problem, tiling.rowDim, task.context.caps)) {
    const packed = packA(task.context, problem, tiling, name);
    kernels.push(packed.kernel);
    problem = { ...problem, a: packed.side };
    rowsPacked = true;
  }
  invariant(problem.a.guards.length === 0 || !rowsPacked, 'a packed side has no padding');
  const panels = problem.b.buffer !== original.b.buffer && problem.b.buffer !== original.a.buffer;
  writeTiles(task, problem, tiling, shared, { rows: rowsPacked, panels });
  return kernels;
}

/** Rows that pay for the copy of a panel: a row of it that fills whole lines of the cache is read about as well where it is. */
const ROWS_FOR_COPY = { wholeLines: 400, partOfLines: 64, steady: 16 };

/**
 * Rows of B far apart fall into few sets of the first cache and on a page each; a panel read often enough pays for its copy. A copy
 * that outlives the run costs memory only.
 */
function wantsPackedB(problem: Problem, { vectorDim, width }: Tiling, rows: number, isSteady: boolean): boolean {
  const k = dimsOf(problem, 'k');
  const innermost = k[k.length - 1];
  const { wholeLines, partOfLines, steady } = ROWS_FOR_COPY;
  const fewest = isSteady ? steady : width * bytesOf(problem) >= 128 ? wholeLines : partOfLines;
  if (innermost === undefined || rows < fewest) return false;
  const stride = Math.abs(problem.b.coefs[innermost]) * bytesOf(problem);
  const steps = extentOf(problem, k);
  return stride >= 512 && steps >= 64 && problem.dims[vectorDim].extent >= 16 && steps * stride > 32768;
}

function wantsPackedA(problem: Problem, rowDim: number | null, caps: Capabilities): boolean {
  if (rowDim === null || problem.a.guards.length > 0) return false;
  // Whole rows follow each other in memory; only parts of them, far apart, meet in few sets of the cache.
  if (chooseKBlocks(problem, caps).cut === 0) return false;
  const k = dimsOf(problem, 'k');
  const innermost = k[k.length - 1];
  if (innermost === undefined || problem.a.coefs[innermost] !== 1) return false;
  const columns = extentOf(problem, dimsOf(problem, 'n'));
  return (
    problem.a.coefs[rowDim] * bytesOf(problem) >= 2048 &&
    columns >= 256 &&
    problem.dims[rowDim].extent >= 48 &&
    extentOf(problem, k) >= 256
  );
}
