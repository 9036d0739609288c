/** Penalties on weights that are added to the training loss. */
import { fail } from '../base/errors.ts';
import { abs as absolute, add, mul, square, sum, type Tensor } from '../tensor/index.ts';
import { type Config, isSerializedObject } from './keras_config.ts';
import { failUnknownName, toCamelCase } from './naming.ts';

export abstract class Regularizer {
  abstract getClassName(): string;
  /** The penalty of a weight, a scalar. */
  abstract apply(weight: Tensor): Tensor;
  abstract getConfig(): Config;
}

export interface L1L2Args {
  /** Default 0.01. */
  l1?: number;
  /** Default 0.01. */
  l2?: number;
}

/** l1 sum |w| + l2 sum w^2 */
export class L1L2 extends Regularizer {
  readonly l1: number;
  readonly l2: number;
  constructor(args: L1L2Args = {}) {
    super();
    this.l1 = args.l1 ?? 0.01;
    this.l2 = args.l2 ?? 0.01;
    for (const [name, value] of Object.entries({ l1: this.l1, l2: this.l2 })) {
      if (typeof value !== 'number' || !(value >= 0)) {
        fail('regularizers.l1l2', `${name} must be a non-negative number`, `got ${value}`);
      }
    }
  }
  override getClassName(): string {
    return 'L1L2';
  }
  override apply(weight: Tensor): Tensor {
    const l1 = this.l1 > 0 ? mul(sum(absolute(weight)), this.l1) : null;
    const l2 = this.l2 > 0 ? mul(sum(square(weight)), this.l2) : null;
    if (l1 && l2) return add(l1, l2);
    return l1 ?? l2 ?? mul(sum(weight), 0);
  }
  override getConfig(): Config {
    return { l1: this.l1, l2: this.l2 };
  }
}

/** tf.regularizers: a factory for each. */
export const regularizers = {
  l1: (args?: { l1?: number }): Regularizer => new L1L2({ l1: args?.l1, l2: 0 }),
  l2: (args?: { l2?: number }): Regularizer => new L1L2({ l1: 0, l2: args?.l2 }),
  l1l2: (args?: L1L2Args): Regularizer => new L1L2(args),
};

export type RegularizerIdentifier = keyof typeof regularizers;

/** A regularizer from a name (`l1`, `l2`, `l1l2`), its config, or itself; nothing is null. */
export function getRegularizer(op: string, identifier: unknown): Regularizer | null {
  if (identifier === null || identifier === undefined) return null;
  if (identifier instanceof Regularizer) return identifier;
  const { className, config } = isSerializedObject(identifier) ? identifier : { className: identifier, config: {} };
  if (typeof className === 'string') {
    const make = new Map(Object.entries(regularizers)).get(toCamelCase(className).toLowerCase());
    if (make) return make(config as L1L2Args);
  }
  failUnknownName(op, 'regularizer', className, Object.keys(regularizers));
}
