/** Lateral inhibition between channels, as AlexNet and GoogLeNet have it. */
import { fail } from '../../base/errors.ts';
import { Layer, type LayerArgs, type ShapeOrShapes, serialization } from '../../nn/index.ts';
import { localResponseNormalization, type Tensor, type Tensor4D } from '../../tensor/index.ts';

export interface LocalResponseNormalizationArgs extends LayerArgs {
  /** Channels on each side that count; default 5. */
  depthRadius?: number;
  /** Default 1. */
  bias?: number;
  /** Default 1. */
  alpha?: number;
  /** Default 0.5. */
  beta?: number;
}

/**
 * x / (bias + alpha sum x_j^2)^beta over the channels j within depthRadius: input and output [batch, height, width, channels]
 * (Krizhevsky et al. 2012, 3.3). Defaults are those of tf.localResponseNormalization.
 */
export class LocalResponseNormalization extends Layer {
  static override readonly className = 'LocalResponseNormalization';
  readonly depthRadius: number;
  readonly bias: number;
  readonly alpha: number;
  readonly beta: number;

  constructor(args: LocalResponseNormalizationArgs = {}) {
    super(args);
    this.depthRadius = args.depthRadius ?? 5;
    this.bias = args.bias ?? 1;
    this.alpha = args.alpha ?? 1;
    this.beta = args.beta ?? 0.5;
    if (!Number.isSafeInteger(this.depthRadius) || this.depthRadius < 0) {
      fail(this.label, 'depthRadius must be an integer of at least 0', `got ${args.depthRadius}`);
    }
    this.inputSpec = { rank: 4 };
  }
  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    return inputShape;
  }
  override call(inputs: Tensor): Tensor {
    return localResponseNormalization(inputs as Tensor4D, this.depthRadius, this.bias, this.alpha, this.beta);
  }
  override getConfig(): ReturnType<Layer['getConfig']> {
    const { depthRadius, bias, alpha, beta } = this;
    return { depthRadius, bias, alpha, beta, ...super.getConfig() };
  }
}

serialization.registerClass(LocalResponseNormalization);
