/** Groups without inner loops of their own over the output: elementwise, point-wise and piece-wise ones. */
import type { Operation, Value } from '../graph/graph.ts';
import type { Capabilities } from '../kernel/capabilities.ts';
import type { Node } from '../kernel/ir.ts';
import { constant, elemBytes, plus, shift, times, variable } from '../kernel/ir.ts';
import type { GuardSite } from '../kernel/program.ts';
import type { ContractionAxis, Coord, PointPart } from '../ops/lowering.ts';
import { rowOf } from '../ops/table.ts';
import type { Shape } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';
import { Emitter, type LoweredKernel, NeedsScalar } from './emitter.ts';
import { coord, Index } from './index-space.ts';
import { type AccessSteps, axisAcross, writeTransposed } from './lower-transposed.ts';
import { mergeableAxes, spreadGroups, writeNest } from './nest.ts';
import type { Group } from './plan.ts';

export interface LowerContext {
  readonly caps: Capabilities;
  readonly stored: ReadonlySet<Value>;
  readonly sites: GuardSite[];
  /** Inputs that are expected to be the same from run to run: what is made of them alone is made once. */
  readonly steady?: ReadonlySet<Value>;
}

export function newEmitter(
  context: LowerContext,
  own: Iterable<Value>,
  lanes = context.caps.lanes,
  realType?: 'f32' | 'f64',
): Emitter {
  return new Emitter(lanes, context.stored, own, context.sites, realType);
}

/** Name and cost of a kernel for reports. */
export function workOf(emitter: Emitter, roots: readonly Value[], flops: number): { flops: number; bytes: number } {
  let bytes = 0;
  for (let param = 0; ; param++) {
    const info = emitter.b.paramInfo(param);
    if (!info) break;
    bytes += info.size * elemBytes[info.elem];
  }
  return { flops: flops * sizeOf(roots[0].shape), bytes };
}

/** Runs `write` on a trial kernel with a plain loop for each axis, to learn which axes can be walked as one. */
export function trialGroups(
  context: LowerContext,
  shape: Shape,
  own: Iterable<Value>,
  write: (emitter: Emitter, dims: Coord[]) => void,
): { groups: number[][]; instructions: number; accesses: AccessSteps[] } {
  const emitter = newEmitter({ ...context, sites: [] }, own, 1);
  const { b } = emitter;
  const vars: (number | null)[] = [];
  b.region('trial', 1, () => {
    const nest = (axis: number, dims: Coord[]): void => {
      if (axis === shape.length) return write(emitter, dims);
      if (shape[axis] === 1) {
        vars.push(null);
        return nest(axis + 1, [...dims, coord({ offset: 0, terms: [] })]);
      }
      b.loop(`i${axis}`, 0, shape[axis], (v) => {
        vars.push(v.id);
        nest(axis + 1, [...dims, coord(variable(v))]);
      });
    };
    nest(0, []);
  });
  const { kernel } = emitter.build('trial', { flops: 0, bytes: 0 });
  const nodes = kernel.regions[0]?.body ?? [];
  const groups = mergeableAxes(kernel, shape, vars);
  // A group is walked along its last axis.
  const inner = groups.map((axes) => vars[axes[axes.length - 1]]);
  return { groups, instructions: countInstructions(nodes), accesses: accessesOf(nodes, inner) };
}

function accessesOf(nodes: readonly Node[], vars: readonly (number | null)[]): AccessSteps[] {
  return nodes.flatMap((node): AccessSteps[] => {
    if (node.op === 'loop') return accessesOf(node.body, vars);
    if (node.op !== 'load' && node.op !== 'store') return [];
    const steps = vars.map((id) => node.at.terms.find((term) => term.v.id === id)?.coef ?? 0);
    return [{ op: node.op, steps }];
  });
}

function countInstructions(nodes: readonly { op: string; body?: readonly unknown[] }[]): number {
  let count = 0;
  for (const node of nodes) count += node.body ? countInstructions(node.body as never) : 1;
  return count;
}

/** Elementwise groups and groups around a point operation. */
export function lowerPointwise(context: LowerContext, group: Group, name: string): LoweredKernel[] {
  const space = group.anchor ? group.anchor.outputs[0].shape : group.roots[0].shape;
  if (sizeOf(space) === 0) return [];
  try {
    return [pointwiseKernel(context, group, space, name, false)];
  } catch (error) {
    if (!(error instanceof NeedsScalar)) throw error;
    return [pointwiseKernel(context, group, space, name, true)];
  }
}

function ownValues(group: Group): Value[] {
  return group.anchor ? [...group.roots, ...group.anchor.outputs] : group.roots;
}

function pointwiseKernel(
  context: LowerContext,
  group: Group,
  space: Shape,
  name: string,
  scalar: boolean,
): LoweredKernel {
  const own = ownValues(group);
  const { anchor } = group;
  const lowering = anchor && rowOf(anchor.kind).lowering;
  if (lowering?.tag === 'point' && lowering.parts) {
    const inputs = anchor?.inputs.map((input) => input.shape) ?? [];
    return partsKernel(context, group, lowering.parts(anchor?.attrs ?? {}, inputs, space), name, scalar);
  }
  const write = (emitter: Emitter, dims: Coord[], lanes: number) => {
    const index = Index.at(space, dims, lanes);
    if (group.anchor) anchorValues(emitter, group.anchor, index);
    emitter.finish(group.roots, index);
  };
  const trial = trialGroups(context, space, own, (emitter, dims) => write(emitter, dims, 1));
  const groups = group.anchor && group.anchor.inputs.length > 0 ? axesOf(space) : trial.groups;
  const extents = groups.map((axes) => axes.reduce((product, axis) => product * space[axis], 1));
  const emitter = newEmitter(context, own);
  const options = { threads: context.caps.threads, work: trial.instructions, scalar };
  const leaf = (at: Coord[], lanes: number) => write(emitter, spreadGroups(space.length, groups, at), lanes);
  const across = group.anchor ? -1 : axisAcross(trial.accesses, extents, emitter.b.lanes);
  if (across < 0) writeNest(emitter.b, extents, options, leaf);
  else writeTransposed(emitter, extents, across, options, leaf);
  return emitter.build(name, workOf(emitter, group.roots, trial.instructions));
}

/** A kernel with one nest for each part of a point operation's output. */
function partsKernel(
  context: LowerContext,
  group: Group,
  parts: readonly PointPart[],
  name: string,
  scalar: boolean,
): LoweredKernel {
  const anchor = group.anchor as Operation;
  const [{ shape }] = anchor.outputs;
  const emitter = newEmitter(context, ownValues(group));
  let instructions = 0;
  for (const part of parts) {
    const extents = part.dims.map((dim) => dim.extent);
    const write = (e: Emitter, dims: readonly Coord[], lanes: number) => {
      const at = part.axes.map((axis) => coordOf(axis, dims));
      const index = Index.at(shape, at, lanes);
      const regs = e.point(anchor, index, (pointContext, place) => part.emit(pointContext, place, dims));
      anchor.outputs.forEach((output, i) => {
        index.memo.set(output, regs[i]);
      });
      e.finish(group.roots, index);
    };
    const trial = newEmitter({ ...context, sites: [] }, ownValues(group), 1);
    trial.b.region('trial', 1, () =>
      write(
        trial,
        extents.map(() => coord(constant(0))),
        1,
      ),
    );
    const { kernel } = trial.build('trial', { flops: 0, bytes: 0 });
    const work = countInstructions(kernel.regions[0].body);
    instructions = Math.max(instructions, work);
    const unroll = part.dims.map((dim) => dim.unroll === true);
    const options = { threads: context.caps.threads, work, scalar, unroll };
    writeNest(emitter.b, extents, options, (at, lanes) => write(emitter, at, lanes));
  }
  return emitter.build(name, workOf(emitter, group.roots, instructions));
}

/** An output coordinate from those of a part's dims. */
function coordOf({ offset, terms }: ContractionAxis, dims: readonly Coord[]): Coord {
  let at = constant(offset);
  let laneStep = 0;
  for (const { dim, coef } of terms) {
    at = plus(at, times(dims[dim].at, coef));
    laneStep += coef * dims[dim].laneStep;
  }
  return coord(at, laneStep);
}

/** Axes as they are, without those of extent 1; the last one stays, since lanes may run along no other. */
function axesOf(shape: Shape): number[][] {
  return shape.flatMap((extent, axis) => (extent === 1 && axis < shape.length - 1 ? [] : [[axis]]));
}

function anchorValues(emitter: Emitter, anchor: Operation, index: Index): void {
  const regs = emitter.point(anchor, index);
  anchor.outputs.forEach((output, i) => {
    index.memo.set(output, regs[i]);
  });
}

/** Boxes that each come from one place: padding and concatenation. */
export function lowerPieces(context: LowerContext, op: Operation, name: string): LoweredKernel[] {
  const { lowering } = rowOf(op.kind);
  if (lowering.tag !== 'pieces') return [];
  const output = op.outputs[0];
  const emitter = newEmitter(context, [output]);
  for (const piece of lowering.pieces(
    op.attrs,
    op.inputs.map((input) => input.shape),
    output.shape,
  )) {
    if (sizeOf(piece.size) === 0) continue;
    const { source } = piece;
    const write = (e: Emitter, dims: readonly Coord[], lanes: number) => {
      const there = Index.at(
        output.shape,
        dims.map((c, axis) => coord(shift(c.at, piece.start[axis]), c.laneStep)),
        lanes,
      );
      if ('fill' in source) return e.store(output, there, e.fill(output.dtype, source.fill));
      const from = Index.at(
        op.inputs[source.input].shape,
        dims.map((c, axis) => coord(shift(c.at, source.from[axis]), c.laneStep)),
        lanes,
      );
      e.store(output, there, e.value(op.inputs[source.input], from));
    };
    const trial = trialGroups(context, piece.size, [output], (e, dims) => write(e, dims, 1));
    const extents = trial.groups.map((axes) => axes.reduce((product, axis) => product * piece.size[axis], 1));
    const options = { threads: context.caps.threads, work: trial.instructions };
    writeNest(emitter.b, extents, options, (at, lanes) =>
      write(emitter, spreadGroups(output.shape.length, trial.groups, at), lanes),
    );
  }
  return [emitter.build(name, workOf(emitter, [output], 1))];
}
