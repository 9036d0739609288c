/** What model.compile makes: optimizer, losses and metrics, and from them the compiled training and test steps. */
import { fail } from '../../base/errors.ts';
import {
  add,
  concat,
  jit,
  mul,
  type Scalar,
  scalar,
  type Tensor,
  untracked,
  type Variable,
  variableGrads,
} from '../../tensor/index.ts';
import { collectLosses } from '../layers/call_context.ts';
import type { LayerVariable } from '../layers/layer_variable.ts';
import type { Loss } from '../losses.ts';
import { Metric } from '../metrics/metric.ts';
import type { LayersModel, StepLogs, TrainStepData } from '../models/layers_model.ts';
import { getOptimizer } from '../optimizers/index.ts';
import { Optimizer } from '../optimizers/optimizer.ts';
import { type LossSpecs, lossValue, type OutputPlan, outputPlans } from './outputs.ts';
import { packed, type Step, stepOf } from './step.ts';
import type { LogEntry, LogLayout } from './tally.ts';
import { type TrainingConfig, trainingConfig } from './training_config.ts';
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

  constructor(model: LayersModel, args: ModelCompileArgs) {
    if (typeof args !== 'object' || args === null) fail('compile', 'compile needs {optimizer, loss}', `got ${args}`);
    this.#model = model;
    this.#args = args;
    this.optimizer = getOptimizer('compile', args.optimizer);
    this.#ownsOptimizer = !(args.optimizer instanceof Optimizer);
    // Names of outputs are known now where the model has a graph; mistakes are then reported by compile.
    if (model.outputs.length > 0) this.outputs;
    else if (!model.trainStep && (args.loss === undefined || args.loss === null))
      outputPlans('compile', ['output'], args);
  }

  /** Loss, weight and metrics of each output of the model. */
  get outputs(): readonly OutputPlan[] {
    if (!this.#outputs) {
      const names = this.#model.outputNames;
      if (names.length === 0) {
        fail('compile', 'the model must be built', undefined, 'call fit, predict or build first');
      }
      this.#outputs = outputPlans('compile', names, this.#args, this.#model.trainStep !== undefined);
    }
    return this.#outputs;
  }
  get losses(): readonly (Loss | null)[] {
    return this.outputs.map(({ loss }) => loss);
  }

  /** Keys of the logs: 'loss', then losses of outputs and metrics. */
  get names(): string[] {
    const step = this.#model.trainStep ? this.#train?.step.layout : undefined;
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
    const weights = this.#model.trainableWeights;
    if (weights.length === 0 && (this.#model.built || !this.#model.trainStep)) {
      fail(
        op,
        'the model must have trainable weights',
        'all are frozen or there are none',
        'set layer.trainable = true',
      );
    }
    const same =
      this.#train?.weights.length === weights.length &&
      weights.every((weight, i) => weight === this.#train!.weights[i]);
    if (!same) {
      this.#train?.step.dispose();
      const custom = this.#model.trainStep?.bind(this.#model);
      this.#train = { step: custom ? this.#customStep(custom) : this.#standardTrain(weights), weights };
    }
    return this.#train!.step;
  }

  /** One step of evaluation. */
  testStep(): Step {
    const custom = this.#model.testStep?.bind(this.#model);
    this.#test ??= custom ? this.#customStep(custom) : this.#standardTest();
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
    const variables: Variable[] = weights.map((weight) => weight.val);
    this.optimizer.build(variables);
    const jitted = jit((...[x, y, w]: StepArguments): Tensor => {
      let rest: Tensor[] = [];
      const { value, grads } = variableGrads(() => {
        const { result, losses } = collectLosses(() => {
          const outputs = this.#forward(x, true);
          const { total, each } = this.#losses(outputs, y, w);
          const watched = [...each, ...this.#watched(outputs, y, w)];
          // Outside of the scope of variableGrads, which ends before the step does.
          rest = watched.length === 0 ? [] : [untracked(() => packed(watched))];
          return total;
        });
        return penalized(result, weights, losses);
      }, variables);
      const pairs = variables.map((variable) => ({ variable, gradient: grads[variable.name] }));
      this.optimizer.applyPairs(pairs.filter(({ gradient }) => gradient));
      for (const { val, constraint } of weights) {
        if (constraint) val.assign(constraint.apply(val));
      }
      return rest.length === 0 ? packed([value]) : concat([packed([value]), rest[0]], 0);
    }, 'train step');
    return stepOf(
      jitted,
      () => this.#layout,
      () => this.#resetMetrics(),
    );
  }

  /** A step of the user's own; its names are found when it is traced. */
  #customStep(custom: (data: TrainStepData) => StepLogs): Step {
    let layout: LogLayout = [];
    const jitted = jit((...[x, y, w]: StepArguments): Tensor => {
      const single = <T>(list: readonly T[]): T | T[] => (list.length === 1 ? list[0] : [...list]);
      const weights = w.every((item) => item === null) ? null : single(w);
      const logs = custom({ x: single(x), y: single(y), sampleWeight: weights });
      const entries = Object.entries(logs);
      if (entries.length === 0) fail('trainStep', 'the step must return scalars by name', 'got none', 'as {loss}');
      layout = entries.map(([name]) => ({ name, kind: 'mean' }));
      return packed(entries.map(([, value]) => value));
    }, 'custom step');
    return stepOf(
      jitted,
      () => layout,
      () => this.#resetMetrics(),
    );
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
      const value = lossValue(plans.length > 1 ? `compile ${name}` : 'compile', loss, outputs[i], y[i], w[i] ?? null);
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

/** The loss, what layers added to it, and what the regularizers do. */
function penalized(loss: Scalar, weights: readonly LayerVariable[], added: readonly Tensor[]): Scalar {
  let total = loss;
  for (const term of added) total = add(total, term);
  for (const { regularizer, val } of weights) {
    if (regularizer) total = add(total, regularizer.apply(val));
  }
  return total;
}
