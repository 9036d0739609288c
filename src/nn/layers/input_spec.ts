/** tf.InputSpec: what a layer of the user's own wants of its inputs, in TensorFlow.js's words. */
import type { InputSpec as InputRule } from './layer.ts';
import type { KerasShape } from './shapes.ts';

export interface InputSpecArgs {
  /** Not checked: inputs are brought to the layer's dtype. */
  dtype?: string;
  /** With the batch; null is any extent. */
  shape?: KerasShape;
  /** Rank, the batch included. */
  ndim?: number;
  minNDim?: number;
  /** Extents that axes must have. */
  axes?: { [axis: number]: number };
}

/** Assign one, or a list with one for each input, to `this.inputSpec`. Source: tf.InputSpec. */
export class InputSpec implements InputRule {
  readonly dtype?: string;
  readonly shape?: KerasShape;
  readonly ndim?: number;
  readonly minNDim?: number;
  readonly axes: { readonly [axis: number]: number };

  constructor(args: InputSpecArgs) {
    this.dtype = args.dtype;
    this.shape = args.shape;
    this.ndim = args.shape ? args.shape.length : args.ndim;
    this.minNDim = args.minNDim;
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
}
