/** tf.layers: a factory for each layer, and the table that makes layers from their configs. */
import { fail } from '../../base/errors.ts';
import type { Config, SerializedObject } from '../keras_config.ts';
import { failUnknownName } from '../naming.ts';
import {
  Activation,
  type ActivationLayerArgs,
  ReLU,
  type ReLUArgs,
  Softmax,
  type SoftmaxArgs,
} from './activation_layers.ts';
import { Conv2D, type Conv2DArgs } from './conv2d.ts';
import { Dense, type DenseArgs } from './dense.ts';
import { Dropout, type DropoutArgs } from './dropout.ts';
import { InputLayer, type InputLayerArgs } from './input_layer.ts';
import { Layer } from './layer.ts';
import { AveragePooling2D, MaxPooling2D, type Pooling2DArgs } from './pooling2d.ts';
import { Flatten, type FlattenArgs, Reshape, type ReshapeArgs } from './reshaping.ts';

const maxPooling2d = (args?: Pooling2DArgs): MaxPooling2D => new MaxPooling2D(args);
const averagePooling2d = (args?: Pooling2DArgs): AveragePooling2D => new AveragePooling2D(args);

export const layers = {
  Layer,
  inputLayer: (args: InputLayerArgs): InputLayer => new InputLayer(args),
  conv2d: (args: Conv2DArgs): Conv2D => new Conv2D(args),
  maxPooling2d,
  maxPool2d: maxPooling2d,
  averagePooling2d,
  avgPooling2d: averagePooling2d,
  avgPool2d: averagePooling2d,
  flatten: (args?: FlattenArgs): Flatten => new Flatten(args),
  reshape: (args: ReshapeArgs): Reshape => new Reshape(args),
  dense: (args: DenseArgs): Dense => new Dense(args),
  dropout: (args: DropoutArgs): Dropout => new Dropout(args),
  activation: (args: ActivationLayerArgs): Activation => new Activation(args),
  reLU: (args?: ReLUArgs): ReLU => new ReLU(args),
  softmax: (args?: SoftmaxArgs): Softmax => new Softmax(args),
};

/** A class that can stand in a model file. */
export interface LayerClass {
  readonly className: string;
  readonly name: string;
  readonly prototype: object;
  // The arguments of a layer are its config; each constructor checks its own.
  new (args: never): Layer;
}

const classes = new Map<string, LayerClass>(
  [InputLayer, Conv2D, MaxPooling2D, AveragePooling2D, Flatten, Reshape, Dense, Dropout, Activation, ReLU, Softmax].map(
    (layer) => [layer.className, layer],
  ),
);

/** Makes a layer class known to loadLayersModel. */
export function registerLayer(layer: LayerClass): void {
  if (!layer.className) fail('registerClass', 'a layer class needs a static className');
  classes.set(layer.className, layer);
}

/** A layer from its class's name and its camelCase config. */
export function deserializeLayer(op: string, object: SerializedObject): Layer {
  const layer = classes.get(object.className);
  if (!layer) failUnknownName(op, 'layer class', object.className, [...classes.keys()]);
  return new layer(kerasArgs(object.config) as never);
}

/** Keras 3 says batch_shape where Keras 2 and TensorFlow.js say batch_input_shape; its dtype may be a policy object. */
function kerasArgs(config: Config): Config {
  const { batchShape, ...args } = config;
  if (batchShape !== undefined) args['batchInputShape'] = batchShape;
  if (typeof args['dtype'] !== 'string') delete args['dtype'];
  return args;
}
