/**
 * Learning rates that follow the step count. Each is a formula of tensors, computed inside the training program from its step
 * variable, so that nothing is compiled anew.
 */
import { fail } from '../../base/errors.ts';
import {
  add,
  cos,
  div,
  floor,
  greater,
  greaterEqual,
  lessEqual,
  log,
  maximum,
  minimum,
  mul,
  pow,
  scalar,
  sub,
  type Tensor,
  where,
} from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';

export abstract class LearningRateSchedule {
  /** The rate of a step; `step` is a float32 scalar that counts from 0. */
  abstract at(step: Tensor): Tensor;
  abstract getClassName(): string;
  abstract getConfig(): Config;
}

type Numbers = { readonly [name: string]: number };

function checkNumbers(op: string, numbers: Numbers, positive: readonly string[]): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (typeof value !== 'number' || !Number.isFinite(value))
      fail(op, `${name} must be a finite number`, `got ${value}`);
    if (positive.includes(name) && !(value > 0)) fail(op, `${name} must be positive`, `got ${value}`);
  }
}

/** A schedule whose arguments are its config. */
abstract class Formula<A extends object> extends LearningRateSchedule {
  protected readonly args: Required<A>;
  constructor(args: Required<A>, positive: readonly string[] = ['decaySteps']) {
    super();
    this.args = args;
    const numbers = Object.fromEntries(Object.entries(args).filter(([, value]) => typeof value === 'number'));
    checkNumbers(this.getClassName(), numbers as Numbers, positive);
  }
  override getConfig(): Config {
    return { ...this.args };
  }
}

export interface DecayArgs {
  /** The rate of step 0. */
  initialLearningRate: number;
  /** In how many steps it decays once. */
  decaySteps: number;
  /** By what. */
  decayRate: number;
  /** Whether it decays in stairs; default false. */
  staircase?: boolean;
}

const progress = (step: Tensor, steps: number, staircase: boolean): Tensor => {
  const share = div(step, steps);
  return staircase ? floor(share) : share;
};

/** initial decayRate^(step / decaySteps) */
class ExponentialDecay extends Formula<DecayArgs> {
  constructor(args: DecayArgs) {
    super({ staircase: false, ...args });
  }
  override getClassName(): string {
    return 'ExponentialDecay';
  }
  override at(step: Tensor): Tensor {
    const { initialLearningRate, decaySteps, decayRate, staircase } = this.args;
    return mul(pow(scalar(decayRate), progress(step, decaySteps, staircase)), initialLearningRate);
  }
}

/** initial / (1 + decayRate step / decaySteps) */
class InverseTimeDecay extends Formula<DecayArgs> {
  constructor(args: DecayArgs) {
    super({ staircase: false, ...args });
  }
  override getClassName(): string {
    return 'InverseTimeDecay';
  }
  override at(step: Tensor): Tensor {
    const { initialLearningRate, decaySteps, decayRate, staircase } = this.args;
    return div(initialLearningRate, add(mul(progress(step, decaySteps, staircase), decayRate), 1));
  }
}

export interface PolynomialDecayArgs {
  initialLearningRate: number;
  decaySteps: number;
  /** Default 0.0001. */
  endLearningRate?: number;
  /** Default 1: linear. */
  power?: number;
  /** Starts over with twice, three times the steps; default false. */
  cycle?: boolean;
}

/** (initial - end) (1 - step / decaySteps)^power + end */
class PolynomialDecay extends Formula<PolynomialDecayArgs> {
  constructor(args: PolynomialDecayArgs) {
    super({ endLearningRate: 1e-4, power: 1, cycle: false, ...args });
  }
  override getClassName(): string {
    return 'PolynomialDecay';
  }
  override at(step: Tensor): Tensor {
    const { initialLearningRate, decaySteps, endLearningRate, power, cycle } = this.args;
    const rounds = maximum(floor(div(add(step, decaySteps - 1), decaySteps)), 1);
    const share = cycle ? div(step, mul(rounds, decaySteps)) : div(minimum(step, decaySteps), decaySteps);
    const left = power === 1 ? sub(1, share) : pow(sub(1, share), power);
    return add(mul(left, initialLearningRate - endLearningRate), endLearningRate);
  }
}

export interface CosineDecayArgs {
  initialLearningRate: number;
  decaySteps: number;
  /** The end, as a share of the start (of the target, where there is warm-up); default 0. */
  alpha?: number;
  /** Steps in which the rate grows linearly from the initial one to warmupTarget; default 0. */
  warmupSteps?: number;
  /** Default: the initial rate. */
  warmupTarget?: number | null;
}

/** target ((1 - alpha) (1 + cos(pi t / decaySteps)) / 2 + alpha), after warm-up (Loshchilov and Hutter 2017) */
class CosineDecay extends Formula<CosineDecayArgs> {
  constructor(args: CosineDecayArgs) {
    super({ alpha: 0, warmupSteps: 0, warmupTarget: null, ...args });
  }
  override getClassName(): string {
    return 'CosineDecay';
  }
  override at(step: Tensor): Tensor {
    const { initialLearningRate, decaySteps, alpha, warmupSteps, warmupTarget } = this.args;
    const top = warmupTarget ?? initialLearningRate;
    const since = maximum(minimum(sub(step, warmupSteps), decaySteps), 0);
    const wave = mul(add(cos(mul(since, Math.PI / decaySteps)), 1), 0.5);
    const decayed = mul(add(mul(wave, 1 - alpha), alpha), top);
    if (warmupSteps === 0 || warmupTarget === null) return decayed;
    const warm = add(mul(step, (top - initialLearningRate) / warmupSteps), initialLearningRate);
    return where(greaterEqual(step, warmupSteps), decayed, warm);
  }
}

export interface CosineDecayRestartsArgs {
  initialLearningRate: number;
  /** Steps of the first period. */
  firstDecaySteps: number;
  /** How much longer each period is than the one before; default 2. */
  tMul?: number;
  /** How much of the rate each period starts with; default 1. */
  mMul?: number;
  /** Default 0. */
  alpha?: number;
}

/** Cosine decay that starts over, in longer periods (SGDR, Loshchilov and Hutter 2017). */
class CosineDecayRestarts extends Formula<CosineDecayRestartsArgs> {
  constructor(args: CosineDecayRestartsArgs) {
    super({ tMul: 2, mMul: 1, alpha: 0, ...args }, ['firstDecaySteps', 'tMul']);
  }
  override getClassName(): string {
    return 'CosineDecayRestarts';
  }
  override at(step: Tensor): Tensor {
    const { initialLearningRate, firstDecaySteps, tMul, mMul, alpha } = this.args;
    const done = div(step, firstDecaySteps);
    let period: Tensor;
    let share: Tensor;
    if (tMul === 1) {
      period = floor(done);
      share = sub(done, period);
    } else {
      // A hair is added, so that rounding does not make a period that just began the end of the one before.
      period = floor(add(div(log(sub(1, mul(done, 1 - tMul))), Math.log(tMul)), 1e-6));
      const before = div(sub(1, pow(scalar(tMul), period)), 1 - tMul);
      share = maximum(div(sub(done, before), pow(scalar(tMul), period)), 0);
    }
    const factor = pow(scalar(mMul), period);
    const wave = mul(mul(factor, 0.5), add(cos(mul(share, Math.PI)), 1));
    return mul(add(mul(wave, 1 - alpha), alpha), initialLearningRate);
  }
}

export interface PiecewiseConstantDecayArgs {
  /** The last step of each value but the last one. */
  boundaries: readonly number[];
  /** One more than boundaries. */
  values: readonly number[];
}

/** values[i] up to and with step boundaries[i] */
class PiecewiseConstantDecay extends LearningRateSchedule {
  readonly #args: PiecewiseConstantDecayArgs;
  constructor(args: PiecewiseConstantDecayArgs) {
    super();
    const { boundaries, values } = args;
    const rising = boundaries.every((n, i) => Number.isFinite(n) && (i === 0 || n > boundaries[i - 1]));
    if (!rising) fail('PiecewiseConstantDecay', 'boundaries must rise', `got ${boundaries}`);
    if (values.length !== boundaries.length + 1) {
      const came = `got ${values.length} for ${boundaries.length} boundaries`;
      fail('PiecewiseConstantDecay', 'there must be one value more than boundaries', came);
    }
    this.#args = { boundaries: [...boundaries], values: [...values] };
  }
  override getClassName(): string {
    return 'PiecewiseConstantDecay';
  }
  override at(step: Tensor): Tensor {
    const { boundaries, values } = this.#args;
    return boundaries.reduceRight<Tensor>(
      (rest, boundary, i) => where(lessEqual(step, boundary), scalar(values[i]), rest),
      scalar(values[values.length - 1]),
    );
  }
  override getConfig(): Config {
    return { ...this.#args };
  }
}

export interface WarmupArgs {
  /** Steps in which the rate grows linearly from 0. */
  warmupSteps: number;
  /** What comes then: a rate, or a schedule that starts with the end of the warm-up. */
  after: number | LearningRateSchedule;
}

/** after(0) (step + 1) / warmupSteps, then after(step - warmupSteps) */
class Warmup extends LearningRateSchedule {
  readonly #steps: number;
  readonly #after: LearningRateSchedule;
  constructor({ warmupSteps, after }: WarmupArgs) {
    super();
    checkNumbers('Warmup', { warmupSteps }, ['warmupSteps']);
    this.#steps = warmupSteps;
    this.#after = typeof after === 'number' ? new Constant(after) : after;
  }
  override getClassName(): string {
    return 'Warmup';
  }
  override at(step: Tensor): Tensor {
    const rest = this.#after.at(maximum(sub(step, this.#steps), 0));
    const share = minimum(div(add(step, 1), this.#steps), 1);
    return where(greater(this.#steps, step), mul(rest, share), rest);
  }
  override getConfig(): Config {
    return {
      warmupSteps: this.#steps,
      after: { className: this.#after.getClassName(), config: this.#after.getConfig() },
    };
  }
}

/** Always the same. */
class Constant extends LearningRateSchedule {
  readonly #rate: number;
  constructor(learningRate: number) {
    super();
    checkNumbers('Constant', { learningRate }, []);
    this.#rate = learningRate;
  }
  override getClassName(): string {
    return 'Constant';
  }
  override at(): Tensor {
    return scalar(this.#rate);
  }
  override getConfig(): Config {
    return { learningRate: this.#rate };
  }
}

/** tf.train.schedules */
export const schedules = {
  constant: (learningRate: number): LearningRateSchedule => new Constant(learningRate),
  exponentialDecay: (args: DecayArgs): LearningRateSchedule => new ExponentialDecay(args),
  inverseTimeDecay: (args: DecayArgs): LearningRateSchedule => new InverseTimeDecay(args),
  polynomialDecay: (args: PolynomialDecayArgs): LearningRateSchedule => new PolynomialDecay(args),
  cosineDecay: (args: CosineDecayArgs): LearningRateSchedule => new CosineDecay(args),
  cosineDecayRestarts: (args: CosineDecayRestartsArgs): LearningRateSchedule => new CosineDecayRestarts(args),
  piecewiseConstantDecay: (args: PiecewiseConstantDecayArgs): LearningRateSchedule => new PiecewiseConstantDecay(args),
  warmup: (args: WarmupArgs): LearningRateSchedule => new Warmup(args),
};

const byClass = new Map<string, (config: Config) => LearningRateSchedule>([
  ['Constant', (config) => new Constant(config['learningRate'] as number)],
  ['ExponentialDecay', (config) => new ExponentialDecay(config as unknown as DecayArgs)],
  ['InverseTimeDecay', (config) => new InverseTimeDecay(config as unknown as DecayArgs)],
  ['PolynomialDecay', (config) => new PolynomialDecay(config as unknown as PolynomialDecayArgs)],
  ['CosineDecay', (config) => new CosineDecay(config as unknown as CosineDecayArgs)],
  ['CosineDecayRestarts', (config) => new CosineDecayRestarts(config as unknown as CosineDecayRestartsArgs)],
  ['PiecewiseConstantDecay', (config) => new PiecewiseConstantDecay(config as unknown as PiecewiseConstantDecayArgs)],
  [
    'Warmup',
    (config) => new Warmup({ ...(config as unknown as WarmupArgs), after: scheduleFrom('Warmup', config['after'])! }),
  ],
]);

/** A schedule from its config; null where it is none. */
export function scheduleFrom(op: string, value: unknown): LearningRateSchedule | null {
  if (value instanceof LearningRateSchedule) return value;
  const { className, config } = (value ?? {}) as { className?: unknown; config?: Config };
  if (typeof className !== 'string') return null;
  const make = byClass.get(className);
  if (make) return make(config ?? {});
  return fail(op, `a schedule must be one of ${[...byClass.keys()].join(', ')}`, `got ${className}`);
}
