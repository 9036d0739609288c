/**
 * What is known by name - optimizers, losses, metrics, initializers, regularizers, constraints, callbacks - is exported, can be made by
 * its name in both spellings, and comes back from its config. Generated from the tables; what issue 4 and Keras 3 list must be in them.
 */
import { expect, describe, test } from 'vitest';
import * as tf from '../index.ts';
import { constraints, getConstraint } from './constraints.ts';
import { getInitializer, initializers } from './initializers.ts';
import { type Config, fromPythonic, isSerializedObject, serialize, toPythonic } from './keras_config.ts';
import { configuredLosses } from './configured_losses.ts';
import { getLoss, lossNames } from './losses.ts';
import { getMetric, metricNames } from './metrics/index.ts';
import { toSnakeCase } from './naming.ts';
import { deserializeOptimizer, getOptimizer, optimizerNames } from './optimizers/index.ts';
import { getRegularizer, regularizers } from './regularizers.ts';

/** As a model file holds it. */
const throughFile = (value: unknown): unknown => fromPythonic(JSON.parse(JSON.stringify(toPythonic(value as never))));
const lower = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
const net = () => tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [2] })] });

describe('optimizers', () => {
  const wanted = 'SGD Momentum RMSprop Adagrad Adadelta Adam AdamW Adamax Nadam Ftrl Lion Lamb Muon Adafactor'.split(
    ' ',
  );
  test('those of issue 4 are exported, Nesterov as an argument of momentum', () => {
    const exported = Object.keys(tf.train).map(lower);
    expect(wanted.filter((name) => !exported.includes(lower(name)))).toEqual([]);
    const nesterov = tf.train.momentum(0.1, 0.9, true);
    expect(nesterov.getConfig()['useNesterov']).toBe(true);
  });

  test.each(optimizerNames)('%s', async (name) => {
    for (const spelling of [name, name.toUpperCase()]) {
      const made = getOptimizer('test', spelling);
      expect(lower(made.getClassName())).toBe(name);
      const object = throughFile(serialize(made));
      if (!isSerializedObject(object)) throw new Error('it has no class and config');
      const again = deserializeOptimizer('test', { className: object.className, config: object.config ?? {} });
      expect(again.getClassName()).toBe(made.getClassName());
      expect(again.getConfig()).toEqual(made.getConfig());
    }
    const model = net();
    model.compile({ optimizer: name, loss: 'meanSquaredError' });
    const loss = await model.trainOnBatch(tf.ones([4, 2]), tf.ones([4, 3]));
    expect(Number.isFinite(loss as number)).toBe(true);
    model.loadTrainingConfig(JSON.parse(JSON.stringify(model.getTrainingConfig())));
    expect(lower(model.optimizer.getClassName())).toBe(name);
    model.dispose();
  });
});

describe('losses', () => {
  const keras =
    'binaryCrossentropy binaryFocalCrossentropy categoricalCrossentropy categoricalFocalCrossentropy ' +
    'sparseCategoricalCrossentropy poisson ctc klDivergence meanSquaredError meanAbsoluteError ' +
    'meanAbsolutePercentageError meanSquaredLogarithmicError cosineSimilarity huber logCosh tversky dice hinge ' +
    'squaredHinge categoricalHinge circle';
  test.each(keras.split(' '))('%s of Keras 3 is there', (name) => {
    const byName = [name, `${name.replace('Divergence', 'lDivergence')}`].some((one) =>
      lossNames.map(lower).includes(lower(one)),
    );
    const made = Object.keys(configuredLosses).map(lower).includes(lower(name));
    expect(byName || made || typeof getLoss('test', name).call === 'function').toBe(true);
  });

  test.each(lossNames)('%s', (name) => {
    expect(getLoss('test', name).name).toBe(name);
    expect(getLoss('test', toSnakeCase(name))).toBe(getLoss('test', name));
    const model = net();
    model.compile({ optimizer: 'sgd', loss: name });
    model.loadTrainingConfig(JSON.parse(JSON.stringify(model.getTrainingConfig())));
    expect(model.getTrainingConfig().loss).toBe(toSnakeCase(name));
    model.dispose();
  });
});

describe('metrics', () => {
  const keras =
    'Accuracy BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy TopKCategoricalAccuracy ' +
    'SparseTopKCategoricalAccuracy Precision Recall AUC F1Score FBetaScore TruePositives TrueNegatives FalsePositives ' +
    'FalseNegatives SensitivityAtSpecificity SpecificityAtSensitivity MeanIoU R2Score Perplexity RootMeanSquaredError Mean ' +
    'MeanSquaredError MeanAbsoluteError CosineProximity';
  test('those of issue 4 are exported', () => {
    const exported = Object.keys(tf.metrics).map(lower);
    expect(keras.split(' ').filter((name) => !exported.includes(lower(name)))).toEqual([]);
  });

  test.each(metricNames)('%s', (name) => {
    for (const spelling of [name, toSnakeCase(name)]) {
      expect(getMetric('test', spelling, null).name).toMatch(/^\w+$/);
    }
    const model = net();
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError', metrics: [name] });
    const names = model.metricsNames;
    expect(names).toHaveLength(2);
    model.loadTrainingConfig(JSON.parse(JSON.stringify(model.getTrainingConfig())));
    expect(model.metricsNames.map(lower)).toEqual(names.map(lower));
    model.dispose();
  });
});

/** Arguments other than the defaults, where there are any. */
const unusual: { readonly [name: string]: Config } = {
  constant: { value: 0.25 },
  randomUniform: { minval: -0.5, maxval: 0.25, seed: 3 },
  randomNormal: { mean: 0.5, stddev: 0.25, seed: 3 },
  truncatedNormal: { mean: 0.5, stddev: 0.25, seed: 3 },
  varianceScaling: { scale: 3, mode: 'fanOut', distribution: 'uniform', seed: 3 },
  orthogonal: { gain: 0.5, seed: 3 },
  identity: { gain: 0.5 },
  l1: { l1: 0.25 },
  l2: { l2: 0.25 },
  l1l2: { l1: 0.25, l2: 0.5 },
  unitNorm: { axis: 1 },
  maxNorm: { maxValue: 0.5, axis: 1 },
  minMaxNorm: { minValue: 0.25, maxValue: 0.5, rate: 0.75, axis: 1 },
};

interface Made {
  getClassName(): string;
  getConfig(): Config;
}
const families: [
  string,
  { readonly [name: string]: unknown },
  (op: string, identifier: unknown) => Made | null,
  string,
][] = [
  [
    'initializer',
    initializers,
    getInitializer,
    'zeros ones constant randomUniform randomNormal truncatedNormal varianceScaling glorotUniform glorotNormal heUniform ' +
      'heNormal leCunUniform leCunNormal orthogonal identity',
  ],
  ['regularizer', regularizers, getRegularizer, 'l1 l2 l1l2 orthogonal'],
  ['constraint', constraints, getConstraint, 'nonNeg unitNorm maxNorm minMaxNorm'],
];

describe.each(families)('%s', (kind, table, get, wanted) => {
  test('those of TensorFlow.js and Keras are exported', () => {
    const exported: object = { initializer: tf.initializers, regularizer: tf.regularizers, constraint: tf.constraints }[
      kind
    ]!;
    expect(wanted.split(' ').filter((name) => !Object.hasOwn(exported, name))).toEqual([]);
    expect(Object.keys(table)).toEqual(Object.keys(exported));
  });

  test.each(Object.keys(table))('%s', async (name) => {
    const make = table[name] as (args?: Config) => Made;
    // By its name: a constant has no default.
    if (name !== 'constant') {
      for (const spelling of [name, toSnakeCase(name), name[0].toUpperCase() + name.slice(1)]) {
        expect(get('test', spelling)!.getConfig(), spelling).toEqual(make().getConfig());
      }
    }
    // From a config, alone and as an argument of a layer.
    const made = make(
      name === 'orthogonal' && kind === 'regularizer'
        ? { factor: 0.25, mode: 'columns' }
        : (unusual[name] ?? { seed: 3 }),
    );
    const again = get('test', throughFile(serialize(made)))!;
    expect(again.getClassName()).toBe(made.getClassName());
    expect(again.getConfig()).toEqual(made.getConfig());
    const key = `kernel${kind[0].toUpperCase()}${kind.slice(1)}`;
    const layer = tf.layers.dense({ units: 2, inputShape: [2], [key]: made });
    const model = tf.sequential({ layers: [layer] });
    const copy = await tf.models.modelFromJSON(JSON.parse(model.toJSON()));
    expect(copy.layers[0].getConfig()[key]).toEqual(layer.getConfig()[key]);
  });
});

describe('callbacks', () => {
  const args: { readonly [name: string]: unknown } = {
    learningRateScheduler: (epoch: number) => 0.1 / (1 + epoch),
    modelCheckpoint: {
      filepath: { save: async () => ({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } }) },
    },
    csvLogger: { write: () => {} },
    backupAndRestore: { backupDir: '' },
    lambdaCallback: { onEpochEnd: () => {} },
  };
  const wanted =
    'earlyStopping modelCheckpoint reduceLROnPlateau learningRateScheduler csvLogger terminateOnNaN backupAndRestore ' +
    'lambdaCallback swapEMAWeights';
  test('those of issue 4 are exported', () => {
    expect(wanted.split(' ').filter((name) => !Object.hasOwn(tf.callbacks, name))).toEqual([]);
    expect(tf.ProgbarLogger).toBeTypeOf('function');
  });

  test.each(Object.keys(tf.callbacks))('%s runs in fit', async (name) => {
    const folder = await (await import('node:fs/promises')).mkdtemp(
      `${(await import('node:os')).tmpdir()}/tensorloom-`,
    );
    const own = name === 'backupAndRestore' ? { backupDir: folder } : args[name];
    const made = (tf.callbacks as unknown as { [name: string]: (args?: unknown) => tf.Callback })[name](own);
    const model = net();
    const optimizer = tf.train.sgd({ learningRate: 0.01, useEma: name === 'swapEMAWeights' });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const [x, y] = [tf.ones([6, 2]), tf.zeros([6, 3])];
    const { history } = await model.fit(x, y, { epochs: 2, verbose: 0, validationData: [x, y], callbacks: made });
    expect(history['loss']).toHaveLength(2);
    await (await import('node:fs/promises')).rm(folder, { recursive: true, force: true });
  });
});
