/** Tensors <-> weight specs and bytes. */
import { type Tensor, tensor } from '../../tensor/index.ts';
import { fail } from '../../base/errors.ts';
import type { TypedArray } from '../../types/dtype.ts';
import type { NamedTensor } from '../../nn/index.ts';
import {
  checkWeightSpecs,
  decodeArrays,
  encodeArrays,
  isWeightDType,
  type NamedArray,
  type WeightSpec,
} from '../formats/weights.ts';

/** The values of a tensor, under a name. */
export function namedArray(name: string, value: Tensor, group?: string): NamedArray {
  const { dtype, shape } = value;
  if (!isWeightDType(dtype)) fail('encodeWeights', `${name} must hold numbers or booleans`, `its dtype is ${dtype}`);
  return { name, shape, dtype, values: value.dataSync() as TypedArray, ...(group ? { group } : {}) };
}

/** Source: tf.io.encodeWeights. */
export async function encodeWeights(
  tensors: { [name: string]: Tensor } | NamedTensor[],
  group?: string,
): Promise<{ data: ArrayBuffer; specs: WeightSpec[] }> {
  const list = Array.isArray(tensors)
    ? tensors
    : Object.entries(tensors).map(([name, value]) => ({ name, tensor: value }));
  const { specs, bytes } = encodeArrays(list.map((item) => namedArray(item.name, item.tensor, group)));
  return { data: bytes.buffer, specs };
}

/** Source: tf.io.decodeWeights. */
export function decodeWeights(data: ArrayBuffer, specs: WeightSpec[]): { [name: string]: Tensor } {
  const arrays = decodeArrays('decodeWeights', new Uint8Array(data), checkWeightSpecs('decodeWeights', specs));
  return Object.fromEntries(arrays.map(({ name, values, shape, dtype }) => [name, tensor(values, [...shape], dtype)]));
}
