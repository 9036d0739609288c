/** A model drawn as a graph of layers, with any number of inputs and outputs. */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import { InputLayer, type InputLayerArgs } from '../layers/input_layer.ts';
import type { CallOptions, Layer } from '../layers/layer.ts';
import { type ShapeOrShapes, shapesOf } from '../layers/shapes.ts';
import { SymbolicTensor } from '../layers/symbolic.ts';
import type { Config } from '../keras_config.ts';
import { defaultModelName } from '../naming.ts';
import { graphConfig, graphFromConfig } from './functional_config.ts';
import { LayerGraph } from './layer_graph.ts';
import { LayersModel } from './layers_model.ts';

export interface FunctionalArgs {
  inputs: SymbolicTensor | readonly SymbolicTensor[];
  outputs: SymbolicTensor | readonly SymbolicTensor[];
  /** Default `model_1`. */
  name?: string;
  trainable?: boolean;
}

export class Functional extends LayersModel {
  static override readonly className: string = 'Model';
  readonly graph: LayerGraph;
  readonly #givesList: boolean;

  constructor(args: FunctionalArgs) {
    super({ name: args?.name ?? defaultModelName('model') });
    const inputs = symbolicList('inputs', args?.inputs);
    const outputs = symbolicList('outputs', args?.outputs);
    if (new Set(inputs).size < inputs.length) fail('model', 'inputs must differ', 'got one of them twice');
    this.graph = new LayerGraph(this.name, inputs, outputs);
    this.#givesList = outputs.length > 1;
    const one = (list: readonly SymbolicTensor[]): ShapeOrShapes =>
      list.length === 1 ? list[0].shape : list.map(({ shape }) => shape);
    this.inputShape = one(inputs);
    this.outputShape = one(outputs);
    if (args.trainable === false) this.trainable = false;
  }

  override get layers(): readonly Layer[] {
    return this.graph.layers;
  }
  override get inputs(): readonly SymbolicTensor[] {
    return this.graph.inputs;
  }
  override get outputs(): readonly SymbolicTensor[] {
    return this.graph.outputs;
  }

  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    const shapes = this.graph.shapes(shapesOf(inputShape));
    return this.#givesList ? shapes : shapes[0];
  }

  override call(inputs: Tensor | Tensor[], options: CallOptions): Tensor | Tensor[] {
    const list = Array.isArray(inputs) ? inputs : [inputs];
    if (list.length !== this.inputs.length) {
      fail(this.label, `the model takes ${this.inputs.length} inputs`, `got ${list.length}`);
    }
    const outputs = this.graph.run(list, options);
    return this.#givesList ? outputs : outputs[0];
  }

  override getConfig(): Config {
    return graphConfig(this.name, this.graph);
  }

  static fromConfig(config: Config): Functional {
    return new Functional(graphFromConfig('Model.fromConfig', config));
  }
}

function symbolicList(what: string, value: unknown): SymbolicTensor[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  for (const item of list) {
    if (item instanceof SymbolicTensor) continue;
    const came = `got ${item === null || item === undefined ? String(item) : typeof item}`;
    fail(
      'model',
      `${what} must be symbolic tensors`,
      came,
      'make inputs with tf.input({shape}) and apply layers to them',
    );
  }
  if (list.length === 0) fail('model', `${what} must not be empty`);
  return list as SymbolicTensor[];
}

/** A model from its inputs to its outputs. Source: tf.model. */
export function model(args: FunctionalArgs): Functional {
  return new Functional(args);
}

export interface InputConfig extends Omit<InputLayerArgs, 'inputShape' | 'batchInputShape'> {
  /** Shape of one sample, without the batch. */
  shape?: readonly (number | null)[];
  /** Shape with the batch. */
  batchShape?: readonly (number | null)[];
}

/** The symbolic tensor that a model's graph begins with. Source: tf.input. */
export function input(config: InputConfig): SymbolicTensor {
  const { shape, batchShape, ...rest } = config ?? {};
  if (!shape && !batchShape) {
    fail('input', 'shape or batchShape must be given', undefined, 'as in tf.input({shape: [28, 28, 1]})');
  }
  const layer = new InputLayer({ ...rest, ...(batchShape ? { batchInputShape: batchShape } : { inputShape: shape }) });
  return layer.entry;
}
