/**
 * A cell: what a recurrent layer does in one step. `prepare` is what can be done for all steps at once (the products with the
 * inputs), `step` what depends on the step before. Knows no loop.
 */
import { dropout, onesLike, type Tensor } from '../../tensor/index.ts';
import { type CallOptions, Layer } from './layer.ts';
import type { KerasShape } from './shapes.ts';

/** What stays the same over the steps of a batch. */
export interface StepContext {
  readonly training: boolean;
  /** Drops parts of the state before it is used; the same in each step (Gal and Ghahramani 2016). */
  readonly recurrentMask: Tensor | null;
}

/**
 * A class of the user's own gives `stateSize` and `call([x, ...states])`, which returns [output, ...states].
 * Source: tf.layers.RNNCell.
 */
export abstract class RNNCell extends Layer {
  /** Length of the state, or of each. */
  abstract readonly stateSize: number | readonly number[];

  /** Whether the output of a step is its first new state: then loops need not carry both. */
  get outputIsState(): boolean {
    return false;
  }
  get stateSizes(): readonly number[] {
    return typeof this.stateSize === 'number' ? [this.stateSize] : this.stateSize;
  }
  /** Shapes of the states for a batch of inputs of one step. */
  stateShapes(inputShape: KerasShape): KerasShape[] {
    return this.stateSizes.map((size) => [inputShape[0], size]);
  }
  /** The shape of the output of one step. */
  stepShape(inputShape: KerasShape): KerasShape {
    return this.stateShapes(inputShape)[0];
  }

  override computeOutputShape(inputShape: KerasShape | readonly KerasShape[]): KerasShape | KerasShape[] {
    const first = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as KerasShape;
    return [this.stepShape(first), ...this.stateShapes(first)];
  }

  /** What of all steps can be computed at once: [steps, batch, ...] in, the same leading axes out. */
  prepare(inputs: Tensor, _training: boolean): Tensor {
    return inputs;
  }
  /** Made once for a batch, before its steps. */
  begin(_states: readonly Tensor[], training: boolean): StepContext {
    return { training, recurrentMask: null };
  }
  /** One step from what prepare gave: the output and the new states. */
  step(input: Tensor, states: readonly Tensor[], context: StepContext): Tensor[] {
    return this.call([input, ...states], { training: context.training }) as Tensor[];
  }

  override call(inputs: Tensor[], options: CallOptions): Tensor[] {
    const [input, ...states] = inputs;
    const training = options.training ?? false;
    const prepared = this.prepare(input.expandDims(0), training).squeeze([0]) as Tensor;
    return this.step(prepared, states, this.begin(states, training));
  }
}

/** 1 / (1 - rate) or 0 for each element of `like`; null where nothing is dropped. */
export function dropMask(like: Tensor, rate: number, training: boolean): Tensor | null {
  return training && rate > 0 ? dropout(onesLike(like), rate) : null;
}
