/** A model that is a list of layers, each fed by the one before. */
import { fail, placed } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import { InputLayer } from '../layers/input_layer.ts';
import { type CallOptions, Layer } from '../layers/layer.ts';
import { withModelScope } from '../layers/layer_variable.ts';
import { deserializeLayer } from '../layers/registry.ts';
import { oneShape, type ShapeOrShapes } from '../layers/shapes.ts';
import { SymbolicTensor } from '../layers/symbolic.ts';
import { type Config, isSerializedObject, serialize } from '../keras_config.ts';
import { defaultModelName } from '../naming.ts';
import { LayerGraph } from './layer_graph.ts';
import { LayersModel } from './layers_model.ts';

export interface SequentialArgs {
  layers?: Layer[];
  /** Default `sequential_1`. */
  name?: string;
}

export class Sequential extends LayersModel {
  static override readonly className: string = 'Sequential';
  readonly #layers: Layer[] = [];
  /** The input of the first layer, then the output of each. */
  readonly #tensors: SymbolicTensor[] = [];
  #graph: LayerGraph | null = null;

  constructor(args: SequentialArgs = {}) {
    super({ name: args.name ?? defaultModelName('sequential') });
    for (const layer of args.layers ?? []) this.add(layer);
  }

  override get layers(): readonly Layer[] {
    return this.#layers;
  }
  override get inputs(): readonly SymbolicTensor[] {
    this.#notEmpty('inputs');
    return [this.#tensors[0]];
  }
  override get outputs(): readonly SymbolicTensor[] {
    this.#notEmpty('outputs');
    return [this.#tensors[this.#tensors.length - 1]];
  }

  /**
   * Appends a layer (or a model), checks that it fits and builds it. The first one needs inputShape or batchInputShape. A layer
   * of another model may be added too; both then share its weights.
   */
  add(layer: Layer): void {
    if (!(layer instanceof Layer)) fail('Sequential.add', 'a layer is needed', `got ${typeof layer}`, 'see tf.layers');
    if (this.#layers.some((other) => other === layer || other.name === layer.name)) {
      fail('Sequential.add', 'each layer of a model must have its own name', `got ${layer.name} twice`);
    }
    if (this.#layers.length === 0) this.#begin(layer);
    if (!(layer instanceof InputLayer && this.#layers.length === 0)) {
      const output: unknown = placed(
        () => `it is layer ${this.#layers.length + 1} of model ${this.name}`,
        () => layer.apply(this.#tensors[this.#tensors.length - 1]),
      );
      if (!(output instanceof SymbolicTensor)) {
        fail(layer.label, 'a layer of a sequential model must have one output', 'it has several', 'use tf.model');
      }
      this.#tensors.push(output);
    }
    this.#layers.push(layer);
    this.#changed();
  }

  #begin(layer: Layer): void {
    if (layer instanceof InputLayer) {
      this.#tensors.push(layer.entry);
      return;
    }
    const shape = layer.batchInputShape ?? layer.inputShape;
    if (!shape) {
      const hint = 'pass it, as in tf.layers.dense({units: 10, inputShape: [784]})';
      fail(layer.label, 'the first layer of a sequential model needs inputShape or batchInputShape', undefined, hint);
    }
    const entry = new InputLayer({
      batchInputShape: oneShape(layer.label, shape),
      dtype: layer.dtype,
      name: `${layer.name}_input`,
    });
    this.#tensors.push(entry.entry);
  }

  /** Takes the last layer off. */
  pop(): void {
    this.#notEmpty('pop');
    const layer = this.#layers.pop()!;
    const tensor = this.#tensors.pop()!;
    if (this.#layers.length === 0) this.#tensors.length = 0;
    const at = layer.inboundNodes.indexOf(tensor.node);
    // Kept where the layer was called again since: the numbers of calls must not move.
    if (at > 0 || !(layer instanceof InputLayer)) {
      if (at === layer.inboundNodes.length - 1) layer.inboundNodes.splice(at, 1);
    }
    this.#changed();
  }

  #changed(): void {
    const filled = this.#layers.length > 0;
    this.inputShape = filled ? this.#tensors[0].shape : null;
    this.outputShape = filled ? this.#tensors[this.#tensors.length - 1].shape : null;
    this.#graph = null;
    this.invalidate();
  }

  /** The same as a graph. */
  get graph(): LayerGraph {
    this.#graph ??= new LayerGraph(this.name, this.inputs, this.outputs);
    return this.#graph;
  }

  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    this.#notEmpty('computeOutputShape');
    return this.graph.shapes([oneShape(this.label, inputShape)])[0];
  }

  override call(inputs: Tensor | Tensor[], options: CallOptions): Tensor {
    this.#notEmpty('call');
    return this.graph.run(Array.isArray(inputs) ? inputs : [inputs], options)[0];
  }

  override getConfig(): Config {
    return { name: this.name, layers: this.#layers.map(serialize) };
  }

  /** A model from what getConfig gave. */
  static fromConfig(config: Config | readonly unknown[]): Sequential {
    const op = 'Sequential.fromConfig';
    // Keras before 2.2.3 wrote the list of layers alone.
    const list = Array.isArray(config) ? config : (config as Config)['layers'];
    if (!Array.isArray(list)) fail(op, 'config.layers must be a list of layers', `got ${typeof list}`);
    const name = Array.isArray(config) ? undefined : (config as Config)['name'];
    const buildShape = Array.isArray(config) ? undefined : (config as Config)['buildInputShape'];
    const model = new Sequential(typeof name === 'string' ? { name } : {});
    withModelScope(model.name, () => {
      list.forEach((item: unknown, i) => {
        if (!isSerializedObject(item)) fail(op, 'each layer must have a class_name and a config', `got none at ${i}`);
        const itemConfig: Config = { ...(item.config ?? {}) };
        if (i === 0 && Array.isArray(buildShape) && !itemConfig['batchInputShape'] && !itemConfig['batchShape']) {
          itemConfig['batchInputShape'] = buildShape;
        }
        model.add(deserializeLayer(op, { className: item.className, config: itemConfig }));
      });
    });
    return model;
  }

  #notEmpty(op: string): void {
    if (this.#layers.length === 0) fail(op, 'the model must have a layer', undefined, 'call model.add first');
  }
}

/** A model of layers in a row. Source: tf.sequential. */
export function sequential(args?: SequentialArgs): Sequential {
  return new Sequential(args);
}
