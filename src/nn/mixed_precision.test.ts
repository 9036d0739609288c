/** Mixed precision: every layer gives its compute dtype and close numbers; losses are scaled, bad steps left out, files keep policies. */
import { afterEach, describe, expect, test } from 'vitest';
import { cases, type LayerCase } from '../../test/layer-cases.ts';
import { values } from '../../test/values.ts';
import {
  io,
  layers,
  loadLayersModel,
  mixedPrecision,
  models,
  sequential,
  setSeed,
  type Tensor,
  tensor,
  train,
  variable,
} from '../index.ts';
import { isFloat, type DType } from '../types/dtype.ts';
import type { PolicyName } from './mixed_precision.ts';

afterEach(() => mixedPrecision.setGlobalPolicy('float32'));

const listOf = (value: unknown): Tensor[] => (Array.isArray(value) ? (value as Tensor[]) : [value as Tensor]);
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function inputsOf({ shapes, integers, positive }: LayerCase): Tensor[] {
  return shapes.map((shape, i) => {
    const numbers = values(sizeOf(shape), i + 3);
    if (integers)
      return tensor(
        Int32Array.from(numbers, (x) => Math.floor(((x + 1) / 2) * integers)),
        [...shape],
        'int32',
      );
    return tensor(positive ? numbers.map(Math.abs) : numbers, [...shape]);
  });
}

/** Values where a small difference of the input makes another category, or pixel. */
const jumps = new Set([
  'discretization',
  'contrastLimitedAdaptiveHistogramEqualization',
  'ternaryDense',
  'thresholdedReLU',
]);

describe.each<[PolicyName, DType, number]>([
  ['mixed_float16', 'float16', 0.01],
  ['mixed_bfloat16', 'bfloat16', 0.06],
])('%s', (policy, dtype, tolerance) => {
  const rows = cases.filter(({ strings, hostOnly }) => !strings && !hostOnly);
  test.each(rows)('$name', (row) => {
    const xs = inputsOf(row);
    const run = (name: PolicyName, weights?: Tensor[]) => {
      mixedPrecision.setGlobalPolicy(name);
      const layer = row.make();
      if (weights && weights.length > 0) {
        layer.ensureBuilt(xs.length > 1 ? xs.map((x) => x.shape) : xs[0].shape);
        layer.setWeights(weights);
      }
      const output = listOf(xs.length > 1 ? layer.apply(xs, row.options) : layer.apply(xs[0], row.options));
      return { layer, output };
    };
    const wide = run('float32');
    const small = run(policy, wide.layer.getWeights());
    for (const weight of small.layer.weights) expect(isFloat(weight.dtype) ? weight.dtype : 'float32').toBe('float32');
    small.output.forEach((output, i) => {
      const want = wide.output[i];
      expect(output.shape).toEqual(want.shape);
      expect(output.dtype).toBe(isFloat(want.dtype as DType) ? dtype : want.dtype);
      if (jumps.has(row.name)) return;
      const [got, exact] = [output.dataSync(), want.dataSync()];
      const scale = 1 + Math.max(...Array.from(exact, Math.abs));
      exact.forEach((value, k) => expect(Math.abs(got[k] - value) / scale).toBeLessThan(tolerance));
    });
  });
});

test('indices above what float16 tells apart', () => {
  mixedPrecision.setGlobalPolicy('mixed_float16');
  const layer = layers.embedding({ inputDim: 5000, outputDim: 1 });
  layer.ensureBuilt([null, 1]);
  layer.setWeights([
    tensor(
      Float32Array.from({ length: 5000 }, (_, i) => i % 2),
      [5000, 1],
    ),
  ]);
  expect(Array.from(layer.apply(tensor([4097, 4098, 4099], [3, 1])).dataSync())).toEqual([1, 0, 1]);
});

describe('policies', () => {
  test('global, per layer, in configs and files', async () => {
    expect(mixedPrecision.globalPolicy().name).toBe('float32');
    mixedPrecision.setGlobalPolicy('mixed_bfloat16');
    const model = sequential({
      layers: [
        layers.dense({ units: 3, inputShape: [4] }),
        layers.dense({ units: 2, dtype: 'float32', activation: 'softmax' }),
      ],
    });
    expect(model.layers.map(({ dtypePolicy }) => dtypePolicy.name)).toEqual(['mixed_bfloat16', 'float32']);
    mixedPrecision.setGlobalPolicy('float32');
    const x = tensor(values(8, 1), [2, 4]);
    const want = (model.predict(x) as Tensor).dataSync();
    expect((model.predict(x) as Tensor).dtype).toBe('float32');
    let saved: Parameters<typeof io.fromMemory>[0] | undefined;
    await model.save({ save: async (artifacts: never) => (saved = artifacts) });
    const loaded = await loadLayersModel(io.fromMemory(saved!));
    expect(loaded.layers.map(({ dtypePolicy }) => dtypePolicy.name)).toEqual(['mixed_bfloat16', 'float32']);
    expect((loaded.predict(x) as Tensor).dataSync()).toEqual(want);
    // As Keras 3 writes it.
    const keras = {
      class_name: 'Dense',
      config: {
        units: 2,
        dtype: { class_name: 'DTypePolicy', config: { name: 'mixed_float16' } },
        batch_input_shape: [null, 3],
      },
    };
    const read = await models.modelFromJSON({ class_name: 'Sequential', config: { layers: [keras] } } as never);
    expect(read.layers[0].dtypePolicy.computeDtype).toBe('float16');
    expect(() => mixedPrecision.setGlobalPolicy('mixed_float8' as never)).toThrow('did you mean mixed_float16');
    expect(() => layers.dense({ units: 1, dtype: 'half' as never })).toThrow('dtype must be a dtype');
  });
});

describe('LossScaleOptimizer', () => {
  test('is there where only a layer inside of another one computes in float16', () => {
    const make = (dtype: 'mixed_float16' | 'mixed_bfloat16') => {
      const layer = layers.timeDistributed({ layer: layers.dense({ units: 2, dtype }) as never, inputShape: [3, 4] });
      const model = sequential({ layers: [layer] });
      model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
      return model.optimizer;
    };
    expect(make('mixed_float16')).toBeInstanceOf(mixedPrecision.LossScaleOptimizer);
    expect(make('mixed_bfloat16')).not.toBeInstanceOf(mixedPrecision.LossScaleOptimizer);
  });

  test('steps as its inner optimizer does; bad gradients change nothing but the scale', () => {
    const [w, v] = [variable(tensor([1, 2, 3])), variable(tensor([1, 2, 3]))];
    const plain = train.adam(0.1);
    const scaled = new mixedPrecision.LossScaleOptimizer(train.adam(0.1), {
      initialScale: 1024,
      dynamicGrowthSteps: 2,
    });
    const step = (bad = false) => {
      const g = tensor([0.5, -1, 2]);
      plain.applyPairs([{ variable: w, gradient: g }]);
      const times = scaled.scale;
      scaled.applyPairs([{ variable: v, gradient: g.mul(times) }]);
      if (bad) scaled.applyPairs([{ variable: v, gradient: tensor([1, Number.POSITIVE_INFINITY, Number.NaN]) }]);
    };
    step();
    expect(scaled.scale).toBe(1024);
    step(true);
    // Doubled after two good steps, halved by the bad one.
    expect(scaled.scale).toBe(1024);
    expect(scaled.iterations).toBe(2);
    step();
    expect(Array.from(v.dataSync())).toEqual(Array.from(w.dataSync()));
    const loss = scaled.minimize(() => v.square().sum(), true)!;
    expect(loss.dataSync()[0]).toBeCloseTo(
      Array.from(w.dataSync()).reduce((a, b) => a + b * b, 0),
      4,
    );
    for (const one of [plain, scaled, w, v]) one.dispose();
    expect(() => new mixedPrecision.LossScaleOptimizer('adam' as never)).toThrow('a plain optimizer');
  });

  test.each<PolicyName>(['mixed_float16', 'mixed_bfloat16'])('%s trains as float32 does', async (policy) => {
    const x = tensor(values(64 * 6, 1), [64, 6]);
    const y = x.slice([0, 0], [64, 1]).greater(0).toFloat();
    const run = async (name: PolicyName) => {
      setSeed(4);
      mixedPrecision.setGlobalPolicy(name);
      const model = sequential({
        layers: [
          layers.dense({ units: 16, activation: 'relu', inputShape: [6] }),
          layers.batchNormalization(),
          layers.dense({ units: 1, activation: 'sigmoid' }),
        ],
      });
      model.compile({ optimizer: train.adam(0.02), loss: 'binaryCrossentropy', metrics: ['accuracy'] });
      const { history } = await model.fit(x, y, { epochs: 12, batchSize: 16, verbose: 0, seed: 1 });
      const scales = model.optimizer instanceof mixedPrecision.LossScaleOptimizer;
      model.dispose();
      return { loss: history['loss'].at(-1) as number, accuracy: history['acc'].at(-1) as number, scales };
    };
    const [wide, small] = [await run('float32'), await run(policy)];
    expect([wide.scales, small.scales]).toEqual([false, policy === 'mixed_float16']);
    expect(small.accuracy).toBeGreaterThan(0.9);
    expect(Math.abs(small.loss - wide.loss)).toBeLessThan(0.05);
  });

  test('an overflow halves the scale until steps are good again, in one program', async () => {
    mixedPrecision.setGlobalPolicy('mixed_float16');
    setSeed(1);
    const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [4] })] });
    const optimizer = new mixedPrecision.LossScaleOptimizer(train.sgd(0.01), { initialScale: 2 ** 24 });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const [x, y] = [tensor(values(32, 1), [8, 4]), tensor(values(8, 2), [8, 1])];
    const before = model.getWeights()[0].dataSync().slice();
    await model.trainOnBatch(x, y);
    expect(model.getWeights()[0].dataSync()).toEqual(before);
    expect(optimizer.scale).toBe(2 ** 23);
    for (let i = 0; i < 20; i++) await model.trainOnBatch(x, y);
    expect(optimizer.scale).toBeLessThan(2 ** 22);
    expect(optimizer.iterations).toBeGreaterThan(5);
    expect(model.getWeights()[0].dataSync()).not.toEqual(before);
    model.dispose();
    optimizer.innerOptimizer.dispose();
    optimizer.dispose();
  });
});
