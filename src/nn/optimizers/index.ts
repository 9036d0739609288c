/** tf.train: a factory for each optimizer, and the names that model.compile knows. */
import { fail } from '../../base/errors.ts';
import type { Config, SerializedObject } from '../keras_config.ts';
import { failUnknownName } from '../naming.ts';
import { AdadeltaOptimizer, AdagradOptimizer } from './adagrad.ts';
import { AdamOptimizer, AdamWOptimizer } from './adam.ts';
import {
  type AdafactorArgs,
  AdafactorOptimizer,
  type FtrlArgs,
  FtrlOptimizer,
  type LambArgs,
  LambOptimizer,
  type LionArgs,
  LionOptimizer,
  type NadamArgs,
  NadamOptimizer,
  type Rate,
} from './adaptive.ts';
import { type MuonArgs, MuonOptimizer } from './muon.ts';
import { LearningRateSchedule, scheduleFrom, schedules } from './schedules.ts';
import { AdamaxOptimizer } from './adamax.ts';
import { Optimizer, type OptimizerOptions } from './optimizer.ts';
import { RMSPropOptimizer } from './rmsprop.ts';
import { MomentumOptimizer, SGDOptimizer } from './sgd.ts';

/** As in Keras's backend, for float32. */
const defaultEpsilon = 1e-7;

/** Arguments by name in place of TensorFlow.js's by position, with what every optimizer can do. */
type Named<A> = A & OptimizerOptions & { learningRate?: Rate };

function isNamed<A>(value: Rate | Named<A> | undefined): value is Named<A> {
  return typeof value === 'object' && value !== null && !(value instanceof LearningRateSchedule);
}

export interface AdamArgs {
  beta1?: number;
  beta2?: number;
  epsilon?: number | null;
  /** Keeps the largest second moment; default false. */
  amsgrad?: boolean;
}

function adamFrom(make: typeof AdamOptimizer, args: Named<AdamArgs>): AdamOptimizer {
  const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon, ...options } = args;
  return new make(learningRate, beta1, beta2, epsilon ?? defaultEpsilon, options);
}

/** tf.train: by position as in TensorFlow.js, or with one object of arguments. */
export const train = {
  sgd: (learningRate: Rate | Named<object>): SGDOptimizer => {
    if (!isNamed(learningRate)) return new SGDOptimizer(learningRate);
    const { learningRate: rate = 0.01, ...options } = learningRate;
    return new SGDOptimizer(rate, options);
  },
  momentum: (
    learningRate: Rate | Named<{ momentum?: number; useNesterov?: boolean }>,
    momentum = 0.9,
    useNesterov = false,
  ): MomentumOptimizer => {
    if (!isNamed(learningRate)) return new MomentumOptimizer(learningRate, momentum, useNesterov);
    const { learningRate: rate = 0.01, momentum: own = 0.9, useNesterov: nesterov = false, ...options } = learningRate;
    return new MomentumOptimizer(rate, own, nesterov, options);
  },
  adam: (
    learningRate: Rate | Named<AdamArgs> = 0.001,
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon: number | null = null,
  ): AdamOptimizer =>
    isNamed(learningRate)
      ? adamFrom(AdamOptimizer, learningRate)
      : new AdamOptimizer(learningRate, beta1, beta2, epsilon ?? defaultEpsilon),
  adamw: (args: Named<AdamArgs> = {}): AdamWOptimizer => adamFrom(AdamWOptimizer, { weightDecay: 0.004, ...args }),
  rmsprop: (
    learningRate: Rate | Named<{ decay?: number; momentum?: number; epsilon?: number; centered?: boolean }>,
    decay = 0.9,
    momentum = 0,
    epsilon: number | null = null,
    centered = false,
  ): RMSPropOptimizer => {
    if (!isNamed(learningRate)) {
      return new RMSPropOptimizer(learningRate, decay, momentum, epsilon ?? defaultEpsilon, centered);
    }
    const {
      learningRate: rate = 0.001,
      decay: d = 0.9,
      momentum: m = 0,
      epsilon: e,
      centered: c = false,
      ...options
    } = learningRate;
    return new RMSPropOptimizer(rate, d, m, e ?? defaultEpsilon, c, options);
  },
  adagrad: (
    learningRate: Rate | Named<{ initialAccumulatorValue?: number }>,
    initialAccumulatorValue = 0.1,
  ): AdagradOptimizer => {
    if (!isNamed(learningRate)) return new AdagradOptimizer(learningRate, initialAccumulatorValue);
    const { learningRate: rate = 0.01, initialAccumulatorValue: initial = 0.1, ...options } = learningRate;
    return new AdagradOptimizer(rate, initial, options);
  },
  adadelta: (
    learningRate: Rate | Named<{ rho?: number; epsilon?: number }> = 0.001,
    rho = 0.95,
    epsilon: number | null = null,
  ): AdadeltaOptimizer => {
    if (!isNamed(learningRate)) return new AdadeltaOptimizer(learningRate, rho, epsilon ?? defaultEpsilon);
    const { learningRate: rate = 0.001, rho: own = 0.95, epsilon: e, ...options } = learningRate;
    return new AdadeltaOptimizer(rate, own, e ?? defaultEpsilon, options);
  },
  adamax: (
    learningRate: Rate | Named<{ beta1?: number; beta2?: number; epsilon?: number; decay?: number }> = 0.002,
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon: number | null = null,
    decay = 0,
  ): AdamaxOptimizer => {
    if (!isNamed(learningRate))
      return new AdamaxOptimizer(learningRate, beta1, beta2, epsilon ?? defaultEpsilon, decay);
    const {
      learningRate: rate = 0.002,
      beta1: b1 = 0.9,
      beta2: b2 = 0.999,
      epsilon: e,
      decay: d = 0,
      ...options
    } = learningRate;
    return new AdamaxOptimizer(rate, b1, b2, e ?? defaultEpsilon, d, options);
  },
  nadam: (args?: NadamArgs): NadamOptimizer => new NadamOptimizer(args),
  ftrl: (args?: FtrlArgs): FtrlOptimizer => new FtrlOptimizer(args),
  lion: (args?: LionArgs): LionOptimizer => new LionOptimizer(args),
  lamb: (args?: LambArgs): LambOptimizer => new LambOptimizer(args),
  muon: (args?: MuonArgs): MuonOptimizer => new MuonOptimizer(args),
  adafactor: (args?: AdafactorArgs): AdafactorOptimizer => new AdafactorOptimizer(args),
  schedules,
};

const byName: { readonly [name: string]: () => Optimizer } = {
  sgd: () => train.sgd(0.01),
  adam: () => train.adam(),
  adamw: () => train.adamw(),
  rmsprop: () => train.rmsprop(0.001),
  adagrad: () => train.adagrad(0.01),
  adadelta: () => train.adadelta(1),
  adamax: () => train.adamax(),
  nadam: () => train.nadam(),
  ftrl: () => train.ftrl(),
  lion: () => train.lion(),
  lamb: () => train.lamb(),
  muon: () => train.muon(),
  adafactor: () => train.adafactor(),
};

export type OptimizerIdentifier =
  | 'sgd'
  | 'adam'
  | 'adamw'
  | 'rmsprop'
  | 'adagrad'
  | 'adadelta'
  | 'adamax'
  | 'nadam'
  | 'ftrl'
  | 'lion'
  | 'lamb'
  | 'muon'
  | 'adafactor';

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
  failUnknownName(op, 'optimizer', identifier, optimizerNames);
}

export const optimizerNames: readonly string[] = Object.keys(byName);

/** How each class is made from its config, which is its arguments by name. */
const byClass: { readonly [className: string]: (args: never) => Optimizer } = {
  SGD: train.sgd,
  Momentum: train.momentum,
  Adam: train.adam,
  AdamW: train.adamw,
  RMSProp: train.rmsprop,
  Adagrad: train.adagrad,
  Adadelta: train.adadelta,
  Adamax: train.adamax,
  Nadam: train.nadam,
  Ftrl: train.ftrl,
  Lion: train.lion,
  Lamb: train.lamb,
  Muon: train.muon,
  Adafactor: train.adafactor,
};

/** An optimizer from what getConfig gave, for model files. */
export function deserializeOptimizer(op: string, { className, config }: SerializedObject): Optimizer {
  if (!Object.hasOwn(byClass, className)) failUnknownName(op, 'optimizer', className, Object.keys(byClass));
  const args: Config = {};
  for (const [name, value] of Object.entries(config)) {
    // Numbers, switches and lists are arguments; whatever else a file holds is not.
    if (['number', 'boolean'].includes(typeof value) || Array.isArray(value)) args[name] = value;
  }
  const schedule = scheduleFrom(op, config['learningRate']);
  if (schedule) args['learningRate'] = schedule;
  return byClass[className](args as never);
}
