/** Row groups: every member walks the row at hand, one after the other; reductions keep their results in registers. */
import type { Value } from '../graph/graph.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, variable } from '../kernel/ir.ts';
import type { Coord } from '../ops/lowering.ts';
import { rowOf } from '../ops/table.ts';
import type { Shape } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';
import type { Emitter, LoweredKernel } from './emitter.ts';
import { coord, Index } from './index-space.ts';
import { type LowerContext, newEmitter, workOf } from './lower-elementwise.ts';
import { acrossLanes, asNumber, combine, identityOf } from './lower-reduce.ts';
import { blockedRegion, chunkElements } from './nest.ts';
import type { Group } from './plan.ts';

/** Operations for an element of one member, for the size of chunks. */
const WORK = 8;

export function lowerRows(context: LowerContext, group: Group, name: string): LoweredKernel[] {
  const members = group.members ?? [];
  const anchored = members.find((member) => member.anchor);
  const space = anchored?.anchor?.inputs[0].shape as Shape;
  if (sizeOf(space) === 0) return [];
  const own = members.flatMap((member) => [...member.roots, ...(member.anchor?.outputs ?? [])]);
  const emitter = newEmitter(context, own);
  const length = space[space.length - 1];
  const outer = space.slice(0, -1);
  const at: Coord[] = space.map(() => coord(constant(0)));
  const row = () => {
    for (const member of members) {
      if (member.anchor) reduceRow(emitter, member, space, at, length);
      else mapRow(emitter, member, space, at, length);
    }
  };
  const shared = outer.reduce((best, extent, axis) => (extent > outer[best] ? axis : best), 0);
  const rest = outer.map((_, axis) => axis).filter((axis) => axis !== shared);
  const nest = (axes: readonly number[]): void => {
    if (axes.length === 0) return row();
    emitter.b.each(`i${axes[0]}`, outer[axes[0]], (a) => {
      at[axes[0]] = coord(a);
      nest(axes.slice(1));
    });
  };
  if (outer.length === 0) emitter.b.region('row', 1, row);
  else {
    const perStep = sizeOf(space) / outer[shared];
    const chunk = chunkElements(sizeOf(space), { threads: context.caps.threads, work: WORK * members.length });
    blockedRegion(emitter.b, 'row', outer[shared], Math.max(1, Math.floor(chunk / perStep)), (a) => {
      at[shared] = coord(a);
      nest(rest);
    });
  }
  return [emitter.build(name, workOf(emitter, [anchored?.anchor?.inputs[0] as Value], WORK))];
}

/** Walks the row in vectors; the last one may be partial. */
function walkRow(emitter: Emitter, length: number, each: (from: Affine, lanes: number) => void): void {
  const { b } = emitter;
  const whole = length - (length % b.lanes);
  if (whole === b.lanes) each(constant(0), b.lanes);
  else if (whole > 0) b.loop('v', 0, [constant(whole)], (v) => each(variable(v), b.lanes), { step: b.lanes });
  if (length > whole) each(constant(whole), length - whole);
}

function placeInRow(space: Shape, at: readonly Coord[], from: Affine, lanes: number): Index {
  return Index.at(space, [...at.slice(0, -1), coord(from, 1)], lanes);
}

function mapRow(emitter: Emitter, member: Group, space: Shape, at: readonly Coord[], length: number): void {
  if (member.roots.length === 0) return;
  walkRow(emitter, length, (from, lanes) => emitter.finish(member.roots, placeInRow(space, at, from, lanes)));
}

function reduceRow(emitter: Emitter, member: Group, space: Shape, at: readonly Coord[], length: number): void {
  const op = member.anchor;
  if (!op) return;
  const { lowering } = rowOf(op.kind);
  if (lowering.tag !== 'reduce') return;
  const { b } = emitter;
  const [input] = op.inputs;
  const start = identityOf(b, lowering.fn, input.dtype);
  const acc = b.acc(start);
  const vector = (from: Affine, lanes: number) => {
    const x = asNumber(emitter, input, emitter.value(input, placeInRow(space, at, from, lanes)));
    const active = lanes === b.lanes ? x : b.select(b.compare('lt', b.index(constant(0), 1), b.i32(lanes)), x, start);
    b.set(acc, combine(b, lowering.fn, acc, active));
  };
  walkRow(emitter, length, vector);
  const total: Reg = acrossLanes(b, lowering.fn, [acc]);
  const result = input.dtype === 'bool' ? b.convert('i32ToMask', total) : total;
  emitter.setOfRow(op.outputs[0], result);
  const index = Index.at(op.outputs[0].shape, at.slice(0, -1), 1);
  for (const root of member.roots)
    if (root !== op.outputs[0]) emitter.setOfRow(root, emitter.value(root, index.reshape(root.shape)));
  emitter.finish(member.roots, index);
}
