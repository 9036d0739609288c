/** A model that is a list of layers, each fed by the one before. */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import { ActivatedLayer } from '../layers/activated.ts';
import { deserializeLayer } from '../layers/index.ts';
import { type CallOptions, Layer } from '../layers/layer.ts';
import type { KerasShape } from '../layers/shapes.ts';
import { type Config, isSerializedObject, serialize } from '../keras_config.ts';
import { defaultModelName } from '../naming.ts';
import { LayersModel, type ModelOutput } from './layers_model.ts';

export interface SequentialArgs {
  layers?: Layer[];
  /** Default `sequential_1`. */
  name?: string;
}

export class Sequential extends LayersModel {
  static readonly className = 'Sequential';
  readonly #layers: Layer[] = [];

  constructor(args: SequentialArgs = {}) {
    super(args.name ?? defaultModelName('sequential'));
    for (const layer of args.layers ?? []) this.add(layer);
  }

  override getClassName(): string {
    return Sequential.className;
  }
  override get layers(): readonly Layer[] {
    return this.#layers;
  }
  override get inputShape(): KerasShape {
    return this.#notEmpty('inputShape')[0].inputShape!;
  }
  override get outputShape(): KerasShape {
    const layers = this.#notEmpty('outputShape');
    return layers[layers.length - 1].outputShape!;
  }

  /**
   * Appends a layer, checks that it fits and builds it. The first one needs inputShape or batchInputShape. A layer of another
   * model may be added too; both then share its weights.
   */
  add(layer: Layer): void {
    if (!(layer instanceof Layer)) fail('Sequential.add', 'a layer is needed', `got ${typeof layer}`, 'see tf.layers');
    if (this.#layers.some((other) => other === layer || other.name === layer.name)) {
      fail('Sequential.add', 'each layer of a model must have its own name', `got ${layer.name} twice`);
    }
    const first = this.#layers.length === 0;
    const shape = first ? (layer.batchInputShape ?? layer.inputShape) : this.outputShape;
    if (!shape) {
      const hint = 'pass it, as in tf.layers.dense({units: 10, inputShape: [784]})';
      fail(layer.label, 'the first layer of a sequential model needs inputShape or batchInputShape', undefined, hint);
    }
    layer.ensureBuilt(shape);
    this.#layers.push(layer);
    this.invalidate();
  }

  /** Takes the last layer off. */
  pop(): void {
    this.#notEmpty('pop');
    this.#layers.pop();
    this.invalidate();
  }

  override forward(x: Tensor, options: CallOptions): ModelOutput {
    const layers = this.#notEmpty('forward');
    let value = x;
    for (const layer of layers.slice(0, -1)) value = layer.apply(value, options);
    const last = layers[layers.length - 1];
    if (!(last instanceof ActivatedLayer)) return { output: last.apply(value, options) };
    const linear = last.applyLinear(value, options);
    const { activation } = last;
    return { output: activation.apply(linear), logits: { activation, value: linear } };
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
    list.forEach((item: unknown, i) => {
      if (!isSerializedObject(item)) fail(op, 'each layer must have a class_name and a config', `got none at ${i}`);
      const itemConfig: Config = { ...(item.config ?? {}) };
      if (i === 0 && Array.isArray(buildShape) && !itemConfig['batchInputShape'] && !itemConfig['batchShape']) {
        itemConfig['batchInputShape'] = buildShape;
      }
      model.add(deserializeLayer(op, { className: item.className, config: itemConfig }));
    });
    return model;
  }

  #notEmpty(op: string): Layer[] {
    if (this.#layers.length === 0) fail(op, 'the model must have a layer', undefined, 'call model.add first');
    return this.#layers;
  }
}

/** A model of layers in a row. Source: tf.sequential. */
export function sequential(args?: SequentialArgs): Sequential {
  return new Sequential(args);
}
