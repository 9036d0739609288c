/** Adaptive optimizers that TensorFlow.js lacks: Nadam, Ftrl, Lion, Lamb, Adafactor. */
import {
  add,
  clipByValue,
  div,
  expandDims,
  greater,
  logicalAnd,
  maximum,
  mean,
  minimum,
  mul,
  pow,
  rsqrt,
  scalar,
  sign,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tidy,
  type Variable,
  where,
} from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import { type GradientPair, Optimizer, type OptimizerOptions } from './optimizer.ts';
import type { LearningRateSchedule } from './schedules.ts';

export type Rate = number | LearningRateSchedule;

export interface NadamArgs extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: Rate;
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Default 1e-7. */
  epsilon?: number;
}

/**
 * Adam with Nesterov momentum (Dozat 2016): with u_t = b1 (1 - 0.96^t / 2) and U_t their product,
 * w <- w - rate (u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - b2^t)) + epsilon).
 * Source: keras.optimizers.Nadam.
 */
export class NadamOptimizer extends Optimizer {
  static override readonly className: string = 'Nadam';
  protected override readonly slotNames: readonly string[] = ['m', 'v'];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly #product: Variable;

  constructor(args: NadamArgs = {}) {
    const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, ...options } = args;
    super(learningRate, options);
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
    this.#product = this.counter('u_product', 1);
  }

  protected override update(pairs: readonly GradientPair[]): void {
    const { beta1, beta2, epsilon } = this;
    const t = add(this.step, 1);
    const factor = (step: Tensor) => mul(sub(1, mul(pow(scalar(0.96), step), 0.5)), beta1);
    const [now, next] = [factor(t), factor(add(t, 1))];
    const product = mul(this.#product, now);
    const ofM = div(next, sub(1, mul(product, next)));
    const ofG = div(sub(1, now), sub(1, product));
    const scale = div(1, sub(1, pow(scalar(beta2), t)));
    for (const { variable, gradient } of pairs) {
      const m = this.slot('m', variable);
      const v = this.slot('v', variable);
      const nextM = add(mul(m, beta1), mul(gradient, 1 - beta1));
      const nextV = add(mul(v, beta2), mul(square(gradient), 1 - beta2));
      m.assign(nextM);
      v.assign(nextV);
      const direction = add(mul(nextM, ofM), mul(gradient, ofG));
      variable.assign(sub(variable, div(mul(direction, this.rate), add(sqrt(mul(nextV, scale)), epsilon))));
    }
    this.#product.assign(product);
  }

  protected override onRestore(iterations: number): void {
    let product = 1;
    for (let t = 1; t <= iterations; t++) product *= this.beta1 * (1 - 0.5 * 0.96 ** t);
    tidy(() => this.#product.assign(scalar(product)));
  }
  override getConfig(): Config {
    return { ...this.baseConfig(), beta1: this.beta1, beta2: this.beta2, epsilon: this.epsilon };
  }
}

export interface FtrlArgs extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: Rate;
  /** At most 0; default -0.5. */
  learningRatePower?: number;
  /** Default 0.1. */
  initialAccumulatorValue?: number;
  /** Default 0. */
  l1RegularizationStrength?: number;
  /** Default 0. */
  l2RegularizationStrength?: number;
  /** Default 0. */
  l2ShrinkageRegularizationStrength?: number;
  /** Default 0. */
  beta?: number;
}

/**
 * Follow the regularized leader (McMahan et al. 2013): n' = n + g^2; z <- z + g - (n'^p - n^p) / rate w;
 * w <- (clip(z, -l1, l1) - z) / (n'^p / rate + 2 l2 + beta / rate), p = -learningRatePower. Source: keras.optimizers.Ftrl.
 */
export class FtrlOptimizer extends Optimizer {
  static override readonly className: string = 'Ftrl';
  protected override readonly slotNames: readonly string[] = ['accumulator', 'linear'];
  readonly #args: Required<Omit<FtrlArgs, keyof OptimizerOptions | 'learningRate'>>;

  constructor(args: FtrlArgs = {}) {
    const {
      learningRate = 1e-3,
      learningRatePower = -0.5,
      initialAccumulatorValue = 0.1,
      l1RegularizationStrength = 0,
      l2RegularizationStrength = 0,
      l2ShrinkageRegularizationStrength = 0,
      beta = 0,
      ...options
    } = args;
    super(learningRate, options);
    this.#args = {
      learningRatePower,
      initialAccumulatorValue,
      l1RegularizationStrength,
      l2RegularizationStrength,
      l2ShrinkageRegularizationStrength,
      beta,
    };
  }
  protected override initialSlot(name: string): number {
    return name === 'accumulator' ? this.#args.initialAccumulatorValue : 0;
  }
  protected override update(pairs: readonly GradientPair[]): void {
    const { learningRatePower, l1RegularizationStrength: l1, l2RegularizationStrength: l2, beta } = this.#args;
    const shrinkage = 2 * this.#args.l2ShrinkageRegularizationStrength;
    const powered = (x: Tensor) => (learningRatePower === -0.5 ? sqrt(x) : pow(x, -learningRatePower));
    for (const { variable, gradient } of pairs) {
      const squares = this.slot('accumulator', variable);
      const linear = this.slot('linear', variable);
      const used = shrinkage === 0 ? gradient : add(gradient, mul(variable, shrinkage));
      const next = add(squares, square(gradient));
      const grown = div(sub(powered(next), powered(squares)), this.rate);
      const z = sub(add(linear, used), mul(grown, variable));
      const quadratic = add(div(add(powered(next), beta), this.rate), 2 * l2);
      variable.assign(div(sub(clipByValue(z, -l1, l1), z), quadratic));
      squares.assign(next);
      linear.assign(z);
    }
  }
  override getConfig(): Config {
    return { ...this.baseConfig(), ...this.#args };
  }
}

export interface LionArgs extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: Rate;
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.99. */
  beta2?: number;
}

/** w <- w - rate sign(b1 m + (1 - b1) g); m <- b2 m + (1 - b2) g (Chen et al. 2023). Source: keras.optimizers.Lion. */
export class LionOptimizer extends Optimizer {
  static override readonly className: string = 'Lion';
  protected override readonly slotNames: readonly string[] = ['m'];
  readonly beta1: number;
  readonly beta2: number;

  constructor(args: LionArgs = {}) {
    const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.99, ...options } = args;
    super(learningRate, options);
    this.beta1 = beta1;
    this.beta2 = beta2;
  }
  protected override update(pairs: readonly GradientPair[]): void {
    for (const { variable, gradient } of pairs) {
      const m = this.slot('m', variable);
      const direction = sign(add(mul(m, this.beta1), mul(gradient, 1 - this.beta1)));
      m.assign(add(mul(m, this.beta2), mul(gradient, 1 - this.beta2)));
      variable.assign(sub(variable, mul(direction, this.rate)));
    }
  }
  override getConfig(): Config {
    return { ...this.baseConfig(), beta1: this.beta1, beta2: this.beta2 };
  }
}

export interface LambArgs extends NadamArgs {}

/**
 * Adam's step r, scaled for each weight to the weight's own length: w <- w - rate |w| / |r| r (You et al. 2020); the ratio is 1 where
 * one of the lengths is 0. Source: keras.optimizers.Lamb.
 */
export class LambOptimizer extends Optimizer {
  static override readonly className: string = 'Lamb';
  protected override readonly slotNames: readonly string[] = ['m', 'v'];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;

  constructor(args: LambArgs = {}) {
    const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, ...options } = args;
    super(learningRate, options);
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
  }
  protected override update(pairs: readonly GradientPair[]): void {
    const { beta1, beta2, epsilon } = this;
    const t = add(this.step, 1);
    const ofM = div(1, sub(1, pow(scalar(beta1), t)));
    const ofV = div(1, sub(1, pow(scalar(beta2), t)));
    for (const { variable, gradient } of pairs) {
      const m = this.slot('m', variable);
      const v = this.slot('v', variable);
      const nextM = add(mul(m, beta1), mul(gradient, 1 - beta1));
      const nextV = add(mul(v, beta2), mul(square(gradient), 1 - beta2));
      m.assign(nextM);
      v.assign(nextV);
      const step = div(mul(nextM, ofM), add(sqrt(mul(nextV, ofV)), epsilon));
      const [size, length] = [sqrt(sum(square(variable))), sqrt(sum(square(step)))];
      const both = logicalAnd(greater(size, 0), greater(length, 0));
      const ratio = where(both, div(size, maximum(length, 1e-30)), scalar(1));
      variable.assign(sub(variable, mul(step, mul(ratio, this.rate))));
    }
  }
  override getConfig(): Config {
    return { ...this.baseConfig(), beta1: this.beta1, beta2: this.beta2, epsilon: this.epsilon };
  }
}

export interface AdafactorArgs extends OptimizerOptions {
  /** Default 0.001; with relativeStep the largest. */
  learningRate?: Rate;
  /** Default -0.8. */
  beta2Decay?: number;
  /** Added to squares; default 1e-30. */
  epsilon1?: number;
  /** The least size that a weight counts for; default 0.001. */
  epsilon2?: number;
  /** Longer steps are scaled down; default 1. */
  clipThreshold?: number;
  /** min(rate, 1 / sqrt(t)); default true. */
  relativeStep?: boolean;
}

/**
 * Adam without first moments, whose second moments of a matrix are kept as means of rows and columns (Shazeer and Stern 2018).
 * Source: keras.optimizers.Adafactor.
 */
export class AdafactorOptimizer extends Optimizer {
  static override readonly className: string = 'Adafactor';
  protected override readonly slotNames: readonly string[] = ['r', 'c', 'v'];
  readonly #args: Required<Omit<AdafactorArgs, keyof OptimizerOptions | 'learningRate'>>;

  constructor(args: AdafactorArgs = {}) {
    const {
      learningRate = 1e-3,
      beta2Decay = -0.8,
      epsilon1 = 1e-30,
      epsilon2 = 1e-3,
      clipThreshold = 1,
      relativeStep = true,
      ...options
    } = args;
    super(learningRate, options);
    this.#args = { beta2Decay, epsilon1, epsilon2, clipThreshold, relativeStep };
  }
  protected override slotShape(name: string, { shape }: Variable): readonly number[] {
    const factored = shape.length >= 2;
    if (name === 'v') return factored ? [1] : shape;
    if (!factored) return [1];
    return name === 'r' ? shape.slice(0, -1) : [...shape.slice(0, -2), shape[shape.length - 1]];
  }
  protected override update(pairs: readonly GradientPair[]): void {
    const { beta2Decay, epsilon1, epsilon2, clipThreshold, relativeStep } = this.#args;
    const t = add(this.step, 1);
    const rate = relativeStep ? minimum(this.rate, rsqrt(t)) : this.rate;
    const beta = sub(1, pow(t, beta2Decay));
    const size = (x: Tensor) => sqrt(mean(square(x)));
    const moved = (slot: Variable, value: Tensor): Tensor => {
      const next = add(mul(slot, beta), mul(value, sub(1, beta)));
      slot.assign(next);
      return next;
    };
    for (const { variable, gradient } of pairs) {
      const squares = add(square(gradient), epsilon1);
      let v: Tensor;
      if (variable.rank >= 2) {
        const rows = moved(this.slot('r', variable), mean(squares, -1));
        const columns = moved(this.slot('c', variable), mean(squares, -2));
        const share = div(rows, mean(rows, -1, true));
        v = mul(expandDims(share, -1), expandDims(columns, -2));
      } else v = moved(this.slot('v', variable), squares);
      const step = mul(gradient, rsqrt(v));
      const clipped = div(step, maximum(div(size(step), clipThreshold), 1));
      variable.assign(sub(variable, mul(clipped, mul(rate, maximum(size(variable), epsilon2)))));
    }
  }
  override getConfig(): Config {
    return { ...this.baseConfig(), ...this.#args };
  }
}
