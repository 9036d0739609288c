/** A weight of a layer: a Variable with its regularizer, its constraint and the name that model files know it by. */
import { fail } from '../../base/errors.ts';
import { deferredVariable, type Tensor, type Variable } from '../../tensor/index.ts';
import type { DType } from '../../types/dtype.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import type { Constraint } from '../constraints.ts';
import { asRead } from '../mixed_precision.ts';
import { uniqueVariableName } from '../naming.ts';
import type { Regularizer } from '../regularizers.ts';

export interface LayerVariableArgs {
  readonly regularizer: Regularizer | null;
  readonly constraint: Constraint | null;
  readonly trainable: boolean;
}

/** Gives the initial value of a weight by its name in model files; null: its initializer does. */
export type WeightSource = (name: string, shape: readonly number[], models: readonly string[]) => Tensor | null;

let weightSource: WeightSource | null = null;
/** Names of the layers and models inside of which layers are being built. */
const scope: string[] = [];

/** Weights made in `build` have `name` in front of theirs: two cells in one layer, or two models in one, may have equal names. */
export function withNameScope<T>(name: string, build: () => T): T {
  scope.push(name);
  try {
    return build();
  } finally {
    scope.pop();
  }
}

export function scopedName(name: string): string {
  return [...scope, name].join('/');
}

/** Layers that are built in `build` take their weights from `source`: a file's, without running initializers first. */
export function withWeightSource<T>(source: WeightSource | undefined, build: () => T): T {
  const previous = weightSource;
  weightSource = source ?? null;
  try {
    return build();
  } finally {
    weightSource = previous;
  }
}

/** Names of the models that are being made from their configs, the outermost first. */
const models: string[] = [];

/** Weights made in `build` belong to the model of that name: where two models inside one have equal names, a file has the path. */
export function withModelScope<T>(name: string, build: () => T): T {
  models.push(name);
  try {
    return build();
  } finally {
    models.pop();
  }
}

/** The value that a loader has for a weight. */
export function givenWeight(name: string, shape: readonly number[]): Tensor | null {
  return weightSource?.(name, shape, models.slice(1)) ?? null;
}

export class LayerVariable {
  /** `dense_Dense1/kernel`: the name in model files, which two models may share. */
  readonly originalName: string;
  /** The Variable's own name, unique in the process. */
  readonly name: string;
  readonly val: Variable;
  readonly regularizer: Regularizer | null;
  readonly constraint: Constraint | null;
  trainable: boolean;

  constructor(originalName: string, initial: Tensor, args: LayerVariableArgs) {
    this.originalName = originalName;
    this.name = uniqueVariableName(originalName);
    this.val = deferredVariable(initial, args.trainable, this.name);
    initial.dispose();
    this.regularizer = args.regularizer;
    this.constraint = args.constraint;
    this.trainable = args.trainable;
  }

  get shape(): readonly number[] {
    return this.val.shape;
  }

  get dtype(): DType {
    return this.val.dtype as DType;
  }

  /** What the layer computes with in place of the weight itself: a normalized weight during a call. */
  substitute: Tensor | null = null;

  /** The value, in the dtype that the layer which runs computes in. */
  read(): Tensor {
    return asRead(this.substitute ?? this.val);
  }

  /** Throws unless the value has the weight's shape. */
  check(value: Tensor): void {
    if (sameShape(value.shape, this.shape)) return;
    fail('setWeights', `${this.originalName} must be ${showShape(this.shape)}`, `got ${showShape(value.shape)}`);
  }

  /** Replaces the value, under the constraint, as TensorFlow.js does. */
  write(value: Tensor): void {
    this.check(value);
    this.val.assign(this.constraint ? this.constraint.apply(value) : value);
  }

  /**
   * Puts back a value that the weight had, of its shape, bit for bit. `write` would not: a constraint that divides by a norm (and
   * Keras's epsilon) makes weights that it has made already a little smaller.
   */
  restore(value: Tensor): void {
    this.val.assign(value);
  }

  dispose(): void {
    this.val.dispose();
  }
}

/** Replaces all, or, where one does not fit, none. */
export function writeAll(weights: readonly LayerVariable[], values: readonly Tensor[]): void {
  for (const [i, weight] of weights.entries()) weight.check(values[i]);
  for (const [i, weight] of weights.entries()) weight.write(values[i]);
}
