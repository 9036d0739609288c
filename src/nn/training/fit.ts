/**
 * model.fit: epochs of compiled steps. While a step runs off the main thread, the next batch is gathered; callbacks see
 * numbers after each step; Ctrl-C or model.stopTraining ends it at the end of the running step.
 */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import { type CallbackArgs, CallbackList, standardizeCallbacks } from '../callbacks/callback.ts';
import { History } from '../callbacks/history.ts';
import { ProgbarLogger } from '../callbacks/progbar.ts';
import type { LayersModel } from '../models/layers_model.ts';
import { Averages } from './averages.ts';
import { checkCount } from './checks.ts';
import { evaluateAsync, type LabelledSamples, readPair } from './evaluate.ts';
import { onInterrupt } from './interrupt.ts';
import { Pace, type YieldEvery } from './pace.ts';
import { Shuffler } from './shuffle.ts';
import { readScalars, type Step } from './step.ts';

export interface ModelFitArgs {
  /** Samples in a step; default 32. The last batch of an epoch may be smaller. */
  batchSize?: number;
  /** Passes over the data; default 1. */
  epochs?: number;
  /** 0: silent, 1: a progress bar (the default), 2: one line for each epoch. */
  verbose?: 0 | 1 | 2;
  callbacks?: CallbackArgs | readonly CallbackArgs[];
  /** The share of the samples, from the end, that is held out for validation; default 0. */
  validationSplit?: number;
  /** [x, y] to validate on after each epoch; comes before validationSplit. */
  validationData?: readonly [Tensor | Tensor[], Tensor | Tensor[]];
  validationBatchSize?: number;
  /** Whether each epoch has a new random order; default true. */
  shuffle?: boolean;
  /** Seeds the orders; default: drawn from the global random state. */
  seed?: number;
  /** The epoch to start at, counted from 0; default 0. */
  initialEpoch?: number;
  /** At most so many steps in an epoch; default all. */
  stepsPerEpoch?: number;
  /** How often control goes to the event loop; default 'auto'. */
  yieldEvery?: YieldEvery;
}

interface Plan {
  readonly train: LabelledSamples;
  readonly validation: LabelledSamples | null;
  readonly batchSize: number;
  readonly validationBatchSize: number;
  readonly epochs: number;
  readonly initialEpoch: number;
  readonly steps: number;
  readonly shuffler: Shuffler | null;
  readonly pace: Pace;
}

const unsupported = ['classWeight', 'sampleWeight', 'validationSteps', 'validationFreq'];

function planOf(model: LayersModel, x: unknown, y: unknown, args: ModelFitArgs): Plan {
  const op = 'fit';
  for (const name of unsupported) {
    if ((args as { [name: string]: unknown })[name] != null)
      fail(op, `${name} is not supported yet`, undefined, 'leave it out');
  }
  const batchSize = checkCount(op, 'batchSize', args.batchSize ?? 32);
  const epochs = checkCount(op, 'epochs', args.epochs ?? 1);
  const initialEpoch = checkCount(op, 'initialEpoch', args.initialEpoch ?? 0, 0);
  const limit =
    args.stepsPerEpoch == null ? Number.POSITIVE_INFINITY : checkCount(op, 'stepsPerEpoch', args.stepsPerEpoch);
  if (args.shuffle !== undefined && typeof args.shuffle !== 'boolean') {
    fail(op, 'shuffle must be true or false', `got ${JSON.stringify(args.shuffle)}`);
  }
  const pace = new Pace(op, args.yieldEvery);
  const all = readPair(op, model, x, y);
  const [train, validation] = splitOf(op, model, all, args);
  return {
    train,
    validation,
    batchSize,
    validationBatchSize: checkCount(op, 'validationBatchSize', args.validationBatchSize ?? batchSize),
    epochs,
    initialEpoch,
    steps: Math.min(limit, Math.ceil(train.x.count / batchSize)),
    shuffler: (args.shuffle ?? true) ? new Shuffler(args.seed) : null,
    pace,
  };
}

function splitOf(
  op: string,
  model: LayersModel,
  all: LabelledSamples,
  { validationData, validationSplit }: ModelFitArgs,
): [LabelledSamples, LabelledSamples | null] {
  if (validationData) {
    if (!Array.isArray(validationData) || validationData.length !== 2) {
      fail(
        op,
        'validationData must be [x, y]',
        `got ${Array.isArray(validationData) ? validationData.length : typeof validationData}`,
      );
    }
    return [all, readPair(`${op} validationData`, model, validationData[0], validationData[1])];
  }
  if (validationSplit === undefined || validationSplit === null || validationSplit === 0) return [all, null];
  if (!(validationSplit > 0 && validationSplit < 1))
    fail(op, 'validationSplit must be in [0, 1)', `got ${validationSplit}`);
  const { x, y } = all;
  const at = Math.floor(x.count * (1 - validationSplit));
  if (at === 0)
    fail(op, 'validationSplit must leave samples to train on', `${validationSplit} of ${x.count} leaves none`);
  return [
    { x: x.slice(0, at), y: y.slice(0, at) },
    { x: x.slice(at, x.count), y: y.slice(at, y.count) },
  ];
}

function callbacksOf(model: LayersModel, plan: Plan, args: ModelFitArgs, history: History): CallbackList {
  const verbose = args.verbose ?? 1;
  const names = model.metricsNames;
  const list = new CallbackList([...standardizeCallbacks(args.callbacks), history]);
  if (verbose > 0) list.append(new ProgbarLogger(verbose));
  list.setModel(model);
  list.setParams({
    epochs: plan.epochs,
    initialEpoch: plan.initialEpoch,
    samples: plan.train.x.count,
    steps: plan.steps,
    batchSize: plan.batchSize,
    verbose,
    doValidation: plan.validation !== null,
    metrics: plan.validation ? [...names, ...names.map((name) => `val_${name}`)] : names,
    unit: plan.train.x.shape.length === 3 ? 'images' : 'samples',
  });
  return list;
}

export async function fitModel(model: LayersModel, x: unknown, y: unknown, args: ModelFitArgs): Promise<History> {
  const compiled = model.compiled('fit');
  if (model.isTraining)
    fail('fit', 'a model can be trained by one fit at a time', 'another one is running', 'await it');
  model.isTraining = true;
  let stopListening = () => {};
  try {
    const plan = planOf(model, x, y, args);
    const step = compiled.trainStep('fit');
    const history = new History();
    const callbacks = callbacksOf(model, plan, args, history);
    model.stopTraining = false;
    stopListening = onInterrupt(() => {
      model.stopTraining = true;
    });
    await callbacks.onTrainBegin();
    for (let epoch = plan.initialEpoch; epoch < plan.epochs && !model.stopTraining; epoch++) {
      await callbacks.onEpochBegin(epoch);
      const logs = await runEpoch(model, step, plan, callbacks, epoch);
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
async function runEpoch(model: LayersModel, step: Step, plan: Plan, callbacks: CallbackList, epoch: number) {
  const names = model.metricsNames;
  const averages = new Averages(names);
  const feeder = new Feeder(plan);
  try {
    for (let batch = 0; batch < plan.steps && !model.stopTraining; batch++) {
      const size = feeder.sizeOf(batch);
      await callbacks.onBatchBegin(batch, { batch, size });
      const { async } = plan.pace;
      const started = performance.now();
      const values = async ? await runAsync(step, feeder, batch) : runNow(step, feeder, batch);
      plan.pace.stepTook(performance.now() - started);
      averages.add(values, size);
      const logs: { [name: string]: number } = { batch, size };
      names.forEach((name, i) => {
        logs[name] = values[i];
      });
      await callbacks.onBatchEnd(batch, logs);
      if (await plan.pace.afterBatch(async)) await callbacks.onYield(epoch, batch, logs);
    }
  } finally {
    feeder.dispose();
  }
  const logs = averages.logs();
  if (!plan.validation || model.stopTraining) return logs;
  const validation = await evaluateAsync(model, plan.validation, plan.validationBatchSize);
  return { ...logs, ...validation.logs('val_') };
}

function runNow(step: Step, feeder: Feeder, batch: number): number[] {
  const [x, y] = feeder.take(batch);
  const values = readScalars(step.run(x, y));
  x.dispose();
  y.dispose();
  return values;
}

async function runAsync(step: Step, feeder: Feeder, batch: number): Promise<number[]> {
  const [x, y] = feeder.take(batch);
  const running = step.runAsync(x, y);
  feeder.prepare(batch + 1);
  const values = readScalars(await running);
  x.dispose();
  y.dispose();
  return values;
}

/** Gathers the batches of one epoch, one ahead of the step that runs. */
class Feeder {
  readonly #plan: Plan;
  readonly #order: Int32Array | null = null;
  #ready: { batch: number; pair: [Tensor, Tensor] } | null = null;

  constructor(plan: Plan) {
    this.#plan = plan;
    if (!plan.shuffler) return;
    this.#order = Int32Array.from({ length: plan.train.x.count }, (_, i) => i);
    plan.shuffler.shuffle(this.#order);
  }

  sizeOf(batch: number): number {
    const { batchSize, train } = this.#plan;
    return Math.min(batchSize, train.x.count - batch * batchSize);
  }

  prepare(batch: number): void {
    if (batch >= this.#plan.steps) return;
    const { train, batchSize } = this.#plan;
    const start = batch * batchSize;
    const end = start + this.sizeOf(batch);
    this.#ready = { batch, pair: [train.x.batch(start, end, this.#order), train.y.batch(start, end, this.#order)] };
  }

  /** The batch's inputs and labels, which the caller disposes. */
  take(batch: number): [Tensor, Tensor] {
    if (this.#ready?.batch !== batch) this.prepare(batch);
    const { pair } = this.#ready!;
    this.#ready = null;
    return pair;
  }

  dispose(): void {
    for (const tensor of this.#ready?.pair ?? []) tensor.dispose();
    this.#ready = null;
  }
}

export async function trainOnBatch(model: LayersModel, x: Tensor, y: Tensor): Promise<number | number[]> {
  const op = 'trainOnBatch';
  const step = model.compiled(op).trainStep(op);
  const pair = readPair(op, model, x, y);
  const inputs = pair.x.batch(0, pair.x.count);
  const labels = pair.y.batch(0, pair.y.count);
  const values = readScalars(await step.runAsync(inputs, labels));
  inputs.dispose();
  labels.dispose();
  return values.length === 1 ? values[0] : values;
}
