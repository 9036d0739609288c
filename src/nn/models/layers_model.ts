/**
 * What every model is: layers, weights, and the doors to training, evaluation and prediction, whose work is done in
 * training/. Knows nothing of files: io/ installs how a model is saved.
 */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Activation } from '../activations.ts';
import type { History } from '../callbacks/history.ts';
import { type Config, type Json, toPythonic } from '../keras_config.ts';
import type { CallOptions, Layer } from '../layers/layer.ts';
import type { LayerVariable } from '../layers/layer_variable.ts';
import type { KerasShape } from '../layers/shapes.ts';
import { failUnknownName } from '../naming.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';
import {
  type CompiledModel,
  compileArgsFrom,
  compileModel,
  type ModelCompileArgs,
  type TrainingConfig,
} from '../training/compile.ts';
import { evaluate, type ModelEvaluateArgs, testOnBatch } from '../training/evaluate.ts';
import { fitModel, type ModelFitArgs, trainOnBatch } from '../training/fit.ts';
import { type ModelPredictArgs, Predictor } from '../training/predict.ts';
import { type SaveConfig, saveModel, type SaveTarget } from './saving.ts';
import { printSummary } from './summary.ts';
import { assignNamedWeights } from './weights.ts';

/** The output of a model and, where its last layer ends in an activation, what that was applied to. */
export interface ModelOutput {
  readonly output: Tensor;
  readonly logits?: { readonly activation: Activation; readonly value: Tensor };
}

export abstract class LayersModel {
  readonly name: string;
  /** Set it to true, in a callback, to stop fit at the end of the running step. */
  stopTraining = false;
  isTraining = false;
  #compiled: CompiledModel | null = null;
  #predictor: Predictor | null = null;
  #metadata: { [key: string]: unknown } | undefined;

  constructor(name: string) {
    this.name = name;
  }

  abstract get layers(): readonly Layer[];
  abstract get inputShape(): KerasShape;
  abstract get outputShape(): KerasShape;
  abstract forward(x: Tensor, options: CallOptions): ModelOutput;
  abstract getClassName(): string;
  abstract getConfig(): Config;

  // Weights

  get weights(): LayerVariable[] {
    return this.layers.flatMap((layer) => layer.weights);
  }
  get trainableWeights(): LayerVariable[] {
    return this.layers.flatMap((layer) => layer.trainableWeights);
  }
  get nonTrainableWeights(): LayerVariable[] {
    return this.layers.flatMap((layer) => layer.nonTrainableWeights);
  }
  get trainable(): boolean {
    return this.layers.some((layer) => layer.trainable);
  }
  set trainable(value: boolean) {
    for (const layer of this.layers) layer.trainable = value;
  }

  /** The live weights, layer by layer. */
  getWeights(trainableOnly = false): Tensor[] {
    return (trainableOnly ? this.trainableWeights : this.weights).map((weight) => weight.read());
  }

  /** Replaces all weights, in the order of getWeights. */
  setWeights(values: readonly Tensor[]): void {
    const weights = this.weights;
    if (values.length !== weights.length) {
      fail('setWeights', `there must be ${weights.length} tensors, one for each weight`, `got ${values.length}`);
    }
    values.forEach((value, i) => {
      weights[i].write(value);
    });
  }

  /** Replaces weights by the names that model files use. strict (the default): every weight must be named, and no other. */
  loadWeights(values: { readonly [name: string]: Tensor }, strict = true): void {
    assignNamedWeights('loadWeights', this.weights, values, strict);
  }

  countParams(): number {
    return this.layers.reduce((total, layer) => total + layer.countParams(), 0);
  }

  getLayer(name: string): Layer;
  getLayer(name: undefined, index: number): Layer;
  getLayer(index: number): Layer;
  getLayer(nameOrIndex: string | number | undefined, index?: number): Layer {
    if (typeof nameOrIndex === 'string') {
      const layer = this.layers.find(({ name }) => name === nameOrIndex);
      const names = this.layers.map(({ name }) => name);
      return layer ?? failUnknownName('getLayer', 'layer', nameOrIndex, names);
    }
    const at = nameOrIndex ?? index;
    const layer = at === undefined ? undefined : this.layers[at];
    return layer ?? fail('getLayer', `index must be in [0, ${this.layers.length - 1}]`, `got ${at}`);
  }

  // Training

  /** Sets the optimizer, the loss and the metrics; must come before fit and evaluate. */
  compile(args: ModelCompileArgs): void {
    this.#compiled?.dispose();
    this.#compiled = compileModel(this, args);
  }
  /** What compile made; throws before it. */
  compiled(op: string): CompiledModel {
    if (this.#compiled) return this.#compiled;
    const example = "model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']})";
    fail(op, 'the model must be compiled first', undefined, `call ${example}`);
  }
  get isCompiled(): boolean {
    return this.#compiled !== null;
  }
  get optimizer(): Optimizer {
    return this.compiled('optimizer').optimizer;
  }
  /** The arguments of compile as model files hold them. */
  getTrainingConfig(): TrainingConfig {
    return this.compiled('getTrainingConfig').toConfig();
  }
  /** Compiles from what getTrainingConfig gave. */
  loadTrainingConfig(config: object): void {
    this.compile(compileArgsFrom('loadTrainingConfig', config));
  }
  get metricsNames(): string[] {
    return this.compiled('metricsNames').names;
  }

  /** Trains for a number of epochs. See docs/nn.md for all arguments. */
  fit(x: Tensor | Tensor[], y: Tensor | Tensor[], args: ModelFitArgs = {}): Promise<History> {
    return fitModel(this, x, y, args);
  }
  /** Loss and metrics over a data set: one scalar, or a list where there are metrics. */
  evaluate(x: Tensor | Tensor[], y: Tensor | Tensor[], args: ModelEvaluateArgs = {}): Tensor | Tensor[] {
    return evaluate(this, x, y, args);
  }
  /** One training step; gives the loss, or a list with the metrics behind it. */
  trainOnBatch(x: Tensor, y: Tensor): Promise<number | number[]> {
    return trainOnBatch(this, x, y);
  }
  /** Loss and metrics of one batch, without training. */
  testOnBatch(x: Tensor, y: Tensor): Promise<number | number[]> {
    return testOnBatch(this, x, y);
  }

  // Prediction

  get #predict(): Predictor {
    this.#predictor ??= new Predictor(this);
    return this.#predictor;
  }
  /** The outputs for any number of samples, computed in batches (default 32). */
  predict(x: Tensor | Tensor[], args: ModelPredictArgs = {}): Tensor {
    return this.#predict.predict(x, args);
  }
  /** The outputs for one batch, computed at once. */
  predictOnBatch(x: Tensor | Tensor[]): Tensor {
    return this.#predict.onBatch(x);
  }
  /** The model as a function of tensors; usable inside jit and grad. */
  apply(x: Tensor, options: CallOptions = {}): Tensor {
    return this.forward(x, options).output;
  }
  call(x: Tensor, options: CallOptions = {}): Tensor {
    return this.apply(x, options);
  }

  // Description

  /** Prints a table of the layers. */
  summary(lineLength?: number, positions?: number[], printFn: (line: string) => void = console.log): void {
    printSummary(this, lineLength, positions, printFn);
  }

  toJSON(unused?: unknown, returnString?: true): string;
  toJSON(unused: unknown, returnString: false): { [key: string]: Json };
  /** The topology in Keras's JSON, as a string or as plain data. */
  toJSON(_unused?: unknown, returnString = true): string | { [key: string]: Json } {
    const topology = {
      class_name: this.getClassName(),
      config: toPythonic(this.getConfig()),
      keras_version: 'tfjs-layers 4.22.0',
      backend: 'tensor_flow.js',
    };
    return returnString ? JSON.stringify(topology) : topology;
  }

  /** Data of the user's own that is saved with the model. */
  setUserDefinedMetadata(metadata: { [key: string]: unknown }): void {
    this.#metadata = metadata;
  }
  getUserDefinedMetadata(): { [key: string]: unknown } | undefined {
    return this.#metadata;
  }

  /** Saves topology and weights: to `file://folder`, another registered scheme, or an object with a save method. */
  save(target: string | SaveTarget, config: SaveConfig = {}): Promise<unknown> {
    return saveModel(this, target, config);
  }

  /** Drops the compiled programs; they are made again when needed. */
  protected invalidate(): void {
    this.#predictor?.dispose();
    this.#predictor = null;
    this.#compiled?.invalidate();
  }

  /** Frees weights, optimizer state and compiled programs. */
  dispose(): { refCountAfterDispose: number; numDisposedVariables: number } {
    const count = this.weights.length;
    this.invalidate();
    this.#compiled?.dispose();
    this.#compiled = null;
    for (const layer of this.layers) layer.dispose();
    return { refCountAfterDispose: 0, numDisposedVariables: count };
  }
}
