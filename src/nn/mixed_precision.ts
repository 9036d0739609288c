/**
 * tf.mixedPrecision: layers compute in a small dtype and keep their weights in float32. A policy says which; there is a global one, and
 * each layer may have its own (`dtype: 'mixed_bfloat16'`). Knows no layer.
 */
import { fail } from '../base/errors.ts';
import { cast, type Tensor } from '../tensor/index.ts';
import { type DType, isDType, isFloat } from '../types/dtype.ts';
import { isSerializedObject } from './keras_config.ts';
import { failUnknownName, toSnakeCase } from './naming.ts';

const computeDTypes: { readonly [policy: string]: DType } = {
  float32: 'float32',
  float64: 'float64',
  float16: 'float16',
  bfloat16: 'bfloat16',
  mixed_float16: 'float16',
  mixed_bfloat16: 'bfloat16',
};

export type PolicyName = 'float32' | 'float64' | 'float16' | 'bfloat16' | 'mixed_float16' | 'mixed_bfloat16';

/** Which dtype a layer computes in; its weights are float32, under 'float64' float64. Source: keras.DTypePolicy (where 'float16' alone has small weights too). */
export class DTypePolicy {
  readonly name: PolicyName;

  constructor(name: PolicyName | (string & {})) {
    const plain = typeof name === 'string' ? toSnakeCase(name) : name;
    if (typeof plain !== 'string' || !Object.hasOwn(computeDTypes, plain)) {
      failUnknownName('mixedPrecision', 'a policy', name, Object.keys(computeDTypes));
    }
    this.name = plain as PolicyName;
  }
  get variableDtype(): 'float32' | 'float64' {
    return this.name === 'float64' ? 'float64' : 'float32';
  }
  get computeDtype(): DType {
    return computeDTypes[this.name];
  }
}

let current = new DTypePolicy('float32');

/** What layers that are made from here on compute in, unless they say so themselves. */
export function globalPolicy(): DTypePolicy {
  return current;
}

/** @param policy 'float32' (at first), 'mixed_float16', 'mixed_bfloat16', or 'float64' for weights and computations of that dtype */
export function setGlobalPolicy(policy: PolicyName | DTypePolicy): void {
  current = policy instanceof DTypePolicy ? policy : new DTypePolicy(policy);
}

/** The policy in the `dtype` of a layer's arguments: a name, Keras's object, or null for a plain dtype that is none. */
export function policyFrom(label: string, dtype: unknown): DTypePolicy | null {
  if (dtype === undefined || dtype === null) return current;
  if (dtype instanceof DTypePolicy) return dtype;
  if (isSerializedObject(dtype)) return new DTypePolicy(String(dtype.config['name']));
  if (isDType(dtype)) return Object.hasOwn(computeDTypes, dtype) ? new DTypePolicy(dtype) : null;
  const plain = typeof dtype === 'string' ? toSnakeCase(dtype) : '';
  if (Object.hasOwn(computeDTypes, plain)) return new DTypePolicy(plain);
  return fail(
    label,
    'dtype must be a dtype, or the name of a policy',
    `got ${JSON.stringify(dtype)}`,
    "as 'mixed_float16'",
  );
}

/** What weights are read as inside of the call that runs; null: as they are. */
let reading: DType | null = null;

export function withCompute<T>(dtype: DType, body: () => T): T {
  const outer = reading;
  reading = dtype;
  try {
    return body();
  } finally {
    reading = outer;
  }
}

/** At least float32: small floats are widened, float64 stays. */
export function asWide(x: Tensor): Tensor {
  return x.dtype === 'float64' ? x : asFloat(x, 'float32');
}

/** Floating-point values in another floating-point dtype; all else as it is. */
export function asFloat(x: Tensor, dtype: DType): Tensor {
  return x.dtype !== dtype && isDType(x.dtype) && isFloat(x.dtype) ? cast(x, dtype) : x;
}

/** A weight as the layer that runs computes with it. */
export function asRead(weight: Tensor): Tensor {
  return reading === null ? weight : asFloat(weight, reading);
}
