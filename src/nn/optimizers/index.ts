/** tf.train: a factory for each optimizer, and the names that model.compile knows. */
import { fail } from '../../base/errors.ts';
import type { SerializedObject } from '../keras_config.ts';
import { failUnknownName } from '../naming.ts';
import { AdamOptimizer } from './adam.ts';
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
};

const byName: { readonly [name: string]: () => Optimizer } = {
  sgd: () => train.sgd(0.01),
  adam: () => train.adam(),
  rmsprop: () => train.rmsprop(0.001),
};

export type OptimizerIdentifier = 'sgd' | 'adam' | 'rmsprop' | 'SGD' | 'Adam' | 'RMSProp';

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

/** An optimizer from what getConfig gave, for model files. */
export function deserializeOptimizer(op: string, { className, config }: SerializedObject): Optimizer {
  const number = (name: string, fallback: number): number =>
    typeof config[name] === 'number' ? (config[name] as number) : fallback;
  const rate = number('learningRate', 0.001);
  switch (className) {
    case 'SGD':
      return train.sgd(rate);
    case 'Momentum':
      return train.momentum(rate, number('momentum', 0), config['useNesterov'] === true);
    case 'Adam':
      return train.adam(rate, number('beta1', 0.9), number('beta2', 0.999), number('epsilon', defaultEpsilon));
    case 'RMSProp': {
      const epsilon = number('epsilon', defaultEpsilon);
      return train.rmsprop(rate, number('decay', 0.9), number('momentum', 0), epsilon, config['centered'] === true);
    }
    default:
      failUnknownName(op, 'optimizer', className, ['SGD', 'Momentum', 'Adam', 'RMSProp']);
  }
}
