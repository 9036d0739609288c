/** What model.compile makes: optimizer, loss and metrics, and from them the compiled training and test steps. */
import { fail } from '../../base/errors.ts';
import { add, jit, keep, mean, type Scalar, type Tensor, type Variable, variableGrads } from '../../tensor/index.ts';
import { type Config, fromPythonic, isSerializedObject } from '../keras_config.ts';
import type { LayerVariable } from '../layers/layer_variable.ts';
import { checkLabelShape, getLoss, type Loss, type LossOrMetricFn } from '../losses.ts';
import { getMetric, type Metric } from '../metrics.ts';
import type { LayersModel, ModelOutput } from '../models/layers_model.ts';
import { deserializeOptimizer, getOptimizer, type OptimizerIdentifier } from '../optimizers/index.ts';
import { Optimizer } from '../optimizers/optimizer.ts';
import { toSnakeCase } from '../naming.ts';
import { type Step, stepOf } from './step.ts';

export interface ModelCompileArgs {
  /** 'sgd', 'adam', 'rmsprop', or one of tf.train. */
  optimizer: OptimizerIdentifier | Optimizer | (string & {});
  /** The name of a loss, or a function of labels and predictions. */
  loss: string | LossOrMetricFn | readonly (string | LossOrMetricFn)[];
  /** Names or functions of what is to be watched: 'accuracy', 'mse', ... */
  metrics?: string | LossOrMetricFn | readonly (string | LossOrMetricFn)[];
}

/** How a model was compiled, in Keras's JSON. */
export interface TrainingConfig {
  loss: string;
  metrics: string[];
  optimizer_config: { class_name: string; config: Config };
}

/** Arguments of compile from a training config. */
export function compileArgsFrom(op: string, config: object): ModelCompileArgs {
  const { loss, metrics, optimizer_config: optimizer } = config as { [key: string]: unknown };
  const serialized = fromPythonic(optimizer);
  if (!isSerializedObject(serialized)) fail(op, 'optimizer_config must have a class_name', 'it has none');
  const names = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
  return {
    optimizer: deserializeOptimizer(op, { ...serialized, config: serialized.config ?? {} }),
    loss: Array.isArray(loss) ? names(loss) : String(loss),
    metrics: names(metrics),
  };
}

export class CompiledModel {
  readonly optimizer: Optimizer;
  readonly loss: Loss;
  readonly metrics: readonly Metric[];
  readonly #model: LayersModel;
  readonly #ownsOptimizer: boolean;
  #train: { step: Step; weights: readonly LayerVariable[] } | null = null;
  #test: Step | null = null;

  constructor(model: LayersModel, args: ModelCompileArgs) {
    this.#model = model;
    this.optimizer = getOptimizer('compile', args.optimizer);
    this.#ownsOptimizer = !(args.optimizer instanceof Optimizer);
    this.loss = getLoss('compile', args.loss);
    const list = args.metrics === undefined ? [] : Array.isArray(args.metrics) ? args.metrics : [args.metrics];
    this.metrics = list.map((metric) => getMetric('compile', metric, this.loss));
  }

  /** Keys of what a step gives: 'loss', then the metrics. */
  get names(): string[] {
    return ['loss', ...this.metrics.map((metric) => metric.name)];
  }

  toConfig(): TrainingConfig {
    return {
      loss: toSnakeCase(this.loss.name),
      metrics: this.metrics.map(({ name }) => (name === 'acc' ? 'accuracy' : toSnakeCase(name))),
      optimizer_config: { class_name: this.optimizer.getClassName(), config: this.optimizer.getConfig() },
    };
  }

  /** One step of training: (x, y) -> [loss, ...metrics], and the weights move on. */
  trainStep(op: string): Step {
    const weights = this.#model.trainableWeights;
    if (weights.length === 0) {
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
      this.#train = { step: this.#traceTrain(weights), weights };
    }
    return this.#train!.step;
  }

  /** One step of evaluation: (x, y) -> [loss, ...metrics]. */
  testStep(): Step {
    this.#test ??= stepOf(
      jit((x: Tensor, y: Tensor): Tensor[] => {
        const output = this.#model.forward(x, { training: false });
        return [mean(this.#lossOf(output, y)), ...this.#metricsOf(output, y)];
      }),
    );
    return this.#test;
  }

  #traceTrain(weights: readonly LayerVariable[]): Step {
    const variables: Variable[] = weights.map((weight) => weight.val);
    this.optimizer.build(variables);
    return stepOf(
      jit((x: Tensor, y: Tensor): Tensor[] => {
        let watched: Tensor[] = [];
        const { value, grads } = variableGrads(() => {
          const output = this.#model.forward(x, { training: true });
          // Kept, because the scope of variableGrads ends before the step does.
          watched = this.#metricsOf(output, y).map((metric) => keep(metric));
          return penalized(mean<Scalar>(this.#lossOf(output, y)), weights);
        }, variables);
        const pairs = variables.map((variable) => ({ variable, gradient: grads[variable.name] }));
        this.optimizer.applyPairs(pairs.filter(({ gradient }) => gradient));
        for (const { val, constraint } of weights) {
          if (constraint) val.assign(constraint.apply(val));
        }
        return [value, ...watched];
      }),
    );
  }

  /** The loss of each sample; from the logits where the loss has a stable formula on them. */
  #lossOf({ output, logits }: ModelOutput, y: Tensor): Tensor {
    checkLabelShape('compile', this.loss, y.shape, output.shape);
    const stable = this.loss.fromLogits;
    if (stable && logits && logits.activation.name === stable.activation) return stable.call(y, logits.value);
    return this.loss.call(y, output);
  }

  #metricsOf({ output }: ModelOutput, y: Tensor): Tensor[] {
    return this.metrics.map(({ call }) => mean(call(y, output)));
  }

  /** Drops the compiled steps; they are traced again when needed. */
  invalidate(): void {
    this.#train?.step.dispose();
    this.#test?.dispose();
    this.#train = null;
    this.#test = null;
  }

  dispose(): void {
    this.invalidate();
    if (this.#ownsOptimizer) this.optimizer.dispose();
  }
}

/** The loss and what the regularizers add to it. */
function penalized(loss: Scalar, weights: readonly LayerVariable[]): Scalar {
  let total = loss;
  for (const { regularizer, val } of weights) {
    if (regularizer) total = add(total, regularizer.apply(val));
  }
  return total;
}

export function compileModel(model: LayersModel, args: ModelCompileArgs): CompiledModel {
  if (typeof args !== 'object' || args === null) fail('compile', 'compile needs {optimizer, loss}', `got ${args}`);
  return new CompiledModel(model, args);
}
