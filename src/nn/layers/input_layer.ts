/** The entry of a model: says the shape of what comes in. */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { defaultLayerName } from '../naming.ts';
import { Layer, type LayerArgs } from './layer.ts';
import type { ShapeOrShapes } from './shapes.ts';
import { LayerNode, SymbolicTensor } from './symbolic.ts';

export interface InputLayerArgs extends LayerArgs {
  sparse?: boolean;
}

/** x, of the declared shape. Source: tf.layers.inputLayer. */
export class InputLayer extends Layer {
  static override readonly className = 'InputLayer';

  constructor(args: InputLayerArgs) {
    super({ ...args, name: args?.name ?? defaultLayerName('Input') });
    if (!this.batchInputShape) {
      fail(this.label, 'an input layer needs its shape', undefined, 'pass inputShape, as in {inputShape: [28, 28, 1]}');
    }
    if (args.sparse) fail(this.label, 'sparse inputs are not supported');
    this.inputSpec = { rank: this.batchInputShape.length };
    this.inputShape = this.batchInputShape;
    this.outputShape = this.batchInputShape;
    this.supportsMasking = true;
    const node = new LayerNode(this, 0, [], false, {});
    node.outputs = [new SymbolicTensor(node, 0, this.batchInputShape, this.dtype)];
    this.inboundNodes.push(node);
  }
  /** The symbolic tensor with which a graph begins. */
  get entry(): SymbolicTensor {
    return this.inboundNodes[0].outputs[0];
  }
  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    return inputShape;
  }
  override call(inputs: Tensor): Tensor {
    return inputs;
  }
  override getConfig(): Config {
    return { batchInputShape: this.batchInputShape, dtype: this.dtype, sparse: false, name: this.name };
  }
}
