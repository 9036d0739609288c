/** The record of a training run that fit returns. */
import { BaseCallback, type Logs } from './callback.ts';

export class History extends BaseCallback {
  /** The epochs that ended, counted from 0. */
  epoch: number[] = [];
  /** Loss and metrics of each epoch: `history.loss[0]`, `history.val_acc[4]`. */
  history: { [key: string]: number[] } = {};

  override onTrainBegin(): void {
    this.epoch = [];
    this.history = {};
  }
  override onEpochEnd(epoch: number, logs: Logs = {}): void {
    this.epoch.push(epoch);
    for (const [key, value] of Object.entries(logs)) {
      if (!this.history[key]) this.history[key] = [];
      this.history[key].push(value);
    }
  }
}
