/**
 * What every optimizer is. Optimizers are ordinary tensor code, so they run eagerly and inside jit alike; whatever changes
 * from step to step (learning rate, step count, moments) is a Variable. Knows nothing of layers and models.
 */
import { fail } from '../../base/errors.ts';
import {
  add,
  dispose,
  type Scalar,
  scalar,
  type Tensor,
  tensor,
  tidy,
  type Variable,
  variable,
  variableGrads,
} from '../../tensor/index.ts';
import { newArray } from '../../types/dtype.ts';
import type { Config } from '../keras_config.ts';
import { uniqueVariableName } from '../naming.ts';
import { variableByName } from './variables.ts';

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
  /** Slots by their name and the variable's: `m` of `dense/kernel`. */
  readonly #slots = new Map<string, Map<string, Variable>>();

  constructor(learningRate: number) {
    this.#learningRateValue = this.#checkLearningRate(learningRate);
    this.#learningRate = this.counter('learning_rate', learningRate);
    this.#iterations = this.#state(scalar(0, 'int32'), `${this.getClassName()}/iterations`);
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
    return this.#learningRateValue;
  }
  set learningRate(value: number) {
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

  /** The learning rate as a scalar that a compiled step reads. */
  protected get rate(): Tensor {
    return this.#learningRate;
  }

  /** A float32 scalar that lives across steps. */
  protected counter(name: string, value: number): Variable {
    return this.#state(scalar(value), `${this.getClassName()}/${name}`);
  }

  /** A variable of the optimizer's own, with this initial value. */
  #state(initial: Tensor, name: string): Variable {
    const made = variable(initial, false, uniqueVariableName(name));
    initial.dispose();
    return made;
  }

  /** Makes the slots of these variables; must be done before a step is traced. */
  build(variables: readonly Variable[]): void {
    for (const name of this.slotNames) {
      for (const owner of variables) this.slot(name, owner);
    }
  }

  /** What a slot is filled with at first. */
  protected initialSlot(_name: string): number {
    return 0;
  }

  /** A slot of the variable's shape. */
  protected slot(name: string, owner: Variable): Variable {
    let slots = this.#slots.get(name);
    if (!slots) this.#slots.set(name, (slots = new Map()));
    let slot = slots.get(owner.name);
    if (!slot) {
      const values = newArray('float32', owner.size).fill(this.initialSlot(name));
      slot = this.#state(tensor(values, owner.shape, 'float32'), `${owner.name}/${name}`);
      slots.set(owner.name, slot);
    }
    return slot;
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
    this.build(pairs.map((pair) => pair.variable));
    tidy(() => {
      this.update(pairs);
      this.#iterations.assign(add(this.#iterations, scalar(1, 'int32')));
    });
  }

  /** The step count and the slots, named as TensorFlow.js names them. */
  async getWeights(): Promise<NamedTensor[]> {
    const weights: NamedTensor[] = [{ name: 'iter', tensor: this.#iterations }];
    for (const slotName of this.slotNames) {
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
    const count = slots.length / Math.max(1, this.slotNames.length);
    const known = owners ?? [...(this.#slots.get(this.slotNames[0])?.keys() ?? [])].map(variableByName);
    if (slots.length > 0 && count !== known.length) {
      fail(
        op,
        `there must be ${this.slotNames.length} slots for each of ${known.length} variables`,
        `got ${slots.length}`,
      );
    }
    tidy(() => {
      this.#iterations.assign(tensor(Int32Array.of(Number(iterations.tensor.dataSync()[0])), [], 'int32'));
      slots.forEach(({ tensor: value }, i) => {
        this.slot(this.slotNames[Math.floor(i / count)], known[i % count]).assign(value);
      });
      this.onRestore(this.iterations);
    });
  }

  /** Called after setWeights, for state that follows from the step count. */
  protected onRestore(_iterations: number): void {}

  /** Frees the step count and the slots. */
  dispose(): void {
    this.#iterations.dispose();
    this.#learningRate.dispose();
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
