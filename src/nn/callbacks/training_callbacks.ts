/** Callbacks that steer a training run: rates, checkpoints, records. They write through models and functions, not to files. */
import { fail } from '../../base/errors.ts';
import type { SaveTarget } from '../models/saving.ts';
import { BaseCallback, Callback, CustomCallback, type CustomCallbackArgs, type Logs } from './callback.ts';

type Mode = 'auto' | 'min' | 'max';

/** Watches a value of the logs: whether it improved. */
class Watch {
  readonly #op: string;
  readonly #monitor: string;
  readonly #up: boolean;
  readonly #minDelta: number;
  best: number;

  constructor(op: string, monitor: string, mode: Mode, minDelta: number) {
    if (!['auto', 'min', 'max'].includes(mode)) fail(op, "mode must be 'auto', 'min' or 'max'", `got ${mode}`);
    this.#op = op;
    this.#monitor = monitor;
    this.#up = mode === 'max' || (mode === 'auto' && /acc|auc|precision|recall|score/i.test(monitor));
    this.#minDelta = Math.abs(minDelta);
    this.best = this.#up ? -Infinity : Infinity;
  }
  /** Takes the logs of an epoch. */
  improved(logs: Logs): boolean {
    const now = logs[this.#monitor];
    if (now === undefined) {
      const came = `got '${this.#monitor}', not among ${Object.keys(logs).join(', ')}`;
      const hint = this.#monitor.startsWith('val_') ? 'pass validationData or validationSplit to fit' : undefined;
      fail(this.#op, 'monitor must be a value that fit reports', came, hint);
    }
    const better = this.#up ? now > this.best + this.#minDelta : now < this.best - this.#minDelta;
    if (better) this.best = now;
    return better;
  }
}

export interface ReduceLROnPlateauArgs {
  /** Default 'val_loss'. */
  monitor?: string;
  /** What the rate is multiplied by; default 0.1. */
  factor?: number;
  /** Epochs without improvement that are allowed; default 10. */
  patience?: number;
  mode?: Mode;
  /** Smaller changes are no improvement; default 0.0001. */
  minDelta?: number;
  /** Epochs after a reduction that do not count; default 0. */
  cooldown?: number;
  /** The rate does not go below; default 0. */
  minLr?: number;
}

/** Lowers the learning rate where a value no longer improves. Source: keras.callbacks.ReduceLROnPlateau. */
export class ReduceLROnPlateau extends Callback {
  readonly #args: Required<ReduceLROnPlateauArgs>;
  #watch: Watch;
  #wait = 0;
  #rest = 0;

  constructor(args: ReduceLROnPlateauArgs = {}) {
    super();
    const defaults = {
      monitor: 'val_loss',
      factor: 0.1,
      patience: 10,
      mode: 'auto' as Mode,
      minDelta: 1e-4,
      cooldown: 0,
    };
    this.#args = { ...defaults, minLr: 0, ...args };
    const { factor } = this.#args;
    if (!(factor > 0 && factor < 1)) fail('reduceLROnPlateau', 'factor must be in (0, 1)', `got ${factor}`);
    this.#watch = this.#newWatch();
  }
  #newWatch(): Watch {
    const { monitor, mode, minDelta } = this.#args;
    return new Watch('reduceLROnPlateau', monitor, mode, minDelta);
  }
  override onTrainBegin(): void {
    this.#watch = this.#newWatch();
    this.#wait = 0;
    this.#rest = 0;
  }
  override onEpochEnd(_epoch: number, logs: Logs = {}): void {
    if (this.#rest > 0) {
      this.#rest--;
      this.#wait = 0;
    }
    if (this.#watch.improved(logs)) {
      this.#wait = 0;
      return;
    }
    if (this.#rest > 0 || ++this.#wait < this.#args.patience) return;
    const { optimizer } = this.model;
    optimizer.learningRate = Math.max(optimizer.learningRate * this.#args.factor, this.#args.minLr);
    this.#rest = this.#args.cooldown;
    this.#wait = 0;
  }
}

/** Sets the learning rate of each epoch: schedule(epoch, rate). Source: keras.callbacks.LearningRateScheduler. */
export class LearningRateScheduler extends Callback {
  readonly #schedule: (epoch: number, learningRate: number) => number;
  constructor(schedule: (epoch: number, learningRate: number) => number) {
    super();
    if (typeof schedule !== 'function') fail('learningRateScheduler', 'a function is needed', `got ${typeof schedule}`);
    this.#schedule = schedule;
  }
  override onEpochBegin(epoch: number): void {
    const { optimizer } = this.model;
    optimizer.learningRate = this.#schedule(epoch, optimizer.learningRate);
  }
}

/** Stops at the end of the step whose loss is no finite number. Source: keras.callbacks.TerminateOnNaN. */
export class TerminateOnNaN extends Callback {
  override onBatchEnd(batch: number, logs: Logs = {}): void {
    const { loss } = logs;
    if (loss === undefined || Number.isFinite(loss)) return;
    console.warn(`Batch ${batch}: the loss is ${loss}; training stops.`);
    this.model.stopTraining = true;
  }
}

/** Ends with the moving averages of the weights that the optimizer keeps. Source: keras.callbacks.SwapEMAWeights. */
export class SwapEMAWeights extends Callback {
  override onTrainEnd(): void {
    this.model.optimizer.swapEma(this.model.trainableVariables);
  }
}

export interface ModelCheckpointArgs {
  /** Where to: `file://folder`, another scheme, or an object with save; {epoch} and names of logs in it are filled in. */
  filepath: string | SaveTarget;
  /** Default 'val_loss'. */
  monitor?: string;
  /** Saves only where the value improved; default false. */
  saveBestOnly?: boolean;
  mode?: Mode;
  /** Also the optimizer's state; default true. */
  includeOptimizer?: boolean;
}

/** Saves the model after each epoch. Source: keras.callbacks.ModelCheckpoint. */
export class ModelCheckpoint extends Callback {
  readonly #args: Required<ModelCheckpointArgs>;
  readonly #watch: Watch;
  constructor(args: ModelCheckpointArgs) {
    super();
    if (!args?.filepath)
      fail('modelCheckpoint', 'filepath must be given', `got ${args?.filepath}`, "as 'file://folder'");
    this.#args = { monitor: 'val_loss', saveBestOnly: false, mode: 'auto', includeOptimizer: true, ...args };
    this.#watch = new Watch('modelCheckpoint', this.#args.monitor, this.#args.mode, 0);
  }
  override async onEpochEnd(epoch: number, logs: Logs = {}): Promise<void> {
    const { saveBestOnly, filepath, includeOptimizer } = this.#args;
    if (saveBestOnly && !this.#watch.improved(logs)) return;
    const fill = (path: string) =>
      path.replace(/\{(\w+)\}/g, (whole, name: string) => {
        if (name === 'epoch') return String(epoch + 1);
        return logs[name] === undefined ? whole : logs[name].toFixed(4);
      });
    await this.model.save(typeof filepath === 'string' ? fill(filepath) : filepath, { includeOptimizer });
  }
}

export interface CSVLoggerArgs {
  /** Takes the text, line by line: a stream's write, or a function that appends to a file. */
  write: (text: string) => unknown;
  /** Default ','. */
  separator?: string;
}

/** One line of numbers for each epoch, under a line of names. Source: keras.callbacks.CSVLogger. */
export class CSVLogger extends BaseCallback {
  readonly #args: CSVLoggerArgs;
  #names: string[] | null = null;
  constructor(args: CSVLoggerArgs) {
    super();
    if (typeof args?.write !== 'function') {
      fail(
        'csvLogger',
        'write must be a function',
        `got ${typeof args?.write}`,
        'as (text) => fs.appendFileSync(file, text)',
      );
    }
    this.#args = args;
  }
  override onTrainBegin(): void {
    this.#names = null;
  }
  override onEpochEnd(epoch: number, logs: Logs = {}): void {
    const { write, separator = ',' } = this.#args;
    if (!this.#names) {
      this.#names = Object.keys(logs);
      write(`${['epoch', ...this.#names].join(separator)}\n`);
    }
    write(`${[epoch, ...this.#names.map((name) => logs[name] ?? 'NA')].join(separator)}\n`);
  }
}

/** tf.callbacks, beside earlyStopping. */
export const trainingCallbacks = {
  reduceLROnPlateau: (args?: ReduceLROnPlateauArgs): ReduceLROnPlateau => new ReduceLROnPlateau(args),
  learningRateScheduler: (schedule: (epoch: number, learningRate: number) => number): LearningRateScheduler =>
    new LearningRateScheduler(schedule),
  terminateOnNaN: (): TerminateOnNaN => new TerminateOnNaN(),
  swapEMAWeights: (): SwapEMAWeights => new SwapEMAWeights(),
  modelCheckpoint: (args: ModelCheckpointArgs): ModelCheckpoint => new ModelCheckpoint(args),
  csvLogger: (args: CSVLoggerArgs): CSVLogger => new CSVLogger(args),
  lambdaCallback: (args: CustomCallbackArgs): CustomCallback => new CustomCallback(args),
};
