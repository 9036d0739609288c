/** Models: description, weights, prediction and mistakes, beside TensorFlow.js. */
import * as tfc from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { values } from '../../../test/values.ts';
import { type Tensor, tensor } from '../../tensor/index.ts';
import { initializers } from '../initializers.ts';
import { toCategorical } from '../labels.ts';
import { layers } from '../layers/index.ts';
import { type CallOptions, Layer } from '../layers/layer.ts';
import { serialization } from '../serialization.ts';
import { models } from './from_json.ts';
import { Sequential, sequential } from './sequential.ts';

beforeAll(async () => {
  await tfc.setBackend('cpu');
});

function stack(room: typeof tfl.layers): tfl.layers.Layer[] {
  return [
    room.conv2d({
      filters: 2,
      kernelSize: 3,
      activation: 'relu',
      inputShape: [8, 8, 1],
      name: 'a',
      kernelRegularizer: 'l1l2',
    }),
    room.maxPooling2d({ poolSize: 2, name: 'pooling_layer_of_a_long_name' }),
    room.flatten({ name: 'c' }),
    room.dropout({ rate: 0.5, name: 'd' }),
    room.dense({ units: 4, activation: 'hardSigmoid', kernelInitializer: 'heNormal', name: 'e', trainable: false }),
    room.activation({ activation: 'softmax', name: 'f' }),
    room.reLU({ maxValue: 6, name: 'g' }),
    room.reshape({ targetShape: [2, 2], name: 'h' }),
  ];
}
const ours = () => sequential({ name: 'net', layers: stack(layers as never) as never });
const theirs = () => tfl.sequential({ name: 'net', layers: stack(tfl.layers) });

describe('description', () => {
  test('summary prints what TensorFlow.js prints', () => {
    const lines = (model: { summary(a?: number, b?: number[], print?: (line: string) => void): void }) => {
      const printed: string[] = [];
      model.summary(undefined, undefined, (line) => printed.push(line));
      return printed;
    };
    expect(lines(ours())).toEqual(lines(theirs()));
  });

  test("toJSON is TensorFlow.js's, but for a seed and a noise shape of null", () => {
    const clean = (json: unknown) => {
      const copy = JSON.parse(JSON.stringify(json));
      for (const layer of copy.config.layers) {
        for (const key of ['seed', 'noise_shape']) if (layer.config[key] === null) delete layer.config[key];
      }
      return copy;
    };
    expect(clean(ours().toJSON(undefined, false))).toEqual(clean(theirs().toJSON(null, false)));
    expect(JSON.parse(ours().toJSON())).toEqual(ours().toJSON(undefined, false));
  });

  test('a model comes back from its JSON', async () => {
    const again = await models.modelFromJSON(JSON.parse(ours().toJSON()));
    expect(again.toJSON()).toEqual(ours().toJSON());
    expect(again.outputShape).toEqual([null, 2, 2]);
  });

  test('names, counts and layers', () => {
    const model = ours();
    expect(model.countParams()).toBe(theirs().countParams());
    expect(model.trainableWeights.map((w) => w.originalName)).toEqual(['a/kernel', 'a/bias']);
    expect(model.nonTrainableWeights.map((w) => w.originalName)).toEqual(['e/kernel', 'e/bias']);
    expect(model.getLayer('e')).toBe(model.layers[4]);
    expect(model.getLayer(undefined, 2)).toBe(model.layers[2]);
    expect(() => model.getLayer('ee')).toThrow(/\[getLayer\] layer must be a known name; got "ee"; did you mean e/);
    expect(layers.dense({ units: 1 }).name).toMatch(/^dense_Dense\d+$/);
    expect(layers.maxPooling2d().name).toMatch(/^max_pooling2d_MaxPooling2D\d+$/);
  });
});

describe('weights', () => {
  test('set, load by name, and refuse what does not fit', () => {
    const model = sequential({ layers: [layers.dense({ units: 2, inputShape: [3], name: 'out' })] });
    model.setWeights([tensor(values(6), [3, 2]), tensor([1, 2])]);
    expect([...model.getWeights()[1].dataSync()]).toEqual([1, 2]);
    expect(() => model.setWeights([tensor([1, 2])])).toThrow(/\[setWeights\] model \w+ needs 2 tensors/);
    expect(() => model.setWeights([tensor([1, 2]), tensor([1, 2])])).toThrow(/out\/kernel must be \[3,2\]; got \[2\]/);
    model.loadWeights({ 'net/out/kernel': tensor(values(6, 2), [3, 2]), 'net/out/bias': tensor([5, 6]) });
    expect([...model.getWeights()[1].dataSync()]).toEqual([5, 6]);
    expect(() => model.loadWeights({ 'out/bias': tensor([1, 1]) })).toThrow(/1 are missing: out\/kernel/);
    model.loadWeights({ 'out/bias': tensor([7, 8]), other: tensor([1]) }, false);
    expect([...model.getWeights()[1].dataSync()]).toEqual([7, 8]);
  });

  test('a layer shared with another model shares its weights', () => {
    const base = ours();
    const head = sequential({ layers: [...base.layers.slice(0, 3), layers.dense({ units: 2 })] });
    expect(head.weights[0]).toBe(base.weights[0]);
    expect(head.predict(tensor(values(64), [1, 8, 8, 1])).shape).toEqual([1, 2]);
  });

  test('initializers: ranges, deviations, seeds', () => {
    const of = (make: { apply(shape: number[]): { dataSync(): ArrayLike<number> } }) =>
      Array.from(make.apply([50, 40]).dataSync());
    const deviation = (list: number[]) => Math.sqrt(list.reduce((a, b) => a + b * b, 0) / list.length);
    const limit = Math.sqrt(6 / 90);
    const uniform = of(initializers.glorotUniform({ seed: 3 }));
    expect(Math.max(...uniform.map(Math.abs))).toBeLessThan(limit);
    expect(deviation(uniform)).toBeCloseTo(limit / Math.sqrt(3), 2);
    expect(uniform).toEqual(of(initializers.glorotUniform({ seed: 3 })));
    expect(uniform).not.toEqual(of(initializers.glorotUniform({ seed: 4 })));
    const he = of(initializers.heNormal({ seed: 1 }));
    expect(Math.max(...he.map(Math.abs))).toBeLessThanOrEqual(2 * Math.sqrt(2 / 50) + 1e-6);
    expect(deviation(he)).toBeCloseTo(0.8796 * Math.sqrt(2 / 50), 1);
    expect(of(initializers.constant({ value: 0.5 }))[7]).toBe(0.5);
    expect(deviation(of(initializers.randomNormal({ stddev: 2, seed: 9 })))).toBeCloseTo(2, 0);
    expect(Math.min(...of(initializers.randomUniform({ minval: 1, maxval: 2, seed: 9 })))).toBeGreaterThanOrEqual(1);
  });
});

describe('prediction', () => {
  test('many samples, a ragged last batch, one batch, and inside other functions', () => {
    const model = sequential({ layers: [layers.dense({ units: 3, inputShape: [4], activation: 'tanh' })] });
    const x = tensor(values(70 * 4), [70, 4]);
    const whole = model.predictOnBatch(x).dataSync();
    expect(model.predict(x, { batchSize: 32 }).shape).toEqual([70, 3]);
    for (const batchSize of [1, 7, 32, 70, 100]) {
      model
        .predict(x, { batchSize })
        .dataSync()
        .forEach((value, i) => {
          expect(value).toBeCloseTo(whole[i], 6);
        });
    }
    expect(model.apply(x).shape).toEqual([70, 3]);
    expect(() => model.predict(x, { batchSize: 0 })).toThrow(/\[predict\] batchSize must be an integer of at least 1/);
    expect(() => model.predict(tensor(values(10), [2, 5]))).toThrow(
      /\[predict\] x, for input layer \w+ of model \w+, must be \[null,4\]/,
    );
    expect(() => model.predict(tensor([], [0, 4]))).toThrow(/\[predict\] x must not be empty/);
  });

  test('a disposed model frees its weights', () => {
    const model = ours();
    expect(model.dispose().numDisposedVariables).toBe(4);
  });
});

describe('mistakes in building', () => {
  const image = { filters: 4, kernelSize: 3, name: 'conv' };

  test.each<[string, RegExp, () => unknown]>([
    [
      'no input shape',
      /\[conv: Conv2D \{filters: 4, kernelSize: 3\}\] the first layer .* needs inputShape/,
      () => sequential({ layers: [layers.conv2d(image)] }),
    ],
    [
      'rank',
      /\[conv: Conv2D .*\] the input must be of rank 4, the batch included; got \[null,10\]; images need/,
      () => sequential({ layers: [layers.dense({ units: 10, inputShape: [5] }), layers.conv2d(image)] }),
    ],
    [
      'a window that does not fit',
      /\[conv: .*\] the window 3 must fit into the input along axis 1; got \[null,2,2,1\]; use padding 'same'/,
      () => sequential({ layers: [layers.conv2d({ ...image, inputShape: [2, 2, 1] })] }),
    ],
    [
      'filters',
      /\[conv: Conv2D .*\] filters must be a positive integer; got 0/,
      () => layers.conv2d({ ...image, filters: 0 }),
    ],
    [
      'padding',
      /padding must be a known name; got "sme"; did you mean same/,
      () => layers.conv2d({ ...image, padding: 'sme' as never }),
    ],
    [
      'activation',
      /activation must be a known name; got "rellu"; did you mean relu/,
      () => layers.dense({ units: 1, activation: 'rellu' as never }),
    ],
    [
      'initializer',
      /initializer must be a known name; got "glorotNorml"; did you mean glorotNormal/,
      () => layers.dense({ units: 1, kernelInitializer: 'glorotNorml' as never }),
    ],
    ['rate', /rate must be in \[0, 1\); got 50/, () => layers.dropout({ rate: 50 })],
    [
      'target shape',
      /targetShape must hold as many values as one sample; a sample is \[5\] with 5, targetShape is \[2,2\]/,
      () => sequential({ layers: [layers.reshape({ targetShape: [2, 2], inputShape: [5] })] }),
    ],
    [
      'the same name twice',
      /each layer of a model must have its own name; got conv twice/,
      () => sequential({ layers: [layers.conv2d({ ...image, inputShape: [9, 9, 1] }), layers.conv2d(image)] }),
    ],
    ['no layer', /\[Sequential.add\] a layer is needed/, () => new Sequential().add({} as never)],
    ['an empty model', /the model must have a layer/, () => new Sequential().outputs],
  ])('%s', (_, message, run) => {
    expect(run).toThrow(message);
  });
});

test('a layer class of the user', async () => {
  class Doubling extends Layer {
    static override readonly className = 'Doubling';
    override computeOutputShape(shape: readonly (number | null)[]) {
      return shape;
    }
    override call(x: Tensor) {
      return x.mul(2);
    }
  }
  serialization.registerClass(Doubling);
  const model = sequential({ layers: [new Doubling({ inputShape: [2] })] });
  const again = await models.modelFromJSON(JSON.parse(model.toJSON()));
  expect([...again.predict(tensor([[1, 2]])).dataSync()]).toEqual([2, 4]);
});

test('a layer written for TensorFlow.js, and a hook that is told of its passes', () => {
  class Antirectifier extends Layer {
    static override readonly className = 'Antirectifier';
    override computeOutputShape(shape: readonly (number | null)[]) {
      return [...shape.slice(0, -1), 2 * shape.at(-1)!];
    }
    override call(inputs: Tensor | Tensor[], options: CallOptions) {
      const x = Array.isArray(inputs) ? inputs[0] : inputs;
      this.invokeCallHook(inputs, options);
      return x.relu().concat(x.neg().relu(), -1);
    }
  }
  const layer = new Antirectifier({ inputShape: [2] });
  const seen: unknown[] = [];
  layer.setCallHook((x) => seen.push((x as Tensor).shape));
  expect(layer.apply<Tensor>(tensor([[1, -2]])).arraySync()).toEqual([[1, 0, 0, 2]]);
  expect(seen).toEqual([[1, 2]]);
  layer.clearCallHook();
  expect(
    sequential({ layers: [layer] })
      .predict(tensor([[1, -2]]))
      .arraySync(),
  ).toEqual([[1, 0, 0, 2]]);
  expect(seen).toHaveLength(1);
});

test('toCategorical', () => {
  expect(toCategorical([1, 0]).arraySync()).toEqual([
    [0, 1],
    [1, 0],
  ]);
  expect(toCategorical(tensor([[2], [0]], [2, 1], 'int32'), 4).shape).toEqual([2, 4]);
  expect(toCategorical(tensor([2n, 0n], [2], 'int64')).arraySync()).toEqual([
    [0, 0, 1],
    [1, 0, 0],
  ]);
  expect(() => toCategorical([3], 3)).toThrow(
    /\[toCategorical\] labels must be in \[0, 2\]; label 0 is 3; pass numClasses 4/,
  );
  expect(() => toCategorical([-1])).toThrow(/label 0 is -1/);
});
