/**
 * model.fit and fitDataset: epochs of compiled steps. While a step runs off the main thread, the next batch is gathered;
 * callbacks see numbers after each step; Ctrl-C or model.stopTraining ends it at the end of the running step.
 */
import { fail } from '../../base/errors.ts';
import { type CallbackArgs, CallbackList, standardizeCallbacks } from '../callbacks/callback.ts';
import { registeredCallbacks } from '../callbacks/constructors.ts';
import { History } from '../callbacks/history.ts';
import { ProgbarLogger } from '../callbacks/progbar.ts';
import type { LayersModel } from '../models/layers_model.ts';
import type { Batch } from './batch.ts';
import { checkCount } from './checks.ts';
import type { BatchDataset } from './dataset.ts';
import { evaluateAsync, evaluateBatches, runOnce } from './evaluate.ts';
import { onInterrupt } from './interrupt.ts';
import { Pace, type YieldEvery } from './pace.ts';
import { readSamples } from './read_samples.ts';
import type { BatchWeights, TensorsOf, WeightsOf } from './samples.ts';
import { type BatchSource, DatasetSource, type EpochPlan, SamplesSource, splitSamples } from './sources.ts';
import type { Step } from './step.ts';
import { Tally } from './tally.ts';

/** [x, y] or [x, y, sampleWeight]. */
export type ValidationData = readonly [TensorsOf, TensorsOf] | readonly [TensorsOf, TensorsOf, WeightsOf];

interface CommonFitArgs {
  /** Passes over the data; default 1. */
  epochs?: number;
  /** 0: silent, 1: a progress bar (the default), 2: one line for each epoch. */
  verbose?: 0 | 1 | 2;
  callbacks?: CallbackArgs | readonly CallbackArgs[];
  /** The epoch to start at, counted from 0; default 0. */
  initialEpoch?: number;
  /** How often control goes to the event loop; default 'auto'. */
  yieldEvery?: YieldEvery;
  /** Validates after every so many epochs, or after those listed (counted from 1); default 1. */
  validationFreq?: number | readonly number[];
}

export interface ModelFitArgs extends BatchWeights, CommonFitArgs {
  /** Samples in a step; default 32. The last batch of an epoch may be smaller. */
  batchSize?: number;
  /** The share of the samples, from the end, that is held out for validation; default 0. */
  validationSplit?: number;
  /** [x, y] or [x, y, sampleWeight] to validate on after each epoch; comes before validationSplit. */
  validationData?: ValidationData;
  validationBatchSize?: number;
  /** At most so many batches of validation; default all. */
  validationSteps?: number;
  /** Whether each epoch has a new random order; default true. */
  shuffle?: boolean;
  /** Seeds the orders; default: drawn from the global random state. */
  seed?: number;
  /** At most so many steps in an epoch; default all. */
  stepsPerEpoch?: number;
}

export interface ModelFitDatasetArgs extends CommonFitArgs {
  /** Batches in an epoch; default: until the dataset ends. Needed for one that never does. */
  batchesPerEpoch?: number;
  /** A dataset, or [x, y]. */
  validationData?: BatchDataset | ValidationData;
  /** At most so many batches of a validation dataset; default all. */
  validationBatches?: number;
  validationBatchSize?: number;
  /** How much each class counts is not supported here: give weights of samples in the dataset. */
  classWeight?: never;
}

interface Plan extends EpochPlan {
  readonly source: BatchSource;
  /** Gives the logs of validation. */
  readonly validate: (() => Promise<Tally>) | null;
  readonly validatesAfter: (epoch: number) => boolean;
  readonly pace: Pace;
  readonly unit: 'images' | 'samples';
}

function commonPlan(op: string, args: CommonFitArgs) {
  const { validationFreq } = args;
  const epochs = checkCount(op, 'epochs', args.epochs ?? 1);
  const initialEpoch = checkCount(op, 'initialEpoch', args.initialEpoch ?? 0, 0);
  const every = Array.isArray(validationFreq) ? 1 : checkCount(op, 'validationFreq', validationFreq ?? 1);
  const validatesAfter = (epoch: number) =>
    Array.isArray(validationFreq) ? validationFreq.includes(epoch + 1) : (epoch + 1) % every === 0;
  return { epochs, initialEpoch, validatesAfter, pace: new Pace(op, args.yieldEvery) };
}

function checkPair(op: string, value: unknown): asserts value is ValidationData {
  if (Array.isArray(value) && (value.length === 2 || value.length === 3)) return;
  const came = `got ${Array.isArray(value) ? value.length : typeof value}`;
  fail(op, 'validationData must be [x, y] or [x, y, sampleWeight]', came);
}

function planFit(model: LayersModel, x: unknown, y: unknown, args: ModelFitArgs): Plan {
  const op = 'fit';
  const batchSize = checkCount(op, 'batchSize', args.batchSize ?? 32);
  const common = commonPlan(op, args);
  const limit =
    args.stepsPerEpoch == null ? Number.POSITIVE_INFINITY : checkCount(op, 'stepsPerEpoch', args.stepsPerEpoch);
  if (args.shuffle !== undefined && typeof args.shuffle !== 'boolean') {
    fail(op, 'shuffle must be true or false', `got ${JSON.stringify(args.shuffle)}`);
  }
  const all = readSamples(op, model, x, y, args);
  const { validationData, validationSplit } = args;
  let [train, held] = [all, null as typeof all | null];
  if (validationData) {
    checkPair(op, validationData);
    const [vx, vy, sampleWeight] = validationData;
    held = readSamples(`${op} validationData`, model, vx, vy, { sampleWeight });
  } else if (validationSplit) [train, held] = splitSamples(op, all, validationSplit);
  const heldBatch = checkCount(op, 'validationBatchSize', args.validationBatchSize ?? batchSize);
  const heldSteps =
    args.validationSteps == null ? Number.POSITIVE_INFINITY : checkCount(op, 'validationSteps', args.validationSteps);
  return {
    ...common,
    source: new SamplesSource(train, batchSize, limit, args.shuffle ?? true, args.seed),
    validate: held && (() => evaluateAsync(model, held, heldBatch, heldSteps)),
    unit: train.x[0].shape.length === 3 ? 'images' : 'samples',
  };
}

function planDataset(model: LayersModel, dataset: BatchDataset, args: ModelFitDatasetArgs): Plan {
  const op = 'fitDataset';
  if (args?.classWeight) fail(op, 'classWeight is for fit', 'got one', 'give weights of samples in the dataset');
  const common = commonPlan(op, args ?? {});
  const limit =
    args?.batchesPerEpoch == null ? Number.POSITIVE_INFINITY : checkCount(op, 'batchesPerEpoch', args.batchesPerEpoch);
  const { validationData } = args ?? {};
  let validate: Plan['validate'] = null;
  if (Array.isArray(validationData)) {
    const pair: unknown = validationData;
    checkPair(op, pair);
    const size = checkCount(op, 'validationBatchSize', args.validationBatchSize ?? 32);
    let held: ReturnType<typeof readSamples> | null = null;
    validate = () => {
      held ??= readSamples(`${op} validationData`, model, pair[0], pair[1], { sampleWeight: pair[2] });
      return evaluateAsync(model, held, size);
    };
  } else if (validationData) {
    const most = args.validationBatches ?? Number.POSITIVE_INFINITY;
    validate = () => evaluateBatches(op, model, validationData as BatchDataset, most);
  }
  const source = new DatasetSource(op, model, dataset, limit);
  return { ...common, source, validate, unit: 'samples' };
}

function callbacksOf(model: LayersModel, plan: Plan, args: CommonFitArgs, history: History): CallbackList {
  const verbose = args.verbose ?? 1;
  // A model without a graph gets its names with its first batch.
  const names = model.built && !model.hasOwnStep ? model.metricsNames : [];
  const list = new CallbackList([...registeredCallbacks(verbose), ...standardizeCallbacks(args.callbacks), history]);
  if (verbose > 0) list.append(new ProgbarLogger(verbose));
  list.setModel(model);
  list.setParams({
    epochs: plan.epochs,
    initialEpoch: plan.initialEpoch,
    samples: plan.source.samples,
    steps: plan.source.steps,
    batchSize: plan.source.batchSize,
    verbose,
    doValidation: plan.validate !== null,
    metrics: plan.validate ? [...names, ...names.map((name) => `val_${name}`)] : names,
    unit: plan.unit,
  });
  return list;
}

export function fitModel(model: LayersModel, x: unknown, y: unknown, args: ModelFitArgs): Promise<History> {
  return train('fit', model, args, () => planFit(model, x, y, args));
}

export function fitDataset(model: LayersModel, dataset: BatchDataset, args: ModelFitDatasetArgs): Promise<History> {
  return train('fitDataset', model, args ?? {}, () => planDataset(model, dataset, args));
}

async function train(op: string, model: LayersModel, args: CommonFitArgs, makePlan: () => Plan): Promise<History> {
  const compiled = model.compiled(op);
  if (model.isTraining) fail(op, 'a model can be trained by one fit at a time', 'another one is running', 'await it');
  model.isTraining = true;
  let stopListening = () => {};
  try {
    const plan = makePlan();
    if (model.built && plan.source.ready) compiled.trainStep(op);
    const history = new History();
    const callbacks = callbacksOf(model, plan, args, history);
    model.stopTraining = false;
    stopListening = onInterrupt(() => {
      model.stopTraining = true;
    });
    await callbacks.onTrainBegin();
    const first = Math.max(plan.initialEpoch, callbacks.initialEpoch);
    await plan.source.skip(first - plan.initialEpoch);
    for (let epoch = first; epoch < plan.epochs && !model.stopTraining; epoch++) {
      await callbacks.onEpochBegin(epoch);
      const logs = await runEpoch(op, model, plan, callbacks, epoch);
      await callbacks.onEpochEnd(epoch, logs);
      await plan.pace.afterEpoch();
    }
    await callbacks.onTrainEnd();
    return history;
  } finally {
    stopListening();
    model.isTraining = false;
  }
}

/** One pass over the data; gives the epoch's logs. */
async function runEpoch(op: string, model: LayersModel, plan: Plan, callbacks: CallbackList, epoch: number) {
  const { source, pace } = plan;
  let step: Step | null = null;
  const tally = new Tally();
  await source.begin();
  try {
    for (let batch = 0; batch < source.steps && !model.stopTraining; batch++) {
      const known = source.sizeOf(batch);
      if (known !== null) await callbacks.onBatchBegin(batch, { batch, size: known });
      const taken = source.take(batch);
      const given = taken instanceof Promise ? await taken : taken;
      if (!given) break;
      const { size } = given;
      if (known === null) await callbacks.onBatchBegin(batch, { batch, size });
      if (!step) {
        step = model.compiled(op).trainStep(op);
        step.reset();
      }
      const { async } = pace;
      const started = performance.now();
      const vector = async ? await runAsync(step, given.batch, source, batch) : step.run(given.batch);
      source.done(given.batch);
      pace.stepTook(performance.now() - started);
      tally.grow(step.layout);
      const values = tally.add(vector, size);
      const logs: { [name: string]: number } = { batch, size };
      step.layout.forEach(({ name }, i) => {
        logs[name] = values[i];
      });
      await callbacks.onBatchEnd(batch, logs);
      if (await pace.afterBatch(async)) await callbacks.onYield(epoch, batch, logs);
    }
  } finally {
    await source.end();
  }
  const logs = tally.logs();
  if (!plan.validate || !plan.validatesAfter(epoch) || model.stopTraining) return logs;
  return { ...logs, ...(await plan.validate()).logs('val_') };
}

async function runAsync(step: Step, batch: Batch, source: BatchSource, number: number): Promise<ArrayLike<number>> {
  const running = step.runAsync(batch);
  source.prepare(number + 1);
  return running;
}

export async function trainOnBatch(
  model: LayersModel,
  x: unknown,
  y: unknown,
  args: BatchWeights,
): Promise<number | number[]> {
  const op = 'trainOnBatch';
  const data = readSamples(op, model, x, y, args);
  return runOnce(model.compiled(op).trainStep(op), data);
}
