/** The entry of a model: says the shape of what comes in. */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { Layer, type LayerArgs } from './layer.ts';
import type { KerasShape } from './shapes.ts';

export interface InputLayerArgs extends LayerArgs {
  sparse?: boolean;
}

/** x, of the declared shape. Source: tf.layers.inputLayer. */
export class InputLayer extends Layer {
  static override readonly className = 'InputLayer';

  constructor(args: InputLayerArgs) {
    super(args);
    if (!this.batchInputShape) {
      fail(this.label, 'an input layer needs its shape', undefined, 'pass inputShape, as in {inputShape: [28, 28, 1]}');
    }
    if (args.sparse) fail(this.label, 'sparse inputs are not supported');
    this.inputSpec = { rank: this.batchInputShape.length };
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return inputShape;
  }
  override call(inputs: Tensor): Tensor {
    return inputs;
  }
  override getConfig(): Config {
    return { batchInputShape: this.batchInputShape, dtype: this.dtype, sparse: false, name: this.name };
  }
}
