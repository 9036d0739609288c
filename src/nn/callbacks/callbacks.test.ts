/** Callbacks that steer training, on a model whose losses are known. */
import { expect, test, vi } from 'vitest';
import '../../../test/values.ts';
import { tensor } from '../../tensor/index.ts';
import { layers } from '../layers/index.ts';
import { sequential } from '../models/sequential.ts';
import { train } from '../optimizers/index.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';
import { Callback, CustomCallback } from './callback.ts';
import { registerCallbackConstructor } from './constructors.ts';
import { callbacks } from './early_stopping.ts';

/** w x with w = 1 and one sample (1, 0): the loss is w^2. */
function make(optimizer: Optimizer) {
  const model = sequential({
    layers: [layers.dense({ units: 1, useBias: false, inputShape: [1], kernelInitializer: 'ones' })],
  });
  model.compile({ optimizer, loss: 'mse' });
  const fit = (epochs: number, list: object) =>
    model.fit(tensor([[1]]), tensor([[0]]), { epochs, verbose: 0, callbacks: list as never });
  return { model, fit };
}

test('the rate falls where the loss stays', async () => {
  const { model, fit } = make(train.sgd(0));
  await fit(1, []);
  model.optimizer.learningRate = 1e-9;
  await fit(7, callbacks.reduceLROnPlateau({ monitor: 'loss', patience: 2, factor: 0.5, minDelta: 1e-3 }));
  expect(model.optimizer.learningRate).toBeCloseTo(1e-9 / 8, 15);
  await expect(fit(2, callbacks.reduceLROnPlateau())).rejects.toThrow(
    /monitor must be a value that fit reports; got 'val_loss'/,
  );
});

test('the rate of each epoch, and a record of them', async () => {
  const { model, fit } = make(train.sgd(1));
  let text = '';
  const { history } = await fit(3, [
    callbacks.learningRateScheduler((epoch) => 0.25 / 2 ** epoch),
    callbacks.csvLogger({ write: (line) => (text += line) }),
  ]);
  // w: 1, 0.5, 0.375, 0.328125
  expect(model.getWeights()[0].dataSync()[0]).toBeCloseTo(0.328125, 6);
  const lines = text.trim().split('\n');
  expect(lines[0]).toBe('epoch,loss');
  expect(lines.slice(1)).toEqual(history.loss.map((loss, i) => `${i},${loss}`));
});

test('a loss that is no number ends it', async () => {
  const { fit } = make(train.sgd(1e30));
  const warn = vi.spyOn(console, 'warn').mockReturnValue();
  const { epoch } = await fit(50, callbacks.terminateOnNaN());
  expect(epoch.length).toBeLessThan(10);
  expect(warn).toHaveBeenCalledOnce();
  warn.mockRestore();
});

test('checkpoints: every epoch, or only better ones', async () => {
  const saves: string[] = [];
  const target = (name: string) => ({ save: async () => void saves.push(name) });
  const { fit } = make(train.sgd(0.25));
  await fit(3, callbacks.modelCheckpoint({ filepath: target('all') }));
  const growing = make(train.sgd(2));
  await growing.fit(3, callbacks.modelCheckpoint({ filepath: target('best'), saveBestOnly: true, monitor: 'loss' }));
  expect(saves).toEqual(['all', 'all', 'all', 'best']);
});

test('averages of the weights are what training ends with', async () => {
  const { model, fit } = make(train.sgd({ learningRate: 0.25, useEma: true, emaMomentum: 0.5 }));
  await fit(2, callbacks.swapEMAWeights());
  // w: 0.5, 0.25; averages 0.75, 0.5.
  expect(model.getWeights()[0].dataSync()[0]).toBeCloseTo(0.5, 6);
});

test('registered callbacks come with every fit that is as verbose, those of lower levels first', async () => {
  const seen: string[] = [];
  const named = (name: string) =>
    class extends Callback {
      override async onTrainBegin(): Promise<void> {
        expect(this.model).toBeDefined();
        seen.push(name);
      }
    };
  const [late, early] = [named('level 1'), named('level 0')];
  registerCallbackConstructor(1, late);
  registerCallbackConstructor(0, early);
  const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [1] })] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const own = new CustomCallback({ onTrainBegin: () => void seen.push('own') });
  const run = (verbose: 0 | 1) => model.fit(tensor([[1]]), tensor([[1]]), { verbose, callbacks: own });
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  await run(0);
  await run(1);
  write.mockRestore();
  expect(seen).toEqual(['level 0', 'own', 'level 0', 'level 1', 'own']);
  expect(() => registerCallbackConstructor(2, late)).toThrow(/a class must be registered once; .*at level 1/);
  expect(() => registerCallbackConstructor(-1, named('x'))).toThrow(/an integer of at least 0; got -1/);
  expect(() => registerCallbackConstructor(0, null as never)).toThrow(/must be a class/);
});
