/** What watches training. Callbacks see plain numbers; they know no tensors. */
import type { LayersModel } from '../models/layers_model.ts';

/** Losses and metrics by name; `batch` and `size` during an epoch. */
export interface Logs {
  [key: string]: number;
}

export interface CallbackParams {
  epochs: number;
  initialEpoch: number;
  samples: number;
  /** Batches in an epoch. */
  steps: number;
  batchSize: number;
  verbose: number;
  doValidation: boolean;
  metrics: string[];
  /** What a sample is called: 'images' for four-dimensional inputs. */
  unit: 'images' | 'samples';
}

type Awaitable = void | Promise<void>;

export abstract class BaseCallback {
  protected params: CallbackParams | null = null;
  setParams(params: CallbackParams): void {
    this.params = params;
  }
  setModel(_model: LayersModel): void {}
  /** In onTrainBegin, where an earlier run is taken up: the epoch to go on with. */
  resumeEpoch = 0;
  onTrainBegin(_logs?: Logs): Awaitable {}
  onTrainEnd(_logs?: Logs): Awaitable {}
  onEpochBegin(_epoch: number, _logs?: Logs): Awaitable {}
  onEpochEnd(_epoch: number, _logs?: Logs): Awaitable {}
  onBatchBegin(_batch: number, _logs?: Logs): Awaitable {}
  onBatchEnd(_batch: number, _logs?: Logs): Awaitable {}
}

/** A callback that may look at the model and stop its training: `this.model.stopTraining = true`. */
export abstract class Callback extends BaseCallback {
  #model: LayersModel | null = null;
  override setModel(model: LayersModel): void {
    this.#model = model;
  }
  get model(): LayersModel {
    return this.#model!;
  }
}

/** Functions to call during training. */
export interface CustomCallbackArgs {
  onTrainBegin?: (logs?: Logs) => Awaitable;
  onTrainEnd?: (logs?: Logs) => Awaitable;
  onEpochBegin?: (epoch: number, logs?: Logs) => Awaitable;
  onEpochEnd?: (epoch: number, logs?: Logs) => Awaitable;
  onBatchBegin?: (batch: number, logs?: Logs) => Awaitable;
  onBatchEnd?: (batch: number, logs?: Logs) => Awaitable;
  /** Called whenever fit hands control to the event loop. */
  onYield?: (epoch: number, batch: number, logs: Logs) => Awaitable;
}

/** A callback made of plain functions. */
export class CustomCallback extends BaseCallback {
  readonly #args: CustomCallbackArgs;
  constructor(args: CustomCallbackArgs) {
    super();
    this.#args = args;
  }
  override onTrainBegin(logs?: Logs): Awaitable {
    return this.#args.onTrainBegin?.(logs);
  }
  override onTrainEnd(logs?: Logs): Awaitable {
    return this.#args.onTrainEnd?.(logs);
  }
  override onEpochBegin(epoch: number, logs?: Logs): Awaitable {
    return this.#args.onEpochBegin?.(epoch, logs);
  }
  override onEpochEnd(epoch: number, logs?: Logs): Awaitable {
    return this.#args.onEpochEnd?.(epoch, logs);
  }
  override onBatchBegin(batch: number, logs?: Logs): Awaitable {
    return this.#args.onBatchBegin?.(batch, logs);
  }
  override onBatchEnd(batch: number, logs?: Logs): Awaitable {
    return this.#args.onBatchEnd?.(batch, logs);
  }
  onYield(epoch: number, batch: number, logs: Logs): Awaitable {
    return this.#args.onYield?.(epoch, batch, logs);
  }
}

/** Callbacks, called one after the other. */
export class CallbackList {
  readonly callbacks: BaseCallback[];
  constructor(callbacks: BaseCallback[] = []) {
    this.callbacks = callbacks;
  }
  /** The first epoch to run, where a callback takes up an earlier run. */
  get initialEpoch(): number {
    return Math.max(0, ...this.callbacks.map(({ resumeEpoch }) => resumeEpoch));
  }
  append(callback: BaseCallback): void {
    this.callbacks.push(callback);
  }
  setParams(params: CallbackParams): void {
    for (const callback of this.callbacks) callback.setParams(params);
  }
  setModel(model: LayersModel): void {
    for (const callback of this.callbacks) callback.setModel(model);
  }
  async onTrainBegin(logs: Logs = {}): Promise<void> {
    for (const callback of this.callbacks) await callback.onTrainBegin(logs);
  }
  async onTrainEnd(logs: Logs = {}): Promise<void> {
    for (const callback of this.callbacks) await callback.onTrainEnd(logs);
  }
  async onEpochBegin(epoch: number, logs: Logs = {}): Promise<void> {
    for (const callback of this.callbacks) await callback.onEpochBegin(epoch, logs);
  }
  async onEpochEnd(epoch: number, logs: Logs = {}): Promise<void> {
    for (const callback of this.callbacks) await callback.onEpochEnd(epoch, logs);
  }
  async onBatchBegin(batch: number, logs: Logs = {}): Promise<void> {
    for (const callback of this.callbacks) {
      const pending = callback.onBatchBegin(batch, logs);
      if (pending) await pending;
    }
  }
  async onBatchEnd(batch: number, logs: Logs = {}): Promise<void> {
    for (const callback of this.callbacks) {
      const pending = callback.onBatchEnd(batch, logs);
      if (pending) await pending;
    }
  }
  async onYield(epoch: number, batch: number, logs: Logs): Promise<void> {
    for (const callback of this.callbacks) {
      if (callback instanceof CustomCallback) await callback.onYield(epoch, batch, logs);
    }
  }
}

export type CallbackArgs = BaseCallback | CustomCallbackArgs;

/** Callbacks from what fit takes: one or a list, of callback objects or of plain functions. */
export function standardizeCallbacks(callbacks: CallbackArgs | readonly CallbackArgs[] | undefined): BaseCallback[] {
  const list = callbacks === undefined || callbacks === null ? [] : Array.isArray(callbacks) ? callbacks : [callbacks];
  return list.map((item: CallbackArgs) => (item instanceof BaseCallback ? item : new CustomCallback(item)));
}
