/** tf.train: a factory for each optimizer, and the names that model.compile knows. */
import { fail } from '../../base/errors.ts';
import type { Config, SerializedObject } from '../keras_config.ts';
import { failUnknownName } from '../naming.ts';
import { AdadeltaOptimizer, AdagradOptimizer } from './adagrad.ts';
import { AdamOptimizer } from './adam.ts';
import { AdamaxOptimizer } from './adamax.ts';
import { Optimizer } from './optimizer.ts';
import { RMSPropOptimizer } from './rmsprop.ts';
import { MomentumOptimizer, SGDOptimizer } from './sgd.ts';

/** As in Keras's backend, for float32. */
const defaultEpsilon = 1e-7;

export const train = {
  sgd: (learningRate: number): SGDOptimizer => new SGDOptimizer(learningRate),
  momentum: (learningRate: number, momentum: number, useNesterov = false): MomentumOptimizer =>
    new MomentumOptimizer(learningRate, momentum, useNesterov),
  adam: (learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon: number | null = null): AdamOptimizer =>
    new AdamOptimizer(learningRate, beta1, beta2, epsilon ?? defaultEpsilon),
  rmsprop: (
    learningRate: number,
    decay = 0.9,
    momentum = 0,
    epsilon: number | null = null,
    centered = false,
  ): RMSPropOptimizer => new RMSPropOptimizer(learningRate, decay, momentum, epsilon ?? defaultEpsilon, centered),
  adagrad: (learningRate: number, initialAccumulatorValue = 0.1): AdagradOptimizer =>
    new AdagradOptimizer(learningRate, initialAccumulatorValue),
  adadelta: (learningRate = 0.001, rho = 0.95, epsilon: number | null = null): AdadeltaOptimizer =>
    new AdadeltaOptimizer(learningRate, rho, epsilon ?? defaultEpsilon),
  adamax: (
    learningRate = 0.002,
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon: number | null = null,
    decay = 0,
  ): AdamaxOptimizer => new AdamaxOptimizer(learningRate, beta1, beta2, epsilon ?? defaultEpsilon, decay),
};

const byName: { readonly [name: string]: () => Optimizer } = {
  sgd: () => train.sgd(0.01),
  adam: () => train.adam(),
  rmsprop: () => train.rmsprop(0.001),
  adagrad: () => train.adagrad(0.01),
  adadelta: () => train.adadelta(1),
  adamax: () => train.adamax(),
};

export type OptimizerIdentifier = 'sgd' | 'adam' | 'rmsprop' | 'adagrad' | 'adadelta' | 'adamax';

/** The optimizer itself, or a new one with Keras's defaults by its name. */
export function getOptimizer(op: string, identifier: unknown): Optimizer {
  if (identifier instanceof Optimizer) return identifier;
  if (typeof identifier === 'string') {
    const name = identifier.toLowerCase();
    if (Object.hasOwn(byName, name)) return byName[name]();
  }
  if (identifier === null || identifier === undefined) {
    fail(op, 'an optimizer is needed', `got ${identifier}`, "pass 'adam' or tf.train.adam(0.001)");
  }
  failUnknownName(op, 'optimizer', identifier, Object.keys(byName));
}

/** How each class is made from its config. */
const byClass: {
  readonly [className: string]: (number: (name: string, fallback: number) => number, config: Config) => Optimizer;
} = {
  SGD: (n) => train.sgd(n('learningRate', 0.01)),
  Momentum: (n, config) => train.momentum(n('learningRate', 0.01), n('momentum', 0), config['useNesterov'] === true),
  Adam: (n) => train.adam(n('learningRate', 0.001), n('beta1', 0.9), n('beta2', 0.999), n('epsilon', defaultEpsilon)),
  RMSProp: (n, config) => {
    const epsilon = n('epsilon', defaultEpsilon);
    return train.rmsprop(
      n('learningRate', 0.001),
      n('decay', 0.9),
      n('momentum', 0),
      epsilon,
      config['centered'] === true,
    );
  },
  Adagrad: (n) => train.adagrad(n('learningRate', 0.01), n('initialAccumulatorValue', 0.1)),
  Adadelta: (n) => train.adadelta(n('learningRate', 1), n('rho', 0.95), n('epsilon', defaultEpsilon)),
  Adamax: (n) => {
    const epsilon = n('epsilon', defaultEpsilon);
    return train.adamax(n('learningRate', 0.002), n('beta1', 0.9), n('beta2', 0.999), epsilon, n('decay', 0));
  },
};

/** An optimizer from what getConfig gave, for model files. */
export function deserializeOptimizer(op: string, { className, config }: SerializedObject): Optimizer {
  if (!Object.hasOwn(byClass, className)) failUnknownName(op, 'optimizer', className, Object.keys(byClass));
  const number = (name: string, fallback: number): number => {
    const value = config[name];
    return typeof value === 'number' ? value : fallback;
  };
  return byClass[className](number, config);
}
