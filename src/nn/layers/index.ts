/** tf.layers: a factory for each layer; each class enters the table that makes layers from their configs. */
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
import { Layer, type LayerArgs } from './layer.ts';
import { AveragePooling2D, MaxPooling2D, type Pooling2DArgs } from './pooling2d.ts';
import {
  Add,
  Average,
  Concatenate,
  type ConcatenateArgs,
  Dot,
  type DotArgs,
  Maximum,
  Minimum,
  Multiply,
  Subtract,
} from './merging.ts';
import { registerLayer } from './registry.ts';
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
  add: (args?: LayerArgs): Add => new Add(args),
  average: (args?: LayerArgs): Average => new Average(args),
  concatenate: (args?: ConcatenateArgs): Concatenate => new Concatenate(args),
  dot: (args: DotArgs): Dot => new Dot(args),
  maximum: (args?: LayerArgs): Maximum => new Maximum(args),
  minimum: (args?: LayerArgs): Minimum => new Minimum(args),
  multiply: (args?: LayerArgs): Multiply => new Multiply(args),
  subtract: (args?: LayerArgs): Subtract => new Subtract(args),
  softmax: (args?: SoftmaxArgs): Softmax => new Softmax(args),
};

for (const layer of [
  InputLayer,
  Conv2D,
  MaxPooling2D,
  AveragePooling2D,
  Flatten,
  Reshape,
  Dense,
  Dropout,
  Activation,
  ReLU,
  Softmax,
  Add,
  Average,
  Concatenate,
  Dot,
  Maximum,
  Minimum,
  Multiply,
  Subtract,
]) {
  registerLayer(layer);
}

export { deserializeLayer, type LayerClass, registerLayer } from './registry.ts';
