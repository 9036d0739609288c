/**
 * How a row says what the compiler shall make of it. Each tag is one class of lowering; the compiler asks the tag, never the
 * op's name. Register types follow the dtype: float32, float16 and bfloat16 -> f32; int32, int8 and uint8 -> i32; bool -> mask.
 */
import type { Attrs, Value } from '../graph/graph.ts';
import type { SubGraph } from '../graph/subgraph.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Elem, ReduceFn, Reg } from '../kernel/ir.ts';
import type { DType } from '../types/dtype.ts';
import type { Shape, TensorType } from '../types/shape.ts';

/** A coordinate along one axis: lane l stands at `at + l * laneStep`. */
export interface Coord {
  readonly at: Affine;
  readonly laneStep: number;
}

/** Coordinate of a view's input axis: offset + scale * (coordinate of output axis `axis`), or just offset where axis is -1. */
export interface AxisMap {
  readonly axis: number;
  readonly scale: number;
  readonly offset: number;
}

/** One box of an output that is filled from one place: elements [start, start + size) of the output. */
export interface Piece {
  readonly start: readonly number[];
  readonly size: readonly number[];
  /** Which input it is read from, at (output coordinate - start + from); or a constant to fill with. */
  readonly source: { readonly input: number; readonly from: readonly number[] } | { readonly fill: number };
}

/** A reduction of boxes that stand side by side: box `at` is input[at * sizes .. at * sizes + sizes). */
export interface WindowLowering {
  /** Extent of the box along each axis of the input; 1 where it is one element. */
  readonly sizes: readonly number[];
  /** The outputs for the box's elements in row-major order; only those that are wanted need to be computed. */
  combine(b: KernelBuilder, values: readonly Reg[], wanted: readonly boolean[]): (Reg | null)[];
}

/**
 * A part of a `point` output that gets loops of its own, so that what is constant in it need not be computed there: borders,
 * residues modulo a stride. Parts are disjoint and cover the output.
 */
export interface PointPart {
  /** Loops, outermost first; the last fills the lanes. `unroll` writes one copy for each value, which `emit` then sees as a constant. */
  readonly dims: readonly { readonly extent: number; readonly unroll?: boolean }[];
  /** The output's coordinates. The last axis is the last dim, and no other has it. */
  readonly axes: readonly ContractionAxis[];
  /** The values of all outputs at coordinates `at` of the output, which `dims` (values of the loops) lead to. */
  emit(context: PointContext, at: readonly Coord[], dims: readonly Coord[]): Reg[];
}

/** An array that becomes part of the program: f32, f64 or i32 elements. */
export type ConstantData = Float32Array | Float64Array | Int32Array;

/** What `point` lowerings compute with. */
export interface PointContext {
  readonly b: KernelBuilder;
  readonly attrs: Attrs;
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  /** The value of input `input` at the coordinates (which must be inside its shape for every active lane). */
  load(input: number, at: readonly Coord[]): Reg;
  /** Loads the scalar index at these coordinates (laneStep 0 everywhere), checks 0 <= index < bound and gives a coordinate for `load`. */
  guarded(input: number, at: readonly Coord[], bound: number, what: string): DynamicCoord;
  /** load with one coordinate that comes from data. */
  loadAt(input: number, at: readonly (Coord | DynamicCoord)[]): Reg;
  /** Elements of a constant array: lane l holds that at `at + l * laneStep`. */
  constant(data: ConstantData, at: Coord): Reg;
}

export interface DynamicCoord {
  readonly index: Reg;
}

/**
 * C[batch, m, n] = sum over k of A[batch, m, k] * B[batch, k, n], with an affine map from the dims to the axes of each
 * tensor. Each dim is in two or three of the maps, which is its role: m in A and C, n in B and C, k in A and B, batch in all.
 */
export interface ContractionSpec {
  readonly dims: readonly { readonly name: string; readonly extent: number }[];
  readonly a: readonly ContractionAxis[];
  readonly b: readonly ContractionAxis[];
  readonly out: readonly ContractionAxis[];
}

/** Coordinate of one tensor axis: offset + sum of coef * dim. */
export interface ContractionAxis {
  readonly offset: number;
  readonly terms: readonly { readonly dim: number; readonly coef: number }[];
  /** The coordinate may fall outside of the axis; the element counts as 0 there (padding). Only for `a`. */
  readonly padded?: boolean;
}

/**
 * A graph that runs `count` times. Its params, and the op's inputs, are carries, xs, invariants; its results, and the op's outputs,
 * are carries and ys. Step t reads slice t along the first axis of each x and writes slice t of each y.
 */
export interface LoopLowering {
  readonly body: SubGraph;
  /** For each param, which of the op's inputs it is; by default the one in its place. */
  readonly inputs?: readonly number[];
  readonly count: number;
  /** An input, int32 of one element: a step begins only while it is not 0. If it is a carry, each step sets it anew. */
  readonly flag?: number;
  /** From the last slice to the first. */
  readonly reverse: boolean;
  readonly carries: number;
  readonly xs: number;
}

export type Lowering =
  /** Has no computation: parameters and constants. */
  | { readonly tag: 'source' }
  /** Elementwise: every input has the output's shape. */
  | {
      readonly tag: 'map';
      emit(b: KernelBuilder, args: readonly Reg[], attrs: Attrs, inputs: readonly DType[], output: DType): Reg;
      /** Whether it only says what a register holds anyway: loading `from` gives `to`, so the result is never stored for its own sake. */
      unpacks?(from: DType, to: DType): boolean;
    }
  /** Moves elements: every output element is one input element; one map for each input axis. */
  | { readonly tag: 'view'; axes(attrs: Attrs, input: Shape, output: Shape): AxisMap[] }
  /** Same elements in the same order, another shape (or a pure renaming, as identity). */
  | { readonly tag: 'reshape' }
  /** The first input itself, to be read only once what the others depend on is computed. Costs nothing, merges with nothing. */
  | { readonly tag: 'after' }
  /** Boxes that together cover the output once. */
  | { readonly tag: 'pieces'; pieces(attrs: Attrs, inputs: readonly Shape[], output: Shape): Piece[] }
  /** attrs.axes (sorted, distinct) are combined and dropped. For bool tensors min is all, max is any. */
  | { readonly tag: 'reduce'; readonly fn: ReduceFn }
  /** Disjoint parts of one output; what no part writes does not exist (parts cover the output). */
  | { readonly tag: 'contraction'; specs(attrs: Attrs, inputs: readonly Shape[], output: Shape): ContractionSpec[] }
  /** The values of all outputs (which share a shape) at one place, with inner loops where needed. Only the last axis has a laneStep. */
  | {
      readonly tag: 'point';
      emit(context: PointContext, at: readonly Coord[]): Reg[];
      readonly parts?: undefined;
      /** Where each output is made of a box of the first input that no other output touches: that box. Lets a producer do it. */
      window?(attrs: Attrs, input: Shape): WindowLowering | null;
    }
  /** The same, in parts; `output` is the shape of all outputs. */
  | {
      readonly tag: 'point';
      readonly emit?: undefined;
      parts(attrs: Attrs, inputs: readonly Shape[], output: Shape): PointPart[];
      window?(attrs: Attrs, input: Shape): WindowLowering | null;
    }
  /** Runs graphs, again and again or not at all: loops and branches. */
  | { readonly tag: 'loops'; loops(attrs: Attrs): readonly LoopLowering[] }
  /** Writes a whole kernel by itself: params are the inputs, then the outputs. */
  | {
      readonly tag: 'kernel';
      emit(context: KernelContext): void;
      /** Operations for each output element, for reports and for deciding whether threads pay; 1 where it is not said. */
      flops?(attrs: Attrs, inputs: readonly Shape[]): number;
      readonly expand?: Expand;
    }
  /** Writes several kernels that run one after the other, with memory of their own in between. */
  | { readonly tag: 'kernels'; emit(context: KernelsContext): void; readonly expand?: Expand }
  /** Is always made of other operations. */
  | { readonly tag: 'expand'; readonly expand: Expand };

/**
 * The outputs in terms of other operations, smaller ones of the same kind among them; null where the op's own kernel is the best
 * that there is for these shapes. The compiler puts them in its place before it does anything else; gradients and batching see the
 * op itself.
 */
export type Expand = (inputs: readonly Value[], attrs: Attrs) => readonly Value[] | null;

/** Memory between the kernels of one operation; one kernel writes it, later ones read it. */
export interface ScratchMemory {
  readonly elem: Elem;
  readonly size: number;
}

export interface KernelsContext {
  readonly attrs: Attrs;
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  /** Lanes of the target, and threads: they may say how work is cut, threads never what is computed. */
  readonly lanes: number;
  readonly threads: number;
  /** What kernels of this operation compute reals in: f64 where any input or output is float64. */
  readonly realType: 'f32' | 'f64';
  scratch(elem: Elem, size: number): ScratchMemory;
  /**
   * Writes the next kernel. It sees everything that earlier ones wrote. An output is written by one kernel only. `flops` are
   * operations for each output element (1) or in all, for reports and for deciding whether threads pay.
   */
  kernel(name: string, write: (kernel: KernelStage) => void, flops?: number | { readonly total: number }): void;
}

/** One kernel of several: buffer numbers for b.load and b.store. What is asked for becomes a parameter. */
export interface KernelStage {
  readonly b: KernelBuilder;
  input(i: number): number;
  /** To be written, unless an earlier kernel has done that. */
  output(i: number, access?: 'read' | 'write'): number;
  scratch(memory: ScratchMemory, access: 'read' | 'write'): number;
  /** Number of a guard site, for b.guard. */
  site(what: string, bound: number): number;
}

export interface KernelContext {
  readonly b: KernelBuilder;
  readonly attrs: Attrs;
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  /** Buffer indices for b.load and b.store; bool buffers hold u8. */
  readonly inputBuffers: readonly number[];
  readonly outputBuffers: readonly number[];
  /** A buffer that holds a constant array; kernels that ask for the same array share it. */
  constant(data: ConstantData): number;
  /** A buffer of reals (float32, or float64 where any input or output is that) that lives as long as the kernel runs; contents are undefined. Chunks share it, so each keeps to its own part. */
  scratch(size: number): number;
  /** Number of a guard site, for b.guard. */
  site(what: string, bound: number): number;
}
