/**
 * Where in a tensor an expression is evaluated: coordinates, the flat position, or both. Pure arithmetic on affine maps;
 * writes no code.
 */
import type { Operation } from '../graph/graph.ts';
import type { Value } from '../graph/graph.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, zero } from '../kernel/ir.ts';
import type { AxisMap, Coord } from '../ops/lowering.ts';
import type { Shape } from '../types/shape.ts';
import { sameShape, stridesOf } from '../types/shape.ts';

export const origin: Coord = { at: zero, laneStep: 0 };

export function coord(at: Affine, laneStep = 0): Coord {
  return { at, laneStep };
}

function addCoords(a: Coord, b: Coord): Coord {
  return { at: plus(a.at, b.at), laneStep: a.laneStep + b.laneStep };
}

function scaleCoord(a: Coord, factor: number): Coord {
  return { at: times(a.at, factor), laneStep: a.laneStep * factor };
}

/** A place in a tensor of `shape`, for `lanes` lanes at once. Values computed at it are remembered in `memo`. */
export class Index {
  readonly shape: Shape;
  /** null where only the flat position is known. */
  readonly dims: readonly Coord[] | null;
  readonly flat: Coord | null;
  readonly lanes: number;
  readonly memo = new Map<Value, Reg>();
  /** The same elements in every shape asked for so far; shared by all of them. */
  #family: Index[] = [this];
  readonly #views = new Map<Operation, Index>();

  private constructor(shape: Shape, dims: readonly Coord[] | null, flat: Coord | null, lanes: number) {
    this.shape = shape;
    this.dims = dims;
    this.flat = flat;
    this.lanes = lanes;
  }

  static at(shape: Shape, dims: readonly Coord[], lanes: number): Index {
    const strides = stridesOf(shape);
    const flat = dims.reduce((sum, dim, axis) => addCoords(sum, scaleCoord(dim, strides[axis])), origin);
    return new Index(shape, dims, flat, lanes);
  }

  /** The same elements seen through another shape of the same size. */
  reshape(shape: Shape): Index {
    if (sameShape(shape, this.shape)) return this;
    let known = this.#family.find((index) => sameShape(index.shape, shape));
    if (!known) {
      const merged = this.dims ? mergeAxes(this.shape, shape) : null;
      const dims =
        merged && this.dims
          ? merged.map((parts) =>
              parts.reduce(
                (sum, part) => addCoords(sum, scaleCoord((this.dims as Coord[])[part.axis], part.coef)),
                origin,
              ),
            )
          : null;
      known = new Index(shape, dims, this.flat, this.lanes);
      known.#family = this.#family;
      this.#family.push(known);
    }
    return known;
  }

  /** The place in the view's input; null where the coordinates that it takes are not known. */
  view(op: Operation, axes: () => readonly AxisMap[]): Index | null {
    let known = this.#views.get(op);
    if (!known) {
      const dims = this.dims;
      if (!dims) return null;
      const input = op.inputs[0];
      known = Index.at(
        input.shape,
        axes().map((map) => throughAxis(map, dims)),
        this.lanes,
      );
      this.#views.set(op, known);
    }
    return known;
  }
}

function throughAxis(map: AxisMap, dims: readonly Coord[]): Coord {
  if (map.axis < 0) return coord(constant(map.offset));
  const scaled = scaleCoord(dims[map.axis], map.scale);
  return coord(shift(scaled.at, map.offset), scaled.laneStep);
}

/**
 * Writes each axis of `to` as a sum of axes of `from` (same size, same order), or null where an axis of `from` would have
 * to be split: division is not affine.
 */
export function mergeAxes(from: Shape, to: Shape): { axis: number; coef: number }[][] | null {
  const out: { axis: number; coef: number }[][] = to.map(() => []);
  let axis = from.length - 1;
  for (let target = to.length - 1; target >= 0; target--) {
    let covered = 1;
    while (covered < to[target]) {
      while (axis >= 0 && from[axis] === 1) axis--;
      if (axis < 0) return null;
      out[target].push({ axis, coef: covered });
      covered *= from[axis--];
    }
    if (covered !== to[target]) return null;
  }
  return out;
}
