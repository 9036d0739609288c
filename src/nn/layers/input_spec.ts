/** What a layer wants of its inputs, and tf.InputSpec, which says it in TensorFlow.js's words. Knows no layer. */
import { fail } from '../../base/errors.ts';
import { type KerasShape, type ShapeOrShapes, shapesOf, showKerasShape, showShapes } from './shapes.ts';

/** What an input must be. */
export interface InputRule {
  rank?: number;
  minRank?: number;
  maxRank?: number;
  /** Extents that axes must have, as `{[-1]: 64}`. */
  axes?: { readonly [axis: number]: number };
  /** Says what to try when the rank is wrong. */
  hint?: string;
}

/** Each input must follow the rule, or its own of a list. */
export function checkInputShapes(label: string, rules: InputRule | readonly InputRule[], given: ShapeOrShapes): void {
  const shapes = shapesOf(given);
  if (!Array.isArray(rules)) {
    for (const shape of shapes) checkInputShape(label, rules as InputRule, shape, '');
    return;
  }
  if (shapes.length !== rules.length) {
    fail(label, `the layer needs ${rules.length} inputs`, `got ${showShapes(given)}`);
  }
  for (const [i, shape] of shapes.entries()) checkInputShape(label, rules[i], shape, shapes.length > 1 ? ` ${i}` : '');
}

function checkInputShape(
  label: string,
  { rank, minRank, maxRank, axes, hint }: InputRule,
  shape: KerasShape,
  which: string,
): void {
  const low = rank ?? minRank ?? 0;
  const high = rank ?? maxRank ?? Number.POSITIVE_INFINITY;
  if (shape.length < low || shape.length > high) {
    const least = high === Number.POSITIVE_INFINITY ? `of rank ${low} or more` : `of rank ${low} to ${high}`;
    const must = low === high ? `of rank ${low}` : least;
    fail(label, `the input${which} must be ${must}, the batch included`, `got ${showKerasShape(shape)}`, hint);
  }
  for (const [key, extent] of Object.entries(axes ?? {})) {
    const axis = Number(key);
    const came = shape.at(axis) ?? null;
    if (came === null || came === extent) continue;
    const must = `axis ${axis} of the input${which} must be ${extent}, as the layer was built`;
    fail(label, must, `got ${showKerasShape(shape)}`, 'look at the layer before');
  }
}

export interface InputSpecArgs {
  /** Not checked: inputs are brought to the layer's dtype. */
  dtype?: string;
  /** With the batch; null is any extent. */
  shape?: KerasShape;
  /** Rank, the batch included. */
  ndim?: number;
  minNDim?: number;
  maxNDim?: number;
  /** Extents that axes must have. */
  axes?: { [axis: number]: number };
}

/** Assign one, or a list with one for each input, to `this.inputSpec`. Source: tf.InputSpec. */
export class InputSpec implements InputRule {
  readonly dtype?: string;
  readonly shape?: KerasShape;
  readonly ndim?: number;
  readonly minNDim?: number;
  readonly maxNDim?: number;
  readonly axes: { readonly [axis: number]: number };

  constructor(args: InputSpecArgs) {
    this.dtype = args.dtype;
    this.shape = args.shape;
    this.ndim = args.shape ? args.shape.length : args.ndim;
    this.minNDim = args.minNDim;
    this.maxNDim = args.maxNDim;
    const known = (args.shape ?? []).flatMap((extent, axis): [number, number][] =>
      extent === null ? [] : [[axis, extent]],
    );
    this.axes = { ...args.axes, ...Object.fromEntries(known) };
  }
  get rank(): number | undefined {
    return this.ndim;
  }
  get minRank(): number | undefined {
    return this.minNDim;
  }
  get maxRank(): number | undefined {
    return this.maxNDim;
  }
}
