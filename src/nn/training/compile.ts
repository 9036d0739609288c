/** What model.compile makes: optimizer, losses and metrics, and from them the compiled training and test steps. */
import { fail, placed } from '../../base/errors.ts';
import { add, concat, jit, mul, type Scalar, scalar, type Tensor, untracked } from '../../tensor/index.ts';
import { Layer } from '../layers/layer.ts';
import type { LayerVariable } from '../layers/layer_variable.ts';
import type { Loss } from '../losses.ts';
import { Metric } from '../metrics/metric.ts';
import type { LayersModel, TrainStepData } from '../models/layers_model.ts';
import { getOptimizer } from '../optimizers/index.ts';
import { LossScaleOptimizer } from '../optimizers/loss_scale.ts';
import { Optimizer } from '../optimizers/optimizer.ts';
import { outputPlace } from './checks.ts';
import { type LossSpecs, lossValue, type OutputPlan, outputPlans } from './outputs.ts';
import { customStep, packed, type Step, stepOf } from './step.ts';
import type { LogEntry, LogLayout } from './tally.ts';
import { type TrainingConfig, trainingConfig } from './training_config.ts';
import { penalized, updateWeights } from './update.ts';
import { watch } from './watch.ts';
import type { OptimizerIdentifier } from '../optimizers/index.ts';

export type { TrainingConfig } from './training_config.ts';
export { compileArgsFrom } from './training_config.ts';

export interface ModelCompileArgs extends LossSpecs {
  /** 'sgd', 'adam', 'rmsprop', or one of tf.train. */
  optimizer: OptimizerIdentifier | Optimizer | (string & {});
}

type StepArguments = [readonly Tensor[], readonly Tensor[], readonly (Tensor | null)[]];

export class CompiledModel {
  readonly optimizer: Optimizer;
  readonly #model: LayersModel;
  readonly #args: ModelCompileArgs;
  readonly #ownsOptimizer: boolean;
  #outputs: readonly OutputPlan[] | null = null;
  #train: { step: Step; weights: readonly LayerVariable[] } | null = null;
  #test: Step | null = null;
  /** What was frozen when compile was called, or at the first step if the layers were not known before. */
  #trainable: ReadonlyMap<Layer, boolean> | null = null;
  #warned = false;

  constructor(model: LayersModel, args: ModelCompileArgs) {
    if (typeof args !== 'object' || args === null) fail('compile', 'compile needs {optimizer, loss}', `got ${args}`);
    this.#model = model;
    this.#args = args;
    const optimizer = getOptimizer('compile', args.optimizer);
    const owned = !(args.optimizer instanceof Optimizer);
    // Gradients in float16 may vanish.
    const scales = model.computesIn('float16') && !(optimizer instanceof LossScaleOptimizer);
    this.optimizer = scales ? new LossScaleOptimizer(optimizer, {}, owned) : optimizer;
    this.#ownsOptimizer = owned || scales;
    if (model.built) this.#trainable = model.trainableStates();
    // Names of outputs are known now where the model has a graph; mistakes are then reported by compile.
    if (model.outputs.length > 0) this.outputs;
    else if (!model.hasOwnStep && (args.loss === undefined || args.loss === null))
      outputPlans('compile', ['output'], args);
  }

  /** Loss, weight and metrics of each output of the model. */
  get outputs(): readonly OutputPlan[] {
    if (!this.#outputs) {
      const names = this.#model.outputNames;
      if (names.length === 0) {
        fail('compile', 'the model must be built', undefined, 'call fit, predict or build first');
      }
      this.#outputs = outputPlans('compile', names, this.#args, this.#model.hasOwnStep);
    }
    return this.#outputs;
  }
  get losses(): readonly (Loss | null)[] {
    return this.outputs.map(({ loss }) => loss);
  }

  /** Keys of the logs: 'loss', then losses of outputs and metrics. */
  get names(): string[] {
    const step = this.#model.hasOwnStep ? this.#train?.step.layout : undefined;
    return (step ?? this.#layout).map(({ name }) => name);
  }

  get #layout(): LogLayout {
    const { outputs } = this;
    const several = outputs.length > 1;
    const perOutput = outputs
      .filter(({ loss }) => loss)
      .map(({ name }): LogEntry => ({ name: `${name}_loss`, kind: 'mean' }));
    const metrics = outputs.flatMap(({ name, metrics }) =>
      metrics.map(
        ({ metric }): LogEntry => ({
          name: several ? `${name}_${metric.name}` : metric.name,
          kind: metric instanceof Metric ? 'running' : 'ratio',
        }),
      ),
    );
    return [{ name: 'loss', kind: 'mean' }, ...(several ? perOutput : []), ...metrics];
  }

  toConfig(): TrainingConfig {
    return trainingConfig(this.optimizer, this.outputs);
  }

  /** The loss of outputs, with what layers and regularizers add. For custom steps. */
  lossOf(y: Tensor | Tensor[], yPred: Tensor | Tensor[], weights: TrainStepData['sampleWeight']): Scalar {
    const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);
    const { total } = this.#losses(list(yPred), list(y), list(weights as Tensor | null));
    return penalized(total, this.#model.trainableWeights, []);
  }

  /** One step of training: the weights move on. */
  trainStep(op: string): Step {
    const weights = this.#trainableWeights();
    if (weights.length === 0 && (this.#model.built || !this.#model.hasOwnStep)) {
      fail(
        op,
        'the model must have trainable weights',
        'all are frozen or there are none',
        'set layer.trainable = true and compile again',
      );
    }
    const same =
      this.#train?.weights.length === weights.length &&
      weights.every((weight, i) => weight === this.#train!.weights[i]);
    if (!same) {
      this.#train?.step.dispose();
      this.#train = { step: this.#model.hasOwnStep ? this.#ownTrain() : this.#standardTrain(weights), weights };
    }
    return this.#train!.step;
  }

  /**
   * The weights that the standard step moves: those that were trainable when compile was called. So a model can be frozen inside of
   * another one that is compiled later, and still be trained by itself, as GANs written for Keras are.
   */
  #trainableWeights(): readonly LayerVariable[] {
    const model = this.#model;
    const now = model.trainableWeights;
    if (model.hasOwnStep) return now;
    this.#trainable ??= model.trainableStates();
    const then = Layer.withTrainable(this.#trainable, () => model.trainableWeights);
    if (then.length !== now.length && !this.#warned) {
      this.#warned = true;
      console.warn(
        `[${model.name}] trains ${then.length} weights, as when compile was called; ${now.length} are trainable now: call compile again to change that`,
      );
    }
    return then;
  }

  /** One step of evaluation. */
  testStep(): Step {
    const custom = this.#model.testStep?.bind(this.#model);
    this.#test ??= custom ? customStep(custom, 'custom test step', () => this.#resetMetrics()) : this.#standardTest();
    return this.#test;
  }

  #standardTest(): Step {
    const jitted = jit((...[x, y, w]: StepArguments): Tensor => {
      const outputs = this.#forward(x, false);
      const { total, each } = this.#losses(outputs, y, w);
      return packed([total, ...each, ...this.#watched(outputs, y, w)]);
    }, 'test step');
    return stepOf(
      jitted,
      () => this.#layout,
      () => this.#resetMetrics(),
    );
  }

  #standardTrain(weights: readonly LayerVariable[]): Step {
    this.optimizer.build(weights.map((weight) => weight.val));
    const jitted = jit((...[x, y, w]: StepArguments): Tensor => {
      let rest: Tensor[] = [];
      const value = updateWeights(weights, this.optimizer, () => {
        const outputs = Layer.withTrainable(this.#trainable!, () => this.#forward(x, true));
        const { total, each } = this.#losses(outputs, y, w);
        const watched = [...each, ...this.#watched(outputs, y, w)];
        // Outside of the scope of the gradients, which ends before the step does.
        rest = watched.length === 0 ? [] : [untracked(() => packed(watched))];
        return total;
      });
      return rest.length === 0 ? packed([value]) : concat([packed([value]), rest[0]], 0);
    }, 'train step');
    return stepOf(
      jitted,
      () => this.#layout,
      () => this.#resetMetrics(),
    );
  }

  /** A step of the user's own, or several programs that make up one. */
  #ownTrain(): Step {
    const model = this.#model;
    if (model.makeTrainStep) return model.makeTrainStep();
    return customStep(model.trainStep!.bind(model), 'custom step', () => this.#resetMetrics());
  }

  #forward(x: readonly Tensor[], training: boolean): Tensor[] {
    const output: unknown = this.#model.apply(x.length === 1 ? x[0] : x, { training });
    return Array.isArray(output) ? (output as Tensor[]) : [output as Tensor];
  }

  /** The sum of the weighted losses, and, of several outputs, each loss. */
  #losses(outputs: readonly Tensor[], y: readonly Tensor[], w: readonly (Tensor | null)[]) {
    const plans = this.outputs;
    const each: Scalar[] = [];
    let total: Scalar | null = null;
    plans.forEach(({ loss, lossWeight, name }, i) => {
      if (!loss) return;
      const op = plans.length > 1 ? `compile ${name}` : 'compile';
      const value = placed(
        () => `it is the loss on ${outputPlace(this.#model, i)}`,
        () => lossValue(op, loss, outputs[i], y[i], w[i] ?? null),
      );
      each.push(value);
      const weighted: Scalar = lossWeight === 1 ? value : mul(value, lossWeight);
      total = total ? add(total, weighted) : weighted;
    });
    return { total: total ?? scalar(0), each: plans.length > 1 ? each : [] };
  }

  #watched(outputs: readonly Tensor[], y: readonly Tensor[], w: readonly (Tensor | null)[]): Tensor[] {
    return this.outputs.flatMap(({ metrics }, i) =>
      metrics.flatMap(({ metric, weighted }) => watch(metric, outputs[i], y[i], weighted ? (w[i] ?? null) : null)),
    );
  }

  #resetMetrics(): void {
    if (this.#outputs === null) return;
    for (const { metrics } of this.#outputs) {
      for (const { metric } of metrics) if (metric instanceof Metric) metric.resetState();
    }
  }

  /** Drops the compiled steps; they are traced again when needed. */
  invalidate(): void {
    this.#train?.step.dispose();
    this.#test?.dispose();
    this.#train = null;
    this.#test = null;
    this.#trainable = null;
    this.#outputs = this.#model.outputs.length > 0 ? this.#outputs : null;
  }

  dispose(): void {
    for (const { metrics } of this.#outputs ?? []) {
      for (const { metric, owned } of metrics) if (owned && metric instanceof Metric) metric.dispose();
    }
    this.invalidate();
    if (this.#ownsOptimizer) this.optimizer.dispose();
  }
}
