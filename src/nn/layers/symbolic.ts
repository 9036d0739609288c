/**
 * What layers are applied to when a graph of them is drawn: a tensor of which only shape, dtype and origin are known, and the
 * nodes between. Knows no values.
 */
import type { DType } from '../../types/dtype.ts';
import type { Config } from '../keras_config.ts';
import type { Layer } from './layer.ts';
import { type KerasShape, showKerasShape } from './shapes.ts';

let nextId = 0;

/** An output of a layer in a graph. Source: tf.SymbolicTensor. */
export class SymbolicTensor {
  readonly id: number = nextId++;
  readonly name: string;
  readonly shape: KerasShape;
  readonly dtype: DType;
  /** The node whose output this is. */
  readonly node: LayerNode;
  /** Which of the node's outputs. */
  readonly tensorIndex: number;

  constructor(node: LayerNode, tensorIndex: number, shape: KerasShape, dtype: DType) {
    this.node = node;
    this.tensorIndex = tensorIndex;
    this.shape = shape;
    this.dtype = dtype;
    const suffix = tensorIndex > 0 ? `:${tensorIndex}` : '';
    this.name = `${node.layer.name}/${node.layer.getClassName()}${node.index > 0 ? `_${node.index}` : ''}${suffix}`;
  }

  get rank(): number {
    return this.shape.length;
  }
  get sourceLayer(): Layer {
    return this.node.layer;
  }
  /** Which call of the layer made this. */
  get nodeIndex(): number {
    return this.node.index;
  }
  get inputs(): readonly SymbolicTensor[] {
    return this.node.inputs;
  }

  toString(): string {
    return `SymbolicTensor ${this.name} ${showKerasShape(this.shape)}`;
  }
}

/** One call of a layer in a graph. */
export class LayerNode {
  readonly layer: Layer;
  /** Counts the calls of the layer, from 0. */
  readonly index: number;
  readonly inputs: readonly SymbolicTensor[];
  /** Whether the layer was given a list, even of one. */
  readonly isList: boolean;
  /** Further plain arguments of the call. */
  readonly options: Config;
  outputs: readonly SymbolicTensor[] = [];
  /** Whether the layer gives a list, even of one. */
  givesList = false;

  constructor(layer: Layer, index: number, inputs: readonly SymbolicTensor[], isList: boolean, options: Config) {
    this.layer = layer;
    this.index = index;
    this.inputs = inputs;
    this.isList = isList;
    this.options = options;
  }

  /** `dense_1 (call 0)`: how errors name it. */
  get label(): string {
    return this.layer.inboundNodes.length > 1 ? `${this.layer.name} (call ${this.index})` : this.layer.name;
  }
}
