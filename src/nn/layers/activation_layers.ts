/** Activation functions as layers of their own. */
import { fail } from '../../base/errors.ts';
import { minimum, relu, softmax, type Tensor } from '../../tensor/index.ts';
import { type Activation as ActivationRow, type ActivationIdentifier, getActivation } from '../activations.ts';
import type { Config } from '../keras_config.ts';
import { ActivatedLayer } from './activated.ts';
import { Layer, type LayerArgs } from './layer.ts';
import type { KerasShape } from './shapes.ts';

export interface ActivationLayerArgs extends LayerArgs {
  activation: ActivationIdentifier | ActivationRow;
}

/** activation(x), of the input's shape. Source: tf.layers.activation. */
export class Activation extends ActivatedLayer {
  static override readonly className = 'Activation';
  readonly activation: ActivationRow;

  constructor(args: ActivationLayerArgs) {
    super(args);
    this.activation = getActivation(this.label, args.activation);
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }
  override preActivation(inputs: Tensor): Tensor {
    return inputs;
  }
  override getConfig(): Config {
    return { activation: this.activation.name, ...super.getConfig() };
  }
}

export interface ReLUArgs extends LayerArgs {
  /** Upper bound; default none. */
  maxValue?: number;
}

/** min(max(x, 0), maxValue), of the input's shape. Source: tf.layers.reLU. */
export class ReLU extends Layer {
  static override readonly className = 'ReLU';
  readonly maxValue: number | undefined;

  constructor(args: ReLUArgs = {}) {
    super(args);
    this.maxValue = args.maxValue ?? undefined;
    if (this.maxValue !== undefined && !(this.maxValue >= 0)) {
      fail(this.label, 'maxValue must be a non-negative number', `got ${this.maxValue}`);
    }
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }
  override call(inputs: Tensor): Tensor {
    const y = relu(inputs);
    return this.maxValue === undefined ? y : minimum(y, this.maxValue);
  }
  override getConfig(): Config {
    return { ...(this.maxValue === undefined ? {} : { maxValue: this.maxValue }), ...super.getConfig() };
  }
}

export interface SoftmaxArgs extends LayerArgs {
  /** Default -1: the last axis. */
  axis?: number;
}

/** exp(x) / sum exp(x) along an axis, of the input's shape. Source: tf.layers.softmax. */
export class Softmax extends ActivatedLayer {
  static override readonly className = 'Softmax';
  readonly axis: number;
  #activation: ActivationRow = getActivation('softmax', 'softmax');

  constructor(args: SoftmaxArgs = {}) {
    super(args);
    this.axis = args.axis ?? -1;
  }
  /** The logits of this layer are those of a softmax only along the last axis; else it counts as linear. */
  override get activation(): ActivationRow {
    return this.#alongLast(this.inputShape?.length ?? 0) ? this.#activation : getActivation('softmax', 'linear');
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    if (!Number.isInteger(this.axis) || this.axis >= inputShape.length || this.axis < -inputShape.length) {
      fail(this.label, `axis must be in [${-inputShape.length}, ${inputShape.length - 1}]`, `got ${this.axis}`);
    }
    return inputShape;
  }
  override preActivation(inputs: Tensor): Tensor {
    return this.#alongLast(inputs.rank) ? inputs : softmax(inputs, this.axis);
  }
  override getConfig(): Config {
    return { axis: this.axis, ...super.getConfig() };
  }
  #alongLast(rank: number): boolean {
    return this.axis === -1 || this.axis === rank - 1;
  }
}
