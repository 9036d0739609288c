/** How a model was compiled, in Keras's JSON. */
import { fail } from '../../base/errors.ts';
import { type Config, fromPythonic, isSerializedObject } from '../keras_config.ts';
import { toSnakeCase } from '../naming.ts';
import { deserializeOptimizer } from '../optimizers/index.ts';
import { LossScaleOptimizer } from '../optimizers/loss_scale.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';
import type { ModelCompileArgs } from './compile.ts';
import type { OutputPlan } from './outputs.ts';

export interface TrainingConfig {
  loss: string | { [output: string]: string };
  metrics: string[] | { [output: string]: string[] };
  optimizer_config: { class_name: string; config: Config };
  loss_weights?: { [output: string]: number };
}

const metricName = (name: string): string => (name === 'acc' ? 'accuracy' : toSnakeCase(name));

export function optimizerConfigOf(given: Optimizer): TrainingConfig['optimizer_config'] {
  // A model that needs scaled losses gets them again where it is compiled.
  const optimizer = given instanceof LossScaleOptimizer ? given.innerOptimizer : given;
  return { class_name: optimizer.getClassName(), config: optimizer.getConfig() };
}

/** An optimizer from what optimizerConfigOf gave; `what` names it in errors. */
export function optimizerFrom(op: string, what: string, config: unknown): Optimizer {
  const serialized = fromPythonic(config);
  if (!isSerializedObject(serialized)) fail(op, `${what} must have a class_name`, 'it has none');
  return deserializeOptimizer(op, { ...serialized, config: serialized.config ?? {} });
}

export function trainingConfig(given: Optimizer, outputs: readonly OutputPlan[]): TrainingConfig {
  const optimizerConfig = optimizerConfigOf(given);
  const names = (plan: OutputPlan) => plan.metrics.map(({ metric }) => metricName(metric.name));
  if (outputs.length === 1) {
    const loss = outputs[0].loss;
    return { loss: loss ? toSnakeCase(loss.name) : '', metrics: names(outputs[0]), optimizer_config: optimizerConfig };
  }
  const withLoss = outputs.filter(({ loss }) => loss);
  const config: TrainingConfig = {
    loss: Object.fromEntries(withLoss.map(({ name, loss }) => [name, toSnakeCase(loss!.name)])),
    metrics: Object.fromEntries(outputs.map((plan) => [plan.name, names(plan)])),
    optimizer_config: optimizerConfig,
  };
  if (outputs.some(({ lossWeight }) => lossWeight !== 1)) {
    config.loss_weights = Object.fromEntries(outputs.map(({ name, lossWeight }) => [name, lossWeight]));
  }
  return config;
}

/** Arguments of compile from a training config. */
export function compileArgsFrom(op: string, config: object): ModelCompileArgs {
  const {
    loss,
    metrics,
    optimizer_config: optimizer,
    loss_weights: lossWeights,
  } = config as { [key: string]: unknown };
  const names = (value: unknown): string[] => (Array.isArray(value) ? value.flat().map(String) : []);
  const isMap = (value: unknown): value is { [name: string]: unknown } =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return {
    optimizer: optimizerFrom(op, 'optimizer_config', optimizer),
    loss: isMap(loss) ? (loss as { [name: string]: string }) : Array.isArray(loss) ? names(loss) : String(loss),
    metrics: isMap(metrics)
      ? Object.fromEntries(Object.entries(metrics).map(([name, list]) => [name, names(list)]))
      : names(metrics),
    ...(isMap(lossWeights) ? { lossWeights: lossWeights as { [name: string]: number } } : {}),
  };
}
