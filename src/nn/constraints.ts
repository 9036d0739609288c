/** What a weight must keep to: applied to it after each optimizer step. */
import { add, clipByValue, div, mul, relu, sqrt, square, sum, type Tensor } from '../tensor/index.ts';
import { type Config, isSerializedObject } from './keras_config.ts';
import { failUnknownName, toCamelCase } from './naming.ts';

/** As in Keras's backend. */
const epsilon = 1e-7;

export abstract class Constraint {
  abstract getClassName(): string;
  /** The nearest allowed value to `weight`. */
  abstract apply(weight: Tensor): Tensor;
  abstract getConfig(): Config;
}

const norms = (weight: Tensor, axis: number): Tensor => sqrt(sum(square(weight), axis, true));

class NonNeg extends Constraint {
  override getClassName(): string {
    return 'NonNeg';
  }
  override apply(weight: Tensor): Tensor {
    return relu(weight);
  }
  override getConfig(): Config {
    return {};
  }
}

class UnitNorm extends Constraint {
  readonly axis: number;
  constructor(args: { axis?: number } = {}) {
    super();
    this.axis = args.axis ?? 0;
  }
  override getClassName(): string {
    return 'UnitNorm';
  }
  override apply(weight: Tensor): Tensor {
    return div(weight, add(norms(weight, this.axis), epsilon));
  }
  override getConfig(): Config {
    return { axis: this.axis };
  }
}

export interface MaxNormArgs {
  /** Default 2. */
  maxValue?: number;
  /** Default 0. */
  axis?: number;
}

class MaxNorm extends Constraint {
  readonly maxValue: number;
  readonly axis: number;
  constructor(args: MaxNormArgs = {}) {
    super();
    this.maxValue = args.maxValue ?? 2;
    this.axis = args.axis ?? 0;
  }
  override getClassName(): string {
    return 'MaxNorm';
  }
  override apply(weight: Tensor): Tensor {
    const norm = norms(weight, this.axis);
    return mul(weight, div(clipByValue(norm, 0, this.maxValue), add(norm, epsilon)));
  }
  override getConfig(): Config {
    return { maxValue: this.maxValue, axis: this.axis };
  }
}

export interface MinMaxNormArgs extends MaxNormArgs {
  /** Default 0. */
  minValue?: number;
  /** 1 (the default) enforces the bounds at once, less moves towards them. */
  rate?: number;
}

class MinMaxNorm extends Constraint {
  readonly minValue: number;
  readonly maxValue: number;
  readonly rate: number;
  readonly axis: number;
  constructor(args: MinMaxNormArgs = {}) {
    super();
    this.minValue = args.minValue ?? 0;
    this.maxValue = args.maxValue ?? 1;
    this.rate = args.rate ?? 1;
    this.axis = args.axis ?? 0;
  }
  override getClassName(): string {
    return 'MinMaxNorm';
  }
  override apply(weight: Tensor): Tensor {
    const norm = norms(weight, this.axis);
    const desired = add(mul(clipByValue(norm, this.minValue, this.maxValue), this.rate), mul(norm, 1 - this.rate));
    return mul(weight, div(desired, add(norm, epsilon)));
  }
  override getConfig(): Config {
    return { minValue: this.minValue, maxValue: this.maxValue, rate: this.rate, axis: this.axis };
  }
}

/** tf.constraints: a factory for each. */
export const constraints = {
  nonNeg: (): Constraint => new NonNeg(),
  unitNorm: (args?: { axis?: number }): Constraint => new UnitNorm(args),
  maxNorm: (args?: MaxNormArgs): Constraint => new MaxNorm(args),
  minMaxNorm: (args?: MinMaxNormArgs): Constraint => new MinMaxNorm(args),
};

export type ConstraintIdentifier = keyof typeof constraints;

const byName = new Map(Object.entries(constraints).map(([name, make]) => [name.toLowerCase(), make]));

/** A constraint from a name, its config, or itself; nothing is null. */
export function getConstraint(op: string, identifier: unknown): Constraint | null {
  if (identifier === null || identifier === undefined) return null;
  if (identifier instanceof Constraint) return identifier;
  const { className, config } = isSerializedObject(identifier) ? identifier : { className: identifier, config: {} };
  if (typeof className === 'string') {
    const make = byName.get(toCamelCase(className).toLowerCase());
    if (make) return make(config);
  }
  failUnknownName(op, 'constraint', className, Object.keys(constraints));
}
