/** Where the batches of fit come from: samples on the host, in a new order each epoch, or a dataset. */
import { fail } from '../../base/errors.ts';
import { dispose, type Tensor } from '../../tensor/index.ts';
import type { LayersModel } from '../models/layers_model.ts';
import { type Batch, batchOf, disposeBatch, type LabelledSamples, sliceSamples } from './batch.ts';
import { type BatchDataset, batchFrom, iteratorOf } from './dataset.ts';
import { Shuffler } from './shuffle.ts';

export interface EpochPlan {
  readonly epochs: number;
  readonly initialEpoch: number;
}

export interface SizedBatch {
  readonly batch: Batch;
  readonly size: number;
}

export interface BatchSource {
  /** Steps in an epoch; infinite where only the end of the data says. */
  readonly steps: number;
  readonly samples: number;
  readonly batchSize: number;
  /** Whether shapes are known before the first batch. */
  readonly ready: boolean;
  begin(): void | Promise<void>;
  /** The size of a batch, where it is known before it is taken. */
  sizeOf(step: number): number | null;
  take(step: number): SizedBatch | null | Promise<SizedBatch | null>;
  /** Told that a step runs: time to get the next batch ready. */
  prepare(step: number): void;
  done(batch: Batch): void;
  end(): void | Promise<void>;
  /** Moves on over the orders and batches of epochs that an earlier run has had. */
  skip(epochs: number): void | Promise<void>;
}

/** Gathers batches of samples, one ahead of the step that runs. */
export class SamplesSource implements BatchSource {
  readonly steps: number;
  readonly samples: number;
  readonly batchSize: number;
  readonly ready = true;
  readonly #data: LabelledSamples;
  readonly #shuffler: Shuffler | null;
  #order: Int32Array | null = null;
  #next: { step: number; batch: Batch } | null = null;

  constructor(data: LabelledSamples, batchSize: number, limit: number, shuffle: boolean, seed: number | undefined) {
    this.#data = data;
    this.samples = data.count;
    this.batchSize = batchSize;
    this.steps = Math.min(limit, Math.ceil(data.count / batchSize));
    this.#shuffler = shuffle ? new Shuffler(seed) : null;
  }

  begin(): void {
    if (!this.#shuffler) return;
    this.#order = Int32Array.from({ length: this.samples }, (_, i) => i);
    this.#shuffler.shuffle(this.#order);
  }

  sizeOf(step: number): number {
    return Math.min(this.batchSize, this.samples - step * this.batchSize);
  }

  prepare(step: number): void {
    if (step >= this.steps) return;
    const start = step * this.batchSize;
    this.#next = { step, batch: batchOf(this.#data, start, start + this.sizeOf(step), this.#order) };
  }

  take(step: number): SizedBatch {
    if (this.#next?.step !== step) this.prepare(step);
    const { batch } = this.#next!;
    this.#next = null;
    return { batch, size: this.sizeOf(step) };
  }

  done(batch: Batch): void {
    disposeBatch(batch);
  }

  end(): void {
    if (this.#next) disposeBatch(this.#next.batch);
    this.#next = null;
  }

  skip(epochs: number): void {
    for (let i = 0; i < epochs; i++) this.begin();
  }
}

/** Batches of a dataset; the next one is asked for while a step runs. One that never ends goes on in the next epoch. */
export class DatasetSource implements BatchSource {
  readonly steps: number;
  readonly samples: number = Number.NaN;
  readonly batchSize: number = Number.NaN;
  readonly ready = false;
  readonly #op: string;
  readonly #model: LayersModel;
  readonly #dataset: BatchDataset;
  #iterator: Awaited<ReturnType<typeof iteratorOf>> | null = null;
  #pending: Promise<IteratorResult<unknown>> | null = null;
  #ended = false;
  readonly #items = new Map<Batch, unknown>();

  constructor(op: string, model: LayersModel, dataset: BatchDataset, limit: number) {
    this.#op = op;
    this.#model = model;
    this.#dataset = dataset;
    this.steps = limit;
    const { size } = dataset as { readonly size?: number | null };
    if (size === Number.POSITIVE_INFINITY && limit === size) {
      fail(op, 'batchesPerEpoch must be given', 'the dataset never ends');
    }
  }

  async begin(): Promise<void> {
    if (this.#iterator && !this.#ended && Number.isFinite(this.steps)) return;
    this.#ended = false;
    this.#pending = null;
    this.#iterator = await iteratorOf(this.#op, this.#dataset);
  }

  sizeOf(): null {
    return null;
  }

  async #nextItem(): Promise<IteratorResult<unknown>> {
    return this.#iterator!.next();
  }

  prepare(step: number): void {
    if (step < this.steps) this.#pending ??= this.#nextItem();
    // It is awaited by take; a failure before that is not unhandled.
    this.#pending?.catch(() => undefined);
  }

  async take(step: number): Promise<SizedBatch | null> {
    const pending = this.#pending ?? this.#nextItem();
    this.#pending = null;
    const item = await pending;
    if (item.done) {
      this.#ended = true;
      if (step === 0)
        fail(this.#op, 'a dataset must give batches', 'it gave none in this epoch', 'call repeat() on it');
      return null;
    }
    const made = batchFrom(this.#op, this.#model, item.value);
    this.#items.set(made.batch, item.value);
    return made;
  }

  done(batch: Batch): void {
    dispose(this.#items.get(batch) as Tensor[]);
    this.#items.delete(batch);
  }

  async end(): Promise<void> {
    if (Number.isFinite(this.steps) && !this.#ended) return;
    await this.#iterator?.return?.();
    this.#iterator = null;
  }

  async skip(epochs: number): Promise<void> {
    for (let i = 0; i < epochs; i++) {
      await this.begin();
      // A pass over all of the data begins anew by itself; one of so many batches goes on where the last one stopped.
      for (let step = 0; Number.isFinite(this.steps) && step < this.steps; step++) {
        const item = await this.#nextItem();
        this.#ended = item.done === true;
        if (this.#ended) break;
        dispose(item.value as Tensor[]);
      }
      await this.end();
    }
  }
}

/** Holds out a share of the samples, from the end. */
export function splitSamples(op: string, all: LabelledSamples, share: number): [LabelledSamples, LabelledSamples] {
  if (!(share > 0 && share < 1)) fail(op, 'validationSplit must be in [0, 1)', `got ${share}`);
  const at = Math.floor(all.count * (1 - share));
  if (at === 0) fail(op, 'validationSplit must leave samples to train on', `${share} of ${all.count} leaves none`);
  return [sliceSamples(all, 0, at), sliceSamples(all, at, all.count)];
}
