/**
 * Window reductions behind a contraction: the output's windowed axes are split into (place, offset in the window), and a
 * register tile holds whole windows, so that what is pooled is never written to memory.
 */
import { invariant } from '../../base/errors.ts';
import type { Operation } from '../../graph/graph.ts';
import type { ContractionAxis, ContractionSpec, WindowLowering } from '../../ops/lowering.ts';
import { rowOf } from '../../ops/table.ts';
import { isFloat } from '../../types/dtype.ts';

/** Steps of k up to which a tile is walked in one go; longer walks keep partial sums of what a window has not kept. */
const LONGEST_K = 1200;

export function windowOf(op: Operation): WindowLowering {
  const { lowering } = rowOf(op.kind);
  const window = lowering.tag === 'point' ? lowering.window?.(op.attrs, op.inputs[0].shape) : null;
  invariant(window, `${op.kind} has no window`);
  return window;
}

/** A contraction in one part whose k is short enough. */
export function canTileWindow(op: Operation): boolean {
  const { lowering } = rowOf(op.kind);
  if (lowering.tag !== 'contraction' || !isFloat(op.outputs[0].dtype)) return false;
  const specs = lowering.specs(
    op.attrs,
    op.inputs.map((input) => input.shape),
    op.outputs[0].shape,
  );
  if (specs.length !== 1) return false;
  const [spec] = specs;
  const inOut = new Set(spec.out.flatMap((axis) => axis.terms.map((t) => t.dim)));
  const steps = spec.dims.reduce((product, dim, d) => (inOut.has(d) ? product : product * dim.extent), 1);
  if (steps > LONGEST_K) return false;
  if (!spec.out.every((axis) => axis.terms.length === 1 && axis.terms[0].coef === 1 && axis.offset === 0)) return false;
  // The lanes run along the last axis, which has to be a dim of B alone.
  const last = spec.out[spec.out.length - 1].terms[0].dim;
  const walks = (axes: readonly ContractionAxis[]) => axes.some((axis) => axis.terms.some((t) => t.dim === last));
  return spec.dims[last].extent >= 4 && walks(spec.b) && !walks(spec.a);
}

export interface WindowedSpec {
  readonly spec: ContractionSpec;
  /** Dims that walk inside of a window, in row-major order. */
  readonly inside: readonly number[];
  /** Coordinates of the pooled output. */
  readonly pooled: readonly ContractionAxis[];
}

/** Splits every windowed output dim d into size * d + w; what no whole window covers is not computed. */
export function splitWindows(spec: ContractionSpec, sizes: readonly number[]): WindowedSpec {
  const dims = spec.dims.slice();
  const inside: number[] = [];
  const split = new Map<number, { size: number; w: number }>();
  spec.out.forEach((axis, i) => {
    if (sizes[i] === 1) return;
    const { dim } = axis.terms[0];
    const w = dims.length;
    dims.push({ name: `${spec.dims[dim].name}w`, extent: sizes[i] });
    dims[dim] = { ...spec.dims[dim], extent: Math.floor(spec.dims[dim].extent / sizes[i]) };
    split.set(dim, { size: sizes[i], w });
    inside.push(w);
  });
  const through = (axis: ContractionAxis): ContractionAxis => ({
    ...axis,
    terms: axis.terms.flatMap((t) => {
      const s = split.get(t.dim);
      return s
        ? [
            { dim: t.dim, coef: t.coef * s.size },
            { dim: s.w, coef: t.coef },
          ]
        : [t];
    }),
  });
  return {
    spec: { dims, a: spec.a.map(through), b: spec.b.map(through), out: spec.out.map(through) },
    inside,
    pooled: spec.out,
  };
}
