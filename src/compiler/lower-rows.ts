/**
 * Row groups: every member walks the row at hand, one after the other; reductions keep their results in registers, and what is
 * dear and needed by a later walk too stays in a row of scratch memory.
 */
import { elemOf } from '../ops/elements.ts';
import type { Value } from '../graph/graph.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, shift, times, variable } from '../kernel/ir.ts';
import type { Coord } from '../ops/lowering.ts';
import { rowOf } from '../ops/table.ts';
import type { Shape } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';
import { type Emitter, type LoweredKernel, Scratch } from './emitter.ts';
import { weightOf } from './fuse.ts';
import { coord, Index } from './index-space.ts';
import { type LowerContext, newEmitter, workOf } from './lower-elementwise.ts';
import { acrossLanes, asNumber, combine, startOf } from './lower-reduce.ts';
import { blockedRegion, chunkElements } from './nest.ts';
import { type Group, isConstant, tagOf } from './plan.ts';

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
  const { rows, reserve } = keptRows(emitter, members, space);
  const row = (chunk: Affine) => {
    emitter.beginRow(rows(chunk));
    for (const member of members) {
      emitter.beginWalk();
      if (member.anchor) reduceRow(emitter, member, space, at, length);
      else mapRow(emitter, member, space, at, length);
    }
  };
  const shared = outer.reduce((best, extent, axis) => (extent > outer[best] ? axis : best), 0);
  const rest = outer.map((_, axis) => axis).filter((axis) => axis !== shared);
  const nest = (axes: readonly number[], chunk: Affine): void => {
    if (axes.length === 0) return row(chunk);
    emitter.b.each(`i${axes[0]}`, outer[axes[0]], (a) => {
      at[axes[0]] = coord(a);
      nest(axes.slice(1), chunk);
    });
  };
  if (outer.length === 0) {
    reserve(1);
    emitter.b.region('row', 1, () => row(constant(0)));
  } else {
    const perStep = sizeOf(space) / outer[shared];
    const chunk = chunkElements(sizeOf(space), { threads: context.caps.threads, work: WORK * members.length });
    const block = Math.max(1, Math.floor(chunk / perStep));
    reserve(Math.ceil(outer[shared] / block));
    blockedRegion(emitter.b, 'row', outer[shared], block, (a, c) => {
      at[shared] = coord(a);
      nest(rest, c);
    });
  }
  return [emitter.build(name, workOf(emitter, [anchored?.anchor?.inputs[0] as Value], WORK))];
}

/** Instructions from which loading a value again is better than computing it again. */
const DEAR = 16;

/** Which values of a row are kept between walks: `reserve` takes memory for so many chunks, `rows` says where a chunk's row lies. */
function keptRows(
  emitter: Emitter,
  members: readonly Group[],
  space: Shape,
): { reserve: (chunks: number) => void; rows: (chunk: Affine) => Map<Value, { buffer: number; at: Affine }> } {
  const values = sharedByWalks(emitter, members, space);
  // A row begins at a line of the cache.
  const stride = Math.ceil(space[space.length - 1] / 16) * 16;
  const buffers = new Map<Value, number>();
  return {
    reserve: (chunks) => {
      for (const value of values)
        buffers.set(value, emitter.buffer(new Scratch(elemOf(value.dtype), chunks * stride), 'write'));
    },
    rows: (chunk) => new Map([...buffers].map(([value, buffer]) => [value, { buffer, at: times(chunk, stride) }])),
  };
}

/** Dear values that several members compute at the element of the row where they stand. */
function sharedByWalks(emitter: Emitter, members: readonly Group[], space: Shape): Value[] {
  const cost = new Map<Value, number>();
  const walks = members.map((member) => {
    const seen = new Set<Value>();
    const visit = (value: Value): number => {
      const isHere = sizeOf(value.shape) === sizeOf(space) && !emitter.isLoaded(value) && !isConstant(value.op);
      const tag = tagOf(value.op);
      const isComputed = tag === 'map' || tag === 'reshape' || (tag === 'point' && value.op.inputs.length === 0);
      if (!isHere || !isComputed) return 0;
      const known = cost.get(value);
      if (known !== undefined && seen.has(value)) return known;
      seen.add(value);
      const inputs = value.op.inputs.reduce((sum, input) => sum + visit(input), 0);
      const total = inputs + (tag === 'reshape' ? 0 : weightOf(value.op));
      cost.set(value, total);
      return total;
    };
    for (const value of member.anchor ? member.anchor.inputs : member.roots) visit(value);
    return seen;
  });
  const isShared = (value: Value) => walks.filter((walk) => walk.has(value)).length > 1;
  const kept = new Set<Value>();
  // From the results down: what a kept value is made of is not needed again by itself.
  for (const walk of walks) {
    const inner = new Set<Value>();
    const candidates = [...walk].filter((value) => value.dtype !== 'bool' && isShared(value));
    for (const value of candidates) {
      if (inner.has(value) || (cost.get(value) ?? 0) < DEAR) continue;
      kept.add(value);
      for (const below of ancestorsOf(value, walk)) inner.add(below);
    }
  }
  return [...kept];
}

/** What `value` is computed from, as far as it is in `within`. */
function ancestorsOf(value: Value, within: ReadonlySet<Value>): Set<Value> {
  const out = new Set<Value>();
  const visit = (from: Value): void => {
    for (const input of from.op.inputs) {
      if (!within.has(input) || out.has(input)) continue;
      out.add(input);
      visit(input);
    }
  };
  visit(value);
  return out;
}

/** Vectors that a reduction accumulates side by side, to hide the latency of one behind the next. */
const ILP = 4;

/** Walks the row, `wide` vectors at once where they fit; the last vector may be partial. `each` gets which of them it is. */
function walkRow(
  emitter: Emitter,
  length: number,
  wide: number,
  each: (from: Affine, lanes: number, vector: number) => void,
): void {
  const { b } = emitter;
  const step = wide * b.lanes;
  const whole = length - (length % step);
  const vectors = (from: Affine) => {
    for (let v = 0; v < wide; v++) each(shift(from, v * b.lanes), b.lanes, v);
  };
  if (whole === step) vectors(constant(0));
  else if (whole > 0) b.loop('v', 0, [constant(whole)], (v) => vectors(variable(v)), { step });
  for (let from = whole, v = 0; from < length; from += b.lanes, v++)
    each(constant(from), Math.min(b.lanes, length - from), v);
}

function placeInRow(emitter: Emitter, space: Shape, at: readonly Coord[], from: Affine, lanes: number): Index {
  return emitter.atPlace(Index.at(space, [...at.slice(0, -1), coord(from, 1)], lanes), from);
}

function mapRow(emitter: Emitter, member: Group, space: Shape, at: readonly Coord[], length: number): void {
  if (member.roots.length === 0) return;
  walkRow(emitter, length, 1, (from, lanes) =>
    emitter.finish(member.roots, placeInRow(emitter, space, at, from, lanes)),
  );
}

function reduceRow(emitter: Emitter, member: Group, space: Shape, at: readonly Coord[], length: number): void {
  const op = member.anchor;
  if (!op) return;
  const { lowering } = rowOf(op.kind);
  if (lowering.tag !== 'reduce') return;
  const { b } = emitter;
  const [input] = op.inputs;
  const start = startOf(b, lowering.fn, input.dtype);
  const wide = Math.min(ILP, Math.max(1, Math.floor(length / b.lanes)));
  const accs = Array.from({ length: wide }, () => b.acc(start));
  walkRow(emitter, length, wide, (from, lanes, vector) => {
    const acc = accs[vector % wide];
    const x = asNumber(emitter, input, emitter.value(input, placeInRow(emitter, space, at, from, lanes)));
    const active = lanes === b.lanes ? x : b.select(b.compare('lt', b.index(constant(0), 1), b.i32(lanes)), x, start);
    b.set(acc, combine(b, lowering.fn, acc, active));
  });
  const total: Reg = acrossLanes(b, lowering.fn, accs);
  const result = input.dtype === 'bool' ? b.convert('i32ToMask', total) : total;
  emitter.setOfRow(op.outputs[0], result);
  const index = Index.at(op.outputs[0].shape, at.slice(0, -1), 1);
  for (const root of member.roots)
    if (root !== op.outputs[0]) emitter.setOfRow(root, emitter.value(root, index.reshape(root.shape)));
  emitter.finish(member.roots, index);
}
