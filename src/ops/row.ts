/** The shape of a row of the op table. Every field must be filled: a row with a hole does not compile. */
import type { Attrs, Value } from '../graph/graph.ts';
import type { TypedArray } from '../types/dtype.ts';
import type { DType } from '../types/dtype.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import type { Batching } from './batching.ts';
import type { Lowering } from './lowering.ts';

/** A dense row-major array, for the reference evaluation. bool holds 0 and 1. */
export interface NDArray {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
}

export interface GradientContext {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attrs: Attrs;
  /** For ops that carry graphs: d(sum of ys . dys) / dx for each x; null where no y depends on it. */
  differentiate(ys: readonly Value[], xs: readonly Value[], dys: readonly Value[]): (Value | null)[];
  /** Lets go of values that a rule wrote only to differentiate them, unless the result reads them: nothing is kept for them. */
  forget(values: readonly Value[]): void;
}

/**
 * Gradients for the inputs, in terms of ops, given those of the outputs (null: no gradient flows there). null for an input
 * means zero. Integer and bool inputs get null.
 */
export type GradientRule = (context: GradientContext, dys: readonly (Value | null)[]) => (Value | null)[];

/** What a generated test feeds a row: input types (with the range of their values) and attributes. */
export interface Sample {
  readonly inputs: readonly (TensorType & {
    readonly low?: number;
    readonly high?: number;
    /** Added to the diagonal of the last two axes: well-conditioned matrices. */
    readonly diagonal?: number;
  })[];
  readonly attrs?: Attrs;
}

export interface OpRow {
  readonly name: string;
  /** One line for the generated op table. */
  readonly summary: string;
  readonly arity: number | 'variadic';
  /** Shape and dtype rule; throws a UserError that begins with the op's name. */
  infer(inputs: readonly TensorType[], attrs: Attrs): TensorType[];
  /** 'constant': piecewise constant or integer-valued, so its gradient is zero. */
  readonly gradient: GradientRule | 'constant';
  /** What vmap makes of the op: see batching.ts for the words and for makers of rules. */
  readonly batching: Batching;
  /** The definition: small, slow, obviously right; one array for each output. */
  evaluate(inputs: readonly NDArray[], attrs: Attrs, outputs: readonly TensorType[]): TypedArray[];
  readonly lowering: Lowering;
  /**
   * What it makes of dtypes that memory has and registers have not (float16, int8, ...). By default inputs are cast to what they are
   * computed in and outputs of that dtype cast back: to the smallest that all of `inputs` (all of them) go into, where `outputs` (all
   * of them) follow. 'asIs': it takes and gives them itself, as rows do that only move elements.
   */
  readonly small?: 'asIs' | { readonly inputs?: readonly number[]; readonly outputs?: readonly number[] };
  /**
   * Shapes (scalar, empty, one, ragged, large), dtypes and values that the generated tests draw from. Written as a getter: an
   * import makes none of them.
   */
  readonly samples: readonly Sample[];
  /** Allowed distance of targets from the reference: |x - y| <= absolute + relative * |y|. */
  readonly tolerance?: { readonly absolute: number; readonly relative: number };
}
