/** model.evaluate and testOnBatch, and the validation at the end of an epoch. */
import { scalar, type Tensor } from '../../tensor/index.ts';
import type { LayersModel } from '../models/layers_model.ts';
import { Averages } from './averages.ts';
import { checkCount, checkLabels, checkNoNaN, checkPair } from './checks.ts';
import { oneTensor, type Samples, samplesOf } from './samples.ts';
import { readScalars } from './step.ts';

export interface ModelEvaluateArgs {
  /** Default 32. */
  batchSize?: number;
  verbose?: number;
  /** At most so many batches; default all. */
  steps?: number;
}

/** Inputs and labels on the host, checked. */
export interface LabelledSamples {
  readonly x: Samples;
  readonly y: Samples;
}

/** Reads and checks a pair of tensors. */
export function readPair(op: string, model: LayersModel, x: unknown, y: unknown): LabelledSamples {
  const { loss } = model.compiled(op);
  const xTensor = oneTensor(op, 'x', x);
  const yTensor = oneTensor(op, 'y', y);
  checkPair(op, model, loss, xTensor, yTensor);
  const pair = { x: samplesOf(op, 'x', xTensor), y: samplesOf(op, 'y', yTensor) };
  const output = model.outputShape;
  checkLabels(op, loss, pair.y, output[output.length - 1] ?? 1);
  checkNoNaN(op, 'x', pair.x);
  return pair;
}

/** Loss and metrics of each batch, summed up; `run` does one step. */
function* testBatches(data: LabelledSamples, batchSize: number, averages: Averages, steps = Number.POSITIVE_INFINITY) {
  const { x, y } = data;
  for (let start = 0, batch = 0; start < x.count && batch < steps; start += batchSize, batch++) {
    const end = Math.min(x.count, start + batchSize);
    const inputs = x.batch(start, end);
    const labels = y.batch(start, end);
    const values: number[] = yield [inputs, labels] as const;
    inputs.dispose();
    labels.dispose();
    averages.add(values, end - start);
  }
}

/** Evaluation that leaves the event loop free, for validation during fit. */
export async function evaluateAsync(model: LayersModel, data: LabelledSamples, batchSize: number): Promise<Averages> {
  const compiled = model.compiled('fit');
  const step = compiled.testStep();
  const averages = new Averages(compiled.names);
  const batches = testBatches(data, batchSize, averages);
  let next = batches.next();
  while (!next.done) {
    const [x, y] = next.value;
    next = batches.next(readScalars(await step.runAsync(x, y)));
  }
  return averages;
}

export function evaluate(model: LayersModel, x: unknown, y: unknown, args: ModelEvaluateArgs): Tensor | Tensor[] {
  const op = 'evaluate';
  const compiled = model.compiled(op);
  const batchSize = checkCount(op, 'batchSize', args.batchSize ?? 32);
  const steps = args.steps === undefined ? undefined : checkCount(op, 'steps', args.steps);
  const step = compiled.testStep();
  const averages = new Averages(compiled.names);
  const batches = testBatches(readPair(op, model, x, y), batchSize, averages, steps);
  let next = batches.next();
  while (!next.done) {
    const [inputs, labels] = next.value;
    next = batches.next(readScalars(step.run(inputs, labels)));
  }
  const values = averages.values.map((value) => scalar(value));
  return values.length === 1 ? values[0] : values;
}

export async function testOnBatch(model: LayersModel, x: Tensor, y: Tensor): Promise<number | number[]> {
  const op = 'testOnBatch';
  const step = model.compiled(op).testStep();
  const pair = readPair(op, model, x, y);
  const inputs = pair.x.batch(0, pair.x.count);
  const labels = pair.y.batch(0, pair.y.count);
  const values = readScalars(await step.runAsync(inputs, labels));
  inputs.dispose();
  labels.dispose();
  return values.length === 1 ? values[0] : values;
}
