/** Layers around layers: what is inside, its weights, and classes of the user's own, also from a file. */
import { expect, test } from 'vitest';
import {
  io,
  type Layer,
  layers,
  loadLayersModel,
  mul,
  sequential,
  serialization,
  type Tensor,
  tensor,
  Wrapper,
} from '../../index.ts';

class Doubled extends Wrapper {
  static override readonly className = 'Doubled';
  override call(x: Tensor): Tensor {
    return mul(this.layer.apply(x), 2);
  }
}
serialization.registerClass(Doubled);

const sequences = () => layers.lstm({ units: 2, returnSequences: true });

test('the layer inside can be read', () => {
  const dense = layers.dense({ units: 2 });
  const lstm = sequences();
  const made = [
    layers.timeDistributed({ layer: dense }),
    layers.spectralNormalization({ layer: dense }),
    layers.bidirectional({ layer: lstm }),
  ];
  for (const wrapper of made) expect(wrapper).toBeInstanceOf(layers.Wrapper);
  expect(made.map(({ layer }) => layer)).toEqual([dense, dense, lstm]);
  expect(made[0].layer).toBe(dense);
  // Its copies are trained, not what was given.
  made[2].apply(tensor([[[1], [2]]]));
  expect(made[2].weights).toHaveLength(6);
  expect((lstm as Layer).built).toBe(false);
});

test('a class of the user builds, trains, is described and comes back', async () => {
  const layer = new Doubled({ layer: layers.dense({ units: 2, name: 'inner' }), name: 'outer', inputShape: [3] });
  const model = sequential({ layers: [layer] });
  expect(layer.outputShape).toEqual([null, 2]);
  expect(layer.weights.map(({ originalName }) => originalName)).toEqual(['outer/inner/kernel', 'outer/inner/bias']);
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const x = tensor([[1, 2, 3]]);
  const before = [...layer.weights[0].val.dataSync()];
  await model.trainOnBatch(x, tensor([[1, 2]]));
  expect([...layer.weights[0].val.dataSync()]).not.toEqual(before);
  layer.trainable = false;
  expect(layer.layer.trainable).toBe(false);
  let saved: Parameters<typeof io.fromMemory>[0] | undefined;
  await model.save({ save: async (artifacts: never) => (saved = artifacts) });
  const again = await loadLayersModel(io.fromMemory(saved!));
  expect((again.layers[0] as Doubled).layer.name).toBe('inner');
  expect([...(again.predict(x) as Tensor).dataSync()]).toEqual([...(model.predict(x) as Tensor).dataSync()]);
});

test('what is no layer is named', () => {
  expect(() => new Doubled({ layer: 3 as never, name: 'outer' })).toThrow(
    /^\[outer: Doubled.*layer must be a layer; got number/,
  );
  expect(() => new Doubled({ layer: { className: 'Dens', config: {} } as never })).toThrow(/did you mean .*Dense/);
  expect(() => layers.bidirectional({ layer: layers.dense({ units: 1 }) as never })).toThrow(
    /must be a recurrent layer/,
  );
});
