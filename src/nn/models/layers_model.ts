/**
 * What every model is: layers, weights, and the doors to training, evaluation and prediction, whose work is done in
 * training/. Knows nothing of files: io/ installs how a model is saved.
 */
import { fail, placed } from '../../base/errors.ts';
import type { Scalar, Tensor, Variable } from '../../tensor/index.ts';
import { showShape } from '../../types/shape.ts';
import type { History } from '../callbacks/history.ts';
import { type Json, toPythonic } from '../keras_config.ts';
import { Layer, type LayerArgs } from '../layers/layer.ts';
import { type LayerVariable, writeAll } from '../layers/layer_variable.ts';
import { shapesOf } from '../layers/shapes.ts';
import type { SymbolicTensor } from '../layers/symbolic.ts';
import { defaultModelName, failUnknownName, uniqueNames } from '../naming.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';
import { CompiledModel, compileArgsFrom, type ModelCompileArgs, type TrainingConfig } from '../training/compile.ts';
import type { BatchDataset } from '../training/dataset.ts';
import {
  evaluate,
  evaluateDataset,
  type ModelEvaluateArgs,
  type ModelEvaluateDatasetArgs,
  testOnBatch,
} from '../training/evaluate.ts';
import { fitDataset, fitModel, type ModelFitArgs, type ModelFitDatasetArgs, trainOnBatch } from '../training/fit.ts';
import type { BatchWeights, TensorsOf } from '../training/samples.ts';
import type { Step } from '../training/step.ts';
import { generate, type GenerateArgs, Generator } from '../training/generate.ts';
import { type ModelPredictArgs, Predictor } from '../training/predict.ts';
import { type SaveConfig, saveModel, type SaveResult, type SaveTarget } from './saving.ts';
import { printSummary } from './summary.ts';
import { assignNamedWeights } from './weights.ts';

/** One batch as a custom training step gets it: a tensor, or a list of them, for inputs, labels and weights of samples. */
export interface TrainStepData {
  readonly x: Tensor | Tensor[];
  readonly y: Tensor | Tensor[];
  readonly sampleWeight: Tensor | (Tensor | null)[] | null;
}

/** An optimizer that trains some of a model's weights. */
export interface TrainingOptimizer {
  /** '' where it is the only one. */
  readonly name: string;
  readonly optimizer: Optimizer;
  readonly weights: readonly LayerVariable[];
}

/** What a custom step reports: scalars by name. */
export type StepLogs = { readonly [name: string]: Tensor };

/**
 * A model: of tf.sequential, of tf.model, or a class of the user's own that extends this one with `call`. Such a class may also
 * have `trainStep`, which is compiled into one program as the step of fit, and `testStep`.
 */
export abstract class LayersModel extends Layer {
  static override readonly className: string = 'Model';
  /** Set it to true, in a callback, to stop fit at the end of the running step. */
  stopTraining = false;
  isTraining = false;
  #compiled: CompiledModel | null = null;
  #predictor: Predictor | null = null;
  #generator: Generator | null = null;
  #metadata: { [key: string]: unknown } | undefined;

  constructor(args: LayerArgs = {}) {
    super({ ...args, name: args.name ?? defaultModelName('model') });
    this.supportsMasking = true;
  }

  /** Layers among the model's properties, in the order of their assignment; those of its graph where it has one. */
  get layers(): readonly Layer[] {
    return super.sublayers();
  }
  protected override sublayers(): readonly Layer[] {
    return this.layers;
  }
  protected override get autocasts(): boolean {
    return false;
  }
  /** Symbolic inputs and outputs; none where the model is a class of the user's own. */
  get inputs(): readonly SymbolicTensor[] {
    return [];
  }
  get outputs(): readonly SymbolicTensor[] {
    return [];
  }
  get inputNames(): string[] {
    return this.inputs.map(({ sourceLayer }) => sourceLayer.name);
  }
  /** The names by which losses, metrics and labels refer to outputs. */
  get outputNames(): string[] {
    if (this.outputs.length > 0) return uniqueNames(this.outputs.map(({ sourceLayer }) => sourceLayer.name));
    if (this.outputShape === null) return [];
    const count = shapesOf(this.outputShape).length;
    return count === 1 ? ['output'] : Array.from({ length: count }, (_, i) => `output_${i + 1}`);
  }

  /** A training step of the user's own: takes a batch, changes variables, reports scalars. */
  trainStep?(data: TrainStepData): StepLogs;
  /** The same for evaluate and validation. */
  testStep?(data: TrainStepData): StepLogs;
  /** Where one training step is several programs, as tf.gan's: makes it. Comes before trainStep. */
  makeTrainStep?(): Step;
  /** Whether training is the model's own affair: then it may want no labels, and compile no loss. */
  get hasOwnStep(): boolean {
    return this.trainStep !== undefined || this.makeTrainStep !== undefined;
  }

  /** What leaves the model has the masks of its last layers. */
  protected override masked(_list: readonly Tensor[], output: Tensor | Tensor[]): Tensor | Tensor[] {
    return output;
  }

  /** The layer that made a mistake names itself. */
  protected override named<T>(body: () => T): T {
    return body();
  }

  // Weights

  /** The live weights. */
  override getWeights(trainableOnly = false): Tensor[] {
    return (trainableOnly ? this.trainableWeights : this.weights).map((weight) => weight.read());
  }

  /** Replaces all weights, in the order of getWeights, under their constraints. */
  override setWeights(values: readonly Tensor[]): void {
    const weights = this.weights;
    if (values.length !== weights.length) {
      const must = `model ${this.name} needs ${weights.length} tensors, one for each weight of its layers`;
      fail('setWeights', must, `got ${values.length}`, `they are ${this.#listWeights()}`);
    }
    weights.forEach((weight, i) => {
      placed(
        () => this.placeOf(weight),
        () => weight.check(values[i]),
      );
    });
    writeAll(weights, values);
  }
  #listWeights(): string {
    return this.weights.map(({ originalName, shape }) => `${originalName} ${showShape(shape)}`).join(', ');
  }

  /** `it belongs to layer 2 of 3 of model net, dense_Dense1: Dense {units: 4}`: whose weight that is, for errors. */
  placeOf(weight: LayerVariable): string {
    const at = this.layers.findIndex((layer) => layer.weights.includes(weight));
    const layer = this.layers[at];
    if (!layer) return `it belongs to model ${this.name}`;
    return `it belongs to layer ${at + 1} of ${this.layers.length} of model ${this.name}, ${layer.label}`;
  }

  /**
   * Replaces weights by the names that model files use, as they are: constraints are not applied. strict (the default): every weight
   * must be named, and no other.
   */
  loadWeights(values: { readonly [name: string]: Tensor }, strict = true): void {
    assignNamedWeights('loadWeights', this.weights, values, { strict, placeOf: (weight) => this.placeOf(weight) });
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
    this.#compiled = new CompiledModel(this, args);
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
  /** All optimizers of training, each with the weights that it moves; `name` tells several apart. */
  get optimizers(): readonly TrainingOptimizer[] {
    return [{ name: '', optimizer: this.optimizer, weights: this.trainableWeights }];
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
  fit(x: TensorsOf, y?: TensorsOf | null, args: ModelFitArgs = {}): Promise<History> {
    return fitModel(this, x, y, args);
  }
  /** Trains on batches from a tf.data Dataset or any (async) iterable of {xs, ys} or [xs, ys] or [xs, ys, sampleWeight]. */
  fitDataset(dataset: BatchDataset, args: ModelFitDatasetArgs): Promise<History> {
    return fitDataset(this, dataset, args);
  }
  /** Loss and metrics over a data set: one scalar, or a list where there are metrics. */
  evaluate(x: TensorsOf, y?: TensorsOf | null, args: ModelEvaluateArgs = {}): Tensor | Tensor[] {
    return evaluate(this, x, y, args);
  }
  /** The same over batches. */
  evaluateDataset(dataset: BatchDataset, args: ModelEvaluateDatasetArgs = {}): Promise<Tensor | Tensor[]> {
    return evaluateDataset(this, dataset, args);
  }
  /** One training step; gives the loss, or a list with the metrics behind it. */
  trainOnBatch(x: TensorsOf, y?: TensorsOf | null, args: BatchWeights = {}): Promise<number | number[]> {
    return trainOnBatch(this, x, y, args);
  }
  /** Loss and metrics of one batch, without training. */
  testOnBatch(x: TensorsOf, y?: TensorsOf | null, args: BatchWeights = {}): Promise<number | number[]> {
    return testOnBatch(this, x, y, args);
  }
  /** In a custom trainStep: the compiled loss, a scalar, with what layers and regularizers add to it. */
  computeLoss(y: Tensor | Tensor[], yPred: Tensor | Tensor[], sampleWeight?: TrainStepData['sampleWeight']): Scalar {
    return this.compiled('computeLoss').lossOf(y, yPred, sampleWeight ?? null);
  }
  /** The variables that training changes. */
  get trainableVariables(): Variable[] {
    return this.trainableWeights.map((weight) => weight.val);
  }

  // Prediction

  get #predict(): Predictor {
    this.#predictor ??= new Predictor(this);
    return this.#predictor;
  }
  /** The outputs for any number of samples, computed in batches (default 32); a list where the model has several outputs. */
  predict<T extends Tensor | Tensor[] = Tensor>(x: TensorsOf, args: ModelPredictArgs = {}): T {
    return this.#predict.predict(x, args) as T;
  }
  /** The outputs for one batch, computed at once. */
  predictOnBatch<T extends Tensor | Tensor[] = Tensor>(x: TensorsOf): T {
    return this.#predict.onBatch(x) as T;
  }

  /**
   * Continues sequences of tokens with a model from tokens [batch, steps] to logits (or softmax) of the next token, [batch, steps,
   * tokens] or [batch, tokens]: int32 [length], or [batch, length] for a batch of prompts. Attention must be causal; it and
   * recurrent layers keep what came before, so each token costs one step of one program.
   *
   *   const tokens = await model.generateTokens([5, 3, 8], { maxLength: 100, temperature: 0.8, topK: 20, seed: 1 });
   */
  generateTokens(
    prompt: readonly number[] | readonly (readonly number[])[] | Tensor,
    args: GenerateArgs,
  ): Promise<Tensor> {
    return generate(prompt, args, (batch, context) => this.#generatorFor(batch, context));
  }
  #generatorFor(batch: number, context: number): Generator {
    const last = this.#generator;
    if (last && !last.busy && last.batch === batch && last.context === context) return last;
    if (!last?.busy) last?.dispose();
    return (this.#generator = new Generator(this, batch, context));
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
  save(target: string | SaveTarget, config: SaveConfig = {}): Promise<SaveResult> {
    return saveModel(this, target, config);
  }

  /** Drops the compiled programs; they are made again when needed. */
  protected invalidate(): void {
    this.#predictor?.dispose();
    this.#predictor = null;
    this.#generator?.dispose();
    this.#generator = null;
    this.#compiled?.invalidate();
  }

  /** Frees weights, optimizer state and compiled programs. */
  override dispose(): { refCountAfterDispose: number; numDisposedVariables: number } {
    const count = this.weights.length;
    this.invalidate();
    this.#compiled?.dispose();
    this.#compiled = null;
    super.dispose();
    return { refCountAfterDispose: 0, numDisposedVariables: count };
  }
}
