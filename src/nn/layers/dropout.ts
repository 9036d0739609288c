/** Dropout (Srivastava et al. 2014). */
import { fail } from '../../base/errors.ts';
import { dropout, type Tensor } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { type CallOptions, Layer, type LayerArgs } from './layer.ts';
import type { KerasShape } from './shapes.ts';

export interface DropoutArgs extends LayerArgs {
  /** Share of values set to 0 during training, in [0, 1). */
  rate: number;
  /** Shape of the mask where it is to be shared along axes. */
  noiseShape?: readonly number[] | null;
  /** The same seed gives the same mask in every step, as in TensorFlow.js. */
  seed?: number | null;
}

/**
 * During training x m / (1 - rate) with m drawn from {0, 1}, P(m = 0) = rate; otherwise x. Output of the input's shape.
 * Source: tf.layers.dropout.
 */
export class Dropout extends Layer {
  static override readonly className = 'Dropout';
  readonly rate: number;
  readonly noiseShape: readonly number[] | null;
  readonly seed: number | null;

  constructor(args: DropoutArgs) {
    super(args);
    if (typeof args.rate !== 'number' || !(args.rate >= 0 && args.rate < 1)) {
      fail(
        this.label,
        'rate must be in [0, 1)',
        `got ${JSON.stringify(args.rate)}`,
        'rate 0.5 drops half of the values',
      );
    }
    this.rate = args.rate;
    this.noiseShape = args.noiseShape ?? null;
    this.seed = args.seed ?? null;
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }

  override call(inputs: Tensor, options: CallOptions): Tensor {
    if (!options.training || this.rate === 0) return inputs;
    const noiseShape = this.noiseShape ? [...this.noiseShape] : undefined;
    return dropout(inputs, this.rate, noiseShape, this.seed ?? undefined);
  }

  override getConfig(): Config {
    return { rate: this.rate, noiseShape: this.noiseShape, seed: this.seed, ...super.getConfig() };
  }
}
