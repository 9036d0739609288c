/** Layers, models, optimizers, losses, metrics and callbacks, with TensorFlow.js's names. */
export type { Activation, ActivationIdentifier } from './activations.ts';
export {
  BaseCallback,
  Callback,
  type CallbackArgs,
  CallbackList,
  type CallbackParams,
  CustomCallback,
  type CustomCallbackArgs,
  type Logs,
} from './callbacks/callback.ts';
export { callbacks as fitCallbacks, EarlyStopping, type EarlyStoppingArgs } from './callbacks/early_stopping.ts';
export { type CallbackConstructor, registerCallbackConstructor } from './callbacks/constructors.ts';
export { History } from './callbacks/history.ts';
export { ProgbarLogger, type ProgressStream } from './callbacks/progbar.ts';
export { Constraint, type ConstraintIdentifier, constraints } from './constraints.ts';
export { Initializer, type InitializerIdentifier, initializers } from './initializers.ts';
export { toCategorical } from './labels.ts';
export { ActivatedLayer } from './layers/activated.ts';
export type { ConvArgs, ConvArgs as Conv2DArgs } from './layers/convolution.ts';
export type { DenseArgs } from './layers/dense.ts';
export { type InputRule, InputSpec, type InputSpecArgs } from './layers/input_spec.ts';
export { layers } from './models/layer_factories.ts';
export { KeyValueCache, type KeyValueCacheArgs } from './layers/key_value_cache.ts';
export { RNN } from './layers/rnn.ts';
export { RNNCell } from './layers/rnn_cell.ts';
export {
  type CallOptions,
  Layer,
  type LayerArgs,
  type WeightArgs,
} from './layers/layer.ts';
export { Wrapper, type WrapperArgs } from './layers/wrapper.ts';
export { LayerVariable, type WeightSource } from './layers/layer_variable.ts';
export type { KerasShape, ShapeOrShapes } from './layers/shapes.ts';
export { configuredLosses } from './configured_losses.ts';
export type { Loss, LossOrMetricFn, Reduction as LossReduction } from './losses.ts';
export { trainingCallbacks } from './callbacks/training_callbacks.ts';
export { metrics } from './metrics/index.ts';
export { Metric, type MetricArgs } from './metrics/metric.ts';
export { modelFromTopology, models } from './models/from_json.ts';
export { GAN, type GanArgs, type GanCompileArgs, gan } from './models/gan.ts';
export { type FunctionalArgs, Functional, input, type InputConfig, model } from './models/functional.ts';
export { LayersModel, LayersModel as Model, type StepLogs, type TrainStepData } from './models/layers_model.ts';
export { SymbolicTensor } from './layers/symbolic.ts';
export type { BatchDataset, BatchItem } from './training/dataset.ts';
export type { TensorsOf, WeightsOf } from './training/samples.ts';
export { plotModel, type PlotModelArgs } from './models/plot.ts';
export {
  installModelSaver,
  type ModelArtifactsInfo,
  type ModelSaver,
  type SaveConfig,
  type SaveResult,
  type SaveTarget,
} from './models/saving.ts';
export { Sequential, type SequentialArgs, sequential } from './models/sequential.ts';
export { AdadeltaOptimizer, AdagradOptimizer } from './optimizers/adagrad.ts';
export { AdamOptimizer, AdamWOptimizer } from './optimizers/adam.ts';
export {
  AdafactorOptimizer,
  FtrlOptimizer,
  LambOptimizer,
  LionOptimizer,
  NadamOptimizer,
} from './optimizers/adaptive.ts';
export { LossScaleOptimizer, type LossScaleArgs } from './optimizers/loss_scale.ts';
export { mixedPrecision } from './mixed_precision_api.ts';
export { DTypePolicy, type PolicyName } from './mixed_precision.ts';
export { MuonOptimizer } from './optimizers/muon.ts';
export { LearningRateSchedule } from './optimizers/schedules.ts';
export { AdamaxOptimizer } from './optimizers/adamax.ts';
export { type OptimizerIdentifier, train } from './optimizers/index.ts';
export { type GradientPair, type NamedTensor, Optimizer, type OptimizerOptions } from './optimizers/optimizer.ts';
export { RMSPropOptimizer } from './optimizers/rmsprop.ts';
export { MomentumOptimizer, SGDOptimizer } from './optimizers/sgd.ts';
export { Regularizer, type RegularizerIdentifier, regularizers } from './regularizers.ts';
export { serialization } from './serialization.ts';
export type { ModelCompileArgs } from './training/compile.ts';
export type { ModelEvaluateArgs, ModelEvaluateDatasetArgs } from './training/evaluate.ts';
export type { ModelFitArgs, ModelFitDatasetArgs } from './training/fit.ts';
export type { GanLoss, GanLossName } from './training/gan_losses.ts';
export type { GenerateArgs } from './training/generate.ts';
export type { YieldEvery } from './training/pace.ts';
export type { ModelPredictArgs } from './training/predict.ts';
