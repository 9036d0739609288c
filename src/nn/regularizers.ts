/** Penalties on weights that are added to the training loss. */
import { fail } from '../base/errors.ts';
import {
  abs as absolute,
  add,
  div,
  eye,
  matMul,
  maximum,
  mul,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from '../tensor/index.ts';
import { showShape } from '../types/shape.ts';
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

export interface OrthogonalArgs {
  /** Default 0.01. */
  factor?: number;
  /** Whether the rows (the default) or the columns should be orthogonal. */
  mode?: 'rows' | 'columns';
}

/** factor times the mean |cosine| of the angles between rows, or columns, of a matrix. Source: keras.regularizers.OrthogonalRegularizer. */
export class OrthogonalRegularizer extends Regularizer {
  readonly factor: number;
  readonly mode: 'rows' | 'columns';
  constructor(args: OrthogonalArgs = {}) {
    super();
    this.factor = args.factor ?? 0.01;
    this.mode = args.mode ?? 'rows';
    if (!(this.factor >= 0 && Number.isFinite(this.factor))) {
      fail('regularizers.orthogonal', 'factor must be a non-negative number', `got ${args.factor}`);
    }
    if (this.mode !== 'rows' && this.mode !== 'columns')
      failUnknownName('regularizers.orthogonal', 'mode', args.mode, ['rows', 'columns']);
  }
  override getClassName(): string {
    return 'OrthogonalRegularizer';
  }
  override apply(weight: Tensor): Tensor {
    if (weight.rank !== 2)
      fail('regularizers.orthogonal', 'weights must be matrices', `got ${showShape(weight.shape)}`);
    const axis = this.mode === 'rows' ? 1 : 0;
    const unit = div(weight, sqrt(maximum(sum(square(weight), axis, true), 1e-12)));
    const size = weight.shape[1 - axis]!;
    const product = this.mode === 'rows' ? matMul(unit, unit, false, true) : matMul(unit, unit, true, false);
    const others = mul(absolute(product), sub(1, eye(size)));
    const pairs = (size * (size - 1)) / 2;
    return mul(sum(others), pairs === 0 ? 0 : (this.factor * 0.5) / pairs);
  }
  override getConfig(): Config {
    return { factor: this.factor, mode: this.mode };
  }
}

/** tf.regularizers: a factory for each. */
export const regularizers = {
  l1: (args?: { l1?: number }): Regularizer => new L1L2({ l1: args?.l1, l2: 0 }),
  l2: (args?: { l2?: number }): Regularizer => new L1L2({ l1: 0, l2: args?.l2 }),
  l1l2: (args?: L1L2Args): Regularizer => new L1L2(args),
  orthogonal: (args?: OrthogonalArgs): Regularizer => new OrthogonalRegularizer(args),
};

export type RegularizerIdentifier = keyof typeof regularizers;

/** A regularizer from a name (`l1`, `l2`, `l1l2`), its config, or itself; nothing is null. */
export function getRegularizer(op: string, identifier: unknown): Regularizer | null {
  if (identifier === null || identifier === undefined) return null;
  if (identifier instanceof Regularizer) return identifier;
  const { className, config } = isSerializedObject(identifier) ? identifier : { className: identifier, config: {} };
  if (typeof className === 'string') {
    const name = toCamelCase(className).toLowerCase();
    const make = new Map(Object.entries(regularizers)).get(name === 'orthogonalregularizer' ? 'orthogonal' : name);
    if (make) return make(config as object);
  }
  failUnknownName(op, 'regularizer', className, Object.keys(regularizers));
}
