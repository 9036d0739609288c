/** A data set on the host: samples one after the other in a typed array, from which batches are cut or gathered. */
import { fail } from '../../base/errors.ts';
import { Tensor, tensor } from '../../tensor/index.ts';
import type { DType, TypedArray } from '../../types/dtype.ts';
import { newArray } from '../../types/dtype.ts';
import { sizeOf } from '../../types/shape.ts';
import { failUnknownName } from '../naming.ts';

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

/** Inputs or labels as users give them: one tensor, a list, or an object by the names of inputs or outputs. */
export type TensorsOf = Tensor | readonly Tensor[] | { readonly [name: string]: Tensor };

/** Weights of samples: one for each, or one for each step of each; by output where there are several. */
export type WeightsOf = TensorsOf | null;

export interface BatchWeights {
  sampleWeight?: WeightsOf;
  /** How much each class counts; by output where there are several. */
  classWeight?: ClassWeights;
}

export type ClassWeight = { readonly [classNumber: number]: number };
export type ClassWeights = ClassWeight | readonly ClassWeight[] | { readonly [output: string]: ClassWeight };

function describe(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return value === null ? 'null' : typeof value;
}

/** The tensors of what fit takes as x or y, in the order of `names`; of any number where names are not known. */
export function tensorsOf(op: string, what: string, value: unknown, names: readonly string[] | null): Tensor[] {
  const hint = 'make one with tf.tensor(values, shape)';
  if (value instanceof Tensor) return checkNumber(op, what, [value], names);
  if (Array.isArray(value)) {
    const wrong = value.find((item) => !(item instanceof Tensor));
    if (wrong !== undefined || value.length === 0) {
      fail(
        op,
        `${what} must be a tensor, or a list of them`,
        `got ${describe(wrong === undefined ? value : wrong)}`,
        hint,
      );
    }
    return checkNumber(op, what, value as Tensor[], names);
  }
  const known = names ?? [];
  const isMap = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (!isMap || known.length === 0) fail(op, `${what} must be a tensor`, `got ${describe(value)}`, hint);
  const map = value as { [name: string]: unknown };
  for (const name of Object.keys(map)) {
    if (!known.includes(name)) failUnknownName(op, `a key of ${what}`, name, known);
  }
  return known.map((name) => {
    const item = map[name];
    if (item instanceof Tensor) return item;
    fail(op, `${what} must hold a tensor for each of ${known.join(', ')}`, `${name} is ${describe(item)}`);
  });
}

function checkNumber(op: string, what: string, list: Tensor[], names: readonly string[] | null): Tensor[] {
  if (!names || names.length === list.length) return list;
  const must = names.length === 1 ? `${what} must be a tensor` : `${what} must be a list of ${names.length} tensors`;
  const many = names.length > 1 ? ` (${names.join(', ')})` : '';
  fail(op, `${must}${many}`, list.length === 1 ? 'got one tensor' : `got a list of ${list.length}`);
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
