/**
 * What every optimizer is. Optimizers are ordinary tensor code, so they run eagerly and inside jit alike; whatever changes
 * from step to step (learning rate, step count, moments) is a Variable. Knows nothing of layers and models.
 */
import { fail } from '../../base/errors.ts';
import {
  add,
  cast,
  clipByValue,
  clone,
  dispose,
  div,
  eagerly,
  equal,
  logicalNot,
  maximum,
  mod,
  mul,
  type Scalar,
  scalar,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  tidy,
  untracked,
  type Variable,
  variable,
  variableGrads,
  where,
} from '../../tensor/index.ts';
import { newArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import type { Config } from '../keras_config.ts';
import { uniqueVariableName } from '../naming.ts';
import { LearningRateSchedule } from './schedules.ts';
import { variableByName } from './variables.ts';

/** What every optimizer can do besides its own rule, in the order in which it is done. */
export interface OptimizerOptions {
  /** Gradients are clipped to [-clipvalue, clipvalue]. */
  clipvalue?: number | null;
  /** Each gradient is scaled down to this length where it is longer. */
  clipnorm?: number | null;
  /** All gradients are scaled by one factor, so that their common length is at most this. */
  globalClipnorm?: number | null;
  /** Each step takes rate weightDecay w off a weight, beside its rule (Loshchilov and Hutter 2019). */
  weightDecay?: number | null;
  /** Weights whose names contain one of these texts, or match, do not decay: ['bias', 'gamma', 'beta']. */
  excludeFromWeightDecay?: readonly (string | RegExp)[];
  /** Keeps moving averages of the weights; default false. */
  useEma?: boolean;
  /** How much of an average stays in a step; default 0.99. */
  emaMomentum?: number;
  /** The weights become their averages every so many steps; default never. */
  emaOverwriteFrequency?: number | null;
  /** Changes the weights only every so many steps, by the mean of the gradients since; default 1. */
  gradientAccumulationSteps?: number | null;
}

export interface NamedTensor {
  name: string;
  tensor: Tensor;
}

/** A variable and the gradient of the loss for it. */
export interface GradientPair {
  readonly variable: Variable;
  readonly gradient: Tensor;
}

export abstract class Optimizer {
  /** The name in Keras's JSON. */
  static readonly className: string = 'Optimizer';

  /** Steps taken, a scalar int32. */
  readonly #iterations: Variable;
  readonly #learningRate: Variable;
  #learningRateValue: number;
  readonly #schedule: LearningRateSchedule | null;
  /** The rate of the step that is being computed. */
  #rateNow: Tensor | null = null;
  readonly #options: OptimizerOptions;
  readonly #counters: Variable[] = [];
  /** Slots by their name and the variable's: `m` of `dense/kernel`. */
  readonly #slots = new Map<string, Map<string, Variable>>();

  constructor(learningRate: number | LearningRateSchedule, options: OptimizerOptions = {}) {
    this.#schedule = learningRate instanceof LearningRateSchedule ? learningRate : null;
    this.#learningRateValue = this.#schedule ? Number.NaN : this.#checkLearningRate(learningRate as number);
    this.#options = this.#checkOptions(options);
    this.#learningRate = this.#state(
      scalar(this.#schedule ? 0 : (learningRate as number)),
      `${this.getClassName()}/learning_rate`,
    );
    this.#iterations = this.#state(scalar(0, 'int32'), `${this.getClassName()}/iterations`);
  }

  #checkOptions(options: OptimizerOptions): OptimizerOptions {
    const op = this.getClassName();
    const check = (name: keyof OptimizerOptions, fits: (value: number) => boolean, must: string) => {
      const value = options[name];
      if (value === undefined || value === null) return;
      if (typeof value !== 'number' || !fits(value)) fail(op, `${name} must be ${must}`, `got ${String(value)}`);
    };
    for (const name of ['clipvalue', 'clipnorm', 'globalClipnorm'] as const) check(name, (n) => n > 0, 'positive');
    check('weightDecay', (n) => n >= 0 && Number.isFinite(n), 'a number of at least 0');
    check('emaMomentum', (n) => n >= 0 && n <= 1, 'in [0, 1]');
    for (const name of ['emaOverwriteFrequency', 'gradientAccumulationSteps'] as const) {
      check(name, (n) => Number.isSafeInteger(n) && n > 0, 'a positive integer');
    }
    const clips = [options.clipvalue, options.clipnorm, options.globalClipnorm].filter((n) => n != null);
    if (clips.length > 1)
      fail(op, 'only one of clipvalue, clipnorm and globalClipnorm may be given', `got ${clips.length}`);
    return options;
  }

  getClassName(): string {
    return (this.constructor as typeof Optimizer).className;
  }

  /** Arguments of the constructor, by name. */
  abstract getConfig(): Config;

  /** Names of the slots that each variable has, in the order in which model files hold them. */
  protected abstract readonly slotNames: readonly string[];

  /** One step: assigns each variable its new value. */
  protected abstract update(pairs: readonly GradientPair[]): void;

  /** May be set between steps; compiled steps see the new value. */
  get learningRate(): number {
    if (!this.#schedule) return this.#learningRateValue;
    const schedule = this.#schedule;
    return tidy(() => schedule.at(cast(this.#iterations, 'float32'))).dataSync()[0];
  }
  set learningRate(value: number) {
    if (this.#schedule) {
      fail(this.getClassName(), 'learningRate must not be set where a schedule gives it', `got ${value}`);
    }
    this.#learningRateValue = this.#checkLearningRate(value);
    tidy(() => {
      this.#learningRate.assign(scalar(value));
    });
  }
  setLearningRate(value: number): void {
    this.learningRate = value;
  }

  get iterations(): number {
    return this.#iterations.dataSync()[0];
  }

  get learningRateSchedule(): LearningRateSchedule | null {
    return this.#schedule;
  }

  /** The learning rate as a scalar that a compiled step reads. */
  protected get rate(): Tensor {
    if (!this.#schedule) return this.#learningRate;
    return this.#rateNow ?? this.#schedule.at(cast(this.#iterations, 'float32'));
  }
  /** Steps taken before this one, a float32 scalar. */
  protected get step(): Tensor {
    return cast(this.#iterations, 'float32');
  }

  /** The learning rate and the options, as getConfig gives them. */
  protected baseConfig(): Config {
    const schedule = this.#schedule;
    const options = Object.entries(this.#options).filter(([, value]) => value !== undefined && value !== null);
    return {
      learningRate: schedule
        ? { className: schedule.getClassName(), config: schedule.getConfig() }
        : this.#learningRateValue,
      ...Object.fromEntries(options),
    };
  }

  /** A float32 scalar that lives across steps. */
  protected counter(name: string, value: number): Variable {
    const made = this.#state(scalar(value), `${this.getClassName()}/${name}`);
    this.#counters.push(made);
    return made;
  }

  /** A variable of the optimizer's own, with this initial value. */
  #state(initial: Tensor, name: string): Variable {
    const made = untracked(() => variable(initial, false, uniqueVariableName(name)));
    initial.dispose();
    return made;
  }

  /** Makes the slots of these variables; must be done before a step is traced. */
  build(variables: readonly Variable[]): void {
    for (const name of this.#allSlotNames) {
      for (const owner of variables) this.slot(name, owner);
    }
  }

  get #allSlotNames(): string[] {
    const accumulates = (this.#options.gradientAccumulationSteps ?? 1) > 1;
    return [...this.slotNames, ...(this.#options.useEma ? ['ema'] : []), ...(accumulates ? ['accumulated'] : [])];
  }

  /** What a slot is filled with at first. */
  protected initialSlot(_name: string): number {
    return 0;
  }

  /** The shape of a slot; default: the variable's. */
  protected slotShape(_name: string, owner: Variable): readonly number[] {
    return owner.shape;
  }

  /** A slot of a variable. */
  protected slot(name: string, owner: Variable): Variable {
    let slots = this.#slots.get(name);
    if (!slots) this.#slots.set(name, (slots = new Map()));
    let slot = slots.get(owner.name);
    if (!slot) {
      slot = this.#state(this.#startOf(name, owner), `${owner.name}/${name}`);
      slots.set(owner.name, slot);
    }
    return slot;
  }

  #startOf(name: string, owner: Variable): Tensor {
    return eagerly(() =>
      untracked(() => {
        const dtype = owner.dtype === 'float64' ? 'float64' : 'float32';
        if (name === 'ema') return tensor(owner.dataSync().slice(), [...owner.shape], dtype);
        const own = name === 'accumulated' ? owner.shape : this.slotShape(name, owner);
        const values = newArray(dtype, sizeOf(own)).fill(name === 'accumulated' ? 0 : this.initialSlot(name));
        return tensor(values, [...own], dtype);
      }),
    );
  }

  /**
   * Computes the scalar f() and its gradients, and takes one step.
   *
   * @param f gives the loss, a scalar
   * @param returnCost whether to return the loss; default false
   * @param varList the variables to change; default: all trainable ones
   */
  minimize(f: () => Scalar, returnCost = false, varList?: Variable[]): Scalar | null {
    const { value, grads } = this.computeGradients(f, varList);
    this.applyGradients(grads);
    dispose(grads);
    if (returnCost) return value;
    value.dispose();
    return null;
  }

  /** The loss f() and its gradients by the names of the variables. */
  computeGradients(f: () => Scalar, varList?: Variable[]): { value: Scalar; grads: { [name: string]: Tensor } } {
    return variableGrads(f, varList);
  }

  /** Takes one step with these gradients, by the names of their variables. */
  applyGradients(gradients: { [name: string]: Tensor } | NamedTensor[]): void {
    const list = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    const pairs: GradientPair[] = [];
    for (const { name, tensor: gradient } of list) {
      if (gradient) pairs.push({ variable: variableByName(name), gradient });
    }
    this.applyPairs(pairs);
  }

  /** Takes one step with these gradients. */
  applyPairs(pairs: readonly GradientPair[]): void {
    const variables = pairs.map((pair) => pair.variable);
    this.build(variables);
    tidy(() => {
      if (this.#schedule) this.#rateNow = this.#schedule.at(cast(this.#iterations, 'float32'));
      try {
        const steps = this.#options.gradientAccumulationSteps ?? 1;
        if (steps > 1) this.#accumulate(pairs, steps);
        else this.#fullStep(pairs);
      } finally {
        this.#rateNow = null;
      }
      this.#iterations.assign(add(this.#iterations, scalar(1, 'int32')));
    });
  }

  #fullStep(pairs: readonly GradientPair[]): void {
    const clipped = this.#clipped(pairs);
    this.#decay(pairs.map(({ variable }) => variable));
    this.update(clipped);
    if (this.#options.useEma) this.#average(pairs.map(({ variable }) => variable));
  }

  /** Adds gradients up; every so many steps takes one with their mean. Otherwise all variables stay as they were. */
  #accumulate(pairs: readonly GradientPair[], steps: number): void {
    const ready = equal(mod(add(this.#iterations, scalar(1, 'int32')), scalar(steps, 'int32')), scalar(0, 'int32'));
    const sums = pairs.map(({ variable, gradient }) => add(this.slot('accumulated', variable), gradient));
    const touched = [
      ...pairs.map(({ variable }) => variable),
      ...this.#counters,
      ...this.#allSlotNames
        .filter((name) => name !== 'accumulated')
        .flatMap((name) => pairs.map(({ variable }) => this.slot(name, variable))),
    ];
    const before = touched.map((variable) => clone(variable));
    this.#fullStep(pairs.map(({ variable }, i) => ({ variable, gradient: div(sums[i], steps) })));
    touched.forEach((variable, i) => {
      variable.assign(where(ready, variable, before[i]));
    });
    const keeps = cast(logicalNot(ready), 'float32');
    pairs.forEach(({ variable }, i) => {
      this.slot('accumulated', variable).assign(mul(sums[i], keeps));
    });
  }

  #clipped(pairs: readonly GradientPair[]): readonly GradientPair[] {
    const { clipvalue, clipnorm, globalClipnorm } = this.#options;
    const scaled = (gradient: Tensor, squares: Tensor, most: number) =>
      mul(gradient, div(most, maximum(sqrt(squares), most)));
    if (clipvalue) {
      return pairs.map(({ variable, gradient }) => ({
        variable,
        gradient: clipByValue(gradient, -clipvalue, clipvalue),
      }));
    }
    if (clipnorm) {
      return pairs.map(({ variable, gradient }) => ({
        variable,
        gradient: scaled(gradient, sum(square(gradient)), clipnorm),
      }));
    }
    if (!globalClipnorm || pairs.length === 0) return pairs;
    const squares = pairs.map(({ gradient }) => sum(square(gradient))).reduce((a, b) => add(a, b));
    return pairs.map(({ variable, gradient }) => ({ variable, gradient: scaled(gradient, squares, globalClipnorm) }));
  }

  /** Whether a variable decays. */
  protected decays(variable: Variable): boolean {
    const excluded = this.#options.excludeFromWeightDecay ?? [];
    return !excluded.some((part) =>
      typeof part === 'string' ? variable.name.includes(part) : part.test(variable.name),
    );
  }
  #decay(variables: readonly Variable[]): void {
    const { weightDecay } = this.#options;
    if (!weightDecay) return;
    for (const variable of variables) {
      if (this.decays(variable)) variable.assign(sub(variable, mul(variable, mul(this.rate, weightDecay))));
    }
  }

  #average(variables: readonly Variable[]): void {
    const { emaMomentum: momentum = 0.99, emaOverwriteFrequency: every } = this.#options;
    const next = add(this.#iterations, scalar(1, 'int32'));
    for (const variable of variables) {
      const ema = this.slot('ema', variable);
      ema.assign(add(mul(ema, momentum), mul(variable, 1 - momentum)));
      if (!every) continue;
      const due = equal(mod(next, scalar(every, 'int32')), scalar(0, 'int32'));
      variable.assign(where(due, ema, variable));
    }
  }

  get usesEma(): boolean {
    return this.#options.useEma ?? false;
  }
  /** Exchanges the weights and their moving averages. */
  swapEma(variables: readonly Variable[]): void {
    if (!this.usesEma) fail(this.getClassName(), 'swapEma needs moving averages', undefined, 'pass useEma: true');
    tidy(() => {
      for (const variable of variables) {
        const ema = this.slot('ema', variable);
        const now = clone(variable);
        variable.assign(clone(ema));
        ema.assign(now);
      }
    });
  }

  /** The step count and the slots, named as TensorFlow.js names them. */
  async getWeights(): Promise<NamedTensor[]> {
    const weights: NamedTensor[] = [{ name: 'iter', tensor: this.#iterations }];
    for (const slotName of this.#allSlotNames) {
      for (const [owner, slot] of this.#slots.get(slotName) ?? []) {
        weights.push({ name: `${owner}/${slotName}`, tensor: slot });
      }
    }
    return weights;
  }

  /** Restores what getWeights gave. `owners` are the variables that the slots belong to, in order. */
  async setWeights(weights: readonly NamedTensor[], owners?: readonly Variable[]): Promise<void> {
    const op = `${this.getClassName()}.setWeights`;
    const [iterations, ...slots] = weights;
    if (iterations?.name !== 'iter') fail(op, "the first weight must be 'iter'", `got ${iterations?.name ?? 'none'}`);
    const slotNames = this.#allSlotNames;
    const count = slots.length / Math.max(1, slotNames.length);
    const known = owners ?? [...(this.#slots.get(slotNames[0])?.keys() ?? [])].map(variableByName);
    if (slots.length > 0 && count !== known.length) {
      fail(op, `there must be ${slotNames.length} slots for each of ${known.length} variables`, `got ${slots.length}`);
    }
    tidy(() => {
      this.#iterations.assign(tensor(Int32Array.of(Number(iterations.tensor.dataSync()[0])), [], 'int32'));
      slots.forEach(({ tensor: value }, i) => {
        this.slot(slotNames[Math.floor(i / count)], known[i % count]).assign(value);
      });
      this.onRestore(this.iterations);
    });
  }

  /** Called after setWeights, for state that follows from the step count. */
  protected onRestore(_iterations: number): void {}

  /** All that the optimizer moves on in a step on these variables: the step count, counters, slots. */
  stateOf(variables: readonly Variable[]): Variable[] {
    this.build(variables);
    const slots = this.#allSlotNames.flatMap((name) => variables.map((owner) => this.slot(name, owner)));
    return [this.#iterations, ...this.#counters, ...slots];
  }

  /** What a loss is multiplied by before gradients are taken; null: nothing. See LossScaleOptimizer. */
  get lossScale(): Tensor | null {
    return null;
  }

  /** Frees the step count and the slots. */
  dispose(): void {
    this.#iterations.dispose();
    this.#learningRate.dispose();
    for (const counter of this.#counters) counter.dispose();
    for (const slots of this.#slots.values()) {
      for (const slot of slots.values()) slot.dispose();
    }
    this.#slots.clear();
  }

  #checkLearningRate(value: number): number {
    if (typeof value !== 'number' || !(value >= 0) || !Number.isFinite(value)) {
      fail(this.getClassName(), 'learningRate must be a finite number, 0 or more', `got ${value}`);
    }
    return value;
  }
}
