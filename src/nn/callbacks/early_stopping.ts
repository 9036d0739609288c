/** Stops training when a watched value no longer improves. */
import { fail } from '../../base/errors.ts';
import { type Tensor, tensor } from '../../tensor/index.ts';
import type { TypedArray } from '../../types/dtype.ts';
import { Callback, type Logs } from './callback.ts';
import { trainingCallbacks } from './training_callbacks.ts';

export interface EarlyStoppingArgs {
  /** Default 'val_loss'. */
  monitor?: string;
  /** Smaller changes are no improvement; default 0. */
  minDelta?: number;
  /** Epochs without improvement that are allowed; default 0. */
  patience?: number;
  /** 1 prints when it stops; default 0. */
  verbose?: number;
  /** Which way is better; 'auto' (the default) asks the name: up for accuracy, down for the rest. */
  mode?: 'auto' | 'min' | 'max';
  /** What the first epoch must improve on. */
  baseline?: number;
  /** Go back to the weights of the best epoch; default false. */
  restoreBestWeights?: boolean;
}

/** Source: tf.callbacks.earlyStopping; restoreBestWeights as in Keras. */
export class EarlyStopping extends Callback {
  readonly monitor: string;
  readonly minDelta: number;
  readonly patience: number;
  readonly verbose: number;
  readonly baseline: number | undefined;
  readonly restoreBestWeights: boolean;
  readonly #upwards: boolean;
  #best = Number.NaN;
  #wait = 0;
  #stoppedEpoch = -1;
  #bestWeights: { values: TypedArray; shape: number[] }[] | null = null;

  constructor(args: EarlyStoppingArgs = {}) {
    super();
    const mode = args.mode ?? 'auto';
    if (!['auto', 'min', 'max'].includes(mode))
      fail('earlyStopping', "mode must be 'auto', 'min' or 'max'", `got ${mode}`);
    this.monitor = args.monitor ?? 'val_loss';
    this.minDelta = Math.abs(args.minDelta ?? 0);
    this.patience = args.patience ?? 0;
    this.verbose = args.verbose ?? 0;
    this.baseline = args.baseline;
    this.restoreBestWeights = args.restoreBestWeights ?? false;
    this.#upwards = mode === 'max' || (mode === 'auto' && this.monitor.includes('acc'));
  }

  override onTrainBegin(): void {
    this.#wait = 0;
    this.#stoppedEpoch = -1;
    this.#best = this.baseline ?? (this.#upwards ? -Infinity : Infinity);
    this.#bestWeights = null;
  }

  override onEpochEnd(epoch: number, logs: Logs = {}): void {
    const current = logs[this.monitor];
    if (current === undefined) {
      const known = Object.keys(logs).join(', ');
      const hint = this.monitor.startsWith('val_') ? 'pass validationData or validationSplit to fit' : undefined;
      fail(
        'earlyStopping',
        'monitor must be a value that fit reports',
        `got '${this.monitor}', not among ${known}`,
        hint,
      );
    }
    const better = this.#upwards ? current - this.minDelta > this.#best : current + this.minDelta < this.#best;
    if (better) {
      this.#best = current;
      this.#wait = 0;
      if (this.restoreBestWeights) this.#bestWeights = this.model.getWeights().map(copyOf);
      return;
    }
    this.#wait++;
    if (this.#wait < this.patience) return;
    this.#stoppedEpoch = epoch;
    this.model.stopTraining = true;
  }

  override onTrainEnd(): void {
    if (this.#bestWeights) {
      const best = this.#bestWeights.map(({ values, shape }) => tensor(values, shape));
      this.model.weights.forEach((weight, i) => {
        weight.restore(best[i]);
      });
      for (const weight of best) weight.dispose();
      this.#bestWeights = null;
    }
    if (this.#stoppedEpoch >= 0 && this.verbose > 0) console.log(`Epoch ${this.#stoppedEpoch}: early stopping.`);
  }
}

function copyOf(weight: Tensor): { values: TypedArray; shape: number[] } {
  return { values: (weight.dataSync() as TypedArray).slice(), shape: [...weight.shape] };
}

/** tf.callbacks */
export const callbacks = {
  earlyStopping: (args?: EarlyStoppingArgs): EarlyStopping => new EarlyStopping(args),
  ...trainingCallbacks,
};
