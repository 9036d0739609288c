/** model.evaluate, evaluateDataset and testOnBatch, and the validation at the end of an epoch. */
import { dispose, scalar, type Tensor } from '../../tensor/index.ts';
import type { LayersModel } from '../models/layers_model.ts';
import { type Batch, batchOf, disposeBatch, type LabelledSamples } from './batch.ts';
import { checkCount } from './checks.ts';
import { type BatchDataset, batchFrom, iteratorOf } from './dataset.ts';
import { readSamples } from './read_samples.ts';
import type { BatchWeights, TensorsOf } from './samples.ts';
import type { Step } from './step.ts';
import { Tally } from './tally.ts';

export interface ModelEvaluateArgs extends Pick<BatchWeights, 'sampleWeight'> {
  /** Default 32. */
  batchSize?: number;
  verbose?: number;
  /** At most so many batches; default all. */
  steps?: number;
}

export interface ModelEvaluateDatasetArgs {
  /** At most so many batches; default all. */
  batches?: number;
  verbose?: number;
}

/** The batches of the data, each with its size. */
function* batchesOf(
  data: LabelledSamples,
  batchSize: number,
  steps: number,
): Generator<{ batch: Batch; size: number }> {
  for (let start = 0, step = 0; start < data.count && step < steps; start += batchSize, step++) {
    const end = Math.min(data.count, start + batchSize);
    yield { batch: batchOf(data, start, end), size: end - start };
  }
}

/** A tally that begins with the first vector: names of custom steps are known only then. */
class LateTally {
  readonly #step: Step;
  #tally: Tally | null = null;

  constructor(step: Step) {
    this.#step = step;
    step.reset();
  }
  add(vector: ArrayLike<number>, size: number): void {
    this.#tally ??= new Tally(this.#step.layout);
    this.#tally.add(vector, size);
  }
  get tally(): Tally {
    return this.#tally ?? new Tally(this.#step.layout);
  }
}

/** Evaluation that leaves the event loop free, for validation during fit. */
export async function evaluateAsync(
  model: LayersModel,
  data: LabelledSamples,
  batchSize: number,
  steps = Number.POSITIVE_INFINITY,
): Promise<Tally> {
  const step = model.compiled('fit').testStep();
  const late = new LateTally(step);
  for (const { batch, size } of batchesOf(data, batchSize, steps)) {
    late.add(await step.runAsync(batch), size);
    disposeBatch(batch);
  }
  return late.tally;
}

export async function evaluateBatches(
  op: string,
  model: LayersModel,
  dataset: BatchDataset,
  limit: number,
): Promise<Tally> {
  const iterator = await iteratorOf(op, dataset);
  let late: LateTally | null = null;
  let step: Step | null = null;
  for (let count = 0; count < limit; count++) {
    const item = await iterator.next();
    if (item.done) break;
    const { batch, size } = batchFrom(op, model, item.value);
    step ??= model.compiled(op).testStep();
    late ??= new LateTally(step);
    late.add(await step.runAsync(batch), size);
    dispose(item.value as Tensor[]);
  }
  await iterator.return?.();
  return late?.tally ?? new Tally([]);
}

const asTensors = (tally: Tally): Tensor | Tensor[] => {
  const values = tally.values.map((value) => scalar(value));
  return values.length === 1 ? values[0] : values;
};

export function evaluate(model: LayersModel, x: TensorsOf, y: unknown, args: ModelEvaluateArgs): Tensor | Tensor[] {
  const op = 'evaluate';
  model.compiled(op);
  const batchSize = checkCount(op, 'batchSize', args.batchSize ?? 32);
  const steps = args.steps === undefined ? Number.POSITIVE_INFINITY : checkCount(op, 'steps', args.steps);
  const data = readSamples(op, model, x, y, args);
  const step = model.compiled(op).testStep();
  const late = new LateTally(step);
  for (const { batch, size } of batchesOf(data, batchSize, steps)) {
    late.add(step.run(batch), size);
    disposeBatch(batch);
  }
  return asTensors(late.tally);
}

export async function evaluateDataset(
  model: LayersModel,
  dataset: BatchDataset,
  args: ModelEvaluateDatasetArgs,
): Promise<Tensor | Tensor[]> {
  const op = 'evaluateDataset';
  model.compiled(op);
  const limit = args.batches === undefined ? Number.POSITIVE_INFINITY : checkCount(op, 'batches', args.batches);
  return asTensors(await evaluateBatches(op, model, dataset, limit));
}

export async function testOnBatch(
  model: LayersModel,
  x: TensorsOf,
  y: unknown,
  args: BatchWeights,
): Promise<number | number[]> {
  const op = 'testOnBatch';
  const data = readSamples(op, model, x, y, args);
  return runOnce(model.compiled(op).testStep(), data);
}

/** One step on all of the data. */
export async function runOnce(step: Step, data: LabelledSamples): Promise<number | number[]> {
  step.reset();
  const batch = batchOf(data, 0, data.count);
  const vector = await step.runAsync(batch);
  disposeBatch(batch);
  const values = new Tally(step.layout).add(vector, data.count);
  return values.length === 1 ? values[0] : values;
}
