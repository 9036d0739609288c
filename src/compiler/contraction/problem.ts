/**
 * A contraction brought to a normal form: dims with roles, an address map for each side, neighbouring dims merged. Views in
 * front of the operands (transposes, slices, broadcasts) have been folded into the maps.
 */
import { invariant } from '../../base/errors.ts';
import type { Value } from '../../graph/graph.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { type Elem, elemBytes, type Reg, registerOf } from '../../kernel/ir.ts';
import { elemOf } from '../../ops/elements.ts';
import type { ContractionAxis, ContractionSpec } from '../../ops/lowering.ts';
import { rowOf } from '../../ops/table.ts';
import { stridesOf } from '../../types/shape.ts';
import type { BufferKey } from '../emitter.ts';
import { tagOf } from '../plan.ts';

export type Role = 'batch' | 'm' | 'n' | 'k';

export interface Dim {
  readonly name: string;
  readonly extent: number;
  readonly role: Role;
}

/** 0 <= offset + sum of coefs * dims < extent must hold, or the element counts as 0. */
export interface Guard {
  readonly offset: number;
  readonly coefs: readonly number[];
  readonly extent: number;
}

/** Element offset of a side: offset + sum of coefs[d] * d. */
export interface Side {
  readonly buffer: BufferKey;
  readonly offset: number;
  readonly coefs: readonly number[];
  readonly guards: readonly Guard[];
}

export interface Problem {
  /** What both sides hold, and the sums. */
  readonly elem: Elem;
  readonly dims: readonly Dim[];
  readonly a: Side;
  readonly b: Side;
  /** Flat position in the output. */
  readonly out: { readonly offset: number; readonly coefs: readonly number[] };
  /** Coordinates of the output, for the epilogue. */
  readonly outAxes: readonly ContractionAxis[];
  /** Where windows of the output are reduced before they are stored. */
  readonly window: WindowDims | null;
}

export interface WindowDims {
  /** Dims that walk inside of a window, in row-major order: a register tile holds all of them. */
  readonly inside: readonly number[];
  /** Coordinates of the reduced output. */
  readonly pooled: readonly ContractionAxis[];
}

/** The stored value behind views, and the map through them. */
export function peel(
  value: Value,
  axes: readonly ContractionAxis[],
): { base: Value; axes: readonly ContractionAxis[] } {
  let base = value;
  let maps = axes;
  while (tagOf(base.op) === 'view') {
    const { lowering } = rowOf(base.op.kind);
    if (lowering.tag !== 'view') break;
    const current = maps;
    const input = base.op.inputs[0];
    maps = lowering.axes(base.op.attrs, input.shape, base.shape).map((map): ContractionAxis => {
      if (map.axis < 0) return { offset: map.offset, terms: [] };
      const from = current[map.axis];
      return {
        offset: map.offset + map.scale * from.offset,
        terms: from.terms.map((t) => ({ dim: t.dim, coef: t.coef * map.scale })),
      };
    });
    base = input;
  }
  return { base, axes: maps };
}

function sideOf(spec: ContractionSpec, value: Value, axes: readonly ContractionAxis[]): Side {
  const { base, axes: maps } = peel(value, axes);
  const strides = stridesOf(base.shape);
  const coefs = spec.dims.map(() => 0);
  let offset = 0;
  const guards: Guard[] = [];
  maps.forEach((axis, i) => {
    offset += axis.offset * strides[i];
    for (const { dim, coef } of axis.terms) coefs[dim] += coef * strides[i];
  });
  axes.forEach((axis, i) => {
    if (!axis.padded) return;
    const along = spec.dims.map((_, d) => axis.terms.reduce((sum, t) => sum + (t.dim === d ? t.coef : 0), 0));
    if (leaves(spec, axis.offset, along, value.shape[i]))
      guards.push({ offset: axis.offset, coefs: along, extent: value.shape[i] });
  });
  return { buffer: base, offset, coefs, guards };
}

/** Whether the coordinate can fall outside of 0..extent-1 at all. */
function leaves(spec: ContractionSpec, offset: number, coefs: readonly number[], extent: number): boolean {
  let low = offset;
  let high = offset;
  coefs.forEach((coef, dim) => {
    const reach = coef * (spec.dims[dim].extent - 1);
    if (reach < 0) low += reach;
    else high += reach;
  });
  return low < 0 || high >= extent;
}

/** `walks` are the coefficients, for each dim of the spec, of whatever else is addressed by output coordinates (the epilogue). */
export function problemOf(
  spec: ContractionSpec,
  a: Value,
  b: Value,
  output: Value,
  walks: readonly (readonly number[])[] = [],
  window: WindowDims | null = null,
): Problem {
  const sideA = sideOf(spec, a, spec.a);
  const sideB = sideOf(spec, b, spec.b);
  const strides = stridesOf(output.shape);
  const coefs = spec.dims.map(() => 0);
  let offset = 0;
  spec.out.forEach((axis, i) => {
    offset += axis.offset * strides[i];
    for (const { dim, coef } of axis.terms) coefs[dim] += coef * strides[i];
  });
  const isIn = (axes: readonly ContractionAxis[], dim: number) =>
    axes.some((axis) => axis.terms.some((t) => t.dim === dim && t.coef !== 0));
  const dims = spec.dims.map((dim, d): Dim => {
    const [inA, inB, inOut] = [isIn(spec.a, d), isIn(spec.b, d), isIn(spec.out, d)];
    invariant(inOut || (inA && inB) || dim.extent <= 1, `contraction dim ${dim.name} has no role`);
    return { ...dim, role: !inOut ? 'k' : inA && inB ? 'batch' : inB ? 'n' : 'm' };
  });
  const elem = elemOf(output.dtype);
  return mergeDims({ elem, dims, a: sideA, b: sideB, out: { offset, coefs }, outAxes: spec.out, window }, walks);
}

/** Two dims of one role that every map walks as one become one; dims of extent 1 go. */
function mergeDims(problem: Problem, walks: readonly (readonly number[])[]): Problem {
  const kept: number[] = [];
  const { dims } = problem;
  const maps = [problem.a.coefs, problem.b.coefs, problem.out.coefs, ...walks];
  const guarded = (d: number) => [...problem.a.guards, ...problem.b.guards].some((guard) => guard.coefs[d] !== 0);
  const extents = dims.map((dim) => dim.extent);
  const inside = (d: number) => problem.window?.inside.includes(d) ?? false;
  const gone = new Set<number>();
  for (let d = dims.length - 1; d >= 0; d--) {
    if (dims[d].extent === 1 && !inside(d)) {
      gone.add(d);
      continue;
    }
    const inner = kept.find(
      (k) =>
        dims[k].role === dims[d].role &&
        !guarded(k) &&
        !guarded(d) &&
        !inside(k) &&
        !inside(d) &&
        maps.every((map) => map[d] === map[k] * extents[k]),
    );
    if (inner === undefined) kept.unshift(d);
    else {
      extents[inner] *= extents[d];
      gone.add(d);
    }
  }
  const pick = <T>(list: readonly T[]) => kept.map((d) => list[d]);
  const side = (s: Side): Side => ({
    ...s,
    coefs: pick(s.coefs),
    guards: s.guards.map((g) => ({ ...g, coefs: pick(g.coefs) })),
  });
  // Merged outer dims stand at 0; the inner one carries the whole walk, which leaves every flat position right.
  const axes = (list: readonly ContractionAxis[]) =>
    list.map((axis) => ({
      offset: axis.offset,
      terms: axis.terms.flatMap((t) => (gone.has(t.dim) ? [] : [{ dim: kept.indexOf(t.dim), coef: t.coef }])),
    }));
  return {
    elem: problem.elem,
    dims: kept.map((d) => ({ ...dims[d], extent: extents[d] })),
    a: side(problem.a),
    b: side(problem.b),
    out: { offset: problem.out.offset, coefs: pick(problem.out.coefs) },
    outAxes: axes(problem.outAxes),
    window: problem.window && {
      inside: problem.window.inside.map((d) => kept.indexOf(d)),
      pooled: axes(problem.window.pooled),
    },
  };
}

export function dimsOf(problem: Problem, role: Role): number[] {
  return problem.dims.map((_, d) => d).filter((d) => problem.dims[d].role === role);
}

/** Dims of rows that are loops: neither the rows of a tile nor inside of a window. */
export function loopedRows(problem: Problem, rowDim: number | null): number[] {
  return dimsOf(problem, 'm').filter((d) => d !== rowDim && !problem.window?.inside.includes(d));
}

export function extentOf(problem: Problem, dims: readonly number[]): number {
  return dims.reduce((product, d) => product * problem.dims[d].extent, 1);
}

/** Where a sum starts. */
export function zeroOf(b: KernelBuilder, { elem }: Problem): Reg {
  return b.constant(registerOf[elem], 0);
}

/** Bytes of one element of a side or of the sums. */
export function bytesOf({ elem }: Problem): number {
  return elemBytes[elem];
}

/** The same problem with the sides exchanged: (A B)^T = B^T A^T. */
export function exchange(problem: Problem): Problem {
  const role: { readonly [R in Role]: Role } = { batch: 'batch', k: 'k', m: 'n', n: 'm' };
  return {
    ...problem,
    dims: problem.dims.map((dim) => ({ ...dim, role: role[dim.role] })),
    a: problem.b,
    b: problem.a,
  };
}
