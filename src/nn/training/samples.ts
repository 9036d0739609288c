/** A data set on the host: samples one after the other in a typed array, from which batches are cut or gathered. */
import { fail } from '../../base/errors.ts';
import { Tensor, tensor } from '../../tensor/index.ts';
import type { DType, TypedArray } from '../../types/dtype.ts';
import { newArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';

export class Samples {
  readonly values: TypedArray;
  readonly dtype: DType;
  /** Number of samples. */
  readonly count: number;
  /** Shape of one sample. */
  readonly shape: readonly number[];
  readonly #size: number;
  /** Where batches are gathered: fresh pages would cost more than the gathering. */
  #gathered: TypedArray = new Float32Array(0);

  constructor(values: TypedArray, dtype: DType, count: number, shape: readonly number[]) {
    this.values = values;
    this.dtype = dtype;
    this.count = count;
    this.shape = shape;
    this.#size = sizeOf(shape);
  }

  /** Samples start to end, sharing memory. */
  slice(start: number, end: number): Samples {
    const values = this.values.subarray(start * this.#size, end * this.#size);
    return new Samples(values, this.dtype, end - start, this.shape);
  }

  /** Samples start to end of this data set, or of the given order of it. */
  batch(start: number, end: number, order: Int32Array | null = null): Tensor {
    const count = end - start;
    const values = order
      ? this.#gather(start, count, order)
      : this.values.subarray(start * this.#size, end * this.#size);
    // A copy: what it was gathered in is used again for the next batch.
    return tensor(values, [count, ...this.shape], this.dtype);
  }

  #gather(start: number, count: number, order: Int32Array): TypedArray {
    const size = this.#size;
    if (this.#gathered.length < count * size) this.#gathered = newArray(this.dtype, count * size);
    const out = this.#gathered.subarray(0, count * size);
    if (size === 1) {
      for (let i = 0; i < count; i++) out[i] = this.values[order[start + i]];
      return out;
    }
    for (let i = 0; i < count; i++) {
      const from = order[start + i] * size;
      out.set(this.values.subarray(from, from + size), i * size);
    }
    return out;
  }
}

/** The one tensor of what fit takes as x or y. */
export function oneTensor(op: string, name: string, value: unknown): Tensor {
  const single = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (single instanceof Tensor) return single;
  const came = Array.isArray(value) ? `a list of ${value.length}` : value === null ? 'null' : typeof value;
  fail(op, `${name} must be a tensor`, `got ${came}`, 'make one with tf.tensor(values, shape)');
}

/** The shape in batches: a tensor of rank 1 holds samples of one value each. */
export function batchShape(op: string, name: string, value: Tensor): number[] {
  if (value.rank === 0) fail(op, `${name} must have samples along its first axis`, 'got a scalar');
  return value.rank === 1 ? [value.shape[0], 1] : [...value.shape];
}

/** Reads a tensor to the host once. */
export function samplesOf(op: string, name: string, value: Tensor): Samples {
  const [count, ...shape] = batchShape(op, name, value);
  if (count === 0 || sizeOf(shape) === 0) {
    fail(op, `${name} must not be empty`, `got [${value.shape.join(',')}]`);
  }
  return new Samples(value.dataSync() as TypedArray, value.dtype as DType, count, shape);
}
